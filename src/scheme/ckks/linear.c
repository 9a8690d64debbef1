/* Linear transforms by diagonals: step d = g + b with giant g = k * baby * unit and baby step b < baby * unit, so
 *   M x = sum_g rot_g( sum_b rot_-g(D_{g+b}) * rot_b(x) ).
 * The baby rotations share one decomposition of x and stay modulo Q P; giants divide one polynomial by P each. */
#include <stdlib.h>

#include "scheme/ckks/ckks.h"

typedef struct term {
    size_t baby, giant; /* in slots */
    gb_pt plain;
} term;

struct gb_ckks_linear {
    const gb_params *params;
    unsigned limbs;
    double scale;
    term *terms; /* sorted by giant */
    size_t count;
    size_t *babies, baby_count;
};

static size_t gcd(size_t a, size_t b) { return b ? gcd(b, a % b) : a; }

static size_t wrap(int step, size_t period) {
    long r = (long)step % (long)period;
    return (size_t)(r < 0 ? r + (long)period : r);
}

static int by_size(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static size_t distinct(size_t *x, size_t n) {
    qsort(x, n, sizeof(*x), by_size);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!kept || x[kept - 1] != x[i]) x[kept++] = x[i];
    return kept;
}

/* A giant step costs a division by P, a decomposition and a key product: about four times a hoisted baby step. */
static size_t cheapest_baby(const size_t *steps, size_t count, size_t unit, size_t *work) {
    size_t best = 1, best_cost = SIZE_MAX;
    for (size_t baby = 1; baby <= GB_EXTEND_TERMS; baby *= 2) {
        for (size_t i = 0; i < count; i++) work[i] = steps[i] % (baby * unit);
        size_t cost = distinct(work, count);
        for (size_t i = 0; i < count; i++) work[i] = steps[i] / (baby * unit);
        cost += 4 * distinct(work, count);
        if (cost < best_cost) best_cost = cost, best = baby;
    }
    return best;
}

static int by_giant(const void *a, const void *b) {
    const term *x = a, *y = b;
    if (x->giant != y->giant) return x->giant < y->giant ? -1 : 1;
    return (x->baby > y->baby) - (x->baby < y->baby);
}

static gb_status encode_term(term *t, gb_ctx *ctx, const gb_ckks_encoder *e, const gb_params *p, size_t period,
                             const gb_ckks_diagonal *d, const gb_ckks_linear *m, double *work) {
    double *re = work, *im = work + period;
    for (size_t i = 0; i < period; i++) { /* turned back by the giant step that follows */
        size_t from = (i + period - t->giant) % period;
        re[i] = d->re[from];
        im[i] = d->im ? d->im[from] : 0;
    }
    GB_TRY(gb_pt_init(&t->plain, ctx, p, m->limbs, true));
    return gb_ckks_encode(&t->plain, ctx, e, re, im, period, m->scale);
}

static gb_status linear_fill(gb_ckks_linear *m, gb_ctx *ctx, const gb_ckks_encoder *e, size_t period,
                             const gb_ckks_diagonal *diagonals, size_t count, size_t baby, size_t *steps) {
    size_t unit = 0, *work = steps + count;
    double *values;
    for (size_t i = 0; i < count; i++) {
        steps[i] = work[i] = wrap(diagonals[i].step, period);
        unit = gcd(steps[i], unit);
    }
    if (distinct(work, count) != count)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "two diagonals have the same step modulo %zu; add them first", period);
    if (!unit) unit = 1;
    if (!baby) baby = cheapest_baby(steps, count, unit, work);
    GB_TRY(gb_alloc(&values, ctx, 2 * period, sizeof(double)));
    gb_status s = GB_OK;
    for (size_t i = 0; i < count && s == GB_OK; i++) {
        term *t = &m->terms[m->count++];
        t->baby = steps[i] % (baby * unit);
        t->giant = steps[i] - t->baby;
        m->babies[i] = t->baby;
        s = encode_term(t, ctx, e, m->params, period, &diagonals[i], m, values);
    }
    gb_free(values);
    m->baby_count = distinct(m->babies, m->count);
    qsort(m->terms, m->count, sizeof(term), by_giant);
    if (s == GB_OK && m->baby_count > GB_EXTEND_TERMS)
        s = gb_fail(ctx, GB_ERR_ARGUMENT, "%zu baby steps; at most %d", m->baby_count, GB_EXTEND_TERMS);
    return s;
}

