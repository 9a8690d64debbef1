/* Switching keys: memory, lookup, wire form. */
#include "scheme/core/cipher.h"

static const uint8_t magic[4] = {'G', 'B', 'S', '1'}, magic_explicit[4] = {'G', 'B', 'S', '2'};

void gb_switch_key_release(gb_switch_key *k) {
    gb_free(k->data);
    memset(k, 0, sizeof(*k));
}

/* Data limbs and special ones. */
static size_t width_of(const gb_switch_key *k) { return k->limbs + gb_params_get(k->params)->special_count; }
static size_t rows_of(const gb_switch_key *k) { return width_of(k) * (k->explicit_a ? 2 : 1); } /* on the wire */

static uint32_t ring_limb(const gb_switch_key *k, size_t limb) {
    return (uint32_t)(limb < k->limbs ? limb : gb_params_get(k->params)->data_count + (limb - k->limbs));
}

static const gb_modulus *modulus_of(const gb_switch_key *k, size_t limb) {
    return gb_ring_modulus(gb_params_ring(k->params), ring_limb(k, limb));
}

/* ---- rows ---- */
/* Bytes of a word of each of the first `limbs` limbs, together. */
static size_t widths(const gb_switch_key *k, size_t limbs) {
    size_t sum = 0;
    for (size_t j = 0; j < limbs; j++) sum += gb_word_bytes(modulus_of(k, j));
    return sum;
}

static size_t row_at(const gb_switch_key *k, unsigned digit, unsigned part, unsigned limb) {
    return (((size_t)digit * 2 + part) * widths(k, width_of(k)) + widths(k, limb)) *
           gb_ring_n(gb_params_ring(k->params));
}

const uint8_t *gb_switch_key_row(const gb_switch_key *k, unsigned digit, unsigned part, unsigned limb) {
    return k->data + row_at(k, digit, part, limb);
}

size_t gb_switch_key_bytes(const gb_switch_key *k) { return row_at(k, k->digits, 0, 0); }

void gb_words_pack(uint8_t *row, const uint64_t *x, const gb_ring *r, const gb_modulus *m) {
    const unsigned bits = 8 * gb_word_bytes(m);
    if (bits == 64)
        memcpy(row, x, gb_ring_n(r) * sizeof *x);
    else
        gb_ring_kernels(r)->pack(row, x, gb_ring_n(r), bits);
}

void gb_switch_key_put(gb_switch_key *k, unsigned digit, unsigned part, unsigned limb, const uint64_t *x) {
    gb_words_pack(k->data + row_at(k, digit, part, limb), x, gb_params_ring(k->params), modulus_of(k, limb));
}

void gb_switch_key_get(uint64_t *x, const gb_switch_key *k, unsigned digit, unsigned part, unsigned limb) {
    const gb_ring *r = gb_params_ring(k->params);
    const unsigned bits = 8 * gb_word_bytes(modulus_of(k, limb));
    const uint8_t *row = gb_switch_key_row(k, digit, part, limb);
    if (bits == 64)
        memcpy(x, row, gb_ring_n(r) * sizeof *x);
    else
        (void)gb_ring_kernels(r)->unpack(x, row, gb_ring_n(r), bits, 0);
}

/* ---- life ---- */
typedef struct expansion {
    gb_switch_key *key;
    uint64_t *scratch; /* [threads][N] */
} expansion;

static void expand_row(void *user, size_t task, unsigned worker) {
    const expansion *t = user;
    gb_switch_key *k = t->key;
    const size_t n = gb_ring_n(gb_params_ring(k->params)), width = width_of(k);
    const unsigned d = (unsigned)(task / width), j = (unsigned)(task % width);
    uint64_t *x = t->scratch + worker * n;
    gb_sample_uniform(x, n, modulus_of(k, j), &k->seed, d, ring_limb(k, j), 0);
    gb_switch_key_put(k, d, 1, j, x);
}

