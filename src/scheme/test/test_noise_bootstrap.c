/* The bound of a bootstrapping against measurement, on the set whose keys are small: real values, complex ones that
 * share a sine, two iterations. */
#include "rig.h"
#include "scheme/circuit/bounds.h"

typedef struct boot {
    rig r;
    gb_bootstrap_config config;
    gb_bootstrap *b;
    gb_bootstrap_keys keys;
    gb_eval *inner;
    gb_ct low, out;
    double *x, *y; /* all slots, repeating */
} boot;

static void setup(boot *f, bool complex) {
    gb_ctx *ctx = test_context(1);
    gb_params *p;
    uint64_t random = 9;
    memset(f, 0, sizeof *f);
    test_ok(ctx, gb_params_named(&p, ctx, "deep-15"));
    rig_init(&f->r, 2, gb_params_get(p), 0);
    gb_params_free(p);
    gb_ctx_free(ctx);
    rig *r = &f->r;
    test_ok(r->ctx, gb_bootstrap_config_named(&f->config, r->ctx, "deep-15"));
    f->config.complex = complex;
    test_ok(r->ctx, gb_bootstrap_new(&f->b, r->ctx, r->enc, &f->config));
    test_ok(r->ctx, gb_secret_bootstrap_keys(&f->keys, r->ctx, r->s, f->b, 0));
    test_ok(r->ctx, gb_eval_new(&f->inner, r->ctx, gb_bootstrap_inner_params(f->b), 1));
    f->x = rig_values(r, &random), f->y = rig_values(r, &random);
    size_t n = gb_bootstrap_slots(f->b);
    for (size_t i = 0; i < r->slots; i++) {
        double size = complex ? M_SQRT1_2 : 1;
        f->x[i] = i < n ? size * f->x[i] : f->x[i - n];
        f->y[i] = complex ? i < n ? size * f->y[i] : f->y[i - n] : 0;
    }
    r->scale = ldexp(1, (int)f->config.scale_bits);
    rig_encrypt(r, &f->low, f->x, f->y, n, gb_params_limbs(r->p, gb_bootstrap_level_in(f->b) + 1));
    f->out = rig_room(r);
}

static void teardown(boot *f) {
    gb_ct_release(&f->low);
    gb_ct_release(&f->out);
    gb_free(f->x);
    gb_free(f->y);
    gb_eval_free(f->inner);
    gb_bootstrap_keys_release(&f->keys);
    gb_bootstrap_free(f->b);
    rig_release(&f->r);
}

static void compare(boot *f, const gb_bootstrap *b, const char *what) {
    rig *r = &f->r;
    gb_noise_model m;
    gb_noise x, n[2];
    double worst = 0, sum = 0, rms;
    gb_noise_model_init(&m, r->p, 0);
    for (int sure = 0; sure < 2; sure++) {
        m.dependent = sure;
        gb_noise_fresh(&x, &m, f->low.limbs, r->scale, 1, sure ? 1 : 0.577, false);
        test_ok(r->ctx, gb_bounds_bootstrap(&n[sure], r->ctx, &m, &x, r->scale, b));
    }
    test_ok(r->ctx, gb_bootstrap_run(&f->out, r->e, f->inner, &f->low, b, &f->keys));
    test_ok(r->ctx, gb_ckks_decrypt(r->re, r->im, r->slots, r->ctx, r->s, r->enc, &f->out));
    for (size_t i = 0; i < r->slots; i++) {
        double d = hypot(r->re[i] - f->x[i], r->im[i] - f->y[i]) * f->out.scale;
        worst = fmax(worst, d);
        sum += d * d;
    }
    rms = log2(sqrt(sum / (double)r->slots / (double)r->n));
    double precision = gb_noise_precision(&m, &n[1], f->out.scale), got = log2(f->out.scale / worst);
    if (getenv("GLOVEBOX_SHOW"))
        print_message("%-16s rms %6.2f average %6.2f sure %6.2f, worst slot 2^-%.2f, promised 2^-%.2f, bound 2^%.1f\n",
                      what, rms, n[0].rms, n[1].rms, got, precision, n[0].worst);
    assert_int_equal(n[0].limbs, f->out.limbs);
    if (!(log2(worst) <= n[0].worst)) fail_msg("%s: over its worst case", what);
    if (!(fabs(rms - n[0].rms) <= 2)) fail_msg("%s: rms 2^%.2f, predicted 2^%.2f", what, rms, n[0].rms);
    if (!(got >= precision)) fail_msg("%s: worst slot 2^-%.2f, promised 2^-%.2f", what, got, precision);
}

static void test_real(void **state) {
    (void)state;
    boot f;
    gb_bootstrap *twice;
    setup(&f, false);
    compare(&f, f.b, "real");
    f.config.iterations = 2;
    test_ok(f.r.ctx, gb_bootstrap_new(&twice, f.r.ctx, f.r.enc, &f.config));
    compare(&f, twice, "two iterations");
    gb_bootstrap_free(twice);
    teardown(&f);
}

static void test_complex(void **state) {
    (void)state;
    boot f;
    setup(&f, true);
    compare(&f, f.b, "complex");
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_real), cmocka_unit_test(test_complex)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
