/* program/wire: programs as protobuf. Decoding unpacks into bounded memory and then builds the program again through
 * build.c, so that every rule is checked by the code that every other caller meets. */
#include "program/graph.h"
#include "program/program.pb-c.h"

#define MAX_PROGRAM_BYTES ((size_t)1 << 31)

/* ---- encoding: messages that point into the program, packed at once ---- */
typedef struct message_node { /* storage that one packed node points at */
    Glovebox__Program__Node node;
    uint32_t args[2];
    Glovebox__Program__Axis axis[GB_BUNDLE_AXES], *axes[GB_BUNDLE_AXES];
    union {
        Glovebox__Program__Input input;
        Glovebox__Program__Output output;
        Glovebox__Program__Add add;
        Glovebox__Program__Scale scale;
        Glovebox__Program__Convolve convolve;
        Glovebox__Program__Map map;
        Glovebox__Program__Gather gather;
        Glovebox__Program__Switch change;
    } op;
} message_node;

_Static_assert(sizeof(gb_affine) == 3 * sizeof(double), "affine entries travel as three doubles each");

static void point_axes(message_node *m, const gb_op_node *n) {
    for (uint32_t i = 0; i < n->axis_count; i++) {
        glovebox__program__axis__init(&m->axis[i]);
        m->axis[i].name = (char *)n->axes[i].name;
        m->axis[i].size = n->axes[i].size;
        m->axes[i] = &m->axis[i];
    }
}

static void fill_input(message_node *m, const gb_op_node *n, uint32_t rows) {
    glovebox__program__input__init(&m->op.input);
    point_axes(m, n);
    m->op.input.name = n->name;
    m->op.input.n_axes = n->axis_count;
    m->op.input.axes = m->axes;
    m->op.input.rows = rows;
    m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_INPUT;
    m->node.input = &m->op.input;
}

static void fill_map(message_node *m, const gb_op_node *n) {
    Glovebox__Program__Map *map = &m->op.map;
    glovebox__program__map__init(map);
    point_axes(m, n);
    map->rows = n->map.rows;
    map->cols = n->map.cols;
    map->n_start = n->map.rows + 1;
    map->start = (uint64_t *)n->map.start;
    map->n_index = map->n_weight = (size_t)n->map.start[n->map.rows];
    map->index = (uint32_t *)n->map.index;
    map->weight = (double *)n->map.weight;
    map->n_axes = n->axis_count;
    map->axes = m->axes;
    m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_MAP;
    m->node.map = map;
}

static void fill_gather(message_node *m, const gb_op_node *n) {
    Glovebox__Program__Gather *g = &m->op.gather;
    glovebox__program__gather__init(g);
    g->sets = n->sets;
    g->lines = n->line_count;
    g->ni = n->ni;
    g->nk = n->nk;
    g->n_affine = 3 * n->sets;
    g->affine = (double *)n->affine;
    g->nearest = n->nearest;
    g->factor = n->factor;
    g->slow = (char *)n->axes[0].name;
    g->fast = (char *)n->axes[1].name;
    if (n->op == GB_OP_GATHER) {
        m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_GATHER;
        m->node.gather = g;
    } else {
        m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_SCATTER;
        m->node.scatter = g;
    }
}

static void fill_small(message_node *m, const gb_op_node *n) {
    switch (n->op) {
    case GB_OP_OUTPUT:
        glovebox__program__output__init(&m->op.output);
        m->op.output.name = n->name;
        m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_OUTPUT;
        m->node.output = &m->op.output;
        break;
    case GB_OP_ADD:
        glovebox__program__add__init(&m->op.add);
        m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_ADD;
        m->node.add = &m->op.add;
        break;
    case GB_OP_SCALE:
        glovebox__program__scale__init(&m->op.scale);
        m->op.scale.factor = n->factor;
        m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_SCALE;
        m->node.scale = &m->op.scale;
        break;
    case GB_OP_CONVOLVE:
        glovebox__program__convolve__init(&m->op.convolve);
        m->op.convolve.n_taps = n->tap_count;
        m->op.convolve.taps = n->taps;
        m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_CONVOLVE;
        m->node.convolve = &m->op.convolve;
        break;
    default: /* GB_OP_SWITCH */
        glovebox__program__switch__init(&m->op.change);
        m->op.change.bits = n->bits;
        m->node.op_case = GLOVEBOX__PROGRAM__NODE__OP_SWITCH_;
        m->node.switch_ = &m->op.change;
        break;
    }
}

