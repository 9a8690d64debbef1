/* The options that go with the shipped sets; their primes are in core/params.c. */
#include "scheme/bootstrap/bootstrap.h"

gb_status gb_bootstrap_config_named(gb_bootstrap_config *out, gb_ctx *ctx, const char *set) {
    static const struct {
        const char *name;
        gb_bootstrap_config config;
    } sets[] = {
        {"deep-15", {.log_slots = 10, .to_coeff = 2, .to_slots = 2, .ratio_bits = 12, .keys = GB_LINEAR_FEWEST}},
        {"deep-16", {.to_coeff = 3, .to_slots = 4, .ratio_bits = 12.5}},
        {"deep-16-fast", {.to_coeff = 3, .to_slots = 4, .ratio_bits = 12}},
        {"deep-16-precise", {.to_coeff = 3, .to_slots = 4, .ratio_bits = 12, .scale_bits = 47, .iterations = 2}},
    };
    gb_bootstrap_config_defaults(out);
    for (size_t i = 0; i < GB_COUNT(sets); i++) {
        const gb_bootstrap_config *c = &sets[i].config;
        if (strcmp(sets[i].name, set) != 0) continue;
        out->log_slots = c->log_slots;
        out->to_coeff = c->to_coeff;
        out->to_slots = c->to_slots;
        out->ratio_bits = c->ratio_bits;
        out->keys = c->keys;
        if (c->scale_bits) out->scale_bits = c->scale_bits;
        if (c->iterations) out->iterations = c->iterations;
        return GB_OK;
    }
    return gb_fail(ctx, GB_ERR_NOT_FOUND, "parameter set \"%.40s\" is not made for bootstrapping", set);
}
