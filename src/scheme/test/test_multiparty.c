/* scheme/multiparty: joint keys of 3-of-3 and 3-of-5 from end to end, ledgers, and the attack they are for. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#include "scheme/bfv/bfv.h"
#include "scheme/secret/share_internal.h"

#define LOG_N 14
#define N (1 << LOG_N)
#define SLOTS (N / 2)
#define DATA 7
#define STEP 3
#define MOST 5

typedef struct group {
    gb_joint j;
    gb_party *party[MOST];
    gb_ledger_memory *memory[MOST];
    gb_ledger ledger[MOST];
    gb_keyset *keyset;
    gb_eval_keys keys;
} group;

static gb_ctx *ctx;
static gb_params *params;
static gb_ckks_encoder *encoder;
static gb_eval *eval;
static gb_secret *recipient;
static gb_keyset *recipient_keys;
static group all_of_three, three_of_five;
static double x_re[SLOTS], x_im[SLOTS], y_re[SLOTS], y_im[SLOTS], got_re[SLOTS], got_im[SLOTS], coefficients[N];

static double uniform(uint64_t *state) { return (double)(test_random(state) >> 11) * 0x1p-52 - 1; }

/* Seven data primes and a special one below 2^50, 400 bits; levels of three primes, for scales of 150 bits. */
static void make_params(void) {
    gb_params_spec s = {.name = "joint-14", .log_n = LOG_N, .security = 128, .data_count = DATA, .special_count = 1};
    uint64_t below = UINT64_C(1) << 50;
    for (size_t i = 0; i < DATA; i++) s.data[i] = below = gb_prime_below(below, 2 * N);
    s.special[0] = gb_prime_below(below, 2 * N);
    s.group[6] = 3;
    test_ok(ctx, gb_params_new(&params, ctx, &s));
}

/* Shares of one key from all of the active set. */
static size_t key_shares(gb_share *out, const group *g, const gb_request *q) {
    size_t count = 0;
    for (unsigned i = 0; i < g->j.parties; i++)
        if (q->active >> i & 1) test_ok(ctx, gb_party_key_share(&out[count++], ctx, g->party[i], q));
    return count;
}

static void release(gb_share *shares, size_t count) {
    for (size_t i = 0; i < count; i++) gb_share_release(&shares[i]);
}

static void decode(gb_share *out, gb_buffer *bytes) {
    gb_buffer again = GB_BUFFER_INIT;
    test_ok(ctx, gb_share_decode(out, ctx, params, bytes->data, bytes->size));
    test_ok(ctx, gb_share_encode(&again, ctx, out));
    assert_int_equal(again.size, bytes->size);
    assert_memory_equal(again.data, bytes->data, again.size);
    gb_buffer_release(&again);
    gb_buffer_release(bytes);
}

/* A switching key over the wire and back, then into the group's keys. */
static void add_key(group *g, gb_switch_key *key) {
    gb_buffer bytes = GB_BUFFER_INIT;
    gb_switch_key back, none;
    test_ok(ctx, gb_switch_key_encode(&bytes, ctx, key));
    test_ok(ctx, gb_switch_key_decode(&back, ctx, params, bytes.data, bytes.size));
    assert_int_equal(back.explicit_a, key->explicit_a);
    assert_memory_equal(back.data, key->data, gb_switch_key_bytes(key));
    test_refused(ctx, gb_switch_key_decode(&none, ctx, params, bytes.data, bytes.size - 1), GB_ERR_TRUNCATED);
    bytes.data[3] = key->explicit_a ? '1' : '2';
    assert_int_not_equal(gb_switch_key_decode(&none, ctx, params, bytes.data, bytes.size), GB_OK);
    gb_buffer_release(&bytes);
    gb_switch_key_release(key);
    test_ok(ctx, gb_eval_keys_add(&g->keys, ctx, &back));
}

static void make_relin(group *g) {
    gb_request q;
    gb_share first[MOST], second[MOST];
    gb_switch_key key;
    test_ok(ctx, gb_request_key(&q, ctx, &g->j, GB_SHARE_RELIN_FIRST, gb_joint_all(&g->j), 1, DATA, 0));
    size_t count = key_shares(first, g, &q);
    for (unsigned i = 0; i < count; i++) {
        gb_buffer bytes = GB_BUFFER_INIT;
        test_ok(ctx, gb_party_relin_second(&bytes, ctx, g->party[i], &q, first, count, &g->ledger[i]));
        decode(&second[i], &bytes);
    }
    test_ok(ctx, gb_joint_relin_key(&key, ctx, &g->j, &q, first, second, count));
    assert_true(key.explicit_a);
    add_key(g, &key);
    /* Another round 1 under the same request: refused. */
    gb_buffer bytes = GB_BUFFER_INIT;
    gb_share_row(&first[0], 0)[5] ^= 1;
    test_refused(ctx, gb_party_relin_second(&bytes, ctx, g->party[1], &q, first, count, &g->ledger[1]), GB_ERR_STATE);
    assert_int_equal(bytes.size, 0);
    release(first, count);
    release(second, count);
}

static void make_rotation(group *g, uint64_t active) {
    gb_request q;
    gb_share shares[MOST];
    gb_switch_key key;
    uint64_t galois = gb_galois_rotation(params, STEP);
    test_ok(ctx, gb_request_key(&q, ctx, &g->j, GB_SHARE_ROTATION, active, galois, DATA, 0));
    size_t count = key_shares(shares, g, &q);
    test_ok(ctx, gb_joint_rotation_key(&key, ctx, &g->j, &q, shares, count));
    add_key(g, &key);
    release(shares, count);
}

static void deal(group *g) {
    for (unsigned to = 0; to < g->j.parties; to++) {
        gb_share dealt[MOST];
        for (unsigned i = 0; i < g->j.parties; i++) test_ok(ctx, gb_party_deal(&dealt[i], ctx, g->party[i], to));
        gb_buffer none = GB_BUFFER_INIT;
        test_refused(ctx, gb_share_encode(&none, ctx, &dealt[0]), GB_ERR_STATE);
        test_refused(ctx, gb_party_collect(g->party[to], ctx, dealt, g->j.parties - 1), GB_ERR_KEY);
        test_refused(ctx, gb_party_collect(g->party[(to + 1) % g->j.parties], ctx, dealt, g->j.parties), GB_ERR_KEY);
        test_ok(ctx, gb_party_collect(g->party[to], ctx, dealt, g->j.parties));
        release(dealt, g->j.parties);
    }
}

