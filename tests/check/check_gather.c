/* Every variant of kernel/gather against the sums that gather.h writes down, term by term with 128-bit integers or
 * long doubles, and against the plain C reference on larger cases. The taps here come from the header's formula with
 * libm's floor, not from the kernels' own code.
 *
 * check_gather [--seed N] [--cases N]: prints the seed and the parameters of a failing case; exit status 1 then. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "kernel/gather.h"

typedef __int128 wide;

typedef struct random_state {
    uint64_t s;
} random_state;

static uint64_t next_word(random_state *r) { /* splitmix64 */
    uint64_t z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t between(random_state *r, size_t low, size_t high) { return low + next_word(r) % (high - low + 1); }
static double unit_real(random_state *r) { return (double)(next_word(r) >> 11) * 0x1p-53; }

/* One set of parameters, and what a failure prints. */
typedef struct test_case {
    gb_gather_plan p;
    gb_affine affine[96];
    size_t width, k0, k1;
    unsigned parts, bits;
    uint64_t seed;
    const char *geometry;
} test_case;

static int failures;

static void report(const test_case *c, const char *variant, const char *what, size_t at) {
    failures++;
    fprintf(stderr,
            "check_gather: %s: %s differs at word %zu: seed %llu, %s, sets %zu, lines %zu, ni %zu, nk %zu [%zu, %zu), "
            "width %zu, weight_bits %u, %s, parts %u, bits %u\n",
            variant, what, at, (unsigned long long)c->seed, c->geometry, c->p.sets, c->p.lines, c->p.ni, c->p.nk, c->k0,
            c->k1, c->width, c->p.weight_bits, c->p.nearest ? "nearest" : "linear", c->parts, c->bits);
}

static void *need(void *p) {
    if (p != NULL) return p;
    fprintf(stderr, "check_gather: out of memory\n");
    exit(77); /* could not test */
}

/* n bytes on a cache line with a guard on either side, filled with `fill`. */
#define GUARD 256
static uint8_t *guarded_new(size_t n, int fill) {
    size_t all = gb_ceil_div(n, GB_ALIGN) * GB_ALIGN + 2 * GUARD;
    uint8_t *p = need(aligned_alloc(GB_ALIGN, all));
    memset(p, 0xa5, all);
    memset(p + GUARD, fill, n);
    return p + GUARD;
}

static bool guards_hold(const uint8_t *p, size_t n) {
    size_t after = gb_ceil_div(n, GB_ALIGN) * GB_ALIGN + GUARD;
    for (size_t j = 1; j <= GUARD; j++)
        if (p[-(ptrdiff_t)j] != 0xa5) return false;
    for (size_t j = n; j < after; j++)
        if (p[j] != 0xa5) return false;
    return true;
}

static void guarded_free(uint8_t *p) { free(p - GUARD); }

/* ---- the definition ---- */

/* The lines and weights of one tap: weight 0 stands for a line outside. Answers u in [-2, lines + 1]. */
static void definition(const gb_gather_plan *p, size_t t, size_t i, size_t k, int64_t line[2], int64_t weight[2]) {
    volatile double a = (double)i * p->affine[t].step_i, b = (double)k * p->affine[t].step_k;
    volatile double s = p->affine[t].origin + a, position = s + b; /* volatile: no fused operation anywhere */
    int64_t whole = (int64_t)1 << p->weight_bits, u, w = 0;
    weight[0] = weight[1] = 0;
    if (!(position > -4 && position < (double)p->lines + 4)) return;
    if (p->nearest) {
        volatile double v = position + 0.5;
        u = (int64_t)floor(v);
    } else {
        volatile double scaled = position * (double)whole, v = scaled + 0.5;
        double f = floor(v);
        u = (int64_t)floor(f / (double)whole);
        w = (int64_t)f - u * whole;
    }
    for (int tap = 0; tap < 2; tap++) {
        line[tap] = u + tap;
        if (u + tap >= 0 && u + tap < (int64_t)p->lines) weight[tap] = tap ? w : whole - w;
    }
}

