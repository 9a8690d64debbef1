/* scheme/bfv/predicates and fixed: tables, equality, order, membership, fixed point, all exact. */
#include "bfv_rig.h"
#include "scheme/bfv/fixed.h"

typedef struct fixture {
    bfv_rig f;
    int64_t *x, *y;
    __int128 *want;
    gb_ct a, b, d, out;
} fixture;

/* Values of x and y from [0, most]. */
static void begin_set(fixture *g, const gb_params_spec *s, unsigned bits, int64_t most) {
    uint64_t random = 4, step = UINT64_C(2) << s->log_n;
    memset(g, 0, sizeof *g);
    bfv_rig_init(&g->f, 2, s, bits == 17 ? 65537 : gb_prime_below(UINT64_C(1) << bits, step));
    rig *r = &g->f.r;
    rig_key(r, 1);
    test_ok(r->ctx, gb_alloc(&g->x, r->ctx, r->n, sizeof *g->x));
    test_ok(r->ctx, gb_alloc(&g->y, r->ctx, r->n, sizeof *g->y));
    test_ok(r->ctx, gb_alloc(&g->want, r->ctx, r->n, sizeof *g->want));
    for (size_t i = 0; i < r->n; i++) {
        g->x[i] = (int64_t)(test_random(&random) % (uint64_t)(most + 1));
        g->y[i] = i % 4 ? (int64_t)(test_random(&random) % (uint64_t)(most + 1)) : g->x[i];
    }
    bfv_encrypt(&g->f, &g->a, g->x, r->n);
    bfv_encrypt(&g->f, &g->b, g->y, r->n);
    g->d = rig_room(r), g->out = rig_room(r);
    test_ok(r->ctx, gb_ct_sub(&g->d, r->e, &g->a, &g->b));
}

static void begin(fixture *g, unsigned log_n, unsigned primes, unsigned bits, int64_t most) {
    gb_params_spec s = rig_spec(log_n, 50, 49, primes, 50, 1);
    begin_set(g, &s, bits, most);
}

static void end(fixture *g) {
    gb_ct_release(&g->a);
    gb_ct_release(&g->b);
    gb_ct_release(&g->d);
    gb_ct_release(&g->out);
    gb_free(g->x);
    gb_free(g->y);
    gb_free(g->want);
    bfv_rig_release(&g->f);
}

static void expect(fixture *g, const gb_ct *in, gb_bfv_poly *p, unsigned depth) {
    assert_int_equal(gb_bfv_poly_depth(p), depth);
    test_ok(g->f.r.ctx, gb_bfv_poly_eval(&g->out, g->f.be, in, p, &g->f.r.keys));
    bfv_expect(&g->f, &g->out, g->want);
    gb_bfv_poly_release(p);
}

static void test_tables(void **state) {
    (void)state;
    fixture g;
    gb_bfv_poly p;
    begin(&g, 14, 6, 17, 15);
    gb_ctx *ctx = g.f.r.ctx;
    size_t n = g.f.r.n;
    test_ok(ctx, gb_bfv_poly_equal(&p, ctx, g.f.b, 15));
    for (size_t i = 0; i < n; i++) g.want[i] = g.x[i] == g.y[i];
    expect(&g, &g.d, &p, 5); /* degree 30: even, and 31 points */
    test_ok(ctx, gb_bfv_poly_less(&p, ctx, g.f.b, 15));
    for (size_t i = 0; i < n; i++) g.want[i] = g.x[i] < g.y[i];
    expect(&g, &g.d, &p, 5);
    test_ok(ctx, gb_bfv_poly_within(&p, ctx, g.f.b, 0, 15, 3, 9));
    for (size_t i = 0; i < n; i++) g.want[i] = g.x[i] >= 3 && g.x[i] <= 9;
    expect(&g, &g.a, &p, 4);
    int64_t table[16];
    for (size_t i = 0; i < 16; i++) table[i] = (int64_t)(i * i * i * 7919 % 65537) - 30000;
    for (size_t count = 1; count <= 16; count++) { /* every degree below 16 */
        test_ok(ctx, gb_bfv_poly_table(&p, ctx, g.f.b, 0, table, count));
        for (size_t i = 0; i < count; i++) { /* in the clear: Horner's rule */
            unsigned __int128 v = 0;
            for (size_t j = p.degree + 1; j-- > 0;) v = (v * i + p.c[j]) % g.f.t;
            assert_true((int64_t)v == (table[i] + (int64_t)g.f.t) % (int64_t)g.f.t);
        }
        if (count < 3 || count == 8 || count == 9) {
            for (size_t i = 0; i < n; i++) g.y[i] = g.x[i] % (int64_t)count, g.want[i] = table[g.y[i]];
            gb_ct_release(&g.b);
            bfv_encrypt(&g.f, &g.b, g.y, n);
            expect(&g, &g.b, &p, gb_bfv_poly_depth(&p));
        }
        gb_bfv_poly_release(&p);
    }
    end(&g);
}

