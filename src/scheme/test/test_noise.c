/* scheme/core/noise against measurements: no error is over its worst case, every root mean square is within two bits of
 * its prediction, and what could fail is refused by name. */
#include "bfv_rig.h"
#include "scheme/circuit/bounds.h"

#define LARGEST 1.4142135624 /* slots with both parts uniform in [-1, 1] */
#define TYPICAL 0.8164965809

static const struct {
    unsigned log_n, first, bits, count, special_bits, specials, weight;
} shapes[] = {
    {13, 46, 40, 4, 47, 1, 0}, {14, 49, 40, 5, 49, 2, 0}, {14, 45, 35, 8, 45, 3, 0}, {15, 46, 40, 3, 47, 1, 192}};

static gb_params_spec spec_of(size_t t) {
    gb_params_spec s = rig_spec(shapes[t].log_n, shapes[t].first, shapes[t].bits, shapes[t].count,
                                shapes[t].special_bits, shapes[t].specials);
    s.weight = shapes[t].weight;
    return s;
}

static void compare(const gb_noise *p, double worst, double rms, const char *op) {
    if (getenv("GLOVEBOX_SHOW"))
        print_message("%-34s rms %7.2f of %7.2f, worst %7.2f of %7.2f, powers %.1f\n", op, log2(rms), p->rms,
                      log2(worst), p->worst, p->powers);
    if (!(log2(worst) <= p->worst)) fail_msg("%s: error 2^%.2f over its worst case 2^%.2f", op, log2(worst), p->worst);
    if (!(fabs(log2(rms) - p->rms) <= 2)) fail_msg("%s: rms 2^%.2f, predicted 2^%.2f", op, log2(rms), p->rms);
}

/* ---- CKKS ---- */
typedef struct fixture {
    rig r;
    gb_noise_model m;
    double *x_re, *x_im, *y_re, *y_im, *re, *im;
    gb_ct a, b, out;
} fixture;

/* Slots of the error: their mean square is N times the coefficients'. */
static void check(fixture *f, const gb_ct *c, const gb_noise *p, const char *op) {
    rig *r = &f->r;
    double worst = 0, sum = 0;
    test_ok(r->ctx, gb_ckks_decrypt(r->re, r->im, r->slots, r->ctx, r->s, r->enc, c));
    for (size_t i = 0; i < r->slots; i++) {
        double d = hypot(r->re[i] - f->re[i], r->im[i] - f->im[i]) * c->scale;
        worst = fmax(worst, d);
        sum += d * d;
    }
    assert_int_equal(p->limbs, c->limbs);
    assert_int_equal(p->parts, c->parts);
    compare(p, worst, sqrt(sum / (double)r->slots / (double)r->n), op);
    test_ok(r->ctx, gb_noise_check(r->ctx, &f->m, p, op));
}

static void want_product(fixture *f) {
    for (size_t i = 0; i < f->r.slots; i++) {
        f->re[i] = f->x_re[i] * f->y_re[i] - f->x_im[i] * f->y_im[i];
        f->im[i] = f->x_re[i] * f->y_im[i] + f->x_im[i] * f->y_re[i];
    }
}

static void run_products(fixture *f, const gb_noise *na, const gb_noise *nb) {
    rig *r = &f->r;
    gb_noise n, low;
    want_product(f);
    test_ok(r->ctx, gb_ct_tensor(&f->out, r->e, &f->a, &f->b));
    f->out.scale = r->scale * r->scale;
    gb_noise_tensor(&n, &f->m, na, nb);
    check(f, &f->out, &n, "tensor");
    test_ok(r->ctx, gb_ckks_rescale(&f->out, r->e));
    gb_noise_divide(&low, &f->m, &n, 1);
    check(f, &f->out, &low, "rescale of three parts");
    test_ok(r->ctx, gb_ckks_mul(&f->out, r->e, &f->a, &f->b, &r->keys));
    gb_noise_relinearize(&low, &f->m, &n);
    check(f, &f->out, &low, "relinearize");
    test_ok(r->ctx, gb_ckks_rescale(&f->out, r->e));
    gb_noise_divide(&low, &f->m, &low, 1);
    check(f, &f->out, &low, "rescale");
    test_ok(r->ctx, gb_ckks_mul_rescale(&f->out, r->e, &f->a, &f->b, &r->keys));
    gb_noise_relinearize_divide(&low, &f->m, &n, 1);
    check(f, &f->out, &low, "mul_rescale");
    /* and once more, on what is no longer fresh */
    gb_ct square = rig_room(r);
    test_ok(r->ctx, gb_ckks_mul_rescale(&square, r->e, &f->out, &f->out, &r->keys));
    for (size_t i = 0; i < r->slots; i++) {
        double re = f->re[i], im = f->im[i];
        f->re[i] = re * re - im * im, f->im[i] = 2 * re * im;
    }
    gb_noise_tensor(&n, &f->m, &low, &low);
    gb_noise_relinearize_divide(&n, &f->m, &n, 1);
    check(f, &square, &n, "square");
    gb_ct_release(&square);
}

