/* Linear transforms by diagonals. A step is d = base + k G u + b u with u the steps' common divisor, baby b < G and
 * giant k, so that with z_b = rot_(base + b u)(x)
 *   M x = sum_k rot_(k G u)( sum_b rot_(-k G u)(D_d) * z_b ).
 * Baby rotations share one decomposition of x, and everything stays modulo Q P: a giant step divides one polynomial by
 * P, the end two. Giants 1..K are summed by Horner's rule, total = rot_(G u)(total) + S_k from the highest down, which
 * takes as many rotations as a key each would and needs one key; so for those below 0. */
#include <stdlib.h>

#include "scheme/ckks/ckks.h"
#include "scheme/core/eval.h"

#define MOST_BABIES 64 /* unless the caller asks for more: each is a ciphertext modulo Q P while the transform runs */
#define GIANT_COST 3
#define BATCH 4    /* giant steps summed at once, while the words of the babies are in the second cache */
#define EXPANDED 4 /* rows for plaintexts that are not stored in full */
#define TILE_WORDS ((size_t)1 << 17) /* of all babies in a tile: half of such a cache */

typedef struct term {
    size_t baby;    /* entry of babies */
    long giant;     /* k */
    uint64_t *rows; /* see store() */
} term;

struct gb_ckks_linear {
    const gb_params *params;
    unsigned limbs;
    double scale;
    size_t period, gap;              /* N/2 = period * gap */
    bool compact, packed;            /* how diagonals are stored */
    size_t row_at[GB_MAX_LIMBS + 1]; /* packed: the byte a row starts at */
    bool chained;                    /* babies by one rotation after another */
    bool horner[2];                  /* giants above and below 0 */
    size_t giant, unit;              /* G u and u, in slots */
    term *terms;                     /* sorted by giant, then baby */
    size_t count;
    size_t *babies, baby_count; /* rotations modulo the period */
    size_t *keys, key_count;    /* rotations that need a key, each once */
    size_t fold, folded;        /* rotations fold, 2 fold, ... below folded are added to the result */
    long *order;                /* giants as they are visited: 0, those above from the highest, those below */
    size_t visits;
};

static size_t gcd(size_t a, size_t b) { return b ? gcd(b, a % b) : a; }

static size_t wrap(long step, size_t period) {
    long r = step % (long)period;
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

/* ---- choosing baby and giant steps ---- */
typedef struct split {
    long base;
    size_t baby; /* G */
    size_t cost, keys;
    bool horner[2];
    size_t rotations;
} split;

typedef struct step_set {
    long *at;      /* signed, in one window shorter than the period */
    size_t *marks; /* count entries of work */
    size_t count, period, unit;
    long start; /* the lowest */
    gb_ckks_linear_keys keys;
} step_set;

/* floor((step - base) / (G u)) and what is left, in units */
static long giant_of(const step_set *s, const split *x, size_t i, size_t *baby) {
    long t = (s->at[i] - x->base) / (long)s->unit, g = (long)x->baby;
    long k = t >= 0 ? t / g : -((-t + g - 1) / g);
    if (baby) *baby = (size_t)(t - k * g);
    return k;
}

/* Giant steps on one side of 0; sets whether they are chained. */
static size_t giants_beyond(const step_set *s, split *x, int side) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        long k = giant_of(s, x, i, NULL) * (side ? -1 : 1);
        if (k > 0) s->marks[n++] = (size_t)k;
    }
    n = distinct(s->marks, n);
    size_t top = n ? s->marks[n - 1] : 0;
    x->horner[side] = n == top || s->keys != GB_LINEAR_FAST;
    x->keys += x->horner[side] ? (n > 0) : n;
    return x->horner[side] ? top : n;
}

/* A giant step (a division by P, a decomposition, a key product) counts as three hoisted baby steps, measured; where
 * keys should be few, each key as one more. */
static void weigh(const step_set *s, split *x) {
    x->keys = 0;
    x->rotations = giants_beyond(s, x, 0);
    x->rotations += giants_beyond(s, x, 1);
    for (size_t i = 0; i < s->count; i++) (void)giant_of(s, x, i, &s->marks[i]);
    size_t babies = distinct(s->marks, s->count);
    if (s->keys == GB_LINEAR_FEWEST) {
        size_t last = s->marks[babies - 1], moved = wrap(x->base, s->period) != 0;
        x->keys += (last > 0) + moved;
        x->cost = GIANT_COST * (x->rotations + last + moved);
        return;
    }
    size_t moved = 0;
    for (size_t i = 0; i < babies; i++) moved += wrap(x->base + (long)(s->marks[i] * s->unit), s->period) != 0;
    x->keys += moved;
    x->cost = GIANT_COST * x->rotations + moved + (s->keys == GB_LINEAR_ONE_GIANT ? x->keys : 0);
}

