/* Building a circuit: every step's level, range and noise, and what is refused. */
#include <math.h>

#include "scheme/circuit/internal.h"

#define MOST_STEPS 65536

static const char *const names[] = {
    [GB_STEP_INPUT] = "input",
    [GB_STEP_ADD] = "add",
    [GB_STEP_SUB] = "subtract",
    [GB_STEP_NEG] = "negate",
    [GB_STEP_MUL] = "multiply",
    [GB_STEP_TIMES] = "multiply by an integer",
    [GB_STEP_AUTOMORPHISM] = "rotate",
    [GB_STEP_LOWER] = "lower",
    [GB_STEP_ADD_NUMBER] = "add a number",
    [GB_STEP_MUL_NUMBER] = "multiply by a number",
    [GB_STEP_ADD_VECTOR] = "add a vector",
    [GB_STEP_MUL_VECTOR] = "multiply by a vector",
    [GB_STEP_LINEAR] = "matrix",
    [GB_STEP_POLY] = "polynomial",
    [GB_STEP_ADD_INTEGERS] = "add integers",
    [GB_STEP_MUL_INTEGERS] = "multiply by integers",
    [GB_STEP_BFV_POLY] = "integer polynomial",
};

/* ---- life ---- */
static gb_status new_circuit(gb_circuit **out, gb_ctx *ctx, const gb_params *p, unsigned digit) {
    gb_circuit *c;
    GB_TRY(gb_alloc_zero(&c, ctx, 1, sizeof *c));
    c->ctx = ctx;
    c->params = p;
    c->top = gb_params_level(p, (unsigned)gb_params_get(p)->data_count);
    gb_noise_model_init(&c->average, p, digit);
    c->sure = c->average;
    c->sure.dependent = true;
    *out = c;
    return GB_OK;
}

gb_status gb_circuit_new_ckks(gb_circuit **out, gb_ctx *ctx, const gb_ckks_encoder *e, unsigned digit, double scale) {
    *out = NULL;
    if (!(scale >= 0x1p10 && scale <= 0x1p120))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "circuit: a scale of 2^%.1f; it must be from 2^10 to 2^120", log2(scale));
    GB_TRY(new_circuit(out, ctx, gb_ckks_encoder_params(e), digit));
    gb_circuit *c = *out;
    c->encoder = e;
    c->scale[c->top] = scale;
    for (unsigned l = c->top; l-- > 0;)
        c->scale[l] = c->scale[l + 1] * c->scale[l + 1] / gb_params_divisor(c->params, l + 1);
    return GB_OK;
}

gb_status gb_circuit_new_bfv(gb_circuit **out, gb_ctx *ctx, const gb_bfv *b, unsigned digit) {
    *out = NULL;
    GB_TRY(new_circuit(out, ctx, gb_bfv_params(b), digit));
    (*out)->bfv = b;
    for (unsigned l = 0; l <= (*out)->top; l++) (*out)->scale[l] = 1;
    return GB_OK;
}

static void step_release(gb_circuit_step *s) {
    gb_free(s->re);
    gb_free(s->im);
    gb_free(s->integers);
    gb_ckks_linear_free(s->linear);
    gb_bfv_poly_release(&s->table);
    memset(s, 0, sizeof *s);
}

void gb_circuit_free(gb_circuit *c) {
    if (!c) return;
    for (size_t i = 0; i < c->count; i++) step_release(&c->step[i]);
    gb_free(c->step);
    gb_free(c->output);
    gb_free(c->key);
    gb_free(c);
}

unsigned gb_circuit_top(const gb_circuit *c) { return c->top; }
double gb_circuit_scale(const gb_circuit *c, unsigned level) { return level <= c->top ? c->scale[level] : 0; }
size_t gb_circuit_wires(const gb_circuit *c) { return c->count; }
void gb_circuit_wire(gb_wire_info *out, const gb_circuit *c, gb_wire a) { *out = c->step[a].info; }

/* ---- ranges ---- */
static const gb_interval anything = {-INFINITY, INFINITY};

static bool watched(gb_interval x) { return isfinite(x.low) && isfinite(x.high); }

static gb_interval sum_of(gb_interval a, gb_interval b, bool minus) {
    if (!watched(a) || !watched(b)) return anything;
    return minus ? (gb_interval){a.low - b.high, a.high - b.low} : (gb_interval){a.low + b.low, a.high + b.high};
}

