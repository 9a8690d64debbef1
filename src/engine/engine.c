/* engine: an engine's life, its checks and its bounds of noise. */
#include <math.h>

#include "engine/internal.h"
#include "glovebox/bfv.h"

#define PLAIN_BITS_MIN 17
#define PLAIN_BITS_MAX 60

static gb_status make_ckks(gb_engine *e) {
    GB_TRY(gb_ckks_encoder_new(&e->encoder, e->ctx, e->params));
    e->scale[e->top] = exp2(e->info.scale_bits);
    for (unsigned level = e->top; level > 0; level--)
        e->scale[level - 1] = e->scale[level] * e->scale[level] / gb_engine_divisor(e, level);
    return GB_OK;
}

static gb_status make_bfv(gb_engine *e, unsigned plain_bits) {
    const uint64_t t = gb_bfv_plain_prime(e->params, plain_bits);
    if (!t)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "no prime of %u bits batches for %s; take a few bits more", plain_bits,
                       e->info.name);
    GB_TRY(gb_bfv_new(&e->bfv, e->ctx, e->params, t));
    GB_TRY(gb_bfv_eval_new(&e->bfv_eval, e->eval, e->bfv));
    GB_TRY(gb_alloc(&e->poly, e->ctx, e->n, sizeof *e->poly));
    return gb_alloc_secret(&e->phase, e->ctx, e->n * e->primes, sizeof *e->phase);
}

static gb_status make(gb_engine *e, const char *params, unsigned plain_bits) {
    GB_TRY(gb_params_named(&e->params, e->ctx, params));
    e->n = gb_ring_n(gb_params_ring(e->params));
    e->top = gb_params_level(e->params, (unsigned)gb_params_get(e->params)->data_count);
    if (e->info.refreshes) { /* what is above belongs to bootstrapping */
        GB_TRY(gb_bootstrap_config_named(&e->boot_config, e->ctx, params));
        GB_TRY(gb_bootstrap_levels(&e->floor, &e->top, e->ctx, e->params, &e->boot_config));
        e->top -= e->floor;
    }
    e->primes = gb_engine_limbs(e, e->top);
    GB_TRY(gb_eval_new(&e->eval, e->ctx, e->params, 0));
    GB_TRY(gb_pt_init(&e->plain, e->ctx, e->params, e->primes, false));
    GB_TRY(gb_ct_init(&e->out, e->ctx, e->params, 3, e->primes));
    GB_TRY(gb_ct_init(&e->lower, e->ctx, e->params, 2, e->primes));
    return e->info.scheme == GB_SCHEME_CKKS ? make_ckks(e) : make_bfv(e, plain_bits);
}

gb_status gb_engine_new(gb_engine **out, gb_ctx *ctx, const char *params, unsigned plain_bits) {
    gb_params_info info;
    if (!out || !ctx || !params) return gb_fail(ctx, GB_ERR_ARGUMENT, "engine: a handle or the name is NULL");
    *out = NULL;
    GB_TRY(gb_params_show(&info, ctx, params));
    if (info.scheme == GB_SCHEME_LINEAR)
        return gb_fail(ctx, GB_ERR_UNSUPPORTED, "engine: %s is not for single ciphertexts; take another set", params);
    if (info.scheme == GB_SCHEME_CKKS && plain_bits)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "engine: %s computes on real numbers; plain_bits must be 0", params);
    if (info.scheme == GB_SCHEME_BFV && !plain_bits) plain_bits = GB_PLAIN_BITS_DEFAULT;
    if (info.scheme == GB_SCHEME_BFV) {
        if (plain_bits < PLAIN_BITS_MIN || plain_bits > PLAIN_BITS_MAX)
            return gb_fail(ctx, GB_ERR_ARGUMENT, "engine: a plaintext prime of %u bits, must be %d..%d", plain_bits,
                           PLAIN_BITS_MIN, PLAIN_BITS_MAX);
        info.depth = gb_params_bfv_depth(info.log_n, info.log2_q, plain_bits);
        info.plain_bits = plain_bits;
        info.precision = plain_bits;
    }
    gb_engine *e;
    GB_TRY(gb_alloc_zero(&e, ctx, 1, sizeof *e));
    e->ctx = ctx;
    e->info = info;
    gb_status s = make(e, params, plain_bits);
    if (s != GB_OK) {
        gb_engine_free(e);
        return s;
    }
    *out = e;
    return GB_OK;
}

void gb_engine_free(gb_engine *e) {
    if (!e) return;
    gb_free_secret(e->phase);
    gb_free(e->poly);
    gb_ct_release(&e->lower);
    gb_ct_release(&e->out);
    gb_pt_release(&e->plain);
    gb_eval_free(e->inner);
    gb_bootstrap_free(e->boot);
    gb_bfv_eval_free(e->bfv_eval);
    gb_bfv_free(e->bfv);
    gb_ckks_encoder_free(e->encoder);
    gb_eval_free(e->eval);
    gb_params_free(e->params);
    gb_free(e);
}

