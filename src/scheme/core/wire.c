/* scheme/core/wire: tiles as bytes, and folders of tiles.
 *
 * Tile: "GBT1" | u8 plane | u8 limbs (0: power of two) | u8 bits (0: limbs) | u8 0 | u32 block | u32 group | u32 lines
 * | for each limb: lines * 64 residues of the modulus' width in bits, packed, little-endian. 64 residues of any width
 * fill whole bytes, so there is no padding and one encoding per content. */
#include <sys/stat.h>

#include "scheme/core/core.h"

static size_t tile_limbs(const gb_bundle_info *b) { return b->limbs > 0 ? b->limbs : 1; }

static unsigned tile_bits(const gb_bundle_info *b, const gb_params *p, unsigned plane, size_t limb) {
    if (b->limbs > 0) return gb_ring_modulus(gb_params_ring(p), limb)->bits;
    return plane == 0 ? b->bits0 : b->bits1;
}

size_t gb_tile_bytes(const gb_bundle_info *b, const gb_params *p, unsigned plane, size_t group) {
    size_t n = GB_TILE_HEADER, count = gb_group_lines(b, group) * GB_BLOCK;
    for (size_t j = 0; j < tile_limbs(b); j++) n += gb_packed_bytes(count, tile_bits(b, p, plane, j));
    return n;
}

static void write_header(uint8_t out[GB_TILE_HEADER], const gb_bundle_info *b, unsigned plane, size_t block,
                         size_t group) {
    memcpy(out, "GBT1", 4);
    out[4] = (uint8_t)plane;
    out[5] = (uint8_t)b->limbs;
    out[6] = (uint8_t)(b->limbs > 0 ? 0 : plane == 0 ? b->bits0 : b->bits1);
    out[7] = 0;
    uint32_t numbers[3] = {(uint32_t)block, (uint32_t)group, (uint32_t)gb_group_lines(b, group)};
    for (size_t i = 0; i < 12; i++) out[8 + i] = (uint8_t)(numbers[i / 4] >> 8 * (i % 4));
}

static gb_status check_place(gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p, unsigned plane, size_t block,
                             size_t group) {
    size_t blocks = plane == 0 ? gb_bundle_blocks0(b) : gb_bundle_blocks1(b, p);
    if (plane > 1 || block >= blocks || group >= gb_bundle_groups(b))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "tile: plane %u, block %zu, group %zu does not exist in this bundle",
                       plane, block, group);
    return GB_OK;
}

gb_status gb_tile_encode(uint8_t *out, gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p, unsigned plane,
                         size_t block, size_t group, const uint64_t *words) {
    GB_TRY(check_place(ctx, b, p, plane, block, group));
    const gb_kernels *k = gb_ring_kernels(gb_params_ring(p));
    size_t count = gb_group_lines(b, group) * GB_BLOCK;
    write_header(out, b, plane, block, group);
    uint8_t *at = out + GB_TILE_HEADER;
    for (size_t j = 0; j < tile_limbs(b); j++) {
        unsigned bits = tile_bits(b, p, plane, j);
        k->pack(at, words + j * count, count, bits);
        at += gb_packed_bytes(count, bits);
    }
    return GB_OK;
}

/* Which field of the header is not what this bundle's tile at this place must have. */
static gb_status refuse_header(gb_ctx *ctx, const uint8_t *data, const uint8_t *want, size_t tile) {
    if (memcmp(data, "GBT", 3) != 0) return gb_fail(ctx, GB_ERR_FORMAT, "tile %zu: not a tile of glovebox", tile);
    if (data[3] != want[3])
        return gb_fail(ctx, GB_ERR_VERSION, "tile %zu: version '%c' is not supported; update glovebox", tile,
                       data[3] >= '0' && data[3] <= 'z' ? data[3] : '?');
    if (memcmp(data + 5, want + 5, 3) != 0)
        return gb_fail(ctx, GB_ERR_PARAMS, "tile %zu: has %u limbs, %u bits where the bundle has %u limbs, %u bits",
                       tile, data[5], data[6], want[5], want[6]);
    return gb_fail(ctx, GB_ERR_FORMAT, "tile %zu: its plane, block, group or line count is another tile's", tile);
}

