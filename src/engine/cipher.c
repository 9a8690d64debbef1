/* engine/cipher: what both schemes do. */
#include <math.h>

#include "engine/internal.h"

gb_status gb_cipher_new(gb_cipher **out, gb_engine *e) {
    GB_TRY(gb_engine_need(e, "new ciphertext", true, true, out, out));
    *out = NULL;
    gb_cipher *c;
    GB_TRY(gb_alloc_zero(&c, e->ctx, 1, sizeof *c));
    gb_status s = gb_ct_init(&c->ct, e->ctx, e->params, 3, e->primes);
    if (s != GB_OK) {
        gb_free(c);
        return s;
    }
    c->ct.parts = 2;
    *out = c;
    return GB_OK;
}

void gb_cipher_free(gb_cipher *c) {
    if (!c) return;
    gb_ct_release(&c->ct);
    gb_free(c);
}

gb_status gb_cipher_copy(gb_cipher *out, gb_engine *e, const gb_cipher *a) {
    GB_TRY(gb_engine_need(e, "copy", true, true, out, a));
    GB_TRY(gb_engine_output(e, "copy", out));
    GB_TRY(gb_engine_filled(e, "copy", a));
    return gb_engine_finish(out, e, &a->ct, a->noise);
}

/* What a product multiplies the noise by, in bits: t N and a small constant, as for the depth of a set (params.c). */
static double growth(const gb_engine *e) { return log2((double)gb_bfv_modulus(e->bfv)) + e->info.log_n + 1.5; }

unsigned gb_cipher_level(const gb_engine *e, const gb_cipher *c) {
    if (!e || !c || !c->filled || !gb_params_same(c->ct.params, e->params)) return 0;
    if (e->encoder) return gb_engine_level(e, &c->ct);
    const double room = gb_engine_most(e) - c->noise;
    return room > 0 ? (unsigned)(room / growth(e)) : 0;
}

/* The operands at one level. At most one is lowered, so one scratch ciphertext does. */
static gb_status meet(gb_ct *va, gb_ct *vb, gb_engine *e, const gb_cipher *a, const gb_cipher *b) {
    *va = a->ct;
    *vb = b->ct;
    if (!e->encoder) return GB_OK;
    const unsigned la = gb_engine_level(e, va), lb = gb_engine_level(e, vb);
    if (la > lb) return gb_engine_lower(va, e, &a->ct, lb);
    return gb_engine_lower(vb, e, &b->ct, la);
}

static gb_status check_two(gb_engine *e, const char *what, const gb_cipher *out, const gb_cipher *a,
                           const gb_cipher *b) {
    GB_TRY(gb_engine_need(e, what, true, true, out, a));
    GB_TRY(gb_engine_need(e, what, true, true, b, b));
    GB_TRY(gb_engine_output(e, what, out));
    GB_TRY(gb_engine_filled(e, what, a));
    return gb_engine_filled(e, what, b);
}

static gb_status sum(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b, bool minus) {
    const char *what = minus ? "sub" : "add";
    gb_ct va, vb, *to = &out->ct; /* may be an input: coefficient by coefficient */
    GB_TRY(check_two(e, what, out, a, b));
    GB_TRY(meet(&va, &vb, e, a, b));
    double noise = e->bfv ? gb_log2_sum(a->noise, b->noise) : 0;
    if (e->bfv) GB_TRY(gb_engine_noise(e, what, noise));
    GB_TRY(minus ? gb_ct_sub(to, e->eval, &va, &vb) : gb_ct_add(to, e->eval, &va, &vb));
    to->scale = va.scale;
    return gb_engine_finish(out, e, to, noise);
}

gb_status gb_cipher_add(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b) {
    return sum(out, e, a, b, false);
}
gb_status gb_cipher_sub(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b) {
    return sum(out, e, a, b, true);
}

gb_status gb_cipher_neg(gb_cipher *out, gb_engine *e, const gb_cipher *a) {
    GB_TRY(check_two(e, "neg", out, a, a));
    gb_ct *to = gb_engine_target(e, out, a, a);
    GB_TRY(gb_ct_neg(to, e->eval, &a->ct));
    to->scale = a->ct.scale;
    return gb_engine_finish(out, e, to, a->noise);
}

gb_status gb_cipher_mul(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_cipher *b, const gb_evalkeys *k) {
    const gb_eval_keys *keys;
    gb_ct va, vb;
    GB_TRY(check_two(e, "mul", out, a, b));
    GB_TRY(gb_engine_need(e, "mul", true, true, k, k));
    GB_TRY(gb_engine_keys(&keys, e, "mul", k));
    gb_ct *to = gb_engine_target(e, out, a, b);
    if (e->bfv) {
        const double noise = gb_log2_sum(fmax(a->noise, b->noise) + growth(e), gb_engine_switching(e));
        GB_TRY(gb_engine_noise(e, "mul", noise));
        GB_TRY(gb_bfv_mul(to, e->bfv_eval, &a->ct, &b->ct, keys));
        return gb_engine_finish(out, e, to, noise);
    }
    GB_TRY(meet(&va, &vb, e, a, b));
    if (gb_engine_level(e, &va) == 0)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "mul: no level left; %s has %u, choose a deeper set", e->info.name,
                       e->top);
    GB_TRY(gb_ckks_mul_rescale(to, e->eval, &va, &vb, keys));
    to->scale = e->scale[gb_engine_level(e, to)]; /* what it is but for the rounding of doubles */
    return gb_engine_finish(out, e, to, 0);
}

