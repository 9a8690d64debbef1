/* The plaintext modulus, the auxiliary primes, and the constants of every level. */
#include "scheme/bfv/internal.h"

#include <math.h>

uint64_t gb_bfv_plain_prime(const gb_params *p, unsigned bits) {
    const gb_params_spec *s = gb_params_get(p);
    if (bits < 17 || bits > 60) return 0;
    uint64_t t = UINT64_C(1) << bits;
    bool taken = true;
    while (taken) {
        t = gb_prime_below(t, 2 * gb_ring_n(gb_params_ring(p)));
        taken = false;
        for (size_t i = 0; i < s->data_count; i++) taken = taken || (t != 0 && s->data[i] == t);
    }
    return t >> 16 ? t : 0;
}

uint64_t gb_bfv_modulus(const gb_bfv *b) { return b->t; }
const gb_params *gb_bfv_params(const gb_bfv *b) { return b->params; }

/* Slot i of row 0 is the value at psi^(5^i), of row 1 at psi^(-5^i); entry k of the transform is that at
 * psi^(2 bitrev(k) + 1). */
static void slot_order(gb_bfv *b) {
    unsigned log_n = gb_ring_log_n(b->plain);
    uint32_t n = 1u << log_n, mask = 2 * n - 1, power = 1;
    for (uint32_t i = 0; i < n / 2; i++) {
        b->slot[i] = (uint32_t)gb_bit_reverse((power - 1) >> 1, log_n);
        b->slot[n / 2 + i] = (uint32_t)gb_bit_reverse((2 * n - power - 1) >> 1, log_n);
        power = power * 5 & mask;
    }
}

/* The product modulo m of `count` primes of the ring from `first` on, without the prime `but` (any other: of all). */
static uint64_t product(const gb_ring *r, unsigned first, unsigned count, unsigned but, const gb_modulus *m) {
    uint64_t p = 1;
    for (unsigned i = first; i < first + count; i++)
        if (i != but) p = gb_mod_mul(p, gb_ring_modulus(r, i)->q % m->q, m);
    return p;
}

static uint64_t negative(uint64_t x, const gb_modulus *m) { return x ? m->q - x : 0; }

#define ALL UINT32_MAX

/* What is reduced modulo q_j: the maps out of R. The sum of y_k / r_k, less the wraps, is x / R. */
static void data_constants(gb_bfv_level *l, const gb_bfv *b, unsigned j) {
    const gb_ring *keys = gb_params_ring(b->params); /* data primes, then special ones */
    const gb_modulus *m = gb_ring_modulus(b->ring, j);
    const unsigned aux = l->aux, special = (unsigned)gb_ring_limbs(keys) - b->data;
    const uint64_t t = b->t % m->q, p = product(keys, b->data, special, ALL, m);
    uint64_t *back = l->back + (size_t)j * (aux + 1), *rest = l->rest + (size_t)j * (aux + 1),
             *special_rest = l->special_rest + (size_t)j * (aux + 1);
    l->hat_inv[j] = gb_mod_inv(product(b->ring, 0, l->limbs, j, m), m);
    l->aux_product[j] = product(b->ring, b->data, aux, ALL, m);
    l->aux_hat_inv[j] = gb_mod_mul(l->hat_inv[j], l->aux_product[j], m);
    l->fraction[j] = 1.0 / (double)m->q;
    /* floor(Q/t) = (Q - Q mod t) / t, and Q = 0 mod q_j */
    l->delta[j] = gb_mod_mul(negative(l->whole % m->q, m), gb_mod_inv(t, m), m);
    for (unsigned k = 0; k <= aux; k++) {
        rest[k] = k < aux ? gb_mod_inv(gb_ring_modulus(b->ring, b->data + k)->q % m->q, m) : m->q - 1;
        back[k] = gb_mod_mul(rest[k], t, m);
        special_rest[k] = gb_mod_mul(rest[k], p, m);
    }
}

/* What is reduced modulo r_k: the maps out of Q. round(R x / Q) = (R x - [R x]_Q) / Q = -[R x]_Q / Q mod r_k. */
static void aux_constants(gb_bfv_level *l, const gb_bfv *b, unsigned k) {
    const gb_modulus *m = gb_ring_modulus(b->ring, b->data + k);
    uint64_t *lift = l->lift + (size_t)k * (l->limbs + 1), *turn = l->turn + (size_t)k * (l->limbs + 1);
    const uint64_t t = b->t % m->q;
    turn[l->limbs] = gb_mod_inv(product(b->ring, b->data, l->aux, b->data + k, m), m);
    lift[l->limbs] = negative(gb_mod_mul(t, product(b->ring, 0, l->limbs, ALL, m), m), m);
    for (unsigned i = 0; i < l->limbs; i++) {
        const uint64_t inverse = gb_mod_inv(gb_ring_modulus(b->ring, i)->q % m->q, m);
        lift[i] = gb_mod_mul(t, product(b->ring, 0, l->limbs, i, m), m);
        turn[i] = negative(gb_mod_mul(inverse, turn[l->limbs], m), m);
    }
}

