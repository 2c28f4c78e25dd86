/*
 * ended.h - is the last frame of a ring the END of a play?
 *
 * A play is over when the ring has taken all of it, but its reader may come much later. By then the
 * player and its clock page are gone, and only the ring can tell. The ring is looked at from
 * outside, by its name. Any thread.
 */
#ifndef TDK_SHM_ENDED_H
#define TDK_SHM_ENDED_H

#include <stdint.h>

#include "tapedeck/err.h"

/* 1: it is, and *ts is the time of that END, at which tape time stopped. 0: it is not, or there is
 * no such ring. -errno: the ring could not be looked at. */
int ring_ended(const char *name, uint64_t *ts, struct tdk_err *err);

#endif
