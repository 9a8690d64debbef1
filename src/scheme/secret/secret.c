/* scheme/secret/secret: secret keys, from a root of 32 bytes. */
#include "scheme/secret/internal.h"

/* Labels of what a root gives. They are part of the key format: a new purpose gets a new label. */
#define LABEL_SECRET "glovebox secret"
#define LABEL_PUBLIC_SEED "glovebox public key seed"
#define LABEL_PUBLIC_ERROR "glovebox public key error"
#define LABEL_DATASET "glovebox dataset seed"
#define LABEL_ERROR "glovebox encryption error"

void gb_secret_free(gb_secret *s) {
    if (s == NULL) return;
    gb_params_free(s->params);
    gb_free_secret(s->seeds);
    gb_free_secret(s->s_hat);
    gb_free(s);
}

const gb_hash *gb_secret_key_id(const gb_secret *s) { return &s->key_id; }
const gb_params *gb_secret_params(const gb_secret *s) { return s->params; }
void gb_secret_root(uint8_t out[32], const gb_secret *s) { memcpy(out, s->seeds->root.b, GB_SEED_BYTES); }

gb_status gb_secret_scratch_new(gb_secret_scratch **out, gb_ctx *ctx, size_t n, size_t words) {
    gb_secret_scratch *s;
    *out = NULL;
    GB_TRY(gb_alloc_zero(&s, ctx, gb_ctx_threads(ctx), sizeof *s));
    gb_status status = GB_OK;
    for (unsigned i = 0; i < gb_ctx_threads(ctx) && status == GB_OK; i++) {
        status = gb_alloc_secret(&s[i].words, ctx, words, n * sizeof(uint64_t));
        if (status == GB_OK) status = gb_alloc_secret(&s[i].small, ctx, n, 1);
    }
    if (status != GB_OK) {
        gb_secret_scratch_free(s, ctx);
        return status;
    }
    *out = s;
    return GB_OK;
}

void gb_secret_scratch_free(gb_secret_scratch *s, gb_ctx *ctx) {
    for (unsigned i = 0; s != NULL && i < gb_ctx_threads(ctx); i++) {
        gb_free_secret(s[i].words);
        gb_free_secret(s[i].small);
    }
    gb_free(s);
}

void gb_secret_mul(uint64_t *c1, const gb_secret *s, size_t limb) {
    const gb_ring *r = gb_params_ring(s->params);
    size_t n = gb_ring_n(r);
    gb_ntt_limb(r, c1, limb);
    gb_ring_kernels(r)->mul(c1, c1, s->s_hat + limb * n, n, gb_ring_modulus(r, limb));
    gb_intt_limb(r, c1, limb);
}

gb_status gb_secret_check(gb_ctx *ctx, const gb_secret *s, const gb_bundle_info *b) {
    if (!gb_hash_equal(&b->key, &s->key_id)) {
        char want[17], have[17];
        gb_hex(want, b->key.b, 8);
        gb_hex(have, s->key_id.b, 8);
        return gb_fail(ctx, GB_ERR_KEY, "the data is encrypted under key %s, not under %s; use that key", want, have);
    }
    return gb_bundle_check(ctx, b, s->params);
}

void gb_secret_error_seed(gb_seed *out, const gb_secret *s, const gb_seed *seed, gb_error_purpose purpose) {
    uint8_t input[GB_SEED_BYTES + 1];
    gb_hash h;
    memcpy(input, seed->b, GB_SEED_BYTES);
    input[GB_SEED_BYTES] = (uint8_t)purpose;
    gb_hash_of(&h, input, sizeof input, s->seeds->error.b, GB_SEED_BYTES);
    memcpy(out->b, h.b, GB_SEED_BYTES);
    gb_wipe(&h, sizeof h);
}

void gb_secret_dataset_seed(gb_seed *out, const gb_secret *s, const gb_hash *nonce, const gb_hash *content) {
    uint8_t input[2 * GB_HASH_BYTES];
    gb_hash h;
    memcpy(input, nonce->b, GB_HASH_BYTES);
    memcpy(input + GB_HASH_BYTES, content->b, GB_HASH_BYTES);
    gb_hash_of(&h, input, sizeof input, s->seeds->dataset.b, GB_SEED_BYTES);
    memcpy(out->b, h.b, GB_SEED_BYTES);
    gb_declassify(out->b, sizeof out->b); /* it travels with the data: a PRF's output tells nothing of its key */
}

