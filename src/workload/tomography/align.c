/* Alignment: coarse shifts (correlate.c), then what every parallel projection of one object must obey exactly
 * (Helgason-Ludwig conditions of order 0 and 1, for images with the axis along y):
 *   order 0: the sum over x of row y is the same in all images: the profile along the axis. This gives each image's
 *            place along the axis, and is off when the axis angle is wrong.
 *   order 1: the centre of mass of row y moves as b(y) cos a - c(y) sin a. Every image may have one shift across the
 *            axis beside that; what is left over measures the axis angle far more sharply than anything else.
 * Order 1 needs the whole object inside the image ("isolated"): a needle, a particle. Where that is not so (a slab that
 * goes on beyond the field), shifts across the axis are those of the cross-correlation.
 *
 * All of it works on images binned to at most MAX_BINNED pixels, with the border's median subtracted. */
#include <math.h>

#include "workload/tomography/internal.h"

#define MAX_BINNED 256
#define ROUNDS 4        /* of order 0 and 1 at one axis angle */
#define PROFILE_STEPS 5 /* Gauss-Newton steps of order 0 in a round */
#define ISOLATED 0.05   /* an object is isolated when the outer columns hold less than this of the fullest one */
#define ANGLE_STEP 2.5  /* degrees, of the search's grid */
#define ANGLE_ENOUGH 0.02

void gb_tomo_align_defaults(gb_tomo_align_config *a) {
    memset(a, 0, sizeof *a);
    a->size = sizeof *a;
    a->shifts = true;
    a->refine = true;
    a->max_shift = 0.25;
}

void gb_tomo_alignment_release(gb_tomo_alignment *a) {
    gb_free(a->dx);
    gb_free(a->dy);
    memset(a, 0, sizeof *a);
}

typedef struct work {
    gb_ctx *ctx;
    size_t count;
    const double *tilts;
    uint32_t nx, ny;       /* binned, raw orientation */
    float *images;         /* [count][ny][nx] binned, background at zero */
    uint32_t ax, ay;       /* aligned size at the angle of the last resample */
    float *aligned;        /* [count][ay][ax] */
    double *row0, *row1;   /* [count][ay] moments of rows: sum v, sum v (x - middle) */
    double *mean, *slope;  /* [ay] mean profile, its derivative */
    double *centre, *move; /* [count] shift across and along the axis that a round found */
    double *sine, *cosine; /* [count] of the tilts */
    double *gain;          /* [count] brightness of an image relative to the mean profile */
    bool isolated;
} work;

static void work_release(work *w) {
    gb_free(w->images);
    gb_free(w->aligned);
    gb_free(w->row0);
    gb_free(w->row1);
    gb_free(w->mean);
    gb_free(w->slope);
    gb_free(w->centre);
    gb_free(w->move);
    gb_free(w->gain);
    gb_free(w->sine);
    gb_free(w->cosine);
}

static gb_status work_init(work *w) {
    size_t side = gb_max_size(w->nx, w->ny), n = w->count;
    GB_TRY(gb_alloc(&w->images, w->ctx, n, (size_t)w->nx * w->ny * sizeof(float)));
    GB_TRY(gb_alloc(&w->aligned, w->ctx, n, (size_t)w->nx * w->ny * sizeof(float)));
    GB_TRY(gb_alloc(&w->row0, w->ctx, n, side * sizeof(double)));
    GB_TRY(gb_alloc(&w->row1, w->ctx, n, side * sizeof(double)));
    GB_TRY(gb_alloc(&w->mean, w->ctx, side, sizeof(double)));
    GB_TRY(gb_alloc(&w->slope, w->ctx, side, sizeof(double)));
    GB_TRY(gb_alloc(&w->centre, w->ctx, n, sizeof(double)));
    GB_TRY(gb_alloc(&w->move, w->ctx, n, sizeof(double)));
    GB_TRY(gb_alloc(&w->gain, w->ctx, n, sizeof(double)));
    GB_TRY(gb_alloc(&w->sine, w->ctx, n, sizeof(double)));
    GB_TRY(gb_alloc(&w->cosine, w->ctx, n, sizeof(double)));
    for (size_t t = 0; t < n; t++) gb_tomo_sincos(&w->sine[t], &w->cosine[t], w->tilts[t]);
    return GB_OK;
}

