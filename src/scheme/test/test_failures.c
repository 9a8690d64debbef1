/* scheme: out of memory is an error, never an abort, and nothing secret stays behind in memory given back. Every
 * operation that allocates is run with its first, second, third... allocation failing until it passes; what it made is
 * released each time, so that the address sanitizer's build sees every leak. All the while, blocks of ordinary memory
 * are searched for the secrets of the fixture when they are given back. */
#include "bfv_rig.h"
#include "scheme/bfv/fixed.h"
#include "scheme/bfv/predicates.h"
#include "scheme/ckks/functions.h"
#include "scheme/ckks/pack.h"
#include "scheme/core/core.h"
#include "scheme/secret/internal.h"
#include "scheme/secret/share.h"

#define LOG_N 13
#define LIMBS 7
#define MOST 400 /* allocations of one operation */

typedef struct fixture {
    rig r;
    gb_params *inner; /* of the first prime and the special one */
    gb_eval *e;       /* new for each attempt: nothing is kept from an earlier one */
    gb_ct x, y, out, more;
    double *v, *w;
    gb_buffer keyset, key;
    gb_bfv *b;
    gb_bfv_eval *be;
    gb_bfv_poly table;
    uint64_t *poly, *phase;
    gb_ckks_sign sign;
    gb_ckks_linear *linear;
    gb_pt message; /* of v + i w */
} fixture;

/* ---- secrets left behind ---- */
#define WINDOW 32 /* bytes that would be no coincidence */
#define MARKS 24
static struct {
    const uint8_t *bytes[MARKS];
    const char *what[MARKS];
    size_t count;
    const char *running; /* the operation */
    const char *found;
    bool alarm;
} marks;

static void mark(const void *bytes, const char *what) {
    assert_true(marks.count < MARKS);
    marks.bytes[marks.count] = bytes;
    marks.what[marks.count++] = what;
}

static void search(const void *p, size_t n) {
    for (size_t i = 0; i < marks.count && !marks.alarm; i++)
        if (memmem(p, n, marks.bytes[i], WINDOW)) {
            marks.alarm = true;
            marks.found = marks.what[i];
        }
}

static void searched(const char *name) {
    if (marks.alarm) fail_msg("%s: %s was left in memory given back", name, marks.found);
}

/* ---- operations ---- */
static gb_status op_params(fixture *f) {
    gb_params *p, *q, *named;
    gb_status s = gb_params_new(&p, f->r.ctx, gb_params_get(f->r.p));
    if (s != GB_OK) return s;
    s = gb_params_named(&named, f->r.ctx, "leveled-13");
    if (s == GB_OK) {
        s = gb_params_by_hash(&q, f->r.ctx, gb_params_hash(named));
        if (s == GB_OK) gb_params_free(q);
        gb_params_free(named);
    }
    gb_params_free(p);
    return s;
}

static gb_status op_secret(fixture *f) {
    gb_secret *s;
    gb_keyset *k;
    GB_TRY(gb_secret_restore(&s, &k, f->r.ctx, f->r.p, test_root));
    gb_secret_free(s);
    gb_keyset_free(k);
    return GB_OK;
}

static gb_status op_keyset_encode(fixture *f) {
    gb_buffer out = GB_BUFFER_INIT;
    gb_status s = gb_keyset_encode(&out, f->r.ctx, f->r.k);
    gb_buffer_release(&out);
    return s;
}

static gb_status op_keyset_decode(fixture *f) {
    gb_keyset *k;
    gb_params *named;
    gb_secret *secret;
    gb_keyset *tiny;
    gb_buffer wire = GB_BUFFER_INIT;
    GB_TRY(gb_params_named(&named, f->r.ctx, "tiny-linear")); /* the wire form names a shipped set */
    gb_status s = gb_secret_restore(&secret, &tiny, f->r.ctx, named, test_root);
    if (s == GB_OK) {
        s = gb_keyset_encode(&wire, f->r.ctx, tiny);
        if (s == GB_OK) s = gb_keyset_decode(&k, f->r.ctx, wire.data, wire.size);
        if (s == GB_OK) gb_keyset_free(k);
        gb_secret_free(secret);
        gb_keyset_free(tiny);
    }
    gb_buffer_release(&wire);
    gb_params_free(named);
    return s;
}

