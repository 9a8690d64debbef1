/* scheme/ckks with keys: products, rotations, hoisting, lazy sums and linear transforms against plain complex
 * arithmetic, for several shapes of parameters; what is refused, and with which code; allocation failures. */
#include "rig.h"

/* One special prime and digits of one; two and two; three and three with an odd digit at the end; primes over 50 bits,
 * which another set of kernels serves. */
static const struct {
    unsigned log_n, first, bits, count, special_bits, specials;
} shapes[] = {{13, 46, 40, 4, 47, 1}, {14, 49, 40, 5, 49, 2}, {14, 45, 35, 8, 45, 3}, {13, 58, 45, 3, 58, 1}};

typedef struct fixture {
    rig r;
    gb_ct a, b, out;
    double *x_re, *x_im, *y_re, *y_im, *re, *im;
    double bound; /* on the error after a rescale */
} fixture;

static void begin(fixture *f, size_t shape, unsigned threads) {
    uint64_t random = 5 + shape;
    gb_params_spec s = rig_spec(shapes[shape].log_n, shapes[shape].first, shapes[shape].bits, shapes[shape].count,
                                shapes[shape].special_bits, shapes[shape].specials);
    rig_init(&f->r, threads, &s, 0);
    f->x_re = rig_values(&f->r, &random), f->x_im = rig_values(&f->r, &random);
    f->y_re = rig_values(&f->r, &random), f->y_im = rig_values(&f->r, &random);
    f->re = rig_values(&f->r, &random), f->im = rig_values(&f->r, &random);
    rig_encrypt(&f->r, &f->a, f->x_re, f->x_im, f->r.slots, f->r.limbs);
    rig_encrypt(&f->r, &f->b, f->y_re, f->y_im, f->r.slots, f->r.limbs);
    f->out = rig_room(&f->r);
    f->bound = 160 * sqrt((double)f->r.n) * sqrt((double)f->r.limbs) * 8 / f->r.scale;
}

static void end(fixture *f) {
    double *values[] = {f->x_re, f->x_im, f->y_re, f->y_im, f->re, f->im};
    for (size_t i = 0; i < GB_COUNT(values); i++) gb_free(values[i]);
    gb_ct_release(&f->a);
    gb_ct_release(&f->b);
    gb_ct_release(&f->out);
    rig_release(&f->r);
}

static void expect_product(fixture *f, const gb_ct *c) {
    for (size_t i = 0; i < f->r.slots; i++) {
        f->re[i] = f->x_re[i] * f->y_re[i] - f->x_im[i] * f->y_im[i];
        f->im[i] = f->x_re[i] * f->y_im[i] + f->x_im[i] * f->y_re[i];
    }
    rig_expect(&f->r, c, f->re, f->im, f->bound);
}

static void expect_rotated(fixture *f, const gb_ct *c, long step) {
    for (size_t i = 0; i < f->r.slots; i++) {
        size_t from = (size_t)((long)i + step + (long)f->r.slots) % f->r.slots;
        f->re[i] = f->x_re[from], f->im[i] = f->x_im[from];
    }
    rig_expect(&f->r, c, f->re, f->im, f->bound);
}

static void test_products(void **state) {
    (void)state;
    for (size_t t = 0; t < GB_COUNT(shapes); t++) {
        fixture f;
        begin(&f, t, 2);
        rig *r = &f.r;
        rig_key(r, 1);
        double top = (double)gb_params_get(r->p)->data[r->limbs - 1];
        test_ok(r->ctx, gb_ckks_mul(&f.out, r->e, &f.a, &f.b, &r->keys));
        assert_int_equal(f.out.parts, 2);
        assert_true(f.out.scale == r->scale * r->scale);
        expect_product(&f, &f.out);
        test_ok(r->ctx, gb_ckks_rescale(&f.out, r->e));
        assert_true(f.out.scale == r->scale * r->scale / top);
        expect_product(&f, &f.out);
        test_ok(r->ctx, gb_ckks_mul_rescale(&f.out, r->e, &f.a, &f.b, &r->keys));
        assert_int_equal(f.out.limbs, r->limbs - 1);
        assert_true(f.out.scale == r->scale * r->scale / top);
        expect_product(&f, &f.out);
        /* Not relinearised, and of operands at different levels. */
        test_ok(r->ctx, gb_ct_tensor(&f.out, r->e, &f.a, &f.b));
        f.out.scale = r->scale * r->scale;
        assert_int_equal(f.out.parts, 3);
        expect_product(&f, &f.out);
        /* All three parts: the rounding of the third meets s^2, sqrt(2N/3) times what the second's meets. */
        test_ok(r->ctx, gb_ckks_rescale(&f.out, r->e));
        f.bound *= sqrt((double)r->n);
        expect_product(&f, &f.out);
        f.bound /= sqrt((double)r->n);
        test_ok(r->ctx, gb_ct_drop(r->ctx, &f.b, 2));
        test_ok(r->ctx, gb_ckks_mul_rescale(&f.out, r->e, &f.a, &f.b, &r->keys));
        assert_int_equal(f.out.limbs, 1);
        f.bound *= 4;
        expect_product(&f, &f.out);
        end(&f);
    }
}

