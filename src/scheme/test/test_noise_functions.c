/* circuit/bounds against measurements: functions made of many operations. Measured errors stay under the worst case and
 * under what a refusal goes by; their root mean square is within two bits of the average, over several seeds. */
#include "rig.h"
#include "scheme/circuit/bounds.h"
#include "scheme/ckks/pack.h"

typedef struct fixture {
    rig r;
    gb_noise_model average, sure;
    double *x, *want, *want_im; /* want_im NULL: zeros */
    gb_ct a, out;
    gb_noise fresh[2]; /* by each model */
    const char *what;
} fixture;

#define SEEDS 3

static void setup(fixture *f, unsigned log_n, unsigned count) {
    memset(f, 0, sizeof *f);
    gb_params_spec s = rig_spec(log_n, 48, 40, count, 50, log_n > 13 ? 2 : 1);
    rig_init(&f->r, 2, &s, 0);
    rig_key(&f->r, 1);
    rig_key(&f->r, gb_galois_conjugation(f->r.p));
    gb_noise_model_init(&f->average, f->r.p, 0);
    f->sure = f->average;
    f->sure.dependent = true;
    test_ok(f->r.ctx, gb_alloc(&f->x, f->r.ctx, f->r.slots, sizeof(double)));
    test_ok(f->r.ctx, gb_alloc(&f->want, f->r.ctx, f->r.slots, sizeof(double)));
    f->out = rig_room(&f->r);
}

static void teardown(fixture *f) {
    gb_free(f->x);
    gb_free(f->want);
    gb_ct_release(&f->out);
    rig_release(&f->r);
}

/* Fills x with uniform values of [low, high] and encrypts them at `limbs`. */
static void inputs(fixture *f, uint64_t seed, gb_interval range, unsigned limbs) {
    rig *r = &f->r;
    double most = gb_interval_most(range), a = range.low, b = range.high;
    for (size_t i = 0; i < r->slots; i++) f->x[i] = (a + b + (b - a) * rig_uniform(&seed)) / 2;
    rig_encrypt(r, &f->a, f->x, NULL, r->slots, limbs);
    gb_noise_fresh(&f->fresh[0], &f->average, limbs, r->scale, most, sqrt((a * a + a * b + b * b) / 3), false);
    gb_noise_fresh(&f->fresh[1], &f->sure, limbs, r->scale, most, most, false);
}

/* The result's error against both predictions; a slot's is sqrt(N) times as large as its coefficients. */
static void compare(fixture *f, const gb_noise *average, const gb_noise *sure) {
    rig *r = &f->r;
    double worst = 0, sum = 0;
    test_ok(r->ctx, gb_ckks_decrypt(r->re, r->im, r->slots, r->ctx, r->s, r->enc, &f->out));
    for (size_t i = 0; i < r->slots; i++) {
        double d = hypot(r->re[i] - f->want[i], r->im[i] - (f->want_im ? f->want_im[i] : 0)) * f->out.scale;
        worst = fmax(worst, d);
        sum += d * d;
    }
    double rms = log2(sqrt(sum / (double)r->slots / (double)r->n));
    assert_int_equal(average->limbs, f->out.limbs);
    if (!(log2(worst) <= average->worst))
        fail_msg("%s: 2^%.2f over its worst case 2^%.2f", f->what, log2(worst), average->worst);
    if (!(fabs(rms - average->rms) <= 2)) fail_msg("%s: rms 2^%.2f, predicted 2^%.2f", f->what, rms, average->rms);
    if (!(rms <= sure->rms)) fail_msg("%s: rms 2^%.2f over what is refused by, 2^%.2f", f->what, rms, sure->rms);
    if (getenv("GLOVEBOX_SHOW"))
        print_message("%-28s rms %6.2f average %6.2f sure %6.2f worst %6.2f of %7.2f\n", f->what, rms, average->rms,
                      sure->rms, log2(worst), average->worst);
    double precision = gb_noise_precision(&f->sure, sure, f->out.scale);
    if (!(worst / f->out.scale <= exp2(-precision)))
        fail_msg("%s: error 2^%.2f, promised 2^-%.2f", f->what, log2(worst / f->out.scale), precision);
    test_ok(r->ctx, gb_noise_check(r->ctx, &f->sure, sure, f->what));
}

static double smooth(double x, void *user) {
    switch (*(int *)user) {
    case 0:
        return 1 / (1 + exp(-x));
    case 1:
        return log(x);
    default:
        return cos(3 * x);
    }
}

