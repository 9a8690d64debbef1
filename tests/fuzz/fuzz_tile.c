/* Tiles: whatever decodes must encode to the same bytes again. The first byte of the input chooses the bundle and the
 * place, the rest is the tile. */
#include "scheme/scheme.h"

#include "fuzz.h"

static gb_bundle_info shape(const gb_params *p, unsigned kind) {
    gb_bundle_info b = {.params = *gb_params_hash(p),
                        .axis_count = 2,
                        .axes = {{"tilt", 2}, {"x", 5}},
                        .rows = 100,
                        .copies = 1,
                        .limbs = (uint32_t)gb_params_get(p)->data_count,
                        .scale = 16,
                        .max_abs = 1000,
                        .lines_per_tile = 4};
    if (kind >= 2) {
        b.limbs = 0;
        b.bits0 = kind == 2 ? 29 : 1;
        b.bits1 = kind == 2 ? 27 : 48;
    }
    return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    gb_ctx *ctx = fuzz_ctx();
    static gb_params *params[2];
    if (params[0] == NULL) {
        FUZZ_CLAIM(gb_params_named(&params[0], ctx, "tiny-linear") == GB_OK);
        FUZZ_CLAIM(gb_params_named(&params[1], ctx, "linear") == GB_OK);
    }
    if (size < 1) return 0;
    unsigned kind = data[0] & 3, plane = data[0] >> 2 & 1;
    size_t block = data[0] >> 3 & 1, group = data[0] >> 4 & 3;
    const gb_params *p = params[kind & 1];
    gb_bundle_info b = shape(p, kind);
    if (group >= gb_bundle_groups(&b)) return 0;
    uint64_t *words;
    uint8_t *again;
    FUZZ_CLAIM(gb_alloc(&words, ctx, 2 * 4 * GB_BLOCK, sizeof *words) == GB_OK);
    FUZZ_CLAIM(gb_alloc(&again, ctx, gb_tile_bytes(&b, p, plane, group), 1) == GB_OK);
    if (gb_tile_decode(words, ctx, &b, p, plane, block, group, data + 1, size - 1) == GB_OK) {
        FUZZ_CLAIM(size - 1 == gb_tile_bytes(&b, p, plane, group));
        FUZZ_CLAIM(gb_tile_encode(again, ctx, &b, p, plane, block, group, words) == GB_OK);
        FUZZ_CLAIM(memcmp(again, data + 1, size - 1) == 0);
    } else {
        FUZZ_CLAIM(gb_ctx_error(ctx)[0] != 0);
    }
    gb_free(words);
    gb_free(again);
    return 0;
}
