/* tap.h - where a passive reader begins; for the other files of shm/. */
#ifndef TDK_SHM_TAP_H
#define TDK_SHM_TAP_H

#include "tapedeck/ring.h"

/* Go to the newest frame: at the start, and after the producer has lapped the tap. */
void tap_open(struct tdk_ring *ring);

#endif
