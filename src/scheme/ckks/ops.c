/* CKKS evaluation: what core/cipher.h does, with scales kept. */
#include <math.h>

#include "scheme/ckks/ckks.h"

static gb_status same_scale(gb_eval *e, double a, double b) {
    if (!(fabs(a - b) <= ldexp(fabs(a), -40)))
        return gb_fail(gb_eval_ctx(e), GB_ERR_LEVEL,
                       "operands have scales 2^%.6f and 2^%.6f; rescale or adjust one first", log2(a), log2(b));
    return GB_OK;
}

/* Views of a and b at the limbs both have; nothing is copied. */
static void level_views(gb_ct *va, gb_ct *vb, const gb_ct *a, const gb_ct *b) {
    *va = *a;
    *vb = *b;
    va->limbs = vb->limbs = a->limbs < b->limbs ? a->limbs : b->limbs;
}

gb_status gb_ckks_add(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
    gb_ct va, vb;
    GB_TRY(same_scale(e, a->scale, b->scale));
    level_views(&va, &vb, a, b);
    GB_TRY(gb_ct_add(out, e, &va, &vb));
    out->scale = va.scale;
    return GB_OK;
}

gb_status gb_ckks_sub(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
    gb_ct va, vb;
    GB_TRY(same_scale(e, a->scale, b->scale));
    level_views(&va, &vb, a, b);
    GB_TRY(gb_ct_sub(out, e, &va, &vb));
    out->scale = va.scale;
    return GB_OK;
}

static gb_status check_plain(gb_eval *e, const gb_ct *a, const gb_pt *b) {
    if (!b->params || !gb_params_same(b->params, a->params) || !gb_params_same(a->params, gb_eval_params(e)))
        return gb_fail(gb_eval_ctx(e), GB_ERR_PARAMS, "plaintext, ciphertext and evaluator have different parameters");
    if (b->limbs < a->limbs)
        return gb_fail(gb_eval_ctx(e), GB_ERR_LEVEL, "the plaintext has %u limbs, the ciphertext %u; encode it higher",
                       b->limbs, a->limbs);
    return GB_OK;
}

typedef struct plain_task {
    const gb_eval *e;
    const gb_ct *a;
    gb_ct *c;
    const gb_pt *p;
    double scalar; /* an integer */
} plain_task;

static void add_plain_limb(void *user, size_t j, unsigned worker) {
    plain_task *t = user;
    const gb_ring *r = gb_params_ring(t->c->params);
    size_t n = gb_ring_n(r);
    uint64_t *c0 = gb_ct_limb(t->c, 0, (unsigned)j);
    (void)worker;
    gb_ring_kernels(r)->add(c0, c0, t->p->data + j * n, n, gb_ring_modulus(r, j));
}

gb_status gb_ckks_add_plain(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_pt *b) {
    GB_TRY(check_plain(e, a, b));
    GB_TRY(same_scale(e, a->scale, b->scale));
    GB_TRY(gb_ct_copy(out, gb_eval_ctx(e), a));
    gb_parallel(gb_eval_ctx(e), out->limbs, add_plain_limb, &(plain_task){e, a, out, b, 0});
    return GB_OK;
}

gb_status gb_ckks_mul_plain(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_pt *b) {
    GB_TRY(check_plain(e, a, b));
    double scale = a->scale * b->scale;
    GB_TRY(gb_ct_mul_poly(out, e, a, b->data));
    out->scale = scale;
    return GB_OK;
}

/* An integer held in a double (53 bits and an exponent) modulo a prime. */
static uint64_t residue(double v, const gb_modulus *m) {
    int exponent;
    double mantissa = frexp(fabs(v), &exponent);
    uint64_t r = (uint64_t)ldexp(mantissa, exponent < 53 ? exponent : 53) % m->q;
    if (exponent > 53) r = gb_mod_mul(r, gb_mod_pow(2, (uint64_t)(exponent - 53), m), m);
    return v < 0 && r ? m->q - r : r;
}

/* A constant polynomial is the same constant in every entry of its NTT. */
static void add_scalar_limb(void *user, size_t j, unsigned worker) {
    plain_task *t = user;
    const gb_ring *r = gb_params_ring(t->c->params);
    uint64_t q = gb_ring_modulus(r, j)->q, s = residue(t->scalar, gb_ring_modulus(r, j)),
             *c0 = gb_ct_limb(t->c, 0, (unsigned)j);
    (void)worker;
    for (size_t i = 0; i < gb_ring_n(r); i++) {
        uint64_t x = c0[i] + s;
        c0[i] = x - (x >= q ? q : 0);
    }
}

