/* scheme/secret/share_key: a party's shares of public, rotation and relinearisation keys. Noise is a PRF of root and
 * request, so that a request asked twice gets the same bytes. */
#include "scheme/secret/share_internal.h"

/* b = -(a s) + e, coefficient form; a as the key set expands it. work: N words. */
static void public_rows(gb_share *out, const gb_party *p, const uint64_t *s, const gb_seed *seed, const int8_t *error,
                        uint64_t *work) {
    const gb_ring *r = gb_params_ring(p->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r);
    for (unsigned j = 0; j < out->limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t *x = gb_share_row(out, j);
        gb_sample_uniform(work, n, m, seed, 0, j, 0);
        gb_ntt_limb(r, work, j);
        k->mul(work, work, s + j * n, n, m);
        gb_intt_limb(r, work, j);
        k->lift8(x, error, n, m);
        k->sub(x, x, work, n, m);
        gb_declassify(x, n * sizeof *x);
    }
}

static gb_status public_share(gb_share *out, gb_ctx *ctx, const gb_party *p, const gb_request *q, const uint64_t *s) {
    size_t n = gb_ring_n(gb_params_ring(p->params));
    int8_t *error;
    uint64_t *work;
    gb_seed seed, noise;
    GB_TRY(gb_alloc_secret(&error, ctx, n, 1));
    gb_status status = gb_alloc_secret(&work, ctx, n, sizeof *work);
    if (status == GB_OK) status = gb_party_share_init(out, ctx, p, q, GB_SHARE_PUBLIC);
    if (status == GB_OK) {
        gb_request_seed(&seed, &p->joint, q);
        gb_party_seed(&noise, p, GB_PARTY_PUBLIC, &q->id);
        gb_sample_error(error, n, &noise, 0);
        gb_wipe(&noise, sizeof noise);
        public_rows(out, p, s, &seed, error, work);
    }
    gb_free_secret(work);
    gb_free_secret(error);
    return status;
}

/* Rows of one part of a key into a share of `parts` parts. */
static void take_part(gb_share *out, const gb_switch_key *key, unsigned part, unsigned parts) {
    size_t width = out->limbs + gb_params_get(out->params)->special_count;
    for (unsigned d = 0; d < key->digits; d++)
        for (unsigned j = 0; j < width; j++)
            gb_switch_key_get(gb_share_row(out, ((size_t)d * parts + part) * width + j), key, d, part, j);
}

static gb_status rotation_share(gb_share *out, gb_ctx *ctx, const gb_party *p, const gb_request *q, const uint64_t *s) {
    gb_switch_key key;
    gb_seed seed, noise;
    gb_request_seed(&seed, &p->joint, q);
    gb_party_seed(&noise, p, GB_PARTY_ROTATION, &q->id);
    gb_status status =
        gb_secret_key_seeded(&key, ctx, p->params, s, s, false, q->galois, q->limbs, q->digit, &seed, &noise);
    gb_wipe(&noise, sizeof noise);
    if (status != GB_OK) return status;
    status = gb_party_share_init(out, ctx, p, q, GB_SHARE_ROTATION);
    if (status == GB_OK) take_part(out, &key, 0, 1);
    gb_switch_key_release(&key);
    return status;
}

/* ---- relinearisation ---- */
/* The ephemeral secret u of one request, NTT form, all limbs. */
static gb_status ephemeral(uint64_t **out, gb_ctx *ctx, const gb_party *p, const gb_request *q) {
    const gb_ring *r = gb_params_ring(p->params);
    size_t n = gb_ring_n(r), limbs = gb_ring_limbs(r);
    int8_t *small;
    gb_seed seed;
    *out = NULL;
    GB_TRY(gb_alloc_secret(&small, ctx, n, 1));
    gb_status status = gb_alloc_secret(out, ctx, limbs * n, sizeof **out);
    if (status == GB_OK) {
        gb_party_seed(&seed, p, GB_PARTY_RELIN_U, &q->id);
        gb_sample_ternary(small, n, &seed, 0);
        gb_wipe(&seed, sizeof seed);
        for (size_t j = 0; j < limbs; j++) gb_ring_kernels(r)->lift8(*out + j * n, small, n, gb_ring_modulus(r, j));
        gb_ring_forward(r, *out, 0, limbs);
    }
    gb_free_secret(small);
    return status;
}

