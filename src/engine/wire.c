/* engine/wire: ciphertexts as bytes. */
#include <math.h>

#include "engine/internal.h"

/* ---- wire form: "GBC1", hash of the parameters, id of the key, limbs u32, scale f64, noise f64, then part by part and
 * limb by limb the residues, packed. "GBC2" for what is more than that: flags u32 behind the id (SEEDED, FIXED, both),
 * and before the residues the seed, which stands for the second part, and fraction u32 and bound f64 ---- */
#define MARK "GBC1"
#define MARK_MORE "GBC2"
enum { SEEDED = 1, FIXED = 2 };

static void write_header(gb_buffer *b, const gb_engine *e, const gb_cipher *c, uint32_t flags) {
    gb_write_bytes(b, flags ? MARK_MORE : MARK, 4);
    gb_write_bytes(b, gb_params_hash(e->params)->b, GB_HASH_BYTES);
    gb_write_bytes(b, c->key.b, GB_HASH_BYTES);
    if (flags) gb_write_u32(b, flags);
    gb_write_u32(b, c->ct.limbs);
    gb_write_f64(b, c->ct.scale);
    gb_write_f64(b, c->noise);
    if (flags & SEEDED) gb_write_bytes(b, c->seed.b, GB_SEED_BYTES);
    if (flags & FIXED) {
        gb_write_u32(b, c->fraction);
        gb_write_f64(b, c->bound);
    }
}

gb_status gb_cipher_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_cipher *c) {
    GB_TRY(gb_engine_need(e, "encode", true, true, data, size));
    GB_TRY(gb_engine_need(e, "encode", true, true, c, c));
    GB_TRY(gb_engine_filled(e, "encode", c));
    const gb_ring *r = gb_params_ring(e->params);
    gb_buffer b = GB_BUFFER_INIT;
    *data = NULL;
    write_header(&b, e, c, (c->seeded ? SEEDED : 0u) | (c->bound > 0 ? FIXED : 0u));
    for (unsigned part = 0; part < (c->seeded ? 1 : 2); part++)
        for (unsigned j = 0; j < c->ct.limbs; j++) {
            const unsigned bits = gb_ring_modulus(r, j)->bits;
            uint8_t *at = gb_write_space(&b, gb_packed_bytes(e->n, bits));
            if (at) gb_ring_kernels(r)->pack(at, gb_ct_limb(&c->ct, part, j), e->n, bits);
        }
    if (b.status != GB_OK) {
        const gb_status s = gb_fail(e->ctx, b.status, "out of memory writing a ciphertext");
        gb_buffer_release(&b); /* forgets the status */
        return s;
    }
    *data = b.data;
    *size = b.size;
    return GB_OK;
}

/* What precedes the residues. */
typedef struct header {
    uint32_t flags, limbs, fraction;
    double scale, noise, bound;
    gb_hash key;
    gb_seed seed;
} header;

/* It must be what this engine's ciphertexts can be. Seeded ones are fresh. */
static gb_status check_header(gb_engine *e, const header *h) {
    const bool seeded = h->flags & SEEDED;
    if (h->limbs < 1 || h->limbs > e->primes || (seeded && h->limbs < e->primes))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext claims %u primes; %s has %u", h->limbs, e->info.name,
                       e->primes);
    if (e->bfv && !(h->scale == 1 && h->noise >= 0 && h->noise <= e->info.log2_q &&
                    (!seeded || h->noise == gb_engine_fresh(e, false))))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext claims a noise of %g bits at scale %g", h->noise, h->scale);
    const unsigned level = gb_params_level(e->params, h->limbs); /* of the set */
    if (e->encoder && !(h->noise == 0 && level >= e->floor && h->limbs == gb_params_limbs(e->params, level) &&
                        h->scale == e->scale[level - e->floor]))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext claims scale %g with %u primes", h->scale, h->limbs);
    if (h->flags & FIXED && !(e->bfv && h->fraction < 60 && h->bound > 0 &&
                              ldexp(h->bound, (int)h->fraction) < (double)(gb_bfv_modulus(e->bfv) / 2)))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext claims values up to %g with %u bits after the point",
                       h->bound, h->fraction);
    return GB_OK;
}