gb_status gb_engine_info(gb_params_info *out, gb_engine *e) {
    GB_TRY(gb_engine_need(e, "info", true, true, out, e));
    *out = e->info;
    return GB_OK;
}

uint64_t gb_engine_modulus(const gb_engine *e) { return e && e->bfv ? gb_bfv_modulus(e->bfv) : 0; }

/* ---- checks ---- */
gb_status gb_engine_need(gb_engine *e, const char *what, bool ckks, bool bfv, const void *handle, const void *more) {
    if (!e) return GB_ERR_ARGUMENT; /* there is no context to tell */
    if (!handle || !more) return gb_fail(e->ctx, GB_ERR_ARGUMENT, "%s: a handle is NULL", what);
    if ((e->encoder && !ckks) || (e->bfv && !bfv))
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "%s: not an operation of %s, which is %s", what, e->info.name,
                       gb_scheme_name(e->info.scheme));
    return GB_OK;
}

gb_status gb_engine_output(gb_engine *e, const char *what, const gb_cipher *out) {
    if (gb_params_same(out->ct.params, e->params)) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_PARAMS, "%s: the output is of %s, the engine of %s", what,
                   gb_params_get(out->ct.params)->name, e->info.name);
}

gb_status gb_engine_filled(gb_engine *e, const char *what, const gb_cipher *c) {
    if (!c->filled) return gb_fail(e->ctx, GB_ERR_STATE, "%s: a ciphertext holds nothing yet; encrypt first", what);
    if (!gb_params_same(c->ct.params, e->params))
        return gb_fail(e->ctx, GB_ERR_PARAMS, "%s: a ciphertext is of %s, the engine of %s", what,
                       gb_params_get(c->ct.params)->name, e->info.name);
    return GB_OK;
}

gb_status gb_engine_secret(gb_engine *e, const char *what, const gb_secret *s) {
    if (gb_params_same(gb_secret_params(s), e->params)) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_PARAMS, "%s: the secret key is of %s, the engine of %s", what,
                   gb_params_get(gb_secret_params(s))->name, e->info.name);
}

/* The same key, or one of them is not known. is: what the first belongs to, with its verb. */
static gb_status same_key(gb_engine *e, const char *what, const char *is, const gb_hash *a, const gb_hash *b) {
    static const gb_hash unknown;
    char have[9], want[9];
    if (gb_hash_equal(a, &unknown) || gb_hash_equal(b, &unknown) || gb_hash_equal(a, b)) return GB_OK;
    gb_hex(have, a->b, 4);
    gb_hex(want, b->b, 4);
    return gb_fail(e->ctx, GB_ERR_KEY, "%s: %s the key %s, not %s", what, is, have, want);
}

gb_status gb_engine_same_key(gb_engine *e, const char *what, const gb_hash *a, const gb_hash *b) {
    return same_key(e, what, "a ciphertext is under", a, b);
}

gb_status gb_engine_keys(const gb_eval_keys **out, gb_engine *e, const char *what, const gb_evalkeys *k,
                         const gb_hash *key) {
    if (!gb_params_same(k->params, e->params))
        return gb_fail(e->ctx, GB_ERR_PARAMS, "%s: the evaluation keys are of %s, the engine of %s", what,
                       gb_params_get(k->params)->name, e->info.name);
    *out = &k->all.keys;
    return same_key(e, what, "the evaluation keys are of", &k->key, key);
}

gb_status gb_engine_finish(gb_cipher *out, gb_engine *e, const gb_ct *target, double noise, const gb_hash *key) {
    if (target != &out->ct) GB_TRY(gb_ct_copy(&out->ct, e->ctx, target));
    out->filled = true;
    out->key = *key;
    out->noise = noise;
    out->seeded = false;
    out->fraction = 0;
    out->bound = 0;
    return GB_OK;
}

gb_status gb_engine_finish_like(gb_cipher *out, gb_engine *e, const gb_ct *target, double noise, const gb_cipher *a) {
    const unsigned fraction = a->fraction;
    const double bound = a->bound;
    GB_TRY(gb_engine_finish(out, e, target, noise, &a->key));
    out->fraction = fraction;
    out->bound = bound;
    return GB_OK;
}

