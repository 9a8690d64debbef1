/* engine/reals: CKKS. */
#include <math.h>

#include "engine/internal.h"
#include "glovebox/ckks.h"

/* Into the engine's plaintext. A count that is no power of two is padded with zeros by the encoder. */
static gb_status encode(gb_engine *e, const char *what, const double *re, const double *im, size_t count,
                        unsigned limbs, double scale) {
    if (count < 1 || count > e->info.slots)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "%s: %zu numbers; %s holds 1 to %llu", what, count, e->info.name,
                       (unsigned long long)e->info.slots);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(re[i]) || (im && !isfinite(im[i])))
            return gb_fail(e->ctx, GB_ERR_RANGE, "%s: number %zu is not finite", what, i);
    e->plain.limbs = limbs;
    return gb_ckks_encode(&e->plain, e->ctx, e->encoder, re, im, count, scale);
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
    gb_status s = gb_ct_encrypt_public(&out->ct, e->ctx, key, e->plain.data, e->primes, e->scale[e->top]);
    gb_wipe(e->plain.data, e->n * e->primes * sizeof *e->plain.data); /* plaintext */
    return s == GB_OK ? gb_engine_finish(out, e, &out->ct, 0) : s;
}

gb_status gb_ckks_decrypt_slots(double *re, double *im, size_t count, gb_engine *e, const gb_secret *secret,
                                const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, "decrypt", true, false, re, secret));
    GB_TRY(gb_engine_need(e, "decrypt", true, false, a, a));
    GB_TRY(gb_engine_filled(e, "decrypt", a));
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

gb_status gb_ckks_add_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re, size_t count) {
    GB_TRY(check(e, "add numbers", out, a));
    GB_TRY(gb_engine_need(e, "add numbers", true, false, re, re));
    GB_TRY(encode(e, "add numbers", re, NULL, count, a->ct.limbs, a->ct.scale));
    GB_TRY(gb_ckks_add_plain(&out->ct, e->eval, &a->ct, &e->plain));
    return gb_engine_finish(out, e, &out->ct, 0);
}

/* Products with numbers in the clear are encoded at the scale of the level, so that rescaling lands on the next one's.
 */
static gb_status last_level(gb_engine *e, const char *what, const gb_cipher *a) {
    if (gb_engine_level(e, &a->ct) > 0) return GB_OK;
    return gb_fail(e->ctx, GB_ERR_LEVEL, "%s: no level left; %s has %u, choose a deeper set", what, e->info.name,
                   e->top);
}

static gb_status rescaled(gb_cipher *out, gb_engine *e) {
    GB_TRY(gb_ckks_rescale(&out->ct, e->eval));
    out->ct.scale = e->scale[gb_engine_level(e, &out->ct)]; /* what it is but for the rounding of doubles */
    return gb_engine_finish(out, e, &out->ct, 0);
}

gb_status gb_ckks_mul_slots(gb_cipher *out, gb_engine *e, const gb_cipher *a, const double *re, size_t count) {
    GB_TRY(check(e, "multiply numbers", out, a));
    GB_TRY(gb_engine_need(e, "multiply numbers", true, false, re, re));
    GB_TRY(last_level(e, "multiply numbers", a));
    GB_TRY(encode(e, "multiply numbers", re, NULL, count, a->ct.limbs, a->ct.scale));
    GB_TRY(gb_ckks_mul_plain(&out->ct, e->eval, &a->ct, &e->plain));
    return rescaled(out, e);
}

gb_status gb_ckks_add_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x) {
    GB_TRY(check(e, "add a number", out, a));
    GB_TRY(gb_ckks_add_scalar(&out->ct, e->eval, &a->ct, x));
    return gb_engine_finish(out, e, &out->ct, 0);
}

gb_status gb_ckks_mul_number(gb_cipher *out, gb_engine *e, const gb_cipher *a, double x) {
    GB_TRY(check(e, "multiply a number", out, a));
    GB_TRY(last_level(e, "multiply a number", a));
    GB_TRY(gb_ckks_mul_scalar(&out->ct, e->eval, &a->ct, x, a->ct.scale));
    return rescaled(out, e);
}

/* ---- matrices: y[i] = sum over d of M[i][i + d] x[i + d] ---- */
struct gb_matrix {
    gb_params *params; /* its own, for the transform borrows them */
    gb_ckks_encoder *encoder;
    gb_ckks_linear *linear;
    unsigned level;
};

void gb_matrix_free(gb_matrix *m) {
    if (!m) return;
    gb_ckks_linear_free(m->linear);
    gb_ckks_encoder_free(m->encoder);
    gb_params_free(m->params);
    gb_free(m);
}

