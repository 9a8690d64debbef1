/* Carrying out a circuit. */
#include <math.h>

#include "scheme/circuit/internal.h"

typedef struct run {
    const gb_circuit *c;
    gb_ctx *ctx;
    gb_eval *e;
    gb_bfv_eval *x; /* BFV */
    const gb_eval_keys *keys;
    gb_ct *value; /* of each step, while it is needed */
    size_t *uses; /* that are still to come; 0: not needed */
    gb_pt plain;
    uint64_t *poly;
} run;

/* ---- checks before anything is computed ---- */
static gb_status check_input(run *r, const gb_circuit_step *s, const gb_ct *in) {
    const gb_circuit *c = r->c;
    if (!gb_params_same(in->params, c->params) || in->parts != 2 || !in->ntt)
        return gb_fail(r->ctx, GB_ERR_PARAMS,
                       "input %u: takes a two-part ciphertext in NTT form of the circuit's parameters", s->number);
    if (in->limbs != s->info.limbs)
        return gb_fail(r->ctx, GB_ERR_LEVEL, "input %u: has %u limbs, the circuit was made for %u", s->number,
                       in->limbs, s->info.limbs);
    if (!(fabs(in->scale - s->info.scale) <= ldexp(s->info.scale, -40)))
        return gb_fail(r->ctx, GB_ERR_LEVEL, "input %u: has the scale 2^%.6f, the circuit was made for 2^%.6f",
                       s->number, log2(in->scale), log2(s->info.scale));
    return GB_OK;
}

static gb_status check_run(run *r, const gb_ct *out, const gb_ct *in) {
    const gb_circuit *c = r->c;
    if (!gb_params_same(gb_eval_params(r->e), c->params))
        return gb_fail(r->ctx, GB_ERR_PARAMS, "circuit and evaluator have different parameters");
    for (size_t i = 0; i < c->keys; i++) {
        const gb_switch_key *key;
        GB_TRY(gb_eval_keys_find(&key, r->ctx, r->keys, c->key[i].galois, c->key[i].limbs));
        if (key->digit != c->sure.digit)
            return gb_fail(r->ctx, GB_ERR_KEY, "the key of Galois element %llu has %u primes a digit, the circuit %u",
                           (unsigned long long)key->galois, key->digit, c->sure.digit);
    }
    for (size_t i = 0; i < c->count; i++)
        if (c->step[i].kind == GB_STEP_INPUT && r->uses[i]) GB_TRY(check_input(r, &c->step[i], &in[c->step[i].number]));
    for (size_t i = 0; i < c->outputs; i++)
        if (out[i].room < 2 || out[i].capacity < c->step[c->output[i]].info.limbs)
            return gb_fail(r->ctx, GB_ERR_LEVEL, "output %zu: has room for %u limbs, %u are due", i, out[i].capacity,
                           c->step[c->output[i]].info.limbs);
    return GB_OK;
}

/* ---- one step ---- */
static gb_status encode(run *r, const gb_circuit_step *s, unsigned limbs, double scale) {
    r->plain.limbs = limbs;
    return gb_ckks_encode(&r->plain, r->ctx, r->c->encoder, s->re, s->im, s->count, scale);
}

static gb_status lower(run *r, const gb_circuit_step *s, gb_ct *out, const gb_ct *a) {
    unsigned level = s->info.level;
    if (r->x) {
        GB_TRY(gb_ct_copy(out, r->ctx, a));
        while (out->limbs > s->info.limbs) { /* a level at a time, as its noise was followed */
            unsigned at = gb_params_level(out->params, out->limbs);
            GB_TRY(gb_ct_divide(out, r->e, out->limbs - gb_params_limbs(out->params, at - 1)));
        }
        return GB_OK;
    }
    gb_ct view = *a;
    view.limbs = gb_params_limbs(r->c->params, level + 1);
    GB_TRY(gb_ckks_mul_scalar(out, r->e, &view, 1, s->real));
    return gb_ckks_rescale(out, r->e);
}

