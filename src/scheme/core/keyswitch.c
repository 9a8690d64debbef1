/* Hybrid key switching (Han-Ki, eprint 2019/688), hoisting (Bossuat et al., eprint 2020/1203), division by primes.
 *
 * Three passes, each cut so that threads never meet: sources to scaled coefficients, a task a limb; extension, a task a
 * tile of coefficients, for all digits and primes; transform and product with the key, a task a target limb. */
#include "scheme/core/eval.h"

/* ---- scaled coefficients of the sources of an extension ---- */
typedef struct lift {
    gb_eval *e;
    const gb_extension *const *extensions; /* one a digit */
    const uint64_t *in;                    /* NTT form */
} lift;

/* y row i of digit d's sources: coefficients times (S/q_i)^-1. */
static void lift_limb(void *user, size_t j, unsigned worker) {
    lift *t = user;
    gb_eval *e = t->e;
    (void)worker;
    const gb_extension *x = t->extensions[j / e->digit];
    gb_ring_inverse_scaled(e->ring, e->coef + j * e->n, t->in + j * e->n, x->hat_inv[j - x->first], j);
}

/* ---- extension of sets of sources (digits, or the parts of a ciphertext) to many primes ----
 * Tile by tile, so that a source is read once and stays in the first-level cache for all targets. */
#define TILE 512

typedef struct spread {
    gb_eval *e;
    const gb_extension *const *x; /* one a set */
    unsigned sets, set_rows;      /* set s has its sources at e->coef row s * set_rows */
    unsigned limbs, targets;      /* of the extended basis: data primes, then special ones */
    bool digits;                  /* a digit's own primes are left out */
    bool lazy;                    /* for gb_ring_forward_lazy */
    uint64_t *out;                /* coefficients of set s modulo target i at row s * width + i */
    size_t width;
} spread;

static bool spread_skips(const spread *t, unsigned set, unsigned target) {
    return t->digits && target < t->limbs && target / t->e->digit == set;
}

static void spread_tile(void *user, size_t tile, unsigned worker) {
    const spread *t = user;
    const gb_eval *e = t->e;
    const size_t n = gb_min_size(TILE, e->n), at = tile * n;
    uint64_t *v = gb_eval_scratch(e, worker, 0);
    const gb_extend_kernels *k = e->extend;
    void (*const extend)(uint64_t *, const uint64_t *const *, const uint64_t *, size_t, size_t, const gb_modulus *) =
        t->lazy ? k->extend_lazy : k->extend;
    for (unsigned s = 0; s < t->sets; s++) {
        const gb_extension *x = t->x[s];
        const uint64_t *rows[GB_EXTEND_TERMS + 1];
        for (unsigned i = 0; i < x->sources; i++) rows[i] = e->coef + ((size_t)s * t->set_rows + i) * e->n + at;
        e->extend->quotient(v, rows, x->inverse, x->sources, n);
        rows[x->sources] = v;
        for (unsigned i = 0; i < t->targets; i++) {
            const unsigned limb = gb_eval_ring_limb(e, t->limbs, i);
            if (!spread_skips(t, s, i))
                extend(t->out + (s * t->width + i) * e->n + at, rows, x->weight + (size_t)limb * (x->sources + 1),
                       x->sources + 1, n, gb_ring_modulus(e->ring, limb));
        }
    }
}

static void spread_run(spread *t) { gb_parallel(t->e->ctx, gb_ceil_div(t->e->n, TILE), spread_tile, t); }

/* `limbs` NTT limbs in digits, each extended to all other primes: coefficients at out, rows as digit_row has them. */
static gb_status decompose(uint64_t *out, gb_eval *e, const uint64_t *in, unsigned limbs) {
    const gb_extension *x[GB_EXTEND_TERMS];
    unsigned digits = (unsigned)gb_ceil_div(limbs, e->digit);
    for (unsigned d = 0; d < digits; d++) {
        unsigned first = d * e->digit;
        GB_TRY(gb_eval_extension(&x[d], e, first, (unsigned)gb_min_size(e->digit, limbs - first), false));
    }
    gb_parallel(e->ctx, limbs, lift_limb, &(lift){e, x, in});
    spread_run(&(spread){.e = e,
                         .x = x,
                         .sets = digits,
                         .set_rows = e->digit,
                         .limbs = limbs,
                         .targets = limbs + (unsigned)e->special,
                         .digits = true,
                         .lazy = true,
                         .out = out,
                         .width = e->data + e->special});
    return GB_OK;
}