static void run_linear(fixture *f, const gb_noise *na) {
    rig *r = &f->r;
    enum { COUNT = 16, PERIOD = 16 };
    gb_ckks_diagonal d[COUNT];
    gb_ckks_linear *l;
    uint64_t galois[32];
    gb_noise n;
    static double values[COUNT][2][PERIOD];
    uint64_t random = 6;
    double *x_re = f->x_re, *x_im = f->x_im;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < PERIOD; j++)
            values[i][0][j] = rig_uniform(&random), values[i][1][j] = rig_uniform(&random);
        d[i] = (gb_ckks_diagonal){(int)i, values[i][0], values[i][1]};
    }
    gb_ckks_linear_config config;
    gb_ckks_linear_config_defaults(&config);
    config.baby = 4;
    test_ok(r->ctx, gb_ckks_linear_new(&l, r->ctx, r->enc, PERIOD, d, COUNT, r->limbs, r->scale, &config));
    size_t keys = gb_ckks_linear_galois(galois, 32, l);
    for (size_t i = 0; i < keys; i++) rig_key(r, galois[i]);
    gb_ct c;
    rig_encrypt(r, &c, x_re, x_im, PERIOD, r->limbs);
    test_ok(r->ctx, gb_ckks_linear_apply(&f->out, r->e, &c, l, &r->keys));
    for (size_t i = 0; i < r->slots; i++) {
        f->re[i] = f->im[i] = 0;
        for (size_t j = 0; j < COUNT; j++) {
            size_t from = (i + j) % PERIOD, at = i % PERIOD;
            f->re[i] += values[j][0][at] * x_re[from] - values[j][1][at] * x_im[from];
            f->im[i] += values[j][0][at] * x_im[from] + values[j][1][at] * x_re[from];
        }
    }
    gb_noise_linear(&n, &f->m, na, COUNT, 3, r->scale, LARGEST, TYPICAL);
    check(f, &f->out, &n, "linear transform");
    gb_ct_release(&c);
    gb_ckks_linear_free(l);
}

