/* Prime moduli: constants, powers, inverses, primality and the search for NTT primes. */
#include "kernel/arith.h"
#include "ring/ring.h"

static uint64_t pow_plain(uint64_t a, uint64_t e, uint64_t n) {
    uint64_t r = 1;
    for (a %= n; e; e >>= 1) {
        if (e & 1) r = (uint64_t)((gb_u128)r * a % n);
        a = (uint64_t)((gb_u128)a * a % n);
    }
    return r;
}

/* Miller-Rabin with the first twelve primes as bases is exact below 3.3e24 (Sorenson and Webster, 2015). */
bool gb_is_prime(uint64_t n) {
    static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    if (n < 2) return false;
    for (size_t i = 0; i < GB_COUNT(bases); i++)
        if (n % bases[i] == 0) return n == bases[i];
    const unsigned twos = (unsigned)__builtin_ctzll(n - 1);
    for (size_t i = 0; i < GB_COUNT(bases); i++) {
        uint64_t x = pow_plain(bases[i], (n - 1) >> twos, n);
        if (x == 1) continue;
        unsigned k = 0;
        for (; x != n - 1 && k + 1 < twos; k++) x = (uint64_t)((gb_u128)x * x % n);
        if (x != n - 1) return false;
    }
    return true;
}

gb_status gb_modulus_init(gb_modulus *out, gb_ctx *ctx, uint64_t prime) {
    if (prime <= UINT64_C(1) << 16 || prime >= UINT64_C(1) << 61 || !gb_is_prime(prime))
        return gb_fail(ctx, GB_ERR_PARAMS, "modulus %llu: not a prime between 2^16 and 2^61; choose another",
                       (unsigned long long)prime);
    const gb_u128 ratio = ~(gb_u128)0 / prime; /* = floor(2^128 / q): an odd q > 1 does not divide 2^128 */
    out->q = prime;
    out->ratio[0] = (uint64_t)ratio;
    out->ratio[1] = (uint64_t)(ratio >> 64);
    out->bits = 64 - (unsigned)__builtin_clzll(prime);
    out->ratio52 = prime >> 50 ? 0 : (uint64_t)(((gb_u128)1 << (51 + out->bits)) / prime);
    return GB_OK;
}

uint64_t gb_prime_below(uint64_t below, uint64_t step) {
    if (below < 3 || step == 0) return 0;
    for (uint64_t p = (below - 2) / step * step + 1; p > below / 2; p -= step) {
        if (gb_is_prime(p)) return p;
        if (p <= step) break;
    }
    return 0;
}

uint64_t gb_mod_mul(uint64_t a, uint64_t b, const gb_modulus *m) {
    return gb_reduce_product((gb_u128)a * b, gb_barrett(m), m);
}

uint64_t gb_mod_pow(uint64_t a, uint64_t e, const gb_modulus *m) {
    const uint64_t mu = gb_barrett(m);
    uint64_t r = 1;
    for (; e; e >>= 1) {
        if (e & 1) r = gb_reduce_product((gb_u128)r * a, mu, m);
        a = gb_reduce_product((gb_u128)a * a, mu, m);
    }
    return r;
}

uint64_t gb_mod_inv(uint64_t a, const gb_modulus *m) { return gb_mod_pow(a, m->q - 2, m); }

uint64_t gb_shoup64(uint64_t w, uint64_t q) { return (uint64_t)(((gb_u128)w << 64) / q); }

uint64_t gb_shoup52(uint64_t w, uint64_t q) { return (uint64_t)(((gb_u128)w << 52) / q); }