/* ---- inner product with the key ---- */
typedef struct inner {
    gb_eval *e;
    const gb_switch_key *key;
    const uint64_t *in; /* NTT limbs: a digit's own primes are taken from here */
    unsigned limbs, digits;
    uint64_t *rows;   /* of the digits, extended */
    bool transformed; /* ... and in NTT form already */
} inner;

static const uint64_t *digit_row(const inner *t, unsigned d, unsigned ext) {
    const gb_eval *e = t->e;
    if (ext < t->limbs && ext / e->digit == d) return t->in + ext * e->n;
    uint64_t *row = t->rows + (d * (e->data + e->special) + ext) * e->n;
    if (!t->transformed) gb_ring_forward_lazy(e->ring, row, gb_eval_ring_limb(e, t->limbs, ext));
    return row;
}

/* out0, out1 = row `ext` of the digits times that of the key. */
static void inner_row(const inner *t, unsigned ext, uint64_t *out0, uint64_t *out1) {
    const gb_eval *e = t->e;
    const unsigned limb = ext < t->limbs ? ext : t->key->limbs + (ext - t->limbs);
    const uint64_t *x[GB_EXTEND_TERMS];
    const uint8_t *b[GB_EXTEND_TERMS], *a[GB_EXTEND_TERMS];
    for (unsigned d = 0; d < t->digits; d++) {
        x[d] = digit_row(t, d, ext);
        b[d] = gb_switch_key_row(t->key, d, 0, limb);
        a[d] = gb_switch_key_row(t->key, d, 1, limb);
    }
    const gb_modulus *m = gb_ring_modulus(e->ring, gb_eval_ring_limb(e, t->limbs, ext));
    e->extend->inner2_bytes(out0, out1, x, b, a, gb_word_bytes(m), t->digits, e->n, m);
}

/* Into e->acc: [2][limbs + special][N]. */
static void inner_limb(void *user, size_t ext, unsigned worker) {
    inner *t = user;
    const gb_eval *e = t->e;
    (void)worker;
    inner_row(t, (unsigned)ext, e->acc + ext * e->n, e->acc + (t->limbs + e->special + ext) * e->n);
}

/* ---- division by the sources of an extension ---- */
typedef struct divide {
    gb_eval *e;
    const gb_extension *x;
    const uint64_t *in[2]; /* NTT limbs of the extended basis: limb j at in + j * N */
    unsigned limbs, kept;  /* data limbs in `in`; data limbs of the result */
    unsigned parts;
    uint64_t *out[2];       /* limb j at out + j * N; may be in, add or e->result */
    const uint64_t *add[2]; /* added to the result, or NULL */
    const uint32_t *index;  /* of an automorphism applied last, or NULL */
} divide;

static const uint64_t *divide_source(const divide *t, unsigned part, unsigned i) {
    const gb_eval *e = t->e;
    unsigned ring_limb = t->x->source[i];
    unsigned ext = ring_limb < e->data ? ring_limb : t->limbs + (ring_limb - (unsigned)e->data);
    return t->in[part] + ext * e->n;
}

static void divide_lift(void *user, size_t task, unsigned worker) {
    divide *t = user;
    gb_eval *e = t->e;
    (void)worker;
    unsigned part = (unsigned)(task / t->x->sources), i = (unsigned)(task % t->x->sources);
    gb_ring_inverse_scaled(e->ring, e->coef + task * e->n, divide_source(t, part, i), t->x->hat_inv[i],
                           t->x->source[i]);
}