static void test_sums(void **state) {
    (void)state;
    fixture f;
    begin(&f, 0, 2);
    rig *r = &f.r;
    test_ok(r->ctx, gb_ct_drop(r->ctx, &f.b, 2));
    test_ok(r->ctx, gb_ckks_add(&f.out, r->e, &f.a, &f.b));
    assert_int_equal(f.out.limbs, 2);
    for (size_t i = 0; i < r->slots; i++) f.re[i] = f.x_re[i] + f.y_re[i], f.im[i] = f.x_im[i] + f.y_im[i];
    rig_expect(r, &f.out, f.re, f.im, f.bound);
    test_ok(r->ctx, gb_ckks_sub(&f.out, r->e, &f.b, &f.a));
    for (size_t i = 0; i < r->slots; i++) f.re[i] = f.y_re[i] - f.x_re[i], f.im[i] = f.y_im[i] - f.x_im[i];
    rig_expect(r, &f.out, f.re, f.im, f.bound);
    test_ok(r->ctx, gb_ct_neg(&f.out, r->e, &f.out)); /* in place */
    for (size_t i = 0; i < r->slots; i++) f.re[i] = -f.re[i], f.im[i] = -f.im[i];
    rig_expect(r, &f.out, f.re, f.im, f.bound);
    const double shifts[] = {0, 1.5, -3.25, 1e6};
    for (size_t t = 0; t < GB_COUNT(shifts); t++) {
        test_ok(r->ctx, gb_ckks_add_scalar(&f.out, r->e, &f.a, shifts[t]));
        for (size_t i = 0; i < r->slots; i++) f.re[i] = f.x_re[i] + shifts[t];
        rig_expect(r, &f.out, f.re, f.x_im, f.bound);
        double s = shifts[t] / 1e3;
        test_ok(r->ctx, gb_ckks_mul_scalar(&f.out, r->e, &f.a, s, r->scale));
        assert_true(f.out.scale == r->scale * r->scale);
        for (size_t i = 0; i < r->slots; i++) f.re[i] = s * f.x_re[i], f.im[i] = s * f.x_im[i];
        rig_expect(r, &f.out, f.re, f.im, f.bound * (1 + fabs(s)));
        test_ok(r->ctx, gb_ckks_rescale(&f.out, r->e));
        rig_expect(r, &f.out, f.re, f.im, f.bound * (1 + fabs(s)));
    }
    test_ok(r->ctx, gb_ckks_encode(&r->pt, r->ctx, r->enc, f.y_re, f.y_im, r->slots, r->scale));
    test_ok(r->ctx, gb_ckks_add_plain(&f.out, r->e, &f.a, &r->pt));
    for (size_t i = 0; i < r->slots; i++) f.re[i] = f.x_re[i] + f.y_re[i], f.im[i] = f.x_im[i] + f.y_im[i];
    rig_expect(r, &f.out, f.re, f.im, f.bound);
    test_ok(r->ctx, gb_ckks_mul_plain(&f.out, r->e, &f.a, &r->pt));
    expect_product(&f, &f.out);
    end(&f);
}

static void test_rotations(void **state) {
    (void)state;
    for (size_t t = 0; t < GB_COUNT(shapes); t++) {
        fixture f;
        begin(&f, t, 2);
        rig *r = &f.r;
        const int steps[] = {1, -1, 3, (int)r->slots / 2, -(int)r->slots + 5, (int)r->slots};
        for (size_t i = 0; i < GB_COUNT(steps); i++) {
            uint64_t g = gb_galois_rotation(r->p, steps[i]);
            if (g != 1) rig_key(r, g);
            assert_int_equal(g * gb_galois_inverse(r->p, g) % (2 * r->n), 1);
            test_ok(r->ctx, gb_ckks_rotate(&f.out, r->e, &f.a, steps[i], &r->keys));
            assert_true(f.out.scale == f.a.scale);
            expect_rotated(&f, &f.out, steps[i]);
        }
        assert_int_equal(r->keys.count, 5); /* a whole turn needs none */
        rig_key(r, gb_galois_conjugation(r->p));
        test_ok(r->ctx, gb_ckks_conjugate(&f.out, r->e, &f.a, &r->keys));
        for (size_t i = 0; i < r->slots; i++) f.im[i] = -f.x_im[i];
        rig_expect(r, &f.out, f.x_re, f.im, f.bound);
        /* Hoisted: the same bytes as one by one, also below the key's top level, and in place at the end. */
        gb_ct want = rig_room(r);
        for (unsigned limbs = r->limbs; limbs + 2 > r->limbs && limbs > 0; limbs--) {
            test_ok(r->ctx, gb_ct_drop(r->ctx, &f.a, limbs));
            test_ok(r->ctx, gb_hoist_prepare(r->e, &f.a));
            for (size_t i = 0; i < GB_COUNT(steps); i++) {
                test_ok(r->ctx,
                        gb_hoist_automorphism(&f.out, r->e, &f.a, gb_galois_rotation(r->p, steps[i]), &r->keys));
                test_ok(r->ctx, gb_ckks_rotate(&want, r->e, &f.a, steps[i], &r->keys));
                for (unsigned part = 0; part < 2; part++)
                    assert_memory_equal(gb_ct_limb(&f.out, part, 0), gb_ct_limb(&want, part, 0), limbs * r->n * 8);
                test_ok(r->ctx, gb_hoist_prepare(r->e, &f.a)); /* the plain rotation took the scratch */
            }
        }
        test_ok(r->ctx, gb_ckks_rotate(&f.a, r->e, &f.a, 3, &r->keys));
        expect_rotated(&f, &f.a, 3);
        gb_ct_release(&want);
        end(&f);
    }
}

