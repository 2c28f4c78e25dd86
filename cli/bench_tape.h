/*
 * bench_tape.h - a synthetic trading day on a tape of its own, for benches. It is removed again.
 *
 * It has trades of `symbols` symbols as from market.h, stamped evenly over 6.5 hours, on one or
 * more tracks (each has every n-th tick), and on several days in a row if asked for. Or it is the
 * user's own tape, which stays.
 */
#ifndef TDK_CLI_BENCH_TAPE_H
#define TDK_CLI_BENCH_TAPE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"
#include "tapedeck/tape.h"

struct bench_tape_options {
    const char *tape;        /* the user's own; NULL: make one */
    const char *dir;         /* where to make it */
    uint64_t ticks, symbols; /* in a day */
    uint64_t days;
};

extern const struct option bench_tape_rows[];

struct bench_tape {
    char path[PATH_MAX];
    bool ours;
    uint64_t from, to; /* a range that has all of its ticks */
    uint64_t noon;     /* the middle of its middle day */
};

int bench_tape_open(struct bench_tape *tape, const struct bench_tape_options *options,
                    unsigned tracks, struct tdk_err *err);
/* Pack it, as `tapedeck seal` does. Only for a tape that bench_tape_open() made. */
int bench_tape_seal(const struct bench_tape *tape, struct tdk_err *err);
void bench_tape_close(struct bench_tape *tape); /* also after a failed open */

/* Make an empty folder DIR/tapedeck-bench-XXXXXX. */
int bench_folder_make(char path[PATH_MAX], const char *dir, struct tdk_err *err);
void bench_folder_remove(const char *path);

/* Drop its files from the page cache, so that they are read from the disk next time. */
int bench_tape_evict(const char *path, struct tdk_err *err);

#endif