/* As deep as the set allows: 4 products of the 4 that the noise leaves room for (15 bits are left of the budget), so
 * primes that are dropped on the way must cost next to nothing. */
static void test_levels(void **state) {
    (void)state;
    fixture g;
    gb_bfv_poly p;
    gb_params *set;
    unsigned level[5], deep[5];
    gb_ctx *temporary = test_context(1);
    test_ok(temporary, gb_params_named(&set, temporary, "exact-13"));
    begin_set(&g, gb_params_get(set), 20, 15);
    gb_params_free(set);
    gb_ctx_free(temporary);
    gb_ctx *ctx = g.f.r.ctx;
    const unsigned top = g.f.r.limbs;
    gb_bfv_poly_levels(level, g.f.r.p, g.f.t, 1, top, 4);
    assert_int_equal(level[0], top);
    for (unsigned d = 1; d <= 4; d++) assert_true(level[d] <= level[d - 1] && level[d] >= 1);
    assert_true(level[4] < top - 1); /* four products of 34 bits have used up more than two primes of 43 */
    test_ok(ctx, gb_bfv_poly_within(&p, ctx, g.f.b, 0, 15, 5, 12));
    for (size_t i = 0; i < g.f.r.n; i++) g.want[i] = g.x[i] >= 5 && g.x[i] <= 12;
    expect(&g, &g.a, &p, 4);
    assert_int_equal(g.out.limbs, level[4]);
    /* Single powers (x^2 and x^4 are giant steps times a number), of a ciphertext at a lower level. */
    test_ok(ctx, gb_ct_divide(&g.a, g.f.r.e, 1));
    gb_bfv_poly_levels(deep, g.f.r.p, g.f.t, 1, top - 1, 3);
    for (size_t degree = 1; degree < 8; degree++) {
        gb_bfv_poly power = {.degree = degree};
        test_ok(ctx, gb_alloc_zero(&power.c, ctx, degree + 1, sizeof *power.c));
        power.c[0] = g.f.t - 1, power.c[degree] = degree & 1 ? 1 : 3;
        for (size_t i = 0; i < g.f.r.n; i++) {
            g.want[i] = power.c[degree];
            for (size_t k = 0; k < degree; k++) g.want[i] = g.want[i] * g.x[i] % (__int128)g.f.t;
            g.want[i] -= 1;
        }
        unsigned depth = gb_bfv_poly_depth(&power);
        expect(&g, &g.a, &power, depth);
        assert_int_equal(g.out.limbs, degree < 2 ? top - 1 : deep[depth]);
    }
    end(&g);
}

static void test_scalars(void **state) {
    (void)state;
    fixture g;
    begin(&g, 13, 3, 40, 1000);
    gb_ctx *ctx = g.f.r.ctx;
    int64_t half = (int64_t)(g.f.t / 2);
    const int64_t list[] = {0, 1, -1, 12345, half, -half};
    for (size_t k = 0; k < GB_COUNT(list); k++) {
        test_ok(ctx, gb_bfv_mul_scalar(&g.out, g.f.be, &g.a, list[k]));
        for (size_t i = 0; i < g.f.r.n; i++) g.want[i] = (__int128)g.x[i] * list[k];
        bfv_expect(&g.f, &g.out, g.want);
        test_ok(ctx, gb_bfv_add_scalar(&g.out, g.f.be, &g.a, list[k]));
        for (size_t i = 0; i < g.f.r.n; i++) g.want[i] = (__int128)g.x[i] + list[k];
        bfv_expect(&g.f, &g.out, g.want);
    }
    end(&g);
}

