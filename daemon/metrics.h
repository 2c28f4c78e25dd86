/*
 * metrics.h - a counters page as Prometheus reads it: text format 0.0.4.
 *
 * Names are tapedeck_ and the counter's, with the base unit behind it (bytes, seconds) and _total
 * where it only grows; labels ring and track where it is about one. Pure; any thread.
 */
#ifndef TDK_DAEMON_METRICS_H
#define TDK_DAEMON_METRICS_H

#include "base/text_buffer.h"
#include "shm/counters.h"

/* `now_ns`: CLOCK_MONOTONIC, which the page's beat is held against. */
void metrics_put(struct text_buffer *text, const struct counters_copy *page, uint64_t now_ns);

/* NULL: it is well; else what is not, in a few words. */
const char *metrics_trouble(const struct counters_copy *page, uint64_t now_ns);

#endif