gb_status gb_ckks_linear_new(gb_ckks_linear **out, gb_ctx *ctx, const gb_ckks_encoder *e, size_t period,
                             const gb_ckks_diagonal *diagonals, size_t count, unsigned limbs, double scale,
                             size_t baby) {
    gb_ckks_linear *m;
    size_t *steps = NULL;
    *out = NULL;
    if (period < 1 || period > gb_ckks_slots(e) || (period & (period - 1)) || count < 1 || count > period)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%zu diagonals of %zu slots: the period is a power of two up to %zu",
                       count, period, gb_ckks_slots(e));
    GB_TRY(gb_alloc_zero(&m, ctx, 1, sizeof(*m)));
    m->params = gb_ckks_encoder_params(e);
    m->limbs = limbs;
    m->scale = scale;
    gb_status s = gb_alloc_zero(&m->terms, ctx, count, sizeof(term));
    if (s == GB_OK) s = gb_alloc(&m->babies, ctx, count, sizeof(size_t));
    if (s == GB_OK) s = gb_alloc(&steps, ctx, 2 * count, sizeof(size_t));
    if (s == GB_OK) s = linear_fill(m, ctx, e, period, diagonals, count, baby, steps);
    gb_free(steps);
    if (s != GB_OK) {
        gb_ckks_linear_free(m);
        return s;
    }
    *out = m;
    return GB_OK;
}

void gb_ckks_linear_free(gb_ckks_linear *m) {
    if (!m) return;
    for (size_t i = 0; i < m->count; i++) gb_pt_release(&m->terms[i].plain);
    gb_free(m->terms);
    gb_free(m->babies);
    gb_free(m);
}

size_t gb_ckks_linear_galois(uint64_t *out, size_t max, const gb_ckks_linear *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->baby_count; i++)
        if (m->babies[i]) {
            if (out && n < max) out[n] = gb_galois_rotation(m->params, (int)m->babies[i]);
            n++;
        }
    for (size_t i = 0; i < m->count; i++)
        if (m->terms[i].giant && (!i || m->terms[i - 1].giant != m->terms[i].giant)) {
            if (out && n < max) out[n] = gb_galois_rotation(m->params, (int)m->terms[i].giant);
            n++;
        }
    return n;
}

/* The baby rotations of a, modulo Q P. */
static gb_status make_babies(uint64_t *babies, gb_eval *e, const gb_ct *a, const gb_ckks_linear *m,
                             const gb_eval_keys *k) {
    size_t words = gb_lazy_words(m->params, m->limbs);
    GB_TRY(gb_hoist_prepare(e, a));
    for (size_t i = 0; i < m->baby_count; i++) {
        uint64_t g = gb_galois_rotation(m->params, (int)m->babies[i]);
        GB_TRY(gb_lazy_baby(babies + i * words, e, a, g, k));
    }
    return GB_OK;
}

static gb_status giants(gb_ct *out, gb_eval *e, const gb_ckks_linear *m, const gb_eval_keys *k, uint64_t *babies) {
    size_t words = gb_lazy_words(m->params, m->limbs);
    uint64_t *acc = babies + m->baby_count * words, *total = acc + words;
    memset(total, 0, words * sizeof(uint64_t));
    for (size_t i = 0; i < m->count;) {
        const uint64_t *plain[GB_EXTEND_TERMS], *rotated[GB_EXTEND_TERMS];
        size_t n = 0, giant = m->terms[i].giant;
        for (; i < m->count && m->terms[i].giant == giant; i++, n++) {
            size_t b = 0;
            while (m->babies[b] != m->terms[i].baby) b++;
            plain[n] = m->terms[i].plain.data;
            rotated[n] = babies + b * words;
        }
        GB_TRY(gb_lazy_products(acc, e, m->limbs, plain, rotated, n));
        GB_TRY(gb_lazy_giant(total, e, acc, m->limbs, gb_galois_rotation(m->params, (int)giant), k));
    }
    return gb_lazy_finish(out, e, total, m->limbs);
}

gb_status gb_ckks_linear_apply(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ckks_linear *m, const gb_eval_keys *k) {
    gb_ct low = *a; /* a view */
    uint64_t *work;
    if (!gb_params_same(m->params, gb_eval_params(e)))
        return gb_fail(gb_eval_ctx(e), GB_ERR_PARAMS, "transform and evaluator have different parameters");
    if (a->limbs < m->limbs)
        return gb_fail(gb_eval_ctx(e), GB_ERR_LEVEL, "the transform is encoded at %u limbs, the ciphertext has %u",
                       m->limbs, a->limbs);
    low.limbs = m->limbs;
    double scale = a->scale * m->scale;
    GB_TRY(gb_eval_borrow(&work, e, (m->baby_count + 2) * gb_lazy_words(m->params, m->limbs)));
    gb_status s = make_babies(work, e, &low, m, k);
    if (s == GB_OK) s = giants(out, e, m, k, work);
    gb_eval_return(e, work);
    if (s == GB_OK) out->scale = scale;
    return s;
}
