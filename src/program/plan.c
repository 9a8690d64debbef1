/* program/plan: a program as steps with moduli, scales, integer constants and the shapes of what is encrypted.
 *
 * Ranges. All ops are linear maps of torus elements x / Q, so a value that overflows the modulus on its way does no
 * harm as long as what is decrypted does not. What must hold is, for every output,
 *     bound * scale + TAIL * noise_max <= M / 2,    M = 2^K,
 * where bound is the declared one. With noise sub-Gaussian of parameter noise_max the phase leaves (-M/2, M/2), and
 * decryption is wrong, with probability at most 2 exp(-TAIL^2 / 2) a coefficient: TAIL = 14.9 makes it below 2^-158,
 * and below 2^-128 for 2^30 coefficients together. Inputs must keep |value| * scale <= Q / 4, which encryption checks.
 *
 * Scales. Noise in integers does not depend on the data's scale, so for given tap size the largest scale that fits is
 * the best one; the tap size is searched for the least forecast error. */
#include <math.h>

#include "program/run.h"

#define TAIL 14.9
#define MARGIN (1 - 1.0 / 64) /* of the modulus: constants rounded to integers move values by less */
#define LEAST_TAP_BITS 4
#define MOST_TAP_BITS 39 /* ring.h: integer taps below 2^40 */

typedef struct precision_row {
    const char *params;
    unsigned bits, weight_bits;
} precision_row;

/* Measured (docs/design.md): weights of 10 bits cost 1e-4 to 4e-4, and 2^32 leaves the switch's noise 2e-4 to 4e-4 with
 * them; 13 bits cost below 9e-5 on the noisiest data, and 2^42 leaves no noise to speak of. */
static const precision_row precisions[] = {
    [GB_PRECISION_DEFAULT] = {"tiny-linear", 32, 10}, [GB_PRECISION_HIGH] = {"linear", 42, 13}};

const char *gb_precision_params(gb_precision precision) { return precisions[precision].params; }

/* ---- steps ---- */
typedef struct builder {
    gb_plan *plan;
    gb_ctx *ctx;
    uint32_t *made;     /* step of each node */
    uint32_t *switched; /* step that switches a step's value to the plan's 2^K; UINT32_MAX: none yet */
    unsigned limbs;
} builder;

static uint32_t add_step(builder *b, gb_step s) {
    gb_graph *g = &b->plan->graph;
    g->step[g->count] = s;
    b->switched[g->count] = UINT32_MAX;
    return (uint32_t)g->count++;
}

static uint32_t switched(builder *b, uint32_t step) {
    const gb_step *a = &b->plan->graph.step[step];
    if (a->limbs == 0) return step;
    if (b->switched[step] == UINT32_MAX)
        b->switched[step] = add_step(
            b,
            (gb_step){.op = GB_OP_SWITCH, .arg = {step, step}, .node = a->node, .def = a->def, .bits = b->plan->bits});
    return b->switched[step];
}

/* Digits of K bits: as few parts as 16 bits allow that divide K. */
static gb_status digits(gb_ctx *ctx, gb_step *s) {
    for (s->parts = (s->bits + 15) / 16; s->parts <= 4; s->parts++)
        if (s->bits % s->parts == 0) break;
    s->digit_bits = s->bits / s->parts;
    if (s->parts > 4 || s->digit_bits < 8)
        return gb_fail(ctx, GB_ERR_UNSUPPORTED, "gather: modulus 2^%u does not divide into digits of 8 to 16 bits",
                       s->bits);
    return GB_OK;
}