static gb_status op_encoder(fixture *f) {
    gb_ckks_encoder *e;
    GB_TRY(gb_ckks_encoder_new(&e, f->r.ctx, f->r.p));
    gb_ckks_encoder_free(e);
    return GB_OK;
}

static gb_status op_encode(fixture *f) {
    gb_pt p;
    GB_TRY(gb_pt_init(&p, f->r.ctx, f->r.p, LIMBS, true));
    gb_status s = gb_ckks_encode(&p, f->r.ctx, f->r.enc, f->v, f->w, f->r.slots, f->r.scale);
    gb_pt_release(&p);
    return s;
}

static gb_status op_encrypt_seeded(fixture *f) {
    gb_seed seed = {{8}};
    return gb_ct_encrypt_seeded(&f->out, f->r.ctx, f->r.s, f->r.pt.data, LIMBS, f->r.scale, &seed, ++f->r.number);
}
static gb_status op_encrypt_public(fixture *f) {
    return gb_ct_encrypt_public(&f->out, f->r.ctx, f->r.k, f->r.pt.data, LIMBS, f->r.scale);
}
static gb_status op_decrypt(fixture *f) {
    return gb_ckks_decrypt(f->r.re, f->r.im, f->r.slots, f->r.ctx, f->r.s, f->r.enc, &f->x);
}
static gb_status op_phase(fixture *f) { return gb_ct_phase(f->phase, f->r.ctx, f->r.s, &f->x); }

static gb_status op_eval_keys(fixture *f) {
    gb_eval_keys k = {.keys = NULL};
    uint64_t galois[2] = {1, gb_galois_rotation(f->r.p, 2)};
    gb_status s = gb_secret_eval_keys(&k, f->r.ctx, f->r.s, galois, 2, LIMBS, 0);
    gb_eval_keys_release(&k);
    return s;
}

static gb_status op_key_encode(fixture *f) {
    gb_buffer out = GB_BUFFER_INIT;
    gb_status s = gb_switch_key_encode(&out, f->r.ctx, &f->r.keys.keys[0]);
    gb_buffer_release(&out);
    return s;
}
static gb_status op_key_decode(fixture *f) {
    gb_switch_key k;
    GB_TRY(gb_switch_key_decode(&k, f->r.ctx, f->r.p, f->key.data, f->key.size));
    gb_switch_key_release(&k);
    return GB_OK;
}

static gb_status op_eval(fixture *f) {
    gb_eval *e;
    GB_TRY(gb_eval_new(&e, f->r.ctx, f->r.p, 0));
    gb_eval_free(e);
    return GB_OK;
}
static gb_status op_borrow(fixture *f) {
    gb_ct c;
    GB_TRY(gb_eval_ct(&c, f->e, 3, LIMBS));
    gb_eval_ct_return(f->e, &c);
    return GB_OK;
}

