/* kernel/gather with AVX-512 VNNI: `vpdpwssd` does both taps of 16 columns at once. */
#include <immintrin.h>

#include "kernel/gather_impl.h"

/* The tap arithmetic of gb_gather_tap for rows of 8 outputs, its constants spread over vectors. */
typedef struct tap_setup {
    __m512d scale, half, start, step_k;
    __m512i mask, whole;
    __m128i bits;
    double k[GB_GATHER_K];
} tap_setup;

static inline tap_setup setup_of(const gb_gather_scale *s, const gb_gather_tile *tile) {
    tap_setup x = {.scale = _mm512_set1_pd(s->scale), .half = _mm512_set1_pd(0.5)};
    x.start = _mm512_add_pd(_mm512_set1_pd((double)tile->i), _mm512_set_pd(7, 6, 5, 4, 3, 2, 1, 0));
    x.mask = _mm512_set1_epi32(s->mask);
    x.whole = _mm512_set1_epi32(s->whole);
    x.bits = _mm_cvtsi32_si128((int)s->bits);
    for (size_t k = 0; k < GB_GATHER_K; k++) x.k[k] = (double)(tile->k + k);
    return x;
}

/* v of 8 outputs at positions p, rounded down by the conversion. Beyond the span the position is held at its end, which
 * reads the same zeros or belongs to no output. */
