/* scheme/multiparty/share: descriptions of joint keys, requests, and the wire form of shares. */
#include <math.h>

#include "scheme/core/core.h"
#include "scheme/multiparty/internal.h"

#define HEADER (4 + 4 * 4 + 3 * GB_HASH_BYTES)
static const uint8_t magic[4] = {'G', 'B', 'H', '1'};

/* ---- the joint key ---- */
void gb_joint_seed(gb_seed *out, const gb_seed *contributions, size_t count) {
    static const char label[] = "glovebox joint seed, common reference";
    gb_hash h;
    gb_hash_of(&h, contributions, count * sizeof *contributions, label, sizeof label - 1);
    memcpy(out->b, h.b, sizeof out->b);
}

gb_status gb_joint_init(gb_joint *out, gb_ctx *ctx, const gb_params *p, unsigned parties, unsigned threshold,
                        const gb_seed *seed) {
    memset(out, 0, sizeof *out);
    if (parties > GB_JOINT_MAX_PARTIES || threshold < 2 || threshold > parties)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "joint key: %u of %u parties; 2 <= threshold <= parties <= %d", threshold,
                       parties, GB_JOINT_MAX_PARTIES);
    uint8_t text[GB_HASH_BYTES + GB_SEED_BYTES + 2];
    memcpy(text, gb_params_hash(p)->b, GB_HASH_BYTES);
    memcpy(text + GB_HASH_BYTES, seed->b, GB_SEED_BYTES);
    text[GB_HASH_BYTES + GB_SEED_BYTES] = (uint8_t)parties;
    text[GB_HASH_BYTES + GB_SEED_BYTES + 1] = (uint8_t)threshold;
    *out = (gb_joint){.params = p, .parties = parties, .threshold = threshold, .seed = *seed};
    gb_hash_of(&out->id, text, sizeof text, "glovebox joint key", 18);
    return GB_OK;
}

/* ---- requests ---- */
static void finish(gb_request *q, const gb_joint *j) {
    gb_buffer b = GB_BUFFER_INIT;
    uint8_t fixed[512];
    b.data = fixed, b.capacity = sizeof fixed; /* all below fits: nothing is allocated */
    gb_write_bytes(&b, j->id.b, GB_HASH_BYTES);
    gb_write_u32(&b, (uint32_t)q->kind);
    gb_write_u64(&b, q->active);
    gb_write_u32(&b, q->limbs);
    gb_write_u32(&b, q->digit);
    gb_write_u64(&b, q->galois);
    if (q->flood_bits) {
        gb_write_bytes(&b, q->ciphertext.b, GB_HASH_BYTES);
        gb_write_bytes(&b, q->subject.b, GB_HASH_BYTES);
        gb_write_u32(&b, q->flood_bits);
        gb_write_u32(&b, q->flooding.statistical);
        gb_write_f64(&b, q->flooding.noise_log2);
        gb_write_f64(&b, q->flooding.room_log2);
    }
    if (q->recipient) gb_write_bytes(&b, gb_keyset_id(q->recipient)->b, GB_HASH_BYTES);
    gb_hash_of(&q->id, b.data, b.size, "glovebox joint request", 22);
}

gb_status gb_request_check(gb_ctx *ctx, const gb_joint *j, const gb_request *q) {
    gb_request again = *q;
    finish(&again, j);
    if (gb_hash_equal(&again.id, &q->id)) return GB_OK;
    return gb_fail(ctx, GB_ERR_ARGUMENT, "the request was made for another joint key, or changed since");
}

static gb_status check_active(gb_ctx *ctx, const gb_joint *j, uint64_t active) {
    unsigned count = (unsigned)__builtin_popcountll(active);
    if ((active & ~gb_joint_all(j)) == 0 && count >= j->threshold) return GB_OK;
    return gb_fail(ctx, GB_ERR_ARGUMENT, "active set %llx: must name %u to %u of the parties 0..%u",
                   (unsigned long long)active, j->threshold, j->parties, j->parties - 1);
}

