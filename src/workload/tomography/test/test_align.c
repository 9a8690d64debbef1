/* workload/tomography: alignment of simulated series, where the truth is known, and of the real needle. */
#include "workload/tomography/test/support.h"

/* A series of round blobs, seen as the header's geometry says, with a tilt axis and shifts of its own. */
typedef struct series {
    size_t nx, ny, count;
    double axis;
    double *tilts, *dx, *dy;
    float *images;
} series;

static void series_release(series *s) {
    gb_free(s->tilts);
    gb_free(s->dx);
    gb_free(s->dy);
    gb_free(s->images);
}

/* blobs: x, y, z from the middle, radius, brightness. Image t is drawn `gain` = 1 +- 3 % bright over a level of 50. */
static void draw(series *s, size_t t, const double (*blobs)[5], size_t n, double gain) {
    double sa, ca, sp, cp;
    gb_tomo_sincos(&sa, &ca, s->tilts[t]);
    gb_tomo_sincos(&sp, &cp, s->axis);
    float *image = s->images + t * s->nx * s->ny;
    for (size_t i = 0; i < s->nx * s->ny; i++) image[i] = 50;
    for (size_t b = 0; b < n; b++) {
        double u = blobs[b][0] * ca - blobs[b][2] * sa, v = blobs[b][1], r = blobs[b][3];
        double px = ((double)s->nx - 1) / 2 + s->dx[t] + u * cp - v * sp;
        double py = ((double)s->ny - 1) / 2 + s->dy[t] + u * sp + v * cp;
        for (double y = fmax(0, ceil(py - 7 * r)); y <= fmin((double)s->ny - 1, py + 7 * r); y++)
            for (double x = fmax(0, ceil(px - 7 * r)); x <= fmin((double)s->nx - 1, px + 7 * r); x++) {
                double q = ((x - px) * (x - px) + (y - py) * (y - py)) / (2 * r * r);
                image[(size_t)y * s->nx + (size_t)x] += (float)(gain * blobs[b][4] * exp(-q));
            }
    }
}

static series simulate(size_t nx, size_t ny, size_t count, double first, double step, double axis, double jitter,
                       const double (*blobs)[5], size_t n) {
    series s = {nx, ny, count, axis, NULL, NULL, NULL, NULL};
    uint64_t seed = 5;
    s.tilts = test_alloc(count, sizeof(double));
    s.dx = test_alloc(count, sizeof(double));
    s.dy = test_alloc(count, sizeof(double));
    s.images = test_alloc(count * nx * ny, sizeof(float));
    for (size_t t = 0; t < count; t++) {
        s.tilts[t] = first + step * (double)t;
        s.dx[t] = jitter * test_random(&seed);
        s.dy[t] = jitter * test_random(&seed);
        draw(&s, t, blobs, n, 1 + 0.03 * test_random(&seed));
    }
    return s;
}

/* Largest error of the found shifts in pixels, after what cannot be known is taken out: a constant along the axis, and
 * b cos a - c sin a across it (where the object lies in the volume). */
static double shift_error(const series *s, const gb_tomo_alignment *a) {
    double sp, cp, cc = 0, cs = 0, ss = 0, pc = 0, ps = 0, mean = 0, worst = 0, sa, ca;
    gb_tomo_sincos(&sp, &cp, s->axis);
    for (size_t t = 0; t < s->count; t++) {
        double ex = a->dx[t] - s->dx[t], ey = a->dy[t] - s->dy[t], u = ex * cp + ey * sp;
        gb_tomo_sincos(&sa, &ca, s->tilts[t]);
        cc += ca * ca;
        cs -= ca * sa;
        ss += sa * sa;
        pc += u * ca;
        ps -= u * sa;
        mean += (-ex * sp + ey * cp) / (double)s->count;
    }
    double det = cc * ss - cs * cs, b = (pc * ss - ps * cs) / det, c = (ps * cc - pc * cs) / det;
    for (size_t t = 0; t < s->count; t++) {
        double ex = a->dx[t] - s->dx[t], ey = a->dy[t] - s->dy[t];
        gb_tomo_sincos(&sa, &ca, s->tilts[t]);
        worst = fmax(worst, fabs(ex * cp + ey * sp - b * ca + c * sa));
        worst = fmax(worst, fabs(-ex * sp + ey * cp - mean));
    }
    return worst;
}

static const double cluster[][5] = {
    {2, -14, 5, 3, 300}, {-7, -4, -6, 2.5, 500}, {6, 3, 2, 2, 700}, {-1, 9, 8, 3.5, 250}, {3, 15, -4, 2, 400}};

