/* Random circuits: what is accepted decrypts right, against plain doubles (CKKS, within the precision promised) and
 * against integers modulo t (BFV, exactly); what is refused names its operation. And each refusal by itself. */
#include "bfv_rig.h"
#include "scheme/circuit/circuit.h"

#define MOST_WIRES 96
#define KINDS 13

/* Only the keys a circuit asks for; their number is answered. */
static size_t make_keys(rig *r, const gb_circuit *c) {
    gb_circuit_key need[32];
    size_t n = gb_circuit_keys(need, GB_COUNT(need), c);
    assert_true(n <= GB_COUNT(need));
    gb_eval_keys_release(&r->keys);
    memset(&r->keys, 0, sizeof r->keys);
    for (size_t i = 0; i < n; i++)
        test_ok(r->ctx, gb_secret_eval_keys(&r->keys, r->ctx, r->s, &need[i].galois, 1, need[i].limbs, r->digit));
    return n;
}

/* The sentence of a refusal names an operation and its step; it may be a "lower" that was put in before. */
static void named(rig *r, gb_status s, const char *op) {
    if (getenv("GLOVEBOX_SHOW")) print_message("%s\n", gb_ctx_error(r->ctx));
    if (strncmp(gb_ctx_error(r->ctx), "lower ", 6) == 0) op = "lower";
    if (s != GB_ERR_LEVEL && s != GB_ERR_NOISE && s != GB_ERR_RANGE)
        fail_msg("%s (%s)", gb_status_name(s), gb_ctx_error(r->ctx));
    if (!strstr(gb_ctx_error(r->ctx), op) || !strstr(gb_ctx_error(r->ctx), "(step "))
        fail_msg("'%s' does not name '%s'", gb_ctx_error(r->ctx), op);
}

/* ---- CKKS ---- */
typedef struct plain {
    double *re, *im;
} plain;

typedef struct reals {
    rig r;
    gb_circuit *c;
    plain wire[MOST_WIRES];
    gb_ct in[3];
    uint64_t random;
    unsigned accepted, refused;
} reals;

static void plain_new(reals *f, plain *p) {
    test_ok(f->r.ctx, gb_alloc_zero(&p->re, f->r.ctx, f->r.slots, sizeof(double)));
    test_ok(f->r.ctx, gb_alloc_zero(&p->im, f->r.ctx, f->r.slots, sizeof(double)));
}

static void plain_release(plain *p) {
    gb_free(p->re);
    gb_free(p->im);
    memset(p, 0, sizeof *p);
}

static void reals_inputs(reals *f, unsigned level) {
    rig *r = &f->r;
    for (unsigned i = 0; i < 3; i++) {
        gb_wire w;
        bool complex = i == 2;
        gb_circuit_input in = {level - (i == 1), {-1, 1}, complex, complex ? 0.82 : 0.58, i == 0};
        unsigned limbs = gb_params_limbs(r->p, in.level);
        if (complex) in.range.high = M_SQRT2;
        test_ok(r->ctx, gb_circuit_add_input(&w, f->c, &in));
        assert_int_equal(w, i);
        plain_new(f, &f->wire[w]);
        for (size_t j = 0; j < r->slots; j++) {
            f->wire[w].re[j] = rig_uniform(&f->random);
            if (complex) f->wire[w].im[j] = rig_uniform(&f->random);
        }
        double scale = r->scale;
        r->scale = gb_circuit_scale(f->c, in.level);
        rig_encrypt(r, &f->in[i], f->wire[w].re, f->wire[w].im, r->slots, limbs);
        if (i == 0) test_ok(r->ctx, gb_ct_encrypt_public(&f->in[i], r->ctx, r->k, r->pt.data, limbs, r->scale));
        r->scale = scale;
    }
}

static plain product(reals *f, const plain *a, const plain *b) {
    plain p;
    plain_new(f, &p);
    for (size_t i = 0; i < f->r.slots; i++) {
        p.re[i] = a->re[i] * b->re[i] - a->im[i] * b->im[i];
        p.im[i] = a->re[i] * b->im[i] + a->im[i] * b->re[i];
    }
    return p;
}

