/* kernel: arithmetic on raw arrays, one modulus at a time, behind one table that is filled at run time.
 *
 * Contracts. Arrays are 64-byte aligned unless a line says otherwise. "reduced" means every word in [0, q). Outputs
 * are reduced unless a line says otherwise; a lazy range is always stated as an inequality. Every variant gives the
 * same bytes as the plain C reference for every input that meets the contract: tests/check/ compares them all, and a
 * new variant needs no new test. Kernels never allocate and never fail. */
#ifndef GB_KERNEL_H
#define GB_KERNEL_H

#include "base/base.h"

/* A prime modulus and the constants every reduction needs. Made by gb_modulus_init (ring). */
typedef struct gb_modulus {
    uint64_t q;        /* odd prime, 2^16 < q < 2^61 */
    uint64_t ratio[2]; /* floor(2^128 / q), low word first: Barrett */
    uint64_t ratio52;  /* floor(2^(51 + bits) / q) < 2^52: Barrett for IFMA; 0 when q >= 2^50 */
    unsigned bits;     /* 2^(bits-1) <= q < 2^bits */
} gb_modulus;

/* Twiddles of one negacyclic NTT of length n = 2^log_n. Entry k of w is psi^bitrev(k); q52/q64 are floor(w * 2^52 / q)
 * and floor(w * 2^64 / q) (Shoup). For the cyclic transform along a bundle's index the same struct is used with
 * powers of an n-th root omega instead: entry m + i is omega^bitrev(i) (log_n - 1 bits) for m a power of two, i < m. iw
 * holds the inverses of w entry by entry; n_inv = n^-1 mod q. w52, iw52 and n_inv52 are NULL or 0 when q >= 2^50. */
typedef struct gb_ntt {
    gb_modulus m;
    unsigned log_n;
    const uint64_t *w, *w52, *w64;
    const uint64_t *iw, *iw52, *iw64;
    const double *wd, *iwd; /* w and iw centred, |.| < q/2; NULL unless the kernels chosen for q are `centred` */
    uint64_t n_inv, n_inv52, n_inv64;
} gb_ntt;

/* Geometry of one tilt (one `from` line set) in an affine gather: output (i, k) reads position
 * p = origin + i * step_i + k * step_k along the set's index, in lines. */
typedef struct gb_affine {
    double origin, step_i, step_k;
} gb_affine;

