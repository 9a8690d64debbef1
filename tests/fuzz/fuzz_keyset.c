/* Key sets: whatever decodes encodes to the same bytes again, and its id is their hash. */
#include "scheme/scheme.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gb_ctx *ctx = fuzz_ctx();
    gb_keyset *k;
    if (gb_keyset_decode(&k, ctx, data, size) != GB_OK) {
        FUZZ_CLAIM(k == NULL && gb_ctx_error(ctx)[0] != 0);
        return 0;
    }
    gb_buffer again = GB_BUFFER_INIT;
    gb_hash id;
    FUZZ_CLAIM(gb_keyset_encode(&again, ctx, k) == GB_OK);
    FUZZ_CLAIM(again.size == size && memcmp(again.data, data, size) == 0);
    gb_hash_of(&id, data, size, NULL, 0);
    FUZZ_CLAIM(gb_hash_equal(&id, gb_keyset_id(k)));
    gb_buffer_release(&again);
    gb_keyset_free(k);
    return 0;
}