static gb_status reals_vector(reals *f, gb_wire *w, plain *out, gb_wire x, bool times) {
    plain v;
    plain_new(f, &v);
    bool complex = test_random(&f->random) & 1;
    size_t count = (size_t)1 << (test_random(&f->random) % 6);
    for (size_t i = 0; i < count; i++) {
        v.re[i] = rig_uniform(&f->random);
        if (complex) v.im[i] = rig_uniform(&f->random);
    }
    gb_status s =
        (times ? gb_circuit_mul_vector : gb_circuit_add_vector)(w, f->c, x, v.re, complex ? v.im : NULL, count);
    for (size_t i = count; i < f->r.slots; i++) v.re[i] = v.re[i - count], v.im[i] = v.im[i - count];
    if (times) {
        *out = product(f, &f->wire[x], &v);
    } else {
        plain_new(f, out);
        for (size_t i = 0; i < f->r.slots; i++)
            out->re[i] = f->wire[x].re[i] + v.re[i], out->im[i] = f->wire[x].im[i] + v.im[i];
    }
    plain_release(&v);
    return s;
}

static gb_status reals_linear(reals *f, gb_wire *w, plain *out, gb_wire x) {
    enum { COUNT = 5 };
    gb_ckks_diagonal d[COUNT];
    double *values;
    size_t slots = f->r.slots;
    test_ok(f->r.ctx, gb_alloc(&values, f->r.ctx, COUNT * slots, sizeof *values));
    for (size_t i = 0; i < COUNT * slots; i++) values[i] = rig_uniform(&f->random) / 2;
    for (int i = 0; i < COUNT; i++) d[i] = (gb_ckks_diagonal){i, values + (size_t)i * slots, NULL};
    gb_status s = gb_circuit_linear(w, f->c, x, slots, d, COUNT);
    plain_new(f, out);
    for (size_t i = 0; i < slots; i++)
        for (size_t j = 0; j < COUNT; j++) {
            out->re[i] += d[j].re[i] * f->wire[x].re[(i + j) % slots];
            out->im[i] += d[j].re[i] * f->wire[x].im[(i + j) % slots];
        }
    gb_free(values);
    return s;
}

static gb_status reals_poly(reals *f, gb_wire *w, plain *out, gb_wire x) {
    double c[8];
    size_t degree = 1 + test_random(&f->random) % 7;
    bool chebyshev = test_random(&f->random) & 1;
    for (size_t i = 0; i <= degree; i++) c[i] = rig_uniform(&f->random) / 2;
    gb_ckks_poly p = {c, degree, chebyshev, -1, 1};
    gb_wire_info info;
    gb_circuit_wire(&info, f->c, x);
    if (chebyshev && test_random(&f->random) % 4) p.a = info.range.low - 0.5, p.b = info.range.high + 0.5;
    gb_status s = gb_circuit_poly(w, f->c, x, &p);
    plain_new(f, out);
    for (size_t i = 0; i < f->r.slots && s == GB_OK; i++) {
        double v = 0, at = f->wire[x].re[i];
        if (chebyshev) v = gb_chebyshev_at(c, degree, p.a, p.b, at);
        for (size_t j = degree + 1; !chebyshev && j-- > 0;) v = v * at + c[j];
        out->re[i] = v;
    }
    return s;
}

static const char *const reals_names[KINDS] = {
    "add",    "subtract", "negate",    "multiply",     "multiply by an integer",
    "rotate", "rotate",   "lower",     "add a number", "multiply by a number",
    "vector", "matrix",   "polynomial"};

/* One more step; its value in the clear goes to *out (made here). */
static gb_status reals_step(reals *f, unsigned kind, gb_wire *w, plain *out, gb_wire x, gb_wire y) {
    const plain *a = &f->wire[x], *b = &f->wire[y];
    size_t slots = f->r.slots, turn = 1 + (test_random(&f->random) % 2) * 8;
    double number = rig_uniform(&f->random) * 2;
    int64_t integer = (int64_t)(test_random(&f->random) % 7) - 3;
    gb_wire_info info;
    gb_circuit_wire(&info, f->c, x);
    if (kind == 3) {
        *out = product(f, a, b);
        return gb_circuit_mul(w, f->c, x, y);
    }
    if (kind == 10) return reals_vector(f, w, out, x, test_random(&f->random) & 1);
    if (kind == 11) return reals_linear(f, w, out, x);
    if (kind == 12) return reals_poly(f, w, out, x);
    plain_new(f, out);
    for (size_t i = 0; i < slots; i++) {
        double re = a->re[i], im = a->im[i];
        size_t from = (i + turn) % slots;
        if (kind == 0) re += b->re[i], im += b->im[i];
        if (kind == 1) re -= b->re[i], im -= b->im[i];
        if (kind == 2) re = -re, im = -im;
        if (kind == 4) re *= (double)integer, im *= (double)integer;
        if (kind == 5) re = a->re[from], im = a->im[from];
        if (kind == 6) im = -im;
        if (kind == 8) re += number;
        if (kind == 9) re *= number, im *= number;
        out->re[i] = re, out->im[i] = im;
    }
    switch (kind) {
    case 0:
        return gb_circuit_add(w, f->c, x, y);
    case 1:
        return gb_circuit_sub(w, f->c, x, y);
    case 2:
        return gb_circuit_neg(w, f->c, x);
    case 4:
        return gb_circuit_times(w, f->c, x, integer);
    case 5:
        return gb_circuit_rotate(w, f->c, x, (int)turn);
    case 6:
        return gb_circuit_conjugate(w, f->c, x);
    case 7:
        return gb_circuit_lower(w, f->c, x, info.level ? info.level - 1 : 0);
    case 8:
        return gb_circuit_add_number(w, f->c, x, number);
    default:
        return gb_circuit_mul_number(w, f->c, x, number);
    }
}