/* Binned copies, b x b pixels to one, from the middle of each image; minus the median of the border. */
static gb_status bin_images(work *w, const float *raw, uint32_t nx, uint32_t ny, uint32_t b) {
    size_t x0 = (nx - b * w->nx) / 2, y0 = (ny - b * w->ny) / 2, pixels = (size_t)w->nx * w->ny;
    float *scratch;
    GB_TRY(gb_alloc(&scratch, w->ctx, gb_tomo_border_size(w->nx, w->ny), sizeof *scratch));
    for (size_t t = 0; t < w->count; t++) {
        float *out = w->images + t * pixels;
        for (size_t y = 0; y < w->ny; y++)
            for (size_t x = 0; x < w->nx; x++) {
                double sum = 0;
                for (size_t j = 0; j < b; j++)
                    for (size_t i = 0; i < b; i++) sum += (double)raw[(t * ny + y0 + y * b + j) * nx + x0 + x * b + i];
                out[y * w->nx + x] = (float)(sum / ((double)b * b));
            }
        double level = gb_tomo_border(scratch, out, w->nx, w->ny);
        for (size_t i = 0; i < pixels; i++) out[i] = (float)((double)out[i] - level);
    }
    gb_free(scratch);
    return GB_OK;
}

static gb_status resample(work *w, const gb_tomo_alignment *a) {
    gb_tomo_apply_size(&w->ax, &w->ay, w->nx, w->ny, a->axis_angle);
    GB_TRY(gb_tomo_apply(w->aligned, w->ctx, w->images, w->nx, w->ny, a));
    double middle = (w->ax - 1) / 2.0;
    for (size_t t = 0; t < w->count; t++)
        for (size_t y = 0; y < w->ay; y++) {
            const float *row = w->aligned + (t * w->ay + y) * w->ax;
            double sum = 0, moment = 0;
            for (size_t x = 0; x < w->ax; x++) {
                sum += (double)row[x];
                moment += (double)row[x] * ((double)x - middle);
            }
            w->row0[t * w->ay + y] = sum;
            w->row1[t * w->ay + y] = moment;
        }
    return GB_OK;
}

/* Rows near the ends of the axis may come from outside the raw image: they count for nothing, then for more. */
static double row_weight(const work *w, size_t y) {
    double margin = (double)w->ay / 8, edge = (double)gb_min_size(y, w->ay - 1 - y) + 1;
    return fmax(0, fmin(1, (edge - margin) / 4));
}

/* Row sums of image t at y + shift, linear between rows: profiles are smooth. */
static double profile_at(const double *p, size_t n, double y) {
    double f = floor(y), w = y - f;
    size_t i = f < 0 ? 0 : gb_min_size((size_t)f, n - 1), j = f + 1 < 0 ? 0 : gb_min_size((size_t)(f + 1), n - 1);
    return (1 - w) * p[i] + w * p[j];
}

static void mean_profile(work *w) {
    for (size_t y = 0; y < w->ay; y++) {
        double sum = 0;
        for (size_t t = 0; t < w->count; t++) sum += profile_at(w->row0 + t * w->ay, w->ay, (double)y + w->move[t]);
        w->mean[y] = sum / (double)w->count;
    }
    for (size_t y = 0; y < w->ay; y++) {
        size_t low = y > 0 ? y - 1 : y, high = y + 1 < w->ay ? y + 1 : y;
        w->slope[y] = (w->mean[high] - w->mean[low]) / (double)(high - low);
    }
}

/* Least squares of image t's profile on gain * mean + step * slope: the image lies step / gain rows too far. Answers
 * the sum of squares left over, relative to the mean profile's variance around zero. */
static double profile_step(double *step, double *gain, const work *w, size_t t) {
    double mm = 0, ms = 0, ss = 0, qm = 0, qs = 0, qq = 0;
    for (size_t y = 0; y < w->ay; y++) {
        double weight = row_weight(w, y), q = profile_at(w->row0 + t * w->ay, w->ay, (double)y + w->move[t]);
        mm += weight * w->mean[y] * w->mean[y];
        ms += weight * w->mean[y] * w->slope[y];
        ss += weight * w->slope[y] * w->slope[y];
        qm += weight * q * w->mean[y];
        qs += weight * q * w->slope[y];
        qq += weight * q * q;
    }
    double det = mm * ss - ms * ms;
    *gain = mm > 0 ? qm / mm : 1;
    *step = 0;
    if (det > 1e-9 * mm * ss) {
        double g = (qm * ss - qs * ms) / det, s = (qs * mm - qm * ms) / det;
        if (fabs(g) > 1e-3) *step = fmax(-2, fmin(2, s / g));
    }
    return mm > 0 ? (qq - *gain * qm) / mm : 0;
}

