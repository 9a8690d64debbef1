/* scheme/ckks/functions: plans against their own claims in doubles, encrypted results against the functions. */
#include "rig.h"
#include "scheme/ckks/functions.h"

typedef struct fixture {
    rig r;
    double *x, *y, *want;
    gb_ct a, b, out;
} fixture;

static void begin(fixture *f, unsigned log_n, unsigned primes, unsigned specials) {
    uint64_t random = 21;
    gb_params_spec s = rig_spec(log_n, 48, 40, primes, 49, specials);
    rig_init(&f->r, 2, &s, 0);
    rig_key(&f->r, 1);
    f->x = rig_values(&f->r, &random), f->y = rig_values(&f->r, &random), f->want = rig_values(&f->r, &random);
    f->out = rig_room(&f->r);
}

static void encrypt(fixture *f) {
    gb_ct_release(&f->a);
    gb_ct_release(&f->b);
    rig_encrypt(&f->r, &f->a, f->x, NULL, f->r.slots, f->r.limbs);
    rig_encrypt(&f->r, &f->b, f->y, NULL, f->r.slots, f->r.limbs);
}

static void end(fixture *f) {
    gb_ct_release(&f->a);
    gb_ct_release(&f->b);
    gb_ct_release(&f->out);
    gb_free(f->x);
    gb_free(f->y);
    gb_free(f->want);
    rig_release(&f->r);
}

/* The claims of every plan hold at ten thousand points, and just beside 1, where noise may put a value. */
static void test_sign_plans(void **state) {
    (void)state;
    static gb_ckks_sign p;
    gb_ctx *ctx = test_context(1);
    static const unsigned depth[] = {0, 2, 3, 4, 6, 7, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25};
    for (unsigned alpha = 1; alpha <= 20; alpha += alpha < 8 ? 1 : 4) {
        double low = exp2(-(double)alpha), far = 0, most = 0;
        test_ok(ctx, gb_ckks_sign_plan(&p, ctx, alpha));
        assert_true(p.error <= low);
        assert_true(gb_ckks_sign_depth(&p) <= depth[alpha]);
        for (int i = 0; i <= 10000; i++) {
            double t = (double)i / 10000, x = i % 2 ? low + (1 + 0x1p-13 - low) * t : pow(low, 1 - t);
            far = fmax(far, fabs(gb_ckks_sign_at(&p, x) - 1));
            far = fmax(far, fabs(gb_ckks_sign_at(&p, -x) + 1));
            most = fmax(most, fabs(gb_ckks_sign_at(&p, low * t)));
        }
        if (!(far <= p.error) || !(most <= 1 + p.error))
            fail_msg("alpha %u: error %g where %g is claimed, %g between", alpha, far, p.error, most);
    }
    test_refused(ctx, gb_ckks_sign_plan(&p, ctx, 0), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_ckks_sign_plan(&p, ctx, 21), GB_ERR_ARGUMENT);
    gb_ctx_free(ctx);
}

static void check(fixture *f, unsigned depth, double bound, const char *what) {
    rig *r = &f->r;
    assert_int_equal(gb_params_level(r->p, r->limbs) - gb_params_level(r->p, f->out.limbs), depth);
    assert_true(f->out.scale == r->scale);
    double far = rig_error(r, &f->out, f->want, NULL, r->slots);
    if (!(far < bound)) fail_msg("%s: error %g where %g is allowed", what, far, bound);
}

