/* Every op, the same body on the backends plain f32, plain f64 and encrypted (both precisions), against a direct
 * computation that shares no code with them. */
#include <math.h>

#include "program/test/support.h"

enum { ROWS = 70, SETS = 3, LINES = 20, NI = 16, NK = 6 };

typedef struct net { /* a program with random data, and the direct answer */
    gb_program *p;
    double *in[2];
    double *expected[2];
} net;

static gb_ctx *ctx;
static const gb_axis sinogram[2] = {{"tilt", SETS}, {"x", LINES}};

static gb_node new_input(net *x, const char *name, uint64_t seed) {
    gb_node node;
    size_t number = gb_program_inputs(x->p);
    assert_int_equal(gb_program_input(&node, ctx, x->p, name, sinogram, 2, ROWS), GB_OK);
    x->in[number] = random_lines(seed, SETS * LINES, ROWS);
    return node;
}

static net new_net(void) {
    net x = {0};
    assert_int_equal(gb_program_new(&x.p, ctx, "test"), GB_OK);
    return x;
}

static void free_net(net *x) {
    for (int i = 0; i < 2; i++) {
        gb_free(x->in[i]);
        gb_free(x->expected[i]);
    }
    gb_program_free(x->p);
}

static double *zeros(size_t lines) {
    double *x;
    assert_int_equal(gb_alloc_zero(&x, NULL, lines * ROWS, sizeof *x), GB_OK);
    return x;
}

/* ---- the direct answers ---- */
static double *direct_convolve(const double *in, const double *taps, int count) {
    double *out = zeros(SETS * LINES);
    for (int t = 0; t < SETS; t++)
        for (int i = 0; i < LINES; i++)
            for (int j = 0; j < LINES; j++) {
                int tap = i - j + count / 2;
                if (tap < 0 || tap >= count) continue;
                for (int r = 0; r < ROWS; r++)
                    out[(t * LINES + i) * ROWS + r] += taps[tap] * in[(t * LINES + j) * ROWS + r];
            }
    return out;
}

static const gb_affine affine[SETS] = {{2.3, 0.71, -0.6}, {9.5, 0.02, 1.01}, {21.7, -0.9, -0.35}};

static double direct_weight(int t, int i, int k, int line, bool nearest) {
    double p = affine[t].origin + i * affine[t].step_i + k * affine[t].step_k;
    if (nearest) return floor(p + 0.5) == line ? 1 : 0;
    double d = fabs(p - line);
    return d < 1 ? 1 - d : 0;
}

static double *direct_affine(const double *in, bool nearest, double factor, bool transpose) {
    double *out = zeros(transpose ? SETS * LINES : NI * NK);
    for (int t = 0; t < SETS; t++)
        for (int l = 0; l < LINES; l++)
            for (int k = 0; k < NK; k++)
                for (int i = 0; i < NI; i++) {
                    double w = factor * direct_weight(t, i, k, l, nearest);
                    int a = t * LINES + l, b = k * NI + i;
                    for (int r = 0; w != 0 && r < ROWS; r++)
                        out[(transpose ? a : b) * ROWS + r] += w * in[(transpose ? b : a) * ROWS + r];
                }
    return out;
}

static gb_gather_spec spec(bool nearest, double factor) {
    return (gb_gather_spec){SETS, LINES, NI, NK, affine, nearest, factor, {"z", "x"}};
}

/* ---- the nets ---- */
static net net_add(void) {
    net x = new_net();
    gb_node a = new_input(&x, "a", 1), b = new_input(&x, "b", 2), s, t, sum;
    assert_int_equal(gb_program_scale(&s, ctx, x.p, a, 0.5), GB_OK);
    assert_int_equal(gb_program_scale(&t, ctx, x.p, b, -1.25), GB_OK);
    assert_int_equal(gb_program_add(&sum, ctx, x.p, s, t), GB_OK);
    assert_int_equal(gb_program_output(ctx, x.p, "out", sum), GB_OK);
    x.expected[0] = zeros(SETS * LINES);
    for (int i = 0; i < SETS * LINES * ROWS; i++) x.expected[0][i] = 0.5 * x.in[0][i] - 1.25 * x.in[1][i];
    return x;
}

static net net_convolve_some(int count) {
    net x = new_net();
    double taps[99];
    uint64_t state = 5;
    for (int i = 0; i < count; i++) taps[i] = uniform(&state);
    gb_node a = new_input(&x, "a", 3), c;
    assert_int_equal(gb_program_convolve(&c, ctx, x.p, a, taps, (size_t)count), GB_OK);
    assert_int_equal(gb_program_output(ctx, x.p, "out", c), GB_OK);
    x.expected[0] = direct_convolve(x.in[0], taps, count);
    return x;
}
static net net_convolve(void) { return net_convolve_some(2 * LINES - 1); }
static net net_convolve_short(void) { return net_convolve_some(5); }
static net net_convolve_long(void) { return net_convolve_some(99); } /* most taps never meet data */

