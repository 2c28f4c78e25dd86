/*
 * standard.h - the standard streams, whatever the parent has left open or closes later.
 *
 * A program that is started with one of them closed would be given that number for the next file it
 * opens, and what it says would go into an index or a ring. main() calls standard_hold() before all
 * else; what was closed stays as good as closed: reading or writing it is EBADF. One thread.
 */
#ifndef TDK_BASE_STANDARD_H
#define TDK_BASE_STANDARD_H

#include "tapedeck/err.h"

/* Descriptors 0, 1 and 2 are there, and a pipe that nobody reads or a file that may not grow is an
 * error of a write, no signal. */
void standard_hold(void);

/* What is in stdio's buffer goes to stdout. 0, also when nobody reads any more; -errno. */
int standard_flush(struct tdk_err *err);

#endif
