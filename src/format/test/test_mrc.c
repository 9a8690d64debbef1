#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "format/mrc/mrc.h"
#include "testing.h"

/* An MRC file in memory, little-endian unless turned round. */
typedef struct file {
    uint8_t b[4096];
    size_t n;
    bool big;
} file;

static void put(file *f, size_t at, uint32_t v) {
    for (size_t i = 0; i < 4; i++) f->b[at + (f->big ? 3 - i : i)] = (uint8_t)(v >> 8 * i);
}

static file make(uint32_t nx, uint32_t ny, uint32_t nz, uint32_t mode, size_t data, bool big) {
    file f = {.n = MRC_HEADER + data, .big = big};
    const uint32_t n[3] = {nx, ny, nz};
    for (size_t i = 0; i < 3; i++) {
        put(&f, MRC_NX + 4 * i, n[i]);
        put(&f, MRC_AXES + 4 * i, (uint32_t)i + 1);
    }
    put(&f, MRC_MODE, mode);
    memcpy(f.b + MRC_MAP, "MAP ", 4);
    memset(f.b + MRC_STAMP, big ? 0x11 : 0x44, 2);
    return f;
}

static gb_status open_file(gb_image **out, gb_ctx *ctx, file *f, gb_nan nan) {
    FILE *s = fmemopen(f->b, f->n, "rb");
    assert_non_null(s);
    return gb_image_open_stream(out, ctx, s, "t.mrc", nan);
}

static void expect(file f, gb_status want, const char *words) {
    gb_ctx *ctx = test_ctx();
    gb_image *im;
    assert_int_equal(open_file(&im, ctx, &f, GB_NAN_REFUSE), want);
    assert_null(im);
    assert_says(ctx, words);
    gb_ctx_free(ctx);
}

static void test_bad_headers(void **state) {
    (void)state;
    file f = make(3, 2, 2, 1, 24, false);
    f.n--;
    expect(f, GB_ERR_TRUNCATED, "need 1048 bytes, the file has 1047");
    f = make(3, 2, 2, 1, 24, false);
    f.n = 900;
    expect(f, GB_ERR_TRUNCATED, "header needs 1024 bytes, the file has 900");
    f.n = 100;
    expect(f, GB_ERR_UNSUPPORTED, "not an image file of a known format");
    expect(make(3, 0, 2, 1, 24, false), GB_ERR_FORMAT, "NY is 0");
    expect(make(3, 2, (uint32_t)-5, 1, 24, false), GB_ERR_FORMAT, "NZ is -5");
    expect(make(0x7fffffff, 0x7fffffff, 0x7fffffff, 2, 24, false), GB_ERR_LIMIT, "over the limit");
    expect(make(1u << 24, 1u << 24, 4, 2, 24, false), GB_ERR_LIMIT, "over the limit");
    expect(make(1u << 20, 1u << 10, 1u << 24, 2, 24, false), GB_ERR_TRUNCATED, "need 72057594037928960 bytes");
    expect(make(3, 2, 2, 4, 96, false), GB_ERR_UNSUPPORTED, "mode 4 (complex pixels)");
    expect(make(3, 2, 2, 7, 96, false), GB_ERR_UNSUPPORTED, "mode 7 (an unknown mode)");
    f = make(3, 2, 2, 1, 24, false);
    put(&f, MRC_AXES, 2);
    expect(f, GB_ERR_FORMAT, "MAPS are 2, 2, 3");
    f = make(3, 2, 2, 1, 24, false);
    put(&f, MRC_NSYMBT, (uint32_t)-1);
    expect(f, GB_ERR_FORMAT, "extended header's length is -1");
    put(&f, MRC_NSYMBT, 0x7fffffff);
    expect(f, GB_ERR_TRUNCATED, "need 2147484695 bytes");
    f = make(3, 2, 2, 0, 24, false);
    put(&f, MRC_IMOD_STAMP_AT, MRC_IMOD_STAMP);
    put(&f, MRC_IMOD_FLAGS, MRC_IMOD_NIBBLES);
    expect(f, GB_ERR_UNSUPPORTED, "4-bit");
}

