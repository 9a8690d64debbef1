/* scheme/secret/share: a party's secret, dealing it, and what it takes part with. */
#include "scheme/secret/share_internal.h"

/* Labels of what a root gives; part of the key format. */
#define LABEL_SECRET "glovebox party secret"
#define LABEL_ERROR "glovebox party error"
#define LABEL_DEAL "glovebox party deal"

void gb_party_free(gb_party *p) {
    if (!p) return;
    gb_params_free(p->params);
    gb_free_secret(p->seeds);
    gb_free_secret(p->s_hat);
    gb_free_secret(p->sigma_hat);
    gb_free(p);
}

void gb_party_root(uint8_t out[32], const gb_party *p) { memcpy(out, p->seeds->root.b, GB_SEED_BYTES); }
const gb_joint *gb_party_joint(const gb_party *p) { return &p->joint; }

void gb_party_seed(gb_seed *out, const gb_party *p, gb_party_purpose purpose, const gb_hash *id) {
    uint8_t text[GB_HASH_BYTES + 1];
    gb_hash h;
    memcpy(text, id->b, GB_HASH_BYTES);
    text[GB_HASH_BYTES] = (uint8_t)purpose;
    gb_hash_of(&h, text, sizeof text, p->seeds->error.b, GB_SEED_BYTES);
    memcpy(out->b, h.b, GB_SEED_BYTES);
    gb_wipe(&h, sizeof h);
}

static gb_status derive(gb_party *p, gb_ctx *ctx) {
    const gb_ring *r = gb_params_ring(p->params);
    size_t n = gb_ring_n(r), limbs = gb_ring_limbs(r);
    int8_t *small;
    gb_seed seed;
    GB_TRY(gb_alloc_secret(&p->s_hat, ctx, limbs * n, sizeof *p->s_hat));
    GB_TRY(gb_alloc_secret(&small, ctx, n, 1));
    gb_seed_derive(&seed, &p->seeds->root, LABEL_SECRET, 0);
    gb_sample_ternary(small, n, &seed, 0);
    gb_wipe(&seed, sizeof seed);
    for (size_t j = 0; j < limbs; j++) gb_ring_kernels(r)->lift8(p->s_hat + j * n, small, n, gb_ring_modulus(r, j));
    gb_ring_forward(r, p->s_hat, 0, limbs);
    gb_free_secret(small);
    gb_seed_derive(&p->seeds->error, &p->seeds->root, LABEL_ERROR, 0);
    return GB_OK;
}

gb_status gb_party_restore(gb_party **out, gb_ctx *ctx, const gb_joint *j, unsigned index, const uint8_t root[32]) {
    gb_party *p;
    *out = NULL;
    if (index >= j->parties)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "party %u: the joint key has parties 0..%u", index, j->parties - 1);
    GB_TRY(gb_alloc_zero(&p, ctx, 1, sizeof *p));
    gb_status status = gb_alloc_secret(&p->seeds, ctx, 1, sizeof *p->seeds);
    if (status == GB_OK) {
        memcpy(p->seeds->root.b, root, GB_SEED_BYTES);
        status = gb_params_new(&p->params, ctx, gb_params_get(j->params)); /* checks the security of Q P */
    }
    if (status == GB_OK) {
        p->joint = *j;
        p->joint.params = p->params;
        p->index = index;
        status = derive(p, ctx);
    }
    if (status != GB_OK) {
        gb_party_free(p);
        return status;
    }
    *out = p;
    return GB_OK;
}

gb_status gb_party_new(gb_party **out, gb_ctx *ctx, const gb_joint *j, unsigned index) {
    uint8_t root[GB_SEED_BYTES];
    gb_random_bytes(root, sizeof root);
    gb_classify(root, sizeof root);
    gb_status status = gb_party_restore(out, ctx, j, index, root);
    gb_wipe(root, sizeof root);
    return status;
}

/* ---- wide integers ---- */
#define DIGIT 62

void gb_wide_sample(int64_t *digits, size_t n, unsigned count, unsigned top, const gb_seed *seed, uint64_t stream) {
    for (unsigned d = 0; d < count; d++) {
        int64_t *x = digits + d * n, mask = (INT64_C(1) << (d + 1 < count ? DIGIT : top)) - 1;
        gb_stream(x, n * sizeof *x, seed, stream + d, 0, 0);
        for (size_t i = 0; i < n; i++) x[i] &= mask;
    }
}

