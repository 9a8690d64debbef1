/* engine/params: facts of the shipped parameter sets, for people and for choosing one. */
#include <math.h>

#include "engine/internal.h"

#define SCALE_BITS 40
#define PLAIN_BITS_MIN 17 /* 65537 batches for every ring up to 2^15 */
#define PLAIN_BITS_MAX 60
#define DOUBLE_BITS 42   /* what encoding and decoding in doubles keep */
#define PRECISION_SURE 6 /* standard deviations: one slot in 2^29 is worse */

/* What a set is for; the primes are scheme/core/params.c's. In the order that suggestions go through. */
static const struct use {
    const char *name, *about;
    gb_scheme scheme;
    unsigned depth; /* BFV: by gb_params_bfv_depth; a set that refreshes: by gb_bootstrap_levels */
    bool refreshes;
    unsigned scale_bits; /* CKKS; 0: SCALE_BITS */
} uses[] = {
    {"tiny-linear", "public linear maps across ciphertexts, about 3e-4 relative", GB_SCHEME_LINEAR, 0, false, 0},
    {"linear", "public linear maps across ciphertexts, below 1e-4 relative", GB_SCHEME_LINEAR, 0, false, 0},
    {"leveled-13", "real numbers, shallow and fast", GB_SCHEME_CKKS, 3, false, 0},
    {"leveled-14", "real numbers, short polynomials and products of matrices", GB_SCHEME_CKKS, 7, false, 0},
    {"leveled-15", "real numbers, deep enough for comparisons and small networks", GB_SCHEME_CKKS, 15, false, 0},
    {"joint-14", "real numbers under joint keys: sums, a product", GB_SCHEME_CKKS, 1, false, 150},
    {"joint-15", "real numbers under joint keys: a few products", GB_SCHEME_CKKS, 3, false, 150},
    {"deep-15", "few real numbers without a limit of depth: bootstrapping with small keys", GB_SCHEME_CKKS, 0, true, 0},
    {"deep-16", "real numbers without a limit of depth: bootstrapping", GB_SCHEME_CKKS, 0, true, 0},
    {"deep-16-fast", "bootstrapping in less time, with fewer levels and smaller keys", GB_SCHEME_CKKS, 0, true, 0},
    {"deep-16-precise", "bootstrapping twice over, for more bits right", GB_SCHEME_CKKS, 0, true, 0},
    {"exact-12", "integers: sums, weighted sums, one product", GB_SCHEME_BFV, 0, false, 0},
    {"exact-13", "integers: a few products", GB_SCHEME_BFV, 0, false, 0},
    {"exact-14", "integers: equality of short words, polynomials", GB_SCHEME_BFV, 0, false, 0},
};

const char *gb_scheme_name(gb_scheme s) {
    return s == GB_SCHEME_LINEAR ? "linear" : s == GB_SCHEME_CKKS ? "ckks" : s == GB_SCHEME_BFV ? "bfv" : "unknown";
}

size_t gb_params_count(void) { return GB_COUNT(uses); }

/* A coefficient of a fresh public-key ciphertext's noise, e + u e' + e1 + e2 s, has standard deviation
 * sigma sqrt(4 N / 3 + 1): u and s ternary, 2 N / 3 of their coefficients not 0. */
static double fresh_deviation(unsigned log_n) { return GB_ENGINE_SIGMA * sqrt(4.0 / 3 * exp2(log_n) + 1); }

/* In a slot the N coefficients add with phases: sqrt(N) more. */
static double ckks_precision(unsigned log_n, double scale_bits) {
    const double bits = scale_bits - log2(PRECISION_SURE * fresh_deviation(log_n)) - 0.5 * log_n;
    return fmin(bits, DOUBLE_BITS);
}

/* Noise stays below Q / 2t. A product multiplies it by t N and a small constant (1.5 bits; eprint 2018/117, section 4);
 * what key switching adds is below that. */
unsigned gb_params_bfv_depth(unsigned log_n, double log2_q, unsigned plain_bits) {
    double room = log2_q - 1 - plain_bits - log2(GB_ENGINE_SURE * fresh_deviation(log_n));
    return room > 0 ? (unsigned)(room / (plain_bits + log_n + 1.5)) : 0;
}

/* limbs: data primes of a ciphertext at its highest level. */
static void sizes(gb_params_info *out, const gb_params *p, size_t limbs) {
    const gb_params_spec *spec = gb_params_get(p);
    const gb_ring *r = gb_params_ring(p);
    const size_t n = gb_ring_n(r), data = spec->data_count, all = data + spec->special_count;
    uint64_t packed_data = 0, packed_all = 0, words = 0;
    for (size_t j = 0; j < all; j++) {
        size_t bytes = gb_packed_bytes(n, gb_ring_modulus(r, j)->bits);
        packed_data += j < data ? bytes : 0;
        if (j >= limbs && j < data) continue;
        packed_all += bytes;
        words += n * gb_word_bytes(gb_ring_modulus(r, j));
    }
    const uint64_t header = 4 + GB_HASH_BYTES + GB_SEED_BYTES;
    out->ciphertext_bytes = 2 * limbs * n * sizeof(uint64_t);
    out->public_key_bytes = header + packed_data;
    if (!spec->special_count) return;
    out->digits = (unsigned)gb_ceil_div(limbs, spec->special_count);
    out->switch_key_bytes = 2 * (uint64_t)out->digits * words;
    out->switch_key_on_wire = header + 16 + out->digits * packed_all; /* 16: limbs, digit, Galois element */
}

