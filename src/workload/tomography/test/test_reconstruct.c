/* workload/tomography: the programs on the plain backend against the direct formulas, known objects and peers. */
#include "workload/tomography/test/support.h"

/* Images through the program on the plain backend (double): volume [ny][nz][nx]. */
static double *run_program(gb_ctx *ctx, const gb_tomo_config *c, const float *images) {
    size_t in = gb_tomo_lines_in(c), out = gb_tomo_lines_out(c), rows = gb_tomo_rows(c);
    float *lines32 = test_alloc(in * rows, sizeof *lines32);
    double *lines = test_alloc(in * rows, sizeof *lines), *result = test_alloc(out * rows, sizeof *result);
    double *volume = test_alloc((size_t)c->ny * gb_tomo_nz(c) * c->nx, sizeof *volume);
    OK(gb_tomo_pack(lines32, ctx, c, images, 0, in));
    for (size_t i = 0; i < in * rows; i++) lines[i] = (double)lines32[i];
    gb_program *p;
    OK(gb_tomo_program(&p, ctx, c));
    const double *const inputs[] = {lines};
    double *const outputs[] = {result};
    OK(gb_run_plain_f64(ctx, p, inputs, outputs, NULL));
    OK(gb_tomo_unpack_f64(volume, ctx, c, result, 0, out));
    gb_program_free(p);
    gb_free(lines32);
    gb_free(lines);
    gb_free(result);
    return volume;
}

static const double uneven[] = {-61.3, -40.2, -11, 0, 17.7, 33.1, 90, 58.4};

static void check_direct(gb_ctx *ctx, const gb_tomo_config *c, double tolerance) {
    size_t voxels = (size_t)c->ny * gb_tomo_nz(c) * c->nx;
    float *images = test_images(c->tilt_count * c->ny * c->nx, 7);
    double *direct = test_alloc(voxels, sizeof *direct), *volume = run_program(ctx, c, images);
    OK(gb_tomo_direct(direct, ctx, c, images));
    assert_true(test_difference(volume, direct, voxels) < tolerance);
    gb_free(images);
    gb_free(direct);
    gb_free(volume);
}

static void program_equals_direct(void **state) {
    gb_ctx *ctx = *state;
    for (int k = GB_TOMO_RAMP; k <= GB_TOMO_NO_FILTER; k++) {
        gb_tomo_config c = test_config(31, 6, 12, uneven, GB_COUNT(uneven));
        c.filter = (gb_tomo_filter)k;
        check_direct(ctx, &c, 1e-9);
        c.axis_offset = -3.4;
        check_direct(ctx, &c, 1e-9);
    }
    gb_tomo_config c = test_config(24, 3, 40, uneven, GB_COUNT(uneven)); /* thicker than wide */
    check_direct(ctx, &c, 1e-9);
    c = test_config(25, 3, 1, uneven, GB_COUNT(uneven));
    check_direct(ctx, &c, 1e-9);
    c.axis_offset = 0.3; /* off every tie of rounding */
    c.nearest = true;
    c.nz = 9;
    check_direct(ctx, &c, 1e-9);
    c = test_config(20, 4, 20, uneven, GB_COUNT(uneven));
    c.spacing_weights = true; /* the lines are floats: weighted ones are rounded */
    check_direct(ctx, &c, 1e-6);
    c.tilt_count = 1;
    check_direct(ctx, &c, 1e-6);
}

/* Point symmetry: half the lines computed over two copies give the same volume as all lines over one. */
static void two_copies_equal_one(void **state) {
    gb_ctx *ctx = *state;
    for (uint32_t nx = 20; nx <= 21; nx++)
        for (uint32_t nz = 9; nz <= 10; nz++) {
            gb_tomo_config c = test_config(nx, 5, nz, uneven, GB_COUNT(uneven));
            float *images = test_images(c.tilt_count * c.ny * c.nx, nx + nz);
            double *one = run_program(ctx, &c, images);
            c.copies = 2;
            double *two = run_program(ctx, &c, images);
            assert_true(test_difference(two, one, (size_t)nx * 5 * nz) < 1e-12);
            gb_free(images);
            gb_free(one);
            gb_free(two);
        }
}