static net net_gather_some(bool nearest) {
    net x = new_net();
    gb_gather_spec g = spec(nearest, 0.37);
    gb_node a = new_input(&x, "a", 4), b;
    assert_int_equal(gb_program_gather(&b, ctx, x.p, a, &g), GB_OK);
    assert_int_equal(gb_program_output(ctx, x.p, "out", b), GB_OK);
    x.expected[0] = direct_affine(x.in[0], nearest, 0.37, false);
    return x;
}
static net net_gather(void) { return net_gather_some(false); }
static net net_gather_nearest(void) { return net_gather_some(true); }

static net net_scatter(void) {
    net x = new_net();
    gb_axis axes[2] = {{"z", NK}, {"x", NI}};
    gb_gather_spec g = spec(false, 1.5);
    g.axis_names[0] = "tilt";
    gb_node a, b;
    assert_int_equal(gb_program_input(&a, ctx, x.p, "volume", axes, 2, ROWS), GB_OK);
    x.in[0] = random_lines(6, NI * NK, ROWS);
    assert_int_equal(gb_program_scatter(&b, ctx, x.p, a, &g), GB_OK);
    assert_int_equal(gb_program_output(ctx, x.p, "out", b), GB_OK);
    x.expected[0] = direct_affine(x.in[0], false, 1.5, true);
    return x;
}

/* A map before the switch, then (mapped again) after it. */
static net net_map(void) {
    enum { OUT = 7, EACH = 4 };
    net x = new_net();
    uint64_t start[SETS * LINES + 1], start2[OUT + 1], state = 8;
    uint32_t index[SETS * LINES * EACH], index2[OUT * EACH];
    double weight[SETS * LINES * EACH], weight2[OUT * EACH];
    for (uint32_t e = 0; e < SETS * LINES * EACH; e++) {
        index[e] = (e * 7 + e / 5) % (SETS * LINES);
        weight[e] = uniform(&state);
    }
    for (uint32_t e = 0; e < OUT * EACH; e++) {
        index2[e] = (e * 11) % (SETS * LINES);
        weight2[e] = uniform(&state);
    }
    for (uint32_t r = 0; r <= SETS * LINES; r++) start[r] = r * EACH;
    for (uint32_t r = 0; r <= OUT; r++) start2[r] = r * EACH;
    gb_csr m = {SETS * LINES, SETS * LINES, start, index, weight}, m2 = {OUT, SETS * LINES, start2, index2, weight2};
    gb_axis flat[1] = {{"bin", SETS * LINES}}, small[1] = {{"bin", OUT}};
    gb_node a = new_input(&x, "a", 9), b, c, d;
    assert_int_equal(gb_program_map(&b, ctx, x.p, a, &m, flat, 1), GB_OK);
    assert_int_equal(gb_program_switch(&c, ctx, x.p, b, 48), GB_OK);
    assert_int_equal(gb_program_map(&d, ctx, x.p, c, &m2, small, 1), GB_OK);
    assert_int_equal(gb_program_output(ctx, x.p, "out", d), GB_OK);
    double *middle = zeros(SETS * LINES);
    x.expected[0] = zeros(OUT);
    for (uint32_t e = 0; e < SETS * LINES * EACH; e++)
        for (int r = 0; r < ROWS; r++) middle[e / EACH * ROWS + r] += weight[e] * x.in[0][index[e] * ROWS + r];
    for (uint32_t e = 0; e < OUT * EACH; e++)
        for (int r = 0; r < ROWS; r++) x.expected[0][e / EACH * ROWS + r] += weight2[e] * middle[index2[e] * ROWS + r];
    gb_free(middle);
    return x;
}

/* Two outputs; a value that is gathered, put out and added: kept in both forms. Filter, gather, and an add of values of
 * different scale and modulus. */
static net net_whole(void) {
    net x = new_net();
    double taps[3] = {-0.25, 0.5, -0.25};
    gb_gather_spec g = spec(false, 1);
    gb_node a = new_input(&x, "a", 10), b, c, d, e;
    assert_int_equal(gb_program_convolve(&b, ctx, x.p, a, taps, 3), GB_OK);
    assert_int_equal(gb_program_gather(&c, ctx, x.p, b, &g), GB_OK);
    assert_int_equal(gb_program_output(ctx, x.p, "volume", c), GB_OK);
    assert_int_equal(gb_program_add(&d, ctx, x.p, b, a), GB_OK);
    assert_int_equal(gb_program_add(&e, ctx, x.p, d, d), GB_OK);
    assert_int_equal(gb_program_output(ctx, x.p, "sharpened", e), GB_OK);
    double *filtered = direct_convolve(x.in[0], taps, 3);
    x.expected[0] = direct_affine(filtered, false, 1, false);
    x.expected[1] = zeros(SETS * LINES);
    for (int i = 0; i < SETS * LINES * ROWS; i++) x.expected[1][i] = 2 * (filtered[i] + x.in[0][i]);
    gb_free(filtered);
    return x;
}