gb_status gb_switch_key_init(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, unsigned limbs, unsigned digit,
                             uint64_t galois, const gb_seed *seed) {
    const gb_params_spec *spec = gb_params_get(p);
    size_t n = gb_ring_n(gb_params_ring(p));
    memset(out, 0, sizeof(*out));
    if (!spec->special_count)
        return gb_fail(ctx, GB_ERR_PARAMS, "parameter set %s has no special primes, so no key switching", spec->name);
    if (limbs < 1 || limbs > spec->data_count || digit < 1 || digit > spec->data_count || !(galois & 1) ||
        galois >= 2 * n)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "no switching key of %u limbs, %u a digit, Galois element %llu", limbs,
                       digit, (unsigned long long)galois);
    gb_switch_key k = {p, limbs, digit, (unsigned)gb_ceil_div(limbs, digit), galois, *seed, NULL, false};
    expansion t = {&k, NULL};
    GB_TRY(gb_alloc(&t.scratch, ctx, gb_ctx_threads(ctx) * n, sizeof(uint64_t)));
    gb_status status = gb_alloc(&k.data, ctx, gb_switch_key_bytes(&k), 1);
    if (status == GB_OK) {
        gb_parallel(ctx, k.digits * width_of(&k), expand_row, &t);
        *out = k;
    }
    gb_free(t.scratch);
    return status;
}

void gb_eval_keys_release(gb_eval_keys *k) {
    for (size_t i = 0; i < k->count; i++) gb_switch_key_release(&k->keys[i]);
    gb_free(k->keys);
    memset(k, 0, sizeof(*k));
}

gb_status gb_eval_keys_add(gb_eval_keys *k, gb_ctx *ctx, gb_switch_key *key) {
    if (k->count == k->capacity) {
        gb_switch_key *bigger;
        size_t capacity = k->capacity ? 2 * k->capacity : 8;
        GB_TRY(gb_alloc(&bigger, ctx, capacity, sizeof(*bigger)));
        if (k->count) memcpy(bigger, k->keys, k->count * sizeof(*bigger));
        gb_free(k->keys);
        k->keys = bigger;
        k->capacity = capacity;
    }
    k->keys[k->count++] = *key;
    memset(key, 0, sizeof(*key));
    return GB_OK;
}

gb_status gb_eval_keys_find(const gb_switch_key **out, gb_ctx *ctx, const gb_eval_keys *k, uint64_t galois,
                            unsigned limbs) {
    const gb_switch_key *best = NULL; /* the smallest that serves */
    for (size_t i = 0; k && i < k->count; i++)
        if (k->keys[i].galois == galois && k->keys[i].limbs >= limbs && (!best || k->keys[i].limbs < best->limbs))
            best = &k->keys[i];
    if (!best && galois == 1)
        return gb_fail(ctx, GB_ERR_KEY, "no relinearisation key for %u limbs; make one for this key set", limbs);
    if (!best)
        return gb_fail(ctx, GB_ERR_KEY,
                       "no rotation key for Galois element %llu and %u limbs; make one for this key set",
                       (unsigned long long)galois, limbs);
    *out = best;
    return GB_OK;
}

/* ---- wire form ----
 * "GBS1", hash of the parameters, limbs, digit, Galois element, seed; then every b polynomial, each limb packed at the
 * width of its prime. The a polynomials are made from the seed.
 * With explicit_a: "GBS2", no seed, and in each digit the rows of a after those of b. */
gb_status gb_switch_key_encode(gb_buffer *out, gb_ctx *ctx, const gb_switch_key *k) {
    const gb_ring *r = gb_params_ring(k->params);
    size_t n = gb_ring_n(r);
    uint64_t *x;
    GB_TRY(gb_alloc(&x, ctx, n, sizeof *x));
    gb_write_bytes(out, k->explicit_a ? magic_explicit : magic, sizeof(magic));
    gb_write_bytes(out, gb_params_hash(k->params)->b, GB_HASH_BYTES);
    gb_write_u32(out, k->limbs);
    gb_write_u32(out, k->digit);
    gb_write_u64(out, k->galois);
    if (!k->explicit_a) gb_write_bytes(out, k->seed.b, GB_SEED_BYTES);
    for (unsigned d = 0; d < k->digits; d++)
        for (size_t row = 0; row < rows_of(k); row++) {
            unsigned part = row >= width_of(k), j = (unsigned)(row - part * width_of(k));
            unsigned bits = modulus_of(k, j)->bits;
            uint8_t *packed = gb_write_space(out, gb_packed_bytes(n, bits));
            gb_switch_key_get(x, k, d, part, j);
            if (packed) gb_ring_kernels(r)->pack(packed, x, n, bits);
        }
    gb_free(x);
    return out->status == GB_OK ? GB_OK : gb_fail(ctx, out->status, "out of memory writing a switching key");
}