static gb_interval product_of(gb_interval a, gb_interval b) {
    if (!watched(a) || !watched(b)) return anything;
    double p = a.low * b.low, q = a.low * b.high, r = a.high * b.low, s = a.high * b.high;
    return (gb_interval){fmin(fmin(p, q), fmin(r, s)), fmax(fmax(p, q), fmax(r, s))};
}

static gb_interval square_of(gb_interval a) {
    double most = gb_interval_most(a), least = fmin(fabs(a.low), fabs(a.high));
    if (!watched(a)) return anything;
    return (gb_interval){a.low <= 0 && a.high >= 0 ? 0 : least * least, most * most};
}

/* ---- a step ---- */
static uint64_t modulus(const gb_circuit *c) { return c->bfv ? gb_bfv_modulus(c->bfv) : 0; }

static void name_of(char name[64], const gb_circuit *c, gb_step_kind kind) {
    (void)snprintf(name, 64, "%s (step %zu)", names[kind], c->count);
}

static gb_status begin(gb_circuit_step *s, gb_circuit *c, gb_step_kind kind, unsigned args, gb_wire a, gb_wire b,
                       bool ckks, bool bfv) {
    memset(s, 0, sizeof *s);
    s->kind = kind, s->args = args, s->arg[0] = a, s->arg[1] = b;
    if ((c->bfv && !bfv) || (c->encoder && !ckks))
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "%s (step %zu): not an operation of %s", names[kind], c->count,
                       c->bfv ? "BFV" : "CKKS");
    if ((args > 0 && a >= c->count) || (args > 1 && b >= c->count))
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "%s (step %zu): takes earlier steps, not %u and %u", names[kind],
                       c->count, a, b);
    if (args) s->info = c->step[a].info;
    s->info.op = names[kind];
    return GB_OK;
}

/* `levels` more must be left; the result is that much lower. */
static gb_status spend(gb_circuit_step *s, gb_circuit *c, unsigned levels) {
    if (s->info.level < levels)
        return gb_fail(c->ctx, GB_ERR_LEVEL, "%s (step %zu): needs %u levels, its operand has %u", names[s->kind],
                       c->count, levels, s->info.level);
    s->info.level -= levels;
    s->info.limbs = gb_params_limbs(c->params, s->info.level);
    return GB_OK;
}

static unsigned primes_of(const gb_circuit *c, unsigned level) {
    return gb_params_limbs(c->params, level) - gb_params_limbs(c->params, level - 1);
}

static void divide(gb_circuit_step *s, gb_circuit *c, unsigned level) {
    gb_noise_divide(&s->info.average, &c->average, &s->info.average, primes_of(c, level));
    gb_noise_divide(&s->info.sure, &c->sure, &s->info.sure, primes_of(c, level));
}

/* Messages follow the range, which is never wider than what the noise model makes of them. */
static void settle(gb_circuit_step *s, const gb_circuit *c) {
    gb_wire_info *i = &s->info;
    double most = log2(i->scale * gb_interval_most(i->range)),
           flat = most - gb_ring_log_n(gb_params_ring(c->params)) / 2.0;
    i->average.message_worst = i->sure.message_worst = most;
    i->sure.message_rms = flat;
    i->average.message_rms = fmin(i->average.message_rms, flat);
    i->precision = gb_noise_precision(&c->sure, &i->sure, i->scale);
}

static gb_status check(gb_circuit_step *s, gb_circuit *c) {
    char name[64];
    name_of(name, c, s->kind);
    if (c->bfv) {
        double half = (double)modulus(c) / 2;
        if (watched(s->info.range) && (s->info.range.low < -half || s->info.range.high > half))
            return gb_fail(c->ctx, GB_ERR_RANGE,
                           "%s: values may reach [%.0f, %.0f], over t/2 = %.0f; declare less, or take a larger t", name,
                           s->info.range.low, s->info.range.high, half);
        GB_TRY(gb_noise_bfv_check(c->ctx, &c->sure, &s->info.sure, modulus(c), name));
    } else {
        settle(s, c);
        GB_TRY(gb_noise_check(c->ctx, &c->sure, &s->info.sure, name));
    }
    s->info.failure = gb_noise_failure(&c->sure, &s->info.sure, modulus(c));
    return GB_OK;
}

static gb_status grow(gb_circuit *c) {
    gb_circuit_step *more;
    size_t capacity = c->capacity ? 2 * c->capacity : 16;
    if (c->count < c->capacity) return GB_OK;
    if (c->count >= MOST_STEPS) return gb_fail(c->ctx, GB_ERR_LIMIT, "circuit: more than %d steps", MOST_STEPS);
    GB_TRY(gb_alloc(&more, c->ctx, capacity, sizeof *more));
    if (c->count) memcpy(more, c->step, c->count * sizeof *more);
    gb_free(c->step);
    c->step = more, c->capacity = capacity;
    return GB_OK;
}