/* Order 0: w->move and w->gain. Answers the RMS misfit of the profiles relative to their size. */
static double fit_along(work *w) {
    double misfit = 0, step;
    memset(w->move, 0, w->count * sizeof *w->move);
    for (int i = 0; i <= PROFILE_STEPS; i++) {
        mean_profile(w);
        misfit = 0;
        double drift = 0;
        for (size_t t = 0; t < w->count; t++) {
            misfit += profile_step(&step, &w->gain[t], w, t);
            if (i < PROFILE_STEPS) w->move[t] -= step;
            drift += w->move[t] / (double)w->count;
        }
        for (size_t t = 0; t < w->count; t++) w->move[t] -= drift;
    }
    return sqrt(fmax(0, misfit) / (double)w->count);
}

/* Place of image t's row y across the axis, from the middle, with the image's gain taken out. */
static double row_centre(const work *w, size_t t, size_t y) {
    double moment = profile_at(w->row1 + t * w->ay, w->ay, (double)y + w->move[t]);
    return moment / (w->gain[t] * w->mean[y]);
}

/* Order 1, after order 0: w->centre, and the RMS over rows and images of what no object can explain, in pixels. Rows
 * weigh as their mass squared, which is how sure their centre is. */
static double fit_across(work *w) {
    size_t n = w->count;
    double total = 0, left = 0, top = 0;
    for (size_t y = 0; y < w->ay; y++) top = fmax(top, w->mean[y]);
    memset(w->centre, 0, n * sizeof *w->centre);
    for (int pass = 0; pass < 2; pass++)
        for (size_t y = 0; y < w->ay; y++) {
            double weight = row_weight(w, y) * w->mean[y] * w->mean[y];
            if (!(w->mean[y] > 0.02 * top) || weight == 0) continue;
            if (pass == 0) total += weight;
            double cc = 0, cs = 0, ss = 0, pc = 0, ps = 0, pp = 0;
            for (size_t t = 0; t < n; t++) {
                double p = row_centre(w, t, y);
                if (pass == 0) {
                    w->centre[t] += weight * p;
                    continue;
                }
                p -= w->centre[t] / total;
                double s = w->sine[t], c = w->cosine[t];
                cc += c * c;
                cs -= c * s;
                ss += s * s;
                pc += p * c;
                ps -= p * s;
                pp += p * p;
            }
            if (pass == 0) continue;
            double det = cc * ss - cs * cs, fit = cc > 0 ? pc * pc / cc : 0;
            if (det > 1e-9 * (double)n * (double)n) fit = (pc * pc * ss - 2 * pc * ps * cs + ps * ps * cc) / det;
            left += weight * fmax(0, pp - fit);
        }
    for (size_t t = 0; t < n; t++) w->centre[t] = total > 0 ? w->centre[t] / total : 0;
    return total > 0 ? sqrt(left / total / (double)n) : 0;
}

/* Whether the object ends inside the images on both sides of the axis. */
static bool is_isolated(const work *w) {
    size_t edge = gb_max_size(1, w->ax / 32);
    double outer = 0, top = 0;
    for (size_t x = 0; x < w->ax; x++) {
        double sum = 0;
        for (size_t t = 0; t < w->count; t++)
            for (size_t y = 0; y < w->ay; y++)
                sum += row_weight(w, y) * (double)w->aligned[(t * w->ay + y) * w->ax + x];
        if (x < edge || x >= w->ax - edge) outer = fmax(outer, fabs(sum));
        top = fmax(top, sum);
    }
    return outer < ISOLATED * top;
}

/* Rounds of both orders at a's axis angle, from and into its shifts. misfit: pixels of order 1 for an isolated object,
 * relative misfit of order 0 else. */
