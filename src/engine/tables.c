/* engine/tables: functions of small integers, exactly (BFV). */
#include <math.h>

#include "engine/internal.h"
#include "glovebox/bfv.h"
#include "scheme/circuit/bounds.h"

struct gb_table {
    gb_bfv_poly poly;
    uint64_t t; /* the polynomial is modulo this */
};

void gb_table_free(gb_table *t) {
    if (!t) return;
    gb_bfv_poly_release(&t->poly);
    gb_free(t);
}

/* What the four kinds of tables have in common: the handle around a polynomial, given by its status and itself. */
static gb_status make(gb_table **out, gb_engine *e, gb_status s, gb_bfv_poly *poly) {
    gb_table *t;
    GB_TRY(s);
    s = gb_alloc_zero(&t, e->ctx, 1, sizeof *t);
    if (s != GB_OK) {
        gb_bfv_poly_release(poly);
        return s;
    }
    t->poly = *poly;
    t->t = gb_bfv_modulus(e->bfv);
    *out = t;
    return GB_OK;
}

gb_status gb_table_new(gb_table **out, gb_engine *e, int64_t low, const int64_t *values, size_t count) {
    gb_bfv_poly p;
    GB_TRY(gb_engine_need(e, "table", false, true, out, values));
    *out = NULL;
    return make(out, e, gb_bfv_poly_table(&p, e->ctx, e->bfv, low, values, count), &p);
}

gb_status gb_table_equal(gb_table **out, gb_engine *e, unsigned width) {
    gb_bfv_poly p;
    GB_TRY(gb_engine_need(e, "table", false, true, out, out));
    *out = NULL;
    return make(out, e, gb_bfv_poly_equal(&p, e->ctx, e->bfv, width), &p);
}

gb_status gb_table_less(gb_table **out, gb_engine *e, unsigned width) {
    gb_bfv_poly p;
    GB_TRY(gb_engine_need(e, "table", false, true, out, out));
    *out = NULL;
    return make(out, e, gb_bfv_poly_less(&p, e->ctx, e->bfv, width), &p);
}

gb_status gb_table_within(gb_table **out, gb_engine *e, int64_t low, int64_t high, int64_t first, int64_t last) {
    gb_bfv_poly p;
    GB_TRY(gb_engine_need(e, "table", false, true, out, out));
    *out = NULL;
    return make(out, e, gb_bfv_poly_within(&p, e->ctx, e->bfv, low, high, first, last), &p);
}

unsigned gb_table_levels(const gb_table *t) { return t ? gb_bfv_poly_depth(&t->poly) : 0; }

/* The scheme's own bound of this polynomial, for any data: a deviation, of which ours are GB_ENGINE_SURE; and the two
 * bits that its checks leave for the prediction. It is the noise modulo the primes of the result, *limbs of them, which
 * are fewer than x's: what is switched down on the way is accounted for already. */
static gb_status noise_of(double *noise, unsigned *limbs, gb_engine *e, const gb_table *t, const gb_cipher *x) {
    gb_noise_model m;
    gb_noise n;
    gb_noise_model_init(&m, e->params, 0);
    m.dependent = true;
    gb_noise_bfv_fresh(&n, &m, x->ct.limbs, t->t, true);
    n.rms = n.worst = x->noise - log2(GB_ENGINE_SURE);
    GB_TRY(gb_bounds_bfv_poly(&n, e->ctx, &m, &n, &t->poly, t->t));
    *noise = n.rms + log2(GB_ENGINE_SURE) + 2;
    *limbs = n.limbs;
    return GB_OK;
}

gb_status gb_table_apply(gb_cipher *out, gb_engine *e, const gb_table *t, const gb_cipher *x, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    GB_TRY(gb_engine_need(e, "table", false, true, out, x));
    GB_TRY(gb_engine_need(e, "table", false, true, t, k));
    GB_TRY(gb_engine_output(e, "table", out));
    GB_TRY(gb_engine_filled(e, "table", x));
    GB_TRY(gb_engine_integers(e, "table", x));
    GB_TRY(gb_engine_keys(&keys, e, "table", k, &x->key));
    if (t->t != gb_bfv_modulus(e->bfv))
        return gb_fail(e->ctx, GB_ERR_PARAMS, "table: made modulo %llu, the engine computes modulo %llu",
                       (unsigned long long)t->t, (unsigned long long)gb_bfv_modulus(e->bfv));
    double noise;
    unsigned limbs;
    GB_TRY(noise_of(&noise, &limbs, e, t, x));
    GB_TRY(gb_engine_noise(e, "table", noise, limbs));
    GB_TRY(gb_bfv_poly_eval(&e->out, e->bfv_eval, &x->ct, &t->poly, keys));
    if (e->out.limbs != limbs)
        return gb_fail(e->ctx, GB_ERR_INTERNAL, "table: %u primes are left where %u were foreseen", e->out.limbs,
                       limbs);
    return gb_engine_finish(out, e, &e->out, noise, &x->key);
}
