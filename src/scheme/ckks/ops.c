/* CKKS evaluation: what core/cipher.h does, with scales kept. */
#include <math.h>

#include "scheme/ckks/ckks.h"
#include "scheme/core/eval.h"

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
    if (!(fabs(*out) < ldexp(1, 240)))
        return gb_fail(gb_eval_ctx(e), GB_ERR_RANGE, "a scalar at scale 2^%.1f is not below 2^240", log2(scale));
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

gb_status gb_ckks_tensor(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
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
    GB_TRY(gb_ckks_tensor(out, e, a, b));
    return gb_ct_relinearize(out, e, k);
}

/* Primes of the level of c and their product, LEVEL when it is the last. */
static gb_status level_primes(unsigned *count, double *divisor, gb_eval *e, const gb_ct *c) {
    unsigned level = gb_params_level(c->params, c->limbs);
    if (level == 0)
        return gb_fail(gb_eval_ctx(e), GB_ERR_LEVEL, "no level left to rescale; bootstrap or choose deeper parameters");
    *count = c->limbs - gb_params_limbs(c->params, level - 1);
    *divisor = gb_params_divisor(c->params, level);
    return GB_OK;
}

gb_status gb_ckks_relinearize_rescale(gb_ct *c, gb_eval *e, const gb_eval_keys *k) {
    unsigned primes = 0;
    double divisor = 1;
    GB_TRY(level_primes(&primes, &divisor, e, c));
    GB_TRY(gb_ct_relinearize_divide(c, e, k, primes));
    c->scale /= divisor;
    return GB_OK;
}

gb_status gb_ckks_mul_rescale(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k) {
    GB_TRY(gb_ckks_tensor(out, e, a, b));
    return gb_ckks_relinearize_rescale(out, e, k);
}

gb_status gb_ckks_rescale(gb_ct *c, gb_eval *e) {
    unsigned primes = 0;
    double divisor = 1;
    GB_TRY(level_primes(&primes, &divisor, e, c));
    GB_TRY(gb_ct_divide(c, e, primes));
    c->scale /= divisor;
    return GB_OK;
}

/* ---- sums of multiples ---- */
typedef struct combine_task {
    gb_eval *e;
    gb_ct *out;
    const gb_ct *a[GB_COMBINE_TERMS];
    double weight[GB_COMBINE_TERMS]; /* integers */
    size_t count;
    bool add;
} combine_task;

static void combine_limb(void *user, size_t j, unsigned worker) {
    combine_task *t = user;
    const gb_eval *e = t->e;
    const gb_modulus *m = gb_ring_modulus(e->ring, j);
    const uint64_t *rows[GB_COMBINE_TERMS];
    uint64_t weight[GB_COMBINE_TERMS], *sum = gb_eval_scratch(e, worker, 0);
    for (size_t i = 0; i < t->count; i++) weight[i] = residue(t->weight[i], m);
    for (unsigned p = 0; p < 2; p++) {
        uint64_t *out = gb_ct_limb(t->out, p, (unsigned)j);
        for (size_t i = 0; i < t->count; i++) rows[i] = gb_ct_limb(t->a[i], p, (unsigned)j);
        e->extend->extend(sum, rows, weight, t->count, e->n, m);
        if (t->add)
            e->kernels->add(out, out, sum, e->n, m);
        else
            memcpy(out, sum, e->n * sizeof(*out));
    }
}

gb_status gb_ckks_combine(gb_ct *out, gb_eval *e, const gb_ct *const *a, const double *weight, size_t count,
                          unsigned limbs, double scale, bool add) {
    combine_task t = {.e = e, .out = out, .count = count, .add = add};
    gb_ctx *ctx = gb_eval_ctx(e);
    if (count < 1 || count > GB_COMBINE_TERMS)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a sum of %zu multiples; 1 to %d", count, GB_COMBINE_TERMS);
    for (size_t i = 0; i < count; i++) {
        if (!gb_params_same(a[i]->params, gb_eval_params(e)) || a[i]->parts != 2 || !a[i]->ntt)
            return gb_fail(ctx, GB_ERR_PARAMS, "a sum takes two-part ciphertexts in NTT form of the evaluator's set");
        if (a[i]->limbs < limbs)
            return gb_fail(ctx, GB_ERR_LEVEL, "a sum at %u limbs takes no ciphertext of %u", limbs, a[i]->limbs);
        t.a[i] = a[i];
        GB_TRY(scalar_of(&t.weight[i], e, weight[i], scale / a[i]->scale));
    }
    if (!gb_params_same(out->params, gb_eval_params(e)) || (add && (!out->ntt || out->limbs != limbs)))
        return gb_fail(ctx, GB_ERR_LEVEL, "what a sum is added to has %u limbs, not %u", out->limbs, limbs);
    if (add)
        GB_TRY(same_scale(e, out->scale, scale));
    else
        GB_TRY(gb_ct_shape(out, ctx, limbs, scale));
    gb_parallel(ctx, limbs, combine_limb, &t);
    return GB_OK;
}

gb_status gb_ckks_rotate(gb_ct *out, gb_eval *e, const gb_ct *a, int step, const gb_eval_keys *k) {
    return gb_ct_automorphism(out, e, a, gb_galois_rotation(gb_eval_params(e), step), k);
}

gb_status gb_ckks_conjugate(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_eval_keys *k) {
    return gb_ct_automorphism(out, e, a, gb_galois_conjugation(gb_eval_params(e)), k);
}
