/* engine: joint keys from end to end, over bytes; what a ledger keeps; what is refused. */
#include <stdlib.h>
#include <unistd.h>

#include "glovebox/threshold.h"
#include "rig.h"

enum { PARTIES = 3, PATH = 64 };

typedef struct joint {
    rig r; /* its secret is the recipient's; its key and evaluation keys become the joint ones */
    gb_keyset *recipient;
    gb_threshold *t;
    gb_holder *holder[PARTIES];
    char folder[32], ledger[PARTIES][PATH];
} joint;

/* Every active holder answers, over bytes, and once more: the same. */
static void round_of(joint *j, gb_session *s) {
    uint8_t *data, *again;
    size_t size, n;
    for (unsigned i = 0; i < PARTIES; i++) {
        if (!(gb_session_missing(s) >> i & 1)) continue;
        ok(&j->r, gb_holder_answer(&data, &size, j->r.e, j->holder[i], s));
        ok(&j->r, gb_holder_answer(&again, &n, j->r.e, j->holder[i], s));
        assert_true(size == n && memcmp(data, again, n) == 0);
        assert_int_equal(gb_session_add(s, j->r.e, data, size - 1), GB_ERR_TRUNCATED);
        ok(&j->r, gb_session_add(s, j->r.e, data, size));
        if (gb_session_missing(s)) assert_int_equal(gb_session_add(s, j->r.e, data, size), GB_ERR_EXISTS);
        gb_bytes_free(data);
        gb_bytes_free(again);
    }
}

/* Every holder's copy of a session for multiplication goes through both rounds; here they share one. */
static void evalkey(joint *j, gb_session *s) {
    while (gb_session_missing(s)) {
        assert_int_equal(gb_session_evalkey(j->r.k, j->r.e, s), GB_ERR_STATE);
        round_of(j, s);
    }
    ok(&j->r, gb_session_evalkey(j->r.k, j->r.e, s));
    gb_session_free(s);
}