/* What came out against the plain values, the declared range and the promised precision; answers how many bits the
 * promise is below what was measured. */
static void reals_compare(reals *f, const gb_ct *out, gb_wire w) {
    rig *r = &f->r;
    gb_wire_info info;
    double worst = 0;
    gb_circuit_wire(&info, f->c, w);
    test_ok(r->ctx, gb_ckks_decrypt(r->re, r->im, r->slots, r->ctx, r->s, r->enc, out));
    for (size_t i = 0; i < r->slots; i++) {
        double re = f->wire[w].re[i], im = f->wire[w].im[i], slack = 1e-9 * (1 + gb_interval_most(info.range));
        if (!(re >= info.range.low - slack && re <= info.range.high + slack &&
              hypot(re, im) <= gb_interval_most(info.range) + slack))
            fail_msg("%s (step %u): %g + %g i out of [%g, %g]", info.op, w, re, im, info.range.low, info.range.high);
        worst = fmax(worst, hypot(r->re[i] - re, r->im[i] - im));
    }
    if (!(worst <= exp2(-info.precision)))
        fail_msg("%s (step %u): error 2^%.1f, promised 2^-%.1f", info.op, w, log2(worst), info.precision);
    if (!(worst * info.scale <= exp2(info.sure.worst))) fail_msg("%s (step %u): over its worst case", info.op, w);
    assert_true(info.failure <= -128);
    if (getenv("GLOVEBOX_SHOW"))
        print_message("%-24s level %u: error 2^%.1f, promised 2^%.1f\n", info.op, info.level, log2(worst),
                      -info.precision);
}

/* A step whose value is known (not one that was put in), the latest half of the time: deep rather than wide. */
static gb_wire any_wire(reals *f, gb_wire count) {
    gb_wire w = test_random(&f->random) % 2 ? count - 1 : (gb_wire)(test_random(&f->random) % count);
    while (!f->wire[w].re) w--;
    return w;
}

static void random_reals(reals *f, unsigned steps) {
    rig *r = &f->r;
    gb_wire outputs[3], w;
    test_ok(r->ctx, gb_circuit_new_ckks(&f->c, r->ctx, r->enc, 0, r->scale));
    reals_inputs(f, gb_circuit_top(f->c));
    for (unsigned i = 0; i < steps; i++) {
        gb_wire count = (gb_wire)gb_circuit_wires(f->c), x = any_wire(f, count), y = any_wire(f, count);
        unsigned kind = (unsigned)(test_random(&f->random) % KINDS);
        plain value = {0};
        if (count + 3 >= MOST_WIRES) break;
        gb_status s = reals_step(f, kind, &w, &value, x, y);
        if (s != GB_OK) {
            named(r, s, reals_names[kind]);
            f->refused++;
            plain_release(&value);
            continue;
        }
        f->accepted++;
        if (w < count)
            plain_release(&value); /* nothing to do: it is an earlier one */
        else
            f->wire[w] = value;
    }
    size_t n = 0, count = gb_circuit_wires(f->c);
    for (size_t i = count; i-- > 3 && n < 3;)
        if (f->wire[i].re) outputs[n++] = (gb_wire)i;
    for (size_t i = 0; i < n; i++) test_ok(r->ctx, gb_circuit_add_output(f->c, outputs[i], 0));
    gb_ct out[3];
    for (size_t i = 0; i < 3; i++) out[i] = rig_room(r);
    make_keys(r, f->c);
    if (n) test_ok(r->ctx, gb_circuit_run_ckks(out, r->e, f->c, f->in, &r->keys));
    for (size_t i = 0; i < n; i++) reals_compare(f, &out[i], outputs[i]);
    for (size_t i = 0; i < 3; i++) gb_ct_release(&out[i]), gb_ct_release(&f->in[i]);
    for (size_t i = 0; i < MOST_WIRES; i++) plain_release(&f->wire[i]);
    gb_circuit_free(f->c);
}

