/*
 * region.h - a ring's file: how it is made, checked and mapped.
 *
 *   file      header_size bytes: struct tdk_ring_shared, then zeros
 *             capacity bytes of data
 *   mapping   header | data | the same pages of data once more
 *
 * The data is mapped twice in a row so that a frame which runs over its end goes on at its start: a
 * frame is always in one piece.
 *
 * Nothing in a file is trusted. Sizes come from the file system and from our own page size, and the
 * header must agree with them. A file is made without a name and linked when it is complete, so
 * nobody ever opens half a ring.
 */
#ifndef TDK_SHM_REGION_H
#define TDK_SHM_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/ring.h"

#define RING_CAPACITY_MIN     ((size_t)64 << 10)
#define RING_CAPACITY_MAX     ((size_t)1 << 40)
#define RING_CAPACITY_DEFAULT ((size_t)64 << 20)

struct region {
    int fd;              /* ours; it also holds the lock of the role */
    unsigned char *base; /* NULL: not mapped */
    size_t mapped;       /* bytes, counted from base */
    size_t header_size;
    size_t capacity;
    bool lazy; /* somebody else made it: its pages are mapped as they are used, not all at once */
    struct tdk_ring_shared head; /* the part that never changes, copied and checked at the open */
};

/* Bytes of the header on this host: one page. */
size_t region_header_size(void);

/* The header of a ring that is made with these options. TDK_EVALUE, TDK_ENAME. */
int region_head(struct tdk_ring_shared *head, const char *name,
                const struct tdk_ring_options *options, struct tdk_err *err);

/* Check a copy of a header against the size of its file. TDK_EVERSION, TDK_EHOSTILE. Pure. */
int region_check(const struct tdk_ring_shared *head, uint64_t file_size, size_t header_size,
                 const char *name, struct tdk_err *err);

/* Open NAME.ring and check it, but do not map it yet. Without `writable` it is opened read-only. */
int region_open(struct region *region, const char *name, bool writable, struct tdk_err *err);

/* Read the header and the size of region->fd, and check them against each other. */
int region_read_head(struct region *region, const char *name, struct tdk_err *err);

/* Map it with all pages present (unless it is `lazy`), so that no tick meets a page fault. */
int region_map(struct region *region, bool writable, struct tdk_err *err);

void region_close(struct region *region);

static inline struct tdk_ring_shared *region_shared(const struct region *region)
{
    return (struct tdk_ring_shared *)(void *)region->base;
}

#endif
