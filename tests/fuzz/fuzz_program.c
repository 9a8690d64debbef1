/* Programs: whatever decodes encodes to the same bytes again, and can be planned or is refused with a sentence. */
#include "program/program.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static gb_params *params;
    gb_ctx *ctx = fuzz_ctx();
    gb_program *p;
    gb_plan *plan;
    if (!params) FUZZ_CLAIM(gb_params_named(&params, ctx, gb_precision_params(GB_PRECISION_DEFAULT)) == GB_OK);
    if (gb_program_decode(&p, ctx, data, size) != GB_OK) {
        FUZZ_CLAIM(p == NULL && gb_ctx_error(ctx)[0] != 0);
        return 0;
    }
    gb_buffer again = GB_BUFFER_INIT;
    FUZZ_CLAIM(gb_program_encode(&again, ctx, p) == GB_OK);
    FUZZ_CLAIM(again.size == size && memcmp(again.data, data, size) == 0);
    gb_buffer_release(&again);
    if (gb_plan_new(&plan, ctx, p, params, GB_PRECISION_DEFAULT, 1) == GB_OK) {
        FUZZ_CLAIM(gb_plan_memory(plan) <= gb_ctx_memory(ctx));
        FUZZ_CLAIM(gb_bundle_check(ctx, gb_plan_output(plan, 0), params) == GB_OK);
        gb_plan_free(plan);
    } else {
        FUZZ_CLAIM(plan == NULL && gb_ctx_error(ctx)[0] != 0);
    }
    gb_program_free(p);
    return 0;
}