/* acc = y P rot_3(x) + P x: one division for both. */
static void test_lazy(void **state) {
    (void)state;
    for (size_t t = 0; t < GB_COUNT(shapes); t++) {
        fixture f;
        gb_pt y;
        uint64_t *acc;
        begin(&f, t, 2);
        rig *r = &f.r;
        uint64_t g = gb_galois_rotation(r->p, 3);
        rig_key(r, g);
        test_ok(r->ctx, gb_alloc_zero(&acc, r->ctx, gb_lazy_words(r->p, r->limbs), sizeof *acc));
        test_ok(r->ctx, gb_pt_init(&y, r->ctx, r->p, r->limbs, true));
        test_ok(r->ctx, gb_ckks_encode(&y, r->ctx, r->enc, f.y_re, f.y_im, r->slots, r->scale));
        test_ok(r->ctx, gb_hoist_prepare(r->e, &f.a));
        test_ok(r->ctx, gb_lazy_add(acc, r->e, &f.a, g, &r->keys, y.data));
        test_ok(r->ctx, gb_lazy_add(acc, r->e, &f.a, 1, &r->keys, y.data));
        test_ok(r->ctx, gb_lazy_finish(&f.out, r->e, acc, r->limbs));
        f.out.scale = r->scale * r->scale;
        for (size_t i = 0; i < r->slots; i++) {
            size_t j = (i + 3) % r->slots;
            double re = f.x_re[i] + f.x_re[j], im = f.x_im[i] + f.x_im[j];
            f.re[i] = re * f.y_re[i] - im * f.y_im[i], f.im[i] = re * f.y_im[i] + im * f.y_re[i];
        }
        rig_expect(r, &f.out, f.re, f.im, f.bound);
        test_ok(r->ctx, gb_ckks_rescale(&f.out, r->e));
        rig_expect(r, &f.out, f.re, f.im, f.bound);
        gb_pt_release(&y);
        gb_free(acc);
        end(&f);
    }
}

/* Levels of two primes: a scale larger than any prime, divided by both at once; polynomials on them too. */
static void begin_groups(fixture *f) {
    gb_params_spec s = rig_spec(14, 47, 32, 9, 48, 2);
    for (unsigned i = 2; i < 9; i += 2) s.group[i] = 2;
    uint64_t random = 9;
    memset(f, 0, sizeof *f);
    rig *r = &f->r;
    rig_init(r, 2, &s, 0);
    r->scale = 0x1p52; /* the primes' product is near 2^64: the scale falls by 2^12 with every product */
    f->x_re = rig_values(r, &random), f->x_im = rig_values(r, &random), f->y_re = rig_values(r, &random);
    f->y_im = rig_values(r, &random), f->re = rig_values(r, &random), f->im = rig_values(r, &random);
    rig_encrypt(r, &f->a, f->x_re, f->x_im, r->slots, 9);
    rig_encrypt(r, &f->b, f->y_re, f->y_im, r->slots, 9);
    f->out = rig_room(r);
    f->bound = 1e-7;
}

