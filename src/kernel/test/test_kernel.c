/* The C reference of each entry against its definition in kernel.h, done the slow and obvious way. The NTTs and
 * products are tested beside ring, which makes their tables; tests/check compares all other variants with this
 * reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/arith.h"

enum { N = 200 };

static uint64_t at = 1;

static uint64_t draw(void) { /* splitmix64 */
    uint64_t z = at += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static gb_modulus modulus(uint64_t q) { /* what gb_modulus_init of ring makes */
    const gb_u128 ratio = ~(gb_u128)0 / q;
    return (gb_modulus){
        .q = q, .ratio = {(uint64_t)ratio, (uint64_t)(ratio >> 64)}, .bits = 64 - (unsigned)__builtin_clzll(q)};
}

static const uint64_t primes[] = {65537, UINT64_C(1073479681), UINT64_C(1125899906826241),
                                  UINT64_C(2305843009213693921)};

static const gb_kernels *ref(void) { return gb_kernels_get(0, 61); }

static void test_pointwise(void **state) {
    for (size_t p = 0; p < GB_COUNT(primes); p++) {
        const gb_modulus m = modulus(primes[p]);
        const uint64_t q = m.q;
        uint64_t a[N], b[N], out[N];
        for (size_t i = 0; i < N; i++) {
            a[i] = i < 2 ? q - 1 : draw() % q;
            b[i] = i < 3 ? q - 1 : i == 3 ? 0 : draw() % q;
        }
        ref()->add(out, a, b, N, &m);
        for (size_t i = 0; i < N; i++) assert_int_equal(out[i], (a[i] + b[i]) % q);
        ref()->sub(out, a, b, N, &m);
        for (size_t i = 0; i < N; i++) assert_int_equal(out[i], (a[i] + q - b[i]) % q);
        ref()->neg(out, b, N, &m);
        for (size_t i = 0; i < N; i++) assert_int_equal(out[i], (q - b[i]) % q);
        ref()->mul(out, a, b, N, &m);
        for (size_t i = 0; i < N; i++) assert_int_equal(out[i], (uint64_t)((gb_u128)a[i] * b[i] % q));
        ref()->mul_scalar(out, a, b[5], N, &m);
        for (size_t i = 0; i < N; i++) assert_int_equal(out[i], (uint64_t)((gb_u128)a[i] * b[5] % q));
        memcpy(out, b, sizeof out);
        ref()->mul_add(out, a, b, N, &m);
        for (size_t i = 0; i < N; i++) assert_int_equal(out[i], (uint64_t)(((gb_u128)a[i] * b[i] + b[i]) % q));
    }
}

static void test_mac_across(void **state) {
    static uint64_t lines[5 * N];
    for (size_t p = 0; p < GB_COUNT(primes); p++) {
        const gb_modulus m = modulus(primes[p]);
        uint64_t out[N];
        uint32_t index[9];
        int32_t weight[9];
        for (size_t i = 0; i < 5 * N; i++) lines[i] = i % 7 ? draw() % m.q : m.q - 1;
        for (size_t j = 0; j < 9; j++) {
            index[j] = (uint32_t)(draw() % 5);
            weight[j] = j < 2 ? (j ? 1 : -1) * (1 << 20) : (int32_t)(draw() % 2001) - 1000;
        }
        ref()->mac_across(out, lines, N, index, weight, 9, N, &m);
        for (size_t i = 0; i < N; i++) {
            gb_i128 sum = 0;
            for (size_t j = 0; j < 9; j++) sum += (gb_i128)weight[j] * (gb_i128)lines[index[j] * N + i];
            gb_i128 want = sum % (gb_i128)m.q;
            assert_int_equal(out[i], (uint64_t)(want < 0 ? want + (gb_i128)m.q : want));
        }
    }
}

static void test_round_and_split(void **state) {
    uint64_t in[N], out[N];
    int16_t digits[16 * N];
    for (size_t i = 0; i < N; i++) in[i] = i == 0 ? UINT64_MAX : i == 1 ? 0 : draw();
    for (unsigned from = 1; from <= 64; from++)
        for (unsigned to = 0; to <= from; to++) {
            uint64_t cut[N];
            for (size_t i = 0; i < N; i++) cut[i] = in[i] & gb_mask64(from);
            ref()->round_pow2(out, cut, from, to, N);
            for (size_t i = 0; i < N; i++) {
                const gb_u128 half = from == to ? 0 : (gb_u128)1 << (from - to - 1);
                assert_int_equal(out[i], (uint64_t)((cut[i] + half) >> (from - to)) & gb_mask64(to));
            }
        }
    for (unsigned bits = 1; bits <= 16; bits++)
        for (unsigned parts = 1; parts * bits <= 64 && parts <= 16; parts++) {
            ref()->split16(digits, N, in, parts, bits, N);
            for (size_t i = 0; i < N; i++) {
                uint64_t sum = 0;
                for (unsigned p = 0; p < parts; p++) {
                    const int d = digits[p * N + i];
                    assert_true(d >= -(1 << (bits - 1)) && d < 1 << (bits - 1));
                    sum += (uint64_t)(int64_t)d << (p * bits);
                }
                assert_int_equal((sum ^ in[i]) & gb_mask64(parts * bits), 0);
            }
        }
}

