/* kernel/gather in plain C: one output row at a time. */
#include "kernel/gather_impl.h"

static void gather_f32(float *out, const float *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    static const float zeros[GB_GATHER_COLUMNS];
    gb_gather_scale s = gb_gather_scale_of(p);
    float acc[GB_GATHER_COLUMNS], unit = 1.0f / (float)s.whole;
    int64_t lines = (int64_t)p->lines;
    for (size_t k = k0; k < k1; k++)
        for (size_t i = 0; i < p->ni; i++)
            for (size_t c = 0; c < width; c += GB_GATHER_COLUMNS) {
                size_t n = gb_min_size(GB_GATHER_COLUMNS, width - c);
                memset(acc, 0, sizeof acc);
                for (size_t t = 0; t < p->sets; t++) {
                    int32_t v = gb_gather_tap(&s, &p->affine[t], i, k), u = v >> s.bits;
                    float w1 = (float)(v & s.mask) * unit, w0 = 1.0f - w1;
                    const float *set = in + t * p->lines * width + c;
                    const float *below = u >= 0 && u < lines ? set + (size_t)u * width : zeros;
                    const float *above = u + 1 >= 0 && u + 1 < lines ? set + (size_t)(u + 1) * width : zeros;
                    for (size_t j = 0; j < n; j++) acc[j] += w0 * below[j] + w1 * above[j];
                }
                memcpy(out + ((k - k0) * p->ni + i) * width + c, acc, n * sizeof(float));
            }
}

static void gather_f64(double *out, const double *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    gb_gather_f64_body(out, in, width, k0, k1, p);
}

/* Sums of one output row: 32 bits for a few sets, then 64. |digit| <= 2^15, so that a set adds at most W * 2^15 <= 2^29
 * to `low`; |sum| < 2^61 for fewer than 2^32 sets. */
typedef struct digit_sums {
    int32_t low[4][GB_GATHER_COLUMNS];
    int64_t sum[4][GB_GATHER_COLUMNS];
} digit_sums;

static void digits_flush(digit_sums *x, unsigned parts) {
    for (unsigned part = 0; part < parts; part++)
        for (size_t j = 0; j < GB_GATHER_COLUMNS; j++) {
            x->sum[part][j] += x->low[part][j];
            x->low[part][j] = 0;
        }
}

/* One run of n <= GB_GATHER_COLUMNS columns of one output row. */
static void digits_row(uint64_t *out, const int16_t *in, size_t width, unsigned parts, unsigned bits, size_t n,
                       size_t i, size_t k, const gb_gather_scale *s, const gb_gather_plan *p) {
    static const int16_t zeros[GB_GATHER_COLUMNS];
    const size_t most = INT32_MAX / ((size_t)s->whole << 15);
    int64_t lines = (int64_t)p->lines;
    digit_sums x;
    memset(&x, 0, sizeof x);
    for (size_t t = 0; t < p->sets; t++) {
        int32_t v = gb_gather_tap(s, &p->affine[t], i, k), u = v >> s->bits, w1 = v & s->mask, w0 = s->whole - w1;
        bool has0 = u >= 0 && u < lines, has1 = u + 1 >= 0 && u + 1 < lines;
        const int16_t *set = in + t * p->lines * parts * width;
        for (unsigned part = 0; part < parts; part++) {
            const int16_t *below = has0 ? set + ((size_t)u * parts + part) * width : zeros;
            const int16_t *above = has1 ? set + ((size_t)(u + 1) * parts + part) * width : zeros;
            int32_t *low = x.low[part];
            for (size_t j = 0; j < n; j++) low[j] += w0 * below[j] + w1 * above[j];
        }
        if ((t + 1) % most == 0) digits_flush(&x, parts);
    }
    digits_flush(&x, parts);
    uint64_t mask = ((uint64_t)1 << (parts * bits)) - 1;
    for (size_t j = 0; j < n; j++) {
        uint64_t sum = 0;
        for (unsigned part = 0; part < parts; part++) sum += (uint64_t)x.sum[part][j] << (part * bits);
        out[j] = sum & mask;
    }
}

static void gather_digits(uint64_t *out, const int16_t *in, size_t width, unsigned parts, unsigned bits, size_t k0,
                          size_t k1, const gb_gather_plan *p, void *scratch) {
    gb_gather_scale s = gb_gather_scale_of(p);
    for (size_t k = k0; k < k1; k++)
        for (size_t i = 0; i < p->ni; i++)
            for (size_t c = 0; c < width; c += GB_GATHER_COLUMNS)
                digits_row(out + ((k - k0) * p->ni + i) * width + c, in + c, width, parts, bits,
                           gb_min_size(GB_GATHER_COLUMNS, width - c), i, k, &s, p);
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

const gb_gather_kernels gb_gather_ref = {.name = "ref",
                                         .f32 = gather_f32,
                                         .f64 = gather_f64,
                                         .digits = gather_digits,
                                         .scatter_f32 = scatter_f32,
                                         .scatter_f64 = scatter_f64,
                                         .scatter_u64 = scatter_u64};
