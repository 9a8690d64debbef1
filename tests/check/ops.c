/* The entries of gb_kernels as ops. */
#include "check.h"

static size_t items_n(const args *x) { return x->n; }

/* ---- transforms ---- */

static bool setup_ntt(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 15 * 28) return false;
    const unsigned log_n = s->bench ? 14 : 3 + (unsigned)s->trial % 15;
    x->ntt = check_ntt(s, log_n, false, &x->m[0]);
    x->n = (size_t)1 << log_n;
    if (!x->ntt) return true;
    check_fill(s, x, 0, x->n, x->m[0].q);
    x->words[1] = x->n;
    x->scalar = check_residue(s, x->m[0].q);
    return true;
}
static void run_ntt_forward(const gb_kernels *k, args *x) {
    if (x->ntt) k->ntt_forward(x->a[0], x->ntt);
}
/* Words of any variant: the residue in the low 52 bits, made what the others give; from words that are not reduced. */
static void run_ntt_lazy(const gb_kernels *k, args *x) {
    if (!x->ntt) return;
    const uint64_t q = x->m[0].q, mask = x->m[0].bits <= 50 ? gb_mask64(52) : UINT64_MAX;
    const bool own = strcmp(k->name, "ifma") == 0 && x->m[0].bits <= 45;
    for (size_t i = 0; own && i < x->n; i++) x->a[0][i] += i % 16 * q + ((uint64_t)(i % 5) << 52);
    k->ntt_forward_lazy(x->a[0], x->ntt);
    for (size_t i = 0; i < x->n; i++) {
        x->result += (x->a[0][i] & mask) >= (own ? 70 : 1) * q;
        x->a[0][i] = (x->a[0][i] & mask) % q;
    }
}
static void run_ntt_inverse(const gb_kernels *k, args *x) { /* in place and not, by 1 and by another */
    if (!x->ntt) return;
    k->ntt_inverse(x->a[1], x->a[0], x->scalar, x->ntt);
    k->ntt_inverse(x->a[0], x->a[0], 1, x->ntt);
}

static bool setup_columns(state *s, args *x) {
    static const size_t widths[] = {8, 16, 24, 40};
    if (s->bench ? s->trial > 0 : s->trial >= 11 * 12) return false;
    const unsigned log_n = s->bench ? 11 : 1 + (unsigned)s->trial % 11;
    x->ntt = check_ntt(s, log_n, true, &x->m[0]);
    x->width = s->bench ? 32 : widths[s->trial % 4];
    x->stride = x->width + (s->trial % 3 ? 0 : 8);
    x->n = ((size_t)1 << log_n) * x->stride;
    check_fill(s, x, 0, x->n, x->m[0].q);
    return true;
}
static void run_columns_forward(const gb_kernels *k, args *x) {
    if (x->ntt) k->columns_forward(x->a[0], x->stride, x->width, x->ntt);
}
static void run_columns_inverse(const gb_kernels *k, args *x) {
    if (x->ntt) k->columns_inverse(x->a[0], x->stride, x->width, x->ntt);
}

static bool setup_scale(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 40) return false;
    const size_t rows = s->bench ? 2048 : 1 + check_below(s, 40);
    x->width = s->bench ? 32 : 8 * (1 + check_below(s, 4));
    x->stride = x->width + 8 * (s->trial % 2);
    x->terms = rows;
    x->n = rows * x->stride;
    if (!check_modulus(s, &x->m[0], 2)) return true;
    check_fill(s, x, 0, x->n, x->m[0].q);
    check_fill(s, x, 1, rows, x->m[0].q);
    for (size_t r = 0; r < rows; r++) {
        x->a[2][r] = x->m[0].bits <= 50 ? gb_shoup52(x->a[1][r], x->m[0].q) : 0;
        x->a[3][r] = gb_shoup64(x->a[1][r], x->m[0].q);
    }
    x->words[2] = x->words[3] = rows;
    return true;
}
static void run_scale(const gb_kernels *k, args *x) {
    k->columns_scale(x->a[0], x->stride, x->width, x->terms, x->a[1], x->a[2], x->a[3], &x->m[0]);
}

/* ---- pointwise: the output is array 0, 1 or 2 by turns, so that it aliases each input ---- */

static bool setup_pointwise(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 90) return false;
    x->n = s->bench ? 4096 : 8 * check_below(s, 70);
    x->parts = (unsigned)s->trial % 3;
    if (!check_modulus(s, &x->m[0], 2)) return true;
    for (unsigned i = 0; i < 3; i++) check_fill(s, x, i, x->n, x->m[0].q);
    x->scalar = check_residue(s, x->m[0].q);
    return true;
}
static void run_add(const gb_kernels *k, args *x) { k->add(x->a[x->parts], x->a[1], x->a[2], x->n, &x->m[0]); }
static void run_sub(const gb_kernels *k, args *x) { k->sub(x->a[x->parts], x->a[1], x->a[2], x->n, &x->m[0]); }
static void run_neg(const gb_kernels *k, args *x) { k->neg(x->a[x->parts], x->a[1], x->n, &x->m[0]); }
static void run_mul(const gb_kernels *k, args *x) { k->mul(x->a[x->parts], x->a[1], x->a[2], x->n, &x->m[0]); }
static void run_mul_add(const gb_kernels *k, args *x) { k->mul_add(x->a[x->parts], x->a[1], x->a[2], x->n, &x->m[0]); }
static void run_mul_scalar(const gb_kernels *k, args *x) {
    k->mul_scalar(x->a[x->parts], x->a[1], x->scalar, x->n, &x->m[0]);
}

