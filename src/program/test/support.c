#include "program/test/support.h"

#include <math.h>
#include <stdlib.h>

store store_new(size_t tiles) {
    store s = {.count = tiles};
    assert_int_equal(gb_alloc_zero(&s.data, NULL, tiles + 1, sizeof *s.data), GB_OK);
    assert_int_equal(gb_alloc_zero(&s.size, NULL, tiles + 1, sizeof *s.size), GB_OK);
    return s;
}

void store_free(store *s) {
    for (size_t i = 0; i < s->count; i++) free(s->data[i]);
    gb_free(s->data);
    gb_free(s->size);
    *s = (store){0};
}

static gb_status store_read(void *user, gb_ctx *ctx, size_t tile, uint8_t *data, size_t capacity, size_t *n) {
    store *s = user;
    if (tile >= s->count || !s->data[tile]) return gb_fail(ctx, GB_ERR_NOT_FOUND, "tile %zu is not there", tile);
    if (s->size[tile] > capacity) return gb_fail(ctx, GB_ERR_LIMIT, "tile %zu is too large", tile);
    memcpy(data, s->data[tile], s->size[tile]);
    *n = s->size[tile];
    return GB_OK;
}

static bool store_has(void *user, size_t tile) { return ((store *)user)->data[tile] != NULL; }

/* Tiles are distinct, so writers on several threads touch distinct slots. */
static gb_status store_write(void *user, gb_ctx *ctx, size_t tile, const uint8_t *data, size_t n) {
    store *s = user;
    if (tile >= s->count || s->data[tile]) return gb_fail(ctx, GB_ERR_INTERNAL, "tile %zu written twice", tile);
    s->data[tile] = malloc(n);
    if (!s->data[tile]) return gb_fail(ctx, GB_ERR_MEMORY, "tile %zu: no memory", tile);
    memcpy(s->data[tile], data, n);
    s->size[tile] = n;
    __atomic_fetch_add(&s->writes, 1, __ATOMIC_RELAXED);
    return GB_OK;
}

gb_tile_source store_source(store *s) { return (gb_tile_source){s, store_read}; }
gb_tile_sink store_sink(store *s) { return (gb_tile_sink){s, store_has, store_write}; }

bool store_equal(const store *a, const store *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!a->data[i] || !b->data[i] || a->size[i] != b->size[i] || memcmp(a->data[i], b->data[i], a->size[i]) != 0)
            return false;
    return true;
}

gb_ctx *context(unsigned threads, uint64_t memory) {
    gb_ctx_config config;
    gb_ctx *ctx;
    gb_ctx_config_defaults(&config);
    config.threads = threads;
    if (memory) config.memory = memory;
    assert_int_equal(gb_ctx_new(&ctx, &config), GB_OK);
    return ctx;
}

keys keys_new(gb_ctx *ctx, gb_precision precision) {
    keys k;
    assert_int_equal(gb_params_named(&k.params, ctx, gb_precision_params(precision)), GB_OK);
    assert_int_equal(gb_secret_new(&k.secret, &k.keyset, ctx, k.params), GB_OK);
    return k;
}

void keys_free(keys *k) {
    gb_secret_free(k->secret);
    gb_keyset_free(k->keyset);
    gb_params_free(k->params);
}

double uniform(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(int64_t)z / 9223372036854775808.0;
}

double *random_lines(uint64_t seed, size_t lines, size_t rows) {
    double *x;
    assert_int_equal(gb_alloc(&x, NULL, lines * rows, sizeof *x), GB_OK);
    for (size_t i = 0; i < lines * rows; i++) x[i] = uniform(&seed);
    return x;
}

size_t node_lines(const gb_program *p, gb_node node) {
    size_t axes, lines = 1;
    const gb_axis *a = gb_program_axes(&axes, p, node);
    for (size_t i = 0; i < axes; i++) lines *= a[i].size;
    return lines;
}

double *outputs_of(const gb_program *p, size_t output) {
    double *x;
    size_t n = node_lines(p, gb_program_output_node(p, output)) * gb_program_rows(p);
    assert_int_equal(gb_alloc_zero(&x, NULL, n, sizeof *x), GB_OK);
    return x;
}

