/* What the tests of evaluation share: a parameter set of any shape, its keys, and encryption of slots. */
#ifndef GB_TEST_RIG_H
#define GB_TEST_RIG_H

#include <math.h>

#include "support.h"

typedef struct rig {
    gb_ctx *ctx;
    gb_params *p;
    gb_secret *s;
    gb_keyset *k;
    gb_ckks_encoder *enc;
    gb_eval *e;
    gb_eval_keys keys;
    gb_pt pt;
    size_t n, slots;
    unsigned limbs, digit;
    double scale;
    double *re, *im; /* what was last decrypted */
    uint64_t number; /* of the next encryption */
} rig;

/* first: bits of prime 0; bits: of the other data primes, the largest there are, so that scales stay near 2^bits. */
static inline gb_params_spec rig_spec(unsigned log_n, unsigned first, unsigned bits, unsigned count,
                                      unsigned special_bits, unsigned specials) {
    gb_params_spec s = {
        .name = "test", .log_n = log_n, .security = 128, .data_count = count, .special_count = specials};
    uint64_t step = UINT64_C(2) << log_n, at = UINT64_C(1) << special_bits;
    for (unsigned i = 0; i < specials; i++) s.special[i] = at = gb_prime_below(at, step);
    if (first != special_bits) at = UINT64_C(1) << first;
    s.data[0] = gb_prime_below(at, step);
    at = bits == first ? s.data[0] : UINT64_C(1) << bits;
    for (unsigned i = 1; i < count; i++) {
        s.data[i] = at = gb_prime_below(at, step);
        assert_true(at > 0);
    }
    return s;
}

static inline void rig_init(rig *r, unsigned threads, const gb_params_spec *spec, unsigned digit) {
    memset(r, 0, sizeof *r);
    r->ctx = test_context(threads);
    test_ok(r->ctx, gb_params_new(&r->p, r->ctx, spec));
    test_ok(r->ctx, gb_secret_restore(&r->s, &r->k, r->ctx, r->p, test_root));
    test_ok(r->ctx, gb_ckks_encoder_new(&r->enc, r->ctx, r->p));
    test_ok(r->ctx, gb_eval_new(&r->e, r->ctx, r->p, digit));
    r->n = gb_ring_n(gb_params_ring(r->p));
    r->slots = r->n / 2;
    r->limbs = (unsigned)spec->data_count;
    r->digit = digit;
    r->scale = spec->data_count > 1 ? exp2(round(log2((double)spec->data[1]))) : 1;
    test_ok(r->ctx, gb_pt_init(&r->pt, r->ctx, r->p, r->limbs, false));
    test_ok(r->ctx, gb_alloc(&r->re, r->ctx, r->slots, sizeof(double)));
    test_ok(r->ctx, gb_alloc(&r->im, r->ctx, r->slots, sizeof(double)));
}

static inline void rig_release(rig *r) {
    gb_free(r->re);
    gb_free(r->im);
    gb_pt_release(&r->pt);
    gb_eval_keys_release(&r->keys);
    gb_eval_free(r->e);
    gb_ckks_encoder_free(r->enc);
    gb_keyset_free(r->k);
    gb_secret_free(r->s);
    gb_params_free(r->p);
    gb_ctx_free(r->ctx);
}

static inline void rig_key(rig *r, uint64_t galois) {
    test_ok(r->ctx, gb_secret_eval_keys(&r->keys, r->ctx, r->s, &galois, 1, r->limbs, r->digit));
}

static inline gb_ct rig_room(rig *r) {
    gb_ct c;
    test_ok(r->ctx, gb_ct_init(&c, r->ctx, r->p, 3, r->limbs));
    return c;
}

/* count values (im may be NULL) at `limbs` limbs into *out, which is made here. */
static inline void rig_encrypt(rig *r, gb_ct *out, const double *re, const double *im, size_t count, unsigned limbs) {
    gb_seed seed = {{7}};
    *out = rig_room(r);
    test_ok(r->ctx, gb_ckks_encode(&r->pt, r->ctx, r->enc, re, im, count, r->scale));
    test_ok(r->ctx, gb_ct_encrypt_seeded(out, r->ctx, r->s, r->pt.data, limbs, r->scale, &seed, ++r->number));
}

/* The farthest a slot is from what is expected; im NULL: zeros. */
static inline double rig_error(rig *r, const gb_ct *c, const double *re, const double *im, size_t count) {
    double far = 0;
    test_ok(r->ctx, gb_ckks_decrypt(r->re, r->im, count, r->ctx, r->s, r->enc, c));
    for (size_t i = 0; i < count; i++) far = fmax(far, hypot(r->re[i] - re[i], r->im[i] - (im ? im[i] : 0)));
    return far;
}

static inline void rig_expect(rig *r, const gb_ct *c, const double *re, const double *im, double bound) {
    double far = rig_error(r, c, re, im, r->slots);
    if (!(far < bound)) fail_msg("error %g where %g is allowed", far, bound);
}

static inline double rig_uniform(uint64_t *state) { return (double)(test_random(state) >> 11) * 0x1p-52 - 1; }

static inline double *rig_values(rig *r, uint64_t *random) {
    double *x;
    test_ok(r->ctx, gb_alloc(&x, r->ctx, r->slots, sizeof(double)));
    for (size_t i = 0; i < r->slots; i++) x[i] = rig_uniform(random);
    return x;
}

#endif
