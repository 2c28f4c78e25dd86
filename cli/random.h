/*
 * random.h - numbers that look random and are the same for a seed on every host.
 *
 * splitmix64 (Steele, Lea, Flood 2014): one word of state, no bad seeds, a nanosecond for each
 * number. Not for secrets. One owner.
 */
#ifndef TDK_CLI_RANDOM_H
#define TDK_CLI_RANDOM_H

#include <stdint.h>

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15) /* added to the state for each number */

struct random {
    uint64_t state; /* any value is a seed */
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += RANDOM_STEP;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Below `limit`, which is at most 2^32. Takes the top bits by multiplication; the bias is too small
 * to be seen here. */
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
    return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

#endif
