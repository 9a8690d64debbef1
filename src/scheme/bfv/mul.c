/* Products of ciphertexts (Kim, Polyakov, Zucca, eprint 2021/204, 3: "HPS over Q").
 *
 * The second operand is switched from Q to R, a product of auxiliary primes a little above Q, and both operands are
 * taken modulo Q R. There the product may wrap, for t / R times a multiple of Q R vanishes modulo Q: so one division by
 * R, done as any division by primes is, gives the result. Of its 16 L transforms (L primes each in Q and in R) none
 * is undone again, and the last 2 L are shared with relinearisation, which takes the rest of a division by P off the
 * same two parts.
 *
 * Switching to R adds a rounding error to the second operand, (c0 + c1 s)'s of at most (N + 1)/2, which counts Q/R <=
 * 2^-GB_BFV_SPARE / N of itself in units of Q. */
#include "scheme/bfv/internal.h"

#define TILE 512 /* coefficients; the rows of one operand at a time stay in the first-level cache */

struct gb_bfv_eval {
    gb_eval *e;
    const gb_bfv *b;
    size_t n;
    uint64_t *y;   /* [data][N]: one polynomial's coefficients modulo Q, in the second-level cache while it is used */
    uint64_t *aux; /* [4][aux][N]: operands modulo R, then the products */
    uint64_t *second; /* [2][data][N]: the second operand, switched to R, modulo Q */
    uint64_t *plain;  /* [data][N] */
};

