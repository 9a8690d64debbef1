/* scheme/core: parameters, bundle shapes, and the wire forms of tiles, manifests and key sets. The golden files are of
 * version 1 of each form; GLOVEBOX_GOLDEN_WRITE=1 makes them anew (only ever for a new version). */
#include <math.h>
#include <unistd.h>

#include "support.h"

/* ---- parameters ---- */
static void test_params(void **state) {
    gb_ctx *ctx = test_context(1);
    const char *names[32];
    size_t count = gb_params_names(names, GB_COUNT(names));
    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        gb_params *p, *again;
        test_ok(ctx, gb_params_named(&p, ctx, names[i]));
        test_ok(ctx, gb_params_by_hash(&again, ctx, gb_params_hash(p)));
        const gb_params_spec *s = gb_params_get(p);
        assert_string_equal(s->name, names[i]);
        assert_string_equal(gb_params_get(again)->name, names[i]);
        for (size_t j = 0; j < gb_ring_limbs(gb_params_ring(p)); j++) {
            uint64_t q = gb_ring_modulus(gb_params_ring(p), j)->q;
            assert_true(q < UINT64_C(1) << 50 && q % (1 << 17) == 1);
        }
        gb_params_free(p);
        gb_params_free(again);
    }
    gb_params *p;
    test_refused(ctx, gb_params_named(&p, ctx, "huge"), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_ctx_error(ctx), "tiny-linear"));
    gb_hash none = {{9}};
    test_refused(ctx, gb_params_by_hash(&p, ctx, &none), GB_ERR_PARAMS);
    assert_null(p);
    gb_ctx_free(ctx);
}

static void test_security(void **state) {
    gb_ctx *ctx = test_context(1);
    gb_params *p;
    assert_true(gb_security_max_log2(11, 128) == 53);
    assert_true(gb_security_max_log2(17, 256) == 1866);
    assert_true(gb_security_max_log2(10, 192) == 0);
    assert_true(gb_security_max_log2(9, 128) == 0);
    assert_true(gb_security_max_log2(18, 128) == 0);
    gb_params_spec s = {.name = "bad", .log_n = 11, .security = 128, .data_count = 2};
    s.data[0] = gb_prime_below(UINT64_C(1) << 28, 1 << 12);
    s.data[1] = gb_prime_below(s.data[0], 1 << 12);
    test_refused(ctx, gb_params_new(&p, ctx, &s), GB_ERR_INSECURE); /* 56 bits where 53 are allowed */
    s.data_count = 1;
    test_ok(ctx, gb_params_new(&p, ctx, &s));
    gb_params_free(p);
    s.special_count = 1; /* special primes count too */
    s.special[0] = s.data[1];
    test_refused(ctx, gb_params_new(&p, ctx, &s), GB_ERR_INSECURE);
    s.special_count = 0;
    s.security = 256; /* 28 bits where 27 are allowed */
    test_refused(ctx, gb_params_new(&p, ctx, &s), GB_ERR_INSECURE);
    s.security = 100;
    test_refused(ctx, gb_params_new(&p, ctx, &s), GB_ERR_PARAMS);
    s.security = 128, s.log_n = 9;
    test_refused(ctx, gb_params_new(&p, ctx, &s), GB_ERR_PARAMS);
    s.log_n = 11, s.data[0] = (UINT64_C(1) << 20) + 1; /* no prime */
    test_refused(ctx, gb_params_new(&p, ctx, &s), GB_ERR_PARAMS);
    s.data_count = 0;
    test_refused(ctx, gb_params_new(&p, ctx, &s), GB_ERR_PARAMS);
    gb_ctx_free(ctx);
}

/* ---- what every wire test uses ---- */
typedef struct fixture {
    gb_ctx *ctx;
    gb_params *params;
    gb_bundle_info info;
} fixture;