/* The six bytes of a row 1, 2, 3 of int16 in both orders, with right, missing and wrong machine stamps. */
static void test_byte_orders(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    for (int order = 0; order < 2; order++)
        for (int stamp = 0; stamp < 3; stamp++) {
            file f = make(3, 1, 1, 1, 6, order == 1);
            for (size_t i = 0; i < 3; i++) f.b[MRC_HEADER + 2 * i + (size_t)(order == 1)] = (uint8_t)(i + 1);
            if (stamp == 1) memset(f.b + MRC_STAMP, 0, 4);
            if (stamp == 2) memset(f.b + MRC_STAMP, order ? 0x44 : 0x11, 2);
            gb_image *im;
            float row[3];
            assert_int_equal(open_file(&im, ctx, &f, GB_NAN_REFUSE), GB_OK);
            assert_int_equal(gb_image_read(row, ctx, im, 0, 1, 0, 1), GB_OK);
            for (size_t i = 0; i < 3; i++) assert_true(row[i] == (float)(i + 1));
            assert_int_equal(gb_image_get_info(im)->sample, GB_SAMPLE_I16);
            gb_image_close(im);
        }
    gb_ctx_free(ctx);
}

/* Byte 200 of mode 0: -56, or 200 when IMOD's stamp has no sign flag or the header's maximum says so. */
static void test_signs(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    const struct {
        uint32_t mode, stamp, flags;
        float max, want;
    } cases[] = {
        {0, 0, 0, 0, -56},   {0, MRC_IMOD_STAMP, 1, 0, -56}, {0, MRC_IMOD_STAMP, 0, 0, 200}, {0, 0, 0, 250, 200},
        {0, 0, 0, 100, -56}, {0, 0, 0, 1e9f, -56},           {1, 0, 0, 0, -12856}, /* 0xcdc8 */
        {6, 0, 0, 0, 52680},
    };
    for (size_t i = 0; i < GB_COUNT(cases); i++) {
        file f = make(1, 1, 1, cases[i].mode, 2, false);
        f.n -= cases[i].mode == 0;
        put(&f, MRC_IMOD_STAMP_AT, cases[i].stamp);
        put(&f, MRC_IMOD_FLAGS, cases[i].flags);
        uint32_t bits;
        memcpy(&bits, &cases[i].max, 4);
        put(&f, MRC_DMIN + 4, bits);
        f.b[MRC_HEADER] = 200;
        f.b[MRC_HEADER + 1] = 0xcd;
        gb_image *im;
        float v;
        assert_int_equal(open_file(&im, ctx, &f, GB_NAN_REFUSE), GB_OK);
        assert_int_equal(gb_image_read(&v, ctx, im, 0, 1, 0, 1), GB_OK);
        assert_true(v == cases[i].want);
        gb_image_close(im);
    }
    gb_ctx_free(ctx);
}