static void keep_better(const step_set *s, split *best, long base, size_t baby) {
    split x = {.base = base, .baby = baby};
    weigh(s, &x);
    if (!best->baby || x.cost < best->cost || (x.cost == best->cost && x.keys < best->keys)) *best = x;
}

/* Babies begin where the steps begin, so that all giants are on one side; or at 0, when that is among the steps' range
 * and a key more does not matter. */
static split choose(const step_set *s, size_t baby) {
    split best = {0};
    size_t span = 1;
    for (size_t i = 0; i < s->count; i++) span = gb_max_size(span, (size_t)(s->at[i] - s->start) / s->unit + 1);
    bool zero = s->keys == GB_LINEAR_FAST && s->start < 0 && s->start % (long)s->unit == 0;
    size_t last = gb_min_size(span, baby ? baby : MOST_BABIES);
    for (size_t g = baby ? last : 1; g <= last; g++) {
        keep_better(s, &best, s->start, g);
        if (zero) keep_better(s, &best, 0, g);
    }
    return best;
}

/* Signed steps in the shortest window of the cycle, and their common divisor; marks holds the wrapped ones, sorted. */
static void place_steps(step_set *s, const size_t *wrapped) {
    const size_t *sorted = s->marks;
    size_t first = 0, widest = sorted[0] + s->period - sorted[s->count - 1];
    for (size_t i = 1; i < s->count; i++)
        if (sorted[i] - sorted[i - 1] > widest) widest = sorted[i] - sorted[i - 1], first = i;
    size_t lowest = sorted[first];
    s->start = (long)lowest - (first ? (long)s->period : 0);
    s->unit = 0;
    for (size_t i = 0; i < s->count; i++) {
        size_t offset = wrap((long)wrapped[i] - (long)lowest, s->period);
        s->at[i] = s->start + (long)offset;
        s->unit = gcd(offset, s->unit);
    }
    if (!s->unit) s->unit = 1;
}

/* ---- making ---- */
static int by_giant(const void *a, const void *b) {
    const term *x = a, *y = b;
    if (x->giant != y->giant) return x->giant < y->giant ? -1 : 1;
    return (x->baby > y->baby) - (x->baby < y->baby);
}

/* Coefficient i, |c| < 2^62 and below half of q0 q1, from the limbs of q0 and q1 (or q0 alone), plus 2^62. */
static uint64_t shifted_coefficient(const gb_ring *r, const uint64_t *data, unsigned limbs, uint64_t inverse,
                                    size_t i) {
    const gb_modulus *q0 = gb_ring_modulus(r, 0), *q1 = gb_ring_modulus(r, limbs - 1);
    unsigned __int128 c = data[i], q = q0->q;
    if (limbs > 1) {
        uint64_t low = data[i] % q1->q, high = data[gb_ring_n(r) + i];
        c += q * gb_mod_mul(high >= low ? high - low : high + q1->q - low, inverse, q1);
        q *= q1->q;
    }
    return (uint64_t)(c > q / 2 ? (UINT64_C(1) << 62) - (uint64_t)(q - c) : (UINT64_C(1) << 62) + (uint64_t)c);
}

/* Of row j: the data primes in use, then the special ones. */
static const gb_modulus *row_modulus(const gb_ckks_linear *m, size_t j) {
    const size_t limb = j < m->limbs ? j : gb_params_get(m->params)->data_count + (j - m->limbs);
    return gb_ring_modulus(gb_params_ring(m->params), limb);
}

/* What is stored of one diagonal. Compact: coefficients. Packed: every limb, in words of as few bytes as its prime
 * takes, for they come from far memory. Else, a vector of a shorter period is a polynomial in X^gap: `gap` neighbours
 * of its transform are equal (entry i is the value at psi^(2 bitrev(i) + 1), and X^gap sees only the high bits of i),
 * and so one of them is kept. */
static size_t stored_bytes(const gb_ckks_linear *m) {
    size_t rows = m->compact ? 1 : m->limbs + gb_params_get(m->params)->special_count;
    if (m->packed) return m->row_at[rows];
    return rows * (gb_ring_n(gb_params_ring(m->params)) / m->gap) * sizeof(uint64_t);
}

