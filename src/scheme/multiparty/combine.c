/* scheme/multiparty/combine: sums of shares. Nothing here is secret but the plaintexts that come out. */
#include "scheme/core/core.h"
#include "scheme/multiparty/internal.h"

/* One share of each active party, all of this request and kind. */
static gb_status check_shares(gb_ctx *ctx, const gb_joint *j, const gb_request *q, gb_share_kind kind,
                              const gb_share *shares, size_t count) {
    uint64_t seen = 0;
    GB_TRY(gb_request_check(ctx, j, q));
    for (size_t i = 0; i < count; i++) {
        const gb_share *s = &shares[i];
        if (!s->data || s->kind != kind || s->limbs != q->limbs || s->digit != q->digit ||
            !gb_params_same(s->params, j->params) || !gb_hash_equal(&s->joint, &j->id) ||
            !gb_hash_equal(&s->request, &q->id))
            return gb_fail(ctx, GB_ERR_KEY, "the share of party %u answers another request", s->party);
        if (s->party >= j->parties || !(q->active >> s->party & 1) || seen >> s->party & 1)
            return gb_fail(ctx, GB_ERR_KEY, "party %u is not in the active set, or has two shares", s->party);
        seen |= UINT64_C(1) << s->party;
    }
    if (seen != q->active)
        return gb_fail(ctx, GB_ERR_KEY, "the share of party %d is missing", __builtin_ctzll(q->active & ~seen));
    return GB_OK;
}

typedef struct summing {
    const gb_share *shares;
    size_t count;
    uint64_t *const *out; /* [rows] */
} summing;

static void sum_row(void *user, size_t row, unsigned worker) {
    summing *t = user;
    const gb_ring *r = gb_params_ring(t->shares->params);
    const gb_modulus *m = gb_ring_modulus(r, gb_share_row_limb(t->shares, row));
    size_t n = gb_ring_n(r);
    (void)worker;
    memcpy(t->out[row], gb_share_row(&t->shares[0], row), n * sizeof(uint64_t));
    for (size_t i = 1; i < t->count; i++)
        gb_ring_kernels(r)->add(t->out[row], t->out[row], gb_share_row(&t->shares[i], row), n, m);
}

gb_status gb_joint_sum(gb_share *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_share *shares,
                       size_t count) {
    GB_TRY(check_shares(ctx, j, q, out->kind, shares, count));
    if (out->limbs != q->limbs || out->digit != q->digit || !gb_params_same(out->params, j->params))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "the sum has another shape than the shares");
    size_t rows = gb_share_rows(out);
    uint64_t **row;
    GB_TRY(gb_alloc(&row, ctx, rows, sizeof *row));
    for (size_t i = 0; i < rows; i++) row[i] = gb_share_row(out, i);
    gb_parallel(ctx, rows, sum_row, &(summing){shares, count, row});
    gb_free(row);
    return GB_OK;
}

/* A new share of this kind that holds the sum. */
static gb_status sum_of(gb_share *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q, gb_share_kind kind,
                        const gb_share *shares, size_t count) {
    GB_TRY(gb_share_init(out, ctx, j->params, kind, q->limbs, q->digit));
    gb_status status = gb_joint_sum(out, ctx, j, q, shares, count);
    if (status != GB_OK) gb_share_release(out);
    return status;
}

gb_status gb_joint_public_key(gb_keyset **out, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                              const gb_share *shares, size_t count) {
    gb_share sum;
    gb_seed seed;
    *out = NULL;
    GB_TRY(sum_of(&sum, ctx, j, q, GB_SHARE_PUBLIC, shares, count));
    gb_request_seed(&seed, j, q);
    gb_status status = gb_keyset_new(out, ctx, j->params, &seed, sum.data);
    gb_share_release(&sum);
    return status;
}

/* Rows of one part of every digit into the key. */
static void put_part(gb_switch_key *key, unsigned part, const gb_share *s, unsigned parts, unsigned from) {
    size_t width = s->limbs + gb_params_get(s->params)->special_count;
    for (unsigned d = 0; d < key->digits; d++)
        for (unsigned j = 0; j < width; j++)
            gb_switch_key_put(key, d, part, j, gb_share_row(s, ((size_t)d * parts + from) * width + j));
}

gb_status gb_joint_rotation_key(gb_switch_key *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                                const gb_share *shares, size_t count) {
    gb_share sum;
    gb_seed seed;
    memset(out, 0, sizeof *out);
    GB_TRY(sum_of(&sum, ctx, j, q, GB_SHARE_ROTATION, shares, count));
    gb_request_seed(&seed, j, q);
    gb_status status = gb_switch_key_init(out, ctx, j->params, q->limbs, q->digit, q->galois, &seed);
    if (status == GB_OK) put_part(out, 0, &sum, 1, 0);
    gb_share_release(&sum);
    return status;
}

/* Round 1 sums to h0 = -u a + P g s + e0 and h1 = s a + e1, round 2 to b = s h0 + (u - s) h1 + e2: with h1 in place of
 * a, b + h1 s = P g s^2 + s e0 + u e1 + e2. */
gb_status gb_joint_relin_key(gb_switch_key *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q,
                             const gb_share *first, const gb_share *second, size_t count) {
    gb_share one, two;
    gb_seed none = {{0}};
    memset(out, 0, sizeof *out);
    GB_TRY(sum_of(&one, ctx, j, q, GB_SHARE_RELIN_FIRST, first, count));
    gb_status status = sum_of(&two, ctx, j, q, GB_SHARE_RELIN_SECOND, second, count);
    if (status == GB_OK) {
        status = gb_switch_key_init(out, ctx, j->params, q->limbs, q->digit, 1, &none);
        if (status == GB_OK) {
            put_part(out, 0, &two, 1, 0);
            put_part(out, 1, &one, 2, 1);
            out->explicit_a = true;
        }
        gb_share_release(&two);
    }
    gb_share_release(&one);
    return status;
}