/* ---- the bodies ---- */
static void check_plain(net *x) {
    double *out[2];
    declare_all(ctx, x->p, x->in, out);
    for (size_t o = 0; o < gb_program_outputs(x->p); o++) {
        size_t n = node_lines(x->p, gb_program_output_node(x->p, o)) * ROWS;
        assert_true(largest(out[o], x->expected[o], n) < 1e-12 * (1 + largest(x->expected[o], NULL, n)));
        gb_free(out[o]);
    }
    float *in32[2] = {0}, *out32[2] = {0};
    for (size_t i = 0; i < gb_program_inputs(x->p); i++) {
        size_t n = node_lines(x->p, gb_program_input_node(x->p, i)) * ROWS;
        assert_int_equal(gb_alloc(&in32[i], NULL, n, sizeof(float)), GB_OK);
        for (size_t j = 0; j < n; j++) in32[i][j] = (float)x->in[i][j];
    }
    for (size_t o = 0; o < gb_program_outputs(x->p); o++)
        assert_int_equal(
            gb_alloc(&out32[o], NULL, node_lines(x->p, gb_program_output_node(x->p, o)) * ROWS, sizeof(float)), GB_OK);
    assert_int_equal(gb_run_plain_f32(ctx, x->p, (const float *const *)in32, out32, NULL), GB_OK);
    for (size_t o = 0; o < gb_program_outputs(x->p); o++) {
        size_t n = node_lines(x->p, gb_program_output_node(x->p, o)) * ROWS;
        double most = largest(x->expected[o], NULL, n);
        for (size_t i = 0; i < n; i++) assert_true(fabs((double)out32[o][i] - x->expected[o][i]) < 2e-4 * most);
        gb_free(out32[o]);
    }
    for (size_t i = 0; i < 2; i++) gb_free(in32[i]);
}

/* Measured: the forecast is of the right size, and no value is off by more than the worst case allows. */
static void check_encrypted(net *x, gb_precision precision) {
    keys k = keys_new(ctx, precision);
    ports io = ports_new(ctx, &k, x->p, precision, x->in);
    gb_status s = ports_run(ctx, &io);
    if (s != GB_OK) print_error("%s\n", gb_ctx_error(ctx));
    assert_int_equal(s, GB_OK);
    for (size_t o = 0; o < gb_program_outputs(x->p); o++) {
        size_t n = node_lines(x->p, gb_program_output_node(x->p, o)) * ROWS;
        double *got = ports_decrypt(ctx, &k, &io, o);
        double error = rms(got, x->expected[o], n), size = rms(x->expected[o], NULL, n);
        double forecast = gb_plan_noise_rms(io.plan, o);
        print_message("# output %zu: relative rms error %.2e, forecast %.2e, bits %u + %u\n", o, error / size,
                      forecast / size, io.out_info[o].bits0, io.out_info[o].bits1);
        /* uniform test data has a crest of 1.7 where the forecast supposes 8: constants weigh 4.6 times more */
        assert_true(error < 6 * forecast);
        assert_true(largest(got, x->expected[o], n) < 30 * forecast);
        gb_free(got);
    }
    ports_free(&io);
    keys_free(&k);
}

static void check(net x) {
    check_plain(&x); /* declares the bounds */
    check_encrypted(&x, GB_PRECISION_DEFAULT);
    check_encrypted(&x, GB_PRECISION_HIGH);
    free_net(&x);
}

#define CASE(name)                                                                                                     \
    static void test_##name(void **state) {                                                                            \
        (void)state;                                                                                                   \
        check(net_##name());                                                                                           \
    }
CASE(add)
CASE(convolve)
CASE(convolve_short)
CASE(convolve_long)
CASE(gather)
CASE(gather_nearest)
CASE(scatter)
CASE(map)
CASE(whole)

/* gather and scatter are each other's transpose: <A x, y> = <x, A' y>. */
static void test_transpose(void **state) {
    (void)state;
    double *x = random_lines(20, SETS * LINES, ROWS), *y = random_lines(21, NI * NK, ROWS);
    double *ax = direct_affine(x, false, 1, false), *aty = direct_affine(y, false, 1, true);
    double left = 0, right = 0;
    for (int i = 0; i < NI * NK * ROWS; i++) left += ax[i] * y[i];
    for (int i = 0; i < SETS * LINES * ROWS; i++) right += x[i] * aty[i];
    assert_true(fabs(left - right) < 1e-9 * fabs(left) + 1e-9);
    gb_free(x), gb_free(y), gb_free(ax), gb_free(aty);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),           cmocka_unit_test(test_convolve), cmocka_unit_test(test_convolve_short),
        cmocka_unit_test(test_convolve_long), cmocka_unit_test(test_gather),   cmocka_unit_test(test_gather_nearest),
        cmocka_unit_test(test_scatter),       cmocka_unit_test(test_map),      cmocka_unit_test(test_whole),
        cmocka_unit_test(test_transpose)};
    ctx = context(2, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gb_ctx_free(ctx);
    return failed;
}
