/* base/crypto: BLAKE2b-256 (RFC 7693), ChaCha20 streams (RFC 8439, section 2.4), randomness. libsodium does the work.
 */
#include <assert.h>
#include <sodium.h>

#include "base/base.h"
#include "base/secrecy.h"

_Static_assert(GB_SEED_BYTES == crypto_stream_chacha20_ietf_KEYBYTES, "a seed is a ChaCha20 key");

void gb_hash_of(gb_hash *out, const void *data, size_t n, const void *key, size_t key_n) {
    assert(key_n == 0 || (key_n >= crypto_generichash_KEYBYTES_MIN && key_n <= crypto_generichash_KEYBYTES_MAX));
    crypto_generichash(out->b, sizeof out->b, data, n, key_n == 0 ? NULL : key, key_n);
    gb_secrecy_set(out, sizeof *out, gb_secrecy_of(data, n) || gb_secrecy_of(key, key_n));
}

bool gb_hash_equal(const gb_hash *a, const gb_hash *b) { return sodium_memcmp(a->b, b->b, sizeof a->b) == 0; }

/* libsodium asks the kernel (getrandom) every time: nothing to leak or repeat after a fork. */
void gb_random_bytes(void *out, size_t n) {
    randombytes_buf(out, n);
    gb_secrecy_set(out, n, false); /* a caller that keeps them to itself marks them */
}

void gb_stream(void *out, size_t n, const gb_seed *seed, uint64_t stream, uint32_t lane, uint32_t block) {
    assert((uint64_t)block + gb_ceil_div(n, 64) <= UINT64_C(1) << 32); /* the counter must not wrap */
    uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES];
    for (size_t i = 0; i < 8; i++) nonce[i] = (uint8_t)(stream >> 8 * i);
    for (size_t i = 0; i < 4; i++) nonce[8 + i] = (uint8_t)(lane >> 8 * i);
    if (block == 0) {
        crypto_stream_chacha20_ietf(out, n, nonce, seed->b);
    } else {
        memset(out, 0, n);
        crypto_stream_chacha20_ietf_xor_ic(out, out, n, nonce, block, seed->b);
    }
    gb_secrecy_set(out, n, gb_secrecy_of(seed, sizeof *seed));
}

void gb_seed_derive(gb_seed *out, const gb_seed *seed, const char *label, uint64_t number) {
    crypto_generichash_state state;
    uint8_t le[8];
    for (size_t i = 0; i < 8; i++) le[i] = (uint8_t)(number >> 8 * i);
    crypto_generichash_init(&state, seed->b, sizeof seed->b, sizeof out->b);
    /* The label's closing zero parts it from the number. */
    crypto_generichash_update(&state, (const uint8_t *)label, strlen(label) + 1);
    crypto_generichash_update(&state, le, sizeof le);
    crypto_generichash_final(&state, out->b, sizeof out->b);
    gb_wipe(&state, sizeof state);
    gb_secrecy_set(out, sizeof *out, gb_secrecy_of(seed, sizeof *seed));
}