static void test_groups(void **state) {
    (void)state;
    fixture f;
    begin_groups(&f);
    rig *r = &f.r;
    const gb_params_spec *s = gb_params_get(r->p);
    rig_key(r, 1);
    assert_int_equal(gb_params_level(r->p, 9), 4);
    assert_int_equal(gb_params_limbs(r->p, 3), 7);
    double by = gb_params_divisor(r->p, 4);
    assert_true(by == (double)s->data[8] * (double)s->data[7]);
    test_ok(r->ctx, gb_ckks_mul_rescale(&f.out, r->e, &f.a, &f.b, &r->keys));
    assert_int_equal(f.out.limbs, 7);
    assert_true(f.out.scale == r->scale * r->scale / by);
    expect_product(&f, &f.out);
    test_ok(r->ctx, gb_ckks_mul(&f.out, r->e, &f.a, &f.b, &r->keys));
    test_ok(r->ctx, gb_ckks_rescale(&f.out, r->e));
    assert_int_equal(f.out.limbs, 7);
    expect_product(&f, &f.out);
    test_ok(r->ctx, gb_ct_drop(r->ctx, &f.out, 1));
    test_refused(r->ctx, gb_ckks_rescale(&f.out, r->e), GB_ERR_LEVEL);
    end(&f);
}

/* The phase of a raised ciphertext is the old one modulo the old primes: dropped again it is the same bytes. */
static void test_raise(void **state) {
    (void)state;
    for (size_t t = 0; t < GB_COUNT(shapes); t++) {
        fixture f;
        begin(&f, t, 2);
        rig *r = &f.r;
        for (unsigned limbs = 1; limbs < r->limbs; limbs++) {
            test_ok(r->ctx, gb_ct_copy(&f.b, r->ctx, &f.a));
            test_ok(r->ctx, gb_ct_drop(r->ctx, &f.b, limbs));
            test_ok(r->ctx, gb_ct_raise(&f.out, r->e, &f.b, r->limbs));
            assert_int_equal(f.out.limbs, r->limbs);
            for (unsigned part = 0; part < 2; part++)
                assert_memory_equal(gb_ct_limb(&f.out, part, 0), gb_ct_limb(&f.b, part, 0),
                                    limbs * r->n * sizeof(uint64_t));
        }
        test_refused(r->ctx, gb_ct_raise(&f.b, r->e, &f.a, r->limbs - 1), GB_ERR_LEVEL);
        f.a.parts = 3;
        test_refused(r->ctx, gb_ct_raise(&f.out, r->e, &f.a, r->limbs), GB_ERR_STATE);
        f.a.parts = 2;
        end(&f);
    }
}

/* ---- linear transforms ---- */
#define MOST 128
typedef struct matrix {
    size_t period, count, baby;
    int first, stride; /* steps first, first + stride, ... */
    bool complex;
    int gap;        /* more between the two halves of the steps */
    size_t keys[3]; /* of the three ways */
} matrix;

static void expect_matrix(fixture *f, const matrix *m, const gb_ckks_diagonal *d) {
    rig *r = &f->r;
    for (size_t i = 0; i < m->period; i++) {
        f->re[i] = f->im[i] = 0;
        for (size_t j = 0; j < m->count; j++) {
            size_t from = (size_t)(((long)i + d[j].step) % (long)m->period + (long)m->period) % m->period;
            double im = d[j].im ? d[j].im[i] : 0;
            f->re[i] += d[j].re[i] * f->x_re[from] - im * f->x_im[from];
            f->im[i] += d[j].re[i] * f->x_im[from] + im * f->x_re[from];
        }
    }
    double far = rig_error(r, &f->out, f->re, f->im, m->period);
    if (!(far < f->bound * sqrt((double)m->count)))
        fail_msg("period %zu, %zu diagonals: error %g", m->period, m->count, far);
}

/* One way of keys, with the keys it names and no others; compact, the result is the same bytes. */
static void run_way(fixture *f, const matrix *m, const gb_ckks_diagonal *d, const gb_ct *x, unsigned limbs,
                    gb_ckks_linear_keys way) {
    rig *r = &f->r;
    uint64_t galois[2 * MOST];
    gb_ckks_linear_config config;
    gb_ckks_linear_info info, small;
    gb_ckks_linear *l;
    gb_ct first = rig_room(r);
    gb_ckks_linear_config_defaults(&config);
    config.baby = m->baby, config.keys = way;
    gb_eval_keys_release(&r->keys);
    test_ok(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, m->period, d, m->count, limbs, r->scale, &config));
    gb_ckks_linear_cost(&info, l);
    size_t keys = gb_ckks_linear_galois(galois, GB_COUNT(galois), l);
    assert_int_equal(keys, info.keys);
    assert_int_equal(keys, gb_ckks_linear_galois(NULL, 0, l));
    if (keys != m->keys[way])
        fail_msg("period %zu, %zu diagonals, way %d: %zu keys, %zu hoisted, %zu rotations", m->period, m->count, way,
                 keys, info.hoisted, info.rotations);
    for (size_t i = 0; i < keys; i++) rig_key(r, galois[i]);
    test_ok(r->ctx, gb_ckks_linear_apply(&first, r->e, x, l, &r->keys));
    gb_ckks_linear_free(l);
    config.compact = true;
    test_ok(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, m->period, d, m->count, limbs, r->scale, &config));
    gb_ckks_linear_cost(&small, l);
    assert_true(small.matrix_bytes * limbs <= info.matrix_bytes * 2 && small.matrix_bytes < info.matrix_bytes);
    test_ok(r->ctx, gb_ckks_linear_apply(&f->out, r->e, x, l, &r->keys));
    gb_ckks_linear_free(l);
    for (unsigned part = 0; part < 2; part++)
        assert_memory_equal(gb_ct_limb(&f->out, part, 0), gb_ct_limb(&first, part, 0), limbs * r->n * sizeof(uint64_t));
    assert_int_equal(f->out.limbs, limbs);
    assert_true(f->out.scale == r->scale * r->scale);
    test_ok(r->ctx, gb_ckks_rescale(&f->out, r->e));
    expect_matrix(f, m, d);
    gb_ct_release(&first);
}

