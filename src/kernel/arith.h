/* kernel/arith: scalar arithmetic modulo one prime, shared by the reference kernels, the tails of the vector kernels
 * and ring. Private to kernel and ring. Every function states its range; u128 needs a 64-bit GCC or Clang. */
#ifndef GB_KERNEL_ARITH_H
#define GB_KERNEL_ARITH_H

#include "kernel/kernel.h"

__extension__ typedef unsigned __int128 gb_u128;
__extension__ typedef __int128 gb_i128;

/* High word of a * b. */
static inline uint64_t gb_mulhi(uint64_t a, uint64_t b) { return (uint64_t)(((gb_u128)a * b) >> 64); }

/* x in [0, 2 bound) -> x mod bound, without a branch (the sign bit of the difference chooses; bound < 2^63). */
static inline uint64_t gb_fold(uint64_t x, uint64_t bound) {
    uint64_t d = x - bound;
    return d + (bound & (uint64_t)((int64_t)d >> 63));
}

/* w * y - floor(wq * y / 2^64) q with wq = floor(w 2^64 / q), w < q: congruent to w y and in [0, 2q) for every y
 * (Harvey, "Faster arithmetic for number-theoretic transforms", 2014, section 3). */
static inline uint64_t gb_shoup_lazy(uint64_t y, uint64_t w, uint64_t wq, uint64_t q) {
    return w * y - gb_mulhi(wq, y) * q;
}

/* floor(2^(63 + bits) / q), which is below 2^64 because q > 2^(bits - 1): the one-word Barrett constant. */
static inline uint64_t gb_barrett(const gb_modulus *m) {
    return (uint64_t)((((gb_u128)m->ratio[1] << 64) | m->ratio[0]) >> (65 - m->bits));
}

/* p mod q for p < q^2 (p < 2^(2 bits)), mu = gb_barrett(m). Write p / 2^(bits-1) = h + e, e < 1, h < 2^(bits+1): the
 * quotient h mu / 2^64 falls short of p / q by less than 1 + 2^(bits+1-64) + 1 < 3, so two folds are enough. */
static inline uint64_t gb_reduce_product(gb_u128 p, uint64_t mu, const gb_modulus *m) {
    uint64_t h = (uint64_t)(p >> (m->bits - 1));
    uint64_t r = (uint64_t)p - gb_mulhi(h, mu) * m->q;
    return gb_fold(gb_fold(r, 2 * m->q), m->q);
}

/* Any 128-bit x mod q: Barrett with the two-word ratio. The quotient is short by at most 3 (three dropped fractions and
 * the ratio's own), r < 4q < 2^63. */
static inline uint64_t gb_reduce128(gb_u128 x, const gb_modulus *m) {
    uint64_t lo = (uint64_t)x, hi = (uint64_t)(x >> 64);
    gb_u128 mid = (gb_u128)hi * m->ratio[0] + gb_mulhi(lo, m->ratio[0]); /* < 2^128: (2^64-1)^2 + 2^64 - 1 */
    gb_u128 low = (gb_u128)lo * m->ratio[1] + (uint64_t)mid;
    uint64_t quotient = hi * m->ratio[1] + (uint64_t)(mid >> 64) + (uint64_t)(low >> 64);
    uint64_t r = lo - quotient * m->q;
    return gb_fold(gb_fold(r, 2 * m->q), m->q);
}

/* x mod q for any signed 128-bit x above -2^127. */
static inline uint64_t gb_reduce_signed128(gb_i128 x, const gb_modulus *m) {
    uint64_t negative = (uint64_t)(x >> 127);
    uint64_t r = gb_reduce128(negative ? (gb_u128)0 - (gb_u128)x : (gb_u128)x, m);
    return negative && r ? m->q - r : r;
}

/* floor(w 2^64 / q) for w < q, by the ratio: the estimate is short by less than 2. */
static inline uint64_t gb_shoup_of(uint64_t w, const gb_modulus *m) {
    uint64_t f = w * m->ratio[1] + gb_mulhi(w, m->ratio[0]);
    uint64_t r = (uint64_t)0 - f * m->q; /* w 2^64 - f q, which is in [0, 2q) */
    return f + (r >= m->q);
}

/* 2^n - 1 for n <= 64. */
static inline uint64_t gb_mask64(unsigned n) { return n >= 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1; }

/* x in [0, q) as the double nearest to zero in its class, q < 2^53. */
static inline double gb_centred(uint64_t x, uint64_t q) { return x > q / 2 ? -(double)(q - x) : (double)x; }

#endif