static gb_status op_add(fixture *f) { return gb_ckks_add(&f->out, f->e, &f->x, &f->y); }
static gb_status op_add_plain(fixture *f) { return gb_ckks_add_plain(&f->out, f->e, &f->x, &f->r.pt); }
static gb_status op_mul_plain(fixture *f) { return gb_ckks_mul_plain(&f->out, f->e, &f->x, &f->r.pt); }
static gb_status op_add_scalar(fixture *f) { return gb_ckks_add_scalar(&f->out, f->e, &f->x, 0.5); }
static gb_status op_mul_scalar(fixture *f) { return gb_ckks_mul_scalar(&f->out, f->e, &f->x, 0.5, f->r.scale); }
static gb_status op_mul(fixture *f) { return gb_ckks_mul(&f->out, f->e, &f->x, &f->y, &f->r.keys); }
static gb_status op_mul_rescale(fixture *f) { return gb_ckks_mul_rescale(&f->out, f->e, &f->x, &f->y, &f->r.keys); }
static gb_status op_rescale(fixture *f) {
    GB_TRY(gb_ct_copy(&f->out, f->r.ctx, &f->x));
    return gb_ckks_rescale(&f->out, f->e);
}
static gb_status op_rotate(fixture *f) { return gb_ckks_rotate(&f->out, f->e, &f->x, 1, &f->r.keys); }
static gb_status op_conjugate(fixture *f) { return gb_ckks_conjugate(&f->out, f->e, &f->x, &f->r.keys); }
static gb_status op_relinearize(fixture *f) {
    GB_TRY(gb_ct_tensor(&f->out, f->e, &f->x, &f->y));
    return gb_ct_relinearize(&f->out, f->e, &f->r.keys);
}
static gb_status op_switch(fixture *f) {
    GB_TRY(gb_ct_copy(&f->out, f->r.ctx, &f->x));
    return gb_ct_switch(&f->out, f->e, &f->r.keys.keys[1]);
}
static gb_status op_raise(fixture *f) {
    gb_ct low = f->x;
    low.limbs = 2;
    return gb_ct_raise(&f->out, f->e, &low, LIMBS);
}
static gb_status op_hoist(fixture *f) {
    GB_TRY(gb_hoist_prepare(f->e, &f->x));
    return gb_hoist_automorphism(&f->out, f->e, &f->x, gb_galois_rotation(f->r.p, 1), &f->r.keys);
}
static gb_status op_linear_new(fixture *f) {
    gb_ckks_linear *l;
    gb_ckks_diagonal d[3] = {{0, f->v, f->w}, {1, f->w, NULL}, {2, f->v, NULL}};
    GB_TRY(gb_ckks_linear_new(&l, f->r.ctx, f->r.enc, f->r.slots, d, 3, 3, f->r.scale, NULL));
    gb_ckks_linear_free(l);
    return GB_OK;
}
static gb_status op_linear_apply(fixture *f) {
    return gb_ckks_linear_apply(&f->out, f->e, &f->x, f->linear, &f->r.keys);
}
static gb_status op_poly(fixture *f) {
    static const double c[] = {0.5, 0.25, -0.125, 0.5, 0.1, -0.2};
    return gb_ckks_poly_eval(&f->out, f->e, &f->x, &(gb_ckks_poly){c, 5, true, -1, 3}, 0, &f->r.keys);
}
static double cube(double x, void *user) { return user ? 0 : x * x * x; }
static gb_status op_fit(fixture *f) {
    double c[8];
    gb_ckks_fit fit;
    GB_TRY(gb_chebyshev_fit(c, f->r.ctx, 7, cube, NULL, -1, 1));
    GB_TRY(gb_ckks_fit_within(&fit, f->r.ctx, GB_SMOOTH_SIGMOID, -2, 2, 0.01));
    gb_status s = gb_ckks_fit_eval(&f->out, f->e, &f->x, &fit, &f->r.keys);
    gb_ckks_fit_release(&fit);
    return s;
}
static gb_status op_sign_plan(fixture *f) { return gb_ckks_sign_plan(&f->sign, f->r.ctx, 2); }
static gb_status op_sign(fixture *f) { return gb_ckks_sign_eval(&f->out, f->e, &f->x, &f->sign, &f->r.keys); }
static gb_status op_compare(fixture *f) { return gb_ckks_compare(&f->out, f->e, &f->x, &f->y, &f->sign, &f->r.keys); }
static gb_status op_abs(fixture *f) { return gb_ckks_abs(&f->out, f->e, &f->x, &f->sign, &f->r.keys); }
static gb_status op_relu(fixture *f) { return gb_ckks_relu(&f->out, f->e, &f->x, &f->sign, &f->r.keys); }
static gb_status op_max(fixture *f) { return gb_ckks_max(&f->out, f->e, &f->x, &f->y, &f->sign, &f->r.keys); }
static gb_status op_inverse(fixture *f) { return gb_ckks_inverse(&f->out, f->e, &f->x, 0.5, 1, 1, &f->r.keys); }
static gb_status op_pack(fixture *f) { return gb_ckks_pack(&f->out, f->e, &f->x, &f->y); }
static gb_status op_unpack(fixture *f) { return gb_ckks_unpack(&f->out, &f->more, f->e, &f->x, &f->r.keys); }
static gb_status op_mul_packed(fixture *f) { return gb_ckks_mul_packed(&f->out, f->e, &f->x, &f->y, &f->r.keys); }

