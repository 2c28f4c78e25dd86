/*
 * ended.h - is what was put into a ring last the END of a play?
 *
 * A play ends when the ring has taken all of it, and whoever reads the ring may do so much later:
 * the player and its clock page are gone by then, the ring still tells. Asked by name, from
 * outside; any thread.
 */
#ifndef TDK_SHM_ENDED_H
#define TDK_SHM_ENDED_H

#include <stdint.h>

#include "tapedeck/err.h"

/* 1: it is, and *ts is that END's time, where tape time stopped. 0: no, or there is no such ring.
 * -errno: nobody can say. */
int ring_ended(const char *name, uint64_t *ts, struct tdk_err *err);

#endif
