/* consumer.h - the consumer's slow half, for the other files of this folder. */
#ifndef TDK_SHM_CONSUMER_H
#define TDK_SHM_CONSUMER_H

#include "tapedeck/ring.h"

/* Take over where the ring's last consumer ended. TDK_EHOSTILE. */
int consumer_open(struct tdk_ring *ring, struct tdk_err *err);

/* What was released is given back, also if it was too little to be worth telling before. */
void consumer_close(struct tdk_ring *ring);

#endif
