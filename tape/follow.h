/*
 * follow.h - going on where a cursor ended, while a recorder records.
 *
 * A cursor tells what was on the tape when it was opened. Its places say up to where that is, for
 * each track; another one opened behind them tells what has come since, with the same filters,
 * merged like the first, each tick exactly once across rolls, restarts and blocks that were written
 * twice. One thread at a time.
 */
#ifndef TDK_TAPE_FOLLOW_H
#define TDK_TAPE_FOLLOW_H

#include "tape/search.h"

struct followed {
    const struct track *track; /* borrowed until the tape is closed */
    struct place place;
};

struct places {
    struct followed *items; /* ours; by no order */
    size_t count, room;
};

void places_close(struct places *places);

/* The place of a track; NULL: it was never met. */
struct place *places_find(const struct places *places, const struct track *track);

/* The same, made at the track's very beginning if it is new; NULL: no memory. */
struct place *places_need(struct places *places, const struct track *track);

/* Up to where the cursor, which is at its end, has told: the places of its tracks move there. A
 * reverse one counts as having told all. */
int places_move(struct places *places, const struct tdk_cursor *cursor, struct tdk_err *err);

/* As tdk_cursor_open(), but only what lies behind the places; and the lease on it is the caller's
 * own, who follows for longer than this cursor is open. */
int cursor_open_behind(struct tdk_cursor **cursor, struct tdk_tape *tape,
                       const struct tdk_query *query, const struct places *places,
                       struct tdk_err *err);

/* See what a recorder has made durable since. In between two recorders there is nothing new to see,
 * and nothing to be built for it; where the index of one that is at work cannot be trusted, all
 * segments are looked at, as often as that takes little of our time. */
int tape_refresh_cheaply(struct tdk_tape *tape, struct tdk_err *err);

#endif