static void digits_by_definition(uint64_t *out, const int16_t *in, const test_case *c) {
    for (size_t k = c->k0; k < c->k1; k++)
        for (size_t i = 0; i < c->p.ni; i++)
            for (size_t x = 0; x < c->width; x++) {
                wide sum = 0;
                for (size_t t = 0; t < c->p.sets; t++) {
                    int64_t line[2], weight[2];
                    definition(&c->p, t, i, k, line, weight);
                    for (int tap = 0; tap < 2; tap++)
                        for (unsigned part = 0; part < c->parts && weight[tap] != 0; part++)
                            sum += ((wide)weight[tap] << (part * c->bits)) *
                                   in[((t * c->p.lines + (size_t)line[tap]) * c->parts + part) * c->width + x];
                }
                *out++ = (uint64_t)sum & (((uint64_t)1 << (c->parts * c->bits)) - 1);
            }
}

/* The true sums, and in `scale` the sums of absolute terms, to measure rounding by. */
static void reals_by_definition(long double *out, long double *scale, const float *in, const test_case *c) {
    long double whole = (long double)(1u << c->p.weight_bits);
    for (size_t k = c->k0; k < c->k1; k++)
        for (size_t i = 0; i < c->p.ni; i++)
            for (size_t x = 0; x < c->width; x++, out++, scale++) {
                *out = *scale = 0;
                for (size_t t = 0; t < c->p.sets; t++) {
                    int64_t line[2], weight[2];
                    definition(&c->p, t, i, k, line, weight);
                    for (int tap = 0; tap < 2; tap++) {
                        if (weight[tap] == 0) continue;
                        long double y = in[(t * c->p.lines + (size_t)line[tap]) * c->width + x];
                        *out += (long double)weight[tap] / whole * y;
                        *scale += fabsl((long double)weight[tap] / whole * y);
                    }
                }
            }
}

/* ---- cases ---- */

static void geometry_of(test_case *c, random_state *r) {
    static const char *const names[] = {"projection", "random", "far outside", "ties", "not finite", "still"};
    size_t kind = between(r, 0, 11);
    kind = kind < GB_COUNT(names) ? kind : 0; /* half of them as in tomography */
    c->geometry = names[kind];
    for (size_t t = 0; t < c->p.sets; t++) {
        double n = (double)c->p.lines, angle = (unit_real(r) - 0.5) * 3, s = sin(angle), co = cos(angle);
        gb_affine *a = &c->affine[t];
        *a = (gb_affine){n / 2 - co * (double)c->p.ni / 2 - s * (double)c->p.nk / 2, co, s};
        if (kind == 1) *a = (gb_affine){(unit_real(r) - 0.2) * n, (unit_real(r) - 0.5) * 9, (unit_real(r) - 0.5) * 9};
        if (kind == 2)
            *a = (gb_affine){(unit_real(r) - 0.5) * 1e12, (unit_real(r) - 0.5) * 1e11, (unit_real(r) - 0.5) * 1e10};
        if (kind == 3) {
            double step = ldexp(1, -(int)between(r, 0, c->p.weight_bits + 1));
            *a = (gb_affine){ldexp((double)between(r, 0, 64) - 16, -(int)between(r, 0, 6)), step, -step};
        }
        if (kind == 4) {
            static const double odd[] = {INFINITY, -INFINITY, NAN, 1e308, -1e308, 0};
            *a = (gb_affine){odd[between(r, 0, 5)], odd[between(r, 0, 5)], odd[between(r, 0, 5)]};
        }
        if (kind == 5) *a = (gb_affine){n - 1.5 + unit_real(r), 0, 0};
    }
}

