/* kernel/x86/inline: how the vector helpers are inlined. Under UBSan clang 14 needs most of a minute for one file of
 * fully unrolled butterflies, so there they go without its checks (they hold unsigned and vector arithmetic only);
 * AddressSanitizer sees them, and tests/check puts guards around their arrays. */
#ifndef GB_KERNEL_X86_INLINE_H
#define GB_KERNEL_X86_INLINE_H

#if defined(__clang__)
#define GB_INLINE static inline __attribute__((always_inline, no_sanitize("undefined")))
#else
#define GB_INLINE static inline __attribute__((always_inline))
#endif

#endif
