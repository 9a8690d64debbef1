/* Two reals a slot. X^(N/2) is i in every slot: zeta^(5^j N/2) = i^(5^j), and 5^j = 1 modulo 4. */
#include "scheme/ckks/pack.h"

typedef struct turn {
    gb_ct *c;
    bool odd, negative; /* the power: i^1 or i^0, and its sign */
} turn;

/* Entry k of an NTT is the value at psi^(2 bitrev(k) + 1), where X^(N/2) is psi^(N/2) for k < N/2 (bitrev(k) even) and
 * minus that for the others. */
static void turn_limb(void *user, size_t j, unsigned worker) {
    const turn *t = user;
    const gb_ring *r = gb_params_ring(t->c->params);
    const gb_modulus *m = gb_ring_modulus(r, j);
    size_t half = gb_ring_n(r) / 2;
    uint64_t root = t->odd ? gb_ring_ntt_tables(r, j)->w[1] : 1; /* psi^bitrev(1) */
    (void)worker;
    for (unsigned p = 0; p < t->c->parts; p++) {
        uint64_t *x = gb_ct_limb(t->c, p, (unsigned)j);
        uint64_t first = t->negative ? m->q - root : root, second = t->odd ? m->q - first : first;
        gb_ring_kernels(r)->mul_scalar(x, x, first, half, m);
        gb_ring_kernels(r)->mul_scalar(x + half, x + half, second, half, m);
    }
}

gb_status gb_ckks_mul_i(gb_ct *out, gb_eval *e, const gb_ct *a, int power) {
    unsigned turns = (unsigned)power & 3;
    if (!gb_params_same(a->params, gb_eval_params(e)) || !a->ntt)
        return gb_fail(gb_eval_ctx(e), GB_ERR_PARAMS,
                       "a product with i takes a ciphertext in NTT form of the evaluator's set");
    GB_TRY(gb_ct_copy(out, gb_eval_ctx(e), a));
    if (turns) gb_parallel(gb_eval_ctx(e), out->limbs, turn_limb, &(turn){out, turns & 1, turns >= 2});
    return GB_OK;
}

gb_status gb_ckks_pack(gb_ct *out, gb_eval *e, const gb_ct *x, const gb_ct *y) {
    if (out == x || out == y) return gb_fail(gb_eval_ctx(e), GB_ERR_ARGUMENT, "packing needs an output of its own");
    GB_TRY(gb_ckks_mul_i(out, e, y, 1));
    return gb_ckks_add(out, e, x, out);
}

gb_status gb_ckks_unpack(gb_ct *x, gb_ct *y, gb_eval *e, const gb_ct *z, const gb_eval_keys *k) {
    if (x == z || y == z || x == y)
        return gb_fail(gb_eval_ctx(e), GB_ERR_ARGUMENT, "unpacking needs two outputs of its own");
    GB_TRY(gb_ckks_conjugate(x, e, z, k));
    GB_TRY(gb_ckks_sub(y, e, z, x));    /* 2 i y */
    GB_TRY(gb_ckks_mul_i(y, e, y, -1)); /* 2 y */
    GB_TRY(gb_ckks_add(x, e, z, x));    /* 2 x */
    x->scale = y->scale = 2 * z->scale;
    return GB_OK;
}

/* half[0..1]: a's; half[2..3]: b's; product: room for 3 parts. Both products are relinearised as one. */
static gb_status mul_packed(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k, gb_ct *half,
                            gb_ct *product) {
    GB_TRY(gb_ckks_unpack(&half[0], &half[1], e, a, k));
    GB_TRY(gb_ckks_unpack(&half[2], &half[3], e, b, k));
    GB_TRY(gb_ckks_tensor(product, e, &half[1], &half[3]));
    GB_TRY(gb_ckks_tensor(out, e, &half[0], &half[2]));
    GB_TRY(gb_ckks_mul_i(product, e, product, 1));
    GB_TRY(gb_ckks_add(out, e, out, product));
    return gb_ckks_relinearize_rescale(out, e, k);
}

gb_status gb_ckks_mul_packed(gb_ct *out, gb_eval *e, const gb_ct *a, const gb_ct *b, const gb_eval_keys *k) {
    gb_ct half[4] = {0}, product = {0};
    gb_ctx *ctx = gb_eval_ctx(e);
    gb_status s = gb_ct_init(&product, ctx, gb_eval_params(e), 3, a->limbs);
    for (int i = 0; i < 4 && s == GB_OK; i++)
        s = gb_ct_init(&half[i], ctx, gb_eval_params(e), 2, i < 2 ? a->limbs : b->limbs);
    if (s == GB_OK) s = mul_packed(out, e, a, b, k, half, &product);
    for (int i = 0; i < 4; i++) gb_ct_release(&half[i]);
    gb_ct_release(&product);
    return s;
}
