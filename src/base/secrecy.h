/* base/secrecy: marks of secret memory for the tools that check constant time. Secret memory is marked as undefined;
 * valgrind's memcheck, or clang's MemorySanitizer for what valgrind cannot run (AVX-512), then report every branch and
 * every address that depends on it. Nothing happens without either.
 *
 * Secrets are marked where they are born: by a check program (the root of a key, messages) and where the library draws
 * randomness. What may be known is unmarked where it becomes so: ciphertexts, public keys, the verdict of a check.
 *
 * The two tools differ in what they see. valgrind follows every instruction, also of libsodium and libm, with carries;
 * it knows no AVX-512. The sanitizer sees instrumented code only. It follows sums and products bit by bit, without
 * carries (the high half of a product of 64 bits looks public), and permutations of a vector as if every element stayed
 * where it was. So gb_secrecy_set says what follows from what where it cannot see: at calls of libsodium, after the
 * samplers, and for polynomials of which only some coefficients are marked. */
#ifndef GB_SECRECY_H
#define GB_SECRECY_H

#include "base/base.h"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define GB_SECRECY_SANITIZER
#endif
#endif

#if defined(GB_SECRECY_SANITIZER)
#include <sanitizer/msan_interface.h>
static inline void gb_declassify(const void *p, size_t n) { __msan_unpoison(p, n); }
static inline void gb_classify(const void *p, size_t n) { __msan_poison(p, n); }
/* Whether any of these bytes is marked; always false without the sanitizer. */
static inline bool gb_secrecy_of(const void *p, size_t n) { return n > 0 && __msan_test_shadow(p, n) >= 0; }
static inline void gb_secrecy_set(const void *p, size_t n, bool secret) {
    if (secret)
        gb_classify(p, n);
    else
        gb_declassify(p, n);
}
#else
#if defined(GB_HAVE_MEMCHECK)
#include <valgrind/memcheck.h>
static inline void gb_declassify(const void *p, size_t n) { (void)VALGRIND_MAKE_MEM_DEFINED(p, n); }
static inline void gb_classify(const void *p, size_t n) { (void)VALGRIND_MAKE_MEM_UNDEFINED(p, n); }
#else
static inline void gb_declassify(const void *p, size_t n) { (void)p, (void)n; }
static inline void gb_classify(const void *p, size_t n) { (void)p, (void)n; }
#endif
static inline bool gb_secrecy_of(const void *p, size_t n) { return (void)p, (void)n, false; }
static inline void gb_secrecy_set(const void *p, size_t n, bool secret) { (void)p, (void)n, (void)secret; }
#endif

#endif
