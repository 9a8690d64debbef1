/* scheme/core/cipher: one RLWE ciphertext over an RNS basis, and hybrid key switching. What CKKS, BFV, bootstrapping
 * and multiparty have in common; no secret key is seen here.
 *
 * A level is a number of data primes in use ("limbs"); level, scale and limbs are separate ideas. Parts are
 * polynomials: phase = c0 + c1 s (+ c2 s^2). Evaluation is integer arithmetic: the same bytes on every CPU path and
 * thread count. Steady-state operations do not allocate: scratch lives in a gb_eval, one per calling thread. */
#ifndef GB_CIPHER_H
#define GB_CIPHER_H

#include "kernel/extend.h"
#include "scheme/scheme.h"

/* The same parameter set, perhaps in two objects (a key set carries its own). */
static inline bool gb_params_same(const gb_params *a, const gb_params *b) {
    return a == b || gb_hash_equal(gb_params_hash(a), gb_params_hash(b));
}

/* ---- ciphertexts: cipher.c ---- */
typedef struct gb_ct {
    const gb_params *params; /* borrowed: outlives the ciphertext */
    unsigned room, parts;    /* polynomials allocated, in use (2 or 3) */
    unsigned limbs;          /* data primes in use */
    unsigned capacity;       /* limbs allocated a part: the stride */
    bool ntt;
    double scale;   /* CKKS: integer per unit of value. BFV: 1 */
    uint64_t *data; /* part p, limb j: data + (p * capacity + j) * N; owned */
} gb_ct;

/* Zero ciphertext in NTT form with room for `parts` (2..3) polynomials of `limbs` data primes. ARGUMENT, MEMORY. */
GB_CHECK gb_status gb_ct_init(gb_ct *out, gb_ctx *ctx, const gb_params *p, unsigned parts, unsigned limbs);
void gb_ct_release(gb_ct *c);
static inline uint64_t *gb_ct_limb(const gb_ct *c, unsigned part, unsigned limb) {
    return c->data + ((size_t)part * c->capacity + limb) * gb_ring_n(gb_params_ring(c->params));
}
/* out may have another capacity; it must hold in's parts and limbs (LEVEL). */
GB_CHECK gb_status gb_ct_copy(gb_ct *out, gb_ctx *ctx, const gb_ct *in);
/* Drops data primes without dividing: the value stays. limbs >= 1, at most in's. LEVEL. */
GB_CHECK gb_status gb_ct_drop(gb_ctx *ctx, gb_ct *c, unsigned limbs);

/* Makes out a ciphertext of two parts in NTT form with these limbs; its content is then the caller's to fill. LEVEL
 * when it has no room for them. */
GB_CHECK gb_status gb_ct_shape_like(gb_ct *out, gb_ctx *ctx, const gb_ct *in); /* all but the words */
GB_CHECK gb_status gb_ct_shape(gb_ct *out, gb_ctx *ctx, unsigned limbs, double scale);
/* Public-key encryption of a message polynomial in NTT form, limb j at message + j * N (a gb_pt's data): encrypt.c.
 * Errors: LEVEL, PARAMS (another set's key). */
GB_CHECK gb_status gb_ct_encrypt_public(gb_ct *out, gb_ctx *ctx, const gb_keyset *k, const uint64_t *message,
                                        unsigned limbs, double scale);

/* ---- switching keys: switchkey.c ----
 * A switching key from secret s' to s, for data primes [0, limbs) in digits of `digit` primes each: digit d is an
 * encryption (b_d, a_d) under s, modulo q_0..q_{limbs-1} P, of P * g_d * s', g_d = 1 modulo the primes of digit d and
 * 0 modulo the others. Usable at every level up to `limbs`. On the wire a is a seed, but for explicit_a. */
