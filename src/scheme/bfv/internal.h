/* Inside of scheme/bfv. */
#ifndef GB_BFV_INTERNAL_H
#define GB_BFV_INTERNAL_H

#include "scheme/bfv/bfv.h"
#include "scheme/core/eval.h"

/* What a product of `limbs` primes needs: out of Q to the auxiliary basis B and back. */
typedef struct gb_bfv_level {
    gb_extension out, back;         /* Q -> all, B -> all, over the ring of data and auxiliary primes */
    double fraction[GB_MAX_LIMBS];  /* 1 / q_i */
    uint64_t hat_inv[GB_MAX_LIMBS]; /* (Q/q_i)^-1 mod q_i */
    uint64_t delta[GB_MAX_LIMBS];   /* floor(Q / t) mod q_j */
    uint64_t rest;                  /* Q mod t */
} gb_bfv_level;

struct gb_bfv {
    gb_params *params; /* owned copy */
    uint64_t t;
    gb_ring *plain; /* N, modulo t: the batching transform */
    gb_ring *ring;  /* data primes, then auxiliary primes */
    const gb_extend_kernels *extend;
    unsigned data, aux;
    uint32_t *slot;      /* slot i is entry slot[i] of the transform modulo t */
    gb_bfv_level *level; /* [limbs] */
};

#endif
