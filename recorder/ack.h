/*
 * ack.h - the watermark, told to whoever gave us a descriptor: a line `TRACK EPOCH SEQ`, one write
 * each.
 *
 * The descriptor is another process's: it may be full or closed, and that stops nothing here. A
 * line that finds no room is not queued but owed: when there is room again, the track's newest mark
 * is told. The loop's thread.
 */
#ifndef TDK_RECORDER_ACK_H
#define TDK_RECORDER_ACK_H

#include <stdbool.h>
#include <stdint.h>

struct ack {
    int fd; /* borrowed; -1: nobody listens (any more) */
};

/* False: no room now, tell it again later. True: told, or nobody listens. Never waits. */
bool ack_tell(struct ack *ack, const char *track, uint64_t epoch, uint64_t seq);

#endif
