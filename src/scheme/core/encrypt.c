/* scheme/core/encrypt: public-key encryption of a group of lines or of one ciphertext, and the check of what may be
 * encrypted. */
#include <math.h>

#include "scheme/core/cipher.h"
#include "scheme/core/core.h"

gb_status gb_values_check(gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p, const int64_t *values, size_t first,
                          size_t lines) {
    /* Below Q/4 decrypts exactly with room for noise; the declared bound is what the plan relied on (+1: rounding). */
    double quarter = exp2(gb_ring_log2_q(gb_params_ring(p), b->limbs) - 2) * (1 - 1e-12);
    double bound = fmin(fmin(quarter, b->max_abs * b->scale + 1), 0x1p62);
    int64_t most = (int64_t)bound;
    size_t count = lines * b->rows;
    uint64_t over = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t sign = (uint64_t)(values[i] >> 63), a = ((uint64_t)values[i] ^ sign) - sign;
        over |= ((uint64_t)most - a) | a; /* the top bit: a > most, or a = 2^63 */
    }
    over >>= 63;
    gb_declassify(&over, sizeof over);
    if (over == 0) return GB_OK;
    for (size_t i = 0; i < count; i++) {
        bool bad = values[i] > most || values[i] < -most;
        gb_declassify(&bad, sizeof bad);
        if (bad)
            return gb_fail(
                ctx, GB_ERR_RANGE,
                "line %zu, row %zu: the value is beyond the bound of %g; declare a larger bound or scale the "
                "data down",
                first + i / b->rows, i % b->rows, bound / b->scale);
    }
    return gb_fail(ctx, GB_ERR_INTERNAL, "range check disagrees with itself");
}

typedef struct public_job {
    const gb_keyset *key;
    gb_group *g;
    const int64_t *values;
    gb_seed seed;
    gb_pk_scratch *scratch; /* one a worker */
    uint64_t *c;            /* 2 * limbs * N words a worker */
} public_job;

static void public_task(void *user, size_t line, unsigned worker) {
    public_job *job = user;
    gb_group *g = job->g;
    const gb_ring *r = gb_params_ring(g->params);
    size_t n = gb_ring_n(r), padded = g->blocks[0] * GB_BLOCK, rows = g->info->rows;
    uint64_t *c0 = job->c + worker * 2 * g->limbs * n, *c1 = c0 + g->limbs * n, *temp = job->scratch[worker].temp;
    gb_pk_zero(c0, c1, job->key, g->limbs, &job->seed, g->first + line, &job->scratch[worker]);
    for (size_t j = 0; j < g->limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t *x = c0 + j * n;
        gb_residues_of(temp, job->values + line * rows, rows, m);
        memset(temp + rows, 0, (padded - rows) * sizeof *temp);
        gb_ring_kernels(r)->add(x, x, temp, padded, m);
        memset(x + rows, 0, (padded - rows) * sizeof *x);
        gb_declassify(x, padded * sizeof *x);
        gb_declassify(c1 + j * n, n * sizeof *c1);
        gb_group_put(g, 0, j, line, x);
        gb_group_put(g, 1, j, line, c1 + j * n);
    }
}

static gb_status public_run(gb_ctx *ctx, public_job *job) {
    unsigned threads = gb_ctx_threads(ctx);
    size_t n = gb_ring_n(gb_params_ring(job->g->params));
    gb_status status = gb_alloc_zero(&job->scratch, ctx, threads, sizeof *job->scratch);
    for (unsigned i = 0; i < threads && status == GB_OK; i++) status = gb_pk_scratch_init(&job->scratch[i], ctx, n);
    if (status == GB_OK) status = gb_alloc(&job->c, ctx, threads, 2 * job->g->limbs * n * sizeof *job->c);
    if (status == GB_OK) {
        gb_random_bytes(job->seed.b, sizeof job->seed.b);
        gb_classify(&job->seed, sizeof job->seed);
        gb_parallel(ctx, job->g->lines, public_task, job);
        gb_wipe(&job->seed, sizeof job->seed);
    }
    for (unsigned i = 0; job->scratch != NULL && i < threads; i++) gb_pk_scratch_release(&job->scratch[i]);
    gb_free(job->scratch);
    gb_free(job->c);
    return status;
}