static void run_matrix(fixture *f, const matrix *m, unsigned limbs) {
    rig *r = &f->r;
    gb_ckks_diagonal d[MOST];
    gb_ct x;
    double *values;
    uint64_t random = m->period + m->count;
    test_ok(r->ctx, gb_alloc(&values, r->ctx, 2 * m->count * m->period, sizeof *values));
    for (size_t i = 0; i < 2 * m->count * m->period; i++) values[i] = rig_uniform(&random);
    for (size_t i = 0; i < m->count; i++)
        d[i] = (gb_ckks_diagonal){m->first + (int)i * m->stride + (2 * i >= m->count ? m->gap : 0),
                                  values + 2 * i * m->period, m->complex ? values + (2 * i + 1) * m->period : NULL};
    rig_encrypt(r, &x, f->x_re, f->x_im, m->period, r->limbs);
    for (int way = GB_LINEAR_FAST; way <= GB_LINEAR_FEWEST; way++) run_way(f, m, d, &x, limbs, way);
    gb_ct_release(&x);
    gb_free(values);
}

static void test_linear(void **state) {
    (void)state;
    static const matrix list[] = {
        {.period = 4096, .count = 7, .first = -3, .stride = 1, .complex = true, .keys = {4, 4, 3}},   /* banded */
        {.period = 4096, .count = 7, .first = -96, .stride = 32, .complex = true, .keys = {4, 4, 3}}, /* as in an FFT */
        {.period = 4096, .count = 5, .first = -6, .stride = 3, .keys = {4, 3, 3}}, /* no power of two */
        {.period = 4096, .count = 4, .first = 1, .stride = 5, .baby = 2, .keys = {3, 3, 3}},
        {.period = 4096, .count = 8, .first = 0, .stride = 1, .gap = 12, .baby = 2, .keys = {4, 2, 2}}, /* gaps */
        {.period = 16, .count = 16, .first = 0, .stride = 1, .keys = {8, 4, 2}}, /* dense, sparsely packed */
        {.period = 16, .count = 16, .first = 5, .stride = 1, .baby = 16, .keys = {15, 15, 1}}, /* baby steps alone */
        {.period = 16, .count = 16, .first = 0, .stride = 1, .baby = 1, .keys = {1, 1, 1}},    /* giant steps alone */
        {.period = 64, .count = 64, .first = 0, .stride = 1, .baby = 8, .complex = true, .keys = {8, 8, 2}},
        {.period = 4096, .count = 31, .first = -15, .stride = 1, .keys = {9, 9, 3}},
        {.period = 4096, .count = 1, .first = 0, .stride = 1, .keys = {0, 0, 0}}, /* a product with a plaintext */
        {.period = 4096, .count = 1, .first = 1000, .stride = 1, .keys = {1, 1, 1}},
        {.period = 2, .count = 2, .first = -1, .stride = 1, .keys = {1, 1, 1}},
        {.period = 1, .count = 1, .first = 7, .stride = 1, .keys = {0, 0, 0}},
        {.period = 4096, .count = 70, .first = 0, .stride = 1, .baby = 70, .keys = {69, 69, 1}},
        {.period = 128, .count = 128, .first = 0, .stride = 1, .baby = 100, .keys = {100, 100, 2}}, /* over 64 products
                                                                                                     */
    };
    fixture f;
    begin(&f, 0, 2);
    for (size_t i = 0; i < GB_COUNT(list); i++) run_matrix(&f, &list[i], i % 2 ? 4 : 3);
    end(&f);
    begin(&f, 1, 2); /* digits of two */
    run_matrix(&f, &list[0], 4);
    run_matrix(&f, &list[8], 5);
    end(&f);
    begin_groups(&f); /* levels of two primes */
    run_matrix(&f, &list[0], 9);
    run_matrix(&f, &list[5], 7);
    end(&f);
}

