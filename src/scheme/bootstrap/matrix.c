/* Factors of the homomorphic special FFT: products of a few of its stages, as diagonals. */
#include "scheme/bootstrap/matrix.h"

#include <math.h>

void gb_diagonals_release(gb_diagonals *m) {
    for (size_t i = 0; i < m->count; i++) gb_free(m->re[i]);
    memset(m, 0, sizeof *m);
}

/* Slot d of m for this step, made with zeros when new. */
static gb_status diagonal(size_t *out, gb_diagonals *m, gb_ctx *ctx, long step) {
    long n = (long)m->n, s = ((step % n) + n) % n;
    for (size_t i = 0; i < m->count; i++)
        if (m->step[i] == s) {
            *out = i;
            return GB_OK;
        }
    if (m->count == GB_COUNT(m->step))
        return gb_fail(ctx, GB_ERR_PARAMS, "a bootstrapping matrix has over %zu diagonals; use more levels", m->count);
    GB_TRY(gb_alloc_zero(&m->re[m->count], ctx, 2 * m->n, sizeof(double)));
    m->im[m->count] = m->re[m->count] + m->n;
    m->step[m->count] = (int)s;
    *out = m->count++;
    return GB_OK;
}

gb_status gb_diagonals_stage(gb_diagonals *out, gb_ctx *ctx, size_t n, size_t len, bool inverse) {
    size_t half = len / 2, order = 4 * len, power = 1, same, up, down;
    memset(out, 0, sizeof *out);
    out->n = n;
    GB_TRY(diagonal(&same, out, ctx, 0));
    GB_TRY(diagonal(&up, out, ctx, (long)half));
    GB_TRY(diagonal(&down, out, ctx, -(long)half)); /* the same as up when the block is the whole */
    for (size_t j = 0; j < half; j++, power = power * 5 % order) {
        double angle = 2 * M_PI * (double)power / (double)order, c = cos(angle), s = sin(angle), f = inverse ? 0.5 : 1;
        for (size_t i = j; i < n; i += len) {
            out->re[same][i] += f;
            if (inverse) { /* (a + b, (a - b) conj(w)) / 2 */
                out->re[up][i] += f;
                out->re[same][i + half] -= f * c, out->im[same][i + half] += f * s;
                out->re[down][i + half] += f * c, out->im[down][i + half] -= f * s;
            } else { /* (a + w b, a - w b) */
                out->re[up][i] += c, out->im[up][i] += s;
                out->re[same][i + half] -= c, out->im[same][i + half] -= s;
                out->re[down][i + half] += 1;
            }
        }
    }
    return GB_OK;
}

static gb_status compose_into(gb_diagonals *c, gb_ctx *ctx, const gb_diagonals *a, const gb_diagonals *b) {
    size_t n = a->n;
    for (size_t p = 0; p < a->count; p++)
        for (size_t q = 0; q < b->count; q++) {
            size_t d;
            GB_TRY(diagonal(&d, c, ctx, (long)a->step[p] + b->step[q]));
            for (size_t i = 0; i < n; i++) {
                size_t k = (i + (size_t)a->step[p]) % n;
                double ar = a->re[p][i], ai = a->im[p][i], br = b->re[q][k], bi = b->im[q][k];
                c->re[d][i] += ar * br - ai * bi;
                c->im[d][i] += ar * bi + ai * br;
            }
        }
    return GB_OK;
}

gb_status gb_diagonals_compose(gb_diagonals *m, gb_ctx *ctx, const gb_diagonals *a) {
    gb_diagonals c = {.n = m->n};
    gb_status s = compose_into(&c, ctx, a, m);
    if (s != GB_OK) {
        gb_diagonals_release(&c);
        return s;
    }
    gb_diagonals_release(m);
    *m = c;
    return GB_OK;
}

gb_status gb_diagonals_stages(gb_diagonals *out, gb_ctx *ctx, size_t n, size_t len, unsigned count, bool inverse) {
    gb_status s = gb_diagonals_stage(out, ctx, n, len, inverse);
    for (unsigned i = 1; i < count && s == GB_OK; i++) {
        gb_diagonals next = {0};
        len = inverse ? len / 2 : len * 2;
        s = gb_diagonals_stage(&next, ctx, n, len, inverse);
        if (s == GB_OK) s = gb_diagonals_compose(out, ctx, &next);
        gb_diagonals_release(&next);
    }
    if (s != GB_OK) gb_diagonals_release(out);
    return s;
}

void gb_diagonals_scale(gb_diagonals *m, double factor) {
    for (size_t d = 0; d < m->count; d++)
        for (size_t i = 0; i < 2 * m->n; i++) m->re[d][i] *= factor;
}

gb_status gb_diagonals_halves(gb_diagonals *m, gb_ctx *ctx) {
    const size_t n = m->n;
    for (size_t d = 0; d < m->count; d++) {
        double *wide;
        GB_TRY(gb_alloc(&wide, ctx, 4 * n, sizeof(double)));
        for (size_t i = 0; i < n; i++) { /* -i (a + i b) = b - i a */
            wide[i] = m->re[d][i], wide[2 * n + i] = m->im[d][i];
            wide[n + i] = m->im[d][i], wide[3 * n + i] = -m->re[d][i];
        }
        gb_free(m->re[d]);
        m->re[d] = wide;
        m->im[d] = wide + 2 * n;
    }
    m->n = 2 * n;
    return GB_OK;
}

gb_status gb_diagonals_join(gb_diagonals *out, gb_ctx *ctx, size_t n) {
    size_t same = 0, other = 0;
    *out = (gb_diagonals){.n = 2 * n};
    gb_status s = diagonal(&same, out, ctx, 0);
    if (s == GB_OK) s = diagonal(&other, out, ctx, (long)n);
    if (s != GB_OK) {
        gb_diagonals_release(out);
        return s;
    }
    for (size_t i = 0; i < n; i++) {
        out->re[same][i] = out->re[other][n + i] = 1;
        out->im[other][i] = out->im[same][n + i] = 1;
    }
    return GB_OK;
}
