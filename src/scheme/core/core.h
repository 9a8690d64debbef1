/* scheme/core: what the parts of scheme share among themselves. Private to scheme (core, ckks, secret). */
#ifndef GB_CORE_H
#define GB_CORE_H

#include <stdatomic.h>

#include "base/secrecy.h"
#include "scheme/scheme.h"

/* Limits of what a loader accepts; they bound every size before anything is allocated. */
#define GB_BUNDLE_MAX_LINES (UINT64_C(1) << 28)
#define GB_BUNDLE_MAX_LINES_PER_TILE 65536
#define GB_BUNDLE_MAX_TILES (1 << 22)
#define GB_BUNDLE_MAX_BITS 48
#define GB_TILE_MAX_BYTES (64 << 20)
#define GB_TILE_HEADER 20

/* Lines in one group of a bundle: lines_per_tile, fewer in the last. */
size_t gb_group_lines(const gb_bundle_info *b, size_t group);

/* ---- all tiles of one group, in memory: group.c ---- */
typedef struct gb_group {
    const gb_bundle_info *info;
    const gb_params *params;
    size_t group, lines, first; /* lines in the group, number of the first */
    size_t limbs;               /* residues of a coefficient: info->limbs, or 1 modulo a power of two */
    size_t blocks[2];           /* blocks held of each plane; 0: the plane is not held */
    uint64_t *words[2];         /* block b at b * limbs * lines * 64, laid out as for gb_tile_encode */
} gb_group;
/* planes: bit 0 and bit 1 choose the planes to hold. group must be below gb_bundle_groups: ARGUMENT. */
GB_CHECK gb_status gb_group_init(gb_group *g, gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p, size_t group,
                                 unsigned planes);
void gb_group_release(gb_group *g);
/* Coefficients of one limb of one line into the blocks, and back; x has blocks[plane] * 64 words. */
void gb_group_put(gb_group *g, unsigned plane, size_t limb, size_t line, const uint64_t *x);
void gb_group_get(uint64_t *x, const gb_group *g, unsigned plane, size_t limb, size_t line);
/* Did an earlier run leave every tile of these planes in the sink? */
bool gb_group_written(const gb_bundle_info *b, size_t group, const size_t blocks[2], const gb_tile_sink *sink);
/* Encodes and writes the tiles the sink does not have, in parallel. */
GB_CHECK gb_status gb_group_write(const gb_group *g, gb_ctx *ctx, const gb_tile_sink *sink);
/* Reads the tiles one after another from the source (any source will do), decodes them in parallel. */
GB_CHECK gb_status gb_group_read(gb_group *g, gb_ctx *ctx, const gb_tile_source *source);

/* First failure of a parallel loop's tasks. */
static inline void gb_first_failure(_Atomic int *slot, gb_status s) {
    int none = GB_OK;
    if (s != GB_OK) atomic_compare_exchange_strong(slot, &none, (int)s);
}

/* ---- numbers to residues, constant time: residue.c ---- */
/* x to the nearest integer, halves away from zero, for |x| < 2^62. x less its whole part is exact: from 2^53 on it is
 * 0. (llround of the C library branches on the number's size.) */
static inline int64_t gb_round_number(double x) {
    int64_t whole = (int64_t)x;
    double rest = x - (double)whole;
    return whole + (rest >= 0.5) - (rest <= -0.5);
}
/* All |x[i] scale| < bound, and none a NaN? Only the answer may be known. */
bool gb_numbers_below(const double *x, size_t n, double scale, double bound);
/* Transforms of limb j alone (x points at that limb). */
static inline void gb_ntt_limb(const gb_ring *r, uint64_t *x, size_t j) { gb_ring_forward(r, x, j, 1); }
static inline void gb_intt_limb(const gb_ring *r, uint64_t *x, size_t j) { gb_ring_inverse(r, x, j, 1); }
/* Any int64 into residues: out[i] = x[i] mod q. */
void gb_residues_of(uint64_t *out, const int64_t *x, size_t n, const gb_modulus *m);
/* The centred value in (-Q/2, Q/2) of residues modulo the first `limbs` primes, as doubles (mixed radix digits; the
 * error is that of one rounding a limb). */
typedef struct gb_centring {
    gb_modulus m[GB_MAX_LIMBS];
    uint64_t inverse[GB_MAX_LIMBS][GB_MAX_LIMBS]; /* [j][i] = q_i^-1 mod q_j, i < j */
    double radix[GB_MAX_LIMBS];                   /* q_0 ... q_(j-1) */
} gb_centring;
void gb_centring_init(gb_centring *c, const gb_ring *r, size_t limbs);
/* limbs: at most those of init; limb j of coefficient i at x[j * stride + i]; x is overwritten (it ends as the mixed
 * radix digits). */
void gb_centring_run(double *out, uint64_t *x, size_t stride, size_t n, const gb_centring *c, size_t limbs);

/* ---- key set internals: keyset.c ---- */
/* Public key (b, a) with b = -(a s) + e. a is expanded from its seed: gb_sample_uniform(seed, stream 0, limb). b holds
 * all data limbs in coefficient form and is copied. The parameters are made again, so a key set lives on its own. */
GB_CHECK gb_status gb_keyset_new(gb_keyset **out, gb_ctx *ctx, const gb_params *p, const gb_seed *seed,
                                 const uint64_t *b);
/* Scratch of gb_pk_zero for one thread; it holds encryption randomness, so it is guarded and wiped. */
typedef struct gb_pk_scratch {
    int8_t *small, *error; /* N */
    uint64_t *u, *temp;    /* N words */
} gb_pk_scratch;
GB_CHECK gb_status gb_pk_scratch_init(gb_pk_scratch *s, gb_ctx *ctx, size_t n);
void gb_pk_scratch_release(gb_pk_scratch *s);
/* An encryption of zero under the public key: `limbs` limbs of N words each, in coefficient form. One (seed, stream) an
 * encryption, never again. */
void gb_pk_zero(uint64_t *c0, uint64_t *c1, const gb_keyset *k, size_t limbs, const gb_seed *seed, uint64_t stream,
                gb_pk_scratch *scratch);
/* The same for one limb and in NTT form, from small polynomials drawn before: u and the two errors. */
void gb_pk_zero_limb(uint64_t *c0, uint64_t *c1, const gb_keyset *k, size_t limb, const int8_t *const small[3],
                     gb_pk_scratch *scratch);

/* Refuses values that would not decrypt: |v| >= modulus/4, or beyond the bundle's declared bound. Constant time unless
 * it fails, and then only the place is told. first: number of the first line. Error: RANGE. */
GB_CHECK gb_status gb_values_check(gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p, const int64_t *values,
                                   size_t first, size_t lines);

#endif
