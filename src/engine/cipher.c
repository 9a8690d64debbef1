/* engine/cipher: what both schemes do. */
#include <math.h>

#include "engine/internal.h"

gb_status gb_cipher_new(gb_cipher **out, gb_engine *e) {
    GB_TRY(gb_engine_need(e, "new ciphertext", true, true, out, out));
    *out = NULL;
    gb_cipher *c;
    GB_TRY(gb_alloc_zero(&c, e->ctx, 1, sizeof *c));
    gb_status s = gb_ct_init(&c->ct, e->ctx, e->params, 3, e->primes);
    if (s != GB_OK) {
        gb_free(c);
        return s;
    }
    c->ct.parts = 2;
    *out = c;
    return GB_OK;
}

void gb_cipher_free(gb_cipher *c) {
    if (!c) return;
    gb_ct_release(&c->ct);
    gb_free(c);
}

gb_status gb_cipher_copy(gb_cipher *out, gb_engine *e, const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, "copy", true, true, out, a));
    GB_TRY(gb_engine_output(e, "copy", out));
    GB_TRY(gb_engine_filled(e, "copy", a));
    if (out == a) return GB_OK;
    GB_TRY(gb_engine_finish(out, e, &a->ct, a->noise, &a->key));
    out->seeded = a->seeded;
    out->seed = a->seed;
    out->fraction = a->fraction;
    out->bound = a->bound;
    return GB_OK;
}

unsigned gb_cipher_level(const gb_engine *e, const gb_cipher *c) {
    if (!e || !c || !c->filled || !gb_params_same(c->ct.params, e->params)) return 0;
    if (e->encoder) return gb_engine_level(e, &c->ct);
    const double room = gb_engine_most(e, c->ct.limbs) - c->noise;
    return room > 0 ? (unsigned)(room / gb_engine_growth(e)) : 0;
}

/* The operands at one level, and the noise of each. At most one is lowered, so one scratch ciphertext does. */
static gb_status meet(gb_ct *va, gb_ct *vb, double *na, double *nb, gb_engine *e, const gb_cipher *a,
                      const gb_cipher *b) {
    *va = a->ct;
    *vb = b->ct;
    *na = a->noise;
    *nb = b->noise;
    if (e->bfv && va->limbs > vb->limbs) return gb_engine_shrink(va, na, e, &a->ct, vb->limbs);
    if (e->bfv) return gb_engine_shrink(vb, nb, e, &b->ct, va->limbs);
    const unsigned la = gb_engine_level(e, va), lb = gb_engine_level(e, vb);
    if (la > lb) return gb_engine_lower(va, e, &a->ct, lb);
    return gb_engine_lower(vb, e, &b->ct, la);
}

static gb_status check_two(gb_engine *e, const char *what, const gb_cipher *out, const gb_cipher *a,
                           const gb_cipher *b) {
    GB_TRY(gb_engine_need(e, what, true, true, out, a));
    GB_TRY(gb_engine_need(e, what, true, true, b, b));
    GB_TRY(gb_engine_output(e, what, out));
    GB_TRY(gb_engine_filled(e, what, a));
    GB_TRY(gb_engine_filled(e, what, b));
    return gb_engine_same_key(e, what, &a->key, &b->key);
}

static gb_status sum(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b, bool minus) {
    const char *what = minus ? "sub" : "add";
    double na, nb;
    gb_ct va, vb, *to = &out->ct; /* may be an input: coefficient by coefficient */
    GB_TRY(check_two(e, what, out, a, b));
    GB_TRY(meet(&va, &vb, &na, &nb, e, a, b));
    if (a->bound > 0 || b->bound > 0) return gb_engine_fixed_sum(out, e, a, b, &va, &vb, fmax(na, nb), minus);
    const double noise = e->bfv ? gb_log2_sum(na, nb) : 0;
    if (e->bfv) GB_TRY(gb_engine_noise(e, what, noise, va.limbs));
    GB_TRY(minus ? gb_ct_sub(to, e->eval, &va, &vb) : gb_ct_add(to, e->eval, &va, &vb));
    to->scale = va.scale;
    return gb_engine_finish(out, e, to, noise, &a->key);
}

gb_status gb_cipher_add(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b) {
    return sum(out, e, a, b, false);
}
gb_status gb_cipher_sub(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b) {
    return sum(out, e, a, b, true);
}

gb_status gb_cipher_neg(gb_cipher *out, gb_engine *e, const gb_cipher *a) {
    GB_TRY(check_two(e, "neg", out, a, a));
    gb_ct *to = gb_engine_target(e, out, a, a);
    GB_TRY(gb_ct_neg(to, e->eval, &a->ct));
    to->scale = a->ct.scale;
    return gb_engine_finish_like(out, e, to, a->noise, a);
}