/* Sixteen squarings. */
static void test_is_zero(void **state) {
    (void)state;
    fixture g;
    begin(&g, 15, 13, 17, 65536);
    for (size_t i = 0; i < g.f.r.n; i++) g.want[i] = g.x[i] == g.y[i];
    test_ok(g.f.r.ctx, gb_bfv_is_zero(&g.out, g.f.be, &g.d, &g.f.r.keys));
    bfv_expect(&g.f, &g.out, g.want);
    end(&g);
}

static void test_fixed(void **state) {
    (void)state;
    fixture g;
    begin(&g, 13, 3, 50, 1);
    rig *r = &g.f.r;
    gb_ctx *ctx = r->ctx;
    gb_fixed a, b, out, other;
    double x[64], y[64], v[64];
    uint64_t random = 8;
    for (size_t i = 0; i < 64; i++) x[i] = rig_uniform(&random) * 100, y[i] = rig_uniform(&random) * 3;
    x[0] = 100, x[1] = -100, y[0] = -3;
    test_ok(ctx, gb_fixed_init(&a, ctx, r->p, r->limbs, 12, 100));
    test_ok(ctx, gb_fixed_init(&b, ctx, r->p, r->limbs, 16, 3));
    test_ok(ctx, gb_fixed_init(&out, ctx, r->p, r->limbs, 0, 0));
    test_ok(ctx, gb_fixed_init(&other, ctx, r->p, r->limbs, 0, 0));
    test_ok(ctx, gb_fixed_round(g.x, ctx, g.f.b, x, 64, 12, 100));
    test_ok(ctx, gb_fixed_round(g.y, ctx, g.f.b, y, 64, 16, 3));
    gb_ct_release(&g.a);
    gb_ct_release(&g.b);
    bfv_encrypt(&g.f, &g.a, g.x, 64);
    bfv_encrypt(&g.f, &g.b, g.y, 64);
    test_ok(ctx, gb_ct_copy(&a.c, ctx, &g.a));
    test_ok(ctx, gb_ct_copy(&b.c, ctx, &g.b));
    gb_fixed_values(x, g.x, 64, 12); /* from here on x and y are what the integers stand for, and all is exact */
    gb_fixed_values(y, g.y, 64, 16);
    for (int op = 0; op < 5; op++) {
        if (op == 0) test_ok(ctx, gb_fixed_add(&out, g.f.be, &a, &b));
        if (op == 1) test_ok(ctx, gb_fixed_sub(&out, g.f.be, &a, &b));
        if (op == 2) test_ok(ctx, gb_fixed_sub(&out, g.f.be, &b, &a));
        if (op == 3) test_ok(ctx, gb_fixed_mul(&out, g.f.be, &a, &b, &r->keys));
        if (op == 4) test_ok(ctx, gb_fixed_mul_scalar(&out, g.f.be, &a, -0.625, 8));
        assert_int_equal(out.fraction, op < 3 ? 16 : op == 3 ? 28 : 20);
        bfv_decrypt(&g.f, &out.c);
        gb_fixed_values(v, g.f.got, 64, out.fraction);
        for (size_t i = 0; i < 64; i++) {
            double want = op == 0   ? x[i] + y[i]
                          : op == 1 ? x[i] - y[i]
                          : op == 2 ? y[i] - x[i]
                          : op == 3 ? x[i] * y[i]
                                    : x[i] * -0.625;
            assert_true(v[i] == want);
            assert_true(fabs(v[i]) <= out.bound);
        }
    }
    /* What could wrap around is refused before it does. */
    test_ok(ctx, gb_fixed_mul(&out, g.f.be, &a, &b, &r->keys));
    test_refused(ctx, gb_fixed_mul(&other, g.f.be, &out, &a, &r->keys), GB_ERR_RANGE);
    test_refused(ctx, gb_fixed_mul_scalar(&other, g.f.be, &out, 1000, 8), GB_ERR_RANGE);
    test_refused(ctx, gb_fixed_mul_scalar(&other, g.f.be, &out, NAN, 8), GB_ERR_RANGE);
    test_refused(ctx, gb_fixed_add(&a, g.f.be, &a, &b), GB_ERR_ARGUMENT);
    x[3] = 101;
    test_refused(ctx, gb_fixed_round(g.x, ctx, g.f.b, x, 64, 12, 100), GB_ERR_RANGE);
    x[3] = NAN;
    test_refused(ctx, gb_fixed_round(g.x, ctx, g.f.b, x, 64, 12, 100), GB_ERR_RANGE);
    test_refused(ctx, gb_fixed_round(g.x, ctx, g.f.b, x, 1, 45, 100), GB_ERR_RANGE);
    test_refused(ctx, gb_fixed_round(g.x, ctx, g.f.b, x, 1, 60, 0), GB_ERR_RANGE);
    gb_fixed_release(&a);
    gb_fixed_release(&b);
    gb_fixed_release(&out);
    gb_fixed_release(&other);
    end(&g);
}

