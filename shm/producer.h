/* producer.h - the producer's slow half, for the other files of this folder. */
#ifndef TDK_SHM_PRODUCER_H
#define TDK_SHM_PRODUCER_H

#include "tapedeck/ring.h"

/* Take over where the ring's last producer ended. TDK_EHOSTILE. */
int producer_open(struct tdk_ring *ring, struct tdk_err *err);

/* Of what was published, so many ticks in all bear seqs of their own. */
void producer_tell_played(struct tdk_ring *ring, uint64_t ticks);

/* Bytes published or claimed that the consumer has not released yet, by what it says now; whether
 * that can be is for tdk_ring_hostile(). */
uint64_t producer_fill(struct tdk_ring *ring);

/* Raise ring->limit until `span` bytes fit. False: full. */
bool producer_make_room(struct tdk_ring *ring, size_t span);

#endif
