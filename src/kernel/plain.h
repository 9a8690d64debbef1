/* kernel/plain: loops that a compiler turns into good vector code by itself. Included once for each instruction set, by
 * a file compiled with that set's flags, which fills a table with them (gb_plain_fill). All are branch-free in the data
 * and, where kernel.h asks for it, constant-time. */
#ifndef GB_KERNEL_PLAIN_H
#define GB_KERNEL_PLAIN_H

#include "kernel/arith.h"

static void gb_plain_add(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    const uint64_t q = m->q;
    for (size_t i = 0; i < n; i++) out[i] = gb_fold(a[i] + b[i], q);
}

static void gb_plain_sub(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const gb_modulus *m) {
    const uint64_t q = m->q;
    for (size_t i = 0; i < n; i++) out[i] = gb_fold(a[i] + q - b[i], q);
}

static void gb_plain_neg(uint64_t *out, const uint64_t *a, size_t n, const gb_modulus *m) {
    const uint64_t q = m->q;
    for (size_t i = 0; i < n; i++) out[i] = gb_fold(q - a[i], q);
}

static void gb_plain_round_pow2(uint64_t *out, const uint64_t *in, unsigned from, unsigned to, size_t n) {
    const unsigned shift = from - to;
    const uint64_t half = shift ? (uint64_t)1 << (shift - 1) : 0, mask = gb_mask64(to);
    if (shift >= 64) { /* only for from = 64, to = 0: nothing is left */
        memset(out, 0, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) out[i] = ((in[i] + half) >> shift) & mask;
}

/* Adding 2^(bits-1) at every digit makes the balanced digits plain ones, 2^(bits-1) too large. */
static void gb_plain_split16(int16_t *out, size_t plane, const uint64_t *in, unsigned parts, unsigned bits, size_t n) {
    const uint64_t half = (uint64_t)1 << (bits - 1), mask = gb_mask64(bits);
    uint64_t bias = 0;
    for (unsigned p = 0; p < parts; p++) bias += half << (p * bits);
    for (unsigned p = 0; p < parts; p++) {
        const unsigned shift = p * bits;
        int16_t *to = out + p * plane;
        for (size_t i = 0; i < n; i++) to[i] = (int16_t)(((in[i] + bias) >> shift & mask) - half);
    }
}

/* Ones in bits 0..20 and in bits 21..41 counted side by side, in the halves of one word. */
static void gb_plain_binomial(int8_t *out, size_t n, const uint64_t *stream) {
    const uint64_t field = 0x1fffff;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = (stream[i] & field) | (stream[i] >> 21 & field) << 32;
        v = v - (v >> 1 & UINT64_C(0x5555555555555555));
        v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
        v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
        v = v + (v >> 8) + (v >> 16); /* low byte of each half: its three bytes' sum */
        out[i] = (int8_t)((v & 0xff) - (v >> 32 & 0xff));
    }
}

static void gb_plain_lift8(uint64_t *out, const int8_t *x, size_t n, const gb_modulus *m) {
    const uint64_t q = m->q;
    for (size_t i = 0; i < n; i++) out[i] = (uint64_t)(int64_t)x[i] + (q & (uint64_t)((int64_t)x[i] >> 63));
}

static void gb_plain_lift64(uint64_t *out, const int64_t *x, size_t n, const gb_modulus *m) {
    const uint64_t q = m->q;
    for (size_t i = 0; i < n; i++) out[i] = (uint64_t)x[i] + (q & (uint64_t)(x[i] >> 63));
}

static void gb_plain_fill(gb_kernels *k) {
    k->add = gb_plain_add;
    k->sub = gb_plain_sub;
    k->neg = gb_plain_neg;
    k->round_pow2 = gb_plain_round_pow2;
    k->split16 = gb_plain_split16;
    k->binomial = gb_plain_binomial;
    k->lift8 = gb_plain_lift8;
    k->lift64 = gb_plain_lift64;
}

#endif