static gb_status store(term *t, gb_ctx *ctx, const gb_ckks_linear *m, const gb_pt *plain) {
    const gb_ring *r = gb_params_ring(m->params);
    const gb_modulus *q1 = gb_ring_modulus(r, plain->limbs - 1);
    size_t n = gb_ring_n(r), kept = n / m->gap, rows = m->limbs + gb_params_get(m->params)->special_count;
    uint64_t inverse = plain->limbs > 1 ? gb_mod_inv(gb_ring_modulus(r, 0)->q % q1->q, q1) : 0;
    GB_TRY(gb_alloc(&t->rows, ctx, gb_ceil_div(stored_bytes(m), sizeof(uint64_t)), sizeof(uint64_t)));
    if (m->compact) {
        gb_ring_inverse(r, plain->data, 0, plain->limbs);
        for (size_t i = 0; i < kept; i++)
            t->rows[i] = shifted_coefficient(r, plain->data, plain->limbs, inverse, i * m->gap);
        return GB_OK;
    }
    for (size_t j = 0; m->packed && j < rows; j++)
        gb_words_pack((uint8_t *)t->rows + m->row_at[j], plain->data + j * n, r, row_modulus(m, j));
    for (size_t i = 0; !m->packed && i < rows * kept; i++) t->rows[i] = plain->data[i * m->gap];
    return GB_OK;
}

/* Where diagonals come from: a list, or a dense matrix, row after row. */
typedef struct source {
    const gb_ckks_diagonal *list;
    const double *re, *im;
    size_t rows, cols, row_mask, col_mask; /* of the dense one; masks: powers of two they are padded to, less one */
    const size_t *steps;                   /* of the dense one's diagonals */
} source;

static bool dense_at(size_t *at, const source *s, size_t step, size_t i) {
    size_t row = i & s->row_mask, col = (i + step) & s->col_mask;
    *at = row * s->cols + col;
    return row < s->rows && col < s->cols;
}

/* work: 2 * period doubles; plain: what it is encoded into. */
static gb_status encode_term(term *t, gb_ctx *ctx, const gb_ckks_encoder *e, const source *s, size_t index,
                             const gb_ckks_linear *m, double *work, gb_pt *plain) {
    double *re = work, *im = work + m->period;
    size_t back = wrap(-t->giant * (long)m->giant, m->period); /* turned back by the giant step that follows */
    for (size_t i = 0; i < m->period; i++) {
        size_t from = (i + back) & (m->period - 1);
        bool any = s->list || dense_at(&from, s, s->steps[index], from);
        const double *r = s->list ? s->list[index].re : s->re, *c = s->list ? s->list[index].im : s->im;
        re[i] = any ? r[from] : 0;
        im[i] = any && c ? c[from] : 0;
    }
    GB_TRY(gb_ckks_encode(plain, ctx, e, re, im, m->period, m->scale));
    return store(t, ctx, m, plain);
}

static void add_key(gb_ckks_linear *m, long step) {
    size_t s = wrap(step, m->period);
    if (s) m->keys[m->key_count++] = s;
}

/* Baby rotations and the keys needed; babies has room for every term and every baby, keys for two a term, two,
 * and the folds. */
static void list_rotations(gb_ckks_linear *m, const step_set *s, const split *x) {
    size_t most = 0;
    for (size_t i = 0; i < s->count; i++) {
        size_t baby;
        m->terms[i].giant = giant_of(s, x, i, &baby);
        m->terms[i].baby = m->babies[i] = baby;
        most = gb_max_size(most, baby);
        long k = m->terms[i].giant;
        if (k) add_key(m, m->horner[k < 0] ? (long)m->giant * (k < 0 ? -1 : 1) : k * (long)m->giant);
    }
    m->chained = s->keys == GB_LINEAR_FEWEST;
    m->baby_count = m->chained ? most + 1 : distinct(m->babies, s->count);
    for (size_t i = 0; m->chained && i <= most; i++) m->babies[i] = i;
    for (size_t i = 0; i < s->count; i++) {
        const size_t *at = bsearch(&m->terms[i].baby, m->babies, m->baby_count, sizeof(*at), by_size);
        m->terms[i].baby = (size_t)(at - m->babies);
    }
    for (size_t i = 0; i < m->baby_count; i++) {
        m->babies[i] = wrap(x->base + (long)(m->babies[i] * m->unit), m->period);
        if (!m->chained) add_key(m, (long)m->babies[i]);
    }
    if (m->chained) add_key(m, x->base);
    if (m->chained && most) add_key(m, (long)m->unit);
    for (size_t f = m->fold; f < m->folded; f *= 2) add_key(m, (long)f);
    m->key_count = distinct(m->keys, m->key_count);
}