gb_status gb_encrypt_public(gb_ctx *ctx, const gb_keyset *k, const gb_bundle_info *b, size_t group,
                            const int64_t *values, const gb_tile_sink *sink) {
    const gb_params *p = gb_keyset_params(k);
    if (!gb_hash_equal(&b->key, gb_keyset_id(k)))
        return gb_fail(ctx, GB_ERR_KEY, "encrypt: the bundle names another key set than the one given");
    GB_TRY(gb_bundle_check(ctx, b, p));
    if (b->seeded || b->limbs == 0)
        return gb_fail(ctx, GB_ERR_PARAMS, "encrypt: the public key makes bundles modulo primes, without a seed");
    gb_group g;
    GB_TRY(gb_group_init(&g, ctx, b, p, group, 3));
    gb_status status = gb_values_check(ctx, b, p, values, g.first, g.lines);
    /* The randomness is new every time: tiles of two runs do not belong together, so all are written or none. */
    if (status == GB_OK && !gb_group_written(b, group, g.blocks, sink)) {
        public_job job = {.key = k, .g = &g, .values = values};
        gb_tile_sink whole = {.user = sink->user, .write = sink->write};
        status = public_run(ctx, &job);
        if (status == GB_OK) status = gb_group_write(&g, ctx, &whole);
    }
    gb_group_release(&g);
    return status;
}

typedef struct cipher_job {
    gb_ct *out;
    const gb_keyset *key;
    const uint64_t *message;
    int8_t *small[3]; /* u, e0, e1 */
    gb_pk_scratch *scratch;
} cipher_job;

static void cipher_limb(void *user, size_t j, unsigned worker) {
    cipher_job *t = user;
    const gb_ring *r = gb_params_ring(t->out->params);
    size_t n = gb_ring_n(r);
    uint64_t *c0 = gb_ct_limb(t->out, 0, (unsigned)j), *c1 = gb_ct_limb(t->out, 1, (unsigned)j);
    const int8_t *const small[3] = {t->small[0], t->small[1], t->small[2]};
    gb_pk_zero_limb(c0, c1, t->key, j, small, &t->scratch[worker]);
    gb_ring_kernels(r)->add(c0, c0, t->message + j * n, n, gb_ring_modulus(r, j));
    gb_declassify(c0, n * sizeof *c0);
    gb_declassify(c1, n * sizeof *c1);
}

static gb_status cipher_run(cipher_job *t, gb_ctx *ctx) {
    size_t n = gb_ring_n(gb_params_ring(t->out->params));
    unsigned threads = gb_ctx_threads(ctx);
    gb_seed seed;
    GB_TRY(gb_alloc_secret(&t->small[0], ctx, 3, n));
    t->small[1] = t->small[0] + n;
    t->small[2] = t->small[1] + n;
    gb_status status = gb_alloc_zero(&t->scratch, ctx, threads, sizeof *t->scratch);
    for (unsigned i = 0; i < threads && status == GB_OK; i++) status = gb_pk_scratch_init(&t->scratch[i], ctx, n);
    if (status == GB_OK) {
        gb_random_bytes(seed.b, sizeof seed.b);
        gb_classify(&seed, sizeof seed);
        gb_sample_ternary(t->small[0], n, &seed, 0);
        gb_sample_error(t->small[1], n, &seed, 1);
        gb_sample_error(t->small[2], n, &seed, 2);
        gb_wipe(&seed, sizeof seed);
        gb_parallel(ctx, t->out->limbs, cipher_limb, t);
    }
    for (unsigned i = 0; t->scratch != NULL && i < threads; i++) gb_pk_scratch_release(&t->scratch[i]);
    gb_free(t->scratch);
    gb_free_secret(t->small[0]);
    return status;
}

gb_status gb_ct_encrypt_public(gb_ct *out, gb_ctx *ctx, const gb_keyset *k, const uint64_t *message, unsigned limbs,
                               double scale) {
    if (!gb_params_same(gb_keyset_params(k), out->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "encrypt: the key set is of %s, the ciphertext of %s",
                       gb_params_get(gb_keyset_params(k))->name, gb_params_get(out->params)->name);
    GB_TRY(gb_ct_shape(out, ctx, limbs, scale));
    return cipher_run(&(cipher_job){.out = out, .key = k, .message = message}, ctx);
}
