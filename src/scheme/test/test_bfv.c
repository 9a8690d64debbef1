/* scheme/bfv: exact arithmetic modulo t of 17 to 60 bits against 128-bit integers. */
#include "bfv_rig.h"

typedef struct fixture {
    bfv_rig f;
    int64_t *x, *y;
    __int128 *want;
    gb_ct a, b, out;
} fixture;

/* Values from all of [-t/2, t/2], its ends among them. */
static void fill(fixture *g, int64_t *v, uint64_t random) {
    const int64_t half = (int64_t)(g->f.t / 2), ends[] = {0, 1, -1, half, -half, half - 1, 1 - half};
    for (size_t i = 0; i < g->f.r.n; i++)
        v[i] = i < GB_COUNT(ends) ? ends[i] : (int64_t)(test_random(&random) % g->f.t) - half;
}

static void begin(fixture *g, unsigned log_n, unsigned bits, unsigned count, uint64_t t) {
    gb_params_spec s = rig_spec(log_n, bits, bits, count, bits + 1, 1);
    gb_params *p;
    gb_ctx *ctx = test_context(1);
    test_ok(ctx, gb_params_new(&p, ctx, &s));
    if (t <= 60) t = gb_bfv_plain_prime(p, (unsigned)t);
    gb_params_free(p);
    gb_ctx_free(ctx);
    assert_true(t > 0);
    bfv_rig_init(&g->f, 2, &s, t);
    gb_ctx *c = g->f.r.ctx;
    test_ok(c, gb_alloc(&g->x, c, g->f.r.n, sizeof *g->x));
    test_ok(c, gb_alloc(&g->y, c, g->f.r.n, sizeof *g->y));
    test_ok(c, gb_alloc(&g->want, c, g->f.r.n, sizeof *g->want));
    g->out = rig_room(&g->f.r);
}

static void operands(fixture *g) {
    fill(g, g->x, g->f.t);
    fill(g, g->y, g->f.t + 1);
    for (size_t i = 0; i < 7; i++) g->y[i] = g->x[(i * 3 + 2) % 7]; /* every end meets another */
    bfv_encrypt(&g->f, &g->a, g->x, g->f.r.n);
    bfv_encrypt(&g->f, &g->b, g->y, g->f.r.n);
}

static void drop_operands(fixture *g) {
    gb_ct_release(&g->a);
    gb_ct_release(&g->b);
}

static void end(fixture *g) {
    drop_operands(g);
    gb_ct_release(&g->out);
    gb_free(g->x);
    gb_free(g->y);
    gb_free(g->want);
    bfv_rig_release(&g->f);
}

#define WANT(expr)                                                                                                     \
    for (size_t i = 0; i < g->f.r.n; i++) g->want[i] = (expr)

