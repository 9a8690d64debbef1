/* scheme/core/params: checked parameter sets, the security table and the sets we ship. */
#include "scheme/scheme.h"

#include <math.h>

struct gb_params {
    gb_params_spec spec;
    char name[32];
    gb_ring *ring;
    gb_hash hash;
};

/* Most bits of log2(QP): "Security Guidelines for Implementing Homomorphic Encryption" (eprint 2024/463), classical
 * attacks, uniform ternary secret, error of standard deviation 3.19. Columns: 128, 192, 256 bits; 0: none. */
static const double security_table[][3] = {
    {26, 0, 0},      {53, 36, 27},    {106, 73, 56},     {214, 147, 114},
    {430, 297, 230}, {868, 597, 462}, {1747, 1199, 929}, {3523, 2411, 1866},
};
#define TABLE_FIRST_LOG_N 10

double gb_security_max_log2(unsigned log_n, unsigned security) {
    if (log_n < TABLE_FIRST_LOG_N || log_n >= TABLE_FIRST_LOG_N + GB_COUNT(security_table)) return 0;
    const double *row = security_table[log_n - TABLE_FIRST_LOG_N];
    return security == 128 ? row[0] : security == 192 ? row[1] : security == 256 ? row[2] : 0;
}

double gb_security_max_log2_of(unsigned log_n, unsigned security, unsigned weight) {
    if (!weight) return gb_security_max_log2(log_n, security);
    if (weight != 192 || security != 128) return 0;
    return log_n == 15 ? 767 : log_n == 16 ? 1546 : 0;
}

/* Every prime here is 1 modulo 2^17: good for cyclic transforms along a bundle of up to 2^17 lines as well as for the
 * ring. Largest such primes below the power of two named.
 * linear: 64 bits hold data of 20 bits, filter taps of 20 bits and the 17.5 bits of headroom that weights of 12 bits
 * want (docs/design.md), with room for a filter's gain.
 * leveled-*: CKKS at a scale of 2^40, a first prime with room for values up to 2^6 or more, and a P above every digit's
 * product, so that key switching adds less than the rounding does. 13: 46 + 3 x 40 | 47, 213 <= 214 bits. 14: 48 +
 * 7 x 40 | 2 x 50, 428 <= 430. 15: 48 + 15 x 40 | 4 x 50, 848 <= 868.
 * joint-*: CKKS at a scale of 2^150, levels of three primes of 50 bits above a base of four, for results that holders
 * of a joint key open: room for the noise that hides theirs. 14: 7 | 1, 400 <= 430 bits. 15: 13 | 4, 850 <= 868.
 * exact-*: BFV. P may be below a digit's product: the noise of key switching stays below that of the product before it.
 * 12: 2 x 36 | 34, 13: 4 x 43.5 | 40, 14: 8 x 45 | 2 x 35: 106, 214 and 430 bits, the whole table. */