static gb_status ckks_step(run *r, const gb_circuit_step *s, gb_ct *out, const gb_ct *a, const gb_ct *b) {
    gb_eval *e = r->e;
    switch (s->kind) {
    case GB_STEP_ADD:
        return gb_ct_add(out, e, a, b);
    case GB_STEP_SUB:
        return gb_ct_sub(out, e, a, b);
    case GB_STEP_NEG:
        return gb_ct_neg(out, e, a);
    case GB_STEP_MUL:
        return gb_ckks_mul_rescale(out, e, a, b, r->keys);
    case GB_STEP_TIMES:
        return gb_ckks_mul_scalar(out, e, a, (double)s->integer, 1);
    case GB_STEP_ADD_NUMBER:
        return gb_ckks_add_scalar(out, e, a, s->real);
    case GB_STEP_MUL_NUMBER:
        GB_TRY(gb_ckks_mul_scalar(out, e, a, s->real,
                                  s->info.scale * gb_params_divisor(a->params, s->info.level + 1) / a->scale));
        return gb_ckks_rescale(out, e);
    case GB_STEP_ADD_VECTOR:
        GB_TRY(encode(r, s, a->limbs, a->scale));
        return gb_ckks_add_plain(out, e, a, &r->plain);
    case GB_STEP_MUL_VECTOR:
        GB_TRY(encode(r, s, a->limbs, s->real));
        GB_TRY(gb_ckks_mul_plain(out, e, a, &r->plain));
        return gb_ckks_rescale(out, e);
    case GB_STEP_LINEAR:
        GB_TRY(gb_ckks_linear_apply(out, e, a, s->linear, r->keys));
        return gb_ckks_rescale(out, e);
    case GB_STEP_POLY:
        return gb_ckks_poly_eval(out, e, a, &s->poly, s->info.scale, r->keys);
    default:
        return gb_fail(r->ctx, GB_ERR_INTERNAL, "circuit: %s is no operation of CKKS", s->info.op);
    }
}

static gb_status bfv_step(run *r, const gb_circuit_step *s, gb_ct *out, const gb_ct *a, const gb_ct *b) {
    const gb_bfv *scheme = r->c->bfv;
    switch (s->kind) {
    case GB_STEP_ADD:
        return gb_ct_add(out, r->e, a, b);
    case GB_STEP_SUB:
        return gb_ct_sub(out, r->e, a, b);
    case GB_STEP_NEG:
        return gb_ct_neg(out, r->e, a);
    case GB_STEP_MUL:
        return gb_bfv_mul(out, r->x, a, b, r->keys);
    case GB_STEP_TIMES:
        return gb_bfv_mul_scalar(out, r->x, a, s->integer);
    case GB_STEP_ADD_INTEGERS:
        gb_bfv_encode(r->poly, scheme, s->integers, s->count);
        return gb_bfv_add_plain(out, r->x, a, r->poly);
    case GB_STEP_MUL_INTEGERS:
        gb_bfv_encode(r->poly, scheme, s->integers, s->count);
        GB_TRY(gb_bfv_mul_plain(out, r->x, a, r->poly));
        return GB_OK;
    case GB_STEP_BFV_POLY:
        return gb_bfv_poly_eval(out, r->x, a, &s->table, r->keys);
    default:
        return gb_fail(r->ctx, GB_ERR_INTERNAL, "circuit: %s is no operation of BFV", s->info.op);
    }
}

static gb_status carry_out(run *r, const gb_circuit_step *s, gb_ct *out) {
    const gb_ct *a = &r->value[s->arg[0]], *b = &r->value[s->arg[1]];
    if (s->kind == GB_STEP_LOWER) return lower(r, s, out, a);
    if (s->kind == GB_STEP_AUTOMORPHISM) return gb_ct_automorphism(out, r->e, a, s->galois, r->keys);
    return r->x ? bfv_step(r, s, out, a, b) : ckks_step(r, s, out, a, b);
}

static void drop(run *r, gb_wire a) {
    if (--r->uses[a] == 0) gb_eval_ct_return(r->e, &r->value[a]);
}

