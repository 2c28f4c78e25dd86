/*
 * cryptofeed.h - lines of raw captures as cryptofeed writes them.
 *
 *   1618677817.061845: {"type":"subscriptions", ...}           a message, with its time in seconds
 *   wss://ws.kraken.com <-> 1618678132.3858151                 a connection
 *   wss://ws.kraken.com <- 1618678132.8253062: {"event": ...}  a request
 *
 * Pure; any thread.
 */
#ifndef TDK_FORMATS_CRYPTOFEED_H
#define TDK_FORMATS_CRYPTOFEED_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

/* Decode one line without its newline. 1: a message; its payload is a part of the line. 0: a
 * connection or a request. TDK_EVALUE: none of these. */
int cryptofeed_decode(const char *line, size_t size, uint64_t *ts, const char **payload,
                      size_t *payload_size, struct tdk_err *err);

#endif
