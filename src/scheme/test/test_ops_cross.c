/* Random circuits: a dozen values, random operations among them, each checked against plain arithmetic in complex
 * doubles (CKKS) or 128-bit integers (BFV). A failure names the seed, the step and the operation. */
#include <complex.h>
#undef complex /* a name like any other elsewhere */

#include "bfv_rig.h"

#define WIRES 4

/* ---- CKKS ---- */
typedef struct ckks_wire {
    gb_ct c;
    double _Complex *v;
    double error; /* bound on |slot - v| */
} ckks_wire;

typedef struct ckks_circuit {
    rig r;
    ckks_wire w[WIRES];
    gb_ct out;
    double *re, *im, *more;
    double _Complex *old;
    uint64_t random;
    double floor; /* error that an operation with a key or a division adds */
} ckks_circuit;

static void fresh(ckks_circuit *k, ckks_wire *w) {
    for (size_t i = 0; i < k->r.slots; i++) {
        k->re[i] = rig_uniform(&k->random), k->im[i] = rig_uniform(&k->random);
        w->v[i] = k->re[i] + I * k->im[i];
    }
    gb_ct_release(&w->c);
    rig_encrypt(&k->r, &w->c, k->re, k->im, k->r.slots, k->r.limbs);
    w->error = k->floor;
}

static double largest(const ckks_circuit *k, const ckks_wire *w) {
    double most = 0;
    for (size_t i = 0; i < k->r.slots; i++) most = fmax(most, cabs(w->v[i]));
    return most;
}

/* Three diagonals, at -1, 0 and 1, of values in the unit square. */
static void linear_op(ckks_circuit *k, ckks_wire *a) {
    rig *r = &k->r;
    size_t n = r->slots;
    double *re[3] = {k->re, k->im, k->more};
    double _Complex *old = k->old;
    gb_ckks_diagonal d[3];
    gb_ckks_linear *l;
    for (size_t j = 0; j < 3; j++) {
        for (size_t i = 0; i < n; i++) re[j][i] = rig_uniform(&k->random);
        d[j] = (gb_ckks_diagonal){(int)j - 1, re[j], re[(j + 1) % 3]};
    }
    test_ok(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, n, d, 3, a->c.limbs, r->scale, NULL));
    test_ok(r->ctx, gb_ckks_linear_apply(&k->out, r->e, &a->c, l, &r->keys));
    test_ok(r->ctx, gb_ckks_rescale(&k->out, r->e));
    gb_ckks_linear_free(l);
    memcpy(old, a->v, n * sizeof *old);
    for (size_t i = 0; i < n; i++) {
        a->v[i] = 0;
        for (size_t j = 0; j < 3; j++) a->v[i] += (d[j].re[i] + I * d[j].im[i]) * old[(i + n + j - 1) % n];
    }
    a->error = a->error * 3 * 1.5 + k->floor;
}

/* x^3 / 8 - x / 2 + 1/4, two levels; |x| <= 2: the slope is below 2. */
static void polynomial_op(ckks_circuit *k, ckks_wire *a) {
    static const double c[] = {0.25, -0.5, 0, 0.125};
    test_ok(k->r.ctx, gb_ckks_poly_eval(&k->out, k->r.e, &a->c, &(gb_ckks_poly){c, 3, false, 0, 0}, 0, &k->r.keys));
    for (size_t i = 0; i < k->r.slots; i++) a->v[i] = ((a->v[i] * a->v[i]) / 8 - 0.5) * a->v[i] + 0.25;
    a->error = a->error * 2 + 2 * k->floor;
}

