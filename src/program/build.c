/* program/build: nodes are added one by one, checked as they come; a program is always well formed. */
#include <math.h>

#include "program/graph.h"

gb_status gb_program_new(gb_program **out, gb_ctx *ctx, const char *name) {
    *out = NULL;
    GB_TRY(gb_check_name(ctx, "the program", name));
    gb_program *p;
    GB_TRY(gb_alloc_zero(&p, ctx, 1, sizeof *p));
    p->name = gb_strdup(ctx, name);
    if (!p->name) {
        gb_free(p);
        return GB_ERR_MEMORY;
    }
    *out = p;
    return GB_OK;
}

static void node_release(gb_op_node *n) {
    gb_free(n->name);
    gb_free(n->taps);
    gb_free((void *)n->map.start);
    gb_free((void *)n->map.index);
    gb_free((void *)n->map.weight);
    gb_free(n->affine);
}

void gb_program_free(gb_program *p) {
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) node_release(&p->node[i]);
    gb_free(p->node);
    gb_free(p->name);
    gb_free(p);
}

size_t gb_program_nodes(const gb_program *p) { return p->count; }
size_t gb_program_inputs(const gb_program *p) { return p->inputs; }
size_t gb_program_outputs(const gb_program *p) { return p->outputs; }
uint32_t gb_program_rows(const gb_program *p) { return p->rows; }
const char *gb_program_name(const gb_program *p) { return p->name; }

static gb_node find_numbered(const gb_program *p, gb_op op, size_t number) {
    for (size_t i = 0; i < p->count; i++)
        if (p->node[i].op == op && p->node[i].number == number) return (gb_node)i;
    return UINT32_MAX;
}

gb_node gb_program_input_node(const gb_program *p, size_t input) { return find_numbered(p, GB_OP_INPUT, input); }
gb_node gb_program_output_node(const gb_program *p, size_t output) { return find_numbered(p, GB_OP_OUTPUT, output); }

const gb_axis *gb_program_axes(size_t *count, const gb_program *p, gb_node node) {
    *count = p->node[node].axis_count;
    return p->node[node].axes;
}

static gb_status argument(gb_ctx *ctx, const gb_program *p, const char *op, gb_node a) {
    if (a >= p->count) return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: node %u of a program of %zu nodes", op, a, p->count);
    if (p->node[a].op == GB_OP_OUTPUT)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: node %u is an output; take the node it puts out", op, a);
    return GB_OK;
}

static void set_axes(gb_op_node *n, const gb_axis *axes, size_t count, size_t lines) {
    for (size_t i = 0; i < count; i++) {
        size_t length = strnlen(axes[i].name, sizeof axes[i].name - 1);
        memcpy(n->axes[i].name, axes[i].name, length); /* the rest stays zero */
        n->axes[i].size = axes[i].size;
    }
    n->axis_count = (uint32_t)count;
    n->lines = lines;
    n->last = axes[count - 1].size;
}

/* A node of the shape of its first argument, not yet in the program. */
static gb_op_node like(const gb_program *p, gb_op op, gb_node a) {
    gb_op_node n = {.op = op, .arg = {a, a}};
    set_axes(&n, p->node[a].axes, p->node[a].axis_count, p->node[a].lines);
    return n;
}

/* Puts the node in, or releases it. */
static gb_status append(gb_node *out, gb_ctx *ctx, gb_program *p, gb_op_node *n) {
    if (p->count >= GB_PROGRAM_MAX_NODES) {
        node_release(n);
        return gb_fail(ctx, GB_ERR_LIMIT, "program %s: more than %d nodes", p->name, GB_PROGRAM_MAX_NODES);
    }
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 16;
        gb_op_node *bigger;
        gb_status s = gb_alloc(&bigger, ctx, capacity, sizeof *bigger);
        if (s != GB_OK) {
            node_release(n);
            return s;
        }
        if (p->count) memcpy(bigger, p->node, p->count * sizeof *bigger);
        gb_free(p->node);
        p->node = bigger;
        p->capacity = capacity;
    }
    if (out) *out = (gb_node)p->count;
    p->node[p->count++] = *n;
    return GB_OK;
}

