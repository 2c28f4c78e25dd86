/*
 * wide.h - loops for 256-bit registers (AVX2), where the processor has them.
 *
 * A loop is written once, ALWAYS_INLINE, and called from two functions, one of which is WIDE: there
 * the compiler uses the wider registers as it can. Any thread.
 */
#ifndef TDK_TAPE_WIDE_H
#define TDK_TAPE_WIDE_H

#include <stdbool.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#else
#define WIDE
#endif

extern bool wide_is_off; /* for tests; wide.c */

/* True: a WIDE function may be called. */
static inline bool wide_is_possible(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && !wide_is_off;
#else
    return false;
#endif
}

#endif
