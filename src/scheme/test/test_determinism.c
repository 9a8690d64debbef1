/* Evaluation is integer arithmetic: the same bytes from the C reference, AVX2 and AVX-512 IFMA kernels and from any
 * number of threads, for every operation. */
#include "bfv_rig.h"

#define MOST_OPS 40

typedef struct outcome {
    size_t count;
    const char *name[MOST_OPS];
    gb_hash hash[MOST_OPS];
} outcome;

static void note(outcome *o, const char *name, const gb_ct *c) {
    gb_buffer b = GB_BUFFER_INIT;
    size_t n = gb_ring_n(gb_params_ring(c->params));
    for (unsigned p = 0; p < c->parts; p++) gb_write_bytes(&b, gb_ct_limb(c, p, 0), c->limbs * n * sizeof(uint64_t));
    gb_write_u32(&b, c->parts);
    gb_write_u32(&b, c->limbs);
    gb_write_f64(&b, c->scale);
    assert_int_equal(b.status, GB_OK);
    assert_true(o->count < MOST_OPS);
    o->name[o->count] = name;
    gb_hash_of(&o->hash[o->count++], b.data, b.size, NULL, 0);
    gb_buffer_release(&b);
}

/* The keys are random; every run reads the same from this wire form. */
#define KEYS 5
static gb_buffer wire[KEYS];

static void make_keys(const gb_params_spec *s, const int *steps) {
    rig r;
    rig_init(&r, 2, s, 0);
    for (size_t i = 0; i < KEYS; i++) {
        uint64_t g = i == 0 ? 1 : i == 1 ? gb_galois_conjugation(r.p) : gb_galois_rotation(r.p, steps[i - 2]);
        rig_key(&r, g);
        gb_buffer_release(&wire[i]);
        wire[i] = (gb_buffer)GB_BUFFER_INIT;
        test_ok(r.ctx, gb_switch_key_encode(&wire[i], r.ctx, &r.keys.keys[i]));
    }
    rig_release(&r);
}

static void ckks_ops(outcome *o, rig *r, const double *x, const double *y) {
    gb_ct a, b, out = rig_room(r);
    gb_ctx *ctx = r->ctx;
    rig_encrypt(r, &a, x, y, r->slots, r->limbs);
    rig_encrypt(r, &b, y, NULL, r->slots, r->limbs);
    note(o, "encrypt", &a);
    test_ok(ctx, gb_ckks_add(&out, r->e, &a, &b)), note(o, "add", &out);
    test_ok(ctx, gb_ckks_sub(&out, r->e, &a, &b)), note(o, "sub", &out);
    test_ok(ctx, gb_ct_neg(&out, r->e, &a)), note(o, "neg", &out);
    test_ok(ctx, gb_ckks_add_plain(&out, r->e, &a, &r->pt)), note(o, "add_plain", &out);
    test_ok(ctx, gb_ckks_mul_plain(&out, r->e, &a, &r->pt)), note(o, "mul_plain", &out);
    test_ok(ctx, gb_ckks_rescale(&out, r->e)), note(o, "rescale", &out);
    test_ok(ctx, gb_ckks_add_scalar(&out, r->e, &a, -1.25)), note(o, "add_scalar", &out);
    test_ok(ctx, gb_ckks_mul_scalar(&out, r->e, &a, -1.25, 0x1p30)), note(o, "mul_scalar", &out);
    test_ok(ctx, gb_ct_tensor(&out, r->e, &a, &b)), note(o, "tensor", &out);
    test_ok(ctx, gb_ct_relinearize(&out, r->e, &r->keys)), note(o, "relinearize", &out);
    test_ok(ctx, gb_ckks_mul_rescale(&out, r->e, &a, &b, &r->keys)), note(o, "mul_rescale", &out);
    test_ok(ctx, gb_ckks_rotate(&out, r->e, &a, 1, &r->keys)), note(o, "rotate", &out);
    test_ok(ctx, gb_ckks_conjugate(&out, r->e, &a, &r->keys)), note(o, "conjugate", &out);
    test_ok(ctx, gb_hoist_prepare(r->e, &a));
    test_ok(ctx, gb_hoist_automorphism(&out, r->e, &a, gb_galois_rotation(r->p, 2), &r->keys));
    note(o, "hoisted", &out);
    gb_ckks_linear *l;
    gb_ckks_diagonal d[] = {{0, x, y}, {1, y, x}, {2, x, NULL}, {3, y, NULL}};
    gb_ckks_linear_config config;
    gb_ckks_linear_config_defaults(&config);
    config.baby = 2;
    for (int way = 0; way < 3; way++) {
        config.keys = way > 1 ? GB_LINEAR_FEWEST : GB_LINEAR_FAST;
        config.compact = way == 1;
        test_ok(ctx, gb_ckks_linear_new(&l, ctx, r->enc, r->slots, d, 4, r->limbs, r->scale, &config));
        test_ok(ctx, gb_ckks_linear_apply(&out, r->e, &a, l, &r->keys)), note(o, "linear", &out);
        gb_ckks_linear_free(l);
    }
    double c[] = {0.25, -1, 0.5, 0.125};
    test_ok(ctx, gb_ckks_poly_eval(&out, r->e, &b, &(gb_ckks_poly){c, 3, true, -1, 1}, 0, &r->keys));
    note(o, "polynomial", &out);
    test_ok(ctx, gb_ct_drop(ctx, &a, 1));
    test_ok(ctx, gb_ct_raise(&out, r->e, &a, r->limbs)), note(o, "raise", &out);
    test_ok(ctx, gb_ct_encrypt_seeded(&a, ctx, r->s, r->pt.data, 2, 1, &(gb_seed){{8}}, 1)), note(o, "seeded", &a);
    gb_ct_release(&a);
    gb_ct_release(&b);
    gb_ct_release(&out);
}

