/*
 * standard.h - descriptors 0, 1 and 2 are there, whatever the parent has left open.
 *
 * A program that is started with one of them closed would be given that number for the next file it
 * opens, and what it says would go into an index or a ring. main() calls this before all else; what
 * was closed stays as good as closed: reading or writing it is EBADF.
 */
#ifndef TDK_BASE_STANDARD_H
#define TDK_BASE_STANDARD_H

void standard_hold(void);

#endif