/* <B p, v> = factor <p, F v> for the back-projection B and the forward projection F, and F is the direct formula. */
static void projection_is_transpose(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config c = test_config(17, 1, 12, uneven, GB_COUNT(uneven));
    c.axis_offset = 0.7;
    c.filter = GB_TOMO_NO_FILTER;
    size_t voxels = 17 * 12, pixels = 17 * GB_COUNT(uneven);
    float *images = test_images(pixels, 3), *random = test_images(voxels, 4);
    double *volume = test_alloc(voxels, sizeof *volume), *forward = test_alloc(pixels, sizeof *forward),
           *direct = test_alloc(pixels, sizeof *direct);
    for (size_t i = 0; i < voxels; i++) volume[i] = (double)random[i];
    gb_program *p;
    OK(gb_tomo_projection_program(&p, ctx, &c));
    const double *const in[] = {volume};
    double *const out[] = {forward};
    OK(gb_run_plain_f64(ctx, p, in, out, NULL)); /* ny = 1: lines are pixels, in the order of images and volume */
    gb_program_free(p);
    OK(gb_tomo_direct_project(direct, ctx, &c, volume));
    assert_true(test_difference(forward, direct, pixels) < 1e-12);
    double *back = run_program(ctx, &c, images), bv = 0, pf = 0;
    for (size_t i = 0; i < voxels; i++) bv += back[i] * volume[i];
    for (size_t i = 0; i < pixels; i++) pf += (double)images[i] * forward[i];
    assert_true(fabs(bv) > 1e-3);
    assert_float_equal(bv, gb_tomo_factor(&c) * pf, 1e-10);
    c.copies = 2;
    assert_int_equal(gb_tomo_projection_program(&p, ctx, &c), GB_ERR_ARGUMENT);
    gb_free(images);
    gb_free(random);
    gb_free(volume);
    gb_free(forward);
    gb_free(direct);
    gb_free(back);
}

/* Two round blobs, one in front and right, from all sides: they come back where they are (not mirrored) and with their
 * density, which fixes signs, order and the factor at once. */
static void known_object(void **state) {
    gb_ctx *ctx = *state;
    enum { N = 41, T = 60 };
    const double blob[2][3] = {{11, 5, 1}, {-6, -12, 0.5}}, sigma = 2.5; /* x, z from the middle; density */
    double tilts[T];
    float *images = test_alloc(T * N, sizeof *images);
    for (int t = 0; t < T; t++) {
        tilts[t] = -90 + 3.0 * t;
        for (int b = 0; b < 2; b++)
            for (int x = 0; x < N; x++) {
                double a = tilts[t] * GB_TOMO_PI / 180;
                double d = x - 20 - (blob[b][0] * cos(a) - blob[b][1] * sin(a));
                images[t * N + x] +=
                    (float)(blob[b][2] * sigma * sqrt(2 * GB_TOMO_PI) * exp(-d * d / (2 * sigma * sigma)));
            }
    }
    gb_tomo_config c = test_config(N, 1, N, tilts, T);
    double *v = run_program(ctx, &c, images);
    double worst = 0;
    for (int z = 0; z < N; z++)
        for (int x = 0; x < N; x++) {
            double truth = 0;
            for (int b = 0; b < 2; b++) {
                double dx = x - 20 - blob[b][0], dz = z - 20 - blob[b][1];
                truth += blob[b][2] * exp(-(dx * dx + dz * dz) / (2 * sigma * sigma));
            }
            if (hypot(x - 20, z - 20) < 18) worst = fmax(worst, fabs(v[z * N + x] - truth));
        }
    assert_true(worst < 0.03);
    gb_free(images);
    gb_free(v);
}

