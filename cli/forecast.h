/*
 * forecast.h - how many ticks an answer will have, to tell how much of it is left.
 *
 * Only where blocks can be counted without being read: all symbols, all types. One thread.
 */
#ifndef TDK_CLI_FORECAST_H
#define TDK_CLI_FORECAST_H

#include "cli/depot.h"

/* 0: not known. What cannot be read is not told here: whoever delivers it will. */
uint64_t forecast_ticks(struct depot *depot, const struct tdk_query *query);

/* The bytes of all of it, by those of the ticks so far; 0: not known. */
uint64_t forecast_bytes(uint64_t forecast, uint64_t ticks, uint64_t bytes);

#endif