static void make_group(group *g, unsigned parties, unsigned threshold, uint64_t rotation_set) {
    gb_seed contribution[MOST], seed;
    gb_share shares[MOST], again;
    gb_request q;
    gb_random_bytes(contribution, sizeof contribution);
    gb_joint_seed(&seed, contribution, parties);
    test_ok(ctx, gb_joint_init(&g->j, ctx, params, parties, threshold, &seed));
    for (unsigned i = 0; i < parties; i++) {
        test_ok(ctx, gb_party_new(&g->party[i], ctx, &g->j, i));
        test_ok(ctx, gb_ledger_memory_new(&g->memory[i], ctx));
        g->ledger[i] = gb_ledger_of_memory(g->memory[i]);
    }
    test_ok(ctx, gb_request_key(&q, ctx, &g->j, GB_SHARE_PUBLIC, gb_joint_all(&g->j), 0, 0, 0));
    size_t count = key_shares(shares, g, &q);
    test_ok(ctx, gb_party_key_share(&again, ctx, g->party[0], &q)); /* asked twice: the same noise */
    assert_memory_equal(again.data, shares[0].data, DATA * N * 8);
    gb_share_release(&again);
    test_ok(ctx, gb_joint_public_key(&g->keyset, ctx, &g->j, &q, shares, count));
    release(shares, count);
    if (threshold < parties) {
        gb_request part;
        test_ok(ctx, gb_request_key(&part, ctx, &g->j, GB_SHARE_PUBLIC, rotation_set, 0, 0, 0));
        unsigned one = (unsigned)__builtin_ctzll(rotation_set);
        test_refused(ctx, gb_party_key_share(&again, ctx, g->party[one], &part), GB_ERR_STATE); /* not dealt yet */
        deal(g);
    }
    make_relin(g);
    make_rotation(g, rotation_set);
}

static int setup(void **state) {
    uint64_t random = 31;
    (void)state;
    ctx = test_context(2);
    make_params();
    test_ok(ctx, gb_ckks_encoder_new(&encoder, ctx, params));
    test_ok(ctx, gb_eval_new(&eval, ctx, params, 0));
    test_ok(ctx, gb_secret_restore(&recipient, &recipient_keys, ctx, params, test_root));
    for (size_t i = 0; i < SLOTS; i++) {
        x_re[i] = uniform(&random), x_im[i] = uniform(&random);
        y_re[i] = uniform(&random), y_im[i] = uniform(&random);
    }
    make_group(&all_of_three, 3, 3, 7);
    make_group(&three_of_five, 5, 3, 0x16);
    return 0;
}

static void free_group(group *g) {
    for (unsigned i = 0; i < g->j.parties; i++) {
        gb_party_free(g->party[i]);
        gb_ledger_memory_free(g->memory[i]);
    }
    gb_keyset_free(g->keyset);
    gb_eval_keys_release(&g->keys);
}

static int teardown(void **state) {
    (void)state;
    free_group(&all_of_three);
    free_group(&three_of_five);
    gb_secret_free(recipient);
    gb_keyset_free(recipient_keys);
    gb_eval_free(eval);
    gb_ckks_encoder_free(encoder);
    gb_params_free(params);
    gb_ctx_free(ctx);
    return 0;
}

/* ---- helpers of the cases ---- */
/* Under the joint public key, at scale 2^50 times 2^more. */
static void encrypt(gb_ct *out, const group *g, const double *re, const double *im, unsigned limbs, unsigned more) {
    gb_pt plain;
    test_ok(ctx, gb_pt_init(&plain, ctx, params, limbs, false));
    test_ok(ctx, gb_ckks_encode(&plain, ctx, encoder, re, im, SLOTS, 0x1p50));
    for (unsigned j = 0; j < limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(gb_params_ring(params), j);
        uint64_t *x = plain.data + j * (size_t)N;
        gb_ring_kernels(gb_params_ring(params))->mul_scalar(x, x, gb_mod_pow(2, more, m), N, m);
    }
    test_ok(ctx, gb_ct_init(out, ctx, params, 3, limbs));
    test_ok(ctx, gb_ct_encrypt_public(out, ctx, g->keyset, plain.data, limbs, ldexp(0x1p50, (int)more)));
    gb_pt_release(&plain);
}

static size_t open_shares(gb_share *out, const group *g, const gb_request *q, const gb_ct *c) {
    size_t count = 0;
    for (unsigned i = g->j.parties; i-- > 0;) { /* in any order */
        gb_buffer bytes = GB_BUFFER_INIT, again = GB_BUFFER_INIT;
        if (!(q->active >> i & 1)) continue;
        test_ok(ctx, gb_party_open_share(&bytes, ctx, g->party[i], q, c, &g->ledger[i]));
        test_ok(ctx, gb_party_open_share(&again, ctx, g->party[i], q, c, &g->ledger[i]));
        assert_int_equal(again.size, bytes.size);
        assert_memory_equal(again.data, bytes.data, bytes.size);
        gb_buffer_release(&again);
        decode(&out[count++], &bytes);
    }
    return count;
}

static void expect_slots(const double *re, const double *im, double bound) {
    double far = 0;
    for (size_t i = 0; i < SLOTS; i++) far = fmax(far, hypot(got_re[i] - re[i], got_im[i] - im[i]));
    if (!(far < bound)) fail_msg("error %g where %g is allowed", far, bound);
}

static void joint_ckks(const group *g, const gb_request *q, const gb_ct *c) {
    gb_share shares[MOST];
    size_t count = open_shares(shares, g, q, c);
    test_ok(ctx, gb_joint_decrypt(coefficients, ctx, &g->j, q, c, shares, count));
    gb_ckks_slots_of(got_re, got_im, SLOTS, coefficients, encoder);
    release(shares, count);
}

/* The phase under the sum of all parties' secrets, over the scale, without flooding: what only a test can do. */
static void true_phase(const group *g, const gb_ct *c) {
    const gb_ring *r = gb_params_ring(params);
    const gb_kernels *k = gb_ring_kernels(r);
    uint64_t *s, *x;
    gb_centring *centring;
    test_ok(ctx, gb_alloc_zero(&s, ctx, N, sizeof *s));
    test_ok(ctx, gb_alloc(&x, ctx, (size_t)DATA * N, sizeof *x));
    test_ok(ctx, gb_alloc(&centring, ctx, 1, sizeof *centring));
    for (unsigned j = 0; j < c->limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        memset(s, 0, N * sizeof *s);
        for (unsigned i = 0; i < g->j.parties; i++) k->add(s, s, g->party[i]->s_hat + (size_t)j * N, N, m);
        memcpy(x + (size_t)j * N, gb_ct_limb(c, 0, j), N * sizeof *x);
        k->mul_add(x + (size_t)j * N, gb_ct_limb(c, 1, j), s, N, m);
    }
    gb_ring_inverse(r, x, 0, c->limbs);
    gb_centring_init(centring, r, c->limbs);
    gb_centring_run(coefficients, x, N, N, centring, c->limbs);
    for (size_t i = 0; i < N; i++) coefficients[i] /= c->scale;
    gb_ckks_slots_of(got_re, got_im, SLOTS, coefficients, encoder);
    gb_free(centring);
    gb_free(x);
    gb_free(s);
}