static const gb_params_spec shipped[] = {
    {.name = "tiny-linear", .log_n = 11, .security = 128, .data_count = 1, .data = {0x3ffffffd20001 /* 2^50 */}},
    {.name = "linear", .log_n = 12, .security = 128, .data_count = 2, .data = {0xfff00001, 0xffd20001 /* 2^32 */}},
    {.name = "leveled-13",
     .log_n = 13,
     .security = 128,
     .data_count = 4,
     .data = {0x3fffffcc0001 /* 2^46 */, 0xffffe80001, 0xffffc40001, 0xffffb20001 /* 2^40 */},
     .special_count = 1,
     .special = {0x7ffffff00001 /* 2^47 */}},
    {.name = "leveled-14",
     .log_n = 14,
     .security = 128,
     .data_count = 8,
     .data = {0xfffffffa0001 /* 2^48 */, 0xffffe80001, 0xffffc40001, 0xffffb20001, 0xffff940001, 0xffff8a0001,
              0xffff820001, 0xffff780001},
     .special_count = 2,
     .special = {0x3ffffffd20001, 0x3ffffffb80001}},
    {.name = "leveled-15",
     .log_n = 15,
     .security = 128,
     .data_count = 16,
     .data = {0xfffffffa0001 /* 2^48 */, 0xffffe80001, 0xffffc40001, 0xffffb20001, 0xffff940001, 0xffff8a0001,
              0xffff820001, 0xffff780001, 0xffff580001, 0xffff480001, 0xffff420001, 0xffff340001, 0xfffeb60001,
              0xfffeb00001, 0xfffe9e0001, 0xfffe860001},
     .special_count = 4,
     .special = {0x3ffffffd20001, 0x3ffffffb80001, 0x3fffffed60001, 0x3fffffec80001}},
    {.name = "joint-14",
     .log_n = 14,
     .security = 128,
     .data_count = 7,
     .data = {0x3ffffffd20001, 0x3ffffffb80001, 0x3fffffed60001, 0x3fffffec80001, 0x3fffffebe0001, 0x3fffffea60001,
              0x3fffffea40001},
     .group = {[3] = 4, [6] = 3},
     .special_count = 1,
     .special = {0x3fffffe9e0001}},
    {.name = "joint-15",
     .log_n = 15,
     .security = 128,
     .data_count = 13,
     .data = {0x3ffffffd20001, 0x3ffffffb80001, 0x3fffffed60001, 0x3fffffec80001, 0x3fffffebe0001, 0x3fffffea60001,
              0x3fffffea40001, 0x3fffffe9e0001, 0x3fffffe9a0001, 0x3fffffe940001, 0x3fffffe620001, 0x3fffffe460001,
              0x3fffffdd40001},
     .group = {[3] = 4, [6] = 3, [9] = 3, [12] = 3},
     .special_count = 4,
     .special = {0x3fffffdce0001, 0x3fffffd900001, 0x3fffffd7a0001, 0x3fffffd540001}},
    {.name = "exact-12",
     .log_n = 12,
     .security = 128,
     .data_count = 2,
     .data = {0xffff00001, 0xfff9c0001 /* 2^36 */},
     .special_count = 1,
     .special = {0x3ffd20001 /* 2^34 */}},
    {.name = "exact-13",
     .log_n = 13,
     .security = 128,
     .data_count = 4,
     .data = {0xb504f500001, 0xb504f620001, 0xb504f6a0001, 0xb504f6e0001 /* 2^43.5 */},
     .special_count = 1,
     .special = {0xffffe80001}},
    {.name = "exact-14",
     .log_n = 14,
     .security = 128,
     .data_count = 8,
     .data = {0x1fffffc20001, 0x1fffff980001, 0x1fffff7e0001, 0x1fffff360001, 0x1fffff060001, 0x1ffffede0001,
              0x1ffffeca0001, 0x1ffffeb40001 /* 2^45 */},
     .special_count = 2,
     .special = {0x7fff80001, 0x7ffd80001 /* 2^35 */}},
    /* Bootstrapping (scheme/bootstrap, the options of gb_bootstrap_config_named). From the bottom: q0 | levels for
     * slots-to-coefficients | the user's | the sine | coefficients-to-slots; levels of 60 bits are two primes. A sine's
     * errors grow most from its first levels, so these are the largest. P is above each digit's product.
     *   deep-15: 50 | 2 x 34 | 2 x 40 | 6 x 50 + 2 x 60 | 2 x 46; P 3 x 50; 860 <= 868 bits.
     *   deep-16: 60 | 3 x 36 | 6 x 40 | 8 x 60 | 4 x 48; P 11 x 50; 1630 <= 1747.
     *   deep-16-fast: 50 | 3 x 36 | 3 x 40 | 5 x 50 + 3 x 60 | 4 x 48; P 11 x 50; a secret of weight 192, whose
     * products round to 15 times less: 1450 <= 1546. deep-16-precise: 50 | 3 x 36 | 9 x 47 | 5 x 50 + 3 x 60 | 4 x 48;
     * P 10 x 50; 1703 <= 1747. */
    {.name = "deep-15",
     .log_n = 15,
     .security = 128,
     .data_count = 17,
     .data = {0x3fffffec80001, 0x3ffd20001, 0x3ffc00001, 0xffffe80001, 0xffffc40001, 0x3fffffebe0001, 0x3fffffea60001,
              0x3fffffea40001, 0x3fffffe9e0001, 0x3fffffe9a0001, 0x3fffffe940001, 0x3ffc0001, 0x3fde0001, 0x3fd20001,
              0x3fac0001, 0x3fffffcc0001, 0x3fffffb20001},
     .group = {[12] = 2, [14] = 2},
     .special_count = 3,
     .special = {0x3ffffffd20001, 0x3ffffffb80001, 0x3fffffed60001}},
    {.name = "deep-16",
     .log_n = 16,
     .security = 128,
     .data_count = 31,
     .data = {0x3ffc0001,     0x3fde0001,     0xffff00001,   0xfff9c0001,  0xfff8e0001, 0xffffe80001, 0xffffc40001,
              0xffffb20001,   0xffff940001,   0xffff8a0001,  0xffff820001, 0x3fd20001,  0x3fac0001,   0x3f820001,
              0x3f760001,     0x3f5a0001,     0x3f540001,    0x3f3a0001,   0x3ef80001,  0x3ef40001,   0x3ee60001,
              0x3ed60001,     0x3ed00001,     0x3ebc0001,    0x3eb00001,   0x3e880001,  0x3e820001,   0xfffffffa0001,
              0xfffffff00001, 0xffffffde0001, 0xffffff6a0001},
     .group = {[1] = 2, [12] = 2, [14] = 2, [16] = 2, [18] = 2, [20] = 2, [22] = 2, [24] = 2, [26] = 2},
     .special_count = 11,
     .special = {0x3ffffffd20001, 0x3ffffffb80001, 0x3fffffed60001, 0x3fffffec80001, 0x3fffffebe0001, 0x3fffffea60001,
                 0x3fffffea40001, 0x3fffffe9e0001, 0x3fffffe9a0001, 0x3fffffe940001, 0x3fffffe620001}},
    {.name = "deep-16-fast",
     .log_n = 16,
     .security = 128,
     .data_count = 22,
     .data = {0x3fffffe460001, 0xffff00001,     0xfff9c0001,     0xfff8e0001,     0xffffe80001,    0xffffc40001,
              0xffffb20001,    0x3fffffdd40001, 0x3fffffdce0001, 0x3fffffd900001, 0x3fffffd7a0001, 0x3fffffd540001,
              0x3ffc0001,      0x3fde0001,      0x3fd20001,      0x3fac0001,      0x3f820001,      0x3f760001,
              0xfffffffa0001,  0xfffffff00001,  0xffffffde0001,  0xffffff6a0001},
     .group = {[13] = 2, [15] = 2, [17] = 2},
     .special_count = 11,
     .special = {0x3ffffffd20001, 0x3ffffffb80001, 0x3fffffed60001, 0x3fffffec80001, 0x3fffffebe0001, 0x3fffffea60001,
                 0x3fffffea40001, 0x3fffffe9e0001, 0x3fffffe9a0001, 0x3fffffe940001, 0x3fffffe620001},
     .weight = 192},
    {.name = "deep-16-precise",
     .log_n = 16,
     .security = 128,
     .data_count = 28,
     .data = {0x3fffffe620001, 0xffff00001,     0xfff9c0001,     0xfff8e0001,     0x7ffffff00001,  0x7fffffe40001,
              0x7fffffda0001,  0x7fffffc80001,  0x7fffffbc0001,  0x7fffffae0001,  0x7fffff9c0001,  0x7fffff860001,
              0x7fffff060001,  0x3fffffe460001, 0x3fffffdd40001, 0x3fffffdce0001, 0x3fffffd900001, 0x3fffffd7a0001,
              0x3ffc0001,      0x3fde0001,      0x3fd20001,      0x3fac0001,      0x3f820001,      0x3f760001,
              0xfffffffa0001,  0xfffffff00001,  0xffffffde0001,  0xffffff6a0001},
     .group = {[19] = 2, [21] = 2, [23] = 2},
     .special_count = 10,
     .special = {0x3ffffffd20001, 0x3ffffffb80001, 0x3fffffed60001, 0x3fffffec80001, 0x3fffffebe0001, 0x3fffffea60001,
                 0x3fffffea40001, 0x3fffffe9e0001, 0x3fffffe9a0001, 0x3fffffe940001}},
};

