/* Inside of the evaluator, shared by eval.c and keyswitch.c. */
#ifndef GB_EVAL_H
#define GB_EVAL_H

#include "scheme/core/cipher.h"

/* Fast basis extension from a set of source primes to any prime of the ring. With y_i = x_i (S/q_i)^-1 mod q_i and
 * v = round(sum y_i / q_i), x centred = sum y_i S/q_i - v S. */
typedef struct gb_extension {
    unsigned first, count;           /* data primes [first, first + count) ... */
    bool special;                    /* ... and all special primes */
    unsigned sources;                /* how many in all */
    uint32_t *source;                /* ring limb of each */
    uint64_t *hat_inv;               /* (S/q_i)^-1 mod q_i */
    double *inverse;                 /* 1 / q_i */
    uint64_t *weight;                /* [ring limb][sources + 1]: S/q_i mod p, then -S mod p */
    uint64_t *product, *product_inv; /* [ring limb]: S mod p and its inverse (0 for sources) */
} gb_extension;

typedef struct gb_permutation {
    uint64_t galois;
    uint32_t *index;
} gb_permutation;

typedef struct gb_loan {
    uint64_t *words;
    size_t count;
    bool out;
} gb_loan;

#define GB_EVAL_SCRATCH 3 /* rows of scratch a thread */

struct gb_eval {
    gb_ctx *ctx;
    const gb_params *params;
    const gb_ring *ring;
    const gb_kernels *kernels;
    const gb_extend_kernels *extend;
    size_t n, data, special; /* N, data primes, special primes */
    unsigned digit, digits;  /* data primes a digit; digits at the top level */
    gb_extension **extensions;
    size_t extension_count;
    gb_permutation *permutations;
    size_t permutation_count;
    uint64_t *coef;    /* [data + special][N]: scaled coefficients y of the sources */
    uint64_t *acc;     /* [2][data + special][N] */
    uint64_t *rows;    /* [digits][data + special][N]: digits, extended */
    uint64_t *result;  /* [2][data][N]: of a division */
    uint64_t *scratch; /* [threads][GB_EVAL_SCRATCH][N] */
    uint64_t *hoisted; /* [digits][data + special][N]; made at first use */
    unsigned hoisted_limbs;
    gb_loan *loans;
    size_t loan_count;
};

static inline unsigned gb_eval_ring_limb(const struct gb_eval *e, unsigned limbs, unsigned ext) {
    return ext < limbs ? ext : (unsigned)e->data + (ext - limbs);
}
static inline uint64_t *gb_eval_scratch(const struct gb_eval *e, unsigned worker, unsigned row) {
    return e->scratch + ((size_t)worker * GB_EVAL_SCRATCH + row) * e->n;
}

/* From the ring limbs source[0..sources) to every prime of the ring; release also after a failed init. */
GB_CHECK gb_status gb_extension_init(gb_extension *x, gb_ctx *ctx, const gb_ring *r, const uint32_t *source,
                                     unsigned sources);
void gb_extension_release(gb_extension *x);
GB_CHECK gb_status gb_eval_extension(const gb_extension **out, gb_eval *e, unsigned first, unsigned count,
                                     bool special);
/* What is still to be taken off the first two parts of a product that is relinearised: add(user, rows) adds P times it
 * to rows, [2][limbs][N], coefficients. It shares the transforms of the key switch's own. */
typedef struct gb_eval_rest {
    void (*add)(void *user, uint64_t *rows);
    void *user;
} gb_eval_rest;
/* gb_ct_relinearize, with such a rest (NULL: none). */
GB_CHECK gb_status gb_eval_relinearize(gb_ct *c, gb_eval *e, const gb_eval_keys *keys, const gb_eval_rest *rest);
GB_CHECK gb_status gb_eval_permutation(const uint32_t **out, gb_eval *e, uint64_t galois);

#endif