static void run_poly(fixture *f, const gb_ckks_poly *p, gb_interval range, unsigned limbs, const char *what) {
    rig *r = &f->r;
    gb_noise n[2];
    f->what = what;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        inputs(f, seed, range, limbs);
        gb_interval y = gb_bounds_poly_range(p, range);
        for (size_t i = 0; i < r->slots; i++) {
            double v = 0;
            if (p->chebyshev) {
                v = gb_chebyshev_at(p->c, p->degree, p->a, p->b, f->x[i]);
            } else {
                for (size_t j = p->degree + 1; j-- > 0;) v = v * f->x[i] + p->c[j];
            }
            assert_true(v >= y.low && v <= y.high);
            f->want[i] = v;
        }
        test_ok(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &f->a, p, 0, &r->keys));
        test_ok(r->ctx, gb_bounds_poly(&n[0], r->ctx, &f->average, &f->fresh[0], r->scale, p, range, 0));
        test_ok(r->ctx, gb_bounds_poly(&n[1], r->ctx, &f->sure, &f->fresh[1], r->scale, p, range, 0));
        compare(f, &n[0], &n[1]);
        gb_ct_release(&f->a);
    }
}

static void test_polynomials(void **state) {
    (void)state;
    fixture f;
    setup(&f, 14, 8);
    const struct {
        int function;
        size_t degree;
        double a, b;
        const char *what;
    } fits[] = {{0, 7, -4, 4, "sigmoid, degree 7"},
                {0, 31, -8, 8, "sigmoid, degree 31"},
                {1, 15, 0.5, 3, "logarithm, degree 15"},
                {2, 12, -1, 1, "cosine, degree 12"},
                {2, 63, -1, 1, "cosine, degree 63"}};
    for (size_t i = 0; i < GB_COUNT(fits); i++) {
        double c[64];
        int function = fits[i].function;
        test_ok(f.r.ctx, gb_chebyshev_fit(c, f.r.ctx, fits[i].degree, smooth, &function, fits[i].a, fits[i].b));
        gb_ckks_poly p = {c, fits[i].degree, true, fits[i].a, fits[i].b};
        run_poly(&f, &p, (gb_interval){fits[i].a, fits[i].b}, f.r.limbs, fits[i].what);
    }
    const double power[] = {0.25, -1, 0.5, 2, -0.75, 0.125, 0, 1};
    gb_ckks_poly p = {power, 3, false, 0, 0};
    run_poly(&f, &p, (gb_interval){-1, 1}, f.r.limbs, "powers, degree 3");
    run_poly(&f, &p, (gb_interval){-3, 2}, 4, "powers, degree 3, lower");
    p.degree = 7;
    run_poly(&f, &p, (gb_interval){-1, 1}, f.r.limbs, "powers, degree 7");
    teardown(&f);
}

static void test_functions(void **state) {
    (void)state;
    fixture f;
    gb_noise n[2];
    setup(&f, 14, 8);
    rig *r = &f.r;
    gb_ckks_sign plan;
    test_ok(r->ctx, gb_ckks_sign_plan(&plan, r->ctx, 3));
    assert_true(gb_ckks_sign_depth(&plan) <= 7);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        f.what = "sign";
        inputs(&f, seed, (gb_interval){-1, 1}, r->limbs);
        for (size_t i = 0; i < r->slots; i++) f.want[i] = gb_ckks_sign_at(&plan, f.x[i]);
        test_ok(r->ctx, gb_ckks_sign_eval(&f.out, r->e, &f.a, &plan, &r->keys));
        test_ok(r->ctx, gb_bounds_sign(&n[0], r->ctx, &f.average, &f.fresh[0], r->scale, &plan));
        test_ok(r->ctx, gb_bounds_sign(&n[1], r->ctx, &f.sure, &f.fresh[1], r->scale, &plan));
        compare(&f, &n[0], &n[1]);
        gb_ct_release(&f.a);
        for (unsigned squarings = 0; squarings < 5; squarings += 2) {
            f.what = squarings ? squarings == 2 ? "inverse, 2 squarings" : "inverse, 4 squarings" : "inverse, none";
            double a = 0.5, b = 2, s = 2 / (a + b);
            inputs(&f, seed, (gb_interval){a, b}, r->limbs);
            for (size_t i = 0; i < r->slots; i++) { /* the iteration's own value, its error is another matter */
                double y = 1 - s * f.x[i];
                f.want[i] = s * (1 + y);
                for (unsigned j = 0; j < squarings; j++) y *= y, f.want[i] *= 1 + y;
            }
            test_ok(r->ctx, gb_ckks_inverse(&f.out, r->e, &f.a, a, b, squarings, &r->keys));
            test_ok(r->ctx, gb_bounds_inverse(&n[0], r->ctx, &f.average, &f.fresh[0], r->scale, a, b, squarings));
            test_ok(r->ctx, gb_bounds_inverse(&n[1], r->ctx, &f.sure, &f.fresh[1], r->scale, a, b, squarings));
            compare(&f, &n[0], &n[1]);
            gb_ct_release(&f.a);
        }
    }
    teardown(&f);
}