/* One limb of the result, from `in` in NTT form and the extended sources in e->result. */
static void divide_row(const divide *t, unsigned part, unsigned j, const uint64_t *in) {
    const gb_eval *e = t->e;
    const gb_modulus *m = gb_ring_modulus(e->ring, j);
    const uint64_t *add = t->add[part] ? t->add[part] + j * e->n : NULL;
    uint64_t *tmp = e->result + ((size_t)part * t->kept + j) * e->n, *out = t->out[part] + j * e->n,
             *result = t->index ? tmp : out;
    gb_ring_forward_lazy(e->ring, tmp, j);
    if (add)
        e->extend->sub_mul_add(result, in, tmp, t->x->product_inv[j], add, e->n, m);
    else
        e->extend->sub_mul(result, in, tmp, t->x->product_inv[j], e->n, m);
    if (t->index) e->extend->permute(out, tmp, t->index, e->n);
}

static void divide_limb(void *user, size_t task, unsigned worker) {
    const divide *t = user;
    unsigned part = (unsigned)(task / t->kept), j = (unsigned)(task % t->kept);
    (void)worker;
    divide_row(t, part, j, t->in[part] + j * t->e->n);
}

/* The sources of all parts, extended to what is kept; lazy unless something is to be added to them. */
static void divide_spread(divide *t, bool lazy) {
    gb_eval *e = t->e;
    const gb_extension *x[2] = {t->x, t->x};
    gb_parallel(e->ctx, (size_t)t->parts * t->x->sources, divide_lift, t);
    spread_run(&(spread){.e = e,
                         .x = x,
                         .sets = t->parts,
                         .set_rows = t->x->sources,
                         .limbs = t->limbs,
                         .targets = t->kept,
                         .lazy = lazy,
                         .out = e->result,
                         .width = t->kept});
}

static void divide_run(divide *t) {
    divide_spread(t, true);
    gb_parallel(t->e->ctx, (size_t)t->parts * t->kept, divide_limb, t);
}

gb_status gb_ct_divide(gb_ct *c, gb_eval *e, unsigned count) {
    if (!c->ntt) return gb_fail(e->ctx, GB_ERR_STATE, "division by a prime needs NTT form");
    if (!gb_params_same(c->params, e->params))
        return gb_fail(e->ctx, GB_ERR_PARAMS, "ciphertext and evaluator have different parameters");
    if (count < 1 || count >= c->limbs)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "no level left: %u limbs in use, %u would be divided out", c->limbs,
                       count);
    divide t = {.e = e, .limbs = c->limbs, .kept = c->limbs - count, .parts = 1};
    GB_TRY(gb_eval_extension(&t.x, e, c->limbs - count, count, false));
    for (unsigned p = 0; p < c->parts; p++) {
        t.in[0] = t.out[0] = gb_ct_limb(c, p, 0);
        divide_run(&t);
    }
    c->limbs -= count;
    return GB_OK;
}

/* ---- the whole switch ---- */
static gb_status check_key(gb_eval *e, const gb_switch_key *k, unsigned limbs) {
    if (!gb_params_same(k->params, e->params) || k->limbs < limbs)
        return gb_fail(e->ctx, GB_ERR_KEY, "the key for Galois element %llu serves %u limbs, %u are needed",
                       (unsigned long long)k->galois, k->limbs, limbs);
    if (k->digit != e->digit)
        return gb_fail(e->ctx, GB_ERR_KEY, "the key has %u primes a digit, the evaluator %u", k->digit, e->digit);
    return GB_OK;
}

/* The digits of `in`, for a product with this key. */
static gb_status switch_digits(inner *out, gb_eval *e, const uint64_t *in, unsigned limbs, const gb_switch_key *k) {
    GB_TRY(check_key(e, k, limbs));
    GB_TRY(decompose(e->rows, e, in, limbs));
    *out = (inner){e, k, in, limbs, (unsigned)gb_ceil_div(limbs, e->digit), e->rows, false};
    return GB_OK;
}

/* Digits times the key, plus P raise, divided by the sources of div.x. The rows that are divided out come first; every
 * other row of the product lives in scratch, from the product to the result. */
typedef struct switch_divide {
    inner in;
    divide div;
    const gb_ct *raise;       /* its first two parts; NULL: none */
    const uint64_t *product;  /* P modulo each prime */
    const gb_eval_rest *rest; /* NULL: none */
} switch_divide;

