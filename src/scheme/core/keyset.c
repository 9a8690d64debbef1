/* scheme/core/keyset: keys that may be given away, and encryption under them.
 *
 * Wire form: "GBK1" | parameters' hash (32) | seed of a (32) | for each data limb: N coefficients of b, packed at the
 * prime's width, little-endian. N is a multiple of 64, so there is no padding and one encoding per key. The key id is
 * BLAKE2b-256 of these bytes. */
#include "scheme/core/core.h"

#define KEYSET_HEADER (4 + GB_HASH_BYTES + GB_SEED_BYTES)

struct gb_keyset {
    gb_params *params;
    gb_hash id;
    gb_seed seed;    /* of a */
    uint64_t *b;     /* data limbs, coefficient form: the wire form is packed from it */
    uint64_t *b_hat; /* b and a in NTT form */
    uint64_t *a_hat;
};

void gb_keyset_free(gb_keyset *k) {
    if (k == NULL) return;
    gb_params_free(k->params);
    gb_free(k->b);
    gb_free(k->b_hat);
    gb_free(k->a_hat);
    gb_free(k);
}

const gb_hash *gb_keyset_id(const gb_keyset *k) { return &k->id; }
const gb_params *gb_keyset_params(const gb_keyset *k) { return k->params; }

static size_t keyset_bytes(const gb_params *p) {
    const gb_ring *r = gb_params_ring(p);
    size_t n = KEYSET_HEADER;
    for (size_t j = 0; j < gb_params_get(p)->data_count; j++)
        n += gb_packed_bytes(gb_ring_n(r), gb_ring_modulus(r, j)->bits);
    return n;
}

gb_status gb_keyset_encode(gb_buffer *out, gb_ctx *ctx, const gb_keyset *k) {
    const gb_ring *r = gb_params_ring(k->params);
    size_t n = gb_ring_n(r);
    uint8_t *at = gb_write_space(out, keyset_bytes(k->params));
    if (at == NULL) return gb_fail(ctx, out->status, "out of memory: key set");
    memcpy(at, "GBK1", 4);
    memcpy(at + 4, gb_params_hash(k->params)->b, GB_HASH_BYTES);
    memcpy(at + 4 + GB_HASH_BYTES, k->seed.b, GB_SEED_BYTES);
    at += KEYSET_HEADER;
    for (size_t j = 0; j < gb_params_get(k->params)->data_count; j++) {
        unsigned bits = gb_ring_modulus(r, j)->bits;
        gb_ring_kernels(r)->pack(at, k->b + j * n, n, bits);
        at += gb_packed_bytes(n, bits);
    }
    return GB_OK;
}

/* Takes params (freed with the key set, also on error) and room for b that the caller then fills. */
static gb_status keyset_alloc(gb_keyset **out, gb_ctx *ctx, gb_params *params) {
    size_t words = gb_params_get(params)->data_count * gb_ring_n(gb_params_ring(params));
    gb_keyset *k;
    gb_status status = gb_alloc_zero(&k, ctx, 1, sizeof *k);
    if (status != GB_OK) {
        gb_params_free(params);
        return status;
    }
    k->params = params;
    status = gb_alloc(&k->b, ctx, words, sizeof *k->b);
    if (status == GB_OK) status = gb_alloc(&k->b_hat, ctx, words, sizeof *k->b_hat);
    if (status == GB_OK) status = gb_alloc(&k->a_hat, ctx, words, sizeof *k->a_hat);
    if (status != GB_OK) {
        gb_keyset_free(k);
        return status;
    }
    *out = k;
    return GB_OK;
}

/* Everything that follows from params, seed and b. */
static gb_status keyset_finish(gb_keyset *k, gb_ctx *ctx) {
    const gb_ring *r = gb_params_ring(k->params);
    size_t n = gb_ring_n(r), limbs = gb_params_get(k->params)->data_count, used[GB_MAX_LIMBS];
    for (size_t j = 0; j < limbs; j++) {
        used[j] = j;
        gb_sample_uniform(k->a_hat + j * n, n, gb_ring_modulus(r, j), &k->seed, 0, (uint32_t)j, 0);
    }
    GB_TRY(gb_security_check(ctx, r, used, limbs, gb_params_get(k->params)));
    memcpy(k->b_hat, k->b, limbs * n * sizeof *k->b);
    gb_ring_forward(r, k->a_hat, 0, limbs);
    gb_ring_forward(r, k->b_hat, 0, limbs);
    gb_buffer wire = GB_BUFFER_INIT;
    GB_TRY(gb_keyset_encode(&wire, ctx, k));
    gb_hash_of(&k->id, wire.data, wire.size, NULL, 0);
    gb_buffer_release(&wire);
    return GB_OK;
}

gb_status gb_keyset_new(gb_keyset **out, gb_ctx *ctx, const gb_params *p, const gb_seed *seed, const uint64_t *b) {
    *out = NULL;
    gb_params *params;
    gb_keyset *k;
    GB_TRY(gb_params_new(&params, ctx, gb_params_get(p)));
    GB_TRY(keyset_alloc(&k, ctx, params));
    k->seed = *seed;
    memcpy(k->b, b, gb_params_get(p)->data_count * gb_ring_n(gb_params_ring(p)) * sizeof *b);
    gb_status status = keyset_finish(k, ctx);
    if (status != GB_OK) {
        gb_keyset_free(k);
        return status;
    }
    *out = k;
    return GB_OK;
}

