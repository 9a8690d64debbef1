/* scheme/secret/encrypt: seeded symmetric encryption of a group of lines. */
#include "scheme/secret/internal.h"

typedef struct encrypt_job {
    const gb_secret *s;
    gb_group *g;
    const int64_t *values;
    gb_seed error;
    gb_secret_scratch *scratch;
} encrypt_job;

/* c1 = uniform(seed, line), c0 = -(c1 s) + e + m; of c0 the first `rows` coefficients are kept. */
static void encrypt_task(void *user, size_t line, unsigned worker) {
    encrypt_job *job = user;
    gb_group *g = job->g;
    const gb_bundle_info *b = g->info;
    const gb_ring *r = gb_params_ring(g->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r), padded = g->blocks[0] * GB_BLOCK;
    uint64_t *x = job->scratch[worker].words, *m = x + n, stream = g->first + line;
    int8_t *e = job->scratch[worker].small;
    gb_sample_error(e, padded, &job->error, stream);
    for (size_t j = 0; j < g->limbs; j++) {
        const gb_modulus *q = gb_ring_modulus(r, j);
        gb_sample_uniform(x, n, q, &b->seed, stream, (uint32_t)j, 0);
        gb_secret_mul(x, job->s, j);
        k->lift8(m, e, padded, q);
        k->sub(x, m, x, padded, q);
        gb_residues_of(m, job->values + line * b->rows, b->rows, q);
        memset(m + b->rows, 0, (padded - b->rows) * sizeof *m);
        k->add(x, x, m, padded, q);
        memset(x + b->rows, 0, (padded - b->rows) * sizeof *x);
        gb_declassify(x, padded * sizeof *x); /* a ciphertext */
        gb_group_put(g, 0, j, line, x);
    }
}

gb_status gb_encrypt_seeded(gb_ctx *ctx, const gb_secret *s, const gb_bundle_info *b, size_t group,
                            const int64_t *values, const gb_tile_sink *sink) {
    GB_TRY(gb_secret_check(ctx, s, b));
    if (!b->seeded)
        return gb_fail(ctx, GB_ERR_PARAMS, "encrypt: the bundle has no seed; set one, or use the public key");
    gb_group g;
    GB_TRY(gb_group_init(&g, ctx, b, s->params, group, 1));
    gb_status status = gb_values_check(ctx, b, s->params, values, g.first, g.lines);
    if (status == GB_OK && !gb_group_written(b, group, g.blocks, sink)) {
        encrypt_job job = {.s = s, .g = &g, .values = values};
        status = gb_secret_scratch_new(&job.scratch, ctx, gb_ring_n(gb_params_ring(s->params)), 2);
        if (status == GB_OK) {
            gb_secret_error_seed(&job.error, s, &b->seed, GB_ERROR_BUNDLE);
            gb_parallel(ctx, g.lines, encrypt_task, &job);
            gb_wipe(&job.error, sizeof job.error);
            gb_secret_scratch_free(job.scratch, ctx);
            status = gb_group_write(&g, ctx, sink);
        }
    }
    gb_group_release(&g);
    return status;
}
