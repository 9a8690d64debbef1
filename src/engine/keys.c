/* engine/keys: secret, public and evaluation keys. */
#include "engine/internal.h"

gb_status gb_key_new(gb_secret **secret, gb_keyset **key, gb_engine *e) {
    GB_TRY(gb_engine_need(e, "new key", true, true, secret, key));
    return gb_secret_new(secret, key, e->ctx, e->params);
}

gb_status gb_key_save(uint8_t out[GB_KEY_BYTES], gb_engine *e, const gb_secret *secret) {
    GB_TRY(gb_engine_need(e, "save a key", true, true, out, secret));
    gb_secret_root(out, secret);
    return GB_OK;
}

gb_status gb_key_load(gb_secret **secret, gb_keyset **key, gb_engine *e, const uint8_t saved[GB_KEY_BYTES]) {
    GB_TRY(gb_engine_need(e, "load a key", true, true, secret, key));
    GB_TRY(gb_engine_need(e, "load a key", true, true, saved, saved));
    return gb_secret_restore(secret, key, e->ctx, e->params, saved);
}

void gb_key_free(gb_secret *secret) { gb_secret_free(secret); }
void gb_key_free_public(gb_keyset *key) { gb_keyset_free(key); }
void gb_bytes_free(uint8_t *data) { gb_free(data); }

gb_status gb_key_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_keyset *key) {
    GB_TRY(gb_engine_need(e, "encode a key", true, true, data, size));
    GB_TRY(gb_engine_need(e, "encode a key", true, true, key, key));
    gb_buffer b = GB_BUFFER_INIT;
    *data = NULL;
    gb_status s = gb_keyset_encode(&b, e->ctx, key);
    if (s != GB_OK) {
        gb_buffer_release(&b);
        return s;
    }
    *data = b.data;
    *size = b.size;
    return GB_OK;
}

gb_status gb_key_decode(gb_keyset **key, gb_engine *e, const uint8_t *data, size_t size) {
    GB_TRY(gb_engine_need(e, "decode a key", true, true, key, data));
    gb_keyset *k;
    *key = NULL;
    GB_TRY(gb_keyset_decode(&k, e->ctx, data, size));
    if (!gb_params_same(gb_keyset_params(k), e->params)) {
        gb_status s = gb_fail(e->ctx, GB_ERR_PARAMS, "decode a key: it is of %s, the engine of %s",
                              gb_params_get(gb_keyset_params(k))->name, e->info.name);
        gb_keyset_free(k);
        return s;
    }
    *key = k;
    return GB_OK;
}

/* ---- evaluation keys ---- */
gb_status gb_evalkeys_new(gb_evalkeys **out, gb_engine *e) {
    GB_TRY(gb_engine_need(e, "evaluation keys", true, true, out, out));
    *out = NULL;
    gb_evalkeys *k;
    GB_TRY(gb_alloc_zero(&k, e->ctx, 1, sizeof *k));
    gb_status s = gb_params_named(&k->params, e->ctx, e->info.name);
    if (s != GB_OK) {
        gb_free(k);
        return s;
    }
    *out = k;
    return GB_OK;
}

void gb_evalkeys_free(gb_evalkeys *k) {
    if (!k) return;
    gb_bootstrap_keys_release(&k->all);
    gb_params_free(k->inner);
    gb_params_free(k->params);
    gb_free(k);
}

/* A key borrows its parameters, so it gets those of the handle, which live as long. */
gb_status gb_evalkeys_galois(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, uint64_t galois, unsigned level) {
    const gb_eval_keys *have;
    GB_TRY(gb_engine_need(e, "make evaluation keys", true, true, k, secret));
    GB_TRY(gb_engine_keys(&have, e, "make evaluation keys", k, gb_secret_key_id(secret)));
    GB_TRY(gb_engine_secret(e, "make evaluation keys", secret));
    const size_t before = k->all.keys.count;
    const gb_status s = gb_secret_eval_keys(&k->all.keys, e->ctx, secret, &galois, 1, gb_engine_limbs(e, level), 0);
    for (size_t i = before; i < k->all.keys.count; i++) k->all.keys.keys[i].params = k->params;
    if (s == GB_OK) k->key = *gb_secret_key_id(secret);
    return s;
}

gb_status gb_evalkeys_multiply(gb_evalkeys *k, gb_engine *e, const gb_secret *secret) {
    return gb_evalkeys_galois(k, e, secret, 1, e->top);
}

gb_status gb_evalkeys_rotate(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, const int *steps, size_t count) {
    GB_TRY(gb_engine_need(e, "make rotation keys", true, true, steps, steps));
    for (size_t i = 0; i < count; i++) {
        const uint64_t galois = gb_galois_rotation(e->params, steps[i]);
        if (galois != 1) GB_TRY(gb_evalkeys_galois(k, e, secret, galois, e->top));
    }
    return GB_OK;
}

gb_status gb_evalkeys_conjugate(gb_evalkeys *k, gb_engine *e, const gb_secret *secret) {
    GB_TRY(gb_engine_need(e, "make a conjugation key", true, true, k, secret));
    return gb_evalkeys_galois(k, e, secret, gb_galois_conjugation(e->params), e->top);
}

gb_status gb_evalkeys_sum(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, size_t count) {
    GB_TRY(gb_engine_need(e, "make keys for a sum", true, true, k, secret));
    if (count < 1 || count > e->n / 2 || (count & (count - 1)) != 0)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "a sum of %zu slots: must be a power of two up to %zu", count,
                       e->n / 2);
    for (size_t step = 1; step < count; step *= 2)
        GB_TRY(gb_evalkeys_galois(k, e, secret, gb_galois_rotation(e->params, (int)step), e->top));
    return GB_OK;
}

