/* kernel/gather with AVX2: `vpmaddwd` and an addition do both taps of 8 columns. */
#include <immintrin.h>

#include "kernel/gather_impl.h"

/* The tap arithmetic of gb_gather_tap for rows of 8 outputs. Beyond the span the position is held at its end, which
 * reads the same zeros or belongs to no output. */
static inline __m128i tap4(const gb_gather_scale *s, __m256d p, __m256d low, __m256d high) {
    __m256d v = _mm256_add_pd(_mm256_mul_pd(p, _mm256_set1_pd(s->scale)), _mm256_set1_pd(0.5));
    v = _mm256_min_pd(_mm256_max_pd(v, low), high); /* a NaN becomes low */
    return _mm256_cvttpd_epi32(_mm256_floor_pd(v));
}

/* One set's taps for the whole tile: rows of the window, and weights. */
GB_GATHER_INLINE void taps_of(int32_t *row, void *weight, const gb_gather_scale *s, const gb_affine *a,
                              const gb_gather_span *span, const gb_gather_tile *tile, const bool as_float) {
    const __m256d low = _mm256_set1_pd(span->low), high = _mm256_set1_pd(span->high);
    const __m256d origin = _mm256_set1_pd(a->origin), step = _mm256_set1_pd(a->step_i);
    const __m256d i0 = _mm256_add_pd(_mm256_set1_pd((double)tile->i), _mm256_set_pd(3, 2, 1, 0));
    const __m256d start0 = _mm256_add_pd(origin, _mm256_mul_pd(i0, step));
    const __m256d start1 = _mm256_add_pd(origin, _mm256_mul_pd(_mm256_add_pd(i0, _mm256_set1_pd(4)), step));
    const __m256i base = _mm256_set1_epi32(span->base), whole = _mm256_set1_epi32(s->whole);
    const __m128i bits = _mm_cvtsi32_si128((int)s->bits);
    const __m256 unit = _mm256_set1_ps(1.0f / (float)s->whole);
    for (size_t k = 0; k < GB_GATHER_K; k++) {
        __m256d at = _mm256_set1_pd((double)(tile->k + k) * a->step_k);
        __m256i v = _mm256_set_m128i(tap4(s, _mm256_add_pd(start1, at), low, high),
                                     tap4(s, _mm256_add_pd(start0, at), low, high));
        __m256i w = _mm256_and_si256(v, _mm256_set1_epi32(s->mask));
        size_t j = k * GB_GATHER_I;
        _mm256_store_si256((__m256i *)(row + j), _mm256_add_epi32(base, _mm256_sra_epi32(v, bits)));
        if (as_float)
            _mm256_store_ps((float *)weight + j, _mm256_mul_ps(_mm256_cvtepi32_ps(w), unit));
        else
            _mm256_store_si256((__m256i *)((uint32_t *)weight + j),
                               _mm256_or_si256(_mm256_sub_epi32(whole, w), _mm256_slli_epi32(w, 16)));
    }
}

static void taps_int(gb_gather_taps *taps, const gb_gather_scale *s, const gb_affine *a, const gb_gather_span *span,
                     size_t group, const gb_gather_tile *tile) {
    for (size_t g = 0; g < group; g++) taps_of(taps->row[g], taps->pair[g], s, a + g, span + g, tile, false);
}

static void taps_f32(gb_gather_taps *taps, const gb_gather_scale *s, const gb_affine *a, const gb_gather_span *span,
                     size_t group, const gb_gather_tile *tile) {
    for (size_t g = 0; g < group; g++) taps_of(taps->row[g], taps->w[g], s, a + g, span + g, tile, true);
}

/* Vector order of 16 columns: the low halves of the two 128-bit lanes, then the high ones. */
static void pair(int32_t *out, const int16_t *below, const int16_t *above, size_t columns) {
    for (size_t c = 0; c < columns; c += 16) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(below + c));
        __m256i b = _mm256_loadu_si256((const __m256i *)(above + c));
        _mm256_store_si256((__m256i *)(out + c), _mm256_unpacklo_epi16(a, b));
        _mm256_store_si256((__m256i *)(out + c + 8), _mm256_unpackhi_epi16(a, b));
    }
}

/* The inner loop: n vectors of a row of `row` words, from vector `from` on, stay in registers over the group. */
GB_GATHER_INLINE void slice_int(int32_t *acc, const int32_t *window, const gb_gather_taps *taps,
                                const gb_gather_tile *tile, size_t group, bool first, size_t row, size_t from,
                                const size_t n) {
    for (size_t k = 0; k < tile->nk; k++)
        for (size_t i = 0; i < tile->ni; i++) {
            size_t at = k * GB_GATHER_I + i;
            __m256i sum[8], *store = (__m256i *)(acc + at * row + from * 8);
            for (size_t j = 0; j < n; j++) sum[j] = first ? _mm256_setzero_si256() : store[j];
            for (size_t g = 0; g < group; g++) {
                const __m256i *line = (const __m256i *)(window + (size_t)(uint32_t)taps->row[g][at] * row + from * 8);
                __m256i w = _mm256_set1_epi32((int)taps->pair[g][at]);
                for (size_t j = 0; j < n; j++) sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(w, line[j]));
            }
            for (size_t j = 0; j < n; j++) store[j] = sum[j];
        }
}