/* Giants in the order of the run; by Horner's rule also those that have no diagonal. Terms are sorted. */
static gb_status list_visits(gb_ckks_linear *m, gb_ctx *ctx, const split *x) {
    GB_TRY(gb_alloc(&m->order, ctx, x->rotations + 1, sizeof(*m->order)));
    m->order[m->visits++] = 0;
    for (int side = 0; side < 2; side++) {
        long sign = side ? -1 : 1, last = 0;
        for (size_t i = 0; i < m->count; i++) {
            long k = m->terms[side ? i : m->count - 1 - i].giant;
            if (k * sign <= 0 || k == last) continue;
            while (m->horner[side] && last && last - sign != k) m->order[m->visits++] = last -= sign;
            m->order[m->visits++] = last = k;
        }
        while (m->horner[side] && last * sign > 1) m->order[m->visits++] = last -= sign;
    }
    return GB_OK;
}

static gb_status fill(gb_ckks_linear *m, gb_ctx *ctx, const gb_ckks_encoder *e, const source *from, const step_set *s,
                      const split *x) {
    double *work = NULL;
    gb_pt plain = {0};
    m->unit = s->unit;
    m->giant = x->baby * s->unit;
    m->horner[0] = x->horner[0], m->horner[1] = x->horner[1];
    GB_TRY(gb_alloc(&m->babies, ctx, gb_max_size(s->count, x->baby), sizeof(size_t)));
    GB_TRY(gb_alloc(&m->keys, ctx, 2 * s->count + 2 + GB_MAX_LOG_N, sizeof(size_t)));
    list_rotations(m, s, x);
    GB_TRY(gb_alloc(&work, ctx, 2 * m->period, sizeof(double)));
    gb_status status = gb_pt_init(&plain, ctx, m->params, m->compact && m->limbs > 2 ? 2 : m->limbs, !m->compact);
    for (; m->count < s->count && status == GB_OK; m->count++)
        status = encode_term(&m->terms[m->count], ctx, e, from, m->count, m, work, &plain);
    gb_pt_release(&plain);
    gb_free(work);
    if (status != GB_OK) return status;
    qsort(m->terms, m->count, sizeof(term), by_giant);
    return list_visits(m, ctx, x);
}

/* wrapped: `count` steps in [0, period). */
static gb_status plan(gb_ckks_linear *m, gb_ctx *ctx, const gb_ckks_encoder *e, const source *from,
                      const size_t *wrapped, size_t count, const gb_ckks_linear_config *config) {
    step_set s = {.count = count, .period = m->period, .keys = config->keys};
    GB_TRY(gb_alloc_zero(&m->terms, ctx, count, sizeof(term)));
    GB_TRY(gb_alloc(&s.marks, ctx, count, sizeof(size_t)));
    memcpy(s.marks, wrapped, count * sizeof(size_t));
    gb_status status = GB_OK;
    if (distinct(s.marks, count) != count)
        status =
            gb_fail(ctx, GB_ERR_ARGUMENT, "two diagonals have the same step modulo %zu; add them first", m->period);
    if (status == GB_OK) status = gb_alloc(&s.at, ctx, count, sizeof(long));
    if (status == GB_OK) {
        place_steps(&s, wrapped);
        split x = choose(&s, config->baby);
        status = fill(m, ctx, e, from, &s, &x);
    }
    gb_free(s.at);
    gb_free(s.marks);
    return status;
}

void gb_ckks_linear_config_defaults(gb_ckks_linear_config *c) {
    *c = (gb_ckks_linear_config){.size = sizeof *c, .keys = GB_LINEAR_FAST};
}

/* A transform without its diagonals, and *config where it was NULL. */
static gb_status begin(gb_ckks_linear **out, gb_ctx *ctx, const gb_ckks_encoder *e, size_t period, unsigned limbs,
                       double scale, const gb_ckks_linear_config **config, gb_ckks_linear_config *defaults) {
    const gb_params_spec *spec = gb_params_get(gb_ckks_encoder_params(e));
    gb_ckks_linear *m;
    *out = NULL;
    gb_ckks_linear_config_defaults(defaults);
    if (!*config) *config = defaults;
    if ((*config)->size != sizeof **config || (*config)->keys > GB_LINEAR_FEWEST)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "linear transform: options out of range; see gb_ckks_linear_config");
    if (limbs < 1 || limbs > spec->data_count || !spec->special_count)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "linear transform at %u limbs; %s has %zu data and %zu special primes",
                       limbs, spec->name, spec->data_count, spec->special_count);
    GB_TRY(gb_alloc_zero(&m, ctx, 1, sizeof(*m)));
    m->params = gb_ckks_encoder_params(e);
    m->limbs = limbs;
    m->scale = scale;
    m->period = period;
    m->gap = gb_ckks_slots(e) / period;
    m->compact = (*config)->compact;
    m->packed = !m->compact && m->gap == 1;
    for (size_t j = 0; j < limbs + spec->special_count; j++) {
        const size_t bytes = gb_word_bytes(row_modulus(m, j)) * gb_ring_n(gb_params_ring(m->params));
        m->row_at[j + 1] = m->row_at[j] + bytes;
    }
    *out = m;
    return GB_OK;
}