void declare_all(gb_ctx *ctx, gb_program *p, double *const *in, double **out) {
    double *bounds;
    assert_int_equal(gb_alloc(&bounds, NULL, gb_program_nodes(p), sizeof *bounds), GB_OK);
    for (size_t o = 0; o < gb_program_outputs(p); o++) out[o] = outputs_of(p, o);
    assert_int_equal(gb_run_plain_f64(ctx, p, (const double *const *)in, out, bounds), GB_OK);
    for (size_t i = 0; i < gb_program_nodes(p); i++)
        if (bounds[i] > 0) assert_int_equal(gb_program_declare(ctx, p, (gb_node)i, bounds[i] * 1.0001), GB_OK);
    gb_free(bounds);
}

void encrypt_lines(gb_ctx *ctx, const keys *k, gb_bundle_info *info, store *s, const double *values, uint8_t tag) {
    gb_hash nonce = {{tag}}, content;
    size_t lines = gb_bundle_lines(info), lpt = info->lines_per_tile;
    int64_t *ints;
    info->key = *gb_secret_key_id(k->secret);
    gb_hash_of(&content, values, lines * info->rows * sizeof *values, NULL, 0);
    gb_secret_dataset_seed(&info->seed, k->secret, &nonce, &content);
    *s = store_new(gb_bundle_tiles(info, k->params));
    gb_tile_sink sink = store_sink(s);
    assert_int_equal(gb_alloc(&ints, NULL, lpt * info->rows, sizeof *ints), GB_OK);
    for (size_t g = 0; g < gb_bundle_groups(info); g++) {
        size_t n = gb_min_size(lpt, lines - g * lpt) * info->rows;
        for (size_t i = 0; i < n; i++) ints[i] = llrint(values[g * lpt * info->rows + i] * info->scale);
        gb_status status = gb_encrypt_seeded(ctx, k->secret, info, g, ints, &sink);
        if (status != GB_OK) print_error("%s\n", gb_ctx_error(ctx));
        assert_int_equal(status, GB_OK);
    }
    gb_free(ints);
}

ports ports_new(gb_ctx *ctx, const keys *k, const gb_program *p, gb_precision precision, double *const *in) {
    ports x = {0};
    gb_status status = gb_plan_new(&x.plan, ctx, p, k->params, precision, 1);
    if (status != GB_OK) print_error("%s\n", gb_ctx_error(ctx));
    assert_int_equal(status, GB_OK);
    for (size_t i = 0; i < gb_program_inputs(p); i++) {
        x.in_info[i] = *gb_plan_input(x.plan, i);
        encrypt_lines(ctx, k, &x.in_info[i], &x.in[i], in[i], (uint8_t)(i + 1));
    }
    for (size_t o = 0; o < gb_program_outputs(p); o++)
        x.out[o] = store_new(gb_bundle_tiles(gb_plan_output(x.plan, o), k->params));
    return x;
}

void ports_free(ports *x) {
    for (size_t i = 0; i < MAX_PORTS; i++) {
        store_free(&x->in[i]);
        store_free(&x->out[i]);
    }
    gb_plan_free(x->plan);
}

gb_status ports_run(gb_ctx *ctx, ports *x) {
    gb_run_input in[MAX_PORTS];
    gb_tile_sink out[MAX_PORTS];
    for (size_t i = 0; i < MAX_PORTS; i++) {
        in[i] = (gb_run_input){&x->in_info[i], store_source(&x->in[i])};
        out[i] = store_sink(&x->out[i]);
    }
    return gb_run_encrypted(ctx, x->plan, in, x->out_info, out);
}

double *ports_decrypt(gb_ctx *ctx, const keys *k, ports *x, size_t output) {
    const gb_bundle_info *info = &x->out_info[output];
    gb_tile_source source = store_source(&x->out[output]);
    double *values;
    size_t lines = gb_bundle_lines(info);
    assert_int_equal(gb_alloc(&values, NULL, lines * info->rows, sizeof *values), GB_OK);
    for (size_t g = 0; g < gb_bundle_groups(info); g++) {
        gb_status s = gb_decrypt(values + g * info->lines_per_tile * info->rows, ctx, k->secret, info, g, &source);
        if (s != GB_OK) print_error("%s\n", gb_ctx_error(ctx));
        assert_int_equal(s, GB_OK);
    }
    return values;
}

double rms(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += pow(a[i] - (b ? b[i] : 0), 2);
    return sqrt(sum / (double)n);
}

double largest(const double *a, const double *b, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - (b ? b[i] : 0)));
    return most;
}
