/* program/graph: from nodes to steps, and which steps must be kept whole. */
#include "program/graph.h"

gb_gather_plan gb_gather_plan_of(const gb_op_node *n, unsigned weight_bits) {
    return (gb_gather_plan){.sets = n->sets,
                            .lines = n->line_count,
                            .ni = n->ni,
                            .nk = n->nk,
                            .affine = n->affine,
                            .weight_bits = weight_bits,
                            .nearest = n->nearest};
}

uint32_t gb_tile_lines(const gb_op_node *n, size_t about) {
    if (n->last > GB_TILE_MAX_RUN) return (uint32_t)about;
    size_t runs = n->last < about ? about / n->last : 1;
    return (uint32_t)gb_min_size(runs * n->last, n->lines);
}

/* A value that is streamed is computed anew for every reader, so one with two readers is kept: without this a chain of
 * additions of a node to itself would take exponential time. */
void gb_graph_mark(gb_graph *g) {
    for (size_t i = 0; i < g->count; i++) g->step[i].keep_words = g->step[i].keep_digits = false;
    for (size_t i = 0; i < g->count; i++) {
        const gb_step *s = &g->step[i];
        const gb_op_info *op = &gb_ops[s->op];
        for (unsigned a = 0; a < op->args; a++) {
            gb_step *from = &g->step[s->arg[a]];
            unsigned readers = 0;
            for (size_t j = 0; j < g->count; j++)
                for (unsigned b = 0; b < gb_ops[g->step[j].op].args; b++)
                    readers += g->step[j].arg[b] == s->arg[a] && gb_ops[g->step[j].op].reads == GB_READ_STREAM;
            if (op->reads == GB_READ_DIGITS) from->keep_digits = true;
            if (op->reads == GB_READ_WORDS || (op->reads == GB_READ_STREAM && readers > 1)) from->keep_words = true;
        }
    }
    for (size_t i = 0; i < g->count; i++) { /* a streaming reader beside a gather reads the words */
        const gb_step *s = &g->step[i];
        if (gb_ops[s->op].reads == GB_READ_STREAM)
            for (unsigned a = 0; a < gb_ops[s->op].args; a++)
                if (g->step[s->arg[a]].keep_digits) g->step[s->arg[a]].keep_words = true;
    }
}

void gb_graph_release(gb_graph *g) {
    for (size_t i = 0; i < g->count; i++) {
        gb_free(g->step[i].taps);
        gb_free(g->step[i].weights);
    }
    gb_free(g->step);
    *g = (gb_graph){0};
}

gb_status gb_graph_plain(gb_graph *out, gb_ctx *ctx, const gb_program *p, unsigned weight_bits) {
    *out = (gb_graph){.rows = p->rows};
    GB_TRY(gb_alloc_zero(&out->step, ctx, p->count, sizeof *out->step));
    out->count = p->count;
    for (size_t i = 0; i < p->count; i++) {
        const gb_op_node *n = &p->node[i];
        gb_step *s = &out->step[i];
        *s = (gb_step){.op = n->op, .arg = {n->arg[0], n->arg[1]}, .node = (uint32_t)i, .def = n, .limbs = 1};
        if (n->op == GB_OP_GATHER || n->op == GB_OP_SCATTER) s->gather = gb_gather_plan_of(n, weight_bits);
    }
    gb_graph_mark(out);
    return GB_OK;
}
