/* Constant time of bundles: the root of a key, the values to encrypt and everything that follows from them are marked,
 * from key generation to what is decrypted. See ct.h. */
#include <math.h>

#include "ct.h"
#include "scheme/core/core.h"

#define LINES 4
#define ROWS 100

typedef struct store {
    size_t n[256];
    uint8_t *data[256];
} store;

static gb_status store_write(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    store *s = user;
    GB_TRY(gb_alloc(&s->data[tile], ctx, n, 1));
    memcpy(s->data[tile], data, n);
    s->n[tile] = n;
    return GB_OK;
}

static gb_status store_read(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity, size_t *n) {
    store *s = user;
    if (s->n[tile] > capacity) return gb_fail(ctx, GB_ERR_LIMIT, "tile %zu is too large", tile);
    memcpy(data, s->data[tile], s->n[tile]);
    *n = s->n[tile];
    return GB_OK;
}

/* Encrypts, decrypts and compares; the seeded way, or under the public key. */
static void bundle(gb_ctx *ctx, const gb_secret *s, const gb_keyset *k, bool seeded) {
    const gb_params *p = gb_secret_params(s);
    int64_t values[LINES * ROWS];
    double out[LINES * ROWS];
    store tiles = {{0}, {NULL}};
    gb_bundle_info b = {.params = *gb_params_hash(p), .key = *gb_secret_key_id(s), .axis_count = 1, .rows = ROWS};
    b.axes[0] = (gb_axis){"x", LINES};
    b.copies = 1;
    b.limbs = (uint32_t)gb_params_get(p)->data_count;
    b.scale = 1;
    b.max_abs = 1e6;
    b.lines_per_tile = LINES;
    for (int i = 0; i < LINES * ROWS; i++) values[i] = (i - 200) * 1000;
    gb_classify(values, sizeof values);
    if (seeded) {
        gb_hash nonce = {{1}}, content;
        gb_hash_of(&content, values, sizeof values, NULL, 0);
        gb_secret_dataset_seed(&b.seed, s, &nonce, &content);
        b.seeded = true;
    }
    gb_tile_sink sink = {.user = &tiles, .write = store_write};
    gb_tile_source source = {.user = &tiles, .read = store_read};
    gb_status status =
        seeded ? gb_encrypt_seeded(ctx, s, &b, 0, values, &sink) : gb_encrypt_public(ctx, k, &b, 0, values, &sink);
    ct_need(status, "encrypt");
    ct_need(gb_decrypt(out, ctx, s, &b, 0, &source), "decrypt");
    ct_secret_words(out, sizeof out, "decrypted lines");
    gb_declassify(values, sizeof values);
    gb_declassify(out, sizeof out);
    for (int i = 0; i < LINES * ROWS; i++)
        if (!(fabs(out[i] - (double)values[i]) < 3000)) ct_die("compare");
    for (int i = 0; i < 256; i++) gb_free(tiles.data[i]);
}

/* Modulo powers of two: an all-zero ciphertext takes the same way as any other. */
static void power_of_two(gb_ctx *ctx, const gb_secret *s) {
    const gb_params *p = gb_secret_params(s);
    double out[ROWS];
    store tiles = {{0}, {NULL}};
    gb_bundle_info b = {.params = *gb_params_hash(p), .key = *gb_secret_key_id(s), .axis_count = 1, .rows = ROWS};
    b.axes[0] = (gb_axis){"x", 1};
    b.copies = 1;
    b.bits0 = 40;
    b.bits1 = 45;
    b.scale = b.max_abs = 1000;
    b.lines_per_tile = 1;
    uint64_t words[GB_BLOCK];
    uint8_t bytes[GB_TILE_HEADER + 64 * 45 / 8];
    for (unsigned plane = 0; plane < 2; plane++)
        for (size_t block = 0; block < (plane == 0 ? gb_bundle_blocks0(&b) : gb_bundle_blocks1(&b, p)); block++) {
            for (uint64_t i = 0; i < GB_BLOCK; i++) words[i] = plane == 0 ? 0 : i * UINT64_C(98765432101) >> 9;
            ct_need(gb_tile_encode(bytes, ctx, &b, p, plane, block, 0, words), "tile");
            ct_need(
                store_write(&tiles, ctx, gb_bundle_tile(&b, plane, block, 0), bytes, gb_tile_bytes(&b, p, plane, 0)),
                "tile");
        }
    gb_tile_source source = {.user = &tiles, .read = store_read};
    ct_need(gb_decrypt(out, ctx, s, &b, 0, &source), "decrypt");
    ct_secret_words(out, sizeof out, "decrypted powers of two");
    for (int i = 0; i < 256; i++) gb_free(tiles.data[i]);
}

static void set(const char *name) {
    gb_ctx *ctx = ct_ctx;
    gb_params *p;
    gb_secret *s;
    gb_keyset *k;
    uint8_t root[32] = {7};
    gb_classify(root, sizeof root);
    ct_need(gb_params_named(&p, ctx, name), name);
    ct_need(gb_secret_restore(&s, &k, ctx, p, root), "key");
    bundle(ctx, s, k, true);
    bundle(ctx, s, k, false);
    power_of_two(ctx, s);
    gb_secret_free(s);
    gb_keyset_free(k);
    gb_params_free(p);
}

static void check(void) {
    set("tiny-linear");
    set("linear");
}

int main(int argc, char **argv) { return ct_main(argc, argv, check); }
