/* The tables of gather.h by rising instruction set, and the blocked walk that the vector variants share. */
#include "kernel/gather_impl.h"

#ifndef WINDOW_BYTES
#define WINDOW_BYTES 786432u          /* aim: the window and the input it is made from share the second-level cache */
#endif
#define WINDOW_MOST ((size_t)16 << 20) /* beyond, the plain loops take over: the positions are far from a projection's */
#define F32_COLUMNS 64u
#define INT_COLUMNS 32u

/* How one call is cut up; the same for every variant, as the caller sizes scratch without knowing which will run. */
typedef struct walk {
    size_t ni, nk;     /* of the window, multiples of GB_GATHER_SIDE; ni == 0: no window fits */
    size_t rows;       /* of the window: the sum of span over the sets */
    size_t row;        /* bytes of one */
    size_t scratch;    /* bytes in all */
    size_t taps, acc, window; /* offsets into scratch; the spans are at 0 */
} walk;

/* Lines of one set under an ni x nk window: (most distant u) + 1, one more for the line above, one for rounding. */
static size_t span_rows(const gb_gather_plan *p, size_t t, size_t ni, size_t nk) {
    const gb_affine *a = &p->affine[t];
    double reach = (a->step_i < 0 ? -a->step_i : a->step_i) * (double)(ni - 1) +
                   (a->step_k < 0 ? -a->step_k : a->step_k) * (double)(nk - 1);
    size_t most = p->lines + 5; /* u in [-2, lines + 1] and the line above */
    return reach < (double)most ? gb_min_size((size_t)reach + 4, most) : most;
}

static size_t window_rows(const gb_gather_plan *p, size_t ni, size_t nk) {
    size_t rows = 0;
    for (size_t t = 0; t < p->sets; t++) rows += span_rows(p, t, ni, nk);
    return rows;
}

static walk walk_of(const gb_gather_plan *p, size_t row) {
    walk w = {.ni = 32, .nk = 32, .row = row};
    w.rows = window_rows(p, w.ni, w.nk);
    while (w.rows * row > WINDOW_BYTES && w.nk > GB_GATHER_SIDE) {
        if (w.ni >= w.nk)
            w.ni /= 2;
        else
            w.nk /= 2;
        w.rows = window_rows(p, w.ni, w.nk);
    }
    if (w.rows * row > WINDOW_MOST) return (walk){.scratch = GB_ALIGN};
    w.taps = gb_ceil_div(p->sets * sizeof(gb_gather_span), GB_ALIGN) * GB_ALIGN;
    w.acc = w.taps + gb_ceil_div(sizeof(gb_gather_taps), GB_ALIGN) * GB_ALIGN;
    w.window = w.acc + GB_GATHER_TILE * row;
    w.scratch = w.window + w.rows * row;
    return w;
}

static size_t f32_row(size_t width) { return gb_min_size(width, F32_COLUMNS) * sizeof(float); }
static size_t int_row(unsigned parts) { return parts * INT_COLUMNS * sizeof(int32_t); }

size_t gb_gather_scratch_f32(const gb_gather_plan *p, size_t width) { return walk_of(p, f32_row(width)).scratch; }

size_t gb_gather_scratch_int(const gb_gather_plan *p, size_t width, unsigned parts) {
    return walk_of(p, int_row(parts)).scratch;
}

/* The spans of the window over outputs [i, i + ni) x [k, k + nk). Position is monotone in i and in k, rounding
 * included, so its extremes are at the corners. */
