/* tap.h - the passive reader's start, for the other files of this folder. */
#ifndef TDK_SHM_TAP_H
#define TDK_SHM_TAP_H

#include "tapedeck/ring.h"

/* At the newest frame; also after it was lapped. */
void tap_open(struct tdk_ring *ring);

#endif