static gb_status refine(double *misfit, work *w, gb_tomo_alignment *a, int rounds) {
    double s, c;
    gb_tomo_sincos(&s, &c, a->axis_angle);
    for (int round = 0; round < rounds; round++) {
        GB_TRY(resample(w, a));
        if (round == 0) w->isolated = is_isolated(w);
        *misfit = fit_along(w);
        if (w->isolated)
            *misfit = fit_across(w);
        else
            memset(w->centre, 0, w->count * sizeof *w->centre);
        for (size_t t = 0; t < w->count; t++) {
            a->dx[t] += w->centre[t] * c - w->move[t] * s;
            a->dy[t] += w->centre[t] * s + w->move[t] * c;
        }
    }
    return GB_OK;
}

/* The misfit at an angle, starting from the coarse shifts in `from`. */
static gb_status misfit_at(double *misfit, work *w, gb_tomo_alignment *trial, const gb_tomo_alignment *from,
                           double angle) {
    trial->axis_angle = angle;
    memcpy(trial->dx, from->dx, w->count * sizeof *trial->dx);
    memcpy(trial->dy, from->dy, w->count * sizeof *trial->dy);
    return refine(misfit, w, trial, 2);
}

/* Grid, then golden sections around the best. */
static gb_status search_angle(work *w, gb_tomo_alignment *a, double reach) {
    gb_tomo_alignment trial = {.count = w->count};
    GB_TRY(gb_alloc(&trial.dx, w->ctx, w->count, sizeof(double)));
    gb_status status = gb_alloc(&trial.dy, w->ctx, w->count, sizeof(double));
    int steps = (int)ceil(reach / ANGLE_STEP);
    double width = reach / steps, best = INFINITY, middle = a->axis_angle, start = a->axis_angle, m = 0;
    for (int i = -steps; i <= steps && status == GB_OK; i++) {
        status = misfit_at(&m, w, &trial, a, start + i * width);
        if (status == GB_OK) status = gb_progress(w->ctx, "axis angle", (uint64_t)(i + steps), (uint64_t)steps * 2 + 1);
        if (m < best) {
            best = m;
            middle = start + i * width;
        }
    }
    const double golden = 0.6180339887498949;
    double low = middle - width, high = middle + width, p = high - golden * (high - low),
           q = low + golden * (high - low);
    double mp = 0, mq = 0;
    if (status == GB_OK) status = misfit_at(&mp, w, &trial, a, p);
    if (status == GB_OK) status = misfit_at(&mq, w, &trial, a, q);
    while (status == GB_OK && high - low > ANGLE_ENOUGH) {
        if (mp < mq) {
            high = q;
            q = p;
            mq = mp;
            status = misfit_at(&mp, w, &trial, a, p = high - golden * (high - low));
        } else {
            low = p;
            p = q;
            mp = mq;
            status = misfit_at(&mq, w, &trial, a, q = low + golden * (high - low));
        }
    }
    a->axis_angle = (low + high) / 2;
    gb_tomo_alignment_release(&trial);
    return status;
}

/* Correlation of the middle rows of two aligned images, the second read from right to left where mirrored. */
static double correlate_pair(const work *w, size_t t, size_t u, bool mirrored) {
    double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0, n = 0;
    for (size_t y = w->ay / 8; y < w->ay - w->ay / 8; y++)
        for (size_t x = 0; x < w->ax; x++) {
            double p = (double)w->aligned[(t * w->ay + y) * w->ax + x];
            double q = (double)w->aligned[(u * w->ay + y) * w->ax + (mirrored ? w->ax - 1 - x : x)];
            sa += p;
            sb += q;
            saa += p * p;
            sbb += q * q;
            sab += p * q;
            n += 1;
        }
    double variance = (saa - sa * sa / n) * (sbb - sb * sb / n);
    return variance > 0 ? (sab - sa * sb / n) / sqrt(variance) : 0;
}

/* Scores of the finished alignment: neighbours in the order of the stack, and the first pair 180 degrees apart. */
static gb_status score(work *w, gb_tomo_alignment *a) {
    GB_TRY(resample(w, a));
    a->score = w->count > 1 ? 0 : 1;
    for (size_t t = 0; t + 1 < w->count; t++) a->score += correlate_pair(w, t, t + 1, false) / (double)(w->count - 1);
    a->mirror = 0;
    for (size_t t = 0; t < w->count; t++)
        for (size_t u = t + 1; u < w->count; u++)
            if (fabs(fabs(w->tilts[t] - w->tilts[u]) - 180) < 0.01) {
                a->mirror = correlate_pair(w, t, u, true);
                return GB_OK;
            }
    return GB_OK;
}

