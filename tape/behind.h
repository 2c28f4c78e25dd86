/*
 * behind.h - one write behind: a thread that writes while its owner fills the next buffer.
 *
 * At most one write is out. Its failure is told by the next call, once. One owner; the buffer given
 * must stay as it is until the next call has returned.
 */
#ifndef TDK_TAPE_BEHIND_H
#define TDK_TAPE_BEHIND_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

struct behind;

int behind_open(struct behind **behind, struct tdk_err *err);
void behind_close(struct behind *behind); /* waits; NULL is fine */

/* Waits for the write before this one, and returns its failure instead of beginning this one. */
int behind_write(struct behind *behind, int fd, const void *bytes, size_t size, uint64_t offset);
int behind_wait(struct behind *behind);

#endif