static void start(fixture *f, const char *set, bool pow2) {
    gb_hash key = {{0xaa, 0xbb}};
    f->ctx = test_context(1);
    test_ok(f->ctx, gb_params_named(&f->params, f->ctx, set));
    f->info = test_info(f->params, &key, 100, 4096);
    if (pow2) {
        f->info.limbs = 0;
        f->info.bits0 = 29;
        f->info.bits1 = 27;
        f->info.scale = 2.5;
    } else {
        f->info.seeded = true;
        for (uint8_t i = 0; i < GB_SEED_BYTES; i++) f->info.seed.b[i] = (uint8_t)(200 + i);
    }
    test_ok(f->ctx, gb_bundle_check(f->ctx, &f->info, f->params));
}

static void stop(fixture *f) {
    gb_params_free(f->params);
    gb_ctx_free(f->ctx);
}

/* Compares with a golden file byte for byte, or makes it. */
static void golden(const char *name, const uint8_t *data, size_t n) {
    const char *dir = getenv("GLOVEBOX_GOLDEN");
    char path[4096];
    gb_ctx *ctx = test_context(1);
    snprintf(path, sizeof path, "%s/%s", dir == NULL ? "src/scheme/test/golden" : dir, name);
    if (getenv("GLOVEBOX_GOLDEN_WRITE") != NULL) test_ok(ctx, gb_file_write(ctx, path, data, n, 0644));
    uint8_t *want;
    size_t size;
    test_ok(ctx, gb_file_read(&want, &size, ctx, path, 1 << 20));
    assert_int_equal(size, n);
    assert_memory_equal(want, data, n);
    gb_free(want);
    gb_ctx_free(ctx);
}

/* ---- bundle ---- */
static void test_numbers(void **state) {
    fixture f;
    start(&f, "tiny-linear", true);
    assert_int_equal(gb_bundle_lines(&f.info), 10);
    assert_int_equal(gb_bundle_groups(&f.info), 3);
    assert_int_equal(gb_bundle_blocks0(&f.info), 2);
    assert_int_equal(gb_bundle_blocks1(&f.info, f.params), 32);
    assert_int_equal(gb_bundle_tiles(&f.info, f.params), 34 * 3);
    size_t next = 0; /* numbers are dense and in order */
    for (unsigned plane = 0; plane < 2; plane++)
        for (size_t b = 0; b < (plane == 0 ? 2u : 32u); b++)
            for (size_t g = 0; g < 3; g++) assert_int_equal(gb_bundle_tile(&f.info, plane, b, g), next++);
    assert_int_equal(gb_tile_bytes(&f.info, f.params, 0, 0), 20 + 4 * 8 * 29);
    assert_int_equal(gb_tile_bytes(&f.info, f.params, 1, 2), 20 + 2 * 8 * 27); /* the last group has two lines */
    stop(&f);
}

#define REFUSE(change, code)                                                                                           \
    do {                                                                                                               \
        gb_bundle_info b = good;                                                                                       \
        change;                                                                                                        \
        test_refused(f.ctx, gb_bundle_check(f.ctx, &b, f.params), code);                                               \
    } while (0)