/* A rig on a shipped set. */
static void rig_named(rig *r, const char *name) {
    gb_ctx *ctx = test_context(1);
    gb_params *p;
    test_ok(ctx, gb_params_named(&p, ctx, name));
    rig_init(r, 2, gb_params_get(p), 0);
    gb_params_free(p);
    gb_ctx_free(ctx);
}

/* Levels of two primes, four of them above a modulus of two, for scales of 2^60. */
static void rig_pairs(rig *r) {
    gb_params_spec s = rig_spec(14, 49, 30, 10, 49, 2);
    for (size_t i = 1; i < 10; i += 2) s.group[i] = 2;
    rig_init(r, 2, &s, 0);
    r->scale = 0x1p60;
}

static void test_reals(void **state) {
    (void)state;
    static const struct {
        const char *name;
        unsigned circuits, steps;
    } sets[] = {{"leveled-13", 24, 4}, {"leveled-14", 6, 20}, {NULL, 4, 20}};
    for (size_t t = 0; t < GB_COUNT(sets); t++) {
        reals f;
        memset(&f, 0, sizeof f);
        if (sets[t].name)
            rig_named(&f.r, sets[t].name);
        else
            rig_pairs(&f.r);
        f.random = 11;
        for (unsigned i = 0; i < sets[t].circuits; i++) random_reals(&f, sets[t].steps + i);
        if (getenv("GLOVEBOX_SHOW")) print_message("%u accepted, %u refused\n", f.accepted, f.refused);
        assert_true(f.accepted > 50 && f.refused >= 5);
        rig_release(&f.r);
    }
}

/* ---- BFV ---- */
#define INT_KINDS 11

typedef struct integers {
    bfv_rig f;
    gb_circuit *c;
    int64_t *wire[MOST_WIRES]; /* centred modulo t */
    gb_ct in[3];
    uint64_t random;
    unsigned accepted, refused;
} integers;

/* The third is watched: |values| <= 20. */
static void integers_inputs(integers *g, unsigned level) {
    rig *r = &g->f.r;
    for (unsigned i = 0; i < 3; i++) {
        gb_wire w;
        gb_circuit_input in = {level - (i == 1 && level > 0), {-INFINITY, INFINITY}, false, 0, i == 0};
        if (i == 2) in.range = (gb_interval){-20, 20};
        test_ok(r->ctx, gb_circuit_add_input(&w, g->c, &in));
        test_ok(r->ctx, gb_alloc(&g->wire[w], r->ctx, r->n, sizeof(int64_t)));
        for (size_t j = 0; j < r->n; j++) {
            __int128 v = (__int128)test_random(&g->random);
            g->wire[w][j] = bfv_centred(&g->f, i == 2 ? v % 41 - 20 : v);
        }
        bfv_encrypt(&g->f, &g->in[i], g->wire[w], r->n);
        if (i == 0) test_ok(r->ctx, gb_ct_encrypt_public(&g->in[i], r->ctx, r->k, r->pt.data, r->limbs, 1));
        unsigned limbs = gb_params_limbs(r->p, in.level);
        if (limbs < r->limbs) { /* a fresh one, made at fewer primes */
            gb_seed seed = {{9}};
            gb_pt low = r->pt;
            low.limbs = limbs;
            gb_bfv_encode(g->f.poly, g->f.b, g->wire[w], r->n);
            gb_bfv_scale_up(&low, r->ctx, g->f.b, g->f.poly);
            test_ok(r->ctx, gb_ct_encrypt_seeded(&g->in[i], r->ctx, r->s, low.data, limbs, 1, &seed, ++r->number));
        }
    }
}

static const char *const integers_names[INT_KINDS] = {"add",
                                                      "subtract",
                                                      "negate",
                                                      "multiply",
                                                      "multiply by an integer",
                                                      "rotate",
                                                      "rotate",
                                                      "lower",
                                                      "add integers",
                                                      "multiply by integers",
                                                      "integer polynomial"};

static gb_status integers_vector(integers *g, gb_wire *w, int64_t *out, gb_wire x, bool times) {
    rig *r = &g->f.r;
    int64_t v[40];
    size_t count = 1 + test_random(&g->random) % 40;
    for (size_t i = 0; i < count; i++) v[i] = (int64_t)(test_random(&g->random) % 2001) - 1000;
    for (size_t i = 0; i < r->n; i++) {
        __int128 p = i < count ? v[i] : 0;
        out[i] = bfv_centred(&g->f, times ? g->wire[x][i] * p : g->wire[x][i] + p);
    }
    return (times ? gb_circuit_mul_integers : gb_circuit_add_integers)(w, g->c, x, v, count);
}

