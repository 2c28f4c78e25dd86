/*
 * bench_recorder.h - a recorder for benches: the program that was built with us, on a new tape.
 *
 * Its tape is FOLDER/tape, its log FOLDER/log. Its rings are those of bench_feeds.h.
 */
#ifndef TDK_CLI_BENCH_RECORDER_H
#define TDK_CLI_BENCH_RECORDER_H

#include "cli/bench_feeds.h"

struct bench_recorder {
    const char *folder;        /* borrowed: exists, and is empty */
    const char *sync;          /* borrowed: as the recorder takes it */
    struct bench_feeds *feeds; /* borrowed */
    /* of the run */
    pid_t pid; /* 0: none */
    int acks;  /* what its --ack-fd says; -1: nothing */
    uint64_t durable[BENCH_FEEDS_MAX];
};

/* Up to its ready line. On failure: bench_recorder_end() all the same. */
int bench_recorder_start(struct bench_recorder *recorder, struct tdk_err *err);

/* Until every tick is durable, with a flush behind the last one, or where it does not sync written.
 * -ECANCELED: interrupted. */
int bench_recorder_wait(struct bench_recorder *recorder, struct tdk_err *err);

/* `rc`: how the run went so far; < 0: the recorder is killed. Returns rc, or what ending it said.
 */
int bench_recorder_end(struct bench_recorder *recorder, int rc, struct tdk_err *err);

#endif
