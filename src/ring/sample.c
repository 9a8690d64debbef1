/* Samplers: streams of ChaCha20 turned into residues, errors and ternary secrets. */
#include "base/secrecy.h"
#include "kernel/arith.h"
#include "ring/ring.h"

/* Blocks are made in pairs: 16 ChaCha20 blocks are 64 words for each of two lanes. The usual q lies just below 2^bits,
 * where one round is nearly always enough; close to 2^(bits-1) half of the words are kept and two or three are. */
static void sample_pair(uint64_t *const out[2], const gb_kernels *k, const gb_modulus *m, const gb_seed *seed,
                        uint64_t stream, const uint32_t lane[2]) {
    uint64_t words[2 * GB_SEED_BLOCK];
    uint32_t lanes[16], counter[16];
    size_t made[2] = {0, 0};
    for (uint32_t i = 0; i < 16; i++) {
        lanes[i] = lane[i / 8];
        counter[i] = i % 8;
    }
    while (made[0] < GB_SEED_BLOCK || made[1] < GB_SEED_BLOCK) {
        k->chacha16((uint8_t *)words, seed->b, stream, lanes, counter);
        for (unsigned i = 0; i < 2; i++)
            made[i] +=
                k->uniform(out[i] + made[i], GB_SEED_BLOCK - made[i], words + i * GB_SEED_BLOCK, GB_SEED_BLOCK, m);
        for (uint32_t i = 0; i < 16; i++) counter[i] += 8;
    }
}

void gb_sample_uniform(uint64_t *out, size_t n, const gb_modulus *m, const gb_seed *seed, uint64_t stream,
                       uint32_t limb, uint32_t first_block) {
    const gb_kernels *k = gb_kernels_get(gb_cpu_flags(), m->bits);
    const size_t blocks = n / GB_SEED_BLOCK;
    const uint32_t first = limb << 24 | first_block;
    uint64_t spare[GB_SEED_BLOCK]; /* the second of the last pair when the number is odd */
    for (size_t b = 0; b < blocks; b += 2) {
        uint64_t *const to[2] = {out + b * GB_SEED_BLOCK, b + 1 < blocks ? out + (b + 1) * GB_SEED_BLOCK : spare};
        const uint32_t lane[2] = {first + (uint32_t)b, first + (uint32_t)b + 1};
        sample_pair(to, k, m, seed, stream, lane);
    }
}

#define SPARSE_WORDS 512 /* a multiple of 16: a block of the stream is 16 of these */
#define SECRET_WORDS 512 /* 4 KiB of the stream at a time, on the stack and wiped */

void gb_sample_error(int8_t *out, size_t n, const gb_seed *seed, uint64_t stream) {
    const gb_kernels *k = gb_kernels_get(gb_cpu_flags(), 50);
    uint64_t words[SECRET_WORDS];
    for (size_t at = 0; at < n; at += SECRET_WORDS) {
        const size_t count = gb_min_size(SECRET_WORDS, n - at);
        gb_stream(words, count * sizeof *words, seed, stream, 0, (uint32_t)(at / 8));
        k->binomial(out + at, count, words);
    }
    gb_secrecy_set(out, n, gb_secrecy_of(seed, sizeof *seed));
    gb_wipe(words, sizeof words);
}

/* floor(3 w / 2^64) - 1: each value has probability 1/3 within 2^-64, without rejection. */
void gb_sample_ternary(int8_t *out, size_t n, const gb_seed *seed, uint64_t stream) {
    uint64_t words[SECRET_WORDS];
    for (size_t at = 0; at < n; at += SECRET_WORDS) {
        const size_t count = gb_min_size(SECRET_WORDS, n - at);
        gb_stream(words, count * sizeof *words, seed, stream, 0, (uint32_t)(at / 8));
        for (size_t i = 0; i < count; i++) out[at + i] = (int8_t)((int)gb_mulhi(words[i], 3) - 1);
    }
    gb_secrecy_set(out, n, gb_secrecy_of(seed, sizeof *seed));
    gb_wipe(words, sizeof words);
}

void gb_sample_sparse(int8_t *out, size_t n, unsigned weight, const gb_seed *seed, uint64_t stream) {
    uint32_t words[SPARSE_WORDS];
    memset(out, 0, n);
    for (uint32_t at = 0, chosen = 0; chosen < weight; at++) {
        if (at % SPARSE_WORDS == 0) gb_stream(words, sizeof words, seed, stream, 0, at / 16);
        const uint32_t word = words[at % SPARSE_WORDS], place = (word >> 1) & (uint32_t)(n - 1);
        const int8_t sign = (int8_t)(1 - 2 * (int)(word & 1));
        uint32_t taken = 0;
        for (size_t i = 0; i < n; i++) taken |= (uint32_t)(i == place) & (uint32_t)(out[i] & 1);
        gb_declassify(&taken, sizeof taken);
        if (taken) continue;
        for (size_t i = 0; i < n; i++) out[i] = (int8_t)(out[i] | (sign & -(int8_t)(i == place)));
        chosen++;
    }
    gb_secrecy_set(out, n, gb_secrecy_of(seed, sizeof *seed));
    gb_wipe(words, sizeof words);
}
