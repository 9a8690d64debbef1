/* More steps than the parameters have levels: an iteration on encrypted numbers, x <- 1/2 - x^2, one level a step. When
 * none is left, bootstrapping gives them back.
 *   cc bootstrapping.c $(pkg-config --cflags --libs glovebox) -lm && ./a.out */
#include <glovebox/glovebox.h>
#include <math.h>
#include <stdio.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((status = (call)) != GB_OK) goto done;                                                                     \
    } while (0)
enum { COUNT = 8, STEPS = 5 };

int main(void) {
    double x[COUNT], got[COUNT], worst = 0;
    int refreshed = 0;
    gb_ctx *ctx = NULL;
    gb_engine *engine = NULL;
    gb_secret *secret = NULL;
    gb_keyset *key = NULL;
    gb_evalkeys *keys = NULL;
    gb_cipher *c = NULL;
    gb_bootstrap_info info;
    gb_ctx_config config;
    gb_status status;
    for (int i = 0; i < COUNT; i++) x[i] = sin(i);
    gb_ctx_config_defaults(&config);
    TRY(gb_ctx_new(&ctx, &config));
    TRY(gb_engine_new(&engine, ctx, "deep-15", 0));
    TRY(gb_engine_bootstrap_info(&info, engine));
    printf("keys: %.0f MB in memory, %.0f MB sent\n", (double)info.key_bytes / 1e6, (double)info.key_on_wire / 1e6);

    /* the owner of the data */
    TRY(gb_key_new(&secret, &key, engine));
    TRY(gb_evalkeys_new(&keys, engine));
    TRY(gb_evalkeys_multiply(keys, engine, secret));
    TRY(gb_evalkeys_bootstrap(keys, engine, secret));
    TRY(gb_cipher_new(&c, engine));
    TRY(gb_ckks_encrypt_slots(c, engine, key, x, NULL, COUNT));

    /* whoever computes */
    for (int step = 0; step < STEPS; step++) {
        if (gb_cipher_level(engine, c) == 0) {
            TRY(gb_cipher_bootstrap(c, engine, c, keys));
            refreshed++;
        }
        TRY(gb_cipher_square(c, engine, c, keys));
        TRY(gb_cipher_neg(c, engine, c));
        TRY(gb_ckks_add_number(c, engine, c, 0.5));
    }

    /* the owner again */
    TRY(gb_ckks_decrypt_slots(got, NULL, COUNT, engine, secret, c));
    for (int i = 0; i < COUNT; i++) {
        for (int step = 0; step < STEPS; step++) x[i] = 0.5 - x[i] * x[i];
        worst = fmax(worst, fabs(got[i] - x[i]));
    }
    printf("%d steps, bootstrapped %d times; largest error %.1e\n", STEPS, refreshed, worst);

done:
    if (status != GB_OK) fprintf(stderr, "bootstrapping: %s\n", ctx ? gb_ctx_error(ctx) : gb_status_text(status));
    gb_cipher_free(c);
    gb_evalkeys_free(keys);
    gb_key_free_public(key);
    gb_key_free(secret);
    gb_engine_free(engine);
    gb_ctx_free(ctx);
    return status != GB_OK || worst > 1e-3 || refreshed < 1;
}
