/* program: typed op graphs over bundles, checked, planned and run on three backends: plain (the expected answer),
 * encrypted, dry (the plan). Names no workload: constants are public numbers. */
#ifndef GB_PROGRAM_H
#define GB_PROGRAM_H

#include "kernel/gather.h"
#include "scheme/scheme.h"

/* ---- building: build.c. Nodes are numbered from 0 in the order made; args are earlier nodes ---- */
typedef struct gb_program gb_program;
typedef uint32_t gb_node;
GB_CHECK gb_status gb_program_new(gb_program **out, gb_ctx *ctx, const char *name);
void gb_program_free(gb_program *p);
/* A bundle of lines = product of axes, `rows` values a line. max_abs: declared bound on |value|, public. */
GB_CHECK gb_status gb_program_input(gb_node *out, gb_ctx *ctx, gb_program *p, const char *name, const gb_axis *axes,
                                    size_t axis_count, uint32_t rows);
GB_CHECK gb_status gb_program_output(gb_ctx *ctx, gb_program *p, const char *name, gb_node node);
GB_CHECK gb_status gb_program_add(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, gb_node b);
GB_CHECK gb_status gb_program_scale(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, double factor);
/* Convolution along the last across axis, separately for every index of the others; odd number of taps, centred. */
GB_CHECK gb_status gb_program_convolve(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const double *taps,
                                       size_t count);
/* out[k] = sum_j W[k][j] in[j], CSR over all lines; the result has the given axes. */
typedef struct gb_csr {
    size_t rows, cols;
    const uint64_t *start;
    const uint32_t *index;
    const double *weight;
} gb_csr;
GB_CHECK gb_status gb_program_map(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const gb_csr *w,
                                  const gb_axis *axes, size_t axis_count);
/* The affine gather of kernel/gather.h over input axes (set, line) -> output axes (k, i), factor times the sum; and its
 * transpose, (k, i) -> (set, line), with the same weights. */
typedef struct gb_gather_spec {
    size_t sets, lines, ni, nk;
    const gb_affine *affine;
    bool nearest;
    double factor;
    const char *axis_names[2]; /* of the result, slow then fast */
} gb_gather_spec;
GB_CHECK gb_status gb_program_gather(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const gb_gather_spec *g);
GB_CHECK gb_status gb_program_scatter(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, const gb_gather_spec *g);
/* Modulus switch to 2^bits (16..48): the identity on values. The planner inserts it where an op wants it; a program may
 * say so itself. */
GB_CHECK gb_status gb_program_switch(gb_node *out, gb_ctx *ctx, gb_program *p, gb_node a, unsigned bits);
/* Declared bound on |value| of a node; the client measures it on the plain backend and rounds it up. Needed for inputs
 * and for every node whose bound is to be tighter than the worst case. */
GB_CHECK gb_status gb_program_declare(gb_ctx *ctx, gb_program *p, gb_node node, double max_abs);
/* Wire form (program.proto). Decode checks everything: shapes, finite constants, sizes before allocation. */
GB_CHECK gb_status gb_program_encode(gb_buffer *out, gb_ctx *ctx, const gb_program *p);
GB_CHECK gb_status gb_program_decode(gb_program **out, gb_ctx *ctx, const uint8_t *data, size_t n);
size_t gb_program_nodes(const gb_program *p);
const char *gb_program_name(const gb_program *p);
size_t gb_program_inputs(const gb_program *p); /* numbered in the order made, as are outputs */
size_t gb_program_outputs(const gb_program *p);
uint32_t gb_program_rows(const gb_program *p);                    /* of every input, so of every node */
gb_node gb_program_input_node(const gb_program *p, size_t input); /* UINT32_MAX when there is none */
gb_node gb_program_output_node(const gb_program *p, size_t output);
const gb_axis *gb_program_axes(size_t *count, const gb_program *p, gb_node node); /* owned by p */

/* ---- planning: plan.c (runs the dry backend) ----
 * Coefficient r of line l is value * scale modulo Q, later modulo 2^K (K = 32, or 42 at high precision). Every op is a
 * linear map of torus elements, so a value may overflow on its way; what must hold is, for every output,
 *     bound * scale + 14.9 * noise_max <= 2^(K-1),
 * noise_max a sub-Gaussian parameter for any ternary secret and any correlation (dry.c): then a decryption is wrong
 * with probability below 2^-128 for 2^30 coefficients together. Inputs must keep |value| * scale <= Q / 4. Only the
 * bounds of inputs and outputs therefore matter; a bound that is not declared is the worst case. Scales are chosen for
 * the least forecast error: fresh noise, rounding of data, taps and weights, switch, and rounding for download. */
typedef enum gb_precision { GB_PRECISION_DEFAULT = 0, GB_PRECISION_HIGH = 1 } gb_precision;
const char *gb_precision_params(gb_precision precision); /* the parameter set a precision uses */
typedef struct gb_plan gb_plan; /* scales, integer taps, weight bits, moduli and memory of every node; immutable */
/* copies: see gb_bundle_info. The plan keeps copies of the program and of the parameters. Memory and threads are those
 * of ctx; a run takes its own context's. Errors: ARGUMENT (an input without a declared bound), LEVEL (ops in an order
 * that the modulus does not allow, or scales that cannot be aligned), RANGE (a declared bound leaves no room), NOISE,
 * LIMIT (memory), UNSUPPORTED. */
GB_CHECK gb_status gb_plan_new(gb_plan **out, gb_ctx *ctx, const gb_program *p, const gb_params *params,
                               gb_precision precision, uint32_t copies);
void gb_plan_free(gb_plan *p);
/* What the client must encrypt (scale, rows, tiling; key and seed left zero) and what will come back. */
const gb_bundle_info *gb_plan_input(const gb_plan *p, size_t input);
const gb_bundle_info *gb_plan_output(const gb_plan *p, size_t output);
double gb_plan_noise_rms(const gb_plan *p, size_t output); /* predicted error in units of value */
uint64_t gb_plan_memory(const gb_plan *p);                 /* bytes the run will hold at most */
void gb_plan_explain(const gb_plan *p, FILE *out);         /* a table: node, modulus, scale, bound, headroom, noise */

/* ---- running: run.c ---- */
/* Encrypted: reads input tiles, writes output tiles; tiles the sink already has are skipped. Byte-identical for every
 * thread count, CPU and memory limit. in[i].info must match the plan's input but for key and seed. out (may be NULL)
 * and sink are arrays with an entry an output. Sources and sinks are called from any thread, with a context of that
 * thread. Errors: PARAMS, KEY, LIMIT (memory), CANCELLED, FORMAT and TRUNCATED (a tile), MEMORY, and the sources' and
 * sinks'. */
typedef struct gb_run_input {
    const gb_bundle_info *info;
    gb_tile_source source;
} gb_run_input;
GB_CHECK gb_status gb_run_encrypted(gb_ctx *ctx, const gb_plan *plan, const gb_run_input *in, gb_bundle_info *out,
                                    const gb_tile_sink *sink);
/* Plain: arrays [lines][rows], one an input and an output; node values in float or double. double takes exact gather
 * weights, float those of gather.h rounded to 14 bits. bounds (may be NULL) gets max |value| of every node that an
 * output needs, gb_program_nodes of them; 0 for others. */
GB_CHECK gb_status gb_run_plain_f32(gb_ctx *ctx, const gb_program *p, const float *const *in, float *const *out,
                                    double *bounds);
GB_CHECK gb_status gb_run_plain_f64(gb_ctx *ctx, const gb_program *p, const double *const *in, double *const *out,
                                    double *bounds);

#endif
