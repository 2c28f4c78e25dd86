/*
 * memory.h - a ring in memory without a name: its producer makes it and passes it to its consumer.
 *
 * The file is laid out as in region.h, and is sealed (memfd_create(2), F_SEAL_SHRINK, F_SEAL_GROW,
 * F_SEAL_SEAL): each side can write any bytes into it, but neither can cut it under the other. The
 * consumer need not trust the producer, and the two need no directory in common.
 */
#ifndef TDK_SHM_MEMORY_H
#define TDK_SHM_MEMORY_H

#include "tapedeck/ring.h"

/* The largest ring that is made, or accepted from somebody else. */
#define MEMORY_CAPACITY_MAX ((size_t)1 << 30)

/* Attach to the ring in a file that was passed to us. The caller keeps the file: it is opened anew
 * here, because its locks would be shared with whoever passed it. TDK_EHOSTILE: the file is not
 * sealed, not all of its pages are there (they would be allocated at our cost), it is too large, or
 * it is no ring. Other errors are those of tdk_ring_attach(). */
int memory_attach(struct tdk_ring **ring, int fd, const char *name, enum tdk_ring_role role,
                  struct tdk_err *err);

#endif