typedef struct relin {
    const gb_party *p;
    const uint64_t *s, *u; /* additive share and ephemeral secret */
    const gb_share *first; /* round 2: the sum of round 1 */
    gb_share *out;         /* round 1: h1 goes over the a polynomials it has in part 1; round 2: the share */
    const int8_t *error;   /* [digits][N]; round 2: [2 digits][N] */
    gb_secret_scratch *scratch;
} relin;

static void lift_error(uint64_t *out, const int8_t *error, const gb_ring *r, size_t limb) {
    gb_ring_kernels(r)->lift8(out, error, gb_ring_n(r), gb_ring_modulus(r, limb));
    gb_ring_forward(r, out, limb, 1);
}

/* h1 = s a + e1 */
static void first_row(void *user, size_t task, unsigned worker) {
    relin *t = user;
    const gb_ring *r = gb_params_ring(t->p->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r), width = t->out->limbs + gb_params_get(t->p->params)->special_count;
    size_t d = task / width, row = (2 * d + 1) * width + task % width, limb = gb_share_row_limb(t->out, row);
    const gb_modulus *m = gb_ring_modulus(r, limb);
    uint64_t *x = gb_share_row(t->out, row), *temp = t->scratch[worker].words;
    lift_error(temp, t->error + d * n, r, limb);
    k->mul_add(temp, x, t->s + limb * n, n, m);
    memcpy(x, temp, n * sizeof *x);
    gb_declassify(x, n * sizeof *x);
}

/* s h0 + (u - s) h1 + e2 + e3 */
static void second_row(void *user, size_t task, unsigned worker) {
    relin *t = user;
    const gb_ring *r = gb_params_ring(t->p->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r), width = t->out->limbs + gb_params_get(t->p->params)->special_count;
    size_t d = task / width, limb = gb_share_row_limb(t->out, task);
    const gb_modulus *m = gb_ring_modulus(r, limb);
    const uint64_t *h0 = gb_share_row(t->first, 2 * d * width + task % width), *h1 = h0 + width * n;
    uint64_t *x = gb_share_row(t->out, task), *temp = t->scratch[worker].words;
    lift_error(x, t->error + 2 * d * n, r, limb);
    lift_error(temp, t->error + (2 * d + 1) * n, r, limb);
    k->add(x, x, temp, n, m);
    k->mul_add(x, h0, t->s + limb * n, n, m);
    k->sub(temp, t->u + limb * n, t->s + limb * n, n, m);
    k->mul_add(x, h1, temp, n, m);
    gb_declassify(x, n * sizeof *x);
}

/* Samples `count` errors and runs a row function over all rows of one part. */
static gb_status run(relin *t, gb_ctx *ctx, const gb_request *q, gb_party_purpose purpose, size_t count,
                     gb_task_fn task) {
    size_t n = gb_ring_n(gb_params_ring(t->p->params)), width = q->limbs + gb_params_get(t->p->params)->special_count;
    int8_t *error;
    GB_TRY(gb_alloc_secret(&error, ctx, count, n));
    gb_status status = gb_secret_scratch_new(&t->scratch, ctx, n, 1);
    if (status == GB_OK) {
        gb_seed noise;
        gb_party_seed(&noise, t->p, purpose, &q->id);
        for (size_t i = 0; i < count; i++) gb_sample_error(error + i * n, n, &noise, i);
        gb_wipe(&noise, sizeof noise);
        t->error = error;
        gb_parallel(ctx, gb_ceil_div(q->limbs, q->digit) * width, task, t);
        gb_secret_scratch_free(t->scratch, ctx);
    }
    gb_free_secret(error);
    return status;
}

