/* workload/tomography: configuration, conventions, filters. */
#include "workload/tomography/test/support.h"

static const double five[] = {-60, -30, 0, 30, 60};

static void config_ranges(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config good = test_config(9, 5, 0, five, 5), c;
    OK(gb_tomo_config_check(ctx, &good));
    assert_int_equal(gb_tomo_nz(&good), 9);
#define BAD(change)                                                                                                    \
    do {                                                                                                               \
        c = good;                                                                                                      \
        change;                                                                                                        \
        assert_int_equal(gb_tomo_config_check(ctx, &c), GB_ERR_ARGUMENT);                                              \
    } while (0)
    const double wild[] = {0, NAN};
    BAD(c.size = 3);
    BAD(c.nx = 1);
    BAD(c.ny = 0);
    BAD(c.ny = GB_TOMO_MAX_WIDTH + 1);
    BAD(c.nz = GB_TOMO_MAX_WIDTH + 1);
    BAD(c.tilt_count = 0);
    BAD(c.tilts = NULL);
    BAD(c.tilts = wild; c.tilt_count = 2);
    BAD(c.axis_offset = 4.5);
    BAD(c.axis_offset = NAN);
    BAD(c.filter = (gb_tomo_filter)17);
    BAD(c.filter = GB_TOMO_SIRT; c.iterations = 0);
    BAD(c.copies = 3);
    BAD(c.copies = 2; c.axis_offset = 1);
    BAD(c.copies = 2; c.nearest = true);
}

static void copies_and_sizes(void **state) {
    (void)state;
    gb_tomo_config c = test_config(8, 512, 7, five, 5);
    assert_int_equal(gb_tomo_copies(&c, 2048), 2);
    assert_int_equal(gb_tomo_copies(&c, 1024), 1);
    c.axis_offset = 0.5;
    assert_int_equal(gb_tomo_copies(&c, 2048), 1);
    c.axis_offset = 0;
    c.nearest = true;
    assert_int_equal(gb_tomo_copies(&c, 2048), 1);
    assert_int_equal(gb_tomo_nk(&c), 7);
    c.copies = 2;
    assert_int_equal(gb_tomo_nk(&c), 4);
    assert_int_equal(gb_tomo_rows(&c), 1024);
    assert_int_equal(gb_tomo_lines_in(&c), 40);
    assert_int_equal(gb_tomo_lines_out(&c), 32);
    assert_int_equal(gb_tomo_plane_z(&c, 1, 0), 1);
    assert_int_equal(gb_tomo_plane_z(&c, 1, 1), 5);
    assert_int_equal(gb_tomo_plane_z(&c, 3, 1), UINT32_MAX);
}

/* The formula of the header, at every voxel; and the quarter turns are exact. */
static void positions(void **state) {
    (void)state;
    const double tilts[] = {0, 90, -90, 180, 37.5, -81};
    gb_tomo_config c = test_config(8, 1, 5, tilts, GB_COUNT(tilts));
    c.axis_offset = 1.25;
    gb_affine a[GB_COUNT(tilts)];
    gb_tomo_geometry(a, &c);
    for (size_t t = 0; t < c.tilt_count; t++)
        for (int z = 0; z < 5; z++)
            for (int x = 0; x < 8; x++) {
                double r = tilts[t] * GB_TOMO_PI / 180;
                double u = (x - 3.5) * cos(r) - (z - 2) * sin(r) + 3.5 + 1.25;
                assert_float_equal(a[t].origin + x * a[t].step_i + z * a[t].step_k, u, 1e-12);
            }
    assert_true(a[0].step_i == 1 && a[0].step_k == 0 && a[0].origin == 1.25);
    assert_true(a[1].step_i == 0 && a[1].step_k == -1);
    assert_true(a[2].step_i == 0 && a[2].step_k == 1);
    assert_true(a[3].step_i == -1 && a[3].step_k == 0);
}

static void factor_and_weights(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config c = test_config(8, 1, 8, five, 5);
    assert_float_equal(gb_tomo_factor(&c), GB_TOMO_PI / 6, 1e-15);
    const double full[] = {90, -90, 0}; /* spacing 90 would count the half turn one and a half times */
    c.tilts = full;
    c.tilt_count = 3;
    assert_float_equal(gb_tomo_factor(&c), GB_TOMO_PI / 3, 1e-15);
    c.tilt_count = 1;
    assert_float_equal(gb_tomo_factor(&c), 1, 0);

    double w[5];
    const double uneven[] = {10, -10, 0, 40, 10}; /* spans: 10 -> 20 shared by two, -10 -> 10, 0 -> 10, 40 -> 30 */
    c.tilts = uneven;
    c.tilt_count = 5;
    OK(gb_tomo_weights(w, ctx, &c));
    const double span[] = {10, 10, 10, 30, 10};
    for (size_t t = 0; t < 5; t++) assert_float_equal(w[t], span[t] / 14, 1e-14);
}

