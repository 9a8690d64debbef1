/* What fuzz targets share. A claim is checked in every build, NDEBUG or not. */
#ifndef GB_TESTS_FUZZ_H
#define GB_TESTS_FUZZ_H

#include "base/base.h"

#define FUZZ_CLAIM(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            __builtin_trap();                                                                                          \
        }                                                                                                              \
    } while (0)

/* One context for the whole run. */
static inline gb_ctx *fuzz_ctx(void) {
    static gb_ctx *ctx;
    if (!ctx) {
        gb_ctx_config config;
        gb_ctx_config_defaults(&config);
        config.threads = 1;
        FUZZ_CLAIM(gb_ctx_new(&ctx, &config) == GB_OK);
    }
    return ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