/* Coefficients from `rows` on exist only as padding of the last block and are zero. */
static bool padding_is_zero(const gb_bundle_info *b, size_t block, const uint64_t *words, size_t runs) {
    if ((block + 1) * GB_BLOCK <= b->rows) return true;
    uint64_t any = 0;
    for (size_t r = 0; r < runs; r++)
        for (size_t i = b->rows - block * GB_BLOCK; i < GB_BLOCK; i++) any |= words[r * GB_BLOCK + i];
    return any == 0;
}

gb_status gb_tile_decode(uint64_t *words, gb_ctx *ctx, const gb_bundle_info *b, const gb_params *p, unsigned plane,
                         size_t block, size_t group, const uint8_t *data, size_t n) {
    GB_TRY(check_place(ctx, b, p, plane, block, group));
    const gb_ring *ring = gb_params_ring(p);
    size_t tile = gb_bundle_tile(b, plane, block, group), size = gb_tile_bytes(b, p, plane, group);
    uint8_t header[GB_TILE_HEADER];
    if (n < GB_TILE_HEADER) return gb_fail(ctx, GB_ERR_TRUNCATED, "tile %zu: ends within its header", tile);
    write_header(header, b, plane, block, group);
    if (memcmp(data, header, sizeof header) != 0) return refuse_header(ctx, data, header, tile);
    if (n != size)
        return gb_fail(ctx, n < size ? GB_ERR_TRUNCATED : GB_ERR_FORMAT, "tile %zu: has %zu bytes, must have %zu", tile,
                       n, size);
    const uint8_t *at = data + GB_TILE_HEADER;
    size_t lines = gb_group_lines(b, group), count = lines * GB_BLOCK;
    for (size_t j = 0; j < tile_limbs(b); j++) {
        unsigned bits = tile_bits(b, p, plane, j);
        uint64_t bound = b->limbs > 0 ? gb_ring_modulus(ring, j)->q : 0;
        if (gb_ring_kernels(ring)->unpack(words + j * count, at, count, bits, bound) != 0)
            return gb_fail(ctx, GB_ERR_FORMAT, "tile %zu: a residue of limb %zu is not below its prime", tile, j);
        at += gb_packed_bytes(count, bits);
    }
    if (plane == 0 && !padding_is_zero(b, block, words, lines * tile_limbs(b)))
        return gb_fail(ctx, GB_ERR_FORMAT, "tile %zu: coefficients beyond row %u are not zero", tile, b->rows);
    return GB_OK;
}

/* ---- folders ---- */
static char *tile_path(gb_ctx *ctx, const char *dir, size_t tile) { return gb_format(ctx, "%s/%08zu.tile", dir, tile); }

static gb_status folder_read(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity, size_t *n) {
    char *path = tile_path(ctx, user, tile);
    if (path == NULL) return GB_ERR_MEMORY;
    uint8_t *bytes;
    gb_status status = gb_file_read(&bytes, n, ctx, path, capacity);
    if (status == GB_OK && *n > 0) memcpy(data, bytes, *n);
    gb_free(bytes);
    gb_free(path);
    return status;
}

static bool folder_has(void *user, size_t tile) {
    char *path = tile_path(NULL, user, tile);
    struct stat st;
    bool there = path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    gb_free(path);
    return there;
}

static gb_status folder_write(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    char *path = tile_path(ctx, user, tile);
    if (path == NULL) return GB_ERR_MEMORY;
    gb_status status = gb_file_write(ctx, path, data, n, 0666);
    gb_free(path);
    return status;
}

gb_tile_source gb_tile_folder_source(const char *dir) {
    return (gb_tile_source){.user = (void *)(uintptr_t)dir, .read = folder_read};
}

gb_tile_sink gb_tile_folder_sink(const char *dir) {
    return (gb_tile_sink){.user = (void *)(uintptr_t)dir, .has = folder_has, .write = folder_write};
}
