/*
 * ack.h - tells the watermark on a descriptor that was given to us: lines `TRACK EPOCH SEQ`, one
 * write for each.
 *
 * Another process has the other end. It may be full or closed, and that stops nothing here. A line
 * that finds no room is not queued: when there is room again, the track's newest watermark is told
 * instead. The loop's thread.
 */
#ifndef TDK_RECORDER_ACK_H
#define TDK_RECORDER_ACK_H

#include <stdbool.h>
#include <stdint.h>

struct ack {
    int fd; /* borrowed; -1: nobody listens, or not any more */
};

/* True: it was told, or nobody listens. False: there is no room now, so call it again later. Never
 * waits. */
bool ack_tell(struct ack *ack, const char *track, uint64_t epoch, uint64_t seq);

#endif
