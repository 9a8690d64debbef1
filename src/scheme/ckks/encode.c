/* The canonical embedding: a special FFT over the powers of five (Cheon et al., eprint 2018/1043, section 3). */
#include <math.h>

#include "scheme/ckks/ckks.h"
#include "scheme/core/core.h"

struct gb_ckks_encoder {
    const gb_params *params;
    size_t n, slots;
    double *re, *im;    /* twiddles of the stage of length len start at len/2: root^(5^j), root of order 4 len */
    uint32_t *reversed; /* bit reversal over `slots` */
};

static void twiddles(gb_ckks_encoder *e) {
    for (size_t len = 2; len <= e->slots; len <<= 1) {
        size_t half = len / 2, order = 4 * len, power = 1;
        for (size_t j = 0; j < half; j++) {
            double angle = 2 * M_PI * (double)power / (double)order;
            e->re[half + j] = cos(angle);
            e->im[half + j] = sin(angle);
            power = power * 5 % order;
        }
    }
}

gb_status gb_ckks_encoder_new(gb_ckks_encoder **out, gb_ctx *ctx, const gb_params *p) {
    gb_ckks_encoder *e;
    GB_TRY(gb_alloc_zero(out, ctx, 1, sizeof(*e)));
    e = *out;
    e->params = p;
    e->n = gb_ring_n(gb_params_ring(p));
    e->slots = e->n / 2;
    gb_status s = gb_alloc(&e->re, ctx, e->slots, sizeof(double));
    if (s == GB_OK) s = gb_alloc(&e->im, ctx, e->slots, sizeof(double));
    if (s == GB_OK) s = gb_alloc_zero(&e->reversed, ctx, e->slots, sizeof(uint32_t));
    if (s != GB_OK) {
        gb_ckks_encoder_free(e);
        *out = NULL;
        return s;
    }
    twiddles(e);
    for (size_t i = 1; i < e->slots; i++)
        e->reversed[i] = (e->reversed[i >> 1] >> 1) | ((i & 1) ? (uint32_t)(e->slots >> 1) : 0);
    return GB_OK;
}

void gb_ckks_encoder_free(gb_ckks_encoder *e) {
    if (!e) return;
    gb_free(e->re);
    gb_free(e->im);
    gb_free(e->reversed);
    gb_free(e);
}

size_t gb_ckks_slots(const gb_ckks_encoder *e) { return e->slots; }
const gb_params *gb_ckks_encoder_params(const gb_ckks_encoder *e) { return e->params; }

gb_status gb_pt_init(gb_pt *out, gb_ctx *ctx, const gb_params *p, unsigned limbs, bool special) {
    memset(out, 0, sizeof(*out));
    const gb_params_spec *spec = gb_params_get(p);
    if (limbs < 1 || limbs > spec->data_count)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a plaintext of %s has 1 to %zu limbs, not %u", spec->name,
                       spec->data_count, limbs);
    size_t rows = limbs + (special ? spec->special_count : 0);
    GB_TRY(gb_alloc_zero(&out->data, ctx, rows * gb_ring_n(gb_params_ring(p)), sizeof(uint64_t)));
    out->words = rows * gb_ring_n(gb_params_ring(p));
    out->params = p;
    out->limbs = limbs;
    out->special = special;
    out->scale = 1;
    return GB_OK;
}

void gb_pt_release(gb_pt *p) {
    if (p->data) gb_wipe(p->data, p->words * sizeof *p->data); /* it may be a message */
    gb_free(p->data);
    memset(p, 0, sizeof(*p));
}

static void reverse(const gb_ckks_encoder *e, double *re, double *im, size_t count) {
    size_t shift = 0;
    while ((count << shift) < e->slots) shift++;
    for (size_t i = 0; i < count; i++) {
        size_t j = e->reversed[i] >> shift;
        if (i >= j) continue;
        double a = re[i], b = im[i];
        re[i] = re[j], im[i] = im[j];
        re[j] = a, im[j] = b;
    }
}

/* Slot values -> coefficients (real parts, then imaginary parts), in place. */
static void embed_inverse(const gb_ckks_encoder *e, double *re, double *im, size_t count) {
    for (size_t len = count; len >= 2; len >>= 1) {
        size_t half = len / 2;
        const double *wr = e->re + half, *wi = e->im + half;
        for (size_t i = 0; i < count; i += len)
            for (size_t j = 0; j < half; j++) {
                double *ar = re + i + j, *ai = im + i + j, *br = ar + half, *bi = ai + half;
                double dr = *ar - *br, di = *ai - *bi;
                *ar += *br;
                *ai += *bi;
                *br = dr * wr[j] + di * wi[j]; /* times the conjugate root */
                *bi = di * wr[j] - dr * wi[j];
            }
    }
    reverse(e, re, im, count);
    for (size_t i = 0; i < count; i++) re[i] /= (double)count, im[i] /= (double)count;
}