static void filter_names(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config c = test_config(8, 1, 8, five, 5);
    OK(gb_tomo_filter_parse(ctx, &c, "shepp-logan"));
    assert_int_equal(c.filter, GB_TOMO_SHEPP_LOGAN);
    OK(gb_tomo_filter_parse(ctx, &c, "none"));
    assert_int_equal(c.filter, GB_TOMO_NO_FILTER);
    OK(gb_tomo_filter_parse(ctx, &c, "sirt:25"));
    assert_int_equal(c.filter, GB_TOMO_SIRT);
    assert_int_equal(c.iterations, 25);
    const char *bad[] = {"", "Ramp", "sirt", "sirt:", "sirt:0", "sirt:201", "sirt:1000000", "sirt:-1", "sirt:5x"};
    for (size_t i = 0; i < GB_COUNT(bad); i++) assert_int_equal(gb_tomo_filter_parse(ctx, &c, bad[i]), GB_ERR_ARGUMENT);
    assert_int_equal(c.iterations, 25);
    assert_string_equal(gb_tomo_filter_name(GB_TOMO_HAMMING), "hamming");
}

/* Documented response at f of the whole kernel. */
static double response(const gb_tomo_config *c, double f) {
    switch (c->filter) {
    case GB_TOMO_RAMP:
        return f;
    case GB_TOMO_SHEPP_LOGAN:
        return sin(GB_TOMO_PI * f) / GB_TOMO_PI;
    case GB_TOMO_HAMMING:
        return f * (0.54 + 0.46 * cos(2 * GB_TOMO_PI * f));
    case GB_TOMO_SIRT:
        return f < 0.00195 ? f : f * (1 - pow(1 - 0.00195 / f, c->iterations + 0.3));
    default:
        return 1;
    }
}

/* The taps are the Fourier coefficients of the response: their sum over distances differs from it by no more than what
 * the cut-off tail can hold (taps fall as 1 / d^2), nothing at all for finite kernels; DC goes to zero with the size.
 */
static void filter_responses(void **state) {
    gb_ctx *ctx = *state;
    static double taps[2 * 2048 - 1];
    gb_tomo_config c = test_config(2048, 1, 8, five, 5);
    for (int k = GB_TOMO_RAMP; k <= GB_TOMO_NO_FILTER; k++) {
        c.filter = (gb_tomo_filter)k;
        OK(gb_tomo_taps(taps, ctx, &c));
        for (size_t d = 0; d < 2048; d++) assert_true(taps[2047 - d] == taps[2047 + d]);
        for (int i = 0; i <= 50; i++) {
            double f = i / 100.0, sum = taps[2047];
            for (int d = 1; d < 2048; d++) sum += 2 * taps[2047 + d] * cos(2 * GB_TOMO_PI * f * d);
            assert_float_equal(sum, response(&c, f), k == GB_TOMO_NO_FILTER ? 1e-15 : 2.1e-4);
        }
    }
    c.filter = GB_TOMO_RAMP;
    OK(gb_tomo_taps(taps, ctx, &c));
    assert_float_equal(taps[2047], 0.25, 0);
    assert_float_equal(taps[2048], -1 / (GB_TOMO_PI * GB_TOMO_PI), 1e-16);
    assert_true(taps[2049] == 0);
}

/* Against slow, exact integration of the response; the ramp's cusp at 0 and the SIRT filter's at alpha fall on nodes.
 */
static void sirt_taps(void **state) {
    gb_ctx *ctx = *state;
    double taps[2 * 40 - 1];
    gb_tomo_config c = test_config(40, 1, 8, five, 5);
    c.filter = GB_TOMO_SIRT;
    OK(gb_tomo_taps(taps, ctx, &c));
    const int steps = 200000;
    for (int d = 0; d < 40; d += 13) {
        double sum = 0;
        for (int j = 0; j < steps; j++) {
            double f = 0.5 * (j + 0.5) / steps;
            sum += 2 * response(&c, f) * cos(2 * GB_TOMO_PI * f * d) * 0.5 / steps;
        }
        assert_float_equal(taps[39 + d], sum, 1e-9);
    }
}

static void fft_round_trip(void **state) {
    gb_ctx *ctx = *state;
    enum { N = 64 };
    double *w, z[2 * N], x[2 * N];
    uint64_t seed = 1;
    for (int i = 0; i < 2 * N; i++) x[i] = z[i] = test_random(&seed);
    OK(gb_tomo_fft_table(&w, ctx, N));
    gb_tomo_fft(z, N, w, false);
    for (int j = 0; j < N; j += 7) {
        double re = 0, im = 0;
        for (int i = 0; i < N; i++) {
            double a = -2 * GB_TOMO_PI * i * j / N;
            re += x[2 * i] * cos(a) - x[2 * i + 1] * sin(a);
            im += x[2 * i] * sin(a) + x[2 * i + 1] * cos(a);
        }
        assert_float_equal(z[2 * j], re, 1e-12);
        assert_float_equal(z[2 * j + 1], im, 1e-12);
    }
    gb_tomo_fft(z, N, w, true);
    for (int i = 0; i < 2 * N; i++) assert_float_equal(z[i] / N, x[i], 1e-14);
    gb_free(w);
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
        cmocka_unit_test(config_ranges),      cmocka_unit_test(copies_and_sizes), cmocka_unit_test(positions),
        cmocka_unit_test(factor_and_weights), cmocka_unit_test(filter_names),     cmocka_unit_test(filter_responses),
        cmocka_unit_test(sirt_taps),          cmocka_unit_test(fft_round_trip),
    };
    return cmocka_run_group_tests_name("workload-geometry", tests, setup, teardown);
}
