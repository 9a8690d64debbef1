/* program/dry: the evaluator that carries scale, bound and noise instead of data, and the backend that only counts.
 *
 * Every value is an integer value * scale plus noise, modulo Q or 2^K. Two noises are carried, as standard deviations:
 * noise_rms, what is expected when the noise of different lines is independent; and noise_max, a sub-Gaussian parameter
 * that holds however it is correlated (independent lines add in squares, correlated ones in absolute values), for any
 * ternary secret, and for inputs encrypted with the public key too. Sources:
 *  - fresh: centred binomial, variance 10.5 (kernel.h); with a public key e0 + e u + e1 s: 10.5 (1 + 2 N) at most;
 *  - switch Q -> 2^K: rounds c0 and c1: (1 + |s|^2) / 12, |s|^2 = 2 N / 3 expected and N at most; at most 1 off instead
 *    of 1/2 (kernel.h, switch_pow2): 4 times the variance;
 *  - constants rounded to integers are exact multiples of another constant, not noise: `error`, from the usual
 *    assumption of independent rounding errors and of values of rms bound / 8. It decides nothing but the choice of
 *    scales and the forecast. */
#include <math.h>

#include "program/run.h"

#define FRESH_VARIANCE 10.5
#define CREST 8.0            /* largest |value| over rms of typical data */
#define ALIGN_MAX 1048576.0  /* largest multiplier of an add */
#define ALIGN_TOLERANCE 1e-9 /* relative difference of scales taken as none */
#define ALIGN_CLOSE 2e-6     /* what multipliers must reach */

static double square(double x) { return x * x; }

static void unary(gb_step *s, const gb_step *a) {
    s->scale = a->scale;
    s->bound = a->bound;
    s->noise_rms = a->noise_rms;
    s->noise_max = a->noise_max;
    s->error = a->error;
    s->correlated_lines = a->correlated_lines;
    s->correlated_all = a->correlated_all;
}

static void dry_input(gb_step *s, const gb_params *params, const gb_dry_choice *choice) {
    double n = (double)gb_ring_n(gb_params_ring(params));
    s->scale = choice->data_scale;
    s->bound = s->def->max_abs;
    s->noise_rms = sqrt(FRESH_VARIANCE);
    s->noise_max = sqrt(FRESH_VARIANCE * (1 + 2 * n));
    s->error = sqrt(1 / 12.0) / s->scale;
}

/* The best a / b = ratio with a, b <= ALIGN_MAX by continued fractions; false when none is close enough. */
static bool fraction(int64_t *a, int64_t *b, double ratio) {
    if (!(ratio <= ALIGN_MAX)) return false;
    double x = ratio, p0 = 1, q0 = 0, p1 = floor(x), q1 = 1;
    for (int i = 0; i < 40 && fabs(p1 / q1 / ratio - 1) > ALIGN_TOLERANCE; i++) {
        double rest = x - floor(x);
        if (rest < 1e-12) break;
        x = 1 / rest;
        double p2 = floor(x) * p1 + p0, q2 = floor(x) * q1 + q0;
        if (p2 > ALIGN_MAX || q2 > ALIGN_MAX) break;
        p0 = p1, q0 = q1, p1 = p2, q1 = q2;
    }
    *a = (int64_t)p1;
    *b = (int64_t)q1;
    return p1 >= 1 && p1 <= ALIGN_MAX && fabs(p1 / q1 / ratio - 1) < ALIGN_CLOSE;
}