static gb_status unpack_key(gb_keyset *k, gb_ctx *ctx, const uint8_t *at) {
    const gb_ring *r = gb_params_ring(k->params);
    size_t n = gb_ring_n(r);
    uint64_t any = 0;
    for (size_t j = 0; j < gb_params_get(k->params)->data_count; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        if (gb_ring_kernels(r)->unpack(k->b + j * n, at, n, m->bits, m->q) != 0)
            return gb_fail(ctx, GB_ERR_FORMAT, "key set: a residue of limb %zu is not below its prime", j);
        for (size_t i = 0; i < n; i++) any |= k->b[j * n + i];
        at += gb_packed_bytes(n, m->bits);
    }
    return any != 0 ? GB_OK : gb_fail(ctx, GB_ERR_FORMAT, "key set: the public key is zero");
}

gb_status gb_keyset_decode(gb_keyset **out, gb_ctx *ctx, const uint8_t *data, size_t n) {
    *out = NULL;
    gb_reader r = gb_reader_init(data, n);
    const uint8_t *magic = gb_read_bytes(&r, 4), *hash = gb_read_bytes(&r, GB_HASH_BYTES);
    const uint8_t *seed = gb_read_bytes(&r, GB_SEED_BYTES);
    if (r.failed) return gb_fail(ctx, GB_ERR_TRUNCATED, "key set: ends within its header");
    if (memcmp(magic, "GBK", 3) != 0) return gb_fail(ctx, GB_ERR_FORMAT, "key set: not a key set of glovebox");
    if (magic[3] != '1') return gb_fail(ctx, GB_ERR_VERSION, "key set: its version is not supported; update glovebox");
    gb_hash params_hash;
    memcpy(params_hash.b, hash, GB_HASH_BYTES);
    gb_params *params;
    GB_TRY(gb_params_by_hash(&params, ctx, &params_hash));
    size_t want = keyset_bytes(params);
    if (n != want) {
        gb_params_free(params);
        return gb_fail(ctx, n < want ? GB_ERR_TRUNCATED : GB_ERR_FORMAT, "key set: has %zu bytes, must have %zu", n,
                       want);
    }
    gb_keyset *k;
    GB_TRY(keyset_alloc(&k, ctx, params));
    memcpy(k->seed.b, seed, GB_SEED_BYTES);
    gb_status status = unpack_key(k, ctx, data + KEYSET_HEADER);
    if (status == GB_OK) status = keyset_finish(k, ctx);
    if (status != GB_OK) {
        gb_keyset_free(k);
        return status;
    }
    *out = k;
    return GB_OK;
}

/* ---- encryptions of zero ---- */
gb_status gb_pk_scratch_init(gb_pk_scratch *s, gb_ctx *ctx, size_t n) {
    *s = (gb_pk_scratch){.small = NULL};
    gb_status status = gb_alloc_secret(&s->small, ctx, n, 1);
    if (status == GB_OK) status = gb_alloc_secret(&s->u, ctx, n, sizeof *s->u);
    if (status == GB_OK) status = gb_alloc_secret(&s->error, ctx, n, 1);
    if (status == GB_OK) status = gb_alloc_secret(&s->temp, ctx, n, sizeof *s->temp);
    if (status != GB_OK) gb_pk_scratch_release(s);
    return status;
}

void gb_pk_scratch_release(gb_pk_scratch *s) {
    gb_free_secret(s->small);
    gb_free_secret(s->u);
    gb_free_secret(s->error);
    gb_free_secret(s->temp);
    *s = (gb_pk_scratch){.small = NULL};
}

/* c_i = k_i u + e_i with k_0 = b, k_1 = a: phase e u + e0 + e1 s (Lyubashevsky, Peikert, Regev, Eurocrypt 2010). */
void gb_pk_zero(uint64_t *c0, uint64_t *c1, const gb_keyset *k, size_t limbs, const gb_seed *seed, uint64_t stream,
                gb_pk_scratch *scratch) {
    const gb_ring *r = gb_params_ring(k->params);
    const gb_kernels *kernels = gb_ring_kernels(r);
    size_t n = gb_ring_n(r);
    const uint64_t *key[2] = {k->b_hat, k->a_hat};
    uint64_t *c[2] = {c0, c1};
    gb_sample_ternary(scratch->small, n, seed, 3 * stream);
    for (unsigned i = 0; i < 2; i++) {
        gb_sample_error(scratch->error, n, seed, 3 * stream + 1 + i);
        for (size_t j = 0; j < limbs; j++) {
            const gb_modulus *m = gb_ring_modulus(r, j);
            uint64_t *x = c[i] + j * n;
            kernels->lift8(scratch->u, scratch->small, n, m);
            gb_ntt_limb(r, scratch->u, j);
            kernels->mul(x, scratch->u, key[i] + j * n, n, m);
            gb_intt_limb(r, x, j);
            kernels->lift8(scratch->temp, scratch->error, n, m);
            kernels->add(x, x, scratch->temp, n, m);
        }
    }
}

void gb_pk_zero_limb(uint64_t *c0, uint64_t *c1, const gb_keyset *k, size_t limb, const int8_t *const small[3],
                     gb_pk_scratch *scratch) {
    const gb_ring *r = gb_params_ring(k->params);
    const gb_kernels *kernels = gb_ring_kernels(r);
    const gb_modulus *m = gb_ring_modulus(r, limb);
    size_t n = gb_ring_n(r);
    const uint64_t *key[2] = {k->b_hat + limb * n, k->a_hat + limb * n};
    uint64_t *c[2] = {c0, c1};
    kernels->lift8(scratch->u, small[0], n, m);
    gb_ntt_limb(r, scratch->u, limb);
    for (unsigned i = 0; i < 2; i++) {
        kernels->lift8(c[i], small[1 + i], n, m); /* the error, until the product covers it */
        gb_ntt_limb(r, c[i], limb);
        kernels->mul_add(c[i], scratch->u, key[i], n, m);
    }
}
