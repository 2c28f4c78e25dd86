/*
 * lookup.h - methods that are answered once: tracks, symbols, count, coverage.
 *
 * Each is read on the pool into the bytes of its result; the loop only sends them.
 */
#ifndef TDK_REPLAYER_LOOKUP_H
#define TDK_REPLAYER_LOOKUP_H

#include "daemon/server.h"

extern const struct method lookup_methods[];

#endif