/* Two reals a slot, apart and multiplied half by half. */
static void test_packed(void **state) {
    (void)state;
    fixture f;
    gb_noise n[2];
    setup(&f, 13, 3);
    rig *r = &f.r;
    const double largest = M_SQRT2, typical = 0.8164965809;
    gb_noise_fresh(&f.fresh[0], &f.average, r->limbs, r->scale, largest, typical, false);
    gb_noise_fresh(&f.fresh[1], &f.sure, r->limbs, r->scale, largest, largest, false);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t random = seed;
        double *re = rig_values(r, &random), *im = rig_values(r, &random);
        gb_ct other = rig_room(r);
        rig_encrypt(r, &f.a, re, im, r->slots, r->limbs);
        for (int half = 0; half < 2; half++) {
            f.what = half ? "unpack, imaginary parts" : "unpack, real parts";
            test_ok(r->ctx, gb_ckks_unpack(half ? &other : &f.out, half ? &f.out : &other, r->e, &f.a, &r->keys));
            for (size_t i = 0; i < r->slots; i++) f.want[i] = half ? im[i] : re[i];
            gb_bounds_unpack(&n[0], &f.average, &f.fresh[0]);
            gb_bounds_unpack(&n[1], &f.sure, &f.fresh[1]);
            compare(&f, &n[0], &n[1]);
        }
        f.what = "packed product"; /* (x, y) times (-y, x) */
        test_ok(r->ctx, gb_ckks_mul_i(&other, r->e, &f.a, 1));
        test_ok(r->ctx, gb_ckks_mul_packed(&f.out, r->e, &f.a, &other, &r->keys));
        for (size_t i = 0; i < r->slots; i++) im[i] *= re[i], f.want[i] = -im[i];
        f.want_im = im;
        gb_bounds_mul_packed(&n[0], &f.average, &f.fresh[0], &f.fresh[0]);
        gb_bounds_mul_packed(&n[1], &f.sure, &f.fresh[1], &f.fresh[1]);
        compare(&f, &n[0], &n[1]);
        f.want_im = NULL;
        gb_ct_release(&f.a);
        gb_ct_release(&other);
        gb_free(re);
        gb_free(im);
    }
    teardown(&f);
}

/* A matrix with each choice of keys: hoisted baby steps, or one out of the other. */
static void test_matrices(void **state) {
    (void)state;
    enum { COUNT = 24, PERIOD = 64 };
    static double values[COUNT][PERIOD];
    fixture f;
    gb_noise n[2];
    setup(&f, 13, 3);
    rig *r = &f.r;
    gb_ckks_diagonal d[COUNT];
    uint64_t random = 6;
    double row = 0, squares = 0;
    for (int i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < PERIOD; j++) {
            values[i][j] = rig_uniform(&random);
            squares += values[i][j] * values[i][j] / (COUNT * PERIOD);
        }
        d[i] = (gb_ckks_diagonal){i, values[i], NULL};
    }
    for (size_t j = 0; j < PERIOD; j++) {
        double sum = 0;
        for (int i = 0; i < COUNT; i++) sum += fabs(values[i][j]);
        row = fmax(row, sum);
    }
    const char *const names[] = {"matrix, all keys", "matrix, one giant key", "matrix, fewest keys"};
    for (int keys = 0; keys < 3; keys++) {
        gb_ckks_linear_config config;
        gb_ckks_linear *l;
        uint64_t galois[64];
        gb_ckks_linear_config_defaults(&config);
        config.keys = (gb_ckks_linear_keys)keys;
        f.what = names[keys];
        inputs(&f, 3, (gb_interval){-1, 1}, r->limbs);
        for (size_t i = PERIOD; i < r->slots; i++) f.x[i] = f.x[i - PERIOD];
        gb_ct_release(&f.a);
        rig_encrypt(r, &f.a, f.x, NULL, r->slots, r->limbs);
        test_ok(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, PERIOD, d, COUNT, r->limbs, r->scale, &config));
        size_t count = gb_ckks_linear_galois(galois, GB_COUNT(galois), l);
        for (size_t i = 0; i < count; i++) rig_key(r, galois[i]);
        test_ok(r->ctx, gb_ckks_linear_apply(&f.out, r->e, &f.a, l, &r->keys));
        test_ok(r->ctx, gb_ckks_rescale(&f.out, r->e));
        for (size_t i = 0; i < r->slots; i++) {
            f.want[i] = 0;
            for (size_t j = 0; j < COUNT; j++) f.want[i] += values[j][i % PERIOD] * f.x[(i + j) % PERIOD];
        }
        gb_bounds_linear(&n[0], &f.average, &f.fresh[0], l, r->scale, row, sqrt(squares));
        gb_bounds_linear(&n[1], &f.sure, &f.fresh[1], l, r->scale, row, 0);
        gb_noise_divide(&n[0], &f.average, &n[0], 1);
        gb_noise_divide(&n[1], &f.sure, &n[1], 1);
        compare(&f, &n[0], &n[1]);
        gb_ckks_linear_free(l);
        gb_ct_release(&f.a);
    }
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_matrices),
        cmocka_unit_test(test_polynomials),
        cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