/* sum + c0 in NTT form, in the first limbs rows of the sum. */
static gb_status opened(gb_share *sum, gb_ctx *ctx, const gb_joint *j, const gb_request *q, gb_share_kind kind,
                        const gb_ct *c, const gb_share *shares, size_t count) {
    const gb_ring *r = gb_params_ring(j->params);
    size_t n = gb_ring_n(r);
    if (q->kind != kind) return gb_fail(ctx, GB_ERR_ARGUMENT, "the request is of another kind");
    GB_TRY(gb_request_matches(ctx, j, q, c));
    GB_TRY(sum_of(sum, ctx, j, q, kind, shares, count));
    for (unsigned i = 0; i < c->limbs; i++)
        gb_ring_kernels(r)->add(gb_share_row(sum, i), gb_share_row(sum, i), gb_ct_limb(c, 0, i), n,
                                gb_ring_modulus(r, i));
    return GB_OK;
}

gb_status gb_joint_phase(uint64_t *phase, gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_ct *c,
                         const gb_share *shares, size_t count) {
    const gb_ring *r = gb_params_ring(j->params);
    gb_share sum;
    GB_TRY(opened(&sum, ctx, j, q, GB_SHARE_DECRYPT, c, shares, count));
    memcpy(phase, sum.data, c->limbs * gb_ring_n(r) * sizeof *phase);
    gb_ring_inverse(r, phase, 0, c->limbs);
    gb_wipe(sum.data, c->limbs * gb_ring_n(r) * sizeof *sum.data);
    gb_share_release(&sum);
    return GB_OK;
}

gb_status gb_joint_decrypt(double *coefficients, gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_ct *c,
                           const gb_share *shares, size_t count) {
    const gb_ring *r = gb_params_ring(j->params);
    size_t n = gb_ring_n(r);
    uint64_t *phase;
    gb_centring *centring;
    GB_TRY(gb_alloc_secret(&phase, ctx, c->limbs * n, sizeof *phase));
    gb_status status = gb_alloc(&centring, ctx, 1, sizeof *centring);
    if (status == GB_OK) status = gb_joint_phase(phase, ctx, j, q, c, shares, count);
    if (status == GB_OK) {
        gb_centring_init(centring, r, c->limbs);
        gb_centring_run(coefficients, phase, n, n, centring, c->limbs);
        for (size_t i = 0; i < n; i++) coefficients[i] /= c->scale;
    }
    gb_free(centring);
    gb_free_secret(phase);
    return status;
}

gb_status gb_joint_switch(gb_ct *out, gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_ct *c,
                          const gb_share *shares, size_t count) {
    size_t bytes = c->limbs * gb_ring_n(gb_params_ring(j->params)) * sizeof(uint64_t);
    gb_share sum;
    if (!gb_params_same(out->params, j->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "the output is of another parameter set than the joint key");
    GB_TRY(opened(&sum, ctx, j, q, GB_SHARE_SWITCH, c, shares, count));
    gb_status status = gb_ct_shape(out, ctx, c->limbs, c->scale);
    if (status == GB_OK) {
        memcpy(gb_ct_limb(out, 0, 0), gb_share_row(&sum, 0), bytes);
        memcpy(gb_ct_limb(out, 1, 0), gb_share_row(&sum, c->limbs), bytes);
    }
    gb_share_release(&sum);
    return status;
}

/* out = (lift of the masked phase + sum of what takes the masks off again, a). */
static gb_status refresh(gb_ct *out, gb_eval *e, gb_ct *masked, const gb_joint *j, const gb_request *q,
                         const gb_share *sum) {
    const gb_ring *r = gb_params_ring(j->params);
    size_t n = gb_ring_n(r);
    gb_seed seed;
    GB_TRY(gb_ct_shape(out, gb_eval_ctx(e), q->digit, masked->scale));
    memcpy(gb_ct_limb(masked, 0, 0), sum->data, q->limbs * n * sizeof(uint64_t));
    GB_TRY(gb_ct_raise(out, e, masked, q->digit));
    gb_request_seed(&seed, j, q);
    for (unsigned i = 0; i < q->digit; i++) {
        const gb_modulus *m = gb_ring_modulus(r, i);
        gb_ring_kernels(r)->add(gb_ct_limb(out, 0, i), gb_ct_limb(out, 0, i), gb_share_row(sum, q->limbs + i), n, m);
        gb_sample_uniform(gb_ct_limb(out, 1, i), n, m, &seed, 0, i, 0);
    }
    return GB_OK;
}

gb_status gb_joint_refresh(gb_ct *out, gb_eval *e, const gb_joint *j, const gb_request *q, const gb_ct *c,
                           const gb_share *shares, size_t count) {
    gb_ctx *ctx = gb_eval_ctx(e);
    gb_share sum;
    gb_ct masked;
    if (!gb_params_same(out->params, j->params) || !gb_params_same(gb_eval_params(e), j->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "output and evaluator must be of the joint key's parameter set");
    GB_TRY(opened(&sum, ctx, j, q, GB_SHARE_REFRESH, c, shares, count));
    gb_status status = gb_ct_init(&masked, ctx, j->params, 2, q->limbs);
    if (status == GB_OK) {
        masked.scale = c->scale;
        status = refresh(out, e, &masked, j, q, &sum);
        gb_ct_release(&masked);
    }
    gb_share_release(&sum);
    return status;
}
