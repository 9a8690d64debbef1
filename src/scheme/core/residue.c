/* scheme/core/residue: signed integers to residues and centred residues to doubles. No branch on the data. */
#include <math.h>

#include "scheme/core/core.h"

__extension__ typedef unsigned __int128 u128;

bool gb_numbers_below(const double *x, size_t n, double scale, double bound) {
    bool below = true;
    for (size_t i = 0; i < n; i++) below &= fabs(x[i] * scale) < bound;
    gb_declassify(&below, sizeof below);
    return below;
}

static void residues_any(uint64_t *out, const int64_t *x, size_t n, const gb_modulus *m) {
    const uint64_t q = m->q, ratio = m->ratio[1]; /* floor(2^64 / q) */
    for (size_t i = 0; i < n; i++) {
        uint64_t sign = (uint64_t)(x[i] >> 63);                 /* all ones when negative */
        uint64_t a = ((uint64_t)x[i] ^ sign) - sign;            /* |x| <= 2^63 */
        uint64_t r = a - (uint64_t)((u128)a * ratio >> 64) * q; /* the quotient is short by at most 1: r < 2q < 2^62 */
        r -= q;
        r += q & (uint64_t)((int64_t)r >> 63);
        /* q - r when negative, and 0 for 0: fold the q that r = 0 leaves */
        uint64_t v = (r ^ sign) - sign + (q & sign);
        v -= q;
        out[i] = v + (q & (uint64_t)((int64_t)v >> 63));
    }
}

#define LOW 31    /* bits of the lower part of a number */
#define STRIP 512 /* numbers at a time: their parts stay in the nearest cache */

void gb_residues_of(uint64_t *out, const int64_t *x, size_t n, const gb_modulus *m) {
    const gb_kernels *k = gb_kernels_get(gb_cpu_flags(), m->bits);
    const size_t most = m->bits > LOW + 2 ? n & ~(size_t)7 : 0; /* for the vector kernels, which want q > 2^33 */
    _Alignas(GB_ALIGN) int64_t high[STRIP];
    _Alignas(GB_ALIGN) uint64_t low[STRIP];
    for (size_t done = 0, count; done < most; done += count) {
        count = gb_min_size(STRIP, most - done);
        for (size_t i = 0; i < count; i++) { /* x = high 2^31 + low, |high| <= 2^32 < q, 0 <= low < 2^31 < q */
            high[i] = x[done + i] >> LOW;
            low[i] = (uint64_t)x[done + i] & ((UINT64_C(1) << LOW) - 1);
        }
        k->lift64(out + done, high, count, m);
        k->mul_scalar(out + done, out + done, (UINT64_C(1) << LOW) % m->q, count, m);
        k->add(out + done, out + done, low, count, m);
    }
    gb_wipe(high, sizeof high);
    gb_wipe(low, sizeof low);
    residues_any(out + most, x + most, n - most, m);
}

void gb_centring_init(gb_centring *c, const gb_ring *r, size_t limbs) {
    for (size_t j = 0; j < limbs; j++) {
        c->m[j] = *gb_ring_modulus(r, j);
        c->radix[j] = j == 0 ? 1 : c->radix[j - 1] * (double)c->m[j - 1].q;
        for (size_t i = 0; i < j; i++) c->inverse[j][i] = gb_mod_inv(c->m[i].q % c->m[j].q, &c->m[j]);
    }
}

/* x_j becomes the digit v_j of x = v_0 + v_1 q_0 + v_2 q_0 q_1 + ...: v_j = (x_j - v_0) / q_0 - v_1) / q_1 ... mod q_j
 * (Garner; Knuth, The Art of Computer Programming 2, section 4.3.2). */
static void mixed_radix(uint64_t *x, size_t stride, size_t n, const gb_centring *c, size_t limbs) {
    for (size_t j = 1; j < limbs; j++) {
        const gb_modulus *m = &c->m[j];
        for (size_t k = 0; k < n; k++) {
            uint64_t v = x[j * stride + k];
            for (size_t i = 0; i < j; i++) {
                uint64_t d = x[i * stride + k], ratio = m->ratio[1];
                d -= (uint64_t)((u128)d * ratio >> 64) * m->q; /* d mod q_j, in [0, 2 q_j) */
                d -= m->q;
                d += m->q & (uint64_t)((int64_t)d >> 63);
                v -= d;
                v += m->q & (uint64_t)((int64_t)v >> 63);
                v = gb_mod_mul(v, c->inverse[j][i], m);
            }
            x[j * stride + k] = v;
        }
    }
}

void gb_centring_run(double *out, uint64_t *x, size_t stride, size_t n, const gb_centring *c, size_t limbs) {
    mixed_radix(x, stride, n, c, limbs);
    for (size_t k = 0; k < n; k++) {
        /* (Q - 1) / 2 has the digits (q_j - 1) / 2: the highest digit that differs decides. more, less: 0 or 1. */
        uint64_t more = 0, less = 0;
        for (size_t j = limbs; j-- > 0;) {
            uint64_t v = x[j * stride + k], half = c->m[j].q >> 1, open = 1 ^ (more | less);
            more |= open & (half - v) >> 63; /* both below 2^61: the top bit is the borrow */
            less |= open & (v - half) >> 63;
        }
        /* x - Q = -(1 + sum (q_j - 1 - v_j) radix_j): all terms of one sign, so nothing cancels. */
        uint64_t mask = 0 - more;
        double sum = 0;
        for (size_t j = limbs; j-- > 0;) {
            uint64_t v = x[j * stride + k];
            v = (v & ~mask) | ((c->m[j].q - 1 - v) & mask);
            sum += (double)(int64_t)v * c->radix[j];
        }
        out[k] = (sum + (double)(int64_t)more) * (1 - 2 * (double)(int64_t)more);
    }
}