/* s from the root; s_hat, modulo data and special primes. */
static gb_status derive_secret(gb_secret *s, gb_ctx *ctx, int8_t *small) {
    const gb_ring *r = gb_params_ring(s->params);
    size_t n = gb_ring_n(r), limbs = gb_ring_limbs(r);
    gb_seed seed;
    GB_TRY(gb_alloc_secret(&s->s_hat, ctx, limbs * n, sizeof *s->s_hat));
    gb_seed_derive(&seed, &s->seeds->root, LABEL_SECRET, 0);
    if (gb_params_get(s->params)->weight)
        gb_sample_sparse(small, n, gb_params_get(s->params)->weight, &seed, 0);
    else
        gb_sample_ternary(small, n, &seed, 0);
    gb_wipe(&seed, sizeof seed);
    for (size_t j = 0; j < limbs; j++) gb_ring_kernels(r)->lift8(s->s_hat + j * n, small, n, gb_ring_modulus(r, j));
    gb_ring_forward(r, s->s_hat, 0, limbs);
    gb_seed_derive(&s->seeds->dataset, &s->seeds->root, LABEL_DATASET, 0);
    gb_seed_derive(&s->seeds->error, &s->seeds->root, LABEL_ERROR, 0);
    return GB_OK;
}

/* b = -(a s) + e in coefficient form, a from a seed of its own. b: limbs * N words of scratch. */
static gb_status derive_keyset(gb_keyset **out, gb_secret *s, gb_ctx *ctx, int8_t *small, uint64_t *b, uint64_t *temp) {
    const gb_ring *r = gb_params_ring(s->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r), limbs = gb_params_get(s->params)->data_count;
    gb_seed seed, error;
    gb_seed_derive(&seed, &s->seeds->root, LABEL_PUBLIC_SEED, 0);
    gb_declassify(&seed, sizeof seed); /* published with the key */
    gb_seed_derive(&error, &s->seeds->root, LABEL_PUBLIC_ERROR, 0);
    gb_sample_error(small, n, &error, 0);
    gb_wipe(&error, sizeof error);
    for (size_t j = 0; j < limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t *x = b + j * n;
        gb_sample_uniform(x, n, m, &seed, 0, (uint32_t)j, 0);
        gb_secret_mul(x, s, j);
        k->lift8(temp, small, n, m);
        k->sub(x, temp, x, n, m);
    }
    gb_declassify(b, limbs * n * sizeof *b); /* the public key */
    return gb_keyset_new(out, ctx, s->params, &seed, b);
}

static gb_status derive(gb_secret *s, gb_keyset **keyset, gb_ctx *ctx) {
    size_t n = gb_ring_n(gb_params_ring(s->params)), limbs = gb_params_get(s->params)->data_count;
    int8_t *small = NULL;
    uint64_t *b = NULL;
    gb_keyset *made = NULL;
    gb_status status = gb_alloc_secret(&small, ctx, n, 1);
    if (status == GB_OK) status = gb_alloc_secret(&b, ctx, (limbs + 1) * n, sizeof *b);
    if (status == GB_OK) status = derive_secret(s, ctx, small);
    if (status == GB_OK) status = derive_keyset(&made, s, ctx, small, b, b + limbs * n);
    if (status == GB_OK) {
        s->key_id = *gb_keyset_id(made);
        if (keyset != NULL)
            *keyset = made;
        else
            gb_keyset_free(made);
    }
    gb_free_secret(small);
    gb_free_secret(b);
    return status;
}

gb_status gb_secret_restore(gb_secret **out, gb_keyset **keyset, gb_ctx *ctx, const gb_params *p,
                            const uint8_t root[32]) {
    *out = NULL;
    if (keyset != NULL) *keyset = NULL;
    gb_secret *s;
    GB_TRY(gb_alloc_zero(&s, ctx, 1, sizeof *s));
    gb_status status = gb_alloc_secret(&s->seeds, ctx, 1, sizeof *s->seeds);
    if (status == GB_OK) {
        memcpy(s->seeds->root.b, root, GB_SEED_BYTES);
        status = gb_params_new(&s->params, ctx, gb_params_get(p));
    }
    if (status == GB_OK) status = derive(s, keyset, ctx);
    if (status != GB_OK) {
        gb_secret_free(s);
        return status;
    }
    *out = s;
    return GB_OK;
}

gb_status gb_secret_new(gb_secret **out, gb_keyset **keyset, gb_ctx *ctx, const gb_params *p) {
    uint8_t root[GB_SEED_BYTES];
    gb_random_bytes(root, sizeof root);
    gb_classify(root, sizeof root);
    gb_status status = gb_secret_restore(out, keyset, ctx, p, root);
    gb_wipe(root, sizeof root);
    return status;
}
