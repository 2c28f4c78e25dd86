/*
 * forecast.h - how many ticks an answer will have, to show how much of it is left.
 *
 * Only possible where blocks can be counted without being read: for all symbols and all types. One
 * thread.
 */
#ifndef TDK_CLI_FORECAST_H
#define TDK_CLI_FORECAST_H

#include "cli/depot.h"

/* 0: not known. Parts that cannot be read are not reported here; delivering them will do that. */
uint64_t forecast_ticks(struct depot *depot, const struct tdk_query *query);

/* Estimate the bytes of all of it from those of the ticks so far. 0: not known. */
uint64_t forecast_bytes(uint64_t forecast, uint64_t ticks, uint64_t bytes);

#endif
