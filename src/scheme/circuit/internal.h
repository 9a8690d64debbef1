/* Inside of scheme/circuit: a step as build.c writes it and run.c carries it out. */
#ifndef GB_CIRCUIT_INTERNAL_H
#define GB_CIRCUIT_INTERNAL_H

#include "scheme/circuit/circuit.h"

typedef enum gb_step_kind {
    GB_STEP_INPUT,
    GB_STEP_ADD,
    GB_STEP_SUB,
    GB_STEP_NEG,
    GB_STEP_MUL,
    GB_STEP_TIMES,
    GB_STEP_AUTOMORPHISM,
    GB_STEP_LOWER,
    GB_STEP_ADD_NUMBER,
    GB_STEP_MUL_NUMBER,
    GB_STEP_ADD_VECTOR,
    GB_STEP_MUL_VECTOR,
    GB_STEP_LINEAR,
    GB_STEP_POLY,
    GB_STEP_ADD_INTEGERS,
    GB_STEP_MUL_INTEGERS,
    GB_STEP_BFV_POLY
} gb_step_kind;

typedef struct gb_circuit_step {
    gb_step_kind kind;
    gb_wire arg[2];
    unsigned args;
    gb_wire_info info;
    uint32_t number; /* of an input */
    int64_t integer;
    double real;
    uint64_t galois;    /* of an automorphism */
    unsigned key_limbs; /* of the key that the step uses (galois, or 1 for products); 0: none, or a matrix's */
    double *re, *im;    /* owned: vectors; a polynomial's coefficients in re */
    int64_t *integers;  /* owned */
    size_t count;
    gb_ckks_linear *linear; /* owned */
    gb_ckks_poly poly;      /* its coefficients are re */
    gb_bfv_poly table;      /* owned */
} gb_circuit_step;

struct gb_circuit {
    gb_ctx *ctx;
    const gb_params *params;
    const gb_ckks_encoder *encoder; /* CKKS */
    const gb_bfv *bfv;              /* BFV */
    gb_noise_model average, sure;
    unsigned top;
    double scale[GB_MAX_LIMBS]; /* CKKS: of every level */
    gb_circuit_step *step;
    size_t count, capacity;
    uint32_t inputs;
    gb_wire *output;
    size_t outputs, output_capacity;
    gb_circuit_key *key; /* that the outputs need */
    size_t keys, key_capacity;
};

/* Which steps the outputs need, one flag a step. */
void gb_circuit_mark(bool *needed, const gb_circuit *c);
/* Keys anew, after an output was added: needs.c. */
GB_CHECK gb_status gb_circuit_collect(gb_circuit *c);

#endif