/* y = M x for `rows` x `cols`, with zeros in the padding of y whatever x holds in its own. */
static void run_dense(fixture *f, size_t rows, size_t cols, bool complex, const gb_ckks_linear_config *config) {
    rig *r = &f->r;
    gb_ckks_linear *l;
    gb_ckks_linear_info info;
    gb_ct x;
    double *m;
    uint64_t random = rows + cols, galois[2 * MOST];
    size_t tall = 1, wide = 1;
    while (tall < rows) tall *= 2;
    while (wide < cols) wide *= 2;
    test_ok(r->ctx, gb_alloc(&m, r->ctx, 2 * rows * cols, sizeof *m));
    for (size_t i = 0; i < 2 * rows * cols; i++) m[i] = rig_uniform(&random) / sqrt((double)cols);
    const double *im = complex ? m + rows * cols : NULL;
    test_ok(r->ctx, gb_ckks_linear_dense(&l, r->ctx, r->enc, rows, cols, m, im, 2, r->scale, config));
    gb_ckks_linear_cost(&info, l);
    assert_true(info.products <= (tall < wide ? tall : wide));
    size_t keys = gb_ckks_linear_galois(galois, GB_COUNT(galois), l);
    assert_true(keys == info.keys && keys <= GB_COUNT(galois));
    gb_eval_keys_release(&r->keys);
    for (size_t i = 0; i < keys; i++) rig_key(r, galois[i]);
    rig_encrypt(r, &x, f->x_re, f->x_im, wide, r->limbs);
    test_ok(r->ctx, gb_ckks_linear_apply(&f->out, r->e, &x, l, &r->keys));
    test_ok(r->ctx, gb_ckks_rescale(&f->out, r->e));
    for (size_t i = 0; i < tall; i++) {
        f->re[i] = f->im[i] = 0;
        for (size_t j = 0; i < rows && j < cols; j++) {
            double a = m[i * cols + j], b = im ? im[i * cols + j] : 0;
            f->re[i] += a * f->x_re[j] - b * f->x_im[j], f->im[i] += a * f->x_im[j] + b * f->x_re[j];
        }
    }
    for (size_t i = tall; i < r->slots; i++) f->re[i] = f->re[i - tall], f->im[i] = f->im[i - tall];
    double far = rig_error(r, &f->out, f->re, f->im, r->slots);
    if (!(far < f->bound * 8)) fail_msg("%zu x %zu: error %g", rows, cols, far);
    gb_ct_release(&x);
    gb_ckks_linear_free(l);
    gb_free(m);
}

static void test_dense(void **state) {
    (void)state;
    fixture f;
    gb_ckks_linear_config c;
    gb_ckks_linear *l;
    begin(&f, 0, 2);
    rig *r = &f.r;
    gb_ckks_linear_config_defaults(&c);
    run_dense(&f, 1, 1, true, NULL);
    run_dense(&f, 12, 12, true, &c);
    run_dense(&f, 5, 300, false, &c);  /* wide: folded */
    run_dense(&f, 300, 5, true, &c);   /* tall: the input repeats */
    run_dense(&f, 1, 4096, false, &c); /* a dot product */
    run_dense(&f, 4096, 1, false, &c);
    c.keys = GB_LINEAR_FEWEST, c.compact = true;
    run_dense(&f, 17, 100, true, &c);
    const double zero[6] = {0};
    test_ok(r->ctx, gb_ckks_linear_dense(&l, r->ctx, r->enc, 2, 3, zero, NULL, 2, r->scale, NULL));
    gb_ckks_linear_free(l);
    test_refused(r->ctx, gb_ckks_linear_dense(&l, r->ctx, r->enc, 0, 3, zero, NULL, 2, r->scale, NULL),
                 GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_linear_dense(&l, r->ctx, r->enc, 1, 4097, zero, NULL, 2, r->scale, NULL),
                 GB_ERR_ARGUMENT);
    c.size--;
    test_refused(r->ctx, gb_ckks_linear_dense(&l, r->ctx, r->enc, 2, 3, zero, NULL, 2, r->scale, &c), GB_ERR_ARGUMENT);
    end(&f);
}

static void test_linear_refuses(void **state) {
    (void)state;
    fixture f;
    gb_ckks_linear *l, *other;
    begin(&f, 0, 1);
    rig *r = &f.r;
    gb_ckks_diagonal twice[] = {{1, f.x_re, NULL}, {1 - (int)r->slots, f.y_re, NULL}};
    test_refused(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, r->slots, twice, 2, 4, r->scale, 0), GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, 3, twice, 1, 4, r->scale, 0), GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, 2 * r->slots, twice, 1, 4, r->scale, 0),
                 GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, r->slots, twice, 0, 4, r->scale, 0), GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, r->slots, twice, 1, 5, r->scale, 0), GB_ERR_ARGUMENT);
    test_refused(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, r->slots, twice, 1, 4, 1e30, 0), GB_ERR_RANGE);
    test_ok(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, r->slots, twice, 1, 4, r->scale, 0));
    test_refused(r->ctx, gb_ckks_linear_apply(&f.out, r->e, &f.a, l, &r->keys), GB_ERR_KEY);
    test_ok(r->ctx, gb_ct_drop(r->ctx, &f.a, 3));
    test_refused(r->ctx, gb_ckks_linear_apply(&f.out, r->e, &f.a, l, &r->keys), GB_ERR_LEVEL);
    fixture g; /* a transform of another set */
    begin(&g, 1, 1);
    test_ok(g.r.ctx, gb_ckks_linear_new(&other, g.r.ctx, g.r.enc, r->slots, twice, 1, 3, r->scale, 0));
    test_refused(r->ctx, gb_ckks_linear_apply(&f.out, r->e, &f.a, other, &r->keys), GB_ERR_PARAMS);
    gb_ckks_linear_free(other);
    gb_ckks_linear_free(l);
    end(&g);
    end(&f);
}