/* Takes *s over, also when it is refused. */
static gb_status push(gb_wire *out, gb_circuit *c, gb_circuit_step *s) {
    gb_status status = check(s, c);
    if (status == GB_OK) status = grow(c);
    if (status != GB_OK) {
        step_release(s);
        return status;
    }
    c->step[c->count] = *s;
    *out = (gb_wire)c->count++;
    return GB_OK;
}

/* ---- in and out ---- */
gb_status gb_circuit_add_input(gb_wire *out, gb_circuit *c, const gb_circuit_input *in) {
    gb_circuit_step s;
    double most = gb_interval_most(in->range), typical = in->typical > 0 ? fmin(in->typical, most) : most;
    GB_TRY(begin(&s, c, GB_STEP_INPUT, 0, 0, 0, true, true));
    if (in->level > c->top)
        return gb_fail(c->ctx, GB_ERR_LEVEL, "input (step %zu): level %u, the set has %u", c->count, in->level, c->top);
    if (!(in->range.low <= in->range.high) || (c->encoder && !watched(in->range)) ||
        watched(in->range) != (isfinite(in->range.low) || isfinite(in->range.high)))
        return gb_fail(c->ctx, GB_ERR_RANGE, "input (step %zu): [%g, %g] is no range", c->count, in->range.low,
                       in->range.high);
    unsigned limbs = gb_params_limbs(c->params, in->level);
    s.number = c->inputs;
    s.info.level = in->level, s.info.limbs = limbs, s.info.scale = c->scale[in->level];
    s.info.range = in->complex ? (gb_interval){-most, most} : in->range, s.info.complex = in->complex;
    if (c->bfv) {
        gb_noise_bfv_fresh(&s.info.average, &c->average, limbs, modulus(c), in->public_key);
        gb_noise_bfv_fresh(&s.info.sure, &c->sure, limbs, modulus(c), in->public_key);
    } else {
        gb_noise_fresh(&s.info.average, &c->average, limbs, s.info.scale, most, typical, in->public_key);
        gb_noise_fresh(&s.info.sure, &c->sure, limbs, s.info.scale, most, most, in->public_key);
    }
    GB_TRY(push(out, c, &s));
    c->inputs++;
    return GB_OK;
}

gb_status gb_circuit_add_output(gb_circuit *c, gb_wire a, double precision) {
    if (a >= c->count) return gb_fail(c->ctx, GB_ERR_ARGUMENT, "output: there is no step %u yet", a);
    const gb_wire_info *i = &c->step[a].info;
    if (c->encoder && precision > 0 && !(i->precision >= precision))
        return gb_fail(c->ctx, GB_ERR_NOISE,
                       "output of %s (step %u): its worst slot is right to %.1f bits after the point, %.1f are asked "
                       "for; use a larger scale or fewer steps",
                       i->op, a, i->precision, precision);
    if (c->outputs == c->output_capacity) {
        gb_wire *more;
        size_t capacity = c->outputs ? 2 * c->outputs : 4;
        GB_TRY(gb_alloc(&more, c->ctx, capacity, sizeof *more));
        if (c->outputs) memcpy(more, c->output, c->outputs * sizeof *more);
        gb_free(c->output);
        c->output = more, c->output_capacity = capacity;
    }
    c->output[c->outputs++] = a;
    gb_status status = gb_circuit_collect(c);
    if (status != GB_OK) c->outputs--;
    return status;
}

/* ---- steps of both schemes ---- */
gb_status gb_circuit_lower(gb_wire *out, gb_circuit *c, gb_wire a, unsigned level) {
    gb_circuit_step s;
    GB_TRY(begin(&s, c, GB_STEP_LOWER, 1, a, 0, true, true));
    unsigned from = s.info.level;
    if (level == from) {
        *out = a;
        return GB_OK;
    }
    for (size_t i = a; i < c->count; i++) /* it may be there already */
        if (c->step[i].kind == GB_STEP_LOWER && c->step[i].arg[0] == a && c->step[i].info.level == level) {
            *out = (gb_wire)i;
            return GB_OK;
        }
    if (level > from)
        return gb_fail(c->ctx, GB_ERR_LEVEL, "lower (step %zu): from level %u to %u", c->count, from, level);
    if (c->bfv) {
        for (unsigned l = from; l > level; l--) {
            gb_noise_bfv_divide(&s.info.average, &c->average, &s.info.average, primes_of(c, l));
            gb_noise_bfv_divide(&s.info.sure, &c->sure, &s.info.sure, primes_of(c, l));
        }
    } else {
        s.real = c->scale[level] * gb_params_divisor(c->params, level + 1) / s.info.scale;
        s.info.average.limbs = s.info.sure.limbs = gb_params_limbs(c->params, level + 1);
        gb_noise_mul_scalar(&s.info.average, &s.info.average, 1, s.real);
        gb_noise_mul_scalar(&s.info.sure, &s.info.sure, 1, s.real);
        divide(&s, c, level + 1);
    }
    s.info.level = level, s.info.limbs = gb_params_limbs(c->params, level), s.info.scale = c->scale[level];
    return push(out, c, &s);
}

