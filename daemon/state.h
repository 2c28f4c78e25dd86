/*
 * state.h - the changing state that the page shows: one JSON object, made from the counters page.
 *
 *   {"now":ms, "beat":ms, "alive":true, "daemon":"recorder", "version":"0.1.0", "tape":"/var/tape",
 *    "started":ms, "trouble":null, "own":{NAME:value},
 *    "rings":[{"ring":"a","track":"a",NAME:value}], "players":[...]}
 *
 * `beat` is the CLOCK_MONOTONIC time at which the values were set: rates are computed over it. NAME
 * is as in docs/counters.md, without "ring_" in front for those of a ring. Values are as there (ns,
 * bytes). Pure; any thread.
 */
#ifndef TDK_DAEMON_STATE_H
#define TDK_DAEMON_STATE_H

#include "base/text_buffer.h"
#include "shm/counters.h"

/* `players`: a JSON array. `wall_ns`, `mono_ns`: now. */
void state_put(struct text_buffer *out, const struct counters_copy *page, uint64_t wall_ns,
               uint64_t mono_ns, const char *players, size_t players_size);

#endif