/* ---- across ---- */

static bool setup_mac(state *s, args *x) {
    static const size_t terms[] = {0, 1, 2, 7, 33, 4096, 4097, 9000};
    if (s->bench ? s->trial > 0 : s->trial >= 64) return false;
    x->terms = s->bench ? 61 : terms[s->trial % 8];
    x->n = s->bench ? 2048 : 8 * (1 + check_below(s, 20));
    x->stride = x->n + 8 * check_below(s, 2);
    const size_t lines = s->bench ? 61 : 1 + check_below(s, 30);
    if (!check_modulus(s, &x->m[0], 2)) return true;
    check_fill(s, x, 1, lines * x->stride, x->m[0].q);
    x->words[0] = x->n;
    for (size_t j = 0; j < x->terms; j++) {
        const int32_t top = 1 << 20;
        x->index[j] = (uint32_t)check_below(s, lines);
        x->weight[j] = (int32_t)check_below(s, 2 * (uint64_t)top + 1) - top;
        if (s->pattern == TOP) x->weight[j] = s->trial % 2 ? top : -top;
    }
    return true;
}
static void run_mac(const gb_kernels *k, args *x) {
    k->mac_across(x->a[0], x->a[1], x->stride, x->index, x->weight, x->terms, x->n, &x->m[0]);
}
static size_t items_mac(const args *x) { return x->n * x->terms; }

/* ---- powers of two ---- */

static bool setup_switch(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 100) return false;
    x->n = s->bench ? 2048 : check_below(s, 200);
    x->bits = s->bench ? 45 : 1 + (unsigned)check_below(s, 48);
    x->parts = s->bench ? 2 : 1 + (unsigned)check_below(s, 8);
    x->words[0] = x->n;
    for (unsigned j = 0; j < x->parts; j++) {
        if (!check_modulus(s, &x->m[j], 2)) x->parts = j;
        for (size_t i = 0; j < x->parts && i < x->n; i++) x->a[1][j * x->n + i] = check_residue(s, x->m[j].q);
        x->a[2][j] = check_residue(s, x->m[j].q);
        x->a[3][j] = gb_shoup64(x->a[2][j], x->m[j].q);
    }
    x->words[1] = x->parts * x->n;
    x->words[2] = x->words[3] = x->parts;
    return true;
}
static void run_switch(const gb_kernels *k, args *x) {
    const uint64_t *in[8];
    for (unsigned j = 0; j < x->parts; j++) in[j] = x->a[1] + j * x->n;
    k->switch_pow2(x->a[0], in, x->m, x->a[2], x->a[3], x->parts, x->bits, x->n);
}

static bool setup_round(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 100) return false;
    x->n = s->bench ? 2048 : check_below(s, 100);
    x->bits = s->bench ? 45 : 1 + (unsigned)check_below(s, 64);       /* from */
    x->parts = s->bench ? 28 : (unsigned)check_below(s, x->bits + 1); /* to */
    check_fill(s, x, 1, x->n, gb_mask64(x->bits));
    x->words[0] = x->n;
    return true;
}
static void run_round(const gb_kernels *k, args *x) { k->round_pow2(x->a[0], x->a[1], x->bits, x->parts, x->n); }

static bool setup_split(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 100) return false;
    x->n = s->bench ? 2048 : check_below(s, 200);
    x->bits = s->bench ? 15 : 1 + (unsigned)check_below(s, 16);
    x->parts = s->bench ? 3 : 1 + (unsigned)check_below(s, 64 / x->bits);
    x->stride = (x->n + 63) / 32 * 32;
    check_fill(s, x, 1, x->n, gb_mask64(x->parts * x->bits));
    x->words[0] = x->parts * x->stride / 4;
    return true;
}
static void run_split(const gb_kernels *k, args *x) {
    k->split16((int16_t *)x->a[0], x->stride, x->a[1], x->parts, x->bits, x->n);
}