/* Both operands at the lower one's level. */
static gb_status meet(gb_circuit *c, gb_wire *a, gb_wire *b) {
    if (*a >= c->count || *b >= c->count) return GB_OK; /* begin refuses it */
    unsigned la = c->step[*a].info.level, lb = c->step[*b].info.level;
    if (la > lb) return gb_circuit_lower(a, c, *a, lb);
    return gb_circuit_lower(b, c, *b, la);
}

static gb_status sum(gb_wire *out, gb_circuit *c, gb_wire a, gb_wire b, bool minus) {
    gb_circuit_step s;
    GB_TRY(meet(c, &a, &b));
    GB_TRY(begin(&s, c, minus ? GB_STEP_SUB : GB_STEP_ADD, 2, a, b, true, true));
    const gb_wire_info *x = &c->step[a].info, *y = &c->step[b].info;
    if (c->bfv) {
        gb_noise_bfv_add(&s.info.average, &c->average, &x->average, &y->average, modulus(c));
        gb_noise_bfv_add(&s.info.sure, &c->sure, &x->sure, &y->sure, modulus(c));
    } else {
        gb_noise_add(&s.info.average, &c->average, &x->average, &y->average);
        gb_noise_add(&s.info.sure, &c->sure, &x->sure, &y->sure);
    }
    s.info.range = sum_of(x->range, y->range, minus);
    s.info.complex = x->complex || y->complex;
    if (s.info.complex) s.info.range.high = gb_interval_most(s.info.range), s.info.range.low = -s.info.range.high;
    return push(out, c, &s);
}

gb_status gb_circuit_add(gb_wire *out, gb_circuit *c, gb_wire a, gb_wire b) { return sum(out, c, a, b, false); }
gb_status gb_circuit_sub(gb_wire *out, gb_circuit *c, gb_wire a, gb_wire b) { return sum(out, c, a, b, true); }

gb_status gb_circuit_neg(gb_wire *out, gb_circuit *c, gb_wire a) {
    gb_circuit_step s;
    GB_TRY(begin(&s, c, GB_STEP_NEG, 1, a, 0, true, true));
    s.info.range = (gb_interval){-s.info.range.high, -s.info.range.low};
    return push(out, c, &s);
}

gb_status gb_circuit_mul(gb_wire *out, gb_circuit *c, gb_wire a, gb_wire b) {
    gb_circuit_step s;
    GB_TRY(meet(c, &a, &b));
    GB_TRY(begin(&s, c, GB_STEP_MUL, 2, a, b, true, true));
    const gb_wire_info *x = &c->step[a].info, *y = &c->step[b].info;
    s.key_limbs = x->limbs;
    s.info.complex = x->complex || y->complex;
    s.info.range = a == b && !x->complex ? square_of(x->range) : product_of(x->range, y->range);
    if (c->bfv) {
        gb_noise_bfv_tensor(&s.info.average, &c->average, &x->average, &y->average, modulus(c));
        gb_noise_bfv_tensor(&s.info.sure, &c->sure, &x->sure, &y->sure, modulus(c));
        gb_noise_relinearize(&s.info.average, &c->average, &s.info.average);
        gb_noise_relinearize(&s.info.sure, &c->sure, &s.info.sure);
        return push(out, c, &s);
    }
    GB_TRY(spend(&s, c, 1));
    s.info.scale = c->scale[s.info.level];
    gb_noise_tensor(&s.info.average, &c->average, &x->average, &y->average);
    gb_noise_tensor(&s.info.sure, &c->sure, &x->sure, &y->sure);
    gb_noise_relinearize_divide(&s.info.average, &c->average, &s.info.average, primes_of(c, x->level));
    gb_noise_relinearize_divide(&s.info.sure, &c->sure, &s.info.sure, primes_of(c, x->level));
    return push(out, c, &s);
}

