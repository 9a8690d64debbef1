/* Inside of scheme/bootstrap: matrices by diagonals. */
#ifndef GB_BOOT_MATRIX_H
#define GB_BOOT_MATRIX_H

#include "scheme/ckks/ckks.h"

/* y[i] = sum_d value_d[i] x[(i + step_d) mod n] */
typedef struct gb_diagonals {
    size_t n, count;
    int step[128];
    double *re[128], *im[128]; /* re[d] owned, with im[d] behind it */
} gb_diagonals;
void gb_diagonals_release(gb_diagonals *m);
/* One stage of the special FFT over n slots (inverse: halved), blocks of len. */
GB_CHECK gb_status gb_diagonals_stage(gb_diagonals *out, gb_ctx *ctx, size_t n, size_t len, bool inverse);
/* *m = a * *m */
GB_CHECK gb_status gb_diagonals_compose(gb_diagonals *m, gb_ctx *ctx, const gb_diagonals *a);
/* The product of `count` stages, the first applied having blocks of len (halving when inverse, doubling when not). */
GB_CHECK gb_status gb_diagonals_stages(gb_diagonals *out, gb_ctx *ctx, size_t n, size_t len, unsigned count,
                                       bool inverse);
void gb_diagonals_scale(gb_diagonals *m, double factor);
/* *m over 2 n slots: (M x, -i M x) for x that repeats, so that the real parts are the real and imaginary ones of M x.
 * After an error m is still to be released. */
GB_CHECK gb_status gb_diagonals_halves(gb_diagonals *m, gb_ctx *ctx);
/* (a, b) in 2 n slots to (a + i b, a + i b). */
GB_CHECK gb_status gb_diagonals_join(gb_diagonals *out, gb_ctx *ctx, size_t n);

#endif
