/* Exact convolution along a bundle's index: forward NTT of length L down the columns, a scalar a row, inverse. Columns
 * are taken in strips that fit the second-level cache, copied to dense rows, so that long strides (a power of two, all
 * in one cache set) are met once and not at every level. */
#include "kernel/arith.h"
#include "ring/ring.h"

struct gb_convolver {
    const gb_kernels *kernels;
    gb_ntt ntt;
    size_t lines, strip;                 /* strip: columns taken together, a multiple of 8 */
    uint64_t *scale, *scale52, *scale64; /* the taps' transform, bit-reversed order, with Shoup quotients */
};

#define STRIP_BYTES ((size_t)1 << 19) /* half of a 1 MiB second-level cache */

/* The transform of the taps, as column 0 of a matrix of 8 columns. Tap k is shift k - taps/2; shifts of lines or more
 * never meet a wanted output, and those left are distinct modulo L because L >= lines + taps/2. */
static gb_status fill_scale(gb_convolver *c, gb_ctx *ctx, const int64_t *taps, size_t tap_count) {
    const size_t rows = gb_convolver_rows(c);
    const gb_modulus *m = &c->ntt.m;
    const int64_t middle = (int64_t)(tap_count / 2);
    const int64_t reach = (int64_t)gb_min_size(tap_count / 2, c->lines - 1);
    uint64_t *work;
    GB_TRY(gb_alloc_zero(&work, ctx, rows * 8, sizeof *work));
    for (int64_t s = -reach; s <= reach; s++) {
        const size_t row = s < 0 ? rows - (size_t)-s : (size_t)s;
        work[row * 8] = gb_reduce_signed128(taps[s + middle], m);
    }
    c->kernels->columns_forward(work, 8, 8, &c->ntt);
    for (size_t r = 0; r < rows; r++) {
        c->scale[r] = work[r * 8];
        c->scale64[r] = gb_shoup_of(c->scale[r], m);
        if (c->scale52) c->scale52[r] = c->scale64[r] >> 12;
    }
    gb_free(work);
    return GB_OK;
}

static gb_status fill(gb_convolver *c, gb_ctx *ctx, const gb_modulus *m, const int64_t *taps, size_t tap_count) {
    unsigned log_rows = 3;
    while ((size_t)1 << log_rows < c->lines + tap_count / 2) log_rows++;
    GB_TRY(gb_ntt_init(&c->ntt, ctx, m, log_rows, true));
    const size_t rows = gb_convolver_rows(c);
    c->strip = gb_max_size(8, STRIP_BYTES / (rows * sizeof(uint64_t)) / 8 * 8);
    if (c->strip > 64) c->strip = 64;
    GB_TRY(gb_alloc(&c->scale, ctx, rows * (m->ratio52 ? 3 : 2), sizeof *c->scale));
    c->scale64 = c->scale + rows;
    c->scale52 = m->ratio52 ? c->scale64 + rows : NULL;
    return fill_scale(c, ctx, taps, tap_count);
}

gb_status gb_convolver_new(gb_convolver **out, gb_ctx *ctx, const gb_ring *r, size_t limb, size_t lines,
                           const int64_t *taps, size_t tap_count) {
    *out = NULL;
    if (limb >= gb_ring_limbs(r))
        return gb_fail(ctx, GB_ERR_PARAMS, "convolution: limb %zu of a ring with %zu", limb, gb_ring_limbs(r));
    if (lines < 1 || tap_count % 2 == 0 || lines > (size_t)1 << GB_MAX_LOG_N ||
        lines + tap_count / 2 > (size_t)1 << GB_MAX_LOG_N)
        return gb_fail(ctx, GB_ERR_PARAMS,
                       "convolution: %zu lines, %zu taps: need an odd tap count and lines + taps/2 "
                       "at most 2^%d",
                       lines, tap_count, GB_MAX_LOG_N);
    for (size_t i = 0; i < tap_count; i++)
        if (taps[i] >= INT64_C(1) << 40 || taps[i] <= -(INT64_C(1) << 40))
            return gb_fail(ctx, GB_ERR_RANGE, "convolution: tap %zu is not below 2^40; use a smaller scale", i);
    gb_convolver *c;
    GB_TRY(gb_alloc_zero(&c, ctx, 1, sizeof *c));
    c->lines = lines;
    const gb_modulus *m = gb_ring_modulus(r, limb);
    c->kernels = gb_kernels_get(gb_cpu_flags(), m->bits);
    gb_status s = fill(c, ctx, m, taps, tap_count);
    if (s != GB_OK) {
        gb_convolver_free(c);
        return s;
    }
    *out = c;
    return GB_OK;
}

void gb_convolver_free(gb_convolver *c) {
    if (!c) return;
    gb_ntt_release(&c->ntt);
    gb_free(c->scale);
    gb_free(c);
}

size_t gb_convolver_rows(const gb_convolver *c) { return (size_t)1 << c->ntt.log_n; }

static void copy_rows(uint64_t *to, size_t to_stride, const uint64_t *from, size_t from_stride, size_t width,
                      size_t rows) {
    for (size_t r = 0; r < rows; r++) memcpy(to + r * to_stride, from + r * from_stride, width * sizeof *to);
}

void gb_convolver_run(const gb_convolver *c, uint64_t *x, size_t width, uint64_t *scratch) {
    const size_t rows = gb_convolver_rows(c);
    for (size_t at = 0; at < width; at += c->strip) {
        const size_t strip = gb_min_size(c->strip, width - at);
        copy_rows(scratch, strip, x + at, width, strip, c->lines);
        memset(scratch + c->lines * strip, 0, (rows - c->lines) * strip * sizeof *scratch);
        c->kernels->columns_forward(scratch, strip, strip, &c->ntt);
        c->kernels->columns_scale(scratch, strip, strip, rows, c->scale, c->scale52, c->scale64, &c->ntt.m);
        c->kernels->columns_inverse(scratch, strip, strip, &c->ntt);
        copy_rows(x + at, width, scratch, strip, strip, c->lines);
    }
}
