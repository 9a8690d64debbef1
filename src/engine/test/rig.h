/* engine tests: an engine with keys, and comparison of what it decrypts. */
#ifndef GB_ENGINE_TEST_RIG_H
#define GB_ENGINE_TEST_RIG_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "glovebox/glovebox.h"

typedef struct rig {
    gb_ctx *ctx;
    gb_engine *e;
    gb_secret *secret;
    gb_keyset *key;
    gb_evalkeys *k;
    gb_cipher *a, *b, *c;
    gb_params_info info;
} rig;

static inline void ok(const rig *r, gb_status s) {
    if (s != GB_OK) print_error("%s\n", gb_ctx_error(r->ctx));
    assert_int_equal(s, GB_OK);
}

static inline void open_rig(rig *r, const char *params, unsigned plain_bits) {
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 2;
    memset(r, 0, sizeof *r);
    assert_int_equal(gb_ctx_new(&r->ctx, &config), GB_OK);
    ok(r, gb_engine_new(&r->e, r->ctx, params, plain_bits));
    ok(r, gb_engine_info(&r->info, r->e));
    ok(r, gb_key_new(&r->secret, &r->key, r->e));
    ok(r, gb_evalkeys_new(&r->k, r->e));
    ok(r, gb_evalkeys_multiply(r->k, r->e, r->secret));
    ok(r, gb_cipher_new(&r->a, r->e));
    ok(r, gb_cipher_new(&r->b, r->e));
    ok(r, gb_cipher_new(&r->c, r->e));
}

static inline void close_rig(rig *r) {
    gb_cipher_free(r->a);
    gb_cipher_free(r->b);
    gb_cipher_free(r->c);
    gb_evalkeys_free(r->k);
    gb_key_free_public(r->key);
    gb_key_free(r->secret);
    gb_engine_free(r->e);
    gb_ctx_free(r->ctx);
}

enum { COUNT = 64 };

static inline void within(rig *r, const gb_cipher *c, const double *want, double error) {
    double got[COUNT], worst = 0;
    ok(r, gb_ckks_decrypt_slots(got, NULL, COUNT, r->e, r->secret, c));
    for (int i = 0; i < COUNT; i++) worst = fmax(worst, fabs(got[i] - want[i]));
    if (!(worst < error)) fail_msg("an error of %g, not below %g", worst, error);
}

static inline void near(rig *r, const gb_cipher *c, const double *want) { within(r, c, want, 1e-5); }

#endif
