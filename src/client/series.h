/* client/series: a tilt series, read, checked and prepared; given out in strips of rows. */
#ifndef GB_CLIENT_SERIES_H
#define GB_CLIENT_SERIES_H

#include "client/internal.h"
#include "format/format.h"
#include "workload/tomography/tomography.h"

typedef struct gb_series {
    gb_image *file;
    gb_tilts tilts;
    uint32_t nx, ny; /* of the prepared images */
    size_t count;
    double pixel; /* angstrom, 0: not given */
    uint64_t bytes_raw, replaced;
    float *images; /* [count][ny][nx] when preparing needed all of them, else NULL: strips are read from the file */
} gb_series;

/* Opens, checks counts, and prepares (align, turn, normalise) as the options say. seconds: of reading, of aligning. */
GB_CHECK gb_status gb_series_open(gb_series *s, double seconds[2], gb_ctx *ctx, const gb_tomo_options *o);
/* Rows [y0, y0 + cy) of every image: out[count][cy][nx]. */
GB_CHECK gb_status gb_series_strip(float *out, gb_ctx *ctx, gb_series *s, uint32_t y0, uint32_t cy);
void gb_series_release(gb_series *s);

#endif
