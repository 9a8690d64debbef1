/* Tables as polynomials modulo t. */
#include "scheme/bfv/predicates.h"
#include "scheme/bfv/internal.h"

void gb_bfv_poly_release(gb_bfv_poly *p) {
    gb_free(p->c);
    memset(p, 0, sizeof *p);
}

static uint64_t sub_mod(uint64_t a, uint64_t b, uint64_t t) { return a >= b ? a - b : a + t - b; }

/* Newton's divided differences at low, low + 1, ...: the k-th are divided by k, and t > count is prime. */
static void divided_differences(uint64_t *d, size_t count, const gb_modulus *t) {
    for (size_t k = 1; k < count; k++) {
        uint64_t inverse = gb_mod_inv(k, t);
        for (size_t i = count; i-- > k;) d[i] = gb_mod_mul(sub_mod(d[i], d[i - 1], t->q), inverse, t);
    }
}

/* Horner's rule over (x - low - i): c and d have count entries. */
static void expand(uint64_t *c, const uint64_t *d, size_t count, const gb_bfv *b, int64_t low) {
    const gb_modulus *t = gb_ring_modulus(b->plain, 0);
    memset(c, 0, count * sizeof *c);
    for (size_t i = count; i-- > 0;) {
        uint64_t root = gb_bfv_residue(b, low + (int64_t)i);
        for (size_t j = count; j-- > 0;) {
            uint64_t shifted = j ? c[j - 1] : 0;
            c[j] = sub_mod(shifted, gb_mod_mul(c[j], root, t), b->t);
        }
        c[0] = (c[0] + d[i]) % b->t;
    }
}

gb_status gb_bfv_poly_table(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, int64_t low, const int64_t *values,
                            size_t count) {
    uint64_t *d;
    memset(out, 0, sizeof *out);
    if (count < 1 || count > GB_BFV_TABLE_MAX || low < -(INT64_C(1) << 60) || low > INT64_C(1) << 60)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a table has 1 to %d points from within 2^60 of 0, not %zu from %lld",
                       GB_BFV_TABLE_MAX, count, (long long)low);
    GB_TRY(gb_alloc(&d, ctx, count, sizeof *d));
    gb_status s = gb_alloc(&out->c, ctx, count, sizeof *out->c);
    if (s == GB_OK) {
        for (size_t i = 0; i < count; i++) d[i] = gb_bfv_residue(b, values[i]);
        divided_differences(d, count, gb_ring_modulus(b->plain, 0));
        expand(out->c, d, count, b, low);
        for (out->degree = count - 1; out->degree && out->c[out->degree] == 0;) out->degree--;
    }
    gb_free(d);
    return s;
}

gb_status gb_bfv_poly_within(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, int64_t low, int64_t high, int64_t first,
                             int64_t last) {
    int64_t values[GB_BFV_TABLE_MAX];
    memset(out, 0, sizeof *out);
    if (high < low || (uint64_t)high - (uint64_t)low >= GB_BFV_TABLE_MAX)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a declared range has 1 to %d values, not [%lld, %lld]", GB_BFV_TABLE_MAX,
                       (long long)low, (long long)high);
    size_t count = (size_t)(high - low) + 1;
    for (size_t i = 0; i < count; i++) values[i] = low + (int64_t)i >= first && low + (int64_t)i <= last;
    return gb_bfv_poly_table(out, ctx, b, low, values, count);
}

gb_status gb_bfv_poly_equal(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, unsigned width) {
    return gb_bfv_poly_within(out, ctx, b, -(int64_t)width, width, 0, 0);
}

gb_status gb_bfv_poly_less(gb_bfv_poly *out, gb_ctx *ctx, const gb_bfv *b, unsigned width) {
    return gb_bfv_poly_within(out, ctx, b, -(int64_t)width, width, -(int64_t)width, -1);
}

unsigned gb_bfv_poly_depth(const gb_bfv_poly *p) { return gb_ckks_poly_depth(p->degree); }