static gb_status finish(gb_ckks_linear **out, gb_status s) {
    if (s == GB_OK) return s;
    gb_ckks_linear_free(*out);
    *out = NULL;
    return s;
}

gb_status gb_ckks_linear_new(gb_ckks_linear **out, gb_ctx *ctx, const gb_ckks_encoder *e, size_t period,
                             const gb_ckks_diagonal *diagonals, size_t count, unsigned limbs, double scale,
                             const gb_ckks_linear_config *config) {
    gb_ckks_linear_config defaults;
    size_t *steps;
    *out = NULL;
    if (period < 1 || period > gb_ckks_slots(e) || (period & (period - 1)) || count < 1 || count > period)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%zu diagonals of %zu slots: the period is a power of two up to %zu",
                       count, period, gb_ckks_slots(e));
    GB_TRY(gb_alloc(&steps, ctx, count, sizeof(size_t)));
    for (size_t i = 0; i < count; i++) steps[i] = wrap(diagonals[i].step, period);
    gb_status s = begin(out, ctx, e, period, limbs, scale, &config, &defaults);
    if (s == GB_OK) s = finish(out, plan(*out, ctx, e, &(source){.list = diagonals}, steps, count, config));
    gb_free(steps);
    return s;
}

static size_t padded(size_t n) {
    size_t p = 1;
    while (p < n) p *= 2;
    return p;
}

/* Whether a diagonal of a dense matrix has an entry that is not 0. */
static bool occupied(const source *s, size_t step, size_t period) {
    for (size_t i = 0, at; i < period; i++)
        if (dense_at(&at, s, step, i) && (s->re[at] != 0 || (s->im && s->im[at] != 0))) return true;
    return false;
}

gb_status gb_ckks_linear_dense(gb_ckks_linear **out, gb_ctx *ctx, const gb_ckks_encoder *e, size_t rows, size_t cols,
                               const double *re, const double *im, unsigned limbs, double scale,
                               const gb_ckks_linear_config *config) {
    gb_ckks_linear_config defaults;
    size_t *steps, count = 0, slots = gb_ckks_slots(e);
    *out = NULL;
    if (rows < 1 || cols < 1 || rows > slots || cols > slots)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a matrix of %zu rows and %zu columns; up to %zu of each", rows, cols,
                       slots);
    size_t tall = padded(rows), wide = padded(cols), period = gb_max_size(tall, wide);
    GB_TRY(gb_alloc(&steps, ctx, gb_min_size(tall, wide), sizeof(size_t)));
    source from = {.re = re, .im = im, .rows = rows, .cols = cols, .row_mask = tall - 1, .col_mask = wide - 1};
    from.steps = steps;
    for (size_t d = 0; d < gb_min_size(tall, wide); d++)
        if (occupied(&from, d, period)) steps[count++] = d;
    if (!count) steps[count++] = 0;
    gb_status s = begin(out, ctx, e, period, limbs, scale, &config, &defaults);
    if (s == GB_OK) {
        (*out)->fold = tall, (*out)->folded = wide;
        s = finish(out, plan(*out, ctx, e, &from, steps, count, config));
    }
    gb_free(steps);
    return s;
}

void gb_ckks_linear_free(gb_ckks_linear *m) {
    if (!m) return;
    for (size_t i = 0; i < m->count; i++) gb_free(m->terms[i].rows);
    gb_free(m->terms);
    gb_free(m->babies);
    gb_free(m->keys);
    gb_free(m->order);
    gb_free(m);
}

size_t gb_ckks_linear_galois(uint64_t *out, size_t max, const gb_ckks_linear *m) {
    for (size_t i = 0; out && i < m->key_count && i < max; i++) out[i] = gb_galois_rotation(m->params, (int)m->keys[i]);
    return m->key_count;
}

static size_t moved_babies(const gb_ckks_linear *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->baby_count; i++) n += m->babies[i] != 0;
    return n;
}

/* Accumulators of a run: the total, a side's, and those of a batch. */
static size_t buffers(const gb_ckks_linear *m) { return 2 + gb_min_size(BATCH, m->visits); }