static void raise_row(const switch_divide *t, unsigned part, unsigned j, uint64_t *row) {
    const gb_eval *e = t->in.e;
    e->extend->scale_add(row, gb_ct_limb(t->raise, part, j), t->product[j], row, e->n, gb_ring_modulus(e->ring, j));
}

static void switch_product(const switch_divide *t, unsigned ext, uint64_t *c0, uint64_t *c1) {
    inner_row(&t->in, ext, c0, c1);
    if (!t->raise || ext >= t->in.limbs) return;
    raise_row(t, 0, ext, c0);
    raise_row(t, 1, ext, c1);
}

static void switch_source(void *user, size_t i, unsigned worker) {
    const switch_divide *t = user;
    const gb_eval *e = t->in.e;
    const unsigned ext = t->div.kept + (unsigned)i;
    (void)worker;
    switch_product(t, ext, e->acc + ext * e->n, e->acc + (t->in.limbs + e->special + ext) * e->n);
}

static void switch_limb(void *user, size_t j, unsigned worker) {
    const switch_divide *t = user;
    const gb_eval *e = t->in.e;
    uint64_t *c0 = gb_eval_scratch(e, worker, 0), *c1 = gb_eval_scratch(e, worker, 1);
    switch_product(t, (unsigned)j, c0, c1);
    divide_row(&t->div, 0, (unsigned)j, c0);
    divide_row(&t->div, 1, (unsigned)j, c1);
}

/* Fills in what all uses share: the last `count` data primes and the special ones are divided out. */
static gb_status switch_divide_run(switch_divide *t, unsigned count) {
    gb_eval *e = t->in.e;
    const unsigned limbs = t->in.limbs;
    const size_t part = (limbs + e->special) * e->n;
    const gb_extension *special;
    GB_TRY(gb_eval_extension(&special, e, 0, 0, true));
    GB_TRY(gb_eval_extension(&t->div.x, e, limbs - count, count, true));
    t->product = special->product;
    t->div.e = e;
    t->div.in[0] = e->acc, t->div.in[1] = e->acc + part;
    t->div.limbs = limbs, t->div.kept = limbs - count;
    t->div.parts = 2;
    gb_parallel(e->ctx, count + e->special, switch_source, t);
    divide_spread(&t->div, t->rest == NULL);
    if (t->rest) t->rest->add(t->rest->user, e->result);
    gb_parallel(e->ctx, t->div.kept, switch_limb, t);
    return GB_OK;
}

static gb_status check_relinearize(const gb_ct *c, gb_eval *e) {
    if (!gb_params_same(c->params, e->params) || c->parts != 3 || !c->ntt)
        return gb_fail(e->ctx, GB_ERR_STATE,
                       "relinearisation takes a three-part product in NTT form of the evaluator's set");
    return GB_OK;
}

gb_status gb_eval_relinearize(gb_ct *c, gb_eval *e, const gb_eval_keys *keys, const gb_eval_rest *rest) {
    const gb_switch_key *k;
    GB_TRY(check_relinearize(c, e));
    GB_TRY(gb_eval_keys_find(&k, e->ctx, keys, 1, c->limbs));
    uint64_t *c0 = gb_ct_limb(c, 0, 0), *c1 = gb_ct_limb(c, 1, 0);
    switch_divide t = {.div = {.out = {c0, c1}, .add = {c0, c1}}, .rest = rest};
    GB_TRY(switch_digits(&t.in, e, gb_ct_limb(c, 2, 0), c->limbs, k));
    GB_TRY(switch_divide_run(&t, 0));
    c->parts = 2;
    return GB_OK;
}

gb_status gb_ct_relinearize(gb_ct *c, gb_eval *e, const gb_eval_keys *keys) {
    return gb_eval_relinearize(c, e, keys, NULL);
}

