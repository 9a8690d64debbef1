/* Batching, scaling of messages. */
#include "scheme/bfv/internal.h"
#include "scheme/core/core.h"

/* Messages are secret, and so is everything made of them here: no branch, address or division depends on them
 * (test/ct_cipher.c). Numbers go by strips that stay in the nearest cache. */
#define STRIP 512

/* x in [0, t) to (-t/2, t/2]. */
static inline int64_t centred(uint64_t x, uint64_t t) {
    uint64_t above = (t / 2 - x) >> 63; /* t < 2^60 */
    return (int64_t)(x - (t & (0 - above)));
}

void gb_bfv_encode(uint64_t *poly, const gb_bfv *b, const int64_t *values, size_t count) {
    size_t n = gb_ring_n(b->plain), most = gb_min_size(count, n);
    uint64_t strip[STRIP];
    memset(poly, 0, n * sizeof *poly);
    for (size_t at = 0; at < most; at += STRIP) {
        size_t now = gb_min_size(STRIP, most - at);
        gb_residues_of(strip, values + at, now, gb_ring_modulus(b->plain, 0));
        for (size_t i = 0; i < now; i++) poly[b->slot[at + i]] = strip[i];
    }
    gb_wipe(strip, sizeof strip);
    gb_secrecy_set(poly, n * sizeof *poly, gb_secrecy_of(poly, n * sizeof *poly)); /* empty slots, too */
    gb_ring_inverse(b->plain, poly, 0, 1);
}

void gb_bfv_decode(int64_t *values, const gb_bfv *b, uint64_t *poly, size_t count) {
    gb_ring_forward(b->plain, poly, 0, 1);
    for (size_t i = 0; i < count && i < gb_ring_n(b->plain); i++) values[i] = centred(poly[b->slot[i]], b->t);
}

typedef struct scaling {
    const gb_bfv *b;
    gb_pt *out;
    const uint64_t *poly;
    bool up;
} scaling;

/* Up: round(Q m / t) = (Q m - r) / t with r = Q m mod t, centred (t is odd), so it is -r / t modulo every q_j. */
static void scale_limb(void *user, size_t j, unsigned worker) {
    scaling *s = user;
    const gb_bfv *b = s->b;
    const gb_modulus *m = gb_ring_modulus(b->ring, j), *t = gb_ring_modulus(b->plain, 0);
    const gb_kernels *k = gb_ring_kernels(b->ring), *plain = gb_ring_kernels(b->plain);
    size_t n = gb_ring_n(b->plain);
    uint64_t *out = s->out->data + j * n, minus_q = b->t - b->level[s->out->limbs].whole;
    uint64_t t_inv = gb_mod_inv(b->t % m->q, m);
    _Alignas(GB_ALIGN) uint64_t strip[STRIP];
    (void)worker;
    for (size_t at = 0, now; at < n; at += now) {
        now = gb_min_size(STRIP, n - at);
        if (s->up)
            plain->mul_scalar(strip, s->poly + at, minus_q, now, t);
        else
            memcpy(strip, s->poly + at, now * sizeof *strip);
        for (size_t i = 0; i < now; i++) strip[i] = (uint64_t)centred(strip[i], b->t);
        gb_residues_of(out + at, (const int64_t *)strip, now, m);
        if (s->up) k->mul_scalar(out + at, out + at, t_inv, now, m);
    }
    gb_wipe(strip, sizeof strip);
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

uint64_t gb_bfv_scaled(const gb_bfv *b, unsigned limbs, unsigned j, uint64_t x) {
    const gb_bfv_level *l = &b->level[limbs];
    const gb_modulus *m = gb_ring_modulus(b->ring, j);
    const gb_u128 part = (gb_u128)l->whole * x + b->t / 2; /* over t: below t + 1 */
    const uint64_t carry = ((uint64_t)part - gb_reduce128(part, gb_ring_modulus(b->plain, 0))) * b->t_inverse;
    return gb_fold(gb_mod_mul(l->delta[j], gb_reduce128(x, m), m) + gb_reduce128(carry, m), m->q);
}

/* t x / Q = sum y_i t / q_i modulo t, y_i = x_i (Q/q_i)^-1 mod q_i. With f_i = y_i t mod q_i the whole parts are
 * (y_i t - f_i) / q_i = -f_i / q_i modulo t; the fractions f_i / q_i are summed as doubles. The rounding is right while
 * the noise stays 2^-40 Q/t inside its bound, which every plan's margin includes. */
typedef struct scaled_down {
    _Alignas(GB_ALIGN) uint64_t part[STRIP];
    double fraction[STRIP];
} scaled_down;

static void scale_down_strip(uint64_t *poly, const gb_bfv *b, unsigned limbs, uint64_t *phase, size_t count,
                             const uint64_t *weight, scaled_down *s) {
    const gb_modulus *t = gb_ring_modulus(b->plain, 0);
    const gb_kernels *k = gb_ring_kernels(b->ring), *plain = gb_ring_kernels(b->plain);
    size_t n = gb_ring_n(b->plain);
    memset(poly, 0, count * sizeof *poly);
    for (size_t i = 0; i < count; i++) s->fraction[i] = 0.5;
    for (unsigned j = 0; j < limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(b->ring, j);
        uint64_t *f = phase + j * n;
        k->mul_scalar(f, f, weight[2 * j], count, m);
        for (size_t i = 0; i < count; i++) s->fraction[i] += (double)(int64_t)f[i] * b->level[limbs].fraction[j];
        gb_residues_of(s->part, (const int64_t *)f, count, t);
        plain->mul_scalar(s->part, s->part, weight[2 * j + 1], count, t);
        plain->add(poly, poly, s->part, count, t);
    }
    for (size_t i = 0; i < count; i++) s->part[i] = (uint64_t)(int64_t)s->fraction[i]; /* at most limbs < t */
    plain->add(poly, poly, s->part, count, t);
}

void gb_bfv_scale_down(uint64_t *poly, const gb_bfv *b, unsigned limbs, uint64_t *phase) {
    const gb_modulus *t = gb_ring_modulus(b->plain, 0);
    size_t n = gb_ring_n(b->plain);
    uint64_t weight[2 * GB_MAX_LIMBS]; /* t (Q/q_j)^-1 mod q_j, -1 / q_j mod t */
    scaled_down s;
    for (unsigned j = 0; j < limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(b->ring, j);
        weight[2 * j] = gb_mod_mul(b->level[limbs].hat_inv[j], b->t % m->q, m);
        weight[2 * j + 1] = b->t - gb_mod_inv(m->q % b->t, t);
    }
    for (size_t at = 0; at < n; at += STRIP)
        scale_down_strip(poly + at, b, limbs, phase + at, gb_min_size(STRIP, n - at), weight, &s);
    gb_wipe(&s, sizeof s);
}
