/* program/graph: the inside of a program and of a plan. Private to this layer. */
#ifndef GB_PROGRAM_GRAPH_H
#define GB_PROGRAM_GRAPH_H

#include "program/program.h"

typedef enum gb_op {
#define GB_OP(NAME, name, args, modulus, reads) GB_OP_##NAME,
#include "program/ops.def"
#undef GB_OP
    GB_OP_COUNT
} gb_op;

typedef enum gb_op_modulus { GB_WANT_ANY, GB_WANT_PRIMES, GB_WANT_POWER, GB_WANT_SAME } gb_op_modulus;
typedef enum gb_op_reads { GB_READ_STREAM, GB_READ_WORDS, GB_READ_DIGITS } gb_op_reads;

typedef struct gb_op_info {
    const char *name;
    unsigned args;
    gb_op_modulus modulus;
    gb_op_reads reads;
} gb_op_info;
extern const gb_op_info gb_ops[GB_OP_COUNT];

/* Limits that hold for every program, wherever it comes from. */
#define GB_PROGRAM_VERSION 1
#define GB_PROGRAM_MAX_NODES 1024
#define GB_PROGRAM_MAX_NAME 63
#define GB_PROGRAM_MAX_LINES ((uint64_t)1 << 28)
#define GB_PROGRAM_MAX_ROWS (1u << GB_MAX_LOG_N)
#define GB_PROGRAM_MAX_TAPS ((size_t)1 << 20)
#define GB_PROGRAM_MAX_SETS ((size_t)1 << 16)
#define GB_PROGRAM_MAX_ENTRIES ((uint64_t)1 << 28) /* of a sparse map */
#define GB_PROGRAM_MAX_POSITION 1e9                /* |origin| and |step| of an affine gather */

/* A node as built: shape and public constants. Owns what it points at. */
typedef struct gb_op_node {
    gb_op op;
    gb_node arg[2];
    uint32_t number; /* of an input or output, in the order made */
    char *name;      /* of an input or output */
    gb_axis axes[GB_BUNDLE_AXES];
    uint32_t axis_count;
    size_t lines, last; /* product of the axes; size of the last */
    double max_abs;     /* declared; 0: not */
    double factor;      /* scale, gather, scatter */
    double *taps;
    size_t tap_count;
    gb_csr map; /* its arrays are owned */
    size_t sets, line_count, ni, nk;
    gb_affine *affine;
    bool nearest;
    unsigned bits; /* switch */
} gb_op_node;

struct gb_program {
    char *name;
    gb_op_node *node;
    size_t count, capacity;
    uint32_t rows; /* of every input; 0 before the first */
    uint32_t inputs, outputs;
};

/* ---- check.c: what build.c asks before it adds a node ---- */
GB_CHECK gb_status gb_check_name(gb_ctx *ctx, const char *what, const char *name);
GB_CHECK gb_status gb_check_axes(size_t *lines, gb_ctx *ctx, const gb_axis *axes, size_t count);
GB_CHECK gb_status gb_check_taps(gb_ctx *ctx, const double *taps, size_t count);
GB_CHECK gb_status gb_check_csr(gb_ctx *ctx, const gb_csr *w, size_t in_lines, size_t out_lines);
GB_CHECK gb_status gb_check_gather(gb_ctx *ctx, const gb_gather_spec *g);
GB_CHECK gb_status gb_check_complete(gb_ctx *ctx, const gb_program *p); /* before it is planned, run or encoded */

/* ---- steps: what a backend carries out; a node, or a modulus switch that the planner put in ---- */
typedef struct gb_step {
    gb_op op;
    uint32_t arg[2];
    uint32_t node;
    const gb_op_node *def;       /* constants and shape; of the argument for a switch that the planner put in */
    unsigned limbs, bits;        /* modulus of the value: the product of `limbs` primes, or 2^bits where limbs = 0 */
    double scale;                /* integer a unit of value */
    double bound;                /* on |value| */
    double noise_rms, noise_max; /* standard deviation, in integers: expected, and never more */
    double error;                /* expected rms error of rounded constants and data, in units of value */
    bool correlated_lines, correlated_all; /* noise of lines: within the last axis; anyhow */
    int64_t multiply[2];                   /* add: of each argument; scale: +1 or -1 */
    int64_t *taps;                         /* convolve: integers, trimmed to what meets data */
    size_t tap_count;
    int32_t *weights;           /* map: integers */
    gb_gather_plan gather;      /* gather, scatter: with weight_bits */
    unsigned parts, digit_bits; /* of a value that a gather reads */
    bool keep_words, keep_digits;
} gb_step;

typedef struct gb_graph {
    gb_step *step;
    size_t count;
    uint32_t rows;
} gb_graph;

/* Marks the steps whose values are kept whole: read out of order, or read more than once. */
void gb_graph_mark(gb_graph *g);
void gb_graph_release(gb_graph *g);
/* One step a node, for the plain backends. weight_bits: of the gather plans. */
GB_CHECK gb_status gb_graph_plain(gb_graph *out, gb_ctx *ctx, const gb_program *p, unsigned weight_bits);
gb_gather_plan gb_gather_plan_of(const gb_op_node *n, unsigned weight_bits);
/* Lines of a tile: whole runs of the last axis, about `about` lines, or that many where a run is too long. */
#define GB_TILE_MAX_RUN 16384
uint32_t gb_tile_lines(const gb_op_node *n, size_t about);

struct gb_plan {
    const gb_params *params; /* the caller's */
    gb_params *own_params;   /* a copy, so that the plan outlives the caller's */
    gb_program *program;     /* a copy, for the same reason */
    gb_precision precision;
    gb_graph graph;
    unsigned bits; /* K: values after the switch are modulo 2^K */
    unsigned weight_bits;
    size_t inputs, outputs;
    gb_bundle_info *input, *output;
    double *noise_rms; /* of each output */
    uint64_t memory;
};

/* ---- dry.c: the evaluator that carries scale, bound and noise only ---- */
typedef struct gb_dry_choice {
    double data_scale; /* of every input */
    double tap_scale;  /* of the largest tap of every convolution, in integers */
} gb_dry_choice;
/* Fills scale, bound, noise and multipliers of every step. Error: LEVEL (two scales that no small factors align). */
GB_CHECK gb_status gb_dry_run(gb_ctx *ctx, gb_graph *g, const gb_params *params, unsigned weight_bits,
                              const gb_dry_choice *choice);

/* ---- constants.c ---- */
/* Integer taps: round(tap * scale) with the rounding errors pushed on towards the centre, so that their sum is
 * round(scale * sum) and the errors are high frequencies. *count is trimmed to 2 * lines - 1. */
GB_CHECK gb_status gb_round_taps(int64_t **out, size_t *count, gb_ctx *ctx, const double *taps, size_t tap_count,
                                 size_t lines, double scale);
/* Root of the sum of squares of what that rounding changes the taps by. */
double gb_tap_error(const double *taps, size_t tap_count, size_t lines, double scale);
double gb_map_unit(const gb_csr *w, unsigned weight_bits); /* integer a unit of weight */
GB_CHECK gb_status gb_round_weights(int32_t **out, gb_ctx *ctx, const gb_csr *w, double unit);

#endif