static inline __m256i tap8(const tap_setup *x, __m512d p, __m512d low, __m512d high) {
    __m512d v = _mm512_add_pd(_mm512_mul_pd(p, x->scale), x->half);
    v = _mm512_min_pd(_mm512_max_pd(v, low), high); /* a NaN becomes low */
    return _mm512_cvt_roundpd_epi32(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/* One set's taps for the whole tile: rows of the window, and v & mask. */
GB_GATHER_INLINE void taps_of(int32_t *row, void *weight, const tap_setup *x, const gb_affine *a,
                              const gb_gather_span *span, const bool as_float) {
    __m512d low = _mm512_set1_pd(span->low), high = _mm512_set1_pd(span->high);
    __m512d start = _mm512_add_pd(_mm512_set1_pd(a->origin), _mm512_mul_pd(x->start, _mm512_set1_pd(a->step_i)));
    __m512i base = _mm512_set1_epi32(span->base);
    double step = a->step_k;
    __m512 unit = _mm512_div_ps(_mm512_set1_ps(1), _mm512_cvtepi32_ps(x->whole));
    for (size_t j = 0; j < GB_GATHER_TILE; j += 16) {
        __m512d p0 = _mm512_add_pd(start, _mm512_set1_pd(x->k[j / 8] * step));
        __m512d p1 = _mm512_add_pd(start, _mm512_set1_pd(x->k[j / 8 + 1] * step));
        __m512i v = _mm512_inserti64x4(_mm512_castsi256_si512(tap8(x, p0, low, high)), tap8(x, p1, low, high), 1);
        __m512i w = _mm512_and_si512(v, x->mask);
        _mm512_store_si512(row + j, _mm512_add_epi32(base, _mm512_sra_epi32(v, x->bits)));
        if (as_float)
            _mm512_store_ps((float *)weight + j, _mm512_mul_ps(_mm512_cvtepi32_ps(w), unit));
        else
            _mm512_store_si512((uint32_t *)weight + j,
                               _mm512_or_si512(_mm512_sub_epi32(x->whole, w), _mm512_slli_epi32(w, 16)));
    }
}

static void taps_int(gb_gather_taps *taps, const gb_gather_scale *s, const gb_affine *a, const gb_gather_span *span,
                     size_t group, const gb_gather_tile *tile) {
    tap_setup x = setup_of(s, tile);
    for (size_t g = 0; g < group; g++) taps_of(taps->row[g], taps->pair[g], &x, a + g, span + g, false);
}

static void taps_f32(gb_gather_taps *taps, const gb_gather_scale *s, const gb_affine *a, const gb_gather_span *span,
                     size_t group, const gb_gather_tile *tile) {
    tap_setup x = setup_of(s, tile);
    for (size_t g = 0; g < group; g++) taps_of(taps->row[g], taps->w[g], &x, a + g, span + g, true);
}

/* Vector order of 32 columns: the low halves of the four 128-bit lanes, then the high ones. */
static void pair(int32_t *out, const int16_t *below, const int16_t *above, size_t columns) {
    for (size_t c = 0; c < columns; c += 32) {
        __m512i a = _mm512_loadu_si512(below + c), b = _mm512_loadu_si512(above + c);
        _mm512_store_si512(out + c, _mm512_unpacklo_epi16(a, b));
        _mm512_store_si512(out + c + 16, _mm512_unpackhi_epi16(a, b));
    }
}

/* A tile is worked down in strips of this many outputs along i, so that the lines of a group that two rows of outputs
 * share are still in the first-level cache: 8 sets * (4 + 2 lines) * 768 bytes at three parts. */
#define STRIP 4

/* The inner loop: n vectors of each of m outputs from number `at` on stay in registers over the group (n * m <= 24).
 * Both are known when compiled; m > 1 only to have enough independent sums under way to hide the multiply's latency. */
GB_GATHER_INLINE void run_int(int32_t *acc, const int32_t *window, const gb_gather_taps *taps, size_t at, size_t group,
                              bool first, const size_t n, const size_t m) {
    __m512i sum[24], *store = (__m512i *)(acc + at * n * 16);
    for (size_t v = 0; v < m; v++)
        for (size_t j = 0; j < n; j++) sum[v * n + j] = first ? _mm512_setzero_si512() : store[v * n + j];
    for (size_t g = 0; g < group; g++)
        for (size_t v = 0; v < m; v++) {
            const __m512i *line = (const __m512i *)window + (size_t)(uint32_t)taps->row[g][at + v] * n;
            __m512i w = _mm512_set1_epi32((int)taps->pair[g][at + v]);
            for (size_t j = 0; j < n; j++) sum[v * n + j] = _mm512_dpwssd_epi32(sum[v * n + j], w, line[j]);
        }
    for (size_t v = 0; v < m; v++)
        for (size_t j = 0; j < n; j++) store[v * n + j] = sum[v * n + j];
}

GB_GATHER_INLINE void tile_int(int32_t *acc, const int32_t *window, const gb_gather_taps *taps,
                               const gb_gather_tile *tile, size_t group, bool first, const size_t n, const size_t m) {
    for (size_t i = 0; i < tile->ni; i += STRIP)
        for (size_t k = 0; k < tile->nk; k++) {
            size_t at = k * GB_GATHER_I + i, end = k * GB_GATHER_I + gb_min_size(i + STRIP, tile->ni);
            for (; at + m <= end; at += m) run_int(acc, window, taps, at, group, first, n, m);
            for (; at < end; at++) run_int(acc, window, taps, at, group, first, n, 1);
        }
}

static void sum_int(int32_t *acc, const int32_t *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                    size_t group, unsigned vectors, bool first) {
    switch (vectors) {
    case 2:
        tile_int(acc, window, taps, tile, group, first, 2, 4);
        break;
    case 4:
        tile_int(acc, window, taps, tile, group, first, 4, 4);
        break;
    case 6:
        tile_int(acc, window, taps, tile, group, first, 6, 4);
        break;
    case 8:
        tile_int(acc, window, taps, tile, group, first, 8, 2);
        break;
    case 12:
        tile_int(acc, window, taps, tile, group, first, 12, 2);
        break;
    default:
        tile_int(acc, window, taps, tile, group, first, 16, 1);
        break;
    }
}

GB_GATHER_INLINE void run_f32(float *acc, const float *window, const gb_gather_taps *taps, size_t at, size_t group,
                              bool first, const size_t n, const size_t m) {
    __m512 sum[16];
    float *store = acc + at * n * 16;
    for (size_t j = 0; j < n * m; j++) sum[j] = first ? _mm512_setzero_ps() : _mm512_load_ps(store + j * 16);
    for (size_t g = 0; g < group; g++)
        for (size_t v = 0; v < m; v++) {
            const float *line = window + (size_t)(uint32_t)taps->row[g][at + v] * n * 16;
            __m512 w1 = _mm512_set1_ps(taps->w[g][at + v]), w0 = _mm512_sub_ps(_mm512_set1_ps(1), w1);
            __m512 *x = sum + v * n;
            for (size_t j = 0; j < n; j++) x[j] = _mm512_fmadd_ps(w0, _mm512_load_ps(line + j * 16), x[j]);
            for (size_t j = 0; j < n; j++) x[j] = _mm512_fmadd_ps(w1, _mm512_load_ps(line + (n + j) * 16), x[j]);
        }
    for (size_t j = 0; j < n * m; j++) _mm512_store_ps(store + j * 16, sum[j]);
}

GB_GATHER_INLINE void tile_f32(float *acc, const float *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                               size_t group, bool first, const size_t n, const size_t m) {
    for (size_t i = 0; i < tile->ni; i += STRIP)
        for (size_t k = 0; k < tile->nk; k++) {
            size_t at = k * GB_GATHER_I + i, end = k * GB_GATHER_I + gb_min_size(i + STRIP, tile->ni);
            for (; at + m <= end; at += m) run_f32(acc, window, taps, at, group, first, n, m);
            for (; at < end; at++) run_f32(acc, window, taps, at, group, first, n, 1);
        }
}

static void sum_f32(float *acc, const float *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                    size_t group, unsigned vectors, bool first) {
    switch (vectors) {
    case 1:
        tile_f32(acc, window, taps, tile, group, first, 1, 4);
        break;
    case 2:
        tile_f32(acc, window, taps, tile, group, first, 2, 4);
        break;
    case 3:
        tile_f32(acc, window, taps, tile, group, first, 3, 4);
        break;
    case 4:
        tile_f32(acc, window, taps, tile, group, first, 4, 4);
        break;
    default:
        tile_f32(acc, window, taps, tile, group, first, 8, 2);
        break;
    }
}

static inline void put(void *out, __m512i x, bool stream) {
    if (stream)
        _mm512_stream_si512(out, x);
    else
        _mm512_storeu_si512(out, x);
}

static void finish(uint64_t *out, const int32_t *acc, size_t columns, unsigned parts, unsigned bits, bool stream) {
    const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const __m512i second = _mm512_add_epi64(first, _mm512_set1_epi64(4));
    const __m512i mask = _mm512_set1_epi64((long long)(((uint64_t)1 << (parts * bits)) - 1));
    for (size_t c = 0; c < columns; c += 32) {
        __m512i sum[4];
        for (size_t j = 0; j < 4; j++) sum[j] = _mm512_setzero_si512();
        for (unsigned part = 0; part < parts; part++) {
            const int32_t *from = acc + part * columns + c;
            __m512i low = _mm512_load_si512(from), high = _mm512_load_si512(from + 16);
            __m512i column[2] = {_mm512_permutex2var_epi64(low, first, high),
                                 _mm512_permutex2var_epi64(low, second, high)};
            __m128i shift = _mm_cvtsi32_si128((int)(part * bits));
            for (size_t j = 0; j < 4; j++) {
                __m512i x = _mm512_cvtepi32_epi64(j & 1 ? _mm512_extracti64x4_epi64(column[j / 2], 1)
                                                        : _mm512_castsi512_si256(column[j / 2]));
                sum[j] = _mm512_add_epi64(sum[j], _mm512_sll_epi64(x, shift));
            }
        }
        for (size_t j = 0; j < 4; j++) put(out + c + j * 8, _mm512_and_si512(sum[j], mask), stream);
    }
}

static void finish_f32(float *out, const float *acc, size_t columns, bool stream) {
    for (size_t c = 0; c < columns; c += 16) put(out + c, _mm512_load_si512(acc + c), stream);
}

static void drain(void) { _mm_sfence(); }

static const gb_gather_ops ops = {.taps_int = taps_int,
                                  .taps_f32 = taps_f32,
                                  .pair = pair,
                                  .sum_int = sum_int,
                                  .sum_f32 = sum_f32,
                                  .finish = finish,
                                  .finish_f32 = finish_f32,
                                  .drain = drain};

#include "kernel/x86/gather_entries.h"

const gb_gather_kernels gb_gather_avx512 = {.name = "ifma",
                                            .f32 = gather_f32,
                                            .f64 = gather_f64,
                                            .digits = gather_digits,
                                            .scatter_f32 = scatter_f32,
                                            .scatter_f64 = scatter_f64,
                                            .scatter_u64 = scatter_u64};