static gb_status read_header(header *h, gb_engine *e, gb_reader *in, size_t size) {
    memset(h, 0, sizeof *h);
    const uint8_t *mark = gb_read_bytes(in, 4), *hash = gb_read_bytes(in, GB_HASH_BYTES);
    const bool more = mark && memcmp(mark, MARK_MORE, 4) == 0;
    if (mark && !more && memcmp(mark, MARK, 4) != 0)
        return gb_fail(e->ctx, GB_ERR_FORMAT, "not a ciphertext (wrong magic)");
    const uint8_t *key = gb_read_bytes(in, GB_HASH_BYTES);
    if (key) memcpy(h->key.b, key, GB_HASH_BYTES);
    if (more) h->flags = gb_read_u32(in);
    h->limbs = gb_read_u32(in);
    h->scale = gb_read_f64(in);
    h->noise = gb_read_f64(in);
    const uint8_t *seed = h->flags & SEEDED ? gb_read_bytes(in, GB_SEED_BYTES) : NULL;
    if (seed) memcpy(h->seed.b, seed, GB_SEED_BYTES);
    if (h->flags & FIXED) {
        h->fraction = gb_read_u32(in);
        h->bound = gb_read_f64(in);
    }
    if (in->failed) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "ciphertext of %zu bytes has no whole header", size);
    if (more && (h->flags == 0 || h->flags > (SEEDED | FIXED)))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext has flags %u, which this version does not know", h->flags);
    if (memcmp(hash, gb_params_hash(e->params)->b, GB_HASH_BYTES) != 0)
        return gb_fail(e->ctx, GB_ERR_PARAMS, "ciphertext is of other parameters than %s", e->info.name);
    return check_header(e, h);
}

static gb_status read_rows(gb_cipher *out, gb_engine *e, gb_reader *in, const header *h) {
    const gb_ring *r = gb_params_ring(e->params);
    GB_TRY(gb_ct_shape(&out->ct, e->ctx, h->limbs, h->scale));
    for (unsigned part = 0; part < (h->flags & SEEDED ? 1 : 2); part++)
        for (unsigned j = 0; j < h->limbs; j++) {
            const gb_modulus *m = gb_ring_modulus(r, j);
            const uint8_t *at = gb_read_bytes(in, gb_packed_bytes(e->n, m->bits));
            if (!at) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "ciphertext ends in part %u, prime %u", part, j);
            if (gb_ring_kernels(r)->unpack(gb_ct_limb(&out->ct, part, j), at, e->n, m->bits, m->q))
                return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext has a residue over its prime in part %u, prime %u",
                               part, j);
        }
    if (gb_reader_left(in))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "%zu bytes follow the ciphertext", gb_reader_left(in));
    return GB_OK;
}

/* The second part from its seed, as gb_ct_encrypt_seeded made it. */
static void expand_limb(void *user, size_t j, unsigned worker) {
    gb_cipher *c = user;
    const gb_ring *r = gb_params_ring(c->ct.params);
    uint64_t *x = gb_ct_limb(&c->ct, 1, (unsigned)j);
    (void)worker;
    gb_sample_uniform(x, gb_ring_n(r), gb_ring_modulus(r, j), &c->seed, 0, (uint32_t)j, 0);
    gb_ring_forward(r, x, j, 1);
}

gb_status gb_cipher_decode(gb_cipher *out, gb_engine *e, const uint8_t *data, size_t size) {
    header h;
    GB_TRY(gb_engine_need(e, "decode", true, true, out, data));
    GB_TRY(gb_engine_output(e, "decode", out));
    out->filled = false;
    gb_reader in = gb_reader_init(data, size);
    GB_TRY(read_header(&h, e, &in, size));
    GB_TRY(read_rows(out, e, &in, &h));
    GB_TRY(gb_engine_finish(out, e, &out->ct, h.noise, &h.key));
    out->seeded = h.flags & SEEDED;
    out->seed = h.seed;
    out->fraction = h.fraction;
    out->bound = h.bound;
    if (out->seeded) gb_parallel(e->ctx, h.limbs, expand_limb, out);
    return GB_OK;
}
