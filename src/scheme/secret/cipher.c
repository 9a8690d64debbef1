/* scheme/secret/cipher: symmetric encryption and decryption of single ciphertexts. */
#include <math.h>

#include "scheme/secret/internal.h"

#define VALUE_BITS 60

static gb_status check_key(gb_ctx *ctx, const gb_secret *s, const gb_params *p) {
    if (gb_params_same(s->params, p)) return GB_OK;
    return gb_fail(ctx, GB_ERR_PARAMS, "the secret key is of %s, the ciphertext of %s; use that set's key",
                   gb_params_get(s->params)->name, gb_params_get(p)->name);
}

/* c0 = -(c1 s) + e + m modulo one prime; t: two polynomials of scratch. */
static void encrypt_limb(gb_ct *out, const gb_secret *s, unsigned j, const uint64_t *message, const int8_t *error,
                         const gb_seed *seed, uint64_t number, uint64_t *t) {
    const gb_ring *r = gb_params_ring(s->params);
    const gb_kernels *k = gb_ring_kernels(r);
    const gb_modulus *m = gb_ring_modulus(r, j);
    size_t n = gb_ring_n(r);
    uint64_t *c0 = gb_ct_limb(out, 0, j), *c1 = gb_ct_limb(out, 1, j), *noise = t + n;
    gb_sample_uniform(c1, n, m, seed, number, j, 0);
    gb_ntt_limb(r, c1, j);
    k->mul(t, c1, s->s_hat + j * n, n, m);
    k->sub(t, message + j * n, t, n, m);
    k->lift8(noise, error, n, m);
    gb_ntt_limb(r, noise, j);
    k->add(c0, t, noise, n, m);
    gb_declassify(c0, n * sizeof *c0); /* a ciphertext */
}

gb_status gb_ct_encrypt_seeded(gb_ct *out, gb_ctx *ctx, const gb_secret *s, const uint64_t *message, unsigned limbs,
                               double scale, const gb_seed *seed, uint64_t number) {
    GB_TRY(check_key(ctx, s, out->params));
    GB_TRY(gb_ct_shape(out, ctx, limbs, scale));
    size_t n = gb_ring_n(gb_params_ring(s->params));
    int8_t *error;
    uint64_t *t;
    GB_TRY(gb_alloc_secret(&error, ctx, n, 1));
    gb_status status = gb_alloc_secret(&t, ctx, 2 * n, sizeof *t);
    if (status == GB_OK) {
        gb_seed of_errors;
        gb_secret_error_seed(&of_errors, s, seed, GB_ERROR_CIPHERTEXT);
        gb_sample_error(error, n, &of_errors, number);
        gb_wipe(&of_errors, sizeof of_errors);
        for (unsigned j = 0; j < limbs; j++) encrypt_limb(out, s, j, message, error, seed, number, t);
    }
    gb_free_secret(t);
    gb_free_secret(error);
    return status;
}

gb_status gb_ct_phase(uint64_t *phase, gb_ctx *ctx, const gb_secret *s, const gb_ct *c) {
    GB_TRY(check_key(ctx, s, c->params));
    if (!c->ntt) return gb_fail(ctx, GB_ERR_STATE, "decrypt: the ciphertext is not in NTT form");
    const gb_ring *r = gb_params_ring(s->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r);
    for (unsigned j = 0; j < c->limbs; j++) { /* Horner's rule in s */
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t *x = phase + j * n;
        memcpy(x, gb_ct_limb(c, c->parts - 1, j), n * sizeof *x);
        for (unsigned part = c->parts - 1; part-- > 0;) {
            k->mul(x, x, s->s_hat + j * n, n, m);
            k->add(x, x, gb_ct_limb(c, part, j), n, m);
        }
    }
    gb_ring_inverse(r, phase, 0, c->limbs);
    return GB_OK;
}

/* A phase below half the product of a few primes is known from these: enough of them for values up to 2^60. */
static unsigned limbs_for_values(const gb_ct *c) {
    unsigned limbs = 1;
    while (limbs < c->limbs && gb_ring_log2_q(gb_params_ring(c->params), limbs) < log2(c->scale) + VALUE_BITS + 1)
        limbs++;
    return limbs;
}

#define CENTRE_STRIP 2048 /* coefficients a task: their residues stay in cache */

typedef struct centre_job {
    double *out;
    uint64_t *phase;
    const gb_centring *centring;
    size_t n, limbs;
    double scale;
} centre_job;

static void centre_strip(void *user, size_t i, unsigned worker) {
    centre_job *t = user;
    size_t first = i * CENTRE_STRIP, count = gb_min_size(CENTRE_STRIP, t->n - first);
    (void)worker;
    gb_centring_run(t->out + first, t->phase + first, t->n, count, t->centring, t->limbs);
    for (size_t k = first; k < first + count; k++) t->out[k] /= t->scale;
}

gb_status gb_ct_decrypt(double *coefficients, gb_ctx *ctx, const gb_secret *s, const gb_ct *c) {
    size_t n = gb_ring_n(gb_params_ring(s->params));
    uint64_t *phase;
    gb_centring *centring;
    gb_ct low = *c; /* a view */
    low.limbs = limbs_for_values(c);
    GB_TRY(gb_alloc_secret(&phase, ctx, low.limbs * n, sizeof *phase));
    gb_status status = gb_alloc(&centring, ctx, 1, sizeof *centring);
    if (status == GB_OK) status = gb_ct_phase(phase, ctx, s, &low);
    if (status == GB_OK) {
        gb_centring_init(centring, gb_params_ring(s->params), low.limbs);
        centre_job job = {coefficients, phase, centring, n, low.limbs, c->scale};
        gb_parallel(ctx, gb_ceil_div(n, CENTRE_STRIP), centre_strip, &job);
    }
    gb_free(centring);
    gb_free_secret(phase);
    return status;
}

gb_status gb_ckks_decrypt(double *re, double *im, size_t count, gb_ctx *ctx, const gb_secret *s,
                          const gb_ckks_encoder *e, const gb_ct *c) {
    if (count < 1 || count > gb_ckks_slots(e) || (count & (count - 1)) != 0)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "decrypt: %zu slots, must be a power of two up to %zu", count,
                       gb_ckks_slots(e));
    if (!gb_params_same(gb_ckks_encoder_params(e), c->params))
        return gb_fail(ctx, GB_ERR_PARAMS, "decrypt: the encoder is of %s, the ciphertext of %s",
                       gb_params_get(gb_ckks_encoder_params(e))->name, gb_params_get(c->params)->name);
    double *coefficients;
    GB_TRY(gb_alloc_secret(&coefficients, ctx, gb_ring_n(gb_params_ring(c->params)), sizeof *coefficients));
    gb_status status = gb_ct_decrypt(coefficients, ctx, s, c);
    if (status == GB_OK) gb_ckks_slots_of(re, im, count, coefficients, e);
    gb_free_secret(coefficients);
    return status;
}