static void fill_node(message_node *m, const gb_op_node *n, uint32_t rows) {
    glovebox__program__node__init(&m->node);
    m->args[0] = n->arg[0];
    m->args[1] = n->arg[1];
    m->node.n_args = gb_ops[n->op].args;
    m->node.args = m->args;
    m->node.max_abs = n->max_abs;
    if (n->op == GB_OP_INPUT)
        fill_input(m, n, rows);
    else if (n->op == GB_OP_MAP)
        fill_map(m, n);
    else if (n->op == GB_OP_GATHER || n->op == GB_OP_SCATTER)
        fill_gather(m, n);
    else
        fill_small(m, n);
}

gb_status gb_program_encode(gb_buffer *out, gb_ctx *ctx, const gb_program *p) {
    GB_TRY(gb_check_complete(ctx, p));
    message_node *m;
    Glovebox__Program__Node **nodes;
    GB_TRY(gb_alloc_zero(&m, ctx, p->count, sizeof *m));
    gb_status s = gb_alloc(&nodes, ctx, p->count, sizeof *nodes);
    if (s == GB_OK) {
        Glovebox__Program__Program msg = GLOVEBOX__PROGRAM__PROGRAM__INIT;
        for (size_t i = 0; i < p->count; i++) {
            fill_node(&m[i], &p->node[i], p->rows);
            nodes[i] = &m[i].node;
        }
        msg.version = GB_PROGRAM_VERSION;
        msg.name = p->name;
        msg.n_nodes = p->count;
        msg.nodes = nodes;
        size_t size = glovebox__program__program__get_packed_size(&msg);
        uint8_t *at = gb_write_space(out, size);
        if (at)
            glovebox__program__program__pack(&msg, at);
        else
            s = gb_fail(ctx, GB_ERR_MEMORY, "program %s: no memory for its %zu bytes", p->name, size);
    }
    gb_free(nodes);
    gb_free(m);
    return s;
}

/* ---- decoding ---- */
/* What an unpacking may take: a sound message needs no more than this many bytes a byte, for its smallest fields (a
 * varint of one byte becomes a word of 8; a node of some 10 bytes becomes a struct), and a floor for small ones. */
#define BYTES_A_BYTE 16
#define BYTES_FLOOR ((size_t)1 << 20)

typedef struct bounded {
    size_t left;
    bool refused;
} bounded;

static void *bounded_alloc(void *user, size_t size) {
    bounded *b = user;
    void *p;
    if (size > b->left) {
        b->refused = true;
        return NULL;
    }
    b->left -= size;
    return gb_alloc(&p, NULL, 1, size ? size : 1) == GB_OK ? p : NULL;
}

static void bounded_free(void *user, void *p) {
    (void)user;
    gb_free(p);
}

static gb_status read_axes(gb_axis axes[GB_BUNDLE_AXES], gb_ctx *ctx, size_t count, Glovebox__Program__Axis **from) {
    if (count < 1 || count > GB_BUNDLE_AXES)
        return gb_fail(ctx, GB_ERR_FORMAT, "program: %zu axes, must be 1..%d", count, GB_BUNDLE_AXES);
    memset(axes, 0, GB_BUNDLE_AXES * sizeof *axes);
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(from[i]->name);
        if (n >= sizeof axes[i].name)
            return gb_fail(ctx, GB_ERR_FORMAT, "program: the name of axis %zu has more than 15 characters", i);
        memcpy(axes[i].name, from[i]->name, n);
        axes[i].size = from[i]->size;
    }
    return GB_OK;
}