gb_status gb_request_key(gb_request *out, gb_ctx *ctx, const gb_joint *j, gb_share_kind kind, uint64_t active,
                         uint64_t galois, unsigned limbs, unsigned digit) {
    const gb_params_spec *spec = gb_params_get(j->params);
    size_t used[GB_MAX_LIMBS], n = 0, special = kind == GB_SHARE_PUBLIC ? 0 : spec->special_count;
    memset(out, 0, sizeof *out);
    if (kind != GB_SHARE_PUBLIC && kind != GB_SHARE_ROTATION && kind != GB_SHARE_RELIN_FIRST)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "request: %d is no kind of joint key", (int)kind);
    GB_TRY(check_active(ctx, j, active));
    gb_request q = {.kind = kind, .active = active, .limbs = limbs, .digit = digit ? digit : (unsigned)special};
    if (kind == GB_SHARE_PUBLIC) q.limbs = (unsigned)spec->data_count, q.digit = 0;
    if (kind == GB_SHARE_ROTATION) q.galois = galois;
    if (kind != GB_SHARE_PUBLIC && special == 0)
        return gb_fail(ctx, GB_ERR_PARAMS, "parameter set %s has no special primes, so no key switching", spec->name);
    if (q.limbs < 1 || q.limbs > spec->data_count || q.digit > spec->data_count ||
        (kind == GB_SHARE_ROTATION &&
         (!(galois & 1) || galois < 3 || galois >= 2 * gb_ring_n(gb_params_ring(j->params)))))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "no joint key of %u limbs, %u a digit, Galois element %llu", limbs, digit,
                       (unsigned long long)galois);
    while (n < q.limbs) used[n] = n, n++;
    for (size_t i = 0; i < special; i++) used[n++] = spec->data_count + i;
    GB_TRY(gb_security_check(ctx, gb_params_ring(j->params), used, n, spec));
    finish(&q, j);
    *out = q;
    return GB_OK;
}

static void ciphertext_hashes(gb_hash *all, gb_hash *subject, const gb_joint *j, const gb_ct *c) {
    size_t n = gb_ring_n(gb_params_ring(c->params));
    gb_hash part[3] = {j->id};
    for (unsigned i = 0; i < 2; i++)
        gb_hash_of(&part[i + 1], gb_ct_limb(c, i, 0), c->limbs * n * sizeof(uint64_t), NULL, 0);
    gb_hash_of(all, part, sizeof part, "glovebox joint ciphertext", 25);
    gb_hash_of(&part[1], gb_ct_limb(c, 1, 0), n * sizeof(uint64_t), NULL, 0);
    gb_hash_of(subject, part, 2 * sizeof *part, "glovebox joint subject", 22);
}

static gb_status check_ciphertext(gb_ctx *ctx, const gb_joint *j, const gb_ct *c) {
    if (!gb_params_same(j->params, c->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "the joint key is of %s, the ciphertext of %s",
                       gb_params_get(j->params)->name, gb_params_get(c->params)->name);
    if (c->parts != 2 || !c->ntt)
        return gb_fail(ctx, GB_ERR_STATE, "parties answer for ciphertexts of two parts in NTT form; relinearise first");
    uint64_t any = 0;
    for (size_t i = 0; i < gb_ring_n(gb_params_ring(c->params)); i++) any |= gb_ct_limb(c, 1, 0)[i];
    return any ? GB_OK : gb_fail(ctx, GB_ERR_FORMAT, "c1 of the ciphertext is zero: nothing is encrypted");
}

gb_status gb_request_matches(gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_ct *c) {
    gb_hash all, subject;
    GB_TRY(check_ciphertext(ctx, j, c));
    ciphertext_hashes(&all, &subject, j, c);
    if (c->limbs == q->limbs && gb_hash_equal(&all, &q->ciphertext) && gb_hash_equal(&subject, &q->subject))
        return GB_OK;
    return gb_fail(ctx, GB_ERR_HASH, "the ciphertext is not the one of this request");
}

/* The inequality of gb_flooding. Sums of powers in doubles: exact far beyond what ceil and the half bit of room need.
 */
static gb_status check_flooding(gb_request *q, gb_ctx *ctx, const gb_joint *j, const gb_flooding *f) {
    const gb_ring *r = gb_params_ring(j->params);
    double log_q = gb_ring_log2_q(r, q->limbs), k = __builtin_popcountll(q->active);
    double most = log_q - (q->kind == GB_SHARE_REFRESH ? 2 : 1);
    if (!(f->noise_log2 >= 0) || !(f->noise_log2 < 4096) || f->statistical < 40 || f->statistical > 128)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "flooding: noise below 2^%g with 2^-%u; 2^0 and more, 40 to 128 bits",
                       f->noise_log2, f->statistical);
    if (!(f->room_log2 <= most))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "flooding: room of 2^%.2f, this ciphertext has 2^%.2f at most",
                       f->room_log2, most);
    double bits = ceil(gb_ring_log_n(r) + f->noise_log2 + f->statistical);
    double other = q->kind == GB_SHARE_SWITCH ? k * 21 * (2 * (double)gb_ring_n(r) + 1) : 0;
    /* everything divided by 2^bits, so that nothing overflows a double */
    double total = exp2(f->noise_log2 - bits) + k + other * exp2(-bits);
    if (log2(total) + bits > f->room_log2)
        return gb_fail(
            ctx, GB_ERR_NOISE,
            "flooding of 2^%.0f by %.0f parties does not fit the room of 2^%.2f; keep more primes at the end "
            "of the program",
            bits, k, f->room_log2);
    q->flood_bits = (unsigned)bits; /* at least 40 */
    q->flooding = *f;
    return GB_OK;
}

