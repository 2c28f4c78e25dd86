/* dice.h - random numbers that are the same for the same seed. */
#ifndef TDK_TESTS_DICE_H
#define TDK_TESTS_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state; /* the seed, before the first number */
};

/* splitmix64. */
static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t x = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* From 0 to sides - 1. */
static inline uint32_t dice_roll(struct dice *dice, uint32_t sides)
{
    return (uint32_t)(dice_next(dice) % sides);
}

static inline bool dice_one_in(struct dice *dice, uint32_t sides)
{
    return sides != 0 && dice_roll(dice, sides) == 0;
}

#endif
