/* What a bootstrapping refuses, what it asks for, and the secrets it is made for. Nothing is computed encrypted here.
 */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>

#include "rig.h"

#define LOG_N 14

/* As small as a set that can be bootstrapped gets; not one to compute with. q0, bits: of the lowest prime,
 * of the others. */
static gb_params_spec small_spec(unsigned q0, unsigned bits) { return rig_spec(LOG_N, q0, bits, 13, 33, 1); }

static gb_bootstrap_config small_config(void) {
    gb_bootstrap_config c;
    gb_bootstrap_config_defaults(&c);
    c.log_slots = 3;
    c.to_coeff = c.to_slots = 1;
    c.degree = 40;
    c.ratio_bits = 4;
    c.scale_bits = 30;
    return c;
}

typedef struct plan {
    gb_ctx *ctx;
    gb_params *p;
    gb_ckks_encoder *e;
} plan;

static void plan_init(plan *t, const gb_params_spec *spec) {
    t->ctx = test_context(1);
    test_ok(t->ctx, gb_params_new(&t->p, t->ctx, spec));
    test_ok(t->ctx, gb_ckks_encoder_new(&t->e, t->ctx, t->p));
}

static void plan_release(plan *t) {
    gb_ckks_encoder_free(t->e);
    gb_params_free(t->p);
    gb_ctx_free(t->ctx);
}

static void refuses(plan *t, const gb_bootstrap_config *c, gb_status want, const char *word) {
    gb_bootstrap *b;
    test_refused(t->ctx, gb_bootstrap_new(&b, t->ctx, t->e, c), want);
    assert_null(b);
    assert_non_null(strstr(gb_ctx_error(t->ctx), word));
}

