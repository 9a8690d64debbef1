/* kernel/gather in plain C: one output row at a time, sums in 64 bits. */
#include "kernel/gather_impl.h"

static void gather_f32(float *out, const float *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    gb_gather_scale s = gb_gather_scale_of(p);
    float acc[GB_GATHER_COLUMNS], unit = 1.0f / (float)(1u << p->weight_bits);
    for (size_t k = k0; k < k1; k++)
        for (size_t i = 0; i < p->ni; i++)
            for (size_t c = 0; c < width; c += GB_GATHER_COLUMNS) {
                size_t n = gb_min_size(GB_GATHER_COLUMNS, width - c);
                memset(acc, 0, sizeof acc);
                for (size_t t = 0; t < p->sets; t++) {
                    int32_t v = gb_gather_tap(&s, &p->affine[t], i, k), u = v >> s.bits;
                    float w = (float)(v & s.mask) * unit, weight[2] = {1.0f - w, w};
                    for (int tap = 0; tap < 2; tap++) {
                        if (u + tap < 0 || u + tap >= (int64_t)p->lines) continue;
                        const float *line = in + (t * p->lines + (size_t)(u + tap)) * width + c;
                        for (size_t j = 0; j < n; j++) acc[j] += weight[tap] * line[j];
                    }
                }
                memcpy(out + ((k - k0) * p->ni + i) * width + c, acc, n * sizeof(float));
            }
}

static void gather_f64(double *out, const double *in, size_t width, size_t k0, size_t k1, const gb_gather_plan *p,
                       void *scratch) {
    gb_gather_f64_body(out, in, width, k0, k1, p);
}

/* One run of n <= GB_GATHER_COLUMNS columns of one output row. |sum| <= T * 2^14 * 2^15 < 2^61 for T < 2^32. */
static void digits_row(uint64_t *out, const int16_t *in, size_t width, unsigned parts, unsigned bits, size_t n,
                       size_t i, size_t k, const gb_gather_scale *s, const gb_gather_plan *p) {
    int64_t acc[4][GB_GATHER_COLUMNS];
    memset(acc, 0, sizeof acc);
    for (size_t t = 0; t < p->sets; t++) {
        int32_t v = gb_gather_tap(s, &p->affine[t], i, k), u = v >> s->bits;
        int32_t w = v & s->mask, weight[2] = {s->whole - w, w};
        for (int tap = 0; tap < 2; tap++) {
            if (u + tap < 0 || u + tap >= (int64_t)p->lines) continue;
            const int16_t *line = in + (t * p->lines + (size_t)(u + tap)) * parts * width;
            for (unsigned part = 0; part < parts; part++)
                for (size_t j = 0; j < n; j++) acc[part][j] += weight[tap] * line[part * width + j];
        }
    }
    uint64_t mask = ((uint64_t)1 << (parts * bits)) - 1;
    for (size_t j = 0; j < n; j++) {
        uint64_t sum = 0;
        for (unsigned part = 0; part < parts; part++) sum += (uint64_t)acc[part][j] << (part * bits);
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