gb_status gb_circuit_times(gb_wire *out, gb_circuit *c, gb_wire a, int64_t v) {
    gb_circuit_step s;
    GB_TRY(begin(&s, c, GB_STEP_TIMES, 1, a, 0, true, true));
    double most = c->bfv ? (double)modulus(c) / 2 : 0x1p52;
    if (!(fabs((double)v) < most))
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "multiply by an integer (step %zu): %lld, at most %.0f", c->count,
                       (long long)v, most);
    s.integer = v;
    if (c->bfv) {
        gb_noise_bfv_mul_scalar(&s.info.average, &s.info.average, v);
        gb_noise_bfv_mul_scalar(&s.info.sure, &s.info.sure, v);
    } else {
        gb_noise_times(&s.info.average, &s.info.average, (double)v);
        gb_noise_times(&s.info.sure, &s.info.sure, (double)v);
    }
    s.info.range = product_of(s.info.range, (gb_interval){(double)v, (double)v});
    return push(out, c, &s);
}

static gb_status automorphism(gb_wire *out, gb_circuit *c, gb_wire a, uint64_t galois) {
    gb_circuit_step s;
    if (galois == 1 && a < c->count) {
        *out = a;
        return GB_OK;
    }
    GB_TRY(begin(&s, c, GB_STEP_AUTOMORPHISM, 1, a, 0, true, true));
    s.galois = galois;
    s.key_limbs = s.info.limbs;
    gb_noise_automorphism(&s.info.average, &c->average, &s.info.average);
    gb_noise_automorphism(&s.info.sure, &c->sure, &s.info.sure);
    return push(out, c, &s);
}

gb_status gb_circuit_rotate(gb_wire *out, gb_circuit *c, gb_wire a, int step) {
    return automorphism(out, c, a, gb_galois_rotation(c->params, step));
}
gb_status gb_circuit_conjugate(gb_wire *out, gb_circuit *c, gb_wire a) {
    return automorphism(out, c, a, gb_galois_conjugation(c->params));
}

/* ---- CKKS ---- */
gb_status gb_circuit_add_number(gb_wire *out, gb_circuit *c, gb_wire a, double v) {
    gb_circuit_step s;
    GB_TRY(begin(&s, c, GB_STEP_ADD_NUMBER, 1, a, 0, true, false));
    s.real = v;
    gb_noise_add_scalar(&s.info.average, &c->average, &s.info.average, v, s.info.scale);
    gb_noise_add_scalar(&s.info.sure, &c->sure, &s.info.sure, v, s.info.scale);
    s.info.range = s.info.complex ? sum_of(s.info.range, (gb_interval){-fabs(v), fabs(v)}, false)
                                  : sum_of(s.info.range, (gb_interval){v, v}, false);
    return push(out, c, &s);
}

/* The factor's scale is what the rescale divides, times what brings the scale of the level to the next one's. */
static double factor_scale(const gb_circuit *c, unsigned level) {
    return c->scale[level - 1] * gb_params_divisor(c->params, level) / c->scale[level];
}

gb_status gb_circuit_mul_number(gb_wire *out, gb_circuit *c, gb_wire a, double v) {
    gb_circuit_step s;
    GB_TRY(begin(&s, c, GB_STEP_MUL_NUMBER, 1, a, 0, true, false));
    unsigned level = s.info.level;
    GB_TRY(spend(&s, c, 1));
    double scale = factor_scale(c, level);
    s.real = v;
    gb_noise_mul_scalar(&s.info.average, &s.info.average, v, scale);
    gb_noise_mul_scalar(&s.info.sure, &s.info.sure, v, scale);
    divide(&s, c, level);
    s.info.scale = c->scale[level - 1];
    s.info.range = product_of(s.info.range, (gb_interval){v, v});
    return push(out, c, &s);
}

typedef struct vector_facts {
    gb_interval range;
    double typical;
    bool complex;
} vector_facts;