static gb_status request_open(gb_request *out, gb_ctx *ctx, const gb_joint *j, gb_request q, const gb_ct *c,
                              const gb_flooding *f) {
    memset(out, 0, sizeof *out);
    GB_TRY(check_active(ctx, j, q.active));
    GB_TRY(check_ciphertext(ctx, j, c));
    q.limbs = c->limbs;
    GB_TRY(check_flooding(&q, ctx, j, f));
    ciphertext_hashes(&q.ciphertext, &q.subject, j, c);
    finish(&q, j);
    *out = q;
    return GB_OK;
}

gb_status gb_request_decrypt(gb_request *out, gb_ctx *ctx, const gb_joint *j, uint64_t active, const gb_ct *c,
                             const gb_flooding *f) {
    return request_open(out, ctx, j, (gb_request){.kind = GB_SHARE_DECRYPT, .active = active}, c, f);
}

gb_status gb_request_switch(gb_request *out, gb_ctx *ctx, const gb_joint *j, uint64_t active, const gb_ct *c,
                            const gb_flooding *f, const gb_keyset *recipient) {
    memset(out, 0, sizeof *out);
    if (!gb_params_same(gb_keyset_params(recipient), j->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "the recipient's key set is of %s, the joint key of %s",
                       gb_params_get(gb_keyset_params(recipient))->name, gb_params_get(j->params)->name);
    return request_open(out, ctx, j, (gb_request){.kind = GB_SHARE_SWITCH, .active = active, .recipient = recipient}, c,
                        f);
}

gb_status gb_request_refresh(gb_request *out, gb_ctx *ctx, const gb_joint *j, uint64_t active, const gb_ct *c,
                             const gb_flooding *f, unsigned limbs) {
    memset(out, 0, sizeof *out);
    if (limbs < c->limbs || limbs > gb_params_get(j->params)->data_count)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "refresh from %u limbs to %u; at least as many, at most %zu", c->limbs,
                       limbs, gb_params_get(j->params)->data_count);
    return request_open(out, ctx, j, (gb_request){.kind = GB_SHARE_REFRESH, .active = active, .digit = limbs}, c, f);
}

void gb_request_seed(gb_seed *out, const gb_joint *j, const gb_request *q) {
    gb_hash h;
    gb_hash_of(&h, q->id.b, GB_HASH_BYTES, j->seed.b, GB_SEED_BYTES);
    memcpy(out->b, h.b, sizeof out->b);
}

void gb_deal_id(gb_hash *out, const gb_joint *j, unsigned to) {
    uint8_t text[GB_HASH_BYTES + 1];
    memcpy(text, j->id.b, GB_HASH_BYTES);
    text[GB_HASH_BYTES] = (uint8_t)to;
    gb_hash_of(out, text, sizeof text, "glovebox joint deal", 19);
}

/* ---- shares ---- */
static size_t width_of(const gb_share *s) { return s->limbs + gb_params_get(s->params)->special_count; }

