/* program/constants: real taps and weights as integers. */
#include <math.h>

#include "program/graph.h"

/* From both ends towards the middle: v = tap * scale + what the outer neighbour's rounding left. The integer is
 * round(v), so partial sums from an end are never off by more than 1/2, which makes the error's spectrum vanish towards
 * zero frequency (first-order noise shaping); the middle tap then makes the sum exact, moving by less than 2. */
static void shape(int64_t *out, const double *taps, size_t count, double scale) {
    size_t middle = count / 2;
    double left = 0, right = 0, total = 0;
    int64_t sum = 0;
    for (size_t i = 0; i < middle; i++) {
        double a = taps[i] * scale + left, b = taps[count - 1 - i] * scale + right;
        out[i] = llrint(a);
        out[count - 1 - i] = llrint(b);
        left = a - (double)out[i];
        right = b - (double)out[count - 1 - i];
        sum += out[i] + out[count - 1 - i];
        total += taps[i] + taps[count - 1 - i];
    }
    out[middle] = llrint((total + taps[middle]) * scale) - sum;
}

double gb_tap_error(const double *taps, size_t tap_count, size_t lines, double scale) {
    size_t reach = gb_min_size(tap_count / 2, lines - 1), from = tap_count / 2 - reach, to = tap_count / 2 + reach;
    double left = 0, right = 0, squares = 0;
    for (; from < to; from++, to--) { /* as in shape */
        double a = taps[from] * scale + left, b = taps[to] * scale + right;
        squares += pow(rint(a) - taps[from] * scale, 2) + pow(rint(b) - taps[to] * scale, 2);
        left = a - rint(a);
        right = b - rint(b);
    }
    double middle = taps[from] * scale + left + right;
    return sqrt(squares + pow(rint(middle) - taps[from] * scale, 2)) / scale;
}

gb_status gb_round_taps(int64_t **out, size_t *count, gb_ctx *ctx, const double *taps, size_t tap_count, size_t lines,
                        double scale) {
    size_t reach = gb_min_size(tap_count / 2, lines - 1);
    *count = 2 * reach + 1;
    GB_TRY(gb_alloc(out, ctx, *count, sizeof **out));
    shape(*out, taps + (tap_count / 2 - reach), *count, scale);
    return GB_OK;
}

double gb_map_unit(const gb_csr *w, unsigned weight_bits) {
    double largest = 0;
    for (uint64_t e = 0; e < w->start[w->rows]; e++) largest = fmax(largest, fabs(w->weight[e]));
    return (double)((1u << weight_bits) - 1) / largest;
}

gb_status gb_round_weights(int32_t **out, gb_ctx *ctx, const gb_csr *w, double unit) {
    size_t entries = (size_t)w->start[w->rows];
    GB_TRY(gb_alloc(out, ctx, entries ? entries : 1, sizeof **out));
    for (size_t e = 0; e < entries; e++) (*out)[e] = (int32_t)lrint(w->weight[e] * unit);
    return GB_OK;
}
