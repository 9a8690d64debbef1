/* engine/params: every claim about a shipped set that a computation can check. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "glovebox/params.h"
#include "scheme/bfv/bfv.h"
#include "scheme/secret/secret.h"

static gb_ctx *context(void) {
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    gb_ctx *ctx;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    return ctx;
}

static void ok(gb_ctx *ctx, gb_status s) {
    if (s != GB_OK) print_error("%s\n", gb_ctx_error(ctx));
    assert_int_equal(s, GB_OK);
}

static void test_facts(void **state) {
    (void)state;
    gb_ctx *ctx = context();
    const char *names[32];
    assert_int_equal(gb_params_names(names, GB_COUNT(names)), gb_params_count());
    gb_params_info p;
    for (size_t i = 0; i < gb_params_count(); i++) {
        ok(ctx, gb_params_show(&p, ctx, names[i]));
        assert_true(p.log2_qp <= p.log2_qp_max && p.log2_q <= p.log2_qp);
        const uint64_t most = UINT64_C(1) << (p.log_n - (p.scheme == GB_SCHEME_CKKS));
        assert_true(p.slots == most || (p.refreshes && p.slots < most && p.slots >= 8));
        assert_true(p.scheme == GB_SCHEME_LINEAR ? !p.specials && !p.depth : p.specials && p.depth);
        ok(ctx, gb_params_at(&p, ctx, i));
    }
    assert_int_equal(gb_params_at(&p, ctx, gb_params_count()), GB_ERR_ARGUMENT);
    assert_int_equal(gb_params_show(&p, ctx, "leveled-99"), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_ctx_error(ctx), "exact-14"));
    gb_ctx_free(ctx);
}

/* Sizes are those of the objects. */
static void test_sizes(void **state) {
    (void)state;
    gb_ctx *ctx = context();
    gb_params_info info;
    ok(ctx, gb_params_show(&info, ctx, "exact-12"));
    gb_params *p;
    gb_secret *s;
    gb_keyset *k;
    gb_switch_key key;
    gb_buffer b = GB_BUFFER_INIT;
    ok(ctx, gb_params_named(&p, ctx, info.name));
    ok(ctx, gb_secret_new(&s, &k, ctx, p));
    ok(ctx, gb_keyset_encode(&b, ctx, k));
    assert_int_equal(b.size, info.public_key_bytes);
    gb_buffer_release(&b);
    ok(ctx, gb_secret_switch_key(&key, ctx, s, 1, info.primes, 0));
    assert_int_equal(key.digits, info.digits);
    ok(ctx, gb_switch_key_encode(&b, ctx, &key));
    assert_int_equal(b.size, info.switch_key_on_wire);
    gb_buffer_release(&b);
    gb_switch_key_release(&key);
    gb_keyset_free(k);
    gb_secret_free(s);
    gb_params_free(p);
    gb_ctx_free(ctx);
}

/* Slots of a fresh public-key encryption of random numbers, as bits of the worst one. */
static double fresh_bits(gb_ctx *ctx, const gb_params_info *info) {
    gb_params *p;
    gb_secret *s;
    gb_keyset *k;
    gb_ckks_encoder *enc;
    gb_pt pt;
    gb_ct c;
    double *x, *y, *im, worst = 0;
    ok(ctx, gb_params_named(&p, ctx, info->name));
    ok(ctx, gb_secret_new(&s, &k, ctx, p));
    ok(ctx, gb_ckks_encoder_new(&enc, ctx, p));
    ok(ctx, gb_alloc(&x, ctx, 3 * info->slots, sizeof *x));
    y = x + info->slots;
    im = y + info->slots;
    for (size_t i = 0; i < info->slots; i++) x[i] = sin((double)i * 1.7);
    ok(ctx, gb_pt_init(&pt, ctx, p, info->primes, false));
    ok(ctx, gb_ct_init(&c, ctx, p, 2, info->primes));
    ok(ctx, gb_ckks_encode(&pt, ctx, enc, x, NULL, info->slots, exp2(info->scale_bits)));
    ok(ctx, gb_ct_encrypt_public(&c, ctx, k, pt.data, info->primes, pt.scale));
    ok(ctx, gb_ckks_decrypt(y, im, info->slots, ctx, s, enc, &c));
    for (size_t i = 0; i < info->slots; i++) worst = fmax(worst, hypot(y[i] - x[i], im[i]));
    gb_free(x);
    gb_ct_release(&c);
    gb_pt_release(&pt);
    gb_ckks_encoder_free(enc);
    gb_keyset_free(k);
    gb_secret_free(s);
    gb_params_free(p);
    return -log2(worst);
}

static void test_ckks_precision(void **state) {
    (void)state;
    gb_ctx *ctx = context();
    gb_params_info info;
    ok(ctx, gb_params_show(&info, ctx, "leveled-13"));
    double bits = fresh_bits(ctx, &info);
    assert_true(bits >= info.precision && bits <= info.precision + 2);
    gb_ctx_free(ctx);
}