/* ---- misuse ---- */
static void test_refusals(void **state) {
    (void)state;
    fixture f, g;
    begin(&f, 0, 1);
    begin(&g, 1, 1);
    rig *r = &f.r;
    gb_ctx *ctx = r->ctx;
    gb_ct small, none, three = rig_room(r);
    test_ok(ctx, gb_ct_init(&small, ctx, r->p, 2, 2));
    /* Keys: none, of another digit, of too few limbs. */
    test_refused(ctx, gb_ckks_mul(&f.out, r->e, &f.a, &f.b, &r->keys), GB_ERR_KEY);
    test_refused(ctx, gb_ckks_mul(&f.out, r->e, &f.a, &f.b, NULL), GB_ERR_KEY);
    test_refused(ctx, gb_ckks_rotate(&f.out, r->e, &f.a, 1, &r->keys), GB_ERR_KEY);
    test_refused(ctx, gb_ckks_conjugate(&f.out, r->e, &f.a, &r->keys), GB_ERR_KEY);
    uint64_t g1 = gb_galois_rotation(r->p, 1);
    test_ok(ctx, gb_secret_eval_keys(&r->keys, ctx, r->s, &g1, 1, 2, 0));
    test_refused(ctx, gb_ckks_rotate(&f.out, r->e, &f.a, 1, &r->keys), GB_ERR_KEY);
    test_ok(ctx, gb_secret_eval_keys(&r->keys, ctx, r->s, &g1, 1, 4, 2));
    test_refused(ctx, gb_ckks_rotate(&f.out, r->e, &f.a, 1, &r->keys), GB_ERR_KEY);
    test_refused(ctx, gb_ct_automorphism(&f.out, r->e, &f.a, 2, &r->keys), GB_ERR_KEY);
    /* Parameters. */
    test_refused(ctx, gb_ckks_add(&f.out, r->e, &f.a, &g.a), GB_ERR_PARAMS);
    test_refused(ctx, gb_ckks_add(&g.out, r->e, &f.a, &f.b), GB_ERR_LEVEL);
    test_refused(g.r.ctx, gb_ckks_add(&f.out, g.r.e, &f.a, &f.b), GB_ERR_PARAMS);
    test_refused(ctx, gb_ckks_add_plain(&f.out, r->e, &f.a, &g.r.pt), GB_ERR_PARAMS);
    test_refused(ctx, gb_ckks_mul_plain(&f.out, r->e, &f.a, &g.r.pt), GB_ERR_PARAMS);
    test_refused(ctx, gb_ckks_encode(&g.r.pt, ctx, r->enc, f.x_re, NULL, 1, r->scale), GB_ERR_PARAMS);
    test_refused(ctx, gb_ct_divide(&g.a, r->e, 1), GB_ERR_PARAMS);
    test_refused(ctx, gb_hoist_prepare(r->e, &g.a), GB_ERR_STATE);
    /* Scales. */
    f.b.scale *= 1 + 0x1p-30;
    test_refused(ctx, gb_ckks_add(&f.out, r->e, &f.a, &f.b), GB_ERR_LEVEL);
    test_refused(ctx, gb_ckks_sub(&f.out, r->e, &f.a, &f.b), GB_ERR_LEVEL);
    f.b.scale = NAN;
    test_refused(ctx, gb_ckks_add(&f.out, r->e, &f.a, &f.b), GB_ERR_LEVEL);
    f.b.scale = r->scale;
    test_refused(ctx, gb_ckks_mul_scalar(&f.out, r->e, &f.a, NAN, r->scale), GB_ERR_RANGE);
    test_refused(ctx, gb_ckks_add_scalar(&f.out, r->e, &f.a, 1e90), GB_ERR_RANGE);
    /* Levels and room. */
    test_refused(ctx, gb_ct_drop(ctx, &f.a, 0), GB_ERR_LEVEL);
    test_refused(ctx, gb_ct_drop(ctx, &f.a, 5), GB_ERR_LEVEL);
    test_refused(ctx, gb_ct_copy(&small, ctx, &f.a), GB_ERR_LEVEL);
    test_refused(ctx, gb_ckks_rotate(&small, r->e, &f.a, 1, &r->keys), GB_ERR_LEVEL);
    test_refused(ctx, gb_ckks_mul(&small, r->e, &f.a, &f.b, &r->keys), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_ckks_mul(&f.a, r->e, &f.a, &f.b, &r->keys), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_ct_add(&f.out, r->e, &f.a, &small), GB_ERR_LEVEL);
    test_refused(ctx, gb_ct_divide(&small, r->e, 2), GB_ERR_LEVEL);
    test_ok(ctx, gb_ct_drop(ctx, &small, 1));
    test_refused(ctx, gb_ckks_rescale(&small, r->e), GB_ERR_LEVEL);
    test_refused(ctx, gb_ct_init(&none, ctx, r->p, 4, 1), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_ct_init(&none, ctx, r->p, 2, 0), GB_ERR_ARGUMENT);
    test_refused(ctx, gb_ct_init(&none, ctx, r->p, 2, 5), GB_ERR_ARGUMENT);
    /* Form and parts. */
    three.parts = 3;
    test_refused(ctx, gb_ckks_rotate(&f.out, r->e, &three, 1, &r->keys), GB_ERR_STATE);
    test_refused(ctx, gb_hoist_prepare(r->e, &three), GB_ERR_STATE);
    test_refused(ctx, gb_ct_tensor(&f.out, r->e, &three, &three), GB_ERR_STATE);
    test_refused(ctx, gb_ct_relinearize(&f.a, r->e, &r->keys), GB_ERR_STATE);
    f.a.ntt = false;
    test_refused(ctx, gb_ct_divide(&f.a, r->e, 1), GB_ERR_STATE);
    test_refused(ctx, gb_ckks_rotate(&f.out, r->e, &f.a, 1, &r->keys), GB_ERR_STATE);
    f.a.ntt = true;
    test_refused(ctx, gb_hoist_automorphism(&f.out, r->e, &f.a, g1, &r->keys), GB_ERR_STATE); /* not prepared */
    gb_ct_release(&small);
    gb_ct_release(&three);
    end(&g);
    end(&f);
}

