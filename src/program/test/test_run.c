/* Runs: byte-identical whatever the CPU, the threads and the memory; resumed; refused; cancelled; out of memory. And
 * the precision that is promised, on a real tilt series. */
#include <math.h>
#include <stdlib.h>

#include "program/test/support.h"

enum { ROWS = 70, SETS = 5, LINES = 40, NI = 40, NK = 24 };

static gb_ctx *ctx;

static gb_program *projection(size_t sets, size_t lines, size_t nk, uint32_t rows, const double *angles) {
    gb_program *p;
    gb_node node;
    gb_axis axes[2] = {{"tilt", (uint32_t)sets}, {"x", (uint32_t)lines}};
    gb_affine affine[128];
    double taps[255], n = (double)lines;
    for (size_t t = 0; t < sets; t++) {
        double c = cos(angles[t]), s = sin(angles[t]);
        affine[t] = (gb_affine){(n - 1) / 2 * (1 - c) - ((double)nk - 1) / 2 * s, c, s};
    }
    for (size_t i = 0; i < 2 * lines - 1; i++) {
        double k = (double)i - (n - 1);
        taps[i] = k == 0 ? 0.25 : fmod(k, 2) == 0 ? 0 : -1 / (M_PI * M_PI * k * k);
    }
    gb_gather_spec g = {sets, lines, lines, nk, affine, false, M_PI / (double)sets, {"z", "x"}};
    assert_int_equal(gb_program_new(&p, ctx, "projection"), GB_OK);
    assert_int_equal(gb_program_input(&node, ctx, p, "tilts", axes, 2, rows), GB_OK);
    assert_int_equal(gb_program_convolve(&node, ctx, p, node, taps, 2 * lines - 1), GB_OK);
    assert_int_equal(gb_program_gather(&node, ctx, p, node, &g), GB_OK);
    assert_int_equal(gb_program_output(ctx, p, "volume", node), GB_OK);
    return p;
}

typedef struct job {
    gb_program *p;
    double *in[1], *out[1];
    keys k;
    ports io;
} job;

static job job_new(void) {
    const double angles[SETS] = {-1, -0.5, 0.1, 0.4, 0.9};
    job j = {.p = projection(SETS, LINES, NK, ROWS, angles), .in = {random_lines(1, SETS * LINES, ROWS)}};
    declare_all(ctx, j.p, j.in, j.out);
    j.k = keys_new(ctx, GB_PRECISION_DEFAULT);
    j.io = ports_new(ctx, &j.k, j.p, GB_PRECISION_DEFAULT, j.in);
    return j;
}

static void job_free(job *j) {
    ports_free(&j->io);
    keys_free(&j->k);
    gb_free(j->in[0]);
    gb_free(j->out[0]);
    gb_program_free(j->p);
}

/* Runs into a fresh set of tiles and puts the job's own back. */
static gb_status run_apart(gb_ctx *c, job *j, store *out) {
    store own = j->io.out[0];
    j->io.out[0] = store_new(own.count);
    gb_status s = ports_run(c, &j->io);
    *out = j->io.out[0];
    j->io.out[0] = own;
    return s;
}

static void test_deterministic(void **state) {
    (void)state;
    job j = job_new();
    assert_int_equal(ports_run(ctx, &j.io), GB_OK);
    static const char *const cpus[] = {"ref", "avx2", "ifma"};
    for (size_t i = 0; i < 2 * GB_COUNT(cpus); i++) {
        gb_ctx *other = context(i % 2 ? 1 : 2, i % 2 ? UINT64_C(64) << 20 : 0);
        store out;
        gb_cpu_mask(gb_cpu_named(cpus[i / 2]));
        assert_int_equal(run_apart(other, &j, &out), GB_OK);
        gb_cpu_mask(UINT32_MAX);
        assert_true(store_equal(&out, &j.io.out[0]));
        store_free(&out);
        gb_ctx_free(other);
    }
    job_free(&j);
}

