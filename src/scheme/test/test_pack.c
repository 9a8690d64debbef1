/* scheme/ckks/pack: N reals in one ciphertext. */
#include "rig.h"
#include "scheme/ckks/pack.h"

typedef struct fixture {
    rig r;
    double *x, *y, *u, *v, *re, *im;
    gb_ct z, w, a, b, out;
} fixture;

static int setup(void **state) {
    static fixture f;
    uint64_t random = 12;
    gb_params_spec s = rig_spec(13, 46, 40, 4, 47, 1);
    rig_init(&f.r, 2, &s, 0);
    rig *r = &f.r;
    f.x = rig_values(r, &random), f.y = rig_values(r, &random), f.u = rig_values(r, &random);
    f.v = rig_values(r, &random), f.re = rig_values(r, &random), f.im = rig_values(r, &random);
    rig_encrypt(r, &f.z, f.x, f.y, r->slots, r->limbs);
    rig_encrypt(r, &f.w, f.u, f.v, r->slots, r->limbs);
    rig_encrypt(r, &f.a, f.x, NULL, r->slots, r->limbs);
    rig_encrypt(r, &f.b, f.y, NULL, r->slots, r->limbs);
    f.out = rig_room(r);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    double *values[] = {f->x, f->y, f->u, f->v, f->re, f->im};
    gb_ct *all[] = {&f->z, &f->w, &f->a, &f->b, &f->out};
    for (size_t i = 0; i < GB_COUNT(values); i++) gb_free(values[i]);
    for (size_t i = 0; i < GB_COUNT(all); i++) gb_ct_release(all[i]);
    rig_release(&f->r);
    return 0;
}

static void test_missing_key(void **state) {
    fixture *f = *state;
    gb_ct other = rig_room(&f->r);
    test_refused(f->r.ctx, gb_ckks_unpack(&f->out, &other, f->r.e, &f->z, &f->r.keys), GB_ERR_KEY);
    test_refused(f->r.ctx, gb_ckks_unpack(&f->out, &f->out, f->r.e, &f->z, &f->r.keys), GB_ERR_ARGUMENT);
    test_refused(f->r.ctx, gb_ckks_pack(&f->a, f->r.e, &f->a, &f->b), GB_ERR_ARGUMENT);
    gb_ct_release(&other);
}

/* Powers of i cost nothing: the noise is the encryption's, four of them are the bytes again. */
static void test_powers(void **state) {
    fixture *f = *state;
    rig *r = &f->r;
    for (int power = -5; power <= 5; power++) {
        test_ok(r->ctx, gb_ckks_mul_i(&f->out, r->e, &f->z, power));
        int turns = (power + 8) % 4;
        for (size_t i = 0; i < r->slots; i++) {
            f->re[i] = turns == 0 ? f->x[i] : turns == 1 ? -f->y[i] : turns == 2 ? -f->x[i] : f->y[i];
            f->im[i] = turns == 0 ? f->y[i] : turns == 1 ? f->x[i] : turns == 2 ? -f->y[i] : -f->x[i];
        }
        rig_expect(r, &f->out, f->re, f->im, 3e-9);
        test_ok(r->ctx, gb_ckks_mul_i(&f->out, r->e, &f->out, -power)); /* in place */
        assert_memory_equal(gb_ct_limb(&f->out, 0, 0), gb_ct_limb(&f->z, 0, 0), r->n * r->limbs * sizeof(uint64_t));
    }
}

static void test_round_trip(void **state) {
    fixture *f = *state;
    rig *r = &f->r;
    gb_ct x = rig_room(r), y = rig_room(r);
    rig_key(r, gb_galois_conjugation(r->p));
    test_ok(r->ctx, gb_ckks_pack(&f->out, r->e, &f->a, &f->b));
    rig_expect(r, &f->out, f->x, f->y, 6e-9);
    test_ok(r->ctx, gb_ckks_unpack(&x, &y, r->e, &f->out, &r->keys));
    assert_true(x.scale == 2 * r->scale && y.scale == 2 * r->scale && x.limbs == r->limbs);
    rig_expect(r, &x, f->x, NULL, 1e-7);
    rig_expect(r, &y, f->y, NULL, 1e-7);
    gb_ct_release(&x);
    gb_ct_release(&y);
}

static void test_products(void **state) {
    fixture *f = *state;
    rig *r = &f->r;
    rig_key(r, 1);
    rig_key(r, gb_galois_conjugation(r->p));
    test_ok(r->ctx, gb_ckks_mul_packed(&f->out, r->e, &f->z, &f->w, &r->keys));
    assert_int_equal(f->out.limbs, r->limbs - 1);
    assert_true(f->out.scale == 4 * r->scale * r->scale / (double)gb_params_get(r->p)->data[r->limbs - 1]);
    for (size_t i = 0; i < r->slots; i++) f->re[i] = f->x[i] * f->u[i], f->im[i] = f->y[i] * f->v[i];
    rig_expect(r, &f->out, f->re, f->im, 3e-7);
    /* A ciphertext of real slots multiplies both halves as it is. */
    test_ok(r->ctx, gb_ckks_mul_rescale(&f->out, r->e, &f->w, &f->a, &r->keys));
    for (size_t i = 0; i < r->slots; i++) f->re[i] = f->x[i] * f->u[i], f->im[i] = f->x[i] * f->v[i];
    rig_expect(r, &f->out, f->re, f->im, 3e-7);
    gb_status status = GB_ERR_MEMORY;
    for (uint64_t n = 1; status != GB_OK; n++) {
        gb_alloc_fail_at(n);
        status = gb_ckks_mul_packed(&f->out, r->e, &f->z, &f->w, &r->keys);
        gb_alloc_fail_at(0);
        assert_true(status == GB_OK || status == GB_ERR_MEMORY);
        assert_true(n < 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_key),
        cmocka_unit_test(test_powers),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_products),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
