/* The tables of gather.h by rising instruction set, and the blocked walk that the vector variants share. */
#include "kernel/gather_impl.h"

#define WINDOW_BYTES 1450000u          /* aim: with the input it comes from, about a second-level cache */
#define WINDOW_MOST ((size_t)16 << 20) /* beyond, the plain loops: positions are too far apart to share lines */
#define STREAM_BYTES ((size_t)2 << 20) /* outputs larger than this go past the caches: 10 to 20 % of the time */
#define F32_COLUMNS 64u
#define INT_COLUMNS 64u

/* How one call is cut up; the same for every variant, as the caller sizes scratch without knowing which will run. */
typedef struct walk {
    size_t ni, nk;            /* of the window, multiples of the tile; ni == 0: no window fits */
    size_t rows;              /* of the window: the sum of span over the sets */
    size_t row;               /* bytes of one */
    size_t scratch;           /* bytes in all */
    size_t taps, acc, window; /* offsets into scratch; the spans are at 0 */
} walk;

/* Lines of one set under an ni x nk window: (most distant u) + 1, one more for the line above, one for rounding. */
static size_t span_rows(const gb_gather_plan *p, size_t t, size_t ni, size_t nk) {
    const gb_affine *a = &p->affine[t];
    double reach = (a->step_i < 0 ? -a->step_i : a->step_i) * (double)(ni - 1) +
                   (a->step_k < 0 ? -a->step_k : a->step_k) * (double)(nk - 1);
    size_t most = p->lines + 5; /* u in [-2, lines + 1] and the line above */
    return reach < (double)most ? gb_min_size((size_t)reach + 4, most) : most;
}

static size_t window_rows(const gb_gather_plan *p, size_t ni, size_t nk) {
    size_t rows = 0;
    for (size_t t = 0; t < p->sets; t++) rows += span_rows(p, t, ni, nk);
    return rows;
}

static walk walk_of(const gb_gather_plan *p, size_t row) {
    walk w = {.ni = 64, .nk = 32, .row = row};
    w.rows = window_rows(p, w.ni, w.nk);
    while (w.rows * row > WINDOW_BYTES && w.nk > GB_GATHER_K) {
        if (w.ni >= w.nk)
            w.ni /= 2;
        else
            w.nk /= 2;
        w.rows = window_rows(p, w.ni, w.nk);
    }
    if (w.rows * row > WINDOW_MOST) return (walk){.scratch = GB_ALIGN};
    w.taps = gb_ceil_div(p->sets * sizeof(gb_gather_span), GB_ALIGN) * GB_ALIGN;
    w.acc = w.taps + gb_ceil_div(sizeof(gb_gather_taps), GB_ALIGN) * GB_ALIGN;
    w.window = w.acc + GB_GATHER_TILE * row;
    w.scratch = w.window + w.rows * row;
    return w;
}

static size_t f32_row(size_t width) { return gb_min_size(width, F32_COLUMNS) * sizeof(float); }
static size_t int_row(size_t width, unsigned parts) {
    return parts * gb_min_size(width, INT_COLUMNS) * sizeof(int32_t);
}

size_t gb_gather_scratch_f32(const gb_gather_plan *p, size_t width) { return walk_of(p, f32_row(width)).scratch; }

size_t gb_gather_scratch_int(const gb_gather_plan *p, size_t width, unsigned parts) {
    return walk_of(p, int_row(width, parts)).scratch;
}

/* What every step of one call needs. parts == 0: floats. */
typedef struct walk_call {
    const gb_gather_ops *ops;
    const gb_gather_plan *p;
    gb_gather_scale s;
    walk cut;
    const char *in;
    char *out;
    size_t width, columns; /* of a row; of the pass at hand, which starts at column `at` */
    size_t at;
    size_t in_word, in_line, out_row; /* bytes */
    unsigned parts, bits;
    bool stream;
    gb_gather_span *span;
    gb_gather_taps *taps;
    void *acc, *window;
} walk_call;

/* The outputs [i, i1) x [k, k1). */
typedef struct walk_block {
    size_t i, i1, k, k1;
} walk_block;

/* The span of set t over a block. Position is monotone in i and in k, rounding included, so its extremes are at the
 * corners. */
