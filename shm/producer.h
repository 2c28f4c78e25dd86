/* producer.h - what a producer does seldom; for the other files of shm/. */
#ifndef TDK_SHM_PRODUCER_H
#define TDK_SHM_PRODUCER_H

#include "tapedeck/ring.h"

/* Go on where the ring's last producer ended. TDK_EHOSTILE. */
int producer_open(struct tdk_ring *ring, struct tdk_err *err);

/* A player says how many of the ticks that it published in all have seqs of their own (the tape's).
 */
void producer_tell_played(struct tdk_ring *ring, uint64_t ticks);

/* Bytes that are claimed or published and that the consumer, by what it says now, has not released.
 * Check tdk_ring_hostile() before believing it. */
uint64_t producer_fill(struct tdk_ring *ring);

/* Copy frames that lie elsewhere into room that was claimed, in the way that is the fastest here
 * and now. They are published as if they had been written there. */
void producer_copy(struct tdk_ring *ring, void *room, const void *frames, size_t bytes);

/* Raise ring->limit until `span` bytes fit. False: the ring is full. */
bool producer_make_room(struct tdk_ring *ring, size_t span);

#endif
