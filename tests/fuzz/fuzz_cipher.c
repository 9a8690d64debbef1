/* Ciphertexts of the C library, of the set exact-12, whole, seeded and fixed point: whatever decodes encodes to the
 * same bytes again, and may be computed with. */
#include "glovebox/cipher.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static gb_engine *e;
    static gb_cipher *c;
    gb_ctx *ctx = fuzz_ctx();
    if (!e) FUZZ_CLAIM(gb_engine_new(&e, ctx, "exact-12", 0) == GB_OK && gb_cipher_new(&c, e) == GB_OK);
    uint8_t *again;
    size_t n;
    if (gb_cipher_decode(c, e, data, size) != GB_OK) {
        FUZZ_CLAIM(gb_ctx_error(ctx)[0] != 0 && gb_cipher_encode(&again, &n, e, c) == GB_ERR_STATE);
        return 0;
    }
    FUZZ_CLAIM(gb_cipher_encode(&again, &n, e, c) == GB_OK);
    FUZZ_CLAIM(n == size && memcmp(again, data, size) == 0);
    gb_bytes_free(again);
    FUZZ_CLAIM(gb_cipher_neg(c, e, c) == GB_OK);
    /* refused where the noise, or the bound of the values, that it claims leaves no room */
    const gb_status sum = gb_cipher_add(c, e, c, c), low = gb_cipher_lower(c, e, c, 0);
    FUZZ_CLAIM(sum == GB_OK || sum == GB_ERR_NOISE || sum == GB_ERR_RANGE);
    FUZZ_CLAIM(low == GB_OK);
    return 0;
}
