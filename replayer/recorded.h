/*
 * recorded.h - is this ring being recorded? Then nothing must be played into it.
 *
 * A recorder that finds a replay in its ring quarantines the ring, so a play into it would end the
 * recording of its feed. The counters pages of the running recorders tell which rings they record.
 * Any thread.
 */
#ifndef TDK_REPLAYER_RECORDED_H
#define TDK_REPLAYER_RECORDED_H

#include "tapedeck/err.h"

/* TDK_EBUSY: it is, and err says by whom. A page that cannot be read counts as no. */
int recorded_check(const char *ring, struct tdk_err *err);

#endif
