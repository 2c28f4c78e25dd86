/*
 * behind.h - write-behind: threads that write while their owner fills the next buffer.
 *
 * Several writes are in flight at a time and end in any order. A caller that needs them done waits
 * for all. The next call reports the first failure, once. Threads and buffers are made when they
 * are needed, so that a small file costs one of each. One owner.
 */
#ifndef TDK_TAPE_BEHIND_H
#define TDK_TAPE_BEHIND_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define BEHIND_WRITES_MAX 8u

struct behind;

/* Buffers have `room` bytes. At most `writes` are in flight at a time, 1 to BEHIND_WRITES_MAX. With
 * one, writes are done in the order in which they were begun. */
int behind_open(struct behind **behind, size_t room, unsigned writes, struct tdk_err *err);
void behind_close(struct behind *behind); /* waits; NULL is fine */

/* A buffer to fill, aligned for O_DIRECT. It is the caller's until behind_write(). Waits until one
 * is free. NULL: there is no memory for the first one. */
unsigned char *behind_buffer(struct behind *behind);

/* Begin a write. The buffer is given back, whatever the result. When an earlier write has failed,
 * this returns that failure and does not begin the write. */
int behind_write(struct behind *behind, int fd, unsigned char *buffer, size_t size,
                 uint64_t offset);

/* Wait until no write is in flight. */
int behind_wait(struct behind *behind);

#endif