void gb_ckks_linear_cost(gb_ckks_linear_info *out, const gb_ckks_linear *m) {
    *out = (gb_ckks_linear_info){.keys = m->key_count, .products = m->count};
    out->hoisted = m->chained ? wrap((long)m->babies[0], m->period) != 0 : moved_babies(m);
    out->chained = m->chained ? m->baby_count - 1 : 0;
    out->rotations = m->visits - 1 + out->chained;
    for (size_t f = m->fold; f < m->folded; f *= 2) out->rotations++;
    out->matrix_bytes = stored_bytes(m) * m->count;
    out->work_bytes = (m->baby_count + buffers(m)) * gb_lazy_words(m->params, m->limbs) * sizeof(uint64_t);
}

/* ---- sums of the products of some giant steps ---- */
typedef struct sum {
    const term *terms;
    size_t count;
    uint64_t *acc;
} sum;

typedef struct sum_task {
    gb_eval *e;
    const gb_ckks_linear *m;
    sum sums[BATCH];
    size_t count, tile;
    const uint64_t *babies;
    uint64_t *scratch; /* [threads][EXPANDED + 3][N] */
} sum_task;

/* Words [at, at + tile) of row `ext` of a diagonal that is stored by its distinct entries. */
static void repeat(uint64_t *out, const sum_task *t, const term *x, size_t ext, size_t at) {
    size_t gap = t->m->gap, run = gb_min_size(gap, t->tile);
    const uint64_t *row = x->rows + ext * (t->e->n / gap);
    for (size_t i = 0; i < t->tile; i += run) {
        uint64_t v = row[(at + i) / gap];
        for (size_t j = 0; j < run; j++) out[i + j] = v;
    }
}

/* Row `ext` of a compact diagonal, c + 2^62 = low + 2^31 high. work: three rows. */
static void expand(uint64_t *out, const sum_task *t, const term *x, size_t ext, uint64_t *work) {
    const gb_eval *e = t->e;
    size_t gap = t->m->gap;
    unsigned limb = gb_eval_ring_limb(e, t->m->limbs, (unsigned)ext);
    const gb_modulus *p = gb_ring_modulus(e->ring, limb);
    uint64_t middle = (UINT64_C(1) << 62) % p->q, weight[3] = {1, (UINT64_C(1) << 31) % p->q, p->q - middle};
    uint64_t *low = work, *high = low + e->n, *ones = high + e->n;
    const uint64_t *rows[3] = {low, high, ones};
    for (size_t i = 0; i < e->n; i++) low[i] = 0, high[i] = UINT64_C(1) << 31, ones[i] = 1;
    for (size_t i = 0; i < e->n / gap; i++) {
        low[i * gap] = x->rows[i] & (UINT64_C(0xffffffff) >> 1);
        high[i * gap] = x->rows[i] >> 31;
    }
    e->extend->extend(out, rows, weight, 3, e->n, p);
    gb_ring_forward(e->ring, out, limb, 1);
}

/* out0 += sum0 and out1 += sum1, a tile each; once when they are the same. */
static void add_parts(const sum_task *t, uint64_t *out0, uint64_t *out1, const uint64_t *sum0, const uint64_t *sum1,
                      const gb_modulus *p) {
    t->e->kernels->add(out0, out0, sum0, t->tile, p);
    if (out1 != out0) t->e->kernels->add(out1, out1, sum1, t->tile, p);
}

/* One sum over a tile of limb `ext`, `at` words into it, its plaintexts expanded. */
static void sum_tile(const sum_task *t, const sum *s, size_t ext, size_t at, uint64_t *scratch) {
    const gb_eval *e = t->e;
    const gb_ckks_linear *m = t->m;
    const uint64_t *x[GB_EXTEND_TERMS], *b[GB_EXTEND_TERMS], *a[GB_EXTEND_TERMS];
    const gb_modulus *p = gb_ring_modulus(e->ring, gb_eval_ring_limb(e, m->limbs, (unsigned)ext));
    size_t words = gb_lazy_words(e->params, m->limbs), part = words / 2, from = ext * e->n + at;
    uint64_t *more = scratch, *rows = scratch + 3 * e->n, *acc = s->acc + from;
    size_t most = gb_min_size(GB_EXTEND_TERMS, EXPANDED * e->n / t->tile);
    for (size_t done = 0, n; done < s->count; done += n) {
        n = gb_min_size(most, s->count - done);
        for (size_t i = 0; i < n; i++) {
            const term *y = &s->terms[done + i];
            x[i] = rows + i * t->tile;
            if (m->compact)
                expand(rows + i * t->tile, t, y, ext, more);
            else
                repeat(rows + i * t->tile, t, y, ext, at);
            b[i] = t->babies + y->baby * words + from;
            a[i] = b[i] + part;
        }
        e->extend->inner2(done ? more : acc, done ? more + t->tile : acc + part, x, b, a, n, t->tile, p);
        if (done) add_parts(t, acc, acc + part, more, more + t->tile, p);
    }
}

