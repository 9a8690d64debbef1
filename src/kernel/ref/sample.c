/* Reference rejection sampling. Its output is public; the secret samplers are in kernel/plain.h. */
#include "kernel/arith.h"
#include "kernel/tables.h"

size_t gb_ref_uniform(uint64_t *out, size_t n, const uint64_t *stream, size_t words, const gb_modulus *m) {
    const uint64_t mask = gb_mask64(m->bits);
    size_t made = 0;
    for (size_t i = 0; i < words && made < n; i++) {
        uint64_t v = stream[i] & mask;
        if (v < m->q) out[made++] = v;
    }
    return made;
}

void gb_kernels_fill_ref_sample(gb_kernels *k) { k->uniform = gb_ref_uniform; }