/* ---- random circuits of fixed point, against integers of 128 bits ---- */
#define FIXED_WIRES 5
#define FIXED_SLOTS 64

typedef struct fixed_wire {
    gb_fixed f;
    __int128 v[FIXED_SLOTS]; /* times 2^-fraction */
    unsigned products;
} fixed_wire;

static void fixed_input(fixture *g, fixed_wire *w, uint64_t *random) {
    gb_ctx *ctx = g->f.r.ctx;
    const unsigned fraction = (unsigned)(test_random(random) % 7);
    const double bound = 1 + (double)(test_random(random) % 12);
    double x[FIXED_SLOTS];
    gb_ct c;
    for (size_t i = 0; i < FIXED_SLOTS; i++) x[i] = rig_uniform(random) * bound;
    x[0] = bound, x[1] = -bound;
    test_ok(ctx, gb_fixed_round(g->x, ctx, g->f.b, x, FIXED_SLOTS, fraction, bound));
    gb_fixed_release(&w->f);
    test_ok(ctx, gb_fixed_init(&w->f, ctx, g->f.r.p, g->f.r.limbs, fraction, bound));
    bfv_encrypt(&g->f, &c, g->x, FIXED_SLOTS);
    test_ok(ctx, gb_ct_copy(&w->f.c, ctx, &c));
    gb_ct_release(&c);
    for (size_t i = 0; i < FIXED_SLOTS; i++) w->v[i] = g->x[i];
    w->products = 0;
}

/* *out = a op b in integers; returns the bound of the result, in units of its last place. */
static double fixed_exact(fixed_wire *out, unsigned op, const fixed_wire *a, const fixed_wire *b, int64_t s) {
    const unsigned fa = a->f.fraction, fb = b->f.fraction, most = fa > fb ? fa : fb;
    for (size_t i = 0; i < FIXED_SLOTS; i++) {
        const __int128 x = a->v[i], y = b->v[i], ux = x * ((__int128)1 << (most - fa)),
                       uy = y * ((__int128)1 << (most - fb));
        out->v[i] = op == 0 ? ux + uy : op == 1 ? ux - uy : op == 2 ? x * y : x * s;
    }
    out->products = a->products + (op == 2 ? b->products + 1 : 0);
    if (op < 2) return ldexp(a->f.bound + b->f.bound, (int)most);
    if (op == 2) return ldexp(a->f.bound * b->f.bound, (int)(fa + fb));
    return ldexp(a->f.bound, (int)fa) * fabs((double)s);
}

