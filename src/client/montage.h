/* client/montage: a picture of a few slices: the result, the plaintext path's, their difference a thousandfold. */
#ifndef GB_CLIENT_MONTAGE_H
#define GB_CLIENT_MONTAGE_H

#include "client/internal.h"

#define GB_MONTAGE_SLICES 3 /* normal to the tilt axis, and one plane through its middle */

typedef struct gb_montage {
    uint32_t nx, ny, nz;
    uint32_t slice[GB_MONTAGE_SLICES]; /* rows y shown */
    float *slices[2];                  /* of result and reference: [GB_MONTAGE_SLICES][nz][nx] */
    float *plane[2];                   /* z = nz / 2: [ny][nx] */
} gb_montage;

GB_CHECK gb_status gb_montage_init(gb_montage *m, gb_ctx *ctx, uint32_t nx, uint32_t ny, uint32_t nz);
/* Rows [y0, y0 + count) of a volume, [count][nz][nx]; which: 0 the result, 1 the reference. */
void gb_montage_add(gb_montage *m, unsigned which, const float *rows, uint32_t y0, uint32_t count);
/* title: what the first column shows. Error: IO, SPACE, MEMORY. */
GB_CHECK gb_status gb_montage_write(gb_ctx *ctx, const gb_montage *m, const char *title, const char *path);
void gb_montage_release(gb_montage *m);

#endif
