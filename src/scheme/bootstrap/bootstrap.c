/* What a bootstrapping needs before it runs, see the door. Levels from the bottom: 0 = q0 | to_coeff | the user's |
 * sine | to_slots. */
#include <math.h>

#include "scheme/bootstrap/matrix.h"
#include "scheme/bootstrap/plan.h"

#define SPARSE_WEIGHT 32

void gb_bootstrap_config_defaults(gb_bootstrap_config *c) {
    *c = (gb_bootstrap_config){.size = sizeof *c,
                               .to_coeff = 3,
                               .to_slots = 4,
                               .degree = 58,
                               .doublings = 2,
                               .ratio_bits = 12,
                               .scale_bits = 40,
                               .iterations = 1,
                               .refine_bits = 16};
}

static gb_status out_of_range(gb_ctx *ctx, const char *what, double value, double least, double most) {
    return gb_fail(ctx, GB_ERR_ARGUMENT, "bootstrapping: %s is %g, must be %g..%g", what, value, least, most);
}

static gb_status check_config(gb_ctx *ctx, const gb_bootstrap_config *c, unsigned log_n) {
    const unsigned log_slots = c->log_slots ? c->log_slots : log_n - 1;
    if (c->size != sizeof *c)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "bootstrapping: options of %zu bytes, must have %zu; start from defaults",
                       c->size, sizeof *c);
    const struct {
        const char *name;
        double value, least, most;
    } fields[] = {{"log_slots", log_slots, 3, log_n - 1},
                  {"to_coeff", c->to_coeff, 1, fmin(GB_BOOT_FACTORS, log_slots)},
                  {"to_slots", c->to_slots, 1, fmin(GB_BOOT_FACTORS, log_slots)},
                  {"degree", c->degree, 15, 255},
                  {"doublings", c->doublings, 0, 4},
                  {"ratio_bits", c->ratio_bits, 4, 20},
                  {"scale_bits", c->scale_bits, 20, 60},
                  {"iterations", c->iterations, 1, 3},
                  {"refine_bits", c->refine_bits, 4, 24},
                  {"keys", c->keys, GB_LINEAR_FAST, GB_LINEAR_FEWEST}};
    for (size_t i = 0; i < GB_COUNT(fields); i++)
        if (!(fields[i].value >= fields[i].least && fields[i].value <= fields[i].most))
            return out_of_range(ctx, fields[i].name, fields[i].value, fields[i].least, fields[i].most);
    return GB_OK;
}

/* ---- the cosine ---- */
static double series_at(double u, void *user) {
    const gb_bootstrap_config *c = user;
    return cos(2 * M_PI * GB_BOOT_HALF_WIDTH * u / (double)(1u << c->doublings));
}

/* The interpolant's error grows by at most 4 with each double angle; one beyond what the sine's own curvature adds at
 * this ratio is a mistake in the options. */
static gb_status make_series(gb_bootstrap *b, gb_ctx *ctx) {
    const gb_bootstrap_config *c = &b->config;
    double worst = 0;
    GB_TRY(gb_chebyshev_fit(b->series, ctx, c->degree, series_at, &b->config, -1, 1));
    for (unsigned i = 1; i <= c->degree; i += 2) b->series[i] = 0; /* rounding: the function is even */
    for (int i = 0; i <= 1000; i++)
        worst = fmax(
            worst, fabs(gb_chebyshev_at(b->series, c->degree, -1, 1, i / 1000.0) - series_at(i / 1000.0, &b->config)));
    worst = ldexp(worst, 2 * (int)c->doublings) * exp2(c->ratio_bits) / (2 * M_PI);
    if (worst > ldexp(1, -14))
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "bootstrapping: a series of degree %u before %u double angles is right to %.1f bits of the "
                       "message only; raise the degree",
                       c->degree, c->doublings, -log2(worst));
    return GB_OK;
}

/* ---- matrices ---- */
/* Factor f of `factors`: its share of the log2(slots) stages, larger shares first. */
static unsigned share(unsigned stages, unsigned factors, unsigned f) {
    return stages / factors + (f < stages % factors ? 1 : 0);
}

static gb_status encode(gb_ckks_linear **out, gb_ctx *ctx, const gb_bootstrap *b, const gb_ckks_encoder *e,
                        const gb_diagonals *m, unsigned level, double scale) {
    const gb_params *p = b->params;
    gb_ckks_linear_config config;
    gb_ckks_linear_config_defaults(&config);
    config.keys = b->config.keys;
    gb_ckks_diagonal view[GB_COUNT(m->step)];
    for (size_t i = 0; i < m->count; i++) view[i] = (gb_ckks_diagonal){m->step[i], m->re[i], m->im[i]};
    return gb_ckks_linear_new(out, ctx, e, m->n, view, m->count, gb_params_limbs(p, level),
                              gb_params_divisor(p, level) * scale, &config);
}

typedef struct transform {
    unsigned factors, level; /* of the first factor */
    bool inverse;
    double value, scale; /* the whole multiplies values by `value` and the ciphertext's scale by `scale` */
} transform;