static void fill(gb_params_info *out, const struct use *u, const gb_params *p) {
    const gb_params_spec *spec = gb_params_get(p);
    const gb_ring *r = gb_params_ring(p);
    memset(out, 0, sizeof *out);
    memcpy(out->name, spec->name, strlen(spec->name) + 1); /* at most 31: gb_params_new */
    out->about = u->about;
    out->scheme = u->scheme;
    out->log_n = spec->log_n;
    out->security = spec->security;
    out->log2_q = gb_ring_log2_q(r, spec->data_count);
    out->log2_qp = gb_ring_log2_q(r, spec->data_count + spec->special_count);
    out->log2_qp_max = gb_security_max_log2_of(spec->log_n, spec->security, spec->weight);
    out->weight = spec->weight;
    out->depth = u->depth;
    out->refreshes = u->refreshes;
    out->slots = gb_ring_n(r);
    out->primes = (unsigned)spec->data_count;
    out->specials = (unsigned)spec->special_count;
    if (u->scheme == GB_SCHEME_CKKS) {
        out->slots /= 2;
        out->scale_bits = u->scale_bits ? u->scale_bits : SCALE_BITS;
        out->precision = ckks_precision(spec->log_n, out->scale_bits);
    } else if (u->scheme == GB_SCHEME_BFV) {
        out->plain_bits = GB_PLAIN_BITS_DEFAULT;
        out->precision = out->plain_bits;
        out->depth = gb_params_bfv_depth(spec->log_n, out->log2_q, out->plain_bits);
    }
    sizes(out, p, spec->data_count);
}

/* Of a set that refreshes: the slots that its bootstrapping keeps, and ciphertexts and their keys as they come out of
 * it. What bootstrapping itself takes: gb_engine_bootstrap_info. */
static gb_status refreshing(gb_params_info *out, gb_ctx *ctx, const struct use *u, const gb_params *p) {
    gb_bootstrap_config c;
    unsigned in, top;
    if (!u->refreshes) return GB_OK;
    GB_TRY(gb_bootstrap_config_named(&c, ctx, u->name));
    GB_TRY(gb_bootstrap_levels(&in, &top, ctx, p, &c));
    if (c.log_slots) out->slots = UINT64_C(1) << c.log_slots;
    out->depth = top - in;
    out->scale_bits = c.scale_bits;
    out->precision = ckks_precision(out->log_n, out->scale_bits);
    sizes(out, p, gb_params_limbs(p, top));
    return GB_OK;
}

static gb_status describe(gb_params_info *out, gb_ctx *ctx, const struct use *u) {
    gb_params *p;
    GB_TRY(gb_params_named(&p, ctx, u->name));
    fill(out, u, p);
    const gb_status s = refreshing(out, ctx, u, p);
    gb_params_free(p);
    return s;
}

gb_status gb_params_at(gb_params_info *out, gb_ctx *ctx, size_t i) {
    if (i >= GB_COUNT(uses))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "parameter set number %zu: there are %zu", i, GB_COUNT(uses));
    return describe(out, ctx, &uses[i]);
}

gb_status gb_params_show(gb_params_info *out, gb_ctx *ctx, const char *name) {
    for (size_t i = 0; i < GB_COUNT(uses); i++)
        if (strcmp(uses[i].name, name) == 0) return describe(out, ctx, &uses[i]);
    gb_params *p;
    gb_status status = gb_params_named(&p, ctx, name); /* the error that lists the names */
    if (status != GB_OK) return status;
    gb_params_free(p);
    return gb_fail(ctx, GB_ERR_INTERNAL, "parameter set %s has no description", name);
}

gb_status gb_params_suggest(gb_params_info *out, gb_ctx *ctx, gb_scheme scheme, unsigned depth, uint64_t slots,
                            double precision) {
    if (scheme != GB_SCHEME_CKKS && scheme != GB_SCHEME_BFV)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "sets are suggested for ckks and bfv; the planner chooses linear ones");
    if (!(precision >= 0 && precision <= PLAIN_BITS_MAX))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a precision of %g bits: 0..%d", precision, PLAIN_BITS_MAX);
    gb_params_info best = {.name = ""};
    for (size_t i = 0; i < GB_COUNT(uses); i++) {
        if (uses[i].scheme != scheme) continue;
        GB_TRY(describe(out, ctx, &uses[i]));
        if (scheme == GB_SCHEME_BFV) {
            out->plain_bits = precision > PLAIN_BITS_MIN ? (unsigned)ceil(precision) : PLAIN_BITS_MIN;
            out->precision = out->plain_bits;
            out->depth = gb_params_bfv_depth(out->log_n, out->log2_q, out->plain_bits);
        }
        if ((out->depth >= depth || out->refreshes) && out->slots >= slots && out->precision >= precision) return GB_OK;
        if (out->slots > best.slots) best = *out;
    }
    return gb_fail(ctx, GB_ERR_NOT_FOUND,
                   "no %s set has depth %u, %llu slots and %g bits; the largest, %s, has depth %u%s, %llu slots and "
                   "%.1f bits",
                   gb_scheme_name(scheme), depth, (unsigned long long)slots, precision, best.name, best.depth,
                   best.refreshes ? " after each refresh" : "", (unsigned long long)best.slots, best.precision);
}
