/*
 * linger.h - how long a consumer that has caught up waits before it looks for more.
 *
 * Each look takes the line of `produced`, and the one that the last frame ends in, away from the
 * producer. Behind a feed that goes as fast as it can a wait is worth it: more comes together, and
 * sooner. Behind one that goes at its own pace whatever comes only comes later. Which of the two it
 * is, and how long a wait is worth it, depends on where the two processors are, which no program
 * can know beforehand. So it is tried: now and then a round goes with longer or shorter waits than
 * the others; longer ones are kept where an eighth more came in the same time, shorter ones where
 * not a sixteenth less did.
 */
#ifndef TDK_SHM_LINGER_H
#define TDK_SHM_LINGER_H

#include <stdbool.h>
#include <stdint.h>

enum linger_round { LINGER_KEPT, LINGER_SHORTER, LINGER_LONGER };

struct linger {
    uint64_t since_ns, from; /* when the round began, and at which byte of the ring */
    uint64_t rate;           /* bytes a ms of the last round with the waits that are kept */
    enum linger_round round; /* what is tried in this one */
    uint32_t kept;           /* a pause for 2 to the power of this bytes */
    uint32_t step;           /* of longer waits: by how much less than that */
    uint32_t left;           /* rounds until something is tried */
    uint32_t patience;       /* rounds between two tries: more while they are in vain */
    bool try_longer;         /* the next time; they take turns */
};

/* Shortest waits. Returns their power. */
uint32_t linger_begin(struct linger *linger);

/* A round is over in which so many bytes a ms came: the power for the next one. */
uint32_t linger_next(struct linger *linger, uint64_t rate);

/* A round in which little came, or the processor was somebody else's: it says nothing, and what was
 * found out grows old. */
uint32_t linger_skip(struct linger *linger);

#endif