static void test_not_finite(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    file f = make(2, 2, 2, 2, 32, false);
    const float data[8] = {1, 2, 3, 4, 10, NAN, 30, -INFINITY};
    memcpy(f.b + MRC_HEADER, data, sizeof data);
    gb_image *im;
    float out[8];
    assert_int_equal(open_file(&im, ctx, &f, GB_NAN_REFUSE), GB_OK);
    assert_int_equal(gb_image_read(out, ctx, im, 0, 1, 0, 2), GB_OK);
    assert_int_equal(gb_image_read(out, ctx, im, 0, 2, 0, 2), GB_ERR_RANGE);
    assert_says(ctx, "section 1, y 0, x 1 is not a number");
    assert_int_equal(gb_image_read(out, ctx, im, 1, 1, 1, 1), GB_ERR_RANGE);
    assert_says(ctx, "section 1, y 1, x 1 is infinite");
    assert_int_equal(gb_image_read(out, ctx, im, 1, 2, 0, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_image_read(out, ctx, im, 0, 1, 2, 1), GB_ERR_ARGUMENT);
    gb_image_close(im);
    assert_int_equal(open_file(&im, ctx, &f, GB_NAN_MEAN), GB_OK);
    assert_int_equal(gb_image_read(out, ctx, im, 0, 2, 0, 2), GB_OK);
    const float want[8] = {1, 2, 3, 4, 10, 20, 30, 20};
    assert_memory_equal(out, want, sizeof want);
    assert_int_equal(gb_image_replaced(im), 2);
    gb_image_close(im);
    for (size_t i = 0; i < 8; i++) memcpy(f.b + MRC_HEADER + 4 * i, &data[5], 4);
    assert_int_equal(open_file(&im, ctx, &f, GB_NAN_MEAN), GB_OK);
    assert_int_equal(gb_image_read(out, ctx, im, 1, 1, 1, 1), GB_OK);
    assert_true(out[0] == 0 && out[1] == 0);
    gb_image_close(im);
    gb_ctx_free(ctx);
}

/* Every half-precision value survives; the neighbours' midpoints go to the even one. */
static void test_half(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = gb_mrc_from_half((uint16_t)h);
        if (isnan(f)) {
            assert_true((h & 0x7c00) == 0x7c00 && (h & 0x3ff));
            continue;
        }
        assert_int_equal(gb_mrc_to_half(f), h);
        if ((h & 0x7fff) >= 0x7bff) continue; /* no finite value above */
        float next = gb_mrc_from_half((uint16_t)(h + 1)), middle = (f + next) / 2;
        assert_true(fabsf(next) > fabsf(f) || (h & 0x7fff) == 0);
        assert_int_equal(gb_mrc_to_half(middle), h & 1 ? h + 1 : h);
        assert_int_equal(gb_mrc_to_half(nextafterf(middle, next)), h + 1);
        assert_int_equal(gb_mrc_to_half(nextafterf(middle, f)), h);
    }
    assert_true(gb_mrc_from_half(0x3c00) == 1 && gb_mrc_from_half(0xc000) == -2 && gb_mrc_from_half(1) == 0x1p-24f);
    assert_int_equal(gb_mrc_to_half(65519.996f), 0x7bff);
    assert_int_equal(gb_mrc_to_half(65520), 0x7c00);
}

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strncpy(folder, "mrc-test-XXXXXX", sizeof folder - 1);
    return mkdtemp(folder) ? 0 : -1;
}