size_t gb_share_rows(const gb_share *s) {
    size_t digits = s->digit ? gb_ceil_div(s->limbs, s->digit) : 0;
    switch (s->kind) {
    case GB_SHARE_ROTATION:
    case GB_SHARE_RELIN_SECOND:
        return digits * width_of(s);
    case GB_SHARE_RELIN_FIRST:
        return 2 * digits * width_of(s);
    case GB_SHARE_SWITCH:
        return 2 * (size_t)s->limbs;
    case GB_SHARE_REFRESH:
        return (size_t)s->limbs + s->digit;
    case GB_SHARE_DEAL:
        return width_of(s);
    case GB_SHARE_PUBLIC:
    case GB_SHARE_DECRYPT:
        return s->limbs;
    }
    return 0;
}

size_t gb_share_row_limb(const gb_share *s, size_t row) {
    if (s->kind == GB_SHARE_REFRESH) return row < s->limbs ? row : row - s->limbs;
    if (s->kind == GB_SHARE_SWITCH) return row % s->limbs;
    if (s->kind == GB_SHARE_PUBLIC || s->kind == GB_SHARE_DECRYPT) return row;
    row %= width_of(s);
    return row < s->limbs ? row : gb_params_get(s->params)->data_count + (row - s->limbs);
}

/* Is there a share of this kind and shape? limbs and digit are below 2^7 afterwards, so that nothing overflows. */
static bool shape_exists(const gb_params *p, unsigned kind, unsigned limbs, unsigned digit) {
    size_t data = gb_params_get(p)->data_count;
    if (limbs < 1 || limbs > data || digit > data) return false;
    switch (kind) {
    case GB_SHARE_PUBLIC:
    case GB_SHARE_DEAL:
        return limbs == data && digit == 0;
    case GB_SHARE_ROTATION:
    case GB_SHARE_RELIN_FIRST:
    case GB_SHARE_RELIN_SECOND:
        return digit >= 1 && gb_params_get(p)->special_count > 0;
    case GB_SHARE_DECRYPT:
    case GB_SHARE_SWITCH:
        return digit == 0;
    case GB_SHARE_REFRESH:
        return digit >= limbs;
    default:
        return false;
    }
}

gb_status gb_share_init(gb_share *out, gb_ctx *ctx, const gb_params *p, gb_share_kind kind, unsigned limbs,
                        unsigned digit) {
    memset(out, 0, sizeof *out);
    if (!shape_exists(p, kind, limbs, digit))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "no share of kind %d with %u limbs, digit %u in %s", (int)kind, limbs,
                       digit, gb_params_get(p)->name);
    gb_share s = {.params = p, .kind = kind, .limbs = limbs, .digit = digit};
    size_t words = gb_share_rows(&s) * gb_ring_n(gb_params_ring(p));
    if (kind == GB_SHARE_DEAL) {
        GB_TRY(gb_alloc_secret(&s.data, ctx, words, sizeof *s.data));
        memset(s.data, 0, words * sizeof *s.data);
    } else {
        GB_TRY(gb_alloc_zero(&s.data, ctx, words, sizeof *s.data));
    }
    *out = s;
    return GB_OK;
}

void gb_share_release(gb_share *s) {
    if (s->kind == GB_SHARE_DEAL)
        gb_free_secret(s->data);
    else
        gb_free(s->data);
    memset(s, 0, sizeof *s);
}

size_t gb_share_bytes(const gb_share *s) {
    const gb_ring *r = gb_params_ring(s->params);
    size_t sum = HEADER;
    for (size_t i = 0; i < gb_share_rows(s); i++)
        sum += gb_packed_bytes(gb_ring_n(r), gb_ring_modulus(r, gb_share_row_limb(s, i))->bits);
    return sum;
}

void gb_share_write(uint8_t *out, const gb_share *s) {
    const gb_ring *r = gb_params_ring(s->params);
    const uint32_t number[4] = {(uint32_t)s->kind, s->party, s->limbs, s->digit};
    const gb_hash *hash[3] = {gb_params_hash(s->params), &s->joint, &s->request};
    memcpy(out, magic, sizeof magic);
    out += sizeof magic;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned b = 0; b < 4; b++) *out++ = (uint8_t)(number[i] >> 8 * b);
    for (unsigned i = 0; i < 3; i++, out += GB_HASH_BYTES) memcpy(out, hash[i]->b, GB_HASH_BYTES);
    for (size_t i = 0; i < gb_share_rows(s); i++) {
        unsigned bits = gb_ring_modulus(r, gb_share_row_limb(s, i))->bits;
        gb_ring_kernels(r)->pack(out, gb_share_row(s, i), gb_ring_n(r), bits);
        out += gb_packed_bytes(gb_ring_n(r), bits);
    }
}

