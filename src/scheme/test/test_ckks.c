/* scheme/ckks: encryption, decryption and arithmetic of slots against plain complex arithmetic. */
#include <math.h>

#include "support.h"

#define SLOTS 4096
#define SCALE 0x1p40

typedef struct fixture {
    gb_ctx *ctx;
    gb_params *params;
    gb_secret *secret;
    gb_keyset *keyset;
    gb_ckks_encoder *encoder;
    gb_eval *eval;
    gb_pt plain;
    gb_ct a, b, sum;
    double x_re[SLOTS], x_im[SLOTS], y_re[SLOTS], y_im[SLOTS], re[SLOTS], im[SLOTS];
} fixture;

static double uniform(uint64_t *state) { return (double)(test_random(state) >> 11) * 0x1p-52 - 1; }

static int setup(void **state) {
    static fixture f;
    uint64_t random = 11;
    f.ctx = test_context(2);
    test_ok(f.ctx, gb_params_named(&f.params, f.ctx, "leveled-13"));
    test_ok(f.ctx, gb_secret_restore(&f.secret, &f.keyset, f.ctx, f.params, test_root));
    test_ok(f.ctx, gb_ckks_encoder_new(&f.encoder, f.ctx, f.params));
    test_ok(f.ctx, gb_eval_new(&f.eval, f.ctx, f.params, 0));
    assert_int_equal(gb_ckks_slots(f.encoder), SLOTS);
    test_ok(f.ctx, gb_pt_init(&f.plain, f.ctx, f.params, 4, false));
    test_ok(f.ctx, gb_ct_init(&f.a, f.ctx, f.params, 2, 4));
    test_ok(f.ctx, gb_ct_init(&f.b, f.ctx, f.params, 2, 4));
    test_ok(f.ctx, gb_ct_init(&f.sum, f.ctx, f.params, 2, 4));
    for (size_t i = 0; i < SLOTS; i++) {
        f.x_re[i] = uniform(&random), f.x_im[i] = uniform(&random);
        f.y_re[i] = uniform(&random), f.y_im[i] = uniform(&random);
    }
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    gb_ct_release(&f->a);
    gb_ct_release(&f->b);
    gb_ct_release(&f->sum);
    gb_pt_release(&f->plain);
    gb_eval_free(f->eval);
    gb_ckks_encoder_free(f->encoder);
    gb_keyset_free(f->keyset);
    gb_secret_free(f->secret);
    gb_params_free(f->params);
    gb_ctx_free(f->ctx);
    return 0;
}

static void expect(fixture *f, const gb_ct *c, const double *re, const double *im, double bound) {
    double far = 0;
    test_ok(f->ctx, gb_ckks_decrypt(f->re, f->im, SLOTS, f->ctx, f->secret, f->encoder, c));
    for (size_t i = 0; i < SLOTS; i++) far = fmax(far, hypot(f->re[i] - re[i], f->im[i] - im[i]));
    if (!(far < bound)) fail_msg("error %g where %g is allowed", far, bound);
}

static void encode(fixture *f, const double *re, const double *im) {
    test_ok(f->ctx, gb_ckks_encode(&f->plain, f->ctx, f->encoder, re, im, SLOTS, SCALE));
}

/* The definition: slot j of a plaintext is its polynomial at zeta^(5^j). zeta^(k 5^j) is X^k. */
static void test_embedding(void **state) {
    fixture *f = *state;
    static double re[SLOTS], im[SLOTS];
    const size_t monomials[] = {0, 1, 77, 4096, 8191};
    for (size_t t = 0; t < GB_COUNT(monomials); t++) {
        size_t power = 1, k = monomials[t];
        for (size_t j = 0; j < SLOTS; j++) {
            double angle = M_PI * (double)(k * power % 16384) / 8192;
            re[j] = cos(angle), im[j] = sin(angle);
            power = power * 5 % 16384;
        }
        test_ok(f->ctx, gb_ckks_encode(&f->plain, f->ctx, f->encoder, re, im, SLOTS, 1024));
        gb_ring_inverse(gb_params_ring(f->params), f->plain.data, 0, 1);
        for (size_t i = 0; i < 8192; i++) assert_true(f->plain.data[i] == (i == k ? 1024 : 0));
    }
}