/* h0 = -(u a) + P g s + e0 is a switching key from s to u; h1 takes the place of its a polynomials. */
static gb_status relin_first(gb_share *out, gb_ctx *ctx, const gb_party *p, const gb_request *q, const uint64_t *s) {
    uint64_t *u;
    gb_switch_key key = {.data = NULL};
    gb_seed seed, noise;
    GB_TRY(ephemeral(&u, ctx, p, q));
    gb_request_seed(&seed, &p->joint, q);
    gb_party_seed(&noise, p, GB_PARTY_RELIN_H0, &q->id);
    gb_status status = gb_secret_key_seeded(&key, ctx, p->params, s, u, false, 1, q->limbs, q->digit, &seed, &noise);
    gb_wipe(&noise, sizeof noise);
    if (status == GB_OK) status = gb_party_share_init(out, ctx, p, q, GB_SHARE_RELIN_FIRST);
    if (status == GB_OK) {
        take_part(out, &key, 0, 2);
        take_part(out, &key, 1, 2);
        status = run(&(relin){.p = p, .s = s, .out = out}, ctx, q, GB_PARTY_RELIN_H1, gb_ceil_div(q->limbs, q->digit),
                     first_row);
        if (status != GB_OK) gb_share_release(out);
    }
    gb_switch_key_release(&key);
    gb_free_secret(u);
    return status;
}

gb_status gb_party_key_share(gb_share *out, gb_ctx *ctx, const gb_party *p, const gb_request *q) {
    uint64_t *s;
    memset(out, 0, sizeof *out);
    GB_TRY(gb_party_check(ctx, p, q));
    GB_TRY(gb_party_additive(&s, ctx, p, q->active));
    gb_status status;
    if (q->kind == GB_SHARE_PUBLIC)
        status = public_share(out, ctx, p, q, s);
    else if (q->kind == GB_SHARE_ROTATION)
        status = rotation_share(out, ctx, p, q, s);
    else if (q->kind == GB_SHARE_RELIN_FIRST)
        status = relin_first(out, ctx, p, q, s);
    else
        status = gb_fail(ctx, GB_ERR_ARGUMENT, "the request is not one for a key");
    gb_free_secret(s);
    return status;
}

typedef struct second {
    const gb_party *p;
    const gb_request *q;
    const gb_share *sum;
} second;

static gb_status make_second(void *user, gb_ctx *ctx, gb_share *share) {
    const second *t = user;
    uint64_t *s, *u = NULL;
    GB_TRY(gb_party_additive(&s, ctx, t->p, t->q->active));
    gb_status status = ephemeral(&u, ctx, t->p, t->q);
    if (status == GB_OK) status = gb_party_share_init(share, ctx, t->p, t->q, GB_SHARE_RELIN_SECOND);
    if (status == GB_OK)
        status = run(&(relin){.p = t->p, .s = s, .u = u, .first = t->sum, .out = share}, ctx, t->q,
                     GB_PARTY_RELIN_SECOND, 2 * gb_ceil_div(t->q->limbs, t->q->digit), second_row);
    gb_free_secret(u);
    gb_free_secret(s);
    return status;
}

gb_status gb_party_relin_second(gb_buffer *out, gb_ctx *ctx, const gb_party *p, const gb_request *q,
                                const gb_share *first, size_t count, const gb_ledger *ledger) {
    gb_share sum;
    gb_hash part[2] = {q->id};
    GB_TRY(gb_party_check(ctx, p, q));
    GB_TRY(gb_share_init(&sum, ctx, p->params, GB_SHARE_RELIN_FIRST, q->limbs, q->digit));
    gb_status status = gb_joint_sum(&sum, ctx, &p->joint, q, first, count);
    if (status == GB_OK) {
        size_t words = gb_share_rows(&sum) * gb_ring_n(gb_params_ring(p->params));
        gb_hash subject, request;
        uint8_t mine = (uint8_t)p->index;
        gb_hash_of(&part[1], &mine, 1, NULL, 0);
        gb_hash_of(&subject, part, sizeof part, "glovebox joint second round", 27);
        gb_hash_of(&part[1], sum.data, words * sizeof *sum.data, NULL, 0);
        gb_hash_of(&request, part, sizeof part, "glovebox joint second round", 27);
        status = gb_party_answer(out, ctx, ledger, &subject, &request, make_second, &(second){p, q, &sum});
    }
    gb_share_release(&sum);
    return status;
}
