/* Tables as polynomials modulo t, and their evaluation. */
#include "scheme/bfv/predicates.h"
#include "scheme/bfv/internal.h"

void gb_bfv_poly_release(gb_bfv_poly *p) {
    gb_free(p->c);
    memset(p, 0, sizeof *p);
}

static uint64_t residue_of(const gb_bfv *b, int64_t v) {
    int64_t r = v % (int64_t)b->t;
    return (uint64_t)(r < 0 ? r + (int64_t)b->t : r);
}

static uint64_t sub_mod(uint64_t a, uint64_t b, uint64_t t) { return a >= b ? a - b : a + t - b; }

/* Newton's divided differences at low, low + 1, ...: the k-th are divided by k, and t > count is prime. */
static void divided_differences(uint64_t *d, size_t count, const gb_modulus *t) {
    for (size_t k = 1; k < count; k++) {
        uint64_t inverse = gb_mod_inv(k, t);
        for (size_t i = count; i-- > k;) d[i] = gb_mod_mul(sub_mod(d[i], d[i - 1], t->q), inverse, t);
    }
}

/* Horner's rule over (x - low - i): c and d have count entries. */
static void expand(uint64_t *c, const uint64_t *d, size_t count, const gb_bfv *b, int64_t low) {
    const gb_modulus *t = gb_ring_modulus(b->plain, 0);
    memset(c, 0, count * sizeof *c);
    for (size_t i = count; i-- > 0;) {
        uint64_t root = residue_of(b, low + (int64_t)i);
        for (size_t j = count; j-- > 0;) {
            uint64_t shifted = j ? c[j - 1] : 0;
            c[j] = sub_mod(shifted, gb_mod_mul(c[j], root, t), b->t);
        }
        c[0] = (c[0] + d[i]) % b->t;
    }
}

gb_status gb_bfv_poly_table(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, int64_t low, const int64_t *values,
                            size_t count) {
    uint64_t *d;
    memset(out, 0, sizeof *out);
    if (count < 1 || count > GB_BFV_TABLE_MAX || low < -(INT64_C(1) << 60) || low > INT64_C(1) << 60)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a table has 1 to %d points from within 2^60 of 0, not %zu from %lld",
                       GB_BFV_TABLE_MAX, count, (long long)low);
    GB_TRY(gb_alloc(&d, ctx, count, sizeof *d));
    gb_status s = gb_alloc(&out->c, ctx, count, sizeof *out->c);
    if (s == GB_OK) {
        for (size_t i = 0; i < count; i++) d[i] = residue_of(b, values[i]);
        divided_differences(d, count, gb_ring_modulus(b->plain, 0));
        expand(out->c, d, count, b, low);
        for (out->degree = count - 1; out->degree && out->c[out->degree] == 0;) out->degree--;
    }
    gb_free(d);
    return s;
}

gb_status gb_bfv_poly_within(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, int64_t low, int64_t high, int64_t first,
                             int64_t last) {
    int64_t values[GB_BFV_TABLE_MAX];
    memset(out, 0, sizeof *out);
    if (high < low || (uint64_t)high - (uint64_t)low >= GB_BFV_TABLE_MAX)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a declared range has 1 to %d values, not [%lld, %lld]", GB_BFV_TABLE_MAX,
                       (long long)low, (long long)high);
    size_t count = (size_t)(high - low) + 1;
    for (size_t i = 0; i < count; i++) values[i] = low + (int64_t)i >= first && low + (int64_t)i <= last;
    return gb_bfv_poly_table(out, ctx, b, low, values, count);
}

gb_status gb_bfv_poly_equal(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, unsigned width) {
    return gb_bfv_poly_within(out, ctx, b, -(int64_t)width, width, 0, 0);
}

gb_status gb_bfv_poly_less(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, unsigned width) {
    return gb_bfv_poly_within(out, ctx, b, -(int64_t)width, width, -(int64_t)width, -1);
}

unsigned gb_bfv_poly_depth(const gb_bfv_poly *p) { return gb_ckks_poly_depth(p->degree); }