static void run_others(fixture *f, const gb_noise *na, const gb_noise *nb) {
    rig *r = &f->r;
    gb_noise n;
    size_t count = r->slots;
    for (size_t i = 0; i < count; i++) f->re[i] = f->x_re[i] + f->y_re[i], f->im[i] = f->x_im[i] + f->y_im[i];
    test_ok(r->ctx, gb_ckks_add(&f->out, r->e, &f->a, &f->b));
    gb_noise_add(&n, &f->m, na, nb);
    check(f, &f->out, &n, "add");
    test_ok(r->ctx, gb_ckks_encode(&r->pt, r->ctx, r->enc, f->y_re, f->y_im, count, r->scale));
    test_ok(r->ctx, gb_ckks_add_plain(&f->out, r->e, &f->a, &r->pt));
    gb_noise_add_plain(&n, &f->m, na, r->scale, LARGEST, TYPICAL);
    check(f, &f->out, &n, "add_plain");
    want_product(f);
    for (int small = 0; small < 2; small++) { /* at a small scale the plaintext's rounding is what is seen */
        double scale = small ? 0x1p12 : r->scale;
        test_ok(r->ctx, gb_ckks_encode(&r->pt, r->ctx, r->enc, f->y_re, f->y_im, count, scale));
        test_ok(r->ctx, gb_ckks_mul_plain(&f->out, r->e, &f->a, &r->pt));
        gb_noise_mul_plain(&n, &f->m, na, scale, LARGEST, TYPICAL);
        check(f, &f->out, &n, "mul_plain");
    }
    for (size_t i = 0; i < count; i++) f->re[i] = 0.3 * f->x_re[i], f->im[i] = 0.3 * f->x_im[i];
    for (int small = 0; small < 2; small++) {
        double scale = small ? 0x1p9 : r->scale;
        test_ok(r->ctx, gb_ckks_mul_scalar(&f->out, r->e, &f->a, 0.3, scale));
        gb_noise_mul_scalar(&n, na, 0.3, scale);
        check(f, &f->out, &n, "mul_scalar");
    }
    for (size_t i = 0; i < count; i++) f->re[i] = f->x_re[i] - 0.7, f->im[i] = f->x_im[i];
    test_ok(r->ctx, gb_ckks_add_scalar(&f->out, r->e, &f->a, -0.7));
    gb_noise_add_scalar(&n, &f->m, na, -0.7, r->scale);
    check(f, &f->out, &n, "add_scalar");
    for (size_t i = 0; i < count; i++) f->re[i] = f->x_re[(i + 1) % count], f->im[i] = f->x_im[(i + 1) % count];
    gb_noise_automorphism(&n, &f->m, na);
    test_ok(r->ctx, gb_ckks_rotate(&f->out, r->e, &f->a, 1, &r->keys));
    check(f, &f->out, &n, "rotate");
    test_ok(r->ctx, gb_hoist_prepare(r->e, &f->a));
    test_ok(r->ctx, gb_hoist_automorphism(&f->out, r->e, &f->a, gb_galois_rotation(r->p, 1), &r->keys));
    f->out.scale = r->scale;
    check(f, &f->out, &n, "hoisted rotation");
    assert_true(gb_noise_precision(&f->m, &n, r->scale) > 8);
}

static void test_ckks(void **state) {
    (void)state;
    for (size_t t = 0; t < GB_COUNT(shapes); t++) {
        fixture f;
        gb_noise na, nb;
        uint64_t random = 2;
        gb_params_spec s = spec_of(t);
        rig_init(&f.r, 2, &s, 0);
        rig *r = &f.r;
        rig_key(r, 1);
        rig_key(r, gb_galois_rotation(r->p, 1));
        gb_noise_model_init(&f.m, r->p, 0);
        f.x_re = rig_values(r, &random), f.x_im = rig_values(r, &random), f.y_re = rig_values(r, &random);
        f.y_im = rig_values(r, &random), f.re = rig_values(r, &random), f.im = rig_values(r, &random);
        rig_encrypt(r, &f.a, f.x_re, f.x_im, r->slots, r->limbs);
        rig_encrypt(r, &f.b, f.y_re, f.y_im, r->slots, r->limbs);
        f.out = rig_room(r);
        gb_noise_fresh(&nb, &f.m, r->limbs, r->scale, LARGEST, TYPICAL, true);
        test_ok(r->ctx, gb_ct_encrypt_public(&f.out, r->ctx, r->k, r->pt.data, r->limbs, r->scale));
        for (size_t i = 0; i < r->slots; i++) f.re[i] = f.y_re[i], f.im[i] = f.y_im[i];
        check(&f, &f.out, &nb, "encrypt with the public key");
        gb_noise_fresh(&na, &f.m, r->limbs, r->scale, LARGEST, TYPICAL, false);
        check(&f, &f.b, &na, "encrypt with a seed");
        nb = na;
        run_products(&f, &na, &nb);
        run_others(&f, &na, &nb);
        run_linear(&f, &na);
        double *values[] = {f.x_re, f.x_im, f.y_re, f.y_im, f.re, f.im};
        for (size_t i = 0; i < GB_COUNT(values); i++) gb_free(values[i]);
        gb_ct_release(&f.a);
        gb_ct_release(&f.b);
        gb_ct_release(&f.out);
        rig_release(r);
    }
}

