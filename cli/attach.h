/* attach.h - attach to a ring that may not be there yet. */
#ifndef TDK_CLI_ATTACH_H
#define TDK_CLI_ATTACH_H

#include <stdint.h>

#include "tapedeck/ring.h"

/* tdk_ring_attach() that waits, `wait_ns` at most, for a ring that does not exist yet. -ECANCELED:
 * interrupted. */
int attach_ring(struct tdk_ring **ring, const char *name, enum tdk_ring_role role, uint64_t wait_ns,
                struct tdk_err *err);

/* Touch all of the ring's pages now: for callers that have time before the first tick. */
void attach_warm(struct tdk_ring *ring);

/* Sleep; an interrupt ends it. */
void attach_sleep(uint64_t ns);

#endif
