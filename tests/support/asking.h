/*
 * asking.h - asks a tape for a range, for tests. A failure fails the test that called.
 */
#ifndef TDK_TESTS_ASKING_H
#define TDK_TESTS_ASKING_H

#include "tests/support/check.h"

#include "tapedeck/tape.h"

static inline struct tdk_tape *asking_open(const char *path)
{
    struct tdk_tape *tape;
    struct tdk_err err;
    if (tdk_tape_open(&tape, path, &err) < 0)
        fail_msg("%s", err.text);
    return tape;
}

static inline struct tdk_cursor *asking_cursor(struct tdk_tape *tape, const struct tdk_query *query)
{
    struct tdk_cursor *cursor;
    struct tdk_err err;
    if (tdk_cursor_open(&cursor, tape, query, &err) < 0)
        fail_msg("%s", err.text);
    return cursor;
}

/* Count the ticks of all tracks in [from, to), and return how they were found. */
static inline uint64_t asking_count(struct tdk_tape *tape, uint64_t from, uint64_t to,
                                    struct tdk_cursor_stats *stats)
{
    const struct tdk_query query = {.from = from, .to = to};
    struct tdk_cursor *cursor = asking_cursor(tape, &query);
    struct tdk_run run;
    uint64_t ticks = 0;
    while (tdk_cursor_read(cursor, &run, NULL) == 1)
        ticks += run.ticks;
    tdk_cursor_stats(cursor, stats);
    tdk_cursor_close(cursor);
    return ticks;
}

#endif
