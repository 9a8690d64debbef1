/* Bootstrapping on the shipped sets: what comes out is what went in, to the precision promised, with levels to compute
 * on. Keys take up to gigabytes; the memory is asked for, not assumed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "scheme/secret/secret.h"

typedef struct rig {
    gb_ctx *ctx;
    gb_params *params;
    gb_secret *secret;
    gb_ckks_encoder *encoder;
    gb_bootstrap_config config;
    gb_bootstrap *boot;
    gb_bootstrap_keys keys;
    gb_eval *eval, *inner;
    gb_ct low, fresh;
    size_t slots;
    double *x, *y, *re, *im;
} rig;

#define must(r, call)                                                                                                  \
    do {                                                                                                               \
        if ((call) != GB_OK) fail_msg("%s", gb_ctx_error((r)->ctx));                                                   \
    } while (0)

static void need_gigabytes(unsigned gigabytes) {
    const unsigned long long free =
        (unsigned long long)sysconf(_SC_AVPHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE);
    if (free >> 30 >= gigabytes) return;
    print_message("# bootstrapping keys need %u GB of free memory: skipped\n", gigabytes);
    skip();
}

/* A ciphertext of random values, of absolute value below 1. */
static void encrypt(rig *r) {
    gb_seed seed;
    gb_pt plain;
    uint64_t *stream = (uint64_t *)r->re;                                      /* re and im lie one behind the other */
    const unsigned limbs = gb_params_limbs(r->params, r->config.to_coeff + 1); /* enough for iterations, too */
    gb_random_bytes(seed.b, sizeof seed.b);
    gb_stream(stream, 2 * r->slots * sizeof *stream, &seed, 0, 0, 0);
    for (size_t i = 0; i < r->slots; i++) {
        const double size = r->config.complex ? M_SQRT1_2 : 1;
        r->x[i] = size * (ldexp((double)(stream[i] >> 11), -52) - 1);
        r->y[i] = r->config.complex ? size * (ldexp((double)(stream[r->slots + i] >> 11), -52) - 1) : 0;
    }
    must(r, gb_pt_init(&plain, r->ctx, r->params, limbs, false));
    must(r, gb_ckks_encode(&plain, r->ctx, r->encoder, r->x, r->y, r->slots, ldexp(1, (int)r->config.scale_bits)));
    must(r, gb_ct_init(&r->low, r->ctx, r->params, 2, limbs));
    must(r, gb_ct_encrypt_seeded(&r->low, r->ctx, r->secret, plain.data, limbs, plain.scale, &seed, 1));
    gb_pt_release(&plain);
}

/* change NULL: the options of the set. */
static void rig_init(rig *r, const char *set, void (*change)(gb_bootstrap_config *c)) {
    memset(r, 0, sizeof *r);
    assert_int_equal(gb_ctx_new(&r->ctx, NULL), GB_OK);
    must(r, gb_params_named(&r->params, r->ctx, set));
    must(r, gb_bootstrap_config_named(&r->config, r->ctx, set));
    if (change) change(&r->config);
    must(r, gb_secret_new(&r->secret, NULL, r->ctx, r->params));
    must(r, gb_ckks_encoder_new(&r->encoder, r->ctx, r->params));
    must(r, gb_bootstrap_new(&r->boot, r->ctx, r->encoder, &r->config));
    must(r, gb_secret_bootstrap_keys(&r->keys, r->ctx, r->secret, r->boot, 0));
    must(r, gb_eval_new(&r->eval, r->ctx, r->params, 0));
    must(r, gb_eval_new(&r->inner, r->ctx, gb_bootstrap_inner_params(r->boot), 1));
    r->slots = gb_bootstrap_slots(r->boot);
    must(r, gb_alloc(&r->x, r->ctx, 4 * r->slots, sizeof(double)));
    r->y = r->x + r->slots;
    r->re = r->y + r->slots;
    r->im = r->re + r->slots;
    encrypt(r);
    must(r, gb_ct_init(&r->fresh, r->ctx, r->params, 3, (unsigned)gb_params_get(r->params)->data_count));
}

static void rig_release(rig *r) {
    gb_ct_release(&r->fresh);
    gb_ct_release(&r->low);
    gb_free(r->x);
    gb_eval_free(r->inner);
    gb_eval_free(r->eval);
    gb_bootstrap_keys_release(&r->keys);
    gb_bootstrap_free(r->boot);
    gb_ckks_encoder_free(r->encoder);
    gb_secret_free(r->secret);
    gb_params_free(r->params);
    gb_ctx_free(r->ctx);
}

/* Bits to which the worst slot of c is (x + i y)^power; a real value's imaginary noise is not looked at. */
static double bits(rig *r, const gb_ct *c, unsigned power) {
    double worst = 0;
    must(r, gb_ckks_decrypt(r->re, r->im, r->slots, r->ctx, r->secret, r->encoder, c));
    for (size_t i = 0; i < r->slots; i++) {
        double re = r->x[i], im = r->y[i];
        if (power == 2) re = r->x[i] * r->x[i] - r->y[i] * r->y[i], im = 2 * r->x[i] * r->y[i];
        worst = fmax(worst, hypot(r->re[i] - re, r->config.complex ? r->im[i] - im : 0));
    }
    return -log2(worst);
}

