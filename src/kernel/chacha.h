/* kernel/chacha: ChaCha20 (RFC 8439, section 2.3) on W blocks side by side, written over the compiler's vector types.
 * Included by a file compiled for one instruction set, which defines W (8 or 16 lanes of 32 bits). */
#ifndef GB_KERNEL_CHACHA_H
#define GB_KERNEL_CHACHA_H

#include "kernel/kernel.h"

typedef uint32_t gb_lanes __attribute__((vector_size(4 * W)));

static inline gb_lanes gb_rotate(gb_lanes x, int by) { return x << by | x >> (32 - by); }

static inline gb_lanes gb_lanes_of(uint32_t x) { return (gb_lanes){0} + x; }

static inline __attribute__((always_inline)) void gb_quarter(gb_lanes *a, gb_lanes *b, gb_lanes *c, gb_lanes *d) {
    *a += *b, *d = gb_rotate(*d ^ *a, 16);
    *c += *d, *b = gb_rotate(*b ^ *c, 12);
    *a += *b, *d = gb_rotate(*d ^ *a, 8);
    *c += *d, *b = gb_rotate(*b ^ *c, 7);
}

/* out: 16 words of the state for each block: word i of block b in lane b of x[i]. */
static inline __attribute__((always_inline)) void
gb_chacha_lanes(gb_lanes x[16], const uint32_t key[8], uint64_t stream, const uint32_t *lane, const uint32_t *counter) {
    static const uint32_t constant[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    gb_lanes blocks, lanes;
    memcpy(&blocks, counter, sizeof blocks);
    memcpy(&lanes, lane, sizeof lanes);
    for (unsigned i = 0; i < 4; i++) x[i] = gb_lanes_of(constant[i]);
    for (unsigned i = 0; i < 8; i++) x[4 + i] = gb_lanes_of(key[i]);
    x[12] = blocks;
    x[13] = gb_lanes_of((uint32_t)stream);
    x[14] = gb_lanes_of((uint32_t)(stream >> 32));
    x[15] = lanes;
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++) gb_quarter(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
        for (unsigned i = 0; i < 4; i++)
            gb_quarter(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
    }
    for (unsigned i = 0; i < 4; i++) x[i] += constant[i];
    for (unsigned i = 0; i < 8; i++) x[4 + i] += key[i];
    x[12] += blocks;
    x[13] += (uint32_t)stream;
    x[14] += (uint32_t)(stream >> 32);
    x[15] += lanes;
}

#endif
