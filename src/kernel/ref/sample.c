/* Reference samplers: what a stream of random words becomes. Apart from `uniform`, whose output is public, they run in
 * constant time: no branch and no address depends on a sample. */
#include "kernel/arith.h"
#include "kernel/tables.h"

static size_t uniform(uint64_t *out, size_t n, const uint64_t *stream, size_t words, const gb_modulus *m) {
    const uint64_t mask = gb_mask64(m->bits);
    size_t made = 0;
    for (size_t i = 0; i < words && made < n; i++) {
        uint64_t v = stream[i] & mask;
        if (v < m->q) out[made++] = v;
    }
    return made;
}

/* Ones in a 21-bit word by adding fields of 2, 4, 8 bits and a multiplication that sums the bytes. */
static uint32_t ones21(uint32_t v) {
    v = v - ((v >> 1) & 0x155555);
    v = (v & 0x133333) + ((v >> 2) & 0x133333);
    v = (v + (v >> 4)) & 0x0f0f0f;
    return (v * 0x010101) >> 16 & 0xff;
}

static void binomial(int8_t *out, size_t n, const uint64_t *stream) {
    for (size_t i = 0; i < n; i++) {
        uint32_t plus = (uint32_t)(stream[i] & 0x1fffff), minus = (uint32_t)(stream[i] >> 21 & 0x1fffff);
        out[i] = (int8_t)((int32_t)ones21(plus) - (int32_t)ones21(minus));
    }
}

static void lift8(uint64_t *out, const int8_t *x, size_t n, const gb_modulus *m) {
    for (size_t i = 0; i < n; i++) out[i] = (uint64_t)(int64_t)x[i] + (m->q & (uint64_t)((int64_t)x[i] >> 63));
}

static void lift64(uint64_t *out, const int64_t *x, size_t n, const gb_modulus *m) {
    for (size_t i = 0; i < n; i++) out[i] = (uint64_t)x[i] + (m->q & (uint64_t)(x[i] >> 63));
}

void gb_kernels_fill_ref_sample(gb_kernels *k) {
    k->uniform = uniform;
    k->binomial = binomial;
    k->lift8 = lift8;
    k->lift64 = lift64;
}