static void test_encode_refuses(void **state) {
    fixture *f = *state;
    static const double bad[] = {NAN, INFINITY, 1e20};
    for (size_t i = 0; i < 3; i++)
        test_refused(f->ctx, gb_ckks_encode(&f->plain, f->ctx, f->encoder, &bad[i], NULL, 1, SCALE), GB_ERR_RANGE);
    test_refused(f->ctx, gb_ckks_encode(&f->plain, f->ctx, f->encoder, f->re, NULL, SLOTS + 1, SCALE), GB_ERR_ARGUMENT);
}

static void encrypt(fixture *f, gb_ct *out, const double *re, const double *im, uint64_t number, unsigned limbs) {
    gb_seed seed = {{42}};
    encode(f, re, im);
    test_ok(f->ctx, gb_ct_encrypt_seeded(out, f->ctx, f->secret, f->plain.data, limbs, f->plain.scale, &seed, number));
}

/* Fresh noise of deviation 3.24 a coefficient is 3.24 sqrt(N) a slot (its modulus); the largest of 4096 stays below 4
 * times that. Under the public key a slot's noise is a sum of products, whose tails are heavier. */
static void test_encrypt(void **state) {
    fixture *f = *state;
    for (unsigned limbs = 4; limbs > 0; limbs--) {
        encrypt(f, &f->a, f->x_re, f->x_im, limbs, limbs);
        expect(f, &f->a, f->x_re, f->x_im, 4 * 3.24 * sqrt(8192) / SCALE);
    }
    test_ok(f->ctx, gb_ct_encrypt_public(&f->b, f->ctx, f->keyset, f->plain.data, 4, SCALE));
    expect(f, &f->b, f->x_re, f->x_im, 8 * 3.24 * sqrt(8192) * sqrt(4.0 / 3 * 8192) / SCALE);
    encrypt(f, &f->a, f->x_re, f->x_im, 9, 4);
    encrypt(f, &f->sum, f->x_re, f->x_im, 9, 4);
    assert_memory_equal(f->sum.data, f->a.data, 2 * 4 * 8192 * 8);
    encrypt(f, &f->sum, f->x_re, f->x_im, 10, 4);
    assert_memory_not_equal(gb_ct_limb(&f->sum, 1, 0), gb_ct_limb(&f->a, 1, 0), 8192 * 8);
    /* The mean square of the noise itself, coefficient by coefficient. */
    static double c[8192], m[8192];
    double sum = 0;
    test_ok(f->ctx, gb_ct_decrypt(c, f->ctx, f->secret, &f->a));
    encrypt(f, &f->a, f->x_re, f->x_im, 11, 4);
    test_ok(f->ctx, gb_ct_decrypt(m, f->ctx, f->secret, &f->a));
    for (size_t i = 0; i < 8192; i++) sum += (c[i] - m[i]) * (c[i] - m[i]) * SCALE * SCALE;
    assert_true(fabs(sqrt(sum / 2 / 8192) - 3.24) < 0.15);
}

static void test_sums(void **state) {
    fixture *f = *state;
    static double re[SLOTS], im[SLOTS];
    encrypt(f, &f->a, f->x_re, f->x_im, 20, 3);
    encrypt(f, &f->b, f->y_re, f->y_im, 21, 3);
    test_ok(f->ctx, gb_ckks_add(&f->sum, f->eval, &f->a, &f->b));
    for (size_t i = 0; i < SLOTS; i++) re[i] = f->x_re[i] + f->y_re[i], im[i] = f->x_im[i] + f->y_im[i];
    expect(f, &f->sum, re, im, 3e-9);
    test_ok(f->ctx, gb_ckks_sub(&f->a, f->eval, &f->a, &f->b)); /* in place */
    for (size_t i = 0; i < SLOTS; i++) re[i] = f->x_re[i] - f->y_re[i], im[i] = f->x_im[i] - f->y_im[i];
    expect(f, &f->a, re, im, 3e-9);
    f->b.scale *= 2;
    test_refused(f->ctx, gb_ckks_add(&f->sum, f->eval, &f->a, &f->b), GB_ERR_LEVEL);
}