/* ---- CKKS: product, rotation, joint decryption ----
 * Noise in the worst case: public-key noise e u + e0 + e1 s, three to five parties: 105 (N + 1) + 105 N 5 < 2^23.4;
 * times a message of coefficients below 1 (over the scale), twice: below 2 N 2^23.4 = 2^38.4; rounding of the rescale
 * (1 + 5 N) / 2 < 2^15.4; key switching after it adds below 4 N 2^6.8 / 2. Declared: 2^39. */
static const gb_flooding flooding = {.noise_log2 = 39, .room_log2 = 198, .statistical = 40};

static void check_ckks(const group *g, uint64_t active) {
    static double re[SLOTS], im[SLOTS];
    gb_ct a, b, c;
    gb_request q;
    encrypt(&a, g, x_re, x_im, DATA, 100);
    encrypt(&b, g, y_re, y_im, DATA, 100);
    test_ok(ctx, gb_ct_init(&c, ctx, params, 3, DATA));
    test_ok(ctx, gb_ckks_mul_rescale(&c, eval, &a, &b, &g->keys));
    assert_int_equal(c.limbs, 4);
    test_ok(ctx, gb_ckks_rotate(&c, eval, &c, STEP, &g->keys));
    for (size_t i = 0; i < SLOTS; i++) {
        size_t k = (i + STEP) % SLOTS;
        re[i] = x_re[k] * y_re[k] - x_im[k] * y_im[k];
        im[i] = x_re[k] * y_im[k] + x_im[k] * y_re[k];
    }
    true_phase(g, &c);
    expect_slots(re, im, 0x1p-40);
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, active, &c, &flooding));
    assert_int_equal(q.flood_bits, 14 + 39 + 40);
    joint_ckks(g, &q, &c);
    expect_slots(re, im,
                 0x1p-40); /* flooding: 2^93 sqrt(N) / 2^150, about 2^-50; the rest is the rounding of the encoding */
    gb_ct_release(&a);
    gb_ct_release(&b);
    gb_ct_release(&c);
}

static void test_ckks_all(void **state) { (void)state, check_ckks(&all_of_three, 7); }
static void test_ckks_threshold(void **state) {
    (void)state;
    check_ckks(&three_of_five, 0x15);
    check_ckks(&three_of_five, 0x0b);
    check_ckks(&three_of_five, 0x1e); /* more than needed */
    check_ckks(&three_of_five, 0x1f); /* all: nobody's dealt share is used */
}

/* ---- BFV ---- */
static void check_bfv(const group *g, uint64_t active) {
    const unsigned limbs = 4;
    static int64_t u[N], v[N], w[N];
    uint64_t random = 77, t = gb_bfv_plain_prime(params, 20), *poly, *phase;
    gb_bfv *bfv;
    gb_bfv_eval *be;
    gb_pt plain;
    gb_ct a, b, c;
    gb_request q;
    gb_share shares[MOST];
    test_ok(ctx, gb_bfv_new(&bfv, ctx, params, t));
    test_ok(ctx, gb_bfv_eval_new(&be, eval, bfv));
    test_ok(ctx, gb_pt_init(&plain, ctx, params, limbs, false));
    test_ok(ctx, gb_alloc(&poly, ctx, N, sizeof *poly));
    test_ok(ctx, gb_alloc(&phase, ctx, (size_t)limbs * N, sizeof *phase));
    gb_ct *in[2] = {&a, &b};
    int64_t *value[2] = {u, v};
    for (unsigned i = 0; i < 2; i++) {
        for (size_t k = 0; k < N; k++) value[i][k] = (int64_t)(test_random(&random) % t) - (int64_t)(t / 2);
        gb_bfv_encode(poly, bfv, value[i], N);
        gb_bfv_scale_up(&plain, ctx, bfv, poly);
        test_ok(ctx, gb_ct_init(in[i], ctx, params, 3, limbs));
        test_ok(ctx, gb_ct_encrypt_public(in[i], ctx, g->keyset, plain.data, limbs, 1));
    }
    test_ok(ctx, gb_ct_init(&c, ctx, params, 3, limbs));
    test_ok(ctx, gb_bfv_mul(&c, be, &a, &b, &g->keys));
    test_ok(ctx, gb_ct_automorphism(&c, eval, &c, gb_galois_rotation(params, STEP), &g->keys));
    /* noise of a product: below 2 t N |s| 2^23.4 with |s| <= 5 N, so 2^(1 + 20 + 14 + 16.4 + 23.4 + 1) */
    gb_flooding f = {
        .noise_log2 = 76, .room_log2 = gb_ring_log2_q(gb_params_ring(params), limbs) - 21, .statistical = 40};
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, active, &c, &f));
    size_t count = open_shares(shares, g, &q, &c);
    test_ok(ctx, gb_joint_phase(phase, ctx, &g->j, &q, &c, shares, count));
    gb_bfv_scale_down(poly, bfv, limbs, phase);
    gb_bfv_decode(w, bfv, poly, N);
    for (size_t i = 0; i < N; i++) {
        size_t k = i / SLOTS * SLOTS + (i + STEP) % SLOTS;
        int64_t x = (int64_t)((__extension__(__int128) u[k] * v[k]) % (int64_t)t);
        if (x > (int64_t)(t / 2)) x -= (int64_t)t;
        if (x < -(int64_t)(t / 2)) x += (int64_t)t;
        assert_int_equal(w[i], x);
    }
    release(shares, count);
    gb_ct_release(&a);
    gb_ct_release(&b);
    gb_ct_release(&c);
    gb_free(poly);
    gb_free(phase);
    gb_pt_release(&plain);
    gb_bfv_eval_free(be);
    gb_bfv_free(bfv);
}

static void test_bfv_all(void **state) { (void)state, check_bfv(&all_of_three, 7); }
static void test_bfv_threshold(void **state) { (void)state, check_bfv(&three_of_five, 0x1a); }