/* An isolated object: shifts and axis angle. */
static void finds_shifts_and_axis(void **state) {
    gb_ctx *ctx = *state;
    const double axes[] = {4, -86};
    for (size_t i = 0; i < GB_COUNT(axes); i++) {
        series s = simulate(56, 52, 31, -60, 4, axes[i], 4, cluster, GB_COUNT(cluster));
        gb_tomo_align_config config;
        gb_tomo_align_defaults(&config);
        config.axis_angle = axes[i] - 5.3;
        config.find_angle = 10;
        gb_tomo_alignment a;
        OK(gb_tomo_align(&a, ctx, s.images, 56, 52, s.tilts, s.count, &config));
        assert_float_equal(a.axis_angle, axes[i], 0.2);
        assert_true(shift_error(&s, &a) < 0.2);
        assert_true(a.score > 0.99);
        assert_float_equal(a.mirror, 0, 0); /* no pair half a turn apart */
        gb_tomo_alignment_release(&a);
        assert_null(a.dx);
        series_release(&s);
    }
}

/* Images larger than what the search works on are binned: sizes that do not divide evenly keep their middle. */
static void binned(void **state) {
    gb_ctx *ctx = *state;
    const double large[][5] = {{10, -60, 20, 14, 300}, {-30, -10, -25, 11, 500}, {24, 45, 12, 12, 700}};
    series s = simulate(301, 278, 9, -60, 15, 0, 11, large, GB_COUNT(large));
    gb_tomo_align_config config;
    gb_tomo_align_defaults(&config);
    gb_tomo_alignment a;
    OK(gb_tomo_align(&a, ctx, s.images, 301, 278, s.tilts, s.count, &config));
    assert_true(shift_error(&s, &a) < 0.2);
    gb_tomo_alignment_release(&a);
    series_release(&s);
}

/* A slab that goes on beyond the field on all sides: cross-correlation alone. */
static void slab(void **state) {
    gb_ctx *ctx = *state;
    static double blobs[400][5];
    uint64_t seed = 11;
    for (size_t b = 0; b < GB_COUNT(blobs); b++) {
        blobs[b][0] = 80 * test_random(&seed);
        blobs[b][1] = 60 * test_random(&seed);
        blobs[b][2] = test_random(&seed);
        blobs[b][3] = 1.8;
        blobs[b][4] = 100 + 80 * test_random(&seed);
    }
    series s = simulate(96, 96, 31, -45, 3, 0, 3, (const double(*)[5])blobs, GB_COUNT(blobs));
    gb_tomo_align_config config;
    gb_tomo_align_defaults(&config);
    gb_tomo_alignment a;
    OK(gb_tomo_align(&a, ctx, s.images, 96, 96, s.tilts, s.count, &config));
    assert_true(shift_error(&s, &a) < 0.5);
    gb_tomo_alignment_release(&a);
    series_release(&s);
}

/* Applying the true alignment gives the same images as no shift and an upright axis. */
static void applies(void **state) {
    gb_ctx *ctx = *state;
    series moved = simulate(50, 64, 5, -40, 20, 83, 3, cluster, GB_COUNT(cluster));
    series still = simulate(64, 50, 5, -40, 20, 0, 0, cluster, GB_COUNT(cluster));
    uint32_t nx, ny;
    gb_tomo_apply_size(&nx, &ny, 50, 64, 83);
    assert_true(nx == 64 && ny == 50);
    gb_tomo_alignment a = {.count = 5, .axis_angle = 83, .dx = moved.dx, .dy = moved.dy};
    float *out = test_alloc((size_t)5 * 64 * 50, sizeof *out);
    OK(gb_tomo_apply(out, ctx, moved.images, 50, 64, &a));
    for (size_t t = 0; t < 5; t++) {
        double one[64 * 50], two[64 * 50];
        for (size_t i = 0; i < GB_COUNT(one); i++) {
            one[i] = (double)out[t * GB_COUNT(one) + i];
            two[i] = (double)still.images[t * GB_COUNT(one) + i];
        }
        assert_true(test_correlation(one, two, GB_COUNT(one)) > 0.999);
    }
    moved.dx[2] = INFINITY;
    assert_int_equal(gb_tomo_apply(out, ctx, moved.images, 50, 64, &a), GB_ERR_ARGUMENT);
    gb_free(out);
    series_release(&moved);
    series_release(&still);
}

static void refused(void **state) {
    gb_ctx *ctx = *state;
    float images[2 * 16 * 16] = {0};
    const double tilts[] = {0, 10}, bad_tilts[] = {0, INFINITY};
    gb_tomo_align_config good, c;
    gb_tomo_align_defaults(&good);
    gb_tomo_alignment a;
#define BAD(nx, tilts, count, change)                                                                                  \
    do {                                                                                                               \
        c = good;                                                                                                      \
        change;                                                                                                        \
        assert_int_equal(gb_tomo_align(&a, ctx, images, nx, 16, tilts, count, &c), GB_ERR_ARGUMENT);                   \
        assert_null(a.dx);                                                                                             \
    } while (0)
    BAD(15, tilts, 2, (void)c);
    BAD(16, tilts, 0, (void)c);
    BAD(16, bad_tilts, 2, (void)c);
    BAD(16, tilts, 2, c.size = 1);
    BAD(16, tilts, 2, c.axis_angle = NAN);
    BAD(16, tilts, 2, c.find_angle = 16);
    BAD(16, tilts, 2, c.max_shift = 0);
    images[300] = NAN;
    assert_int_equal(gb_tomo_align(&a, ctx, images, 16, 16, tilts, 2, &good), GB_ERR_RANGE);
    images[300] = 0;
    good.find_angle = 5; /* empty images: nothing to find, but no harm done */
    OK(gb_tomo_align(&a, ctx, images, 16, 16, tilts, 2, &good));
    for (size_t t = 0; t < 2; t++) assert_true(isfinite(a.dx[t]) && isfinite(a.dy[t]));
    gb_tomo_alignment_release(&a);
}