/* ---- BFV ---- */
typedef struct bfv_fixture {
    bfv_rig f;
    gb_noise_model m;
    int64_t *x, *y;
    double *e;
} bfv_fixture;

/* phase - round(Q want / t), coefficient by coefficient. */
static void check_bfv(bfv_fixture *g, const gb_ct *c, const __int128 *want, const gb_noise *p, const char *op) {
    rig *r = &g->f.r;
    gb_ct error = rig_room(r);
    gb_pt plain;
    int64_t *v = g->f.got;
    double worst = 0, sum = 0;
    test_ok(r->ctx, gb_pt_init(&plain, r->ctx, r->p, c->limbs, false));
    for (size_t i = 0; i < r->n; i++) v[i] = bfv_centred(&g->f, want[i]);
    gb_bfv_encode(g->f.poly, g->f.b, v, r->n);
    gb_bfv_scale_up(&plain, r->ctx, g->f.b, g->f.poly);
    test_ok(r->ctx, gb_ct_copy(&error, r->ctx, c));
    for (unsigned j = 0; j < c->limbs; j++)
        gb_ring_kernels(gb_params_ring(r->p))
            ->sub(gb_ct_limb(&error, 0, j), gb_ct_limb(&error, 0, j), plain.data + j * r->n, r->n,
                  gb_ring_modulus(gb_params_ring(r->p), j));
    error.scale = 0x1p300; /* decryption looks at no more primes than values up to 2^60 need: look at all of them */
    test_ok(r->ctx, gb_ct_decrypt(g->e, r->ctx, r->s, &error));
    for (size_t i = 0; i < r->n; i++) {
        g->e[i] *= 0x1p300;
        worst = fmax(worst, fabs(g->e[i]));
        sum += g->e[i] * g->e[i];
    }
    assert_int_equal(p->limbs, c->limbs);
    assert_int_equal(p->parts, c->parts);
    compare(p, worst, sqrt(sum / (double)r->n), op);
    test_ok(r->ctx, gb_noise_bfv_check(r->ctx, &g->m, p, g->f.t, op));
    gb_pt_release(&plain);
    gb_ct_release(&error);
}

