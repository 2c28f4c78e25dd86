/*
 * sync.h - makes writes durable, in groups.
 *
 * At most one fdatasync is under way. It covers writes of one file: those that had returned before
 * it began, from the first that is not durable. When it returns 0 the watermarks move. The loop's
 * thread.
 */
#ifndef TDK_RECORDER_SYNC_H
#define TDK_RECORDER_SYNC_H

#include "recorder/writer.h"

/* Begin a sync if one is due: by age or bytes, because buffers run short, or because a segment
 * waits for it. */
void sync_tend(struct writer *writer, uint64_t now_ns);

#endif
