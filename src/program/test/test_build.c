/* Programs as built, as bytes, and as planned: what is refused, and what comes back as it went. */
#include <math.h>

#include "program/program.pb-c.h"
#include "program/test/support.h"

static gb_ctx *ctx;
static const gb_axis axes[2] = {{"tilt", 3}, {"x", 8}};
static const gb_affine affine[3] = {{0, 1, 0}, {1, 0.5, 0.5}, {7, -1, 0}};
static const gb_gather_spec spec = {3, 8, 6, 4, affine, false, 0.5, {"z", "x"}};

static gb_program *with_input(gb_node *node) {
    gb_program *p;
    assert_int_equal(gb_program_new(&p, ctx, "test"), GB_OK);
    assert_int_equal(gb_program_input(node, ctx, p, "in", axes, 2, 16), GB_OK);
    assert_int_equal(gb_program_declare(ctx, p, *node, 2), GB_OK);
    return p;
}

/* One node of every op. */
static gb_program *everything(void) {
    gb_node a, b, c;
    gb_program *p = with_input(&a);
    double taps[3] = {-1, 2, -1};
    uint64_t start[4] = {0, 2, 2, 3};
    uint32_t index[3] = {0, 23, 5};
    double weight[3] = {1, -0.5, 3};
    gb_csr m = {3, 24, start, index, weight};
    gb_axis bins[1] = {{"bin", 3}};
    gb_gather_spec back = spec;
    assert_int_equal(gb_program_convolve(&b, ctx, p, a, taps, 3), GB_OK);
    assert_int_equal(gb_program_scale(&c, ctx, p, a, -2), GB_OK);
    assert_int_equal(gb_program_add(&b, ctx, p, b, c), GB_OK);
    assert_int_equal(gb_program_map(&c, ctx, p, b, &m, bins, 1), GB_OK);
    assert_int_equal(gb_program_output(ctx, p, "sums", c), GB_OK);
    assert_int_equal(gb_program_switch(&b, ctx, p, b, 32), GB_OK);
    assert_int_equal(gb_program_gather(&c, ctx, p, b, &spec), GB_OK);
    assert_int_equal(gb_program_output(ctx, p, "volume", c), GB_OK);
    back.axis_names[0] = "tilt";
    assert_int_equal(gb_program_scatter(&c, ctx, p, c, &back), GB_OK);
    assert_int_equal(gb_program_output(ctx, p, "again", c), GB_OK);
    return p;
}

static void test_round_trip(void **state) {
    (void)state;
    gb_program *p = everything(), *q;
    gb_buffer a = GB_BUFFER_INIT, b = GB_BUFFER_INIT;
    assert_int_equal(gb_program_encode(&a, ctx, p), GB_OK);
    assert_int_equal(gb_program_decode(&q, ctx, a.data, a.size), GB_OK);
    assert_int_equal(gb_program_nodes(p), gb_program_nodes(q));
    assert_int_equal(gb_program_encode(&b, ctx, q), GB_OK);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    gb_program_free(q);
    for (size_t n = 0; n < a.size; n++) /* cut short anywhere: refused, or (cut between nodes) another sound program */
        if (gb_program_decode(&q, ctx, a.data, n) == GB_OK)
            gb_program_free(q);
        else
            assert_null(q);
    gb_buffer_release(&a);
    gb_buffer_release(&b);
    gb_program_free(p);
}

