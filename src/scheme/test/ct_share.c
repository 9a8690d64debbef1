/* Constant time of a party's side of a joint key, checked by valgrind as in ct_secret.c: the roots of the parties are
 * marked as undefined memory. A 2-of-3 key is made, dealt and used with two parties.
 *
 *   valgrind -q --error-exitcode=9 ct_share          must end with 0
 *   valgrind -q --error-exitcode=9 ct_share leak     must end with 9: the check can fail */
#include <stdlib.h>

#include "scheme/core/core.h"
#include "scheme/secret/share.h"

#define LOG_N 12
#define PARTIES 3
#define ACTIVE 5 /* parties 0 and 2 */

static gb_ctx *ctx;

static void need(gb_status s) {
    if (s == GB_OK) return;
    fprintf(stderr, "%s\n", gb_ctx_error(ctx));
    _Exit(1);
}

static void params_new(gb_params **p) {
    gb_params_spec s = {.name = "joint-12", .log_n = LOG_N, .security = 128, .data_count = 2, .special_count = 1};
    s.data[0] = gb_prime_below(UINT64_C(1) << 38, 2 << LOG_N);
    s.data[1] = gb_prime_below(s.data[0], 2 << LOG_N);
    s.special[0] = gb_prime_below(UINT64_C(1) << 29, 2 << LOG_N);
    need(gb_params_new(p, ctx, &s));
}

/* Deals go through their wire form, in guarded memory, as they would between parties. */
static void deal(gb_party *const *party) {
    for (unsigned to = 0; to < PARTIES; to++) {
        gb_share dealt[PARTIES];
        for (unsigned i = 0; i < PARTIES; i++) {
            gb_share s;
            uint8_t *wire;
            need(gb_party_deal(&s, ctx, party[i], to));
            size_t n = gb_share_bytes(&s);
            need(gb_alloc_secret(&wire, ctx, n, 1));
            gb_share_write(wire, &s);
            need(gb_share_decode(&dealt[i], ctx, s.params, wire, n));
            gb_free_secret(wire);
            gb_share_release(&s);
        }
        need(gb_party_collect(party[to], ctx, dealt, PARTIES));
        for (unsigned i = 0; i < PARTIES; i++) gb_share_release(&dealt[i]);
    }
}

static void keys(const gb_joint *j, gb_party *const *party, const gb_ledger *ledger) {
    gb_request q;
    gb_share first[2], one;
    need(gb_request_key(&q, ctx, j, GB_SHARE_ROTATION, ACTIVE, 5, 2, 0));
    need(gb_party_key_share(&one, ctx, party[0], &q));
    gb_share_release(&one);
    need(gb_request_key(&q, ctx, j, GB_SHARE_RELIN_FIRST, ACTIVE, 1, 2, 0));
    need(gb_party_key_share(&first[0], ctx, party[0], &q));
    need(gb_party_key_share(&first[1], ctx, party[2], &q));
    gb_buffer bytes = GB_BUFFER_INIT;
    need(gb_party_relin_second(&bytes, ctx, party[0], &q, first, 2, ledger));
    gb_buffer_release(&bytes);
    gb_share_release(&first[0]);
    gb_share_release(&first[1]);
}

/* One of each opening, every time of another ciphertext. */
static void openings(const gb_joint *j, gb_party *const *party, const gb_ledger *ledger, const gb_keyset *joint_key) {
    gb_flooding f = {.noise_log2 = 4, .room_log2 = 70, .statistical = 40};
    uint64_t *zero;
    need(gb_alloc_zero(&zero, ctx, 2 << LOG_N, sizeof *zero));
    for (unsigned kind = 0; kind < 3; kind++) {
        gb_request q;
        gb_ct c;
        gb_buffer bytes = GB_BUFFER_INIT;
        need(gb_ct_init(&c, ctx, j->params, 2, 2));
        need(gb_ct_encrypt_public(&c, ctx, joint_key, zero, 2, 1));
        if (kind == 0) need(gb_request_decrypt(&q, ctx, j, ACTIVE, &c, &f));
        if (kind == 1) need(gb_request_switch(&q, ctx, j, ACTIVE, &c, &f, joint_key));
        if (kind == 2) need(gb_request_refresh(&q, ctx, j, ACTIVE, &c, &f, 2));
        need(gb_party_open_share(&bytes, ctx, party[2], &q, &c, ledger));
        gb_buffer_release(&bytes);
        gb_ct_release(&c);
    }
    gb_free(zero);
}

static int run(bool leak) {
    gb_params *p;
    gb_joint j;
    gb_seed seed = {{3}};
    gb_party *party[PARTIES];
    gb_share shares[PARTIES];
    gb_request q;
    gb_keyset *joint_key;
    gb_ledger_memory *memory;
    uint8_t root[32] = {7};
    params_new(&p);
    need(gb_joint_init(&j, ctx, p, PARTIES, 2, &seed));
    need(gb_request_key(&q, ctx, &j, GB_SHARE_PUBLIC, gb_joint_all(&j), 0, 0, 0));
    for (unsigned i = 0; i < PARTIES; i++) {
        root[1] = (uint8_t)i;
        gb_classify(root, sizeof root);
        need(gb_party_restore(&party[i], ctx, &j, i, root));
        need(gb_party_key_share(&shares[i], ctx, party[i], &q));
    }
    need(gb_joint_public_key(&joint_key, ctx, &j, &q, shares, PARTIES));
    need(gb_ledger_memory_new(&memory, ctx));
    gb_ledger ledger = gb_ledger_of_memory(memory);
    deal(party);
    keys(&j, party, &ledger);
    openings(&j, party, &ledger, joint_key);
    gb_party_root(root, party[0]);
    int result = leak && root[0] > 100; /* what must be reported */
    for (unsigned i = 0; i < PARTIES; i++) {
        gb_party_free(party[i]);
        gb_share_release(&shares[i]);
    }
    gb_ledger_memory_free(memory);
    gb_keyset_free(joint_key);
    gb_params_free(p);
    return result;
}

int main(int argc, char **argv) {
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    if (gb_ctx_new(&ctx, &config) != GB_OK) return 1;
    int result = run(argc > 1 && strcmp(argv[1], "leak") == 0);
    gb_ctx_free(ctx);
    return result;
}