gb_status gb_ct_relinearize_divide(gb_ct *c, gb_eval *e, const gb_eval_keys *keys, unsigned count) {
    const gb_switch_key *k;
    GB_TRY(check_relinearize(c, e));
    if (count < 1 || count >= c->limbs)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "no level left: %u limbs in use, %u would be divided out", c->limbs,
                       count);
    GB_TRY(gb_eval_keys_find(&k, e->ctx, keys, 1, c->limbs));
    switch_divide t = {.raise = c, .div = {.out = {gb_ct_limb(c, 0, 0), gb_ct_limb(c, 1, 0)}}};
    GB_TRY(switch_digits(&t.in, e, gb_ct_limb(c, 2, 0), c->limbs, k));
    GB_TRY(switch_divide_run(&t, count));
    c->parts = 2;
    c->limbs -= count;
    return GB_OK;
}

gb_status gb_ct_switch(gb_ct *c, gb_eval *e, const gb_switch_key *k) {
    if (!gb_params_same(c->params, e->params) || c->parts != 2 || !c->ntt)
        return gb_fail(e->ctx, GB_ERR_STATE,
                       "a key switch takes a two-part ciphertext in NTT form of the evaluator's set");
    uint64_t *c0 = gb_ct_limb(c, 0, 0), *c1 = gb_ct_limb(c, 1, 0);
    switch_divide t = {.div = {.out = {c0, c1}, .add = {c0, NULL}}};
    GB_TRY(switch_digits(&t.in, e, c1, c->limbs, k));
    return switch_divide_run(&t, 0);
}

static void raise_ct_limb(void *user, size_t task, unsigned worker) {
    gb_ct *out = user;
    const unsigned part = (unsigned)(task / out->limbs), j = (unsigned)(task % out->limbs);
    (void)worker;
    gb_ring_forward(gb_params_ring(out->params), gb_ct_limb(out, part, j), j, 1);
}

gb_status gb_ct_raise(gb_ct *out, gb_eval *e, const gb_ct *a, unsigned limbs) {
    if (!gb_params_same(a->params, e->params) || !gb_params_same(out->params, e->params) || a->parts != 2 || !a->ntt)
        return gb_fail(e->ctx, GB_ERR_STATE, "a raise takes two-part ciphertexts in NTT form of the evaluator's set");
    if (out->capacity < limbs || limbs < a->limbs)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "cannot raise %u limbs to %u with room for %u", a->limbs, limbs,
                       out->capacity);
    divide t = {.e = e, .in = {gb_ct_limb(a, 0, 0), gb_ct_limb(a, 1, 0)}, .limbs = a->limbs, .parts = 2};
    GB_TRY(gb_eval_extension(&t.x, e, 0, a->limbs, false));
    gb_parallel(e->ctx, 2 * (size_t)t.x->sources, divide_lift, &t);
    const gb_extension *x[2] = {t.x, t.x};
    spread_run(&(spread){.e = e,
                         .x = x,
                         .sets = 2,
                         .set_rows = t.x->sources,
                         .limbs = limbs,
                         .targets = limbs,
                         .out = gb_ct_limb(out, 0, 0),
                         .width = out->capacity});
    out->limbs = limbs;
    out->parts = 2;
    out->ntt = true;
    out->scale = a->scale;
    gb_parallel(e->ctx, 2 * (size_t)limbs, raise_ct_limb, out);
    return GB_OK;
}

/* ---- automorphisms ---- */
static gb_status check_automorphism(gb_ct *out, gb_eval *e, const gb_ct *a) {
    if (!gb_params_same(a->params, e->params) || a->parts != 2 || !a->ntt)
        return gb_fail(e->ctx, GB_ERR_STATE, "a rotation takes a two-part ciphertext in NTT form; relinearise first");
    if (!gb_params_same(out->params, e->params) || out->capacity < a->limbs)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "the output has room for %u limbs, %u are needed", out->capacity,
                       a->limbs);
    return GB_OK;
}

/* The digits in t times the key, divided by P, plus c0, permuted -> out. */
static gb_status finish_automorphism(gb_ct *out, switch_divide *t, const gb_ct *a, uint64_t galois) {
    t->div = (divide){.out = {gb_ct_limb(out, 0, 0), gb_ct_limb(out, 1, 0)}, .add = {gb_ct_limb(a, 0, 0), NULL}};
    GB_TRY(gb_eval_permutation(&t->div.index, t->in.e, galois));
    GB_TRY(switch_divide_run(t, 0));
    out->limbs = a->limbs;
    out->parts = 2;
    out->ntt = true;
    out->scale = a->scale;
    return GB_OK;
}