/* One octave's eighth: the declared bound is the next 2^(k/8) and hardly more. Seen through the plan's input. */
static void measure_declares_bounds(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config c = test_config(16, 4, 8, uneven, GB_COUNT(uneven));
    c.copies = 2;
    size_t in = gb_tomo_lines_in(&c), out = gb_tomo_lines_out(&c), rows = gb_tomo_rows(&c);
    float *images = test_images(c.tilt_count * c.ny * c.nx, 9), *lines = test_alloc(in * rows, sizeof *lines),
          *result = test_alloc(out * rows, sizeof *result), *volume = test_alloc(16 * 4 * 8, sizeof *volume);
    OK(gb_tomo_pack(lines, ctx, &c, images, 0, in));
    gb_program *p;
    OK(gb_tomo_program(&p, ctx, &c));
    OK(gb_tomo_measure(NULL, ctx, &c, p, lines));
    OK(gb_tomo_measure(result, ctx, &c, p, lines));
    OK(gb_tomo_unpack_f32(volume, ctx, &c, result, 0, out));
    double *exact = test_alloc(16 * 4 * 8, sizeof *exact), worst = 0, size = 0;
    OK(gb_tomo_direct(exact, ctx, &c, images));
    for (size_t i = 0; i < 16 * 4 * 8; i++) {
        worst = fmax(worst, fabs(exact[i] - (double)volume[i]));
        size = fmax(size, fabs(exact[i]));
    }
    assert_true(worst < 2e-4 * size); /* the float backend rounds interpolation weights to 2^-14 */

    double top = 0;
    for (size_t i = 0; i < in * rows; i++) top = fmax(top, fabs((double)lines[i]));
    gb_params *params;
    gb_plan *plan;
    OK(gb_params_named(&params, ctx, gb_precision_params(GB_PRECISION_DEFAULT)));
    OK(gb_plan_new(&plan, ctx, p, params, GB_PRECISION_DEFAULT, c.copies));
    double declared = gb_plan_input(plan, 0)->max_abs;
    assert_true(declared >= top && declared < top * 1.0011 * exp2(0.125));
    assert_float_equal(8 * log2(declared), round(8 * log2(declared)), 1e-9);
    assert_int_equal(gb_plan_output(plan, 0)->axes[0].size, gb_tomo_nk(&c));
    gb_plan_free(plan);
    gb_params_free(params);
    gb_program_free(p);
    gb_free(images);
    gb_free(lines);
    gb_free(result);
    gb_free(volume);
    gb_free(exact);
}

/* Correlation of our volume (width n + 1, y = 0) with a peer's n x n slice inside a circle about (n/2, n/2). flip: the
 * peer's rows run against z. */
static double peer_correlation(const double *v, size_t n, const float *peer, bool flip) {
    double *a = test_alloc(n * n, sizeof *a), *b = test_alloc(n * n, sizeof *b);
    size_t count = 0;
    for (size_t z = 0; z < n; z++)
        for (size_t x = 0; x < n; x++) {
            double m = (double)n / 2, reach = m - (double)n / 16;
            if (hypot((double)x - m, (double)z - m) >= reach) continue;
            a[count] = v[(flip ? n - z : z) * (n + 1) + x];
            b[count++] = (double)peer[z * n + x];
        }
    double r = test_correlation(a, b, count);
    gb_free(a);
    gb_free(b);
    return r;
}

/* scikit-image's iradon of a real X-ray scan: axis at detector x = 85.79, its slices have the axis at pixel 80, so the
 * lines are brought to 161 pixels with the axis at 80 (linear, border value outside), as was done for the reference. */
static void peer_scikit_image(void **state) {
    gb_ctx *ctx = *state;
    uint32_t size[3] = {0}, ref_size[3] = {0};
    double tilts[91];
    const char *folder = "savu_24737_mrc";
    float *raw = test_mrc(size, folder, "projections.mrc");
    if (!raw) skip();
    float *ref = test_mrc(ref_size, folder, "reference_fbp_skimage_rows52to83_160x160x32.mrc");
    assert_true(ref && test_tilts(tilts, 91, folder, "projections.rawtlt"));
    assert_true(size[0] == 160 && size[1] == 135 && size[2] == 91 && ref_size[0] == 160 && ref_size[2] == 32);
    gb_tomo_config c = test_config(161, 1, 161, tilts, 91);
    float *images = test_alloc((size_t)91 * 161, sizeof *images);
    const uint32_t rows[] = {52, 70, 83};
    for (size_t i = 0; i < GB_COUNT(rows); i++) {
        for (size_t t = 0; t < 91; t++)
            for (size_t x = 0; x < 161; x++) {
                const float *line = raw + (t * 135 + rows[i]) * 160;
                double at = fmin((double)x + 5.79, 159), w = at - floor(at);
                size_t j = (size_t)at, k = gb_min_size(j + 1, 159);
                images[t * 161 + x] = (float)-((1 - w) * log((double)line[j]) + w * log((double)line[k]));
            }
        double *v = run_program(ctx, &c, images);
        double r = peer_correlation(v, 160, ref + (size_t)(rows[i] - 52) * 160 * 160, false);
        assert_true(r > (rows[i] == 52 ? 0.999 : 0.9999)); /* row 52 is nearly uniform: the rim shows */
        gb_free(v);
    }
    gb_free(images);
    gb_free(raw);
    gb_free(ref);
}

