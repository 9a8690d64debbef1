/* Products of BFV ciphertexts: extend to Q B, multiply, scale by t/Q into B, extend back to Q. */
#include "scheme/bfv/internal.h"

struct gb_bfv_eval {
    gb_eval *e;
    const gb_bfv *b;
    size_t n;
    uint64_t *in;      /* [4][aux][N]: the operands modulo B, NTT form */
    uint64_t *product; /* [3][data + aux][N] */
    uint64_t *y, *v;   /* [4][max(data, aux)][N] and [4][N]: sources of extensions */
    uint64_t *plain;   /* [data][N] */
};

gb_status gb_bfv_eval_new(gb_bfv_eval **out, gb_eval *e, const gb_bfv *b) {
    gb_bfv_eval *x;
    gb_ctx *ctx = gb_eval_ctx(e);
    *out = NULL;
    if (!gb_params_same(gb_eval_params(e), b->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "evaluator and BFV context have different parameters");
    GB_TRY(gb_alloc_zero(&x, ctx, 1, sizeof *x));
    size_t n = gb_ring_n(b->ring), rows = gb_max_size(b->data, b->aux);
    x->e = e, x->b = b, x->n = n;
    gb_status s = gb_alloc(&x->in, ctx, 4 * b->aux * n, sizeof(uint64_t));
    if (s == GB_OK) s = gb_alloc(&x->product, ctx, 3 * (b->data + b->aux) * n, sizeof(uint64_t));
    if (s == GB_OK) s = gb_alloc(&x->y, ctx, 4 * rows * n, sizeof(uint64_t));
    if (s == GB_OK) s = gb_alloc(&x->v, ctx, 4 * n, sizeof(uint64_t));
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
    gb_free(x->in);
    gb_free(x->product);
    gb_free(x->y);
    gb_free(x->v);
    gb_free(x->plain);
    gb_free(x);
}

gb_eval *gb_bfv_eval_core(const gb_bfv_eval *x) { return x->e; }
const gb_bfv *gb_bfv_eval_context(const gb_bfv_eval *x) { return x->b; }

typedef struct task {
    gb_bfv_eval *x;
    unsigned limbs;
    const gb_ct *a, *b;
    gb_ct *out;
    const gb_extension *from; /* of the rows y */
} task;

static uint64_t *y_row(const task *t, size_t poly, unsigned i) {
    return t->x->y + (poly * gb_max_size(t->x->b->data, t->x->b->aux) + i) * t->x->n;
}

static uint64_t *product_row(const task *t, size_t part, unsigned limb) {
    return t->x->product + (part * (t->x->b->data + t->x->b->aux) + limb) * t->x->n;
}

static const uint64_t *operand(const task *t, size_t poly, unsigned limb) {
    return gb_ct_limb(poly < 2 ? t->a : t->b, poly & 1, limb);
}

/* Source rows of one operand: coefficients modulo Q. */
static void operand_row(void *user, size_t i, unsigned worker) {
    task *t = user;
    unsigned limb = (unsigned)(i % t->limbs);
    uint64_t *y = y_row(t, i / t->limbs, limb);
    (void)worker;
    memcpy(y, operand(t, i / t->limbs, limb), t->x->n * sizeof *y);
    gb_ring_inverse(t->x->b->ring, y, limb, 1);
}

static void prepare(void *user, size_t poly, unsigned worker) {
    task *t = user;
    uint64_t *rows[GB_EXTEND_TERMS];
    (void)worker;
    for (unsigned i = 0; i < t->from->sources; i++) rows[i] = y_row(t, poly, i);
    gb_extension_prepare(t->from, t->x->b->ring, t->x->b->extend, rows, t->x->v + poly * t->x->n);
}

/* out = the centred value of rows y of `poly`, modulo ring limb `limb`, coefficient form. */
static void extend_row(const task *t, uint64_t *out, size_t poly, unsigned limb) {
    const uint64_t *rows[GB_EXTEND_TERMS + 1];
    const gb_extension *f = t->from;
    for (unsigned i = 0; i < f->sources; i++) rows[i] = y_row(t, poly, i);
    rows[f->sources] = t->x->v + poly * t->x->n;
    t->x->b->extend->extend(out, rows, f->weight + (size_t)limb * (f->sources + 1), f->sources + 1, t->x->n,
                            gb_ring_modulus(t->x->b->ring, limb));
}

static void operand_aux(void *user, size_t i, unsigned worker) {
    task *t = user;
    const gb_bfv *b = t->x->b;
    size_t poly = i / b->aux;
    unsigned limb = b->data + (unsigned)(i % b->aux);
    uint64_t *out = t->x->in + i * t->x->n;
    (void)worker;
    extend_row(t, out, poly, limb);
    gb_ring_forward(b->ring, out, limb, 1);
}

/* One limb of the three products, back in coefficient form; limbs of Q go to the rows y, times t. */
static void multiply_limb(void *user, size_t i, unsigned worker) {
    task *t = user;
    const gb_bfv *b = t->x->b;
    bool data = i < t->limbs;
    unsigned limb = data ? (unsigned)i : b->data + (unsigned)(i - t->limbs);
    const gb_modulus *m = gb_ring_modulus(b->ring, limb);
    const uint64_t *in[4];
    uint64_t *d[3];
    (void)worker;
    for (size_t p = 0; p < 4; p++)
        in[p] = data ? operand(t, p, limb) : t->x->in + (p * b->aux + (limb - b->data)) * t->x->n;
    for (size_t p = 0; p < 3; p++) d[p] = data ? y_row(t, p, limb) : product_row(t, p, limb);
    b->extend->tensor(d[0], d[1], d[2], in[0], in[1], in[2], in[3], t->x->n, m);
    for (size_t p = 0; p < 3; p++) {
        gb_ring_inverse(b->ring, d[p], limb, 1);
        gb_ring_kernels(b->ring)->mul_scalar(d[p], d[p], b->t % m->q, t->x->n, m);
    }
}

/* (t d - [t d]_Q) / Q modulo one auxiliary prime. */
static void divide_row(void *user, size_t i, unsigned worker) {
    task *t = user;
    const gb_bfv *b = t->x->b;
    size_t part = i / b->aux;
    unsigned limb = b->data + (unsigned)(i % b->aux);
    uint64_t *d = product_row(t, part, limb), *rest = t->x->in + i * t->x->n; /* the operands are spent */
    (void)worker;
    extend_row(t, rest, part, limb);
    b->extend->sub_mul(d, d, rest, t->from->product_inv[limb], t->x->n, gb_ring_modulus(b->ring, limb));
}

static void back_source(void *user, size_t i, unsigned worker) {
    task *t = user;
    const gb_bfv *b = t->x->b;
    (void)worker;
    memcpy(y_row(t, i / b->aux, (unsigned)(i % b->aux)), product_row(t, i / b->aux, b->data + (unsigned)(i % b->aux)),
           t->x->n * sizeof(uint64_t));
}

static void back_row(void *user, size_t i, unsigned worker) {
    task *t = user;
    unsigned part = (unsigned)(i / t->limbs), limb = (unsigned)(i % t->limbs);
    uint64_t *out = gb_ct_limb(t->out, part, limb);
    (void)worker;
    extend_row(t, out, part, limb);
    gb_ring_forward(t->x->b->ring, out, limb, 1);
}

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

gb_status gb_bfv_tensor(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, const gb_ct *b) {
    gb_ctx *ctx = gb_eval_ctx(x->e);
    GB_TRY(check(x, out, a, b));
    const gb_bfv_level *l = &x->b->level[a->limbs];
    task t = {x, a->limbs, a, b, out, &l->out};
    gb_parallel(ctx, 4 * (size_t)t.limbs, operand_row, &t);
    gb_parallel(ctx, 4, prepare, &t);
    gb_parallel(ctx, 4 * (size_t)x->b->aux, operand_aux, &t);
    gb_parallel(ctx, t.limbs + x->b->aux, multiply_limb, &t);
    gb_parallel(ctx, 3, prepare, &t);
    gb_parallel(ctx, 3 * (size_t)x->b->aux, divide_row, &t);
    t.from = &l->back;
    gb_parallel(ctx, 3 * (size_t)x->b->aux, back_source, &t);
    gb_parallel(ctx, 3, prepare, &t);
    out->limbs = a->limbs;
    out->parts = 3;
    out->ntt = true;
    out->scale = 1;
    gb_parallel(ctx, 3 * (size_t)t.limbs, back_row, &t);
    return GB_OK;
}

gb_status gb_bfv_mul(gb_ct *out, gb_bfv_eval *x, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k) {
    GB_TRY(gb_bfv_tensor(out, x, a, b));
    return gb_ct_relinearize(out, x->e, k);
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
