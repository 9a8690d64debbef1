/* Group engine: one operation a row, at the ring, limbs and digits where other libraries were measured; one thread and
 * all of them. Beside each row stand the machine's limit (transforms needed x the time of one + the time to read the
 * key once), the goal, and the best figure recorded of SEAL 4.4.3 + HEXL and OpenFHE 1.5.1 + HEXL on one core of a
 * Zen 4 server. Times of one thread are its CPU seconds; of all threads, the clock's. */
#include <math.h>

#include "bench/bench.h"
#include "scheme/bfv/predicates.h"
#include "scheme/secret/secret.h"

#define PLAIN_BITS 20
#define WIDTH 15
#define SCALE 40

/* The sets: name, or a literal of primes near powers of two. */
typedef struct shape {
    const char *name; /* a shipped set; else NULL */
    unsigned log_n, limbs, bits, specials, special_bits;
    unsigned digit; /* 0: as many as special primes */
} shape;

typedef struct fixture {
    gb_ctx *ctx; /* borrowed */
    gb_params *params;
    gb_secret *secret;
    gb_keyset *keyset;
    gb_ckks_encoder *encoder;
    gb_eval *eval;
    gb_bfv *bfv;
    gb_bfv_eval *bfv_eval;
    gb_bfv_poly equal, less; /* of values at most WIDTH apart */
    gb_eval_keys keys;       /* relinearisation, rotation by 1 */
    gb_pt message;
    gb_ct a, b, out;
    double *slots;   /* 2 times N/2 */
    uint64_t *limb;  /* one polynomial */
    uint64_t rotate; /* Galois element of the rotation */
    unsigned limbs, specials, digits;
    volatile uint64_t sink; /* so that reading is done */
    gb_status status;       /* of the first call that failed: the group ends with it */
} fixture;

static void keep(fixture *f, gb_status s) {
    if (f->status == GB_OK) f->status = s;
}

