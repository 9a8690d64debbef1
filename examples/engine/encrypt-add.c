/* Two vectors are encrypted, added as ciphertexts, and the sum is decrypted.
 *   cc encrypt-add.c $(pkg-config --cflags --libs glovebox) -lm && ./a.out */
#include <glovebox/glovebox.h>
#include <math.h>
#include <stdio.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((status = (call)) != GB_OK) goto done;                                                                     \
    } while (0)

int main(void) {
    const double x[4] = {1.5, -2, 0.25, 1000}, y[4] = {0.5, 2, 0.5, -1};
    double sum[4], worst = 0;
    gb_ctx *ctx = NULL;
    gb_engine *engine = NULL;
    gb_secret *secret = NULL;
    gb_keyset *key = NULL;
    gb_cipher *a = NULL, *b = NULL;
    gb_ctx_config config;
    gb_status status;
    gb_ctx_config_defaults(&config);
    TRY(gb_ctx_new(&ctx, &config));
    TRY(gb_engine_new(&engine, ctx, "leveled-13", 0));

    /* the owner of the data */
    TRY(gb_key_new(&secret, &key, engine));
    TRY(gb_cipher_new(&a, engine));
    TRY(gb_cipher_new(&b, engine));
    TRY(gb_ckks_encrypt_slots(a, engine, key, x, NULL, 4));
    TRY(gb_ckks_encrypt_slots(b, engine, key, y, NULL, 4));

    /* whoever computes: no key is needed to add */
    TRY(gb_cipher_add(a, engine, a, b));

    /* the owner again */
    TRY(gb_ckks_decrypt_slots(sum, NULL, 4, engine, secret, a));
    for (int i = 0; i < 4; i++) {
        printf("%g + %g = %.6f\n", x[i], y[i], sum[i]);
        worst = fmax(worst, fabs(sum[i] - (x[i] + y[i])));
    }
    printf("largest error %.1e\n", worst);

done:
    if (status != GB_OK) fprintf(stderr, "encrypt-add: %s\n", ctx ? gb_ctx_error(ctx) : gb_status_text(status));
    gb_cipher_free(b);
    gb_cipher_free(a);
    gb_key_free_public(key);
    gb_key_free(secret);
    gb_engine_free(engine);
    gb_ctx_free(ctx);
    return status != GB_OK || worst > 1e-4;
}
