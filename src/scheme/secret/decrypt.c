/* scheme/secret/decrypt: phases of a group of lines, modulo primes or powers of two, as doubles. */
#include <math.h>

#include "scheme/secret/internal.h"

typedef struct decrypt_job {
    const gb_secret *s;
    const gb_group *g;
    double *values;
    gb_secret_scratch *scratch;
    gb_centring centring;
} decrypt_job;

/* Modulo primes: c0 + c1 s on the first rows, centred exactly by mixed radix. Scratch: limbs + 1 times N words. */
static void prime_task(void *user, size_t line, unsigned worker) {
    decrypt_job *job = user;
    const gb_group *g = job->g;
    const gb_bundle_info *b = g->info;
    const gb_ring *r = gb_params_ring(g->params);
    size_t n = gb_ring_n(r), padded = g->blocks[0] * GB_BLOCK;
    uint64_t *phase = job->scratch[worker].words, *c0 = phase + g->limbs * n;
    for (size_t j = 0; j < g->limbs; j++) {
        const gb_modulus *q = gb_ring_modulus(r, j);
        uint64_t *x = phase + j * n;
        if (b->seeded)
            gb_sample_uniform(x, n, q, &b->seed, g->first + line, (uint32_t)j, 0);
        else
            gb_group_get(x, g, 1, j, line);
        gb_secret_mul(x, job->s, j);
        gb_group_get(c0, g, 0, j, line);
        gb_ring_kernels(r)->add(x, x, c0, padded, q);
    }
    double *out = job->values + line * b->rows;
    gb_centring_run(out, phase, n, b->rows, &job->centring, g->limbs);
    for (size_t i = 0; i < b->rows; i++) out[i] /= b->scale;
}

/* The balanced digit number `digit` of `bits` bits of c modulo 2^total, as a residue modulo q: c = sum digit_i 2^(i
 * bits) modulo 2^total, |digit| <= 2^(bits - 1). c is public. */
static void balanced_digit(uint64_t *out, const uint64_t *c, size_t n, unsigned digit, unsigned bits, uint64_t q) {
    uint64_t mask = (UINT64_C(1) << bits) - 1, half = UINT64_C(1) << (bits - 1), carry_add = 0;
    for (unsigned i = 0; i < digit; i++) carry_add |= half << (i * bits);
    for (size_t i = 0; i < n; i++) {
        /* Adding half at every lower digit carries exactly where the balanced lower part is negative. */
        uint64_t d = (c[i] + carry_add) >> (digit * bits) & mask; /* in [0, 2^bits) */
        uint64_t negative = 0 - (uint64_t)(d >= half);
        out[i] = d - (negative & (mask + 1)) + (negative & q);
    }
}

/* Modulo powers of two. c1 s is wanted modulo 2^bits1. s is ternary, so for a digit polynomial d with |d| <= 2^(w-1)
 * every coefficient of d s is below N 2^(w-1) in size, and one NTT modulo a prime q >= N 2^w + 1 gives it exactly over
 * the integers; c1 is cut into ceil(bits1 / w) such digits. Scratch: 3 times N words. */
static void pow2_task(void *user, size_t line, unsigned worker) {
    decrypt_job *job = user;
    const gb_group *g = job->g;
    const gb_bundle_info *b = g->info;
    const gb_ring *r = gb_params_ring(g->params);
    size_t n = gb_ring_n(r), rows = b->rows;
    const uint64_t q = gb_ring_modulus(r, 0)->q, q_half = q >> 1;
    unsigned width = gb_ring_modulus(r, 0)->bits - 1 - gb_ring_log_n(r); /* q > 2^(bits-1) = N 2^width */
    unsigned k = b->bits0 > b->bits1 ? b->bits0 : b->bits1;
    uint64_t *c = job->scratch[worker].words, *x = c + n, *phase = x + n;
    gb_group_get(phase, g, 0, 0, line);
    for (size_t i = 0; i < rows; i++) phase[i] <<= k - b->bits0;
    gb_group_get(c, g, 1, 0, line);
    for (unsigned digit = 0; digit * width < b->bits1; digit++) {
        balanced_digit(x, c, n, digit, width, q);
        gb_secret_mul(x, job->s, 0);
        for (size_t i = 0; i < rows; i++) {
            uint64_t negative = 0 - ((q_half - x[i]) >> 63);
            phase[i] += (x[i] - (negative & q)) << (digit * width + k - b->bits1);
        }
    }
    double *out = job->values + line * rows;
    for (size_t i = 0; i < rows; i++) {
        int64_t centred = (int64_t)(phase[i] << (64 - k)) >> (64 - k);
        out[i] = (double)centred / b->scale;
    }
}

gb_status gb_decrypt(double *values, gb_ctx *ctx, const gb_secret *s, const gb_bundle_info *b, size_t group,
                     const gb_tile_source *source) {
    GB_TRY(gb_secret_check(ctx, s, b));
    const gb_ring *r = gb_params_ring(s->params);
    gb_group g;
    GB_TRY(gb_group_init(&g, ctx, b, s->params, group, b->seeded ? 1 : 3));
    decrypt_job *job = NULL;
    gb_status status = gb_alloc(&job, ctx, 1, sizeof *job);
    if (status == GB_OK) {
        *job = (decrypt_job){.s = s, .g = &g, .values = values};
        if (b->limbs > 0) gb_centring_init(&job->centring, r, b->limbs);
        status = gb_secret_scratch_new(&job->scratch, ctx, gb_ring_n(r), b->limbs > 0 ? b->limbs + 1 : 3);
    }
    if (status == GB_OK) status = gb_group_read(&g, ctx, source);
    if (status == GB_OK) gb_parallel(ctx, g.lines, b->limbs > 0 ? prime_task : pow2_task, job);
    if (job != NULL) gb_secret_scratch_free(job->scratch, ctx);
    gb_free(job);
    gb_group_release(&g);
    return status;
}
