/* A public matrix times an encrypted vector, then a logistic function of each entry: one layer of a network.
 *   cc matrix-vector.c $(pkg-config --cflags --libs glovebox) -lm && ./a.out */
#include <glovebox/glovebox.h>
#include <math.h>
#include <stdio.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((status = (call)) != GB_OK) goto done;                                                                     \
    } while (0)
enum { SIZE = 64 };

int main(void) {
    static double m[SIZE * SIZE];
    double x[SIZE], want[SIZE] = {0}, got[SIZE], worst = 0;
    gb_ctx *ctx = NULL;
    gb_engine *engine = NULL;
    gb_secret *secret = NULL;
    gb_keyset *key = NULL;
    gb_evalkeys *keys = NULL;
    gb_matrix *matrix = NULL;
    gb_function *logistic = NULL;
    gb_cipher *c = NULL;
    gb_ctx_config config;
    gb_status status;
    for (int i = 0; i < SIZE; i++) x[i] = sin(i);
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            m[i * SIZE + j] = cos(0.3 * i * j) / 8;
            want[i] += m[i * SIZE + j] * x[j];
        }
    gb_ctx_config_defaults(&config);
    TRY(gb_ctx_new(&ctx, &config));
    TRY(gb_engine_new(&engine, ctx, "leveled-14", 0));
    TRY(gb_key_new(&secret, &key, engine));
    TRY(gb_matrix_new(&matrix, engine, m, SIZE, 7, 0));
    TRY(gb_function_new(&logistic, ctx, GB_FUNCTION_SIGMOID, -8, 8, 1e-3));
    TRY(gb_evalkeys_new(&keys, engine));
    TRY(gb_evalkeys_multiply(keys, engine, secret));
    TRY(gb_evalkeys_matrix(keys, engine, secret, matrix));
    TRY(gb_cipher_new(&c, engine));
    TRY(gb_ckks_encrypt_slots(c, engine, key, x, NULL, SIZE));

    TRY(gb_matrix_apply(c, engine, matrix, c, keys));     /* level 7 to 6 */
    TRY(gb_function_apply(c, engine, logistic, c, keys)); /* 6 levels: degree 31 on [-8, 8] */

    TRY(gb_ckks_decrypt_slots(got, NULL, SIZE, engine, secret, c));
    for (int i = 0; i < SIZE; i++) worst = fmax(worst, fabs(got[i] - 1 / (1 + exp(-want[i]))));
    printf("levels left %u, largest error %.1e\n", gb_cipher_level(engine, c), worst);

done:
    if (status != GB_OK) fprintf(stderr, "matrix-vector: %s\n", ctx ? gb_ctx_error(ctx) : gb_status_text(status));
    gb_cipher_free(c);
    gb_function_free(logistic);
    gb_matrix_free(matrix);
    gb_evalkeys_free(keys);
    gb_key_free_public(key);
    gb_key_free(secret);
    gb_engine_free(engine);
    gb_ctx_free(ctx);
    return status != GB_OK || worst > 1e-3;
}
