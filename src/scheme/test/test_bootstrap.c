/* Bootstrapping on the shipped set, all 2^15 slots: what comes out is what went in, to the precision promised, with
 * levels to compute on. Needs about 7 GB; the memory is asked for, not assumed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "scheme/secret/secret.h"

#define NEEDED_BYTES (10ULL << 30)

typedef struct rig {
    gb_ctx *ctx;
    gb_params *params;
    gb_secret *secret;
    gb_ckks_encoder *encoder;
    gb_bootstrap *boot;
    gb_bootstrap_keys keys;
    gb_eval *eval, *inner;
    size_t slots;
    double *x, *re, *im;
} rig;

#define must(r, call)                                                                                                  \
    do {                                                                                                               \
        if ((call) != GB_OK) fail_msg("%s", gb_ctx_error((r)->ctx));                                                   \
    } while (0)

static void rig_init(rig *r) {
    gb_bootstrap_config config;
    memset(r, 0, sizeof *r);
    gb_bootstrap_config_defaults(&config);
    assert_int_equal(gb_ctx_new(&r->ctx, NULL), GB_OK);
    must(r, gb_params_named(&r->params, r->ctx, "deep-16"));
    must(r, gb_secret_new(&r->secret, NULL, r->ctx, r->params));
    must(r, gb_ckks_encoder_new(&r->encoder, r->ctx, r->params));
    must(r, gb_bootstrap_new(&r->boot, r->ctx, r->encoder, &config));
    must(r, gb_secret_bootstrap_keys(&r->keys, r->ctx, r->secret, r->boot, 0));
    must(r, gb_eval_new(&r->eval, r->ctx, r->params, 0));
    must(r, gb_eval_new(&r->inner, r->ctx, gb_bootstrap_inner_params(r->boot), 1));
    r->slots = gb_ckks_slots(r->encoder);
    must(r, gb_alloc(&r->x, r->ctx, 3 * r->slots, sizeof(double)));
    r->re = r->x + r->slots;
    r->im = r->re + r->slots;
}

static void rig_release(rig *r) {
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

static void encrypt(gb_ct *out, rig *r, unsigned limbs) {
    gb_seed seed;
    gb_pt plain;
    uint64_t *stream = (uint64_t *)r->re;
    gb_random_bytes(seed.b, sizeof seed.b);
    gb_stream(stream, r->slots * sizeof *stream, &seed, 0, 0, 0);
    for (size_t i = 0; i < r->slots; i++) r->x[i] = ldexp((double)(stream[i] >> 11), -52) - 1;
    must(r, gb_pt_init(&plain, r->ctx, r->params, limbs, false));
    must(r, gb_ckks_encode(&plain, r->ctx, r->encoder, r->x, NULL, r->slots, ldexp(1, 40)));
    must(r, gb_ct_init(out, r->ctx, r->params, 2, limbs));
    must(r, gb_ct_encrypt_seeded(out, r->ctx, r->secret, plain.data, limbs, plain.scale, &seed, 1));
    gb_pt_release(&plain);
}

static double worst(rig *r, const gb_ct *c, double power) {
    double w = 0;
    must(r, gb_ckks_decrypt(r->re, r->im, r->slots, r->ctx, r->secret, r->encoder, c));
    for (size_t i = 0; i < r->slots; i++) w = fmax(w, fabs(r->re[i] - pow(r->x[i], power)));
    return w;
}

/* Refresh, square at a level that was not there before, and refuse what is below the entry level. */
static void refreshes(void **state) {
    (void)state;
    if ((unsigned long long)sysconf(_SC_AVPHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE) < NEEDED_BYTES) {
        print_message("# bootstrapping keys need %llu GB of free memory: skipped\n", NEEDED_BYTES >> 30);
        skip();
    }
    rig r;
    gb_ct low, fresh, square;
    rig_init(&r);
    unsigned limbs = gb_params_limbs(r.params, gb_bootstrap_level_in(r.boot));
    encrypt(&low, &r, limbs);
    must(&r, gb_ct_init(&fresh, r.ctx, r.params, 3, (unsigned)gb_params_get(r.params)->data_count));
    must(&r, gb_bootstrap_run(&fresh, r.eval, r.inner, &low, r.boot, &r.keys));
    assert_int_equal(gb_params_level(r.params, fresh.limbs), gb_bootstrap_level_out(r.boot));
    assert_true(gb_bootstrap_level_out(r.boot) >= gb_bootstrap_level_in(r.boot) + 6);
    double w = worst(&r, &fresh, 1);
    print_message("# worst of %zu slots: 2^%.2f\n", r.slots, log2(w));
    assert_true(w < ldexp(1, -20));
    must(&r, gb_ct_init(&square, r.ctx, r.params, 3, fresh.limbs));
    must(&r, gb_ckks_mul_rescale(&square, r.eval, &fresh, &fresh, &r.keys.keys));
    assert_true(worst(&r, &square, 2) < ldexp(1, -18));
    must(&r, gb_ct_drop(r.ctx, &low, gb_params_limbs(r.params, gb_bootstrap_level_in(r.boot) - 1)));
    assert_int_equal(gb_bootstrap_run(&fresh, r.eval, r.inner, &low, r.boot, &r.keys), GB_ERR_LEVEL);
    gb_ct_release(&square);
    gb_ct_release(&fresh);
    gb_ct_release(&low);
    rig_release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(refreshes)};
    return cmocka_run_group_tests_name("scheme-bootstrap", tests, NULL, NULL);
}