gb_status gb_engine_encrypt(gb_cipher *out, gb_engine *e, const gb_keyset *key, const gb_secret *secret, double scale) {
    gb_seed seed;
    gb_status s;
    if (key) {
        s = gb_ct_encrypt_public(&out->ct, e->ctx, key, e->plain.data, e->primes, scale);
    } else {
        gb_random_bytes(seed.b, sizeof seed.b); /* public, and never drawn twice */
        s = gb_ct_encrypt_seeded(&out->ct, e->ctx, secret, e->plain.data, e->primes, scale, &seed, 0);
    }
    gb_wipe(e->plain.data, e->n * e->primes * sizeof *e->plain.data); /* plaintext */
    out->filled = false;
    GB_TRY(s);
    GB_TRY(gb_engine_finish(out, e, &out->ct, e->bfv ? gb_engine_fresh(e, key != NULL) : 0,
                            key ? gb_keyset_id(key) : gb_secret_key_id(secret)));
    out->seeded = !key;
    if (!key) out->seed = seed;
    return GB_OK;
}

unsigned gb_engine_level(const gb_engine *e, const gb_ct *c) { return gb_params_level(e->params, c->limbs) - e->floor; }
unsigned gb_engine_limbs(const gb_engine *e, unsigned level) { return gb_params_limbs(e->params, level + e->floor); }
double gb_engine_divisor(const gb_engine *e, unsigned level) { return gb_params_divisor(e->params, level + e->floor); }

/* Each step multiplies by 1 at a scale that lands on the next level's. All but the last level are dropped for free. */
gb_status gb_engine_lower(gb_ct *out, gb_engine *e, const gb_ct *a, unsigned level) {
    *out = *a;
    const unsigned from = gb_engine_level(e, a);
    if (from <= level) return GB_OK;
    out->limbs = gb_engine_limbs(e, level + 1);
    const double factor = e->scale[level] * gb_engine_divisor(e, level + 1) / a->scale;
    GB_TRY(gb_ckks_mul_scalar(&e->lower, e->eval, out, 1, factor));
    GB_TRY(gb_ckks_rescale(&e->lower, e->eval));
    *out = e->lower;
    out->scale = e->scale[level]; /* what it is but for the rounding of doubles */
    return GB_OK;
}

/* ---- noise of BFV. Standard deviations, times GB_ENGINE_SURE ---- */
double gb_log2_sum(double a, double b) { return fmax(a, b) + log2(1 + exp2(-fabs(a - b))); }

double gb_engine_most(const gb_engine *e, unsigned limbs) {
    return gb_ring_log2_q(gb_params_ring(e->params), limbs) - 1 - log2((double)gb_bfv_modulus(e->bfv));
}

gb_status gb_engine_noise(gb_engine *e, const char *what, double noise, unsigned limbs) {
    const double most = gb_engine_most(e, limbs);
    if (noise <= most) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_NOISE,
                   "%s: noise of %.0f bits where %s decrypts below %.0f; fewer products, or a deeper set", what, noise,
                   e->info.name, most);
}

/* e u + e0 + e1 s and the rounding of the message, or e and that. */
double gb_engine_fresh(const gb_engine *e, bool public_key) {
    const double variance = GB_ENGINE_SIGMA * GB_ENGINE_SIGMA;
    return log2(GB_ENGINE_SURE * sqrt(variance * (public_key ? 4.0 / 3 * (double)e->n + 1 : 1) + 1.0 / 12));
}

/* t N and a small constant, as for the depth of a set (params.c). */
double gb_engine_growth(const gb_engine *e) { return log2((double)gb_bfv_modulus(e->bfv)) + e->info.log_n + 1.5; }

/* What c0 and c1 lose in rounding: (1 + 2 N / 3) / 12 of variance. */
gb_status gb_engine_shrink(gb_ct *out, double *noise, gb_engine *e, const gb_ct *a, unsigned limbs) {
    const gb_ring *r = gb_params_ring(e->params);
    *out = *a;
    if (a->limbs <= limbs) return GB_OK;
    const double bits = gb_ring_log2_q(r, a->limbs) - gb_ring_log2_q(r, limbs);
    GB_TRY(gb_ct_copy(&e->lower, e->ctx, a));
    GB_TRY(gb_ct_divide(&e->lower, e->eval, a->limbs - limbs));
    *noise = gb_log2_sum(*noise - bits, log2(GB_ENGINE_SURE * sqrt((double)e->n / 18 + 1)));
    *out = e->lower;
    return GB_OK;
}

/* Every digit (uniform below the product of its primes) times an error, summed and divided by P; then the rounding. */
double gb_engine_switching(const gb_engine *e) {
    const gb_params_spec *spec = gb_params_get(e->params);
    double p = 0, digit = 0;
    for (size_t i = 0; i < spec->special_count; i++) p += log2((double)spec->special[i]);
    for (size_t i = 0; i < spec->special_count && i < spec->data_count; i++) digit += log2((double)spec->data[i]);
    const double sum = log2(GB_ENGINE_SURE * GB_ENGINE_SIGMA * sqrt((double)e->info.digits * (double)e->n / 12));
    return gb_log2_sum(sum + digit - p, log2(GB_ENGINE_SURE * sqrt((double)e->n / 18 + 1)));
}
