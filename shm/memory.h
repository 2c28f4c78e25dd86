/*
 * memory.h - a ring in memory that has no name: made by its producer, passed to its consumer.
 *
 * The file is laid out as region.h says and sealed (memfd_create(2), F_SEAL_SHRINK, F_SEAL_GROW,
 * F_SEAL_SEAL): whoever has it can write any bytes into it, and nobody can cut it under the other.
 * Its consumer needs no trust in its producer and no directory with it.
 */
#ifndef TDK_SHM_MEMORY_H
#define TDK_SHM_MEMORY_H

#include "tapedeck/ring.h"

/* The most that a ring in memory which somebody else made may have. */
#define MEMORY_CAPACITY_MAX ((size_t)1 << 30)

/* Attach to the ring in a file that was passed to us. The file stays the caller's: it is opened
 * anew, since locks would be shared with whoever passed it. TDK_EHOSTILE: it is not sealed, its
 * pages are not all there (they would be allocated at our cost), it is too large, or no ring; else
 * as tdk_ring_attach(). */
int memory_attach(struct tdk_ring **ring, int fd, const char *name, enum tdk_ring_role role,
                  struct tdk_err *err);

#endif
