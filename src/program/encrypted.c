/* program/encrypted: the graph on ciphertexts. A slab holds residues of GB_BLOCK coefficients of each line:
 * [limb][line] before the modulus switch, [line] after it. Everything is integer arithmetic, so every CPU and every
 * division of the work gives the same bytes. */
#include "program/run.h"

typedef struct tile_cache { /* the group of an input that was read last */
    size_t offset;          /* in scratch: words, then bytes */
    size_t words;           /* bytes of words */
    size_t capacity;        /* bytes of an encoded tile */
} tile_cache;

typedef struct cached { /* at the front of a cache's words */
    size_t block, group;
    bool full;
} cached;

typedef struct job {
    const gb_plan *plan;
    const gb_run_input *in;
    const gb_bundle_info *out;
    const gb_tile_sink *sink;
    const gb_kernels *kernels;
    const gb_gather_kernels *gather;
    gb_convolver **convolver; /* [step][limb] */
    gb_switch change;         /* from all data primes */
    size_t blocks0;
    tile_cache *cache; /* by input */
    size_t work;       /* offset in scratch of what one op may use */
} job;

static const gb_modulus *modulus(const gb_worker *w, unsigned limb) {
    const job *j = w->walk->job;
    return gb_ring_modulus(gb_params_ring(j->plan->params), limb);
}

static uint64_t mask_of(unsigned bits) { return ((uint64_t)1 << bits) - 1; }
static unsigned rows_of(const gb_step *s) { return s->limbs ? s->limbs : 1; } /* words a coefficient */
static unsigned plane_of(const gb_worker *w) { return w->block < ((const job *)w->walk->job)->blocks0 ? 0 : 1; }
static size_t block_of(const gb_worker *w) {
    const job *j = w->walk->job;
    return w->block < j->blocks0 ? w->block : w->block - j->blocks0;
}

static size_t encrypted_line_bytes(const gb_step *s) { return rows_of(s) * GB_BLOCK * sizeof(uint64_t); }

static size_t words_bytes(const gb_step *s, size_t lines) {
    return s->keep_words ? lines * encrypted_line_bytes(s) : 0;
}

static size_t encrypted_kept_bytes(const gb_step *s) {
    return words_bytes(s, 1) + (s->keep_digits ? s->parts * GB_BLOCK * sizeof(int16_t) : 0);
}

/* ---- inputs ---- */
static void expand(gb_worker *w, const gb_step *s, size_t first, size_t count, uint64_t *slab) {
    const job *j = w->walk->job;
    const gb_seed *seed = &j->in[s->def->number].info->seed;
    for (unsigned limb = 0; limb < s->limbs; limb++)
        for (size_t l = 0; l < count; l++)
            gb_sample_uniform(slab + (limb * count + l) * GB_BLOCK, GB_BLOCK, modulus(w, limb), seed, first + l, limb,
                              (uint32_t)block_of(w));
}

static gb_status read_tile(gb_worker *w, const gb_step *s, size_t group, uint64_t *words) {
    const job *j = w->walk->job;
    const gb_run_input *in = &j->in[s->def->number];
    const tile_cache *c = &j->cache[s->def->number];
    uint8_t *bytes = w->scratch + c->offset + c->words;
    size_t n = 0;
    GB_TRY(in->source.read(in->source.user, w->ctx, gb_bundle_tile(in->info, plane_of(w), block_of(w), group), bytes,
                           c->capacity, &n));
    if (n > c->capacity) return gb_fail(w->ctx, GB_ERR_INTERNAL, "input %s: a tile overran its buffer", s->def->name);
    return gb_tile_decode(words, w->ctx, in->info, j->plan->params, plane_of(w), block_of(w), group, bytes, n);
}

