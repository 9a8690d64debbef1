/* ring: R_Q = Z_Q[X]/(X^N + 1) in residue number system, and the objects that kernels need. Knows no keys, no noise.
 * A polynomial is an array of limbs of N words, limb j reduced modulo prime j, in coefficient or NTT form as the
 * caller remembers. All objects are immutable after creation and shared freely between threads. */
#ifndef GB_RING_H
#define GB_RING_H

#include "kernel/kernel.h"

#define GB_MAX_LIMBS 64
#define GB_MAX_LOG_N 17

/* ---- primes and moduli: modulus.c ---- */
GB_CHECK gb_status gb_modulus_init(gb_modulus *out, gb_ctx *ctx,
                                   uint64_t prime); /* PARAMS when not an odd prime < 2^61 */
bool gb_is_prime(uint64_t n);                       /* deterministic Miller-Rabin */
/* The largest prime < below with prime = 1 mod step (step a power of two); 0 when there is none above below/2. */
uint64_t gb_prime_below(uint64_t below, uint64_t step);
uint64_t gb_mod_mul(uint64_t a, uint64_t b, const gb_modulus *m);
uint64_t gb_mod_pow(uint64_t a, uint64_t e, const gb_modulus *m);
uint64_t gb_mod_inv(uint64_t a, const gb_modulus *m); /* a != 0 */
uint64_t gb_shoup64(uint64_t w, uint64_t q);          /* floor(w 2^64 / q), w < q */
uint64_t gb_shoup52(uint64_t w, uint64_t q);          /* floor(w 2^52 / q), w < q < 2^50 */

/* ---- the ring: ring.c ---- */
typedef struct gb_ring gb_ring;
/* N = 2^log_n, 3 <= log_n <= 17; count distinct primes, each = 1 mod 2N. Errors: PARAMS, MEMORY. */
GB_CHECK gb_status gb_ring_new(gb_ring **out, gb_ctx *ctx, unsigned log_n, const uint64_t *primes, size_t count);
void gb_ring_free(gb_ring *r);
unsigned gb_ring_log_n(const gb_ring *r);
size_t gb_ring_n(const gb_ring *r);
size_t gb_ring_limbs(const gb_ring *r);
const gb_modulus *gb_ring_modulus(const gb_ring *r, size_t limb);
const gb_ntt *gb_ring_ntt_tables(const gb_ring *r, size_t limb);
const gb_kernels *gb_ring_kernels(const gb_ring *r);   /* chosen by CPU and the widest modulus */
double gb_ring_log2_q(const gb_ring *r, size_t limbs); /* of the product of the first `limbs` primes */

/* The low `bits` bits of i in reverse: entry k of an NTT is the value at psi^(2 gb_bit_reverse(k, log_n) + 1). */
static inline size_t gb_bit_reverse(size_t i, unsigned bits) {
    size_t r = 0;
    for (unsigned b = 0; b < bits; b++) r |= (i >> b & 1) << (bits - 1 - b);
    return r;
}

/* Forward/inverse NTT of limbs [first, first + count) of x (x points at limb `first`). */
void gb_ring_forward(const gb_ring *r, uint64_t *x, size_t first, size_t count);
/* One limb, as ntt_forward_lazy of kernel.h has it. */
void gb_ring_forward_lazy(const gb_ring *r, uint64_t *x, size_t limb);
void gb_ring_inverse(const gb_ring *r, uint64_t *x, size_t first, size_t count);
/* One limb's inverse times s (reduced), from in to out, which may be in. */
void gb_ring_inverse_scaled(const gb_ring *r, uint64_t *out, const uint64_t *in, uint64_t s, size_t limb);

/* ---- twiddle tables: tables.c (gb_ring_new makes those of a ring) ----
 * Fills t for length 2^log_n, 1 <= log_n <= 17, modulo m. cyclic: the transform of Z_q[X]/(X^n - 1) that the columns
 * kernels run, q = 1 mod n; otherwise that of X^n + 1, q = 1 mod 2n. The root is g^((q-1)/order) for the smallest g >=
 * 2 that gives one of exact order, so that tables are the same everywhere. On error *t holds nothing. PARAMS, MEMORY.
 */
GB_CHECK gb_status gb_ntt_init(gb_ntt *t, gb_ctx *ctx, const gb_modulus *m, unsigned log_n, bool cyclic);
void gb_ntt_release(gb_ntt *t);

/* ---- modulus switch to a power of two: switch.c ---- */
typedef struct gb_switch { /* constants for kernels->switch_pow2 */
    gb_modulus m[8];
    uint64_t crt_inv[8], crt_inv64[8];
    unsigned limbs;
    double log2_q;
} gb_switch;
GB_CHECK gb_status gb_switch_init(gb_switch *out, gb_ctx *ctx, const gb_ring *r, size_t limbs /* 1..8 */);

/* ---- exact convolution along a bundle's index: convolve.c ----
 * y[i] = sum_j tap[i - j + taps/2] x[j] for a list of `lines` lines, tap count odd, taps integer (|tap| < 2^40),
 * computed exactly modulo one prime by cyclic NTTs of length L = smallest power of two >= lines + taps/2 (only the
 * outputs 0..lines-1 are wanted, so wrapped terms beyond them do not matter). The prime must be = 1 mod L. */
typedef struct gb_convolver gb_convolver;
GB_CHECK gb_status gb_convolver_new(gb_convolver **out, gb_ctx *ctx, const gb_ring *r, size_t limb, size_t lines,
                                    const int64_t *taps, size_t tap_count);
void gb_convolver_free(gb_convolver *c);
size_t gb_convolver_rows(const gb_convolver *c); /* L: rows of scratch the caller gives */
/* x: `lines` rows of `width` words (a multiple of 8), overwritten by the result; scratch: L rows of `width` words. */
void gb_convolver_run(const gb_convolver *c, uint64_t *x, size_t width, uint64_t *scratch);

/* ---- samplers: sample.c ---- */
/* Uniform residues from ChaCha20(seed, stream, lane), by rejection; the canonical expansion of a seeded polynomial:
 * each block of GB_SEED_BLOCK coefficients of each limb is a lane of its own, lane = limb << 24 | block index, so any
 * block can be made without the others. n a multiple of GB_SEED_BLOCK, first_block in units of it. */
#define GB_SEED_BLOCK 64
void gb_sample_uniform(uint64_t *out, size_t n, const gb_modulus *m, const gb_seed *seed, uint64_t stream,
                       uint32_t limb, uint32_t first_block);
/* Error (centred binomial k = 21) and uniform ternary {-1,0,1}, n a multiple of 8; constant time. */
void gb_sample_error(int8_t *out, size_t n, const gb_seed *seed, uint64_t stream);
void gb_sample_ternary(int8_t *out, size_t n, const gb_seed *seed, uint64_t stream);
/* Ternary with exactly `weight` coefficients that are not 0, uniform among all such; n a power of two of at least 16
 * weight. Every coefficient is touched for each of them; how often a place was drawn twice shows, and tells nothing of
 * the places. */
void gb_sample_sparse(int8_t *out, size_t n, unsigned weight, const gb_seed *seed, uint64_t stream);

#endif
