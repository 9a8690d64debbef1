/* core/noise against measurements on joint keys: their noise, flooding, the switch to a recipient, the refresh. The
 * message is one integer in every slot, a constant polynomial, so that every other coefficient of a phase is noise. */
#include "rig.h"
#include "scheme/core/noise.h"
#include "scheme/secret/share_internal.h"

#define MOST 5
#define MESSAGE 0x1p40

typedef struct joint {
    rig r; /* its own key is the recipient */
    gb_noise_model m;
    gb_joint j;
    gb_party *party[MOST];
    gb_ledger_memory *memory[MOST];
    gb_ledger ledger[MOST];
    gb_keyset *keyset;
    gb_eval_keys keys;
    double *error;
    uint64_t *phase, *secret;
} joint;

static size_t key_shares(gb_share *out, joint *g, const gb_request *q) {
    size_t count = 0;
    for (unsigned i = 0; i < g->j.parties; i++)
        if (q->active >> i & 1) test_ok(g->r.ctx, gb_party_key_share(&out[count++], g->r.ctx, g->party[i], q));
    return count;
}

static void release(gb_share *shares, size_t count) {
    for (size_t i = 0; i < count; i++) gb_share_release(&shares[i]);
}

static void decode(gb_share *out, joint *g, gb_buffer *bytes) {
    test_ok(g->r.ctx, gb_share_decode(out, g->r.ctx, g->r.p, bytes->data, bytes->size));
    gb_buffer_release(bytes);
}

static void make_keys(joint *g, uint64_t active) {
    gb_ctx *ctx = g->r.ctx;
    uint64_t galois = gb_galois_rotation(g->r.p, 1);
    gb_request q;
    gb_share first[MOST], second[MOST];
    gb_switch_key key;
    test_ok(ctx, gb_request_key(&q, ctx, &g->j, GB_SHARE_ROTATION, active, galois, g->r.limbs, 0));
    size_t count = key_shares(first, g, &q);
    test_ok(ctx, gb_joint_rotation_key(&key, ctx, &g->j, &q, first, count));
    test_ok(ctx, gb_eval_keys_add(&g->keys, ctx, &key));
    release(first, count);
    test_ok(ctx, gb_request_key(&q, ctx, &g->j, GB_SHARE_RELIN_FIRST, active, 1, g->r.limbs, 0));
    count = key_shares(first, g, &q);
    for (unsigned i = 0, k = 0; i < g->j.parties; i++) {
        gb_buffer bytes = GB_BUFFER_INIT;
        if (!(active >> i & 1)) continue;
        test_ok(ctx, gb_party_relin_second(&bytes, ctx, g->party[i], &q, first, count, &g->ledger[i]));
        decode(&second[k++], g, &bytes);
    }
    test_ok(ctx, gb_joint_relin_key(&key, ctx, &g->j, &q, first, second, count));
    test_ok(ctx, gb_eval_keys_add(&g->keys, ctx, &key));
    release(first, count);
    release(second, count);
}

static void deal(joint *g) {
    for (unsigned to = 0; to < g->j.parties; to++) {
        gb_share dealt[MOST];
        for (unsigned i = 0; i < g->j.parties; i++)
            test_ok(g->r.ctx, gb_party_deal(&dealt[i], g->r.ctx, g->party[i], to));
        test_ok(g->r.ctx, gb_party_collect(g->party[to], g->r.ctx, dealt, g->j.parties));
        release(dealt, g->j.parties);
    }
}

static void setup(joint *g, unsigned parties, unsigned threshold, uint64_t active) {
    gb_seed seed = {{5}};
    gb_share shares[MOST];
    gb_request q;
    memset(g, 0, sizeof *g);
    gb_params_spec s = rig_spec(13, 46, 40, 4, 47, 1);
    rig_init(&g->r, 2, &s, 0);
    rig *r = &g->r;
    gb_noise_model_init(&g->m, r->p, 0);
    g->m.parties = parties;
    test_ok(r->ctx, gb_alloc(&g->error, r->ctx, r->n, sizeof *g->error));
    test_ok(r->ctx, gb_alloc(&g->phase, r->ctx, r->n * r->limbs, sizeof *g->phase));
    test_ok(r->ctx, gb_alloc(&g->secret, r->ctx, r->n, sizeof *g->secret));
    test_ok(r->ctx, gb_joint_init(&g->j, r->ctx, r->p, parties, threshold, &seed));
    for (unsigned i = 0; i < parties; i++) {
        uint8_t root[32] = {(uint8_t)(i + 1), (uint8_t)parties};
        test_ok(r->ctx, gb_party_restore(&g->party[i], r->ctx, &g->j, i, root));
        test_ok(r->ctx, gb_ledger_memory_new(&g->memory[i], r->ctx));
        g->ledger[i] = gb_ledger_of_memory(g->memory[i]);
    }
    test_ok(r->ctx, gb_request_key(&q, r->ctx, &g->j, GB_SHARE_PUBLIC, gb_joint_all(&g->j), 0, 0, 0));
    size_t count = key_shares(shares, g, &q);
    test_ok(r->ctx, gb_joint_public_key(&g->keyset, r->ctx, &g->j, &q, shares, count));
    release(shares, count);
    if (threshold < parties) deal(g);
    make_keys(g, active);
}