/* Both arguments are brought to one scale by integers: A scale_a = B scale_b. */
static gb_status dry_add(gb_ctx *ctx, gb_step *s, const gb_step *a, const gb_step *b) {
    double ratio = b->scale / a->scale;
    bool found = ratio >= 1 ? fraction(&s->multiply[0], &s->multiply[1], ratio)
                            : fraction(&s->multiply[1], &s->multiply[0], 1 / ratio);
    if (!found)
        return gb_fail(ctx, GB_ERR_LEVEL,
                       "add: node %u has scales whose ratio %g is no ratio of numbers up to 2^20; scale its arguments",
                       s->node, ratio);
    double ma = (double)s->multiply[0], mb = (double)s->multiply[1];
    s->scale = ma * a->scale;
    s->bound = a->bound + b->bound;
    s->noise_rms = sqrt(square(ma * a->noise_rms) + square(mb * b->noise_rms));
    s->noise_max = ma * a->noise_max + mb * b->noise_max; /* the two may be the same ciphertexts */
    double mismatch = fabs(mb * b->scale / s->scale - 1) * b->bound / CREST;
    s->error = a->error + b->error + mismatch; /* both may come from the same rounded constants */
    s->correlated_lines = a->correlated_lines || b->correlated_lines;
    s->correlated_all = a->correlated_all || b->correlated_all;
    return GB_OK;
}

static void dry_scale(gb_step *s, const gb_step *a) {
    double f = fabs(s->def->factor);
    unary(s, a);
    s->multiply[0] = s->def->factor < 0 ? -1 : 1;
    s->scale = a->scale / f;
    s->bound = a->bound * f;
    s->error = a->error * f;
}

static void dry_convolve(gb_step *s, const gb_step *a, const gb_dry_choice *choice) {
    const gb_op_node *n = s->def;
    size_t reach = gb_min_size(n->tap_count / 2, n->last - 1), from = n->tap_count / 2 - reach;
    double largest = 0, sum = 0, squares = 0;
    for (size_t i = from; i <= from + 2 * reach; i++) {
        largest = fmax(largest, fabs(n->taps[i]));
        sum += fabs(n->taps[i]);
        squares += square(n->taps[i]);
    }
    double f = choice->tap_scale / (largest > 0 ? largest : 1);
    unary(s, a);
    s->scale = a->scale * f;
    s->bound = a->bound * sum;
    s->noise_rms = a->noise_rms * f * sqrt(squares);
    /* integer taps differ from real ones by less than 2 each */
    s->noise_max = a->noise_max * (a->correlated_lines || a->correlated_all
                                       ? f * sum + 2.0 * (double)(2 * reach + 1)
                                       : f * sqrt(squares) + 2 * sqrt((double)(2 * reach + 1)));
    double taps = gb_tap_error(n->taps, n->tap_count, n->last, f) * a->bound / CREST;
    s->error = sqrt(square(a->error) * squares + square(taps));
    s->correlated_lines = true;
}

static void dry_switch(gb_step *s, const gb_step *a, const gb_params *params) {
    const gb_ring *ring = gb_params_ring(params);
    double n = (double)gb_ring_n(ring), ratio = exp2((double)s->bits - gb_ring_log2_q(ring, a->limbs));
    unary(s, a);
    s->scale = a->scale * ratio;
    s->noise_rms = sqrt(square(a->noise_rms * ratio) + (1 + 2 * n / 3) / 12);
    s->noise_max = sqrt(square(a->noise_max * ratio) + (1 + n) / 3);
}

/* weights of an integer `unit`: sum and sum of squares of a row's true weights, at most; independent rounding. */
static void dry_rows(gb_step *s, const gb_step *a, double unit, double sum, double squares, double expected,
                     double terms, bool correlated) {
    unary(s, a);
    s->scale = a->scale * unit;
    s->bound = a->bound * sum;
    s->noise_rms = a->noise_rms * unit * sqrt(expected);
    s->noise_max = a->noise_max * (correlated ? unit * sum + terms / 2 : unit * sqrt(squares) + sqrt(terms) / 2);
    double weights = sqrt(terms / 12) / unit * a->bound / CREST;
    s->error = sqrt(square(a->error) * expected + square(weights));
    s->correlated_lines = s->correlated_all = true;
}

