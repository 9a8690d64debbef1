/* engine/bootstrap: sets whose levels come back. */
#include "engine/internal.h"
#include "glovebox/ckks.h"

#define GALOIS_MAX 512

gb_status gb_engine_boot(gb_engine *e, const char *what) {
    if (!e->info.refreshes)
        return gb_fail(e->ctx, GB_ERR_UNSUPPORTED, "%s: %s has no bootstrapping; take a deep set", what, e->info.name);
    if (!e->boot) GB_TRY(gb_bootstrap_new(&e->boot, e->ctx, e->encoder, &e->boot_config));
    if (!e->inner) GB_TRY(gb_eval_new(&e->inner, e->ctx, gb_bootstrap_inner_params(e->boot), 1));
    return GB_OK;
}

/* ---- what it costs ---- */
typedef struct key_sizes {
    uint64_t count, memory, wire;
} key_sizes;

static void add_size(key_sizes *t, const gb_params *p, unsigned limbs, unsigned digit) {
    const gb_ring *r = gb_params_ring(p);
    const size_t data = gb_params_get(p)->data_count;
    const unsigned digits = (unsigned)gb_ceil_div(limbs, digit);
    const gb_switch_key shape = {.params = p, .limbs = limbs, .digit = digit, .digits = digits};
    uint64_t row = 0;
    for (size_t j = 0; j < gb_ring_limbs(r); j++)
        if (j < limbs || j >= data) row += gb_packed_bytes(gb_ring_n(r), gb_ring_modulus(r, j)->bits);
    t->count++;
    t->memory += gb_switch_key_bytes(&shape);
    t->wire += digits * row; /* and a header of less than 100 bytes */
}

/* As gb_secret_bootstrap_keys makes them: a Galois element once, at the highest level it is used at. */
static gb_status sizes(key_sizes *t, gb_engine *e) {
    uint64_t galois[GALOIS_MAX];
    unsigned level[GALOIS_MAX];
    const size_t count = gb_bootstrap_galois(galois, level, GALOIS_MAX, e->boot);
    const unsigned special = (unsigned)gb_params_get(e->params)->special_count;
    if (count > GALOIS_MAX) return gb_fail(e->ctx, GB_ERR_LIMIT, "bootstrapping wants %zu rotation keys", count);
    for (size_t i = 0; i < count; i++) {
        bool other = false; /* at a higher level, or the same one earlier in the list */
        for (size_t j = 0; j < count; j++)
            other = other || (galois[j] == galois[i] && (level[j] > level[i] || (level[j] == level[i] && j < i)));
        if (!other) add_size(t, e->params, gb_params_limbs(e->params, level[i]), special);
    }
    const gb_params *inner = gb_bootstrap_inner_params(e->boot);
    add_size(t, e->params, gb_params_limbs(e->params, gb_bootstrap_level_sine(e->boot)), special);
    add_size(t, e->params, (unsigned)gb_params_get(e->params)->data_count, special);
    add_size(t, inner, (unsigned)gb_params_get(inner)->data_count, 1);
    return GB_OK;
}

gb_status gb_engine_bootstrap_info(gb_bootstrap_info *out, gb_engine *e) {
    key_sizes t = {0};
    GB_TRY(gb_engine_need(e, "bootstrapping", true, false, out, e));
    GB_TRY(gb_engine_boot(e, "bootstrapping"));
    GB_TRY(sizes(&t, e));
    *out = (gb_bootstrap_info){
        .failure = gb_bootstrap_failure(e->boot), .keys = t.count, .key_bytes = t.memory, .key_on_wire = t.wire};
    return GB_OK;
}

/* ---- keys ---- */
gb_status gb_evalkeys_inner(gb_evalkeys *k, gb_engine *e) {
    GB_TRY(gb_engine_boot(e, "evaluation keys"));
    if (k->inner) return GB_OK;
    return gb_params_new(&k->inner, e->ctx, gb_params_get(gb_bootstrap_inner_params(e->boot)));
}

/* The new keys go to those that are there; each borrows its parameters from the handle. */
static gb_status take(gb_evalkeys *k, gb_engine *e, gb_bootstrap_keys *made) {
    for (size_t i = 0; i < made->keys.count; i++) {
        made->keys.keys[i].params = k->params;
        GB_TRY(gb_eval_keys_add(&k->all.keys, e->ctx, &made->keys.keys[i]));
    }
    k->all.to_sparse = made->to_sparse;
    k->all.to_dense = made->to_dense;
    memset(&made->to_sparse, 0, sizeof made->to_sparse);
    memset(&made->to_dense, 0, sizeof made->to_dense);
    k->all.to_sparse.params = k->inner;
    k->all.to_dense.params = k->params;
    k->bootstraps = true;
    return GB_OK;
}

gb_status gb_evalkeys_bootstrap(gb_evalkeys *k, gb_engine *e, const gb_secret *secret) {
    const gb_eval_keys *have;
    gb_bootstrap_keys made;
    GB_TRY(gb_engine_need(e, "make keys for bootstrapping", true, false, k, secret));
    GB_TRY(gb_engine_keys(&have, e, "make keys for bootstrapping", k, gb_secret_key_id(secret)));
    GB_TRY(gb_engine_secret(e, "make keys for bootstrapping", secret));
    if (k->bootstraps) return GB_OK;
    GB_TRY(gb_evalkeys_inner(k, e));
    GB_TRY(gb_progress(e->ctx, "bootstrapping keys", 0, 1));
    GB_TRY(gb_secret_bootstrap_keys(&made, e->ctx, secret, e->boot, 0));
    const gb_status s = take(k, e, &made);
    gb_bootstrap_keys_release(&made);
    if (s == GB_OK) k->key = *gb_secret_key_id(secret);
    return s == GB_OK ? gb_progress(e->ctx, "bootstrapping keys", 1, 1) : s;
}

/* ---- the run ---- */
static gb_status run(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k) {
    gb_ct all, view;
    GB_TRY(gb_eval_ct(&all, e->eval, 3, (unsigned)gb_params_get(e->params)->data_count));
    gb_status s = gb_bootstrap_run(&all, e->eval, e->inner, &a->ct, e->boot, &k->all);
    view = all;
    view.scale = e->scale[e->top]; /* what it is but for the rounding of doubles */
    if (s == GB_OK) s = gb_engine_finish(out, e, &view, 0, &a->key);
    gb_eval_ct_return(e->eval, &all);
    return s;
}

gb_status gb_cipher_bootstrap(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    GB_TRY(gb_engine_need(e, "bootstrap", true, false, out, a));
    GB_TRY(gb_engine_need(e, "bootstrap", true, false, k, k));
    GB_TRY(gb_engine_output(e, "bootstrap", out));
    GB_TRY(gb_engine_filled(e, "bootstrap", a));
    GB_TRY(gb_engine_keys(&keys, e, "bootstrap", k, &a->key));
    GB_TRY(gb_engine_boot(e, "bootstrap"));
    if (!k->bootstraps)
        return gb_fail(e->ctx, GB_ERR_KEY, "bootstrap: no keys for it; make them with gb_evalkeys_bootstrap");
    return run(out, e, a, k);
}
