/*
 * linger.h - how long a consumer that has caught up waits before it looks for more.
 *
 * Each look takes two cache lines away from the producer: the one with `produced`, and the one in
 * which the last frame ends. Behind a feed that goes as fast as it can, a short wait pays: more
 * frames come together, and they come sooner. Behind a feed that goes at its own pace, a wait only
 * makes frames late. Which of the two it is, and which wait pays, depends on where the two
 * processors are, and no program can know that beforehand. So it is tried: now and then one round
 * goes with longer or shorter waits. Longer waits are kept if they brought at least an eighth more
 * bytes in the same time, shorter ones if they brought hardly less (by under a sixteenth).
 */
#ifndef TDK_SHM_LINGER_H
#define TDK_SHM_LINGER_H

#include <stdbool.h>
#include <stdint.h>

enum linger_round { LINGER_KEPT, LINGER_SHORTER, LINGER_LONGER };

struct linger {
    uint64_t since_ns, from; /* when the round began, and at which byte of the ring */
    uint64_t rate;           /* bytes per ms of the last round with the waits that are kept */
    enum linger_round round; /* what this round tries */
    uint32_t kept;           /* one pause for each 2^kept bytes: a lower number is a longer wait */
    uint32_t step;           /* longer waits are tried with 2^(kept - step) */
    uint32_t left;           /* rounds until something is tried again */
    uint32_t patience;       /* rounds between two tries: more of them while tries are in vain */
    bool try_longer;         /* what the next try is; longer and shorter take turns */
};

/* Begin with the shortest waits. Returns their power of 2. */
uint32_t linger_begin(struct linger *linger);

/* A round is over, and brought `rate` bytes per ms. Returns the power of 2 for the next one. */
uint32_t linger_next(struct linger *linger, uint64_t rate);

/* A round is over that says nothing, because little came or this process did not run all the time.
 * What was found out before grows old. Returns the power of 2 for the next round. */
uint32_t linger_skip(struct linger *linger);

#endif
