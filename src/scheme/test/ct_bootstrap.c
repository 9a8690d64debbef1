/* Constant time of the keys of a bootstrapping: rotations at their levels, and the two that know the sparse secret,
 * from a marked root. The set is as small as a bootstrapping can be made; it is not one to compute with. See ct.h. */
#include "ct.h"

#define LOG_N 14
#define DATA 12

static void params_new(gb_params **p) {
    gb_params_spec s = {.name = "keys-14", .log_n = LOG_N, .security = 128, .data_count = DATA, .special_count = 1};
    uint64_t at = UINT64_C(1) << 36;
    s.special[0] = at = gb_prime_below(at, 2 << LOG_N);
    s.data[0] = at = gb_prime_below(at, 2 << LOG_N);
    at = UINT64_C(1) << 32;
    for (size_t i = 1; i < DATA; i++) s.data[i] = at = gb_prime_below(at, 2 << LOG_N);
    ct_need(gb_params_new(p, ct_ctx, &s), "parameters");
}

static void public_key(const gb_switch_key *k) {
    ct_public(k->data, gb_switch_key_bytes(k) & ~(size_t)7, "a switching key");
}

static void check(void) {
    gb_params *p;
    gb_secret *s;
    gb_ckks_encoder *e;
    gb_bootstrap *b;
    gb_bootstrap_keys k;
    gb_bootstrap_config config;
    uint8_t root[32] = {7};
    gb_classify(root, sizeof root);
    params_new(&p);
    ct_need(gb_secret_restore(&s, NULL, ct_ctx, p, root), "key");
    ct_need(gb_ckks_encoder_new(&e, ct_ctx, p), "encoder");
    gb_bootstrap_config_defaults(&config);
    config.log_slots = 3;
    config.to_coeff = config.to_slots = 1;
    config.degree = 40;
    config.doublings = 2;
    config.ratio_bits = 4;
    config.scale_bits = 30;
    ct_need(gb_bootstrap_new(&b, ct_ctx, e, &config), "bootstrapping");
    ct_need(gb_secret_bootstrap_keys(&k, ct_ctx, s, b, DATA), "its keys");
    for (size_t i = 0; i < k.keys.count; i++) public_key(&k.keys.keys[i]);
    public_key(&k.to_sparse);
    public_key(&k.to_dense);
    gb_bootstrap_keys_release(&k);
    gb_bootstrap_free(b);
    gb_ckks_encoder_free(e);
    gb_secret_free(s);
    gb_params_free(p);
}

int main(int argc, char **argv) { return ct_main(argc, argv, check); }