static gb_status make_factors(gb_ckks_linear **out, gb_ctx *ctx, const gb_bootstrap *b, const gb_ckks_encoder *e,
                              const transform *t) {
    unsigned stages = 0;
    while ((size_t)1 << stages < b->slots) stages++;
    size_t len = t->inverse ? b->slots : 2;
    for (unsigned f = 0; f < t->factors; f++) {
        gb_diagonals m;
        unsigned count = share(stages, t->factors, f);
        GB_TRY(gb_diagonals_stages(&m, ctx, b->slots, len, count, t->inverse));
        gb_diagonals_scale(&m, pow(t->value, 1.0 / t->factors));
        gb_status s = GB_OK;
        if (t->inverse && f + 1 == t->factors && gb_boot_shared(b)) s = gb_diagonals_halves(&m, ctx);
        if (s == GB_OK) s = encode(&out[f], ctx, b, e, &m, t->level - f, pow(t->scale, 1.0 / t->factors));
        gb_diagonals_release(&m);
        GB_TRY(s);
        len = t->inverse ? len >> count : len << count;
    }
    return GB_OK;
}

static gb_status make_join(gb_bootstrap *b, gb_ctx *ctx, const gb_ckks_encoder *e) {
    gb_diagonals m;
    GB_TRY(gb_diagonals_join(&m, ctx, b->slots));
    gb_status s = encode(&b->join, ctx, b, e, &m, b->level_out + 1, 1);
    gb_diagonals_release(&m);
    return s;
}

/* Most bits of q0 P for the sparse secret: hybrid attacks that guess where most of its zeros are cost over 2^133
 * (docs/security.md has the estimates). 0: no such set. */
static double sparse_max_log2(unsigned log_n) { return log_n >= 15 ? 121 : log_n == 14 ? 72 : 0; }

/* q0's primes and one special prime of the outer set. */
static gb_status make_inner(gb_bootstrap *b, gb_ctx *ctx) {
    const gb_params_spec *outer = gb_params_get(b->params);
    gb_params_spec s = {.name = "encapsulation", .log_n = outer->log_n, .security = outer->security};
    s.data_count = gb_params_limbs(b->params, 0);
    b->q0 = 1;
    for (size_t i = 0; i < s.data_count; i++) {
        s.data[i] = outer->data[i];
        b->q0 *= (double)s.data[i];
    }
    s.special_count = 1;
    s.special[0] = outer->special[0];
    const double log2_qp = log2(b->q0) + log2((double)s.special[0]), most = sparse_max_log2(s.log_n);
    if (s.security != 128 || log2_qp > most)
        return gb_fail(
            ctx, GB_ERR_INSECURE,
            "bootstrapping: a sparse secret at N = 2^%u and %u bits allows %.0f bits at level 0 and one special "
            "prime, %s has %.1f",
            s.log_n, s.security, s.security == 128 ? most : 0, outer->name, log2_qp);
    return gb_params_new(&b->inner, ctx, &s);
}

static gb_status levels(gb_bootstrap *b, gb_ctx *ctx) {
    const gb_bootstrap_config *c = &b->config;
    const gb_params_spec *spec = gb_params_get(b->params);
    b->top = gb_params_level(b->params, (unsigned)spec->data_count);
    b->depth = gb_ckks_poly_depth(c->degree) + c->doublings + (c->arcsine ? 2 : 0);
    b->slots = (size_t)1 << (c->log_slots ? c->log_slots : spec->log_n - 1);
    b->period = c->complex && 2 * b->slots < (size_t)1 << spec->log_n ? 2 * b->slots : b->slots;
    const unsigned spent = b->depth + c->to_slots + (gb_boot_shared(b) ? 1 : 0);
    if (b->top < c->to_coeff + spent + (c->iterations > 1 ? 2 : 1) || !spec->special_count)
        return gb_fail(ctx, GB_ERR_PARAMS,
                       "%s has %u levels and %zu special primes; bootstrapping with these options spends %u levels, "
                       "must leave one, and needs a special prime",
                       spec->name, b->top, spec->special_count, c->to_coeff + spent);
    b->level_in = c->to_coeff + (c->iterations > 1 ? 1 : 0);
    b->level_out = b->top - spent;
    return GB_OK;
}

gb_status gb_bootstrap_levels(unsigned *in, unsigned *out, gb_ctx *ctx, const gb_params *p,
                              const gb_bootstrap_config *config) {
    gb_bootstrap b = {.config = *config, .params = p};
    GB_TRY(levels(&b, ctx));
    *in = b.level_in;
    *out = b.level_out;
    return GB_OK;
}

/* Scale at which the sine starts: the one that its squarings, one a level, bring to a level's own at the end. Levels
 * that divide more at its start so make it more precise where its errors grow most. */
static double sine_scale(const gb_bootstrap *b) {
    double scale = gb_params_divisor(b->params, gb_bootstrap_level_sine(b) - b->depth + 1);
    for (unsigned i = b->depth; i > 0; i--)
        scale = sqrt(scale * gb_params_divisor(b->params, gb_bootstrap_level_sine(b) - (i - 1)));
    return scale;
}

