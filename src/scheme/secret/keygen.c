/* scheme/secret/keygen: switching keys. Constant time in the secret: products, permutations and samplers have no
 * branch or address that depends on it. */
#include "scheme/secret/internal.h"

typedef struct keygen {
    const uint64_t *source, *target; /* secrets in NTT form, every limb of the key's ring */
    bool square;                     /* the source squared (relinearisation) */
    const uint32_t *turn;            /* permutation of the target, or NULL */
    gb_switch_key *key;
    gb_seed error;
    gb_secret_scratch *scratch;
    int8_t *small; /* [digits][N] */
} keygen;

/* Error of one digit: the same small polynomial for every limb. */
static void digit_error(void *user, size_t d, unsigned worker) {
    keygen *t = user;
    size_t n = gb_ring_n(gb_params_ring(t->key->params));
    (void)worker;
    gb_sample_error(t->small + d * n, n, &t->error, d);
}

/* P mod q_j */
static uint64_t special_product(const gb_params *p, const gb_modulus *m) {
    const gb_params_spec *spec = gb_params_get(p);
    uint64_t product = 1;
    for (size_t i = 0; i < spec->special_count; i++) product = gb_mod_mul(product, spec->special[i] % m->q, m);
    return product;
}

/* b = -(a t) + e + [limb in digit] P s', for one digit and limb. */
static void key_limb(void *user, size_t task, unsigned worker) {
    keygen *t = user;
    const gb_switch_key *key = t->key;
    const gb_ring *r = gb_params_ring(key->params);
    const gb_kernels *k = gb_ring_kernels(r);
    size_t n = gb_ring_n(r), width = key->limbs + gb_params_get(key->params)->special_count;
    unsigned d = (unsigned)(task / width), j = (unsigned)(task % width);
    size_t limb = j < key->limbs ? j : gb_params_get(key->params)->data_count + (j - key->limbs);
    const gb_modulus *m = gb_ring_modulus(r, limb);
    const uint64_t *source = t->source + limb * n, *target = t->target + limb * n;
    uint64_t *b = t->scratch[worker].words, *a = b + n, *temp = a + n;
    if (t->turn) {
        for (size_t i = 0; i < n; i++) temp[i] = target[t->turn[i]];
        target = temp;
    }
    gb_switch_key_get(a, key, d, 1, j);
    k->mul(b, a, target, n, m);
    k->lift8(temp, t->small + d * n, n, m);
    gb_ring_forward(r, temp, limb, 1);
    k->sub(b, temp, b, n, m);
    if (j < key->limbs && j / key->digit == d) {
        k->mul_scalar(temp, source, special_product(key->params, m), n, m);
        if (t->square)
            k->mul_add(b, temp, source, n, m);
        else
            k->add(b, b, temp, n, m);
    }
    gb_declassify(b, n * sizeof *b);
    gb_switch_key_put(t->key, d, 0, j, b);
}

/* The primes this key is really used with: data [0, limbs) and all special ones. */
static gb_status check_security(gb_ctx *ctx, const gb_params *p, unsigned limbs) {
    const gb_params_spec *spec = gb_params_get(p);
    size_t used[2 * GB_MAX_LIMBS], n = 0;
    for (unsigned j = 0; j < limbs && j < spec->data_count; j++) used[n++] = j;
    for (size_t i = 0; i < spec->special_count; i++) used[n++] = spec->data_count + i;
    return gb_security_check(ctx, gb_params_ring(p), used, n, spec);
}

static gb_status fill(keygen *t, gb_ctx *ctx, uint64_t galois) {
    const gb_params *p = t->key->params;
    size_t n = gb_ring_n(gb_params_ring(p)), width = t->key->limbs + gb_params_get(p)->special_count;
    uint32_t *turn = NULL;
    gb_status status = gb_secret_scratch_new(&t->scratch, ctx, n, 3);
    if (status == GB_OK) status = gb_alloc_secret(&t->small, ctx, t->key->digits, n);
    if (status == GB_OK && galois != 1) status = gb_alloc(&turn, ctx, n, sizeof *turn);
    if (status == GB_OK) {
        if (turn) gb_galois_permutation(turn, gb_ring_log_n(gb_params_ring(p)), gb_galois_inverse(p, galois));
        t->turn = turn;
        gb_parallel(ctx, t->key->digits, digit_error, t);
        gb_parallel(ctx, t->key->digits * width, key_limb, t);
    }
    gb_free(turn);
    gb_free_secret(t->small);
    gb_secret_scratch_free(t->scratch, ctx);
    return status;
}

gb_status gb_secret_key_seeded(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, const uint64_t *source,
                               const uint64_t *target, bool square, uint64_t galois, unsigned limbs, unsigned digit,
                               const gb_seed *seed, const gb_seed *error) {
    memset(out, 0, sizeof *out);
    keygen t = {.source = source, .target = target, .square = square, .key = out, .error = *error};
    if (!digit) digit = (unsigned)gb_params_get(p)->special_count;
    gb_status status = check_security(ctx, p, limbs);
    if (status == GB_OK) status = gb_switch_key_init(out, ctx, p, limbs, digit, galois, seed);
    if (status == GB_OK) {
        status = fill(&t, ctx, galois);
        if (status != GB_OK) gb_switch_key_release(out);
    }
    gb_wipe(&t.error, sizeof t.error);
    return status;
}

gb_status gb_secret_key_between(gb_switch_key *out, gb_ctx *ctx, const gb_params *p, const uint64_t *source,
                                const uint64_t *target, bool square, uint64_t galois, unsigned limbs, unsigned digit) {
    gb_seed seed, error;
    gb_random_bytes(seed.b, sizeof seed.b);
    gb_random_bytes(error.b, sizeof error.b);
    gb_classify(&error, sizeof error);
    gb_status status = gb_secret_key_seeded(out, ctx, p, source, target, square, galois, limbs, digit, &seed, &error);
    gb_wipe(&error, sizeof error);
    return status;
}

gb_status gb_secret_switch_key(gb_switch_key *out, gb_ctx *ctx, const gb_secret *s, uint64_t galois, unsigned limbs,
                               unsigned digit) {
    return gb_secret_key_between(out, ctx, s->params, s->s_hat, s->s_hat, galois == 1, galois, limbs, digit);
}

gb_status gb_secret_eval_keys(gb_eval_keys *keys, gb_ctx *ctx, const gb_secret *s, const uint64_t *galois, size_t count,
                              unsigned limbs, unsigned digit) {
    for (size_t i = 0; i < count; i++) {
        bool have = false;
        for (size_t j = 0; j < keys->count; j++)
            have = have || (keys->keys[j].galois == galois[i] && keys->keys[j].limbs >= limbs &&
                            keys->keys[j].digit == (digit ? digit : gb_params_get(s->params)->special_count));
        if (have) continue;
        gb_switch_key k;
        GB_TRY(gb_secret_switch_key(&k, ctx, s, galois[i], limbs, digit));
        gb_status status = gb_eval_keys_add(keys, ctx, &k);
        gb_switch_key_release(&k);
        GB_TRY(status);
    }
    return GB_OK;
}
