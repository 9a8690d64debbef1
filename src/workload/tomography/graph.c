/* Programs: the op graphs that the service runs, made of public numbers alone. */
#include <math.h>

#include "workload/tomography/internal.h"

static gb_axis axis(const char *name, size_t size) {
    gb_axis a = {.size = (uint32_t)size};
    snprintf(a.name, sizeof a.name, "%s", name);
    return a;
}

static gb_status add_filter(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node in, const gb_tomo_config *c) {
    size_t count = 2 * (size_t)c->nx - 1;
    double *taps;
    GB_TRY(gb_alloc(&taps, ctx, count, sizeof *taps));
    gb_status status = gb_tomo_taps(taps, ctx, c);
    if (status == GB_OK) status = gb_program_convolve(out, ctx, p, in, taps, count);
    gb_free(taps);
    return status;
}

static gb_status build_back(gb_ctx *ctx, gb_program *p, const gb_tomo_config *c, const gb_affine *affine) {
    gb_axis axes[2] = {axis("tilt", c->tilt_count), axis("x", c->nx)};
    gb_node node;
    GB_TRY(gb_program_input(&node, ctx, p, "projections", axes, 2, gb_tomo_rows(c)));
    if (c->filter != GB_TOMO_NO_FILTER) GB_TRY(add_filter(&node, ctx, p, node, c));
    gb_gather_spec gather = {.sets = c->tilt_count,
                             .lines = c->nx,
                             .ni = c->nx,
                             .nk = gb_tomo_nk(c),
                             .affine = affine,
                             .nearest = c->nearest,
                             .factor = gb_tomo_factor(c),
                             .axis_names = {"z", "x"}};
    GB_TRY(gb_program_gather(&node, ctx, p, node, &gather));
    return gb_program_output(ctx, p, "volume", node);
}

static gb_status build_forward(gb_ctx *ctx, gb_program *p, const gb_tomo_config *c, const gb_affine *affine) {
    gb_axis axes[2] = {axis("z", gb_tomo_nz(c)), axis("x", c->nx)};
    gb_node node;
    GB_TRY(gb_program_input(&node, ctx, p, "volume", axes, 2, c->ny));
    gb_gather_spec scatter = {.sets = c->tilt_count,
                              .lines = c->nx,
                              .ni = c->nx,
                              .nk = gb_tomo_nz(c),
                              .affine = affine,
                              .nearest = c->nearest,
                              .factor = 1,
                              .axis_names = {"tilt", "x"}};
    GB_TRY(gb_program_scatter(&node, ctx, p, node, &scatter));
    return gb_program_output(ctx, p, "projections", node);
}

typedef gb_status (*build_fn)(gb_ctx *ctx, gb_program *p, const gb_tomo_config *c, const gb_affine *affine);

static gb_status make(gb_program **out, gb_ctx *ctx, const gb_tomo_config *c, const char *name, build_fn build) {
    *out = NULL;
    GB_TRY(gb_tomo_config_check(ctx, c));
    gb_affine *affine;
    GB_TRY(gb_alloc(&affine, ctx, c->tilt_count, sizeof *affine));
    gb_tomo_geometry(affine, c);
    gb_program *p = NULL;
    gb_status status = gb_program_new(&p, ctx, name);
    if (status == GB_OK) status = build(ctx, p, c, affine);
    gb_free(affine);
    if (status != GB_OK) {
        gb_program_free(p);
        return status;
    }
    *out = p;
    return GB_OK;
}

gb_status gb_tomo_program(gb_program **out, gb_ctx *ctx, const gb_tomo_config *c) {
    return make(out, ctx, c, "tomography.back-projection", build_back);
}

gb_status gb_tomo_projection_program(gb_program **out, gb_ctx *ctx, const gb_tomo_config *c) {
    if (c->copies != 1) return gb_fail(ctx, GB_ERR_ARGUMENT, "forward projection: %u copies, must be 1", c->copies);
    return make(out, ctx, c, "tomography.projection", build_forward);
}

/* 0.1 % of room covers the float arithmetic of the measurement; eighths of an octave keep the declared figure coarse:
 * it tells less than 1/8 bit more than the order of magnitude. */
static double round_up(double bound) {
    if (!(bound > 0)) return 1;
    return exp2(ceil(8 * log2(bound * 1.001)) / 8);
}

static gb_status declare_all(gb_ctx *ctx, gb_program *p, const double *bounds) {
    for (size_t i = 0; i < gb_program_nodes(p); i++)
        GB_TRY(gb_program_declare(ctx, p, (gb_node)i, round_up(bounds[i])));
    return GB_OK;
}

gb_status gb_tomo_measure(float *result, gb_ctx *ctx, const gb_tomo_config *c, gb_program *p, const float *lines) {
    GB_TRY(gb_tomo_config_check(ctx, c));
    float *own = NULL;
    double *bounds;
    GB_TRY(gb_alloc_zero(&bounds, ctx, gb_program_nodes(p), sizeof *bounds));
    gb_status status = GB_OK;
    if (!result) {
        status = gb_alloc(&own, ctx, gb_tomo_lines_out(c) * gb_tomo_rows(c), sizeof *own);
        result = own;
    }
    if (status == GB_OK) status = gb_run_plain_f32(ctx, p, &lines, &result, bounds);
    if (status == GB_OK) status = declare_all(ctx, p, bounds);
    gb_free(own);
    gb_free(bounds);
    return status;
}
