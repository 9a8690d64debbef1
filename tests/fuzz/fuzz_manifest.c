/* Manifests: whatever decodes passes the loader's checks and encodes to the same bytes again. */
#include "scheme/scheme.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gb_ctx *ctx = fuzz_ctx();
    gb_manifest m;
    gb_params *p;
    if (gb_manifest_decode(&m, &p, ctx, data, size) != GB_OK) {
        FUZZ_CLAIM(m.tiles == NULL && p == NULL && gb_ctx_error(ctx)[0] != 0);
        return 0;
    }
    gb_buffer again = GB_BUFFER_INIT;
    FUZZ_CLAIM(gb_bundle_check(ctx, &m.info, p) == GB_OK);
    FUZZ_CLAIM(m.tile_count == gb_bundle_tiles(&m.info, p));
    FUZZ_CLAIM(gb_manifest_encode(&again, ctx, &m) == GB_OK);
    FUZZ_CLAIM(again.size == size && memcmp(again.data, data, size) == 0);
    gb_buffer_release(&again);
    gb_manifest_release(&m);
    gb_params_free(p);
    return 0;
}