/* Canonical encoding: "GBP1", log_n, security, counts (each one byte), primes (8 bytes each), groups when there are
 * any, the secret's weight (two bytes) when it has one. The name is no part: two names of one mathematical object are
 * one set. */
static gb_status hash_spec(gb_hash *out, gb_ctx *ctx, const gb_params_spec *s) {
    gb_buffer b = GB_BUFFER_INIT;
    gb_write_bytes(&b, "GBP1", 4);
    gb_write_u8(&b, (uint8_t)s->log_n);
    gb_write_u16(&b, (uint16_t)s->security);
    gb_write_u8(&b, (uint8_t)s->data_count);
    for (size_t i = 0; i < s->data_count; i++) gb_write_u64(&b, s->data[i]);
    gb_write_u8(&b, (uint8_t)s->special_count);
    for (size_t i = 0; i < s->special_count; i++) gb_write_u64(&b, s->special[i]);
    for (size_t i = 0; i < s->data_count; i++)
        if (s->group[i] > 1) {
            for (size_t j = 0; j < s->data_count; j++) gb_write_u8(&b, s->group[j] ? s->group[j] : 1);
            break;
        }
    if (s->weight) gb_write_u16(&b, (uint16_t)s->weight);
    if (b.status != GB_OK) return gb_fail(ctx, b.status, "out of memory: parameters");
    gb_hash_of(out, b.data, b.size, NULL, 0);
    gb_buffer_release(&b);
    return GB_OK;
}