/* Of a vector as it is encoded: padded with zeros unless its length is a power of two. */
static gb_status take_vector(gb_circuit_step *s, vector_facts *f, gb_circuit *c, const double *re, const double *im,
                             size_t count) {
    size_t slots = gb_ckks_slots(c->encoder);
    double sum = 0, most = 0;
    bool padded = (count & (count - 1)) != 0;
    if (count < 1 || count > slots)
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "%s (step %zu): %zu numbers, 1 to %zu fit", names[s->kind], c->count,
                       count, slots);
    f->range = padded ? (gb_interval){0, 0} : (gb_interval){INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++) {
        double size = hypot(re[i], im ? im[i] : 0);
        if (!isfinite(size))
            return gb_fail(c->ctx, GB_ERR_RANGE, "%s (step %zu): number %zu is not finite", names[s->kind], c->count,
                           i);
        f->range.low = fmin(f->range.low, re[i]), f->range.high = fmax(f->range.high, re[i]);
        most = fmax(most, size);
        sum += size * size;
    }
    f->complex = im != NULL;
    if (im) f->range = (gb_interval){-most, most};
    f->typical = sqrt(sum / (double)(padded ? slots : count));
    s->count = count;
    gb_status status = gb_alloc(&s->re, c->ctx, count, sizeof *re);
    if (status == GB_OK && im) status = gb_alloc(&s->im, c->ctx, count, sizeof *im);
    if (status != GB_OK) {
        step_release(s);
        return status;
    }
    memcpy(s->re, re, count * sizeof *re);
    if (im) memcpy(s->im, im, count * sizeof *im);
    return GB_OK;
}

gb_status gb_circuit_add_vector(gb_wire *out, gb_circuit *c, gb_wire a, const double *re, const double *im,
                                size_t count) {
    gb_circuit_step s;
    vector_facts f;
    GB_TRY(begin(&s, c, GB_STEP_ADD_VECTOR, 1, a, 0, true, false));
    GB_TRY(take_vector(&s, &f, c, re, im, count));
    double most = gb_interval_most(f.range), scale = s.info.scale;
    gb_noise_add_plain(&s.info.average, &c->average, &s.info.average, scale, most, f.typical);
    gb_noise_add_plain(&s.info.sure, &c->sure, &s.info.sure, scale, most, most);
    s.info.complex = s.info.complex || f.complex;
    s.info.range = sum_of(s.info.range, f.range, false);
    if (s.info.complex) s.info.range.high = gb_interval_most(s.info.range), s.info.range.low = -s.info.range.high;
    return push(out, c, &s);
}

gb_status gb_circuit_mul_vector(gb_wire *out, gb_circuit *c, gb_wire a, const double *re, const double *im,
                                size_t count) {
    gb_circuit_step s;
    vector_facts f;
    GB_TRY(begin(&s, c, GB_STEP_MUL_VECTOR, 1, a, 0, true, false));
    unsigned level = s.info.level;
    GB_TRY(spend(&s, c, 1));
    GB_TRY(take_vector(&s, &f, c, re, im, count));
    double most = gb_interval_most(f.range), scale = factor_scale(c, level);
    s.real = scale;
    gb_noise_mul_plain(&s.info.average, &c->average, &s.info.average, scale, most, f.typical);
    gb_noise_mul_plain(&s.info.sure, &c->sure, &s.info.sure, scale, most, most);
    divide(&s, c, level);
    s.info.scale = c->scale[level - 1];
    s.info.complex = s.info.complex || f.complex;
    s.info.range = product_of(s.info.range, f.range);
    return push(out, c, &s);
}

/* Range of every row's sum, its largest sum of |D|, and the root mean square of the diagonals. */
typedef struct matrix_facts {
    gb_interval range;
    double row, typical;
    bool complex;
} matrix_facts;

static void matrix_of(matrix_facts *f, const gb_wire_info *x, size_t period, const gb_ckks_diagonal *d, size_t count) {
    double squares = 0, most = gb_interval_most(x->range);
    *f = (matrix_facts){{INFINITY, -INFINITY}, 0, 0, x->complex};
    for (size_t j = 0; j < count; j++) f->complex = f->complex || d[j].im;
    for (size_t i = 0; i < period; i++) {
        gb_interval row = {0, 0};
        double sum = 0;
        for (size_t j = 0; j < count; j++) {
            double v = d[j].re[i], size = hypot(v, d[j].im ? d[j].im[i] : 0);
            row = sum_of(row, product_of(x->range, (gb_interval){v, v}), false);
            sum += size;
            squares += size * size;
        }
        f->row = fmax(f->row, sum);
        f->range.low = fmin(f->range.low, row.low), f->range.high = fmax(f->range.high, row.high);
    }
    if (f->complex) f->range = (gb_interval){-f->row * most, f->row * most};
    f->typical = sqrt(squares / (double)(period * count));
}