static void deal(joint *j) {
    const size_t one = gb_threshold_deal_bytes(j->t);
    uint8_t *all;
    ok(&j->r, gb_alloc_secret(&all, j->r.ctx, PARTIES, one));
    for (unsigned to = 0; to < PARTIES; to++) {
        for (unsigned i = 0; i < PARTIES; i++) ok(&j->r, gb_holder_deal(all + i * one, one, j->r.e, j->holder[i], to));
        assert_int_equal(gb_holder_collect(j->holder[(to + 1) % PARTIES], j->r.e, all, PARTIES * one), GB_ERR_KEY);
        assert_int_equal(gb_holder_collect(j->holder[to], j->r.e, all, 2 * one), GB_ERR_ARGUMENT);
        ok(&j->r, gb_holder_collect(j->holder[to], j->r.e, all, PARTIES * one));
    }
    assert_int_equal(gb_holder_deal(all, one - 1, j->r.e, j->holder[0], 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_holder_deal(all, one, j->r.e, j->holder[0], PARTIES), GB_ERR_ARGUMENT);
    gb_free_secret(all);
}

static void open_joint(joint *j, const char *params, unsigned threshold, uint64_t active, bool keys) {
    uint8_t contributions[PARTIES * GB_CONTRIBUTION_BYTES];
    gb_session *s;
    memset(j, 0, sizeof *j);
    open_rig(&j->r, params, 0);
    gb_evalkeys_free(j->r.k);
    ok(&j->r, gb_evalkeys_new(&j->r.k, j->r.e));
    j->recipient = j->r.key;
    snprintf(j->folder, sizeof j->folder, "/tmp/gb-threshold-XXXXXX");
    assert_non_null(mkdtemp(j->folder));
    gb_random_bytes(contributions, sizeof contributions);
    ok(&j->r, gb_threshold_new(&j->t, j->r.e, PARTIES, threshold, contributions));
    for (unsigned i = 0; i < PARTIES; i++) {
        snprintf(j->ledger[i], PATH, "%s/%u", j->folder, i);
        ok(&j->r, gb_holder_new(&j->holder[i], j->r.e, j->t, i, j->ledger[i]));
    }
    if (threshold < PARTIES) deal(j);
    ok(&j->r, gb_session_public(&s, j->r.e, j->t, active));
    assert_int_equal(gb_session_key(&j->r.key, j->r.e, s), GB_ERR_STATE);
    round_of(j, s);
    ok(&j->r, gb_session_key(&j->r.key, j->r.e, s));
    gb_session_free(s);
    if (!keys) return;
    ok(&j->r, gb_session_multiply(&s, j->r.e, j->t, active));
    evalkey(j, s);
    ok(&j->r, gb_session_rotate(&s, j->r.e, j->t, active, 1));
    evalkey(j, s);
}

static void close_joint(joint *j) {
    for (unsigned i = 0; i < PARTIES; i++) {
        gb_holder_free(j->holder[i]);
        assert_int_equal(unlink(j->ledger[i]), 0);
    }
    assert_int_equal(rmdir(j->folder), 0);
    gb_threshold_free(j->t);
    gb_key_free_public(j->recipient);
    close_rig(&j->r);
}

enum { FEW = 8 };

/* c = x y rotated by one, plus x */
static void compute(joint *j, int64_t *want) {
    int64_t x[FEW + 1], y[FEW + 1];
    for (int i = 0; i <= FEW; i++) x[i] = 3 * i - 7, y[i] = 50 - i * i;
    for (int i = 0; i < FEW; i++) want[i] = x[i + 1] * y[i + 1] + x[i];
    rig *r = &j->r;
    ok(r, gb_bfv_encrypt_slots(r->a, r->e, r->key, x, FEW + 1));
    ok(r, gb_bfv_encrypt_slots(r->b, r->e, r->key, y, FEW + 1));
    ok(r, gb_cipher_mul(r->c, r->e, r->a, r->b, r->k));
    ok(r, gb_cipher_rotate(r->c, r->e, r->c, 1, r->k));
    ok(r, gb_cipher_add(r->c, r->e, r->c, r->a));
}

static gb_program_shape program_of(unsigned products, uint64_t terms) {
    gb_program_shape p;
    gb_program_shape_defaults(&p);
    p.products = products;
    p.terms = terms;
    p.statistical = 48;
    return p;
}

static void opened(joint *j, gb_session *s, const int64_t *want) {
    int64_t got[FEW];
    round_of(j, s);
    ok(&j->r, gb_session_integers(got, FEW, j->r.e, s));
    for (int i = 0; i < FEW; i++) assert_int_equal(got[i], want[i]);
}

static void test_all_of_three(void **state) {
    (void)state;
    joint j;
    int64_t want[FEW], got[FEW];
    uint8_t *data, saved[GB_KEY_BYTES];
    size_t size;
    gb_session *s, *other;
    const gb_program_shape p = program_of(1, 2), sum = program_of(0, 2);
    open_joint(&j, "exact-13", PARTIES, 0, true);
    rig *r = &j.r;
    compute(&j, want);
    ok(r, gb_session_decrypt(&s, r->e, j.t, 0, r->c, &p));
    assert_int_equal(gb_session_integers(got, FEW, r->e, s), GB_ERR_STATE);
    opened(&j, s, want);
    assert_int_equal(gb_session_evalkey(r->k, r->e, s), GB_ERR_ARGUMENT);
    /* once answered, no other session about it is: another program, another purpose */
    ok(r, gb_session_decrypt(&other, r->e, j.t, 0, r->c, &sum));
    assert_int_equal(gb_holder_answer(&data, &size, r->e, j.holder[0], other), GB_ERR_STATE);
    assert_null(data);
    gb_session_free(other);
    ok(r, gb_session_switch(&other, r->e, j.t, 0, r->c, &p, j.recipient));
    assert_int_equal(gb_holder_answer(&data, &size, r->e, j.holder[1], other), GB_ERR_STATE);
    /* an answer to one is none to another */
    ok(r, gb_holder_answer(&data, &size, r->e, j.holder[1], s));
    assert_int_equal(gb_session_add(other, r->e, data, size), GB_ERR_KEY);
    gb_bytes_free(data);
    gb_session_free(other);
    /* nor after the holder came back, which it cannot without its ledger */
    ok(r, gb_holder_save(saved, r->e, j.holder[0]));
    gb_holder *again;
    assert_int_equal(gb_holder_load(&again, r->e, j.t, 0, saved, j.ledger[0]), GB_ERR_STATE); /* open here */
    gb_holder_free(j.holder[0]);
    assert_int_equal(gb_holder_new(&again, r->e, j.t, 0, j.ledger[0]), GB_ERR_EXISTS);
    assert_int_equal(gb_holder_load(&again, r->e, j.t, 0, saved, "/tmp/gb-threshold-none"), GB_ERR_NOT_FOUND);
    assert_null(again);
    ok(r, gb_holder_load(&j.holder[0], r->e, j.t, 0, saved, j.ledger[0]));
    ok(r, gb_session_decrypt(&other, r->e, j.t, 0, r->c, &sum));
    assert_int_equal(gb_holder_answer(&data, &size, r->e, j.holder[0], other), GB_ERR_STATE);
    gb_session_free(other);
    ok(r, gb_holder_answer(&data, &size, r->e, j.holder[0], s)); /* the same bytes are there still */
    gb_bytes_free(data);
    gb_session_free(s);
    /* what the program's noise leaves no room to hide */
    const gb_program_shape deep = program_of(2, 1);
    assert_int_equal(gb_session_decrypt(&s, r->e, j.t, 0, r->c, &deep), GB_ERR_NOISE);
    assert_null(s);
    close_joint(&j);
}

static void test_two_of_three(void **state) {
    (void)state;
    joint j;
    int64_t want[FEW], got[FEW];
    gb_session *s;
    uint8_t *data;
    size_t size;
    const gb_program_shape p = program_of(1, 2);
    open_joint(&j, "exact-13", 2, 6, true);
    rig *r = &j.r;
    compute(&j, want);
    ok(r, gb_session_decrypt(&s, r->e, j.t, 5, r->c, &p));
    assert_int_equal(gb_holder_answer(&data, &size, r->e, j.holder[1], s), GB_ERR_KEY); /* not asked */
    opened(&j, s, want);
    gb_session_free(s);
    /* to a recipient, who alone reads it */
    compute(&j, want);
    ok(r, gb_session_switch(&s, r->e, j.t, 3, r->c, &p, j.recipient));
    round_of(&j, s);
    assert_int_equal(gb_session_integers(got, FEW, r->e, s), GB_ERR_ARGUMENT);
    ok(r, gb_session_cipher(r->c, r->e, s));
    ok(r, gb_bfv_decrypt_slots(got, FEW, r->e, r->secret, r->c));
    for (int i = 0; i < FEW; i++) assert_int_equal(got[i], want[i]);
    gb_session_free(s);
    assert_int_equal(gb_session_decrypt(&s, r->e, j.t, 4, r->c, &p), GB_ERR_ARGUMENT); /* too few */
    assert_int_equal(gb_session_decrypt(&s, r->e, j.t, 9, r->c, &p), GB_ERR_ARGUMENT); /* no such party */
    close_joint(&j);
}

/* Levels come back and the values stay; what is left of a result at a small scale is nothing, which is said. */
static void test_refresh(void **state) {
    (void)state;
    joint j;
    double x[COUNT];
    gb_session *s;
    gb_program_shape p = program_of(1, 1);
    open_joint(&j, "leveled-14", 2, 3, true);
    rig *r = &j.r;
    for (int i = 0; i < COUNT; i++) x[i] = sin(i);
    ok(r, gb_ckks_encrypt_slots(r->a, r->e, r->key, x, NULL, COUNT));
    ok(r, gb_cipher_lower(r->b, r->e, r->a, 4));
    ok(r, gb_cipher_square(r->b, r->e, r->b, r->k));
    ok(r, gb_session_refresh(&s, r->e, j.t, 6, r->b, &p));
    round_of(&j, s);
    ok(r, gb_session_cipher(r->c, r->e, s));
    assert_int_equal(gb_cipher_level(r->e, r->c), 7);
    gb_session_free(s);
    ok(r, gb_cipher_mul(r->c, r->e, r->c, r->a, r->k));
    assert_int_equal(gb_session_decrypt(&s, r->e, j.t, 0, r->c, &p), GB_ERR_NOISE);
    ok(r, gb_cipher_lower(r->c, r->e, r->c, 0));
    assert_int_equal(gb_session_refresh(&s, r->e, j.t, 0, r->c, &p), GB_ERR_LEVEL);
    p.products = 99;
    assert_int_equal(gb_session_refresh(&s, r->e, j.t, 0, r->c, &p), GB_ERR_ARGUMENT);
    p.products = 8;
    assert_int_equal(gb_session_refresh(&s, r->e, j.t, 0, r->c, &p), GB_ERR_LEVEL);
    close_joint(&j);
}

/* The values that come back, opened at a scale that has room for it. */
static void test_refreshed_values(void **state) {
    (void)state;
    joint j;
    double x[COUNT], got[COUNT];
    gb_session *s;
    gb_program_shape p = program_of(0, 1);
    open_joint(&j, "joint-15", PARTIES, 0, false);
    rig *r = &j.r;
    for (int i = 0; i < COUNT; i++) x[i] = sin(i);
    ok(r, gb_ckks_encrypt_slots(r->a, r->e, r->key, x, NULL, COUNT));
    ok(r, gb_cipher_lower(r->a, r->e, r->a, 2));
    ok(r, gb_session_refresh(&s, r->e, j.t, 0, r->a, &p));
    round_of(&j, s);
    ok(r, gb_session_cipher(r->b, r->e, s));
    assert_int_equal(gb_cipher_level(r->e, r->b), 3);
    gb_session_free(s);
    ok(r, gb_session_decrypt(&s, r->e, j.t, 0, r->b, &p));
    round_of(&j, s);
    ok(r, gb_session_reals(got, NULL, COUNT, r->e, s));
    for (int i = 0; i < COUNT; i++) assert_true(fabs(got[i] - x[i]) < 1e-8);
    gb_session_free(s);
    close_joint(&j);
}

/* Reals at a scale that leaves room for flooding: opened and switched; a sum of products. */
static void test_reals(void **state) {
    (void)state;
    joint j;
    double x[COUNT], y[COUNT], got[COUNT];
    gb_session *s;
    gb_program_shape p = program_of(1, 2);
    p.largest = 4;
    open_joint(&j, "joint-14", 2, 3, true);
    rig *r = &j.r;
    for (int i = 0; i < COUNT; i++) x[i] = sin(i), y[i] = 2 * cos(i * i);
    for (unsigned purpose = 0; purpose < 2; purpose++) {
        ok(r, gb_ckks_encrypt_slots(r->a, r->e, r->key, x, NULL, COUNT));
        ok(r, gb_ckks_encrypt_slots(r->b, r->e, r->key, y, NULL, COUNT));
        ok(r, gb_cipher_mul(r->c, r->e, r->a, r->b, r->k));
        ok(r, gb_cipher_rotate(r->c, r->e, r->c, 1, r->k));
        ok(r, gb_cipher_add(r->c, r->e, r->c, r->b));
        ok(r, purpose ? gb_session_switch(&s, r->e, j.t, 5, r->c, &p, j.recipient)
                      : gb_session_decrypt(&s, r->e, j.t, 6, r->c, &p));
        assert_true(gb_session_error(s) > 0 && gb_session_error(s) < 1e-7);
        round_of(&j, s);
        if (purpose) {
            ok(r, gb_session_cipher(r->a, r->e, s));
            ok(r, gb_ckks_decrypt_slots(got, NULL, COUNT, r->e, r->secret, r->a));
        } else {
            ok(r, gb_session_reals(got, NULL, COUNT, r->e, s));
        }
        for (int i = 0, k; i < COUNT; i++) {
            k = (i + 1) % COUNT;
            assert_true(fabs(got[i] - (x[k] * y[k] + y[i])) < gb_session_error(s) + 1e-10);
        }
        gb_session_free(s);
    }
    close_joint(&j);
}

static void test_refused(void **state) {
    (void)state;
    rig r;
    gb_threshold *t;
    gb_holder *h;
    gb_session *s;
    gb_program_shape p;
    uint8_t contributions[4 * GB_CONTRIBUTION_BYTES] = {1}, *data;
    size_t size;
    open_rig(&r, "exact-12", 0);
    assert_int_equal(gb_threshold_new(&t, r.e, 4, 1, contributions), GB_ERR_ARGUMENT);
    assert_int_equal(gb_threshold_new(&t, r.e, 4, 5, contributions), GB_ERR_ARGUMENT);
    assert_int_equal(gb_threshold_new(&t, r.e, 65, 2, contributions), GB_ERR_ARGUMENT);
    assert_int_equal(gb_threshold_new(&t, r.e, 4, 2, NULL), GB_ERR_ARGUMENT);
    assert_null(t);
    ok(&r, gb_threshold_new(&t, r.e, 4, 2, contributions));
    assert_int_equal(gb_holder_new(&h, r.e, t, 0, NULL), GB_ERR_ARGUMENT);
    assert_int_equal(gb_holder_new(&h, r.e, t, 4, "/tmp/gb-threshold-none"), GB_ERR_ARGUMENT);
    assert_int_equal(gb_holder_new(&h, r.e, t, 0, "/nowhere/at/all"), GB_ERR_NOT_FOUND);
    assert_null(h);
    gb_program_shape_defaults(&p);
    assert_int_equal(gb_session_decrypt(&s, r.e, t, 0, r.a, &p), GB_ERR_STATE); /* empty */
    ok(&r, gb_bfv_encrypt_slots(r.a, r.e, r.key, (int64_t[]){1}, 1));
    assert_int_equal(gb_session_decrypt(&s, r.e, t, 0, r.a, &p), GB_ERR_NOISE); /* a set too small */
    assert_int_equal(gb_session_refresh(&s, r.e, t, 0, r.a, &p), GB_ERR_ARGUMENT);
    p.statistical = 39;
    assert_int_equal(gb_session_decrypt(&s, r.e, t, 0, r.a, &p), GB_ERR_ARGUMENT);
    p.size = 8;
    assert_int_equal(gb_session_decrypt(&s, r.e, t, 0, r.a, &p), GB_ERR_ARGUMENT);
    assert_int_equal(gb_session_decrypt(&s, r.e, NULL, 0, r.a, &p), GB_ERR_ARGUMENT);
    assert_int_equal(gb_session_switch(&s, r.e, t, 0, r.a, &p, NULL), GB_ERR_ARGUMENT);
    assert_int_equal(gb_session_rotate(&s, r.e, t, 0, 0), GB_ERR_ARGUMENT); /* turns nothing */
    assert_int_equal(gb_session_public(&s, r.e, t, 1), GB_ERR_ARGUMENT);
    assert_null(s);
    assert_int_equal(gb_holder_answer(&data, &size, r.e, NULL, NULL), GB_ERR_ARGUMENT);
    gb_engine *other;
    ok(&r, gb_engine_new(&other, r.ctx, "exact-13", 0));
    assert_int_equal(gb_session_public(&s, other, t, 0), GB_ERR_PARAMS);
    gb_engine_free(other);
    gb_threshold_free(t);
    close_rig(&r);
}

/* Every allocation on the way to a joint key and an answer fails in turn. */
static gb_status work(gb_ctx *ctx, const char *const *ledger) {
    gb_engine *e = NULL;
    gb_threshold *t = NULL;
    gb_holder *h[2] = {NULL};
    gb_session *s = NULL, *open = NULL;
    gb_keyset *key = NULL;
    gb_cipher *c = NULL;
    gb_program_shape p = program_of(0, 1);
    const uint8_t contributions[2 * GB_CONTRIBUTION_BYTES] = {7};
    int64_t v = 5, got = 0;
    uint8_t *data;
    size_t size;
    gb_status status = gb_engine_new(&e, ctx, "exact-13", 0);
    if (status == GB_OK) status = gb_threshold_new(&t, e, 2, 2, contributions);
    for (unsigned i = 0; status == GB_OK && i < 2; i++) status = gb_holder_new(&h[i], e, t, i, ledger[i]);
    if (status == GB_OK) status = gb_session_public(&s, e, t, 0);
    for (unsigned i = 0; status == GB_OK && i < 2; i++) {
        status = gb_holder_answer(&data, &size, e, h[i], s);
        if (status == GB_OK) status = gb_session_add(s, e, data, size);
        gb_bytes_free(data);
    }
    if (status == GB_OK) status = gb_session_key(&key, e, s);
    if (status == GB_OK) status = gb_cipher_new(&c, e);
    if (status == GB_OK) status = gb_bfv_encrypt_slots(c, e, key, &v, 1);
    if (status == GB_OK) status = gb_session_decrypt(&open, e, t, 0, c, &p);
    for (unsigned i = 0; status == GB_OK && i < 2; i++) {
        status = gb_holder_answer(&data, &size, e, h[i], open);
        if (status == GB_OK) status = gb_session_add(open, e, data, size);
        gb_bytes_free(data);
    }
    if (status == GB_OK) status = gb_session_integers(&got, 1, e, open);
    if (status == GB_OK) assert_int_equal(got, 5);
    gb_cipher_free(c);
    gb_key_free_public(key);
    gb_session_free(open);
    gb_session_free(s);
    gb_holder_free(h[0]);
    gb_holder_free(h[1]);
    gb_threshold_free(t);
    gb_engine_free(e);
    return status;
}

static void test_out_of_memory(void **state) {
    (void)state;
    char folder[] = "/tmp/gb-threshold-XXXXXX", path[2][PATH];
    const char *const ledger[2] = {path[0], path[1]};
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 2; i++) snprintf(path[i], PATH, "%s/%d", folder, i);
    uint64_t n = 1;
    for (gb_status s = GB_ERR_MEMORY; s != GB_OK; n++) {
        (void)gb_alloc_fail_at(n);
        s = work(ctx, ledger);
        if (s != GB_OK && s != GB_ERR_MEMORY) print_error("allocation %u: %s\n", (unsigned)n, gb_ctx_error(ctx));
        assert_true(s == GB_OK || s == GB_ERR_MEMORY);
        (void)unlink(path[0]);
        (void)unlink(path[1]);
    }
    (void)gb_alloc_fail_at(0);
    assert_true(n > 30);
    assert_int_equal(rmdir(folder), 0);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_three),     cmocka_unit_test(test_two_of_three), cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_refreshed_values), cmocka_unit_test(test_reals),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("engine-threshold", tests, NULL, NULL);
}