static void run_bfv(bfv_fixture *g, uint64_t t) {
    bfv_rig *f = &g->f;
    rig *r = &f->r;
    uint64_t random = t;
    gb_noise na, n;
    gb_ct a, b, out = rig_room(r);
    __int128 *want;
    test_ok(r->ctx, gb_alloc(&want, r->ctx, r->n, sizeof *want));
    for (size_t i = 0; i < r->n; i++) g->x[i] = bfv_centred(f, (__int128)test_random(&random));
    for (size_t i = 0; i < r->n; i++) g->y[i] = bfv_centred(f, (__int128)test_random(&random));
    bfv_encrypt(f, &a, g->x, r->n);
    bfv_encrypt(f, &b, g->y, r->n);
    for (size_t i = 0; i < r->n; i++) want[i] = g->y[i];
    gb_noise_bfv_fresh(&na, &g->m, r->limbs, t, true);
    test_ok(r->ctx, gb_ct_encrypt_public(&out, r->ctx, r->k, r->pt.data, r->limbs, 1));
    check_bfv(g, &out, want, &na, "encrypt with the public key");
    gb_noise_bfv_fresh(&na, &g->m, r->limbs, t, false);
    check_bfv(g, &b, want, &na, "encrypt with a seed");
    for (size_t i = 0; i < r->n; i++) want[i] = (__int128)g->x[i] + g->y[i];
    test_ok(r->ctx, gb_ct_add(&out, r->e, &a, &b));
    gb_noise_bfv_add(&n, &g->m, &na, &na, t);
    check_bfv(g, &out, want, &n, "add");
    gb_bfv_encode(f->poly, f->b, g->y, r->n);
    test_ok(r->ctx, gb_bfv_add_plain(&out, f->be, &a, f->poly));
    gb_noise_bfv_add_plain(&n, &g->m, &na);
    check_bfv(g, &out, want, &n, "add_plain");
    for (size_t i = 0; i < r->n; i++) want[i] = (__int128)g->x[i] * g->y[i];
    gb_bfv_encode(f->poly, f->b, g->y, r->n);
    test_ok(r->ctx, gb_bfv_mul_plain(&out, f->be, &a, f->poly));
    gb_noise_bfv_mul_plain(&n, &g->m, &na, t);
    check_bfv(g, &out, want, &n, "mul_plain");
    const int64_t numbers[] = {-1, 77, (int64_t)(t / 3), -(int64_t)(t / 2)};
    for (size_t k = 0; k < GB_COUNT(numbers); k++) {
        for (size_t i = 0; i < r->n; i++) want[i] = (__int128)g->x[i] * numbers[k];
        test_ok(r->ctx, gb_bfv_mul_scalar(&out, f->be, &a, numbers[k]));
        gb_noise_bfv_mul_scalar(&n, &na, numbers[k]);
        check_bfv(g, &out, want, &n, "mul_scalar");
    }
    for (size_t i = 0; i < r->n; i++) want[i] = (__int128)g->x[i] + numbers[2];
    test_ok(r->ctx, gb_bfv_add_scalar(&out, f->be, &a, numbers[2]));
    gb_noise_bfv_add_plain(&n, &g->m, &na);
    check_bfv(g, &out, want, &n, "add_scalar");
    for (size_t i = 0; i < r->n; i++) want[i] = (__int128)g->x[i] * g->y[i];
    test_ok(r->ctx, gb_bfv_tensor(&out, f->be, &a, &b));
    gb_noise_bfv_tensor(&n, &g->m, &na, &na, t);
    check_bfv(g, &out, want, &n, "tensor");
    test_ok(r->ctx, gb_ct_relinearize(&out, r->e, &r->keys));
    gb_noise_relinearize(&n, &g->m, &n);
    check_bfv(g, &out, want, &n, "relinearize");
    test_ok(r->ctx, gb_ct_divide(&out, r->e, 1));
    gb_noise_bfv_divide(&n, &g->m, &n, 1);
    check_bfv(g, &out, want, &n, "modulus switch");
    if (r->limbs > 4) { /* on what is no longer fresh */
        test_ok(r->ctx, gb_bfv_mul(&b, f->be, &out, &out, &r->keys));
        gb_noise_bfv_tensor(&n, &g->m, &n, &n, t);
        gb_noise_relinearize(&n, &g->m, &n);
        for (size_t i = 0; i < r->n; i++) want[i] = (__int128)bfv_centred(f, want[i]) * bfv_centred(f, want[i]);
        check_bfv(g, &b, want, &n, "square");
    }
    size_t half = r->n / 2;
    for (size_t i = 0; i < r->n; i++) want[i] = g->x[i < half ? (i + 1) % half : half + (i - half + 1) % half];
    test_ok(r->ctx, gb_ct_automorphism(&out, r->e, &a, gb_galois_rotation(r->p, 1), &r->keys));
    gb_noise_automorphism(&n, &g->m, &na);
    check_bfv(g, &out, want, &n, "rotate");
    gb_free(want);
    gb_ct_release(&a);
    gb_ct_release(&b);
    gb_ct_release(&out);
}

static void test_bfv(void **state) {
    (void)state;
    for (size_t s = 0; s < 2; s++) {
        bfv_fixture g;
        gb_params_spec spec = spec_of(s);
        uint64_t step = UINT64_C(2) << shapes[s].log_n;
        const uint64_t t[] = {65537, gb_prime_below(UINT64_C(1) << 30, step), gb_prime_below(UINT64_C(1) << 45, step)};
        bfv_rig_init(&g.f, 2, &spec, t[0]);
        rig *r = &g.f.r;
        rig_key(r, 1);
        rig_key(r, gb_galois_rotation(r->p, 1));
        gb_noise_model_init(&g.m, r->p, 0);
        test_ok(r->ctx, gb_alloc(&g.x, r->ctx, r->n, sizeof *g.x));
        test_ok(r->ctx, gb_alloc(&g.y, r->ctx, r->n, sizeof *g.y));
        test_ok(r->ctx, gb_alloc(&g.e, r->ctx, r->n, sizeof *g.e));
        for (size_t i = 0; i < 3; i++) {
            if (i) bfv_plain_modulus(&g.f, t[i]);
            run_bfv(&g, t[i]);
        }
        gb_free(g.x);
        gb_free(g.y);
        gb_free(g.e);
        bfv_rig_release(&g.f);
    }
}