void gb_wide_residues(uint64_t *out, uint64_t *temp, const int64_t *digits, size_t n, unsigned count,
                      const gb_modulus *m) {
    const gb_kernels *k = gb_kernels_get(gb_cpu_flags(), m->bits);
    uint64_t radix = (UINT64_C(1) << DIGIT) % m->q; /* public */
    gb_residues_of(out, digits + (size_t)(count - 1) * n, n, m);
    for (unsigned d = count - 1; d-- > 0;) {
        k->mul_scalar(out, out, radix, n, m);
        gb_residues_of(temp, digits + d * n, n, m);
        k->add(out, out, temp, n, m);
    }
}

/* ---- t-of-n ----
 * f(X) = s + r_1 X + ... + r_(t-1) X^(t-1) over R_QP, each r uniform: 186 random bits reduced modulo each prime (below
 * 2^61) are within 2^-125 of uniform. The coefficients stay in NTT form; the points are integers. */
#define DEAL_DIGITS 3

static void deal_limb(uint64_t *out, const gb_party *p, size_t limb, unsigned x, uint64_t *temp, int64_t *digits) {
    const gb_ring *r = gb_params_ring(p->params);
    const gb_kernels *k = gb_ring_kernels(r);
    const gb_modulus *m = gb_ring_modulus(r, limb);
    size_t n = gb_ring_n(r);
    uint64_t *row = temp + n;
    gb_seed seed;
    for (unsigned t = p->joint.threshold - 1; t > 0; t--) { /* Horner's rule */
        gb_seed_derive(&seed, &p->seeds->root, LABEL_DEAL, t);
        gb_wide_sample(digits, n, DEAL_DIGITS, DIGIT, &seed, limb * DEAL_DIGITS);
        gb_wide_residues(row, temp, digits, n, DEAL_DIGITS, m);
        k->add(out, out, row, n, m); /* out starts as zeros */
        k->mul_scalar(out, out, x, n, m);
    }
    k->add(out, out, p->s_hat + limb * n, n, m);
    gb_wipe(&seed, sizeof seed);
}

gb_status gb_party_deal(gb_share *out, gb_ctx *ctx, const gb_party *p, unsigned to) {
    const gb_ring *r = gb_params_ring(p->params);
    size_t n = gb_ring_n(r);
    uint64_t *temp;
    int64_t *digits = NULL;
    memset(out, 0, sizeof *out);
    if (to >= p->joint.parties || p->joint.threshold == p->joint.parties)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "deal to party %u: parties are 0..%u, and all-of-n deals nothing", to,
                       p->joint.parties - 1);
    GB_TRY(gb_alloc_secret(&temp, ctx, 2 * n, sizeof *temp));
    gb_status status = gb_alloc_secret(&digits, ctx, DEAL_DIGITS * n, sizeof *digits);
    if (status == GB_OK)
        status = gb_share_init(out, ctx, p->params, GB_SHARE_DEAL, (unsigned)gb_params_get(p->params)->data_count, 0);
    if (status == GB_OK) {
        out->party = p->index;
        out->joint = p->joint.id;
        gb_deal_id(&out->request, &p->joint, to);
        for (size_t limb = 0; limb < gb_ring_limbs(r); limb++)
            deal_limb(gb_share_row(out, limb), p, limb, to + 1, temp, digits);
    }
    gb_free_secret(digits);
    gb_free_secret(temp);
    return status;
}

gb_status gb_party_collect(gb_party *p, gb_ctx *ctx, const gb_share *dealt, size_t count) {
    const gb_ring *r = gb_params_ring(p->params);
    size_t n = gb_ring_n(r), limbs = gb_ring_limbs(r);
    uint64_t seen = 0;
    gb_hash mine;
    gb_deal_id(&mine, &p->joint, p->index);
    for (size_t i = 0; i < count; i++) {
        const gb_share *s = &dealt[i];
        if (!s->data || s->kind != GB_SHARE_DEAL || !gb_params_same(s->params, p->params) ||
            !gb_hash_equal(&s->joint, &p->joint.id) || !gb_hash_equal(&s->request, &mine))
            return gb_fail(ctx, GB_ERR_KEY, "what party %u dealt is not for party %u of this joint key", s->party,
                           p->index);
        if (s->party >= p->joint.parties || seen >> s->party & 1)
            return gb_fail(ctx, GB_ERR_KEY, "party %u is not of this joint key, or dealt twice", s->party);
        seen |= UINT64_C(1) << s->party;
    }
    if (seen != gb_joint_all(&p->joint))
        return gb_fail(ctx, GB_ERR_KEY, "party %d has dealt nothing", __builtin_ctzll(~seen));
    uint64_t *sum;
    GB_TRY(gb_alloc_secret(&sum, ctx, limbs * n, sizeof *sum));
    memcpy(sum, dealt[0].data, limbs * n * sizeof *sum);
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < limbs; j++)
            gb_ring_kernels(r)->add(sum + j * n, sum + j * n, gb_share_row(&dealt[i], j), n, gb_ring_modulus(r, j));
    gb_free_secret(p->sigma_hat);
    p->sigma_hat = sum;
    return GB_OK;
}

