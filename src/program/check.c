/* program/check: the rules a node obeys before it is added, whoever asks: a workload or a decoder. */
#include <math.h>

#include "program/graph.h"

const gb_op_info gb_ops[GB_OP_COUNT] = {
#define GB_OP(NAME, name, args, modulus, reads) {#name, args, GB_WANT_##modulus, GB_READ_##reads},
#include "program/ops.def"
#undef GB_OP
};

static bool plain_name(const char *s, size_t most) {
    size_t n = strnlen(s, most + 1);
    if (n == 0 || n > most) return false;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.'))
            return false;
    }
    return true;
}

gb_status gb_check_name(gb_ctx *ctx, const char *what, const char *name) {
    if (!name || !plain_name(name, GB_PROGRAM_MAX_NAME))
        return gb_fail(ctx, GB_ERR_ARGUMENT, "program: the name of %s must be 1..%d letters, digits, '-', '_' or '.'",
                       what, GB_PROGRAM_MAX_NAME);
    return GB_OK;
}

gb_status gb_check_axes(size_t *lines, gb_ctx *ctx, const gb_axis *axes, size_t count) {
    if (count < 1 || count > GB_BUNDLE_AXES)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "program: %zu axes, must be 1..%d", count, GB_BUNDLE_AXES);
    uint64_t product = 1;
    for (size_t i = 0; i < count; i++) {
        if (!plain_name(axes[i].name, sizeof axes[i].name - 1))
            return gb_fail(ctx, GB_ERR_ARGUMENT,
                           "program: the name of axis %zu must be 1..15 letters, digits, '-', '_' or '.'", i);
        if (axes[i].size == 0) return gb_fail(ctx, GB_ERR_ARGUMENT, "program: axis %zu is empty", i);
        product *= axes[i].size; /* < 2^60: the product so far is at most 2^28, a size below 2^32 */
        if (product > GB_PROGRAM_MAX_LINES)
            return gb_fail(ctx, GB_ERR_LIMIT, "program: more than 2^28 lines; split the data");
    }
    *lines = (size_t)product;
    return GB_OK;
}

gb_status gb_check_taps(gb_ctx *ctx, const double *taps, size_t count) {
    if (count == 0 || count % 2 == 0 || count > GB_PROGRAM_MAX_TAPS)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "convolve: %zu taps, must be an odd number up to 2^20", count);
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(taps[i])) return gb_fail(ctx, GB_ERR_ARGUMENT, "convolve: tap %zu is not a finite number", i);
        largest = fmax(largest, fabs(taps[i]));
    }
    if (largest < 1e-100 || largest > 1e100)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "convolve: the largest tap must be between 1e-100 and 1e100");
    return GB_OK;
}

gb_status gb_check_csr(gb_ctx *ctx, const gb_csr *w, size_t in_lines, size_t out_lines) {
    if (w->cols != in_lines || w->rows != out_lines)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "map: a %zu x %zu matrix from %zu lines to %zu", w->rows, w->cols,
                       in_lines, out_lines);
    if (w->start[0] != 0) return gb_fail(ctx, GB_ERR_ARGUMENT, "map: the first row must start at entry 0");
    for (size_t r = 0; r < w->rows; r++)
        if (w->start[r + 1] < w->start[r] || w->start[r + 1] > GB_PROGRAM_MAX_ENTRIES ||
            w->start[r + 1] - w->start[r] > 1u << 20) /* kernel.h: mac_across takes up to 2^20 terms */
            return gb_fail(ctx, GB_ERR_ARGUMENT, "map: row %zu starts or ends out of order, or has over 2^20 entries",
                           r);
    double largest = 0;
    for (uint64_t e = 0; e < w->start[w->rows]; e++) {
        if (w->index[e] >= w->cols)
            return gb_fail(ctx, GB_ERR_ARGUMENT, "map: entry %llu reads line %u of %zu", (unsigned long long)e,
                           w->index[e], w->cols);
        if (!isfinite(w->weight[e]))
            return gb_fail(ctx, GB_ERR_ARGUMENT, "map: weight %llu is not a finite number", (unsigned long long)e);
        largest = fmax(largest, fabs(w->weight[e]));
    }
    if (largest < 1e-100 || largest > 1e100)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "map: the largest weight must be between 1e-100 and 1e100");
    return GB_OK;
}

gb_status gb_check_gather(gb_ctx *ctx, const gb_gather_spec *g) {
    if (g->sets < 1 || g->sets > GB_PROGRAM_MAX_SETS || g->lines < 1 || g->ni < 1 || g->nk < 1 ||
        g->lines > GB_PROGRAM_MAX_LINES || g->ni > GB_PROGRAM_MAX_LINES || g->nk > GB_PROGRAM_MAX_LINES ||
        g->sets * g->lines > GB_PROGRAM_MAX_LINES || g->ni * g->nk > GB_PROGRAM_MAX_LINES)
        return gb_fail(ctx, GB_ERR_LIMIT,
                       "gather: %zu sets of %zu lines and %zu x %zu outputs; each product must be 1..2^28", g->sets,
                       g->lines, g->nk, g->ni);
    if (!isfinite(g->factor) || !(g->factor > 1e-100) || g->factor > 1e100)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "gather: the factor must be between 1e-100 and 1e100");
    for (size_t t = 0; t < g->sets; t++) {
        const gb_affine *a = &g->affine[t];
        if (!(fabs(a->origin) <= GB_PROGRAM_MAX_POSITION) || !(fabs(a->step_i) <= GB_PROGRAM_MAX_POSITION) ||
            !(fabs(a->step_k) <= GB_PROGRAM_MAX_POSITION))
            return gb_fail(ctx, GB_ERR_ARGUMENT, "gather: the geometry of set %zu is not within +-1e9", t);
    }
    return GB_OK;
}

gb_status gb_check_complete(gb_ctx *ctx, const gb_program *p) {
    if (p->inputs == 0 || p->outputs == 0)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "program %s: %u inputs and %u outputs; it needs one of each at least",
                       p->name, p->inputs, p->outputs);
    return GB_OK;
}