/* Every allocation fails once; each time the code is MEMORY, and the operation works when none fails. */
static void test_allocation_failures(void **state) {
    (void)state;
    fixture f;
    begin(&f, 0, 1);
    rig *r = &f.r;
    gb_ckks_diagonal d[] = {{0, f.x_re, f.x_im}, {1, f.y_re, NULL}, {2, f.x_im, NULL}};
    gb_ckks_linear *l;
    uint64_t g = gb_galois_rotation(r->p, 1), g2 = gb_galois_rotation(r->p, 2);
    rig_key(r, 1);
    rig_key(r, g);
    rig_key(r, g2);
    test_ok(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, r->slots, d, 3, 3, r->scale, 0));
    for (int what = 0; what < 7; what++) {
        gb_status status = GB_ERR_MEMORY;
        for (uint64_t n = 1; status != GB_OK; n++) {
            gb_eval *e = NULL;
            gb_ckks_linear *made = NULL;
            gb_eval_keys keys = {0};
            gb_buffer out = GB_BUFFER_INIT;
            gb_alloc_fail_at(n);
            status = gb_eval_new(&e, r->ctx, r->p, 0);
            if (status == GB_OK && what == 0) status = gb_ckks_mul(&f.out, e, &f.a, &f.b, &r->keys);
            if (status == GB_OK && what == 1) status = gb_ckks_mul_rescale(&f.out, e, &f.a, &f.b, &r->keys);
            if (status == GB_OK && what == 2) status = gb_hoist_prepare(e, &f.a);
            if (status == GB_OK && what == 2) status = gb_hoist_automorphism(&f.out, e, &f.a, g, &r->keys);
            if (status == GB_OK && what == 3) status = gb_ckks_linear_apply(&f.out, e, &f.a, l, &r->keys);
            if (status == GB_OK && what == 4)
                status = gb_ckks_linear_new(&made, r->ctx, r->enc, r->slots, d, 3, 3, r->scale, 0);
            if (status == GB_OK && what == 5) status = gb_secret_eval_keys(&keys, r->ctx, r->s, &g, 1, 4, 0);
            if (status == GB_OK && what == 6) status = gb_switch_key_encode(&out, r->ctx, &r->keys.keys[0]);
            gb_alloc_fail_at(0);
            assert_true(status == GB_OK || status == GB_ERR_MEMORY);
            assert_true(n < 200);
            gb_buffer_release(&out);
            gb_eval_keys_release(&keys);
            gb_ckks_linear_free(made);
            gb_eval_free(e);
        }
    }
    gb_ckks_linear_free(l);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_rotations),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_raise),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_linear_refuses),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