/* ---- the operations ---- */
static void run_mul(void *user) {
    fixture *f = user;
    keep(f, gb_ckks_mul_rescale(&f->out, f->eval, &f->a, &f->b, &f->keys));
}
static void run_relin(void *user) {
    fixture *f = user;
    f->out.parts = 3;
    keep(f, gb_ct_relinearize(&f->out, f->eval, &f->keys));
}
static void run_rotate(void *user) {
    fixture *f = user;
    keep(f, gb_ct_automorphism(&f->out, f->eval, &f->a, f->rotate, &f->keys));
}
static void run_hoisted(void *user) {
    fixture *f = user;
    keep(f, gb_hoist_automorphism(&f->out, f->eval, &f->a, f->rotate, &f->keys));
}
static void run_encrypt(void *user) {
    fixture *f = user;
    keep(f, gb_ct_encrypt_public(&f->out, f->ctx, f->keyset, f->message.data, f->limbs, f->message.scale));
}
static void run_decrypt(void *user) {
    fixture *f = user;
    const size_t count = gb_ckks_slots(f->encoder);
    keep(f, gb_ckks_decrypt(f->slots, f->slots + count, count, f->ctx, f->secret, f->encoder, &f->a));
}
static void run_keygen(void *user) {
    fixture *f = user;
    gb_switch_key key;
    gb_status s = gb_secret_switch_key(&key, f->ctx, f->secret, 1, f->limbs, gb_ceil_div(f->limbs, f->digits));
    keep(f, s);
    if (s == GB_OK) gb_switch_key_release(&key);
}
static void run_bfv(void *user) {
    fixture *f = user;
    keep(f, gb_bfv_mul(&f->out, f->bfv_eval, &f->a, &f->b, &f->keys));
}
static void run_bfv_square(void *user) {
    fixture *f = user;
    keep(f, gb_bfv_mul(&f->out, f->bfv_eval, &f->a, &f->a, &f->keys));
}
static void run_bfv_equal(void *user) {
    fixture *f = user;
    keep(f, gb_bfv_poly_eval(&f->out, f->bfv_eval, &f->a, &f->equal, &f->keys));
}
static void run_bfv_less(void *user) {
    fixture *f = user;
    keep(f, gb_bfv_poly_eval(&f->out, f->bfv_eval, &f->a, &f->less, &f->keys));
}
static void run_ntt(void *user) {
    fixture *f = user;
    gb_ring_forward(gb_params_ring(f->params), f->limb, 0, 1);
}
static void run_read(void *user) {
    fixture *f = user;
    const gb_switch_key *k = &f->keys.keys[0];
    const size_t words = gb_switch_key_bytes(k) / sizeof(uint64_t);
    const uint64_t *data = (const uint64_t *)(const void *)k->data;
    uint64_t sum[8] = {0};
    for (size_t i = 0; i + 8 <= words; i += 8)
        for (size_t j = 0; j < 8; j++) sum[j] ^= data[i + j];
    f->sink = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

/* ---- transforms that each needs: L limbs, K special primes, d digits ---- */
static unsigned ntt_switch(const fixture *f) { /* digits to L + K limbs; both parts down by P */
    return f->digits * (f->limbs + f->specials) + 2 * (f->specials + f->limbs);
}
static unsigned ntt_hoisted(const fixture *f) { return 2 * (f->specials + f->limbs); }
static unsigned ntt_encrypt(const fixture *f) { return 3 * f->limbs; } /* u, e0, e1 */
static unsigned ntt_decrypt(const fixture *f) { return f->limbs; }
static unsigned ntt_keygen(const fixture *f) { return f->digits * (f->limbs + f->specials); } /* errors */
/* Four parts to coefficients (two of a square), and modulo more primes (of 50 bits, to N 2^GB_BFV_SPARE above Q) to
 * transforms; the second operand back modulo Q; three products modulo more primes to coefficients; the part that is
 * relinearised to transforms, the two others in those of the key switch. */
static unsigned ntt_bfv(const fixture *f) {
    const gb_ring *r = gb_params_ring(f->params);
    const unsigned more = (unsigned)ceil((gb_ring_log2_q(r, f->limbs) + gb_ring_log_n(r) + GB_BFV_SPARE) / 50);
    return 7 * (f->limbs + more) + ntt_switch(f);
}
static unsigned ntt_bfv_square(const fixture *f) { return ntt_bfv(f) - 2 * f->limbs; }

typedef struct row {
    const char *name, *parameters;
    shape shape;
    void (*run)(void *user);
    unsigned (*transforms)(const fixture *f); /* NULL: many operations, no limit is given */
    bool key, bfv;
    double peer, goal; /* ms; 0: none */
} row;

#define SHAPE_15                                                                                                       \
    { .log_n = 15, .limbs = 15, .bits = 40, .specials = 4, .special_bits = 50, .digit = 5 }
static const row rows[] = {
    {"mul+relin+rescale", "N=2^13 L=3+1", {NULL, 13, 3, 50, 1, 50, 1}, run_mul, ntt_switch, true, false, 1.01, 0.45},
    {"mul+relin+rescale", "N=2^14 L=8+1", {NULL, 14, 8, 44, 1, 48, 1}, run_mul, ntt_switch, true, false, 8.7, 3},
    /* the same seven levels of 40 bits, in the set that is shipped for them */
    {"mul+relin+rescale", "leveled-14, 8+2 d=4", {.name = "leveled-14"}, run_mul, ntt_switch, true, false, 8.7, 3},
    {"relinearise", "N=2^14 L=6+2 d=3", {NULL, 14, 6, 40, 2, 48, 2}, run_relin, ntt_switch, true, false, 8.6, 2.4},
    {"relinearise", "N=2^15 L=15+4 d=3", SHAPE_15, run_relin, ntt_switch, true, false, 48, 14},
    {"rotate", "N=2^15 L=15+4 d=3", SHAPE_15, run_rotate, ntt_switch, true, false, 53, 14},
    {"rotate, hoisted", "N=2^15 L=15+4 d=3", SHAPE_15, run_hoisted, ntt_hoisted, true, false, 22, 4},
    {"relinearise", "N=2^16 L=30+9 d=3", {NULL, 16, 30, 40, 9, 50, 10}, run_relin, ntt_switch, true, false, 247, 70},
    {"encrypt, public key", "N=2^15 L=15", SHAPE_15, run_encrypt, ntt_encrypt, false, false, 31, 5},
    {"decrypt+decode", "N=2^15 L=15", SHAPE_15, run_decrypt, ntt_decrypt, false, false, 32, 5},
    {"keygen, relin", "N=2^15 L=15+4 d=3", SHAPE_15, run_keygen, ntt_keygen, false, false, 172, 30},
    {"bfv mul+relin", "exact-13, t 20 bits", {.name = "exact-13"}, run_bfv, ntt_bfv, true, true, 4.5, 2},
    {"bfv mul+relin", "exact-14, t 20 bits", {.name = "exact-14"}, run_bfv, ntt_bfv, true, true, 28, 10},
    {"bfv square+relin", "exact-14, t 20 bits", {.name = "exact-14"}, run_bfv_square, ntt_bfv_square, true, true, 0, 0},
    {"bfv rotate", "exact-14, t 20 bits", {.name = "exact-14"}, run_rotate, ntt_switch, true, true, 0, 0},
    {"bfv equal, 31 values", "exact-14, t 20 bits", {.name = "exact-14"}, run_bfv_equal, NULL, true, true, 0, 0},
    {"bfv less, 31 values", "exact-14, t 20 bits", {.name = "exact-14"}, run_bfv_less, NULL, true, true, 0, 0},
};

/* ---- fixtures ---- */
static gb_status make_params(gb_params **out, gb_ctx *ctx, const shape *s) {
    if (s->name) return gb_params_named(out, ctx, s->name);
    gb_params_spec spec = {
        .name = "bench", .log_n = s->log_n, .security = 128, .data_count = s->limbs, .special_count = s->specials};
    const uint64_t step = UINT64_C(2) << s->log_n;
    uint64_t at = UINT64_C(1) << s->special_bits;
    for (unsigned i = 0; i < s->specials; i++) spec.special[i] = at = gb_prime_below(at, step);
    if (s->bits != s->special_bits) at = UINT64_C(1) << s->bits;
    for (unsigned i = 0; i < s->limbs; i++) spec.data[i] = at = gb_prime_below(at, step);
    return gb_params_new(out, ctx, &spec);
}

static void release(fixture *f) {
    gb_free(f->limb);
    gb_free(f->slots);
    gb_ct_release(&f->out);
    gb_ct_release(&f->b);
    gb_ct_release(&f->a);
    gb_pt_release(&f->message);
    gb_eval_keys_release(&f->keys);
    gb_bfv_poly_release(&f->equal);
    gb_bfv_poly_release(&f->less);
    gb_bfv_eval_free(f->bfv_eval);
    gb_bfv_free(f->bfv);
    gb_eval_free(f->eval);
    gb_ckks_encoder_free(f->encoder);
    gb_keyset_free(f->keyset);
    gb_secret_free(f->secret);
    gb_params_free(f->params);
    memset(f, 0, sizeof *f);
}

static gb_status make_keys(fixture *f, unsigned digit) {
    const gb_params_spec *spec = gb_params_get(f->params);
    f->limbs = (unsigned)spec->data_count;
    f->specials = (unsigned)spec->special_count;
    f->digits = (unsigned)gb_ceil_div(f->limbs, digit ? digit : f->specials);
    f->rotate = gb_galois_rotation(f->params, 1);
    const uint64_t galois[] = {1, f->rotate};
    GB_TRY(gb_secret_new(&f->secret, &f->keyset, f->ctx, f->params));
    GB_TRY(gb_eval_new(&f->eval, f->ctx, f->params, digit));
    return gb_secret_eval_keys(&f->keys, f->ctx, f->secret, galois, GB_COUNT(galois), f->limbs, digit);
}

static gb_status make_bfv(fixture *f) {
    GB_TRY(gb_bfv_new(&f->bfv, f->ctx, f->params, gb_bfv_plain_prime(f->params, PLAIN_BITS)));
    GB_TRY(gb_bfv_poly_equal(&f->equal, f->ctx, f->bfv, WIDTH));
    GB_TRY(gb_bfv_poly_less(&f->less, f->ctx, f->bfv, WIDTH));
    return gb_bfv_eval_new(&f->bfv_eval, f->eval, f->bfv);
}

static gb_status make_data(fixture *f, bool bfv) {
    const size_t n = gb_ring_n(gb_params_ring(f->params));
    GB_TRY(gb_ckks_encoder_new(&f->encoder, f->ctx, f->params));
    GB_TRY(gb_alloc_zero(&f->slots, f->ctx, n, sizeof *f->slots));
    GB_TRY(gb_alloc_zero(&f->limb, f->ctx, n, sizeof *f->limb));
    GB_TRY(gb_pt_init(&f->message, f->ctx, f->params, f->limbs, false));
    GB_TRY(gb_ct_init(&f->a, f->ctx, f->params, 3, f->limbs));
    GB_TRY(gb_ct_init(&f->b, f->ctx, f->params, 3, f->limbs));
    GB_TRY(gb_ct_init(&f->out, f->ctx, f->params, 3, f->limbs));
    for (size_t i = 0; i < n / 2; i++) f->slots[i] = sin((double)i);
    for (size_t i = 0; i < n; i++) f->limb[i] = i;
    GB_TRY(gb_ckks_encode(&f->message, f->ctx, f->encoder, f->slots, NULL, n / 2, exp2(SCALE)));
    const double scale = bfv ? 1 : f->message.scale;
    GB_TRY(gb_ct_encrypt_public(&f->a, f->ctx, f->keyset, f->message.data, f->limbs, scale));
    GB_TRY(gb_ct_encrypt_public(&f->b, f->ctx, f->keyset, f->message.data, f->limbs, scale));
    GB_TRY(gb_ct_tensor(&f->out, f->eval, &f->a, &f->b)); /* three parts, for relinearisation */
    return gb_hoist_prepare(f->eval, &f->a);
}

static gb_status make(fixture *f, gb_ctx *ctx, const row *r) {
    memset(f, 0, sizeof *f);
    f->ctx = ctx;
    GB_TRY(make_params(&f->params, ctx, &r->shape));
    GB_TRY(make_keys(f, r->shape.digit));
    if (r->bfv) GB_TRY(make_bfv(f));
    return make_data(f, r->bfv);
}

/* ---- measurement ---- */
typedef struct result {
    double one, all, limit; /* ms */
} result;

static double measure(gb_bench *b, fixture *f, const row *r, const char *name, const char *unit, double per_second,
                      void (*run)(void *), unsigned threads) {
    gb_bench_case c = {.name = name,
                       .parameters = r->parameters,
                       .isa = gb_ring_kernels(gb_params_ring(f->params))->name,
                       .peer = "",
                       .unit = unit,
                       .per_second = per_second,
                       .threads = threads,
                       .cpu_time = threads == 1,
                       .run = run,
                       .user = f};
    gb_bench_run(b, &c, 1);
    return c.seconds;
}

/* What the row's transforms and its key cost if nothing else did. */
static double measure_limit(gb_bench *b, fixture *f, const row *r, const char *isa) {
    const double ntt = measure(b, f, r, "  one transform", "us", 1e6, run_ntt, 1);
    const double key = r->key ? measure(b, f, r, "  reading the key", "ms", 1e3, run_read, 1) : 0;
    const double limit = 1e3 * (r->transforms(f) * ntt + key);
    gb_bench_add(b, "  limit", limit, "ms", r->parameters, isa, 1, gb_bench_text(b, "%u transforms", r->transforms(f)));
    return limit;
}

static gb_status measure_row(result *out, gb_bench *b, gb_ctx *ctx, const row *r) {
    const unsigned threads = gb_ctx_threads(ctx);
    fixture f;
    gb_status s = make(&f, ctx, r);
    if (s == GB_OK && threads == 1) {
        const char *isa = gb_ring_kernels(gb_params_ring(f.params))->name;
        if (r->transforms) out->limit = measure_limit(b, &f, r, isa);
        out->one = 1e3 * measure(b, &f, r, r->name, "ms", 1e3, r->run, 1);
        if (r->transforms)
            gb_bench_add(b, r->name, out->one / out->limit, "times the limit", r->parameters, isa, 1, "");
        if (r->peer > 0)
            gb_bench_add(b, r->name, r->peer / out->one, "times faster", r->parameters, isa, 1, "best peer, recorded");
    } else if (s == GB_OK) {
        out->all = 1e3 * measure(b, &f, r, r->name, "ms", 1e3, r->run, threads);
    }
    if (s == GB_OK) s = f.status;
    release(&f);
    return s;
}

static const char *cell(char *out, size_t size, double ms) { /* nothing for what there is not */
    if (!(ms > 0) || snprintf(out, size, "%.3g", ms) < 0) out[0] = 0;
    return out;
}

static void print_table(const result *results, unsigned threads) {
    printf("\n%-20s %-20s %10s %10s %10s %8s %10s   (ms)\n", "operation", "parameters", "1 thread", "threads", "limit",
           "goal", "best peer");
    for (size_t i = 0; i < GB_COUNT(rows); i++) {
        if (results[i].one <= 0) continue; /* --quick left it out */
        char all[32] = "", limit[32], goal[32], peer[32];
        if (threads > 1) (void)snprintf(all, sizeof all, "%.3g (%u)", results[i].all, threads);
        printf("%-20s %-20s %10.3g %10s %10s %8s %10s%s\n", rows[i].name, rows[i].parameters, results[i].one, all,
               cell(limit, sizeof limit, results[i].limit), cell(goal, sizeof goal, rows[i].goal),
               cell(peer, sizeof peer, rows[i].peer),
               rows[i].goal > 0 && results[i].one > rows[i].goal ? "   over the goal" : "");
    }
}

gb_status bench_engine(gb_bench *b, gb_ctx *ctx) {
    result results[GB_COUNT(rows)] = {{0}};
    gb_ctx *single;
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    gb_status s = gb_ctx_new(&single, &config);
    if (s != GB_OK) return gb_fail(ctx, s, "no context of one thread");
    for (size_t i = 0; s == GB_OK && i < GB_COUNT(rows); i++) {
        if (gb_bench_quick(b) && rows[i].shape.log_n > 15) continue;
        s = measure_row(&results[i], b, single, &rows[i]);
        if (s != GB_OK)
            (void)gb_fail_from(ctx, single);
        else if (gb_ctx_threads(ctx) > 1)
            s = measure_row(&results[i], b, ctx, &rows[i]);
    }
    gb_ctx_free(single);
    if (s == GB_OK) print_table(results, gb_ctx_threads(ctx));
    return s;
}
