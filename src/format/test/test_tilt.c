#include <math.h>

#include "testing.h"

static gb_status parse(gb_tilts *t, gb_ctx *ctx, const char *text, size_t images) {
    return gb_tilts_parse(t, ctx, "t", text, strlen(text), images);
}

static void test_numbers(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    gb_tilts t;
    assert_int_equal(parse(&t, ctx, "\xef\xbb\xbf  -60.5 \r\n\n\t\n+1e1\n.25\n3.\n-0.00012500e+4\n180", 6), GB_OK);
    const double want[] = {-60.5, 10, 0.25, 3, -1.25, 180};
    assert_int_equal(t.count, 6);
    for (size_t i = 0; i < 6; i++) assert_true(t.angles[i] == want[i]);
    assert_false(t.has_axis);
    gb_tilts_release(&t);
    assert_int_equal(parse(&t, ctx, "0.1000000000000000055511151231257827\n12.34567890123456789\n", 0), GB_OK);
    assert_true(fabs(t.angles[0] - 0.1) < 1e-16 && fabs(t.angles[1] - 12.34567890123456789) < 1e-14);
    gb_tilts_release(&t);
    gb_ctx_free(ctx);
}

static void test_bad_text(void **state) {
    (void)state;
    static const struct {
        const char *text;
        gb_status want;
        const char *words;
    } cases[] = {
        {"", GB_ERR_FORMAT, "no tilt angle"},
        {"\n \n", GB_ERR_FORMAT, "no tilt angle"},
        {"1\n2\nthree\n", GB_ERR_FORMAT, "line 3: not a tilt angle"},
        {"1\n\n2 3\n", GB_ERR_FORMAT, "line 3: not"},
        {"1\nnan\n", GB_ERR_FORMAT, "line 2: not"},
        {"-\n", GB_ERR_FORMAT, "line 1: not"},
        {".\n", GB_ERR_FORMAT, "line 1: not"},
        {"1e\n", GB_ERR_FORMAT, "line 1: not"},
        {"1e999\n", GB_ERR_FORMAT, "line 1: not"},
        {"0x10\n", GB_ERR_FORMAT, "line 1: not"},
        {"1,5\n", GB_ERR_FORMAT, "line 1: not"},
        {"60\n180.01\n", GB_ERR_RANGE, "line 2: tilt angle 180.01 is outside"},
        {"-1e9\n", GB_ERR_RANGE, "line 1"},
        {"1\n2\n", GB_ERR_PARAMS, "has 2 tilt angles, the stack has 3 images"},
        {"[ZValue = 0]\nTiltAngle = 1\n[ZValue = 0]\nTiltAngle = 2\n", GB_ERR_FORMAT, "two sections have ZValue = 0"},
        {"[ZValue = 0]\nTiltAngle = 1\n[ZValue = 2]\nTiltAngle = 2\n", GB_ERR_FORMAT, "ZValue = 2"},
        {"[ZValue = 0]\n[ZValue = 1]\nTiltAngle = 2\n", GB_ERR_FORMAT, "line 1: [ZValue = 0] has no TiltAngle"},
        {"[ZValue = 0]\nTiltAngle = 1\nTiltAngle = 1\n", GB_ERR_FORMAT, "line 3: TiltAngle is given twice"},
        {"[ZValue = x]\n", GB_ERR_FORMAT, "line 1: ZValue"},
        {"[ZValue = 0.5]\n", GB_ERR_FORMAT, "line 1: ZValue"},
        {"[ZValue = 1e300]\n", GB_ERR_FORMAT, "line 1: ZValue"},
        {"[ZValue = 0]\nTiltAngle = 190\n", GB_ERR_RANGE, "line 2: tilt angle 190"},
        {"[T = title]\n", GB_ERR_FORMAT, "no tilt angle"},
    };
    gb_ctx *ctx = test_ctx();
    for (size_t i = 0; i < GB_COUNT(cases); i++) {
        gb_tilts t;
        assert_int_equal(parse(&t, ctx, cases[i].text, 3), cases[i].want);
        assert_null(t.angles);
        assert_int_equal(t.count, 0);
        assert_says(ctx, cases[i].words);
    }
    gb_ctx_free(ctx);
}

