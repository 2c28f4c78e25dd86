/*
 * standard.h - hold the standard streams, whatever the parent has closed or closes later.
 *
 * If a program is started with one of them closed, the next file that it opens gets that number,
 * and its output would go into an index or a ring. So main() calls standard_hold() first of all. A
 * stream that was closed stays as good as closed: reading or writing it gives EBADF. One thread.
 */
#ifndef TDK_BASE_STANDARD_H
#define TDK_BASE_STANDARD_H

#include "tapedeck/err.h"

/* Make sure that descriptors 0, 1 and 2 exist. Writing to a pipe that nobody reads, or to a file
 * that may not grow, then fails with an error and raises no signal. */
void standard_hold(void);

/* Write what is in stdio's buffer to stdout. 0, even if nobody reads any more; -errno. */
int standard_flush(struct tdk_err *err);

#endif
