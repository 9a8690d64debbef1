/* Switching keys: whatever decodes encodes to the same bytes again. The parameters are those of the corpus: N = 2048,
 * a data prime of 24 bits and a special one of 26. */
#include "scheme/core/cipher.h"

#include "fuzz.h"

static const gb_params *fuzz_params(gb_ctx *ctx) {
    static gb_params *p;
    gb_params_spec s = {.name = "fuzz", .log_n = 11, .security = 128, .data_count = 1, .special_count = 1};
    s.data[0] = gb_prime_below(1 << 24, 4096);
    s.special[0] = gb_prime_below(1 << 26, 4096);
    if (!p) FUZZ_CLAIM(gb_params_new(&p, ctx, &s) == GB_OK);
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gb_ctx *ctx = fuzz_ctx();
    gb_switch_key k;
    if (gb_switch_key_decode(&k, ctx, fuzz_params(ctx), data, size) != GB_OK) {
        FUZZ_CLAIM(k.data == NULL && gb_ctx_error(ctx)[0] != 0);
        return 0;
    }
    gb_buffer again = GB_BUFFER_INIT;
    FUZZ_CLAIM(gb_switch_key_encode(&again, ctx, &k) == GB_OK);
    FUZZ_CLAIM(again.size == size && memcmp(again.data, data, size) == 0);
    gb_buffer_release(&again);
    gb_switch_key_release(&k);
    return 0;
}