/* 3-dimensional float32 .npy, C order; only for these files. */
static float *read_npy(size_t count, const char *name) {
    size_t n;
    uint8_t *data = test_data(&n, "tomopy_vectors", name);
    if (!data) return NULL;
    assert_true(n >= 10 && memcmp(data, "\x93NUMPY", 6) == 0);
    size_t head = 10 + (size_t)(data[8] | data[9] << 8);
    assert_true(n == head + count * sizeof(float));
    float *out = test_alloc(count, sizeof *out);
    memcpy(out, data + head, count * sizeof *out);
    gb_free(data);
    return out;
}

/* TomoPy's gridrec of 16 projections, axis at pixel 24 of 48, slices with y against our z. It interpolates in Fourier
 * space and we in real space: with 16 angles the streaks between them differ, so the bound is 0.97. */
static void peer_tomopy(void **state) {
    gb_ctx *ctx = *state;
    float *proj = read_npy(16 * 8 * 48, "proj.npy");
    if (!proj) skip();
    const struct {
        const char *file;
        gb_tomo_filter filter;
    } cases[] = {{"gridrec_ramlak.npy", GB_TOMO_RAMP}, {"gridrec_shepp.npy", GB_TOMO_SHEPP_LOGAN}};
    double tilts[16];
    float images[16 * 49] = {0};
    for (size_t t = 0; t < 16; t++) {
        tilts[t] = 11.25 * (double)t;
        for (size_t x = 0; x < 48; x++) images[t * 49 + x] = proj[(t * 8 + 4) * 48 + x];
    }
    for (size_t i = 0; i < GB_COUNT(cases); i++) {
        gb_tomo_config c = test_config(49, 1, 49, tilts, 16);
        c.filter = cases[i].filter;
        float *ref = read_npy((size_t)8 * 48 * 48, cases[i].file);
        assert_non_null(ref);
        double *v = run_program(ctx, &c, images);
        assert_true(peer_correlation(v, 48, ref + (size_t)4 * 48 * 48, true) > 0.97);
        gb_free(v);
        gb_free(ref);
    }
    gb_free(proj);
}

static void refused(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config c = test_config(16, 4, 8, uneven, 0);
    gb_program *p = (gb_program *)&c;
    assert_int_equal(gb_tomo_program(&p, ctx, &c), GB_ERR_ARGUMENT);
    assert_null(p);
}

/* Every allocation on the way to a program and a direct volume may fail: a clean error, nothing leaks (ASan). */
static void out_of_memory(void **state) {
    gb_ctx *ctx = *state;
    gb_tomo_config c = test_config(8, 1, 4, uneven, 3);
    c.filter = GB_TOMO_SIRT;
    float images[3 * 8] = {1};
    double volume[8 * 4];
    gb_status status = GB_ERR_MEMORY;
    for (uint64_t n = 1; status == GB_ERR_MEMORY; n++) {
        assert_true(n < 200);
        gb_program *p;
        gb_alloc_fail_at(n);
        status = gb_tomo_program(&p, ctx, &c);
        gb_alloc_fail_at(0);
        if (status == GB_OK) gb_program_free(p);
    }
    OK(status);
    status = GB_ERR_MEMORY;
    for (uint64_t n = 1; status == GB_ERR_MEMORY; n++) {
        assert_true(n < 200);
        gb_alloc_fail_at(n);
        status = gb_tomo_direct(volume, ctx, &c, images);
        gb_alloc_fail_at(0);
    }
    OK(status);
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
        cmocka_unit_test(program_equals_direct),
        cmocka_unit_test(two_copies_equal_one),
        cmocka_unit_test(projection_is_transpose),
        cmocka_unit_test(known_object),
        cmocka_unit_test(measure_declares_bounds),
        cmocka_unit_test(peer_scikit_image),
        cmocka_unit_test(peer_tomopy),
        cmocka_unit_test(refused),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("workload-reconstruct", tests, setup, teardown);
}
