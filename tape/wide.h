/*
 * wide.h - loops for registers of 256 bits (AVX2), where there are some.
 *
 * A loop is written once, ALWAYS_INLINE, and called from two functions, of which one is WIDE: the
 * compiler makes what it can of the registers that it may use there. Any thread.
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

/* May a WIDE function be called? */
static inline bool wide_is_possible(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && !wide_is_off;
#else
    return false;
#endif
}

#endif