static void test_fixed_circuits(void **state) {
    (void)state;
    fixture g;
    fixed_wire w[FIXED_WIRES] = {0}, next = {0};
    unsigned done = 0, refused = 0;
    begin(&g, 14, 4, 45, 1);
    gb_ctx *ctx = g.f.r.ctx;
    test_ok(ctx, gb_fixed_init(&next.f, ctx, g.f.r.p, g.f.r.limbs, 0, 0));
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t random = seed;
        for (size_t i = 0; i < FIXED_WIRES; i++) fixed_input(&g, &w[i], &random);
        for (unsigned step = 0; step < 16; step++) {
            const unsigned op = (unsigned)(test_random(&random) % 4), bits = (unsigned)(test_random(&random) % 9);
            fixed_wire *a = &w[test_random(&random) % FIXED_WIRES], *b = &w[test_random(&random) % FIXED_WIRES];
            const int64_t s = (int64_t)(test_random(&random) % 2000001) - 1000000;
            if (op == 2 && a->products + b->products > 1) continue; /* two products are what the modulus holds */
            const double units = fixed_exact(&next, op, a, b, s);
            gb_status status = op == 0   ? gb_fixed_add(&next.f, g.f.be, &a->f, &b->f)
                               : op == 1 ? gb_fixed_sub(&next.f, g.f.be, &a->f, &b->f)
                               : op == 2
                                   ? gb_fixed_mul(&next.f, g.f.be, &a->f, &b->f, &g.f.r.keys)
                                   : gb_fixed_mul_scalar(&next.f, g.f.be, &a->f, ldexp((double)s, -(int)bits), bits);
            if (!(units + 1 < (double)(g.f.t / 2))) { /* it could wrap around */
                test_refused(ctx, status, GB_ERR_RANGE);
                refused++;
                continue;
            }
            test_ok(ctx, status);
            bfv_decrypt(&g.f, &next.f.c);
            for (size_t i = 0; i < FIXED_SLOTS; i++) {
                if (g.f.got[i] != (int64_t)next.v[i] || next.v[i] != (int64_t)next.v[i])
                    fail_msg("seed %llu, step %u, operation %u: slot %zu is %lld, not %lld", (unsigned long long)seed,
                             step, op, i, (long long)g.f.got[i], (long long)next.v[i]);
                assert_true(fabs(ldexp((double)g.f.got[i], -(int)next.f.fraction)) <= next.f.bound);
            }
            test_ok(ctx, gb_ct_copy(&a->f.c, ctx, &next.f.c));
            a->f.fraction = next.f.fraction, a->f.bound = next.f.bound, a->products = next.products;
            memcpy(a->v, next.v, sizeof a->v);
            done++;
        }
    }
    assert_true(done > 40 && refused > 5);
    for (size_t i = 0; i < FIXED_WIRES; i++) gb_fixed_release(&w[i].f);
    gb_fixed_release(&next.f);
    end(&g);
}

static void test_refusals(void **state) {
    (void)state;
    fixture g;
    gb_bfv_poly p;
    gb_eval_keys none = {0};
    int64_t values[4] = {1, 0, 0, 5};
    begin(&g, 13, 3, 17, 3);
    gb_ctx *ctx = g.f.r.ctx;
    test_refused(ctx, gb_bfv_poly_table(&p, ctx, g.f.b, 0, values, 0), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_bfv_poly_table(&p, ctx, g.f.b, 0, values, 1025), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_bfv_poly_table(&p, ctx, g.f.b, INT64_MIN, values, 4), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_bfv_poly_within(&p, ctx, g.f.b, 3, 2, 0, 0), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_bfv_poly_within(&p, ctx, g.f.b, INT64_MIN, INT64_MAX, 0, 0), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_bfv_poly_equal(&p, ctx, g.f.b, 512), GB_ERR_ARGUMENT);
    assert_null(p.c);
    test_refused(ctx, gb_bfv_poly_eval(&g.out, g.f.be, &g.a, &p, &none), GB_ERR_ARGUMENT);
    test_ok(ctx, gb_bfv_poly_table(&p, ctx, g.f.b, 0, values, 4));
    test_refused(ctx, gb_bfv_poly_eval(&g.out, g.f.be, &g.a, &p, &none), GB_ERR_KEY);
    gb_status status = GB_ERR_MEMORY;
    for (uint64_t n = 1; status != GB_OK; n++) {
        gb_bfv_poly q = {0};
        gb_alloc_fail_at(n);
        status = gb_bfv_poly_table(&q, ctx, g.f.b, 0, values, 4);
        if (status == GB_OK) status = gb_bfv_poly_eval(&g.out, g.f.be, &g.a, &q, &g.f.r.keys);
        gb_alloc_fail_at(0);
        assert_true(status == GB_OK || status == GB_ERR_MEMORY);
        assert_true(n < 60);
        gb_bfv_poly_release(&q);
    }
    gb_bfv_poly_release(&p);
    end(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),   cmocka_unit_test(test_levels), cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_is_zero),  cmocka_unit_test(test_fixed),  cmocka_unit_test(test_fixed_circuits),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
