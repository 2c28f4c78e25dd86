/* consumer.h - what a consumer does seldom; for the other files of shm/. */
#ifndef TDK_SHM_CONSUMER_H
#define TDK_SHM_CONSUMER_H

#include "tapedeck/ring.h"

/* Go on where the ring's last consumer ended. TDK_EHOSTILE. */
int consumer_open(struct tdk_ring *ring, struct tdk_err *err);

/* Give all released room back, including what was too little to give back before. */
void consumer_close(struct tdk_ring *ring);

#endif
