/* ChaCha20 on eight blocks at once, twice, AVX2. */
#define W 8
#include "kernel/chacha.h"

#include "kernel/tables.h"

static void chacha16(uint8_t *out, const uint8_t key[32], uint64_t stream, const uint32_t *lane,
                     const uint32_t *counter) {
    uint32_t k[8];
    memcpy(k, key, sizeof k);
    for (unsigned half = 0; half < 16; half += W) {
        gb_lanes x[16];
        uint32_t word[16][W];
        gb_chacha_lanes(x, k, stream, lane + half, counter + half);
        memcpy(word, x, sizeof word);
        for (unsigned b = 0; b < W; b++)
            for (unsigned i = 0; i < 16; i++) memcpy(out + 64 * (half + b) + 4 * i, &word[i][b], 4);
    }
}

void gb_kernels_fill_avx2_chacha(gb_kernels *k) { k->chacha16 = chacha16; }