static void spans_of(gb_gather_span *span, const gb_gather_plan *p, const gb_gather_scale *s, size_t i, size_t ni,
                     size_t k, size_t nk) {
    size_t row = 0;
    for (size_t t = 0; t < p->sets; t++) {
        int32_t low = INT32_MAX, high = INT32_MIN;
        for (int corner = 0; corner < 4; corner++) {
            int32_t v = gb_gather_tap(s, &p->affine[t], corner & 1 ? i + ni - 1 : i, corner & 2 ? k + nk - 1 : k);
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        span[t] = (gb_gather_span){.low = low, .high = high, .base = (int32_t)row - (low >> s->bits)};
        row += (size_t)((high >> s->bits) - (low >> s->bits)) + 2;
    }
}

static int32_t span_first(const gb_gather_span *span, const gb_gather_scale *s) {
    return (int32_t)span->low >> s->bits;
}
static int32_t span_last(const gb_gather_span *span, const gb_gather_scale *s) {
    return (int32_t)span->high >> s->bits;
}

/* Copies the window's lines, and the one above the last. */
static void fill_f32(float *window, const float *in, size_t width, size_t columns, const gb_gather_span *span,
                     const gb_gather_scale *s, const gb_gather_plan *p) {
    for (size_t t = 0; t < p->sets; t++)
        for (int32_t u = span_first(&span[t], s); u <= span_last(&span[t], s) + 1; u++) {
            float *row = window + (size_t)(span[t].base + u) * columns;
            if (u >= 0 && u < (int64_t)p->lines)
                memcpy(row, in + (t * p->lines + (size_t)u) * width, columns * sizeof(float));
            else
                memset(row, 0, columns * sizeof(float));
        }
}

static void fill_int(const gb_gather_ops *ops, int32_t *window, const int16_t *in, size_t width, unsigned parts,
                     const gb_gather_span *span, const gb_gather_scale *s, const gb_gather_plan *p) {
    static const int16_t zeros[INT_COLUMNS] __attribute__((aligned(GB_ALIGN)));
    size_t line = parts * width;
    for (size_t t = 0; t < p->sets; t++)
        for (int32_t u = span_first(&span[t], s); u <= span_last(&span[t], s); u++) {
            bool below = u >= 0 && u < (int64_t)p->lines, above = u + 1 >= 0 && u + 1 < (int64_t)p->lines;
            size_t at = t * p->lines;
            ops->pair(window + (size_t)(span[t].base + u) * parts * INT_COLUMNS,
                      below ? in + (at + (size_t)u) * line : zeros, above ? in + (at + (size_t)(u + 1)) * line : zeros,
                      below ? width : 0, above ? width : 0, parts);
        }
}

/* Moves what exceeds `bits` bits of each part's sums up to the next part: sums in [0, 2^bits) below the top one, whose
 * carries wrap. n columns a part, vector order, side by side. */
static void carry_int(int32_t *acc, size_t n, unsigned parts, unsigned bits) {
    for (unsigned part = 0; part + 1 < parts; part++)
        for (size_t c = 0; c < n; c++) {
            int32_t x = acc[part * n + c];
            acc[part * n + c] = x & ((1 << bits) - 1);
            acc[(part + 1) * n + c] = (int32_t)((uint32_t)acc[(part + 1) * n + c] + (uint32_t)(x >> bits));
        }
}

/* Sets that may be added between carries. A set adds at most W * 2^(bits-1) to a part's |sum|, a carry leaves less than
 * 2^bits and brings at most 2^(31-bits) in, and sums must stay below 2^31: at least 3 for W <= 2^14, bits in 8..16.
 * No carries are needed where 2^32 in the lowest part is a multiple of the whole modulus. */
static size_t sets_between_carries(const gb_gather_scale *s, unsigned parts, unsigned bits) {
    if (parts * bits <= 32) return SIZE_MAX;
    uint64_t room = ((uint64_t)1 << 31) - 1 - ((uint64_t)1 << bits) - ((uint64_t)1 << (31 - bits));
    return (size_t)(room / ((uint64_t)s->whole << (bits - 1)));
}

typedef struct walk_at {
    size_t i, k, ni, nk; /* outputs */
} walk_at;

static void tile_int(const gb_gather_ops *ops, uint64_t *out, size_t width, unsigned parts, unsigned bits,
                     const walk_at *at, const gb_gather_span *span, const int32_t *window, gb_gather_taps *taps,
                     int32_t *acc, const gb_gather_scale *s, const gb_gather_plan *p) {
    size_t most = sets_between_carries(s, parts, bits), since = 0;
    for (size_t t = 0; t < p->sets;) {
        size_t group = gb_min_size(gb_min_size(GB_GATHER_GROUP, most), p->sets - t);
        for (size_t g = 0; g < group; g++)
            ops->taps_int(taps->row + g * GB_GATHER_TILE, taps->pair + g * GB_GATHER_TILE, s, &p->affine[t + g],
                          &span[t + g], at->i, at->k);
        if (since + group > most) {
            for (size_t v = 0; v < GB_GATHER_TILE; v++)
                if (v / GB_GATHER_SIDE < at->nk && v % GB_GATHER_SIDE < at->ni)
                    carry_int(acc + v * parts * INT_COLUMNS, INT_COLUMNS, parts, bits);
            since = 0;
        }
        ops->sum_int(acc, window, taps, at->ni, at->nk, group, 2 * parts, t == 0);
        since += group;
        t += group;
    }
    for (size_t k = 0; k < at->nk; k++)
        for (size_t i = 0; i < at->ni; i++)
            ops->finish(out + (k * p->ni + i) * width, acc + (k * GB_GATHER_SIDE + i) * parts * INT_COLUMNS, parts,
                        bits);
}

static void tile_f32(const gb_gather_ops *ops, float *out, size_t width, size_t columns, const walk_at *at,
                     const gb_gather_span *span, const float *window, gb_gather_taps *taps, float *acc,
                     const gb_gather_scale *s, const gb_gather_plan *p) {
    for (size_t t = 0; t < p->sets; t += GB_GATHER_GROUP) {
        size_t group = gb_min_size(GB_GATHER_GROUP, p->sets - t);
        for (size_t g = 0; g < group; g++)
            ops->taps_f32(taps->row + g * GB_GATHER_TILE, taps->w + g * GB_GATHER_TILE, s, &p->affine[t + g],
                          &span[t + g], at->i, at->k);
        ops->sum_f32(acc, window, taps, at->ni, at->nk, group, (unsigned)(columns / 16), t == 0);
    }
    for (size_t k = 0; k < at->nk; k++)
        for (size_t i = 0; i < at->ni; i++)
            memcpy(out + (k * p->ni + i) * width, acc + (k * GB_GATHER_SIDE + i) * columns, columns * sizeof(float));
}

/* Outputs of the tile at (i, k) of a window that ends at (i1, k1). */
static walk_at tile_at(size_t i, size_t i1, size_t k, size_t k1) {
    return (walk_at){i, k, gb_min_size(GB_GATHER_SIDE, i1 - i), gb_min_size(GB_GATHER_SIDE, k1 - k)};
}

void gb_gather_walk_int(const gb_gather_ops *ops, uint64_t *out, const int16_t *in, size_t width, unsigned parts,
                        unsigned bits, size_t k0, size_t k1, const gb_gather_plan *p, void *scratch) {
    walk w = walk_of(p, int_row(parts));
    if (w.ni == 0) {
        gb_gather_ref.digits(out, in, width, parts, bits, k0, k1, p, scratch);
        return;
    }
    gb_gather_scale s = gb_gather_scale_of(p);
    gb_gather_span *span = scratch;
    gb_gather_taps *taps = (gb_gather_taps *)((char *)scratch + w.taps);
    int32_t *acc = (int32_t *)((char *)scratch + w.acc), *window = (int32_t *)((char *)scratch + w.window);
    for (size_t c = 0; c < width; c += INT_COLUMNS)
        for (size_t ib = 0; ib < p->ni; ib += w.ni)
            for (size_t kb = k0; kb < k1; kb += w.nk) {
                size_t i1 = gb_min_size(ib + w.ni, p->ni), k2 = gb_min_size(kb + w.nk, k1);
                spans_of(span, p, &s, ib, i1 - ib, kb, k2 - kb);
                fill_int(ops, window, in + c, width, parts, span, &s, p);
                for (size_t k = kb; k < k2; k += GB_GATHER_SIDE)
                    for (size_t i = ib; i < i1; i += GB_GATHER_SIDE) {
                        walk_at at = tile_at(i, i1, k, k2);
                        tile_int(ops, out + ((k - k0) * p->ni + i) * width + c, width, parts, bits, &at, span, window,
                                 taps, acc, &s, p);
                    }
            }
}

void gb_gather_walk_f32(const gb_gather_ops *ops, float *out, const float *in, size_t width, size_t k0, size_t k1,
                        const gb_gather_plan *p, void *scratch) {
    walk w = walk_of(p, f32_row(width));
    if (w.ni == 0) {
        gb_gather_ref.f32(out, in, width, k0, k1, p, scratch);
        return;
    }
    gb_gather_scale s = gb_gather_scale_of(p);
    gb_gather_span *span = scratch;
    gb_gather_taps *taps = (gb_gather_taps *)((char *)scratch + w.taps);
    float *acc = (float *)((char *)scratch + w.acc), *window = (float *)((char *)scratch + w.window);
    for (size_t c = 0; c < width; c += F32_COLUMNS)
        for (size_t ib = 0; ib < p->ni; ib += w.ni)
            for (size_t kb = k0; kb < k1; kb += w.nk) {
                size_t i1 = gb_min_size(ib + w.ni, p->ni), k2 = gb_min_size(kb + w.nk, k1);
                size_t columns = gb_min_size(F32_COLUMNS, width - c);
                spans_of(span, p, &s, ib, i1 - ib, kb, k2 - kb);
                fill_f32(window, in + c, width, columns, span, &s, p);
                for (size_t k = kb; k < k2; k += GB_GATHER_SIDE)
                    for (size_t i = ib; i < i1; i += GB_GATHER_SIDE) {
                        walk_at at = tile_at(i, i1, k, k2);
                        tile_f32(ops, out + ((k - k0) * p->ni + i) * width + c, width, columns, &at, span, window, taps,
                                 acc, &s, p);
                    }
            }
}

const gb_gather_kernels *gb_gather_get(uint32_t cpu_flags) {
#if defined(__x86_64__)
    const uint32_t avx512 = GB_CPU_AVX512 | GB_CPU_IFMA | GB_CPU_VNNI | GB_CPU_VBMI2;
    if ((cpu_flags & avx512) == avx512) return &gb_gather_avx512;
    if (cpu_flags & GB_CPU_AVX2) return &gb_gather_avx2;
#endif
    return &gb_gather_ref;
}

size_t gb_gather_list(const gb_gather_kernels **out, size_t max) {
    const uint32_t flags = gb_cpu_flags(), sets[] = {0, GB_CPU_AVX2, UINT32_MAX};
    size_t n = 0;
    for (size_t i = 0; i < GB_COUNT(sets); i++) {
        const gb_gather_kernels *k = gb_gather_get(flags & sets[i]);
        if (n < max && (n == 0 || out[n - 1] != k)) out[n++] = k;
    }
    return n;
}
