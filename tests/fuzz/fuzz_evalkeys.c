/* Evaluation keys of the C library, of the set exact-12: whatever decodes encodes to the same bytes again. */
#include "glovebox/keys.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static gb_engine *e;
    gb_ctx *ctx = fuzz_ctx();
    if (!e) FUZZ_CLAIM(gb_engine_new(&e, ctx, "exact-12", 0) == GB_OK);
    gb_evalkeys *k;
    uint8_t *again;
    size_t n;
    if (gb_evalkeys_decode(&k, e, data, size) != GB_OK) {
        FUZZ_CLAIM(k == NULL && gb_ctx_error(ctx)[0] != 0);
        return 0;
    }
    FUZZ_CLAIM(gb_evalkeys_encode(&again, &n, e, k) == GB_OK);
    FUZZ_CLAIM(n == size && memcmp(again, data, size) == 0);
    gb_bytes_free(again);
    gb_evalkeys_free(k);
    return 0;
}