static void case_of(test_case *c, uint64_t seed, size_t sets, size_t lines, size_t ni, size_t nk) {
    random_state r = {seed};
    memset(c, 0, sizeof *c);
    c->seed = seed;
    c->p = (gb_gather_plan){
        between(&r, 1, sets),         between(&r, 1, lines), between(&r, 1, ni), between(&r, 1, nk), c->affine,
        (unsigned)between(&r, 6, 14), between(&r, 0, 4) == 0};
    c->k0 = between(&r, 0, c->p.nk - 1);
    c->k1 = between(&r, c->k0 + 1, c->p.nk);
    c->width = 32 * between(&r, 1, 5);
    c->parts = (unsigned)between(&r, 1, 4);
    c->bits = (unsigned)between(&r, 8, gb_min_size(16, 48 / c->parts));
    geometry_of(c, &r);
}

/* Digits in [-2^(bits-1), 2^(bits-1)): random, or all at one end, where carries are largest. */
static int16_t *digits_new(const test_case *c, size_t n) {
    random_state r = {~c->seed};
    int32_t half = 1 << (c->bits - 1);
    size_t kind = between(&r, 0, 5);
    int16_t *x = need(aligned_alloc(GB_ALIGN, gb_ceil_div(n * sizeof *x, GB_ALIGN) * GB_ALIGN));
    for (size_t j = 0; j < n; j++) {
        int32_t d = (int32_t)(next_word(&r) >> (64 - c->bits)) - half;
        if (kind == 0) d = -half;
        if (kind == 1) d = half - 1;
        if (kind == 2) d = d & 1 ? -half : half - 1;
        x[j] = (int16_t)d;
    }
    return x;
}

static float *floats_new(uint64_t seed, size_t n) {
    random_state r = {seed};
    float *x = need(aligned_alloc(GB_ALIGN, gb_ceil_div(n * sizeof *x, GB_ALIGN) * GB_ALIGN));
    for (size_t j = 0; j < n; j++) x[j] = (float)((unit_real(&r) - 0.3) * 1000);
    return x;
}

/* ---- checks ---- */

static void check_digits(const test_case *c, const gb_gather_kernels *const *k, size_t count, bool by_definition) {
    size_t n = (c->k1 - c->k0) * c->p.ni * c->width, row = c->p.ni * c->width;
    int16_t *in = digits_new(c, c->p.sets * c->p.lines * c->parts * c->width);
    uint64_t *want = need(malloc(n * sizeof *want));
    if (by_definition)
        digits_by_definition(want, in, c);
    else
        k[0]->digits(want, in, c->width, c->parts, c->bits, c->k0, c->k1, &c->p, NULL);
    for (size_t v = 0; v < count; v++) {
        size_t bytes = gb_gather_scratch_int(&c->p, c->width, c->parts);
        uint8_t *out = guarded_new(n * sizeof *want, 0x5a), *scratch = guarded_new(bytes, 0x77);
        k[v]->digits((uint64_t *)out, in, c->width, c->parts, c->bits, c->k0, c->k1, &c->p, scratch);
        for (size_t j = 0; j < n; j++)
            if (((uint64_t *)out)[j] != want[j]) {
                report(c, k[v]->name, "digits", j);
                break;
            }
        /* one slice of k alone gives the same bytes as within the whole */
        size_t middle = (c->k0 + c->k1) / 2;
        memset(out, 0x5a, n * sizeof *want);
        k[v]->digits((uint64_t *)out, in, c->width, c->parts, c->bits, middle, middle + 1, &c->p, scratch);
        if (memcmp(out, want + (middle - c->k0) * row, row * sizeof *want) != 0)
            report(c, k[v]->name, "a slice of digits", 0);
        if (!guards_hold(out, n * sizeof *want)) report(c, k[v]->name, "guard of digits", 0);
        if (!guards_hold(scratch, bytes)) report(c, k[v]->name, "guard of scratch", 0);
        guarded_free(scratch);
        guarded_free(out);
    }
    free(want);
    free(in);
}

