/* Tilt angles: an error and a sentence, or angles in range that survive being written as a .tlt and read again. */
#include <math.h>

#include "format/format.h"
#include "fuzz.h"

static void round_trip(gb_ctx *ctx, const gb_tilts *t) {
    gb_buffer text = GB_BUFFER_INIT;
    for (size_t i = 0; i < t->count; i++) {
        char line[40];
        gb_write_bytes(&text, line, (size_t)snprintf(line, sizeof line, "%.17g\n", t->angles[i]));
    }
    gb_tilts again;
    if (text.status == GB_OK) {
        FUZZ_CLAIM(gb_tilts_parse(&again, ctx, "again", (const char *)text.data, text.size, t->count) == GB_OK);
        for (size_t i = 0; i < t->count; i++)
            FUZZ_CLAIM(fabs(again.angles[i] - t->angles[i]) <= 1e-15 * fabs(t->angles[i]));
        gb_tilts_release(&again);
    }
    gb_buffer_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    gb_ctx *ctx = fuzz_ctx();
    gb_tilts t;
    gb_status s = gb_tilts_parse(&t, ctx, "input", (const char *)data, n, 0);
    if (s == GB_OK) {
        FUZZ_CLAIM(t.count > 0);
        for (size_t i = 0; i < t.count; i++) FUZZ_CLAIM(fabs(t.angles[i]) <= 180);
        FUZZ_CLAIM(!t.has_axis || fabs(t.axis) <= 360);
        FUZZ_CLAIM(t.pixel >= 0 && isfinite(t.pixel));
        round_trip(ctx, &t);
    } else {
        FUZZ_CLAIM(!t.angles && !t.count && gb_ctx_error(ctx)[0] && !strchr(gb_ctx_error(ctx), '\n'));
    }
    gb_tilts_release(&t);
    return 0;
}