static bool one_ckks_op(ckks_circuit *k, unsigned op, ckks_wire *a, ckks_wire *b) {
    rig *r = &k->r;
    gb_ctx *ctx = r->ctx;
    size_t n = r->slots;
    double ma = largest(k, a), mb = largest(k, b);
    bool level = gb_params_level(r->p, a->c.limbs < b->c.limbs ? a->c.limbs : b->c.limbs) > 0;
    bool meet = fabs(a->c.scale / b->c.scale - 1) < 0x1p-40;
    switch (op) {
    case 0:
    case 1:
        if (!meet || ma + mb > 8) return false;
        test_ok(ctx, (op ? gb_ckks_sub : gb_ckks_add)(&k->out, r->e, &a->c, &b->c));
        for (size_t i = 0; i < n; i++) a->v[i] += op ? -b->v[i] : b->v[i];
        a->error += b->error;
        break;
    case 2:
        if (!level || ma * mb > 8) return false;
        test_ok(ctx, gb_ckks_mul_rescale(&k->out, r->e, &a->c, &b->c, &r->keys));
        for (size_t i = 0; i < n; i++) a->v[i] *= b->v[i];
        a->error = a->error * mb + b->error * ma + k->floor;
        break;
    case 3:
        test_ok(ctx, gb_ckks_rotate(&k->out, r->e, &a->c, 1, &r->keys));
        double _Complex v0 = a->v[0];
        for (size_t i = 0; i + 1 < n; i++) a->v[i] = a->v[i + 1];
        a->v[n - 1] = v0;
        a->error += k->floor;
        break;
    case 4:
        test_ok(ctx, gb_ckks_conjugate(&k->out, r->e, &a->c, &r->keys));
        for (size_t i = 0; i < n; i++) a->v[i] = conj(a->v[i]);
        a->error += k->floor;
        break;
    case 5:
        if (ma > 7) return false;
        test_ok(ctx, gb_ckks_add_scalar(&k->out, r->e, &a->c, 0.75));
        for (size_t i = 0; i < n; i++) a->v[i] += 0.75;
        a->error += 1 / a->c.scale;
        break;
    case 6: {
        if (!level || a->c.limbs > b->c.limbs) return false;
        double by = (double)gb_params_get(r->p)->data[a->c.limbs - 1];
        test_ok(ctx, gb_ckks_mul_scalar(&k->out, r->e, &a->c, -0.6, by));
        test_ok(ctx, gb_ckks_rescale(&k->out, r->e));
        for (size_t i = 0; i < n; i++) a->v[i] *= -0.6;
        a->error += k->floor;
        break;
    }
    case 7:
        if (!level || ma > 2.5) return false;
        linear_op(k, a);
        break;
    case 8:
        if (gb_params_level(r->p, a->c.limbs) < 2 || ma > 2) return false;
        polynomial_op(k, a);
        break;
    case 9: /* a square, of one ciphertext with itself */
        if (gb_params_level(r->p, a->c.limbs) < 1 || ma > 2.5) return false;
        test_ok(ctx, gb_ckks_mul_rescale(&k->out, r->e, &a->c, &a->c, &r->keys));
        for (size_t i = 0; i < n; i++) a->v[i] *= a->v[i];
        a->error = 2 * a->error * ma + k->floor;
        break;
    default:
        if (!level || a->c.limbs > b->c.limbs) return false;
        for (size_t i = 0; i < n; i++) k->re[i] = rig_uniform(&k->random), k->im[i] = rig_uniform(&k->random);
        test_ok(ctx, gb_ckks_encode(&r->pt, ctx, r->enc, k->re, k->im, n, r->scale));
        test_ok(ctx, gb_ckks_mul_plain(&k->out, r->e, &a->c, &r->pt));
        test_ok(ctx, gb_ckks_rescale(&k->out, r->e));
        for (size_t i = 0; i < n; i++) a->v[i] *= k->re[i] + I * k->im[i];
        a->error = a->error * 1.5 + k->floor;
        break;
    }
    test_ok(ctx, gb_ct_copy(&a->c, ctx, &k->out));
    return true;
}

static void test_ckks(void **state) {
    (void)state;
    static ckks_circuit k;
    gb_params_spec s = rig_spec(13, 46, 40, 4, 47, 1);
    rig_init(&k.r, 2, &s, 0);
    rig_key(&k.r, 1);
    rig_key(&k.r, gb_galois_rotation(k.r.p, 1));
    rig_key(&k.r, gb_galois_rotation(k.r.p, -1));
    rig_key(&k.r, gb_galois_conjugation(k.r.p));
    uint64_t zero = 0;
    k.re = rig_values(&k.r, &zero), k.im = rig_values(&k.r, &zero), k.more = rig_values(&k.r, &zero);
    test_ok(k.r.ctx, gb_alloc(&k.old, k.r.ctx, k.r.slots, sizeof *k.old));
    k.out = rig_room(&k.r);
    k.floor = 6 * 3850 * sqrt(8192.0 / 12) / k.r.scale; /* digits of 40 or 46 bits under a special prime of 47 */
    for (size_t i = 0; i < WIRES; i++) test_ok(k.r.ctx, gb_alloc(&k.w[i].v, k.r.ctx, k.r.slots, sizeof *k.w[i].v));
    size_t steps = 0;
    unsigned seen = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        k.random = seed;
        for (size_t i = 0; i < WIRES; i++) fresh(&k, &k.w[i]);
        for (unsigned step = 0; step < 24; step++) {
            ckks_wire *a = &k.w[test_random(&k.random) % WIRES], *b = &k.w[test_random(&k.random) % WIRES];
            unsigned op = (unsigned)(test_random(&k.random) % 11);
            if (a == b || !one_ckks_op(&k, op, a, b)) continue;
            seen |= 1u << op;
            double far = 0;
            test_ok(k.r.ctx, gb_ckks_decrypt(k.r.re, k.r.im, k.r.slots, k.r.ctx, k.r.s, k.r.enc, &a->c));
            for (size_t i = 0; i < k.r.slots; i++) far = fmax(far, cabs(k.r.re[i] + I * k.r.im[i] - a->v[i]));
            if (!(far < a->error))
                fail_msg("seed %llu, step %u, operation %u: error %g, bound %g", (unsigned long long)seed, step, op,
                         far, a->error);
            steps++;
        }
    }
    assert_true(steps > 60);
    assert_int_equal(seen, (1u << 11) - 1);
    for (size_t i = 0; i < WIRES; i++) {
        gb_ct_release(&k.w[i].c);
        gb_free(k.w[i].v);
    }
    gb_ct_release(&k.out);
    gb_free(k.re);
    gb_free(k.im);
    gb_free(k.more);
    gb_free(k.old);
    rig_release(&k.r);
}