/* |got - true| <= (T + 4) * epsilon * sum |terms|: two products and an addition a set, each rounded once. */
static void check_reals(const test_case *c, const gb_gather_kernels *const *k, size_t count) {
    size_t n = (c->k1 - c->k0) * c->p.ni * c->width, lines = c->p.sets * c->p.lines * c->width;
    float *in = floats_new(c->seed, lines);
    double *in64 = need(malloc(lines * sizeof *in64)), *first = need(malloc(n * sizeof *first));
    long double *want = need(malloc(n * sizeof *want)), *scale = need(malloc(n * sizeof *scale));
    long double slack = 3.0L * (long double)(c->p.sets + 4);
    for (size_t j = 0; j < lines; j++) in64[j] = in[j];
    reals_by_definition(want, scale, in, c);
    for (size_t v = 0; v < count; v++) {
        size_t bytes = gb_gather_scratch_f32(&c->p, c->width);
        uint8_t *out = guarded_new(n * sizeof(float), 0x5a), *scratch = guarded_new(bytes, 0x77);
        uint8_t *out64 = guarded_new(n * sizeof(double), 0x5a);
        k[v]->f32((float *)out, in, c->width, c->k0, c->k1, &c->p, scratch);
        k[v]->f64((double *)out64, in64, c->width, c->k0, c->k1, &c->p, scratch);
        if (v == 0) memcpy(first, out64, n * sizeof *first);
        for (size_t j = 0; j < n; j++) {
            if (!(fabsl(((float *)out)[j] - want[j]) <= slack * FLT_EPSILON * scale[j])) {
                report(c, k[v]->name, "f32", j);
                break;
            }
            if (!(fabsl(((double *)out64)[j] - want[j]) <= slack * DBL_EPSILON * scale[j])) {
                report(c, k[v]->name, "f64", j);
                break;
            }
        }
        if (memcmp(first, out64, n * sizeof *first) != 0) report(c, k[v]->name, "f64 from another variant's", 0);
        if (!guards_hold(out, n * sizeof(float)) || !guards_hold(out64, n * sizeof(double)))
            report(c, k[v]->name, "guard of f32 or f64", 0);
        if (!guards_hold(scratch, bytes)) report(c, k[v]->name, "guard of scratch", 0);
        guarded_free(out64);
        guarded_free(scratch);
        guarded_free(out);
    }
    free(scale);
    free(want);
    free(first);
    free(in64);
    free(in);
}

static void scatter_by_definition(uint64_t *want, long double *real, long double *scale, const uint64_t *in,
                                  const float *in32, const test_case *c) {
    size_t n = c->p.sets * c->p.lines * c->width;
    for (size_t j = 0; j < n; j++) want[j] = 0, real[j] = scale[j] = 0;
    for (size_t t = 0; t < c->p.sets; t++)
        for (size_t k = c->k0; k < c->k1; k++)
            for (size_t i = 0; i < c->p.ni; i++) {
                int64_t line[2], weight[2];
                definition(&c->p, t, i, k, line, weight);
                for (int tap = 0; tap < 2; tap++)
                    for (size_t x = 0; x < c->width && weight[tap] != 0; x++) {
                        size_t from = ((k - c->k0) * c->p.ni + i) * c->width + x;
                        size_t to = (t * c->p.lines + (size_t)line[tap]) * c->width + x;
                        long double y = (long double)weight[tap] / (long double)(1u << c->p.weight_bits) * in32[from];
                        want[to] += (uint64_t)weight[tap] * in[from];
                        real[to] += y;
                        scale[to] += fabsl(y);
                    }
            }
}