static void test_resume(void **state) {
    (void)state;
    job j = job_new();
    store whole;
    assert_int_equal(run_apart(ctx, &j, &whole), GB_OK);
    assert_int_equal(ports_run(ctx, &j.io), GB_OK);
    store *out = &j.io.out[0];
    size_t lost = 0;
    for (size_t i = 0; i < out->count; i += 3, lost++) {
        free(out->data[i]);
        out->data[i] = NULL;
    }
    out->writes = 0;
    assert_int_equal(ports_run(ctx, &j.io), GB_OK);
    assert_int_equal(out->writes, lost);
    assert_true(store_equal(out, &whole));
    out->writes = 0;
    assert_int_equal(ports_run(ctx, &j.io), GB_OK);
    assert_int_equal(out->writes, 0);
    store_free(&whole);
    job_free(&j);
}

/* A program whose kept values do not fit 64 MiB is refused with the figure, and planned with more. */
static void test_memory_limit(void **state) {
    (void)state;
    enum { BINS = 1 << 18 };
    gb_ctx *small = context(1, UINT64_C(64) << 20);
    gb_program *p;
    gb_node node;
    gb_axis axes[1] = {{"bin", BINS}}, one[1] = {{"sum", 1}};
    uint64_t start[2] = {0, 2};
    uint32_t index[2] = {0, BINS - 1};
    double weight[2] = {1, 1};
    gb_csr m = {1, BINS, start, index, weight};
    keys k = keys_new(ctx, GB_PRECISION_DEFAULT);
    gb_plan *plan;
    assert_int_equal(gb_program_new(&p, ctx, "sums"), GB_OK);
    assert_int_equal(gb_program_input(&node, ctx, p, "bins", axes, 1, 64), GB_OK);
    assert_int_equal(gb_program_declare(ctx, p, node, 1), GB_OK);
    assert_int_equal(gb_program_map(&node, ctx, p, node, &m, one, 1), GB_OK);
    assert_int_equal(gb_program_output(ctx, p, "sum", node), GB_OK);
    assert_int_equal(gb_plan_new(&plan, small, p, k.params, GB_PRECISION_DEFAULT, 1), GB_ERR_LIMIT);
    assert_non_null(strstr(gb_ctx_error(small), "MiB"));
    assert_int_equal(gb_plan_new(&plan, ctx, p, k.params, GB_PRECISION_DEFAULT, 1), GB_OK);
    assert_true(gb_plan_memory(plan) >= (uint64_t)BINS * GB_BLOCK * 8 && gb_plan_memory(plan) <= gb_ctx_memory(ctx));
    gb_plan_free(plan);
    gb_program_free(p);
    keys_free(&k);
    gb_ctx_free(small);
}

static int cancel_later(void *user, const char *stage, uint64_t done, uint64_t total) {
    (void)stage;
    assert_true(done <= total);
    return ++*(int *)user > 20;
}

static void test_cancel(void **state) {
    (void)state;
    job j = job_new();
    int calls = 0;
    gb_ctx_config config;
    gb_ctx *c;
    store out;
    gb_ctx_config_defaults(&config);
    config.progress = cancel_later;
    config.progress_user = &calls;
    config.threads = 2;
    assert_int_equal(gb_ctx_new(&c, &config), GB_OK);
    assert_int_equal(run_apart(c, &j, &out), GB_ERR_CANCELLED);
    assert_true(out.writes < out.count);
    store_free(&out);
    gb_ctx_free(c);
    job_free(&j);
}

static void test_refused_inputs(void **state) {
    (void)state;
    job j = job_new();
    gb_bundle_info good = j.io.in_info[0];
    j.io.in_info[0].scale *= 2;
    assert_int_equal(ports_run(ctx, &j.io), GB_ERR_PARAMS);
    j.io.in_info[0] = good;
    j.io.in_info[0].axes[0].size--;
    assert_int_equal(ports_run(ctx, &j.io), GB_ERR_PARAMS);
    j.io.in_info[0] = good;
    j.io.in[0].data[0][j.io.in[0].size[0] / 2] ^= 1; /* another residue: the run cannot know, the answer differs */
    j.io.in[0].size[1]--;                            /* a short tile it can */
    gb_status s = ports_run(ctx, &j.io);
    assert_true(s == GB_ERR_TRUNCATED || s == GB_ERR_FORMAT);
    job_free(&j);
}

