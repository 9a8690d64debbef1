/* What the tests of this folder share: a context, random numbers, phantoms, and bare readers of the test data (layer
 * format is not ours to include). */
#ifndef GB_TOMO_TEST_SUPPORT_H
#define GB_TOMO_TEST_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>

#include "workload/tomography/internal.h"

#include <cmocka.h> /* after stdarg.h and setjmp.h */

#define OK(expr) assert_int_equal((expr), GB_OK)

static inline gb_ctx *test_ctx(void) {
    gb_ctx_config config;
    gb_ctx *ctx = NULL;
    gb_ctx_config_defaults(&config);
    config.threads = 2;
    OK(gb_ctx_new(&ctx, &config));
    return ctx;
}

/* Memory or a failed test. */
static inline void *test_alloc(size_t count, size_t size) {
    void *p = NULL;
    OK(gb_alloc_zero(&p, NULL, count, size));
    return p;
}

/* splitmix64 as a number in [-1, 1). */
static inline double test_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
}

static inline float *test_images(size_t n, uint64_t seed) {
    float *p = test_alloc(n, sizeof *p);
    for (size_t i = 0; i < n; i++) p[i] = (float)test_random(&seed);
    return p;
}

static inline gb_tomo_config test_config(uint32_t nx, uint32_t ny, uint32_t nz, const double *tilts, size_t count) {
    gb_tomo_config c;
    gb_tomo_config_defaults(&c);
    c.nx = nx;
    c.ny = ny;
    c.nz = nz;
    c.tilts = tilts;
    c.tilt_count = count;
    return c;
}

/* Largest difference over the largest value of b. */
static inline double test_difference(const double *a, const double *b, size_t n) {
    double top = 0, diff = 0;
    for (size_t i = 0; i < n; i++) {
        top = fmax(top, fabs(b[i]));
        diff = fmax(diff, fabs(a[i] - b[i]));
    }
    return top > 0 ? diff / top : diff;
}

static inline double test_correlation(const double *a, const double *b, size_t n) {
    double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
    for (size_t i = 0; i < n; i++) {
        sa += a[i];
        sb += b[i];
        saa += a[i] * a[i];
        sbb += b[i] * b[i];
        sab += a[i] * b[i];
    }
    double m = (double)n;
    return (sab - sa * sb / m) / sqrt((saa - sa * sa / m) * (sbb - sb * sb / m));
}

/* A whole file of the shared test data; NULL where it is absent. *out is for gb_free. */
static inline uint8_t *test_data(size_t *n, const char *folder, const char *name) {
    const char *root = getenv("GLOVEBOX_SHARED");
    char path[4096];
    uint8_t *data = NULL;
    snprintf(path, sizeof path, "%s/data/tomography/%s/%s", root ? root : "../shared", folder, name);
    if (gb_file_read(&data, n, NULL, path, (size_t)64 << 20) != GB_OK) {
        print_message("skipped: no %s (set GLOVEBOX_SHARED to the folder of test data)\n", path);
        return NULL;
    }
    return data;
}

static inline double test_half(uint16_t h) {
    int e = h >> 10 & 31, m = h & 1023;
    double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return h & 0x8000 ? -v : v;
}

/* Little-endian MRC of mode 2, 6 or 12 as float. Gives the sizes; NULL where the file is absent. */
static inline float *test_mrc(uint32_t size[3], const char *folder, const char *name) {
    size_t n;
    uint8_t *data = test_data(&n, folder, name);
    if (!data) return NULL;
    uint32_t head[24];
    assert_true(n >= 1024);
    memcpy(head, data, sizeof head);
    size_t count = (size_t)head[0] * head[1] * head[2], bytes = head[3] == 2 ? 4 : 2;
    assert_true(n >= 1024 + head[23] + count * bytes);
    const uint8_t *p = data + 1024 + head[23];
    float *out = test_alloc(count, sizeof *out);
    for (size_t i = 0; i < count; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, 2);
        if (head[3] == 2)
            memcpy(out + i, p + 4 * i, 4);
        else
            out[i] = head[3] == 6 ? (float)h : (float)test_half(h);
    }
    memcpy(size, head, 3 * sizeof *size);
    gb_free(data);
    return out;
}

/* One number a line. */
static inline bool test_tilts(double *tilts, size_t count, const char *folder, const char *name) {
    size_t n;
    uint8_t *data = test_data(&n, folder, name);
    if (!data) return false;
    char *text = test_alloc(n + 1, 1), *at = text;
    memcpy(text, data, n);
    for (size_t i = 0; i < count; i++) tilts[i] = strtod(at, &at);
    gb_free(text);
    gb_free(data);
    return true;
}

#endif
