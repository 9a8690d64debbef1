/* Half-precision floats in plain integer arithmetic: no compiler or CPU support is needed. */
#include "format/mrc/mrc.h"

float gb_mrc_from_half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 0x3ffu, bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        float tiny = (float)fraction * 0x1p-24f; /* subnormal: exact */
        return sign ? -tiny : tiny;
    }
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t gb_mrc_to_half(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x47800000u) return (uint16_t)(sign | 0x7c00u); /* >= 2^16, infinity included */
    if (magnitude < 0x38800000u) {                                   /* < 2^-14: a multiple of 2^-24 */
        if (magnitude < 0x33000000u) return (uint16_t)sign;          /* < 2^-25 */
        uint32_t shift = 126u - (magnitude >> 23);                   /* 14..24 */
        uint32_t whole = (magnitude & 0x7fffffu) | 0x800000u, kept = whole >> shift;
        uint32_t rest = whole & ((1u << shift) - 1), half = 1u << (shift - 1);
        return (uint16_t)(sign | (kept + (rest > half || (rest == half && (kept & 1)))));
    }
    uint32_t kept = (magnitude - 0x38000000u) >> 13, rest = magnitude & 0x1fffu;
    return (uint16_t)(sign | (kept + (rest > 0x1000u || (rest == 0x1000u && (kept & 1)))));
}
