/*
 * seal_tape.h - all sealed segments of a tape that nobody writes to, packed by several threads.
 *
 * The tape is held, and recovered if need be. Segments are packed side by side; each is switched to
 * when it is whole, so that stopping at any point leaves what was done, and the next run goes on.
 */
#ifndef TDK_TAPE_SEAL_TAPE_H
#define TDK_TAPE_SEAL_TAPE_H

#include "tape/recover.h"
#include "tape/seal.h"

struct seal_totals {
    uint64_t segments, failed;          /* that were packed; that could not be */
    uint64_t ticks;                     /* in those packed */
    uint64_t bytes_before, bytes_after; /* of their files */
    uint64_t bytes, bytes_total;        /* read so far, of all that are to be packed */
    uint64_t to_do;                     /* segments that are to be packed */
    uint64_t moved;                     /* that are elsewhere, and stay as they are */
};

struct seal_tape_options {
    unsigned threads;     /* 0: one a processor */
    int level;            /* of zstd; 0: SEAL_LEVEL */
    bool keep_going;      /* after a failure; else the others are cancelled */
    bool dry_run;         /* only look: the tape may be held by another */
    uint64_t first, last; /* numbers; last 0: to the end */

    /* From the caller's own thread. Each may be NULL. */
    void (*found)(const char *text, void *context); /* by recovery */
    void (*packed)(const struct sealing *sealing, void *context);
    void (*failed)(uint64_t segment, const char *text, void *context);
    bool (*go_on)(const struct seal_totals *totals, void *context); /* some times a second */
    void *context;
};

/* 0: all that could be done was, totals->failed says what could not. Negative: the first failure
 * (without keep_going), -ECANCELED, or the tape could not be had. */
int seal_tape(const char *path, const struct seal_tape_options *options, struct seal_totals *totals,
              struct tdk_err *err);

#endif