static gb_status arguments(builder *b, gb_step *s, const gb_op_node *n) {
    const gb_step *steps = b->plan->graph.step;
    const gb_op_info *op = &gb_ops[n->op];
    for (unsigned a = 0; a < op->args; a++) s->arg[a] = b->made[n->arg[a]];
    if (op->args == 1) s->arg[1] = s->arg[0];
    if (op->modulus == GB_WANT_POWER) s->arg[0] = s->arg[1] = switched(b, s->arg[0]);
    if (op->modulus == GB_WANT_SAME && (steps[s->arg[0]].limbs == 0 || steps[s->arg[1]].limbs == 0)) {
        s->arg[0] = switched(b, s->arg[0]);
        s->arg[1] = switched(b, s->arg[1]);
        if (steps[s->arg[0]].bits != steps[s->arg[1]].bits)
            return gb_fail(b->ctx, GB_ERR_LEVEL, "%s: node %u adds values modulo 2^%u and 2^%u", op->name, s->node,
                           steps[s->arg[0]].bits, steps[s->arg[1]].bits);
    }
    if (op->modulus == GB_WANT_PRIMES && op->args && steps[s->arg[0]].limbs == 0)
        return gb_fail(b->ctx, GB_ERR_LEVEL, "%s: node %u comes after the switch to a power of two; put it before",
                       op->name, s->node);
    s->limbs = op->args ? steps[s->arg[0]].limbs : b->limbs;
    s->bits = op->args ? steps[s->arg[0]].bits : 0;
    return GB_OK;
}

static gb_status make_steps(builder *b) {
    const gb_program *p = b->plan->program;
    for (size_t i = 0; i < p->count; i++) {
        const gb_op_node *n = &p->node[i];
        gb_step s = {.op = n->op, .node = (uint32_t)i, .def = n};
        GB_TRY(arguments(b, &s, n));
        if (n->op == GB_OP_SWITCH) {
            s.limbs = 0;
            s.bits = n->bits;
        }
        if (n->op == GB_OP_GATHER) GB_TRY(digits(b->ctx, &b->plan->graph.step[s.arg[0]]));
        if (n->op == GB_OP_GATHER || n->op == GB_OP_SCATTER) s.gather = gb_gather_plan_of(n, b->plan->weight_bits);
        if (n->op == GB_OP_INPUT && !(n->max_abs > 0))
            return gb_fail(b->ctx, GB_ERR_ARGUMENT, "input %s: no bound is declared for its values", n->name);
        b->made[i] = add_step(b, s);
    }
    gb_graph_mark(&b->plan->graph);
    return GB_OK;
}

static gb_status build_steps(gb_plan *p, gb_ctx *ctx) {
    const size_t nodes = p->program->count;
    builder b = {.plan = p, .ctx = ctx, .limbs = (unsigned)gb_params_get(p->params)->data_count};
    GB_TRY(gb_alloc_zero(&p->graph.step, ctx, 2 * nodes, sizeof *p->graph.step)); /* a switch for every node at most */
    GB_TRY(gb_alloc(&b.made, ctx, 3 * nodes, sizeof *b.made));
    b.switched = b.made + nodes;
    gb_status s = make_steps(&b);
    gb_free(b.made);
    return s;
}

/* ---- scales ---- */
static double forecast(const gb_step *s) {
    double noise = s->noise_rms / s->scale;
    return sqrt(noise * noise + s->error * s->error);
}

/* The largest data scale that keeps every input and output in range, for a graph just run at data scale 1; <= 0 when
 * noise alone is too much. */
static double largest_scale(const gb_plan *p) {
    double largest = HUGE_VAL, log2_q = gb_ring_log2_q(gb_params_ring(p->params), gb_params_get(p->params)->data_count);
    for (size_t i = 0; i < p->graph.count; i++) {
        const gb_step *s = &p->graph.step[i];
        if (s->op == GB_OP_INPUT) largest = fmin(largest, exp2(log2_q - 2) * MARGIN / (s->bound * s->scale));
        if (s->op == GB_OP_OUTPUT)
            largest = fmin(largest, (exp2((double)s->bits - 1) * MARGIN - TAIL * s->noise_max) / (s->bound * s->scale));
    }
    return largest;
}

