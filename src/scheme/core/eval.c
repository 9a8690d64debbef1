/* The evaluator: scratch, cached constants, coefficient-wise operations. */
#include "scheme/core/eval.h"

/* ---- Galois elements ---- */
uint64_t gb_galois_rotation(const gb_params *p, int step) {
    uint64_t two_n = 2 * gb_ring_n(gb_params_ring(p)), half = two_n / 4, g = 1;
    uint64_t s = (uint64_t)(((int64_t)step % (int64_t)half + (int64_t)half) % (int64_t)half);
    for (uint64_t base = 5; s; s >>= 1, base = base * base % two_n)
        if (s & 1) g = g * base % two_n;
    return g;
}

uint64_t gb_galois_conjugation(const gb_params *p) { return 2 * gb_ring_n(gb_params_ring(p)) - 1; }

uint64_t gb_galois_inverse(const gb_params *p, uint64_t galois) {
    /* Newton's iteration modulo a power of two: each step doubles the correct low bits, 3 to begin with. */
    uint64_t mask = 2 * gb_ring_n(gb_params_ring(p)) - 1, x = galois;
    for (int i = 0; i < 5; i++) x *= 2 - galois * x;
    return x & mask;
}

void gb_galois_permutation(uint32_t *out, unsigned log_n, uint64_t galois) {
    uint32_t n = 1u << log_n, mask = 2 * n - 1;
    for (uint32_t k = 0; k < n; k++) { /* entry k is the value at psi^(2 bitrev(k) + 1) */
        uint32_t power = (uint32_t)((2 * (uint64_t)gb_bit_reverse(k, log_n) + 1) * galois) & mask;
        out[k] = (uint32_t)gb_bit_reverse(power >> 1, log_n);
    }
}

/* ---- cached constants ---- */
void gb_extension_release(gb_extension *x) {
    gb_free(x->source);
    gb_free(x->hat_inv);
    gb_free(x->inverse);
    gb_free(x->weight);
    gb_free(x->product);
    gb_free(x->product_inv);
    memset(x, 0, sizeof(*x));
}

static void extension_fill(gb_extension *x, const gb_ring *r, size_t all) {
    for (unsigned i = 0; i < x->sources; i++) {
        const gb_modulus *m = gb_ring_modulus(r, x->source[i]);
        uint64_t hat = 1;
        for (unsigned j = 0; j < x->sources; j++)
            if (j != i) hat = gb_mod_mul(hat, gb_ring_modulus(r, x->source[j])->q % m->q, m);
        x->hat_inv[i] = gb_mod_inv(hat, m);
        x->inverse[i] = 1.0 / (double)m->q;
    }
    for (size_t t = 0; t < all; t++) {
        const gb_modulus *m = gb_ring_modulus(r, t);
        uint64_t *w = x->weight + t * (x->sources + 1), product = 1;
        for (unsigned i = 0; i < x->sources; i++) {
            w[i] = 1;
            for (unsigned j = 0; j < x->sources; j++)
                if (j != i) w[i] = gb_mod_mul(w[i], gb_ring_modulus(r, x->source[j])->q % m->q, m);
            product = gb_mod_mul(product, gb_ring_modulus(r, x->source[i])->q % m->q, m);
        }
        w[x->sources] = product ? m->q - product : 0;
        x->product[t] = product;
        x->product_inv[t] = product ? gb_mod_inv(product, m) : 0;
    }
}

gb_status gb_extension_init(gb_extension *x, gb_ctx *ctx, const gb_ring *r, const uint32_t *source, unsigned sources) {
    size_t all = gb_ring_limbs(r);
    memset(x, 0, sizeof(*x));
    x->sources = sources;
    GB_TRY(gb_alloc(&x->source, ctx, sources, sizeof(uint32_t)));
    GB_TRY(gb_alloc(&x->hat_inv, ctx, sources, sizeof(uint64_t)));
    GB_TRY(gb_alloc(&x->inverse, ctx, sources, sizeof(double)));
    GB_TRY(gb_alloc(&x->weight, ctx, all * (sources + 1), sizeof(uint64_t)));
    GB_TRY(gb_alloc(&x->product, ctx, all, sizeof(uint64_t)));
    GB_TRY(gb_alloc(&x->product_inv, ctx, all, sizeof(uint64_t)));
    memcpy(x->source, source, sources * sizeof(uint32_t));
    extension_fill(x, r, all);
    return GB_OK;
}