/* Lines of the tile's group go straight to the slab when they are all that is asked for, else through the cache. */
static gb_status encrypted_load(gb_worker *w, const gb_step *s, size_t first, size_t count, void *slab) {
    const job *j = w->walk->job;
    const gb_bundle_info *info = j->in[s->def->number].info;
    const size_t lpt = info->lines_per_tile;
    uint64_t *out = slab;
    if (plane_of(w) == 1 && info->seeded) {
        expand(w, s, first, count, out);
        return GB_OK;
    }
    if (first % lpt == 0 && count == gb_min_size(lpt, s->def->lines - first)) return read_tile(w, s, first / lpt, out);
    cached *head = (cached *)(void *)(w->scratch + j->cache[s->def->number].offset);
    uint64_t *words = (uint64_t *)(void *)((uint8_t *)head + GB_ALIGN);
    for (size_t at = first; at < first + count;) {
        size_t group = at / lpt, group_lines = gb_min_size(lpt, s->def->lines - group * lpt);
        size_t end = gb_min_size(group * lpt + group_lines, first + count);
        if (!head->full || head->block != w->block || head->group != group) {
            head->full = false;
            GB_TRY(read_tile(w, s, group, words));
            *head = (cached){w->block, group, true};
        }
        for (unsigned limb = 0; limb < s->limbs; limb++)
            memcpy(out + (limb * count + (at - first)) * GB_BLOCK,
                   words + (limb * group_lines + (at - group * lpt)) * GB_BLOCK,
                   (end - at) * GB_BLOCK * sizeof(uint64_t));
        at = end;
    }
    return GB_OK;
}

/* ---- kept values: words [limb][all lines], then digits [line][part] ---- */
static void encrypted_keep(gb_worker *w, const gb_step *s, size_t first, size_t count, void *kept, const void *slab) {
    const job *j = w->walk->job;
    const uint64_t *in = slab;
    if (s->keep_words)
        for (unsigned limb = 0; limb < rows_of(s); limb++)
            memcpy((uint64_t *)kept + (limb * s->def->lines + first) * GB_BLOCK, in + limb * count * GB_BLOCK,
                   count * GB_BLOCK * sizeof(uint64_t));
    if (!s->keep_digits) return;
    int16_t *digits = (int16_t *)(void *)((uint8_t *)kept + words_bytes(s, s->def->lines));
    for (size_t l = 0; l < count; l++)
        j->kernels->split16(digits + (first + l) * s->parts * GB_BLOCK, GB_BLOCK, in + l * GB_BLOCK, s->parts,
                            s->digit_bits, GB_BLOCK);
}

static void encrypted_fetch(gb_worker *w, const gb_step *s, size_t first, size_t count, void *slab, const void *kept) {
    for (unsigned limb = 0; limb < rows_of(s); limb++)
        memcpy((uint64_t *)slab + limb * count * GB_BLOCK,
               (const uint64_t *)kept + (limb * s->def->lines + first) * GB_BLOCK, count * GB_BLOCK * sizeof(uint64_t));
}

/* ---- ops ---- */
/* x * |m| with the sign of m, m in (-2^21, 2^21). */
static void multiply(gb_worker *w, const gb_step *s, uint64_t *x, size_t count, int64_t m) {
    const job *j = w->walk->job;
    const size_t n = count * GB_BLOCK;
    if (m == 1) return;
    if (s->limbs == 0) {
        const uint64_t mask = mask_of(s->bits);
        for (size_t i = 0; i < n; i++) x[i] = (x[i] * (uint64_t)m) & mask;
        return;
    }
    for (unsigned limb = 0; limb < s->limbs; limb++) {
        const gb_modulus *q = modulus(w, limb);
        uint64_t size = (uint64_t)(m < 0 ? -m : m) % q->q;
        j->kernels->mul_scalar(x + limb * n, x + limb * n, m < 0 && size ? q->q - size : size, n, q);
    }
}

static void encrypted_add(gb_worker *w, const gb_step *s, size_t count, void *a, const void *b) {
    const job *j = w->walk->job;
    const size_t n = count * GB_BLOCK;
    uint64_t *x = a, *y = (uint64_t *)b; /* the second slab is ours to change */
    multiply(w, s, x, count, s->multiply[0]);
    multiply(w, s, y, count, s->multiply[1]);
    const uint64_t mask = mask_of(s->bits);
    if (s->limbs == 0)
        for (size_t i = 0; i < n; i++) x[i] = (x[i] + y[i]) & mask;
    for (unsigned limb = 0; limb < s->limbs; limb++)
        j->kernels->add(x + limb * n, x + limb * n, y + limb * n, n, modulus(w, limb));
}

static void encrypted_scale(gb_worker *w, const gb_step *s, size_t count, void *x) {
    multiply(w, s, x, count, s->multiply[0]);
}

