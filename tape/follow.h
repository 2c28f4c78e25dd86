/*
 * follow.h - go on where a cursor ended, while a recorder records.
 *
 * A cursor returns what was on the tape when it was opened. Its places say, for each track, how far
 * that went. Another cursor, opened behind those places, returns what has come since, with the same
 * filters and merged like the first. Each tick comes exactly once, across rolls, restarts and
 * blocks that were written twice. One thread at a time.
 */
#ifndef TDK_TAPE_FOLLOW_H
#define TDK_TAPE_FOLLOW_H

#include "tape/search.h"

struct followed {
    const struct track *track; /* borrowed until the tape is closed */
    struct place place;
};

struct places {
    struct followed *items; /* ours; in no order */
    size_t count, room;
};

void places_close(struct places *places);

/* The place of a track; NULL: the track was never met. */
struct place *places_find(const struct places *places, const struct track *track);

/* The same, made at the track's very beginning if it is new. NULL: no memory. */
struct place *places_need(struct places *places, const struct track *track);

/* Move the places of the cursor's tracks up to what it has returned. The cursor must be at its end.
 * A reverse cursor counts as having returned everything. */
int places_move(struct places *places, const struct tdk_cursor *cursor, struct tdk_err *err);

/* As tdk_cursor_open(), but only what lies behind the places. The caller takes the lease itself,
 * because it follows for longer than this cursor is open. */
int cursor_open_behind(struct tdk_cursor **cursor, struct tdk_tape *tape,
                       const struct tdk_query *query, const struct places *places,
                       struct tdk_err *err);

/* See what a recorder has made durable since. When no recorder is running there is nothing new to
 * see, and nothing is built for it. When the index of a running recorder cannot be trusted, all
 * segments are looked at, as often as that takes only a small share of our time. */
int tape_refresh_cheaply(struct tdk_tape *tape, struct tdk_err *err);

#endif
