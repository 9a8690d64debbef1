/* Parameters of BFV, batching, scaling of messages. */
#include "scheme/bfv/internal.h"

uint64_t gb_bfv_plain_prime(const gb_params *p, unsigned bits) {
    const gb_params_spec *s = gb_params_get(p);
    if (bits < 17 || bits > 60) return 0;
    uint64_t t = UINT64_C(1) << bits;
    bool taken = true;
    while (taken) {
        t = gb_prime_below(t, 2 * gb_ring_n(gb_params_ring(p)));
        taken = false;
        for (size_t i = 0; i < s->data_count; i++) taken = taken || (t != 0 && s->data[i] == t);
    }
    return t >> 16 ? t : 0;
}

uint64_t gb_bfv_modulus(const gb_bfv *b) { return b->t; }
const gb_params *gb_bfv_params(const gb_bfv *b) { return b->params; }

/* Slot i of row 0 is the value at psi^(5^i), of row 1 at psi^(-5^i); entry k of the transform is that at
 * psi^(2 bitrev(k) + 1). */
static void slot_order(gb_bfv *b) {
    unsigned log_n = gb_ring_log_n(b->plain);
    uint32_t n = 1u << log_n, mask = 2 * n - 1, power = 1;
    for (uint32_t i = 0; i < n / 2; i++) {
        b->slot[i] = (uint32_t)gb_bit_reverse((power - 1) >> 1, log_n);
        b->slot[n / 2 + i] = (uint32_t)gb_bit_reverse((2 * n - power - 1) >> 1, log_n);
        power = power * 5 & mask;
    }
}

static void level_scalars(gb_bfv_level *l, const gb_bfv *b, unsigned limbs, const gb_modulus *t) {
    l->rest = 1;
    for (unsigned i = 0; i < limbs; i++) l->rest = gb_mod_mul(l->rest, gb_ring_modulus(b->ring, i)->q % b->t, t);
    for (unsigned i = 0; i < limbs; i++) {
        const gb_modulus *m = gb_ring_modulus(b->ring, i);
        uint64_t hat = 1;
        for (unsigned j = 0; j < limbs; j++)
            if (j != i) hat = gb_mod_mul(hat, gb_ring_modulus(b->ring, j)->q % m->q, m);
        l->hat_inv[i] = gb_mod_inv(hat, m);
        l->fraction[i] = 1.0 / (double)m->q;
        /* floor(Q/t) = (Q - rest) / t, and Q = 0 mod q_i */
        uint64_t rest = l->rest % m->q;
        l->delta[i] = gb_mod_mul(rest ? m->q - rest : 0, gb_mod_inv(b->t % m->q, m), m);
    }
}

static gb_status make_levels(gb_bfv *b, gb_ctx *ctx) {
    uint32_t source[2 * GB_MAX_LIMBS];
    const gb_modulus *t = gb_ring_modulus(b->plain, 0);
    for (unsigned i = 0; i < b->data; i++)
        if (gb_ring_modulus(b->ring, i)->q == b->t)
            return gb_fail(ctx, GB_ERR_PARAMS, "the plaintext modulus is one of the data primes; take another");
    GB_TRY(gb_alloc_zero(&b->level, ctx, b->data + 1, sizeof *b->level));
    for (unsigned limbs = 1; limbs <= b->data; limbs++) {
        for (unsigned i = 0; i < limbs; i++) source[i] = i;
        GB_TRY(gb_extension_init(&b->level[limbs].out, ctx, b->ring, source, limbs));
        for (unsigned i = 0; i < b->aux; i++) source[i] = b->data + i;
        GB_TRY(gb_extension_init(&b->level[limbs].back, ctx, b->ring, source, b->aux));
        level_scalars(&b->level[limbs], b, limbs, t);
    }
    return GB_OK;
}

/* B must hold t N Q and, with Q, the unreduced product 2 N (Q/2)^2: log2 B >= log2 Q + log2 t + log2 N + 2. */
static gb_status make_ring(gb_bfv *b, gb_ctx *ctx) {
    const gb_params_spec *spec = gb_params_get(b->params);
    uint64_t primes[2 * GB_MAX_LIMBS], below = UINT64_C(1) << 50;
    size_t n = 0;
    double need = gb_ring_log2_q(gb_params_ring(b->params), spec->data_count) + spec->log_n + 2, have = 0;
    for (uint64_t t = b->t; t; t >>= 1) need += 1;
    for (size_t i = 0; i < spec->data_count; i++) primes[n++] = spec->data[i];
    while (have < need && n < GB_MAX_LIMBS) {
        below = gb_prime_below(below, UINT64_C(2) << spec->log_n);
        if (!below) return gb_fail(ctx, GB_ERR_PARAMS, "not enough auxiliary primes for N = 2^%u", spec->log_n);
        bool used = below == b->t;
        for (size_t i = 0; i < spec->data_count; i++) used = used || spec->data[i] == below;
        if (used) continue;
        primes[n++] = below;
        have += 49.9;
    }
    if (have < need) return gb_fail(ctx, GB_ERR_PARAMS, "%s has too many data primes for BFV products", spec->name);
    b->data = (unsigned)spec->data_count;
    b->aux = (unsigned)(n - spec->data_count);
    return gb_ring_new(&b->ring, ctx, spec->log_n, primes, n);
}