/* x y^3 down the three levels; after each step the scale is what was multiplied and divided, exactly. */
static void test_products(void **state) {
    fixture *f = *state;
    static double re[SLOTS], im[SLOTS];
    encrypt(f, &f->a, f->x_re, f->x_im, 30, 4);
    memcpy(re, f->x_re, sizeof re);
    memcpy(im, f->x_im, sizeof im);
    double scale = SCALE;
    encode(f, f->y_re, f->y_im);
    for (unsigned limbs = 4; limbs > 1; limbs--) {
        test_ok(f->ctx, gb_ckks_mul_plain(&f->a, f->eval, &f->a, &f->plain));
        scale = scale * SCALE;
        assert_true(f->a.scale == scale);
        for (size_t i = 0; i < SLOTS; i++) {
            double r = re[i] * f->y_re[i] - im[i] * f->y_im[i];
            im[i] = re[i] * f->y_im[i] + im[i] * f->y_re[i];
            re[i] = r;
        }
        expect(f, &f->a, re, im, 4e-8);
        test_ok(f->ctx, gb_ckks_rescale(&f->a, f->eval));
        scale = scale / (double)gb_ring_modulus(gb_params_ring(f->params), limbs - 1)->q;
        assert_true(f->a.scale == scale);
        assert_int_equal(f->a.limbs, limbs - 1);
        expect(f, &f->a, re, im, 4e-8);
    }
    assert_true(gb_ckks_rescale(&f->a, f->eval) != GB_OK);
}

static void test_refusals(void **state) {
    fixture *f = *state;
    gb_params *tiny;
    gb_secret *s;
    gb_keyset *k;
    gb_seed seed = {{1}};
    test_ok(f->ctx, gb_params_named(&tiny, f->ctx, "tiny-linear"));
    test_ok(f->ctx, gb_secret_new(&s, &k, f->ctx, tiny));
    encrypt(f, &f->a, f->x_re, f->x_im, 40, 1);
    const uint64_t *m = f->plain.data;
    test_refused(f->ctx, gb_ct_encrypt_public(&f->b, f->ctx, k, m, 1, 1), GB_ERR_PARAMS);
    test_refused(f->ctx, gb_ct_encrypt_seeded(&f->b, f->ctx, s, m, 1, 1, &seed, 0), GB_ERR_PARAMS);
    test_refused(f->ctx, gb_ct_encrypt_seeded(&f->b, f->ctx, f->secret, m, 5, 1, &seed, 0), GB_ERR_LEVEL);
    test_refused(f->ctx, gb_ckks_decrypt(f->re, f->im, SLOTS, f->ctx, s, f->encoder, &f->a), GB_ERR_PARAMS);
    test_refused(f->ctx, gb_ckks_decrypt(f->re, f->im, 3, f->ctx, f->secret, f->encoder, &f->a), GB_ERR_ARGUMENT);
    f->a.ntt = false;
    test_refused(f->ctx, gb_ckks_decrypt(f->re, f->im, SLOTS, f->ctx, f->secret, f->encoder, &f->a), GB_ERR_STATE);
    f->a.ntt = true;
    gb_keyset_free(k);
    gb_secret_free(s);
    gb_params_free(tiny);
}

static void test_allocation_failures(void **state) {
    fixture *f = *state;
    gb_seed seed = {{1}};
    for (int what = 0; what < 3; what++) {
        gb_status status = GB_ERR_MEMORY;
        uint64_t n = 0;
        while (status != GB_OK) {
            gb_alloc_fail_at(++n);
            if (what == 0) status = gb_ct_encrypt_seeded(&f->b, f->ctx, f->secret, f->plain.data, 4, SCALE, &seed, 50);
            if (what == 1) status = gb_ct_encrypt_public(&f->b, f->ctx, f->keyset, f->plain.data, 4, SCALE);
            if (what == 2) status = gb_ckks_decrypt(f->re, f->im, SLOTS, f->ctx, f->secret, f->encoder, &f->b);
            gb_alloc_fail_at(0);
            assert_true(status == GB_OK || status == GB_ERR_MEMORY);
            assert_true(n < 50);
        }
        assert_true(n > 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_encode_refuses),
        cmocka_unit_test(test_encrypt),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