gb_status gb_bfv_eval_new(gb_bfv_eval **out, gb_eval *e, const gb_bfv *b) {
    gb_bfv_eval *x;
    gb_ctx *ctx = gb_eval_ctx(e);
    *out = NULL;
    if (!gb_params_same(gb_eval_params(e), b->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "evaluator and BFV context have different parameters");
    GB_TRY(gb_alloc_zero(&x, ctx, 1, sizeof *x));
    size_t n = gb_ring_n(b->ring);
    x->e = e, x->b = b, x->n = n;
    gb_status s = gb_alloc(&x->y, ctx, b->data * n, sizeof(uint64_t));
    if (s == GB_OK) s = gb_alloc(&x->aux, ctx, 4 * b->aux * n, sizeof(uint64_t));
    if (s == GB_OK) s = gb_alloc(&x->second, ctx, 2 * b->data * n, sizeof(uint64_t));
    if (s == GB_OK) s = gb_alloc(&x->plain, ctx, b->data * n, sizeof(uint64_t));
    if (s != GB_OK) {
        gb_bfv_eval_free(x);
        return s;
    }
    *out = x;
    return GB_OK;
}

void gb_bfv_eval_free(gb_bfv_eval *x) {
    if (!x) return;
    gb_free(x->y);
    gb_free(x->aux);
    gb_free(x->second);
    gb_free(x->plain);
    gb_free(x);
}

gb_eval *gb_bfv_eval_core(const gb_bfv_eval *x) { return x->e; }
const gb_bfv *gb_bfv_eval_context(const gb_bfv_eval *x) { return x->b; }

typedef struct task {
    const gb_bfv_eval *x;
    const gb_bfv_level *l;
    const gb_ct *a, *b;
    gb_ct *out;
    size_t poly;     /* in work: of a, then of b, or a part of the result */
    uint64_t *rests; /* where relinearisation gathers those of parts 0 and 1 */
} task;

static uint64_t *y_row(const task *t, unsigned limb) { return t->x->y + limb * t->x->n; }
static uint64_t *aux_row(const task *t, size_t poly, unsigned k) {
    return t->x->aux + (poly * t->x->b->aux + k) * t->x->n;
}
static uint64_t *second_row(const task *t, size_t part, unsigned limb) {
    return t->x->second + (part * t->x->b->data + limb) * t->x->n;
}
/* Coefficients y of an operand. */
static void operand_limb(void *user, size_t i, unsigned worker) {
    const task *t = user;
    const unsigned j = (unsigned)i;
    const bool first = t->poly < 2;
    (void)worker;
    gb_ring_inverse_scaled(t->x->b->ring, y_row(t, j), gb_ct_limb(first ? t->a : t->b, t->poly & 1, j),
                           (first ? t->l->hat_inv : t->l->aux_hat_inv)[j], j);
}

/* out row i at out + i * stride = the rows times line i of the weights, modulo primes `first` + i. */
static void map(const task *t, uint64_t *out, size_t stride, const uint64_t *const *rows, const uint64_t *weight,
                unsigned terms, unsigned first, unsigned count, size_t n) {
    for (unsigned i = 0; i < count; i++)
        t->x->b->extend->extend(out + i * stride, rows, weight + (size_t)i * terms, terms, n,
                                gb_ring_modulus(t->x->b->ring, first + i));
}

/* The second operand from y (poly 2 or 3): switched to R, and from there modulo Q. */
static void second_tile(const task *t, size_t poly, const uint64_t **rows, size_t at, size_t n, uint64_t *v) {
    const gb_bfv_level *l = t->l;
    const gb_bfv *b = t->x->b;
    b->extend->quotient(v, rows, l->fraction, l->limbs, n);
    map(t, aux_row(t, poly, 0) + at, t->x->n, rows, l->turn, l->limbs + 1, b->data, l->aux, n);
    for (unsigned k = 0; k < l->aux; k++) rows[k] = aux_row(t, poly, k) + at;
    b->extend->quotient(v, rows, b->aux_fraction, l->aux, n);
    rows[l->aux] = v;
    map(t, second_row(t, poly - 2, 0) + at, t->x->n, rows, l->back, l->aux + 1, 0, l->limbs, n);
}

/* The first operand times t modulo R; the second as above. A square's are one, times R in between. */
static void operand_tile(void *user, size_t tile, unsigned worker) {
    const task *t = user;
    const gb_bfv_level *l = t->l;
    const gb_bfv *b = t->x->b;
    const size_t n = gb_min_size(TILE, t->x->n), at = tile * n;
    uint64_t *v = gb_eval_scratch(t->x->e, worker, 0);
    const uint64_t *rows[GB_EXTEND_TERMS];
    for (unsigned i = 0; i < l->limbs; i++) rows[i] = y_row(t, i) + at;
    rows[l->limbs] = v;
    if (t->poly < 2) {
        b->extend->quotient(v, rows, l->fraction, l->limbs, n);
        map(t, aux_row(t, t->poly, 0) + at, t->x->n, rows, l->lift, l->limbs + 1, b->data, l->aux, n);
        if (t->a != t->b) return;
        for (unsigned i = 0; i < l->limbs; i++)
            gb_ring_kernels(b->ring)->mul_scalar(y_row(t, i) + at, rows[i], l->aux_product[i], n,
                                                 gb_ring_modulus(b->ring, i));
    }
    second_tile(t, t->poly | 2, rows, at, n, v);
}

/* One prime of the three products: of Q times t / R, as transforms; of R as coefficients y. */
static void multiply_limb(void *user, size_t i, unsigned worker) {
    const task *t = user;
    const gb_bfv *b = t->x->b;
    const bool data = i < t->l->limbs;
    const unsigned k = (unsigned)(data ? i : i - t->l->limbs), limb = data ? k : b->data + k;
    const gb_modulus *m = gb_ring_modulus(b->ring, limb);
    (void)worker;
    if (data) {
        uint64_t *second[] = {second_row(t, 0, k), second_row(t, 1, k)};
        for (size_t p = 0; p < 2; p++) gb_ring_forward(b->ring, second[p], limb, 1);
        b->extend->tensor(gb_ct_limb(t->out, 0, k), gb_ct_limb(t->out, 1, k), gb_ct_limb(t->out, 2, k),
                          gb_ct_limb(t->a, 0, k), gb_ct_limb(t->a, 1, k), second[0], second[1], t->x->n, m);
        return;
    }
    uint64_t *row[4];
    for (size_t p = 0; p < 4; p++) gb_ring_forward(b->ring, row[p] = aux_row(t, p, k), limb, 1);
    b->extend->tensor(row[0], row[1], row[2], row[0], row[1], row[2], row[3], t->x->n, m);
    for (size_t p = 0; p < 3; p++) gb_ring_inverse(b->ring, row[p], limb, 1);
}

/* ---- division by R ---- */
static void rest_tile(void *user, size_t tile, unsigned worker) {
    const task *t = user;
    const gb_bfv *b = t->x->b;
    const gb_bfv_level *l = t->l;
    const size_t n = gb_min_size(TILE, t->x->n), at = tile * n;
    uint64_t *v = gb_eval_scratch(t->x->e, worker, 0), *more = gb_eval_scratch(t->x->e, worker, 1);
    const uint64_t *rows[GB_EXTEND_TERMS];
    for (unsigned k = 0; k < l->aux; k++) rows[k] = aux_row(t, t->poly, k) + at;
    b->extend->quotient(v, rows, b->aux_fraction, l->aux, n);
    rows[l->aux] = v;
    if (!t->rests) map(t, y_row(t, 0) + at, t->x->n, rows, l->rest, l->aux + 1, 0, l->limbs, n);
    for (unsigned j = 0; t->rests && j < l->limbs; j++) {
        uint64_t *sum = t->rests + (t->poly * l->limbs + j) * t->x->n + at;
        map(t, more, 0, rows, l->special_rest + (size_t)j * (l->aux + 1), l->aux + 1, j, 1, n);
        gb_ring_kernels(b->ring)->add(sum, sum, more, n, gb_ring_modulus(b->ring, j));
    }
}

static void rest_limb(void *user, size_t i, unsigned worker) {
    const task *t = user;
    const gb_ring *r = t->x->b->ring;
    const unsigned j = (unsigned)i;
    uint64_t *out = gb_ct_limb(t->out, (unsigned)t->poly, j);
    (void)worker;
    gb_ring_forward(r, y_row(t, j), j, 1);
    gb_ring_kernels(r)->sub(out, out, y_row(t, j), t->x->n, gb_ring_modulus(r, j));
}

static void run_tiles(task *t, gb_task_fn tile) {
    gb_parallel(gb_eval_ctx(t->x->e), gb_ceil_div(t->x->n, TILE), tile, t);
}

static void divide(task *t, size_t part) {
    t->poly = part;
    run_tiles(t, rest_tile);
    gb_parallel(gb_eval_ctx(t->x->e), t->l->limbs, rest_limb, t);
}

/* The rests of parts 0 and 1 times P, to those of the key switch. */
static void add_rests(void *user, uint64_t *rows) {
    task *t = user;
    t->rests = rows;
    for (t->poly = 0; t->poly < 2; t->poly++) run_tiles(t, rest_tile);
}

/* ---- the operations ---- */
static gb_status check(gb_bfv_eval *x, const gb_ct *out, const gb_ct *a, const gb_ct *b) {
    gb_ctx *ctx = gb_eval_ctx(x->e);
    if (!gb_params_same(a->params, x->b->params) || !gb_params_same(b->params, x->b->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "ciphertexts and BFV context have different parameters");
    if (a->limbs != b->limbs || a->parts != 2 || b->parts != 2 || !a->ntt || !b->ntt)
        return gb_fail(ctx, GB_ERR_LEVEL, "a product takes two-part ciphertexts of equal limbs, not %u and %u",
                       a->limbs, b->limbs);
    if (out == a || out == b || out->room < 3 || out->capacity < a->limbs)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a product needs an output of its own with room for 3 parts of %u limbs",
                       a->limbs);
    return GB_OK;
}

/* The products, modulo Q in t->out and modulo R in x->aux; the division is left to do. */
static void multiply(task *t) {
    gb_ctx *ctx = gb_eval_ctx(t->x->e);
    const size_t limbs = t->l->limbs;
    for (t->poly = 0; t->poly < (t->a == t->b ? 2 : 4); t->poly++) {
        gb_parallel(ctx, limbs, operand_limb, t);
        run_tiles(t, operand_tile);
    }
    t->out->limbs = t->l->limbs;
    t->out->parts = 3;
    t->out->ntt = true;
    t->out->scale = 1;
    gb_parallel(ctx, limbs + t->l->aux, multiply_limb, t);
}

gb_status gb_bfv_tensor(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, const gb_ct *b) {
    GB_TRY(check(x, out, a, b));
    task t = {.x = x, .l = &x->b->level[a->limbs], .a = a, .b = b, .out = out};
    multiply(&t);
    for (size_t part = 0; part < 3; part++) divide(&t, part);
    return GB_OK;
}

gb_status gb_bfv_mul(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, const gb_ct *b, const gb_eval_keys *keys) {
    const gb_switch_key *k;
    GB_TRY(check(x, out, a, b));
    GB_TRY(gb_eval_keys_find(&k, gb_eval_ctx(x->e), keys, 1, a->limbs)); /* before the work, not after it */
    task t = {.x = x, .l = &x->b->level[a->limbs], .a = a, .b = b, .out = out};
    multiply(&t);
    divide(&t, 2);
    return gb_eval_relinearize(out, x->e, keys, &(gb_eval_rest){add_rests, &t});
}

static gb_status plain(gb_pt *out, gb_bfv_eval *x, const gb_ct *a, const uint64_t *poly, bool up) {
    if (!gb_params_same(a->params, x->b->params) || !a->ntt)
        return gb_fail(gb_eval_ctx(x->e), GB_ERR_PARAMS, "ciphertext and BFV context have different parameters");
    *out = (gb_pt){.params = x->b->params, .data = x->plain, .limbs = a->limbs};
    (up ? gb_bfv_scale_up : gb_bfv_lift)(out, gb_eval_ctx(x->e), x->b, poly);
    return GB_OK;
}

gb_status gb_bfv_add_plain(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, const uint64_t *poly) {
    gb_pt p;
    GB_TRY(plain(&p, x, a, poly, true));
    return gb_ckks_add_plain(out, x->e, a, &p);
}

gb_status gb_bfv_mul_plain(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, const uint64_t *poly) {
    gb_pt p;
    GB_TRY(plain(&p, x, a, poly, false));
    return gb_ct_mul_poly(out, x->e, a, p.data);
}