static void check_scatter(const test_case *c, const gb_gather_kernels *const *k, size_t count) {
    size_t n = c->p.sets * c->p.lines * c->width, m = (c->k1 - c->k0) * c->p.ni * c->width;
    random_state r = {c->seed};
    float *in32 = floats_new(c->seed, m);
    uint64_t *in = need(malloc(m * sizeof *in)), *want = need(malloc(n * sizeof *want));
    double *in64 = need(malloc(m * sizeof *in64));
    long double *real = need(malloc(n * sizeof *real)), *scale = need(malloc(n * sizeof *scale));
    long double slack = 3.0L * (long double)(2 * (c->k1 - c->k0) * c->p.ni + 4);
    for (size_t j = 0; j < m; j++) in[j] = next_word(&r), in64[j] = in32[j];
    scatter_by_definition(want, real, scale, in, in32, c);
    for (size_t v = 0; v < count; v++) {
        size_t half = c->p.sets / 2, middle = (c->k0 + c->k1) / 2, split = half * c->p.lines * c->width;
        uint8_t *out = guarded_new(n * sizeof *want, 0), *out64 = guarded_new(n * sizeof *want, 0);
        uint8_t *out32 = guarded_new(n * sizeof *in32, 0);
        /* in parts, by sets and by k: they add up */
        k[v]->scatter_u64((uint64_t *)out, in, c->width, 0, half, c->k0, c->k1, &c->p);
        k[v]->scatter_u64((uint64_t *)out + split, in, c->width, half, c->p.sets, c->k0, middle, &c->p);
        k[v]->scatter_u64((uint64_t *)out + split, in + (middle - c->k0) * c->p.ni * c->width, c->width, half,
                          c->p.sets, middle, c->k1, &c->p);
        k[v]->scatter_f64((double *)out64, in64, c->width, 0, c->p.sets, c->k0, c->k1, &c->p);
        k[v]->scatter_f32((float *)out32, in32, c->width, 0, c->p.sets, c->k0, c->k1, &c->p);
        for (size_t j = 0; j < n; j++)
            if (((uint64_t *)out)[j] != want[j] ||
                !(fabsl(((float *)out32)[j] - real[j]) <= slack * FLT_EPSILON * scale[j]) ||
                !(fabsl(((double *)out64)[j] - real[j]) <= slack * DBL_EPSILON * scale[j])) {
                report(c, k[v]->name, "scatter", j);
                break;
            }
        if (!guards_hold(out, n * sizeof *want) || !guards_hold(out64, n * sizeof *want) ||
            !guards_hold(out32, n * sizeof *in32))
            report(c, k[v]->name, "guard of scatter", 0);
        guarded_free(out32);
        guarded_free(out64);
        guarded_free(out);
    }
    free(scale);
    free(real);
    free(in64);
    free(want);
    free(in);
    free(in32);
}

int main(int argc, char **argv) {
    uint64_t seed = 20240229, cases = 120;
    for (int a = 1; a + 1 < argc; a += 2) {
        if (strcmp(argv[a], "--seed") == 0) seed = strtoull(argv[a + 1], NULL, 10);
        if (strcmp(argv[a], "--cases") == 0) cases = strtoull(argv[a + 1], NULL, 10);
    }
    const gb_gather_kernels *k[8];
    size_t count = gb_gather_list(k, GB_COUNT(k));
    static test_case c;
    for (uint64_t n = 0; n < cases && failures == 0; n++) {
        case_of(&c, seed + n, 40, 40, 20, 12);
        check_digits(&c, k, count, true);
        c.width /= 2; /* floats take any multiple of 16 */
        check_reals(&c, k, count);
        check_scatter(&c, k, count);
    }
    /* More than one window, and enough sets that sums overflow 32 bits without carries. */
    for (uint64_t n = 0; n < cases / 20 && failures == 0; n++) {
        case_of(&c, ~seed + n, 96, 300, 150, 90);
        check_digits(&c, k, count, false);
    }
    if (failures == 0) printf("check_gather: %llu cases agree on %zu variants\n", (unsigned long long)cases, count);
    return failures != 0;
}