static gb_gather_span span_of(const walk_call *c, size_t t, const walk_block *b) {
    int32_t low = INT32_MAX, high = INT32_MIN;
    for (int corner = 0; corner < 4; corner++) {
        int32_t v =
            gb_gather_tap(&c->s, &c->p->affine[t], corner & 1 ? b->i1 - 1 : b->i, corner & 2 ? b->k1 - 1 : b->k);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    return (gb_gather_span){.low = low, .high = high};
}

static int32_t span_first(const gb_gather_span *span, const gb_gather_scale *s) {
    return (int32_t)span->low >> s->bits;
}
static int32_t span_last(const gb_gather_span *span, const gb_gather_scale *s) {
    return (int32_t)span->high >> s->bits;
}

/* Lays one set's lines under the block out in the window from row `row` on; answers how many rows they take, one more
 * than the span has, for the line above the last. */
static size_t fill_set(const walk_call *c, size_t t, size_t row, const walk_block *b) {
    static const char zeros[INT_COLUMNS * sizeof(int16_t)] __attribute__((aligned(GB_ALIGN)));
    gb_gather_span span = span_of(c, t, b);
    int32_t first = span_first(&span, &c->s), last = span_last(&span, &c->s);
    const char *set = c->in + t * c->p->lines * c->in_line + c->at * c->in_word;
    span.base = (int32_t)row - first;
    c->span[t] = span;
    for (int32_t u = first; u <= last + !c->parts; u++) {
        bool below = u >= 0 && u < (int64_t)c->p->lines, above = u + 1 >= 0 && u + 1 < (int64_t)c->p->lines;
        if (c->parts == 0) {
            float *to = (float *)c->window + (size_t)(span.base + u) * c->columns;
            if (below)
                memcpy(to, set + (size_t)u * c->in_line, c->columns * sizeof(float));
            else
                memset(to, 0, c->columns * sizeof(float));
            continue;
        }
        int32_t *to = (int32_t *)c->window + (size_t)(span.base + u) * c->parts * c->columns;
        for (unsigned part = 0; part < c->parts; part++) {
            const char *x = set + part * c->width * c->in_word;
            c->ops->pair(
                to + part * c->columns, below ? (const int16_t *)(x + (size_t)u * c->in_line) : (const int16_t *)zeros,
                above ? (const int16_t *)(x + (size_t)(u + 1) * c->in_line) : (const int16_t *)zeros, c->columns);
        }
    }
    return (size_t)(last - first) + 2;
}

/* Moves what exceeds `bits` bits of each part's sums up to the next part: sums in [0, 2^bits) below the top one, whose
 * carries wrap. n columns a part, vector order, side by side. */
static void carry_int(int32_t *acc, size_t n, unsigned parts, unsigned bits) {
    for (unsigned part = 0; part + 1 < parts; part++)
        for (size_t c = 0; c < n; c++) {
            int32_t x = acc[part * n + c];
            acc[part * n + c] = x & ((1 << bits) - 1);
            acc[(part + 1) * n + c] = (int32_t)((uint32_t)acc[(part + 1) * n + c] + (uint32_t)(x >> bits));
        }
}

/* Sets that may be added between carries. A set adds at most W * 2^(bits-1) to a part's |sum|, a carry leaves less than
 * 2^bits and brings at most 2^(31-bits) in, and sums must stay below 2^31: at least 3 for W <= 2^14, bits in 8..16.
 * No carries are needed where 2^32 in the lowest part is a multiple of the whole modulus. */
static size_t sets_between_carries(const gb_gather_scale *s, unsigned parts, unsigned bits) {
    if (parts * bits <= 32) return SIZE_MAX;
    uint64_t room = ((uint64_t)1 << 31) - 1 - ((uint64_t)1 << bits) - ((uint64_t)1 << (31 - bits));
    return (size_t)(room / ((uint64_t)s->whole << (bits - 1)));
}

static void tile_int(const walk_call *c, char *out, const gb_gather_tile *tile) {
    size_t most = sets_between_carries(&c->s, c->parts, c->bits), since = 0, row = c->parts * c->columns;
    int32_t *acc = c->acc;
    for (size_t t = 0; t < c->p->sets;) {
        size_t group = gb_min_size(gb_min_size(GB_GATHER_GROUP, most), c->p->sets - t);
        c->ops->taps_int(c->taps, &c->s, c->p->affine + t, c->span + t, group, tile);
        if (group > most - since) {
            for (size_t v = 0; v < tile->nk * GB_GATHER_I; v++)
                if (v % GB_GATHER_I < tile->ni) carry_int(acc + v * row, c->columns, c->parts, c->bits);
            since = 0;
        }
        c->ops->sum_int(acc, c->window, c->taps, tile, group, (unsigned)(row / 16), t == 0);
        since += group;
        t += group;
    }
    for (size_t k = 0; k < tile->nk; k++)
        for (size_t i = 0; i < tile->ni; i++)
            c->ops->finish((uint64_t *)(out + (k * c->p->ni + i) * c->out_row), acc + (k * GB_GATHER_I + i) * row,
                           c->columns, c->parts, c->bits, c->stream);
}

static void tile_f32(const walk_call *c, char *out, const gb_gather_tile *tile) {
    float *acc = c->acc;
    for (size_t t = 0; t < c->p->sets; t += GB_GATHER_GROUP) {
        size_t group = gb_min_size(GB_GATHER_GROUP, c->p->sets - t);
        c->ops->taps_f32(c->taps, &c->s, c->p->affine + t, c->span + t, group, tile);
        c->ops->sum_f32(acc, c->window, c->taps, tile, group, (unsigned)(c->columns / 16), t == 0);
    }
    for (size_t k = 0; k < tile->nk; k++)
        for (size_t i = 0; i < tile->ni; i++)
            c->ops->finish_f32((float *)(out + (k * c->p->ni + i) * c->out_row),
                               acc + (k * GB_GATHER_I + i) * c->columns, c->columns, c->stream);
}

/* One window: its lines are laid out, then its tiles computed. */
static void walk_window(const walk_call *c, const walk_block *b, size_t k0) {
    size_t rows = 0, out_word = c->out_row / c->width;
    for (size_t t = 0; t < c->p->sets; t++) rows += fill_set(c, t, rows, b);
    for (size_t k = b->k; k < b->k1; k += GB_GATHER_K)
        for (size_t i = b->i; i < b->i1; i += GB_GATHER_I) {
            gb_gather_tile tile = {i, k, gb_min_size(GB_GATHER_I, b->i1 - i), gb_min_size(GB_GATHER_K, b->k1 - k)};
            char *out = c->out + ((k - k0) * c->p->ni + i) * c->out_row + c->at * out_word;
            if (c->parts)
                tile_int(c, out, &tile);
            else
                tile_f32(c, out, &tile);
        }
}

static void walk_columns(walk_call *c, size_t k0, size_t k1, size_t columns, void *scratch) {
    char *base = scratch;
    c->stream = (k1 - k0) * c->p->ni * c->out_row > STREAM_BYTES;
    c->span = scratch;
    c->taps = (gb_gather_taps *)(base + c->cut.taps);
    c->acc = base + c->cut.acc;
    c->window = base + c->cut.window;
    for (c->at = 0; c->at < c->width; c->at += columns) {
        c->columns = gb_min_size(columns, c->width - c->at);
        /* k fastest: windows that follow each other then share most of their input */
        for (size_t i = 0; i < c->p->ni; i += c->cut.ni)
            for (size_t k = k0; k < k1; k += c->cut.nk) {
                walk_block b = {i, gb_min_size(i + c->cut.ni, c->p->ni), k, gb_min_size(k + c->cut.nk, k1)};
                walk_window(c, &b, k0);
            }
    }
    if (c->stream) c->ops->drain();
}

void gb_gather_walk_int(const gb_gather_ops *ops, uint64_t *out, const int16_t *in, size_t width, unsigned parts,
                        unsigned bits, size_t k0, size_t k1, const gb_gather_plan *p, void *scratch) {
    walk_call c = {.ops = ops,
                   .p = p,
                   .s = gb_gather_scale_of(p),
                   .cut = walk_of(p, int_row(width, parts)),
                   .in = (const char *)in,
                   .out = (char *)out,
                   .width = width,
                   .in_word = sizeof *in,
                   .in_line = parts * width * sizeof *in,
                   .out_row = width * sizeof *out,
                   .parts = parts,
                   .bits = bits};
    if (c.cut.ni == 0)
        gb_gather_ref.digits(out, in, width, parts, bits, k0, k1, p, scratch);
    else
        walk_columns(&c, k0, k1, INT_COLUMNS, scratch);
}

void gb_gather_walk_f32(const gb_gather_ops *ops, float *out, const float *in, size_t width, size_t k0, size_t k1,
                        const gb_gather_plan *p, void *scratch) {
    walk_call c = {.ops = ops,
                   .p = p,
                   .s = gb_gather_scale_of(p),
                   .cut = walk_of(p, f32_row(width)),
                   .in = (const char *)in,
                   .out = (char *)out,
                   .width = width,
                   .in_word = sizeof *in,
                   .in_line = width * sizeof *in,
                   .out_row = width * sizeof *out};
    if (c.cut.ni == 0)
        gb_gather_ref.f32(out, in, width, k0, k1, p, scratch);
    else
        walk_columns(&c, k0, k1, F32_COLUMNS, scratch);
}

const gb_gather_kernels *gb_gather_get(uint32_t cpu_flags) {
#if defined(__x86_64__)
    const uint32_t avx512 = GB_CPU_AVX512 | GB_CPU_IFMA | GB_CPU_VNNI | GB_CPU_VBMI2;
    if ((cpu_flags & avx512) == avx512) return &gb_gather_avx512;
    if (cpu_flags & GB_CPU_AVX2) return &gb_gather_avx2;
#endif
    return &gb_gather_ref;
}

size_t gb_gather_list(const gb_gather_kernels **out, size_t max) {
    const uint32_t flags = gb_cpu_flags(), sets[] = {0, GB_CPU_AVX2, UINT32_MAX};
    size_t n = 0;
    for (size_t i = 0; i < GB_COUNT(sets); i++) {
        const gb_gather_kernels *k = gb_gather_get(flags & sets[i]);
        if (n < max && (n == 0 || out[n - 1] != k)) out[n++] = k;
    }
    return n;
}