static void teardown(joint *g) {
    for (unsigned i = 0; i < g->j.parties; i++) {
        gb_party_free(g->party[i]);
        gb_ledger_memory_free(g->memory[i]);
    }
    gb_keyset_free(g->keyset);
    gb_eval_keys_release(&g->keys);
    gb_free(g->error);
    gb_free(g->phase);
    gb_free(g->secret);
    rig_release(&g->r);
}

/* ---- measuring ---- */
/* The centred phase; coefficient 0 holds the message. */
static void centre(joint *g, unsigned limbs) {
    gb_centring *c;
    test_ok(g->r.ctx, gb_alloc(&c, g->r.ctx, 1, sizeof *c));
    gb_centring_init(c, gb_params_ring(g->r.p), limbs);
    gb_centring_run(g->error, g->phase, g->r.n, g->r.n, c, limbs);
    gb_free(c);
}

/* Under the sum of all secrets: what only a test can do. */
static void joint_phase(joint *g, const gb_ct *c) {
    const gb_ring *ring = gb_params_ring(g->r.p);
    size_t n = g->r.n;
    for (unsigned j = 0; j < c->limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(ring, j);
        uint64_t *x = g->phase + j * n;
        memset(g->secret, 0, n * sizeof *g->secret);
        for (unsigned i = 0; i < g->j.parties; i++)
            gb_ring_kernels(ring)->add(g->secret, g->secret, g->party[i]->s_hat + j * n, n, m);
        memcpy(x, gb_ct_limb(c, 0, j), n * sizeof *x);
        gb_ring_kernels(ring)->mul_add(x, gb_ct_limb(c, 1, j), g->secret, n, m);
    }
    gb_ring_inverse(ring, g->phase, 0, c->limbs);
    centre(g, c->limbs);
}

static void compare(joint *g, const gb_noise *p, const char *op) {
    double worst = 0, sum = 0;
    for (size_t i = 1; i < g->r.n; i++) {
        worst = fmax(worst, fabs(g->error[i]));
        sum += g->error[i] * g->error[i];
    }
    double rms = log2(sqrt(sum / (double)g->r.n));
    if (getenv("GLOVEBOX_SHOW"))
        print_message("%-28s rms %6.2f of %6.2f, worst %6.2f of %6.2f\n", op, rms, p->rms, log2(worst), p->worst);
    if (!(log2(worst) <= p->worst)) fail_msg("%s: error 2^%.2f over its worst case 2^%.2f", op, log2(worst), p->worst);
    if (!(fabs(rms - p->rms) <= 2)) fail_msg("%s: rms 2^%.2f, predicted 2^%.2f", op, rms, p->rms);
    test_ok(g->r.ctx, gb_noise_check(g->r.ctx, &g->m, p, op));
}

static size_t open_shares(gb_share *out, joint *g, const gb_request *q, const gb_ct *c) {
    size_t count = 0;
    for (unsigned i = 0; i < g->j.parties; i++) {
        gb_buffer bytes = GB_BUFFER_INIT;
        if (!(q->active >> i & 1)) continue;
        test_ok(g->r.ctx, gb_party_open_share(&bytes, g->r.ctx, g->party[i], q, c, &g->ledger[i]));
        decode(&out[count++], g, &bytes);
    }
    return count;
}

static gb_ct encrypt(joint *g, unsigned limbs) {
    rig *r = &g->r;
    gb_ct c = rig_room(r);
    const double one = 1;
    test_ok(r->ctx, gb_ckks_encode(&r->pt, r->ctx, r->enc, &one, NULL, 1, MESSAGE));
    test_ok(r->ctx, gb_ct_encrypt_public(&c, r->ctx, g->keyset, r->pt.data, limbs, MESSAGE));
    return c;
}

/* The flooding that the worst case asks for, statistical distance 2^-40. more: bits of the message, for a refresh. */
static gb_flooding flooding_of(const joint *g, const gb_noise *n, double more) {
    double room = gb_ring_log2_q(gb_params_ring(g->r.p), n->limbs) - 2;
    return (gb_flooding){fmax(n->worst, more) + (more > 0 ? 0.01 : 0), room, 40};
}