/* prod x_j / (x_j - x_i) over the other active parties j; points are below 2^7, primes over 2^16. */
static uint64_t lagrange(const gb_party *p, uint64_t active, const gb_modulus *m) {
    uint64_t up = 1, down = 1, own = p->index + 1;
    for (unsigned j = 0; j < p->joint.parties; j++) {
        if (j == p->index || !(active >> j & 1)) continue;
        uint64_t x = j + 1;
        up = gb_mod_mul(up, x, m);
        down = gb_mod_mul(down, x > own ? x - own : m->q - (own - x), m);
    }
    return gb_mod_mul(up, gb_mod_inv(down, m), m);
}

gb_status gb_party_check(gb_ctx *ctx, const gb_party *p, const gb_request *q) {
    GB_TRY(gb_request_check(ctx, &p->joint, q));
    if ((q->active & ~gb_joint_all(&p->joint)) || !(q->active >> p->index & 1) ||
        (unsigned)__builtin_popcountll(q->active) < p->joint.threshold)
        return gb_fail(ctx, GB_ERR_KEY, "party %u is not in the active set of this request", p->index);
    return GB_OK;
}

gb_status gb_party_additive(uint64_t **out, gb_ctx *ctx, const gb_party *p, uint64_t active) {
    const gb_ring *r = gb_params_ring(p->params);
    size_t n = gb_ring_n(r), limbs = gb_ring_limbs(r);
    bool all = active == gb_joint_all(&p->joint);
    *out = NULL;
    if (!all && !p->sigma_hat)
        return gb_fail(ctx, GB_ERR_STATE, "party %u has not collected what the others dealt, so all must take part",
                       p->index);
    GB_TRY(gb_alloc_secret(out, ctx, limbs * n, sizeof **out));
    if (all) {
        memcpy(*out, p->s_hat, limbs * n * sizeof **out);
        return GB_OK;
    }
    for (size_t j = 0; j < limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        gb_ring_kernels(r)->mul_scalar(*out + j * n, p->sigma_hat + j * n, lagrange(p, active, m), n, m);
    }
    return GB_OK;
}

gb_status gb_party_share_init(gb_share *out, gb_ctx *ctx, const gb_party *p, const gb_request *q, gb_share_kind kind) {
    GB_TRY(gb_share_init(out, ctx, p->params, kind, q->limbs, q->digit));
    out->party = p->index;
    out->joint = p->joint.id;
    out->request = q->id;
    return GB_OK;
}

gb_status gb_party_answer(gb_buffer *out, gb_ctx *ctx, const gb_ledger *l, const gb_hash *subject,
                          const gb_hash *request, gb_party_make_fn make, void *user) {
    bool found;
    gb_share share = {.data = NULL};
    gb_buffer bytes = GB_BUFFER_INIT;
    GB_TRY(gb_ledger_lookup(out, ctx, l, subject, request, &found));
    if (found) return GB_OK;
    gb_status status = make(user, ctx, &share);
    if (status == GB_OK) status = gb_share_encode(&bytes, ctx, &share);
    if (status == GB_OK) status = l->record(l->user, ctx, subject, request, bytes.data, bytes.size);
    if (status == GB_OK) {
        gb_write_bytes(out, bytes.data, bytes.size);
        if (out->status != GB_OK) status = gb_fail(ctx, out->status, "out of memory answering; ask again");
    }
    if (bytes.data) gb_wipe(bytes.data, bytes.size); /* not recorded: it must not be found in memory either */
    gb_buffer_release(&bytes);
    if (share.data) gb_wipe(share.data, gb_share_rows(&share) * gb_ring_n(gb_params_ring(share.params)) * 8);
    gb_share_release(&share);
    if (status != GB_ERR_EXISTS) return status;
    /* Another thread was first: its answer is the answer. */
    gb_ctx_reset(ctx);
    GB_TRY(gb_ledger_lookup(out, ctx, l, subject, request, &found));
    return found ? GB_OK : gb_fail(ctx, GB_ERR_STATE, "the ledger has lost an answer it had");
}