static gb_status op_bfv(fixture *f) {
    gb_bfv *b;
    GB_TRY(gb_bfv_new(&b, f->r.ctx, f->r.p, gb_bfv_modulus(f->b)));
    gb_bfv_free(b);
    return GB_OK;
}
/* A BFV operation with an evaluator of its own. */
static gb_status bfv_eval(fixture *f) { return gb_bfv_eval_new(&f->be, f->e, f->b); }
static gb_status op_bfv_mul(fixture *f) {
    GB_TRY(bfv_eval(f));
    return gb_bfv_mul(&f->out, f->be, &f->x, &f->y, &f->r.keys);
}
static gb_status op_bfv_plain(fixture *f) {
    gb_ct x = f->x;
    x.scale = 1;
    GB_TRY(bfv_eval(f));
    GB_TRY(gb_bfv_add_plain(&f->out, f->be, &x, f->poly));
    return gb_bfv_mul_plain(&f->out, f->be, &x, f->poly);
}
static gb_status op_bfv_scalar(fixture *f) {
    GB_TRY(bfv_eval(f));
    GB_TRY(gb_bfv_mul_scalar(&f->out, f->be, &f->x, 5));
    return gb_bfv_add_scalar(&f->out, f->be, &f->x, 5);
}
static gb_status op_bfv_tables(fixture *f) {
    gb_bfv_poly p;
    GB_TRY(gb_bfv_poly_equal(&p, f->r.ctx, f->b, 3));
    gb_bfv_poly_release(&p);
    GB_TRY(gb_bfv_poly_less(&p, f->r.ctx, f->b, 3));
    gb_bfv_poly_release(&p);
    GB_TRY(gb_bfv_poly_within(&p, f->r.ctx, f->b, -3, 3, 0, 1));
    gb_bfv_poly_release(&p);
    return GB_OK;
}
static gb_status op_bfv_poly(fixture *f) {
    GB_TRY(bfv_eval(f));
    return gb_bfv_poly_eval(&f->out, f->be, &f->x, &f->table, &f->r.keys);
}
static gb_status op_fixed(fixture *f) {
    gb_fixed a = {.fraction = 0}, b = {.fraction = 0}, sum = {.fraction = 0};
    gb_status s = bfv_eval(f);
    if (s == GB_OK) s = gb_fixed_init(&a, f->r.ctx, f->r.p, LIMBS, 4, 1);
    if (s == GB_OK) s = gb_fixed_init(&b, f->r.ctx, f->r.p, LIMBS, 4, 1);
    if (s == GB_OK) s = gb_fixed_init(&sum, f->r.ctx, f->r.p, LIMBS, 4, 2);
    if (s == GB_OK) s = gb_ct_copy(&a.c, f->r.ctx, &f->x);
    if (s == GB_OK) s = gb_ct_copy(&b.c, f->r.ctx, &f->y);
    if (s == GB_OK) s = gb_fixed_add(&sum, f->be, &a, &b);
    gb_fixed_release(&a);
    gb_fixed_release(&b);
    gb_fixed_release(&sum);
    return s;
}

/* A party from its root, its deal to another, and a share of a joint public key. */
static gb_status op_party(fixture *f) {
    gb_joint j;
    gb_party *p;
    gb_share share;
    gb_request q;
    gb_seed seed = {{3}};
    GB_TRY(gb_joint_init(&j, f->r.ctx, f->r.p, 3, 2, &seed));
    GB_TRY(gb_party_restore(&p, f->r.ctx, &j, 1, test_root));
    gb_status s = gb_party_deal(&share, f->r.ctx, p, 0);
    if (s == GB_OK) {
        gb_share_release(&share);
        s = gb_request_key(&q, f->r.ctx, &j, GB_SHARE_PUBLIC, gb_joint_all(&j), 0, 0, 0);
        if (s == GB_OK) s = gb_party_key_share(&share, f->r.ctx, p, &q);
        if (s == GB_OK) gb_share_release(&share);
    }
    gb_party_free(p);
    return s;
}

