/* The dot product of two encrypted vectors of integers, exactly; computed by a side that has only bytes it was sent:
 * ciphertexts and evaluation keys.
 *   cc dot-product.c $(pkg-config --cflags --libs glovebox) && ./a.out */
#include <glovebox/glovebox.h>
#include <inttypes.h>
#include <stdio.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((status = (call)) != GB_OK) goto done;                                                                     \
    } while (0)
enum { COUNT = 16 };

typedef struct message {
    uint8_t *data;
    size_t size;
} message;

/* The side that computes. It has an engine of its own and no secret. */
static gb_status compute(message *answer, gb_ctx *ctx, const message *keys, const message *x, const message *y) {
    gb_engine *engine = NULL;
    gb_evalkeys *k = NULL;
    gb_cipher *a = NULL, *b = NULL;
    gb_status status;
    TRY(gb_engine_new(&engine, ctx, "exact-13", 0));
    TRY(gb_evalkeys_decode(&k, engine, keys->data, keys->size));
    TRY(gb_cipher_new(&a, engine));
    TRY(gb_cipher_new(&b, engine));
    TRY(gb_cipher_decode(a, engine, x->data, x->size));
    TRY(gb_cipher_decode(b, engine, y->data, y->size));
    TRY(gb_cipher_mul(a, engine, a, b, k));
    TRY(gb_cipher_sum(a, engine, a, COUNT, k)); /* slot 0: slots 0 .. 15 */
    TRY(gb_cipher_encode(&answer->data, &answer->size, engine, a));
done:
    gb_cipher_free(b);
    gb_cipher_free(a);
    gb_evalkeys_free(k);
    gb_engine_free(engine);
    return status;
}

int main(void) {
    int64_t x[COUNT], y[COUNT], want = 0, got = 0;
    message keys = {0}, first = {0}, second = {0}, answer = {0};
    gb_ctx *ctx = NULL;
    gb_engine *engine = NULL;
    gb_secret *secret = NULL;
    gb_keyset *key = NULL;
    gb_evalkeys *k = NULL;
    gb_cipher *c = NULL;
    gb_ctx_config config;
    gb_status status;
    for (int i = 0; i < COUNT; i++) {
        x[i] = 7 * i - 20;
        y[i] = 100 - i * i;
        want += x[i] * y[i];
    }
    gb_ctx_config_defaults(&config);
    TRY(gb_ctx_new(&ctx, &config));
    TRY(gb_engine_new(&engine, ctx, "exact-13", 0));
    TRY(gb_key_new(&secret, &key, engine));
    TRY(gb_evalkeys_new(&k, engine));
    TRY(gb_evalkeys_multiply(k, engine, secret));
    TRY(gb_evalkeys_sum(k, engine, secret, COUNT));
    TRY(gb_evalkeys_encode(&keys.data, &keys.size, engine, k));
    TRY(gb_cipher_new(&c, engine));
    TRY(gb_bfv_encrypt_slots(c, engine, key, x, COUNT));
    TRY(gb_cipher_encode(&first.data, &first.size, engine, c));
    TRY(gb_bfv_encrypt_slots(c, engine, key, y, COUNT));
    TRY(gb_cipher_encode(&second.data, &second.size, engine, c));

    TRY(compute(&answer, ctx, &keys, &first, &second));

    TRY(gb_cipher_decode(c, engine, answer.data, answer.size));
    TRY(gb_bfv_decrypt_slots(&got, 1, engine, secret, c));
    printf("encrypted %" PRId64 ", in the clear %" PRId64 "\n", got, want);
    printf("sent: keys %zu bytes, each vector %zu bytes\n", keys.size, first.size);

done:
    if (status != GB_OK) fprintf(stderr, "dot-product: %s\n", ctx ? gb_ctx_error(ctx) : gb_status_text(status));
    gb_bytes_free(answer.data);
    gb_bytes_free(second.data);
    gb_bytes_free(first.data);
    gb_bytes_free(keys.data);
    gb_cipher_free(c);
    gb_evalkeys_free(k);
    gb_key_free_public(key);
    gb_key_free(secret);
    gb_engine_free(engine);
    gb_ctx_free(ctx);
    return status != GB_OK || got != want;
}