static void dry_map(gb_step *s, const gb_step *a, unsigned weight_bits) {
    const gb_csr *m = &s->def->map;
    double sum = 0, squares = 0, terms = 0;
    for (size_t r = 0; r < m->rows; r++) {
        double row = 0, row2 = 0;
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++) {
            row += fabs(m->weight[e]);
            row2 += square(m->weight[e]);
        }
        sum = fmax(sum, row);
        squares = fmax(squares, row2);
        terms = fmax(terms, (double)(m->start[r + 1] - m->start[r]));
    }
    dry_rows(s, a, gb_map_unit(m, weight_bits), sum, squares, squares, terms, a->correlated_lines || a->correlated_all);
}

/* Two taps (1 - w, w) of a set: squares at most 1 and 2/3 expected. Noise correlated along the last axis only may add
 * up to sum^2 = 1 within a set, and sets stay independent. */
static void dry_gather(gb_step *s, const gb_step *a, unsigned weight_bits) {
    double sets = (double)s->def->sets, unit = (double)(1u << weight_bits);
    double each = s->def->nearest ? 1 : 2.0 / 3;
    unary(s, a);
    s->scale = a->scale * unit / s->def->factor;
    s->bound = a->bound * sets * s->def->factor;
    s->noise_rms = a->noise_rms * unit * sqrt(sets * each);
    s->noise_max = a->noise_max * unit * (a->correlated_all ? sets : sqrt(sets));
    double weights = s->def->nearest ? 0 : sqrt(sets / 6) / unit * a->bound / CREST * s->def->factor;
    s->error = sqrt(square(a->error * s->def->factor) * sets * each + square(weights));
    s->correlated_lines = s->correlated_all = true;
}

/* Weights that one line of one set gets: for a fixed k at most ni, and 1 / |step_i| + 1 as positions are step_i apart
 * and the two taps make a triangle of area 1; likewise with i and k exchanged. */
static double scatter_sum(const gb_op_node *n) {
    double most = 0, ni = (double)n->ni, nk = (double)n->nk;
    for (size_t t = 0; t < n->sets; t++) {
        double i = fmin(ni, 1 / fabs(n->affine[t].step_i) + 1), k = fmin(nk, 1 / fabs(n->affine[t].step_k) + 1);
        most = fmax(most, fmin(nk * i, ni * k));
    }
    return most;
}

static void dry_scatter(gb_step *s, const gb_step *a, unsigned weight_bits) {
    double unit = (double)(1u << weight_bits), sum = scatter_sum(s->def), f = s->def->factor;
    double each = s->def->nearest ? 1 : 2.0 / 3, terms = s->def->nearest ? 0 : 2 * sum;
    dry_rows(s, a, unit, sum, sum, each * sum, terms, a->correlated_lines || a->correlated_all);
    s->scale /= f;
    s->bound *= f;
    s->error *= f;
}

gb_status gb_dry_run(gb_ctx *ctx, gb_graph *g, const gb_params *params, unsigned weight_bits,
                     const gb_dry_choice *choice) {
    for (size_t i = 0; i < g->count; i++) {
        gb_step *s = &g->step[i];
        const gb_step *a = &g->step[s->arg[0]];
        switch (s->op) {
        case GB_OP_INPUT:
            dry_input(s, params, choice);
            break;
        case GB_OP_ADD:
            GB_TRY(dry_add(ctx, s, a, &g->step[s->arg[1]]));
            break;
        case GB_OP_SCALE:
            dry_scale(s, a);
            break;
        case GB_OP_CONVOLVE:
            dry_convolve(s, a, choice);
            break;
        case GB_OP_SWITCH:
            dry_switch(s, a, params);
            break;
        case GB_OP_MAP:
            dry_map(s, a, weight_bits);
            break;
        case GB_OP_GATHER:
            dry_gather(s, a, weight_bits);
            break;
        case GB_OP_SCATTER:
            dry_scatter(s, a, weight_bits);
            break;
        default:
            unary(s, a);
            break;
        }
        if (s->def->max_abs > 0 && (s->op != GB_OP_SWITCH || s->def->op == GB_OP_SWITCH))
            s->bound = fmin(s->bound, s->def->max_abs);
    }
    return GB_OK;
}
