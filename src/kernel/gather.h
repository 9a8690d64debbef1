/* kernel/gather: sums over many line sets read at affine positions with two-tap interpolation. This is the
 * back-projection of tomography, kept free of that word: out(i, k) = sum_t  (W - w) * line_t[u] + w * line_t[u + 1],
 * p = origin_t + i * step_i_t + k * step_k_t, u = floor(p), w = round((p - u) * W), W = 2^weight_bits; lines outside
 * [0, count) read as zero (each tap on its own). nearest: one tap, line round-half-up(p), weight W.
 *
 * The rounding, exactly: p = (origin + i * step_i) + k * step_k in double precision without fused operations, then
 * v = floor(p * W + 0.5), u = floor(v / W), w = v - u * W. (A weight that rounds up to W is the tap (u + 1, 0): the
 * same sum.) nearest: u = floor(p + 0.5), w = 0. A p that is not a number counts as outside.
 *
 * Both forms, floating point and integer, take the same tap list (same u and w) and are blocked the same way; the
 * integer one works modulo 2^(parts * bits) on balanced 16-bit digits and needs no reduction inside the loop:
 * engine.md's "16-bit dot products", with a power-of-two modulus so that carries may wrap. */
#ifndef GB_GATHER_H
#define GB_GATHER_H

#include "kernel/kernel.h"

#define GB_GATHER_MAX_LINES 65536

typedef struct gb_gather_plan {
    size_t sets;             /* T: tilts */
    size_t lines;            /* lines in each set, 1..GB_GATHER_MAX_LINES */
    size_t ni, nk;           /* outputs: i fastest (x), k slow (z) */
    const gb_affine *affine; /* T entries */
    unsigned weight_bits;    /* 6..14 */
    bool nearest;
} gb_gather_plan;

/* Bytes of scratch (64-byte aligned) that one call needs. */
size_t gb_gather_scratch_f32(const gb_gather_plan *p, size_t width);
size_t gb_gather_scratch_int(const gb_gather_plan *p, size_t width, unsigned parts);

typedef struct gb_gather_kernels {
    const char *name;
    /* in: line l of set t starts at in + (t * lines + l) * width, `width` floats (a multiple of 16).
     * out: row (k - k0) * ni + i, `width` floats each, for k0 <= k < k1. Values are true sums divided by W. */
    void (*f32)(float *out, const float *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                void *scratch);
    void (*f64)(double *out, const double *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                void *scratch);
    /* in: digits of line (t, l) start at in + (t * lines + l) * parts * width: `parts` runs of `width` int16 (a
     * multiple of 32), lowest digit first, `bits` each (gb_kernels.split16 with plane = width). out: uint64 residues
     * modulo 2^(parts * bits), row as above: the integer sum with weights of W = 2^weight_bits. Exact for every input.
     */
    void (*digits)(uint64_t *out, const int16_t *in, size_t width, unsigned parts, unsigned bits, size_t k0, size_t k1,
                   const gb_gather_plan *p, void *scratch);

    /* The transposes (forward projection), with the same taps: line l of set t, t0 <= t < t1, at
     * out + ((t - t0) * lines + l) * width, grows by the sum over i and k0 <= k < k1 of its weight times input row
     * (k - k0) * ni + i (`width` words each). The caller clears `out` first; calls over a split of [k0, k1) add up, and
     * calls over a split of [t0, t1) are independent. Floating point: weights divided by W; the order of the additions
     * depends on the split of k and on nothing else. u64: integer weights, sums modulo 2^64 (mask to any 2^k). width: a
     * multiple of 8. */
    void (*scatter_f32)(float *out, const float *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p);
    void (*scatter_f64)(double *out, const double *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p);
    void (*scatter_u64)(uint64_t *out, const uint64_t *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p);
} gb_gather_kernels;

const gb_gather_kernels *gb_gather_get(uint32_t cpu_flags);
size_t gb_gather_list(const gb_gather_kernels **out, size_t max);

#endif