/* The polynomial through random values at -d/2 ... d/2; elsewhere it is what it is. */
static gb_status integers_poly(integers *g, gb_wire *w, int64_t *out, gb_wire x) {
    rig *r = &g->f.r;
    int64_t values[12];
    size_t count = 2 + test_random(&g->random) % 11;
    gb_bfv_poly p;
    for (size_t i = 0; i < count; i++) values[i] = (int64_t)(test_random(&g->random) % 7) - 3;
    test_ok(r->ctx, gb_bfv_poly_table(&p, r->ctx, g->f.b, -(int64_t)count / 2, values, count));
    for (size_t i = 0; i < r->n; i++) {
        __int128 sum = 0;
        for (size_t j = p.degree + 1; j-- > 0;) sum = (sum * g->wire[x][i] + p.c[j]) % (__int128)g->f.t;
        out[i] = bfv_centred(&g->f, sum);
    }
    gb_status s = gb_circuit_bfv_poly(w, g->c, x, &p);
    gb_bfv_poly_release(&p);
    return s;
}

static gb_status integers_step(integers *g, unsigned kind, gb_wire *w, int64_t *out, gb_wire x, gb_wire y) {
    const int64_t *a = g->wire[x], *b = g->wire[y];
    size_t n = g->f.r.n, half = n / 2, turn = 1 + (test_random(&g->random) % 2) * 8;
    int64_t number = (int64_t)(test_random(&g->random) % 201) - 100;
    gb_wire_info info;
    gb_circuit_wire(&info, g->c, x);
    if (kind == 8 || kind == 9) return integers_vector(g, w, out, x, kind == 9);
    if (kind == 10) return integers_poly(g, w, out, x);
    for (size_t i = 0; i < n; i++) {
        __int128 v = a[i];
        if (kind == 0) v += b[i];
        if (kind == 1) v -= b[i];
        if (kind == 2) v = -v;
        if (kind == 3) v *= b[i];
        if (kind == 4) v *= number;
        if (kind == 5) v = a[i < half ? (i + turn) % half : half + (i - half + turn) % half];
        if (kind == 6) v = a[(i + half) % n];
        out[i] = bfv_centred(&g->f, v);
    }
    switch (kind) {
    case 0:
        return gb_circuit_add(w, g->c, x, y);
    case 1:
        return gb_circuit_sub(w, g->c, x, y);
    case 2:
        return gb_circuit_neg(w, g->c, x);
    case 3:
        return gb_circuit_mul(w, g->c, x, y);
    case 4:
        return gb_circuit_times(w, g->c, x, number);
    case 5:
        return gb_circuit_rotate(w, g->c, x, (int)turn);
    case 6:
        return gb_circuit_conjugate(w, g->c, x);
    default:
        return gb_circuit_lower(w, g->c, x, info.level ? info.level - 1 : 0);
    }
}

static void integers_compare(integers *g, const gb_ct *out, gb_wire w) {
    gb_wire_info info;
    gb_circuit_wire(&info, g->c, w);
    assert_true(info.failure <= -128);
    bfv_decrypt(&g->f, out);
    for (size_t i = 0; i < g->f.r.n; i++) {
        if (g->f.got[i] != g->wire[w][i])
            fail_msg("%s (step %u), slot %zu: %lld, not %lld", info.op, w, i, (long long)g->f.got[i],
                     (long long)g->wire[w][i]);
        if (!((double)g->wire[w][i] >= info.range.low && (double)g->wire[w][i] <= info.range.high))
            fail_msg("%s (step %u): %lld out of [%g, %g]", info.op, w, (long long)g->wire[w][i], info.range.low,
                     info.range.high);
    }
}

