/*
 * epoch.h - one life of a producer at a ring, and how the other side learns of it.
 *
 * In the shared page an epoch begins when the producer attaches. In the ring it begins with the
 * EPOCH frame, which is the first frame that the producer puts in. That frame may have to wait for
 * room; claims that are refused meanwhile spend seqs of the new epoch. The frame names the epoch
 * before and the seq which that one had reached, so that a loss at the very end of an epoch is
 * counted exactly, too.
 */
#ifndef TDK_SHM_EPOCH_H
#define TDK_SHM_EPOCH_H

#include "tapedeck/ring.h"

/* The producer attaches: begin its epoch in the shared page. TDK_EHOSTILE. */
int epoch_begin(struct tdk_ring *ring, struct tdk_err *err);

/* The producer puts its EPOCH frame in. False: there is no room yet. */
bool epoch_announce(struct tdk_ring *ring);

/* The consumer attaches: the epoch of the frame at its cursor. */
uint64_t epoch_at_cursor(const struct tdk_ring *ring);

/* The epoch of the last frame that is published, according to `copy`. */
uint64_t epoch_of_last(const struct tdk_ring_shared *copy);

#endif
