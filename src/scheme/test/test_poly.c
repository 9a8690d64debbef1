/* scheme/ckks polynomials: every degree to 63, and larger ones to 1023, in both bases: values against doubles, the
 * exact scale asked for, and the depth claimed. */
#include "rig.h"

#define MOST 1023

typedef struct fixture {
    rig r;
    double *x, *want;
    double c[MOST + 1];
    gb_ct in, out;
} fixture;

static void begin(fixture *f, const gb_params_spec *s, double scale) {
    uint64_t random = 3;
    rig_init(&f->r, 2, s, 0);
    f->r.scale = scale;
    rig_key(&f->r, 1);
    f->x = rig_values(&f->r, &random), f->want = rig_values(&f->r, &random);
    rig_encrypt(&f->r, &f->in, f->x, NULL, f->r.slots, f->r.limbs);
    f->out = rig_room(&f->r);
}

static void end(fixture *f) {
    gb_free(f->x);
    gb_free(f->want);
    gb_ct_release(&f->in);
    gb_ct_release(&f->out);
    rig_release(&f->r);
}

/* 7 levels of 40 bits. */
static int setup(void **state) {
    static fixture f;
    gb_params_spec s = rig_spec(14, 46, 40, 8, 47, 2);
    begin(&f, &s, 0x1p40);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    end(*state);
    return 0;
}

/* Horner's rule or Clenshaw's. */
static double at(const gb_ckks_poly *p, double x) {
    double sum = 0;
    if (p->chebyshev) return gb_chebyshev_at(p->c, p->degree, p->a, p->b, x);
    for (size_t i = p->degree + 1; i-- > 0;) sum = sum * x + p->c[i];
    return sum;
}

static double run(fixture *f, const gb_ckks_poly *p, double scale, unsigned width) {
    rig *r = &f->r;
    unsigned depth = 0;
    gb_ct in = f->in; /* a view with no level to spare */
    while ((1u << depth) < p->degree + 1) depth++;
    assert_int_equal(gb_ckks_poly_depth(p->degree), depth);
    in.limbs = gb_params_limbs(r->p, depth + width);
    test_ok(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &in, p, scale, &r->keys));
    assert_int_equal(gb_params_level(r->p, f->out.limbs), 0);
    assert_true(f->out.scale == (scale > 0 ? scale : f->in.scale));
    assert_int_equal(f->out.parts, 2);
    for (size_t i = 0; i < r->slots; i++) f->want[i] = at(p, f->x[i]);
    double far = rig_error(r, &f->out, f->want, NULL, r->slots);
    if (!(far < 1e-6 * (double)p->degree))
        fail_msg("degree %zu, %s: error %g", p->degree, p->chebyshev ? "Chebyshev" : "powers", far);
    return far;
}

static void coefficients(fixture *f, size_t degree, uint64_t seed) {
    for (size_t i = 0; i <= degree; i++) f->c[i] = rig_uniform(&seed) / (double)(degree + 1) * 4;
}

static void test_degrees(void **state) {
    fixture *f = *state;
    for (size_t degree = 1; degree <= 63; degree++)
        for (int chebyshev = 0; chebyshev < 2; chebyshev++) {
            coefficients(f, degree, degree * 2 + (unsigned)chebyshev);
            (void)run(f, &(gb_ckks_poly){f->c, degree, chebyshev, -1, 1}, 0, 0);
        }
    coefficients(f, 127, 5);
    (void)run(f, &(gb_ckks_poly){f->c, 127, true, -1, 1}, 0, 0);
}

/* Ten levels. The two of full depth, and one just above a power of two. */
static void test_large(void **state) {
    (void)state;
    static fixture f;
    gb_params_spec s = rig_spec(15, 46, 40, 11, 47, 6);
    begin(&f, &s, 0x1p40);
    static const size_t degrees[] = {255, 513, 1023};
    for (size_t i = 0; i < GB_COUNT(degrees); i++) {
        coefficients(&f, degrees[i], degrees[i]);
        (void)run(&f, &(gb_ckks_poly){f.c, degrees[i], i != 1, -1, 1}, 0, 0);
    }
    end(&f);
}

/* Levels of two primes of 29 bits, a scale of 2^58: noise is below 2^-36 of the values, so that what is compared is the
 * scale itself. A scale wrong by 2^-34 would show. */
static void test_exact_scale(void **state) {
    (void)state;
    static fixture f;
    static const size_t degrees[] = {1, 2, 3, 5, 7};
    gb_params_spec s = rig_spec(14, 60, 29, 7, 60, 1);
    for (unsigned i = 2; i < 7; i += 2) s.group[i] = 2;
    begin(&f, &s, 0x1p57);
    for (size_t i = 0; i < GB_COUNT(degrees); i++)
        for (int chebyshev = 0; chebyshev < 2; chebyshev++) {
            coefficients(&f, degrees[i], i);
            double far = run(&f, &(gb_ckks_poly){f.c, degrees[i], chebyshev, -1, 1}, 0, 0);
            if (!(far < 0x1p-36)) fail_msg("degree %zu: error 2^%.1f", degrees[i], log2(far));
            far = run(&f, &(gb_ckks_poly){f.c, degrees[i], chebyshev, -1, 1}, 0x1.2345p56, 0);
            if (!(far < 0x1p-35)) fail_msg("degree %zu at another scale: error 2^%.1f", degrees[i], log2(far));
        }
    end(&f);
}