static void test_bundle_check(void **state) {
    fixture f;
    start(&f, "linear", false);
    const gb_bundle_info good = f.info;
    REFUSE(b.params.b[0] ^= 1, GB_ERR_PARAMS);
    REFUSE(b.axis_count = 0, GB_ERR_FORMAT);
    REFUSE(b.axis_count = 4, GB_ERR_FORMAT);
    REFUSE(b.axes[0].size = 0, GB_ERR_FORMAT);
    REFUSE(b.axes[0].name[0] = 0, GB_ERR_FORMAT);
    REFUSE(b.axes[0].name[2] = '/', GB_ERR_FORMAT);
    REFUSE(b.axes[0].name[9] = 'x', GB_ERR_FORMAT); /* beyond the end */
    REFUSE(memset(b.axes[0].name, 'x', 16), GB_ERR_FORMAT);
    REFUSE(b.axes[0].size = b.axes[1].size = UINT32_MAX, GB_ERR_LIMIT);
    REFUSE(b.rows = 0, GB_ERR_PARAMS);
    REFUSE(b.rows = 4097, GB_ERR_PARAMS);
    REFUSE(b.copies = 0, GB_ERR_FORMAT);
    REFUSE(b.copies = 3, GB_ERR_FORMAT);
    REFUSE(b.limbs = 3, GB_ERR_PARAMS);
    REFUSE(b.bits0 = 5, GB_ERR_PARAMS);
    REFUSE(b.limbs = 0, GB_ERR_PARAMS);
    REFUSE(b.limbs = 0; b.bits0 = 40; b.bits1 = 49, GB_ERR_PARAMS);
    REFUSE(b.limbs = 0; b.bits0 = b.bits1 = 40, GB_ERR_FORMAT); /* seeded */
    REFUSE(b.scale = 0, GB_ERR_FORMAT);
    REFUSE(b.scale = -1, GB_ERR_FORMAT);
    REFUSE(b.scale = NAN, GB_ERR_FORMAT);
    REFUSE(b.max_abs = INFINITY, GB_ERR_FORMAT);
    REFUSE(b.scale = 0x1p55, GB_ERR_PARAMS);
    REFUSE(b.lines_per_tile = 0, GB_ERR_LIMIT);
    REFUSE(b.lines_per_tile = 65537, GB_ERR_LIMIT);
    REFUSE(b.axes[0].size = 1 << 20; b.axes[1].size = 64; b.lines_per_tile = 1, GB_ERR_LIMIT);
    stop(&f);
}

/* ---- tiles ---- */
static uint64_t *tile_words(fixture *f, unsigned plane, size_t block, size_t *count) {
    size_t limbs = f->info.limbs > 0 ? f->info.limbs : 1, lines = f->info.lines_per_tile;
    uint64_t state = 3, *w;
    *count = limbs * lines * GB_BLOCK;
    test_ok(f->ctx, gb_alloc(&w, f->ctx, *count, sizeof *w));
    for (size_t i = 0; i < *count; i++) {
        uint64_t v = test_random(&state);
        if (f->info.limbs > 0)
            v %= gb_ring_modulus(gb_params_ring(f->params), i / (lines * GB_BLOCK))->q;
        else
            v &= (UINT64_C(1) << (plane == 0 ? f->info.bits0 : f->info.bits1)) - 1;
        w[i] = plane == 0 && block * GB_BLOCK + i % GB_BLOCK >= f->info.rows ? 0 : v;
    }
    return w;
}

static void check_tile(const char *set, bool pow2, unsigned plane, size_t block, const char *name) {
    fixture f;
    start(&f, set, pow2);
    size_t count, n = gb_tile_bytes(&f.info, f.params, plane, 0);
    uint64_t *w = tile_words(&f, plane, block, &count), *back;
    uint8_t *bytes;
    test_ok(f.ctx, gb_alloc(&bytes, f.ctx, n + 1, 1));
    test_ok(f.ctx, gb_alloc(&back, f.ctx, count, sizeof *back));
    test_ok(f.ctx, gb_tile_encode(bytes, f.ctx, &f.info, f.params, plane, block, 0, w));
    golden(name, bytes, n);
    test_ok(f.ctx, gb_tile_decode(back, f.ctx, &f.info, f.params, plane, block, 0, bytes, n));
    assert_memory_equal(back, w, count * sizeof *w);
    for (size_t cut = 0; cut < n; cut++) {
        /* In memory of exactly that size, so that a checker sees a read beyond it. */
        uint8_t *part;
        test_ok(f.ctx, gb_alloc(&part, f.ctx, gb_max_size(cut, 1), 1));
        memcpy(part, bytes, cut);
        test_refused(f.ctx, gb_tile_decode(back, f.ctx, &f.info, f.params, plane, block, 0, part, cut),
                     GB_ERR_TRUNCATED);
        gb_free(part);
    }
    bytes[n] = 0;
    test_refused(f.ctx, gb_tile_decode(back, f.ctx, &f.info, f.params, plane, block, 0, bytes, n + 1), GB_ERR_FORMAT);
    for (size_t i = 0; i < 20; i++) {
        bytes[i] ^= 0x10;
        assert_true(gb_tile_decode(back, f.ctx, &f.info, f.params, plane, block, 0, bytes, n) != GB_OK);
        bytes[i] ^= 0x10;
    }
    test_refused(f.ctx, gb_tile_decode(back, f.ctx, &f.info, f.params, plane, block, 1, bytes, n), GB_ERR_FORMAT);
    test_refused(f.ctx, gb_tile_decode(back, f.ctx, &f.info, f.params, 2, block, 0, bytes, n), GB_ERR_ARGUMENT);
    test_refused(f.ctx, gb_tile_decode(back, f.ctx, &f.info, f.params, plane, 99, 0, bytes, n), GB_ERR_ARGUMENT);
    bytes[3] = '2';
    test_refused(f.ctx, gb_tile_decode(back, f.ctx, &f.info, f.params, plane, block, 0, bytes, n), GB_ERR_VERSION);
    gb_free(w);
    gb_free(back);
    gb_free(bytes);
    stop(&f);
}