static void run_evaluation(joint *g) {
    rig *r = &g->r;
    gb_noise fresh, n;
    gb_ct c = encrypt(g, r->limbs), out = rig_room(r);
    gb_noise_fresh(&fresh, &g->m, r->limbs, MESSAGE, 1, 1, true);
    joint_phase(g, &c);
    compare(g, &fresh, "joint public key");
    test_ok(r->ctx, gb_ct_automorphism(&out, r->e, &c, gb_galois_rotation(r->p, 1), &g->keys));
    gb_noise_automorphism(&n, &g->m, &fresh);
    joint_phase(g, &out);
    compare(g, &n, "joint rotation key");
    test_ok(r->ctx, gb_ckks_mul_rescale(&out, r->e, &c, &c, &g->keys));
    gb_noise_tensor(&n, &g->m, &fresh, &fresh);
    gb_noise_relinearize_divide(&n, &g->m, &n, 1);
    joint_phase(g, &out);
    compare(g, &n, "joint relinearisation key");
    /* the key's own noise, with no message's in the way */
    test_ok(r->ctx, gb_ct_tensor(&out, r->e, &c, &c));
    memset(gb_ct_limb(&out, 0, 0), 0, (size_t)2 * out.capacity * r->n * sizeof(uint64_t));
    for (unsigned j = 0; j < r->limbs; j++) { /* the part of s^2 alone, and c0 = -(that) s^2 */
        const gb_ring *ring = gb_params_ring(r->p);
        const gb_modulus *m = gb_ring_modulus(ring, j);
        memset(g->secret, 0, r->n * sizeof *g->secret);
        for (unsigned i = 0; i < g->j.parties; i++)
            gb_ring_kernels(ring)->add(g->secret, g->secret, g->party[i]->s_hat + j * r->n, r->n, m);
        gb_ring_kernels(ring)->mul(g->secret, g->secret, g->secret, r->n, m);
        gb_ring_kernels(ring)->mul(g->secret, g->secret, gb_ct_limb(&out, 2, j), r->n, m);
        gb_ring_kernels(ring)->sub(gb_ct_limb(&out, 0, j), gb_ct_limb(&out, 0, j), g->secret, r->n, m);
    }
    test_ok(r->ctx, gb_ct_relinearize(&out, r->e, &g->keys));
    n = (gb_noise){-INFINITY, -INFINITY, -INFINITY, -INFINITY, r->limbs, 3, 0};
    gb_noise_relinearize(&n, &g->m, &n);
    joint_phase(g, &out);
    compare(g, &n, "relinearisation alone");
    gb_ct_release(&c);
    gb_ct_release(&out);
}

static void run_openings(joint *g, uint64_t active) {
    rig *r = &g->r;
    gb_request q;
    gb_share shares[MOST];
    gb_noise fresh, n;
    unsigned count = (unsigned)__builtin_popcountll(active);
    gb_ct c = encrypt(g, r->limbs), out = rig_room(r);
    gb_noise_fresh(&fresh, &g->m, r->limbs, MESSAGE, 1, 1, true);
    gb_flooding f = flooding_of(g, &fresh, 0);
    test_ok(r->ctx, gb_request_decrypt(&q, r->ctx, &g->j, active, &c, &f));
    size_t got = open_shares(shares, g, &q, &c);
    test_ok(r->ctx, gb_joint_phase(g->phase, r->ctx, &g->j, &q, &c, shares, got));
    centre(g, c.limbs);
    gb_noise_joint_decrypt(&n, &g->m, &fresh, count, q.flood_bits);
    compare(g, &n, "flooded decryption");
    release(shares, got);
    gb_ct_release(&c);

    c = encrypt(g, r->limbs);
    test_ok(r->ctx, gb_request_switch(&q, r->ctx, &g->j, active, &c, &f, r->k));
    got = open_shares(shares, g, &q, &c);
    test_ok(r->ctx, gb_joint_switch(&out, r->ctx, &g->j, &q, &c, shares, got));
    out.scale = 0x1p300; /* all primes are looked at */
    test_ok(r->ctx, gb_ct_decrypt(g->error, r->ctx, r->s, &out));
    for (size_t i = 0; i < r->n; i++) g->error[i] *= 0x1p300;
    gb_noise_joint_switch(&n, &g->m, &fresh, count, q.flood_bits);
    compare(g, &n, "switch to a recipient");
    release(shares, got);
    gb_ct_release(&c);

    c = encrypt(g, 3);
    gb_noise_fresh(&fresh, &g->m, 3, MESSAGE, 1, 1, true);
    f = flooding_of(g, &fresh, log2(MESSAGE));
    test_ok(r->ctx, gb_request_refresh(&q, r->ctx, &g->j, active, &c, &f, r->limbs));
    got = open_shares(shares, g, &q, &c);
    test_ok(r->ctx, gb_joint_refresh(&out, r->e, &g->j, &q, &c, shares, got));
    joint_phase(g, &out);
    gb_noise_joint_refresh(&n, &g->m, &fresh, count, r->limbs);
    compare(g, &n, "refresh");
    release(shares, got);
    gb_ct_release(&c);
    gb_ct_release(&out);
}

static void test_joint(void **state) {
    (void)state;
    static const struct {
        unsigned parties, threshold;
        uint64_t active;
    } groups[] = {{2, 2, 3}, {5, 5, 31}, {4, 3, 13}};
    for (size_t i = 0; i < GB_COUNT(groups); i++) {
        joint g;
        setup(&g, groups[i].parties, groups[i].threshold, groups[i].active);
        run_evaluation(&g);
        run_openings(&g, groups[i].active);
        teardown(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_joint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