/* Products of products: the errors gather powers of the secret, whose moments grow with factorials. Squares take the
 * model of dependent operands, and a fresh factor each the other; the modulus is switched on the way or not. */
static void run_depth(bfv_fixture *g, __int128 *want, uint64_t seed, bool squares, bool switched) {
    bfv_rig *f = &g->f;
    rig *r = &f->r;
    gb_noise n, fresh;
    gb_ct a, b, out = rig_room(r);
    uint64_t random = seed;
    for (size_t i = 0; i < r->n; i++) want[i] = g->x[i] = bfv_centred(f, (__int128)test_random(&random));
    bfv_encrypt(f, &a, g->x, r->n);
    g->m.dependent = squares;
    gb_noise_bfv_fresh(&n, &g->m, r->limbs, f->t, false);
    for (unsigned depth = 1; depth <= 7; depth++) {
        for (size_t i = 0; i < r->n; i++) {
            g->y[i] = squares ? bfv_centred(f, want[i]) : bfv_centred(f, (__int128)test_random(&random));
            want[i] = bfv_centred(f, want[i]) * (__int128)g->y[i];
        }
        bfv_encrypt(f, &b, g->y, r->n);
        fresh = n;
        if (!squares) gb_noise_bfv_fresh(&fresh, &g->m, r->limbs, f->t, false);
        test_ok(r->ctx, gb_bfv_mul(&out, f->be, &a, squares ? &a : &b, &r->keys));
        gb_noise_bfv_tensor(&n, &g->m, &n, &fresh, f->t);
        gb_noise_relinearize(&n, &g->m, &n);
        if (switched && depth % 2 == 0) {
            test_ok(r->ctx, gb_ct_divide(&out, r->e, 1));
            gb_noise_bfv_divide(&n, &g->m, &n, 1);
        }
        test_ok(r->ctx, gb_ct_copy(&a, r->ctx, &out));
        gb_ct_release(&b);
        check_bfv(g, &out, want, &n, squares ? "a tower of squares" : "a tower of products");
    }
    gb_ct_release(&a);
    gb_ct_release(&out);
}

/* Polynomials through tables. Powers of one ciphertext are anything but independent: the model of dependent operands.
 */
static void run_table(bfv_fixture *g, __int128 *want, const gb_bfv_poly *p, int width, uint64_t seed, const char *op) {
    bfv_rig *f = &g->f;
    rig *r = &f->r;
    gb_noise fresh, n;
    gb_ct a, out = rig_room(r);
    for (size_t i = 0; i < r->n; i++) {
        unsigned __int128 v = 0;
        g->x[i] = (int64_t)(test_random(&seed) % (unsigned)(2 * width + 1)) - width;
        uint64_t x = (uint64_t)(g->x[i] < 0 ? g->x[i] + (int64_t)f->t : g->x[i]);
        for (size_t j = p->degree + 1; j-- > 0;) v = (v * x + p->c[j]) % f->t;
        want[i] = (__int128)v;
    }
    bfv_encrypt(f, &a, g->x, r->n);
    test_ok(r->ctx, gb_bfv_poly_eval(&out, f->be, &a, p, &r->keys));
    g->m.dependent = true;
    gb_noise_bfv_fresh(&fresh, &g->m, r->limbs, f->t, false);
    test_ok(r->ctx, gb_bounds_bfv_poly(&n, r->ctx, &g->m, &fresh, p, f->t));
    check_bfv(g, &out, want, &n, op);
    gb_ct_release(&a);
    gb_ct_release(&out);
}