static gb_status unique(gb_ctx *ctx, const gb_program *p, gb_op op, const char *name) {
    for (size_t i = 0; i < p->count; i++)
        if (p->node[i].op == op && strcmp(p->node[i].name, name) == 0)
            return gb_fail(ctx, GB_ERR_ARGUMENT, "program %s: two %ss are named %s", p->name, gb_ops[op].name, name);
    return GB_OK;
}

gb_status gb_program_input(gb_node *out, gb_ctx *ctx, gb_program *p, const char *name, const gb_axis *axes,
                           size_t axis_count, uint32_t rows) {
    size_t lines;
    GB_TRY(gb_check_name(ctx, "an input", name));
    GB_TRY(unique(ctx, p, GB_OP_INPUT, name));
    GB_TRY(gb_check_axes(&lines, ctx, axes, axis_count));
    if (rows < 1 || rows > GB_PROGRAM_MAX_ROWS)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "input %s: %u rows, must be 1..2^17", name, rows);
    if (p->rows != 0 && p->rows != rows)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "input %s: %u rows where the other inputs have %u", name, rows, p->rows);
    gb_op_node n = {.op = GB_OP_INPUT, .number = p->inputs};
    set_axes(&n, axes, axis_count, lines);
    n.name = gb_strdup(ctx, name);
    if (!n.name) return GB_ERR_MEMORY;
    GB_TRY(append(out, ctx, p, &n));
    p->inputs++;
    p->rows = rows;
    return GB_OK;
}

gb_status gb_program_output(gb_ctx *ctx, gb_program *p, const char *name, gb_node node) {
    GB_TRY(argument(ctx, p, "output", node));
    GB_TRY(gb_check_name(ctx, "an output", name));
    GB_TRY(unique(ctx, p, GB_OP_OUTPUT, name));
    gb_op_node n = like(p, GB_OP_OUTPUT, node);
    n.number = p->outputs;
    n.name = gb_strdup(ctx, name);
    if (!n.name) return GB_ERR_MEMORY;
    GB_TRY(append(NULL, ctx, p, &n));
    p->outputs++;
    return GB_OK;
}

gb_status gb_program_add(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, gb_node b) {
    GB_TRY(argument(ctx, p, "add", a));
    GB_TRY(argument(ctx, p, "add", b));
    const gb_op_node *x = &p->node[a], *y = &p->node[b];
    bool same = x->axis_count == y->axis_count;
    for (uint32_t i = 0; same && i < x->axis_count; i++) same = x->axes[i].size == y->axes[i].size;
    if (!same) return gb_fail(ctx, GB_ERR_ARGUMENT, "add: nodes %u and %u have different axes", a, b);
    gb_op_node n = like(p, GB_OP_ADD, a);
    n.arg[1] = b;
    return append(out, ctx, p, &n);
}

gb_status gb_program_scale(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, double factor) {
    GB_TRY(argument(ctx, p, "scale", a));
    if (!isfinite(factor) || !(fabs(factor) > 1e-100) || fabs(factor) > 1e100)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "scale: the factor must be between 1e-100 and 1e100 in size");
    gb_op_node n = like(p, GB_OP_SCALE, a);
    n.factor = factor;
    return append(out, ctx, p, &n);
}

gb_status gb_program_switch(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, unsigned bits) {
    GB_TRY(argument(ctx, p, "switch", a));
    if (bits < 16 || bits > 48) return gb_fail(ctx, GB_ERR_ARGUMENT, "switch: modulus 2^%u, must be 2^16..2^48", bits);
    gb_op_node n = like(p, GB_OP_SWITCH, a);
    n.bits = bits;
    return append(out, ctx, p, &n);
}

/* A copy of count * size bytes; one byte at least, so that NULL means failure. */
static gb_status copy(void *out, gb_ctx *ctx, const void *from, size_t count, size_t size) {
    void *to;
    GB_TRY(gb_alloc(&to, ctx, count ? count : 1, size));
    if (count) memcpy(to, from, count * size);
    memcpy(out, &to, sizeof to);
    return GB_OK;
}

