/* Noise of every operation. Sources: fresh errors are centred binomials of k = 21 (|e| <= 21, variance 10.5); secrets
 * are ternary (variance 2/3) or of a fixed weight; a rounding is uniform in [-1/2, 1/2] (variance 1/12). A coefficient
 * of a product of two independent polynomials has N times the product of their variances; in a slot |a b| = |a| |b|,
 * and |a| is at most N times a's largest coefficient. */
#include "scheme/core/noise.h"

#include <math.h>

#define ERROR_MOST 21.0
#define ERROR_VARIANCE 10.5
#define SECRET_VARIANCE (2.0 / 3)
#define SLACK 0.001 /* bits: centred extensions may leave [-Q/2, Q/2] by what a quotient in doubles loses */

typedef struct part { /* as in gb_noise */
    double worst, rms, powers;
} part;

static double log_add(double a, double b) {
    double high = fmax(a, b), low = fmin(a, b);
    return low == -INFINITY ? high : high + log2(1 + exp2(low - high));
}

/* Share of a in the variance of a + b. */
static double share(part a, part b) {
    return a.rms == -INFINITY ? 0 : b.rms == -INFINITY ? 1 : 1 / (1 + exp2(2 * (b.rms - a.rms)));
}

static double mean_power(part a, part b) {
    double of_a = share(a, b);
    return of_a * a.powers + (1 - of_a) * b.powers;
}

/* Of independent polynomials. */
static part plus(part a, part b) {
    return (part){log_add(a.worst, b.worst), log_add(2 * a.rms, 2 * b.rms) / 2, mean_power(a, b)};
}

/* Of what comes from two operands. */
static part join(const gb_noise_model *m, part a, part b) {
    part sum = plus(a, b);
    if (m->dependent) sum.rms = log_add(a.rms, b.rms);
    return sum;
}

static part scaled(part a, double bits) { return (part){a.worst + bits, a.rms + bits, a.powers}; }

/* The sum of `count`. */
static part repeated(const gb_noise_model *m, part a, double count) {
    return (part){a.worst + log2(count), a.rms + log2(count) / (m->dependent ? 1 : 2), a.powers};
}

/* The sum of `count` independent ones. */
static part many(part a, double count) { return (part){a.worst + log2(count), a.rms + log2(count) / 2, a.powers}; }

static double log_n(const gb_noise_model *m) { return gb_ring_log_n(gb_params_ring(m->params)); }

/* Product in the ring. A slot of s is a sum of N terms, so nearly Gaussian: E |s|^2k = k! (E |s|^2)^k. */
static part times(const gb_noise_model *m, part a, part b) {
    double orders = lgamma(a.powers + b.powers + 1) - lgamma(a.powers + 1) - lgamma(b.powers + 1);
    return (part){a.worst + b.worst, a.rms + b.rms + log_n(m) / 2 + orders / log(2.0) / 2, a.powers + b.powers};
}

static part error_of(const gb_noise *a) { return (part){a->worst, a->rms, a->powers}; }
static part message_of(const gb_noise *a) { return (part){a->message_worst, a->message_rms, 0}; }

/* A polynomial whose coefficients are at most `most` and have this variance. */
static part coefficients(const gb_noise_model *m, double most, double variance) {
    return (part){log2(most) + log_n(m), log2(variance) / 2, 0};
}

static part rounding(const gb_noise_model *m) { return coefficients(m, 0.5, 1.0 / 12); }
static part ternary(const gb_noise_model *m) { return coefficients(m, 1, SECRET_VARIANCE); }
/* Of a fixed weight, or ternary; joint ones are sums. */
static part secret(const gb_noise_model *m) {
    const double weight = gb_params_get(m->params)->weight;
    part s = weight > 0 ? (part){log2(weight), (log2(weight) - log_n(m)) / 2, 0} : ternary(m);
    s = many(s, m->parties);
    s.powers = 1;
    return s;
}
static part binomial(const gb_noise_model *m) { return coefficients(m, ERROR_MOST, ERROR_VARIANCE); }

/* Slots |z| <= largest of root mean square typical: coefficients are sqrt(N) smaller. */
static part slots(const gb_noise_model *m, double scale, double largest, double typical) {
    return (part){log2(scale) + log2(largest), log2(scale) + log2(typical) - log_n(m) / 2, 0};
}

