/* The ring object: moduli, NTT tables and the kernels that fit the widest modulus. */
#include <math.h>

#include "ring/ring.h"

struct gb_ring {
    unsigned log_n;
    size_t limbs;
    const gb_kernels *kernels;
    gb_ntt ntt[GB_MAX_LIMBS];
};

static gb_status fill(gb_ring *r, gb_ctx *ctx, const uint64_t *primes, size_t count) {
    unsigned widest = 0;
    for (size_t i = 0; i < count; i++) {
        gb_modulus m;
        for (size_t j = 0; j < i; j++)
            if (primes[j] == primes[i])
                return gb_fail(ctx, GB_ERR_PARAMS, "ring: prime %llu is given twice; primes must be distinct",
                               (unsigned long long)primes[i]);
        GB_TRY(gb_modulus_init(&m, ctx, primes[i]));
        GB_TRY(gb_ntt_init(&r->ntt[i], ctx, &m, r->log_n, false));
        r->limbs = i + 1;
        if (m.bits > widest) widest = m.bits;
    }
    r->kernels = gb_kernels_get(gb_cpu_flags(), widest);
    return GB_OK;
}

gb_status gb_ring_new(gb_ring **out, gb_ctx *ctx, unsigned log_n, const uint64_t *primes, size_t count) {
    *out = NULL;
    if (log_n < 3 || log_n > GB_MAX_LOG_N)
        return gb_fail(ctx, GB_ERR_PARAMS, "ring: log2(N) = %u is not in 3..%d", log_n, GB_MAX_LOG_N);
    if (count < 1 || count > GB_MAX_LIMBS)
        return gb_fail(ctx, GB_ERR_PARAMS, "ring: %zu primes, need 1..%d", count, GB_MAX_LIMBS);
    gb_ring *r;
    GB_TRY(gb_alloc_zero(&r, ctx, 1, sizeof *r));
    r->log_n = log_n;
    gb_status s = fill(r, ctx, primes, count);
    if (s != GB_OK) {
        gb_ring_free(r);
        return s;
    }
    *out = r;
    return GB_OK;
}

void gb_ring_free(gb_ring *r) {
    if (!r) return;
    for (size_t i = 0; i < r->limbs; i++) gb_ntt_release(&r->ntt[i]);
    gb_free(r);
}

unsigned gb_ring_log_n(const gb_ring *r) { return r->log_n; }
size_t gb_ring_n(const gb_ring *r) { return (size_t)1 << r->log_n; }
size_t gb_ring_limbs(const gb_ring *r) { return r->limbs; }
const gb_modulus *gb_ring_modulus(const gb_ring *r, size_t limb) { return &r->ntt[limb].m; }
const gb_ntt *gb_ring_ntt_tables(const gb_ring *r, size_t limb) { return &r->ntt[limb]; }
const gb_kernels *gb_ring_kernels(const gb_ring *r) { return r->kernels; }

double gb_ring_log2_q(const gb_ring *r, size_t limbs) {
    double sum = 0;
    for (size_t i = 0; i < limbs; i++) sum += log2((double)r->ntt[i].m.q);
    return sum;
}

void gb_ring_forward(const gb_ring *r, uint64_t *x, size_t first, size_t count) {
    for (size_t i = 0; i < count; i++) r->kernels->ntt_forward(x + (i << r->log_n), &r->ntt[first + i]);
}

void gb_ring_forward_lazy(const gb_ring *r, uint64_t *x, size_t limb) {
    r->kernels->ntt_forward_lazy(x, &r->ntt[limb]);
}

void gb_ring_inverse(const gb_ring *r, uint64_t *x, size_t first, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t *limb = x + (i << r->log_n);
        r->kernels->ntt_inverse(limb, limb, 1, &r->ntt[first + i]);
    }
}

void gb_ring_inverse_scaled(const gb_ring *r, uint64_t *out, const uint64_t *in, uint64_t s, size_t limb) {
    r->kernels->ntt_inverse(out, in, s, &r->ntt[limb]);
}