static gb_status check_spec(gb_ctx *ctx, const gb_params_spec *s) {
    if (s->name == NULL || strlen(s->name) == 0 || strlen(s->name) > 31)
        return gb_fail(ctx, GB_ERR_PARAMS, "parameters: the name must have 1..31 characters");
    if (s->log_n < TABLE_FIRST_LOG_N || s->log_n > GB_MAX_LOG_N)
        return gb_fail(ctx, GB_ERR_PARAMS, "parameters %s: log_n is %u, must be 10..17", s->name, s->log_n);
    if (s->data_count < 1 || s->data_count > GB_MAX_LIMBS || s->special_count > GB_MAX_LIMBS - s->data_count)
        return gb_fail(ctx, GB_ERR_PARAMS, "parameters %s: %zu data and %zu special primes; 1..%d in all", s->name,
                       s->data_count, s->special_count, GB_MAX_LIMBS);
    for (size_t i = 0; i < s->data_count; i++)
        if (s->group[i] > i + 1)
            return gb_fail(ctx, GB_ERR_PARAMS, "parameters %s: level at prime %zu takes %u primes", s->name, i,
                           s->group[i]);
    if (s->security != 128 && s->security != 192 && s->security != 256)
        return gb_fail(ctx, GB_ERR_PARAMS, "parameters %s: security is %u, must be 128, 192 or 256", s->name,
                       s->security);
    if (s->weight && s->weight != 192)
        return gb_fail(ctx, GB_ERR_PARAMS, "parameters %s: a secret of weight %u; 0 (uniform) or 192", s->name,
                       s->weight);
    return GB_OK;
}

gb_status gb_security_check(gb_ctx *ctx, const gb_ring *r, const size_t *limbs, size_t limb_count,
                            const gb_params_spec *s) {
    double bits = 0;
    for (size_t i = 0; i < limb_count; i++) bits += log2((double)gb_ring_modulus(r, limbs[i])->q);
    double most = gb_security_max_log2_of(gb_ring_log_n(r), s->security, s->weight);
    if (bits > most)
        return gb_fail(ctx, GB_ERR_INSECURE,
                       "parameters: log2(QP) is %.2f but N = 2^%u allows %.0f at %u bits; take fewer primes or a "
                       "larger ring",
                       bits, gb_ring_log_n(r), most, s->security);
    return GB_OK;
}

