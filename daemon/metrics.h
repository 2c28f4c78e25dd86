/*
 * metrics.h - a counters page in the form that Prometheus reads: text format 0.0.4.
 *
 * A metric's name is tapedeck_ and the counter's name, then the base unit (bytes, seconds), then
 * _total if it only grows. It has the labels ring and track if it is about one. Pure; any thread.
 */
#ifndef TDK_DAEMON_METRICS_H
#define TDK_DAEMON_METRICS_H

#include "base/text_buffer.h"
#include "shm/counters.h"

/* `now_ns` is CLOCK_MONOTONIC, to be compared with the page's beat. */
void metrics_put(struct text_buffer *text, const struct counters_copy *page, uint64_t now_ns);

/* NULL: the daemon is well; otherwise what is wrong, in a few words. */
const char *metrics_trouble(const struct counters_copy *page, uint64_t now_ns);

#endif