static void mul_scalar_limb(void *user, size_t j, unsigned worker) {
    plain_task *t = user;
    const gb_ring *r = gb_params_ring(t->c->params);
    const gb_modulus *m = gb_ring_modulus(r, j);
    (void)worker;
    for (unsigned p = 0; p < t->c->parts; p++) {
        const uint64_t *x = gb_ct_limb(t->a, p, (unsigned)j);
        gb_ring_kernels(r)->mul_scalar(gb_ct_limb(t->c, p, (unsigned)j), x, residue(t->scalar, m), gb_ring_n(r), m);
    }
}

static gb_status scalar_of(double *out, gb_eval *e, double s, double scale) {
    *out = round(s * scale);
    if (!(fabs(*out) < ldexp(1, 120)))
        return gb_fail(gb_eval_ctx(e), GB_ERR_RANGE, "a scalar at scale 2^%.1f is not below 2^120", log2(scale));
    return GB_OK;
}

gb_status gb_ckks_add_scalar(gb_ct *out, gb_eval *e, const gb_ct *a, double s) {
    plain_task t = {e, a, out, NULL, 0};
    GB_TRY(scalar_of(&t.scalar, e, s, a->scale));
    GB_TRY(gb_ct_copy(out, gb_eval_ctx(e), a));
    gb_parallel(gb_eval_ctx(e), out->limbs, add_scalar_limb, &t);
    return GB_OK;
}

gb_status gb_ckks_mul_scalar(gb_ct *out, gb_eval *e, const gb_ct *a, double s, double scale) {
    plain_task t = {e, a, out, NULL, 0};
    double product = a->scale * scale;
    GB_TRY(scalar_of(&t.scalar, e, s, scale));
    GB_TRY(gb_ct_shape_like(out, gb_eval_ctx(e), a));
    gb_parallel(gb_eval_ctx(e), out->limbs, mul_scalar_limb, &t);
    out->scale = product;
    return GB_OK;
}

static gb_status product(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
    gb_ct va, vb;
    if (out == a || out == b || out->room < 3)
        return gb_fail(gb_eval_ctx(e), GB_ERR_ARGUMENT, "a product needs an output of its own with room for 3 parts");
    level_views(&va, &vb, a, b);
    double scale = a->scale * b->scale;
    GB_TRY(gb_ct_tensor(out, e, &va, &vb));
    out->scale = scale;
    return GB_OK;
}

gb_status gb_ckks_mul(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k) {
    GB_TRY(product(out, e, a, b));
    return gb_ct_relinearize(out, e, k);
}

/* Primes of the level of c, LEVEL when it is the last. */
static gb_status level_primes(unsigned *count, gb_eval *e, const gb_ct *c) {
    unsigned level = gb_params_level(c->params, c->limbs);
    if (level == 0)
        return gb_fail(gb_eval_ctx(e), GB_ERR_LEVEL, "no level left to rescale; bootstrap or choose deeper parameters");
    *count = c->limbs - gb_params_limbs(c->params, level - 1);
    return GB_OK;
}

gb_status gb_ckks_mul_rescale(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k) {
    unsigned primes = 0;
    GB_TRY(product(out, e, a, b));
    GB_TRY(level_primes(&primes, e, out));
    double divisor = gb_params_divisor(out->params, gb_params_level(out->params, out->limbs));
    GB_TRY(gb_ct_relinearize_divide(out, e, k, primes));
    out->scale /= divisor;
    return GB_OK;
}

gb_status gb_ckks_rescale(gb_ct *c, gb_eval *e) {
    unsigned primes = 0;
    GB_TRY(level_primes(&primes, e, c));
    double divisor = gb_params_divisor(c->params, gb_params_level(c->params, c->limbs));
    GB_TRY(gb_ct_divide(c, e, primes));
    c->scale /= divisor;
    return GB_OK;
}

gb_status gb_ckks_rotate(gb_ct *out, gb_eval *e, const gb_ct *a, int step, const gb_eval_keys *k) {
    return gb_ct_automorphism(out, e, a, gb_galois_rotation(gb_eval_params(e), step), k);
}

gb_status gb_ckks_conjugate(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_eval_keys *k) {
    return gb_ct_automorphism(out, e, a, gb_galois_conjugation(gb_eval_params(e)), k);
}
