/* scheme/secret/bootstrap_keys: rotations at their levels, and the two keys of the sparse-secret encapsulation. */
#include "scheme/secret/internal.h"

#define WEIGHT 32 /* h of the sparse secret; it protects only ciphertexts modulo q0 times one special prime */
#define MAX_GALOIS 256

/* The rows of the outer ring that the inner ring has: q0's primes and the first special one. */
static void inner_rows(uint64_t *out, const uint64_t *outer, const gb_params *inner, const gb_params *p) {
    size_t n = gb_ring_n(gb_params_ring(p)), base = gb_params_get(inner)->data_count;
    memcpy(out, outer, base * n * sizeof *out);
    memcpy(out + base * n, outer + gb_params_get(p)->data_count * n, n * sizeof *out);
}

static gb_status encapsulation(gb_bootstrap_keys *out, gb_ctx *ctx, const gb_secret *s, const gb_bootstrap *b,
                               unsigned digit, uint64_t *rows, int8_t *small) {
    const gb_params *inner = gb_bootstrap_inner_params(b);
    const gb_ring *r = gb_params_ring(s->params);
    size_t n = gb_ring_n(r), all = gb_ring_limbs(r), base = gb_params_get(inner)->data_count;
    uint64_t *sparse = rows, *inner_sparse = rows + all * n, *inner_dense = inner_sparse + (base + 1) * n;
    gb_seed seed;
    gb_random_bytes(seed.b, sizeof seed.b);
    gb_classify(&seed, sizeof seed);
    gb_sample_sparse(small, n, WEIGHT, &seed, 0);
    gb_wipe(&seed, sizeof seed);
    for (size_t j = 0; j < all; j++) gb_ring_kernels(r)->lift8(sparse + j * n, small, n, gb_ring_modulus(r, j));
    gb_ring_forward(r, sparse, 0, all);
    inner_rows(inner_sparse, sparse, inner, s->params);
    inner_rows(inner_dense, s->s_hat, inner, s->params);
    GB_TRY(gb_secret_key_between(&out->to_sparse, ctx, inner, inner_dense, inner_sparse, false, 1, (unsigned)base, 1));
    return gb_secret_key_between(&out->to_dense, ctx, s->params, sparse, s->s_hat, false, 1,
                                 (unsigned)gb_params_get(s->params)->data_count, digit);
}

static gb_status make(gb_bootstrap_keys *out, gb_ctx *ctx, const gb_secret *s, const gb_bootstrap *b, unsigned digit,
                      uint64_t *rows, int8_t *small) {
    uint64_t galois[MAX_GALOIS], relinearise = 1;
    unsigned level[MAX_GALOIS];
    size_t count = gb_bootstrap_galois(galois, level, MAX_GALOIS, b);
    if (count > MAX_GALOIS) return gb_fail(ctx, GB_ERR_LIMIT, "bootstrapping wants %zu rotation keys", count);
    /* highest level first, so that a key made once serves lower uses of the same element */
    for (size_t done = 0; done < count; done++) {
        size_t next = 0;
        for (size_t i = 1; i < count; i++)
            if (level[i] > level[next]) next = i;
        unsigned limbs = gb_params_limbs(s->params, level[next]);
        GB_TRY(gb_secret_eval_keys(&out->keys, ctx, s, &galois[next], 1, limbs, digit));
        level[next] = 0;
    }
    unsigned data = gb_params_limbs(s->params, gb_bootstrap_level_sine(b)); /* nothing is multiplied above */
    GB_TRY(gb_secret_eval_keys(&out->keys, ctx, s, &relinearise, 1, data, digit));
    return encapsulation(out, ctx, s, b, digit, rows, small);
}

gb_status gb_secret_bootstrap_keys(gb_bootstrap_keys *out, gb_ctx *ctx, const gb_secret *s, const gb_bootstrap *b,
                                   unsigned digit) {
    const gb_ring *r = gb_params_ring(s->params);
    size_t n = gb_ring_n(r), inner = gb_params_get(gb_bootstrap_inner_params(b))->data_count + 1;
    uint64_t *rows;
    int8_t *small = NULL;
    memset(out, 0, sizeof *out);
    GB_TRY(gb_alloc_secret(&rows, ctx, (gb_ring_limbs(r) + 2 * inner) * n, sizeof *rows));
    gb_status status = gb_alloc_secret(&small, ctx, n, 1);
    if (status == GB_OK) status = make(out, ctx, s, b, digit, rows, small);
    gb_free_secret(rows);
    gb_free_secret(small);
    if (status != GB_OK) gb_bootstrap_keys_release(out);
    return status;
}
