/* What the tests of BFV share: a plaintext modulus on top of a rig, encryption and decryption of integers. */
#ifndef GB_TEST_BFV_RIG_H
#define GB_TEST_BFV_RIG_H

#include "rig.h"
#include "scheme/bfv/bfv.h"

typedef struct bfv_rig {
    rig r;
    gb_bfv *b;
    gb_bfv_eval *be;
    uint64_t t;
    uint64_t *poly, *phase;
    int64_t *got;
} bfv_rig;

static inline void bfv_plain_modulus(bfv_rig *f, uint64_t t) {
    if (f->be) gb_bfv_eval_free(f->be);
    gb_bfv_free(f->b);
    f->t = t;
    test_ok(f->r.ctx, gb_bfv_new(&f->b, f->r.ctx, f->r.p, t));
    test_ok(f->r.ctx, gb_bfv_eval_new(&f->be, f->r.e, f->b));
}

static inline void bfv_rig_init(bfv_rig *f, unsigned threads, const gb_params_spec *s, uint64_t t) {
    memset(f, 0, sizeof *f);
    rig_init(&f->r, threads, s, 0);
    test_ok(f->r.ctx, gb_alloc(&f->poly, f->r.ctx, f->r.n, sizeof *f->poly));
    test_ok(f->r.ctx, gb_alloc(&f->phase, f->r.ctx, f->r.n * f->r.limbs, sizeof *f->phase));
    test_ok(f->r.ctx, gb_alloc(&f->got, f->r.ctx, f->r.n, sizeof *f->got));
    bfv_plain_modulus(f, t);
}

static inline void bfv_rig_release(bfv_rig *f) {
    gb_bfv_eval_free(f->be);
    gb_bfv_free(f->b);
    gb_free(f->poly);
    gb_free(f->phase);
    gb_free(f->got);
    rig_release(&f->r);
}

/* *out is made here, with all limbs. */
static inline void bfv_encrypt(bfv_rig *f, gb_ct *out, const int64_t *v, size_t count) {
    gb_seed seed = {{3}};
    *out = rig_room(&f->r);
    gb_bfv_encode(f->poly, f->b, v, count);
    gb_bfv_scale_up(&f->r.pt, f->r.ctx, f->b, f->poly);
    test_ok(f->r.ctx, gb_ct_encrypt_seeded(out, f->r.ctx, f->r.s, f->r.pt.data, f->r.limbs, 1, &seed, ++f->r.number));
}

static inline void bfv_decrypt(bfv_rig *f, const gb_ct *c) {
    test_ok(f->r.ctx, gb_ct_phase(f->phase, f->r.ctx, f->r.s, c));
    gb_bfv_scale_down(f->poly, f->b, c->limbs, f->phase);
    gb_bfv_decode(f->got, f->b, f->poly, f->r.n);
}

/* x modulo t in (-t/2, t/2] */
static inline int64_t bfv_centred(const bfv_rig *f, __int128 x) {
    x %= (__int128)f->t;
    if (x < 0) x += f->t;
    return (int64_t)(x > (__int128)(f->t / 2) ? x - (__int128)f->t : x);
}

static inline void bfv_expect(bfv_rig *f, const gb_ct *c, const __int128 *want) {
    bfv_decrypt(f, c);
    for (size_t i = 0; i < f->r.n; i++)
        if (f->got[i] != bfv_centred(f, want[i]))
            fail_msg("t of %.1f bits, slot %zu: %lld, not %lld", log2((double)f->t), i, (long long)f->got[i],
                     (long long)bfv_centred(f, want[i]));
}

#endif