/* The worst forecast error of an output, relative to its bound. */
static double worst_forecast(const gb_plan *p) {
    double worst = 0;
    for (size_t i = 0; i < p->graph.count; i++)
        if (p->graph.step[i].op == GB_OP_OUTPUT)
            worst = fmax(worst, forecast(&p->graph.step[i]) / p->graph.step[i].bound);
    return worst;
}

static gb_status dry(gb_plan *p, gb_ctx *ctx, const gb_dry_choice *choice) {
    return gb_dry_run(ctx, &p->graph, p->params, p->weight_bits, choice);
}

/* Searches the tap size in half bits and leaves the graph run at the best choice. */
static gb_status choose_scales(gb_plan *p, gb_ctx *ctx) {
    bool taps = false;
    for (size_t i = 0; i < p->graph.count; i++) taps = taps || p->graph.step[i].op == GB_OP_CONVOLVE;
    gb_dry_choice best = {0};
    double least = HUGE_VAL;
    bool noisy = true;
    for (int half = 2 * LEAST_TAP_BITS; half <= (taps ? 2 * MOST_TAP_BITS : 2 * LEAST_TAP_BITS); half++) {
        gb_dry_choice c = {1, exp2(half / 2.0)};
        if (dry(p, ctx, &c) != GB_OK) continue;
        c.data_scale = largest_scale(p);
        if (!(c.data_scale > 0)) continue;
        noisy = false;
        if (dry(p, ctx, &c) != GB_OK) continue;
        double error = worst_forecast(p);
        if (error < least) {
            least = error;
            best = c;
        }
    }
    if (!(best.data_scale > 0)) {
        gb_dry_choice c = {1, exp2(LEAST_TAP_BITS)};
        GB_TRY(dry(p, ctx, &c)); /* the sentence of what made every choice fail, if it was an op */
        return gb_fail(ctx, noisy ? GB_ERR_NOISE : GB_ERR_RANGE,
                       "program %s: noise could exceed the modulus 2^%u whatever the scale; use a higher precision or "
                       "fewer terms",
                       p->program->name, p->bits);
    }
    if (least > 1.0 / 16)
        return gb_fail(ctx, GB_ERR_RANGE,
                       "program %s: the declared bounds leave no room: errors of %.2g of an output's bound; declare "
                       "tighter bounds or use a higher precision",
                       p->program->name, least);
    return dry(p, ctx, &best);
}

static gb_status make_constants(gb_plan *p, gb_ctx *ctx) {
    for (size_t i = 0; i < p->graph.count; i++) {
        gb_step *s = &p->graph.step[i];
        double unit = s->scale / p->graph.step[s->arg[0]].scale;
        if (s->op == GB_OP_CONVOLVE)
            GB_TRY(gb_round_taps(&s->taps, &s->tap_count, ctx, s->def->taps, s->def->tap_count, s->def->last, unit));
        if (s->op == GB_OP_MAP) GB_TRY(gb_round_weights(&s->weights, ctx, &s->def->map, unit));
    }
    return GB_OK;
}

/* ---- inputs and outputs ---- */
static gb_bundle_info shape_of(const gb_plan *p, const gb_step *s, uint32_t copies) {
    gb_bundle_info b = {.params = *gb_params_hash(p->params),
                        .axis_count = s->def->axis_count,
                        .rows = p->program->rows,
                        .copies = copies,
                        .scale = s->scale,
                        .max_abs = s->bound};
    memcpy(b.axes, s->def->axes, sizeof b.axes);
    return b;
}

/* Bits of the downloaded c0 and c1: rounding adds 4^(K - bits0) / 12 and, as the secret multiplies it, 4^(K - bits1) /
 * 12 times 2 N / 3. Together they may cost 0.3 of the forecast error: 4 % of it once added in squares. */
