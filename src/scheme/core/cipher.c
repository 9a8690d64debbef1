/* Ciphertexts: memory, coefficient-wise operations. */
#include "scheme/core/cipher.h"

gb_status gb_ct_init(gb_ct *out, gb_ctx *ctx, const gb_params *p, unsigned parts, unsigned limbs) {
    memset(out, 0, sizeof(*out));
    size_t n = gb_ring_n(gb_params_ring(p)), most = gb_params_get(p)->data_count;
    if (parts < 2 || parts > 3 || limbs < 1 || limbs > most)
        return gb_fail(ctx, GB_ERR_ARGUMENT, "a ciphertext has 2 or 3 parts and 1 to %zu limbs, not %u and %u", most,
                       parts, limbs);
    GB_TRY(gb_alloc_zero(&out->data, ctx, (size_t)parts * limbs * n, sizeof(uint64_t)));
    out->params = p;
    out->room = out->parts = parts;
    out->limbs = out->capacity = limbs;
    out->ntt = true;
    out->scale = 1;
    return GB_OK;
}

void gb_ct_release(gb_ct *c) {
    gb_free(c->data);
    memset(c, 0, sizeof(*c));
}

gb_status gb_ct_shape_like(gb_ct *out, gb_ctx *ctx, const gb_ct *in) {
    if (!out->data || !gb_params_same(out->params, in->params) || out->capacity < in->limbs || out->room < in->parts)
        return gb_fail(ctx, GB_ERR_LEVEL, "the output has room for %u parts of %u limbs, %u of %u are needed",
                       out->room, out->capacity, in->parts, in->limbs);
    out->parts = in->parts;
    out->limbs = in->limbs;
    out->ntt = in->ntt;
    out->scale = in->scale;
    return GB_OK;
}

gb_status gb_ct_copy(gb_ct *out, gb_ctx *ctx, const gb_ct *in) {
    if (out == in) return GB_OK;
    GB_TRY(gb_ct_shape_like(out, ctx, in));
    size_t bytes = gb_ring_n(gb_params_ring(in->params)) * sizeof(uint64_t);
    for (unsigned p = 0; p < in->parts; p++) memcpy(gb_ct_limb(out, p, 0), gb_ct_limb(in, p, 0), bytes * in->limbs);
    return GB_OK;
}

gb_status gb_ct_drop(gb_ctx *ctx, gb_ct *c, unsigned limbs) {
    if (limbs < 1 || limbs > c->limbs)
        return gb_fail(ctx, GB_ERR_LEVEL, "cannot drop to %u limbs from %u", limbs, c->limbs);
    c->limbs = limbs;
    return GB_OK;
}

gb_status gb_ct_shape(gb_ct *out, gb_ctx *ctx, unsigned limbs, double scale) {
    if (out->room < 2 || limbs < 1 || limbs > out->capacity)
        return gb_fail(ctx, GB_ERR_LEVEL, "the output has room for %u parts of %u limbs, 2 of %u are needed", out->room,
                       out->capacity, limbs);
    out->parts = 2;
    out->limbs = limbs;
    out->ntt = true;
    out->scale = scale;
    return GB_OK;
}
