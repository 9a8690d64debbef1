/* check: every entry of every kernel table this CPU can run against the C reference, on the same arrays. An entry is an
 * `op`: `setup` draws the parameters and inputs of a case, `run` calls the entry; the harness copies, runs, compares
 * all arrays with their guards, and times. A new variant of an entry needs nothing here, a new entry one op. */
#ifndef GB_CHECK_H
#define GB_CHECK_H

#include "kernel/arith.h"
#include "ring/ring.h"

#define CHECK_ARRAYS 4
#define CHECK_WORDS ((size_t)1 << 17) /* most words of an array */

/* How inputs are drawn. */
typedef enum pattern { RANDOM, ZERO, TOP, EDGES, PATTERNS } pattern;

typedef struct args {
    uint64_t *a[CHECK_ARRAYS]; /* CHECK_WORDS each, 64-byte aligned, guarded */
    size_t words[CHECK_ARRAYS];
    int32_t *weight; /* read only, shared by reference and variant */
    uint32_t *index;
    gb_modulus m[8];
    const gb_ntt *ntt;
    uint64_t scalar, result;
    size_t n, stride, width, terms, offset;
    unsigned bits, parts;
} args;

typedef struct state {
    uint64_t seed, at; /* random words: seed is that of the case */
    const gb_kernels *table;
    pattern pattern;
    size_t trial;
    bool bench;
} state;

typedef struct op {
    const char *name;
    /* Draws a case; false when there are no more. In bench mode there is one, of a usual size. */
    bool (*setup)(state *s, args *x);
    void (*run)(const gb_kernels *k, args *x);
    size_t (*items)(const args *x); /* what a second is divided by */
} op;

extern const op check_ops[];
extern const size_t check_op_count;

uint64_t check_random(state *s);
uint64_t check_below(state *s, uint64_t bound);
uint64_t check_residue(state *s, uint64_t q); /* by the case's pattern */
void check_fill(state *s, args *x, unsigned array, size_t words, uint64_t bound);
/* A prime = 1 mod step within the table's range; trial chooses the size. False when there is none. */
bool check_modulus(state *s, gb_modulus *m, uint64_t step);
const gb_ntt *check_ntt(state *s, unsigned log_n, bool cyclic, gb_modulus *m); /* kept until the next call */

#endif
