/*
 * buffers.h - large buffers whose memory is all there before they are used.
 *
 * They use large pages where the system has some (MADV_HUGEPAGE). A megabyte on its way to a disk
 * is then one piece to the kernel, not 256. The program itself has touched each page: under some
 * hypervisors the first touch costs 10 us and more, whatever the guest's kernel did before.
 */
#ifndef TDK_BASE_BUFFERS_H
#define TDK_BASE_BUFFERS_H

#include <stddef.h>

/* Zeros, aligned to 2 MiB. NULL: there is not enough memory; errno has the reason. */
void *buffers_map(size_t size);

/* `size` must be the same again. NULL is fine. */
void buffers_unmap(void *memory, size_t size);

#endif