static const struct {
    const char *name;
    gb_status (*run)(fixture *f);
    bool allocates;  /* else it must pass at once, with an evaluator that is new */
    unsigned stride; /* every allocation fails once; of long compositions of operations that are here too, each n-th */
    bool secret;     /* sees secrets: what it gives back is searched */
} ops[] = {
    {"gb_params", op_params, true, 1, false},
    {"gb_secret_restore", op_secret, true, 1, true},
    {"gb_keyset_encode", op_keyset_encode, true, 1, true},
    {"gb_keyset_decode", op_keyset_decode, true, 1, true},
    {"gb_ckks_encoder_new", op_encoder, true, 1, false},
    {"gb_ckks_encode", op_encode, true, 1, true},
    {"gb_ct_encrypt_seeded", op_encrypt_seeded, true, 1, true},
    {"gb_ct_encrypt_public", op_encrypt_public, true, 1, true},
    {"gb_ckks_decrypt", op_decrypt, true, 1, true},
    {"gb_ct_phase", op_phase, false, 1, true},
    {"gb_secret_eval_keys", op_eval_keys, true, 1, true},
    {"gb_switch_key_encode", op_key_encode, true, 1, false},
    {"gb_switch_key_decode", op_key_decode, true, 1, false},
    {"gb_eval_new", op_eval, true, 1, false},
    {"gb_eval_ct", op_borrow, true, 1, false},
    {"gb_ckks_add", op_add, false, 1, false},
    {"gb_ckks_add_plain", op_add_plain, false, 1, false},
    {"gb_ckks_mul_plain", op_mul_plain, false, 1, false},
    {"gb_ckks_add_scalar", op_add_scalar, false, 1, false},
    {"gb_ckks_mul_scalar", op_mul_scalar, false, 1, false},
    {"gb_ckks_mul", op_mul, true, 1, false},
    {"gb_ckks_mul_rescale", op_mul_rescale, true, 1, false},
    {"gb_ckks_rescale", op_rescale, true, 1, false},
    {"gb_ckks_rotate", op_rotate, true, 1, false},
    {"gb_ckks_conjugate", op_conjugate, true, 1, false},
    {"gb_ct_relinearize", op_relinearize, true, 1, false},
    {"gb_ct_switch", op_switch, true, 1, false},
    {"gb_ct_raise", op_raise, true, 1, false},
    {"gb_hoist_automorphism", op_hoist, true, 1, false},
    {"gb_ckks_linear_new", op_linear_new, true, 1, false},
    {"gb_ckks_linear_apply", op_linear_apply, true, 1, false},
    {"gb_ckks_poly_eval", op_poly, true, 1, false},
    {"gb_ckks_fit", op_fit, true, 5, false},
    {"gb_ckks_sign_plan", op_sign_plan, false, 1, false},
    {"gb_ckks_sign_eval", op_sign, true, 7, false},
    {"gb_ckks_compare", op_compare, true, 41, false},
    {"gb_ckks_abs", op_abs, true, 41, false},
    {"gb_ckks_relu", op_relu, true, 41, false},
    {"gb_ckks_max", op_max, true, 41, false},
    {"gb_ckks_inverse", op_inverse, true, 5, false},
    {"gb_ckks_pack", op_pack, false, 1, false},
    {"gb_ckks_unpack", op_unpack, true, 1, false},
    {"gb_ckks_mul_packed", op_mul_packed, true, 1, false},
    {"gb_bfv_new", op_bfv, true, 1, false},
    {"gb_bfv_mul", op_bfv_mul, true, 1, false},
    {"gb_bfv_plain", op_bfv_plain, true, 1, false},
    {"gb_bfv_scalar", op_bfv_scalar, true, 1, false},
    {"gb_bfv_poly_equal, less, within", op_bfv_tables, true, 1, false},
    {"gb_bfv_poly_eval", op_bfv_poly, true, 1, false},
    {"gb_fixed", op_fixed, true, 1, false},
    {"gb_party", op_party, true, 1, true},
};