static void bfv_ops(outcome *o, bfv_rig *f) {
    gb_ct a, b, out = rig_room(&f->r);
    int64_t v[64];
    for (size_t i = 0; i < 64; i++) v[i] = (int64_t)(i * i * i) - 5000;
    bfv_encrypt(f, &a, v, 64);
    bfv_encrypt(f, &b, v + 1, 63);
    note(o, "BFV encrypt", &a);
    test_ok(f->r.ctx, gb_bfv_mul(&out, f->be, &a, &b, &f->r.keys)), note(o, "BFV mul", &out);
    test_ok(f->r.ctx, gb_ct_divide(&out, f->r.e, 1)), note(o, "BFV modulus switch", &out);
    gb_bfv_encode(f->poly, f->b, v, 64);
    test_ok(f->r.ctx, gb_bfv_mul_plain(&out, f->be, &a, f->poly)), note(o, "BFV mul_plain", &out);
    test_ok(f->r.ctx, gb_bfv_add_plain(&out, f->be, &a, f->poly)), note(o, "BFV add_plain", &out);
    bfv_decrypt(f, &a);
    for (size_t i = 0; i < 64; i++) assert_int_equal(f->got[i], v[i]);
    gb_ct_release(&a);
    gb_ct_release(&b);
    gb_ct_release(&out);
}

static void run(outcome *o, const gb_params_spec *s, unsigned threads) {
    bfv_rig f;
    uint64_t random = 1;
    o->count = 0;
    gb_params *p;
    gb_ctx *ctx = test_context(1);
    test_ok(ctx, gb_params_new(&p, ctx, s));
    uint64_t t = gb_bfv_plain_prime(p, 20);
    gb_params_free(p);
    gb_ctx_free(ctx);
    bfv_rig_init(&f, threads, s, t);
    for (size_t i = 0; i < KEYS; i++) {
        gb_switch_key k;
        test_ok(f.r.ctx, gb_switch_key_decode(&k, f.r.ctx, f.r.p, wire[i].data, wire[i].size));
        test_ok(f.r.ctx, gb_eval_keys_add(&f.r.keys, f.r.ctx, &k));
    }
    double *x = rig_values(&f.r, &random), *y = rig_values(&f.r, &random);
    ckks_ops(o, &f.r, x, y);
    bfv_ops(o, &f);
    gb_free(x);
    gb_free(y);
    bfv_rig_release(&f);
}

static void test_bytes(void **state) {
    (void)state;
    static const int steps[] = {1, 2, 3};
    static const char *cpus[] = {"ref", "avx2", "ifma"};
    const gb_params_spec specs[] = {rig_spec(13, 46, 40, 4, 47, 1), rig_spec(13, 55, 50, 3, 55, 1),
                                    rig_spec(14, 48, 36, 5, 48, 2)};
    for (size_t i = 0; i < GB_COUNT(specs); i++) {
        outcome first = {0}, other;
        gb_cpu_mask(UINT32_MAX);
        make_keys(&specs[i], steps);
        for (size_t cpu = 0; cpu < GB_COUNT(cpus); cpu++)
            for (unsigned threads = 1; threads <= 3; threads += 2) {
                gb_cpu_mask(gb_cpu_named(cpus[cpu]));
                run(&other, &specs[i], threads);
                if (!first.count) first = other;
                assert_int_equal(first.count, other.count);
                for (size_t k = 0; k < first.count; k++)
                    if (!gb_hash_equal(&first.hash[k], &other.hash[k]))
                        fail_msg("set %zu: %s on %s with %u threads gives other bytes than the reference", i,
                                 first.name[k], cpus[cpu], threads);
            }
    }
    gb_cpu_mask(UINT32_MAX);
    for (size_t i = 0; i < KEYS; i++) gb_buffer_release(&wire[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