static void choose_bits(gb_bundle_info *b, const gb_plan *p, const gb_step *s) {
    double n = (double)gb_ring_n(gb_params_ring(p->params));
    double allowed = 0.3 * forecast(s) * s->scale, half = allowed * allowed / 2;
    for (b->bits0 = 8; b->bits0 < s->bits && pow(4, s->bits - b->bits0) / 12 > half;) b->bits0++;
    for (b->bits1 = 8; b->bits1 < s->bits && pow(4, s->bits - b->bits1) / 12 * 2 * n / 3 > half;) b->bits1++;
    unsigned most = b->bits0 > b->bits1 ? b->bits0 : b->bits1;
    b->scale = s->scale * exp2((double)most - s->bits);
}

/* The forecast with rounding, and the range once more: rounding noise comes on top (TAIL, with |s|^2 <= N). */
static gb_status check_output(gb_plan *p, gb_ctx *ctx, const gb_step *s, const gb_bundle_info *b) {
    double n = (double)gb_ring_n(gb_params_ring(p->params)), f = forecast(s);
    double r0 = pow(4, s->bits - b->bits0) / 12, r1 = pow(4, s->bits - b->bits1) / 12;
    p->noise_rms[s->def->number] = sqrt(f * f + (r0 + r1 * 2 * n / 3) / (s->scale * s->scale));
    double worst = TAIL * sqrt(s->noise_max * s->noise_max + r0 + r1 * n);
    if (s->bound * s->scale + worst > exp2((double)s->bits - 1))
        return gb_fail(ctx, GB_ERR_NOISE, "output %s: its noise could exceed the modulus; use a higher precision",
                       s->def->name);
    return gb_bundle_check(ctx, b, p->params);
}

static gb_status make_bundles(gb_plan *p, gb_ctx *ctx, uint32_t copies) {
    p->inputs = p->program->inputs;
    p->outputs = p->program->outputs;
    GB_TRY(gb_alloc_zero(&p->input, ctx, p->inputs, sizeof *p->input));
    GB_TRY(gb_alloc_zero(&p->output, ctx, p->outputs, sizeof *p->output));
    GB_TRY(gb_alloc_zero(&p->noise_rms, ctx, p->outputs, sizeof *p->noise_rms));
    for (size_t i = 0; i < p->graph.count; i++) {
        const gb_step *s = &p->graph.step[i];
        if (s->op != GB_OP_INPUT && s->op != GB_OP_OUTPUT) continue;
        bool input = s->op == GB_OP_INPUT;
        gb_bundle_info *b = &(input ? p->input : p->output)[s->def->number];
        *b = shape_of(p, s, copies);
        b->lines_per_tile = gb_tile_lines(s->def, input ? GB_INPUT_TILE_LINES : GB_OUTPUT_TILE_LINES);
        b->lines_per_tile = (uint32_t)gb_min_size(b->lines_per_tile, s->def->lines);
        if (input) {
            b->limbs = s->limbs;
            b->seeded = true;
            GB_TRY(gb_bundle_check(ctx, b, p->params));
        } else {
            choose_bits(b, p, s);
            GB_TRY(check_output(p, ctx, s, b));
        }
    }
    return GB_OK;
}

static gb_status measure_memory(gb_plan *p, gb_ctx *ctx) {
    gb_schedule s;
    GB_TRY(gb_schedule_init(&s, ctx, &p->graph, &gb_backend_encrypted, gb_encrypted_scratch(p), gb_ctx_memory(ctx),
                            gb_ctx_threads(ctx)));
    p->memory = s.worker_bytes * s.workers;
    gb_schedule_release(&s);
    return GB_OK;
}

/* ---- the plan ---- */
static gb_status copy_program(gb_program **out, gb_ctx *ctx, const gb_program *p) {
    gb_buffer b = GB_BUFFER_INIT;
    gb_status s = gb_program_encode(&b, ctx, p);
    if (s == GB_OK) s = gb_program_decode(out, ctx, b.data, b.size);
    gb_buffer_release(&b);
    return s;
}

