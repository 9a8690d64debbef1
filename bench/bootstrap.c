/* Group bootstrap: the shipped sets with their own options: time of one run on one thread and on all, its keys, the
 * precision of the worst slot and the levels left. The recorded peer is OpenFHE 1.5.1 + HEXL with 2^15 slots and 3
 * usable levels, one core of a Zen 4 server; deep-16-fast is the set of that kind. --quick runs the small set alone. */
#include <math.h>

#include "bench/bench.h"
#include "scheme/bootstrap/bootstrap.h"
#include "scheme/secret/secret.h"

#define RUNS 3
#define PEER_SECONDS 9.7

typedef struct fixture {
    const char *set;
    bool like_peer; /* all 2^15 slots */
    gb_params *params;
    gb_secret *secret;
    gb_keyset *keyset;
    gb_ckks_encoder *encoder;
    gb_bootstrap *boot;
    gb_bootstrap_keys keys;
    gb_pt message;
    gb_ct in, out;
    double *x; /* three times the slots: message, real and imaginary part decrypted */
    unsigned top;
} fixture;

static void release(fixture *f) {
    gb_free(f->x);
    gb_ct_release(&f->out);
    gb_ct_release(&f->in);
    gb_pt_release(&f->message);
    gb_bootstrap_keys_release(&f->keys);
    gb_bootstrap_free(f->boot);
    gb_ckks_encoder_free(f->encoder);
    gb_keyset_free(f->keyset);
    gb_secret_free(f->secret);
    gb_params_free(f->params);
}

static double on_wire(const gb_switch_key *k) {
    const gb_params_spec *spec = gb_params_get(k->params);
    const gb_ring *r = gb_params_ring(k->params);
    double sum = 0;
    for (size_t j = 0; j < k->limbs + spec->special_count; j++) { /* the b polynomials; a is a seed */
        const size_t limb = j < k->limbs ? j : spec->data_count + j - k->limbs;
        sum += gb_ring_modulus(r, limb)->bits / 8.0 * (double)gb_ring_n(r);
    }
    return 1e-9 * k->digits * sum;
}

static void report_keys(const fixture *f, gb_bench *b) {
    const gb_bootstrap_keys *k = &f->keys;
    double memory = 1e-9 * (double)(gb_switch_key_bytes(&k->to_sparse) + gb_switch_key_bytes(&k->to_dense));
    double wire = on_wire(&k->to_sparse) + on_wire(&k->to_dense);
    for (size_t i = 0; i < k->keys.count; i++) {
        memory += 1e-9 * (double)gb_switch_key_bytes(&k->keys.keys[i]);
        wire += on_wire(&k->keys.keys[i]);
    }
    gb_bench_add(b, "bootstrap keys", (double)(k->keys.count + 2), "keys", f->set, "", 1, "");
    gb_bench_add(b, "bootstrap keys", memory, "GB in memory", f->set, "", 1, f->like_peer ? "12 GB, goal 4" : "");
    gb_bench_add(b, "bootstrap keys", wire, "GB on the wire", f->set, "", 1, f->like_peer ? "12 GB, goal 2" : "");
}

static gb_status make_keys(fixture *f, gb_bench *b, gb_ctx *ctx) {
    gb_bootstrap_config config;
    GB_TRY(gb_bootstrap_config_named(&config, ctx, f->set));
    const unsigned threads = gb_ctx_threads(ctx);
    GB_TRY(gb_params_named(&f->params, ctx, f->set));
    GB_TRY(gb_secret_new(&f->secret, &f->keyset, ctx, f->params));
    GB_TRY(gb_ckks_encoder_new(&f->encoder, ctx, f->params));
    double start = gb_seconds();
    GB_TRY(gb_bootstrap_new(&f->boot, ctx, f->encoder, &config));
    gb_bench_add(b, "bootstrap setup", gb_seconds() - start, "s", f->set, "", threads, "");
    start = gb_seconds();
    GB_TRY(gb_secret_bootstrap_keys(&f->keys, ctx, f->secret, f->boot, 0));
    gb_bench_add(b, "bootstrap keygen", gb_seconds() - start, "s", f->set, "", threads, "");
    report_keys(f, b);
    return GB_OK;
}