static void encrypted_convolve(gb_worker *w, const gb_step *s, size_t count, void *x) {
    const job *j = w->walk->job;
    const size_t run = s->def->last;
    uint64_t *work = (uint64_t *)(void *)(w->scratch + j->work);
    for (unsigned limb = 0; limb < s->limbs; limb++) {
        const gb_convolver *c = j->convolver[(size_t)(s - j->plan->graph.step) * GB_MAX_LIMBS + limb];
        for (size_t at = 0; at < count; at += run)
            gb_convolver_run(c, (uint64_t *)x + (limb * count + at) * GB_BLOCK, GB_BLOCK, work);
    }
}

static void encrypted_change(gb_worker *w, const gb_step *s, size_t count, void *out, const void *in) {
    const job *j = w->walk->job;
    const uint64_t *limbs[GB_COUNT(j->change.m)];
    for (unsigned limb = 0; limb < j->change.limbs; limb++)
        limbs[limb] = (const uint64_t *)in + limb * count * GB_BLOCK;
    j->kernels->switch_pow2(out, limbs, j->change.m, j->change.crt_inv, j->change.crt_inv64, j->change.limbs, s->bits,
                            count * GB_BLOCK);
}

static void encrypted_map(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const job *j = w->walk->job;
    const gb_csr *m = &s->def->map;
    const uint64_t *in = kept, mask = mask_of(s->bits);
    for (size_t r = 0; r < count; r++) {
        const uint64_t from = m->start[first + r], terms = m->start[first + r + 1] - from;
        for (unsigned limb = 0; limb < s->limbs; limb++)
            j->kernels->mac_across((uint64_t *)out + (limb * count + r) * GB_BLOCK, in + limb * m->cols * GB_BLOCK,
                                   GB_BLOCK, m->index + from, s->weights + from, (size_t)terms, GB_BLOCK,
                                   modulus(w, limb));
        if (s->limbs > 0) continue;
        uint64_t sum[GB_BLOCK] = {0}; /* wraps modulo 2^64, a multiple of 2^bits */
        for (uint64_t e = from; e < from + terms; e++)
            for (size_t c = 0; c < GB_BLOCK; c++)
                sum[c] += (uint64_t)(int64_t)s->weights[e] * in[(size_t)m->index[e] * GB_BLOCK + c];
        for (size_t c = 0; c < GB_BLOCK; c++) ((uint64_t *)out)[r * GB_BLOCK + c] = sum[c] & mask;
    }
}

static void encrypted_gather(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const job *j = w->walk->job;
    const gb_step *a = &w->walk->graph->step[s->arg[0]];
    const int16_t *digits = (const int16_t *)(const void *)((const uint8_t *)kept + words_bytes(a, a->def->lines));
    j->gather->digits(out, digits, GB_BLOCK, a->parts, a->digit_bits, first / s->def->ni, (first + count) / s->def->ni,
                      &s->gather, w->scratch + j->work);
}

static void encrypted_scatter(gb_worker *w, const gb_step *s, size_t first, size_t count, void *out, const void *kept) {
    const job *j = w->walk->job;
    const size_t lines = s->def->line_count, n = count * GB_BLOCK;
    const uint64_t mask = mask_of(s->bits);
    uint64_t *x = out;
    memset(x, 0, n * sizeof *x);
    j->gather->scatter_u64(x, kept, GB_BLOCK, first / lines, (first + count) / lines, 0, s->def->nk, &s->gather);
    for (size_t i = 0; i < n; i++) x[i] &= mask;
}

/* ---- outputs ---- */
static bool present(const gb_worker *w, size_t output, size_t group) {
    const job *j = w->walk->job;
    const gb_tile_sink *sink = &j->sink[output];
    return sink->has && sink->has(sink->user, gb_bundle_tile(&j->out[output], plane_of(w), block_of(w), group));
}

static bool encrypted_wanted(gb_worker *w, const gb_step *s, size_t first, size_t count) {
    const size_t lpt = ((const job *)w->walk->job)->out[s->def->number].lines_per_tile;
    for (size_t group = first / lpt; group * lpt < first + count; group++)
        if (!present(w, s->def->number, group)) return true;
    return false;
}