/* Two sums over a tile, of packed plaintexts: a baby's words are read once for both. What only one of them has is met
 * with zeros in the other; without a second sum, the first is made twice. */
static void sum_pair(const sum_task *t, const sum *s0, const sum *s1, size_t ext, size_t at, uint64_t *scratch) {
    const gb_eval *e = t->e;
    const gb_ckks_linear *m = t->m;
    const uint64_t *x[2][GB_EXTEND_TERMS];
    const uint8_t *b[GB_EXTEND_TERMS], *a[GB_EXTEND_TERMS], *zeros = (const uint8_t *)(scratch + 2 * e->n);
    const gb_modulus *p = gb_ring_modulus(e->ring, gb_eval_ring_limb(e, m->limbs, (unsigned)ext));
    size_t words = gb_lazy_words(e->params, m->limbs), part = words / 2, from = ext * e->n + at;
    unsigned width = gb_word_bytes(p);
    size_t i = 0, j = 0, offset = m->row_at[ext] + at * width;
    for (bool first = true; i < s0->count || j < s1->count; first = false) {
        size_t n = 0;
        for (; n < GB_EXTEND_TERMS && (i < s0->count || j < s1->count); n++) {
            size_t baby = i < s0->count ? s0->terms[i].baby : SIZE_MAX;
            if (j < s1->count && s1->terms[j].baby < baby) baby = s1->terms[j].baby;
            bool one = i < s0->count && s0->terms[i].baby == baby, two = j < s1->count && s1->terms[j].baby == baby;
            x[0][n] = t->babies + baby * words + from;
            x[1][n] = x[0][n] + part;
            b[n] = one ? (const uint8_t *)s0->terms[i++].rows + offset : zeros;
            a[n] = two ? (const uint8_t *)s1->terms[j++].rows + offset : zeros;
        }
        for (size_t k = 0; k < 2; k++) {
            uint64_t *out0 = s0->acc + k * part + from, *out1 = s1->acc + k * part + from;
            if (first) {
                e->extend->inner2_bytes(out0, out1, x[k], b, a, width, n, t->tile, p);
                continue;
            }
            e->extend->inner2_bytes(scratch, scratch + t->tile, x[k], b, a, width, n, t->tile, p);
            add_parts(t, out0, out1, scratch, scratch + t->tile, p);
        }
    }
}

static void sum_limb(void *user, size_t ext, unsigned worker) {
    sum_task *t = user;
    const size_t n = t->e->n, part = gb_lazy_words(t->e->params, t->m->limbs) / 2;
    uint64_t *scratch = t->scratch + (size_t)worker * (EXPANDED + 3) * n;
    if (t->m->packed) memset(scratch + 2 * n, 0, n * sizeof(*scratch));
    for (size_t i = 0; i < t->count; i++) {
        if (t->sums[i].count) continue;
        memset(t->sums[i].acc + ext * n, 0, n * sizeof(uint64_t));
        memset(t->sums[i].acc + part + ext * n, 0, n * sizeof(uint64_t));
    }
    for (size_t at = 0; at < n; at += t->tile) {
        for (size_t i = 0; !t->m->packed && i < t->count; i++) sum_tile(t, &t->sums[i], ext, at, scratch);
        for (size_t i = 0; t->m->packed && i < t->count; i += 2)
            sum_pair(t, &t->sums[i], &t->sums[i + (i + 1 < t->count)], ext, at, scratch);
    }
}

/* ---- applying ---- */
typedef struct apply {
    gb_eval *e;
    const gb_ckks_linear *m;
    const gb_eval_keys *keys;
    size_t words;
    uint64_t *babies, *total, *side, *batch[BATCH], *scratch;
} apply;

static uint64_t rotation(const apply *t, long step) {
    return gb_galois_rotation(t->m->params, (int)wrap(step, t->m->period));
}

/* batch[i] = S_k for visits first + i. */
static void sum_batch(const apply *t, size_t first) {
    const gb_ckks_linear *m = t->m;
    sum_task s = {.e = t->e, .m = m, .babies = t->babies, .scratch = t->scratch, .tile = t->e->n};
    while (!m->compact && s.tile > 512 && 2 * s.tile * m->baby_count > TILE_WORDS) s.tile /= 2;
    for (s.count = 0; s.count < BATCH && first + s.count < m->visits; s.count++) {
        long k = m->order[first + s.count];
        size_t from = 0, to;
        while (from < m->count && m->terms[from].giant < k) from++;
        for (to = from; to < m->count && m->terms[to].giant == k;) to++;
        s.sums[s.count] = (sum){m->terms + from, to - from, t->batch[s.count]};
    }
    gb_parallel(t->e->ctx, m->limbs + t->e->special, sum_limb, &s);
}