/* ---- BFV ---- */
typedef struct bfv_wire {
    gb_ct c;
    int64_t *v;
    unsigned products;
} bfv_wire;

static bool one_bfv_op(bfv_rig *f, unsigned op, bfv_wire *a, bfv_wire *b, gb_ct *out, int64_t *work) {
    gb_ctx *ctx = f->r.ctx;
    size_t n = f->r.n, half = n / 2;
    if (op < 3 && a->c.limbs != b->c.limbs) return false;
    switch (op) {
    case 0:
    case 1:
        test_ok(ctx, (op ? gb_ct_sub : gb_ct_add)(out, f->r.e, &a->c, &b->c));
        for (size_t i = 0; i < n; i++) a->v[i] = bfv_centred(f, (__int128)a->v[i] + (op ? -b->v[i] : b->v[i]));
        a->products = a->products > b->products ? a->products : b->products;
        break;
    case 2:
        if (a->products + b->products > 1) return false;
        test_ok(ctx, gb_bfv_mul(out, f->be, &a->c, &b->c, &f->r.keys));
        for (size_t i = 0; i < n; i++) a->v[i] = bfv_centred(f, (__int128)a->v[i] * b->v[i]);
        a->products++;
        break;
    case 3:
        test_ok(ctx, gb_ct_automorphism(out, f->r.e, &a->c, gb_galois_rotation(f->r.p, 1), &f->r.keys));
        memcpy(work, a->v, n * sizeof *work);
        for (size_t i = 0; i < n; i++) a->v[i] = work[i < half ? (i + 1) % half : half + (i - half + 1) % half];
        break;
    case 4:
        test_ok(ctx, gb_ct_automorphism(out, f->r.e, &a->c, gb_galois_conjugation(f->r.p), &f->r.keys));
        memcpy(work, a->v, n * sizeof *work);
        for (size_t i = 0; i < n; i++) a->v[i] = work[(i + half) % n];
        break;
    case 5:
        gb_bfv_encode(f->poly, f->b, b->v, n);
        test_ok(ctx, gb_bfv_add_plain(out, f->be, &a->c, f->poly));
        for (size_t i = 0; i < n; i++) a->v[i] = bfv_centred(f, (__int128)a->v[i] + b->v[i]);
        break;
    default:
        if (a->products > 0) return false;
        gb_bfv_encode(f->poly, f->b, b->v, n);
        test_ok(ctx, gb_bfv_mul_plain(out, f->be, &a->c, f->poly));
        for (size_t i = 0; i < n; i++) a->v[i] = bfv_centred(f, (__int128)a->v[i] * b->v[i]);
        a->products++;
        break;
    }
    test_ok(ctx, gb_ct_copy(&a->c, ctx, out));
    return true;
}

static void test_bfv(void **state) {
    (void)state;
    bfv_rig f;
    bfv_wire w[WIRES] = {0};
    gb_params_spec s = rig_spec(13, 40, 40, 4, 47, 1);
    bfv_rig_init(&f, 2, &s, UINT64_C(1032193)); /* 63 * 2^14 + 1 */
    rig_key(&f.r, 1);
    rig_key(&f.r, gb_galois_rotation(f.r.p, 1));
    rig_key(&f.r, gb_galois_conjugation(f.r.p));
    gb_ct out = rig_room(&f.r);
    int64_t *work;
    test_ok(f.r.ctx, gb_alloc(&work, f.r.ctx, f.r.n, sizeof *work));
    for (size_t i = 0; i < WIRES; i++) test_ok(f.r.ctx, gb_alloc(&w[i].v, f.r.ctx, f.r.n, sizeof *w[i].v));
    size_t steps = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint64_t random = seed;
        for (size_t i = 0; i < WIRES; i++) {
            for (size_t j = 0; j < f.r.n; j++) w[i].v[j] = bfv_centred(&f, (__int128)test_random(&random));
            gb_ct_release(&w[i].c);
            bfv_encrypt(&f, &w[i].c, w[i].v, f.r.n);
            w[i].products = 0;
        }
        for (unsigned step = 0; step < 24; step++) {
            bfv_wire *a = &w[test_random(&random) % WIRES], *b = &w[test_random(&random) % WIRES];
            unsigned op = (unsigned)(test_random(&random) % 7);
            if (a == b || !one_bfv_op(&f, op, a, b, &out, work)) continue;
            bfv_decrypt(&f, &a->c);
            for (size_t i = 0; i < f.r.n; i++)
                if (f.got[i] != a->v[i])
                    fail_msg("seed %llu, step %u, operation %u: slot %zu is %lld, not %lld", (unsigned long long)seed,
                             step, op, i, (long long)f.got[i], (long long)a->v[i]);
            steps++;
        }
    }
    assert_true(steps > 60);
    for (size_t i = 0; i < WIRES; i++) {
        gb_ct_release(&w[i].c);
        gb_free(w[i].v);
    }
    gb_free(work);
    gb_ct_release(&out);
    bfv_rig_release(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ckks), cmocka_unit_test(test_bfv)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
