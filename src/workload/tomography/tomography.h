/* workload/tomography: tilt series to tomogram. Everything here runs on the owner's machine except the program it
 * builds, which holds public numbers only (sizes, tilt angles, filter) and runs anywhere.
 *
 * Conventions (IMOD's, see docs/tomography.md for how each was checked). Indices start at 0, angles are in degrees.
 *  - Stack of images: float [tilt][y][x], x fastest, as in the MRC file; row y = 0 is the lowest of the picture.
 *  - Aligned images have the tilt axis along y: x runs across the axis, nx is the width, ny the length along it.
 *  - Volume: float [y][z][x] as `tilt` of IMOD writes it: NX = width nx, NY = thickness nz, NZ = ny slices, each normal
 *    to the tilt axis.
 *  - Voxel (x, z) is seen in image t at  u = (x - (nx-1)/2) cos a - (z - (nz-1)/2) sin a + (nx-1)/2 + axis_offset,
 *    a the tilt angle; u counts pixels, outside [0, nx-1] images read as zero. (z is the index in the file: `tilt`
 *    negates the sine so that the file, read as x, y, z, is a rotation of the specimen and not its mirror image.)
 *  - Tilt-axis angle: from the image's y axis to the tilt axis, counter-clockwise seen with y up (SerialEM, IMOD).
 *
 * The way of the data: gb_tomo_align + gb_tomo_apply (or neither) -> gb_tomo_normalise -> gb_tomo_pack -> lines, which
 * are encrypted, run through gb_tomo_program and decrypted -> gb_tomo_unpack or gb_tomo_unpack_plane -> volume. */
#ifndef GB_TOMOGRAPHY_H
#define GB_TOMOGRAPHY_H

#include "program/program.h"

#define GB_TOMO_MAX_WIDTH 16384 /* nx, ny, nz */
#define GB_TOMO_MAX_TILTS 4096

/* ---- configuration: geometry.c ---- */
/* Filters multiply the spectrum of each image line, f in cycles a pixel, |f| <= 1/2. Each is applied as a plain
 * convolution with 2 nx - 1 real taps (lines are zero outside the image), see filter.c for the sources. */
typedef enum gb_tomo_filter {
    GB_TOMO_RAMP = 0,    /* |f| (Ram-Lak; Kak & Slaney, eq. 3.61) */
    GB_TOMO_SHEPP_LOGAN, /* |f| sin(pi f) / (pi f) */
    GB_TOMO_HAMMING,     /* |f| (0.54 + 0.46 cos(2 pi f)) */
    GB_TOMO_SIRT,        /* |f| (1 - (1 - 0.00195 / |f|)^(m + 0.3)): looks like m SIRT iterations, IMOD's form */
    GB_TOMO_NO_FILTER    /* 1: plain back-projection */
} gb_tomo_filter;

typedef struct gb_tomo_config {
    size_t size;           /* sizeof(gb_tomo_config), set by gb_tomo_config_defaults */
    uint32_t nx, ny;       /* of the aligned images, 2..GB_TOMO_MAX_WIDTH and 1..GB_TOMO_MAX_WIDTH; no default */
    uint32_t nz;           /* thickness of the volume, 1..GB_TOMO_MAX_WIDTH; default 0: nx */
    size_t tilt_count;     /* 1..GB_TOMO_MAX_TILTS; no default */
    const double *tilts;   /* degrees, |tilt| <= 360; borrowed, must outlive every call with this config */
    double axis_offset;    /* pixels from the middle of the image to the tilt axis, |axis_offset| < nx / 2; default 0 */
    gb_tomo_filter filter; /* default GB_TOMO_RAMP */
    uint32_t iterations;   /* of GB_TOMO_SIRT, 1..200; default 10 */
    bool nearest;          /* one tap instead of linear interpolation; default false */
    bool spacing_weights;  /* gb_tomo_pack weighs image t by its share of the angular range; default false: all equal */
    uint32_t copies;       /* 1, or 2 for the point-symmetric layout: what gb_tomo_copies says; default 1 */
} gb_tomo_config;
void gb_tomo_config_defaults(gb_tomo_config *c);
/* Every field in its range and consistent. Errors: ARGUMENT, naming the field. All functions below check by it. */
GB_CHECK gb_status gb_tomo_config_check(gb_ctx *ctx, const gb_tomo_config *c);
/* "ramp", "shepp-logan", "hamming", "none", "sirt:N" (N iterations) into c->filter, c->iterations. Error: ARGUMENT. */
GB_CHECK gb_status gb_tomo_filter_parse(gb_ctx *ctx, gb_tomo_config *c, const char *name);
const char *gb_tomo_filter_name(gb_tomo_filter filter); /* "ramp", ...; "sirt" */