static gb_status make_data(fixture *f, gb_ctx *ctx) {
    const size_t slots = gb_bootstrap_slots(f->boot);
    const double scale = ldexp(1, (int)gb_bootstrap_config_get(f->boot)->scale_bits);
    const unsigned limbs = gb_params_limbs(f->params, gb_bootstrap_level_in(f->boot));
    f->top = (unsigned)gb_params_get(f->params)->data_count;
    GB_TRY(gb_alloc(&f->x, ctx, 3 * slots, sizeof *f->x));
    for (size_t i = 0; i < slots; i++) f->x[i] = sin(1.7 * (double)i);
    GB_TRY(gb_pt_init(&f->message, ctx, f->params, limbs, false));
    GB_TRY(gb_ct_init(&f->in, ctx, f->params, 2, limbs));
    GB_TRY(gb_ct_init(&f->out, ctx, f->params, 3, f->top));
    GB_TRY(gb_ckks_encode(&f->message, ctx, f->encoder, f->x, NULL, slots, scale));
    return gb_ct_encrypt_public(&f->in, ctx, f->keyset, f->message.data, limbs, f->message.scale);
}

/* The least of a few runs: one takes seconds, and neighbours only ever make it longer. */
static gb_status measure(double *seconds, fixture *f, gb_ctx *ctx) {
    gb_eval *e, *inner = NULL;
    GB_TRY(gb_eval_new(&e, ctx, f->params, 0));
    gb_status s = gb_eval_new(&inner, ctx, gb_bootstrap_inner_params(f->boot), 1);
    *seconds = INFINITY;
    for (int i = 0; s == GB_OK && i < RUNS; i++) {
        const double start = gb_seconds();
        s = gb_bootstrap_run(&f->out, e, inner, &f->in, f->boot, &f->keys);
        *seconds = fmin(*seconds, gb_seconds() - start);
    }
    gb_eval_free(inner);
    gb_eval_free(e);
    return s;
}

static gb_status report_precision(fixture *f, gb_bench *b, gb_ctx *ctx) {
    const size_t slots = gb_bootstrap_slots(f->boot);
    double worst = 0, *re = f->x + slots, *im = re + slots;
    GB_TRY(gb_ckks_decrypt(re, im, slots, ctx, f->secret, f->encoder, &f->out));
    for (size_t i = 0; i < slots; i++) worst = fmax(worst, fabs(re[i] - f->x[i]));
    gb_bench_add(b, "bootstrap precision", -log2(worst), "bits, worst slot", f->set, "", 1,
                 f->like_peer ? "goal 19" : "");
    const unsigned left = gb_params_level(f->params, f->out.limbs) - gb_bootstrap_level_in(f->boot);
    gb_bench_add(b, "bootstrap levels left", left, "before the next", f->set, "", 1, "");
    return GB_OK;
}

static gb_status run_all(fixture *f, gb_bench *b, gb_ctx *single, gb_ctx *ctx) {
    const unsigned threads = gb_ctx_threads(ctx);
    double one = 0, all = 0;
    GB_TRY(make_keys(f, b, ctx));
    GB_TRY(make_data(f, ctx));
    const char *isa = gb_ring_kernels(gb_params_ring(f->params))->name;
    const gb_status s = measure(&one, f, single);
    if (s != GB_OK) return gb_fail_from(ctx, single);
    gb_bench_add(b, "bootstrap", one, "s", f->set, isa, 1, f->like_peer ? "9.7 s, goal 3.3" : "");
    if (f->like_peer)
        gb_bench_add(b, "bootstrap", PEER_SECONDS / one, "times faster", f->set, isa, 1, "OpenFHE + HEXL, recorded");
    if (threads > 1) {
        GB_TRY(measure(&all, f, ctx));
        gb_bench_add(b, "bootstrap", all, "s", f->set, isa, threads, "");
        gb_bench_add(b, "bootstrap", all / one, "of one thread", f->set, isa, threads, "goal 0.6 on 2");
    }
    return report_precision(f, b, ctx);
}

gb_status bench_bootstrap(gb_bench *b, gb_ctx *ctx) {
    static const struct {
        const char *set;
        bool like_peer;
    } sets[] = {{"deep-15", false}, {"deep-16-fast", true}, {"deep-16", true}, {"deep-16-precise", true}};
    gb_ctx *single;
    gb_ctx_config config;
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    gb_status s = gb_ctx_new(&single, &config);
    if (s != GB_OK) return gb_fail(ctx, s, "no context of one thread");
    for (size_t i = 0; i < (gb_bench_quick(b) ? 1 : GB_COUNT(sets)) && s == GB_OK; i++) {
        fixture f = {.set = sets[i].set, .like_peer = sets[i].like_peer};
        s = run_all(&f, b, single, ctx);
        release(&f);
    }
    gb_ctx_free(single);
    return s;
}