/* A row of integers is a multiple of 32 words: of 4 vectors. */
static void sum_int(int32_t *acc, const int32_t *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                    size_t group, unsigned vectors, bool first) {
    size_t row = (size_t)vectors * 16, n = (size_t)vectors * 2, j = 0;
    for (; j + 8 <= n; j += 8) slice_int(acc, window, taps, tile, group, first, row, j, 8);
    if (j < n) slice_int(acc, window, taps, tile, group, first, row, j, 4);
}

GB_GATHER_INLINE void slice_f32(float *acc, const float *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                                size_t group, bool first, size_t row, size_t from, const size_t n) {
    for (size_t k = 0; k < tile->nk; k++)
        for (size_t i = 0; i < tile->ni; i++) {
            size_t at = k * GB_GATHER_I + i;
            __m256 sum[8];
            float *store = acc + at * row + from * 8;
            for (size_t j = 0; j < n; j++) sum[j] = first ? _mm256_setzero_ps() : _mm256_load_ps(store + j * 8);
            for (size_t g = 0; g < group; g++) {
                const float *below = window + (size_t)(uint32_t)taps->row[g][at] * row + from * 8, *above = below + row;
                __m256 w1 = _mm256_set1_ps(taps->w[g][at]), w0 = _mm256_sub_ps(_mm256_set1_ps(1), w1);
                for (size_t j = 0; j < n; j++) sum[j] = _mm256_fmadd_ps(w0, _mm256_load_ps(below + j * 8), sum[j]);
                for (size_t j = 0; j < n; j++) sum[j] = _mm256_fmadd_ps(w1, _mm256_load_ps(above + j * 8), sum[j]);
            }
            for (size_t j = 0; j < n; j++) _mm256_store_ps(store + j * 8, sum[j]);
        }
}

/* A row of floats is 16, 32, 48 or 64 words: of 2 to 8 vectors. */
static void sum_f32(float *acc, const float *window, const gb_gather_taps *taps, const gb_gather_tile *tile,
                    size_t group, unsigned vectors, bool first) {
    size_t row = (size_t)vectors * 16, n = (size_t)vectors * 2, j = 0;
    for (; j + 8 <= n; j += 8) slice_f32(acc, window, taps, tile, group, first, row, j, 8);
    for (; j + 4 <= n; j += 4) slice_f32(acc, window, taps, tile, group, first, row, j, 4);
    if (j < n) slice_f32(acc, window, taps, tile, group, first, row, j, 2);
}

static inline void put(void *out, __m256i x, bool stream) {
    if (stream)
        _mm256_stream_si256(out, x);
    else
        _mm256_storeu_si256(out, x);
}

static void finish(uint64_t *out, const int32_t *acc, size_t columns, unsigned parts, unsigned bits, bool stream) {
    const __m256i mask = _mm256_set1_epi64x((long long)(((uint64_t)1 << (parts * bits)) - 1));
    /* where columns 0, 4, 8, 12 of 16 lie: see pair */
    static const uint8_t place[4] = {0, 8, 4, 12};
    for (size_t c = 0; c < columns; c += 16)
        for (size_t j = 0; j < 4; j++) {
            __m256i sum = _mm256_setzero_si256();
            for (unsigned part = 0; part < parts; part++) {
                __m128i x = _mm_load_si128((const __m128i *)(acc + part * columns + c + place[j]));
                __m128i shift = _mm_cvtsi32_si128((int)(part * bits));
                sum = _mm256_add_epi64(sum, _mm256_sll_epi64(_mm256_cvtepi32_epi64(x), shift));
            }
            put(out + c + j * 4, _mm256_and_si256(sum, mask), stream);
        }
}

static void finish_f32(float *out, const float *acc, size_t columns, bool stream) {
    for (size_t c = 0; c < columns; c += 8) put(out + c, _mm256_load_si256((const __m256i *)(acc + c)), stream);
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

const gb_gather_kernels gb_gather_avx2 = {.name = "avx2",
                                          .f32 = gather_f32,
                                          .f64 = gather_f64,
                                          .digits = gather_digits,
                                          .scatter_f32 = scatter_f32,
                                          .scatter_f64 = scatter_f64,
                                          .scatter_u64 = scatter_u64};