gb_status gb_ct_automorphism(gb_ct *out, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *keys) {
    const gb_switch_key *k;
    GB_TRY(check_automorphism(out, e, a));
    if (galois == 1) return gb_ct_copy(out, e->ctx, a);
    GB_TRY(gb_eval_keys_find(&k, e->ctx, keys, galois, a->limbs));
    switch_divide t = {.raise = NULL};
    GB_TRY(switch_digits(&t.in, e, gb_ct_limb(a, 1, 0), a->limbs, k));
    return finish_automorphism(out, &t, a, galois);
}

/* ---- hoisting ---- */
static void hoist_limb(void *user, size_t task, unsigned worker) {
    inner *t = user;
    unsigned width = t->limbs + (unsigned)t->e->special;
    (void)worker;
    (void)digit_row(t, (unsigned)(task / width), (unsigned)(task % width));
}

gb_status gb_hoist_prepare(gb_eval *e, const gb_ct *a) {
    if (!gb_params_same(a->params, e->params) || a->parts != 2 || !a->ntt)
        return gb_fail(e->ctx, GB_ERR_STATE, "hoisting takes a two-part ciphertext in NTT form; relinearise first");
    if (!e->hoisted) GB_TRY(gb_alloc(&e->hoisted, e->ctx, e->digits * (e->data + e->special) * e->n, sizeof(uint64_t)));
    e->hoisted_limbs = 0;
    GB_TRY(decompose(e->hoisted, e, gb_ct_limb(a, 1, 0), a->limbs));
    inner t = {.e = e,
               .in = gb_ct_limb(a, 1, 0),
               .limbs = a->limbs,
               .digits = (unsigned)gb_ceil_div(a->limbs, e->digit),
               .rows = e->hoisted};
    gb_parallel(e->ctx, t.digits * (a->limbs + e->special), hoist_limb, &t);
    e->hoisted_limbs = a->limbs;
    return GB_OK;
}

static gb_status check_hoisted(gb_eval *e, const gb_ct *a) {
    if (e->hoisted_limbs != a->limbs)
        return gb_fail(e->ctx, GB_ERR_STATE, "gb_hoist_prepare was not called for a ciphertext of %u limbs", a->limbs);
    return GB_OK;
}

gb_status gb_hoist_automorphism(gb_ct *out, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *keys) {
    const gb_switch_key *k;
    GB_TRY(check_automorphism(out, e, a));
    if (galois == 1) return gb_ct_copy(out, e->ctx, a);
    GB_TRY(check_hoisted(e, a));
    GB_TRY(gb_eval_keys_find(&k, e->ctx, keys, galois, a->limbs));
    GB_TRY(check_key(e, k, a->limbs));
    switch_divide t = {
        .in = {e, k, gb_ct_limb(a, 1, 0), a->limbs, (unsigned)gb_ceil_div(a->limbs, e->digit), e->hoisted, true}};
    return finish_automorphism(out, &t, a, galois);
}

/* ---- lazy sums modulo Q P ---- */
size_t gb_lazy_words(const gb_params *p, unsigned limbs) {
    return 2 * (limbs + gb_params_get(p)->special_count) * gb_ring_n(gb_params_ring(p));
}

typedef struct lazy {
    inner in;
    const gb_ct *a;
    const gb_extension *special;
    const uint32_t *index; /* NULL: identity */
    const uint64_t *plain;
    uint64_t *acc;
    bool set; /* acc is overwritten, not added to */
} lazy;