static void random_integers(integers *g, unsigned steps) {
    rig *r = &g->f.r;
    gb_wire outputs[3], w;
    test_ok(r->ctx, gb_circuit_new_bfv(&g->c, r->ctx, g->f.b, 0));
    integers_inputs(g, gb_circuit_top(g->c));
    for (unsigned i = 0; i < steps; i++) {
        gb_wire count = (gb_wire)gb_circuit_wires(g->c), x = count - 1, y = (gb_wire)(test_random(&g->random) % count);
        if (test_random(&g->random) % 2) x = (gb_wire)(test_random(&g->random) % count);
        while (!g->wire[x]) x--;
        while (!g->wire[y]) y--;
        unsigned kind = (unsigned)(test_random(&g->random) % INT_KINDS);
        int64_t *value;
        if (count + 3 >= MOST_WIRES) break;
        test_ok(r->ctx, gb_alloc(&value, r->ctx, r->n, sizeof *value));
        gb_status s = integers_step(g, kind, &w, value, x, y);
        if (s != GB_OK) {
            named(r, s, integers_names[kind]);
            g->refused++;
        } else {
            g->accepted++;
        }
        if (s != GB_OK || w < count)
            gb_free(value);
        else
            g->wire[w] = value;
    }
    size_t n = 0;
    for (size_t i = gb_circuit_wires(g->c); i-- > 3 && n < 3;)
        if (g->wire[i]) outputs[n++] = (gb_wire)i;
    for (size_t i = 0; i < n; i++) test_ok(r->ctx, gb_circuit_add_output(g->c, outputs[i], 0));
    gb_ct out[3];
    for (size_t i = 0; i < 3; i++) out[i] = rig_room(r);
    make_keys(r, g->c);
    if (n) test_ok(r->ctx, gb_circuit_run_bfv(out, g->f.be, g->c, g->in, &r->keys));
    for (size_t i = 0; i < n; i++) integers_compare(g, &out[i], outputs[i]);
    for (size_t i = 0; i < 3; i++) gb_ct_release(&out[i]), gb_ct_release(&g->in[i]);
    for (size_t i = 0; i < MOST_WIRES; i++) {
        gb_free(g->wire[i]);
        g->wire[i] = NULL;
    }
    gb_circuit_free(g->c);
}

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *name;
        unsigned bits, circuits;
    } sets[] = {{"exact-12", 17, 6}, {"exact-13", 17, 12}, {"exact-13", 30, 8}, {"exact-13", 45, 6}};
    for (size_t t = 0; t < GB_COUNT(sets); t++) {
        integers g;
        gb_ctx *ctx = test_context(1);
        gb_params *p;
        memset(&g, 0, sizeof g);
        test_ok(ctx, gb_params_named(&p, ctx, sets[t].name));
        bfv_rig_init(&g.f, 2, gb_params_get(p), gb_bfv_plain_prime(p, sets[t].bits));
        gb_params_free(p);
        gb_ctx_free(ctx);
        g.random = 5 + t;
        for (unsigned i = 0; i < sets[t].circuits; i++) random_integers(&g, 4 + 2 * i);
        if (getenv("GLOVEBOX_SHOW")) print_message("%u accepted, %u refused\n", g.accepted, g.refused);
        assert_true(g.accepted > 20 && g.refused > 2);
        bfv_rig_release(&g.f);
    }
}

/* ---- one by one ---- */
static gb_wire real_input(rig *r, gb_circuit *c, unsigned level, double low, double high) {
    gb_wire w;
    gb_circuit_input in = {level, {low, high}, false, 0, false};
    test_ok(r->ctx, gb_circuit_add_input(&w, c, &in));
    return w;
}

static void refused(rig *r, gb_status got, gb_status want, const char *op) {
    test_refused(r->ctx, got, want);
    named(r, got, op);
}

