/* Constant time of single ciphertexts: the root of a key and the messages are marked, through key generation, encoding,
 * encryption of both kinds, decryption and decoding, for CKKS and BFV. See ct.h. */
#include <math.h>

#include "ct.h"
#include "scheme/bfv/bfv.h"
#include "scheme/bfv/fixed.h"
#include "scheme/core/core.h"

#define LOG_N 12
#define N (1 << LOG_N)
#define LIMBS 2
#define SCALE 0x1p32

static gb_params *params;
static gb_secret *secret;
static gb_keyset *keyset;

static void setup(void) {
    gb_params_spec s = {.name = "cipher-12", .log_n = LOG_N, .security = 128, .data_count = LIMBS, .special_count = 1};
    uint8_t root[32] = {7};
    s.data[0] = gb_prime_below(UINT64_C(1) << 38, 2 << LOG_N);
    s.data[1] = gb_prime_below(s.data[0], 2 << LOG_N);
    s.special[0] = gb_prime_below(UINT64_C(1) << 29, 2 << LOG_N);
    gb_classify(root, sizeof root);
    ct_need(gb_params_new(&params, ct_ctx, &s), "parameters");
    ct_need(gb_secret_restore(&secret, &keyset, ct_ctx, params, root), "key");
}

/* Relinearisation, a rotation, conjugation; what is made is public. */
static void switching_keys(void) {
    uint64_t galois[3] = {1, gb_galois_rotation(params, 3), gb_galois_conjugation(params)};
    gb_eval_keys keys = {.keys = NULL};
    ct_need(gb_secret_eval_keys(&keys, ct_ctx, secret, galois, 3, LIMBS, 0), "evaluation keys");
    for (size_t i = 0; i < keys.count; i++)
        ct_public(keys.keys[i].data, gb_switch_key_bytes(&keys.keys[i]) & ~(size_t)7, "a switching key");
    gb_eval_keys_release(&keys);
}

/* Under the secret and under the public key; a ciphertext is public. */
static void encrypt(gb_ct *out, const gb_pt *plain, double scale, bool seeded) {
    static uint64_t number;
    gb_seed seed = {{9}};
    ct_secret_words(plain->data, LIMBS * N * sizeof *plain->data, "an encoded message");
    ct_need(gb_ct_init(out, ct_ctx, params, 2, LIMBS), "ciphertext");
    ct_need(seeded ? gb_ct_encrypt_seeded(out, ct_ctx, secret, plain->data, LIMBS, scale, &seed, number++)
                   : gb_ct_encrypt_public(out, ct_ctx, keyset, plain->data, LIMBS, scale),
            "encrypt");
    ct_public(out->data, 2 * LIMBS * N * sizeof *out->data, "a ciphertext");
}

/* count: all slots, a sparse packing, or a number that is padded; im may be left out. */
static void reals(const gb_ckks_encoder *e, size_t count, bool complex, bool seeded) {
    static double in[2][N / 2], out[2][N / 2];
    gb_pt plain;
    gb_ct c;
    size_t slots = (count & (count - 1)) == 0 ? count : N / 2;
    for (size_t i = 0; i < count; i++) {
        in[0][i] = cos((double)i) * (i % 3 ? 1 : 1e-9);
        in[1][i] = complex ? sin(3.0 * (double)i) : 0;
    }
    gb_classify(in, sizeof in);
    ct_need(gb_pt_init(&plain, ct_ctx, params, LIMBS, false), "plaintext");
    ct_need(gb_ckks_encode(&plain, ct_ctx, e, in[0], complex ? in[1] : NULL, count, SCALE), "encode");
    encrypt(&c, &plain, SCALE, seeded);
    ct_need(gb_ckks_decrypt(out[0], out[1], slots, ct_ctx, secret, e, &c), "decrypt");
    for (unsigned i = 0; i < 2; i++) ct_secret_words(out[i], slots * sizeof(double), "decrypted slots");
    gb_declassify(in, sizeof in);
    gb_declassify(out, sizeof out);
    for (size_t i = 0; i < count; i++)
        if (!(hypot(out[0][i] - in[0][i], out[1][i] - in[1][i]) < 1e-4)) ct_die("slots differ");
    gb_ct_release(&c);
    gb_pt_release(&plain);
}

static void integers(unsigned bits, bool seeded) {
    static int64_t in[N], out[N];
    uint64_t *poly, *phase;
    gb_bfv *b;
    gb_pt plain;
    gb_ct c;
    ct_need(gb_bfv_new(&b, ct_ctx, params, gb_bfv_plain_prime(params, bits)), "plaintext modulus");
    int64_t half = (int64_t)(gb_bfv_modulus(b) / 2);
    for (int64_t i = 0; i < N; i++) in[i] = i % 2 ? half - i : i - half;
    gb_classify(in, sizeof in);
    ct_need(gb_alloc(&poly, ct_ctx, N, sizeof *poly), "memory");
    ct_need(gb_alloc(&phase, ct_ctx, LIMBS * N, sizeof *phase), "memory");
    ct_need(gb_pt_init(&plain, ct_ctx, params, LIMBS, false), "plaintext");
    gb_bfv_encode(poly, b, in, N);
    gb_bfv_lift(&plain, ct_ctx, b, poly); /* as an operand of a product, which may be secret too */
    ct_secret_words(plain.data, LIMBS * N * sizeof *plain.data, "a lifted message");
    gb_bfv_scale_up(&plain, ct_ctx, b, poly);
    encrypt(&c, &plain, 1, seeded);
    ct_need(gb_ct_phase(phase, ct_ctx, secret, &c), "phase");
    gb_bfv_scale_down(poly, b, LIMBS, phase);
    gb_bfv_decode(out, b, poly, N);
    ct_secret_words(out, sizeof out, "decrypted integers");
    gb_declassify(in, sizeof in);
    gb_declassify(out, sizeof out);
    if (memcmp(in, out, sizeof in) != 0) ct_die("integers differ");
    gb_ct_release(&c);
    gb_pt_release(&plain);
    gb_free(phase);
    gb_free(poly);
    gb_bfv_free(b);
}

/* Fixed point to integers and back. */
static void fixed_point(void) {
    static double in[64], out[64];
    int64_t integers[64];
    gb_bfv *b;
    ct_need(gb_bfv_new(&b, ct_ctx, params, gb_bfv_plain_prime(params, 33)), "plaintext modulus");
    for (int i = 0; i < 64; i++) in[i] = i * 0.25 - 7;
    gb_classify(in, sizeof in);
    ct_need(gb_fixed_round(integers, ct_ctx, b, in, 64, 12, 9), "fixed point");
    ct_secret_words(integers, sizeof integers, "rounded numbers");
    gb_fixed_values(out, integers, 64, 12);
    ct_secret_words(out, sizeof out, "their values");
    gb_declassify(in, sizeof in);
    gb_declassify(out, sizeof out);
    if (memcmp(in, out, sizeof in) != 0) ct_die("fixed point differs");
    gb_bfv_free(b);
}

static void check(void) {
    gb_ckks_encoder *e;
    setup();
    switching_keys();
    ct_need(gb_ckks_encoder_new(&e, ct_ctx, params), "encoder");
    reals(e, N / 2, true, true);
    reals(e, 64, false, false);
    reals(e, 100, true, false);
    integers(17, true);
    integers(33, false);
    fixed_point();
    gb_ckks_encoder_free(e);
    gb_secret_free(secret);
    gb_keyset_free(keyset);
    gb_params_free(params);
}

int main(int argc, char **argv) { return ct_main(argc, argv, check); }