static void test_pack(void **state) {
    uint64_t x[N], y[N];
    uint8_t packed[N * 8];
    for (unsigned bits = 1; bits <= 61; bits++)
        for (size_t n = 0; n <= N; n += 1 + n / 3) {
            const uint64_t bound = gb_mask64(bits) / 2 + 1;
            size_t over = 0;
            for (size_t i = 0; i < n; i++) {
                x[i] = draw() & gb_mask64(bits);
                over += x[i] >= bound;
            }
            memset(packed, 0xee, sizeof packed);
            ref()->pack(packed, x, n, bits);
            for (size_t b = 0; b < n * bits; b++)
                assert_int_equal(packed[b / 8] >> b % 8 & 1, x[b / bits] >> b % bits & 1);
            if (n * bits % 8) assert_int_equal(packed[n * bits / 8] >> n * bits % 8, 0);
            assert_int_equal(packed[gb_packed_bytes(n, bits)], 0xee);
            assert_int_equal(ref()->unpack(y, packed, n, bits, bound), over);
            assert_memory_equal(x, y, n * sizeof *x);
            assert_int_equal(ref()->unpack(y, packed, n, bits, 0), 0);
        }
}

static void test_samplers(void **state) {
    uint64_t stream[N], out[N];
    int8_t small[N];
    for (size_t i = 0; i < N; i++)
        stream[i] = i == 0 ? UINT64_MAX : i == 1 ? 0x1fffff : i == 2 ? UINT64_C(0x1fffff) << 21 : draw();
    ref()->binomial(small, N, stream);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(small[i],
                         __builtin_popcountll(stream[i] & 0x1fffff) - __builtin_popcountll(stream[i] >> 21 & 0x1fffff));
    for (size_t p = 0; p < GB_COUNT(primes); p++) {
        const gb_modulus m = modulus(primes[p]);
        size_t made = ref()->uniform(out, 90, stream, N, &m), k = 0;
        for (size_t i = 0; i < N && k < 90; i++)
            if ((stream[i] & gb_mask64(m.bits)) < m.q) assert_int_equal(out[k++], stream[i] & gb_mask64(m.bits));
        assert_int_equal(made, k);
        ref()->lift8(out, small, N, &m);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(out[i], small[i] < 0 ? m.q - (uint64_t)-small[i] : (uint64_t)small[i]);
        int64_t wide[N];
        for (size_t i = 0; i < N; i++) wide[i] = (int64_t)(draw() % m.q) * (i % 2 ? 1 : -1);
        ref()->lift64(out, wide, N, &m);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(out[i], wide[i] < 0 ? m.q - (uint64_t)-wide[i] : (uint64_t)wide[i]);
    }
}

/* The block of RFC 8439, section 2.3.2, and gb_stream (libsodium) for the rest. */
static void test_chacha(void **state) {
    static const uint8_t want[] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15,
                                   0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4};
    gb_seed key;
    uint32_t lane[16], counter[16];
    uint8_t out[1024], block[64];
    for (unsigned i = 0; i < 32; i++) key.b[i] = (uint8_t)i;
    for (unsigned i = 0; i < 16; i++) {
        lane[i] = i ? (uint32_t)draw() : 0;
        counter[i] = i ? (uint32_t)draw() >> i : 1;
    }
    const uint64_t stream = UINT64_C(0x4a00000009000000); /* nonce 00 00 00 09 00 00 00 4a 00 00 00 00 */
    ref()->chacha16(out, key.b, stream, lane, counter);
    assert_memory_equal(out, want, sizeof want);
    for (unsigned i = 0; i < 16; i++) {
        gb_stream(block, 64, &key, stream, lane[i], counter[i]);
        assert_memory_equal(out + 64 * i, block, 64);
    }
}

static void test_dispatch(void **state) {
    const gb_kernels *all[8];
    const size_t count = gb_kernels_list(all, GB_COUNT(all));
    assert_true(count >= 1 && all[0] == ref());
    assert_string_equal(ref()->name, "ref");
    assert_ptr_equal(gb_kernels_get(0, 20), ref());
    for (unsigned bits = 17; bits <= 61; bits++) {
        const gb_kernels *k = gb_kernels_get(gb_cpu_flags(), bits);
        assert_true(k->max_bits >= bits);
        bool listed = false;
        for (size_t i = 0; i < count; i++) listed |= all[i] == k;
        assert_true(listed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointwise), cmocka_unit_test(test_mac_across), cmocka_unit_test(test_round_and_split),
        cmocka_unit_test(test_pack),      cmocka_unit_test(test_samplers),   cmocka_unit_test(test_chacha),
        cmocka_unit_test(test_dispatch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
