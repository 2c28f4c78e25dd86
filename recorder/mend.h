/*
 * mend.h - a write or a sync has failed: go on in a fresh segment.
 *
 *     a write failed     what returned before it is synced; the rest goes to the fresh segment
 *     a sync failed      the file is never synced again; all since its last good sync goes there
 *
 * First wait until nothing is under way. What is not durable is still in memory: it gets new places
 * and is sent again, flagged BLOCK_REWRITTEN because it may then be on the tape twice. When three
 * segments in a row have failed the recorder gives up, and the rings keep what they have. The
 * loop's thread.
 */
#ifndef TDK_RECORDER_MEND_H
#define TDK_RECORDER_MEND_H

#include "recorder/writer.h"

/* A write failed, or a sync did. */
void mend_begin(struct writer *writer, bool sync_failed);

/* Take the next step, if it is possible now. */
void mend_tend(struct writer *writer, uint64_t now_ns);

#endif
