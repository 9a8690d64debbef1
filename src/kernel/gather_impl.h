/* What the variants of gather.h share: the tap arithmetic, and plain loops that each variant compiles with its own
 * instruction set. Only gather's own files include this. Contraction is off for the whole build, so every copy of
 * these loops gives the same bytes. */
#ifndef GB_GATHER_IMPL_H
#define GB_GATHER_IMPL_H

#include "kernel/gather.h"

/* How one plan turns a position into v = u * scale + w; see gather.h for the rounding. */
typedef struct gb_gather_scale {
    double scale;     /* W, or 1 for nearest */
    double low, high; /* v is held in [low, high]: u = -2 and u = lines + 1 read nothing but zeros, like all beyond */
    unsigned bits;    /* scale = 2^bits */
    int32_t mask;     /* scale - 1 */
    int32_t whole;    /* W = 2^weight_bits: the sum of the two weights */
} gb_gather_scale;

static inline gb_gather_scale gb_gather_scale_of(const gb_gather_plan *p) {
    gb_gather_scale s = {.bits = p->nearest ? 0 : p->weight_bits, .whole = 1 << p->weight_bits};
    s.mask = (1 << s.bits) - 1;
    s.scale = (double)(1 << s.bits);
    s.low = -2.0 * s.scale;
    s.high = (double)(p->lines + 1) * s.scale; /* <= 65537 * 2^14 < 2^31 */
    return s;
}

/* v of one tap: u = v >> bits (rounding down), w = v & mask. */
static inline int32_t gb_gather_tap(const gb_gather_scale *s, const gb_affine *a, size_t i, size_t k) {
    double p = a->origin + (double)i * a->step_i;
    p = p + (double)k * a->step_k;
    double v = p * s->scale + 0.5;
    v = v > s->low ? v : s->low; /* in this order a NaN becomes low */
    v = v < s->high ? v : s->high;
    int32_t n = (int32_t)v;
    return n - ((double)n > v); /* truncation to floor */
}

#define GB_GATHER_COLUMNS 64 /* columns in one pass of the plain loops */

#define GB_GATHER_INLINE static inline __attribute__((always_inline))

/* acc[c] += weight * line[c] for both taps of one set; a tap outside adds nothing. */
GB_GATHER_INLINE void gb_gather_add_f64(double *restrict acc, const double *set, size_t width, size_t lines, size_t n,
                                        int32_t u, double w0, double w1) {
    if (u >= 0 && u + 1 < (int64_t)lines) {
        const double *below = set + (size_t)u * width, *above = below + width;
        for (size_t c = 0; c < n; c++) acc[c] += w0 * below[c] + w1 * above[c];
    } else if (u >= 0 && u < (int64_t)lines) {
        const double *below = set + (size_t)u * width;
        for (size_t c = 0; c < n; c++) acc[c] += w0 * below[c];
    } else if (u == -1) {
        for (size_t c = 0; c < n; c++) acc[c] += w1 * set[c];
    }
}

GB_GATHER_INLINE void gb_gather_f64_body(double *out, const double *in, size_t width, size_t k0, size_t k1,
                                         const gb_gather_plan *p) {
    gb_gather_scale s = gb_gather_scale_of(p);
    double acc[GB_GATHER_COLUMNS], unit = 1.0 / (double)(1u << p->weight_bits);
    for (size_t k = k0; k < k1; k++)
        for (size_t i = 0; i < p->ni; i++)
            for (size_t c = 0; c < width; c += GB_GATHER_COLUMNS) {
                size_t n = gb_min_size(GB_GATHER_COLUMNS, width - c);
                for (size_t j = 0; j < n; j++) acc[j] = 0;
                for (size_t t = 0; t < p->sets; t++) {
                    int32_t v = gb_gather_tap(&s, &p->affine[t], i, k);
                    double w = (double)(v & s.mask) * unit;
                    gb_gather_add_f64(acc, in + t * p->lines * width + c, width, p->lines, n, v >> s.bits, 1.0 - w, w);
                }
                memcpy(out + ((k - k0) * p->ni + i) * width + c, acc, n * sizeof(double));
            }
}

/* Voxels that share one visit of a set in the transposes: their rows stay in the second-level cache. */
#define GB_SCATTER_I 32
#define GB_SCATTER_K 8

/* Adds weight * unit * in[0..width) to out: the one step in which the transposes' word types differ. */
typedef void (*gb_scatter_add)(void *restrict out, const void *restrict in, size_t width, uint32_t weight, double unit);

/* The walk of a transpose; `row` is the bytes of a line. Inlined with a constant `add`, so that the call goes away.
 * Blocks come in the order k slow, i fast, and so do voxels in a block: it fixes the order of the additions. */