static gb_status make_level(gb_bfv_level *l, gb_ctx *ctx, const gb_bfv *b, unsigned limbs) {
    double need = gb_ring_log2_q(b->ring, limbs) + gb_ring_log_n(b->ring) + GB_BFV_SPARE;
    l->limbs = limbs;
    for (; need > 0 && l->aux < b->aux; l->aux++) need -= log2((double)gb_ring_modulus(b->ring, b->data + l->aux)->q);
    const size_t out = (size_t)l->aux * (limbs + 1), in = (size_t)limbs * (l->aux + 1);
    const size_t sizes[] = {limbs, limbs, limbs, limbs, out, out, in, in, in};
    uint64_t **const parts[] = {&l->hat_inv, &l->aux_hat_inv, &l->aux_product, &l->delta,       &l->lift,
                                &l->turn,    &l->back,        &l->rest,        &l->special_rest};
    size_t words = 0;
    for (size_t i = 0; i < GB_COUNT(sizes); i++) words += sizes[i];
    GB_TRY(gb_alloc(&l->words, ctx, words, sizeof *l->words));
    for (size_t i = 0, at = 0; i < GB_COUNT(sizes); at += sizes[i++]) *parts[i] = l->words + at;
    l->whole = product(b->ring, 0, limbs, ALL, gb_ring_modulus(b->plain, 0));
    for (unsigned j = 0; j < limbs; j++) data_constants(l, b, j);
    for (unsigned k = 0; k < l->aux; k++) aux_constants(l, b, k);
    return GB_OK;
}

static gb_status make_levels(gb_bfv *b, gb_ctx *ctx) {
    GB_TRY(gb_alloc_zero(&b->level, ctx, b->data + 1, sizeof *b->level));
    for (unsigned k = 0; k < b->aux; k++) b->aux_fraction[k] = 1.0 / (double)gb_ring_modulus(b->ring, b->data + k)->q;
    for (unsigned limbs = 1; limbs <= b->data; limbs++) GB_TRY(make_level(&b->level[limbs], ctx, b, limbs));
    return GB_OK;
}

/* Auxiliary primes below 2^50 (the fastest kernels), until R >= Q N 2^GB_BFV_SPARE. */
static gb_status make_ring(gb_bfv *b, gb_ctx *ctx) {
    const gb_params_spec *spec = gb_params_get(b->params);
    uint64_t primes[2 * GB_MAX_LIMBS], below = UINT64_C(1) << 50;
    size_t n = 0;
    double need = gb_ring_log2_q(gb_params_ring(b->params), spec->data_count) + spec->log_n + GB_BFV_SPARE;
    for (size_t i = 0; i < spec->data_count; i++) {
        if (spec->data[i] == b->t)
            return gb_fail(ctx, GB_ERR_PARAMS, "the plaintext modulus is one of the data primes; take another");
        primes[n++] = spec->data[i];
    }
    while (need > 0 && n < GB_MAX_LIMBS) {
        below = gb_prime_below(below, UINT64_C(2) << spec->log_n);
        if (!below) return gb_fail(ctx, GB_ERR_PARAMS, "not enough auxiliary primes for N = 2^%u", spec->log_n);
        bool used = below == b->t;
        for (size_t i = 0; i < spec->data_count; i++) used = used || spec->data[i] == below;
        if (used) continue;
        primes[n++] = below;
        need -= log2((double)below);
    }
    if (need > 0) return gb_fail(ctx, GB_ERR_PARAMS, "%s has too many data primes for BFV products", spec->name);
    b->data = (unsigned)spec->data_count;
    b->aux = (unsigned)(n - spec->data_count);
    return gb_ring_new(&b->ring, ctx, spec->log_n, primes, n);
}

static gb_status build(gb_bfv *b, gb_ctx *ctx, const gb_params *p) {
    unsigned bits = 0;
    GB_TRY(gb_params_new(&b->params, ctx, gb_params_get(p)));
    if (b->t >> 60 || !(b->t >> 16) || !gb_is_prime(b->t) || b->t % (2 * gb_ring_n(gb_params_ring(p))) != 1)
        return gb_fail(ctx, GB_ERR_PARAMS, "plaintext modulus %llu is not a prime of 17 to 60 bits that is 1 mod 2N",
                       (unsigned long long)b->t);
    GB_TRY(gb_ring_new(&b->plain, ctx, gb_params_get(p)->log_n, &b->t, 1));
    GB_TRY(gb_alloc(&b->slot, ctx, gb_ring_n(b->plain), sizeof *b->slot));
    slot_order(b);
    b->t_inverse = gb_bfv_inverse64(b->t);
    GB_TRY(make_ring(b, ctx));
    for (size_t i = 0; i < gb_ring_limbs(b->ring); i++)
        bits = gb_ring_modulus(b->ring, i)->bits > bits ? gb_ring_modulus(b->ring, i)->bits : bits;
    b->extend = gb_extend_get(gb_cpu_flags(), bits);
    return make_levels(b, ctx);
}

gb_status gb_bfv_new(gb_bfv **out, gb_ctx *ctx, const gb_params *p, uint64_t t) {
    gb_bfv *b;
    *out = NULL;
    GB_TRY(gb_alloc_zero(&b, ctx, 1, sizeof *b));
    b->t = t;
    gb_status s = build(b, ctx, p);
    if (s != GB_OK) {
        gb_bfv_free(b);
        return s;
    }
    *out = b;
    return GB_OK;
}

void gb_bfv_free(gb_bfv *b) {
    if (!b) return;
    for (unsigned i = 0; b->level && i <= b->data; i++) gb_free(b->level[i].words);
    gb_free(b->level);
    gb_free(b->slot);
    gb_ring_free(b->ring);
    gb_ring_free(b->plain);
    gb_params_free(b->params);
    gb_free(b);
}
