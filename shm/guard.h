/*
 * guard.h - which memory is a ring's, so that a ring whose file is cut kills nobody.
 *
 * Handles are entered when they attach and taken out when they detach; what happens on a fault is
 * told in guard.c, and only after tdk_ring_guard().
 */
#ifndef TDK_SHM_GUARD_H
#define TDK_SHM_GUARD_H

#include "tapedeck/ring.h"

void guard_add(struct tdk_ring *ring);
void guard_remove(struct tdk_ring *ring);

#endif
