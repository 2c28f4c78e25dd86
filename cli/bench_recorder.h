/*
 * bench_recorder.h - a recorder for benches: runs the program from the same build on a new tape.
 *
 * Its tape is FOLDER/tape, its log FOLDER/log. Its rings are those of bench_feeds.h.
 */
#ifndef TDK_CLI_BENCH_RECORDER_H
#define TDK_CLI_BENCH_RECORDER_H

#include "cli/bench_feeds.h"

struct bench_recorder {
    const char *folder;        /* borrowed: must exist and be empty */
    const char *sync;          /* borrowed: the value of the recorder's --sync */
    struct bench_feeds *feeds; /* borrowed */
    /* set while running */
    pid_t pid; /* 0: none */
    int acks;  /* reading end of its --ack-fd; -1: none */
    uint64_t durable[BENCH_FEEDS_MAX];
};

/* Start it and wait for its ready line. After a failure, too, call bench_recorder_end(). */
int bench_recorder_start(struct bench_recorder *recorder, struct tdk_err *err);

/* Wait until every tick is durable, with a flush after the last one; or written, if it does not
 * sync. -ECANCELED: interrupted. */
int bench_recorder_wait(struct bench_recorder *recorder, struct tdk_err *err);

/* `rc` is how the run went so far; if < 0 the recorder is killed. Returns rc, or the error of
 * ending it. */
int bench_recorder_end(struct bench_recorder *recorder, int rc, struct tdk_err *err);

#endif
