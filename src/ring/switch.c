/* Constants of the modulus switch to a power of two. */
#include "ring/ring.h"

gb_status gb_switch_init(gb_switch *out, gb_ctx *ctx, const gb_ring *r, size_t limbs) {
    if (limbs < 1 || limbs > GB_COUNT(out->m) || limbs > gb_ring_limbs(r))
        return gb_fail(ctx, GB_ERR_PARAMS, "modulus switch: %zu limbs, need 1..%zu", limbs,
                       gb_min_size(GB_COUNT(out->m), gb_ring_limbs(r)));
    memset(out, 0, sizeof *out);
    out->limbs = (unsigned)limbs;
    out->log2_q = gb_ring_log2_q(r, limbs);
    for (size_t j = 0; j < limbs; j++) {
        const gb_modulus *m = gb_ring_modulus(r, j);
        uint64_t rest = 1; /* Q / q_j mod q_j */
        for (size_t i = 0; i < limbs; i++)
            if (i != j) rest = gb_mod_mul(rest, gb_ring_modulus(r, i)->q % m->q, m);
        out->m[j] = *m;
        out->crt_inv[j] = gb_mod_inv(rest, m);
        out->crt_inv64[j] = gb_shoup64(out->crt_inv[j], m->q);
    }
    return GB_OK;
}