static void run_all(fixture *g) {
    bfv_rig *f = &g->f;
    rig *r = &f->r;
    gb_ctx *ctx = r->ctx;
    size_t half = r->n / 2;
    WANT(g->x[i]);
    bfv_expect(f, &g->a, g->want);
    WANT((__int128)g->x[i] + g->y[i]);
    test_ok(ctx, gb_ct_add(&g->out, r->e, &g->a, &g->b));
    bfv_expect(f, &g->out, g->want);
    gb_bfv_encode(f->poly, f->b, g->y, r->n);
    test_ok(ctx, gb_bfv_add_plain(&g->out, f->be, &g->a, f->poly));
    bfv_expect(f, &g->out, g->want);
    WANT((__int128)g->y[i] - g->x[i]);
    test_ok(ctx, gb_ct_sub(&g->out, r->e, &g->b, &g->a));
    bfv_expect(f, &g->out, g->want);
    WANT(-(__int128)g->x[i]);
    test_ok(ctx, gb_ct_neg(&g->out, r->e, &g->a));
    bfv_expect(f, &g->out, g->want);
    WANT((__int128)g->x[i] * g->y[i]);
    gb_bfv_encode(f->poly, f->b, g->y, r->n);
    test_ok(ctx, gb_bfv_mul_plain(&g->out, f->be, &g->a, f->poly));
    bfv_expect(f, &g->out, g->want);
    test_ok(ctx, gb_bfv_tensor(&g->out, f->be, &g->a, &g->b)); /* three parts decrypt too */
    assert_int_equal(g->out.parts, 3);
    bfv_expect(f, &g->out, g->want);
    test_ok(ctx, gb_bfv_mul(&g->out, f->be, &g->a, &g->b, &r->keys));
    assert_int_equal(g->out.parts, 2);
    bfv_expect(f, &g->out, g->want);
    /* One after the other, and relinearised as it is made: the same residues. The square has a path of its own. */
    gb_ct apart = rig_room(r);
    for (size_t i = 0; i < 2; i++) {
        test_ok(ctx, gb_bfv_mul(&g->out, f->be, &g->a, i ? &g->a : &g->b, &r->keys));
        test_ok(ctx, gb_bfv_tensor(&apart, f->be, &g->a, i ? &g->a : &g->b));
        test_ok(ctx, gb_ct_relinearize(&apart, r->e, &r->keys));
        for (unsigned p = 0; p < 2; p++)
            assert_memory_equal(gb_ct_limb(&g->out, p, 0), gb_ct_limb(&apart, p, 0),
                                r->limbs * r->n * sizeof(uint64_t));
    }
    WANT((__int128)g->x[i] * g->x[i]);
    bfv_expect(f, &g->out, g->want);
    WANT((__int128)g->x[i] * g->y[i]);
    gb_ct_release(&apart);
    test_ok(ctx, gb_bfv_mul(&g->out, f->be, &g->a, &g->b, &r->keys));
    /* Modulus switching keeps the message as long as the modulus holds it, also before a product. */
    test_ok(ctx, gb_ct_divide(&g->out, r->e, 1));
    assert_int_equal(g->out.limbs, r->limbs - 1);
    bfv_expect(f, &g->out, g->want);
    test_ok(ctx, gb_ct_divide(&g->a, r->e, 1));
    test_ok(ctx, gb_ct_divide(&g->b, r->e, 1));
    test_ok(ctx, gb_bfv_mul(&g->out, f->be, &g->a, &g->b, &r->keys));
    /* A product's noise is about t N^(1/2) (2N/3)^(1/2) times the largest coefficient of its operands', below 2^8. */
    if (gb_ring_log2_q(gb_params_ring(r->p), r->limbs - 1) > 2 * log2((double)f->t) + log2((double)r->n) + 9)
        bfv_expect(f, &g->out, g->want);
    /* Both rows turn; the conjugation swaps them. */
    WANT(g->x[i < half ? (i + 3) % half : half + (i - half + 3) % half]);
    test_ok(ctx, gb_ct_automorphism(&g->out, r->e, &g->a, gb_galois_rotation(r->p, 3), &r->keys));
    bfv_expect(f, &g->out, g->want);
    WANT(g->x[(i + half) % r->n]);
    test_ok(ctx, gb_ct_automorphism(&g->out, r->e, &g->a, gb_galois_conjugation(r->p), &r->keys));
    bfv_expect(f, &g->out, g->want);
}

static void keys(fixture *g) {
    rig_key(&g->f.r, 1);
    rig_key(&g->f.r, gb_galois_rotation(g->f.r.p, 3));
    rig_key(&g->f.r, gb_galois_conjugation(g->f.r.p));
}

static void test_small_plaintext(void **state) {
    (void)state;
    fixture g;
    begin(&g, 12, 24, 3, 17); /* the smallest prime there is for N = 4096 */
    keys(&g);
    operands(&g);
    run_all(&g);
    end(&g);
}

static void test_all_sizes(void **state) {
    (void)state;
    static const unsigned bits[] = {17, 20, 30, 40, 45, 50, 51, 60};
    fixture g;
    begin(&g, 13, 40, 4, 17);
    keys(&g);
    for (size_t i = 0; i < GB_COUNT(bits); i++) {
        uint64_t t = gb_bfv_plain_prime(g.f.r.p, bits[i]);
        assert_true(t >> bits[i] == 0 && t % (2 * g.f.r.n) == 1 && gb_is_prime(t));
        if (bits[i] != 17) bfv_plain_modulus(&g.f, t);
        operands(&g);
        run_all(&g);
        if (i + 1 < GB_COUNT(bits)) drop_operands(&g);
    }
    end(&g);
}

/* Primes over 50 bits are served by other kernels; powers by repeated squaring down three products. */
static void test_depth(void **state) {
    (void)state;
    fixture g;
    begin(&g, 14, 55, 6, 30);
    keys(&g);
    operands(&g);
    run_all(&g);
    bfv_rig *f = &g.f;
    for (size_t i = 0; i < f->r.n; i++) g.want[i] = g.x[i];
    gb_ct x = rig_room(&f->r);
    test_ok(f->r.ctx, gb_ct_copy(&x, f->r.ctx, &g.a));
    for (int k = 0; k < 3; k++) {
        test_ok(f->r.ctx, gb_bfv_mul(&g.out, f->be, &x, &x, &f->r.keys));
        for (size_t i = 0; i < f->r.n; i++) g.want[i] = (__int128)bfv_centred(f, g.want[i]) * bfv_centred(f, g.want[i]);
        bfv_expect(f, &g.out, g.want);
        test_ok(f->r.ctx, gb_ct_divide(&g.out, f->r.e, 1));
        bfv_expect(f, &g.out, g.want);
        test_ok(f->r.ctx, gb_ct_copy(&x, f->r.ctx, &g.out));
    }
    gb_ct_release(&x);
    end(&g);
}