GB_GATHER_INLINE void gb_scatter_body(char *out, const char *in, size_t width, size_t row, size_t t0, size_t t1,
                                      size_t k0, size_t k1, const gb_gather_plan *p, gb_scatter_add add) {
    gb_gather_scale s = gb_gather_scale_of(p);
    double unit = 1.0 / (double)s.whole;
    int64_t lines = (int64_t)p->lines;
    for (size_t kb = k0; kb < k1; kb += GB_SCATTER_K)
        for (size_t ib = 0; ib < p->ni; ib += GB_SCATTER_I)
            for (size_t t = t0; t < t1; t++)
                for (size_t k = kb; k < gb_min_size(kb + GB_SCATTER_K, k1); k++)
                    for (size_t i = ib; i < gb_min_size(ib + GB_SCATTER_I, p->ni); i++) {
                        int32_t v = gb_gather_tap(&s, &p->affine[t], i, k), u = v >> s.bits, w = v & s.mask;
                        const char *from = in + ((k - k0) * p->ni + i) * row;
                        char *set = out + (t - t0) * p->lines * row;
                        if (u >= 0 && u < lines) add(set + (size_t)u * row, from, width, (uint32_t)(s.whole - w), unit);
                        if (w != 0 && u + 1 >= 0 && u + 1 < lines)
                            add(set + (size_t)(u + 1) * row, from, width, (uint32_t)w, unit);
                    }
}

GB_GATHER_INLINE void gb_scatter_add_f32(void *restrict out, const void *restrict in, size_t width, uint32_t weight,
                                         double unit) {
    float *o = out, w = (float)((double)weight * unit);
    const float *x = in;
    for (size_t c = 0; c < width; c++) o[c] += w * x[c];
}

GB_GATHER_INLINE void gb_scatter_add_f64(void *restrict out, const void *restrict in, size_t width, uint32_t weight,
                                         double unit) {
    double *o = out, w = (double)weight * unit;
    const double *x = in;
    for (size_t c = 0; c < width; c++) o[c] += w * x[c];
}

GB_GATHER_INLINE void gb_scatter_add_u64(void *restrict out, const void *restrict in, size_t width, uint32_t weight,
                                         double unit) {
    uint64_t *o = out;
    const uint64_t *x = in;
    for (size_t c = 0; c < width; c++) o[c] += (uint64_t)weight * x[c];
}

/* ---- the blocked walk of the vector variants: gather_dispatch.c ----
 *
 * A tile of at most GB_GATHER_I x GB_GATHER_K outputs visits a group of sets per load and store of its accumulators.
 * The lines that a larger block (the window) touches are first laid out side by side, in vector order and with zero
 * lines where a tap falls outside, so the inner loop has neither bounds nor strides to care for. */
#define GB_GATHER_K 8
#define GB_GATHER_GROUP 8
#define GB_GATHER_I 8
#define GB_GATHER_TILE (GB_GATHER_I * GB_GATHER_K)

/* Taps of a tile: entry [g][k * GB_GATHER_I + i]. */
typedef struct gb_gather_taps {
    int32_t row[GB_GATHER_GROUP][GB_GATHER_TILE]; /* of the window */
    union {
        uint32_t pair[GB_GATHER_GROUP][GB_GATHER_TILE]; /* W - w below, w above */
        float w[GB_GATHER_GROUP][GB_GATHER_TILE];       /* w / W */
    };
} gb_gather_taps;

/* Where one set's lines lie in the window: line u at row base + u. */
typedef struct gb_gather_span {
    double low, high; /* the least and the greatest v in the window */
    int32_t base;
} gb_gather_span;

/* Outputs of one tile: ni <= GB_GATHER_I from i on, nk <= GB_GATHER_K from k on. */
typedef struct gb_gather_tile {
    size_t i, k, ni, nk;
} gb_gather_tile;

typedef struct gb_gather_ops {
    /* The taps of `group` sets for the whole tile, also where it exceeds ni x nk; v is held within the span. */
    void (*taps_int)(gb_gather_taps *taps, const gb_gather_scale *s, const gb_affine *a, const gb_gather_span *span,
                     size_t group, const gb_gather_tile *tile);
    void (*taps_f32)(gb_gather_taps *taps, const gb_gather_scale *s, const gb_affine *a, const gb_gather_span *span,
                     size_t group, const gb_gather_tile *tile);
    /* `columns` (a multiple of 32) of one part of two neighbouring lines, as pairs in the variant's own order. */
    void (*pair)(int32_t *out, const int16_t *below, const int16_t *above, size_t columns);
    /* acc (64 * vectors bytes an output) += the taps of `group` sets; first: acc is taken as zero. A window row is
     * 64 * vectors bytes. f32: the line above is the next row. */
    void (*sum_int)(int32_t *acc, const int32_t *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                    size_t group, unsigned vectors, bool first);
    void (*sum_f32)(float *acc, const float *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                    size_t group, unsigned vectors, bool first);
    /* One output: sum over parts of acc << (part * bits), masked, columns put back in order. f32: a copy. stream: past
     * the caches, which `drain` then makes visible to other threads. */
    void (*finish)(uint64_t *out, const int32_t *acc, size_t columns, unsigned parts, unsigned bits, bool stream);
    void (*finish_f32)(float *out, const float *acc, size_t columns, bool stream);
    void (*drain)(void);
} gb_gather_ops;

/* The table entries f32 and digits, less ops. */
void gb_gather_walk_f32(const gb_gather_ops *ops, float *out, const float *in, size_t width, size_t k0, size_t k1,
                        const gb_gather_plan *p, void *scratch);
void gb_gather_walk_int(const gb_gather_ops *ops, uint64_t *out, const int16_t *in, size_t width, unsigned parts,
                        unsigned bits, size_t k0, size_t k1, const gb_gather_plan *p, void *scratch);

/* One table a variant. */
extern const gb_gather_kernels gb_gather_ref, gb_gather_avx2, gb_gather_avx512;

#endif