static void test_tiles(void **state) {
    check_tile("linear", false, 0, 0, "linear-block0.tile");
    check_tile("tiny-linear", false, 0, 1, "tiny-padded.tile");
    check_tile("tiny-linear", true, 1, 5, "pow2-plane1.tile");
    check_tile("linear", true, 0, 1, "pow2-padded.tile");
}

/* Residues that are not below their prime, and padding that is not zero. */
static void test_tile_residues(void **state) {
    fixture f;
    start(&f, "linear", false);
    size_t count, n = gb_tile_bytes(&f.info, f.params, 0, 0), per_limb = 4 * GB_BLOCK;
    uint64_t *w = tile_words(&f, 0, 0, &count), *padded = tile_words(&f, 0, 1, &count);
    uint8_t bytes[20 + 2 * 4 * 8 * 32];
    assert_int_equal(n, sizeof bytes);
    for (size_t limb = 0; limb < 2; limb++) {
        uint64_t q = gb_ring_modulus(gb_params_ring(f.params), limb)->q;
        const uint64_t bad[] = {q, q + 1, UINT32_MAX};
        for (size_t i = 0; i < 3; i++) {
            size_t at = limb * per_limb + 17 * (i + 1);
            uint64_t kept = w[at];
            w[at] = bad[i];
            test_ok(f.ctx, gb_tile_encode(bytes, f.ctx, &f.info, f.params, 0, 0, 0, w));
            test_refused(f.ctx, gb_tile_decode(padded, f.ctx, &f.info, f.params, 0, 0, 0, bytes, n), GB_ERR_FORMAT);
            w[at] = kept;
        }
        w[limb * per_limb + 3] = q - 1;
        test_ok(f.ctx, gb_tile_encode(bytes, f.ctx, &f.info, f.params, 0, 0, 0, w));
        test_ok(f.ctx, gb_tile_decode(padded, f.ctx, &f.info, f.params, 0, 0, 0, bytes, n));
        w[limb * per_limb + 100 % GB_BLOCK] = 1; /* row 100 is the first of the padding in block 1 */
        test_ok(f.ctx, gb_tile_encode(bytes, f.ctx, &f.info, f.params, 0, 1, 0, w));
        test_refused(f.ctx, gb_tile_decode(padded, f.ctx, &f.info, f.params, 0, 1, 0, bytes, n), GB_ERR_FORMAT);
    }
    gb_free(w);
    gb_free(padded);
    stop(&f);
}