static void test_out_of_memory(void **state) {
    (void)state;
    job j = job_new();
    gb_ctx *c = context(1, 0); /* one thread: the n-th allocation is always the same one */
    gb_status s = GB_ERR_MEMORY;
    for (uint64_t n = 1; s != GB_OK; n++) {
        gb_plan *plan;
        gb_alloc_fail_at(n);
        s = gb_plan_new(&plan, c, j.p, j.k.params, GB_PRECISION_DEFAULT, 1);
        gb_alloc_fail_at(0);
        if (s != GB_OK) assert_true((s == GB_ERR_MEMORY || s == GB_ERR_LIMIT || s == GB_ERR_FORMAT) && plan == NULL);
        gb_plan_free(plan);
        assert_true(n < 1000);
    }
    s = GB_ERR_MEMORY;
    for (uint64_t n = 1; s != GB_OK; n++) {
        store out;
        gb_alloc_fail_at(n + 2); /* the store of the test takes two */
        s = run_apart(c, &j, &out);
        gb_alloc_fail_at(0);
        if (s != GB_OK) assert_int_equal(s, GB_ERR_MEMORY);
        store_free(&out);
        assert_true(n < 1000);
    }
    gb_ctx_free(c);
    job_free(&j);
}

/* 91 images of 64 x 64 (16-bit, MRC mode 6) as float64 lines (tilt, x) of 64 rows. */
static double *read_needle(double *angles) {
    const char *shared = getenv("GLOVEBOX_SHARED");
    char path[4096];
    uint8_t *data;
    size_t n;
    snprintf(path, sizeof path, "%s/data/tomography/nist_haadf_rod/haadf_rod_64x64x91.mrc", shared ? shared : "");
    if (!shared || gb_file_read(&data, &n, ctx, path, 1 << 20) != GB_OK) return NULL;
    assert_int_equal(n, 1024 + 64 * 64 * 91 * 2);
    double *x;
    assert_int_equal(gb_alloc(&x, NULL, 91 * 64 * 64, sizeof *x), GB_OK);
    for (size_t t = 0; t < 91; t++) {
        angles[t] = (-90 + 2 * (double)t) * M_PI / 180;
        for (size_t y = 0; y < 64; y++)
            for (size_t i = 0; i < 64; i++) {
                const uint8_t *at = data + 1024 + 2 * ((t * 64 + y) * 64 + i);
                x[(t * 64 + i) * 64 + y] = at[0] + 256.0 * at[1];
            }
    }
    gb_free(data);
    return x;
}

static void needle(gb_precision precision, double target) {
    double angles[91];
    double *in[1] = {read_needle(angles)}, *want[1];
    if (!in[0]) {
        print_message("# skipped: GLOVEBOX_SHARED does not lead to the tilt series\n");
        skip();
    }
    gb_program *p = projection(91, 64, 64, 64, angles);
    declare_all(ctx, p, in, want);
    keys k = keys_new(ctx, precision);
    ports io = ports_new(ctx, &k, p, precision, in);
    assert_int_equal(ports_run(ctx, &io), GB_OK);
    double *got = ports_decrypt(ctx, &k, &io, 0);
    const size_t n = 64 * 64 * 64;
    double error = rms(got, want[0], n) / rms(want[0], NULL, n);
    print_message("# needle: relative rms error %.3g, forecast %.3g\n", error,
                  gb_plan_noise_rms(io.plan, 0) / rms(want[0], NULL, n));
    assert_true(error <= target);
    gb_free(got);
    ports_free(&io);
    keys_free(&k);
    gb_free(want[0]);
    gb_free(in[0]);
    gb_program_free(p);
}

static void test_needle_default(void **state) {
    (void)state;
    needle(GB_PRECISION_DEFAULT, 5e-4);
}

static void test_needle_high(void **state) {
    (void)state;
    needle(GB_PRECISION_HIGH, 1e-4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_deterministic),  cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_memory_limit),   cmocka_unit_test(test_cancel),
                                       cmocka_unit_test(test_refused_inputs), cmocka_unit_test(test_out_of_memory),
                                       cmocka_unit_test(test_needle_default), cmocka_unit_test(test_needle_high)};
    ctx = context(2, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gb_ctx_free(ctx);
    return failed;
}
