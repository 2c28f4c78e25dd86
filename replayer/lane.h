/*
 * lane.h - one ring that is being played into, and the patience for whoever reads it.
 *
 * A play drops nothing: a full ring is a wait, and only a consumer that takes nothing at all for
 * too long ends it. A lane belongs to its player's thread.
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
    uint64_t ticks, lost;      /* of the range, put in; told lost by the LOSS frames put in */
    uint64_t put;              /* ticks put in, the prologue's among them */
    struct tdk_digest *digest; /* of the ticks put in; NULL unless somebody asked */
};

/* How long to wait for room. */
struct lane_patience {
    uint64_t stall_ns;              /* the consumer took nothing at all for so long: TDK_ESTALLED */
    bool (*stopped)(void *context); /* looked at fifty times a second: -ECANCELED */
    void *context;
    uint64_t stalls, waited_ns; /* counts up */
};

/* Attach as the ring's producer; with create_size, create the ring if it is not there. TDK_EBUSY:
 * it has a producer, or is recorded (recorded.h). A lane that failed to open may be closed, a
 * zeroed one too. */
int lane_open(struct lane *lane, const char *name, uint64_t create_size, bool digest,
              struct tdk_err *err);
void lane_close(struct lane *lane);

/* Touch the next `size` bytes of the ring's memory, before a frame has to: tdk_ring_warm(). True:
 * there is more to touch. */
bool lane_warm(struct lane *lane, size_t size);

/* `bytes` of room for whole frames if it is there at once, else NULL. */
void *lane_try(struct lane *lane, size_t bytes);

/* `bytes` of room for whole frames, heads included, at most lane->piece_max unless it is one frame;
 * waits for it. What is put there is seen by nobody before lane_publish(). TDK_EFULL: a frame that
 * this ring can never hold. */
int lane_claim(struct lane *lane, size_t bytes, void **room, struct lane_patience *patience,
               struct tdk_err *err);

/* TDK_EHOSTILE: who shares the ring broke its rules, or cut its file; nothing is put in any more.
 */
int lane_check(const struct lane *lane, struct tdk_err *err);

/* Of the room that was claimed last `bytes` at its end were not needed. */
void lane_shrink(struct lane *lane, size_t bytes);

void lane_publish(struct lane *lane);

/* Bytes put in that the consumer has not released yet. TDK_EHOSTILE: it broke the rules. */
int lane_fill(struct lane *lane, uint64_t *fill, struct tdk_err *err);

/* One control frame, claimed and filled: head, then `head_size` and `body_size` bytes. */
int lane_control(struct lane *lane, const struct tdk_frame *head, const void *head_bytes,
                 size_t head_size, const void *body, size_t body_size,
                 struct lane_patience *patience, struct tdk_err *err);

#endif
