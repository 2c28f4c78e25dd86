/* cursor.h - what the rest of tape/ needs from a cursor. */
#ifndef TDK_TAPE_CURSOR_H
#define TDK_TAPE_CURSOR_H

#include <stdbool.h>

#include "tape/weave.h"
#include "tapedeck/tape.h"

/* True: the cursor was opened with count_only. */
bool cursor_counts(const struct tdk_cursor *cursor);

/* The span of every frame of the run that was read last, when all of them are ticks: a caller that
 * wants to know where one begins need not walk there. 0: the spans differ, or are not known. */
size_t cursor_run_span(const struct tdk_cursor *cursor);

/*
 * Where ticks of several tracks take turns, one call copies many of them (weave.h). Use it instead
 * of tdk_cursor_read(), at any call where cursor_weave_size() is not 0.
 */

/* The bytes that cursor_weave() would copy at most, up to `max`. 0: read, do not weave. */
size_t cursor_weave_size(const struct tdk_cursor *cursor, size_t max);

/* Copy ticks into woven->bytes, which has that much room. frame->track says which track a tick is
 * of; its epoch is the one that the track's last run reported. */
void cursor_weave(struct tdk_cursor *cursor, struct woven *woven);

/* `stopped` is asked after each block of which nothing passes, and before each block that is looked
 * into beforehand. When it returns true, that call fails with -ECANCELED, and so does each later
 * one. A caller that gets runs can ask for itself. Called on the cursor's thread. */
void cursor_stop_when(struct tdk_cursor *cursor, bool (*stopped)(void *context), void *context);

/* tdk_cursor_read() in two: a call begins, whose time tdk_cursor_set_patience() has limited, and
 * reads as often as it likes. */
void cursor_begin(struct tdk_cursor *cursor);
int cursor_read(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err);

/* It ends here: each call from now on fails with `code`, and tells what *err does. */
void cursor_fail(struct tdk_cursor *cursor, int code, const struct tdk_err *err);

#endif