/* Rounding every part of a ciphertext: r0 + r1 s (+ r2 s^2). */
static part rounding_of(const gb_noise_model *m, unsigned parts) {
    part r = rounding(m), s = secret(m), sum = plus(r, times(m, r, s));
    return parts == 3 ? plus(sum, times(m, r, times(m, s, s))) : sum;
}

static double log_prime(const gb_noise_model *m, unsigned limb) {
    return log2((double)gb_ring_modulus(gb_params_ring(m->params), limb)->q);
}

static double log_special(const gb_noise_model *m) {
    const gb_params_spec *s = gb_params_get(m->params);
    double sum = 0;
    for (size_t i = 0; i < s->special_count; i++) sum += log2((double)s->special[i]);
    return sum;
}

/* Error of a key: a jointly made relinearisation key has s e + u e' + e'', each a sum over the parties. */
static part key_error(const gb_noise_model *m, bool relinearisation) {
    part e = many(binomial(m), m->parties);
    if (m->parties == 1 || !relinearisation) return e;
    return plus(e, plus(times(m, secret(m), e), times(m, many(ternary(m), m->parties), e)));
}

/* Digits times the key's errors, over P; the rounding of that division apart. */
static part switching(const gb_noise_model *m, unsigned limbs, bool relinearisation) {
    part sum = {-INFINITY, -INFINITY, 0}, error = key_error(m, relinearisation);
    for (unsigned first = 0; first < limbs; first += m->digit) {
        double bits = SLACK;
        for (unsigned j = first; j < limbs && j < first + m->digit; j++) bits += log_prime(m, j);
        sum = plus(sum, times(m, scaled(rounding(m), bits), error)); /* a digit is uniform, as a rounding is */
    }
    return scaled(sum, -log_special(m));
}

static double divided(const gb_noise_model *m, unsigned limbs, unsigned count) {
    double bits = 0;
    for (unsigned j = limbs - count; j < limbs; j++) bits += log_prime(m, j);
    return bits;
}

static void put(gb_noise *out, part error, part message, unsigned limbs, unsigned parts) {
    *out = (gb_noise){error.worst, error.rms, message.worst, message.rms, limbs, parts, error.powers};
}

void gb_noise_model_init(gb_noise_model *out, const gb_params *p, unsigned digit) {
    size_t special = gb_params_get(p)->special_count;
    *out = (gb_noise_model){p, digit ? digit : special ? (unsigned)special : 1, 1, false};
}

/* ---- CKKS ---- */
/* Seeded: e. Public: u e_pk + e_0 + e_1 s, u ternary as s is. */
static part fresh(const gb_noise_model *m, bool public_key) {
    part e = plus(binomial(m), rounding(m));
    if (!public_key) return e;
    return plus(e, plus(times(m, many(binomial(m), m->parties), ternary(m)), times(m, binomial(m), secret(m))));
}

void gb_noise_fresh(gb_noise *out, const gb_noise_model *m, unsigned limbs, double scale, double largest,
                    double typical, bool public_key) {
    put(out, fresh(m, public_key), slots(m, scale, largest, typical), limbs, 2);
}

void gb_noise_add(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b) {
    put(out, join(m, error_of(a), error_of(b)), join(m, message_of(a), message_of(b)),
        a->limbs < b->limbs ? a->limbs : b->limbs, a->parts > b->parts ? a->parts : b->parts);
}

void gb_noise_add_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a, double scale, double largest,
                        double typical) {
    put(out, plus(error_of(a), rounding(m)), join(m, message_of(a), slots(m, scale, largest, typical)), a->limbs,
        a->parts);
}

/* (x + e)(p + r) with r the rounding of the plaintext. */
void gb_noise_mul_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a, double scale, double largest,
                        double typical) {
    part p = slots(m, scale, largest, typical), x = message_of(a), e = error_of(a);
    part error = join(m, times(m, e, plus(p, rounding(m))), times(m, x, rounding(m)));
    put(out, error, times(m, x, p), a->limbs, a->parts);
}

/* One coefficient is rounded, not N: 1/2 in every slot. */
void gb_noise_add_scalar(gb_noise *out, const gb_noise_model *m, const gb_noise *a, double s, double scale) {
    part round = {-1, log2(1.0 / 12) / 2 - log_n(m) / 2, 0};
    part constant = {log2(fabs(s) * scale), log2(fabs(s) * scale) - log_n(m) / 2, 0};
    put(out, plus(error_of(a), round), join(m, message_of(a), constant), a->limbs, a->parts);
}