/* Coefficients -> slot values, in place. */
static void embed_forward(const gb_ckks_encoder *e, double *re, double *im, size_t count) {
    reverse(e, re, im, count);
    for (size_t len = 2; len <= count; len <<= 1) {
        size_t half = len / 2;
        const double *wr = e->re + half, *wi = e->im + half;
        for (size_t i = 0; i < count; i += len)
            for (size_t j = 0; j < half; j++) {
                double *ar = re + i + j, *ai = im + i + j, *br = ar + half, *bi = ai + half;
                double vr = *br * wr[j] - *bi * wi[j], vi = *br * wi[j] + *bi * wr[j];
                *br = *ar - vr, *bi = *ai - vi;
                *ar += vr, *ai += vi;
            }
    }
}

typedef struct to_limbs {
    const gb_params *params;
    const int64_t *c;
    gb_pt *out;
} to_limbs;

static void to_limb(void *user, size_t j, unsigned worker) {
    to_limbs *t = user;
    const gb_ring *r = gb_params_ring(t->params);
    size_t n = gb_ring_n(r);
    size_t limb = j < t->out->limbs ? j : gb_params_get(t->params)->data_count + (j - t->out->limbs);
    uint64_t *out = t->out->data + j * n;
    (void)worker;
    gb_residues_of(out, t->c, n, gb_ring_modulus(r, limb));
    gb_ring_forward(r, out, limb, 1);
}

/* Rounds c * scale; RANGE when one leaves the modulus or 2^62. Messages are secret: nothing here branches on them. */
static gb_status put(gb_pt *out, gb_ctx *ctx, const gb_params *p, const double *c, double scale) {
    if (!out->params || !gb_params_same(out->params, p))
        return gb_fail(ctx, GB_ERR_PARAMS, "plaintext and encoder have different parameters");
    const gb_ring *r = gb_params_ring(p);
    size_t n = gb_ring_n(r), rows = out->limbs + (out->special ? gb_params_get(p)->special_count : 0);
    double bound = ldexp(1, (int)fmin(62, gb_ring_log2_q(r, out->limbs) - 1));
    int64_t *rounded;
    if (!gb_numbers_below(c, n, scale, bound))
        return gb_fail(ctx, GB_ERR_RANGE,
                       "a value is too large at scale %g (coefficients must stay below 2^%.0f) or not finite", scale,
                       log2(bound));
    GB_TRY(gb_alloc(&rounded, ctx, n, sizeof(int64_t)));
    for (size_t i = 0; i < n; i++) rounded[i] = gb_round_number(c[i] * scale);
    gb_secrecy_set(rounded, n * sizeof *rounded, gb_secrecy_of(c, n * sizeof *c)); /* the zeros between, too */
    to_limbs t = {p, rounded, out};
    gb_parallel(ctx, rows, to_limb, &t);
    gb_wipe(rounded, n * sizeof(int64_t));
    gb_free(rounded);
    out->scale = scale;
    return GB_OK;
}

gb_status gb_ckks_encode(gb_pt *out, gb_ctx *ctx, const gb_ckks_encoder *e, const double *re, const double *im,
                         size_t count, double scale) {
    if (count < 1 || count > e->slots)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%zu values do not fit %zu slots", count, e->slots);
    bool sparse = (count & (count - 1)) == 0;
    size_t used = sparse ? count : e->slots, gap = e->slots / used;
    double *work;
    GB_TRY(gb_alloc_zero(&work, ctx, 2 * used + e->n, sizeof(double)));
    double *wr = work, *wi = work + used, *c = work + 2 * used;
    memcpy(wr, re, count * sizeof(double));
    if (im) memcpy(wi, im, count * sizeof(double));
    embed_inverse(e, wr, wi, used);
    for (size_t i = 0; i < used; i++) {
        c[i * gap] = wr[i];
        c[e->slots + i * gap] = wi[i];
    }
    gb_status s = put(out, ctx, e->params, c, scale);
    gb_wipe(work, (2 * used + e->n) * sizeof(double));
    gb_free(work);
    return s;
}

void gb_ckks_slots_of(double *re, double *im, size_t count, const double *coefficients, const gb_ckks_encoder *e) {
    size_t used = 1;
    while (used < count) used <<= 1;
    size_t gap = e->slots / used;
    for (size_t i = 0; i < used; i++) {
        re[i] = coefficients[i * gap];
        im[i] = coefficients[e->slots + i * gap];
    }
    embed_forward(e, re, im, used);
}