static void test_mdoc(void **state) {
    (void)state;
    static const char text[] =
        "PixelSpacing = 1.5\r\nImageSize = 64 32\r\n\r\n[T =   Tilt axis angle = -84.25, binning = 1]\r\n"
        "[ZValue = 2]\r\nTiltAngle = 20\r\nPixelSpacing = 9\r\n[FrameSet = 0]\r\nTiltAngle = 77\r\n"
        "[ZValue = 0]\r\nTiltAngle=-20.0\r\n[ZValue = 1]\r\nTiltAngle = 1e-3";
    gb_ctx *ctx = test_ctx();
    gb_tilts t;
    assert_int_equal(parse(&t, ctx, text, 3), GB_OK);
    assert_true(t.angles[0] == -20 && t.angles[1] == 1e-3 && t.angles[2] == 20);
    assert_true(t.has_axis && t.axis == -84.25 && t.pixel == 1.5 && t.image[0] == 64 && t.image[1] == 32);
    gb_tilts_release(&t);
    gb_ctx_free(ctx);
}

static void test_many(void **state) { /* the array grows; the limit holds */
    (void)state;
    gb_ctx *ctx = test_ctx();
    size_t n = ((size_t)1 << 20) + 1;
    char *text = malloc(2 * n);
    for (size_t i = 0; i < n; i++) memcpy(text + 2 * i, "7\n", 2);
    gb_tilts t;
    assert_int_equal(gb_tilts_parse(&t, ctx, "t", text, 2 * n - 2, n - 1), GB_OK);
    assert_true(t.angles[n - 2] == 7);
    gb_tilts_release(&t);
    assert_int_equal(gb_tilts_parse(&t, ctx, "t", text, 2 * n, n), GB_ERR_LIMIT);
    free(text);
    gb_ctx_free(ctx);
}

/* SerialEM's own order against IMOD's sorted list of the same series. */
static void test_real_files(void **state) {
    (void)state;
    test_data("cryocat_metadata/TS_017_017.mdoc"); /* or skip, before anything is allocated */
    gb_ctx *ctx = test_ctx();
    gb_tilts t, sorted;
    assert_int_equal(gb_tilts_read(&t, ctx, test_data("nist_haadf_rod/haadf_rod.rawtlt"), 91), GB_OK);
    for (size_t i = 0; i < 91; i++) assert_true(t.angles[i] == -90 + 2.0 * (double)i);
    gb_tilts_release(&t);
    assert_int_equal(gb_tilts_read(&t, ctx, test_data("nist_haadf_rod/haadf_rod.rawtlt"), 90), GB_ERR_PARAMS);
    assert_says(ctx, "has 91 tilt angles, the stack has 90 images");

    assert_int_equal(gb_tilts_read(&t, ctx, test_data("cryocat_metadata/TS_017_017.mdoc"), 60), GB_OK);
    assert_true(t.has_axis && t.axis == 82.9 && t.pixel == 1.971 && t.image[0] == 4096 && t.image[1] == 4096);
    assert_true(t.angles[0] == -52.0064 && t.angles[1] == -50.0066);
    assert_int_equal(gb_tilts_read(&sorted, ctx, test_data("cryocat_metadata/TS_017_017.tlt"), 0), GB_OK);
    size_t found = 0;
    for (size_t i = 0; i < t.count; i++)
        for (size_t k = 0; k < sorted.count; k++)
            if (fabs(t.angles[i] - sorted.angles[k]) < 0.0051) {
                found++;
                break;
            }
    assert_int_equal(found, 60);
    gb_tilts_release(&t);
    gb_tilts_release(&sorted);
    assert_int_equal(gb_tilts_read(&t, ctx, test_data("maps/EMD-3197.map"), 20), GB_ERR_FORMAT);
    assert_says(ctx, "holds images (mrc)");
    gb_ctx_free(ctx);
}

static void test_no_file(void **state) {
    (void)state;
    gb_ctx *ctx = test_ctx();
    gb_tilts t;
    assert_int_equal(gb_tilts_read(&t, ctx, "no-such-file.tlt", 1), GB_ERR_NOT_FOUND);
    assert_says(ctx, "no-such-file.tlt");
    gb_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_bad_text),   cmocka_unit_test(test_mdoc),
        cmocka_unit_test(test_many),    cmocka_unit_test(test_real_files), cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