void gb_noise_mul_scalar(gb_noise *out, const gb_noise *a, double s, double scale) {
    double integer = round(s * scale), off = fabs(integer - s * scale);
    part error = plus(scaled(error_of(a), log2(fabs(integer))), scaled(message_of(a), log2(off)));
    put(out, error, scaled(message_of(a), log2(fabs(s) * scale)), a->limbs, a->parts);
}

void gb_noise_times(gb_noise *out, const gb_noise *a, double factor) {
    put(out, scaled(error_of(a), log2(fabs(factor))), scaled(message_of(a), log2(fabs(factor))), a->limbs, a->parts);
}

void gb_noise_tensor(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b) {
    part x = message_of(a), y = message_of(b), e = error_of(a), f = error_of(b);
    part error = plus(join(m, times(m, x, f), times(m, y, e)), times(m, e, f));
    put(out, error, times(m, x, y), a->limbs < b->limbs ? a->limbs : b->limbs, 3);
}

void gb_noise_relinearize(gb_noise *out, const gb_noise_model *m, const gb_noise *a) {
    part added = plus(switching(m, a->limbs, true), rounding_of(m, 2));
    put(out, plus(error_of(a), added), message_of(a), a->limbs, 2);
}

void gb_noise_divide(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned count) {
    double bits = -divided(m, a->limbs, count);
    put(out, plus(scaled(error_of(a), bits), rounding_of(m, a->parts)), scaled(message_of(a), bits), a->limbs - count,
        a->parts);
}

void gb_noise_relinearize_divide(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned count) {
    double bits = -divided(m, a->limbs, count);
    part error = scaled(plus(error_of(a), switching(m, a->limbs, true)), bits);
    put(out, plus(error, rounding_of(m, 2)), scaled(message_of(a), bits), a->limbs - count, 2);
}

void gb_noise_automorphism(gb_noise *out, const gb_noise_model *m, const gb_noise *a) {
    part added = plus(switching(m, a->limbs, false), rounding_of(m, 2));
    put(out, plus(error_of(a), added), message_of(a), a->limbs, 2);
}

void gb_noise_linear(gb_noise *out, const gb_noise_model *m, const gb_noise *a, size_t terms, size_t giants,
                     double scale, double largest, double typical) {
    part d = slots(m, scale, largest, typical), x = message_of(a);
    part turned = plus(error_of(a), switching(m, a->limbs, false)); /* a baby step */
    part sum = repeated(m, join(m, times(m, turned, plus(d, rounding(m))), times(m, x, rounding(m))), (double)terms);
    if (giants) { /* each rounds the polynomial that meets s, and switches keys */
        part giant = plus(times(m, rounding(m), secret(m)), switching(m, a->limbs, false));
        sum = plus(sum, many(giant, (double)giants));
    }
    put(out, plus(sum, rounding_of(m, 2)), repeated(m, times(m, x, d), (double)terms), a->limbs, 2);
}

/* ---- BFV ---- */
static part uniform_mod(const gb_noise_model *m, uint64_t t) { return scaled(rounding(m), log2((double)t)); }

void gb_noise_bfv_fresh(gb_noise *out, const gb_noise_model *m, unsigned limbs, uint64_t t, bool public_key) {
    put(out, fresh(m, public_key), uniform_mod(m, t), limbs, 2); /* round(Q m / t) loses a rounding, too */
}

/* Q/t (m + m') = Q/t ((m + m') mod t) modulo Q: nothing is lost. */
void gb_noise_bfv_add(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b, uint64_t t) {
    gb_noise_add(out, m, a, b);
    out->message_worst = uniform_mod(m, t).worst, out->message_rms = uniform_mod(m, t).rms;
}

void gb_noise_bfv_add_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a) {
    put(out, plus(error_of(a), rounding(m)), message_of(a), a->limbs, a->parts);
}

void gb_noise_bfv_mul_plain(gb_noise *out, const gb_noise_model *m, const gb_noise *a, uint64_t t) {
    put(out, times(m, error_of(a), uniform_mod(m, t)), message_of(a), a->limbs, a->parts);
}

void gb_noise_bfv_mul_scalar(gb_noise *out, const gb_noise *a, int64_t s) {
    put(out, scaled(error_of(a), log2(fabs((double)s))), message_of(a), a->limbs, a->parts);
}