static gb_status build(gb_bootstrap *b, gb_ctx *ctx, const gb_ckks_encoder *e) {
    const gb_bootstrap_config *c = &b->config;
    b->params = gb_ckks_encoder_params(e);
    GB_TRY(check_config(ctx, c, gb_params_get(b->params)->log_n));
    GB_TRY(levels(b, ctx));
    GB_TRY(make_inner(b, ctx));
    GB_TRY(make_series(b, ctx));
    b->message = b->q0 / exp2(c->ratio_bits);
    GB_TRY(make_factors(b->to_coeff, ctx, b, e,
                        &(transform){c->to_coeff, c->to_coeff, false, 1, b->message / ldexp(1, (int)c->scale_bits)}));
    /* x + conj(x) is twice the real part, the sum over the repetitions as many times; and into [-1, 1] */
    const double repetitions = (double)(gb_ckks_slots(e) / b->slots);
    GB_TRY(make_factors(
        b->to_slots, ctx, b, e,
        &(transform){c->to_slots, b->top, true, 0.5 / (GB_BOOT_HALF_WIDTH * repetitions), sine_scale(b) / b->q0}));
    return gb_boot_shared(b) ? make_join(b, ctx, e) : GB_OK;
}

gb_status gb_bootstrap_new(gb_bootstrap **out, gb_ctx *ctx, const gb_ckks_encoder *e,
                           const gb_bootstrap_config *config) {
    gb_bootstrap *b;
    *out = NULL;
    GB_TRY(gb_alloc_zero(&b, ctx, 1, sizeof *b));
    b->config = *config;
    gb_status s = build(b, ctx, e);
    if (s != GB_OK) {
        gb_bootstrap_free(b);
        return s;
    }
    *out = b;
    return GB_OK;
}

void gb_bootstrap_free(gb_bootstrap *b) {
    if (!b) return;
    for (unsigned f = 0; f < GB_BOOT_FACTORS; f++) {
        gb_ckks_linear_free(b->to_coeff[f]);
        gb_ckks_linear_free(b->to_slots[f]);
    }
    gb_ckks_linear_free(b->join);
    gb_params_free(b->inner);
    gb_free(b);
}

const gb_params *gb_bootstrap_inner_params(const gb_bootstrap *b) { return b->inner; }
const gb_bootstrap_config *gb_bootstrap_config_get(const gb_bootstrap *b) { return &b->config; }
size_t gb_bootstrap_slots(const gb_bootstrap *b) { return b->slots; }
unsigned gb_bootstrap_level_out(const gb_bootstrap *b) { return b->level_out; }
unsigned gb_bootstrap_level_in(const gb_bootstrap *b) { return b->level_in; }
unsigned gb_bootstrap_level_sine(const gb_bootstrap *b) { return b->top - b->config.to_slots; }

/* Tail of a sum of m = 33 uniform numbers: above m/2 - 1/2 it is (1/2)^m / m!, on either side. */
double gb_bootstrap_failure(const gb_bootstrap *b) {
    const double m = SPARSE_WEIGHT + 1, one = 1 - m - lgamma(m + 1) / M_LN2;
    return one + log2((double)b->slots * (b->config.complex ? 2 : 1) * b->config.iterations);
}

/* ---- the keys ---- */
typedef struct galois_list {
    uint64_t *galois;
    unsigned *level;
    size_t max, count;
} galois_list;

static void list_add(galois_list *l, uint64_t galois, unsigned level) {
    if (l->count < l->max) l->galois[l->count] = galois, l->level[l->count] = level;
    l->count++;
}

static void list_linear(galois_list *l, const gb_ckks_linear *m, unsigned level) {
    const size_t room = l->count < l->max ? l->max - l->count : 0;
    const size_t more = gb_ckks_linear_galois(room ? l->galois + l->count : NULL, room, m);
    for (size_t i = 0; i < more && i < room; i++) l->level[l->count + i] = level;
    l->count += more;
}

size_t gb_bootstrap_galois(uint64_t *galois, unsigned *level, size_t max, const gb_bootstrap *b) {
    galois_list l = {galois, level, max, 0};
    const unsigned sine = gb_bootstrap_level_sine(b);
    for (unsigned f = 0; f < b->config.to_coeff; f++) list_linear(&l, b->to_coeff[f], b->config.to_coeff - f);
    for (unsigned f = 0; f < b->config.to_slots; f++) list_linear(&l, b->to_slots[f], b->top - f);
    if (gb_boot_shared(b)) {
        list_add(&l, gb_galois_rotation(b->params, (int)b->slots), b->top);
        list_linear(&l, b->join, b->level_out + 1);
    }
    for (size_t step = b->period; step < gb_ring_n(gb_params_ring(b->params)) / 2; step *= 2)
        list_add(&l, gb_galois_rotation(b->params, (int)step), sine + 1);
    list_add(&l, gb_galois_conjugation(b->params), sine);
    return l.count;
}

void gb_bootstrap_keys_release(gb_bootstrap_keys *k) {
    gb_eval_keys_release(&k->keys);
    gb_switch_key_release(&k->to_sparse);
    gb_switch_key_release(&k->to_dense);
}