/* Room for one more entry of size bytes in the list that `list` points to, in powers of two. */
static gb_status grow(void *list, gb_ctx *ctx, size_t count, size_t size) {
    if (count & (count - 1)) return GB_OK; /* room is left up to the next power of two */
    void *bigger, *old;
    memcpy(&old, list, sizeof(old));
    GB_TRY(gb_alloc_zero(&bigger, ctx, count ? 2 * count : 1, size));
    if (count) memcpy(bigger, old, count * size);
    gb_free(old);
    memcpy(list, &bigger, sizeof(bigger));
    return GB_OK;
}

gb_status gb_eval_extension(const gb_extension **out, gb_eval *e, unsigned first, unsigned count, bool special) {
    for (size_t i = 0; i < e->extension_count; i++) {
        const gb_extension *x = e->extensions[i];
        if (x->first == first && x->count == count && x->special == special) {
            *out = x;
            return GB_OK;
        }
    }
    uint32_t source[2 * GB_MAX_LIMBS];
    unsigned sources = 0;
    for (unsigned i = 0; i < count; i++) source[sources++] = first + i;
    for (size_t i = 0; special && i < e->special; i++) source[sources++] = (uint32_t)(e->data + i);
    GB_TRY(grow(&e->extensions, e->ctx, e->extension_count, sizeof(e->extensions[0])));
    gb_extension *x;
    GB_TRY(gb_alloc_zero(&x, e->ctx, 1, sizeof(*x)));
    gb_status s = gb_extension_init(x, e->ctx, e->ring, source, sources);
    if (s != GB_OK) {
        gb_extension_release(x);
        gb_free(x);
        return s;
    }
    x->first = first, x->count = count, x->special = special;
    e->extensions[e->extension_count++] = x;
    *out = x;
    return GB_OK;
}

gb_status gb_eval_permutation(const uint32_t **out, gb_eval *e, uint64_t galois) {
    for (size_t i = 0; i < e->permutation_count; i++)
        if (e->permutations[i].galois == galois) {
            *out = e->permutations[i].index;
            return GB_OK;
        }
    if (!(galois & 1) || galois >= 2 * e->n)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "Galois element %llu is not odd and below %zu",
                       (unsigned long long)galois, 2 * e->n);
    GB_TRY(grow(&e->permutations, e->ctx, e->permutation_count, sizeof(e->permutations[0])));
    uint32_t *index;
    GB_TRY(gb_alloc(&index, e->ctx, e->n, sizeof(uint32_t)));
    gb_galois_permutation(index, gb_ring_log_n(e->ring), galois);
    e->permutations[e->permutation_count++] = (gb_permutation){galois, index};
    *out = index;
    return GB_OK;
}

/* ---- life ---- */
static gb_status eval_allocate(gb_eval *e) {
    size_t all = e->data + e->special;
    GB_TRY(gb_alloc(&e->coef, e->ctx, 2 * all * e->n, sizeof(uint64_t)));
    GB_TRY(gb_alloc(&e->rows, e->ctx, e->digits * all * e->n, sizeof(uint64_t)));
    GB_TRY(gb_alloc(&e->acc, e->ctx, 2 * all * e->n, sizeof(uint64_t)));
    GB_TRY(gb_alloc(&e->result, e->ctx, 2 * e->data * e->n, sizeof(uint64_t)));
    return gb_alloc(&e->scratch, e->ctx, (size_t)gb_ctx_threads(e->ctx) * GB_EVAL_SCRATCH * e->n, sizeof(uint64_t));
}