/* all: comparison, absolute value, rectifier and maximum, too, which are the same sign, used. */
static void run_signs(fixture *f, unsigned alpha, bool all, double noise) {
    rig *r = &f->r;
    static gb_ckks_sign p;
    double low = exp2(-(double)alpha);
    size_t n = r->slots;
    test_ok(r->ctx, gb_ckks_sign_plan(&p, r->ctx, alpha));
    unsigned depth = gb_ckks_sign_depth(&p);
    for (size_t i = 0; i < n; i++) { /* |x| from low to 1; x - y is in the same range */
        f->x[i] = copysign(low * 1.001 + (1 - low * 1.001) * fabs(f->x[i]), f->x[i]);
        f->y[i] = 0;
    }
    encrypt(f);
    for (size_t i = 0; i < n; i++) f->want[i] = f->x[i] > 0 ? 1 : -1;
    test_ok(r->ctx, gb_ckks_sign_eval(&f->out, r->e, &f->a, &p, &r->keys));
    check(f, depth, p.error + noise, "sign");
    if (!all) return;
    for (size_t i = 0; i < n; i++) f->want[i] = f->x[i] > 0 ? 1 : 0;
    test_ok(r->ctx, gb_ckks_compare(&f->out, r->e, &f->a, &f->b, &p, &r->keys));
    check(f, depth, p.error / 2 + noise, "compare");
    for (size_t i = 0; i < n; i++) { /* everywhere, close calls too */
        f->y[i] = i % 3 ? f->x[i] * 0.999 : -f->x[i] / 4;
        f->x[i] *= i % 5 ? 0.7 : low * 0.3;
    }
    encrypt(f);
    for (size_t i = 0; i < n; i++) f->want[i] = fabs(f->x[i]);
    test_ok(r->ctx, gb_ckks_abs(&f->out, r->e, &f->a, &p, &r->keys));
    check(f, depth + 1, 2 * low + noise, "abs");
    for (size_t i = 0; i < n; i++) f->want[i] = fmax(f->x[i], 0);
    test_ok(r->ctx, gb_ckks_relu(&f->out, r->e, &f->a, &p, &r->keys));
    check(f, depth + 1, low + noise, "relu");
    for (size_t i = 0; i < n; i++) f->want[i] = fmax(f->x[i], f->y[i]);
    test_ok(r->ctx, gb_ckks_max(&f->out, r->e, &f->a, &f->b, &p, &r->keys));
    check(f, depth + 1, low + noise, "max");
}

static void test_signs(void **state) {
    (void)state;
    fixture f = {0};
    begin(&f, 14, 8, 2);
    run_signs(&f, 2, true, 1e-5);
    run_signs(&f, 4, true, 1e-5);
    end(&f);
    f = (fixture){0};
    begin(&f, 15, 18, 2);
    run_signs(&f, 6, true, 1e-5);
    run_signs(&f, 8, false, 1e-5);
    run_signs(&f, 12, false, 1e-5);
    end(&f);
}

static void test_inverse(void **state) {
    (void)state;
    fixture f = {0};
    begin(&f, 14, 8, 2);
    rig *r = &f.r;
    for (size_t i = 0; i < r->slots; i++) f.x[i] = 1.15 + 0.85 * f.x[i]; /* [0.3, 2] */
    encrypt(&f);
    for (unsigned squarings = 0; squarings <= 5; squarings++) {
        double r0 = gb_ckks_inverse_error(0.3, 2, squarings);
        test_ok(r->ctx, gb_ckks_inverse(&f.out, r->e, &f.a, 0.3, 2, squarings, &r->keys));
        assert_int_equal(8 - f.out.limbs, gb_ckks_inverse_depth(squarings));
        for (size_t i = 0; i < r->slots; i++) f.want[i] = 1 / f.x[i];
        double far = rig_error(r, &f.out, f.want, NULL, r->slots);
        if (!(far <= r0 / 0.3 + 1e-6)) fail_msg("%u squarings: error %g, claimed %g", squarings, far, r0 / 0.3);
    }
    test_refused(r->ctx, gb_ckks_inverse(&f.out, r->e, &f.a, 0.3, 2, 6, &r->keys), GB_ERR_LEVEL);
    test_refused(r->ctx, gb_ckks_inverse(&f.out, r->e, &f.a, 0, 2, 1, &r->keys), GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_inverse(&f.out, r->e, &f.a, 2, 2, 1, &r->keys), GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_inverse(&f.out, r->e, &f.a, 1, INFINITY, 1, &r->keys), GB_ERR_ARGUMENT);
    end(&f);
}

static double plain(gb_ckks_smooth f, double x) {
    return f == GB_SMOOTH_EXP       ? exp(x)
           : f == GB_SMOOTH_LOG     ? log(x)
           : f == GB_SMOOTH_SIGMOID ? 1 / (1 + exp(-x))
           : f == GB_SMOOTH_SQRT    ? sqrt(x)
                                    : 1 / x;
}

