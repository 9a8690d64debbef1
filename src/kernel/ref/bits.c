/* Reference for residues modulo powers of two: modulus switch and bit packing. */
#include "kernel/arith.h"
#include "kernel/tables.h"

/* x/Q = sum_j v_j / q_j mod 1 with v_j = x crt_inv_j mod q_j. Each term is v_j floor(2^128/q_j) / 2^64, short of
 * 2^64 v_j / q_j by less than 2, so that eight terms are short by less than 16 and, for k <= 48, the rounded result is
 * below exact by at most one and only when x/Q lies within 2^-60 of a boundary. */
static void switch_pow2(uint64_t *out, const uint64_t *const *in, const gb_modulus *m, const uint64_t *crt_inv,
                        const uint64_t *crt_inv64, unsigned limbs, unsigned k, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t fraction = (uint64_t)1 << (63 - k);
        for (unsigned j = 0; j < limbs; j++) {
            uint64_t v = gb_fold(gb_shoup_lazy(in[j][i], crt_inv[j], crt_inv64[j], m[j].q), m[j].q);
            fraction += v * m[j].ratio[1] + gb_mulhi(v, m[j].ratio[0]);
        }
        out[i] = fraction >> (64 - k);
    }
}

void gb_ref_pack(uint8_t *packed, const uint64_t *x, size_t n, unsigned bits) {
    gb_u128 hold = 0;
    unsigned held = 0; /* bits in hold, < 64 between words */
    for (size_t i = 0; i < n; i++) {
        hold |= (gb_u128)(x[i] & gb_mask64(bits)) << held;
        held += bits;
        if (held >= 64) {
            uint64_t word = (uint64_t)hold;
            memcpy(packed, &word, 8);
            packed += 8;
            hold >>= 64;
            held -= 64;
        }
    }
    for (; held > 0; held -= held < 8 ? held : 8) {
        *packed++ = (uint8_t)hold;
        hold >>= 8;
    }
}

size_t gb_ref_unpack(uint64_t *x, const uint8_t *packed, size_t n, unsigned bits, uint64_t bound) {
    const uint8_t *end = packed + gb_packed_bytes(n, bits);
    const uint64_t mask = gb_mask64(bits), limit = bound ? bound : UINT64_MAX;
    gb_u128 hold = 0;
    unsigned held = 0;
    size_t over = 0;
    for (size_t i = 0; i < n; i++) {
        if (held < bits) {
            uint64_t word = 0;
            size_t left = (size_t)(end - packed), take = left < 8 ? left : 8;
            memcpy(&word, packed, take);
            packed += take;
            hold |= (gb_u128)word << held;
            held += 64;
        }
        x[i] = (uint64_t)hold & mask;
        hold >>= bits;
        held -= bits;
        over += x[i] >= limit;
    }
    return over;
}

void gb_kernels_fill_ref_bits(gb_kernels *k) {
    k->switch_pow2 = switch_pow2;
    k->pack = gb_ref_pack;
    k->unpack = gb_ref_unpack;
}