/* acc += plain * permuted(x) for one limb of one part. */
static void lazy_accumulate(const lazy *t, uint64_t *acc, const uint64_t *x, uint64_t *tmp, size_t ext,
                            const gb_modulus *m) {
    const gb_eval *e = t->in.e;
    if (t->set) {
        if (t->index)
            e->extend->permute(acc, x, t->index, e->n);
        else
            memcpy(acc, x, e->n * sizeof(*acc));
        return;
    }
    if (t->index) {
        e->extend->permute(tmp, x, t->index, e->n);
        x = tmp;
    }
    if (t->plain)
        e->kernels->mul_add(acc, x, t->plain + ext * e->n, e->n, m);
    else
        e->kernels->add(acc, acc, x, e->n, m);
}

static void lazy_limb(void *user, size_t ext, unsigned worker) {
    lazy *t = user;
    const gb_eval *e = t->in.e;
    unsigned limbs = t->in.limbs;
    const gb_modulus *m = gb_ring_modulus(e->ring, gb_eval_ring_limb(e, limbs, (unsigned)ext));
    uint64_t *d0 = gb_eval_scratch(e, worker, 0), *d1 = gb_eval_scratch(e, worker, 1),
             *tmp = gb_eval_scratch(e, worker, 2);
    bool data = ext < limbs;
    if (t->in.key) {
        inner_row(&t->in, (unsigned)ext, d0, d1);
    } else if (data) { /* galois 1: P c1 takes the place of the switched part */
        e->kernels->mul_scalar(d1, gb_ct_limb(t->a, 1, (unsigned)ext), t->special->product[ext], e->n, m);
        memset(d0, 0, e->n * sizeof(*d0));
    } else {
        if (!t->set) return;
        memset(d0, 0, e->n * sizeof(*d0));
        memset(d1, 0, e->n * sizeof(*d1));
    }
    if (data) e->extend->scale_add(d0, gb_ct_limb(t->a, 0, (unsigned)ext), t->special->product[ext], d0, e->n, m);
    lazy_accumulate(t, t->acc + ext * e->n, d0, tmp, ext, m);
    lazy_accumulate(t, t->acc + (limbs + e->special + ext) * e->n, d1, tmp, ext, m);
}

static gb_status lazy_run(uint64_t *acc, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *keys,
                          const uint64_t *plain, bool set) {
    lazy t = {.in = {.e = e,
                     .in = gb_ct_limb(a, 1, 0),
                     .limbs = a->limbs,
                     .digits = (unsigned)gb_ceil_div(a->limbs, e->digit),
                     .rows = e->hoisted,
                     .transformed = true},
              .a = a,
              .plain = plain,
              .acc = acc,
              .set = set};
    GB_TRY(gb_eval_extension(&t.special, e, 0, 0, true));
    if (galois != 1) {
        GB_TRY(check_hoisted(e, a));
        GB_TRY(gb_eval_keys_find(&t.in.key, e->ctx, keys, galois, a->limbs));
        GB_TRY(check_key(e, t.in.key, a->limbs));
        GB_TRY(gb_eval_permutation(&t.index, e, galois));
    }
    gb_parallel(e->ctx, a->limbs + e->special, lazy_limb, &t);
    return GB_OK;
}

gb_status gb_lazy_add(uint64_t *acc, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *keys,
                      const uint64_t *plain) {
    return lazy_run(acc, e, a, galois, keys, plain, false);
}

gb_status gb_lazy_baby(uint64_t *acc, gb_eval *e, const gb_ct *a, uint64_t galois, const gb_eval_keys *keys) {
    return lazy_run(acc, e, a, galois, keys, NULL, true);
}

typedef struct products {
    const gb_eval *e;
    unsigned limbs;
    const uint64_t *const *plain, *const *babies;
    size_t count;
    uint64_t *acc;
} products;

static void products_limb(void *user, size_t ext, unsigned worker) {
    products *t = user;
    const gb_eval *e = t->e;
    const uint64_t *x[GB_EXTEND_TERMS], *b[GB_EXTEND_TERMS], *a[GB_EXTEND_TERMS];
    size_t part = (t->limbs + e->special) * e->n;
    (void)worker;
    for (size_t i = 0; i < t->count; i++) {
        x[i] = t->plain[i] + ext * e->n;
        b[i] = t->babies[i] + ext * e->n;
        a[i] = b[i] + part;
    }
    e->extend->inner2(t->acc + ext * e->n, t->acc + part + ext * e->n, x, b, a, t->count, e->n,
                      gb_ring_modulus(e->ring, gb_eval_ring_limb(e, t->limbs, (unsigned)ext)));
}

