/* Three hospitals hold one key jointly: none of them, and nobody in between, can decrypt alone. They add up what each
 * has encrypted, and any two of them open the sum. Here all run in one program; what crosses between them is bytes.
 *   cc threshold.c $(pkg-config --cflags --libs glovebox) && ./a.out */
#define _POSIX_C_SOURCE 200809L
#include <glovebox/glovebox.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((status = (call)) != GB_OK) goto done;                                                                     \
    } while (0)
enum { HOSPITALS = 3, NEEDED = 2 };

/* What is asked goes to every holder that takes part, and its answer to who gathers. */
static gb_status ask(gb_session *s, gb_engine *engine, gb_holder *const *holder) {
    gb_status status = GB_OK;
    for (int i = 0; status == GB_OK && i < HOSPITALS; i++) {
        uint8_t *data;
        size_t size;
        if (!(gb_session_missing(s) >> i & 1)) continue;
        status = gb_holder_answer(&data, &size, engine, holder[i], s);
        if (status != GB_OK) break;
        status = gb_session_add(s, engine, data, size);
        gb_bytes_free(data);
    }
    return status;
}

/* Each deals its secret to all, itself too; over a sealed channel when they are far apart. */
static gb_status deal(gb_engine *engine, const gb_threshold *t, gb_holder *const *holder) {
    const size_t one = gb_threshold_deal_bytes(t);
    uint8_t *dealt = malloc(HOSPITALS * one);
    gb_status status = dealt ? GB_OK : GB_ERR_MEMORY;
    for (unsigned to = 0; status == GB_OK && to < HOSPITALS; to++) {
        for (unsigned i = 0; status == GB_OK && i < HOSPITALS; i++)
            status = gb_holder_deal(dealt + i * one, one, engine, holder[i], to);
        if (status == GB_OK) status = gb_holder_collect(holder[to], engine, dealt, HOSPITALS * one);
    }
    for (size_t i = 0; dealt && i < HOSPITALS * one; i++) ((volatile uint8_t *)dealt)[i] = 0;
    free(dealt);
    return status;
}

int main(void) {
    const int64_t patients[HOSPITALS] = {1203, 877, 2040};
    char folder[] = "/tmp/glovebox-example-XXXXXX", ledger[HOSPITALS][64] = {""};
    /* each draws 32 bytes, and all show a hash of theirs before anyone shows them; fixed here */
    uint8_t contributions[HOSPITALS * GB_CONTRIBUTION_BYTES] = {1, 2, 3};
    int64_t total = 0;
    gb_ctx *ctx = NULL;
    gb_engine *engine = NULL;
    gb_threshold *t = NULL;
    gb_holder *holder[HOSPITALS] = {NULL};
    gb_session *keys = NULL, *open = NULL;
    gb_keyset *key = NULL;
    gb_cipher *one = NULL, *sum = NULL;
    gb_program_shape program;
    gb_ctx_config config;
    gb_status status = GB_ERR_IO;
    if (!mkdtemp(folder)) goto done;
    gb_ctx_config_defaults(&config);
    TRY(gb_ctx_new(&ctx, &config));
    TRY(gb_engine_new(&engine, ctx, "exact-13", 0));
    TRY(gb_threshold_new(&t, engine, HOSPITALS, NEEDED, contributions));
    for (unsigned i = 0; i < HOSPITALS; i++) { /* each on its own machine, with its own ledger */
        snprintf(ledger[i], sizeof ledger[i], "%s/%u.ledger", folder, i);
        TRY(gb_holder_new(&holder[i], engine, t, i, ledger[i]));
    }
    TRY(deal(engine, t, holder));
    TRY(gb_session_public(&keys, engine, t, 0));
    TRY(ask(keys, engine, holder));
    TRY(gb_session_key(&key, engine, keys));

    /* everyone encrypts; who adds needs no key */
    TRY(gb_cipher_new(&one, engine));
    TRY(gb_cipher_new(&sum, engine));
    TRY(gb_bfv_encrypt_slots(sum, engine, key, &patients[0], 1));
    for (int i = 1; i < HOSPITALS; i++) {
        TRY(gb_bfv_encrypt_slots(one, engine, key, &patients[i], 1));
        TRY(gb_cipher_add(sum, engine, sum, one));
    }

    gb_program_shape_defaults(&program);
    program.terms = HOSPITALS;
    TRY(gb_session_decrypt(&open, engine, t, 1 | 4, sum, &program)); /* the first and the third */
    TRY(ask(open, engine, holder));
    TRY(gb_session_integers(&total, 1, engine, open));
    printf("%d hospitals, %" PRId64 " patients; %d of them opened the sum and nothing else\n", HOSPITALS, total,
           NEEDED);

done:
    if (status != GB_OK) fprintf(stderr, "threshold: %s\n", ctx ? gb_ctx_error(ctx) : gb_status_text(status));
    gb_cipher_free(sum);
    gb_cipher_free(one);
    gb_key_free_public(key);
    gb_session_free(open);
    gb_session_free(keys);
    for (int i = 0; i < HOSPITALS; i++) {
        gb_holder_free(holder[i]);
        if (ledger[i][0]) unlink(ledger[i]);
    }
    rmdir(folder);
    gb_threshold_free(t);
    gb_engine_free(engine);
    gb_ctx_free(ctx);
    return status != GB_OK || total != patients[0] + patients[1] + patients[2];
}