static gb_status make_matrix(gb_matrix *out, gb_engine *e, const double *m, size_t size, double *values,
                             gb_ckks_diagonal *diagonals) {
    size_t count = 0;
    for (size_t d = 0; d < size; d++) {
        double *diagonal = values + count * size;
        bool any = false;
        for (size_t i = 0; i < size; i++) {
            diagonal[i] = m[i * size + (i + d) % size];
            any = any || diagonal[i] != 0;
            if (!isfinite(diagonal[i]))
                return gb_fail(e->ctx, GB_ERR_RANGE, "matrix: row %zu, column %zu is not finite", i, (i + d) % size);
        }
        if (any || (d + 1 == size && !count)) diagonals[count++] = (gb_ckks_diagonal){(int)d, diagonal, NULL};
    }
    GB_TRY(gb_params_named(&out->params, e->ctx, e->info.name));
    GB_TRY(gb_ckks_encoder_new(&out->encoder, e->ctx, out->params));
    return gb_ckks_linear_new(&out->linear, e->ctx, out->encoder, size, diagonals, count,
                              gb_params_limbs(e->params, out->level), e->scale[out->level], 0);
}

gb_status gb_matrix_new(gb_matrix **out, gb_engine *e, const double *m, size_t size, unsigned level) {
    GB_TRY(gb_engine_need(e, "matrix", true, false, out, m));
    *out = NULL;
    if (size < 1 || size > e->info.slots || (size & (size - 1)) != 0)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "matrix: size %zu, must be a power of two up to %llu", size,
                       (unsigned long long)e->info.slots);
    if (level < 1 || level > e->top)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "matrix: level %u, must be 1..%u for %s", level, e->top, e->info.name);
    double *values = NULL;
    gb_ckks_diagonal *diagonals = NULL;
    gb_matrix *x;
    GB_TRY(gb_alloc_zero(&x, e->ctx, 1, sizeof *x));
    x->level = level;
    gb_status s = gb_alloc(&values, e->ctx, size * size, sizeof *values);
    if (s == GB_OK) s = gb_alloc(&diagonals, e->ctx, size, sizeof *diagonals);
    if (s == GB_OK) s = make_matrix(x, e, m, size, values, diagonals);
    gb_free(diagonals);
    gb_free(values);
    if (s != GB_OK) {
        gb_matrix_free(x);
        return s;
    }
    *out = x;
    return GB_OK;
}

gb_status gb_evalkeys_matrix(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, const gb_matrix *m) {
    GB_TRY(gb_engine_need(e, "make keys for a matrix", true, false, k, secret));
    GB_TRY(gb_engine_need(e, "make keys for a matrix", true, false, m, m));
    const size_t count = gb_ckks_linear_galois(NULL, 0, m->linear);
    uint64_t *galois;
    GB_TRY(gb_alloc(&galois, e->ctx, count ? count : 1, sizeof *galois));
    (void)gb_ckks_linear_galois(galois, count, m->linear);
    gb_status s = GB_OK;
    for (size_t i = 0; s == GB_OK && i < count; i++) s = gb_evalkeys_galois(k, e, secret, galois[i]);
    gb_free(galois);
    return s;
}

gb_status gb_matrix_apply(gb_cipher *out, gb_engine *e, const gb_matrix *m, const gb_cipher *a, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    gb_ct view;
    GB_TRY(check(e, "matrix", out, a));
    GB_TRY(gb_engine_need(e, "matrix", true, false, m, k));
    GB_TRY(gb_engine_keys(&keys, e, "matrix", k));
    if (gb_engine_level(e, &a->ct) < m->level)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "matrix: made for level %u, the ciphertext is at %u", m->level,
                       gb_engine_level(e, &a->ct));
    GB_TRY(gb_engine_lower(&view, e, &a->ct, m->level));
    GB_TRY(gb_ckks_linear_apply(&out->ct, e->eval, &view, m->linear, keys));
    return rescaled(out, e);
}

/* ---- functions ---- */
gb_status gb_ckks_function(gb_cipher *out, gb_engine *e, const gb_cipher *x, double (*f)(double x, void *user),
                           void *user, double a, double b, size_t degree, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    GB_TRY(check(e, "function", out, x));
    GB_TRY(gb_engine_need(e, "function", true, false, k, k));
    GB_TRY(gb_engine_keys(&keys, e, "function", k));
    if (!f || degree < 1 || degree > 1023 || !(isfinite(a) && isfinite(b) && a < b))
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "function: of degree %zu on [%g, %g]; 1..1023, a < b", degree, a, b);
    const unsigned depth = gb_ckks_poly_depth(degree) + (fabs(b - a - 2) > 1e-12 ? 1 : 0),
                   level = gb_engine_level(e, &x->ct);
    if (level < depth)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "function: degree %zu takes %u levels, the ciphertext has %u", degree,
                       depth, level);
    double *c;
    GB_TRY(gb_alloc(&c, e->ctx, degree + 1, sizeof *c));
    gb_status s = gb_chebyshev_fit(c, e->ctx, degree, f, user, a, b);
    for (size_t i = 0; s == GB_OK && i <= degree; i++)
        if (!isfinite(c[i])) s = gb_fail(e->ctx, GB_ERR_RANGE, "function: not finite on [%g, %g]", a, b);
    const gb_ckks_poly p = {.c = c, .degree = degree, .chebyshev = true, .a = a, .b = b};
    if (s == GB_OK) s = gb_ckks_poly_eval(&e->out, e->eval, &x->ct, &p, e->scale[level - depth], keys);
    gb_free(c);
    if (s != GB_OK) return s;
    gb_ct view;
    s = gb_engine_lower(&view, e, &e->out, level - depth);
    return s == GB_OK ? gb_engine_finish(out, e, &view, 0) : s;
}
