/* Geometry: the configuration's ranges, line numbers and where each voxel looks. */
#include <math.h>
#include <stdlib.h>

#include "workload/tomography/internal.h"

void gb_tomo_config_defaults(gb_tomo_config *c) {
    memset(c, 0, sizeof *c);
    c->size = sizeof *c;
    c->filter = GB_TOMO_RAMP;
    c->iterations = 10;
    c->copies = 1;
}

uint32_t gb_tomo_nz(const gb_tomo_config *c) { return c->nz ? c->nz : c->nx; }

uint32_t gb_tomo_nk(const gb_tomo_config *c) {
    uint32_t nz = gb_tomo_nz(c);
    return c->copies == 2 ? nz / 2 + nz % 2 : nz;
}

uint32_t gb_tomo_rows(const gb_tomo_config *c) { return c->copies * c->ny; }

size_t gb_tomo_lines_in(const gb_tomo_config *c) { return c->tilt_count * c->nx; }

size_t gb_tomo_lines_out(const gb_tomo_config *c) { return (size_t)gb_tomo_nk(c) * c->nx; }

static gb_status check_tilts(gb_ctx *ctx, const gb_tomo_config *c) {
    if (c->tilt_count < 1 || c->tilt_count > GB_TOMO_MAX_TILTS || !c->tilts)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "tilt series: %zu tilt angles, must be 1 to %d", c->tilt_count,
                       GB_TOMO_MAX_TILTS);
    for (size_t t = 0; t < c->tilt_count; t++)
        if (!(fabs(c->tilts[t]) <= 360))
            return gb_fail(ctx, GB_ERR_ARGUMENT, "tilt series: angle of image %zu is %g degrees, must be -360 to 360",
                           t, c->tilts[t]);
    return GB_OK;
}

gb_status gb_tomo_config_check(gb_ctx *ctx, const gb_tomo_config *c) {
    if (c->size != sizeof *c)
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "tomography config: size is %zu, must be %zu; call "
                       "gb_tomo_config_defaults",
                       c->size, sizeof *c);
    if (c->nx < 2 || c->nx > GB_TOMO_MAX_WIDTH || c->ny < 1 || c->ny > GB_TOMO_MAX_WIDTH)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "tilt series: images of %u x %u pixels, must be 2 to %d by 1 to %d", c->nx,
                       c->ny, GB_TOMO_MAX_WIDTH, GB_TOMO_MAX_WIDTH);
    if (c->nz > GB_TOMO_MAX_WIDTH)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "volume: thickness is %u, must be 1 to %d", c->nz, GB_TOMO_MAX_WIDTH);
    GB_TRY(check_tilts(ctx, c));
    if (!(fabs(c->axis_offset) < c->nx / 2.0))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "tilt series: axis offset is %g pixels, must be less than half of %u",
                       c->axis_offset, c->nx);
    if ((unsigned)c->filter > GB_TOMO_NO_FILTER)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "filter: number %d is unknown", (int)c->filter);
    if (c->filter == GB_TOMO_SIRT && (c->iterations < 1 || c->iterations > 200))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "filter sirt: %u iterations, must be 1 to 200", c->iterations);
    if (c->copies != 1 && c->copies != 2)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "layout: %u copies, must be 1 or 2", c->copies);
    if (c->copies == 2 && (c->axis_offset != 0 || c->nearest))
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "layout: 2 copies need the axis in the middle and linear interpolation; "
                       "use gb_tomo_copies");
    return GB_OK;
}

uint32_t gb_tomo_copies(const gb_tomo_config *c, size_t n) {
    return 2 * (size_t)c->ny <= n / 2 && c->axis_offset == 0 && !c->nearest ? 2 : 1;
}

void gb_tomo_sincos(double *s, double *c, double degrees) {
    double turn = remainder(degrees, 360); /* exact, in [-180, 180] */
    if (remainder(turn, 90) == 0) {
        int quarter = (int)lrint(turn / 90) & 3;
        static const double sine[4] = {0, 1, 0, -1};
        *s = sine[quarter];
        *c = sine[(quarter + 1) & 3];
        return;
    }
    *s = sin(turn * (GB_TOMO_PI / 180));
    *c = cos(turn * (GB_TOMO_PI / 180));
}

void gb_tomo_geometry(gb_affine *out, const gb_tomo_config *c) {
    double xc = (c->nx - 1) / 2.0, zc = (gb_tomo_nz(c) - 1) / 2.0;
    for (size_t t = 0; t < c->tilt_count; t++) {
        double s, co;
        gb_tomo_sincos(&s, &co, c->tilts[t]);
        out[t].step_i = co;
        out[t].step_k = -s;
        out[t].origin = xc + c->axis_offset - xc * co + zc * s;
    }
}

double gb_tomo_factor(const gb_tomo_config *c) {
    if (c->tilt_count < 2) return 1;
    double low = c->tilts[0], high = c->tilts[0];
    for (size_t t = 1; t < c->tilt_count; t++) {
        low = fmin(low, c->tilts[t]);
        high = fmax(high, c->tilts[t]);
    }
    if (high == low) return 1;
    return fmin((high - low) / (double)(c->tilt_count - 1) * (GB_TOMO_PI / 180), GB_TOMO_PI / (double)c->tilt_count);
}

typedef struct tilt_order {
    double angle;
    size_t image;
} tilt_order;

static int by_angle(const void *a, const void *b) {
    const tilt_order *p = a, *q = b;
    if (p->angle != q->angle) return p->angle < q->angle ? -1 : 1;
    return p->image < q->image ? -1 : p->image > q->image;
}

/* Half the distance from the group [i, j) of equal angles to the groups beside it; an end group has one side. */
static double group_span(const tilt_order *o, size_t i, size_t j, size_t n) {
    double left = i > 0 ? o[i].angle - o[i - 1].angle : 0;
    double right = j < n ? o[j].angle - o[j - 1].angle : 0;
    if (i == 0) left = right;
    if (j == n) right = left;
    return (left + right) / 2;
}

gb_status gb_tomo_weights(double *out, gb_ctx *ctx, const gb_tomo_config *c) {
    GB_TRY(gb_tomo_config_check(ctx, c));
    size_t n = c->tilt_count;
    tilt_order *order;
    GB_TRY(gb_alloc(&order, ctx, n, sizeof *order));
    for (size_t t = 0; t < n; t++) order[t] = (tilt_order){c->tilts[t], t};
    qsort(order, n, sizeof *order, by_angle);
    double sum = 0;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && order[j].angle == order[i].angle;) j++;
        double span = group_span(order, i, j, n);
        for (size_t k = i; k < j; k++) out[order[k].image] = span / (double)(j - i);
        sum += span;
    }
    for (size_t t = 0; t < n; t++) out[t] = sum > 0 ? out[t] * (double)n / sum : 1;
    gb_free(order);
    return GB_OK;
}
