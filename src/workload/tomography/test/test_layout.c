/* workload/tomography: images to lines, lines to volume, preparation of images. */
#include "workload/tomography/test/support.h"

static const double three[] = {-50, 0, 20};
static const uint32_t shapes[][3] = {{2, 1, 1}, {7, 5, 3}, {16, 16, 16}, {33, 17, 6}, {19, 40, 1}};

/* Every line holds the documented pixels, in pieces of any size, with 1 and 2 copies. */
static void pack_places_pixels(void **state) {
    gb_ctx *ctx = *state;
    for (size_t s = 0; s < GB_COUNT(shapes); s++)
        for (uint32_t copies = 1; copies <= 2; copies++) {
            uint32_t nx = shapes[s][0], ny = shapes[s][1];
            gb_tomo_config c = test_config(nx, ny, shapes[s][2], three, 3);
            c.copies = copies;
            size_t lines = gb_tomo_lines_in(&c), rows = gb_tomo_rows(&c);
            float *images = test_images(3 * (size_t)nx * ny, s), *out = test_alloc(lines * rows, sizeof *out);
            for (size_t first = 0, n; first < lines; first += n) {
                n = gb_min_size(5, lines - first);
                OK(gb_tomo_pack(out + first * rows, ctx, &c, images, first, n));
            }
            for (size_t l = 0; l < lines; l++)
                for (size_t r = 0; r < rows; r++) {
                    size_t t = l / nx, x = r < ny ? l % nx : nx - 1 - l % nx, y = r % ny;
                    assert_true(out[l * rows + r] == images[(t * ny + y) * nx + x]);
                }
            assert_int_equal(gb_tomo_pack(out, ctx, &c, images, lines, 1), GB_ERR_ARGUMENT);
            assert_int_equal(gb_tomo_pack(out, ctx, &c, images, 1, SIZE_MAX), GB_ERR_ARGUMENT);
            gb_free(out);
            gb_free(images);
        }
}

/* Lines made from a known volume come back as that volume: whole, in pieces, and plane by plane. */
static void unpack_round_trip(void **state) {
    gb_ctx *ctx = *state;
    for (size_t s = 0; s < GB_COUNT(shapes); s++)
        for (uint32_t copies = 1; copies <= 2; copies++) {
            size_t nx = shapes[s][0], ny = shapes[s][1], nz = shapes[s][2];
            gb_tomo_config c = test_config((uint32_t)nx, (uint32_t)ny, (uint32_t)nz, three, 3);
            c.copies = copies;
            size_t count = gb_tomo_lines_out(&c), rows = gb_tomo_rows(&c), voxels = nx * ny * nz;
            double *lines = test_alloc(count * rows, sizeof *lines), *v64 = test_alloc(voxels, sizeof *v64);
            float *lines32 = test_alloc(count * rows, sizeof *lines32), *v = test_alloc(voxels, sizeof *v),
                  *v32 = test_alloc(voxels, sizeof *v32), *plane = test_alloc(nx * ny, sizeof *plane);
            for (size_t l = 0; l < count; l++)
                for (size_t r = 0; r < rows; r++) {
                    size_t k = l / nx, x = l % nx, y = r % ny;
                    bool second = r >= ny;
                    size_t voxel = (y * nz + (second ? nz - 1 - k : k)) * nx + (second ? nx - 1 - x : x);
                    lines[l * rows + r] = (double)voxel + 0.25;
                    lines32[l * rows + r] = (float)voxel;
                }
            for (size_t first = 0, n; first < count; first += n) {
                n = gb_min_size(7, count - first);
                OK(gb_tomo_unpack(v, ctx, &c, lines + first * rows, first, n));
            }
            OK(gb_tomo_unpack_f64(v64, ctx, &c, lines, 0, count));
            OK(gb_tomo_unpack_f32(v32, ctx, &c, lines32, 0, count));
            for (size_t i = 0; i < voxels; i++)
                assert_true(v[i] == (float)((double)i + 0.25) && v64[i] == (double)i + 0.25 && v32[i] == (float)i);
            size_t planes = 0;
            for (uint32_t k = 0; k < gb_tomo_nk(&c); k++)
                for (uint32_t copy = 0; copy < copies; copy++) {
                    uint32_t z = gb_tomo_plane_z(&c, k, copy);
                    if (z == UINT32_MAX) continue;
                    OK(gb_tomo_unpack_plane(plane, ctx, &c, lines + k * nx * rows, copy));
                    for (size_t i = 0; i < nx * ny; i++) assert_true(plane[i] == v[(i / nx * nz + z) * nx + i % nx]);
                    planes++;
                }
            assert_int_equal(planes, nz);
            assert_int_equal(gb_tomo_unpack_plane(plane, ctx, &c, lines, copies), GB_ERR_ARGUMENT);
            assert_int_equal(gb_tomo_unpack(v, ctx, &c, lines, 1, count), GB_ERR_ARGUMENT);
            gb_free(lines);
            gb_free(lines32);
            gb_free(v);
            gb_free(v32);
            gb_free(v64);
            gb_free(plane);
        }
}

static void pack_weighs_tilts(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config c = test_config(4, 3, 4, three, 3); /* spans 50, 35, 20 */
    c.spacing_weights = true;
    float images[36], out[36];
    for (int i = 0; i < 36; i++) images[i] = 1;
    OK(gb_tomo_pack(out, ctx, &c, images, 0, 12));
    for (int i = 0; i < 36; i++) assert_float_equal(out[i], (i < 12 ? 50 : i < 24 ? 35 : 20) / 35.0, 1e-6);
}

static void normalise(void **state) {
    gb_ctx *ctx = *state;
    float images[2 * 5 * 6];
    for (int i = 0; i < 60; i++) images[i] = (float)(i < 30 ? 7 : i % 6 == 0 || i % 6 == 5 ? 3 : 9);
    OK(gb_tomo_normalise(images, ctx, 6, 5, 2, GB_TOMO_SUBTRACT_MEAN, 0));
    for (int i = 0; i < 30; i++) assert_true(images[i] == 0);
    assert_float_equal(images[31], 2, 1e-6); /* mean of 2 x 3 and 4 x 9 is 7 */
    /* Border of the second image: 3 at the sides (5 twice), 9 above and below but for the corners. */
    OK(gb_tomo_normalise(images, ctx, 6, 5, 2, GB_TOMO_SUBTRACT_BORDER, 0));
    assert_float_equal(images[30], 0, 1e-6);
    assert_float_equal(images[31], 6, 1e-6);
    OK(gb_tomo_normalise(images, ctx, 6, 5, 2, GB_TOMO_KEEP, 3));
    assert_float_equal(images[31], 6 * 0.5, 1e-6);
    assert_true(images[32] < 6 && images[32] > 5);
    images[45] = NAN;
    assert_int_equal(gb_tomo_normalise(images, ctx, 6, 5, 2, GB_TOMO_KEEP, 0), GB_ERR_RANGE);
    assert_non_null(strstr(gb_ctx_error(ctx), "image 1: the pixel at y 2, x 3"));
    assert_int_equal(gb_tomo_normalise(images, ctx, 6, 5, 2, GB_TOMO_KEEP, 4), GB_ERR_ARGUMENT);
}

static int setup(void **state) {
    *state = test_ctx();
    return 0;
}

static int teardown(void **state) {
    gb_ctx_free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack_places_pixels),
        cmocka_unit_test(unpack_round_trip),
        cmocka_unit_test(pack_weighs_tilts),
        cmocka_unit_test(normalise),
    };
    return cmocka_run_group_tests_name("workload-layout", tests, setup, teardown);
}