gb_status gb_eval_new(gb_eval **out, gb_ctx *ctx, const gb_params *p, unsigned digit) {
    gb_eval *e;
    GB_TRY(gb_alloc_zero(out, ctx, 1, sizeof(*e)));
    e = *out;
    const gb_params_spec *spec = gb_params_get(p);
    e->ctx = ctx;
    e->params = p;
    e->ring = gb_params_ring(p);
    e->kernels = gb_ring_kernels(e->ring);
    unsigned bits = 0;
    for (size_t i = 0; i < gb_ring_limbs(e->ring); i++)
        bits = gb_ring_modulus(e->ring, i)->bits > bits ? gb_ring_modulus(e->ring, i)->bits : bits;
    e->extend = gb_extend_get(gb_cpu_flags(), bits);
    e->n = gb_ring_n(e->ring);
    e->data = spec->data_count;
    e->special = spec->special_count;
    e->digit = digit ? digit : (unsigned)gb_max_size(e->special, 1);
    e->digits = (unsigned)gb_ceil_div(e->data, e->digit);
    gb_status s = eval_allocate(e);
    if (s != GB_OK) {
        gb_eval_free(e);
        *out = NULL;
    }
    return s;
}

void gb_eval_free(gb_eval *e) {
    if (!e) return;
    for (size_t i = 0; i < e->extension_count; i++) {
        gb_extension_release(e->extensions[i]);
        gb_free(e->extensions[i]);
    }
    for (size_t i = 0; i < e->permutation_count; i++) gb_free(e->permutations[i].index);
    gb_free(e->extensions);
    gb_free(e->permutations);
    gb_free(e->coef);
    gb_free(e->rows);
    gb_free(e->acc);
    gb_free(e->result);
    gb_free(e->scratch);
    gb_free(e->hoisted);
    for (size_t i = 0; i < e->loan_count; i++) gb_free(e->loans[i].words);
    gb_free(e->loans);
    gb_free(e);
}

const gb_params *gb_eval_params(const gb_eval *e) { return e->params; }
gb_ctx *gb_eval_ctx(const gb_eval *e) { return e->ctx; }

/* ---- buffers ---- */
gb_status gb_eval_borrow(uint64_t **out, gb_eval *e, size_t words) {
    gb_loan *best = NULL; /* the smallest that serves */
    *out = NULL;
    for (size_t i = 0; i < e->loan_count; i++) {
        gb_loan *l = &e->loans[i];
        if (!l->out && l->count >= words && (!best || l->count < best->count)) best = l;
    }
    if (!best) {
        uint64_t *fresh;
        GB_TRY(grow(&e->loans, e->ctx, e->loan_count, sizeof(e->loans[0])));
        GB_TRY(gb_alloc(&fresh, e->ctx, words, sizeof(*fresh)));
        best = &e->loans[e->loan_count++];
        *best = (gb_loan){fresh, words, false};
    }
    best->out = true;
    *out = best->words;
    return GB_OK;
}

void gb_eval_return(gb_eval *e, uint64_t *words) {
    for (size_t i = 0; words && i < e->loan_count; i++)
        if (e->loans[i].words == words) e->loans[i].out = false;
}

gb_status gb_eval_ct(gb_ct *out, gb_eval *e, unsigned parts, unsigned limbs) {
    *out = (gb_ct){
        .params = e->params, .room = parts, .parts = parts, .limbs = limbs, .capacity = limbs, .ntt = true, .scale = 1};
    return gb_eval_borrow(&out->data, e, (size_t)parts * limbs * e->n);
}

void gb_eval_ct_return(gb_eval *e, gb_ct *c) {
    gb_eval_return(e, c->data);
    memset(c, 0, sizeof(*c));
}

/* ---- coefficient-wise operations ---- */
typedef struct pointwise {
    gb_eval *e;
    gb_ct *out;
    const gb_ct *a, *b;
    const uint64_t *plain;
    enum { POINT_ADD, POINT_SUB, POINT_NEG, POINT_TENSOR, POINT_PLAIN } op;
} pointwise;

