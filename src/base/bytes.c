/* base/bytes: little-endian readers and writers, and hexadecimal. */
#include "base/base.h"

gb_reader gb_reader_init(const void *data, size_t n) {
    static const uint8_t empty[1];
    const uint8_t *at = n == 0 ? empty : data;
    return (gb_reader){.at = at, .end = at + n};
}

size_t gb_reader_left(const gb_reader *r) { return r->failed ? 0 : (size_t)(r->end - r->at); }

const uint8_t *gb_read_bytes(gb_reader *r, size_t n) {
    if (r->failed || (size_t)(r->end - r->at) < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

static uint64_t read_le(gb_reader *r, size_t n) {
    const uint8_t *p = gb_read_bytes(r, n);
    uint64_t v = 0;
    if (p == NULL) return 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    return v;
}

uint8_t gb_read_u8(gb_reader *r) { return (uint8_t)read_le(r, 1); }
uint16_t gb_read_u16(gb_reader *r) { return (uint16_t)read_le(r, 2); }
uint32_t gb_read_u32(gb_reader *r) { return (uint32_t)read_le(r, 4); }
uint64_t gb_read_u64(gb_reader *r) { return read_le(r, 8); }

double gb_read_f64(gb_reader *r) {
    uint64_t bits = read_le(r, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

void gb_buffer_release(gb_buffer *b) {
    gb_free(b->data);
    *b = (gb_buffer)GB_BUFFER_INIT;
}

uint8_t *gb_write_space(gb_buffer *b, size_t n) {
    if (b->status != GB_OK) return NULL;
    if (n > PTRDIFF_MAX - b->size) {
        b->status = GB_ERR_MEMORY;
        return NULL;
    }
    if (b->size + n > b->capacity || b->data == NULL) {
        size_t capacity = gb_max_size(gb_max_size(b->size + n, 2 * b->capacity), 256);
        uint8_t *data;
        b->status = gb_alloc(&data, NULL, capacity, 1);
        if (b->status != GB_OK) return NULL;
        if (b->size > 0) memcpy(data, b->data, b->size);
        gb_free(b->data);
        b->data = data;
        b->capacity = capacity;
    }
    uint8_t *space = b->data + b->size;
    b->size += n;
    return space;
}

void gb_write_bytes(gb_buffer *b, const void *p, size_t n) {
    uint8_t *space = gb_write_space(b, n);
    if (space != NULL && n > 0) memcpy(space, p, n);
}

static void write_le(gb_buffer *b, uint64_t v, size_t n) {
    uint8_t *space = gb_write_space(b, n);
    if (space == NULL) return;
    for (size_t i = 0; i < n; i++) space[i] = (uint8_t)(v >> 8 * i);
}

void gb_write_u8(gb_buffer *b, uint8_t v) { write_le(b, v, 1); }
void gb_write_u16(gb_buffer *b, uint16_t v) { write_le(b, v, 2); }
void gb_write_u32(gb_buffer *b, uint32_t v) { write_le(b, v, 4); }
void gb_write_u64(gb_buffer *b, uint64_t v) { write_le(b, v, 8); }

void gb_write_f64(gb_buffer *b, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    write_le(b, bits, 8);
}

void gb_hex(char *out, const void *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = 0;
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool gb_unhex(uint8_t *out, size_t n, const char *hex) {
    for (size_t i = 0; i < n; i++) {
        int high = digit_of(hex[2 * i]);
        if (high < 0) return false;
        int low = digit_of(hex[2 * i + 1]);
        if (low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return hex[2 * n] == 0;
}
