/* Batching, scaling of messages. */
#include "scheme/bfv/internal.h"

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

uint64_t gb_bfv_scaled(const gb_bfv *b, unsigned limbs, unsigned j, uint64_t x) {
    const gb_bfv_level *l = &b->level[limbs];
    const gb_modulus *m = gb_ring_modulus(b->ring, j);
    const uint64_t carry = (uint64_t)(((unsigned __int128)l->whole * x + b->t / 2) / b->t);
    const uint64_t v = gb_mod_mul(l->delta[j], x % m->q, m) + carry % m->q;
    return v >= m->q ? v - m->q : v;
}

static void scale_limb(void *user, size_t j, unsigned worker) {
    scaling *s = user;
    const gb_bfv *b = s->b;
    const gb_modulus *m = gb_ring_modulus(b->ring, j);
    const size_t n = gb_ring_n(b->plain);
    uint64_t *out = s->out->data + j * n;
    (void)worker;
    for (size_t i = 0; i < n; i++)
        out[i] = s->up ? gb_bfv_scaled(b, s->out->limbs, (unsigned)j, s->poly[i]) : gb_bfv_centred(b, s->poly[i], m);
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