gb_status gb_circuit_linear(gb_wire *out, gb_circuit *c, gb_wire a, size_t period, const gb_ckks_diagonal *diagonals,
                            size_t count) {
    gb_circuit_step s;
    matrix_facts f;
    GB_TRY(begin(&s, c, GB_STEP_LINEAR, 1, a, 0, true, false));
    unsigned level = s.info.level, limbs = s.info.limbs;
    GB_TRY(spend(&s, c, 1));
    double scale = factor_scale(c, level);
    GB_TRY(gb_ckks_linear_new(&s.linear, c->ctx, c->encoder, period, diagonals, count, limbs, scale, NULL));
    matrix_of(&f, &s.info, period, diagonals, count);
    gb_bounds_linear(&s.info.average, &c->average, &s.info.average, s.linear, scale, f.row, f.typical);
    gb_bounds_linear(&s.info.sure, &c->sure, &s.info.sure, s.linear, scale, f.row, f.typical);
    divide(&s, c, level);
    s.info.scale = c->scale[level - 1];
    s.info.range = f.range, s.info.complex = f.complex;
    return push(out, c, &s);
}

/* result NULL: the polynomial's range over the operand's. */
static gb_status polynomial(gb_wire *out, gb_circuit *c, gb_wire a, const gb_ckks_poly *p, const gb_interval *result) {
    gb_circuit_step s;
    GB_TRY(begin(&s, c, GB_STEP_POLY, 1, a, 0, true, false));
    gb_wire_info in = s.info;
    size_t degree = p->c && p->degree <= 2047 ? p->degree : 0;
    while (degree && p->c[degree] == 0) degree--;
    if (degree < 1 || (p->chebyshev && !(p->a < p->b)))
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "polynomial (step %zu): of degree %zu on [%g, %g]; 1..2047, a < b",
                       c->count, p->degree, p->a, p->b);
    double slack = (p->b - p->a) * 0x1p-13;
    if (in.complex || (p->chebyshev && (in.range.low < p->a - slack || in.range.high > p->b + slack)))
        return gb_fail(c->ctx, GB_ERR_RANGE, "polynomial (step %zu): takes real slots in [%g, %g], not %s in [%g, %g]",
                       c->count, p->a, p->b, in.complex ? "complex ones" : "ones", in.range.low, in.range.high);
    bool wide = p->chebyshev && fabs(p->b - p->a - 2) > 1e-12;
    GB_TRY(spend(&s, c, gb_ckks_poly_depth(degree) + wide));
    s.key_limbs = gb_params_limbs(c->params, in.level - wide);
    s.info.scale = c->scale[s.info.level];
    GB_TRY(gb_alloc(&s.re, c->ctx, degree + 1, sizeof *s.re));
    memcpy(s.re, p->c, (degree + 1) * sizeof *s.re);
    s.poly = *p;
    s.poly.c = s.re, s.poly.degree = degree;
    gb_status status =
        gb_bounds_poly(&s.info.average, c->ctx, &c->average, &in.average, in.scale, &s.poly, in.range, s.info.scale);
    if (status == GB_OK)
        status = gb_bounds_poly(&s.info.sure, c->ctx, &c->sure, &in.sure, in.scale, &s.poly, in.range, s.info.scale);
    if (status != GB_OK) {
        step_release(&s);
        return status;
    }
    s.info.range = result ? *result : gb_bounds_poly_range(&s.poly, in.range);
    return push(out, c, &s);
}

gb_status gb_circuit_poly(gb_wire *out, gb_circuit *c, gb_wire a, const gb_ckks_poly *p) {
    return polynomial(out, c, a, p, NULL);
}

gb_status gb_circuit_sign(gb_wire *out, gb_circuit *c, gb_wire a, const gb_ckks_sign *p, double gain, double shift) {
    double last[GB_SIGN_DEGREE + 1], most = fabs(gain) * (1 + p->error);
    const gb_interval inner = {-1, 1}, result = {shift - most, shift + most};
    if (a < c->count && c->step[a].info.level < gb_ckks_sign_depth(p))
        return gb_fail(c->ctx, GB_ERR_LEVEL, "sign (step %zu): needs %u levels, its operand has %u", c->count,
                       gb_ckks_sign_depth(p), c->step[a].info.level);
    for (unsigned i = 0; i < p->stages; i++) {
        bool end = i + 1 == p->stages;
        gb_ckks_poly stage = {p->c[i], p->degree[i], true, -1, 1};
        for (size_t j = 0; end && j <= stage.degree; j++) last[j] = p->c[i][j] * gain + (j ? 0 : shift);
        if (end) stage.c = last;
        GB_TRY(polynomial(&a, c, a, &stage, end ? &result : &inner));
    }
    *out = a;
    return GB_OK;
}