static void test_smooth(void **state) {
    (void)state;
    static const struct {
        gb_ckks_smooth f;
        double a, b, error;
    } list[] = {{GB_SMOOTH_EXP, -1, 1, 1e-8},      {GB_SMOOTH_EXP, -4, 2, 1e-5},     {GB_SMOOTH_LOG, 0.5, 4, 1e-5},
                {GB_SMOOTH_SIGMOID, -8, 8, 1e-4},  {GB_SMOOTH_SQRT, 0.25, 4, 1e-5},  {GB_SMOOTH_SQRT, 0, 1, 0.02},
                {GB_SMOOTH_INVERSE, 0.5, 4, 1e-5}, {GB_SMOOTH_SIGMOID, -1, 1, 1e-7}, {GB_SMOOTH_LOG, 0.05, 1, 1e-3},
                {GB_SMOOTH_SQRT, 0.01, 2, 1e-3},   {GB_SMOOTH_EXP, -8, 0, 1e-5}};
    fixture f = {0};
    begin(&f, 14, 8, 2);
    rig *r = &f.r;
    double *u = f.y;
    for (size_t t = 0; t < GB_COUNT(list); t++) {
        gb_ckks_fit fit;
        double a = list[t].a, b = list[t].b;
        test_ok(r->ctx, gb_ckks_fit_within(&fit, r->ctx, list[t].f, a, b, list[t].error));
        assert_true(fit.error <= list[t].error);
        if (fit.degree > 3) { /* half the degree is not enough */
            gb_ckks_fit half;
            test_ok(r->ctx, gb_ckks_fit_init(&half, r->ctx, list[t].f, a, b, fit.degree / 2));
            assert_true(half.error > list[t].error);
            gb_ckks_fit_release(&half);
        }
        for (size_t i = 0; i < r->slots; i++) f.x[i] = (a + b + (b - a) * u[i]) / 2;
        gb_ct_release(&f.a);
        rig_encrypt(r, &f.a, f.x, NULL, r->slots, r->limbs);
        test_ok(r->ctx, gb_ckks_fit_eval(&f.out, r->e, &f.a, &fit, &r->keys));
        for (size_t i = 0; i < r->slots; i++) f.want[i] = plain(list[t].f, f.x[i]);
        check(&f, gb_ckks_fit_depth(&fit), fit.error + 3e-6, "smooth function");
        gb_ckks_fit_release(&fit);
    }
    gb_ckks_fit fit;
    test_refused(r->ctx, gb_ckks_fit_init(&fit, r->ctx, GB_SMOOTH_LOG, 0, 1, 7), GB_ERR_RANGE);
    test_refused(r->ctx, gb_ckks_fit_init(&fit, r->ctx, GB_SMOOTH_SQRT, -1, 1, 7), GB_ERR_RANGE);
    test_refused(r->ctx, gb_ckks_fit_init(&fit, r->ctx, GB_SMOOTH_EXP, 0, 1000, 7), GB_ERR_RANGE);
    test_refused(r->ctx, gb_ckks_fit_init(&fit, r->ctx, GB_SMOOTH_EXP, 1, 1, 7), GB_ERR_RANGE);
    test_refused(r->ctx, gb_ckks_fit_init(&fit, r->ctx, GB_SMOOTH_EXP, 0, 1, 0), GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_fit_within(&fit, r->ctx, GB_SMOOTH_EXP, 0, 1, 1e-20), GB_ERR_RANGE);
    assert_null(fit.c);
    end(&f);
}

static void test_refusals(void **state) {
    (void)state;
    static gb_ckks_sign p;
    fixture f = {0};
    gb_eval_keys none = {0};
    begin(&f, 14, 7, 2);
    encrypt(&f);
    rig *r = &f.r;
    test_ok(r->ctx, gb_ckks_sign_plan(&p, r->ctx, 4)); /* depth 6 */
    test_refused(r->ctx, gb_ckks_sign_eval(&f.out, r->e, &f.a, &p, &none), GB_ERR_KEY);
    test_refused(r->ctx, gb_ckks_relu(&f.out, r->e, &f.a, &p, &r->keys), GB_ERR_LEVEL);
    test_refused(r->ctx, gb_ckks_max(&f.out, r->e, &f.a, &f.b, &p, &r->keys), GB_ERR_LEVEL);
    f.b.scale *= 2;
    test_refused(r->ctx, gb_ckks_compare(&f.out, r->e, &f.a, &f.b, &p, &r->keys), GB_ERR_LEVEL);
    gb_status status = GB_ERR_MEMORY;
    f.a.limbs = 5;
    for (uint64_t n = 1; status != GB_OK; n++) {
        gb_ckks_fit fit = {0};
        gb_alloc_fail_at(n);
        status = gb_ckks_inverse(&f.out, r->e, &f.a, 0.5, 2, 1, &r->keys);
        if (status == GB_OK) status = gb_ckks_fit_init(&fit, r->ctx, GB_SMOOTH_EXP, -1, 1, 3);
        if (status == GB_OK) status = gb_ckks_fit_eval(&f.out, r->e, &f.a, &fit, &r->keys);
        gb_alloc_fail_at(0);
        assert_true(status == GB_OK || status == GB_ERR_MEMORY);
        assert_true(n < 100);
        gb_ckks_fit_release(&fit);
    }
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign_plans), cmocka_unit_test(test_signs),    cmocka_unit_test(test_inverse),
        cmocka_unit_test(test_smooth),     cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