/* ---- switch to a recipient ---- */
static void check_switch(const group *g, uint64_t active) {
    gb_ct c, out;
    gb_request q;
    gb_share shares[MOST];
    gb_flooding f = {.noise_log2 = 24, .room_log2 = 198, .statistical = 64};
    encrypt(&c, g, x_re, x_im, 4, 100);
    test_ok(ctx, gb_ct_init(&out, ctx, params, 2, 4));
    test_ok(ctx, gb_request_switch(&q, ctx, &g->j, active, &c, &f, recipient_keys));
    size_t count = open_shares(shares, g, &q, &c);
    test_ok(ctx, gb_joint_switch(&out, ctx, &g->j, &q, &c, shares, count));
    test_ok(ctx, gb_ckks_decrypt(got_re, got_im, SLOTS, ctx, recipient, encoder, &out));
    expect_slots(x_re, x_im, 1e-13 * SLOTS);
    test_ok(ctx, gb_ckks_decrypt(got_re, got_im, SLOTS, ctx, recipient, encoder, &c)); /* not before */
    assert_true(fabs(got_re[0] - x_re[0]) > 1e-3);
    release(shares, count);
    gb_ct_release(&c);
    gb_ct_release(&out);
}

static void test_switch(void **state) {
    (void)state;
    check_switch(&all_of_three, 7);
    check_switch(&three_of_five, 0x19);
}

/* ---- refresh ---- */
static void check_refresh(const group *g, uint64_t active) {
    gb_ct c, out;
    gb_request q;
    gb_share shares[MOST];
    /* slots below sqrt 2, so coefficients below 2^51 and noise below 2^24: a phase below 2^51.1 */
    gb_flooding f = {.noise_log2 = 51.1, .room_log2 = 147, .statistical = 40};
    encrypt(&c, g, x_re, x_im, 3, 0);
    test_ok(ctx, gb_ct_init(&out, ctx, params, 2, DATA));
    test_ok(ctx, gb_request_refresh(&q, ctx, &g->j, active, &c, &f, DATA));
    size_t count = open_shares(shares, g, &q, &c);
    test_ok(ctx, gb_joint_refresh(&out, eval, &g->j, &q, &c, shares, count));
    assert_int_equal(out.limbs, DATA);
    assert_true(out.scale == c.scale);
    true_phase(g, &c);
    static double before[N];
    memcpy(before, coefficients, sizeof before);
    true_phase(g, &out);
    /* 21 a party, and what doubles lose in centring 350 bits */
    for (size_t i = 0; i < N; i++) assert_true(fabs(coefficients[i] - before[i]) * c.scale <= 21 * MOST + 1);
    expect_slots(x_re, x_im, 1e-8);
    release(shares, count);
    gb_ct_release(&c);
    gb_ct_release(&out);
}

static void test_refresh(void **state) {
    (void)state;
    check_refresh(&all_of_three, 7);
    check_refresh(&three_of_five, 0x0d);
}

/* ---- refusals ---- */
static void test_refuses(void **state) {
    const group *g = &three_of_five;
    gb_joint j;
    gb_request q, key;
    gb_ct c, other;
    gb_share shares[MOST];
    gb_buffer bytes = GB_BUFFER_INIT;
    gb_flooding f = flooding;
    uint64_t *phase;
    (void)state;
    test_refused(ctx, gb_joint_init(&j, ctx, params, 65, 3, &g->j.seed), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_joint_init(&j, ctx, params, 3, 1, &g->j.seed), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_joint_init(&j, ctx, params, 3, 4, &g->j.seed), GB_ERR_ARGUMENT);
    encrypt(&c, g, x_re, x_im, 4, 100);
    encrypt(&other, g, x_re, x_im, 4, 100);
    test_refused(ctx, gb_request_decrypt(&q, ctx, &g->j, 3, &c, &f), GB_ERR_ARGUMENT);    /* too few */
    test_refused(ctx, gb_request_decrypt(&q, ctx, &g->j, 0x27, &c, &f), GB_ERR_ARGUMENT); /* no such party */
    f.statistical = 39;
    test_refused(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &f), GB_ERR_ARGUMENT);
    f = flooding, f.noise_log2 = NAN;
    test_refused(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &f), GB_ERR_ARGUMENT);
    f = flooding, f.room_log2 = 199.999;
    test_refused(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &f), GB_ERR_ARGUMENT);
    /* 2^93 by three parties and 2^39: just above 2^(93 + log2 3) */
    f = flooding, f.room_log2 = 93 + log2(3) + 1e-6;
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &f));
    f.room_log2 = 93 + log2(3) - 1e-6;
    test_refused(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &f), GB_ERR_NOISE);
    test_refused(ctx, gb_request_refresh(&q, ctx, &g->j, 7, &c, &flooding, 3), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_request_key(&key, ctx, &g->j, GB_SHARE_ROTATION, 7, 2, DATA, 0), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_request_key(&key, ctx, &g->j, GB_SHARE_DECRYPT, 7, 3, DATA, 0), GB_ERR_ARGUMENT);
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &flooding));
    test_refused(ctx, gb_party_open_share(&bytes, ctx, g->party[3], &q, &c, &g->ledger[3]), GB_ERR_KEY);
    test_refused(ctx, gb_party_open_share(&bytes, ctx, g->party[0], &q, &other, &g->ledger[0]), GB_ERR_HASH);
    gb_request changed = q;
    changed.flood_bits--;
    test_refused(ctx, gb_party_open_share(&bytes, ctx, g->party[0], &changed, &c, &g->ledger[0]), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_party_open_share(&bytes, ctx, all_of_three.party[0], &q, &c, &g->ledger[0]), GB_ERR_ARGUMENT);
    size_t count = open_shares(shares, g, &q, &c);
    test_ok(ctx, gb_alloc(&phase, ctx, 4 * (size_t)N, sizeof *phase));
    test_refused(ctx, gb_joint_phase(phase, ctx, &g->j, &q, &c, shares, count - 1), GB_ERR_KEY);
    test_refused(ctx, gb_joint_phase(phase, ctx, &g->j, &q, &other, shares, count), GB_ERR_HASH);
    shares[0].party = shares[1].party;
    test_refused(ctx, gb_joint_phase(phase, ctx, &g->j, &q, &c, shares, count), GB_ERR_KEY);
    /* Another active set, purpose, c0 or level for the same c1: one share was given, there is no other. */
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, 0x19, &c, &flooding));
    test_refused(ctx, gb_party_open_share(&bytes, ctx, g->party[0], &q, &c, &g->ledger[0]), GB_ERR_STATE);
    f = (gb_flooding){.noise_log2 = 24, .room_log2 = 198, .statistical = 64};
    test_ok(ctx, gb_request_switch(&q, ctx, &g->j, 7, &c, &f, recipient_keys));
    test_refused(ctx, gb_party_open_share(&bytes, ctx, g->party[0], &q, &c, &g->ledger[0]), GB_ERR_STATE);
    gb_ct_limb(&c, 0, 0)[0] ^= 1;
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &flooding));
    test_refused(ctx, gb_party_open_share(&bytes, ctx, g->party[0], &q, &c, &g->ledger[0]), GB_ERR_STATE);
    test_ok(ctx, gb_ct_drop(ctx, &c, 3));
    f = flooding, f.room_log2 = 148;
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &f));
    test_refused(ctx, gb_party_open_share(&bytes, ctx, g->party[0], &q, &c, &g->ledger[0]), GB_ERR_STATE);
    assert_int_equal(bytes.size, 0);
    memset(gb_ct_limb(&c, 1, 0), 0, (size_t)N * 8);
    test_refused(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &f), GB_ERR_FORMAT);
    release(shares, count);
    gb_free(phase);
    gb_ct_release(&c);
    gb_ct_release(&other);
}

