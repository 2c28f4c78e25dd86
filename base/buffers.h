/*
 * buffers.h - large buffers that are all there before they are used.
 *
 * In large pages where the system has some (MADV_HUGEPAGE): a megabyte on its way to a disk is then
 * one piece to the kernel, not 256. Each page has been touched by the program itself: some
 * hypervisors let the first touch cost 10 us and more whatever the guest's kernel did before.
 */
#ifndef TDK_BASE_BUFFERS_H
#define TDK_BASE_BUFFERS_H

#include <stddef.h>

/* Zeros, aligned to 2 MiB. NULL: there is not so much, and errno says why. */
void *buffers_map(size_t size);

/* The same size again. NULL is fine. */
void buffers_unmap(void *memory, size_t size);

#endif
