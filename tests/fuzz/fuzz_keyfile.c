/* Key files: an error and a sentence, or a file that is encoded again to the same bytes and asks for bounded work. It
 * is never opened here: that would only measure Argon2id. */
#include "client/keyfile.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    gb_ctx *ctx = fuzz_ctx();
    gb_keyfile f;
    if (gb_keyfile_decode(&f, ctx, "input", data, n) == GB_OK) {
        uint8_t again[GB_KEYFILE_BYTES];
        gb_keyfile_encode(again, &f);
        FUZZ_CLAIM(n == sizeof again && memcmp(again, data, n) == 0);
        FUZZ_CLAIM(f.ops >= 1 && f.ops <= GB_KEYFILE_OPS_MAX && f.memory <= GB_KEYFILE_MEMORY_MAX);
    } else {
        FUZZ_CLAIM(gb_ctx_error(ctx)[0] && !strchr(gb_ctx_error(ctx), '\n'));
    }
    return 0;
}
