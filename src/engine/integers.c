/* engine/integers: BFV. */
#include <math.h>

#include "engine/internal.h"
#include "glovebox/bfv.h"
#include "scheme/bfv/predicates.h"

static gb_status check(gb_engine *e, const char *what, const gb_cipher *out, const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, what, false, true, out, a));
    GB_TRY(gb_engine_output(e, what, out));
    return gb_engine_filled(e, what, a);
}

static gb_status encode(gb_engine *e, const char *what, const int64_t *values, size_t count) {
    GB_TRY(gb_engine_need(e, what, false, true, values, values));
    if (count > e->n)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "%s: %zu integers; %s holds %zu", what, count, e->info.name, e->n);
    gb_bfv_encode(e->poly, e->bfv, values, count);
    return GB_OK;
}

static gb_status encrypt(gb_cipher *out, gb_engine *e, const gb_keyset *key, const gb_secret *secret) {
    e->plain.limbs = e->primes;
    gb_bfv_scale_up(&e->plain, e->ctx, e->bfv, e->poly);
    gb_wipe(e->poly, e->n * sizeof *e->poly);
    return gb_engine_encrypt(out, e, key, secret, 1);
}

gb_status gb_bfv_encrypt_slots(gb_cipher *out, gb_engine *e, const gb_keyset *key, const int64_t *values,
                               size_t count) {
    GB_TRY(gb_engine_need(e, "encrypt", false, true, out, key));
    GB_TRY(gb_engine_output(e, "encrypt", out));
    if (!gb_params_same(gb_keyset_params(key), e->params))
        return gb_fail(e->ctx, GB_ERR_PARAMS, "encrypt: the public key is of %s, the engine of %s",
                       gb_params_get(gb_keyset_params(key))->name, e->info.name);
    GB_TRY(encode(e, "encrypt", values, count));
    return encrypt(out, e, key, NULL);
}

gb_status gb_bfv_encrypt_seeded(gb_cipher *out, gb_engine *e, const gb_secret *secret, const int64_t *values,
                                size_t count) {
    GB_TRY(gb_engine_need(e, "encrypt", false, true, out, secret));
    GB_TRY(gb_engine_output(e, "encrypt", out));
    GB_TRY(gb_engine_secret(e, "encrypt", secret));
    GB_TRY(encode(e, "encrypt", values, count));
    return encrypt(out, e, NULL, secret);
}

gb_status gb_bfv_decrypt_slots(int64_t *values, size_t count, gb_engine *e, const gb_secret *secret,
                               const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, "decrypt", false, true, values, secret));
    GB_TRY(gb_engine_need(e, "decrypt", false, true, a, a));
    GB_TRY(gb_engine_filled(e, "decrypt", a));
    GB_TRY(gb_engine_same_key(e, "decrypt", &a->key, gb_secret_key_id(secret)));
    if (count > e->n)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "decrypt: %zu integers; %s holds %zu", count, e->info.name, e->n);
    GB_TRY(gb_ct_phase(e->phase, e->ctx, secret, &a->ct));
    gb_bfv_scale_down(e->poly, e->bfv, a->ct.limbs, e->phase);
    gb_bfv_decode(values, e->bfv, e->poly, count);
    gb_wipe(e->phase, e->n * e->primes * sizeof *e->phase);
    gb_wipe(e->poly, e->n * sizeof *e->poly);
    return GB_OK;
}

gb_status gb_bfv_add_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const int64_t *values, size_t count) {
    GB_TRY(check(e, "add integers", out, a));
    GB_TRY(gb_engine_integers(e, "add integers", a));
    GB_TRY(encode(e, "add integers", values, count));
    GB_TRY(gb_bfv_add_plain(&out->ct, e->bfv_eval, &a->ct, e->poly));
    return gb_engine_finish(out, e, &out->ct, a->noise, &a->key);
}

/* The plaintext's coefficients are below t/2: N of them, with random signs, times the noise. */
gb_status gb_bfv_mul_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const int64_t *values, size_t count) {
    GB_TRY(check(e, "multiply integers", out, a));
    GB_TRY(gb_engine_integers(e, "multiply integers", a));
    GB_TRY(encode(e, "multiply integers", values, count));
    const double noise = a->noise + log2((double)gb_bfv_modulus(e->bfv)) - 1 + 0.5 * e->info.log_n + 1;
    GB_TRY(gb_engine_noise(e, "multiply integers", noise, a->ct.limbs));
    GB_TRY(gb_bfv_mul_plain(&out->ct, e->bfv_eval, &a->ct, e->poly));
    out->ct.scale = 1;
    return gb_engine_finish(out, e, &out->ct, noise, &a->key);
}

/* An integer in every slot: a constant polynomial, which only its size is multiplied by. */
static gb_status number(int64_t *out, gb_engine *e, const char *what, const gb_cipher *a, int64_t x) {
    const int64_t t = (int64_t)gb_bfv_modulus(e->bfv);
    GB_TRY(gb_engine_integers(e, what, a));
    *out = x % t;
    *out -= *out > t / 2 ? t : *out < -(t / 2) ? -t : 0;
    return GB_OK;
}

gb_status gb_bfv_add_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, int64_t x) {
    GB_TRY(check(e, "add a number", out, a));
    GB_TRY(number(&x, e, "add a number", a, x));
    GB_TRY(gb_bfv_add_scalar(&out->ct, e->bfv_eval, &a->ct, x));
    return gb_engine_finish(out, e, &out->ct, a->noise, &a->key);
}

gb_status gb_bfv_mul_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, int64_t x) {
    GB_TRY(check(e, "multiply a number", out, a));
    GB_TRY(number(&x, e, "multiply a number", a, x));
    const double noise = a->noise + log2(fmax(fabs((double)x), 1));
    GB_TRY(gb_engine_noise(e, "multiply a number", noise, a->ct.limbs));
    GB_TRY(gb_bfv_mul_scalar(&out->ct, e->bfv_eval, &a->ct, x));
    out->ct.scale = 1;
    return gb_engine_finish(out, e, &out->ct, noise, &a->key);
}
