/* engine/reals: CKKS. */
#include <math.h>

#include "engine/internal.h"
#include "glovebox/ckks.h"
#include "scheme/ckks/pack.h"

#define ENCODED_BITS 48 /* of the scale that doubles are encoded at; the rest is a power of two */

/* The encoder repeats a count that is a power of two, and pads others with zeros to all N/2 slots; a set with fewer
 * slots wants them padded to those, and repeated. */
static gb_status encode_slots(gb_engine *e, const double *re, const double *im, size_t count, double scale) {
    const size_t slots = e->info.slots;
    double *padded;
    if (slots == e->n / 2 || (count & (count - 1)) == 0)
        return gb_ckks_encode(&e->plain, e->ctx, e->encoder, re, im, count, scale);
    GB_TRY(gb_alloc_secret(&padded, e->ctx, 2 * slots, sizeof *padded));
    memset(padded, 0, 2 * slots * sizeof *padded);
    memcpy(padded, re, count * sizeof *padded);
    if (im) memcpy(padded + slots, im, count * sizeof *padded);
    const gb_status s = gb_ckks_encode(&e->plain, e->ctx, e->encoder, padded, im ? padded + slots : NULL, slots, scale);
    gb_free_secret(padded);
    return s;
}

/* Into the engine's plaintext. A count that is no power of two is padded with zeros by the encoder. */
static gb_status encode(gb_engine *e, const char *what, const double *re, const double *im, size_t count,
                        unsigned limbs, double scale) {
    const gb_ring *r = gb_params_ring(e->params);
    int shift = 0;
    if (count < 1 || count > e->info.slots)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "%s: %zu numbers; %s holds 1 to %llu", what, count, e->info.name,
                       (unsigned long long)e->info.slots);
    e->plain.limbs = limbs;
    if (scale >= ldexp(1, ENCODED_BITS + 1)) shift = ilogb(scale) - ENCODED_BITS;
    GB_TRY(encode_slots(e, re, im, count, ldexp(scale, -shift)));
    for (unsigned j = 0; shift && j < limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t *x = e->plain.data + j * e->n;
        gb_ring_kernels(r)->mul_scalar(x, x, gb_mod_pow(2, (uint64_t)shift, m), e->n, m);
    }
    e->plain.scale = scale;
    return GB_OK;
}

static gb_status check(gb_engine *e, const char *what, const gb_cipher *out, const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, what, true, false, out, a));
    GB_TRY(gb_engine_output(e, what, out));
    return gb_engine_filled(e, what, a);
}

gb_status gb_ckks_encrypt_slots(gb_cipher *out, gb_engine *e, const gb_keyset *key, const double *re, const double *im,
                                size_t count) {
    GB_TRY(gb_engine_need(e, "encrypt", true, false, out, key));
    GB_TRY(gb_engine_need(e, "encrypt", true, false, re, re));
    GB_TRY(gb_engine_output(e, "encrypt", out));
    if (!gb_params_same(gb_keyset_params(key), e->params))
        return gb_fail(e->ctx, GB_ERR_PARAMS, "encrypt: the public key is of %s, the engine of %s",
                       gb_params_get(gb_keyset_params(key))->name, e->info.name);
    GB_TRY(encode(e, "encrypt", re, im, count, e->primes, e->scale[e->top]));
    return gb_engine_encrypt(out, e, key, NULL, e->scale[e->top]);
}

gb_status gb_ckks_encrypt_seeded(gb_cipher *out, gb_engine *e, const gb_secret *secret, const double *re,
                                 const double *im, size_t count) {
    GB_TRY(gb_engine_need(e, "encrypt", true, false, out, secret));
    GB_TRY(gb_engine_need(e, "encrypt", true, false, re, re));
    GB_TRY(gb_engine_output(e, "encrypt", out));
    GB_TRY(gb_engine_secret(e, "encrypt", secret));
    GB_TRY(encode(e, "encrypt", re, im, count, e->primes, e->scale[e->top]));
    return gb_engine_encrypt(out, e, NULL, secret, e->scale[e->top]);
}

gb_status gb_ckks_decrypt_slots(double *re, double *im, size_t count, gb_engine *e, const gb_secret *secret,
                                const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, "decrypt", true, false, re, secret));
    GB_TRY(gb_engine_need(e, "decrypt", true, false, a, a));
    GB_TRY(gb_engine_filled(e, "decrypt", a));
    GB_TRY(gb_engine_same_key(e, "decrypt", &a->key, gb_secret_key_id(secret)));
    const size_t slots = e->info.slots;
    if (count < 1 || count > slots)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "decrypt: %zu numbers; %s holds 1 to %zu", count, e->info.name, slots);
    double *all;
    GB_TRY(gb_alloc_secret(&all, e->ctx, 2 * slots, sizeof *all));
    const gb_status s = gb_ckks_decrypt(all, all + slots, slots, e->ctx, secret, e->encoder, &a->ct);
    if (s == GB_OK) memcpy(re, all, count * sizeof *re);
    if (s == GB_OK && im) memcpy(im, all + slots, count * sizeof *im);
    gb_free_secret(all);
    return s;
}

gb_status gb_ckks_add_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re, const double *im,
                            size_t count) {
    GB_TRY(check(e, "add numbers", out, a));
    GB_TRY(gb_engine_need(e, "add numbers", true, false, re, re));
    GB_TRY(encode(e, "add numbers", re, im, count, a->ct.limbs, a->ct.scale));
    GB_TRY(gb_ckks_add_plain(&out->ct, e->eval, &a->ct, &e->plain));
    return gb_engine_finish(out, e, &out->ct, 0, &a->key);
}

