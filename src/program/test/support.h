/* program/test: a key, tiles in memory, and one way from arrays to arrays for every backend. */
#ifndef GB_PROGRAM_TEST_SUPPORT_H
#define GB_PROGRAM_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "program/graph.h"
#include "scheme/secret/secret.h"

typedef struct store { /* tiles in memory, as a source and as a sink */
    size_t count;
    uint8_t **data;
    size_t *size;
    size_t writes;
} store;
store store_new(size_t tiles);
void store_free(store *s);
gb_tile_source store_source(store *s);
gb_tile_sink store_sink(store *s);
bool store_equal(const store *a, const store *b);

gb_ctx *context(unsigned threads, uint64_t memory);

typedef struct keys {
    gb_params *params;
    gb_secret *secret;
    gb_keyset *keyset;
} keys;
keys keys_new(gb_ctx *ctx, gb_precision precision);
void keys_free(keys *k);

double uniform(uint64_t *state); /* in [-1, 1) */
double *random_lines(uint64_t seed, size_t lines, size_t rows);

#define MAX_PORTS 3
typedef struct ports { /* one encrypted job: its infos and tiles */
    gb_plan *plan;
    gb_bundle_info in_info[MAX_PORTS], out_info[MAX_PORTS];
    store in[MAX_PORTS], out[MAX_PORTS];
} ports;
/* Runs the program on f64, declares the bound of every node, plans, encrypts. */
void declare_all(gb_ctx *ctx, gb_program *p, double *const *in, double **out);
ports ports_new(gb_ctx *ctx, const keys *k, const gb_program *p, gb_precision precision, double *const *in);
void ports_free(ports *x);
gb_status ports_run(gb_ctx *ctx, ports *x);
double *ports_decrypt(gb_ctx *ctx, const keys *k, ports *x, size_t output);
void encrypt_lines(gb_ctx *ctx, const keys *k, gb_bundle_info *info, store *s, const double *values, uint8_t tag);
double *outputs_of(const gb_program *p, size_t output); /* zeroed, gb_free */
double rms(const double *a, const double *b, size_t n); /* of a - b; b NULL: of a */
double largest(const double *a, const double *b, size_t n);
size_t node_lines(const gb_program *p, gb_node node);

#endif