gb_status gb_lazy_products(uint64_t *acc, gb_eval *e, unsigned limbs, const uint64_t *const *plain,
                           const uint64_t *const *babies, size_t count) {
    if (count > GB_EXTEND_TERMS)
        return gb_fail(e->ctx, GB_ERR_ARGUMENT, "at most %d baby steps, not %zu", GB_EXTEND_TERMS, count);
    products t = {e, limbs, plain, babies, count, acc};
    gb_parallel(e->ctx, limbs + e->special, products_limb, &t);
    return GB_OK;
}

typedef struct giant {
    const gb_eval *e;
    unsigned limbs;
    const uint64_t *switched; /* digits of acc's second part times the key, or NULL */
    const uint64_t *acc;
    const uint32_t *index;
    uint64_t *total;
} giant;

static void giant_limb(void *user, size_t ext, unsigned worker) {
    giant *t = user;
    const gb_eval *e = t->e;
    size_t part = (t->limbs + e->special) * e->n, at = ext * e->n;
    const gb_modulus *m = gb_ring_modulus(e->ring, gb_eval_ring_limb(e, t->limbs, (unsigned)ext));
    uint64_t *sum = gb_eval_scratch(e, worker, 0), *turned = gb_eval_scratch(e, worker, 1);
    if (!t->switched) {
        e->kernels->add(t->total + at, t->total + at, t->acc + at, e->n, m);
        e->kernels->add(t->total + part + at, t->total + part + at, t->acc + part + at, e->n, m);
        return;
    }
    e->kernels->add(sum, t->acc + at, t->switched + at, e->n, m);
    e->extend->permute(turned, sum, t->index, e->n);
    e->kernels->add(t->total + at, t->total + at, turned, e->n, m);
    e->extend->permute(turned, t->switched + part + at, t->index, e->n);
    e->kernels->add(t->total + part + at, t->total + part + at, turned, e->n, m);
}

gb_status gb_lazy_giant(uint64_t *total, gb_eval *e, uint64_t *acc, unsigned limbs, uint64_t galois,
                        const gb_eval_keys *keys) {
    giant t = {.e = e, .limbs = limbs, .acc = acc, .total = total};
    if (galois != 1) {
        const gb_switch_key *k;
        size_t part = (limbs + e->special) * e->n;
        GB_TRY(gb_eval_keys_find(&k, e->ctx, keys, galois, limbs));
        GB_TRY(gb_eval_permutation(&t.index, e, galois));
        divide d = {.e = e, .in = {acc + part}, .limbs = limbs, .kept = limbs, .parts = 1, .out = {e->result}};
        GB_TRY(gb_eval_extension(&d.x, e, 0, 0, true));
        divide_run(&d);
        inner in;
        GB_TRY(switch_digits(&in, e, e->result, limbs, k));
        gb_parallel(e->ctx, limbs + e->special, inner_limb, &in);
        t.switched = e->acc;
    }
    gb_parallel(e->ctx, limbs + e->special, giant_limb, &t);
    return GB_OK;
}

gb_status gb_lazy_finish(gb_ct *out, gb_eval *e, uint64_t *acc, unsigned limbs) {
    if (!gb_params_same(out->params, e->params) || out->capacity < limbs)
        return gb_fail(e->ctx, GB_ERR_LEVEL, "the output has room for %u limbs, %u are needed", out->capacity, limbs);
    size_t part = (limbs + e->special) * e->n;
    divide t = {.e = e,
                .in = {acc, acc + part},
                .limbs = limbs,
                .kept = limbs,
                .parts = 2,
                .out = {gb_ct_limb(out, 0, 0), gb_ct_limb(out, 1, 0)}};
    GB_TRY(gb_eval_extension(&t.x, e, 0, 0, true));
    divide_run(&t);
    out->limbs = limbs;
    out->parts = 2;
    out->ntt = true;
    return GB_OK;
}
