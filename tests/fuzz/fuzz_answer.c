/* What holders of a joint key send: answers to sessions, and what is dealt, of the set exact-12. What is taken is
 * counted once, and completes nothing by itself; what is refused changes nothing. */
#include "glovebox/threshold.h"

#include "fuzz.h"

static void add(gb_engine *e, gb_session *s, const uint8_t *data, size_t size) {
    const uint64_t before = gb_session_missing(s);
    const gb_status status = gb_session_add(s, e, data, size);
    const uint64_t after = gb_session_missing(s);
    if (status != GB_OK) {
        FUZZ_CLAIM(before == after && gb_ctx_error(fuzz_ctx())[0] != 0);
        return;
    }
    gb_keyset *key;
    FUZZ_CLAIM((before & after) == after && __builtin_popcountll(before ^ after) == 1 && after != 0);
    FUZZ_CLAIM(gb_session_add(s, e, data, size) == GB_ERR_EXISTS);
    FUZZ_CLAIM(gb_session_key(&key, e, s) != GB_OK && key == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t contributions[3 * GB_CONTRIBUTION_BYTES] = {1, 2, 3};
    static gb_engine *e;
    static gb_threshold *t;
    if (!e) {
        FUZZ_CLAIM(gb_engine_new(&e, fuzz_ctx(), "exact-12", 0) == GB_OK);
        FUZZ_CLAIM(gb_threshold_new(&t, e, 3, 2, contributions) == GB_OK);
    }
    gb_session *s;
    FUZZ_CLAIM(gb_session_public(&s, e, t, 5) == GB_OK);
    add(e, s, data, size);
    gb_session_free(s);
    FUZZ_CLAIM(gb_session_multiply(&s, e, t, 5) == GB_OK);
    add(e, s, data, size);
    gb_session_free(s);
    return 0;
}
