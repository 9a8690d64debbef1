/* What a circuit needs: its steps, its keys, and the table that explains it. */
#include "scheme/circuit/internal.h"

void gb_circuit_mark(bool *needed, const gb_circuit *c) {
    memset(needed, 0, c->count * sizeof *needed);
    for (size_t i = 0; i < c->outputs; i++) needed[c->output[i]] = true;
    for (size_t i = c->count; i-- > 0;)
        for (unsigned j = 0; needed[i] && j < c->step[i].args; j++) needed[c->step[i].arg[j]] = true;
}

static gb_status add_key(gb_circuit *c, uint64_t galois, unsigned limbs) {
    for (size_t i = 0; i < c->keys; i++)
        if (c->key[i].galois == galois) {
            if (c->key[i].limbs < limbs) c->key[i].limbs = limbs;
            return GB_OK;
        }
    if (c->keys == c->key_capacity) {
        gb_circuit_key *more;
        size_t capacity = c->keys ? 2 * c->keys : 8;
        GB_TRY(gb_alloc(&more, c->ctx, capacity, sizeof *more));
        if (c->keys) memcpy(more, c->key, c->keys * sizeof *more);
        gb_free(c->key);
        c->key = more, c->key_capacity = capacity;
    }
    c->key[c->keys++] = (gb_circuit_key){galois, limbs};
    return GB_OK;
}

static gb_status add_matrix(gb_circuit *c, const gb_circuit_step *s) {
    uint64_t *galois;
    size_t n = gb_ckks_linear_galois(NULL, 0, s->linear);
    GB_TRY(gb_alloc(&galois, c->ctx, n + 1, sizeof *galois));
    gb_status status = GB_OK;
    n = gb_ckks_linear_galois(galois, n, s->linear);
    for (size_t i = 0; i < n && status == GB_OK; i++) status = add_key(c, galois[i], c->step[s->arg[0]].info.limbs);
    gb_free(galois);
    return status;
}

gb_status gb_circuit_collect(gb_circuit *c) {
    bool *needed;
    gb_status status = GB_OK;
    GB_TRY(gb_alloc(&needed, c->ctx, c->count, sizeof *needed));
    gb_circuit_mark(needed, c);
    c->keys = 0;
    for (size_t i = 0; i < c->count && status == GB_OK; i++) {
        const gb_circuit_step *s = &c->step[i];
        if (needed[i] && s->key_limbs) status = add_key(c, s->galois ? s->galois : 1, s->key_limbs);
        if (needed[i] && s->linear && status == GB_OK) status = add_matrix(c, s);
    }
    gb_free(needed);
    return status;
}

size_t gb_circuit_keys(gb_circuit_key *out, size_t max, const gb_circuit *c) {
    for (size_t i = 0; out && i < c->keys && i < max; i++) out[i] = c->key[i];
    return c->keys;
}

void gb_circuit_explain(const gb_circuit *c, FILE *out) {
    (void)fprintf(out, "%5s %-24s %9s %5s %12s %12s %9s %9s %9s\n", "step", "operation", "of", "level", "low", "high",
                  "precision", "failure", "worst");
    for (size_t i = 0; i < c->count; i++) {
        const gb_circuit_step *s = &c->step[i];
        char of[24] = "";
        if (s->args == 1) (void)snprintf(of, sizeof of, "%u", s->arg[0]);
        if (s->args == 2) (void)snprintf(of, sizeof of, "%u, %u", s->arg[0], s->arg[1]);
        (void)fprintf(out, "%5zu %-24s %9s %5u %12.5g %12.5g %9.1f   2^%-6.0f   2^%-6.1f\n", i, s->info.op, of,
                      s->info.level, s->info.range.low, s->info.range.high, c->encoder ? s->info.precision : 0,
                      fmax(s->info.failure, -9999), s->info.sure.worst);
    }
    for (size_t i = 0; i < c->keys; i++)
        (void)fprintf(out, "key of Galois element %llu at %u primes\n", (unsigned long long)c->key[i].galois,
                      c->key[i].limbs);
}