static gb_status read_input(gb_ctx *ctx, gb_program *p, const Glovebox__Program__Input *m) {
    gb_axis axes[GB_BUNDLE_AXES];
    gb_node node;
    GB_TRY(read_axes(axes, ctx, m->n_axes, m->axes));
    return gb_program_input(&node, ctx, p, m->name, axes, m->n_axes, m->rows);
}

static gb_status read_map(gb_ctx *ctx, gb_program *p, gb_node arg, const Glovebox__Program__Map *m) {
    gb_axis axes[GB_BUNDLE_AXES];
    gb_node node;
    GB_TRY(read_axes(axes, ctx, m->n_axes, m->axes));
    if (m->rows > GB_PROGRAM_MAX_LINES || m->cols > GB_PROGRAM_MAX_LINES || m->n_start != m->rows + 1 ||
        m->n_index != m->n_weight || m->start[m->rows] != m->n_index)
        return gb_fail(ctx, GB_ERR_FORMAT, "program: a map of %llu rows with %zu starts, %zu indices and %zu weights",
                       (unsigned long long)m->rows, m->n_start, m->n_index, m->n_weight);
    for (size_t r = 0; r < m->n_start; r++)
        if (m->start[r] > m->n_index)
            return gb_fail(ctx, GB_ERR_FORMAT, "program: row %zu of a map starts past its entries", r);
    gb_csr w = {(size_t)m->rows, (size_t)m->cols, m->start, m->index, m->weight};
    return gb_program_map(&node, ctx, p, arg, &w, axes, m->n_axes);
}

static gb_status read_gather(gb_ctx *ctx, gb_program *p, gb_node arg, const Glovebox__Program__Gather *m,
                             bool scatter) {
    gb_node node;
    if (m->sets > GB_PROGRAM_MAX_SETS || m->n_affine != 3 * m->sets)
        return gb_fail(ctx, GB_ERR_FORMAT, "program: a gather of %llu sets with %zu numbers of geometry",
                       (unsigned long long)m->sets, m->n_affine);
    gb_gather_spec g = {
        (size_t)m->sets, (size_t)m->lines, (size_t)m->ni,     (size_t)m->nk, (const gb_affine *)(const void *)m->affine,
        m->nearest,      m->factor,        {m->slow, m->fast}};
    return scatter ? gb_program_scatter(&node, ctx, p, arg, &g) : gb_program_gather(&node, ctx, p, arg, &g);
}

static gb_status read_node(gb_ctx *ctx, gb_program *p, const Glovebox__Program__Node *m) {
    static const gb_op ops[] = {
        [GLOVEBOX__PROGRAM__NODE__OP_INPUT] = GB_OP_INPUT,       [GLOVEBOX__PROGRAM__NODE__OP_OUTPUT] = GB_OP_OUTPUT,
        [GLOVEBOX__PROGRAM__NODE__OP_ADD] = GB_OP_ADD,           [GLOVEBOX__PROGRAM__NODE__OP_SCALE] = GB_OP_SCALE,
        [GLOVEBOX__PROGRAM__NODE__OP_CONVOLVE] = GB_OP_CONVOLVE, [GLOVEBOX__PROGRAM__NODE__OP_MAP] = GB_OP_MAP,
        [GLOVEBOX__PROGRAM__NODE__OP_GATHER] = GB_OP_GATHER,     [GLOVEBOX__PROGRAM__NODE__OP_SCATTER] = GB_OP_SCATTER,
        [GLOVEBOX__PROGRAM__NODE__OP_SWITCH_] = GB_OP_SWITCH};
    if ((int)m->op_case <= 0 || (size_t)m->op_case >= GB_COUNT(ops))
        return gb_fail(ctx, GB_ERR_FORMAT, "program: node %zu has no op that this version knows", p->count);
    gb_op op = ops[m->op_case];
    if (m->n_args != gb_ops[op].args)
        return gb_fail(ctx, GB_ERR_FORMAT, "program: node %zu (%s) has %zu arguments, must have %u", p->count,
                       gb_ops[op].name, m->n_args, gb_ops[op].args);
    gb_node node;
    switch (op) {
    case GB_OP_INPUT:
        return read_input(ctx, p, m->input);
    case GB_OP_OUTPUT:
        return gb_program_output(ctx, p, m->output->name, m->args[0]);
    case GB_OP_ADD:
        return gb_program_add(&node, ctx, p, m->args[0], m->args[1]);
    case GB_OP_SCALE:
        return gb_program_scale(&node, ctx, p, m->args[0], m->scale->factor);
    case GB_OP_CONVOLVE:
        return gb_program_convolve(&node, ctx, p, m->args[0], m->convolve->taps, m->convolve->n_taps);
    case GB_OP_MAP:
        return read_map(ctx, p, m->args[0], m->map);
    case GB_OP_GATHER:
        return read_gather(ctx, p, m->args[0], m->gather, false);
    case GB_OP_SCATTER:
        return read_gather(ctx, p, m->args[0], m->scatter, true);
    default:
        return gb_program_switch(&node, ctx, p, m->args[0], m->switch_->bits);
    }
}

