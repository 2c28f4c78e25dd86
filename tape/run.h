/*
 * run.h - the next run of a stream: frames in a row, as many as may come now.
 *
 * Forward, a run lies where it was read. In reverse its frames are copied, so that they lie in the
 * order in which they come. One thread at a time.
 */
#ifndef TDK_TAPE_RUN_H
#define TDK_TAPE_RUN_H

#include "base/scratch.h"
#include "tape/stream.h"

/* What ends a run. */
struct run_limit {
    uint64_t horizon; /* the highest key that may come, in reverse the lowest; see merge.h */
    uint64_t ticks;   /* at most so many; at least 1 */
};

/* Fill *run. The stream must be loaded, and its next frame must be allowed to come. In reverse the
 * frames are put into `copy`. Losses that are told on the way are added to *lost. -ENOMEM. */
int run_take(struct stream *stream, const struct run_limit *limit, struct scratch *copy,
             struct tdk_run *run, uint64_t *lost, struct tdk_err *err);

/* The key of the next frame of a loaded stream. False: there is none, and the stream is not loaded
 * any more. */
bool run_next_key(struct stream *stream, uint64_t *key);

#endif