static gb_status encrypted_store(gb_worker *w, const gb_step *s, size_t first, size_t count, const void *slab) {
    const job *j = w->walk->job;
    const size_t number = s->def->number;
    const gb_bundle_info *info = &j->out[number];
    const gb_tile_sink *sink = &j->sink[number];
    const unsigned plane = plane_of(w), to = plane == 0 ? info->bits0 : info->bits1;
    const size_t lpt = info->lines_per_tile;
    uint64_t *words = (uint64_t *)(void *)(w->scratch + j->work);
    for (size_t at = first; at < first + count; at += lpt) {
        size_t group = at / lpt, lines = gb_min_size(lpt, s->def->lines - at);
        if (present(w, number, group)) continue;
        uint8_t *bytes = (uint8_t *)(words + lines * GB_BLOCK);
        j->kernels->round_pow2(words, (const uint64_t *)slab + (at - first) * GB_BLOCK, s->bits, to, lines * GB_BLOCK);
        GB_TRY(gb_tile_encode(bytes, w->ctx, info, j->plan->params, plane, block_of(w), group, words));
        GB_TRY(sink->write(sink->user, w->ctx, gb_bundle_tile(info, plane, block_of(w), group), bytes,
                           gb_tile_bytes(info, j->plan->params, plane, group)));
    }
    return GB_OK;
}

const gb_backend gb_backend_encrypted = {.name = "encrypted",
                                         .line_bytes = encrypted_line_bytes,
                                         .kept_bytes = encrypted_kept_bytes,
                                         .load = encrypted_load,
                                         .wanted = encrypted_wanted,
                                         .store = encrypted_store,
                                         .keep = encrypted_keep,
                                         .fetch = encrypted_fetch,
                                         .add = encrypted_add,
                                         .scale = encrypted_scale,
                                         .convolve = encrypted_convolve,
                                         .change = encrypted_change,
                                         .map = encrypted_map,
                                         .gather = encrypted_gather,
                                         .scatter = encrypted_scatter};

/* ---- scratch: a tile cache an input, then what the hungriest op wants ---- */
static size_t cache_bytes(const gb_plan *p, size_t input, tile_cache *c) {
    const gb_bundle_info *b = &p->input[input];
    c->words = GB_ALIGN + (size_t)b->limbs * b->lines_per_tile * GB_BLOCK * sizeof(uint64_t);
    c->capacity = gb_max_size(gb_tile_bytes(b, p->params, 0, 0), gb_tile_bytes(b, p->params, 1, 0));
    return gb_round_64(c->words + c->capacity);
}

static size_t convolver_rows(const gb_step *s) { /* ring.h: L of the convolver that will be made */
    size_t rows = 8;
    while (rows < s->def->last + s->tap_count / 2) rows *= 2;
    return rows;
}

size_t gb_encrypted_scratch(const gb_plan *p) {
    size_t caches = 0, work = 0;
    tile_cache c;
    for (size_t i = 0; i < p->inputs; i++) caches += cache_bytes(p, i, &c);
    for (size_t o = 0; o < p->outputs; o++) {
        const gb_bundle_info *b = &p->output[o];
        size_t bytes = gb_max_size(gb_tile_bytes(b, p->params, 0, 0), gb_tile_bytes(b, p->params, 1, 0));
        work = gb_max_size(work, (size_t)b->lines_per_tile * GB_BLOCK * sizeof(uint64_t) + bytes);
    }
    for (size_t i = 0; i < p->graph.count; i++) {
        const gb_step *s = &p->graph.step[i];
        if (s->op == GB_OP_CONVOLVE) work = gb_max_size(work, convolver_rows(s) * GB_BLOCK * sizeof(uint64_t));
        if (s->op == GB_OP_GATHER)
            work = gb_max_size(work, gb_gather_scratch_int(&s->gather, GB_BLOCK, p->graph.step[s->arg[0]].parts));
    }
    return gb_round_64(caches) + gb_round_64(work);
}

/* ---- the run ---- */
static gb_status prepare(job *j, gb_ctx *ctx) {
    const gb_plan *p = j->plan;
    const gb_ring *ring = gb_params_ring(p->params);
    const unsigned limbs = (unsigned)gb_params_get(p->params)->data_count;
    GB_TRY(gb_alloc_zero(&j->cache, ctx, p->inputs, sizeof *j->cache));
    for (size_t i = 0; i < p->inputs; i++) {
        j->cache[i].offset = j->work;
        j->work += cache_bytes(p, i, &j->cache[i]);
    }
    j->work = gb_round_64(j->work);
    GB_TRY(gb_switch_init(&j->change, ctx, ring, limbs));
    GB_TRY(gb_alloc_zero(&j->convolver, ctx, p->graph.count * GB_MAX_LIMBS, sizeof *j->convolver));
    for (size_t i = 0; i < p->graph.count; i++) {
        const gb_step *s = &p->graph.step[i];
        for (unsigned limb = 0; s->op == GB_OP_CONVOLVE && limb < limbs; limb++)
            GB_TRY(gb_convolver_new(&j->convolver[i * GB_MAX_LIMBS + limb], ctx, ring, limb, s->def->last, s->taps,
                                    s->tap_count));
    }
    return GB_OK;
}

