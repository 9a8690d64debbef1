/* Reference NTTs: Harvey's lazy butterflies with 64-bit Shoup quotients, one level at a time. Source: D. Harvey,
 * "Faster arithmetic for number-theoretic transforms" (2014), algorithms 2 and 3; the merged negacyclic twiddles are
 * those of Poeppelmann, Oder, Gueneysu (2015), algorithm 1. The columns use the same network on whole rows. */
#include "kernel/arith.h"
#include "kernel/tables.h"

/* (x, y) in [0, 4q) -> (x + w y, x - w y) in [0, 4q). */
static inline void forward_pair(uint64_t *x, uint64_t *y, uint64_t w, uint64_t wq, uint64_t q) {
    uint64_t a = gb_fold(*x, 2 * q);
    uint64_t b = gb_shoup_lazy(*y, w, wq, q);
    *x = a + b;
    *y = a + 2 * q - b;
}

/* (x, y) in [0, 2q) -> (x + y, (x - y) w) in [0, 2q). */
static inline void inverse_pair(uint64_t *x, uint64_t *y, uint64_t w, uint64_t wq, uint64_t q) {
    uint64_t a = *x, b = *y;
    *x = gb_fold(a + b, 2 * q);
    *y = gb_shoup_lazy(a + 2 * q - b, w, wq, q);
}

static void forward_run(uint64_t *x, uint64_t *y, size_t n, uint64_t w, uint64_t wq, uint64_t q) {
    for (size_t i = 0; i < n; i++) forward_pair(&x[i], &y[i], w, wq, q);
}

static void inverse_run(uint64_t *x, uint64_t *y, size_t n, uint64_t w, uint64_t wq, uint64_t q) {
    for (size_t i = 0; i < n; i++) inverse_pair(&x[i], &y[i], w, wq, q);
}

/* The last level of the inverse with the scaling by f = s n^-1 folded in, and into its only twiddle: (x, y) in [0, 2q)
 * -> reduced. */
static void inverse_last(uint64_t *x, uint64_t *y, size_t n, uint64_t f, const gb_ntt *t) {
    const uint64_t q = t->m.q, fq = gb_shoup_of(f, &t->m);
    const uint64_t w = gb_fold(gb_shoup_lazy(t->iw[1], f, fq, q), q), wq = gb_shoup_of(w, &t->m);
    for (size_t i = 0; i < n; i++) {
        uint64_t a = x[i], b = y[i];
        x[i] = gb_fold(gb_shoup_lazy(a + b, f, fq, q), q);
        y[i] = gb_fold(gb_shoup_lazy(a + 2 * q - b, w, wq, q), q);
    }
}

static void reduce_lazy(uint64_t *x, size_t n, uint64_t q) { /* [0, 4q) -> [0, q) */
    for (size_t i = 0; i < n; i++) x[i] = gb_fold(gb_fold(x[i], 2 * q), q);
}

void gb_ref_ntt_forward(uint64_t *x, const gb_ntt *t) {
    const uint64_t q = t->m.q;
    const size_t n = (size_t)1 << t->log_n;
    for (size_t groups = 1, half = n / 2; half > 1; groups *= 2, half /= 2)
        for (size_t i = 0; i < groups; i++) {
            uint64_t *p = x + 2 * i * half;
            forward_run(p, p + half, half, t->w[groups + i], t->w64[groups + i], q);
        }
    const uint64_t *w = t->w + n / 2, *wq = t->w64 + n / 2;
    for (size_t i = 0; i < n / 2; i++) forward_pair(&x[2 * i], &x[2 * i + 1], w[i], wq[i], q);
    reduce_lazy(x, n, q);
}

void gb_ref_ntt_inverse(uint64_t *x, const uint64_t *in, uint64_t s, const gb_ntt *t) {
    const uint64_t q = t->m.q;
    const size_t n = (size_t)1 << t->log_n;
    if (x != in) memcpy(x, in, n * sizeof *x);
    const uint64_t *w = t->iw + n / 2, *wq = t->iw64 + n / 2;
    for (size_t i = 0; i < n / 2; i++) inverse_pair(&x[2 * i], &x[2 * i + 1], w[i], wq[i], q);
    for (size_t groups = n / 4, half = 2; groups > 1; groups /= 2, half *= 2)
        for (size_t i = 0; i < groups; i++) {
            uint64_t *p = x + 2 * i * half;
            inverse_run(p, p + half, half, t->iw[groups + i], t->iw64[groups + i], q);
        }
    inverse_last(x, x + n / 2, n / 2, gb_fold(gb_shoup_lazy(s, t->n_inv, t->n_inv64, q), q), t);
}

static void columns_forward(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const uint64_t q = t->m.q;
    const size_t n = (size_t)1 << t->log_n;
    for (size_t groups = 1, half = n / 2; half > 0; groups *= 2, half /= 2)
        for (size_t i = 0; i < groups; i++)
            for (size_t j = 0; j < half; j++) {
                uint64_t *p = x + (2 * i * half + j) * stride;
                forward_run(p, p + half * stride, width, t->w[groups + i], t->w64[groups + i], q);
            }
    for (size_t r = 0; r < n; r++) reduce_lazy(x + r * stride, width, q);
}

static void columns_inverse(uint64_t *x, size_t stride, size_t width, const gb_ntt *t) {
    const uint64_t q = t->m.q;
    const size_t n = (size_t)1 << t->log_n;
    for (size_t groups = n / 2, half = 1; groups > 1; groups /= 2, half *= 2)
        for (size_t i = 0; i < groups; i++)
            for (size_t j = 0; j < half; j++) {
                uint64_t *p = x + (2 * i * half + j) * stride;
                inverse_run(p, p + half * stride, width, t->iw[groups + i], t->iw64[groups + i], q);
            }
    for (size_t j = 0; j < n / 2; j++) inverse_last(x + j * stride, x + (j + n / 2) * stride, width, t->n_inv, t);
}

static void columns_scale(uint64_t *x, size_t stride, size_t width, size_t rows, const uint64_t *s, const uint64_t *s52,
                          const uint64_t *s64, const gb_modulus *m) {
    for (size_t r = 0; r < rows; r++) {
        uint64_t *p = x + r * stride;
        for (size_t i = 0; i < width; i++) p[i] = gb_fold(gb_shoup_lazy(p[i], s[r], s64[r], m->q), m->q);
    }
}

void gb_kernels_fill_ref_ntt(gb_kernels *k) {
    k->ntt_forward = gb_ref_ntt_forward;
    k->ntt_forward_lazy = gb_ref_ntt_forward;
    k->ntt_inverse = gb_ref_ntt_inverse;
    k->columns_forward = columns_forward;
    k->columns_inverse = columns_inverse;
    k->columns_scale = columns_scale;
}
