/* Constant time of a party's side of a joint key: the roots of the parties are marked. A 2-of-3 key is made, dealt and
 * used with two parties. See ct.h. */
#include "ct.h"
#include "scheme/core/core.h"
#include "scheme/secret/share.h"

#define LOG_N 12
#define PARTIES 3
#define ACTIVE 5 /* parties 0 and 2 */

static void need(gb_status s) { ct_need(s, "share"); }

static void params_new(gb_params **p) {
    gb_params_spec s = {.name = "joint-12", .log_n = LOG_N, .security = 128, .data_count = 2, .special_count = 1};
    s.data[0] = gb_prime_below(UINT64_C(1) << 38, 2 << LOG_N);
    s.data[1] = gb_prime_below(s.data[0], 2 << LOG_N);
    s.special[0] = gb_prime_below(UINT64_C(1) << 29, 2 << LOG_N);
    need(gb_params_new(p, ct_ctx, &s));
}

/* Deals go through their wire form, in guarded memory, as they would between parties. */
static void deal(gb_party *const *party) {
    for (unsigned to = 0; to < PARTIES; to++) {
        gb_share dealt[PARTIES];
        for (unsigned i = 0; i < PARTIES; i++) {
            gb_share s;
            uint8_t *wire;
            need(gb_party_deal(&s, ct_ctx, party[i], to));
            ct_secret_words(s.data, 8 << LOG_N, "a dealt share");
            size_t n = gb_share_bytes(&s);
            need(gb_alloc_secret(&wire, ct_ctx, n, 1));
            gb_share_write(wire, &s);
            need(gb_share_decode(&dealt[i], ct_ctx, s.params, wire, n));
            gb_free_secret(wire);
            gb_share_release(&s);
        }
        need(gb_party_collect(party[to], ct_ctx, dealt, PARTIES));
        for (unsigned i = 0; i < PARTIES; i++) gb_share_release(&dealt[i]);
    }
}

static void keys(const gb_joint *j, gb_party *const *party, const gb_ledger *ledger) {
    gb_request q;
    gb_share first[2], one;
    need(gb_request_key(&q, ct_ctx, j, GB_SHARE_ROTATION, ACTIVE, 5, 2, 0));
    need(gb_party_key_share(&one, ct_ctx, party[0], &q));
    gb_share_release(&one);
    need(gb_request_key(&q, ct_ctx, j, GB_SHARE_RELIN_FIRST, ACTIVE, 1, 2, 0));
    need(gb_party_key_share(&first[0], ct_ctx, party[0], &q));
    need(gb_party_key_share(&first[1], ct_ctx, party[2], &q));
    gb_buffer bytes = GB_BUFFER_INIT;
    need(gb_party_relin_second(&bytes, ct_ctx, party[0], &q, first, 2, ledger));
    gb_buffer_release(&bytes);
    gb_share_release(&first[0]);
    gb_share_release(&first[1]);
}

/* One of each opening, every time of another ciphertext. */
static void openings(const gb_joint *j, gb_party *const *party, const gb_ledger *ledger, const gb_keyset *joint_key) {
    gb_flooding f = {.noise_log2 = 4, .room_log2 = 70, .statistical = 40};
    uint64_t *zero;
    need(gb_alloc_zero(&zero, ct_ctx, 2 << LOG_N, sizeof *zero));
    for (unsigned kind = 0; kind < 3; kind++) {
        gb_request q;
        gb_ct c;
        gb_buffer bytes = GB_BUFFER_INIT;
        need(gb_ct_init(&c, ct_ctx, j->params, 2, 2));
        need(gb_ct_encrypt_public(&c, ct_ctx, joint_key, zero, 2, 1));
        if (kind == 0) need(gb_request_decrypt(&q, ct_ctx, j, ACTIVE, &c, &f));
        if (kind == 1) need(gb_request_switch(&q, ct_ctx, j, ACTIVE, &c, &f, joint_key));
        if (kind == 2) need(gb_request_refresh(&q, ct_ctx, j, ACTIVE, &c, &f, 2));
        need(gb_party_open_share(&bytes, ct_ctx, party[2], &q, &c, ledger));
        gb_buffer_release(&bytes);
        gb_ct_release(&c);
    }
    gb_free(zero);
}

static void check(void) {
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
    need(gb_joint_init(&j, ct_ctx, p, PARTIES, 2, &seed));
    need(gb_request_key(&q, ct_ctx, &j, GB_SHARE_PUBLIC, gb_joint_all(&j), 0, 0, 0));
    for (unsigned i = 0; i < PARTIES; i++) {
        root[1] = (uint8_t)i;
        gb_classify(root, sizeof root);
        need(gb_party_restore(&party[i], ct_ctx, &j, i, root));
        need(gb_party_key_share(&shares[i], ct_ctx, party[i], &q));
    }
    need(gb_joint_public_key(&joint_key, ct_ctx, &j, &q, shares, PARTIES));
    need(gb_ledger_memory_new(&memory, ct_ctx));
    gb_ledger ledger = gb_ledger_of_memory(memory);
    deal(party);
    keys(&j, party, &ledger);
    openings(&j, party, &ledger, joint_key);
    for (unsigned i = 0; i < PARTIES; i++) {
        gb_party_free(party[i]);
        gb_share_release(&shares[i]);
    }
    gb_ledger_memory_free(memory);
    gb_keyset_free(joint_key);
    gb_params_free(p);
}

int main(int argc, char **argv) { return ct_main(argc, argv, check); }