/* phase = Q/t m + e + Q k with k = round((c0 + c1 s) / Q): what a rounding of two parts is. t/Q times the product:
 * m e' + m' e + t (k e' + k' e) + (t/Q) e e', and the rounding of three parts. */
void gb_noise_bfv_tensor(gb_noise *out, const gb_noise_model *m, const gb_noise *a, const gb_noise *b, uint64_t t) {
    part k = plus(rounding_of(m, 2), rounding(m)), e = error_of(a), f = error_of(b);
    part factor = plus(message_of(a), scaled(k, log2((double)t) + SLACK));
    double q = gb_ring_log2_q(gb_params_ring(m->params), a->limbs);
    part error = plus(times(m, factor, join(m, e, f)), scaled(times(m, e, f), log2((double)t) - q));
    put(out, plus(error, rounding_of(m, 3)), message_of(a), a->limbs, 3);
}

void gb_noise_bfv_divide(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned count) {
    part error = plus(scaled(error_of(a), -divided(m, a->limbs, count)), rounding_of(m, a->parts));
    put(out, error, message_of(a), a->limbs - count, a->parts);
}

/* ---- several parties ---- */
static part flooding(const gb_noise_model *m, unsigned active, unsigned flood) {
    return many(scaled(coefficients(m, 1, 1.0 / 3), flood), active);
}

void gb_noise_joint_decrypt(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned active,
                            unsigned flood) {
    put(out, plus(error_of(a), flooding(m, active, flood)), message_of(a), a->limbs, a->parts);
}

/* Every share is an encryption of zero under the recipient's public key, too. */
void gb_noise_joint_switch(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned active, unsigned flood) {
    gb_noise_model recipient = *m;
    recipient.parties = 1;
    part added = plus(flooding(m, active, flood), many(fresh(&recipient, true), active));
    put(out, plus(error_of(a), added), message_of(a), a->limbs, 2);
}

void gb_noise_joint_refresh(gb_noise *out, const gb_noise_model *m, const gb_noise *a, unsigned active,
                            unsigned limbs) {
    put(out, plus(error_of(a), many(binomial(m), active)), message_of(a), limbs, 2);
}

/* ---- checks ---- */
/* How many deviations N Gaussians stay within but for 2^-128: erfc(x / sqrt 2) <= exp(-x^2 / 2). Two bits more for the
 * prediction itself. */
static double reach(const gb_noise_model *m, const gb_noise *a) {
    return a->rms + 2 + log2(2 * log(2.0) * (129 + log_n(m))) / 2;
}

/* Half the modulus, in bits, and what of it is left for the error. */
static double half(const gb_noise_model *m, const gb_noise *a) {
    return gb_ring_log2_q(gb_params_ring(m->params), a->limbs) - 1;
}

static double room(const gb_noise_model *m, const gb_noise *a, uint64_t t) {
    if (t) return half(m, a) - log2((double)t);
    double used = a->message_worst - half(m, a);
    return used < 0 ? half(m, a) + log2(-expm1(used * log(2.0))) : -INFINITY;
}

double gb_noise_failure(const gb_noise_model *m, const gb_noise *a, uint64_t t) {
    double deviations = exp2(room(m, a, t) - a->rms - 2);
    return fmin(0, log_n(m) + 1 - deviations * deviations / (2 * log(2.0)));
}

gb_status gb_noise_check(gb_ctx *ctx, const gb_noise_model *m, const gb_noise *a, const char *op) {
    double need = log_add(a->message_worst, reach(m, a));
    if (!(need < half(m, a)))
        return gb_fail(ctx, GB_ERR_NOISE,
                       "%s: message and error may take %.1f bits, the modulus of %u limbs holds %.1f; use a smaller "
                       "scale or more levels",
                       op, need, a->limbs, half(m, a));
    return GB_OK;
}

gb_status gb_noise_bfv_check(gb_ctx *ctx, const gb_noise_model *m, const gb_noise *a, uint64_t t, const char *op) {
    double have = room(m, a, t), need = reach(m, a);
    if (!(need < have))
        return gb_fail(ctx, GB_ERR_NOISE,
                       "%s: the error may take %.1f bits, %u limbs hold %.1f for this plaintext modulus; use fewer "
                       "products or more limbs",
                       op, need, a->limbs, have);
    return GB_OK;
}

double gb_noise_precision(const gb_noise_model *m, const gb_noise *a, double scale) {
    return log2(scale) - (a->rms + 4 + log_n(m) / 2);
}