typedef struct gb_kernels {
    const char *name;  /* "ref", "avx2", "ifma": the highest set used in this table */
    unsigned max_bits; /* every modulus given to this table is below 2^max_bits */
    bool centred;      /* the NTTs read wd and iwd */

    /* -- negacyclic NTT. forward: in place, natural order, reduced -> bit-reversed order, reduced. inverse: the
     *    opposite, scaled by n^-1 and by s (reduced), from `in` to out, which may be in. 2^3 <= n <= 2^17. -- */
    void (*ntt_forward)(uint64_t *x, const gb_ntt *t);
    /* The same between other kernels of key switching: takes what extend_lazy (kernel/extend.h, the table for the same
     * flags and bits) leaves, or reduced words; gives words for x of inner2 and inner2_bytes and for b of sub_mul and
     * sub_mul_add of that table and for nothing else. Such words are variants' own: a residue in low bits of the word,
     * not reduced; reduced where a variant has no use for others. */
    void (*ntt_forward_lazy)(uint64_t *x, const gb_ntt *t);
    void (*ntt_inverse)(uint64_t *out, const uint64_t *in, uint64_t s, const gb_ntt *t);

    /* -- cyclic NTT down the columns of a matrix of n = 2^log_n rows of `width` words (width a multiple of 8, rows
     *    `stride` words apart, stride >= width): each column is transformed. Forward leaves rows in bit-reversed
     *    order, inverse takes them so and scales by n^-1. Reduced -> reduced. -- */
    void (*columns_forward)(uint64_t *x, size_t stride, size_t width, const gb_ntt *t);
    void (*columns_inverse)(uint64_t *x, size_t stride, size_t width, const gb_ntt *t);
    /* row r of x times the scalar s[r] (reduced; s52/s64 its Shoup quotients). */
    void (*columns_scale)(uint64_t *x, size_t stride, size_t width, size_t rows, const uint64_t *s, const uint64_t *s52,
                          const uint64_t *s64, const gb_modulus *m);

    /* -- pointwise, n a multiple of 8, out may alias any input -- */
    void (*add)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m);
    void (*sub)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m);
    void (*neg)(uint64_t *out, const uint64_t *a, size_t n, const gb_modulus *m);
    void (*mul)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m);
    void (*mul_add)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n,
                    const gb_modulus *m);                                                            /* out += a*b */
    void (*mul_scalar)(uint64_t *out, const uint64_t *a, uint64_t s, size_t n, const gb_modulus *m); /* s reduced */

    /* -- across a bundle: out[i] = sum over j < terms of weight[j] * line[index[j]][i] mod q, where line k starts at
     *    lines + k * stride. |weight| <= 2^20, terms <= 2^20, n a multiple of 8. -- */
    void (*mac_across)(uint64_t *out, const uint64_t *lines, size_t stride, const uint32_t *index,
                       const int32_t *weight, size_t terms, size_t n, const gb_modulus *m);

    /* -- modulus switch to a power of two: out[i] = round(2^k * x / Q) mod 2^k, 1 <= k <= 48, where x in [0, Q) has
     *    residues in[j][i], j < limbs <= 8, and Q is the product of the moduli. crt_inv[j] = (Q/q_j)^-1 mod q_j with
     *    its 2^64 Shoup quotient; the fraction x/Q is summed with 64 bits, limb j adding floor(v floor(2^128/q_j) /
     *    2^64) for v = in[j] crt_inv[j] mod q_j, so the result is within 1 of exact and the same on every variant. --
     */
    void (*switch_pow2)(uint64_t *out, const uint64_t *const *in, const gb_modulus *m, const uint64_t *crt_inv,
                        const uint64_t *crt_inv64, unsigned limbs, unsigned k, size_t n);
    /* out[i] = round(in[i] / 2^(from-to)) mod 2^to, for residues modulo powers of two; to <= from <= 64. */
    void (*round_pow2)(uint64_t *out, const uint64_t *in, unsigned from, unsigned to, size_t n);

    /* -- residues modulo 2^(parts*bits) as `parts` balanced digits of `bits` <= 16 bits: digit p of element i goes to
     *    out[p * plane + i] as int16, lowest digit first; sum digit_p 2^(p bits) = in mod 2^(parts bits). -- */
    void (*split16)(int16_t *out, size_t plane, const uint64_t *in, unsigned parts, unsigned bits, size_t n);

    /* -- the back-projection inner loops live in gather.h -- */

    /* -- residues <-> packed bits, little-endian, bits 1..61; packed must have gb_packed_bytes(n, bits) bytes and no
     *    alignment. unpack answers the number of words >= bound (bound = q, or 0 for "any"). -- */
    void (*pack)(uint8_t *packed, const uint64_t *x, size_t n, unsigned bits);
    size_t (*unpack)(uint64_t *x, const uint8_t *packed, size_t n, unsigned bits, uint64_t bound);

    /* -- sampling. uniform: takes 64-bit LE words from `stream`, masks each to m->bits bits, keeps those < q, in
     *    order, until n are written or `words` are used; answers how many words were written
     *    (the rest of out[0..n) is unspecified). -- */
    size_t (*uniform)(uint64_t *out, size_t n, const uint64_t *stream, size_t words, const gb_modulus *m);
    /* 16 blocks of ChaCha20 keystream, public streams only: bytes 64 b.. of out (no alignment) are the block of
     * counter[b] under key and the 96-bit nonce stream (64 bit, LE) || lane[b], as gb_stream makes it. */
    void (*chacha16)(uint8_t *out, const uint8_t key[32], uint64_t stream, const uint32_t *lane,
                     const uint32_t *counter);
    /* centred binomial, k = 21 (variance 10.5, standard deviation 3.24 >= 3.19): sample i uses the 64-bit word i of
     * the stream: popcount of bits 0..20 minus popcount of bits 21..41. Constant time. */
    void (*binomial)(int8_t *out, size_t n, const uint64_t *stream);
    /* signed small integers into residues: out[i] = x[i] mod q. Constant time. */
    void (*lift8)(uint64_t *out, const int8_t *x, size_t n, const gb_modulus *m);
    void (*lift64)(uint64_t *out, const int64_t *x, size_t n, const gb_modulus *m); /* |x| < q */
} gb_kernels;

static inline size_t gb_packed_bytes(size_t n, unsigned bits) { return (n * bits + 7) / 8; }

/* The table for moduli below 2^max_bits on this CPU (and mask). Never NULL. Tables are static. */
const gb_kernels *gb_kernels_get(uint32_t cpu_flags, unsigned max_bits);
/* Every table this CPU can run, reference first, for the checks and benches; answers how many. */
size_t gb_kernels_list(const gb_kernels **out, size_t max);

#endif