/* ---- evaluation ---- */
gb_status gb_bfv_mul_scalar(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, int64_t s) {
    const gb_bfv *b = gb_bfv_eval_context(x);
    gb_ctx *ctx = gb_eval_ctx(gb_bfv_eval_core(x));
    if (!gb_params_same(a->params, b->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "ciphertext and BFV context have different parameters");
    GB_TRY(gb_ct_copy(out, ctx, a));
    uint64_t r = residue_of(b, s);
    for (unsigned j = 0; j < out->limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(b->ring, j);
        bool negative = r > b->t / 2; /* centred: the noise grows by at most t / 2 */
        uint64_t v = (negative ? b->t - r : r) % m->q;
        for (unsigned p = 0; p < out->parts; p++)
            gb_ring_kernels(b->ring)->mul_scalar(gb_ct_limb(out, p, j), gb_ct_limb(out, p, j),
                                                 negative && v ? m->q - v : v, gb_ring_n(b->ring), m);
    }
    return GB_OK;
}

gb_status gb_bfv_add_scalar(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, int64_t s) {
    const gb_bfv *b = gb_bfv_eval_context(x);
    uint64_t *poly;
    GB_TRY(gb_alloc_zero(&poly, gb_eval_ctx(gb_bfv_eval_core(x)), gb_ring_n(b->ring), sizeof *poly));
    poly[0] = residue_of(b, s);
    gb_status status = gb_bfv_add_plain(out, x, a, poly);
    gb_free(poly);
    return status;
}

/* Powers of x: 1..baby - 1, and 2^i from baby on, made when first asked for. */
typedef struct powers {
    gb_bfv_eval *e;
    gb_ctx *ctx;
    const gb_bfv *b;
    const gb_eval_keys *keys;
    gb_ct of[GB_BFV_TABLE_MAX];
} powers;

static gb_status make(gb_ct *c, powers *s) { return gb_ct_init(c, s->ctx, s->of[1].params, 3, s->of[1].limbs); }

static gb_status power(powers *s, size_t i) {
    if (s->of[i].data) return GB_OK;
    GB_TRY(power(s, i / 2));
    GB_TRY(power(s, i - i / 2));
    GB_TRY(make(&s->of[i], s));
    return gb_bfv_mul(&s->of[i], s->e, &s->of[i - i / 2], &s->of[i / 2], s->keys);
}

/* out is made here. */
static gb_status eval(gb_ct *out, powers *s, const uint64_t *c, size_t degree, size_t baby);

static gb_status leaf(gb_ct *out, powers *s, const uint64_t *c, size_t degree) {
    gb_ct work;
    GB_TRY(make(out, s));
    out->parts = 2;
    GB_TRY(make(&work, s));
    gb_status status = GB_OK;
    for (size_t i = 1; i <= degree && status == GB_OK; i++) {
        if (!c[i]) continue;
        status = power(s, i);
        if (status == GB_OK) status = gb_bfv_mul_scalar(&work, s->e, &s->of[i], (int64_t)c[i]);
        if (status == GB_OK) status = gb_ct_add(out, gb_bfv_eval_core(s->e), out, &work);
    }
    if (status == GB_OK && c[0]) status = gb_bfv_add_scalar(out, s->e, out, (int64_t)c[0]);
    gb_ct_release(&work);
    return status;
}

/* p = q x^m + r, m the largest power of two in the degree. */
static gb_status eval_split(gb_ct *out, powers *s, const uint64_t *c, size_t degree, size_t baby) {
    size_t m = (size_t)1 << (gb_ckks_poly_depth(degree) - 1);
    gb_ct high = {0}, low = {0};
    GB_TRY(power(s, m));
    gb_status status = eval(&high, s, c + m, degree - m, baby);
    if (status == GB_OK) status = make(out, s);
    if (status == GB_OK) status = gb_bfv_mul(out, s->e, &high, &s->of[m], s->keys);
    gb_ct_release(&high);
    if (status == GB_OK) status = eval(&low, s, c, m - 1, baby);
    if (status == GB_OK) status = gb_ct_add(out, gb_bfv_eval_core(s->e), out, &low);
    gb_ct_release(&low);
    return status;
}

static gb_status eval(gb_ct *out, powers *s, const uint64_t *c, size_t degree, size_t baby) {
    while (degree && !c[degree]) degree--;
    return degree < baby ? leaf(out, s, c, degree) : eval_split(out, s, c, degree, baby);
}

gb_status gb_bfv_poly_eval(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_bfv_poly *p, const gb_eval_keys *k) {
    powers *s;
    gb_ct result = {0};
    gb_ctx *ctx = gb_eval_ctx(gb_bfv_eval_core(e));
    const gb_bfv *b = gb_bfv_eval_context(e);
    if (!gb_params_same(x->params, b->params) || x->parts != 2)
        return gb_fail(ctx, GB_ERR_PARAMS, "a polynomial takes a two-part ciphertext of the BFV context's parameters");
    if (!p->c || p->degree >= GB_BFV_TABLE_MAX)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "the polynomial is empty or its degree is over %d", GB_BFV_TABLE_MAX - 1);
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof *s));
    s->e = e, s->ctx = ctx, s->b = b, s->keys = k;
    gb_status status = gb_ct_init(&s->of[1], ctx, x->params, 3, x->limbs);
    if (status == GB_OK) status = gb_ct_copy(&s->of[1], ctx, x);
    size_t baby = (size_t)1 << (gb_bfv_poly_depth(p) + 1) / 2;
    if (status == GB_OK) status = eval(&result, s, p->c, p->degree, baby < 2 ? 2 : baby);
    if (status == GB_OK) status = gb_ct_copy(out, ctx, &result);
    gb_ct_release(&result);
    for (size_t i = 0; i < GB_BFV_TABLE_MAX; i++) gb_ct_release(&s->of[i]);
    gb_free(s);
    return status;
}

/* x^(t-1) by squares, from the highest bit of t - 1 down. */
gb_status gb_bfv_is_zero(gb_ct *out, gb_bfv_eval *e, const gb_ct *x, const gb_eval_keys *k) {
    gb_ctx *ctx = gb_eval_ctx(gb_bfv_eval_core(e));
    const gb_bfv *b = gb_bfv_eval_context(e);
    uint64_t power_of = b->t - 1;
    int bit = 63 - __builtin_clzll(power_of);
    gb_ct a, work = {0};
    GB_TRY(gb_ct_init(&a, ctx, b->params, 3, x->limbs));
    gb_status s = gb_ct_init(&work, ctx, b->params, 3, x->limbs);
    if (s == GB_OK) s = gb_ct_copy(&a, ctx, x);
    while (s == GB_OK && --bit >= 0) {
        s = gb_bfv_mul(&work, e, &a, &a, k);
        if (s == GB_OK && (power_of >> bit & 1)) {
            s = gb_bfv_mul(&a, e, &work, x, k);
        } else if (s == GB_OK) {
            gb_ct t = a;
            a = work, work = t;
        }
    }
    if (s == GB_OK) s = gb_ct_neg(&a, gb_bfv_eval_core(e), &a);
    if (s == GB_OK) s = gb_bfv_add_scalar(&a, e, &a, 1);
    if (s == GB_OK) s = gb_ct_copy(out, ctx, &a);
    gb_ct_release(&a);
    gb_ct_release(&work);
    return s;
}
