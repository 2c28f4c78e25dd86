/*
 * lane.h - one ring that a play goes into, and how long to wait for its consumer.
 *
 * A play drops nothing: when the ring is full, the lane waits. Only a consumer that takes nothing
 * at all for too long ends the play. A lane belongs to its player's thread.
 */
#ifndef TDK_REPLAYER_LANE_H
#define TDK_REPLAYER_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/digest.h"
#include "tapedeck/err.h"
#include "tapedeck/ring.h"
#include "tapedeck/tick.h"

struct lane {
    struct tdk_ring *ring;
    char name[TDK_NAME_MAX + 1];
    uint32_t payload_max;      /* the ring's */
    size_t piece_max;          /* bytes that are copied and published at a time */
    uint64_t ticks, lost;      /* ticks of the range that were put in; losses that were told */
    uint64_t put;              /* ticks that were put in, including the prologue's */
    struct tdk_digest *digest; /* of the ticks that were put in; NULL: nobody asked for it */
};

/* How long to wait for room in a ring. */
struct lane_patience {
    uint64_t stall_ns;              /* TDK_ESTALLED if the consumer takes nothing for so long */
    bool (*stopped)(void *context); /* asked fifty times a second; true: -ECANCELED */
    void *context;
    uint64_t stalls, waited_ns; /* how often and how long it has waited */
};

/* Attach as the ring's producer; with create_size, create the ring if it does not exist. TDK_EBUSY:
 * it has a producer, or it is being recorded (recorded.h). A lane that failed to open may be
 * closed, and so may a zeroed one. */
int lane_open(struct lane *lane, const char *name, uint64_t create_size, bool digest,
              struct tdk_err *err);
void lane_close(struct lane *lane);

/* Touch the next `size` bytes of the ring's memory, so that no frame is the first to do it: see
 * tdk_ring_warm(). True: there is more to touch. */
bool lane_warm(struct lane *lane, size_t size);

/* Room for `bytes` of whole frames if it is there now, else NULL. */
void *lane_try(struct lane *lane, size_t bytes);

/* Wait for room for `bytes` of whole frames, heads included: at most lane->piece_max, unless it is
 * a single frame. Nobody sees what is put there before lane_publish(). TDK_EFULL: the ring can
 * never hold that frame. */
int lane_claim(struct lane *lane, size_t bytes, void **room, struct lane_patience *patience,
               struct tdk_err *err);

/* Copy whole frames into room that was claimed. */
void lane_copy(struct lane *lane, void *room, const void *frames, size_t bytes);

/* TDK_EHOSTILE: another process broke the ring's rules or cut its file. Nothing can be put in any
 * more. */
int lane_check(const struct lane *lane, struct tdk_err *err);

/* Give back the last `bytes` of the room that was claimed last. */
void lane_shrink(struct lane *lane, size_t bytes);

void lane_publish(struct lane *lane);

/* How many bytes the consumer has not released yet. TDK_EHOSTILE: it broke the rules. */
int lane_fill(struct lane *lane, uint64_t *fill, struct tdk_err *err);

/* Claim and fill one control frame: the head, then `head_size` and `body_size` bytes. */
int lane_control(struct lane *lane, const struct tdk_frame *head, const void *head_bytes,
                 size_t head_size, const void *body, size_t body_size,
                 struct lane_patience *patience, struct tdk_err *err);

#endif