/* How many copies the layout should hold when a ciphertext has n coefficients: 2 when 2 ny <= n / 2, the axis is in
 * the middle (axis_offset 0) and interpolation is linear; else 1. c->copies is not read. Two copies send twice the
 * values up, but compute and send down half the lines (see docs/tomography.md, "Point symmetry"). */
uint32_t gb_tomo_copies(const gb_tomo_config *c, size_t n);
uint32_t gb_tomo_nz(const gb_tomo_config *c);      /* thickness: nz, or nx where it is 0 */
uint32_t gb_tomo_nk(const gb_tomo_config *c);      /* z rows the program computes: nz, or ceil(nz / 2) with 2 copies */
uint32_t gb_tomo_rows(const gb_tomo_config *c);    /* values a line: copies * ny */
size_t gb_tomo_lines_in(const gb_tomo_config *c);  /* tilt_count * nx; line (t, x) is t * nx + x */
size_t gb_tomo_lines_out(const gb_tomo_config *c); /* nk * nx; line (k, x) is k * nx + x */
/* Where image t reads for voxel (i, k): p = origin + i step_i + k step_k. out: tilt_count entries. */
void gb_tomo_geometry(gb_affine *out, const gb_tomo_config *c);
/* The factor of the back-projection sum, so that the result is in units of the object's density per pixel: the mean
 * spacing of the sorted tilts in radians, at most pi / tilt_count (1 tilt: 1). */
double gb_tomo_factor(const gb_tomo_config *c);
/* Weight of each tilt, mean 1: half the distance between its neighbours (ends: the distance to the one neighbour) over
 * the mean of these; equal tilts share theirs. out: tilt_count entries, in the order of c->tilts. Error: MEMORY. */
GB_CHECK gb_status gb_tomo_weights(double *out, gb_ctx *ctx, const gb_tomo_config *c);

/* ---- filters: filter.c ---- */
/* Taps of the filter, 2 nx - 1 of them, tap nx - 1 + d weighs distance d; symmetric. Errors: ARGUMENT, MEMORY. */
GB_CHECK gb_status gb_tomo_taps(double *taps, gb_ctx *ctx, const gb_tomo_config *c);

/* ---- layout: layout.c ---- */
/* Lines [first, first + count) of the program's input from aligned images [tilt][ny][nx]: out[count][rows]. Row y of
 * line (t, x) is pixel (x, y) of image t, times its weight; with 2 copies rows ny.. are the column nx - 1 - x.
 * Error: ARGUMENT (outside). */
GB_CHECK gb_status gb_tomo_pack(float *out, gb_ctx *ctx, const gb_tomo_config *c, const float *images, size_t first,
                                size_t count);
/* Lines [first, first + count) of the program's output into volume [ny][nz][nx]; every voxel is written once all lines
 * were unpacked. _f32 and _f64 for the plain paths. Error: ARGUMENT (outside). */
GB_CHECK gb_status gb_tomo_unpack(float *volume, gb_ctx *ctx, const gb_tomo_config *c, const double *lines,
                                  size_t first, size_t count);
GB_CHECK gb_status gb_tomo_unpack_f32(float *volume, gb_ctx *ctx, const gb_tomo_config *c, const float *lines,
                                      size_t first, size_t count);
GB_CHECK gb_status gb_tomo_unpack_f64(double *volume, gb_ctx *ctx, const gb_tomo_config *c, const double *lines,
                                      size_t first, size_t count);
/* For volumes larger than memory: the nx lines of program row k hold one plane of constant z for each copy < copies.
 * gb_tomo_plane_z says which z (UINT32_MAX: the middle plane of odd nz, which copy 0 has already given); unpack_plane
 * writes it as [ny][nx], which is gb_mrc_write's "row z of every section". lines: [nx][rows]. */
uint32_t gb_tomo_plane_z(const gb_tomo_config *c, uint32_t k, uint32_t copy);
GB_CHECK gb_status gb_tomo_unpack_plane(float *plane, gb_ctx *ctx, const gb_tomo_config *c, const double *lines,
                                        uint32_t copy);

/* ---- programs: graph.c ---- */
/* Weighted back-projection: input "projections" (axes tilt, x; gb_tomo_rows rows) -> convolve (unless NO_FILTER) ->
 * gather -> output "volume" (axes z of gb_tomo_nk, x). *out is for gb_program_free. */
GB_CHECK gb_status gb_tomo_program(gb_program **out, gb_ctx *ctx, const gb_tomo_config *c);
/* Forward projection (Radon transform), the transpose of the gather with factor 1: input "volume" (axes z of nz, x; ny
 * rows) -> scatter -> output "projections" (axes tilt, x). c->copies must be 1; the filter is not used. */