static gb_status write_key(gb_buffer *b, gb_ctx *ctx, const gb_switch_key *key) {
    gb_buffer one = GB_BUFFER_INIT;
    const gb_status s = gb_switch_key_encode(&one, ctx, key);
    gb_write_u64(b, one.size);
    if (s == GB_OK) gb_write_bytes(b, one.data, one.size);
    gb_buffer_release(&one);
    return s;
}

gb_status gb_evalkeys_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    GB_TRY(gb_engine_need(e, "encode evaluation keys", true, true, data, size));
    GB_TRY(gb_engine_need(e, "encode evaluation keys", true, true, k, k));
    GB_TRY(gb_engine_keys(&keys, e, "encode evaluation keys", k, &k->key));
    *data = NULL;
    gb_buffer b = GB_BUFFER_INIT;
    gb_status s = GB_OK;
    gb_write_bytes(&b, k->bootstraps ? "GBE2" : "GBE1", 4);
    gb_write_bytes(&b, k->key.b, GB_HASH_BYTES);
    gb_write_u32(&b, (uint32_t)keys->count);
    for (size_t i = 0; s == GB_OK && i < keys->count; i++) s = write_key(&b, e->ctx, &keys->keys[i]);
    if (s == GB_OK && k->bootstraps) s = write_key(&b, e->ctx, &k->all.to_sparse);
    if (s == GB_OK && k->bootstraps) s = write_key(&b, e->ctx, &k->all.to_dense);
    if (s == GB_OK && b.status != GB_OK) s = gb_fail(e->ctx, b.status, "out of memory writing evaluation keys");
    if (s != GB_OK) {
        gb_buffer_release(&b);
        return s;
    }
    *data = b.data;
    *size = b.size;
    return GB_OK;
}

static gb_status read_key(gb_switch_key *out, gb_engine *e, gb_reader *in, const gb_params *p) {
    const uint64_t bytes = gb_read_u64(in);
    const uint8_t *at = in->failed || bytes > gb_reader_left(in) ? NULL : gb_read_bytes(in, (size_t)bytes);
    if (!at) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "evaluation keys end in the middle of one");
    return gb_switch_key_decode(out, e->ctx, p, at, (size_t)bytes);
}

/* The encapsulation's two keys: of the shapes that a bootstrapping of this set has. */
static gb_status read_encapsulation(gb_evalkeys *k, gb_engine *e, gb_reader *in) {
    if (!e->info.refreshes)
        return gb_fail(e->ctx, GB_ERR_FORMAT, "evaluation keys for bootstrapping, which %s has not", e->info.name);
    GB_TRY(gb_evalkeys_inner(k, e));
    GB_TRY(read_key(&k->all.to_sparse, e, in, k->inner));
    GB_TRY(read_key(&k->all.to_dense, e, in, k->params));
    const gb_switch_key *sparse = &k->all.to_sparse, *dense = &k->all.to_dense;
    if (sparse->galois != 1 || sparse->limbs != gb_params_get(k->inner)->data_count || sparse->digit != 1 ||
        dense->galois != 1 || dense->limbs != gb_params_get(k->params)->data_count ||
        dense->digit != gb_params_get(k->params)->special_count)
        return gb_fail(e->ctx, GB_ERR_FORMAT, "the two last evaluation keys are not those of a bootstrapping");
    k->bootstraps = true;
    return GB_OK;
}

static gb_status decode_keys(gb_evalkeys *k, gb_engine *e, gb_reader *in, bool bootstraps) {
    const uint8_t *id = gb_read_bytes(in, GB_HASH_BYTES);
    const uint32_t count = gb_read_u32(in);
    if (id) memcpy(k->key.b, id, GB_HASH_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        gb_switch_key key;
        GB_TRY(read_key(&key, e, in, k->params));
        gb_status s = gb_eval_keys_add(&k->all.keys, e->ctx, &key);
        if (s != GB_OK) {
            gb_switch_key_release(&key);
            return s;
        }
    }
    if (in->failed) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "evaluation keys have no whole header");
    if (bootstraps) GB_TRY(read_encapsulation(k, e, in));
    if (gb_reader_left(in)) return gb_fail(e->ctx, GB_ERR_FORMAT, "%zu bytes follow the keys", gb_reader_left(in));
    return GB_OK;
}

gb_status gb_evalkeys_decode(gb_evalkeys **out, gb_engine *e, const uint8_t *data, size_t size) {
    GB_TRY(gb_engine_need(e, "decode evaluation keys", true, true, out, data));
    *out = NULL;
    gb_reader in = gb_reader_init(data, size);
    const uint8_t *mark = gb_read_bytes(&in, 4);
    if (!mark) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "evaluation keys have no whole header");
    const bool bootstraps = memcmp(mark, "GBE2", 4) == 0;
    if (!bootstraps && memcmp(mark, "GBE1", 4) != 0)
        return gb_fail(e->ctx, GB_ERR_FORMAT, "not evaluation keys (wrong magic)");
    gb_evalkeys *k;
    GB_TRY(gb_evalkeys_new(&k, e));
    gb_status s = decode_keys(k, e, &in, bootstraps);
    if (s != GB_OK) {
        gb_evalkeys_free(k);
        return s;
    }
    *out = k;
    return GB_OK;
}