static gb_status fill(gb_plan *p, gb_ctx *ctx, const gb_program *program, const gb_params *params, uint32_t copies) {
    GB_TRY(gb_params_new(&p->own_params, ctx, gb_params_get(params)));
    p->params = p->own_params;
    GB_TRY(copy_program(&p->program, ctx, program));
    p->graph.rows = p->program->rows;
    if (copies < 1 || p->program->rows % copies != 0)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "program %s: %u rows do not divide into %u copies", p->program->name,
                       p->program->rows, copies);
    if (gb_params_get(params)->data_count > GB_COUNT(((gb_switch *)0)->m))
        return gb_fail(ctx, GB_ERR_PARAMS, "program %s: parameters %s have more than 8 primes", p->program->name,
                       gb_params_get(params)->name);
    GB_TRY(build_steps(p, ctx));
    GB_TRY(choose_scales(p, ctx));
    GB_TRY(make_constants(p, ctx));
    GB_TRY(make_bundles(p, ctx, copies));
    return measure_memory(p, ctx);
}

gb_status gb_plan_new(gb_plan **out, gb_ctx *ctx, const gb_program *program, const gb_params *params,
                      gb_precision precision, uint32_t copies) {
    *out = NULL;
    if ((size_t)precision >= GB_COUNT(precisions))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "plan: precision %d, must be 0 (default) or 1 (high)", (int)precision);
    gb_plan *p;
    GB_TRY(gb_alloc_zero(&p, ctx, 1, sizeof *p));
    p->precision = precision;
    p->bits = precisions[precision].bits;
    p->weight_bits = precisions[precision].weight_bits;
    gb_status s = fill(p, ctx, program, params, copies);
    if (s != GB_OK) {
        gb_plan_free(p);
        return s;
    }
    *out = p;
    return GB_OK;
}

void gb_plan_free(gb_plan *p) {
    if (!p) return;
    gb_graph_release(&p->graph);
    gb_program_free(p->program);
    gb_params_free(p->own_params);
    gb_free(p->input);
    gb_free(p->output);
    gb_free(p->noise_rms);
    gb_free(p);
}

const gb_bundle_info *gb_plan_input(const gb_plan *p, size_t input) { return &p->input[input]; }
const gb_bundle_info *gb_plan_output(const gb_plan *p, size_t output) { return &p->output[output]; }
double gb_plan_noise_rms(const gb_plan *p, size_t output) { return p->noise_rms[output]; }
uint64_t gb_plan_memory(const gb_plan *p) { return p->memory; }

void gb_plan_explain(const gb_plan *p, FILE *out) {
    fprintf(out, "%-4s %-9s %-6s %10s %10s %10s %9s %9s %9s\n", "step", "op", "of", "lines", "modulus", "log2 scale",
            "bound", "headroom", "noise");
    for (size_t i = 0; i < p->graph.count; i++) {
        const gb_step *s = &p->graph.step[i];
        double m = s->limbs ? gb_ring_log2_q(gb_params_ring(p->params), s->limbs) : s->bits;
        char of[16] = "";
        if (gb_ops[s->op].args) snprintf(of, sizeof of, gb_ops[s->op].args == 2 ? "%u,%u" : "%u", s->arg[0], s->arg[1]);
        fprintf(out, "%-4zu %-9s %-6s %10zu     2^%-5.1f %10.2f %9.3g %9.2f %9.2g\n", i, gb_ops[s->op].name, of,
                s->def->lines, m, log2(s->scale), s->bound, m - 1 - log2(s->bound * s->scale), s->noise_rms / s->scale);
    }
    for (size_t o = 0; o < p->outputs; o++)
        fprintf(out, "output %zu: %u and %u bits, forecast rms error %.3g (of a bound of %.3g)\n", o,
                p->output[o].bits0, p->output[o].bits1, p->noise_rms[o], p->output[o].max_abs);
    fprintf(out, "memory: %.1f MiB\n", (double)p->memory / 1048576);
}