GB_CHECK gb_status gb_tomo_projection_program(gb_program **out, gb_ctx *ctx, const gb_tomo_config *c);
/* Runs a program made above on the plain backend (float) over `lines` (all of its input) and declares the bound of
 * every node on it, each rounded up to the next 1/8 octave (after 0.1 % of room) so that little is told of the data;
 * max |value| 0 declares 1. result (may be NULL: then as much is allocated meanwhile) gets the output
 * lines, gb_tomo_lines_out x gb_tomo_rows: the plaintext answer. Errors: the run's. */
GB_CHECK gb_status gb_tomo_measure(float *result, gb_ctx *ctx, const gb_tomo_config *c, gb_program *p,
                                   const float *lines);

/* ---- preparation of images: prepare.c ---- */
typedef enum gb_tomo_normal {
    GB_TOMO_KEEP = 0,        /* values as they are */
    GB_TOMO_SUBTRACT_MEAN,   /* minus the image's mean: the volume is the deviation from the mean density */
    GB_TOMO_SUBTRACT_BORDER, /* minus the median of the image's outermost pixels: free-standing objects on vacuum */
} gb_tomo_normal;
/* In place. Then the outermost `taper` columns at x = 0 and x = nx - 1 are faded to zero by a raised cosine (0: none,
 * at most nx / 2), which keeps a cut-off object's edges from ringing. Errors: ARGUMENT, RANGE (a pixel that is not
 * finite: names image, y, x), MEMORY. */
GB_CHECK gb_status gb_tomo_normalise(float *images, gb_ctx *ctx, uint32_t nx, uint32_t ny, size_t count,
                                     gb_tomo_normal normal, uint32_t taper);

/* ---- alignment: align.c ---- */
typedef struct gb_tomo_align_config {
    size_t size;       /* set by gb_tomo_align_defaults */
    double axis_angle; /* degrees; a first value where find_angle is set; default 0 */
    double find_angle; /* search this far on both sides of axis_angle, degrees, 0..15; default 0: take it as given */
    bool shifts;       /* find the images' shifts by cross-correlation; default true */
    bool refine;       /* then fit the common axis (see docs/tomography.md, "Alignment"); default true */
    double max_shift;  /* largest shift between neighbours, fraction of the image, 0.01..0.5; default 0.25 */
} gb_tomo_align_config;
void gb_tomo_align_defaults(gb_tomo_align_config *a);

/* What was found. The point (x, y) of image t that lies on the axis's middle is c + (dx[t], dy[t]), c = the middle
 * ((nx-1)/2, (ny-1)/2) of the raw image. */
typedef struct gb_tomo_alignment {
    size_t count;
    double axis_angle; /* degrees */
    double *dx, *dy;   /* pixels of the raw image, count entries; owned: gb_tomo_alignment_release */
    double score;      /* mean correlation of neighbours after alignment, -1..1 */
    double mirror;     /* correlation of the pair 180 degrees apart with one of it mirrored, 0 when there is none */
} gb_tomo_alignment;
void gb_tomo_alignment_release(gb_tomo_alignment *a);
/* images: raw [count][ny][nx], 16 <= nx, ny. *out is all zero on error. Errors: ARGUMENT, RANGE (a
 * pixel that is not finite), MEMORY, CANCELLED. */
GB_CHECK gb_status gb_tomo_align(gb_tomo_alignment *out, gb_ctx *ctx, const float *images, uint32_t nx, uint32_t ny,
                                 const double *tilts, size_t count, const gb_tomo_align_config *config);
/* Size of aligned images: nx x ny, or swapped where the axis is nearer to x than to y. */
void gb_tomo_apply_size(uint32_t *out_nx, uint32_t *out_ny, uint32_t nx, uint32_t ny, double axis_angle);
/* Resamples images (bicubic, one interpolation for shift and rotation together) so that the axis is along y through
 * the middle: out[count][out_ny][out_nx]. Outside a raw image its border pixels go on. out must not overlap. */
GB_CHECK gb_status gb_tomo_apply(float *out, gb_ctx *ctx, const float *images, uint32_t nx, uint32_t ny,
                                 const gb_tomo_alignment *a);

/* ---- cleartext truth: plain.c ---- */
/* Filter by direct sums and voxel-driven back-projection in double, written from the formulas above alone (no code
 * shared with the program's backends): volume [ny][nz][nx] of aligned images. Slow: for tests. Errors: ARGUMENT,
 * MEMORY. */
GB_CHECK gb_status gb_tomo_direct(double *volume, gb_ctx *ctx, const gb_tomo_config *c, const float *images);
/* The same voxel loop the other way, without filter and factor: images [tilt][ny][nx] of a volume [ny][nz][nx]. */
GB_CHECK gb_status gb_tomo_direct_project(double *images, gb_ctx *ctx, const gb_tomo_config *c, const double *volume);

#endif