static int files_in_folder(void) {
    DIR *d = opendir(folder);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int remove_folder(void **state) {
    (void)state;
    DIR *d = opendir(folder);
    char path[400];
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    closedir(d);
    return rmdir(folder);
}

static const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Rows of all sections one after another, as a reconstruction arrives; then everything read back. */
static void test_write(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    gb_mrc_spec spec = {.nx = 5, .ny = 4, .nz = 3, .sample = GB_SAMPLE_F32, .volume = true, .pixel = {2, 3, 4}};
    spec.origin[1] = -7;
    spec.labels[0] = "a label\nwith a line end";
    gb_mrc_writer *w;
    float row[15], all[60], sum = 0;
    assert_int_equal(gb_mrc_create(&w, ctx, in_folder("a.mrc"), &spec), GB_OK);
    for (uint32_t y = 0; y < 4; y++) {
        for (uint32_t z = 0; z < 3; z++)
            for (uint32_t x = 0; x < 5; x++) row[5 * z + x] = (float)(1000 + 100 * z + 10 * y + x);
        assert_int_equal(gb_mrc_write(ctx, w, row, 0, 3, y, 1), GB_OK);
    }
    assert_int_equal(gb_mrc_write(ctx, w, row, 1, 1, 2, 1), GB_ERR_ARGUMENT); /* twice */
    assert_says(ctx, "row 2 of section 1 was written before");
    assert_int_equal(gb_mrc_finish(ctx, w), GB_OK);
    assert_int_equal(files_in_folder(), 1);

    gb_image *im;
    assert_int_equal(gb_image_open(&im, ctx, in_folder("a.mrc"), GB_NAN_REFUSE), GB_OK);
    assert_int_equal(gb_image_read(all, ctx, im, 0, 3, 0, 4), GB_OK);
    const gb_image_info *info = gb_image_get_info(im);
    for (uint32_t i = 0; i < 60; i++) {
        assert_true(all[i] == (float)(1000 + 100 * (i / 20) + 10 * (i / 5 % 4) + i % 5));
        sum += all[i];
    }
    assert_true(info->has_stats && info->min == 1000 && info->max == 1234);
    assert_true(fabs(info->mean - (double)sum / 60) < 1e-4 && fabs(info->rms - sqrt(20000.0 / 3 + 125 + 2)) < 1e-4);
    assert_true(info->pixel[0] == 2 && info->pixel[2] == 4 && info->origin[1] == -7);
    assert_int_equal(info->offset + 240, info->file_bytes);
    gb_image_close(im);
    gb_ctx_free(ctx);
}

/* Whatever goes wrong, the older file stays and nothing else is left. */
static void test_write_failures(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    gb_mrc_spec spec = {.nx = 2, .ny = 1, .nz = 2, .sample = GB_SAMPLE_I16};
    gb_mrc_writer *w;
    const float good[2] = {-32768, 32767}, over[2] = {1, 32767.5f}, nan[2] = {NAN, 0};
    assert_int_equal(gb_file_write(ctx, in_folder("a.mrc"), "older", 5, 0644), GB_OK);
    assert_int_equal(gb_mrc_create(&w, ctx, in_folder("a.mrc"), &spec), GB_OK);
    assert_int_equal(gb_mrc_write(ctx, w, good, 0, 1, 0, 1), GB_OK);
    assert_int_equal(gb_mrc_write(ctx, w, over, 1, 1, 0, 1), GB_ERR_RANGE);
    assert_says(ctx, "section 1, y 0, x 1");
    assert_int_equal(gb_mrc_write(ctx, w, nan, 1, 1, 0, 1), GB_ERR_RANGE);
    assert_int_equal(files_in_folder(), 2);
    assert_int_equal(gb_mrc_finish(ctx, w), GB_ERR_STATE);
    assert_says(ctx, "1 rows were never written");
    assert_int_equal(files_in_folder(), 1);

    assert_int_equal(gb_mrc_create(&w, ctx, in_folder("no/such.mrc"), &spec), GB_ERR_NOT_FOUND);
    assert_null(w);
    spec.nx = 0;
    assert_int_equal(gb_mrc_create(&w, ctx, in_folder("b.mrc"), &spec), GB_ERR_ARGUMENT);
    spec.nx = 1u << 24;
    spec.ny = 1u << 24;
    assert_int_equal(gb_mrc_create(&w, ctx, in_folder("b.mrc"), &spec), GB_ERR_LIMIT);
    assert_int_equal(files_in_folder(), 1);

    /* A file that may not grow: refused before any pixel is written. */
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 65536;
    setrlimit(RLIMIT_FSIZE, &small);
    signal(SIGXFSZ, SIG_IGN);
    spec.nx = spec.ny = 1000;
    gb_status s = gb_mrc_create(&w, ctx, in_folder("c.mrc"), &spec);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_true(s == GB_ERR_SPACE || s == GB_ERR_IO || s == GB_ERR_LIMIT);
    assert_int_equal(files_in_folder(), 1);

    uint8_t *bytes;
    size_t n;
    assert_int_equal(gb_file_read(&bytes, &n, ctx, in_folder("a.mrc"), 100), GB_OK);
    assert_int_equal(n, 5);
    gb_free(bytes);
    gb_ctx_free(ctx);
}

/* Every allocation failing in turn: an error each time, nothing left behind, then success. */
static void test_out_of_memory(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    const gb_mrc_spec spec = {.nx = 2, .ny = 1, .nz = 1, .sample = GB_SAMPLE_F32, .labels = {"one", "two"}};
    const float data[2] = {1, 2};
    gb_status s = GB_ERR_MEMORY;
    for (uint64_t i = 1; s == GB_ERR_MEMORY; i++) {
        assert_true(i < 50);
        gb_mrc_writer *w;
        gb_alloc_fail_at(i);
        s = gb_mrc_create(&w, ctx, in_folder("m.mrc"), &spec);
        gb_alloc_fail_at(0);
        if (s == GB_OK) {
            assert_int_equal(gb_mrc_write(ctx, w, data, 0, 1, 0, 1), GB_OK);
            assert_int_equal(gb_mrc_finish(ctx, w), GB_OK);
        } else {
            assert_null(w);
            assert_int_equal(files_in_folder(), 0);
        }
    }
    s = GB_ERR_MEMORY;
    for (uint64_t i = 1; s == GB_ERR_MEMORY; i++) {
        assert_true(i < 50);
        gb_image *im;
        gb_alloc_fail_at(i);
        s = gb_image_open(&im, ctx, in_folder("m.mrc"), GB_NAN_REFUSE);
        gb_alloc_fail_at(0);
        gb_image_close(im);
    }
    assert_int_equal(s, GB_OK);
    gb_ctx_free(ctx);
}

typedef struct real_file {
    const char *path;
    uint32_t nx, ny, nz;
    gb_sample sample;
    uint64_t offset;
    double min, max; /* of the pixels, found with mrcfile */
} real_file;

static void test_real_files(void **state) {
    (void)state;
    static const real_file files[] = {
        {"nist_haadf_rod/haadf_rod_64x64x91.mrc", 64, 64, 91, GB_SAMPLE_U16, 1024, 513, 39459},
        {"maps/EMD-3001.map", 73, 43, 25, GB_SAMPLE_F32, 1184, -0.36814296, 0.72161025},
        {"maps/EMD-3197.map", 20, 20, 20, GB_SAMPLE_F32, 1024, -4.1337457, 5.576737},
        {"formats/fei1_extended_header_test_image.mrc", 100, 100, 43, GB_SAMPLE_I16, 34048, NAN, NAN},
        {"formats/fei2_extended_header_HAADFscan.mrc", 16, 16, 1, GB_SAMPLE_U16, 910336, NAN, NAN},
        {"cryocat_metadata/tilt_stack.mrc", 232, 240, 4, GB_SAMPLE_F32, 1024, 18, 117},
    };
    for (size_t i = 0; i < GB_COUNT(files); i++) test_data(files[i].path); /* or skip, before anything is allocated */
    gb_ctx *ctx = test_ctx();
    for (size_t i = 0; i < GB_COUNT(files); i++) {
        const real_file *f = &files[i];
        gb_image *im;
        assert_int_equal(gb_image_open(&im, ctx, test_data(f->path), GB_NAN_REFUSE), GB_OK);
        const gb_image_info *info = gb_image_get_info(im);
        assert_int_equal(info->nx, f->nx);
        assert_int_equal(info->ny, f->ny);
        assert_int_equal(info->nz, f->nz);
        assert_int_equal(info->sample, f->sample);
        assert_int_equal(info->offset, f->offset);
        assert_int_equal(info->has_stats, !isnan(f->min));
        size_t n = (size_t)f->nx * f->ny * f->nz;
        float *data = malloc(n * sizeof *data), min = INFINITY, max = -INFINITY;
        assert_int_equal(gb_image_read(data, ctx, im, 0, f->nz, 0, f->ny), GB_OK);
        for (size_t k = 0; k < n; k++) {
            min = fminf(min, data[k]);
            max = fmaxf(max, data[k]);
        }
        if (info->has_stats) {
            assert_true(min == (float)f->min && max == (float)f->max);
            assert_true((float)info->min == min && (float)info->max == max);
        }
        free(data);
        gb_image_close(im);
    }
    gb_ctx_free(ctx);
}

/* Mode 12 with a NaN in the corner of every projection. */
static void test_real_nan(void **state) {
    (void)state;
    const char *path = test_data("savu_24737_mrc/projections.mrc");
    gb_ctx *ctx = test_ctx();
    gb_image *im;
    float *section = malloc(160 * 135 * sizeof *section);
    assert_int_equal(gb_image_open(&im, ctx, path, GB_NAN_REFUSE), GB_OK);
    assert_int_equal(gb_image_read(section, ctx, im, 5, 1, 0, 135), GB_ERR_RANGE);
    assert_says(ctx, "section 5, y 0, x 0 is not a number");
    gb_image_close(im);
    assert_int_equal(gb_image_open(&im, ctx, path, GB_NAN_MEAN), GB_OK);
    assert_int_equal(gb_image_get_info(im)->sample, GB_SAMPLE_F16);
    assert_int_equal(gb_image_read(section, ctx, im, 5, 1, 0, 135), GB_OK);
    double sum = 0;
    for (size_t i = 1; i < 160 * 135; i++) sum += section[i];
    assert_true(fabs(section[0] - sum / (160 * 135 - 1)) < 1e-6);
    assert_int_equal(gb_image_replaced(im), 1);
    gb_image_close(im);
    free(section);
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_byte_orders),
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_half),
        cmocka_unit_test_setup_teardown(test_write, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_write_failures, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_out_of_memory, make_folder, remove_folder),
        cmocka_unit_test(test_real_files),
        cmocka_unit_test(test_real_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
