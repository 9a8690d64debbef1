/* engine/matrices: public matrices on encrypted vectors. */
#include <math.h>

#include "engine/internal.h"
#include "glovebox/ckks.h"

/* y[i] = sum over d of M[i][i + d] x[i + d] */
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

static gb_status make_matrix(gb_matrix *out, gb_engine *e, const double *m, size_t size, unsigned flags, double *values,
                             gb_ckks_diagonal *diagonals) {
    gb_ckks_linear_config config;
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
    gb_ckks_linear_config_defaults(&config);
    config.compact = flags & GB_MATRIX_COMPACT;
    if (flags & GB_MATRIX_FEW_KEYS) config.keys = GB_LINEAR_ONE_GIANT;
    if (flags & GB_MATRIX_FEWEST_KEYS) config.keys = GB_LINEAR_FEWEST;
    GB_TRY(gb_params_named(&out->params, e->ctx, e->info.name));
    GB_TRY(gb_ckks_encoder_new(&out->encoder, e->ctx, out->params));
    return gb_ckks_linear_new(&out->linear, e->ctx, out->encoder, size, diagonals, count,
                              gb_engine_limbs(e, out->level), e->scale[out->level], &config);
}

gb_status gb_matrix_new(gb_matrix **out, gb_engine *e, const double *m, size_t size, unsigned level, unsigned flags) {
    GB_TRY(gb_engine_need(e, "matrix", true, false, out, m));
    *out = NULL;
    if (size < 1 || size > e->info.slots || (size & (size - 1)) != 0)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "matrix: size %zu, must be a power of two up to %llu", size,
                       (unsigned long long)e->info.slots);
    if (flags > (GB_MATRIX_FEW_KEYS | GB_MATRIX_FEWEST_KEYS | GB_MATRIX_COMPACT))
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "matrix: flags %u, which this version does not know", flags);
    if (level < 1 || level > e->top)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "matrix: level %u, must be 1..%u for %s", level, e->top, e->info.name);
    double *values = NULL;
    gb_ckks_diagonal *diagonals = NULL;
    gb_matrix *x;
    GB_TRY(gb_alloc_zero(&x, e->ctx, 1, sizeof *x));
    x->level = level;
    gb_status s = gb_alloc(&values, e->ctx, size * size, sizeof *values);
    if (s == GB_OK) s = gb_alloc(&diagonals, e->ctx, size, sizeof *diagonals);
    if (s == GB_OK) s = make_matrix(x, e, m, size, flags, values, diagonals);
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
    for (size_t i = 0; s == GB_OK && i < count; i++) s = gb_evalkeys_galois(k, e, secret, galois[i], m->level);
    gb_free(galois);
    return s;
}

size_t gb_matrix_keys(const gb_matrix *m) { return m ? gb_ckks_linear_galois(NULL, 0, m->linear) : 0; }

gb_status gb_matrix_apply(gb_cipher *out, gb_engine *e, const gb_matrix *m, const gb_cipher *a, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    gb_ct view;
    GB_TRY(gb_engine_need(e, "matrix", true, false, out, a));
    GB_TRY(gb_engine_output(e, "matrix", out));
    GB_TRY(gb_engine_filled(e, "matrix", a));
    GB_TRY(gb_engine_need(e, "matrix", true, false, m, k));
    GB_TRY(gb_engine_keys(&keys, e, "matrix", k, &a->key));
    if (gb_engine_level(e, &a->ct) < m->level)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "matrix: made for level %u, the ciphertext is at %u", m->level,
                       gb_engine_level(e, &a->ct));
    GB_TRY(gb_engine_lower(&view, e, &a->ct, m->level));
    GB_TRY(gb_ckks_linear_apply(&out->ct, e->eval, &view, m->linear, keys));
    return gb_engine_rescaled(out, e, &a->key);
}
