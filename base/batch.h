/*
 * batch.h - put runs of frames together into a struct tdk_batch, whatever they are read from.
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

/* The batch that is being put together, and the room that it has. */
struct batch {
    struct tdk_batch *batch; /* owned until batch_give() */
    size_t size_room, count_room, part_room;
};

int batch_begin(struct batch *b); /* -ENOMEM */

/* Frames of a run are trusted to be whole and inside it. The name of its track is borrowed for as
 * long as struct tdk_batch says. False: no memory; what was added before is still there. */
bool batch_add(struct batch *b, const struct tdk_run *run);

/* Finish the batch. `rc` says how reading ended: 0 or a code. Returns what tdk_cursor_batch()
 * returns. 1: *out is the caller's; any failure except TDK_ECORRUPT is then left for the next call
 * to report. */
int batch_give(struct batch *b, int rc, struct tdk_batch **out);

#endif
