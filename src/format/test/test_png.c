#include <math.h>
#include <png.h>

#include "testing.h"

static void round_trip(unsigned channels) {
    gb_ctx *ctx = test_ctx();
    enum { W = 13, H = 7 };
    uint8_t pixels[W * H * 3], back[W * H * 3];
    char path[] = "png-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37);
    assert_int_equal(gb_png_write(ctx, path, pixels, W, H, channels), GB_OK);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    assert_true(image.width == W && image.height == H);
    assert_int_equal(image.format, channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB);
    assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
    assert_memory_equal(back, pixels, (size_t)W * H * channels);
    unlink(path);
    gb_ctx_free(ctx);
}

static void test_grey_and_colour(void **state) {
    (void)state;
    round_trip(1);
    round_trip(3);
}

static void test_bad_arguments(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    const uint8_t pixel[4] = {0};
    assert_int_equal(gb_png_write(ctx, "never.png", pixel, 0, 1, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_png_write(ctx, "never.png", pixel, 1, 40000, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_png_write(ctx, "never.png", pixel, 1, 1, 2), GB_ERR_ARGUMENT);
    assert_int_equal(gb_png_write(ctx, "no/such/folder.png", pixel, 1, 1, 1), GB_ERR_NOT_FOUND);
    assert_int_not_equal(access("never.png", F_OK), 0);
    gb_ctx_free(ctx);
}

static void test_levels(void **state) {
    (void)state;
    const float in[] = {-10, 0, 0.5f, 1, 20, NAN, INFINITY};
    const uint8_t want[] = {0, 0, 128, 255, 255, 0, 255};
    uint8_t out[GB_COUNT(in)];
    gb_png_grey(out, in, GB_COUNT(in), 0, 1);
    assert_memory_equal(out, want, sizeof want);
    gb_png_grey(out, in, 5, 3, 3);
    for (size_t i = 0; i < 5; i++) assert_int_equal(out[i], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grey_and_colour),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