static void test_encoding(void **state) {
    (void)state;
    fixture g;
    begin(&g, 12, 24, 3, 17);
    operands(&g);
    const int64_t few[] = {INT64_MAX, INT64_MIN, (int64_t)g.f.t, -(int64_t)g.f.t, 5};
    gb_bfv_encode(g.f.poly, g.f.b, few, 5);
    gb_bfv_decode(g.f.got, g.f.b, g.f.poly, g.f.r.n);
    for (size_t i = 0; i < g.f.r.n; i++) assert_int_equal(g.f.got[i], bfv_centred(&g.f, i < 5 ? few[i] : 0));
    /* The definition: a constant polynomial has that constant in every slot. */
    memset(g.f.poly, 0, g.f.r.n * sizeof *g.f.poly);
    g.f.poly[0] = 7;
    gb_bfv_decode(g.f.got, g.f.b, g.f.poly, g.f.r.n);
    for (size_t i = 0; i < g.f.r.n; i++) assert_int_equal(g.f.got[i], 7);
    end(&g);
}

static void test_refusals(void **state) {
    (void)state;
    fixture g;
    gb_bfv *b;
    begin(&g, 13, 40, 4, 20);
    operands(&g);
    rig *r = &g.f.r;
    gb_ctx *ctx = r->ctx;
    const gb_params_spec *spec = gb_params_get(r->p);
    const uint64_t bad[] = {
        0, 1, 40961, 65537 + 1, (UINT64_C(1) << 20) + 1, g.f.t + 2, UINT64_C(1) << 60, spec->data[1]};
    for (size_t i = 0; i < GB_COUNT(bad); i++) {
        test_refused(ctx, gb_bfv_new(&b, ctx, r->p, bad[i]), GB_ERR_PARAMS);
        assert_null(b);
    }
    assert_true(gb_bfv_plain_prime(r->p, 16) == 0 && gb_bfv_plain_prime(r->p, 61) == 0);
    test_refused(ctx, gb_bfv_mul(&g.out, g.f.be, &g.a, &g.b, &r->keys), GB_ERR_KEY);
    test_refused(ctx, gb_bfv_mul(&g.a, g.f.be, &g.a, &g.b, &r->keys), GB_ERR_ARGUMENT);
    test_ok(ctx, gb_ct_divide(&g.b, r->e, 1));
    test_refused(ctx, gb_bfv_mul(&g.out, g.f.be, &g.a, &g.b, &r->keys), GB_ERR_LEVEL);
    fixture h;
    gb_bfv_eval *other;
    begin(&h, 12, 24, 3, 17);
    operands(&h);
    test_refused(ctx, gb_bfv_mul(&g.out, g.f.be, &g.a, &h.a, &r->keys), GB_ERR_PARAMS);
    test_refused(ctx, gb_bfv_add_plain(&g.out, g.f.be, &h.a, g.f.poly), GB_ERR_PARAMS);
    test_refused(ctx, gb_bfv_eval_new(&other, r->e, h.f.b), GB_ERR_PARAMS);
    end(&h);
    end(&g);
}

static void test_allocation_failures(void **state) {
    (void)state;
    fixture g;
    begin(&g, 12, 24, 3, 17);
    keys(&g);
    operands(&g);
    gb_status status = GB_ERR_MEMORY;
    for (uint64_t n = 1; status != GB_OK; n++) {
        gb_bfv *b = NULL;
        gb_bfv_eval *be = NULL;
        gb_alloc_fail_at(n);
        status = gb_bfv_new(&b, g.f.r.ctx, g.f.r.p, g.f.t);
        if (status == GB_OK) status = gb_bfv_eval_new(&be, g.f.r.e, b);
        if (status == GB_OK) status = gb_bfv_mul(&g.out, be, &g.a, &g.b, &g.f.r.keys);
        gb_alloc_fail_at(0);
        assert_true(status == GB_OK || status == GB_ERR_MEMORY);
        assert_true(n < 200);
        gb_bfv_eval_free(be);
        gb_bfv_free(b);
    }
    end(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoding),  cmocka_unit_test(test_small_plaintext),
        cmocka_unit_test(test_all_sizes), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