/* One refresh: the level and scale stated, and this precision. */
static void refresh(rig *r, double precision) {
    must(r, gb_bootstrap_run(&r->fresh, r->eval, r->inner, &r->low, r->boot, &r->keys));
    assert_int_equal(gb_params_level(r->params, r->fresh.limbs), gb_bootstrap_level_out(r->boot));
    assert_true(r->fresh.scale == ldexp(1, (int)r->config.scale_bits));
    const double got = bits(r, &r->fresh, 1);
    print_message("# %s: worst of %zu slots right to %.2f bits, failure 2^%.1f\n", gb_params_get(r->params)->name,
                  r->slots, got, gb_bootstrap_failure(r->boot));
    assert_true(got > precision);
    assert_true(gb_bootstrap_failure(r->boot) < -128);
}

/* At least `levels` products, one after another, before the next refresh; the first is made. */
static void computes(rig *r, unsigned levels, double precision) {
    gb_ct square;
    assert_true(gb_bootstrap_level_out(r->boot) >= gb_bootstrap_level_in(r->boot) + levels);
    must(r, gb_ct_init(&square, r->ctx, r->params, 3, r->fresh.limbs));
    must(r, gb_ckks_mul_rescale(&square, r->eval, &r->fresh, &r->fresh, &r->keys.keys));
    assert_true(bits(r, &square, 2) > precision);
    gb_ct_release(&square);
}

static void iterate(rig *r, unsigned iterations, double precision) {
    gb_bootstrap *b = r->boot;
    r->config.iterations = iterations;
    must(r, gb_bootstrap_new(&r->boot, r->ctx, r->encoder, &r->config));
    refresh(r, precision);
    gb_bootstrap_free(r->boot);
    r->boot = b;
}

static void refused(rig *r) {
    const gb_bootstrap_keys none = {.keys = {NULL, 0, 0}};
    gb_ct view = r->low;
    view.scale *= 2;
    assert_int_equal(gb_bootstrap_run(&r->fresh, r->eval, r->inner, &view, r->boot, &r->keys), GB_ERR_RANGE);
    view = r->low;
    view.limbs = gb_params_limbs(r->params, gb_bootstrap_level_in(r->boot)) - 1;
    assert_int_equal(gb_bootstrap_run(&r->fresh, r->eval, r->inner, &view, r->boot, &r->keys), GB_ERR_LEVEL);
    assert_int_equal(gb_bootstrap_run(&r->low, r->eval, r->inner, &r->low, r->boot, &r->keys), GB_ERR_ARGUMENT);
    assert_int_equal(gb_bootstrap_run(&r->fresh, r->eval, r->eval, &r->low, r->boot, &r->keys), GB_ERR_PARAMS);
    assert_int_equal(gb_bootstrap_run(&r->fresh, r->eval, r->inner, &r->low, r->boot, &none), GB_ERR_KEY);
}

static void deep_15(void **state) {
    (void)state;
    need_gigabytes(2);
    rig r;
    rig_init(&r, "deep-15", NULL);
    refused(&r);
    refresh(&r, 18.5);
    computes(&r, 2, 17);
    iterate(&r, 2, 25);
    /* what came out goes in again */
    must(&r, gb_ct_drop(r.ctx, &r.fresh, r.low.limbs));
    must(&r, gb_ct_copy(&r.low, r.ctx, &r.fresh));
    refresh(&r, 18);
    rig_release(&r);
}

static void take_complex(gb_bootstrap_config *c) { c->complex = true; }

/* Real and imaginary parts share one sine. */
static void deep_15_complex(void **state) {
    (void)state;
    need_gigabytes(2);
    rig r;
    rig_init(&r, "deep-15", take_complex);
    refresh(&r, 17.5);
    computes(&r, 1, 16);
    rig_release(&r);
}

static void whole(const char *set, double precision, unsigned levels, double after) {
    need_gigabytes(10);
    rig r;
    rig_init(&r, set, NULL);
    refresh(&r, precision);
    computes(&r, levels, after);
    rig_release(&r);
}

static void deep_16(void **state) {
    (void)state;
    whole("deep-16", 20, 6, 18);
}

static void deep_16_fast(void **state) {
    (void)state;
    whole("deep-16-fast", 19, 3, 17);
}

/* All slots complex: two sines and no level more. */
static void deep_16_complex(void **state) {
    (void)state;
    need_gigabytes(10);
    rig r;
    rig_init(&r, "deep-16-fast", take_complex);
    refresh(&r, 18);
    computes(&r, 3, 16);
    rig_release(&r);
}

static void take_few_with_arcsine(gb_bootstrap_config *c) {
    c->log_slots = 12;
    c->to_coeff = c->to_slots = 3;
    c->ratio_bits = 9;
    c->arcsine = true;
}

static void deep_16_sparse(void **state) {
    (void)state;
    need_gigabytes(10);
    rig r;
    rig_init(&r, "deep-16-fast", take_few_with_arcsine);
    refresh(&r, 22);
    computes(&r, 2, 20);
    rig_release(&r);
}

static void deep_16_precise(void **state) {
    (void)state;
    whole("deep-16-precise", 26, 8, 25);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(deep_15),         cmocka_unit_test(deep_15_complex),
                                       cmocka_unit_test(deep_16),         cmocka_unit_test(deep_16_fast),
                                       cmocka_unit_test(deep_16_complex), cmocka_unit_test(deep_16_sparse),
                                       cmocka_unit_test(deep_16_precise)};
    return cmocka_run_group_tests_name("scheme-bootstrap", tests, NULL, NULL);
}