static gb_status check(gb_ctx *ctx, uint32_t nx, uint32_t ny, const double *tilts, size_t count,
                       const gb_tomo_align_config *a) {
    if (a->size != sizeof *a)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "alignment config: size is %zu, must be %zu; call gb_tomo_align_defaults",
                       a->size, sizeof *a);
    if (nx < 16 || ny < 16 || nx > GB_TOMO_MAX_WIDTH || ny > GB_TOMO_MAX_WIDTH)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "alignment: images of %u x %u pixels, must be 16 to %d", nx, ny,
                       GB_TOMO_MAX_WIDTH);
    if (count < 1 || count > GB_TOMO_MAX_TILTS)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "alignment: %zu images, must be 1 to %d", count, GB_TOMO_MAX_TILTS);
    if (!(fabs(a->axis_angle) <= 360) || !(a->find_angle >= 0 && a->find_angle <= 15))
        return gb_fail(ctx, GB_ERR_ARGUMENT,
                       "alignment: axis angle %g (must be -360 to 360 degrees), search of %g (0 to 15)", a->axis_angle,
                       a->find_angle);
    if (!(a->max_shift >= 0.01 && a->max_shift <= 0.5))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "alignment: max_shift is %g of the image, must be 0.01 to 0.5",
                       a->max_shift);
    for (size_t t = 0; t < count; t++)
        if (!(fabs(tilts[t]) <= 360))
            return gb_fail(ctx, GB_ERR_ARGUMENT, "alignment: angle of image %zu is %g degrees, must be -360 to 360", t,
                           tilts[t]);
    return GB_OK;
}

static gb_status run(work *w, gb_tomo_alignment *out, const gb_tomo_align_config *config) {
    double misfit;
    if (config->shifts)
        GB_TRY(gb_tomo_correlate(out->dx, out->dy, w->ctx, w->images, w->nx, w->ny, w->tilts, w->count, out->axis_angle,
                                 config->max_shift));
    if (config->find_angle > 0) GB_TRY(search_angle(w, out, config->find_angle));
    if (config->shifts && config->refine) GB_TRY(refine(&misfit, w, out, ROUNDS));
    return score(w, out);
}

gb_status gb_tomo_align(gb_tomo_alignment *out, gb_ctx *ctx, const float *images, uint32_t nx, uint32_t ny,
                        const double *tilts, size_t count, const gb_tomo_align_config *config) {
    memset(out, 0, sizeof *out);
    GB_TRY(check(ctx, nx, ny, tilts, count, config));
    GB_TRY(gb_tomo_check_finite(ctx, images, nx, ny, count));
    uint32_t b = (uint32_t)gb_ceil_div(gb_max_size(nx, ny), MAX_BINNED);
    while (b > 1 && (nx / b < 16 || ny / b < 16)) b--;
    work w = {.ctx = ctx, .count = count, .tilts = tilts, .nx = nx / b, .ny = ny / b};
    out->count = count;
    out->axis_angle = config->axis_angle;
    gb_status status = gb_alloc_zero(&out->dx, ctx, count, sizeof *out->dx);
    if (status == GB_OK) status = gb_alloc_zero(&out->dy, ctx, count, sizeof *out->dy);
    if (status == GB_OK) status = work_init(&w);
    if (status == GB_OK) status = bin_images(&w, images, nx, ny, b);
    if (status == GB_OK) status = run(&w, out, config);
    work_release(&w);
    if (status != GB_OK) {
        gb_tomo_alignment_release(out);
        return status;
    }
    /* Binned pixels back to raw ones; an odd remainder of the size leaves the binned middle half a pixel aside. */
    double half_x = (nx - b * w.nx) % 2 / -2.0, half_y = (ny - b * w.ny) % 2 / -2.0;
    for (size_t t = 0; t < count && config->shifts; t++) {
        out->dx[t] = out->dx[t] * b + half_x;
        out->dy[t] = out->dy[t] * b + half_y;
    }
    return GB_OK;
}
