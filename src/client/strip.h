/* client/strip: one strip of rows of a tilt series on its way to the volume. Rows do not mix in a reconstruction, so a
 * series with more rows than a ciphertext has coefficients is cut into strips, each a program, a dataset and a job. */
#ifndef GB_CLIENT_STRIP_H
#define GB_CLIENT_STRIP_H

#include "client/montage.h"
#include "client/remote.h"
#include "client/series.h"

typedef struct gb_strip {
    gb_client *c;
    const gb_tomo_options *options;
    gb_report *report; /* seconds and bytes are added to it */
    gb_params *params; /* NULL: plain */
    gb_precision precision;
    gb_tomo_config config; /* of this strip: ny rows */
    uint32_t y0;
    float *images; /* [tilts][ny][nx]; owned by the caller */
    float *volume; /* [ny][nz][nx]; owned by the caller */
    float pixel;
} gb_strip;

/* images -> volume, in the clear; in 32-bit floats on all threads. */
GB_CHECK gb_status gb_strip_plain(gb_strip *s);
/* images -> volume through ciphertexts: in this process, or at the server. */
GB_CHECK gb_status gb_strip_encrypted(gb_strip *s);

/* Sums of a comparison over strips; relative RMS error = sqrt(error / signal). */
typedef struct gb_comparison {
    double error, signal;
    double plain_seconds; /* of the 32-bit path, one thread */
} gb_comparison;
/* Runs the plaintext paths over the strip, a few rows at a time, and compares the volume with the 64-bit one; hands
 * both to the montage (may be NULL). */
GB_CHECK gb_status gb_strip_compare(gb_comparison *sum, gb_strip *s, gb_montage *montage);

#endif
