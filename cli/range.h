/*
 * range.h - which ticks: the options that query, play and digest share, and their meaning.
 *
 * A command has a struct range_args, puts range_rows into its table of option sets, and calls
 * range_open(), which prints what is wrong.
 */
#ifndef TDK_CLI_RANGE_H
#define TDK_CLI_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/moment.h"
#include "base/option.h"
#include "cli/depot.h"
#include "replayer/types.h"
#include "tapedeck/tape.h"

struct range_args {
    const char *tape; /* path */
    struct moment from, to;
    const char *zone;
    struct option_list tracks, symbols, types;
    int axis;                     /* enum tdk_axis */
    bool written;                 /* include what is not durable yet */
    const struct ask_args *where; /* a replayer instead, for commands that can ask one; else NULL */
};

extern const struct option range_rows[]; /* `at` is an offset in struct range_args */

/* All but symbols and types: for commands about whole tracks. */
extern const struct option range_span_rows[];

/* Only -T, for commands that look at a tape as a whole. */
extern const struct option range_tape_rows[];

/* Likewise, where one of its segments alone will not do. */
extern const struct option range_folder_rows[];

struct range {
    struct depot depot;
    struct tdk_tape *tape;  /* the depot's, if it is read here */
    struct tdk_query query; /* all but limit, reverse, control, count_only */
    struct types types;     /* what the query points to */
};

/* Open the depot and work out the query. CLI_OK, or the exit status after printing why. The range
 * must stay where it is. */
int range_open(struct range *range, const struct range_args *args);
void range_close(struct range *range);

/* The times of the arguments on this depot's tape: [from, to). TDK_EVALUE: `from` is after `to`. */
int range_times(struct depot *depot, const struct range_args *args, uint64_t *from, uint64_t *to,
                struct tdk_err *err);

/* 1: `symbol` is "#ID", and *id is set. 0: it is a symbol or a glob. TDK_EVALUE: neither. */
int range_instrument(const char *symbol, uint32_t *id, struct tdk_err *err);

/* A command that looks at a tape was given none. Says it; CLI_USAGE. */
int range_no_tape(void);

/* Only the tape. CLI_OK, or the exit status after saying why. */
int range_open_tape(struct tdk_tape **tape, const char *path);

/* Print an error of the depot. Returns the exit status for its code: wrong usage, failed, or
 * unreachable. */
int range_fail(const struct tdk_err *err);

#endif