/* Products with numbers in the clear are encoded at the scale of the level, so that rescaling lands on the next one's.
 */
gb_status gb_engine_spend(gb_engine *e, const char *what, const gb_cipher *a) {
    if (gb_engine_level(e, &a->ct) > 0) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_LEVEL, "%s: no level left; %s has %u, choose a deeper set", what, e->info.name,
                   e->top);
}

gb_status gb_engine_rescaled(gb_cipher *out, gb_engine *e, const gb_hash *key) {
    GB_TRY(gb_ckks_rescale(&out->ct, e->eval));
    out->ct.scale = e->scale[gb_engine_level(e, &out->ct)]; /* what it is but for the rounding of doubles */
    return gb_engine_finish(out, e, &out->ct, 0, key);
}

gb_status gb_ckks_mul_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re, const double *im,
                            size_t count) {
    GB_TRY(check(e, "multiply numbers", out, a));
    GB_TRY(gb_engine_need(e, "multiply numbers", true, false, re, re));
    GB_TRY(gb_engine_spend(e, "multiply numbers", a));
    GB_TRY(encode(e, "multiply numbers", re, im, count, a->ct.limbs, a->ct.scale));
    GB_TRY(gb_ckks_mul_plain(&out->ct, e->eval, &a->ct, &e->plain));
    return gb_engine_rescaled(out, e, &a->key);
}

gb_status gb_ckks_add_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x) {
    GB_TRY(check(e, "add a number", out, a));
    GB_TRY(gb_ckks_add_scalar(&out->ct, e->eval, &a->ct, x));
    return gb_engine_finish(out, e, &out->ct, 0, &a->key);
}

gb_status gb_ckks_mul_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x) {
    GB_TRY(check(e, "multiply a number", out, a));
    GB_TRY(gb_engine_spend(e, "multiply a number", a));
    GB_TRY(gb_ckks_mul_scalar(&out->ct, e->eval, &a->ct, x, a->ct.scale));
    return gb_engine_rescaled(out, e, &a->key);
}

/* ---- two reals a slot ---- */
gb_status gb_cipher_mul_i(gb_cipher *out, gb_engine *e, const gb_cipher *a, int power) {
    GB_TRY(check(e, "multiply i", out, a));
    GB_TRY(gb_ckks_mul_i(&out->ct, e->eval, &a->ct, power));
    return gb_engine_finish(out, e, &out->ct, 0, &a->key);
}

gb_status gb_cipher_pack(gb_cipher *out, gb_engine *e, const gb_cipher *x, const gb_cipher *y) {
    GB_TRY(check(e, "pack", out, x));
    GB_TRY(check(e, "pack", out, y));
    GB_TRY(gb_engine_same_key(e, "pack", &x->key, &y->key));
    const unsigned lx = gb_engine_level(e, &x->ct), ly = gb_engine_level(e, &y->ct);
    gb_ct vx = x->ct, vy = y->ct; /* at most one is lowered */
    GB_TRY(lx > ly ? gb_engine_lower(&vx, e, &x->ct, ly) : gb_engine_lower(&vy, e, &y->ct, lx));
    GB_TRY(gb_ckks_pack(&e->out, e->eval, &vx, &vy));
    return gb_engine_finish(out, e, &e->out, 0, &x->key);
}

/* What comes at twice, or four times, the scale of its level: brought to that of the next. */
static gb_status settle(gb_cipher *out, gb_engine *e, const gb_ct *a, const gb_hash *key) {
    gb_ct view;
    GB_TRY(gb_engine_lower(&view, e, a, gb_engine_level(e, a) - 1));
    return gb_engine_finish(out, e, &view, 0, key);
}

gb_status gb_cipher_unpack(gb_cipher *x, gb_cipher *y, gb_engine *e, const gb_cipher *z, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    GB_TRY(check(e, "unpack", x, z));
    GB_TRY(check(e, "unpack", y, z));
    GB_TRY(gb_engine_need(e, "unpack", true, false, k, k));
    GB_TRY(gb_engine_keys(&keys, e, "unpack", k, &z->key));
    if (x == y || x == z || y == z)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "unpack: needs two outputs that are not the input");
    GB_TRY(gb_engine_spend(e, "unpack", z));
    GB_TRY(gb_ckks_unpack(&x->ct, &y->ct, e->eval, &z->ct, keys));
    GB_TRY(settle(x, e, &x->ct, &z->key));
    return settle(y, e, &y->ct, &z->key);
}

gb_status gb_cipher_mul_packed(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b,
                               const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    gb_ct va = a ? a->ct : (gb_ct){0}, vb = b ? b->ct : (gb_ct){0};
    GB_TRY(check(e, "multiply packed", out, a));
    GB_TRY(check(e, "multiply packed", out, b));
    GB_TRY(gb_engine_same_key(e, "multiply packed", &a->key, &b->key));
    GB_TRY(gb_engine_need(e, "multiply packed", true, false, k, k));
    GB_TRY(gb_engine_keys(&keys, e, "multiply packed", k, &a->key));
    const unsigned la = gb_engine_level(e, &va), lb = gb_engine_level(e, &vb);
    if (la < 2 || lb < 2)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "multiply packed: takes 2 levels, the ciphertexts have %u and %u", la, lb);
    GB_TRY(la > lb ? gb_engine_lower(&va, e, &a->ct, lb) : gb_engine_lower(&vb, e, &b->ct, la));
    GB_TRY(gb_ckks_mul_packed(&e->out, e->eval, &va, &vb, keys));
    return settle(out, e, &e->out, &a->key);
}