typedef struct gb_switch_key {
    const gb_params *params;
    unsigned limbs, digit, digits; /* digits = ceil(limbs / digit) */
    uint64_t galois; /* 1: from s^2 to s (relinearisation). g: from s to s(X^(1/g)): the automorphism X -> X^g, applied
                        last and to two polynomials only, then brings the result under s */
    gb_seed seed;    /* of the a polynomials: stream = digit, lanes as gb_sample_uniform */
    uint8_t *data; /* [digit][b then a][limbs data, then special][N], NTT form, in words of as few bytes as their prime
                      takes: keys are read from far memory once an operation, and their bytes are its cost; owned */
    bool explicit_a; /* a is no expansion of the seed (a jointly made relinearisation key): it travels like b */
} gb_switch_key;
void gb_switch_key_release(gb_switch_key *k);
/* Room for a key, and its a polynomials made from seed. PARAMS when the set has no special primes. */
GB_CHECK gb_status gb_switch_key_init(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, unsigned limbs,
                                      unsigned digit, uint64_t galois, const gb_seed *seed);
/* Bytes of a word modulo m there, 4..8; and N words into a row of such. */
static inline unsigned gb_word_bytes(const gb_modulus *m) { return m->bits <= 32 ? 4 : (m->bits + 7) / 8; }
void gb_words_pack(uint8_t *row, const uint64_t *x, const gb_ring *r, const gb_modulus *m);
const uint8_t *gb_switch_key_row(const gb_switch_key *k, unsigned digit, unsigned part, unsigned limb);
size_t gb_switch_key_bytes(const gb_switch_key *k); /* of all rows */
/* One row from, and to, N words. */
void gb_switch_key_put(gb_switch_key *k, unsigned digit, unsigned part, unsigned limb, const uint64_t *x);
void gb_switch_key_get(uint64_t *x, const gb_switch_key *k, unsigned digit, unsigned part, unsigned limb);
GB_CHECK gb_status gb_switch_key_encode(gb_buffer *out, gb_ctx *ctx, const gb_switch_key *k);
GB_CHECK gb_status gb_switch_key_decode(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, const uint8_t *data,
                                        size_t n);

/* The evaluation keys of one key set: a relinearisation key and rotation keys. Immutable once shared. */
typedef struct gb_eval_keys {
    gb_switch_key *keys; /* owned */
    size_t count, capacity;
} gb_eval_keys;
void gb_eval_keys_release(gb_eval_keys *k);
/* Takes *key over (left empty) on success; on error it remains the caller's. */
GB_CHECK gb_status gb_eval_keys_add(gb_eval_keys *k, gb_ctx *ctx, gb_switch_key *key);
/* The key for a Galois element (1: relinearisation) with at least `limbs` limbs. KEY, naming what is missing. */
GB_CHECK gb_status gb_eval_keys_find(const gb_switch_key **out, gb_ctx *ctx, const gb_eval_keys *k, uint64_t galois,
                                     unsigned limbs);

/* Galois elements: 5^step mod 2N rotates CKKS slots (BFV rows) left by step; 2N - 1 conjugates (swaps rows). */
uint64_t gb_galois_rotation(const gb_params *p, int step);
uint64_t gb_galois_conjugation(const gb_params *p);
uint64_t gb_galois_inverse(const gb_params *p, uint64_t galois);
/* out (N entries) such that NTT(x(X^g))[k] = NTT(x)[out[k]] in this library's bit-reversed order. */
void gb_galois_permutation(uint32_t *out, unsigned log_n, uint64_t galois);

/* ---- evaluator: eval.c, keyswitch.c ---- */
typedef struct gb_eval gb_eval;
/* Scratch and constants for switching keys of `digit` data primes a digit (0: as many as special primes); one calling
 * thread at a time, work inside it runs on the context's pool. ctx and params are borrowed. */
GB_CHECK gb_status gb_eval_new(gb_eval **out, gb_ctx *ctx, const gb_params *p, unsigned digit);
void gb_eval_free(gb_eval *e);
/* Buffers that the evaluator keeps between operations, so that these do not allocate (and fault in) anew. Contents are
 * undefined. What is borrowed is returned before the evaluator is freed; returning NULL is allowed. */
GB_CHECK gb_status gb_eval_borrow(uint64_t **out, gb_eval *e, size_t words);
void gb_eval_return(gb_eval *e, uint64_t *words);
/* A ciphertext on such a buffer, in NTT form with scale 1; given back by gb_eval_ct_return, not gb_ct_release. */
GB_CHECK gb_status gb_eval_ct(gb_ct *out, gb_eval *e, unsigned parts, unsigned limbs);
void gb_eval_ct_return(gb_eval *e, gb_ct *c);
const gb_params *gb_eval_params(const gb_eval *e);
gb_ctx *gb_eval_ctx(const gb_eval *e);