static void test_refusals(void **state) {
    (void)state;
    rig r;
    gb_circuit *c;
    gb_wire a, b, w;
    rig_named(&r, "leveled-13");
    test_ok(r.ctx, gb_circuit_new_ckks(&c, r.ctx, r.enc, 0, r.scale));
    a = real_input(&r, c, 3, -1, 1);
    b = real_input(&r, c, 0, -1, 20);
    refused(&r, gb_circuit_mul(&w, c, b, b), GB_ERR_LEVEL, "multiply (step 2)");
    test_ok(r.ctx, gb_circuit_times(&w, c, b, 1));
    refused(&r, gb_circuit_add(&w, c, b, b), GB_ERR_NOISE, "add"); /* 40 at level 0 is over q0 / 2 */
    double coefficients[] = {1, 0.5, 0.25};
    gb_ckks_poly p = {coefficients, 2, true, 0, 1};
    refused(&r, gb_circuit_poly(&w, c, a, &p), GB_ERR_RANGE, "polynomial");
    gb_ckks_sign sign;
    test_ok(r.ctx, gb_ckks_sign_plan(&sign, r.ctx, 4));
    refused(&r, gb_circuit_sign(&w, c, a, &sign, 1, 0), GB_ERR_LEVEL, "sign");
    test_ok(r.ctx, gb_circuit_mul(&w, c, a, a));
    gb_wire_info info;
    gb_circuit_wire(&info, c, w);
    assert_true(info.range.low == 0 && info.range.high == 1 && info.precision > 20);
    test_refused(r.ctx, gb_circuit_add_output(c, w, info.precision + 1), GB_ERR_NOISE);
    assert_non_null(strstr(gb_ctx_error(r.ctx), "multiply"));
    test_ok(r.ctx, gb_circuit_add_output(c, w, 20));
    /* What is not there, and what is of the other scheme. */
    test_refused(r.ctx, gb_circuit_add(&w, c, a, 99), GB_ERR_ARGUMENT);
    test_refused(r.ctx, gb_circuit_add_output(c, 99, 0), GB_ERR_ARGUMENT);
    int64_t one = 1;
    test_refused(r.ctx, gb_circuit_add_integers(&w, c, a, &one, 1), GB_ERR_ARGUMENT);
    gb_circuit_input in = {4, {-1, 1}, false, 0, false};
    test_refused(r.ctx, gb_circuit_add_input(&w, c, &in), GB_ERR_LEVEL);
    in.level = 1, in.range.high = INFINITY;
    test_refused(r.ctx, gb_circuit_add_input(&w, c, &in), GB_ERR_RANGE);
    gb_circuit_free(c);
    test_refused(r.ctx, gb_circuit_new_ckks(&c, r.ctx, r.enc, 0, 2), GB_ERR_ARGUMENT);
    assert_null(c);
    rig_release(&r);
}

/* A step that no output needs asks for no key; one that is needed low asks for a low one. */
static void test_needs(void **state) {
    (void)state;
    rig r;
    gb_circuit *c;
    gb_wire w, low, unused;
    gb_circuit_key key[4];
    rig_named(&r, "leveled-13");
    test_ok(r.ctx, gb_circuit_new_ckks(&c, r.ctx, r.enc, 0, r.scale));
    gb_wire a = real_input(&r, c, 3, -1, 1), b = real_input(&r, c, 1, -1, 1);
    test_ok(r.ctx, gb_circuit_rotate(&unused, c, a, 7));
    test_ok(r.ctx, gb_circuit_rotate(&low, c, b, 1));
    test_ok(r.ctx, gb_circuit_mul(&w, c, a, low));
    test_ok(r.ctx, gb_circuit_add_output(c, w, 0));
    assert_int_equal(gb_circuit_keys(NULL, 0, c), 2);
    assert_int_equal(gb_circuit_keys(key, 4, c), 2);
    assert_true(key[0].galois == gb_galois_rotation(r.p, 1) && key[0].limbs == 2);
    assert_true(key[1].galois == 1 && key[1].limbs == 2);
    char text[2048] = "";
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    gb_circuit_explain(c, file);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "rotate"));
    assert_non_null(strstr(text, "key of Galois element 5 at 2 primes"));
    gb_ct in[2], out = rig_room(&r);
    double x[] = {0.5, -0.25}, want[] = {-0.125, -0.125};
    rig_encrypt(&r, &in[0], x, NULL, 2, 4);
    r.scale = gb_circuit_scale(c, 1);
    rig_encrypt(&r, &in[1], x, NULL, 2, 2);
    test_refused(r.ctx, gb_circuit_run_ckks(&out, r.e, c, in, &r.keys), GB_ERR_KEY);
    assert_int_equal(make_keys(&r, c), 2);
    test_ok(r.ctx, gb_circuit_run_ckks(&out, r.e, c, in, &r.keys));
    assert_true(rig_error(&r, &out, want, NULL, 2) < 1e-6);
    in[1].scale *= 1.001; /* not what was checked */
    test_refused(r.ctx, gb_circuit_run_ckks(&out, r.e, c, in, &r.keys), GB_ERR_LEVEL);
    in[1].scale /= 1.001, in[1].limbs = 1;
    test_refused(r.ctx, gb_circuit_run_ckks(&out, r.e, c, in, &r.keys), GB_ERR_LEVEL);
    in[1].limbs = 2, in[1].parts = 3;
    test_refused(r.ctx, gb_circuit_run_ckks(&out, r.e, c, in, &r.keys), GB_ERR_PARAMS);
    for (int i = 0; i < 2; i++) gb_ct_release(&in[i]);
    gb_ct_release(&out);
    gb_circuit_free(c);
    rig_release(&r);
}

