/* engine/fixed: signed fixed point on BFV slots. */
#include "scheme/bfv/fixed.h"

#include <math.h>

#include "engine/internal.h"
#include "glovebox/bfv.h"

gb_status gb_engine_integers(gb_engine *e, const char *what, const gb_cipher *a) {
    if (!(a->bound > 0)) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_ARGUMENT, "%s: for integers; this ciphertext is fixed point, encrypt the other too",
                   what);
}

gb_status gb_bfv_encrypt_fixed(gb_cipher *out, gb_engine *e, const gb_keyset *key, const double *values, size_t count,
                               unsigned fraction, double bound) {
    GB_TRY(gb_engine_need(e, "encrypt", false, true, out, key));
    GB_TRY(gb_engine_need(e, "encrypt", false, true, values, values));
    if (!(bound > 0) || count > e->n)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "encrypt: %zu values up to %g; %s holds %zu, the bound is above 0",
                       count, bound, e->info.name, e->n);
    int64_t *integers;
    GB_TRY(gb_alloc_secret(&integers, e->ctx, count ? count : 1, sizeof *integers));
    gb_status s = gb_fixed_round(integers, e->ctx, e->bfv, values, count, fraction, bound);
    if (s == GB_OK) s = gb_bfv_encrypt_slots(out, e, key, integers, count);
    gb_free_secret(integers);
    if (s != GB_OK) return s;
    out->fraction = fraction;
    out->bound = ldexp(ceil(ldexp(bound, (int)fraction)), -(int)fraction); /* of what is rounded to the grid */
    return GB_OK;
}

gb_status gb_bfv_decrypt_fixed(double *values, size_t count, gb_engine *e, const gb_secret *secret,
                               const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, "decrypt", false, true, values, secret));
    GB_TRY(gb_engine_need(e, "decrypt", false, true, a, a));
    if (a->filled && !(a->bound > 0))
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "decrypt: the ciphertext holds integers, not fixed point");
    int64_t *integers;
    GB_TRY(gb_alloc_secret(&integers, e->ctx, count ? count : 1, sizeof *integers));
    const gb_status s = gb_bfv_decrypt_slots(integers, count, e, secret, a);
    if (s == GB_OK) gb_fixed_values(values, integers, count, a->fraction);
    gb_free_secret(integers);
    return s;
}

/* ---- sums and products, which come here from gb_cipher_add and the like ---- */
static gb_status views(gb_fixed *fa, gb_fixed *fb, gb_engine *e, const gb_cipher *a, const gb_cipher *b,
                       const gb_ct *va, const gb_ct *vb) {
    *fa = (gb_fixed){*va, a->fraction, a->bound};
    *fb = (gb_fixed){*vb, b->fraction, b->bound};
    if (a->bound > 0 && b->bound > 0) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_ARGUMENT, "one operand is fixed point, the other integers");
}

static gb_status home(gb_cipher *out, gb_engine *e, const gb_fixed *f, double noise, const gb_hash *key) {
    e->out = f->c; /* the same memory, as it was shaped */
    GB_TRY(gb_engine_finish(out, e, &e->out, noise, key));
    out->fraction = f->fraction;
    out->bound = f->bound;
    return GB_OK;
}

gb_status gb_engine_fixed_sum(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b, const gb_ct *va,
                              const gb_ct *vb, double noise, bool minus) {
    gb_fixed fa, fb, to = {.c = e->out};
    GB_TRY(views(&fa, &fb, e, a, b, va, vb));
    /* the coarser one is multiplied up first */
    noise += 1 + fabs((double)a->fraction - (double)b->fraction);
    GB_TRY(gb_engine_noise(e, minus ? "sub" : "add", noise, va->limbs));
    GB_TRY(minus ? gb_fixed_sub(&to, e->bfv_eval, &fa, &fb) : gb_fixed_add(&to, e->bfv_eval, &fa, &fb));
    return home(out, e, &to, noise, &a->key);
}

gb_status gb_engine_fixed_mul(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b, const gb_ct *va,
                              const gb_ct *vb, double noise, const gb_eval_keys *keys) {
    gb_fixed fa, fb, to = {.c = e->out};
    GB_TRY(views(&fa, &fb, e, a, b, va, vb));
    GB_TRY(gb_fixed_mul(&to, e->bfv_eval, &fa, &fb, keys));
    return home(out, e, &to, noise, &a->key);
}
