/* circuits SEED: random circuits as JSON, one a line, with what Glovebox decrypts: for another implementation to run
 * and compare (peer.js). A circuit is a list of wires: the inputs, then one an operation. */
#include <math.h>
#include <stdlib.h>

#include "scheme/bfv/bfv.h"
#include "scheme/secret/secret.h"

#define INPUTS 3
#define WIRES 16
#define OK(x)                                                                                                          \
    do {                                                                                                               \
        if ((x) != GB_OK) {                                                                                            \
            fprintf(stderr, "circuits: %s\n", gb_ctx_error(ctx));                                                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static gb_ctx *ctx;
static gb_params *params;
static gb_secret *secret;
static gb_keyset *keyset;
static gb_eval *eval;
static gb_eval_keys keys;
static size_t n;
static uint64_t state;

static uint64_t next(void) { /* splitmix64 */
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

typedef enum op { ADD, SUB, NEG, ROTATE, SWAP, ADD_PLAIN, MUL_PLAIN, MUL } op;
static const char *const names[] = {"add", "sub", "neg", "rotate", "swap", "add_plain", "mul_plain", "mul"};

typedef struct scheme {
    bool exact;
    gb_bfv *bfv;
    gb_bfv_eval *bfv_eval;
    gb_ckks_encoder *encoder;
    int64_t *given[INPUTS]; /* BFV: the inputs, which the operations with integers in the clear take again */
    uint64_t *poly;
} scheme;

/* number: of b; an input's for operations with integers in the clear. */
static void apply(const scheme *s, gb_ct *out, op o, const gb_ct *a, const gb_ct *b, size_t number) {
    OK(gb_ct_init(out, ctx, params, 3, (unsigned)gb_params_get(params)->data_count));
    if (o == ADD) OK(gb_ckks_add(out, eval, a, b));
    if (o == SUB) OK(gb_ckks_sub(out, eval, a, b));
    if (o == NEG) OK(gb_ct_neg(out, eval, a));
    if (o == ROTATE) OK(gb_ct_automorphism(out, eval, a, gb_galois_rotation(params, 1), &keys));
    if (o == SWAP) OK(gb_ct_automorphism(out, eval, a, gb_galois_conjugation(params), &keys));
    if (o == ADD_PLAIN || o == MUL_PLAIN) gb_bfv_encode(s->poly, s->bfv, s->given[number], n);
    if (o == ADD_PLAIN) OK(gb_bfv_add_plain(out, s->bfv_eval, a, s->poly));
    if (o == MUL_PLAIN) OK(gb_bfv_mul_plain(out, s->bfv_eval, a, s->poly));
    if (o == MUL && s->exact) OK(gb_bfv_mul(out, s->bfv_eval, a, b, &keys));
    if (o == MUL && !s->exact) OK(gb_ckks_mul_rescale(out, eval, a, b, &keys));
}

/* x - x, however it came about: nothing of the key is in it, and the peer refuses to make it. */
static bool transparent(const gb_ct *c) {
    for (size_t i = 0; i < n; i++)
        if (gb_ct_limb(c, 1, 0)[i]) return false;
    return true;
}

static void print_integers(const int64_t *v) {
    for (size_t i = 0; i < n; i++) printf("%s%lld", i ? "," : "", (long long)v[i]);
}

static void print_reals(const double *v) {
    for (size_t i = 0; i < n / 2; i++) printf("%s%.12g", i ? "," : "", v[i]);
}

static void input(const scheme *s, gb_ct *out, uint64_t number, uint64_t *poly, double *re, int64_t *v) {
    gb_seed seed = {{11}};
    gb_pt p;
    unsigned limbs = (unsigned)gb_params_get(params)->data_count;
    OK(gb_pt_init(&p, ctx, params, limbs, false));
    if (s->exact) {
        for (size_t i = 0; i < n; i++) v[i] = (int64_t)(next() % 65537) - 32768;
        gb_bfv_encode(poly, s->bfv, v, n);
        gb_bfv_scale_up(&p, ctx, s->bfv, poly);
        print_integers(v);
    } else {
        for (size_t i = 0; i < n / 2; i++) re[i] = (double)(int64_t)(next() % 20001 - 10000) / 10000;
        OK(gb_ckks_encode(&p, ctx, s->encoder, re, NULL, n / 2, 0x1p40));
        print_reals(re);
    }
    OK(gb_ct_init(out, ctx, params, 3, limbs));
    OK(gb_ct_encrypt_seeded(out, ctx, secret, p.data, limbs, p.scale, &seed, number));
    gb_pt_release(&p);
}

static void output(const scheme *s, const gb_ct *c, uint64_t *poly, uint64_t *phase, double *re, double *im,
                   int64_t *v) {
    if (s->exact) {
        OK(gb_ct_phase(phase, ctx, secret, c));
        gb_bfv_scale_down(poly, s->bfv, c->limbs, phase);
        gb_bfv_decode(v, s->bfv, poly, n);
        print_integers(v);
    } else {
        OK(gb_ckks_decrypt(re, im, n / 2, ctx, secret, s->encoder, c));
        print_reals(re);
    }
}

/* Sums, turns and products by turns: products in the 5th, 6th and last place, of the wires since the last layer; BFV
 * has a sum and a product with an input in the clear in the 4th and 8th. */
static void circuit(const scheme *s, uint64_t seed) {
    gb_ct wire[WIRES] = {0};
    uint64_t *poly, *phase;
    double *re, *im;
    int64_t *v;
    state = seed;
    OK(gb_alloc(&poly, ctx, n, sizeof *poly));
    OK(gb_alloc(&phase, ctx, n * gb_params_get(params)->data_count, sizeof *phase));
    OK(gb_alloc(&re, ctx, n, sizeof *re));
    OK(gb_alloc(&im, ctx, n, sizeof *im));
    OK(gb_alloc(&v, ctx, n, sizeof *v));
    printf("{\"scheme\":\"%s\",\"n\":%zu,\"t\":65537,\"inputs\":[", s->exact ? "bfv" : "ckks", n);
    for (size_t i = 0; i < INPUTS; i++) {
        printf(i ? ",[" : "[");
        input(s, &wire[i], seed * 64 + i, poly, re, s->exact ? s->given[i] : v);
        printf("]");
    }
    printf("],\"ops\":[");
    size_t count = INPUTS, layer = 0;
    for (size_t step = 0; step < 10; step++) {
        bool product = step == 4 || step == 5 || step == 9;
        op o;
        size_t a, b;
        do {
            o = product ? MUL : (op)(next() % (s->exact ? 5 : 4));
            if (s->exact && (step == 3 || step == 7)) o = step == 3 ? ADD_PLAIN : MUL_PLAIN;
            a = layer + next() % (count - layer), b = layer + next() % (count - layer);
            if (step == 5) a = next() % (count - 1), b = next() % (count - 1); /* not the product just made */
            if (o == ADD_PLAIN || o == MUL_PLAIN) b = next() % INPUTS;
            gb_ct_release(&wire[count]);
            apply(s, &wire[count], o, &wire[a], &wire[b], b);
        } while (transparent(&wire[count]));
        printf("%s[\"%s\",%zu,%zu]", step ? "," : "", names[o], a, b);
        count++;
        if (step == 5) layer = count - 2;
    }
    printf("],\"output\":[");
    output(s, &wire[count - 1], poly, phase, re, im, v);
    printf("]}\n");
    for (size_t i = 0; i < count; i++) gb_ct_release(&wire[i]);
    gb_free(poly);
    gb_free(phase);
    gb_free(re);
    gb_free(im);
    gb_free(v);
}

int main(int argc, char **argv) {
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    if (gb_ctx_new(&ctx, &config) != GB_OK) return 1;
    OK(gb_params_named(&params, ctx, "leveled-13"));
    OK(gb_secret_new(&secret, &keyset, ctx, params));
    OK(gb_eval_new(&eval, ctx, params, 0));
    const uint64_t galois[] = {1, gb_galois_rotation(params, 1), gb_galois_conjugation(params)};
    OK(gb_secret_eval_keys(&keys, ctx, secret, galois, 3, (unsigned)gb_params_get(params)->data_count, 0));
    n = gb_ring_n(gb_params_ring(params));
    scheme s = {0};
    OK(gb_bfv_new(&s.bfv, ctx, params, 65537));
    OK(gb_bfv_eval_new(&s.bfv_eval, eval, s.bfv));
    OK(gb_ckks_encoder_new(&s.encoder, ctx, params));
    OK(gb_alloc(&s.poly, ctx, n, sizeof *s.poly));
    for (size_t i = 0; i < INPUTS; i++) OK(gb_alloc(&s.given[i], ctx, n, sizeof *s.given[i]));
    for (uint64_t i = 0; i < 3; i++) {
        s.exact = true;
        circuit(&s, first + i);
        s.exact = false;
        circuit(&s, first + i);
    }
    for (size_t i = 0; i < INPUTS; i++) gb_free(s.given[i]);
    gb_free(s.poly);
    gb_ckks_encoder_free(s.encoder);
    gb_bfv_eval_free(s.bfv_eval);
    gb_bfv_free(s.bfv);
    gb_eval_keys_release(&keys);
    gb_eval_free(eval);
    gb_keyset_free(keyset);
    gb_secret_free(secret);
    gb_params_free(params);
    gb_ctx_free(ctx);
    return 0;
}