static gb_status turn(gb_cipher *out, gb_engine *e, const gb_cipher *a, uint64_t galois, const gb_evalkeys *k,
                      const char *what) {
    const gb_eval_keys *keys;
    GB_TRY(gb_engine_need(e, what, true, true, k, k));
    GB_TRY(gb_engine_keys(&keys, e, what, k));
    const double noise = e->bfv ? gb_log2_sum(a->noise, gb_engine_switching(e)) : 0;
    if (e->bfv) GB_TRY(gb_engine_noise(e, what, noise));
    gb_ct *to = gb_engine_target(e, out, a, a);
    GB_TRY(gb_ct_automorphism(to, e->eval, &a->ct, galois, keys));
    to->scale = a->ct.scale;
    return gb_engine_finish(out, e, to, noise);
}

gb_status gb_cipher_rotate(gb_cipher *out, gb_engine *e, const gb_cipher *a, int step, const gb_evalkeys *k) {
    GB_TRY(check_two(e, "rotate", out, a, a));
    const uint64_t galois = gb_galois_rotation(e->params, step);
    if (galois == 1) return gb_cipher_copy(out, e, a);
    return turn(out, e, a, galois, k, "rotate");
}

gb_status gb_cipher_conjugate(gb_cipher *out, gb_engine *e, const gb_cipher *a, const gb_evalkeys *k) {
    GB_TRY(check_two(e, "conjugate", out, a, a));
    return turn(out, e, a, gb_galois_conjugation(e->params), k, "conjugate");
}

gb_status gb_cipher_sum(gb_cipher *out, gb_engine *e, const gb_cipher *a, size_t count, const gb_evalkeys *k) {
    GB_TRY(check_two(e, "sum", out, a, a));
    if (count < 1 || count > e->n / 2 || (count & (count - 1)) != 0)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "sum of %zu slots: must be a power of two up to %zu", count, e->n / 2);
    gb_cipher *turned;
    GB_TRY(gb_cipher_new(&turned, e));
    gb_status s = gb_cipher_copy(out, e, a);
    for (size_t step = 1; s == GB_OK && step < count; step *= 2) {
        s = gb_cipher_rotate(turned, e, out, (int)step, k);
        if (s == GB_OK) s = gb_cipher_add(out, e, out, turned);
    }
    gb_cipher_free(turned);
    return s;
}

/* ---- wire form: "GBC1", hash of the parameters, limbs u32, scale f64, noise f64, then part by part and limb by limb
 * the residues, packed ---- */
#define MARK "GBC1"

gb_status gb_cipher_encode(uint8_t **data, size_t *size, gb_engine *e, const gb_cipher *c) {
    GB_TRY(gb_engine_need(e, "encode", true, true, data, size));
    GB_TRY(gb_engine_need(e, "encode", true, true, c, c));
    GB_TRY(gb_engine_filled(e, "encode", c));
    const gb_ring *r = gb_params_ring(e->params);
    gb_buffer b = GB_BUFFER_INIT;
    *data = NULL;
    gb_write_bytes(&b, MARK, 4);
    gb_write_bytes(&b, gb_params_hash(e->params)->b, GB_HASH_BYTES);
    gb_write_u32(&b, c->ct.limbs);
    gb_write_f64(&b, c->ct.scale);
    gb_write_f64(&b, c->noise);
    for (unsigned part = 0; part < 2; part++)
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

/* What the header says must be what this engine's ciphertexts can be. */
static gb_status check_header(gb_engine *e, uint32_t limbs, double scale, double noise) {
    if (limbs < 1 || limbs > e->primes)
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext claims %u primes; %s has %u", limbs, e->info.name, e->primes);
    if (e->bfv && !(limbs == e->primes && scale == 1 && noise >= 0 && noise <= e->info.log2_q))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext claims a noise of %g bits at scale %g", noise, scale);
    if (e->encoder && !(noise == 0 && limbs == gb_params_limbs(e->params, gb_params_level(e->params, limbs)) &&
                        scale == e->scale[gb_params_level(e->params, limbs)]))
        return gb_fail(e->ctx, GB_ERR_FORMAT, "ciphertext claims scale %g with %u primes", scale, limbs);
    return GB_OK;
}

static gb_status decode_rows(gb_cipher *out, gb_engine *e, gb_reader *in, uint32_t limbs, double scale) {
    const gb_ring *r = gb_params_ring(e->params);
    GB_TRY(gb_ct_shape(&out->ct, e->ctx, limbs, scale));
    for (unsigned part = 0; part < 2; part++)
        for (unsigned j = 0; j < limbs; j++) {
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

gb_status gb_cipher_decode(gb_cipher *out, gb_engine *e, const uint8_t *data, size_t size) {
    GB_TRY(gb_engine_need(e, "decode", true, true, out, data));
    GB_TRY(gb_engine_output(e, "decode", out));
    out->filled = false;
    gb_reader in = gb_reader_init(data, size);
    const uint8_t *mark = gb_read_bytes(&in, 4), *hash = gb_read_bytes(&in, GB_HASH_BYTES);
    const uint32_t limbs = gb_read_u32(&in);
    const double scale = gb_read_f64(&in), noise = gb_read_f64(&in);
    if (in.failed) return gb_fail(e->ctx, GB_ERR_TRUNCATED, "ciphertext of %zu bytes has no whole header", size);
    if (memcmp(mark, MARK, 4) != 0) return gb_fail(e->ctx, GB_ERR_FORMAT, "not a ciphertext (wrong magic)");
    if (memcmp(hash, gb_params_hash(e->params)->b, GB_HASH_BYTES) != 0)
        return gb_fail(e->ctx, GB_ERR_PARAMS, "ciphertext is of other parameters than %s", e->info.name);
    GB_TRY(check_header(e, limbs, scale, noise));
    GB_TRY(decode_rows(out, e, &in, limbs, scale));
    out->noise = noise;
    out->filled = true;
    return GB_OK;
}
