/* scheme/secret/share_open: a party's shares of ciphertexts: decryption, switch to a recipient, refresh. Each contains
 * c1 times a secret, flooded; each goes through the ledger, one per ciphertext for all three. */
#include "scheme/secret/share_internal.h"

#define DIGIT 62

typedef struct opening {
    const gb_party *p;
    const gb_request *q;
    const gb_ct *c;
    const uint64_t *s;     /* additive share */
    const int64_t *digits; /* of R, uniform in [0, 2^(f+1)): noise or mask R - 2^f */
    unsigned digit_count;
    gb_seed noise;
    uint64_t *work, *temp; /* N words each */
    int8_t *small;
} opening;

static uint64_t power_of_two(unsigned bits, const gb_modulus *m) { return gb_mod_pow(2, bits, m); }

/* The flooding polynomial modulo one prime, NTT form. */
static void flood(uint64_t *out, const opening *t, size_t limb) {
    const gb_ring *r = gb_params_ring(t->p->params);
    const gb_modulus *m = gb_ring_modulus(r, limb);
    size_t n = gb_ring_n(r);
    uint64_t offset = m->q - power_of_two(t->q->flood_bits, m); /* in [1, q]: a power of two is no multiple of q */
    gb_wide_residues(out, t->temp, t->digits, n, t->digit_count, m);
    for (size_t i = 0; i < n; i++) {
        uint64_t v = out[i] + offset - m->q; /* in [-q, q) as a signed number; q < 2^61 */
        out[i] = v + (m->q & (uint64_t)((int64_t)v >> 63));
    }
    gb_ntt_limb(r, out, limb);
}

/* c1 s + flooding, for every limb of the ciphertext, into rows 0.. */
static void open_rows(gb_share *share, opening *t) {
    const gb_ring *r = gb_params_ring(t->p->params);
    size_t n = gb_ring_n(r);
    for (unsigned j = 0; j < t->q->limbs; j++) {
        uint64_t *x = gb_share_row(share, j);
        flood(t->work, t, j);
        gb_ring_kernels(r)->mul_add(t->work, gb_ct_limb(t->c, 1, j), t->s + j * n, n, gb_ring_modulus(r, j));
        memcpy(x, t->work, n * sizeof *x);
        gb_declassify(x, n * sizeof *x);
    }
}

/* Adds an encryption of zero under the recipient's key. */
static gb_status add_recipient(gb_share *share, gb_ctx *ctx, opening *t) {
    const gb_ring *r = gb_params_ring(t->p->params);
    size_t n = gb_ring_n(r), limbs = t->q->limbs;
    gb_pk_scratch scratch;
    uint64_t *zero;
    GB_TRY(gb_pk_scratch_init(&scratch, ctx, n));
    gb_status status = gb_alloc_secret(&zero, ctx, 2 * limbs * n, sizeof *zero);
    if (status == GB_OK) {
        gb_pk_zero(zero, zero + limbs * n, t->q->recipient, limbs, &t->noise, 0, &scratch);
        for (size_t i = 0; i < 2 * limbs; i++) {
            uint64_t *x = gb_share_row(share, i);
            gb_ntt_limb(r, zero + i * n, i % limbs);
            gb_ring_kernels(r)->add(x, x, zero + i * n, n, gb_ring_modulus(r, i % limbs));
            gb_declassify(x, n * sizeof *x);
        }
        gb_free_secret(zero);
    }
    gb_pk_scratch_release(&scratch);
    return status;
}

/* -(a s) + e - mask, modulo the primes the ciphertext comes back with. */
static void close_rows(gb_share *share, opening *t) {
    const gb_ring *r = gb_params_ring(t->p->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r);
    gb_seed seed;
    gb_request_seed(&seed, &t->p->joint, t->q);
    gb_sample_error(t->small, n, &t->noise, 0);
    for (unsigned j = 0; j < t->q->digit; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t *x = gb_share_row(share, t->q->limbs + j);
        gb_sample_uniform(x, n, m, &seed, 0, j, 0);
        flood(t->work, t, j);
        k->mul_add(t->work, x, t->s + j * n, n, m);
        k->lift8(t->temp, t->small, n, m);
        gb_ntt_limb(r, t->temp, j);
        k->sub(t->work, t->temp, t->work, n, m);
        memcpy(x, t->work, n * sizeof *x);
        gb_declassify(x, n * sizeof *x);
    }
}

static gb_status fill(gb_share *share, gb_ctx *ctx, opening *t) {
    GB_TRY(gb_party_share_init(share, ctx, t->p, t->q, t->q->kind));
    open_rows(share, t);
    if (t->q->kind == GB_SHARE_SWITCH) return add_recipient(share, ctx, t);
    if (t->q->kind == GB_SHARE_REFRESH) close_rows(share, t);
    return GB_OK;
}

static gb_status make_opening(void *user, gb_ctx *ctx, gb_share *share) {
    opening *t = user;
    size_t n = gb_ring_n(gb_params_ring(t->p->params));
    unsigned bits = t->q->flood_bits + 1;
    uint64_t *s = NULL;
    int64_t *digits = NULL;
    gb_seed seed;
    t->digit_count = (bits + DIGIT - 1) / DIGIT;
    gb_status status = gb_party_additive(&s, ctx, t->p, t->q->active);
    if (status == GB_OK) status = gb_alloc_secret(&digits, ctx, t->digit_count * n, sizeof *digits);
    if (status == GB_OK) status = gb_alloc_secret(&t->work, ctx, 2 * n, sizeof *t->work);
    if (status == GB_OK) status = gb_alloc_secret(&t->small, ctx, n, 1);
    if (status == GB_OK) {
        t->s = s, t->digits = digits, t->temp = t->work + n;
        gb_random_bytes(seed.b, sizeof seed.b);
        gb_random_bytes(t->noise.b, sizeof t->noise.b);
        gb_classify(&seed, sizeof seed);
        gb_classify(&t->noise, sizeof t->noise);
        gb_wide_sample(digits, n, t->digit_count, bits - DIGIT * (t->digit_count - 1), &seed, 0);
        status = fill(share, ctx, t);
    }
    gb_wipe(&seed, sizeof seed);
    gb_wipe(&t->noise, sizeof t->noise);
    gb_free_secret(t->small);
    gb_free_secret(t->work);
    gb_free_secret(digits);
    gb_free_secret(s);
    return status;
}

gb_status gb_party_open_share(gb_buffer *out, gb_ctx *ctx, const gb_party *p, const gb_request *q, const gb_ct *c,
                              const gb_ledger *ledger) {
    struct {
        gb_hash subject;
        uint8_t party;
    } mine;
    gb_hash subject;
    if (q->kind != GB_SHARE_DECRYPT && q->kind != GB_SHARE_SWITCH && q->kind != GB_SHARE_REFRESH)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "the request is not one for a ciphertext");
    GB_TRY(gb_party_check(ctx, p, q));
    GB_TRY(gb_request_matches(ctx, &p->joint, q, c));
    mine.subject = q->subject;
    mine.party = (uint8_t)p->index;
    gb_hash_of(&subject, &mine, GB_HASH_BYTES + 1, NULL, 0);
    return gb_party_answer(out, ctx, ledger, &subject, &q->id, make_opening, &(opening){.p = p, .q = q, .c = c});
}