static void test_shapes(void **state) {
    fixture *f = *state;
    for (size_t degree = 3; degree <= 15; degree += 6) {
        coefficients(f, degree, degree);
        (void)run(f, &(gb_ckks_poly){f->c, degree, true, -2, 3}, 0, 1);       /* another domain: one level */
        (void)run(f, &(gb_ckks_poly){f->c, degree, true, -1.03, 0.97}, 0, 0); /* a shift alone: none */
        (void)run(f, &(gb_ckks_poly){f->c, degree, true, -1, 1}, 0x1.8p38, 0);
        (void)run(f, &(gb_ckks_poly){f->c, degree, false, 0, 0}, 0x1.23456789p41, 0);
        f->c[degree] = 1;
        memset(f->c, 0, degree * sizeof(double)); /* a basis element alone */
        (void)run(f, &(gb_ckks_poly){f->c, degree, true, -1, 1}, 0, 0);
        (void)run(f, &(gb_ckks_poly){f->c, degree, false, -1, 1}, 0, 0);
        f->c[0] = -0.5; /* and even: half of it is zero */
        f->c[2] = 0.25;
        (void)run(f, &(gb_ckks_poly){f->c, degree, true, -1, 1}, 0, 0);
    }
    for (size_t degree = 2; degree <= 64; degree *= 2) { /* the highest power splits with nothing beside it */
        memset(f->c, 0, sizeof f->c);
        f->c[degree] = 1;
        (void)run(f, &(gb_ckks_poly){f->c, degree, degree % 4 == 0, -1, 1}, 0, 0);
    }
}

static double wave(double x, void *user) { return sin(*(double *)user * x); }

static void test_fit(void **state) {
    fixture *f = *state;
    double c[41], b[5] = {0}, k = 5;
    test_ok(f->r.ctx, gb_chebyshev_fit(c, f->r.ctx, 40, wave, &k, -1, 4));
    for (double x = -1; x <= 4; x += 0.01) assert_true(fabs(gb_chebyshev_at(c, 40, -1, 4, x) - sin(k * x)) < 1e-9);
    for (size_t i = 0; i < 5; i++) { /* T_i itself: one coefficient */
        b[i] = 1;
        for (double x = -1; x <= 1; x += 0.125)
            assert_true(fabs(gb_chebyshev_at(b, 4, -1, 1, x) - cos((double)i * acos(x))) < 1e-13);
        b[i] = 0;
    }
    test_refused(f->r.ctx, gb_chebyshev_fit(c, f->r.ctx, 3, wave, &k, 1, 1), GB_ERR_ARGUMENT);
    test_refused(f->r.ctx, gb_chebyshev_fit(c, f->r.ctx, 3, wave, &k, NAN, 1), GB_ERR_ARGUMENT);
}

static void test_refusals(void **state) {
    fixture *f = *state;
    rig *r = &f->r;
    gb_eval_keys none = {0};
    gb_ct low = f->in; /* a view */
    coefficients(f, 7, 1);
    gb_ckks_poly p = {f->c, 7, true, -1, 1};
    test_refused(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &f->in, &p, 0, &none), GB_ERR_KEY);
    low.limbs = 3;
    test_refused(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &low, &p, 0, &r->keys), GB_ERR_LEVEL);
    low.limbs = 4;
    test_ok(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &low, &p, 0, &r->keys));
    p.b = 2;
    test_refused(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &low, &p, 0, &r->keys), GB_ERR_LEVEL);
    p.b = -1;
    test_refused(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &f->in, &p, 0, &r->keys), GB_ERR_ARGUMENT);
    p.b = 1, f->c[3] = NAN;
    test_refused(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &f->in, &p, 0, &r->keys), GB_ERR_RANGE);
    p.degree = 0;
    test_refused(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &f->in, &p, 0, &r->keys), GB_ERR_ARGUMENT);
    p.degree = 2048;
    test_refused(r->ctx, gb_ckks_poly_eval(&f->out, r->e, &f->in, &p, 0, &r->keys), GB_ERR_ARGUMENT);
}

static void test_allocation_failures(void **state) {
    fixture *f = *state;
    rig *r = &f->r;
    gb_status status = GB_ERR_MEMORY;
    gb_ct low = f->in;
    low.limbs = 5;
    coefficients(f, 5, 1);
    for (uint64_t n = 1; status != GB_OK; n++) {
        gb_alloc_fail_at(n);
        status = gb_ckks_poly_eval(&f->out, r->e, &low, &(gb_ckks_poly){f->c, 5, true, -1, 3}, 0, &r->keys);
        gb_alloc_fail_at(0);
        assert_true(status == GB_OK || status == GB_ERR_MEMORY);
        assert_true(n < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_degrees),  cmocka_unit_test(test_large), cmocka_unit_test(test_exact_scale),
        cmocka_unit_test(test_shapes),   cmocka_unit_test(test_fit),   cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