/* The baby rotations of a, modulo Q P. */
static gb_status make_babies(const apply *t, const gb_ct *a) {
    const gb_ckks_linear *m = t->m;
    size_t hoisted = m->chained ? 1 : m->baby_count;
    bool moves = false;
    for (size_t i = 0; i < hoisted; i++) moves = moves || m->babies[i];
    if (moves) GB_TRY(gb_hoist_prepare(t->e, a));
    for (size_t i = 0; i < hoisted; i++)
        GB_TRY(gb_lazy_baby(t->babies + i * t->words, t->e, a, rotation(t, (long)m->babies[i]), t->keys));
    for (size_t i = hoisted; i < m->baby_count; i++) {
        uint64_t *now = t->babies + i * t->words;
        memcpy(t->side, now - t->words, t->words * sizeof(*now));
        memset(now, 0, t->words * sizeof(*now));
        GB_TRY(gb_lazy_giant(now, t->e, t->side, m->limbs, rotation(t, (long)m->unit), t->keys));
    }
    return GB_OK;
}

static void swap(uint64_t **a, uint64_t **b) {
    uint64_t *c = *a;
    *a = *b;
    *b = c;
}

/* One visit to giant k, whose products are in *now: straight to the total, or by way of the side's sum, which is there
 * from its first visit to its last. */
static gb_status visit(apply *t, size_t at, uint64_t **now) {
    const gb_ckks_linear *m = t->m;
    long k = m->order[at], step = (k < 0 ? -1 : 1) * (long)m->giant;
    if (k == 0) {
        swap(&t->total, now);
        return GB_OK;
    }
    if (!m->horner[k < 0])
        return gb_lazy_giant(t->total, t->e, *now, m->limbs, rotation(t, k * (long)m->giant), t->keys);
    bool first = m->order[at - 1] == 0 || (m->order[at - 1] < 0) != (k < 0);
    if (!first) GB_TRY(gb_lazy_giant(*now, t->e, t->side, m->limbs, rotation(t, step), t->keys));
    swap(&t->side, now);
    if (k != 1 && k != -1) return GB_OK;
    return gb_lazy_giant(t->total, t->e, t->side, m->limbs, rotation(t, step), t->keys);
}

static gb_status run(gb_ct *out, apply *t, const gb_ct *a) {
    GB_TRY(make_babies(t, a));
    for (size_t i = 0; i < t->m->visits; i++) {
        if (i % BATCH == 0) sum_batch(t, i);
        GB_TRY(visit(t, i, &t->batch[i % BATCH]));
    }
    for (size_t f = t->m->fold; f < t->m->folded; f *= 2) {
        memcpy(t->side, t->total, t->words * sizeof(*t->side));
        GB_TRY(gb_lazy_giant(t->total, t->e, t->side, t->m->limbs, rotation(t, (long)f), t->keys));
    }
    return gb_lazy_finish(out, t->e, t->total, t->m->limbs);
}

gb_status gb_ckks_linear_apply(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ckks_linear *m, const gb_eval_keys *k) {
    gb_ct low = *a; /* a view */
    uint64_t *words;
    if (!gb_params_same(m->params, gb_eval_params(e)))
        return gb_fail(gb_eval_ctx(e), GB_ERR_PARAMS, "transform and evaluator have different parameters");
    if (a->limbs < m->limbs)
        return gb_fail(gb_eval_ctx(e), GB_ERR_LEVEL, "the transform is encoded at %u limbs, the ciphertext has %u",
                       m->limbs, a->limbs);
    low.limbs = m->limbs;
    double scale = a->scale * m->scale;
    apply t = {.e = e, .m = m, .keys = k, .words = gb_lazy_words(m->params, m->limbs)};
    GB_TRY(gb_eval_borrow(&words, e, (m->baby_count + buffers(m)) * t.words));
    t.babies = words;
    t.total = words + m->baby_count * t.words;
    t.side = t.total + t.words;
    for (size_t i = 0; i + 2 < buffers(m); i++) t.batch[i] = t.side + (i + 1) * t.words;
    gb_status s = gb_eval_borrow(&t.scratch, e, (size_t)gb_ctx_threads(e->ctx) * (EXPANDED + 3) * e->n);
    if (s == GB_OK) s = run(out, &t, &low);
    gb_eval_return(e, t.scratch);
    gb_eval_return(e, words);
    if (s == GB_OK) out->scale = scale;
    return s;
}
