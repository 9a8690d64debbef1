/* The options that go with the shipped sets; their primes are in core/params.c. */
#include "scheme/bootstrap/bootstrap.h"

gb_status gb_bootstrap_config_named(gb_bootstrap_config *out, gb_ctx *ctx, const char *set) {
    static const struct {
        const char *name;
        gb_bootstrap_config config;
    } sets[] = {
        {"deep-15",
         {.log_slots = 10,
          .to_coeff = 2,
          .to_slots = 2,
          .degree = 58,
          .doublings = 2,
          .ratio_bits = 12,
          .keys = GB_LINEAR_FEWEST}},
        {"deep-16", {.to_coeff = 3, .to_slots = 4, .degree = 58, .doublings = 2, .ratio_bits = 13}},
    };
    gb_bootstrap_config_defaults(out);
    for (size_t i = 0; i < GB_COUNT(sets); i++) {
        if (strcmp(sets[i].name, set) != 0) continue;
        const gb_bootstrap_config defaults = *out;
        *out = sets[i].config;
        out->size = defaults.size;
        out->scale_bits = defaults.scale_bits;
        out->iterations = defaults.iterations;
        out->refine_bits = defaults.refine_bits;
        return GB_OK;
    }
    return gb_fail(ctx, GB_ERR_NOT_FOUND, "parameter set \"%.40s\" is not made for bootstrapping", set);
}
