/* Reference ChaCha20: one block after the other, by the book (RFC 8439, section 2.3). Little-endian machines. */
#include "kernel/tables.h"

static uint32_t rotate(uint32_t x, unsigned by) { return x << by | x >> (32 - by); }

static void quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d) {
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

static void chacha_block(uint8_t *out, const uint32_t state[16]) {
    uint32_t x[16];
    memcpy(x, state, sizeof x);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++) quarter(x, i, 4 + i, 8 + i, 12 + i);
        for (unsigned i = 0; i < 4; i++) quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (unsigned i = 0; i < 16; i++) x[i] += state[i];
    memcpy(out, x, sizeof x);
}

static void chacha16(uint8_t *out, const uint8_t key[32], uint64_t stream, const uint32_t *lane,
                     const uint32_t *counter) {
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(state + 4, key, 32);
    state[13] = (uint32_t)stream;
    state[14] = (uint32_t)(stream >> 32);
    for (unsigned b = 0; b < 16; b++) {
        state[12] = counter[b];
        state[15] = lane[b];
        chacha_block(out + 64 * b, state);
    }
}

void gb_kernels_fill_ref_chacha(gb_kernels *k) { k->chacha16 = chacha16; }