static gb_status build(gb_bfv *b, gb_ctx *ctx, const gb_params *p) {
    unsigned bits = 0;
    GB_TRY(gb_params_new(&b->params, ctx, gb_params_get(p)));
    if (b->t >> 60 || !(b->t >> 16) || !gb_is_prime(b->t) || b->t % (2 * gb_ring_n(gb_params_ring(p))) != 1)
        return gb_fail(ctx, GB_ERR_PARAMS, "plaintext modulus %llu is not a prime of 17 to 60 bits that is 1 mod 2N",
                       (unsigned long long)b->t);
    GB_TRY(gb_ring_new(&b->plain, ctx, gb_params_get(p)->log_n, &b->t, 1));
    GB_TRY(gb_alloc(&b->slot, ctx, gb_ring_n(b->plain), sizeof *b->slot));
    slot_order(b);
    GB_TRY(make_ring(b, ctx));
    for (size_t i = 0; i < gb_ring_limbs(b->ring); i++)
        bits = gb_ring_modulus(b->ring, i)->bits > bits ? gb_ring_modulus(b->ring, i)->bits : bits;
    b->extend = gb_extend_get(gb_cpu_flags(), bits);
    return make_levels(b, ctx);
}

gb_status gb_bfv_new(gb_bfv **out, gb_ctx *ctx, const gb_params *p, uint64_t t) {
    gb_bfv *b;
    *out = NULL;
    GB_TRY(gb_alloc_zero(&b, ctx, 1, sizeof *b));
    b->t = t;
    gb_status s = build(b, ctx, p);
    if (s != GB_OK) {
        gb_bfv_free(b);
        return s;
    }
    *out = b;
    return GB_OK;
}

void gb_bfv_free(gb_bfv *b) {
    if (!b) return;
    for (unsigned i = 0; b->level && i <= b->data; i++) {
        gb_extension_release(&b->level[i].out);
        gb_extension_release(&b->level[i].back);
    }
    gb_free(b->level);
    gb_free(b->slot);
    gb_ring_free(b->ring);
    gb_ring_free(b->plain);
    gb_params_free(b->params);
    gb_free(b);
}

void gb_bfv_encode(uint64_t *poly, const gb_bfv *b, const int64_t *values, size_t count) {
    size_t n = gb_ring_n(b->plain);
    memset(poly, 0, n * sizeof *poly);
    for (size_t i = 0; i < count && i < n; i++) {
        int64_t r = values[i] % (int64_t)b->t;
        poly[b->slot[i]] = (uint64_t)(r < 0 ? r + (int64_t)b->t : r);
    }
    gb_ring_inverse(b->plain, poly, 0, 1);
}

void gb_bfv_decode(int64_t *values, const gb_bfv *b, uint64_t *poly, size_t count) {
    gb_ring_forward(b->plain, poly, 0, 1);
    for (size_t i = 0; i < count && i < gb_ring_n(b->plain); i++) {
        uint64_t x = poly[b->slot[i]];
        values[i] = x > b->t / 2 ? (int64_t)x - (int64_t)b->t : (int64_t)x;
    }
}

typedef struct scaling {
    const gb_bfv *b;
    gb_pt *out;
    const uint64_t *poly;
    bool up;
} scaling;

/* round(Q m / t) = floor(Q/t) m + round((Q mod t) m / t). */
static void scale_limb(void *user, size_t j, unsigned worker) {
    scaling *s = user;
    const gb_bfv *b = s->b;
    const gb_bfv_level *l = &b->level[s->out->limbs];
    const gb_modulus *m = gb_ring_modulus(b->ring, j);
    size_t n = gb_ring_n(b->plain);
    uint64_t *out = s->out->data + j * n, t = b->t;
    (void)worker;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = s->poly[i];
        if (s->up) {
            uint64_t carry = (uint64_t)(((unsigned __int128)l->rest * x + t / 2) / t);
            uint64_t v = gb_mod_mul(l->delta[j], x % m->q, m) + carry % m->q;
            out[i] = v >= m->q ? v - m->q : v;
        } else {
            bool negative = x > t / 2;
            uint64_t a = (negative ? t - x : x) % m->q;
            out[i] = negative && a ? m->q - a : a;
        }
    }
    gb_ring_forward(b->ring, out, j, 1);
}

void gb_bfv_scale_up(gb_pt *out, gb_ctx *ctx, const gb_bfv *b, const uint64_t *poly) {
    gb_parallel(ctx, out->limbs, scale_limb, &(scaling){b, out, poly, true});
    out->scale = 1;
}

void gb_bfv_lift(gb_pt *out, gb_ctx *ctx, const gb_bfv *b, const uint64_t *poly) {
    gb_parallel(ctx, out->limbs, scale_limb, &(scaling){b, out, poly, false});
    out->scale = 1;
}

/* t x / Q = sum y_i t / q_i modulo t, y_i = x_i (Q/q_i)^-1 mod q_i: whole parts modulo t, fractions as doubles. The
 * rounding is right while the noise stays 2^-40 Q/t inside its bound, which every plan's margin includes. */
void gb_bfv_scale_down(uint64_t *poly, const gb_bfv *b, unsigned limbs, uint64_t *phase) {
    const gb_bfv_level *l = &b->level[limbs];
    size_t n = gb_ring_n(b->plain);
    for (unsigned j = 0; j < limbs; j++)
        gb_ring_kernels(b->ring)->mul_scalar(phase + j * n, phase + j * n, l->hat_inv[j], n,
                                             gb_ring_modulus(b->ring, j));
    for (size_t i = 0; i < n; i++) {
        unsigned __int128 whole = 0;
        double fraction = 0.5;
        for (unsigned j = 0; j < limbs; j++) {
            uint64_t q = gb_ring_modulus(b->ring, j)->q;
            unsigned __int128 product = (unsigned __int128)phase[j * n + i] * b->t;
            whole += (uint64_t)(product / q);
            fraction += (double)(uint64_t)(product % q) * l->fraction[j];
        }
        whole += (uint64_t)fraction;
        poly[i] = (uint64_t)(whole % b->t);
    }
}
