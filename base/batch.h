/*
 * batch.h - runs of frames put together into a struct tdk_batch, whatever they come out of.
 *
 *     struct batch b;
 *     rc = batch_begin(&b);
 *     while (rc == 0 && b.batch->size < enough && ... a run ...)
 *         if (!batch_add(&b, &run))
 *             rc = -ENOMEM;
 *     return batch_give(&b, rc, out);
 *
 * One owner at a time. The batch stands on its own: runs are copied.
 */
#ifndef TDK_BASE_BATCH_H
#define TDK_BASE_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "tapedeck/tape.h"

/* What is being put together, with the room that there is. */
struct batch {
    struct tdk_batch *batch; /* ours until batch_give() */
    size_t size_room, count_room, part_room;
};

int batch_begin(struct batch *b); /* -ENOMEM */

/* Frames of a run are believed: whole, and inside of it. Its track's name is borrowed for as long
 * as the batch promises. False: no memory; what was added before is still there. */
bool batch_add(struct batch *b, const struct tdk_run *run);

/* How reading ended, 0 or a code, and what had come before: what tdk_cursor_batch() returns. 1:
 * *out is the caller's, and another failure than TDK_ECORRUPT is for the next call to tell again.
 */
int batch_give(struct batch *b, int rc, struct tdk_batch **out);

#endif