static void pointwise_limb(void *user, size_t j, unsigned worker) {
    pointwise *t = user;
    const gb_eval *e = t->e;
    const gb_modulus *m = gb_ring_modulus(e->ring, j);
    unsigned limb = (unsigned)j;
    (void)worker;
    if (t->op == POINT_TENSOR) {
        e->extend->tensor(gb_ct_limb(t->out, 0, limb), gb_ct_limb(t->out, 1, limb), gb_ct_limb(t->out, 2, limb),
                          gb_ct_limb(t->a, 0, limb), gb_ct_limb(t->a, 1, limb), gb_ct_limb(t->b, 0, limb),
                          gb_ct_limb(t->b, 1, limb), e->n, m);
        return;
    }
    for (unsigned p = 0; p < t->a->parts; p++) {
        uint64_t *o = gb_ct_limb(t->out, p, limb);
        const uint64_t *x = gb_ct_limb(t->a, p, limb);
        if (t->op == POINT_ADD) e->kernels->add(o, x, gb_ct_limb(t->b, p, limb), e->n, m);
        if (t->op == POINT_SUB) e->kernels->sub(o, x, gb_ct_limb(t->b, p, limb), e->n, m);
        if (t->op == POINT_NEG) e->kernels->neg(o, x, e->n, m);
        if (t->op == POINT_PLAIN) e->kernels->mul(o, x, t->plain + j * e->n, e->n, m);
    }
}

/* Shapes out (unless it is an input) and runs the limbs. */
static gb_status pointwise_run(pointwise *t, unsigned parts) {
    gb_ctx *ctx = t->e->ctx;
    const gb_ct *a = t->a, *b = t->b;
    if (!gb_params_same(a->params, t->e->params) || (b && !gb_params_same(b->params, a->params)))
        return gb_fail(ctx, GB_ERR_PARAMS, "ciphertexts and evaluator have different parameters");
    if (b && (a->limbs != b->limbs || a->ntt != b->ntt || a->parts != b->parts))
        return gb_fail(ctx, GB_ERR_LEVEL, "operands have %u and %u limbs, %u and %u parts; drop the larger first",
                       a->limbs, b->limbs, a->parts, b->parts);
    if (!gb_params_same(t->out->params, a->params) || t->out->capacity < a->limbs || t->out->room < parts)
        return gb_fail(ctx, GB_ERR_LEVEL, "the output has room for %u parts of %u limbs, %u of %u are needed",
                       t->out->room, t->out->capacity, parts, a->limbs);
    t->out->limbs = a->limbs;
    t->out->ntt = a->ntt;
    t->out->parts = parts;
    t->out->scale = a->scale;
    gb_parallel(ctx, a->limbs, pointwise_limb, t);
    return GB_OK;
}

gb_status gb_ct_add(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
    return pointwise_run(&(pointwise){e, out, a, b, NULL, POINT_ADD}, a->parts);
}

gb_status gb_ct_sub(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
    return pointwise_run(&(pointwise){e, out, a, b, NULL, POINT_SUB}, a->parts);
}

gb_status gb_ct_neg(gb_ct *out, gb_eval *e, const gb_ct *a) {
    return pointwise_run(&(pointwise){e, out, a, NULL, NULL, POINT_NEG}, a->parts);
}

gb_status gb_ct_mul_poly(gb_ct *out, gb_eval *e, const gb_ct *a, const uint64_t *plain) {
    if (!a->ntt) return gb_fail(e->ctx, GB_ERR_STATE, "a product needs the ciphertext in NTT form");
    return pointwise_run(&(pointwise){e, out, a, NULL, plain, POINT_PLAIN}, a->parts);
}

gb_status gb_ct_tensor(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b) {
    if (!a->ntt || a->parts != 2)
        return gb_fail(e->ctx, GB_ERR_STATE, "a product needs two-part ciphertexts in NTT form; relinearise first");
    return pointwise_run(&(pointwise){e, out, a, b, NULL, POINT_TENSOR}, 3);
}
