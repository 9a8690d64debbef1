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
    gb_eval_keys_release(&k->keys);
    gb_params_free(k->params);
    gb_free(k);
}

/* A key borrows its parameters, so it gets those of the handle, which live as long. */
gb_status gb_evalkeys_galois(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, uint64_t galois) {
    const gb_eval_keys *have;
    GB_TRY(gb_engine_need(e, "make evaluation keys", true, true, k, secret));
    GB_TRY(gb_engine_keys(&have, e, "make evaluation keys", k));
    GB_TRY(gb_engine_secret(e, "make evaluation keys", secret));
    const size_t before = k->keys.count;
    const gb_status s = gb_secret_eval_keys(&k->keys, e->ctx, secret, &galois, 1, e->primes, 0);
    for (size_t i = before; i < k->keys.count; i++) k->keys.keys[i].params = k->params;
    return s;
}

gb_status gb_evalkeys_multiply(gb_evalkeys *k, gb_engine *e, const gb_secret *secret) {
    return gb_evalkeys_galois(k, e, secret, 1);
}

gb_status gb_evalkeys_rotate(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, const int *steps, size_t count) {
    GB_TRY(gb_engine_need(e, "make rotation keys", true, true, steps, steps));
    for (size_t i = 0; i < count; i++) {
        const uint64_t galois = gb_galois_rotation(e->params, steps[i]);
        if (galois != 1) GB_TRY(gb_evalkeys_galois(k, e, secret, galois));
    }
    return GB_OK;
}

gb_status gb_evalkeys_conjugate(gb_evalkeys *k, gb_engine *e, const gb_secret *secret) {
    GB_TRY(gb_engine_need(e, "make a conjugation key", true, true, k, secret));
    return gb_evalkeys_galois(k, e, secret, gb_galois_conjugation(e->params));
}

gb_status gb_evalkeys_sum(gb_evalkeys *k, gb_engine *e, const gb_secret *secret, size_t count) {
    GB_TRY(gb_engine_need(e, "make keys for a sum", true, true, k, secret));
    if (count < 1 || count > e->n / 2 || (count & (count - 1)) != 0)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "a sum of %zu slots: must be a power of two up to %zu", count,
                       e->n / 2);
    for (size_t step = 1; step < count; step *= 2)
        GB_TRY(gb_evalkeys_galois(k, e, secret, gb_galois_rotation(e->params, (int)step)));
    return GB_OK;
}

gb_status gb_evalkeys_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    GB_TRY(gb_engine_need(e, "encode evaluation keys", true, true, data, size));
    GB_TRY(gb_engine_need(e, "encode evaluation keys", true, true, k, k));
    GB_TRY(gb_engine_keys(&keys, e, "encode evaluation keys", k));
    *data = NULL;
    gb_buffer b = GB_BUFFER_INIT;
    gb_status s = GB_OK;
    gb_write_bytes(&b, "GBE1", 4);
    gb_write_u32(&b, (uint32_t)keys->count);
    for (size_t i = 0; s == GB_OK && i < keys->count; i++) {
        gb_buffer one = GB_BUFFER_INIT;
        s = gb_switch_key_encode(&one, e->ctx, &keys->keys[i]);
        gb_write_u64(&b, one.size);
        if (s == GB_OK) gb_write_bytes(&b, one.data, one.size);
        gb_buffer_release(&one);
    }
    if (s == GB_OK && b.status != GB_OK) s = gb_fail(e->ctx, b.status, "out of memory writing evaluation keys");
    if (s != GB_OK) {
        gb_buffer_release(&b);
        return s;
    }
    *data = b.data;
    *size = b.size;
    return GB_OK;
}

static gb_status decode_keys(gb_evalkeys *k, gb_engine *e, gb_reader *in) {
    const uint32_t count = gb_read_u32(in);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t bytes = gb_read_u64(in);
        const uint8_t *at = in->failed || bytes > gb_reader_left(in) ? NULL : gb_read_bytes(in, (size_t)bytes);
        if (!at) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "evaluation keys end in key %u of %u", i, count);
        gb_switch_key key;
        GB_TRY(gb_switch_key_decode(&key, e->ctx, k->params, at, (size_t)bytes));
        gb_status s = gb_eval_keys_add(&k->keys, e->ctx, &key);
        if (s != GB_OK) {
            gb_switch_key_release(&key);
            return s;
        }
    }
    if (in->failed) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "evaluation keys have no whole header");
    if (gb_reader_left(in)) return gb_fail(e->ctx, GB_ERR_FORMAT, "%zu bytes follow the keys", gb_reader_left(in));
    return GB_OK;
}

gb_status gb_evalkeys_decode(gb_evalkeys **out, gb_engine *e, const uint8_t *data, size_t size) {
    GB_TRY(gb_engine_need(e, "decode evaluation keys", true, true, out, data));
    *out = NULL;
    gb_reader in = gb_reader_init(data, size);
    const uint8_t *mark = gb_read_bytes(&in, 4);
    if (!mark) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "evaluation keys have no whole header");
    if (memcmp(mark, "GBE1", 4) != 0) return gb_fail(e->ctx, GB_ERR_FORMAT, "not evaluation keys (wrong magic)");
    gb_evalkeys *k;
    GB_TRY(gb_evalkeys_new(&k, e));
    gb_status s = decode_keys(k, e, &in);
    if (s != GB_OK) {
        gb_evalkeys_free(k);
        return s;
    }
    *out = k;
    return GB_OK;
}
