/*
 * mend.h - when a write or a sync has failed: on in a fresh segment.
 *
 *     a write failed     what returned before it is synced, the rest goes to the fresh segment
 *     a sync failed      the file is never synced again: all since its last good sync goes there
 *
 * First everything under way comes to rest. What is not durable is still in memory, gets new places
 * and is sent again, flagged BLOCK_REWRITTEN, for it may be on the tape twice then. Three segments
 * in a row that fail are the end: the rings keep what they have. The loop's thread.
 */
#ifndef TDK_RECORDER_MEND_H
#define TDK_RECORDER_MEND_H

#include "recorder/writer.h"

/* Something failed. */
void mend_begin(struct writer *writer, bool sync_failed);

/* The next step, if it can be taken. */
void mend_tend(struct writer *writer, uint64_t now_ns);

#endif
