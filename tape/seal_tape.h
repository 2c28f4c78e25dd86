/*
 * seal_tape.h - pack all sealed segments of a tape that nobody writes to, with several threads.
 *
 * The tape is locked, and recovered if need be. Segments are packed side by side. The index is
 * switched to each when it is whole, so that stopping at any point keeps what was done, and the
 * next run goes on from there.
 */
#ifndef TDK_TAPE_SEAL_TAPE_H
#define TDK_TAPE_SEAL_TAPE_H

#include "tape/recover.h"
#include "tape/seal.h"

struct seal_totals {
    uint64_t segments, failed;          /* that were packed; that could not be packed */
    uint64_t ticks;                     /* in the packed segments */
    uint64_t bytes_before, bytes_after; /* of their files */
    uint64_t bytes, bytes_total;        /* read so far; of all that are to be packed */
    uint64_t to_do;                     /* segments that are to be packed */
    uint64_t moved;                     /* that were moved to an annex, and stay as they are */
};

struct seal_tape_options {
    unsigned threads;     /* 0: one for each processor */
    int level;            /* of zstd; 0: SEAL_LEVEL */
    bool keep_going;      /* after a failure; else the other threads are cancelled */
    bool dry_run;         /* only look: another process may hold the tape */
    uint64_t first, last; /* numbers; last 0: to the end */

    /* Called from the caller's own thread. Each may be NULL. */
    void (*found)(const char *text, void *context); /* by recovery */
    void (*packed)(const struct sealing *sealing, void *context);
    void (*failed)(uint64_t segment, const char *text, void *context);
    bool (*go_on)(const struct seal_totals *totals, void *context); /* a few times a second */
    void *context;
};

/* 0: all that could be packed was; totals->failed says how many could not. Negative: the first
 * failure (without keep_going), -ECANCELED, or the tape could not be opened. */
int seal_tape(const char *path, const struct seal_tape_options *options, struct seal_totals *totals,
              struct tdk_err *err);

#endif