/* ---- the fixture ---- */
static void start(fixture *f) {
    gb_params_spec spec = rig_spec(LOG_N, 30, 23, LIMBS, 30, 1);
    uint64_t random = 5;
    memset(f, 0, sizeof *f);
    rig_init(&f->r, 1, &spec, 0);
    rig *r = &f->r;
    rig_key(r, 1);
    for (int step = 1; step <= 2; step++) rig_key(r, gb_galois_rotation(r->p, step));
    rig_key(r, gb_galois_conjugation(r->p));
    f->v = rig_values(r, &random);
    f->w = rig_values(r, &random);
    rig_encrypt(r, &f->x, f->v, NULL, r->slots, LIMBS);
    rig_encrypt(r, &f->y, f->w, NULL, r->slots, LIMBS);
    f->out = rig_room(r);
    f->more = rig_room(r);
    test_ok(r->ctx, gb_switch_key_encode(&f->key, r->ctx, &r->keys.keys[0]));
    test_ok(r->ctx, gb_bfv_new(&f->b, r->ctx, r->p, gb_bfv_plain_prime(r->p, 17)));
    test_ok(r->ctx, gb_bfv_poly_equal(&f->table, r->ctx, f->b, 2));
    test_ok(r->ctx, gb_alloc_zero(&f->poly, r->ctx, r->n, sizeof *f->poly));
    test_ok(r->ctx, gb_alloc_zero(&f->phase, r->ctx, LIMBS * r->n, sizeof *f->phase));
    test_ok(r->ctx, gb_ckks_sign_plan(&f->sign, r->ctx, 2));
    gb_ckks_diagonal d[3] = {{0, f->v, f->w}, {1, f->w, NULL}, {2, f->v, NULL}};
    test_ok(r->ctx, gb_ckks_linear_new(&f->linear, r->ctx, r->enc, r->slots, d, 3, 3, r->scale, NULL));
    test_ok(r->ctx, gb_pt_init(&f->message, r->ctx, r->p, LIMBS, true));
    test_ok(r->ctx, gb_ckks_encode(&f->message, r->ctx, r->enc, f->v, f->w, r->slots, r->scale));
    for (size_t j = 0; j <= LIMBS; j++) mark(f->message.data + j * r->n + 40, "an encoded message");
    mark(f->v + 100, "a message");
    mark(f->w + 100, "a message");
    mark(test_root, "the root");
    mark(&r->s->seeds->dataset, "the data sets' seed");
    mark(&r->s->seeds->error, "the errors' seed");
    for (size_t j = 0; j < gb_ring_limbs(gb_params_ring(r->p)); j++) mark(r->s->s_hat + j * r->n + 40, "the secret");
}

static void stop(fixture *f) {
    memset(&marks, 0, sizeof marks);
    gb_pt_release(&f->message);
    gb_ckks_linear_free(f->linear);
    gb_free(f->poly);
    gb_free(f->phase);
    gb_bfv_poly_release(&f->table);
    gb_bfv_free(f->b);
    gb_buffer_release(&f->key);
    gb_free(f->v);
    gb_free(f->w);
    gb_ct_release(&f->x);
    gb_ct_release(&f->y);
    gb_ct_release(&f->out);
    gb_ct_release(&f->more);
    rig_release(&f->r);
}

static void test_every_operation(void **state) {
    fixture f;
    (void)state;
    start(&f);
    gb_ctx *ctx = f.r.ctx;
    for (size_t i = 0; i < GB_COUNT(ops); i++) {
        gb_status status = GB_ERR_MEMORY;
        uint64_t n = 1;
        for (; status != GB_OK; n += ops[i].stride) {
            test_ok(ctx, gb_eval_new(&f.e, ctx, f.r.p, 0));
            gb_free_watch(ops[i].secret ? search : NULL);
            gb_alloc_fail_at(n);
            status = ops[i].run(&f);
            gb_alloc_fail_at(0);
            gb_bfv_eval_free(f.be);
            f.be = NULL;
            gb_free_watch(NULL);
            gb_eval_free(f.e);
            searched(ops[i].name);
            if (status != GB_OK && status != GB_ERR_MEMORY)
                fail_msg("%s, allocation %llu: %s: %s", ops[i].name, (unsigned long long)n, gb_status_name(status),
                         gb_ctx_error(ctx));
            if (n > MOST) fail_msg("%s: does not end", ops[i].name);
        }
        if ((n > 1 + ops[i].stride) != ops[i].allocates)
            fail_msg("%s: %sallocates", ops[i].name, n > 2 ? "" : "never ");
    }
    stop(&f);
}

/* The search can find: a secret in ordinary memory that is not wiped, and none in what is. */
static void test_search(void **state) {
    gb_ctx *ctx = test_context(1);
    uint8_t *copy;
    (void)state;
    memset(&marks, 0, sizeof marks);
    mark(test_root, "the root");
    for (int wiped = 0; wiped < 2; wiped++) {
        test_ok(ctx, gb_alloc(&copy, ctx, 1000, 1));
        memset(copy, 0, 1000);
        memcpy(copy + 701, test_root, sizeof test_root);
        if (wiped) gb_wipe(copy, 1000);
        marks.alarm = false;
        gb_free_watch(search);
        gb_free(copy);
        gb_free_watch(NULL);
        assert_int_equal(marks.alarm, !wiped);
    }
    memset(&marks, 0, sizeof marks);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_search), cmocka_unit_test(test_every_operation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
