/* scheme/core/bundle: the shape of a bundle, its tiles' numbers, and what a loader checks before it trusts one. */
#include <math.h>

#include "scheme/core/core.h"

size_t gb_bundle_lines(const gb_bundle_info *b) {
    size_t lines = 1;
    for (uint32_t i = 0; i < b->axis_count; i++) lines *= b->axes[i].size;
    return lines;
}

size_t gb_bundle_blocks0(const gb_bundle_info *b) { return gb_ceil_div(b->rows, GB_BLOCK); }
size_t gb_bundle_blocks1(const gb_bundle_info *b, const gb_params *p) {
    (void)b;
    return gb_ring_n(gb_params_ring(p)) / GB_BLOCK;
}
size_t gb_bundle_groups(const gb_bundle_info *b) { return gb_ceil_div(gb_bundle_lines(b), b->lines_per_tile); }

size_t gb_bundle_tiles(const gb_bundle_info *b, const gb_params *p) {
    return (gb_bundle_blocks0(b) + (b->seeded ? 0 : gb_bundle_blocks1(b, p))) * gb_bundle_groups(b);
}

size_t gb_bundle_tile(const gb_bundle_info *b, unsigned plane, size_t block, size_t group) {
    return ((plane == 0 ? 0 : gb_bundle_blocks0(b)) + block) * gb_bundle_groups(b) + group;
}

size_t gb_group_lines(const gb_bundle_info *b, size_t group) {
    return gb_min_size(b->lines_per_tile, gb_bundle_lines(b) - group * b->lines_per_tile);
}

/* Letters, digits, '-', '_' and '.', then zeros to the end: one encoding per name. */
static bool name_ok(const char name[16]) {
    size_t n = strnlen(name, 16);
    if (n == 0 || n == 16) return false;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.'))
            return false;
    }
    for (size_t i = n; i < 16; i++)
        if (name[i] != 0) return false;
    return true;
}

static gb_status check_shape(gb_ctx *ctx, const gb_bundle_info *b, size_t n) {
    if (b->axis_count < 1 || b->axis_count > GB_BUNDLE_AXES)
        return gb_fail(ctx, GB_ERR_FORMAT, "bundle: %u axes, must be 1..%d", b->axis_count, GB_BUNDLE_AXES);
    uint64_t lines = 1;
    for (uint32_t i = 0; i < b->axis_count; i++) {
        if (!name_ok(b->axes[i].name))
            return gb_fail(ctx, GB_ERR_FORMAT, "bundle: the name of axis %u is not 1..15 letters or digits", i);
        if (b->axes[i].size == 0) return gb_fail(ctx, GB_ERR_FORMAT, "bundle: axis %u is empty", i);
        lines *= b->axes[i].size; /* < 2^62: both factors are below 2^32 and the product was checked */
        if (lines > GB_BUNDLE_MAX_LINES)
            return gb_fail(ctx, GB_ERR_LIMIT, "bundle: more than %llu lines; split it",
                           (unsigned long long)GB_BUNDLE_MAX_LINES);
    }
    if (b->rows < 1 || b->rows > n)
        return gb_fail(ctx, GB_ERR_PARAMS, "bundle: %u rows, must be 1..%zu for this parameter set", b->rows, n);
    if (b->copies < 1 || b->rows % b->copies != 0)
        return gb_fail(ctx, GB_ERR_FORMAT, "bundle: %u rows do not divide into %u copies", b->rows, b->copies);
    if (b->lines_per_tile < 1 || b->lines_per_tile > GB_BUNDLE_MAX_LINES_PER_TILE)
        return gb_fail(ctx, GB_ERR_LIMIT, "bundle: %u lines a tile, must be 1..%d", b->lines_per_tile,
                       GB_BUNDLE_MAX_LINES_PER_TILE);
    return GB_OK;
}

/* The modulus, and that the declared values fit it: |value| * scale must stay below half of it to decrypt. */
static gb_status check_modulus(gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p) {
    double log2_q;
    if (b->limbs > 0) {
        if (b->limbs > gb_params_get(p)->data_count || b->bits0 != 0 || b->bits1 != 0)
            return gb_fail(ctx, GB_ERR_PARAMS, "bundle: %u limbs with %u and %u bits; %s has %zu data primes", b->limbs,
                           b->bits0, b->bits1, gb_params_get(p)->name, gb_params_get(p)->data_count);
        log2_q = gb_ring_log2_q(gb_params_ring(p), b->limbs);
    } else {
        if (b->bits0 < 1 || b->bits0 > GB_BUNDLE_MAX_BITS || b->bits1 < 1 || b->bits1 > GB_BUNDLE_MAX_BITS)
            return gb_fail(ctx, GB_ERR_PARAMS, "bundle: powers of two of %u and %u bits, must be 1..%d", b->bits0,
                           b->bits1, GB_BUNDLE_MAX_BITS);
        if (b->seeded) return gb_fail(ctx, GB_ERR_FORMAT, "bundle: a seed has no meaning modulo a power of two");
        log2_q = b->bits0 > b->bits1 ? b->bits0 : b->bits1;
    }
    if (!isfinite(b->scale) || b->scale <= 0 || !isfinite(b->max_abs) || b->max_abs <= 0)
        return gb_fail(ctx, GB_ERR_FORMAT, "bundle: scale and largest value must be positive numbers");
    if (log2(b->scale) + log2(b->max_abs) > log2_q - 1)
        return gb_fail(ctx, GB_ERR_PARAMS,
                       "bundle: values up to %g at scale %g do not fit a modulus of %.1f bits; lower the scale",
                       b->max_abs, b->scale, log2_q);
    return GB_OK;
}

gb_status gb_bundle_check(gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p) {
    if (!gb_hash_equal(&b->params, gb_params_hash(p)))
        return gb_fail(ctx, GB_ERR_PARAMS, "bundle: made with other parameters than %s", gb_params_get(p)->name);
    GB_TRY(check_shape(ctx, b, gb_ring_n(gb_params_ring(p))));
    GB_TRY(check_modulus(ctx, b, p));
    if (gb_tile_bytes(b, p, 1, 0) > GB_TILE_MAX_BYTES)
        return gb_fail(ctx, GB_ERR_LIMIT, "bundle: tiles of more than %d bytes; take fewer lines a tile",
                       GB_TILE_MAX_BYTES);
    if (gb_bundle_tiles(b, p) > GB_BUNDLE_MAX_TILES)
        return gb_fail(ctx, GB_ERR_LIMIT, "bundle: more than %d tiles; take more lines a tile", GB_BUNDLE_MAX_TILES);
    return GB_OK;
}