/* Coefficient-wise; operands of equal params, limbs and form; out may alias. LEVEL, PARAMS. Scale is not looked at. */
GB_CHECK gb_status gb_ct_add(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b);
GB_CHECK gb_status gb_ct_sub(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b);
GB_CHECK gb_status gb_ct_neg(gb_ct *out, gb_eval *e, const gb_ct *a);
/* (2 parts) x (2 parts) -> 3 parts in NTT form. */
GB_CHECK gb_status gb_ct_tensor(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b);
/* Every part times a plaintext polynomial in NTT form, limb j at plain + j * N. */
GB_CHECK gb_status gb_ct_mul_poly(gb_ct *out, gb_eval *e, const gb_ct *a, const uint64_t *plain);
/* 3 parts -> 2 with the relinearisation key. In place. */
GB_CHECK gb_status gb_ct_relinearize(gb_ct *c, gb_eval *e, const gb_eval_keys *k);
/* Divides by the last `count` primes with rounding; limbs falls by count; scale is not touched. */
GB_CHECK gb_status gb_ct_divide(gb_ct *c, gb_eval *e, unsigned count);
/* Relinearise and divide by the last `count` primes at once: one basis extension less than the two apart. */
GB_CHECK gb_status gb_ct_relinearize_divide(gb_ct *c, gb_eval *e, const gb_eval_keys *k, unsigned count);
/* A two-part ciphertext from one secret to another, with a key made for that pair. In place. */
GB_CHECK gb_status gb_ct_switch(gb_ct *c, gb_eval *e, const gb_switch_key *k);
/* out = the centred value of a's parts modulo a's primes, taken modulo the first `limbs` primes: the phase gains a
 * multiple of a's modulus (the raise of a bootstrapping). out may not alias a. */
GB_CHECK gb_status gb_ct_raise(gb_ct *out, gb_eval *e, const gb_ct *a, unsigned limbs);
/* out = automorphism X -> X^galois of a, back under the same key. out may alias a. */
GB_CHECK gb_status gb_ct_automorphism(gb_ct *out, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *k);

/* Hoisting: the digits of c1 once, then many automorphisms. The digits stay in the evaluator until the next prepare. */
GB_CHECK gb_status gb_hoist_prepare(gb_eval *e, const gb_ct *a);
GB_CHECK gb_status gb_hoist_automorphism(gb_ct *out, gb_eval *e, const gb_ct *a, uint64_t galois,
                                         const gb_eval_keys *k);

/* Lazy form for double hoisting: sums stay modulo Q P and are divided by P once. acc: 2 parts of (limbs + special)
 * limbs, caller's. add: acc += plain (limbs + special limbs, NTT; NULL: 1) * P * automorphism(a). Galois 1 needs no
 * key. finish: out = acc / P. gb_hoist_prepare(e, a) must have been called. */
size_t gb_lazy_words(const gb_params *p, unsigned limbs);
GB_CHECK gb_status gb_lazy_add(uint64_t *acc, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *k,
                               const uint64_t *plain);
/* baby: acc = P * automorphism(a), whatever acc held. products: acc = sum_i plain[i] * B_i, count <= 64,
 * all modulo Q P at `limbs`; plain[i] has limbs and special limbs. */
GB_CHECK gb_status gb_lazy_baby(uint64_t *acc, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *k);
GB_CHECK gb_status gb_lazy_products(uint64_t *acc, gb_eval *e, unsigned limbs, const uint64_t *const *plain,
                                    const uint64_t *const *babies, size_t count);
/* total += P * automorphism(acc / P): the giant step; acc is overwritten. Galois 1 adds acc as it is. */
GB_CHECK gb_status gb_lazy_giant(uint64_t *total, gb_eval *e, uint64_t *acc, unsigned limbs, uint64_t galois,
                                 const gb_eval_keys *k);
GB_CHECK gb_status gb_lazy_finish(gb_ct *out, gb_eval *e, uint64_t *acc, unsigned limbs);

#endif