gb_status gb_share_encode(gb_buffer *out, gb_ctx *ctx, const gb_share *s) {
    if (s->kind == GB_SHARE_DEAL)
        return gb_fail(ctx, GB_ERR_STATE, "a dealt share is secret: write it into guarded memory and seal it");
    uint8_t *space = gb_write_space(out, gb_share_bytes(s));
    if (!space) return gb_fail(ctx, out->status, "out of memory writing a share");
    gb_share_write(space, s);
    return GB_OK;
}

static gb_status decode_header(gb_share *s, gb_ctx *ctx, gb_reader *in, const gb_params *p) {
    const uint8_t *mark = gb_read_bytes(in, sizeof magic);
    uint32_t kind = gb_read_u32(in), party = gb_read_u32(in), limbs = gb_read_u32(in), digit = gb_read_u32(in);
    const uint8_t *params = gb_read_bytes(in, GB_HASH_BYTES), *joint = gb_read_bytes(in, GB_HASH_BYTES);
    const uint8_t *request = gb_read_bytes(in, GB_HASH_BYTES);
    if (in->failed) return gb_fail(ctx, GB_ERR_TRUNCATED, "share: ends within its header");
    if (memcmp(mark, magic, 3) != 0) return gb_fail(ctx, GB_ERR_FORMAT, "share: not a share of glovebox");
    if (mark[3] != magic[3])
        return gb_fail(ctx, GB_ERR_VERSION, "share: its version is not supported; update glovebox");
    if (memcmp(params, gb_params_hash(p)->b, GB_HASH_BYTES) != 0)
        return gb_fail(ctx, GB_ERR_PARAMS, "share: is of other parameters than %s", gb_params_get(p)->name);
    if (party >= GB_JOINT_MAX_PARTIES || !shape_exists(p, kind, limbs, digit))
        return gb_fail(ctx, GB_ERR_FORMAT, "share: claims kind %u of party %u, %u limbs, digit %u", kind, party, limbs,
                       digit);
    *s = (gb_share){.params = p, .kind = (gb_share_kind)kind, .party = party, .limbs = limbs, .digit = digit};
    memcpy(s->joint.b, joint, GB_HASH_BYTES);
    memcpy(s->request.b, request, GB_HASH_BYTES);
    return GB_OK;
}

gb_status gb_share_decode(gb_share *out, gb_ctx *ctx, const gb_params *p, const uint8_t *data, size_t n) {
    const gb_ring *r = gb_params_ring(p);
    gb_reader in = gb_reader_init(data, n);
    gb_share head, s;
    memset(out, 0, sizeof *out);
    GB_TRY(decode_header(&head, ctx, &in, p));
    if (n != gb_share_bytes(&head))
        return gb_fail(ctx, n < gb_share_bytes(&head) ? GB_ERR_TRUNCATED : GB_ERR_FORMAT,
                       "share: has %zu bytes, must have %zu", n, gb_share_bytes(&head));
    GB_TRY(gb_share_init(&s, ctx, p, head.kind, head.limbs, head.digit));
    s.party = head.party, s.joint = head.joint, s.request = head.request;
    for (size_t i = 0; i < gb_share_rows(&s); i++) {
        const gb_modulus *m = gb_ring_modulus(r, gb_share_row_limb(&s, i));
        const uint8_t *packed = gb_read_bytes(&in, gb_packed_bytes(gb_ring_n(r), m->bits));
        size_t bad = gb_ring_kernels(r)->unpack(gb_share_row(&s, i), packed, gb_ring_n(r), m->bits, m->q);
        gb_declassify(&bad, sizeof bad); /* of a dealt share, the verdict may be known */
        if (bad) {
            gb_share_release(&s);
            return gb_fail(ctx, GB_ERR_FORMAT, "share: a residue of row %zu is not below its prime", i);
        }
    }
    *out = s;
    return GB_OK;
}
