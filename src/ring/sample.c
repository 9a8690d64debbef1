/* Samplers: streams of ChaCha20 turned into residues, errors and ternary secrets. */
#include "kernel/arith.h"
#include "ring/ring.h"

/* Words drawn at a time. For q close to 2^(bits-1) half of the words are kept, so a block needs 128 of them on
 * average there; for the usual q just below 2^bits one draw is nearly always enough. */
#define DRAW_WORDS 72

static void sample_block(uint64_t *out, const gb_kernels *k, const gb_modulus *m, const gb_seed *seed, uint64_t stream,
                         uint32_t lane) {
    uint64_t words[DRAW_WORDS];
    size_t made = 0;
    for (uint32_t block = 0; made < GB_SEED_BLOCK; block += sizeof words / 64) {
        gb_stream(words, sizeof words, seed, stream, lane, block);
        made += k->uniform(out + made, GB_SEED_BLOCK - made, words, DRAW_WORDS, m);
    }
}

void gb_sample_uniform(uint64_t *out, size_t n, const gb_modulus *m, const gb_seed *seed, uint64_t stream,
                       uint32_t limb, uint32_t first_block) {
    const gb_kernels *k = gb_kernels_get(gb_cpu_flags(), m->bits);
    for (size_t b = 0; b < n / GB_SEED_BLOCK; b++)
        sample_block(out + b * GB_SEED_BLOCK, k, m, seed, stream, limb << 24 | (first_block + (uint32_t)b));
}

#define SECRET_WORDS 512 /* 4 KiB of the stream at a time, on the stack and wiped */

void gb_sample_error(int8_t *out, size_t n, const gb_seed *seed, uint64_t stream) {
    const gb_kernels *k = gb_kernels_get(gb_cpu_flags(), 50);
    uint64_t words[SECRET_WORDS];
    for (size_t at = 0; at < n; at += SECRET_WORDS) {
        const size_t count = gb_min_size(SECRET_WORDS, n - at);
        gb_stream(words, count * sizeof *words, seed, stream, 0, (uint32_t)(at / 8));
        k->binomial(out + at, count, words);
    }
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
    gb_wipe(words, sizeof words);
}