/* Any allocation may fail: a clean error, nothing kept. */
static void out_of_memory(void **state) {
    gb_ctx *ctx = *state;
    series s = simulate(20, 16, 3, -10, 10, 0, 1, cluster, 1);
    gb_tomo_align_config config;
    gb_tomo_align_defaults(&config);
    config.find_angle = 2;
    gb_tomo_alignment a;
    gb_status status = GB_ERR_MEMORY;
    for (uint64_t n = 1; status == GB_ERR_MEMORY; n++) {
        assert_true(n < 100);
        gb_alloc_fail_at(n);
        status = gb_tomo_align(&a, ctx, s.images, 20, 16, s.tilts, s.count, &config);
        gb_alloc_fail_at(0);
        if (status != GB_OK) assert_null(a.dx);
    }
    OK(status);
    gb_tomo_alignment_release(&a);
    series_release(&s);
}

/* The real series: the axis lies near x, the images at -90 and +90 degrees are mirror images once aligned, and the
 * reconstruction is one compact needle on nothing, with five bright layers (the tip is one) and four gaps between. */
static void needle(void **state) {
    gb_ctx *ctx = *state;
    uint32_t size[3];
    double tilts[91];
    float *raw = test_mrc(size, "nist_haadf_rod", "haadf_rod_64x64x91.mrc");
    if (!raw) skip();
    assert_true(test_tilts(tilts, 91, "nist_haadf_rod", "haadf_rod.rawtlt"));
    gb_tomo_align_config config;
    gb_tomo_align_defaults(&config);
    config.axis_angle = -85;
    config.find_angle = 8;
    gb_tomo_alignment a;
    OK(gb_tomo_align(&a, ctx, raw, 64, 64, tilts, 91, &config));
    assert_float_equal(a.axis_angle, -79.7, 0.3);
    assert_true(a.mirror > 0.998 && a.score > 0.998);

    const size_t voxels = (size_t)64 * 64 * 64;
    float *images = test_alloc((size_t)91 * 64 * 64, sizeof *images);
    double *v = test_alloc(voxels, sizeof *v), inside = 0, outside = 0, profile[64];
    OK(gb_tomo_apply(images, ctx, raw, 64, 64, &a));
    OK(gb_tomo_normalise(images, ctx, 64, 64, 91, GB_TOMO_SUBTRACT_BORDER, 0));
    gb_tomo_config c = test_config(64, 64, 64, tilts, 91);
    OK(gb_tomo_direct(v, ctx, &c, images));
    for (int y = 8; y < 56; y++)
        for (int z = 0; z < 64; z++)
            for (int x = 0; x < 64; x++) {
                double d = hypot(x - 31.5, z - 31.5), value = v[(y * 64 + z) * 64 + x];
                if (d < 13) inside += value * value;
                if (d >= 16 && d < 31) outside += value * value;
            }
    assert_true(outside < 3e-3 * inside);
    for (int y = 0; y < 64; y++) {
        profile[y] = 0;
        for (int d = 0; d < 16; d++) profile[y] += v[(y * 64 + 30 + d / 4) * 64 + 30 + d % 4] / 16;
    }
    int gaps = 0; /* dark gaps between bright layers: minima with both sides 10 % brighter within three slices */
    for (int y = 12; y < 48; y++) {
        double low = 0, high = 0;
        for (int d = 1; d <= 3; d++) {
            low = fmax(low, profile[y - d]);
            high = fmax(high, profile[y + d]);
        }
        bool dark = profile[y] <= profile[y - 1] && profile[y] < profile[y + 1];
        if (dark && low > 1.1 * profile[y] && high > 1.1 * profile[y]) gaps++;
    }
    assert_int_equal(gaps, 4);
    gb_free(raw);
    gb_free(images);
    gb_free(v);
    gb_tomo_alignment_release(&a);
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
        cmocka_unit_test(finds_shifts_and_axis),
        cmocka_unit_test(binned),
        cmocka_unit_test(slab),
        cmocka_unit_test(applies),
        cmocka_unit_test(refused),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(needle),
    };
    return cmocka_run_group_tests_name("workload-align", tests, setup, teardown);
}