gb_status gb_params_new(gb_params **out, gb_ctx *ctx, const gb_params_spec *spec) {
    *out = NULL;
    GB_TRY(check_spec(ctx, spec));
    gb_params *p;
    GB_TRY(gb_alloc_zero(&p, ctx, 1, sizeof *p));
    p->spec = *spec;
    memcpy(p->name, spec->name, strlen(spec->name) + 1);
    p->spec.name = p->name;
    uint64_t primes[GB_MAX_LIMBS];
    size_t limbs[GB_MAX_LIMBS], count = spec->data_count + spec->special_count;
    for (size_t i = 0; i < count; i++) {
        limbs[i] = i;
        primes[i] = i < spec->data_count ? spec->data[i] : spec->special[i - spec->data_count];
    }
    gb_status status = gb_ring_new(&p->ring, ctx, spec->log_n, primes, count);
    if (status == GB_OK) status = gb_security_check(ctx, p->ring, limbs, count, spec);
    if (status == GB_OK) status = hash_spec(&p->hash, ctx, &p->spec);
    if (status != GB_OK) {
        gb_params_free(p);
        return status;
    }
    *out = p;
    return GB_OK;
}

size_t gb_params_names(const char **out, size_t max) {
    for (size_t i = 0; i < GB_COUNT(shipped) && i < max; i++) out[i] = shipped[i].name;
    return GB_COUNT(shipped);
}

gb_status gb_params_named(gb_params **out, gb_ctx *ctx, const char *name) {
    *out = NULL;
    char list[256] = "";
    for (size_t i = 0; i < GB_COUNT(shipped); i++) {
        if (strcmp(shipped[i].name, name) == 0) return gb_params_new(out, ctx, &shipped[i]);
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", shipped[i].name);
    }
    return gb_fail(ctx, GB_ERR_NOT_FOUND, "parameter set \"%.40s\" is not known; there are %s", name, list);
}

gb_status gb_params_by_hash(gb_params **out, gb_ctx *ctx, const gb_hash *hash) {
    *out = NULL;
    for (size_t i = 0; i < GB_COUNT(shipped); i++) {
        gb_hash h;
        GB_TRY(hash_spec(&h, ctx, &shipped[i]));
        if (gb_hash_equal(&h, hash)) return gb_params_new(out, ctx, &shipped[i]);
    }
    char hex[2 * GB_HASH_BYTES + 1];
    gb_hex(hex, hash->b, sizeof hash->b);
    return gb_fail(ctx, GB_ERR_PARAMS, "parameter set %s is none of those shipped; update glovebox", hex);
}

void gb_params_free(gb_params *p) {
    if (p == NULL) return;
    gb_ring_free(p->ring);
    gb_free(p);
}

const gb_params_spec *gb_params_get(const gb_params *p) { return &p->spec; }
const gb_ring *gb_params_ring(const gb_params *p) { return p->ring; }
const gb_hash *gb_params_hash(const gb_params *p) { return &p->hash; }

static unsigned group_of(const gb_params *p, unsigned limbs) {
    unsigned g = p->spec.group[limbs - 1];
    return g ? g : 1;
}

unsigned gb_params_level(const gb_params *p, unsigned limbs) {
    unsigned level = 0;
    for (; limbs > group_of(p, limbs); limbs -= group_of(p, limbs)) level++;
    return level;
}

unsigned gb_params_limbs(const gb_params *p, unsigned level) {
    unsigned limbs = (unsigned)p->spec.data_count;
    for (unsigned at = gb_params_level(p, limbs); at > level; at--) limbs -= group_of(p, limbs);
    return limbs;
}

double gb_params_divisor(const gb_params *p, unsigned level) {
    unsigned limbs = gb_params_limbs(p, level);
    double product = 1;
    for (unsigned i = 0; i < group_of(p, limbs); i++) product *= (double)p->spec.data[limbs - 1 - i];
    return product;
}
