/* What the checks of constant time share (base/secrecy.h says how they see): choosing the instruction set, controls
 * that prove that a leak is found, and the proof that marks arrive where the secrets do.
 *
 *   valgrind -q --error-exitcode=9 ct_secret ref      must end with 0; also avx2
 *   MSAN_OPTIONS=exitcode=9 ct_secret ifma            the same of a build with -fsanitize=memory; also ref and avx2
 *
 * Ends with 77 (skipped, and why) where this processor has no such instructions or where nothing watches. */
#ifndef GB_TEST_CT_H
#define GB_TEST_CT_H

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secrecy.h"
#include "scheme/secret/secret.h"

#define CT_FOUND 9 /* the status that both tools are told to end with */

static gb_ctx *ct_ctx;

static inline void ct_die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, gb_ctx_error(ct_ctx));
    _Exit(1);
}

static inline void ct_need(gb_status s, const char *what) {
    if (s != GB_OK) ct_die(what);
}

/* Is there a tool that watches? */
static inline bool ct_watched(void) {
#if defined(GB_SECRECY_SANITIZER)
    return true;
#elif defined(GB_HAVE_MEMCHECK)
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* Has any of these 8 bytes a mark? */
static inline bool ct_marked(const uint8_t *p) {
    uint64_t bits = 0;
#if defined(GB_SECRECY_SANITIZER)
    bits = gb_secrecy_of(p, 8);
#elif defined(GB_HAVE_MEMCHECK)
    (void)VALGRIND_GET_VBITS(p, &bits, 8);
#endif
    return bits != 0;
}

static inline void ct_words(const void *p, size_t n, bool secret, const char *what) {
    for (size_t i = 0; i < n; i += 8) {
        if (ct_marked((const uint8_t *)p + i) == secret) continue;
        fprintf(stderr, "%s: word %zu looks %s\n", what, i / 8, secret ? "public: the check sees nothing" : "secret");
        _Exit(1);
    }
}
/* Every word of 8 bytes has a mark: had the tool lost it on the way, there would be nothing to report. */
static inline void ct_secret_words(const void *p, size_t n, const char *what) { ct_words(p, n, true, what); }
static inline void ct_public(const void *p, size_t n, const char *what) { ct_words(p, n, false, what); }

/* ---- controls: each must be reported ---- */
typedef struct ct_leak {
    const char *what;
    void (*leak)(const uint64_t *secret, uint64_t *out);
} ct_leak;

static volatile uint64_t ct_seen;

static inline void ct_leak_branch(const uint64_t *secret, uint64_t *out) {
    (void)out;
    if (*(const volatile uint64_t *)secret > 100) ct_seen = 1;
}

static inline void ct_leak_address(const uint64_t *secret, uint64_t *out) {
    static volatile uint64_t table[256];
    (void)out;
    ct_seen = table[*(const volatile uint64_t *)secret & 255];
}

/* Through a transform and a product of the kernels under test. */
static inline void ct_leak_kernels(const uint64_t *secret, uint64_t *out) {
    gb_ring *r;
    uint64_t prime = gb_prime_below(UINT64_C(1) << 40, 2048);
    ct_need(gb_ring_new(&r, ct_ctx, 10, &prime, 1), "ring");
    memcpy(out, secret, 1024 * sizeof *out);
    gb_ring_forward(r, out, 0, 1);
    gb_ring_kernels(r)->mul(out, out, out, 1024, gb_ring_modulus(r, 0));
    gb_ring_inverse(r, out, 0, 1);
    ct_leak_branch(out + 1000, NULL);
}

/* Through what libsodium does and a sampler: one sample decides. */
static inline void ct_leak_sampler(const uint64_t *secret, uint64_t *out) {
    gb_seed seed, child;
    int8_t *small = (int8_t *)out;
    memcpy(&seed, secret, sizeof seed);
    gb_seed_derive(&child, &seed, "control", 0);
    gb_sample_ternary(small, 1024, &child, 0);
    if (((volatile int8_t *)small)[512] < 0) ct_seen = 1;
}

static inline void ct_leak_rounding(const uint64_t *secret, uint64_t *out) {
    volatile double v = (double)(int64_t) * (const volatile uint64_t *)secret * 1e-3;
    (void)out;
    if (v > 0.5) ct_seen = 1;
}

static inline void ct_control(const ct_leak *l) {
    uint64_t *secret, *out;
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) ct_die("fork");
    if (child == 0) {
        fclose(stderr); /* the report is expected */
        ct_need(gb_alloc_zero(&secret, ct_ctx, 1024, sizeof *secret), "control");
        ct_need(gb_alloc_zero(&out, ct_ctx, 1024, sizeof *out), "control");
        gb_classify(secret, 1024 * sizeof *secret);
        l->leak(secret, out);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child) ct_die("waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == CT_FOUND) return;
    fprintf(stderr, "control: %s was not reported (status %d): the check cannot fail\n", l->what, status);
    _Exit(1);
}

/* Every program's main: the context (one thread), the instruction set of the first argument, the controls, the check.
 */
static inline int ct_main(int argc, char **argv, void (*check)(void)) {
    static const ct_leak controls[] = {{"a branch", ct_leak_branch},
                                       {"an address", ct_leak_address},
                                       {"a branch on what kernels made", ct_leak_kernels},
                                       {"a branch on a sample", ct_leak_sampler},
                                       {"a branch on a rounded number", ct_leak_rounding}};
    const char *cpu = argc > 1 ? argv[1] : "ref";
    gb_ctx_config config;
    uint32_t wanted = gb_cpu_named(cpu);
    if (wanted == UINT32_MAX) {
        fprintf(stderr, "%s: instruction sets are ref, avx2, ifma\n", cpu);
        return 2;
    }
    gb_cpu_mask(wanted);
    if (gb_cpu_flags() != wanted || !ct_watched()) {
        printf("skipped: %s\n", ct_watched() ? "this processor, or valgrind, has not all of these instructions"
                                             : "neither valgrind nor the memory sanitizer watches");
        return 77;
    }
    gb_ctx_config_defaults(&config);
    config.threads = 1;
    if (gb_ctx_new(&ct_ctx, &config) != GB_OK) return 1;
    for (size_t i = 0; i < GB_COUNT(controls); i++) ct_control(&controls[i]);
    check();
    gb_ctx_free(ct_ctx);
    return 0;
}

#endif
