/* Inside of scheme/bfv. */
#ifndef GB_BFV_INTERNAL_H
#define GB_BFV_INTERNAL_H

#include "kernel/arith.h"
#include "scheme/bfv/bfv.h"
#include "scheme/core/eval.h"

/* A product of ciphertexts of `limbs` primes q_i, Q together, goes through the first `aux` of the auxiliary primes r_k,
 * R together (mul.c). Every map below takes rows y of coefficients, the number of times their sum wraps as one more row
 * v, and has one line of weights a target prime; factors that would cost a pass over the data are in the weights. */
typedef struct gb_bfv_level {
    unsigned limbs, aux;
    uint64_t *words;               /* owned: what the pointers below are parts of */
    uint64_t *hat_inv;             /* [limbs]: (Q/q_i)^-1 mod q_i */
    uint64_t *aux_hat_inv;         /* [limbs]: R (Q/q_i)^-1 mod q_i */
    uint64_t *aux_product;         /* [limbs]: R mod q_i */
    uint64_t *delta;               /* [limbs]: floor(Q / t) mod q_j */
    uint64_t *lift;                /* [aux][limbs + 1]: y of x -> t x mod r_k */
    uint64_t *turn;                /* [aux][limbs + 1]: y of R x -> round(R x / Q) (R/r_k)^-1 mod r_k */
    uint64_t *back;                /* [limbs][aux + 1]: those -> t / R times it, mod q_j */
    uint64_t *rest;                /* [limbs][aux + 1]: y of x mod R -> x / R mod q_j */
    uint64_t *special_rest;        /* [limbs][aux + 1]: P times that, P the product of the special primes */
    double fraction[GB_MAX_LIMBS]; /* 1 / q_i */
    uint64_t whole;                /* Q mod t */
} gb_bfv_level;

struct gb_bfv {
    gb_params *params;     /* owned copy */
    uint64_t t, t_inverse; /* and t^-1 mod 2^64 */
    gb_ring *plain;        /* N, modulo t: the batching transform */
    gb_ring *ring;         /* data primes, then auxiliary primes */
    const gb_extend_kernels *extend;
    unsigned data, aux;
    double aux_fraction[GB_MAX_LIMBS]; /* 1 / r_k */
    uint32_t *slot;                    /* slot i is entry slot[i] of the transform modulo t */
    gb_bfv_level *level;               /* [limbs] */
};

/* Messages are secret: none of these branches. */
static inline uint64_t gb_bfv_choose(uint64_t mask, uint64_t a, uint64_t b) { return b ^ (mask & (a ^ b)); }
/* -x mod q, x < q. */
static inline uint64_t gb_bfv_negate(uint64_t x, uint64_t q) { return gb_fold(q - x, q); }
/* x^-1 mod 2^64, x odd: each step of Newton's iteration doubles the correct low bits, 3 to begin with. With it a
 * quotient that is below 2^64 follows from its remainder, without a division: floor(a / x) = (a - a mod x) x^-1. */
static inline uint64_t gb_bfv_inverse64(uint64_t x) {
    uint64_t r = x;
    for (int i = 0; i < 5; i++) r *= 2 - x * r;
    return r;
}
/* v mod t. */
static inline uint64_t gb_bfv_residue(const gb_bfv *b, int64_t v) {
    const uint64_t mask = (uint64_t)(v >> 63),
                   r = gb_reduce128(((uint64_t)v ^ mask) - mask, gb_ring_modulus(b->plain, 0));
    return gb_bfv_choose(mask, gb_bfv_negate(r, b->t), r);
}
/* The centred x < t modulo a prime of the ring: noise grows by at most t/2. */
static inline uint64_t gb_bfv_centred(const gb_bfv *b, uint64_t x, const gb_modulus *m) {
    const uint64_t mask = (uint64_t)((int64_t)(b->t / 2 - x) >> 63); /* of x > t/2 */
    const uint64_t a = gb_reduce128(gb_bfv_choose(mask, b->t - x, x), m);
    return gb_bfv_choose(mask, gb_bfv_negate(a, m->q), a);
}
/* round(Q x / t) mod q_j = floor(Q/t) x + round((Q mod t) x / t), x < t. */
uint64_t gb_bfv_scaled(const gb_bfv *b, unsigned limbs, unsigned j, uint64_t x);

#endif