static gb_status read_program(gb_program **out, gb_ctx *ctx, const Glovebox__Program__Program *msg) {
    if (msg->version != GB_PROGRAM_VERSION)
        return gb_fail(ctx, GB_ERR_VERSION, "program: version %u, this build reads %d", msg->version,
                       GB_PROGRAM_VERSION);
    if (msg->n_nodes > GB_PROGRAM_MAX_NODES)
        return gb_fail(ctx, GB_ERR_LIMIT, "program: %zu nodes, at most %d", msg->n_nodes, GB_PROGRAM_MAX_NODES);
    gb_program *p;
    GB_TRY(gb_program_new(&p, ctx, msg->name));
    gb_status s = GB_OK;
    for (size_t i = 0; s == GB_OK && i < msg->n_nodes; i++) {
        s = read_node(ctx, p, msg->nodes[i]);
        if (s == GB_OK && msg->nodes[i]->max_abs != 0)
            s = gb_program_declare(ctx, p, (gb_node)i, msg->nodes[i]->max_abs);
    }
    if (s == GB_OK) s = gb_check_complete(ctx, p);
    if (s != GB_OK) {
        gb_program_free(p);
        return s;
    }
    *out = p;
    return GB_OK;
}

/* One encoding per program: what was read is what would be written. */
static gb_status check_canonical(gb_ctx *ctx, const gb_program *p, const uint8_t *data, size_t n) {
    gb_buffer again = GB_BUFFER_INIT;
    gb_status s = gb_program_encode(&again, ctx, p);
    if (s == GB_OK && (again.size != n || memcmp(again.data, data, n) != 0))
        s = gb_fail(ctx, GB_ERR_FORMAT, "program %s: not in its canonical form; encode it again", p->name);
    gb_buffer_release(&again);
    return s;
}

gb_status gb_program_decode(gb_program **out, gb_ctx *ctx, const uint8_t *data, size_t n) {
    *out = NULL;
    if (n > MAX_PROGRAM_BYTES)
        return gb_fail(ctx, GB_ERR_LIMIT, "program: %zu bytes, at most %zu", n, MAX_PROGRAM_BYTES);
    bounded room = {.left = BYTES_FLOOR + BYTES_A_BYTE * n};
    ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &room};
    Glovebox__Program__Program *msg = glovebox__program__program__unpack(&allocator, n, data);
    if (!msg)
        return room.refused ? gb_fail(ctx, GB_ERR_LIMIT, "program: its parts would take more memory than they may")
                            : gb_fail(ctx, GB_ERR_FORMAT, "program: not a program, or cut short");
    gb_status s = read_program(out, ctx, msg);
    glovebox__program__program__free_unpacked(msg, &allocator);
    if (s == GB_OK) s = check_canonical(ctx, *out, data, n);
    if (s != GB_OK) {
        gb_program_free(*out);
        *out = NULL;
    }
    return s;
}
