/* cursor.h - what the rest of tape/ asks of a cursor. */
#ifndef TDK_TAPE_CURSOR_H
#define TDK_TAPE_CURSOR_H

#include <stdbool.h>

#include "tape/weave.h"
#include "tapedeck/tape.h"

/* It was opened with count_only. */
bool cursor_counts(const struct tdk_cursor *cursor);

/* The span of every frame of the run that was read last, all of them ticks: who wants to know where
 * one of them begins need not walk there. 0: they differ, or it is not known. */
size_t cursor_run_span(const struct tdk_cursor *cursor);

/*
 * Where ticks of several tracks take turns, many of them by one call (weave.h): instead of
 * tdk_cursor_read(), whenever that comes before it and cursor_weave_size() is not 0.
 */

/* Bytes that cursor_weave() copies at most, up to `max`. 0: read, do not weave. */
size_t cursor_weave_size(const struct tdk_cursor *cursor, size_t max);

/* Ticks into woven->bytes, which has that much room; tracks by frame->track, each of the epoch that
 * the last run of it told. */
void cursor_weave(struct tdk_cursor *cursor, struct woven *woven);

/* Asked behind each block of which nothing passed; true: that call fails with -ECANCELED, and each
 * behind it. Who gets runs can ask for himself. On the cursor's thread. */
void cursor_stop_when(struct tdk_cursor *cursor, bool (*stopped)(void *context), void *context);

/* tdk_cursor_read() in two: a call begins, whose time tdk_cursor_set_patience() has limited, and
 * reads as often as it likes. */
void cursor_begin(struct tdk_cursor *cursor);
int cursor_read(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err);

/* It ends here: each call from now on fails with `code`, and tells what *err does. */
void cursor_fail(struct tdk_cursor *cursor, int code, const struct tdk_err *err);

#endif