gb_status gb_program_convolve(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const double *taps, size_t count) {
    GB_TRY(argument(ctx, p, "convolve", a));
    GB_TRY(gb_check_taps(ctx, taps, count));
    gb_op_node n = like(p, GB_OP_CONVOLVE, a);
    if (n.last > (size_t)1 << 16)
        return gb_fail(ctx, GB_ERR_LIMIT, "convolve: %zu lines along the last axis, must be up to 2^16", n.last);
    GB_TRY(copy(&n.taps, ctx, taps, count, sizeof *taps));
    n.tap_count = count;
    return append(out, ctx, p, &n);
}

gb_status gb_program_map(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const gb_csr *w, const gb_axis *axes,
                         size_t axis_count) {
    size_t lines;
    GB_TRY(argument(ctx, p, "map", a));
    GB_TRY(gb_check_axes(&lines, ctx, axes, axis_count));
    GB_TRY(gb_check_csr(ctx, w, p->node[a].lines, lines));
    gb_op_node n = {.op = GB_OP_MAP, .arg = {a, a}, .map = {.rows = w->rows, .cols = w->cols}};
    set_axes(&n, axes, axis_count, lines);
    size_t entries = (size_t)w->start[w->rows];
    gb_status s = copy(&n.map.start, ctx, w->start, w->rows + 1, sizeof *w->start);
    if (s == GB_OK) s = copy(&n.map.index, ctx, w->index, entries, sizeof *w->index);
    if (s == GB_OK) s = copy(&n.map.weight, ctx, w->weight, entries, sizeof *w->weight);
    if (s != GB_OK) {
        node_release(&n);
        return s;
    }
    return append(out, ctx, p, &n);
}

/* gather: from (sets, lines) to (nk, ni); scatter: the other way. */
static gb_status affine_node(gb_node *out, gb_ctx *ctx, gb_program *p, gb_op op, gb_node a, const gb_gather_spec *g) {
    const char *name = gb_ops[op].name;
    GB_TRY(argument(ctx, p, name, a));
    GB_TRY(gb_check_gather(ctx, g));
    bool gather = op == GB_OP_GATHER;
    size_t slow = gather ? g->sets : g->nk, fast = gather ? g->lines : g->ni;
    const gb_op_node *x = &p->node[a];
    if (x->last != fast || x->lines != slow * fast)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: the argument has %zu lines in runs of %zu, must be %zu runs of %zu",
                       name, x->lines, x->last, slow, fast);
    gb_axis axes[2] = {{.size = (uint32_t)(gather ? g->nk : g->sets)}, {.size = (uint32_t)(gather ? g->ni : g->lines)}};
    for (int i = 0; i < 2; i++) {
        const char *axis = g->axis_names[i] ? g->axis_names[i] : i ? "fast" : "slow";
        if (strlen(axis) >= sizeof axes[i].name)
            return gb_fail(ctx, GB_ERR_ARGUMENT, "%s: an axis name has more than 15 characters", name);
        memcpy(axes[i].name, axis, strlen(axis));
    }
    size_t lines;
    GB_TRY(gb_check_axes(&lines, ctx, axes, 2));
    gb_op_node n = {.op = op,
                    .arg = {a, a},
                    .factor = g->factor,
                    .sets = g->sets,
                    .line_count = g->lines,
                    .ni = g->ni,
                    .nk = g->nk,
                    .nearest = g->nearest};
    set_axes(&n, axes, 2, lines);
    GB_TRY(copy(&n.affine, ctx, g->affine, g->sets, sizeof *g->affine));
    return append(out, ctx, p, &n);
}

gb_status gb_program_gather(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const gb_gather_spec *g) {
    return affine_node(out, ctx, p, GB_OP_GATHER, a, g);
}

gb_status gb_program_scatter(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const gb_gather_spec *g) {
    return affine_node(out, ctx, p, GB_OP_SCATTER, a, g);
}

gb_status gb_program_declare(gb_ctx *ctx, gb_program *p, gb_node node, double max_abs) {
    if (node >= p->count)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "declare: node %u of a program of %zu nodes", node, p->count);
    if (!isfinite(max_abs) || !(max_abs > 1e-100) || max_abs > 1e100)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "declare: the bound of node %u must be between 1e-100 and 1e100", node);
    p->node[node].max_abs = max_abs;
    return GB_OK;
}
