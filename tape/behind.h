/*
 * behind.h - writes behind: threads that write while their owner fills the next buffer.
 *
 * Several writes are out at a time and end in any order; who needs them done waits for all. The
 * first failure is told by the next call, once. Threads and buffers are made when they are needed,
 * so that a small file costs one of each. One owner.
 */
#ifndef TDK_TAPE_BEHIND_H
#define TDK_TAPE_BEHIND_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define BEHIND_WRITES_MAX 8u

struct behind;

/* Buffers of `room` bytes; at most `writes` are out at a time, 1 to BEHIND_WRITES_MAX. With one
 * they are done in the order in which they were begun. */
int behind_open(struct behind **behind, size_t room, unsigned writes, struct tdk_err *err);
void behind_close(struct behind *behind); /* waits; NULL is fine */

/* A buffer to fill, aligned for O_DIRECT: the caller's until behind_write(). Waits for one. NULL:
 * there is no memory for the first. */
unsigned char *behind_buffer(struct behind *behind);

/* The buffer is given back, whatever comes of it. The failure of an earlier write instead of
 * beginning this one. */
int behind_write(struct behind *behind, int fd, unsigned char *buffer, size_t size,
                 uint64_t offset);

/* None is out any more. */
int behind_wait(struct behind *behind);

#endif