/* max(x, y) = y + (x - y) (1 + sign(x - y)) / 2, from the circuit's own steps. */
static void test_maximum(void **state) {
    (void)state;
    rig r;
    gb_circuit *c;
    gb_wire d, s, w;
    gb_ckks_sign sign;
    uint64_t random = 3;
    rig_named(&r, "leveled-14");
    test_ok(r.ctx, gb_circuit_new_ckks(&c, r.ctx, r.enc, 0, r.scale));
    test_ok(r.ctx, gb_ckks_sign_plan(&sign, r.ctx, 3));
    gb_wire x = real_input(&r, c, 7, -0.5, 0.5), y = real_input(&r, c, 7, -0.5, 0.5);
    test_ok(r.ctx, gb_circuit_sub(&d, c, x, y));
    test_ok(r.ctx, gb_circuit_sign(&s, c, d, &sign, 0.5, 0.5));
    test_ok(r.ctx, gb_circuit_mul(&w, c, s, d));
    test_ok(r.ctx, gb_circuit_add(&w, c, w, y));
    test_ok(r.ctx, gb_circuit_add_output(c, w, 10));
    double *u = rig_values(&r, &random), *v = rig_values(&r, &random), *want = rig_values(&r, &random);
    for (size_t i = 0; i < r.slots; i++) {
        u[i] /= 2, v[i] /= 2;
        want[i] = v[i] + (u[i] - v[i]) * (gb_ckks_sign_at(&sign, u[i] - v[i]) / 2 + 0.5);
    }
    gb_ct in[2], out = rig_room(&r);
    rig_encrypt(&r, &in[0], u, NULL, r.slots, r.limbs);
    rig_encrypt(&r, &in[1], v, NULL, r.slots, r.limbs);
    assert_int_equal(make_keys(&r, c), 1);
    test_ok(r.ctx, gb_circuit_run_ckks(&out, r.e, c, in, &r.keys));
    gb_wire_info info;
    gb_circuit_wire(&info, c, w);
    rig_expect(&r, &out, want, NULL, exp2(-info.precision));
    for (int i = 0; i < 2; i++) gb_ct_release(&in[i]);
    gb_ct_release(&out);
    gb_free(u);
    gb_free(v);
    gb_free(want);
    gb_circuit_free(c);
    rig_release(&r);
}

/* Each allocation of a building and a run fails in turn: an error every time, nothing lost. */
static gb_status build_and_run(rig *r, gb_ct *out, const gb_ct *in) {
    const double values[] = {1, -0.5, 0.25, 2}, coefficients[] = {0, 1, 0.5};
    const gb_ckks_diagonal d[] = {{0, values, NULL}, {1, values, NULL}};
    const gb_ckks_poly p = {coefficients, 2, false, 0, 0};
    gb_circuit_input input = {3, {-1, 1}, false, 0, false};
    gb_circuit *c;
    gb_wire a, b;
    GB_TRY(gb_circuit_new_ckks(&c, r->ctx, r->enc, 0, r->scale));
    gb_status s = gb_circuit_add_input(&a, c, &input);
    for (int i = 0; s == GB_OK && i < 10; i++) s = gb_circuit_neg(&a, c, a);
    if (s == GB_OK) s = gb_circuit_add_vector(&b, c, a, values, values, 4);
    if (s == GB_OK) s = gb_circuit_linear(&a, c, a, 4, d, 2);
    if (s == GB_OK) s = gb_circuit_poly(&a, c, a, &p);
    if (s == GB_OK) s = gb_circuit_add(&a, c, a, b);
    if (s == GB_OK) s = gb_circuit_add_output(c, a, 0);
    if (s == GB_OK) s = gb_circuit_run_ckks(out, r->e, c, in, &r->keys);
    gb_circuit_free(c);
    return s;
}

static void test_out_of_memory(void **state) {
    (void)state;
    rig r;
    const double x[] = {0.5, -0.25, 1, 0};
    rig_named(&r, "leveled-13");
    gb_ct in, out = rig_room(&r);
    rig_encrypt(&r, &in, x, NULL, 4, 4);
    rig_key(&r, 1);
    rig_key(&r, gb_galois_rotation(r.p, 1));
    uint64_t n = 1;
    for (gb_status s = GB_ERR_MEMORY; s != GB_OK; n++) {
        (void)gb_alloc_fail_at(n);
        s = build_and_run(&r, &out, &in);
        if (s != GB_OK && s != GB_ERR_MEMORY) fail_msg("allocation %u: %s", (unsigned)n, gb_ctx_error(r.ctx));
    }
    (void)gb_alloc_fail_at(0);
    assert_true(n > 20);
    gb_ct_release(&in);
    gb_ct_release(&out);
    rig_release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reals), cmocka_unit_test(test_integers), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_needs), cmocka_unit_test(test_maximum),  cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