/* ---- BFV ---- */
static gb_status take_integers(gb_circuit_step *s, gb_interval *range, gb_circuit *c, const int64_t *v, size_t count) {
    size_t n = gb_ring_n(gb_params_ring(c->params));
    if (count < 1 || count > n)
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "%s (step %zu): %zu integers, 1 to %zu fit", names[s->kind], c->count,
                       count, n);
    *range = count < n ? (gb_interval){0, 0} : (gb_interval){INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++)
        range->low = fmin(range->low, (double)v[i]), range->high = fmax(range->high, (double)v[i]);
    GB_TRY(gb_alloc(&s->integers, c->ctx, count, sizeof *v));
    memcpy(s->integers, v, count * sizeof *v);
    s->count = count;
    return GB_OK;
}

gb_status gb_circuit_add_integers(gb_wire *out, gb_circuit *c, gb_wire a, const int64_t *v, size_t count) {
    gb_circuit_step s;
    gb_interval range;
    GB_TRY(begin(&s, c, GB_STEP_ADD_INTEGERS, 1, a, 0, false, true));
    GB_TRY(take_integers(&s, &range, c, v, count));
    gb_noise_bfv_add_plain(&s.info.average, &c->average, &s.info.average);
    gb_noise_bfv_add_plain(&s.info.sure, &c->sure, &s.info.sure);
    s.info.range = sum_of(s.info.range, range, false);
    return push(out, c, &s);
}

gb_status gb_circuit_mul_integers(gb_wire *out, gb_circuit *c, gb_wire a, const int64_t *v, size_t count) {
    gb_circuit_step s;
    gb_interval range;
    GB_TRY(begin(&s, c, GB_STEP_MUL_INTEGERS, 1, a, 0, false, true));
    GB_TRY(take_integers(&s, &range, c, v, count));
    gb_noise_bfv_mul_plain(&s.info.average, &c->average, &s.info.average, modulus(c));
    gb_noise_bfv_mul_plain(&s.info.sure, &c->sure, &s.info.sure, modulus(c));
    s.info.range = product_of(s.info.range, range);
    return push(out, c, &s);
}

/* Values of p on the integers of a range, centred modulo t. */
#define MOST_POINTS 2049

static gb_interval values_of(const gb_bfv_poly *p, const gb_circuit *c, gb_interval x) {
    const uint64_t t = modulus(c);
    gb_interval y = {INFINITY, -INFINITY};
    if (!watched(x) || !(x.high - x.low < MOST_POINTS)) return anything;
    for (int64_t i = (int64_t)ceil(x.low); i <= (int64_t)floor(x.high); i++) {
        uint64_t at = i < 0 ? t - (uint64_t)-i % t : (uint64_t)i % t, sum = 0;
        for (size_t j = p->degree + 1; j-- > 0;) sum = (uint64_t)(((unsigned __int128)sum * at + p->c[j]) % t);
        double v = sum > t / 2 ? -(double)(t - sum) : (double)sum;
        y.low = fmin(y.low, v), y.high = fmax(y.high, v);
    }
    return y.low <= y.high ? y : anything;
}

gb_status gb_circuit_bfv_poly(gb_wire *out, gb_circuit *c, gb_wire a, const gb_bfv_poly *p) {
    gb_circuit_step s;
    GB_TRY(begin(&s, c, GB_STEP_BFV_POLY, 1, a, 0, false, true));
    if (!p->c || p->degree >= GB_BFV_TABLE_MAX)
        return gb_fail(c->ctx, GB_ERR_ARGUMENT, "integer polynomial (step %zu): empty, or its degree is over %d",
                       c->count, GB_BFV_TABLE_MAX - 1);
    GB_TRY(gb_bounds_bfv_poly(&s.info.average, c->ctx, &c->average, &s.info.average, p, modulus(c)));
    GB_TRY(gb_bounds_bfv_poly(&s.info.sure, c->ctx, &c->sure, &s.info.sure, p, modulus(c)));
    s.key_limbs = s.info.limbs;
    s.info.limbs = s.info.sure.limbs; /* primes that the noise has used up are gone */
    s.info.level = gb_params_level(c->params, s.info.limbs);
    s.info.range = values_of(p, c, s.info.range);
    GB_TRY(gb_alloc(&s.table.c, c->ctx, p->degree + 1, sizeof *p->c));
    memcpy(s.table.c, p->c, (p->degree + 1) * sizeof *p->c);
    s.table.degree = p->degree;
    return push(out, c, &s);
}