static gb_status steps(run *r, const gb_ct *in) {
    const gb_circuit *c = r->c;
    for (size_t i = 0; i < c->count; i++) {
        const gb_circuit_step *s = &c->step[i];
        unsigned limbs = s->info.limbs;
        if (!r->uses[i]) continue;
        for (unsigned j = 0; j < s->args; j++)
            if (r->value[s->arg[j]].limbs > limbs) limbs = r->value[s->arg[j]].limbs;
        GB_TRY(gb_eval_ct(&r->value[i], r->e, 3, limbs));
        GB_TRY(s->kind == GB_STEP_INPUT ? gb_ct_copy(&r->value[i], r->ctx, &in[s->number])
                                        : carry_out(r, s, &r->value[i]));
        r->value[i].scale = s->info.scale; /* what it is but for the last bits of doubles */
        for (unsigned j = 0; j < s->args; j++) drop(r, s->arg[j]);
    }
    return GB_OK;
}

static void count_uses(run *r, bool *needed) {
    const gb_circuit *c = r->c;
    gb_circuit_mark(needed, c);
    for (size_t i = 0; i < c->count; i++)
        for (unsigned j = 0; needed[i] && j < c->step[i].args; j++) r->uses[c->step[i].arg[j]]++;
    for (size_t i = 0; i < c->outputs; i++) r->uses[c->output[i]]++;
}

static gb_status run_circuit(run *r, gb_ct *out, const gb_ct *in, bool *needed) {
    const gb_circuit *c = r->c;
    size_t n = gb_ring_n(gb_params_ring(c->params));
    count_uses(r, needed);
    GB_TRY(check_run(r, out, in));
    GB_TRY(gb_pt_init(&r->plain, r->ctx, c->params, gb_params_limbs(c->params, c->top), false));
    GB_TRY(gb_alloc(&r->poly, r->ctx, n, sizeof *r->poly));
    GB_TRY(steps(r, in));
    for (size_t i = 0; i < c->outputs; i++) GB_TRY(gb_ct_copy(&out[i], r->ctx, &r->value[c->output[i]]));
    return GB_OK;
}

static gb_status start(gb_ct *out, run *r, const gb_ct *in) {
    bool *needed = NULL;
    size_t count = r->c->count;
    r->ctx = gb_eval_ctx(r->e);
    if (!r->c->outputs) return gb_fail(r->ctx, GB_ERR_ARGUMENT, "circuit: it has no output");
    gb_status s = gb_alloc_zero(&r->value, r->ctx, count, sizeof *r->value);
    if (s == GB_OK) s = gb_alloc_zero(&r->uses, r->ctx, count, sizeof *r->uses);
    if (s == GB_OK) s = gb_alloc(&needed, r->ctx, count, sizeof *needed);
    if (s == GB_OK) s = run_circuit(r, out, in, needed);
    for (size_t i = 0; r->value && i < count; i++) gb_eval_ct_return(r->e, &r->value[i]);
    gb_pt_release(&r->plain);
    gb_free(r->poly);
    gb_free(r->value);
    gb_free(r->uses);
    gb_free(needed);
    return s;
}

gb_status gb_circuit_run_ckks(gb_ct *out, gb_eval *e, const gb_circuit *c, const gb_ct *in, const gb_eval_keys *k) {
    run r = {.c = c, .e = e, .keys = k};
    if (!c->encoder) return gb_fail(gb_eval_ctx(e), GB_ERR_ARGUMENT, "circuit: this one is for BFV");
    return start(out, &r, in);
}

gb_status gb_circuit_run_bfv(gb_ct *out, gb_bfv_eval *x, const gb_circuit *c, const gb_ct *in, const gb_eval_keys *k) {
    run r = {.c = c, .e = gb_bfv_eval_core(x), .x = x, .keys = k};
    if (!c->bfv || gb_bfv_modulus(gb_bfv_eval_context(x)) != gb_bfv_modulus(c->bfv))
        return gb_fail(gb_eval_ctx(r.e), GB_ERR_PARAMS, "circuit: made for CKKS, or for another plaintext modulus");
    return start(out, &r, in);
}
