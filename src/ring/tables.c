/* Twiddle tables, runs of n words in one allocation: w, w64, iw, iw64; w52, iw52 for q < 2^50; wd and iwd where the
 * kernels chosen for such a q read them. */
#include "kernel/arith.h"
#include "ring/ring.h"

/* An element of exact order 2^log_order: its half-way power is -1. */
static uint64_t find_root(const gb_modulus *m, unsigned log_order) {
    const uint64_t order = (uint64_t)1 << log_order;
    if (log_order == 0) return 1;
    for (uint64_t g = 2;; g++) {
        uint64_t r = gb_mod_pow(g, (m->q - 1) / order, m);
        if (gb_mod_pow(r, order / 2, m) == m->q - 1) return r;
    }
}

/* w[k] and its inverse. Negacyclic: root^bitrev(k) over log_n bits. Cyclic: entry m + i, i < m = 2^j, holds
 * root^bitrev(i) over log_n - 1 bits; entry 0 is unused and 1. */
static void fill_powers(uint64_t *w, uint64_t *iw, uint64_t root, const gb_modulus *m, unsigned log_n, bool cyclic) {
    const size_t n = (size_t)1 << log_n, count = cyclic ? n / 2 : n;
    const unsigned bits = cyclic ? log_n - 1 : log_n;
    const uint64_t inverse = gb_mod_inv(root, m);
    uint64_t *to = cyclic ? w + n / 2 : w, *ito = cyclic ? iw + n / 2 : iw;
    uint64_t p = 1, ip = 1;
    for (size_t e = 0; e < count; e++) {
        const size_t k = gb_bit_reverse(e, bits);
        to[k] = p;
        ito[k] = ip;
        p = gb_mod_mul(p, root, m);
        ip = gb_mod_mul(ip, inverse, m);
    }
    if (!cyclic) return;
    for (size_t half = n / 4; half > 0; half /= 2) { /* the lower levels repeat the start of the last one */
        memcpy(w + half, w + n / 2, half * sizeof *w);
        memcpy(iw + half, iw + n / 2, half * sizeof *iw);
    }
    w[0] = iw[0] = 1;
}

static void fill_shoup(uint64_t *q64, uint64_t *q52, const uint64_t *w, size_t n, const gb_modulus *m) {
    for (size_t i = 0; i < n; i++) {
        q64[i] = gb_shoup_of(w[i], m);
        if (q52) q52[i] = q64[i] >> 12; /* floor(floor(w 2^64 / q) / 2^12) = floor(w 2^52 / q) */
    }
}

gb_status gb_ntt_init(gb_ntt *t, gb_ctx *ctx, const gb_modulus *m, unsigned log_n, bool cyclic) {
    const unsigned log_order = log_n + !cyclic;
    memset(t, 0, sizeof *t);
    if (log_n < 1 || log_n > GB_MAX_LOG_N || (m->q - 1) & (((uint64_t)1 << log_order) - 1))
        return gb_fail(ctx, GB_ERR_PARAMS, "NTT of length 2^%u modulo %llu: needs length 2..2^%d and q = 1 mod 2^%u",
                       log_n, (unsigned long long)m->q, GB_MAX_LOG_N, log_order);
    const size_t n = (size_t)1 << log_n, run = gb_max_size(n, 8); /* runs stay on cache lines */
    const bool narrow = m->ratio52 != 0, doubles = narrow && gb_kernels_get(gb_cpu_flags(), m->bits)->centred;
    uint64_t *w;
    GB_TRY(gb_alloc_zero(&w, ctx, run * (doubles ? 8 : narrow ? 6 : 4), sizeof *w));
    uint64_t *w64 = w + run, *iw = w64 + run, *iw64 = iw + run;
    uint64_t *w52 = narrow ? iw64 + run : NULL, *iw52 = narrow ? w52 + run : NULL;
    double *wd = doubles ? (double *)(iw52 + run) : NULL, *iwd = doubles ? wd + run : NULL;
    fill_powers(w, iw, find_root(m, log_order), m, log_n, cyclic);
    fill_shoup(w64, w52, w, n, m);
    fill_shoup(iw64, iw52, iw, n, m);
    for (size_t i = 0; doubles && i < n; i++) {
        wd[i] = gb_centred(w[i], m->q);
        iwd[i] = gb_centred(iw[i], m->q);
    }
    const uint64_t n_inv = gb_mod_inv(n, m), n_inv64 = gb_shoup64(n_inv, m->q);
    *t = (gb_ntt){.m = *m,
                  .log_n = log_n,
                  .w = w,
                  .w52 = w52,
                  .w64 = w64,
                  .iw = iw,
                  .iw52 = iw52,
                  .iw64 = iw64,
                  .wd = wd,
                  .iwd = iwd,
                  .n_inv = n_inv,
                  .n_inv52 = narrow ? n_inv64 >> 12 : 0,
                  .n_inv64 = n_inv64};
    return GB_OK;
}

void gb_ntt_release(gb_ntt *t) {
    gb_free((void *)(uintptr_t)t->w);
    memset(t, 0, sizeof *t);
}