gb_status gb_cipher_mul(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    double na, nb;
    gb_ct va, vb;
    GB_TRY(check_two(e, "mul", out, a, b));
    GB_TRY(gb_engine_need(e, "mul", true, true, k, k));
    GB_TRY(gb_engine_keys(&keys, e, "mul", k, &a->key));
    GB_TRY(meet(&va, &vb, &na, &nb, e, a, b));
    gb_ct *to = gb_engine_target(e, out, a, b);
    if (e->bfv) {
        const double noise = gb_log2_sum(fmax(na, nb) + gb_engine_growth(e), gb_engine_switching(e));
        GB_TRY(gb_engine_noise(e, "mul", noise, va.limbs));
        if (a->bound > 0 || b->bound > 0) return gb_engine_fixed_mul(out, e, a, b, &va, &vb, noise, keys);
        GB_TRY(gb_bfv_mul(to, e->bfv_eval, &va, &vb, keys));
        return gb_engine_finish(out, e, to, noise, &a->key);
    }
    if (gb_engine_level(e, &va) == 0)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "mul: no level left; %s has %u, choose a deeper set", e->info.name,
                       e->top);
    GB_TRY(gb_ckks_mul_rescale(to, e->eval, &va, &vb, keys));
    to->scale = e->scale[gb_engine_level(e, to)]; /* what it is but for the rounding of doubles */
    return gb_engine_finish(out, e, to, 0, &a->key);
}

gb_status gb_cipher_square(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k) {
    return gb_cipher_mul(out, e, a, a, k);
}

static gb_status turn(gb_cipher *out, gb_engine *e, const gb_cipher *a, uint64_t galois, const gb_evalkeys *k,
                      const char *what) {
    const gb_eval_keys *keys;
    GB_TRY(gb_engine_need(e, what, true, true, k, k));
    GB_TRY(gb_engine_keys(&keys, e, what, k, &a->key));
    const double noise = e->bfv ? gb_log2_sum(a->noise, gb_engine_switching(e)) : 0;
    if (e->bfv) GB_TRY(gb_engine_noise(e, what, noise, a->ct.limbs));
    gb_ct *to = gb_engine_target(e, out, a, a);
    GB_TRY(gb_ct_automorphism(to, e->eval, &a->ct, galois, keys));
    to->scale = a->ct.scale;
    return gb_engine_finish_like(out, e, to, noise, a);
}

gb_status gb_cipher_rotate(gb_cipher *out, gb_engine *e, const gb_cipher *a, int step, const gb_evalkeys *k) {
    GB_TRY(check_two(e, "rotate", out, a, a));
    const uint64_t galois = gb_galois_rotation(e->params, step);
    if (galois == 1) return gb_cipher_copy(out, e, a);
    return turn(out, e, a, galois, k, "rotate");
}

gb_status gb_cipher_conjugate(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k) {
    GB_TRY(check_two(e, "conjugate", out, a, a));
    return turn(out, e, a, gb_galois_conjugation(e->params), k, "conjugate");
}

/* BFV: the fewest primes that leave room for the noise and as many products. */
static gb_status shrink(gb_cipher *out, gb_engine *e, const gb_cipher *a, unsigned level) {
    const double want = a->noise + level * gb_engine_growth(e);
    for (unsigned limbs = 1; limbs < a->ct.limbs; limbs++) {
        gb_ct view;
        double noise = a->noise, lost = gb_ring_log2_q(gb_params_ring(e->params), a->ct.limbs) -
                                        gb_ring_log2_q(gb_params_ring(e->params), limbs);
        if (want - lost > gb_engine_most(e, limbs)) continue;
        GB_TRY(gb_engine_shrink(&view, &noise, e, &a->ct, limbs));
        if (noise + level * gb_engine_growth(e) <= gb_engine_most(e, limbs))
            return gb_engine_finish_like(out, e, &view, noise, a);
    }
    return gb_cipher_copy(out, e, a);
}

gb_status gb_cipher_lower(gb_cipher *out, gb_engine *e, const gb_cipher *a, unsigned level) {
    gb_ct view;
    GB_TRY(check_two(e, "lower", out, a, a));
    if (gb_cipher_level(e, a) < level)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "lower: to level %u, the ciphertext is at %u", level,
                       gb_cipher_level(e, a));
    if (e->bfv) return shrink(out, e, a, level);
    if (gb_cipher_level(e, a) == level) return gb_cipher_copy(out, e, a);
    GB_TRY(gb_engine_lower(&view, e, &a->ct, level));
    return gb_engine_finish(out, e, &view, 0, &a->key);
}

gb_status gb_cipher_sum(gb_cipher *out, gb_engine *e, const gb_cipher *a, size_t count, const gb_evalkeys *k) {
    GB_TRY(check_two(e, "sum", out, a, a));
    if (count < 1 || count > e->n / 2 || (count & (count - 1)) != 0)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "sum of %zu slots: must be a power of two up to %zu", count, e->n / 2);
    gb_cipher *turned;
    GB_TRY(gb_cipher_new(&turned, e));
    gb_status s = gb_cipher_copy(out, e, a);
    for (size_t step = 1; s == GB_OK && step < count; step *= 2) {
        s = gb_cipher_rotate(turned, e, out, (int)step, k);
        if (s == GB_OK) s = gb_cipher_add(out, e, out, turned);
    }
    gb_cipher_free(turned);
    return s;
}