static void test_folder(void **state) {
    gb_ctx *ctx = test_context(1);
    char dir[] = P_tmpdir "/glovebox-tiles-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    gb_tile_sink sink = gb_tile_folder_sink(dir);
    gb_tile_source source = gb_tile_folder_source(dir);
    uint8_t out[8];
    size_t n;
    assert_false(sink.has(sink.user, 12));
    test_refused(ctx, source.read(source.user, ctx, 12, out, sizeof out, &n), GB_ERR_NOT_FOUND);
    test_ok(ctx, sink.write(sink.user, ctx, 12, (const uint8_t *)"tile", 4));
    assert_true(sink.has(sink.user, 12));
    test_ok(ctx, source.read(source.user, ctx, 12, out, sizeof out, &n));
    assert_int_equal(n, 4);
    assert_memory_equal(out, "tile", 4);
    test_refused(ctx, source.read(source.user, ctx, 12, out, 3, &n), GB_ERR_LIMIT);
    snprintf(path, sizeof path, "%s/00000012.tile", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    gb_ctx_free(ctx);
}

/* ---- manifests ---- */
static void make_manifest(fixture *f, gb_manifest *m) {
    *m = (gb_manifest){.info = f->info, .tile_count = gb_bundle_tiles(&f->info, f->params)};
    test_ok(f->ctx, gb_alloc(&m->tiles, f->ctx, m->tile_count, sizeof *m->tiles));
    for (uint32_t i = 0; i < m->tile_count; i++) gb_hash_of(&m->tiles[i], &i, 1, NULL, 0);
}

static void check_manifest(const char *set, bool pow2, const char *name) {
    fixture f;
    gb_manifest m, back;
    gb_buffer b = GB_BUFFER_INIT, again = GB_BUFFER_INIT;
    gb_params *params;
    start(&f, set, pow2);
    make_manifest(&f, &m);
    test_ok(f.ctx, gb_manifest_encode(&b, f.ctx, &m));
    golden(name, b.data, b.size);
    test_ok(f.ctx, gb_manifest_decode(&back, &params, f.ctx, b.data, b.size));
    assert_memory_equal(back.info.axes, m.info.axes, sizeof m.info.axes);
    assert_true(back.info.scale == m.info.scale && back.info.max_abs == m.info.max_abs);
    assert_true(back.info.rows == m.info.rows && back.info.seeded == m.info.seeded);
    assert_memory_equal(&back.info.seed, &m.info.seed, sizeof m.info.seed);
    assert_int_equal(back.tile_count, m.tile_count);
    assert_string_equal(gb_params_get(params)->name, set);
    test_ok(f.ctx, gb_manifest_encode(&again, f.ctx, &back));
    assert_int_equal(again.size, b.size);
    assert_memory_equal(again.data, b.data, b.size);
    gb_manifest_release(&back);
    gb_params_free(params);
    for (size_t cut = 0; cut < b.size; cut++) assert_true(gb_manifest_decode(&back, NULL, f.ctx, b.data, cut) != GB_OK);
    for (size_t i = 0; i < b.size; i++) { /* a flipped bit is refused, or is another content in canonical form */
        b.data[i] ^= 1 << i % 8;
        if (gb_manifest_decode(&back, NULL, f.ctx, b.data, b.size) == GB_OK) {
            again.size = 0;
            test_ok(f.ctx, gb_manifest_encode(&again, f.ctx, &back));
            assert_memory_equal(again.data, b.data, b.size);
        }
        gb_manifest_release(&back);
        b.data[i] ^= 1 << i % 8;
    }
    gb_write_bytes(&b, "\x78\x01", 2); /* field 15, unknown */
    test_refused(f.ctx, gb_manifest_decode(&back, NULL, f.ctx, b.data, b.size), GB_ERR_FORMAT);
    m.tile_count--;
    test_refused(f.ctx, gb_manifest_encode(&again, f.ctx, &m), GB_ERR_ARGUMENT);
    gb_manifest_release(&m);
    gb_buffer_release(&b);
    gb_buffer_release(&again);
    stop(&f);
}

static void test_manifests(void **state) {
    check_manifest("linear", false, "seeded.manifest");
    check_manifest("tiny-linear", true, "pow2.manifest");
}

/* Thousands of empty axes: two bytes each on the wire, a struct each in memory. */
static void test_manifest_bomb(void **state) {
    gb_ctx *ctx = test_context(1);
    gb_manifest m;
    uint8_t bomb[20000];
    for (size_t i = 0; i < sizeof bomb; i += 2) bomb[i] = 0x22, bomb[i + 1] = 0;
    test_refused(ctx, gb_manifest_decode(&m, NULL, ctx, bomb, sizeof bomb), GB_ERR_LIMIT);
    test_refused(ctx, gb_manifest_decode(&m, NULL, ctx, bomb, SIZE_MAX), GB_ERR_LIMIT);
    test_refused(ctx, gb_manifest_decode(&m, NULL, ctx, bomb, 0), GB_ERR_TRUNCATED);
    gb_ctx_free(ctx);
}

static void test_manifest_allocation_failures(void **state) {
    fixture f;
    gb_manifest m, back;
    gb_buffer b = GB_BUFFER_INIT;
    gb_params *params;
    start(&f, "tiny-linear", true);
    make_manifest(&f, &m);
    test_ok(f.ctx, gb_manifest_encode(&b, f.ctx, &m));
    gb_status status = GB_ERR_MEMORY;
    uint64_t n = 0;
    while (status != GB_OK) {
        gb_alloc_fail_at(++n);
        status = gb_manifest_decode(&back, &params, f.ctx, b.data, b.size);
        gb_alloc_fail_at(0);
        assert_true(status == GB_OK || (status == GB_ERR_MEMORY && params == NULL && back.tiles == NULL));
        assert_true(n < 200);
    }
    assert_true(n > 5);
    gb_manifest_release(&back);
    gb_params_free(params);
    gb_manifest_release(&m);
    gb_buffer_release(&b);
    stop(&f);
}

/* ---- key sets ---- */
static void test_keyset(void **state) {
    gb_ctx *ctx = test_context(1);
    gb_params *p;
    gb_secret *s;
    gb_keyset *k, *back;
    gb_buffer b = GB_BUFFER_INIT, again = GB_BUFFER_INIT;
    test_ok(ctx, gb_params_named(&p, ctx, "tiny-linear"));
    test_ok(ctx, gb_secret_restore(&s, &k, ctx, p, test_root));
    test_ok(ctx, gb_keyset_encode(&b, ctx, k));
    golden("tiny.keyset", b.data, b.size);
    test_ok(ctx, gb_keyset_decode(&back, ctx, b.data, b.size));
    assert_true(gb_hash_equal(gb_keyset_id(back), gb_secret_key_id(s)));
    assert_string_equal(gb_params_get(gb_keyset_params(back))->name, "tiny-linear");
    test_ok(ctx, gb_keyset_encode(&again, ctx, back));
    assert_int_equal(again.size, b.size);
    assert_memory_equal(again.data, b.data, b.size);
    gb_keyset_free(back);
    for (size_t cut = 0; cut < b.size; cut = cut < 80 ? cut + 1 : cut + 997) {
        test_refused(ctx, gb_keyset_decode(&back, ctx, b.data, cut), GB_ERR_TRUNCATED);
        assert_null(back);
    }
    b.data[5] ^= 1;
    test_refused(ctx, gb_keyset_decode(&back, ctx, b.data, b.size), GB_ERR_PARAMS);
    b.data[5] ^= 1;
    b.data[3] = '9';
    test_refused(ctx, gb_keyset_decode(&back, ctx, b.data, b.size), GB_ERR_VERSION);
    b.data[3] = '1';
    memset(b.data + b.size - 7, 0xff, 7); /* the last residue becomes 2^50 - 1, above the prime */
    test_refused(ctx, gb_keyset_decode(&back, ctx, b.data, b.size), GB_ERR_FORMAT);
    memset(b.data + 68, 0, b.size - 68);
    test_refused(ctx, gb_keyset_decode(&back, ctx, b.data, b.size), GB_ERR_FORMAT);
    gb_write_u8(&b, 0);
    test_refused(ctx, gb_keyset_decode(&back, ctx, b.data, b.size), GB_ERR_FORMAT);
    gb_buffer_release(&b);
    gb_buffer_release(&again);
    gb_keyset_free(k);
    gb_keyset_free(NULL);
    gb_secret_free(s);
    gb_params_free(p);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params),        cmocka_unit_test(test_security),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_bundle_check),
        cmocka_unit_test(test_tiles),         cmocka_unit_test(test_tile_residues),
        cmocka_unit_test(test_folder),        cmocka_unit_test(test_manifests),
        cmocka_unit_test(test_manifest_bomb), cmocka_unit_test(test_manifest_allocation_failures),
        cmocka_unit_test(test_keyset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
