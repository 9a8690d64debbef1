/* kernel/gather with AVX-512 VNNI: `vpdpwssd` does both taps of 16 columns at once. */
#include <immintrin.h>

#include "kernel/gather_impl.h"

/* v of 8 outputs from i on: the arithmetic of gb_gather_tap, rounded down by the conversion. Beyond the span the
 * position is held at its end, which reads the same zeros (see spans_of). */
static inline __m256i taps8(const gb_gather_scale *s, const gb_gather_span *span, __m512d p) {
    __m512d v = _mm512_add_pd(_mm512_mul_pd(p, _mm512_set1_pd(s->scale)), _mm512_set1_pd(0.5));
    v = _mm512_max_pd(v, _mm512_set1_pd(span->low)); /* a NaN becomes low */
    v = _mm512_min_pd(v, _mm512_set1_pd(span->high));
    return _mm512_cvt_roundpd_epi32(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/* origin + i * step_i for 8 outputs. */
static inline __m512d start8(const gb_affine *a, size_t i) {
    __m512d at = _mm512_add_pd(_mm512_set1_pd((double)i), _mm512_set_pd(7, 6, 5, 4, 3, 2, 1, 0));
    return _mm512_add_pd(_mm512_set1_pd(a->origin), _mm512_mul_pd(at, _mm512_set1_pd(a->step_i)));
}

/* v of outputs (i..i+7, k) and (i..i+7, k + 1). */
static inline __m512i taps16(const gb_gather_scale *s, const gb_affine *a, const gb_gather_span *span, __m512d start,
                             size_t k) {
    __m512d p0 = _mm512_add_pd(start, _mm512_set1_pd((double)k * a->step_k));
    __m512d p1 = _mm512_add_pd(start, _mm512_set1_pd((double)(k + 1) * a->step_k));
    return _mm512_inserti64x4(_mm512_castsi256_si512(taps8(s, span, p0)), taps8(s, span, p1), 1);
}

static void taps_int(int32_t *row, uint32_t *pair, const gb_gather_scale *s, const gb_affine *a,
                     const gb_gather_span *span, size_t i, size_t k) {
    __m512d start = start8(a, i);
    __m512i whole = _mm512_set1_epi32(s->whole), base = _mm512_set1_epi32(span->base);
    for (size_t j = 0; j < GB_GATHER_TILE; j += 16) {
        __m512i v = taps16(s, a, span, start, k + j / GB_GATHER_SIDE);
        __m512i w = _mm512_and_si512(v, _mm512_set1_epi32(s->mask));
        _mm512_store_si512(row + j, _mm512_add_epi32(base, _mm512_srav_epi32(v, _mm512_set1_epi32((int)s->bits))));
        _mm512_store_si512(pair + j, _mm512_or_si512(_mm512_sub_epi32(whole, w), _mm512_slli_epi32(w, 16)));
    }
}

static void taps_f32(int32_t *row, float *weight, const gb_gather_scale *s, const gb_affine *a,
                     const gb_gather_span *span, size_t i, size_t k) {
    __m512d start = start8(a, i);
    __m512i base = _mm512_set1_epi32(span->base);
    __m512 unit = _mm512_set1_ps(1.0f / (float)s->whole);
    for (size_t j = 0; j < GB_GATHER_TILE; j += 16) {
        __m512i v = taps16(s, a, span, start, k + j / GB_GATHER_SIDE);
        __m512i w = _mm512_and_si512(v, _mm512_set1_epi32(s->mask));
        _mm512_store_si512(row + j, _mm512_add_epi32(base, _mm512_srav_epi32(v, _mm512_set1_epi32((int)s->bits))));
        _mm512_store_ps(weight + j, _mm512_mul_ps(_mm512_cvtepi32_ps(w), unit));
    }
}

/* Vector order: the low halves of the four 128-bit lanes, then the high ones. */
static void pair(int32_t *out, const int16_t *below, const int16_t *above, size_t stride_below, size_t stride_above,
                 unsigned parts) {
    for (unsigned part = 0; part < parts; part++) {
        __m512i a = _mm512_loadu_si512(below + part * stride_below);
        __m512i b = _mm512_loadu_si512(above + part * stride_above);
        _mm512_store_si512(out + part * 32, _mm512_unpacklo_epi16(a, b));
        _mm512_store_si512(out + part * 32 + 16, _mm512_unpackhi_epi16(a, b));
    }
}

/* The inner loop, with n vectors a row known when compiled: they stay in registers over the group. */
GB_GATHER_INLINE void sum_int_n(int32_t *acc, const int32_t *window, const gb_gather_taps *taps, size_t ni, size_t nk,
                                size_t group, bool first, const size_t n) {
    for (size_t k = 0; k < nk; k++)
        for (size_t i = 0; i < ni; i++) {
            size_t at = k * GB_GATHER_SIDE + i;
            __m512i sum[8], *store = (__m512i *)(acc + at * n * 16);
            for (size_t j = 0; j < n; j++) sum[j] = first ? _mm512_setzero_si512() : store[j];
            for (size_t g = 0; g < group; g++) {
                const __m512i *line = (const __m512i *)window + (size_t)(uint32_t)taps->row[g * GB_GATHER_TILE + at] * n;
                __m512i w = _mm512_set1_epi32((int)taps->pair[g * GB_GATHER_TILE + at]);
                for (size_t j = 0; j < n; j++) sum[j] = _mm512_dpwssd_epi32(sum[j], w, line[j]);
            }
            for (size_t j = 0; j < n; j++) store[j] = sum[j];
        }
}

static void sum_int(int32_t *acc, const int32_t *window, const gb_gather_taps *taps, size_t ni, size_t nk, size_t group,
                    unsigned vectors, bool first) {
    switch (vectors) {
    case 2: sum_int_n(acc, window, taps, ni, nk, group, first, 2); break;
    case 4: sum_int_n(acc, window, taps, ni, nk, group, first, 4); break;
    case 6: sum_int_n(acc, window, taps, ni, nk, group, first, 6); break;
    default: sum_int_n(acc, window, taps, ni, nk, group, first, 8); break;
    }
}

GB_GATHER_INLINE void sum_f32_n(float *acc, const float *window, const gb_gather_taps *taps, size_t ni, size_t nk,
                                size_t group, bool first, const size_t n) {
    for (size_t k = 0; k < nk; k++)
        for (size_t i = 0; i < ni; i++) {
            size_t at = k * GB_GATHER_SIDE + i;
            __m512 sum[4];
            float *store = acc + at * n * 16;
            for (size_t j = 0; j < n; j++) sum[j] = first ? _mm512_setzero_ps() : _mm512_load_ps(store + j * 16);
            for (size_t g = 0; g < group; g++) {
                const float *line = window + (size_t)(uint32_t)taps->row[g * GB_GATHER_TILE + at] * n * 16;
                __m512 w1 = _mm512_set1_ps(taps->w[g * GB_GATHER_TILE + at]), w0 = _mm512_sub_ps(_mm512_set1_ps(1), w1);
                for (size_t j = 0; j < n; j++) sum[j] = _mm512_fmadd_ps(w0, _mm512_load_ps(line + j * 16), sum[j]);
                for (size_t j = 0; j < n; j++)
                    sum[j] = _mm512_fmadd_ps(w1, _mm512_load_ps(line + (n + j) * 16), sum[j]);
            }
            for (size_t j = 0; j < n; j++) _mm512_store_ps(store + j * 16, sum[j]);
        }
}

static void sum_f32(float *acc, const float *window, const gb_gather_taps *taps, size_t ni, size_t nk, size_t group,
                    unsigned vectors, bool first) {
    switch (vectors) {
    case 1: sum_f32_n(acc, window, taps, ni, nk, group, first, 1); break;
    case 2: sum_f32_n(acc, window, taps, ni, nk, group, first, 2); break;
    case 3: sum_f32_n(acc, window, taps, ni, nk, group, first, 3); break;
    default: sum_f32_n(acc, window, taps, ni, nk, group, first, 4); break;
    }
}

static void finish(uint64_t *out, const int32_t *acc, unsigned parts, unsigned bits) {
    const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), second = _mm512_add_epi64(first, _mm512_set1_epi64(4));
    const __m512i mask = _mm512_set1_epi64((long long)(((uint64_t)1 << (parts * bits)) - 1));
    __m512i sum[4];
    for (size_t j = 0; j < 4; j++) sum[j] = _mm512_setzero_si512();
    for (unsigned part = 0; part < parts; part++) {
        __m512i low = _mm512_load_si512(acc + part * 32), high = _mm512_load_si512(acc + part * 32 + 16);
        __m512i column[2] = {_mm512_permutex2var_epi64(low, first, high), _mm512_permutex2var_epi64(low, second, high)};
        __m128i shift = _mm_cvtsi32_si128((int)(part * bits));
        for (size_t j = 0; j < 4; j++) {
            __m512i x = _mm512_cvtepi32_epi64(j & 1 ? _mm512_extracti64x4_epi64(column[j / 2], 1)
                                                    : _mm512_castsi512_si256(column[j / 2]));
            sum[j] = _mm512_add_epi64(sum[j], _mm512_sll_epi64(x, shift));
        }
    }
    for (size_t j = 0; j < 4; j++) _mm512_storeu_si512(out + j * 8, _mm512_and_si512(sum[j], mask));
}

static const gb_gather_ops ops = {.taps_int = taps_int,
                                  .taps_f32 = taps_f32,
                                  .pair = pair,
                                  .sum_int = sum_int,
                                  .sum_f32 = sum_f32,
                                  .finish = finish};

static void gather_f32(float *out, const float *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    gb_gather_walk_f32(&ops, out, in, width, k0, k1, p, scratch);
}

static void gather_f64(double *out, const double *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    gb_gather_f64_body(out, in, width, k0, k1, p);
}

static void gather_digits(uint64_t *out, const int16_t *in, size_t width, unsigned parts, unsigned bits, size_t k0,
                          size_t k1, const gb_gather_plan *p, void *scratch) {
    gb_gather_walk_int(&ops, out, in, width, parts, bits, k0, k1, p, scratch);
}

static void scatter_f32(float *out, const float *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p) {
    gb_scatter_body((char *)out, (const char *)in, width, width * sizeof *out, t0, t1, k0, k1, p, gb_scatter_add_f32);
}

static void scatter_f64(double *out, const double *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p) {
    gb_scatter_body((char *)out, (const char *)in, width, width * sizeof *out, t0, t1, k0, k1, p, gb_scatter_add_f64);
}

static void scatter_u64(uint64_t *out, const uint64_t *in, size_t width, size_t t0, size_t t1, size_t k0, size_t k1,
                        const gb_gather_plan *p) {
    gb_scatter_body((char *)out, (const char *)in, width, width * sizeof *out, t0, t1, k0, k1, p, gb_scatter_add_u64);
}

const gb_gather_kernels gb_gather_avx512 = {.name = "ifma",
                                            .f32 = gather_f32,
                                            .f64 = gather_f64,
                                            .digits = gather_digits,
                                            .scatter_f32 = scatter_f32,
                                            .scatter_f64 = scatter_f64,
                                            .scatter_u64 = scatter_u64};