static void finish(job *j) {
    for (size_t i = 0; j->convolver && i < j->plan->graph.count * GB_MAX_LIMBS; i++) gb_convolver_free(j->convolver[i]);
    gb_free(j->convolver);
    gb_free(j->cache);
}

/* An input is what the plan asked for: everything but the key and the seed is the same. */
static gb_status check_input(gb_ctx *ctx, const gb_plan *p, size_t input, const gb_bundle_info *b) {
    const gb_bundle_info *want = &p->input[input];
    GB_TRY(gb_bundle_check(ctx, b, p->params));
    bool same = b->axis_count == want->axis_count && b->rows == want->rows && b->copies == want->copies &&
                b->limbs == want->limbs && b->scale == want->scale && b->lines_per_tile == want->lines_per_tile &&
                b->max_abs == want->max_abs;
    for (uint32_t i = 0; same && i < b->axis_count; i++) same = b->axes[i].size == want->axes[i].size;
    if (!same)
        return gb_fail(
            ctx, GB_ERR_PARAMS,
            "input %zu: its shape, scale, bound or tiles are not what the plan asks for; encrypt it again for "
            "this program",
            input);
    return GB_OK;
}

static gb_status check_inputs(gb_ctx *ctx, const gb_plan *p, const gb_run_input *in) {
    for (size_t i = 0; i < p->inputs; i++) {
        GB_TRY(check_input(ctx, p, i, in[i].info));
        if (!gb_hash_equal(&in[i].info->key, &in[0].info->key))
            return gb_fail(ctx, GB_ERR_KEY, "input %zu: encrypted under another key than input 0", i);
    }
    return GB_OK;
}

static gb_status run(gb_ctx *ctx, job *j) {
    const gb_plan *p = j->plan;
    gb_schedule schedule;
    GB_TRY(prepare(j, ctx));
    GB_TRY(gb_schedule_init(&schedule, ctx, &p->graph, &gb_backend_encrypted, gb_encrypted_scratch(p),
                            gb_ctx_memory(ctx), gb_ctx_threads(ctx)));
    gb_walk walk = {.graph = &p->graph,
                    .backend = &gb_backend_encrypted,
                    .schedule = &schedule,
                    .job = j,
                    .blocks = j->blocks0 + gb_bundle_blocks1(&p->output[0], p->params),
                    .stage = "compute"};
    gb_status s = gb_walk_run(ctx, &walk);
    gb_schedule_release(&schedule);
    return s;
}

gb_status gb_run_encrypted(gb_ctx *ctx, const gb_plan *plan, const gb_run_input *in, gb_bundle_info *out,
                           const gb_tile_sink *sink) {
    gb_bundle_info *info;
    GB_TRY(check_inputs(ctx, plan, in));
    GB_TRY(gb_alloc(&info, ctx, plan->outputs, sizeof *info));
    for (size_t o = 0; o < plan->outputs; o++) {
        info[o] = plan->output[o];
        info[o].key = in[0].info->key;
        if (out) out[o] = info[o];
    }
    unsigned widest = 0;
    for (size_t i = 0; i < gb_params_get(plan->params)->data_count; i++) {
        unsigned bits = gb_ring_modulus(gb_params_ring(plan->params), i)->bits;
        widest = bits > widest ? bits : widest;
    }
    job j = {.plan = plan,
             .in = in,
             .out = info,
             .sink = sink,
             .kernels = gb_kernels_get(gb_cpu_flags(), widest),
             .gather = gb_gather_get(gb_cpu_flags()),
             .blocks0 = gb_bundle_blocks0(&info[0])};
    gb_status s = run(ctx, &j);
    finish(&j);
    gb_free(info);
    return s;
}