static void test_refused_nodes(void **state) {
    (void)state;
    gb_node a, out;
    gb_program *p = with_input(&a);
    double taps[3] = {1, NAN, 1}, even[2] = {1, 1}, nothing[1] = {0};
    gb_axis bad[1] = {{"x y", 3}}, empty[1] = {{"x", 0}}, huge[2] = {{"a", 1u << 20}, {"b", 1u << 20}};
    uint64_t start[3] = {0, 1, 1};
    uint32_t index[1] = {24};
    double weight[1] = {1};
    gb_csr m = {2, 24, start, index, weight};
    gb_axis two[1] = {{"bin", 2}};
    gb_gather_spec g = spec;
    assert_int_equal(gb_program_input(&out, ctx, p, "b", bad, 1, 16), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_input(&out, ctx, p, "b", empty, 1, 16), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_input(&out, ctx, p, "b", huge, 2, 16), GB_ERR_LIMIT);
    assert_int_equal(gb_program_input(&out, ctx, p, "b", axes, 2, 17), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_input(&out, ctx, p, "in", axes, 2, 16), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_scale(&out, ctx, p, a, 0), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_scale(&out, ctx, p, a + 1, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_convolve(&out, ctx, p, a, taps, 3), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_convolve(&out, ctx, p, a, even, 2), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_convolve(&out, ctx, p, a, nothing, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_map(&out, ctx, p, a, &m, two, 1), GB_ERR_ARGUMENT);
    index[0] = 0;
    start[1] = 2;
    assert_int_equal(gb_program_map(&out, ctx, p, a, &m, two, 1), GB_ERR_ARGUMENT);
    g.lines = 9;
    assert_int_equal(gb_program_gather(&out, ctx, p, a, &g), GB_ERR_ARGUMENT);
    g = spec;
    g.factor = -1;
    assert_int_equal(gb_program_gather(&out, ctx, p, a, &g), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_switch(&out, ctx, p, a, 60), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_declare(ctx, p, a, INFINITY), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_output(ctx, p, "", a), GB_ERR_ARGUMENT);
    assert_int_equal(gb_program_nodes(p), 1);
    gb_program_free(p);
}

/* Messages that protobuf accepts and a program is not. */
static void test_refused_messages(void **state) {
    (void)state;
    Glovebox__Program__Program msg = GLOVEBOX__PROGRAM__PROGRAM__INIT;
    Glovebox__Program__Node node = GLOVEBOX__PROGRAM__NODE__INIT, *nodes[1] = {&node};
    Glovebox__Program__Map map = GLOVEBOX__PROGRAM__MAP__INIT;
    uint32_t args[3] = {0, 0, 7};
    uint8_t data[256];
    gb_program *p;
    msg.name = (char *)"x";
    msg.version = 2;
    size_t n = glovebox__program__program__pack(&msg, data);
    assert_int_equal(gb_program_decode(&p, ctx, data, n), GB_ERR_VERSION);
    msg.version = 1;
    n = glovebox__program__program__pack(&msg, data);
    assert_int_equal(gb_program_decode(&p, ctx, data, n), GB_ERR_ARGUMENT); /* no input, no output */
    msg.n_nodes = 1;
    msg.nodes = nodes;
    n = glovebox__program__program__pack(&msg, data);
    assert_int_equal(gb_program_decode(&p, ctx, data, n), GB_ERR_FORMAT); /* no op */
    node.op_case = GLOVEBOX__PROGRAM__NODE__OP_MAP;
    node.map = &map;
    node.args = args;
    node.n_args = 1;
    map.rows = UINT64_MAX;
    n = glovebox__program__program__pack(&msg, data);
    assert_int_equal(gb_program_decode(&p, ctx, data, n), GB_ERR_FORMAT);
    node.n_args = 3;
    n = glovebox__program__program__pack(&msg, data);
    assert_int_equal(gb_program_decode(&p, ctx, data, n), GB_ERR_FORMAT);
    assert_null(p);
}

static void test_refused_plans(void **state) {
    (void)state;
    gb_node a, b, c;
    gb_plan *plan;
    gb_params *params;
    double taps[1] = {1};
    assert_int_equal(gb_params_named(&params, ctx, "tiny-linear"), GB_OK);
    gb_program *p = with_input(&a);
    assert_int_equal(gb_plan_new(&plan, ctx, p, params, GB_PRECISION_DEFAULT, 1), GB_ERR_ARGUMENT); /* no output */
    assert_int_equal(gb_program_switch(&b, ctx, p, a, 40), GB_OK);
    assert_int_equal(gb_program_convolve(&c, ctx, p, b, taps, 1), GB_OK);
    assert_int_equal(gb_program_output(ctx, p, "out", c), GB_OK);
    assert_int_equal(gb_plan_new(&plan, ctx, p, params, GB_PRECISION_DEFAULT, 1), GB_ERR_LEVEL);
    gb_program_free(p);
    p = with_input(&a); /* values of 2 declared, and an output bound 10^9 times what it can be */
    assert_int_equal(gb_program_scale(&b, ctx, p, a, 1), GB_OK);
    assert_int_equal(gb_program_output(ctx, p, "out", b), GB_OK);
    assert_int_equal(gb_plan_new(&plan, ctx, p, params, GB_PRECISION_DEFAULT, 3), GB_ERR_ARGUMENT); /* 16 rows / 3 */
    assert_int_equal(gb_plan_new(&plan, ctx, p, params, (gb_precision)7, 1), GB_ERR_ARGUMENT);
    assert_int_equal(gb_plan_new(&plan, ctx, p, params, GB_PRECISION_DEFAULT, 2), GB_OK);
    assert_int_equal(gb_plan_output(plan, 0)->copies, 2);
    FILE *sink = tmpfile();
    gb_plan_explain(plan, sink);
    assert_true(ftell(sink) > 100);
    fclose(sink);
    gb_plan_free(plan);
    assert_null(strstr(gb_ctx_error(ctx), "%"));
    gb_program_free(p);
    gb_params_free(params);
}

/* Gathers after gathers multiply the noise until it could reach the modulus: refused, never answered wrongly. */
static void test_refused_noise(void **state) {
    (void)state;
    gb_node a;
    gb_plan *plan = NULL;
    gb_params *params;
    gb_program *p = with_input(&a);
    gb_gather_spec down = spec, up = spec;
    gb_status s = GB_OK;
    assert_int_equal(gb_params_named(&params, ctx, "tiny-linear"), GB_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gb_program_gather(&a, ctx, p, a, &down), GB_OK);
        assert_int_equal(gb_program_scatter(&a, ctx, p, a, &up), GB_OK);
    }
    assert_int_equal(gb_program_output(ctx, p, "out", a), GB_OK);
    s = gb_plan_new(&plan, ctx, p, params, GB_PRECISION_DEFAULT, 1);
    assert_int_equal(s, GB_ERR_NOISE);
    assert_null(plan);
    gb_program_free(p);
    gb_params_free(params);
}

/* Integer taps: their sum is exact, and partial sums from either end are never off by more than 1/2. */
static void test_taps(void **state) {
    (void)state;
    double taps[101], sum = 0, scale = 777.7;
    int64_t *ints, total = 0;
    size_t count;
    uint64_t seed = 3;
    for (int i = 0; i < 101; i++) sum += taps[i] = uniform(&seed);
    assert_int_equal(gb_round_taps(&ints, &count, ctx, taps, 101, 1000, scale), GB_OK);
    assert_int_equal(count, 101);
    double left = 0, right = 0;
    for (int i = 0; i < 101; i++) total += ints[i];
    assert_int_equal(total, llrint(sum * scale));
    for (int i = 0; i < 50; i++) {
        left += (double)ints[i] - taps[i] * scale;
        right += (double)ints[100 - i] - taps[100 - i] * scale;
        assert_true(fabs(left) <= 0.5 + 1e-9 && fabs(right) <= 0.5 + 1e-9);
    }
    gb_free(ints);
    assert_int_equal(gb_round_taps(&ints, &count, ctx, taps, 101, 3, scale), GB_OK);
    assert_int_equal(count, 5);
    gb_free(ints);
}

static void test_out_of_memory(void **state) {
    (void)state;
    gb_program *p = everything(), *q;
    gb_buffer a = GB_BUFFER_INIT;
    gb_status s = GB_ERR_MEMORY;
    assert_int_equal(gb_program_encode(&a, ctx, p), GB_OK);
    for (uint64_t n = 1; s != GB_OK; n++) {
        gb_alloc_fail_at(n);
        s = gb_program_decode(&q, ctx, a.data, a.size);
        gb_alloc_fail_at(0);
        if (s != GB_OK) assert_null(q);
        assert_true(n < 2000);
    }
    gb_program_free(q);
    gb_buffer_release(&a);
    gb_program_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_refused_nodes),
                                       cmocka_unit_test(test_refused_messages), cmocka_unit_test(test_refused_plans),
                                       cmocka_unit_test(test_refused_noise),    cmocka_unit_test(test_taps),
                                       cmocka_unit_test(test_out_of_memory)};
    ctx = context(1, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gb_ctx_free(ctx);
    return failed;
}
