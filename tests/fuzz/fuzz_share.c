/* Shares of joint keys: whatever decodes encodes to the same bytes again, and every row is modulo a prime of the ring.
 * A set with special primes and one without. */
#include "scheme/multiparty/multiparty.h"

#include "fuzz.h"

static void one(gb_ctx *ctx, const gb_params *p, const uint8_t *data, size_t size) {
    const gb_ring *r = gb_params_ring(p);
    gb_share s;
    if (gb_share_decode(&s, ctx, p, data, size) != GB_OK) {
        FUZZ_CLAIM(s.data == NULL && gb_ctx_error(ctx)[0] != 0);
        return;
    }
    FUZZ_CLAIM(gb_share_bytes(&s) == size && s.party < GB_JOINT_MAX_PARTIES);
    for (size_t i = 0; i < gb_share_rows(&s); i++) {
        FUZZ_CLAIM(gb_share_row_limb(&s, i) < gb_ring_limbs(r));
        FUZZ_CLAIM(gb_share_row(&s, i)[gb_ring_n(r) - 1] < gb_ring_modulus(r, gb_share_row_limb(&s, i))->q);
    }
    uint8_t *again;
    FUZZ_CLAIM(gb_alloc(&again, ctx, size, 1) == GB_OK);
    gb_share_write(again, &s);
    FUZZ_CLAIM(memcmp(again, data, size) == 0);
    gb_free(again);
    gb_buffer b = GB_BUFFER_INIT;
    FUZZ_CLAIM((gb_share_encode(&b, ctx, &s) == GB_OK) == (s.kind != GB_SHARE_DEAL));
    gb_buffer_release(&b);
    gb_share_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static gb_params *small, *leveled;
    gb_ctx *ctx = fuzz_ctx();
    if (!small) {
        FUZZ_CLAIM(gb_params_named(&small, ctx, "tiny-linear") == GB_OK);
        FUZZ_CLAIM(gb_params_named(&leveled, ctx, "leveled-13") == GB_OK);
    }
    one(ctx, small, data, size);
    one(ctx, leveled, data, size);
    return 0;
}