static bool setup_pack(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 61 * 4) return false;
    x->bits = s->bench ? 50 : 1 + (unsigned)s->trial % 61;
    x->n = s->bench ? 4096 : check_below(s, 300);
    x->offset = s->bench ? 0 : check_below(s, 64); /* of the packed bytes, which need no alignment */
    check_fill(s, x, 1, x->n, gb_mask64(x->bits));
    x->scalar = check_below(s, 3) ? check_below(s, (uint64_t)1 << x->bits) : 0; /* bound */
    x->words[0] = gb_ceil_div(x->offset + gb_packed_bytes(x->n, x->bits), 8);
    return true;
}
static bool setup_unpack(state *s, args *x) {
    if (!setup_pack(s, x)) return false;
    const size_t bytes = gb_packed_bytes(x->n, x->bits);
    for (size_t i = 0; i < x->words[0]; i++) x->a[0][i] = check_random(s);
    if (s->pattern != RANDOM) memset((uint8_t *)x->a[0] + x->offset, s->pattern == ZERO ? 0 : 0xff, bytes);
    return true;
}
static void run_pack(const gb_kernels *k, args *x) { k->pack((uint8_t *)x->a[0] + x->offset, x->a[1], x->n, x->bits); }
static void run_unpack(const gb_kernels *k, args *x) {
    x->result = k->unpack(x->a[1], (uint8_t *)x->a[0] + x->offset, x->n, x->bits, x->scalar);
}

/* ---- samplers ---- */

static bool setup_uniform(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 100) return false;
    x->n = s->bench ? 4096 : check_below(s, 100);
    x->terms = s->bench ? 4200 : check_below(s, 200);
    if (!check_modulus(s, &x->m[0], 2)) return true;
    check_fill(s, x, 1, x->terms, s->pattern == RANDOM ? UINT64_MAX : x->m[0].q + 1);
    x->words[0] = x->n;
    return true;
}
static void run_uniform(const gb_kernels *k, args *x) {
    x->result = k->uniform(x->a[0], x->n, x->a[1], x->terms, &x->m[0]);
    if (x->result < x->n) memset(x->a[0] + x->result, 0, (x->n - x->result) * sizeof(uint64_t));
}

static bool setup_chacha(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 20) return false;
    x->n = 1024;
    x->offset = s->trial % 8;
    check_fill(s, x, 1, 5, UINT64_MAX); /* key and stream */
    check_fill(s, x, 2, 16, UINT64_MAX);
    x->words[0] = 129;
    return true;
}
static void run_chacha(const gb_kernels *k, args *x) {
    const uint32_t *lane = (const uint32_t *)x->a[2];
    k->chacha16((uint8_t *)x->a[0] + x->offset, (const uint8_t *)x->a[1], x->a[1][4], lane, lane + 16);
}

static bool setup_binomial(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 60) return false;
    x->n = s->bench ? 4096 : check_below(s, 300);
    check_fill(s, x, 1, x->n, UINT64_MAX);
    x->words[0] = x->n / 8 + 1;
    return true;
}
static void run_binomial(const gb_kernels *k, args *x) { k->binomial((int8_t *)x->a[0], x->n, x->a[1]); }

static bool setup_lift(state *s, args *x) {
    if (s->bench ? s->trial > 0 : s->trial >= 60) return false;
    x->n = s->bench ? 4096 : check_below(s, 300);
    if (!check_modulus(s, &x->m[0], 2)) return true;
    x->words[0] = x->words[1] = x->n;
    for (size_t i = 0; i < x->n; i++) {
        const uint64_t v = check_residue(s, x->m[0].q);
        x->a[1][i] = check_below(s, 2) ? v : 0 - v;
    }
    return true;
}
static void run_lift8(const gb_kernels *k, args *x) { k->lift8(x->a[0], (const int8_t *)x->a[1], x->n, &x->m[0]); }
static void run_lift64(const gb_kernels *k, args *x) { k->lift64(x->a[0], (const int64_t *)x->a[1], x->n, &x->m[0]); }

const op check_ops[] = {
    {"ntt_forward", setup_ntt, run_ntt_forward, items_n},
    {"ntt_forward_lazy", setup_ntt, run_ntt_lazy, items_n},
    {"ntt_inverse", setup_ntt, run_ntt_inverse, items_n},
    {"columns_forward", setup_columns, run_columns_forward, items_n},
    {"columns_inverse", setup_columns, run_columns_inverse, items_n},
    {"columns_scale", setup_scale, run_scale, items_n},
    {"add", setup_pointwise, run_add, items_n},
    {"sub", setup_pointwise, run_sub, items_n},
    {"neg", setup_pointwise, run_neg, items_n},
    {"mul", setup_pointwise, run_mul, items_n},
    {"mul_add", setup_pointwise, run_mul_add, items_n},
    {"mul_scalar", setup_pointwise, run_mul_scalar, items_n},
    {"mac_across", setup_mac, run_mac, items_mac},
    {"switch_pow2", setup_switch, run_switch, items_n},
    {"round_pow2", setup_round, run_round, items_n},
    {"split16", setup_split, run_split, items_n},
    {"pack", setup_pack, run_pack, items_n},
    {"unpack", setup_unpack, run_unpack, items_n},
    {"uniform", setup_uniform, run_uniform, items_n},
    {"chacha16", setup_chacha, run_chacha, items_n},
    {"binomial", setup_binomial, run_binomial, items_n},
    {"lift8", setup_lift, run_lift8, items_n},
    {"lift64", setup_lift, run_lift64, items_n},
};
const size_t check_op_count = GB_COUNT(check_ops);