/* A party again from its root gives the same shares of keys. */
static void test_restore(void **state) {
    const group *g = &all_of_three;
    gb_party *again;
    gb_request q;
    gb_share a, b;
    uint8_t root[32];
    (void)state;
    gb_party_root(root, g->party[2]);
    test_ok(ctx, gb_party_restore(&again, ctx, &g->j, 2, root));
    test_ok(ctx, gb_request_key(&q, ctx, &g->j, GB_SHARE_RELIN_FIRST, 7, 1, 2, 0));
    test_ok(ctx, gb_party_key_share(&a, ctx, g->party[2], &q));
    test_ok(ctx, gb_party_key_share(&b, ctx, again, &q));
    assert_memory_equal(a.data, b.data, gb_share_rows(&a) * N * 8);
    gb_share_release(&a);
    gb_share_release(&b);
    gb_party_free(again);
    test_refused(ctx, gb_party_restore(&again, ctx, &g->j, 3, root), GB_ERR_ARGUMENT);
}

/* ---- flooding: uniform over all of [-2^f, 2^f), no narrower ---- */
static void test_flooding(void **state) {
    const group *g = &all_of_three;
    const gb_ring *r = gb_params_ring(params);
    gb_ct c;
    gb_request q;
    gb_share share;
    gb_buffer bytes = GB_BUFFER_INIT;
    static gb_centring centring;
    double mean = 0, square = 0, most = 0;
    (void)state;
    encrypt(&c, g, x_re, x_im, 4, 100);
    test_ok(ctx, gb_request_decrypt(&q, ctx, &g->j, 7, &c, &flooding));
    test_ok(ctx, gb_party_open_share(&bytes, ctx, g->party[0], &q, &c, &g->ledger[0]));
    decode(&share, &bytes);
    for (unsigned j = 0; j < 4; j++) { /* share - c1 s */
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t *x = gb_share_row(&share, j), *t = gb_ct_limb(&c, 0, j);
        gb_ring_kernels(r)->mul(t, gb_ct_limb(&c, 1, j), g->party[0]->s_hat + (size_t)j * N, N, m);
        gb_ring_kernels(r)->sub(x, x, t, N, m);
    }
    gb_ring_inverse(r, share.data, 0, 4);
    gb_centring_init(&centring, r, 4);
    gb_centring_run(coefficients, share.data, N, N, &centring, 4);
    for (size_t i = 0; i < N; i++) {
        double x = ldexp(coefficients[i], -(int)q.flood_bits);
        mean += x / N, square += x * x / N, most = fmax(most, fabs(x));
    }
    assert_true(most <= 1 && most > 0.998);
    assert_true(fabs(mean) < 5 * sqrt(1.0 / 3 / N));
    assert_true(fabs(square - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    gb_share_release(&share);
    gb_ct_release(&c);
}

/* ---- the retry attack ----
 * 11-of-60, the victim has the point 60. Take d = 20, 15, 12, 10, 6, 5, 4, 3, 2, 1 and F = (60 - d) / d, all integers.
 * An active set has, for each d, one of the parties at 60 - d and d; the victim's Lagrange coefficient is then a
 * product of -F or -1/F over the ten, so lambda sigma c1 = v z,   z = sigma c1 / prod F (mod Q),   v = product of F^2
 * over the d with 60 - d chosen. Each retry gives d = v z + e, |e| <= B = 2^f: with v from 1 to 2^64.7 > 2 B, each
 * known to within a factor of 3481 of the one before, z is cut down digit by digit until it is exact, and with it the
 * victim's share sigma. */
#define ATTACK_LOG_N 12
#define ATTACK_N (1 << ATTACK_LOG_N)
#define RETRIES 11
#define VICTIM 59
__extension__ typedef __int128 wide;

typedef struct attack {
    gb_params *params;
    gb_joint j;
    gb_party *victim;
    gb_ct c;
    uint64_t active[RETRIES];
    wide v[RETRIES];
    uint64_t product; /* of all F */
} attack;

static const gb_flooding attack_flooding = {.noise_log2 = 4, .room_log2 = 102, .statistical = 40};

static void attack_sets(attack *t) {
    static const unsigned d[RETRIES - 1] = {20, 15, 12, 10, 6, 5, 4, 3, 2, 1};
    t->v[0] = 1, t->product = 1;
    for (unsigned k = 0; k < RETRIES; k++) {
        t->active[k] = UINT64_C(1) << VICTIM;
        for (unsigned i = 0; i < RETRIES - 1; i++) t->active[k] |= UINT64_C(1) << ((i < k ? 60 - d[i] : d[i]) - 1);
        wide f = k < RETRIES - 1 ? (60 - d[k]) / d[k] : 0;
        if (k < RETRIES - 1) t->v[k + 1] = t->v[k] * f * f, t->product = t->product * (uint64_t)f % (UINT64_C(1) << 62);
    }
}

static void attack_init(attack *t) {
    gb_params_spec s = {.name = "joint-12", .log_n = ATTACK_LOG_N, .security = 128, .data_count = 2};
    gb_seed seed = {{9}};
    static gb_share dealt[60];
    s.data[0] = gb_prime_below(UINT64_C(1) << 52, 2 * ATTACK_N);
    s.data[1] = gb_prime_below(s.data[0], 2 * ATTACK_N);
    test_ok(ctx, gb_params_new(&t->params, ctx, &s));
    test_ok(ctx, gb_joint_init(&t->j, ctx, t->params, 60, RETRIES, &seed));
    test_ok(ctx, gb_party_new(&t->victim, ctx, &t->j, VICTIM));
    for (unsigned i = 0; i < 60; i++) {
        gb_party *dealer;
        if (i == VICTIM) {
            test_ok(ctx, gb_party_deal(&dealt[i], ctx, t->victim, VICTIM));
            continue;
        }
        test_ok(ctx, gb_party_new(&dealer, ctx, &t->j, i));
        test_ok(ctx, gb_party_deal(&dealt[i], ctx, dealer, VICTIM));
        gb_party_free(dealer);
        dealt[i].params = t->params;
    }
    dealt[VICTIM].params = t->params;
    test_ok(ctx, gb_party_collect(t->victim, ctx, dealt, 60));
    release(dealt, 60);
    test_ok(ctx, gb_ct_init(&t->c, ctx, t->params, 2, 2));
    for (unsigned i = 0; i < 4; i++)
        gb_sample_uniform(gb_ct_limb(&t->c, i / 2, i % 2), ATTACK_N, gb_ring_modulus(gb_params_ring(t->params), i % 2),
                          &seed, i, i % 2, 0);
    attack_sets(t);
}

static void attack_release(attack *t) {
    gb_party_free(t->victim);
    gb_ct_release(&t->c);
    gb_params_free(t->params);
}

/* Centred value of residues modulo the two primes; Q < 2^104. */
static wide centred(uint64_t x0, uint64_t x1, const gb_modulus *m0, const gb_modulus *m1) {
    uint64_t digit = (x1 + m1->q - x0 % m1->q) % m1->q;
    digit = gb_mod_mul(digit, gb_mod_inv(m0->q % m1->q, m1), m1);
    wide x = (wide)x0 + (wide)digit * m0->q, q = (wide)m0->q * m1->q;
    return x > q / 2 ? x - q : x;
}

static uint64_t reduce(wide x, const gb_modulus *m) {
    wide r = x % (wide)m->q;
    return (uint64_t)(r < 0 ? r + (wide)m->q : r);
}

static wide divide_round(wide x, wide by) { return (x < 0 ? x - by / 2 : x + by / 2) / by; }

/* Asks for `RETRIES` shares of one ciphertext; answers how many were given. z: [2][N] coefficients, the estimate. */
static unsigned ask_again_and_again(uint64_t *z, const attack *t, const gb_ledger *ledger) {
    const gb_ring *r = gb_params_ring(t->params);
    const gb_modulus *m0 = gb_ring_modulus(r, 0), *m1 = gb_ring_modulus(r, 1);
    unsigned given = 0;
    for (unsigned k = 0; k < RETRIES; k++) {
        gb_request q;
        gb_share share;
        gb_buffer bytes = GB_BUFFER_INIT;
        test_ok(ctx, gb_request_decrypt(&q, ctx, &t->j, t->active[k], &t->c, &attack_flooding));
        if (gb_party_open_share(&bytes, ctx, t->victim, &q, &t->c, ledger) != GB_OK) {
            assert_int_equal(gb_ctx_status(ctx), GB_ERR_STATE);
            assert_int_equal(bytes.size, 0);
            continue;
        }
        given++;
        test_ok(ctx, gb_share_decode(&share, ctx, t->params, bytes.data, bytes.size));
        gb_buffer_release(&bytes);
        gb_ring_inverse(r, share.data, 0, 2);
        uint64_t *d0 = gb_share_row(&share, 0), *d1 = gb_share_row(&share, 1), *z1 = z + ATTACK_N;
        for (size_t i = 0; i < ATTACK_N; i++) {
            /* v z0 - d = e - v delta for the true z = z0 + delta: small, so known as an integer */
            uint64_t x0 = gb_mod_mul(reduce(t->v[k], m0), z[i], m0), x1 = gb_mod_mul(reduce(t->v[k], m1), z1[i], m1);
            wide far = centred((x0 + m0->q - d0[i]) % m0->q, (x1 + m1->q - d1[i]) % m1->q, m0, m1);
            wide step = divide_round(-far, t->v[k]);
            z[i] = (z[i] + reduce(step, m0)) % m0->q;
            z1[i] = (z1[i] + reduce(step, m1)) % m1->q;
        }
        gb_share_release(&share);
    }
    return given;
}

/* Is z prod F / c1 the victim's share? */
static bool is_share(uint64_t *z, const attack *t) {
    const gb_ring *r = gb_params_ring(t->params);
    size_t same = 0;
    gb_ring_forward(r, z, 0, 2);
    for (unsigned j = 0; j < 2; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        for (size_t i = 0; i < ATTACK_N; i++) {
            uint64_t c1 = gb_ct_limb(&t->c, 1, j)[i], found = gb_mod_mul(z[j * ATTACK_N + i], t->product % m->q, m);
            same += found == gb_mod_mul(c1, t->victim->sigma_hat[j * ATTACK_N + i], m);
        }
    }
    return same == 2 * ATTACK_N;
}

/* A party without a ledger. */
static gb_status forget_find(void *user, gb_ctx *c, const gb_hash *subject, bool *found, gb_hash *request,
                             gb_buffer *share) {
    (void)user, (void)c, (void)subject, (void)request, (void)share;
    *found = false;
    return GB_OK;
}

static gb_status forget_record(void *user, gb_ctx *c, const gb_hash *subject, const gb_hash *request,
                               const uint8_t *share, size_t n) {
    (void)user, (void)c, (void)subject, (void)request, (void)share, (void)n;
    return GB_OK;
}

static void test_retry_attack(void **state) {
    static attack t;
    static uint64_t z[2 * ATTACK_N];
    const gb_ledger none = {NULL, forget_find, forget_record};
    gb_ledger_memory *memory;
    (void)state;
    attack_init(&t);
    assert_int_equal(ask_again_and_again(z, &t, &none), RETRIES);
    assert_true(is_share(z, &t)); /* without a ledger the share is gone */
    test_ok(ctx, gb_ledger_memory_new(&memory, ctx));
    gb_ledger ledger = gb_ledger_of_memory(memory);
    memset(z, 0, sizeof z);
    assert_int_equal(ask_again_and_again(z, &t, &ledger), 1);
    assert_false(is_share(z, &t));
    gb_ledger_memory_free(memory);
    attack_release(&t);
}

/* ---- the ledger in a file ---- */
static char *ledger_path(void) {
    const char *tmp = getenv("TMPDIR");
    char *path = gb_format(ctx, "%s/glovebox-ledger-%ld", tmp ? tmp : "/tmp", (long)getpid());
    assert_non_null(path);
    unlink(path);
    return path;
}

static gb_hash hash_number(uint64_t n) {
    gb_hash h;
    gb_hash_of(&h, &n, sizeof n, NULL, 0);
    return h;
}

static void record(gb_ledger_file *f, uint64_t subject, uint64_t request, const char *share) {
    gb_ledger l = gb_ledger_of_file(f);
    gb_hash s = hash_number(subject), r = hash_number(request);
    test_ok(ctx, l.record(l.user, ctx, &s, &r, (const uint8_t *)share, strlen(share)));
}

/* What the ledger in `path` says of a subject; the request's number must be the one given. */
static gb_status find(gb_ledger_file *f, uint64_t subject, uint64_t request, gb_buffer *out, bool *found) {
    gb_ledger l = gb_ledger_of_file(f);
    gb_hash s = hash_number(subject), r = hash_number(request);
    return gb_ledger_lookup(out, ctx, &l, &s, &r, found);
}

static void expect_entry(gb_ledger_file *f, uint64_t subject, uint64_t request, const char *share) {
    gb_buffer b = GB_BUFFER_INIT;
    bool found;
    test_ok(ctx, find(f, subject, request, &b, &found));
    assert_int_equal(found, share != NULL);
    if (share) assert_int_equal(b.size, strlen(share));
    if (share) assert_memory_equal(b.data, share, b.size);
    gb_buffer_release(&b);
}

static void test_ledger_file(void **state) {
    char *path = ledger_path();
    gb_ledger_file *f, *second;
    gb_buffer b = GB_BUFFER_INIT;
    uint8_t *whole;
    size_t n, one;
    bool found;
    gb_hash s = hash_number(1);
    (void)state;
    test_ok(ctx, gb_ledger_file_open(&f, ctx, path));
    record(f, 1, 10, "first");
    gb_ledger l = gb_ledger_of_file(f);
    test_refused(ctx, l.record(l.user, ctx, &s, &s, (const uint8_t *)"x", 1), GB_ERR_EXISTS);
    test_refused(ctx, gb_ledger_file_open(&second, ctx, path), GB_ERR_STATE);
    gb_ledger_file_close(f);
    test_ok(ctx, gb_file_read(&whole, &one, ctx, path, 4096));
    gb_free(whole);
    test_ok(ctx, gb_ledger_file_open(&f, ctx, path));
    record(f, 2, 20, "second");
    gb_ledger_file_close(f);
    test_ok(ctx, gb_file_read(&whole, &n, ctx, path, 4096));
    /* Cut short at every byte of the second entry: the first is there, the second never left, and both can go on. */
    for (size_t cut = one; cut < n; cut++) {
        test_ok(ctx, gb_file_write(ctx, path, whole, cut, 0600));
        test_ok(ctx, gb_ledger_file_open(&f, ctx, path));
        expect_entry(f, 1, 10, "first");
        expect_entry(f, 2, 20, NULL);
        if (cut % 16 == 0) record(f, 2, 21, "other");
        gb_ledger_file_close(f);
        test_ok(ctx, gb_ledger_file_open(&f, ctx, path));
        expect_entry(f, 2, 21, cut % 16 == 0 ? "other" : NULL);
        gb_ledger_file_close(f);
    }
    /* One byte damaged, anywhere: never is the subject free again, and never are other bytes answered. */
    for (size_t at = 0; at < n; at++) {
        whole[at] ^= 0x10;
        test_ok(ctx, gb_file_write(ctx, path, whole, n, 0600));
        gb_status opened = gb_ledger_file_open(&f, ctx, path);
        if (opened == GB_OK) {
            gb_status first = find(f, 1, 10, &b, &found);
            assert_true(first == GB_ERR_HASH || (first == GB_OK && found && b.size == 5));
            gb_buffer_release(&b);
            b = (gb_buffer)GB_BUFFER_INIT;
            gb_status other = find(f, 2, 20, &b, &found);
            assert_true(other == GB_ERR_HASH || (other == GB_OK && found && b.size == 6));
            assert_true(first != GB_OK || other != GB_OK);
            gb_buffer_release(&b);
            b = (gb_buffer)GB_BUFFER_INIT;
            gb_ledger_file_close(f);
        } else {
            test_refused(ctx, opened, GB_ERR_FORMAT);
        }
        whole[at] ^= 0x10;
    }
    /* Space that a crash left behind, never written. */
    uint8_t *longer;
    test_ok(ctx, gb_alloc_zero(&longer, ctx, n + 5000, 1));
    memcpy(longer, whole, n);
    test_ok(ctx, gb_file_write(ctx, path, longer, n + 5000, 0600));
    test_ok(ctx, gb_ledger_file_open(&f, ctx, path));
    expect_entry(f, 2, 20, "second");
    gb_ledger_file_close(f);
    gb_free(longer);
    gb_free(whole);
    unlink(path);
    gb_free(path);
}

/* The process is killed after the entry was made and before the share was sent: the next one sends the same share, and
 * none for another active set. */
static void test_ledger_kill(void **state) {
    static attack t;
    char *path = ledger_path();
    gb_ledger_file *f;
    gb_request q;
    gb_share share;
    gb_buffer bytes = GB_BUFFER_INIT, other = GB_BUFFER_INIT;
    int status;
    (void)state;
    attack_init(&t);
    test_ok(ctx, gb_request_decrypt(&q, ctx, &t.j, t.active[3], &t.c, &attack_flooding));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        gb_ctx_config config;
        gb_ctx *own;
        gb_ctx_config_defaults(&config);
        config.threads = 1;
        if (gb_ctx_new(&own, &config) != GB_OK || gb_ledger_file_open(&f, own, path) != GB_OK) _exit(1);
        gb_ledger l = gb_ledger_of_file(f);
        if (gb_party_open_share(&bytes, own, t.victim, &q, &t.c, &l) != GB_OK) _exit(2);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    test_ok(ctx, gb_ledger_file_open(&f, ctx, path));
    gb_ledger l = gb_ledger_of_file(f);
    test_ok(ctx, gb_party_open_share(&bytes, ctx, t.victim, &q, &t.c, &l));
    test_ok(ctx, gb_share_decode(&share, ctx, t.params, bytes.data, bytes.size));
    gb_share_release(&share);
    gb_ledger_file_close(f);
    test_ok(ctx, gb_ledger_file_open(&f, ctx, path));
    l = gb_ledger_of_file(f);
    test_ok(ctx, gb_party_open_share(&other, ctx, t.victim, &q, &t.c, &l));
    assert_int_equal(other.size, bytes.size);
    assert_memory_equal(other.data, bytes.data, bytes.size);
    gb_buffer_release(&other);
    other = (gb_buffer)GB_BUFFER_INIT;
    test_ok(ctx, gb_request_decrypt(&q, ctx, &t.j, t.active[4], &t.c, &attack_flooding));
    test_refused(ctx, gb_party_open_share(&other, ctx, t.victim, &q, &t.c, &l), GB_ERR_STATE);
    assert_int_equal(other.size, 0);
    gb_ledger_file_close(f);
    gb_buffer_release(&bytes);
    attack_release(&t);
    unlink(path);
    gb_free(path);
}

/* ---- out of memory, at every allocation of every step ---- */
typedef struct small {
    gb_params *params;
    gb_joint j;
    gb_party *party[2];
    gb_ct c;
    gb_keyset *keyset;
} small;

static gb_status open_once(const small *t, gb_share_kind kind) {
    const gb_flooding f = {.noise_log2 = 4, .room_log2 = 70, .statistical = 40};
    gb_ledger_memory *memory;
    gb_request q;
    gb_buffer bytes = GB_BUFFER_INIT;
    gb_share share;
    GB_TRY(kind == GB_SHARE_DECRYPT  ? gb_request_decrypt(&q, ctx, &t->j, 3, &t->c, &f)
           : kind == GB_SHARE_SWITCH ? gb_request_switch(&q, ctx, &t->j, 3, &t->c, &f, t->keyset)
                                     : gb_request_refresh(&q, ctx, &t->j, 3, &t->c, &f, 2));
    GB_TRY(gb_ledger_memory_new(&memory, ctx));
    gb_ledger ledger = gb_ledger_of_memory(memory);
    gb_status status = gb_party_open_share(&bytes, ctx, t->party[0], &q, &t->c, &ledger);
    if (status == GB_OK) status = gb_share_decode(&share, ctx, t->params, bytes.data, bytes.size);
    if (status == GB_OK) gb_share_release(&share);
    gb_buffer_release(&bytes);
    gb_ledger_memory_free(memory);
    return status;
}

/* Both rounds and the key they make. */
static gb_status relin_once(const small *t) {
    gb_request q;
    gb_share share[2] = {{.data = NULL}}, second[2] = {{.data = NULL}};
    gb_switch_key key;
    gb_ledger_memory *memory;
    GB_TRY(gb_request_key(&q, ctx, &t->j, GB_SHARE_RELIN_FIRST, 3, 1, 2, 0));
    GB_TRY(gb_ledger_memory_new(&memory, ctx));
    gb_ledger ledger = gb_ledger_of_memory(memory);
    gb_status status = GB_OK;
    for (unsigned i = 0; i < 2 && status == GB_OK; i++) status = gb_party_key_share(&share[i], ctx, t->party[i], &q);
    for (unsigned i = 0; i < 2 && status == GB_OK; i++) {
        gb_buffer bytes = GB_BUFFER_INIT;
        status = gb_party_relin_second(&bytes, ctx, t->party[i], &q, share, 2, &ledger);
        if (status == GB_OK) status = gb_share_decode(&second[i], ctx, t->params, bytes.data, bytes.size);
        gb_buffer_release(&bytes);
    }
    if (status == GB_OK) status = gb_joint_relin_key(&key, ctx, &t->j, &q, share, second, 2);
    if (status == GB_OK) gb_switch_key_release(&key);
    release(share, 2);
    release(second, 2);
    gb_ledger_memory_free(memory);
    return status;
}

static gb_status public_once(const small *t, gb_keyset **out) {
    gb_request q;
    gb_share share[2] = {{.data = NULL}};
    GB_TRY(gb_request_key(&q, ctx, &t->j, GB_SHARE_PUBLIC, 3, 0, 0, 0));
    gb_status status = GB_OK;
    for (unsigned i = 0; i < 2 && status == GB_OK; i++) status = gb_party_key_share(&share[i], ctx, t->party[i], &q);
    if (status == GB_OK) status = gb_joint_public_key(out, ctx, &t->j, &q, share, 2);
    release(share, 2);
    return status;
}

static gb_status step(small *t, unsigned which) {
    gb_party *p;
    gb_keyset *k;
    gb_status status;
    switch (which) {
    case 0:
        status = gb_party_new(&p, ctx, &t->j, 1);
        if (status == GB_OK) gb_party_free(p);
        return status;
    case 1:
        status = public_once(t, &k);
        if (status == GB_OK) gb_keyset_free(k);
        return status;
    case 2:
        return relin_once(t);
    case 3:
        return open_once(t, GB_SHARE_DECRYPT);
    case 4:
        return open_once(t, GB_SHARE_SWITCH);
    default:
        return open_once(t, GB_SHARE_REFRESH);
    }
}

static void test_out_of_memory(void **state) {
    gb_params_spec s = {.name = "joint-12", .log_n = 12, .security = 128, .data_count = 2, .special_count = 1};
    gb_seed seed = {{3}};
    small t;
    (void)state;
    s.data[0] = gb_prime_below(UINT64_C(1) << 38, 8192);
    s.data[1] = gb_prime_below(s.data[0], 8192);
    s.special[0] = gb_prime_below(UINT64_C(1) << 29, 8192);
    test_ok(ctx, gb_params_new(&t.params, ctx, &s));
    test_ok(ctx, gb_joint_init(&t.j, ctx, t.params, 2, 2, &seed));
    for (unsigned i = 0; i < 2; i++) test_ok(ctx, gb_party_new(&t.party[i], ctx, &t.j, i));
    test_ok(ctx, public_once(&t, &t.keyset));
    test_ok(ctx, gb_ct_init(&t.c, ctx, t.params, 2, 2));
    for (unsigned i = 0; i < 4; i++) gb_ct_limb(&t.c, i / 2, i % 2)[1] = 1;
    for (unsigned which = 0; which < 6; which++) {
        gb_status status = GB_ERR_MEMORY;
        uint64_t n = 0;
        while (status != GB_OK) {
            gb_alloc_fail_at(++n);
            status = step(&t, which);
            if (status != GB_OK) assert_int_equal(status, GB_ERR_MEMORY);
        }
        gb_alloc_fail_at(0);
        assert_true(n > 4);
    }
    for (unsigned i = 0; i < 2; i++) gb_party_free(t.party[i]);
    gb_ct_release(&t.c);
    gb_keyset_free(t.keyset);
    gb_params_free(t.params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ckks_all),      cmocka_unit_test(test_ckks_threshold), cmocka_unit_test(test_bfv_all),
        cmocka_unit_test(test_bfv_threshold), cmocka_unit_test(test_switch),         cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_refuses),       cmocka_unit_test(test_restore),        cmocka_unit_test(test_flooding),
        cmocka_unit_test(test_retry_attack),  cmocka_unit_test(test_ledger_file),    cmocka_unit_test(test_ledger_kill),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