/* x: N words of scratch. */
static gb_status decode_rows(gb_switch_key *k, gb_ctx *ctx, gb_reader *in, uint64_t *x) {
    const gb_ring *r = gb_params_ring(k->params);
    size_t n = gb_ring_n(r);
    for (unsigned d = 0; d < k->digits; d++)
        for (size_t row = 0; row < rows_of(k); row++) {
            unsigned part = row >= width_of(k), j = (unsigned)(row - part * width_of(k));
            const gb_modulus *m = modulus_of(k, j);
            const uint8_t *packed = gb_read_bytes(in, gb_packed_bytes(n, m->bits));
            if (!packed) return gb_fail(ctx, GB_ERR_TRUNCATED, "switching key ends in digit %u, limb %u", d, j);
            if (gb_ring_kernels(r)->unpack(x, packed, n, m->bits, m->q))
                return gb_fail(ctx, GB_ERR_FORMAT, "switching key has a residue over its prime in digit %u, limb %u", d,
                               j);
            gb_switch_key_put(k, d, part, j, x);
        }
    return GB_OK;
}

/* Bytes of the rows of a key of this shape; no overflow: all counts are bounded by the parameter set. */
static size_t row_bytes(const gb_params *p, unsigned limbs, unsigned digit, bool explicit_a) {
    gb_switch_key k = {.params = p, .limbs = limbs};
    size_t sum = 0, n = gb_ring_n(gb_params_ring(p));
    for (size_t j = 0; j < width_of(&k); j++) sum += gb_packed_bytes(n, modulus_of(&k, j)->bits);
    return gb_ceil_div(limbs, digit) * sum * (explicit_a ? 2 : 1);
}

gb_status gb_switch_key_decode(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, const uint8_t *data, size_t n) {
    memset(out, 0, sizeof(*out));
    gb_reader in = gb_reader_init(data, n);
    const uint8_t *mark = gb_read_bytes(&in, sizeof(magic)), *hash = gb_read_bytes(&in, GB_HASH_BYTES);
    uint32_t limbs = gb_read_u32(&in), digit = gb_read_u32(&in);
    uint64_t galois = gb_read_u64(&in);
    bool explicit_a = mark && memcmp(mark, magic_explicit, sizeof(magic)) == 0;
    gb_seed s = {{0}};
    const uint8_t *seed = explicit_a ? s.b : gb_read_bytes(&in, GB_SEED_BYTES);
    if (!mark || !hash || !seed || in.failed)
        return gb_fail(ctx, GB_ERR_TRUNCATED, "switching key of %zu bytes has no whole header", n);
    if (memcmp(mark, magic, sizeof(magic)) != 0 && !explicit_a)
        return gb_fail(ctx, GB_ERR_FORMAT, "not a switching key (wrong magic)");
    if (memcmp(hash, gb_params_hash(p)->b, GB_HASH_BYTES) != 0)
        return gb_fail(ctx, GB_ERR_PARAMS, "switching key is of other parameters than %s", gb_params_get(p)->name);
    if (limbs < 1 || limbs > gb_params_get(p)->data_count || digit < 1 || digit > gb_params_get(p)->data_count ||
        !(galois & 1) || galois >= 2 * gb_ring_n(gb_params_ring(p)))
        return gb_fail(ctx, GB_ERR_FORMAT, "switching key claims %u limbs, %u a digit, Galois element %llu", limbs,
                       digit, (unsigned long long)galois);
    if (gb_reader_left(&in) > row_bytes(p, limbs, digit, explicit_a))
        return gb_fail(ctx, GB_ERR_FORMAT, "%zu bytes follow the switching key",
                       gb_reader_left(&in) - row_bytes(p, limbs, digit, explicit_a));
    if (gb_reader_left(&in) < row_bytes(p, limbs, digit, explicit_a))
        return gb_fail(ctx, GB_ERR_TRUNCATED, "switching key has %zu bytes of polynomials, needs %zu",
                       gb_reader_left(&in), row_bytes(p, limbs, digit, explicit_a));
    memmove(s.b, seed, GB_SEED_BYTES);
    gb_switch_key k;
    GB_TRY(gb_switch_key_init(&k, ctx, p, limbs, digit, galois, &s));
    k.explicit_a = explicit_a;
    uint64_t *x;
    gb_status status = gb_alloc(&x, ctx, gb_ring_n(gb_params_ring(p)), sizeof *x);
    if (status == GB_OK) status = decode_rows(&k, ctx, &in, x);
    gb_free(x);
    if (status != GB_OK) {
        gb_switch_key_release(&k);
        return status;
    }
    *out = k;
    return GB_OK;
}