/* Squares `depth` times modulo t; how many slots came out wrong. */
static size_t wrong_after(gb_ctx *ctx, const gb_params_info *info) {
    gb_params *p;
    gb_secret *s;
    gb_keyset *k;
    gb_bfv *b;
    gb_eval *e;
    gb_bfv_eval *be;
    gb_eval_keys keys = {0};
    gb_pt pt;
    gb_ct c[2];
    uint64_t *poly, *phase;
    int64_t *x, *y;
    const uint64_t relin = 1;
    const size_t n = info->slots;
    ok(ctx, gb_params_named(&p, ctx, info->name));
    const uint64_t t = gb_bfv_plain_prime(p, info->plain_bits);
    ok(ctx, gb_secret_new(&s, &k, ctx, p));
    ok(ctx, gb_bfv_new(&b, ctx, p, t));
    ok(ctx, gb_eval_new(&e, ctx, p, 0));
    ok(ctx, gb_bfv_eval_new(&be, e, b));
    ok(ctx, gb_secret_eval_keys(&keys, ctx, s, &relin, 1, info->primes, 0));
    ok(ctx, gb_pt_init(&pt, ctx, p, info->primes, false));
    for (int i = 0; i < 2; i++) ok(ctx, gb_ct_init(&c[i], ctx, p, 3, info->primes));
    ok(ctx, gb_alloc(&poly, ctx, n, sizeof *poly));
    ok(ctx, gb_alloc(&phase, ctx, n * info->primes, sizeof *phase));
    ok(ctx, gb_alloc(&x, ctx, 2 * n, sizeof *x));
    y = x + n;
    for (size_t i = 0; i < n; i++) x[i] = (int64_t)((i * UINT64_C(0x9e3779b97f4a7c15) >> 8) % t) - (int64_t)(t / 2);
    gb_bfv_encode(poly, b, x, n);
    gb_bfv_scale_up(&pt, ctx, b, poly);
    ok(ctx, gb_ct_encrypt_public(&c[0], ctx, k, pt.data, info->primes, 1));
    for (unsigned d = 0; d < info->depth; d++) {
        ok(ctx, gb_bfv_mul(&c[~d & 1], be, &c[d & 1], &c[d & 1], &keys));
        for (size_t i = 0; i < n; i++) {
            x[i] = (int64_t)((unsigned __int128)((__int128)x[i] * x[i]) % t);
            x[i] -= x[i] > (int64_t)(t / 2) ? (int64_t)t : 0;
        }
    }
    ok(ctx, gb_ct_phase(phase, ctx, s, &c[info->depth & 1]));
    gb_bfv_scale_down(poly, b, info->primes, phase);
    gb_bfv_decode(y, b, poly, n);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) wrong += x[i] != y[i];
    gb_free(poly);
    gb_free(phase);
    gb_free(x);
    for (int i = 0; i < 2; i++) gb_ct_release(&c[i]);
    gb_pt_release(&pt);
    gb_eval_keys_release(&keys);
    gb_bfv_eval_free(be);
    gb_eval_free(e);
    gb_bfv_free(b);
    gb_keyset_free(k);
    gb_secret_free(s);
    gb_params_free(p);
    return wrong;
}

static void test_bfv_depth(void **state) {
    (void)state;
    gb_ctx *ctx = context();
    gb_params_info info;
    for (int bits = 17; bits <= 40; bits += 23) {
        ok(ctx, gb_params_suggest(&info, ctx, GB_SCHEME_BFV, 2, 0, bits));
        assert_string_equal(info.name, "exact-13");
        assert_int_equal(wrong_after(ctx, &info), 0);
    }
    ok(ctx, gb_params_show(&info, ctx, "exact-12"));
    assert_int_equal(wrong_after(ctx, &info), 0);
    info.depth += 2; /* the claim is not idle */
    assert_true(wrong_after(ctx, &info) > 0);
    gb_ctx_free(ctx);
}

static void test_suggest(void **state) {
    (void)state;
    gb_ctx *ctx = context();
    static const struct {
        gb_scheme scheme;
        unsigned depth;
        uint64_t slots;
        double precision;
        const char *name; /* NULL: there is none */
    } cases[] = {
        {GB_SCHEME_CKKS, 0, 0, 0, "leveled-13"},   {GB_SCHEME_CKKS, 3, 4096, 20, "leveled-13"},
        {GB_SCHEME_CKKS, 4, 0, 0, "leveled-14"},   {GB_SCHEME_CKKS, 3, 4097, 0, "leveled-14"},
        {GB_SCHEME_CKKS, 8, 0, 20, "leveled-15"},  {GB_SCHEME_CKKS, 100, 0, 0, "deep-15"},
        {GB_SCHEME_CKKS, 100, 1025, 0, "deep-16"}, {GB_SCHEME_CKKS, 2, 1 << 20, 0, NULL},
        {GB_SCHEME_CKKS, 2, 0, 35, "joint-15"},    {GB_SCHEME_CKKS, 1, 0, 45, NULL},
        {GB_SCHEME_CKKS, 1, 0, 30, "joint-14"},    {GB_SCHEME_BFV, 1, 0, 0, "exact-12"},
        {GB_SCHEME_BFV, 2, 0, 20, "exact-13"},     {GB_SCHEME_BFV, 0, 16384, 20, "exact-14"},
        {GB_SCHEME_BFV, 50, 0, 20, NULL},
    };
    gb_params_info p;
    for (size_t i = 0; i < GB_COUNT(cases); i++) {
        gb_status s = gb_params_suggest(&p, ctx, cases[i].scheme, cases[i].depth, cases[i].slots, cases[i].precision);
        assert_int_equal(s, cases[i].name ? GB_OK : GB_ERR_NOT_FOUND);
        if (cases[i].name) assert_string_equal(p.name, cases[i].name);
    }
    assert_int_equal(gb_params_suggest(&p, ctx, GB_SCHEME_LINEAR, 0, 0, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_params_suggest(&p, ctx, GB_SCHEME_CKKS, 0, 0, NAN), GB_ERR_ARGUMENT);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),     cmocka_unit_test(test_sizes),   cmocka_unit_test(test_ckks_precision),
        cmocka_unit_test(test_bfv_depth), cmocka_unit_test(test_suggest),
    };
    return cmocka_run_group_tests_name("engine params", tests, NULL, NULL);
}
