/* Inside of scheme/bootstrap: what is made once for a set and its options. */
#ifndef GB_BOOT_PLAN_H
#define GB_BOOT_PLAN_H

#include "scheme/bootstrap/bootstrap.h"

#define GB_BOOT_FACTORS 5
#define GB_BOOT_BOUND 16 /* |I| <= 16, see the door */
/* The cosine is centred: cos(2 pi (x - 1/4)) is even in x - 1/4, which lies within 16 and a quarter of 0. */
#define GB_BOOT_HALF_WIDTH (GB_BOOT_BOUND + 0.25)

struct gb_bootstrap {
    gb_bootstrap_config config;
    const gb_params *params; /* borrowed, from the encoder */
    gb_params *inner;
    gb_ckks_linear *to_coeff[GB_BOOT_FACTORS], *to_slots[GB_BOOT_FACTORS];
    gb_ckks_linear *join; /* (re, im) in 2 n slots -> re + i im in n; when they share a sine */
    size_t slots, period; /* n; 2 n when real and imaginary parts share a sine */
    unsigned top, level_in,
        level_out;      /* level of the raised ciphertext; that what goes in has at least; of the result */
    unsigned depth;     /* of the sine */
    double q0, message; /* the modulus; scale of the message when it is raised */
    double series[256]; /* Chebyshev in u, |u| <= 1, of cos(2 pi 16.25 u / 2^doublings); odd ones are 0 */
};

static inline bool gb_boot_shared(const gb_bootstrap *b) { return b->period != b->slots; }

#endif