#define REFUSED(field, value, want)                                                                                    \
    do {                                                                                                               \
        gb_bootstrap_config c = small_config();                                                                        \
        c.field = value;                                                                                               \
        refuses(&t, &c, want, #field);                                                                                 \
    } while (0)

static void options_out_of_range(void **state) {
    (void)state;
    plan t;
    const gb_params_spec spec = small_spec(36, 30);
    plan_init(&t, &spec);
    REFUSED(log_slots, 2, GB_ERR_ARGUMENT);
    REFUSED(log_slots, LOG_N, GB_ERR_ARGUMENT);
    REFUSED(to_coeff, 0, GB_ERR_ARGUMENT);
    REFUSED(to_coeff, 4, GB_ERR_ARGUMENT); /* more factors than stages */
    REFUSED(to_slots, 6, GB_ERR_ARGUMENT);
    REFUSED(degree, 14, GB_ERR_ARGUMENT);
    REFUSED(degree, 256, GB_ERR_ARGUMENT);
    REFUSED(doublings, 5, GB_ERR_ARGUMENT);
    REFUSED(ratio_bits, NAN, GB_ERR_ARGUMENT);
    REFUSED(ratio_bits, 21, GB_ERR_ARGUMENT);
    REFUSED(scale_bits, 61, GB_ERR_ARGUMENT);
    REFUSED(iterations, 0, GB_ERR_ARGUMENT);
    REFUSED(iterations, 4, GB_ERR_ARGUMENT);
    REFUSED(refine_bits, 25, GB_ERR_ARGUMENT);
    gb_bootstrap_config c = small_config();
    c.size--;
    refuses(&t, &c, GB_ERR_ARGUMENT, "defaults");
    c = small_config();
    c.degree = 25; /* cos(2 pi 16.25 u / 4) needs a degree above 25.5 to begin to converge */
    refuses(&t, &c, GB_ERR_ARGUMENT, "degree");
    c = small_config();
    c.to_coeff = c.to_slots = 3;
    refuses(&t, &c, GB_ERR_PARAMS, "levels");
    plan_release(&t);
}

/* The sparse secret is held to less than a uniform one is. */
static void sparse_secret_is_checked(void **state) {
    (void)state;
    plan t;
    const gb_params_spec spec = small_spec(50, 28);
    const gb_bootstrap_config c = small_config();
    plan_init(&t, &spec);
    refuses(&t, &c, GB_ERR_INSECURE, "sparse");
    plan_release(&t);
}

static void levels_and_keys(void **state) {
    (void)state;
    plan t;
    const gb_params_spec spec = small_spec(36, 30);
    gb_bootstrap_config c = small_config();
    gb_bootstrap *b, *joint;
    uint64_t galois[64] = {0};
    unsigned level[64] = {0}, in, out;
    plan_init(&t, &spec);
    test_ok(t.ctx, gb_bootstrap_new(&b, t.ctx, t.e, &c));
    assert_int_equal(gb_bootstrap_slots(b), 8);
    assert_int_equal(gb_bootstrap_level_in(b), 1);
    assert_int_equal(gb_bootstrap_level_out(b), 12 - 1 - 6 - 2);
    assert_true(gb_bootstrap_failure(b) < -128 && gb_bootstrap_failure(b) > -160);
    const size_t count = gb_bootstrap_galois(galois, level, 64, b);
    assert_int_equal(gb_bootstrap_galois(galois + 32, level + 32, 2, b), count); /* it counts what it cannot hold */
    assert_true(galois[33] == galois[1] && !galois[34]);
    for (size_t i = 0; i < count; i++) assert_true(level[i] >= 1 && level[i] <= 12 && (galois[i] & 1));
    /* the sum over the repetitions, and the conjugation */
    for (int step = 8; step < 1 << (LOG_N - 1); step *= 2) {
        bool there = false;
        for (size_t i = 0; i < count; i++) there = there || galois[i] == gb_galois_rotation(t.p, step);
        assert_true(there);
    }
    assert_true(galois[count - 1] == gb_galois_conjugation(t.p));
    c.complex = true; /* one level more, to join the halves; twice as many coefficients may fail */
    test_ok(t.ctx, gb_bootstrap_new(&joint, t.ctx, t.e, &c));
    assert_int_equal(gb_bootstrap_level_out(joint), gb_bootstrap_level_out(b) - 1);
    assert_true(fabs(gb_bootstrap_failure(joint) - gb_bootstrap_failure(b) - 1) < 1e-9);
    c = small_config();
    c.iterations = 2; /* one level more going in */
    test_ok(t.ctx, gb_bootstrap_levels(&in, &out, t.ctx, t.p, &c));
    assert_true(in == gb_bootstrap_level_in(b) + 1 && out == gb_bootstrap_level_out(b));
    gb_bootstrap_free(joint);
    gb_bootstrap_free(b);
    plan_release(&t);
}

/* Every set that is named for it has options that fit it, and leaves levels. */
static void shipped(void **state) {
    (void)state;
    gb_ctx *ctx = test_context(1);
    const char *names[64];
    const size_t count = gb_params_names(names, GB_COUNT(names));
    unsigned deep = 0;
    for (size_t i = 0; i < count; i++) {
        gb_bootstrap_config c;
        gb_params *p;
        unsigned in, out;
        if (strncmp(names[i], "deep-", 5) != 0) {
            test_refused(ctx, gb_bootstrap_config_named(&c, ctx, names[i]), GB_ERR_NOT_FOUND);
            continue;
        }
        deep++;
        test_ok(ctx, gb_bootstrap_config_named(&c, ctx, names[i]));
        test_ok(ctx, gb_params_named(&p, ctx, names[i]));
        test_ok(ctx, gb_bootstrap_levels(&in, &out, ctx, p, &c));
        assert_true(out >= in + 2);
        gb_params_free(p);
    }
    assert_int_equal(deep, 4);
    gb_ctx_free(ctx);
}

/* A secret of weight 192 has a table of its own, and its set another hash. */
static void weights(void **state) {
    (void)state;
    gb_ctx *ctx = test_context(1);
    gb_params_spec spec = rig_spec(15, 50, 50, 14, 50, 1); /* 750 bits */
    gb_params *uniform, *sparse;
    assert_true(gb_security_max_log2_of(15, 128, 0) == gb_security_max_log2(15, 128));
    assert_true(gb_security_max_log2_of(15, 128, 192) == 767 && gb_security_max_log2_of(16, 128, 192) == 1546);
    assert_true(gb_security_max_log2_of(14, 128, 192) == 0 && gb_security_max_log2_of(15, 192, 192) == 0);
    test_ok(ctx, gb_params_new(&uniform, ctx, &spec));
    spec.weight = 192;
    test_ok(ctx, gb_params_new(&sparse, ctx, &spec));
    assert_false(gb_hash_equal(gb_params_hash(uniform), gb_params_hash(sparse)));
    gb_params_free(sparse);
    gb_params_free(uniform);
    spec.weight = 64;
    test_refused(ctx, gb_params_new(&sparse, ctx, &spec), GB_ERR_PARAMS);
    spec = rig_spec(15, 50, 50, 15, 50, 1); /* 800 bits */
    test_ok(ctx, gb_params_new(&uniform, ctx, &spec));
    gb_params_free(uniform);
    spec.weight = 192;
    test_refused(ctx, gb_params_new(&sparse, ctx, &spec), GB_ERR_INSECURE);
    gb_ctx_free(ctx);
}

static void memory_runs_out(void **state) {
    (void)state;
    plan t;
    const gb_params_spec spec = small_spec(36, 30);
    gb_bootstrap_config c = small_config();
    gb_bootstrap *b;
    gb_status s = GB_ERR_MEMORY;
    c.complex = true;
    plan_init(&t, &spec);
    for (uint64_t fail = 1; s != GB_OK; fail += fail < 20 ? 1 : 7) {
        gb_alloc_fail_at(fail);
        s = gb_bootstrap_new(&b, t.ctx, t.e, &c);
        gb_alloc_fail_at(0);
        if (s == GB_OK) break;
        assert_int_equal(s, GB_ERR_MEMORY);
        assert_null(b);
    }
    gb_bootstrap_free(b);
    plan_release(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range),
        cmocka_unit_test(sparse_secret_is_checked),
        cmocka_unit_test(levels_and_keys),
        cmocka_unit_test(shipped),
        cmocka_unit_test(weights),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests_name("scheme-bootstrap-plan", tests, NULL, NULL);
}
