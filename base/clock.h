/* clock.h - the two clocks, in ns. Wall time stamps ticks; intervals use the monotonic clock. */
#ifndef TDK_BASE_CLOCK_H
#define TDK_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

static inline uint64_t clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ns since 1970-01-01T00:00:00Z; may jump. */
static inline uint64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

/* ns since some moment; never goes back. */
static inline uint64_t clock_mono(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Call it once in each turn of a loop that watches something: it spares the core's other thread. */
static inline void clock_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