static void run_tables(bfv_fixture *g, __int128 *want) {
    const unsigned widths[] = {1, 3, 8};
    for (size_t i = 0; i < GB_COUNT(widths); i++) {
        gb_bfv_poly p;
        test_ok(g->f.r.ctx, gb_bfv_poly_equal(&p, g->f.r.ctx, g->f.b, widths[i]));
        run_table(g, want, &p, (int)widths[i], 7 + i, "equality");
        gb_bfv_poly_release(&p);
        test_ok(g->f.r.ctx, gb_bfv_poly_less(&p, g->f.r.ctx, g->f.b, widths[i]));
        run_table(g, want, &p, (int)widths[i], 17 + i, "order");
        gb_bfv_poly_release(&p);
    }
}

static void test_depth(void **state) {
    (void)state;
    gb_ctx *ctx = test_context(1);
    gb_params *p;
    bfv_fixture g;
    __int128 *want;
    test_ok(ctx, gb_params_named(&p, ctx, "exact-14"));
    bfv_rig_init(&g.f, 2, gb_params_get(p), gb_bfv_plain_prime(p, 17));
    gb_params_free(p);
    gb_ctx_free(ctx);
    rig *r = &g.f.r;
    rig_key(r, 1);
    gb_noise_model_init(&g.m, r->p, 0);
    test_ok(r->ctx, gb_alloc(&g.x, r->ctx, r->n, sizeof *g.x));
    test_ok(r->ctx, gb_alloc(&g.y, r->ctx, r->n, sizeof *g.y));
    test_ok(r->ctx, gb_alloc(&g.e, r->ctx, r->n, sizeof *g.e));
    test_ok(r->ctx, gb_alloc(&want, r->ctx, r->n, sizeof *want));
    run_depth(&g, want, 1, true, false);
    run_depth(&g, want, 2, true, true);
    run_depth(&g, want, 3, false, false);
    run_tables(&g, want);
    gb_free(want);
    gb_free(g.x);
    gb_free(g.y);
    gb_free(g.e);
    bfv_rig_release(&g.f);
}

/* Squaring until it breaks: the check refuses no later than decryption does. */
static void test_refusals(void **state) {
    (void)state;
    bfv_fixture g;
    gb_params_spec spec = spec_of(0);
    bfv_rig_init(&g.f, 1, &spec, 65537);
    rig *r = &g.f.r;
    rig_key(r, 1);
    gb_noise_model_init(&g.m, r->p, 0);
    int64_t v[] = {3, -2, 1};
    gb_ct a, out = rig_room(r);
    gb_noise n;
    bfv_encrypt(&g.f, &a, v, 3);
    gb_noise_bfv_fresh(&n, &g.m, r->limbs, 65537, false);
    unsigned products = 0;
    for (bool right = true; right; products++) {
        gb_noise_bfv_tensor(&n, &g.m, &n, &n, 65537);
        gb_noise_relinearize(&n, &g.m, &n);
        test_ok(r->ctx, gb_bfv_mul(&out, g.f.be, &a, &a, &r->keys));
        test_ok(r->ctx, gb_ct_copy(&a, r->ctx, &out));
        bfv_decrypt(&g.f, &a);
        for (size_t i = 0; i < 3; i++) v[i] = bfv_centred(&g.f, (__int128)v[i] * v[i]);
        for (size_t i = 0; i < r->n && right; i++) right = g.f.got[i] == (i < 3 ? v[i] : 0);
        gb_status s = gb_noise_bfv_check(r->ctx, &g.m, &n, 65537, "square");
        if (!right) {
            test_refused(r->ctx, s, GB_ERR_NOISE);
            assert_non_null(strstr(gb_ctx_error(r->ctx), "square"));
        }
        if (products < 2) test_ok(r->ctx, s); /* nor is it afraid of everything */
    }
    assert_true(products > 2 && products < 9);
    /* CKKS: a message that the modulus does not hold. */
    gb_noise_fresh(&n, &g.m, 1, 0x1p40, 1, 1, false);
    test_ok(r->ctx, gb_noise_check(r->ctx, &g.m, &n, "load"));
    gb_noise_fresh(&n, &g.m, 1, 0x1p40, 100, 1, false);
    test_refused(r->ctx, gb_noise_check(r->ctx, &g.m, &n, "load"), GB_ERR_NOISE);
    gb_ct_release(&a);
    gb_ct_release(&out);
    bfv_rig_release(&g.f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ckks),
        cmocka_unit_test(test_bfv),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
