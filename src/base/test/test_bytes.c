/* base: little-endian readers and writers, hexadecimal. */
#include <setjmp.h>
#include <stdlib.h>

#include "base/base.h"

#include <cmocka.h> /* after stdarg.h and setjmp.h */

static void test_round_trip(void **state) {
    static const uint8_t want[] = {0x12, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 8, 7,    6,    5,   4,  3,
                                   2,    1,    0,    0,    0,    0,    0,    0, 0xf0, 0x3f, 'h', 'i'};
    gb_buffer b = GB_BUFFER_INIT;
    gb_write_u8(&b, 0x12);
    gb_write_u16(&b, 0x1234);
    gb_write_u32(&b, 0x12345678);
    gb_write_u64(&b, UINT64_C(0x0102030405060708));
    gb_write_f64(&b, 1.0);
    gb_write_bytes(&b, "hi", 2);
    assert_int_equal(b.status, GB_OK);
    assert_int_equal(b.size, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
    gb_reader r = gb_reader_init(b.data, b.size);
    assert_int_equal(gb_read_u8(&r), 0x12);
    assert_int_equal(gb_read_u16(&r), 0x1234);
    assert_int_equal(gb_read_u32(&r), 0x12345678);
    assert_true(gb_read_u64(&r) == UINT64_C(0x0102030405060708));
    assert_true(gb_read_f64(&r) == 1.0);
    assert_int_equal(gb_reader_left(&r), 2);
    assert_memory_equal(gb_read_bytes(&r, 2), "hi", 2);
    assert_false(r.failed);
    assert_null(gb_read_bytes(&r, 1));
    assert_true(r.failed);
    gb_buffer_release(&b);
}

static void test_reader_ends(void **state) {
    static const uint8_t three[] = {1, 2, 3};
    gb_reader r = gb_reader_init(three, sizeof three);
    assert_int_equal(gb_read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(gb_read_u8(&r), 0); /* sticky, though three bytes are there */
    assert_int_equal(gb_reader_left(&r), 0);
    r = gb_reader_init(NULL, 0);
    assert_non_null(gb_read_bytes(&r, 0));
    assert_int_equal(gb_read_u8(&r), 0);
    assert_true(r.failed);
}

static void test_buffer_grows(void **state) {
    gb_buffer b = GB_BUFFER_INIT;
    for (uint32_t i = 0; i < 5000; i++) gb_write_u32(&b, i);
    assert_int_equal(b.status, GB_OK);
    gb_reader r = gb_reader_init(b.data, b.size);
    for (uint32_t i = 0; i < 5000; i++) assert_int_equal(gb_read_u32(&r), i);
    gb_buffer_release(&b);
    gb_alloc_fail_at(1);
    gb_write_u8(&b, 1);
    gb_alloc_fail_at(0);
    assert_int_equal(b.status, GB_ERR_MEMORY);
    gb_write_u8(&b, 1); /* sticky */
    assert_int_equal(b.size, 0);
    gb_buffer_release(&b);
}

static void test_hex(void **state) {
    char text[7];
    uint8_t bytes[3];
    gb_hex(text, "\x00\xab\xff", 3);
    assert_string_equal(text, "00abff");
    assert_true(gb_unhex(bytes, 3, "00ABff"));
    assert_memory_equal(bytes, "\x00\xab\xff", 3);
    assert_false(gb_unhex(bytes, 3, "00abf"));
    assert_false(gb_unhex(bytes, 3, "00abff0"));
    assert_false(gb_unhex(bytes, 3, "00abfg"));
    assert_false(gb_unhex(bytes, 1, ""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reader_ends),
        cmocka_unit_test(test_buffer_grows),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
