/*
 * epoch.h - one life of a producer at a ring, and how the other side learns of it.
 *
 * An epoch begins in the shared page when a producer attaches, and in the ring with its EPOCH
 * frame, the first that it puts there. The frame may have to wait for room; claims refused
 * meanwhile are spent in the new epoch. It says what epoch came before and what seq that one had
 * reached, so that a loss at the very end of an epoch is exact too.
 */
#ifndef TDK_SHM_EPOCH_H
#define TDK_SHM_EPOCH_H

#include "tapedeck/ring.h"

/* Producer, at attach. TDK_EHOSTILE. */
int epoch_begin(struct tdk_ring *ring, struct tdk_err *err);

/* Producer: put the EPOCH frame in. False: no room yet. */
bool epoch_announce(struct tdk_ring *ring);

/* Consumer, at attach: the epoch of the frame at its cursor. */
uint64_t epoch_at_cursor(const struct tdk_ring *ring);

/* Of a position at the end of what `copy` says is published: the last epoch that put something in.
 */
uint64_t epoch_of_last(const struct tdk_ring_shared *copy);

#endif
