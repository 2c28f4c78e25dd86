/*
 * sync.h - written writes made durable, in groups.
 *
 * At most one fdatasync is under way. It covers the writes of one file that had returned before it
 * was asked for, from the first that is not durable on; when it returns 0 the watermarks move. The
 * loop's thread.
 */
#ifndef TDK_RECORDER_SYNC_H
#define TDK_RECORDER_SYNC_H

#include "recorder/writer.h"

/* Begin one if it is due: by age, by bytes, because buffers run short or a segment waits for it. */
void sync_tend(struct writer *writer, uint64_t now_ns);

#endif
