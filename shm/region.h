/*
 * region.h - a ring's file: made, checked, mapped.
 *
 *   file      header_size bytes: struct tdk_ring_shared, zeros behind it
 *             capacity bytes of data
 *   mapping   header | data | data once more, the same pages: what runs over the end of the data
 * goes on at its start, so a frame is always in one piece
 *
 * Nothing in a file is trusted: sizes come from the file system and from our own page size, and
 * what the header says must agree with them. Made without a name and linked when it is whole, so
 * that nobody ever opens half a ring.
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
    int fd;              /* ours; also holds the locks of the role */
    unsigned char *base; /* NULL: not mapped */
    size_t mapped;       /* bytes from base on */
    size_t header_size;
    size_t capacity;
    bool lazy; /* somebody else's: mapped page by page, so that its size costs us nothing at once */
    struct tdk_ring_shared head; /* copied and checked when it was opened: what was written once */
};

/* Bytes of the header on this host: a page. */
size_t region_header_size(void);

/* What a ring made with these options says of itself. TDK_EVALUE, TDK_ENAME. */
int region_head(struct tdk_ring_shared *head, const char *name,
                const struct tdk_ring_options *options, struct tdk_err *err);

/* Does the copy of a header belong to a ring file of this size? 0, TDK_EVERSION or TDK_EHOSTILE.
 * Pure. */
int region_check(const struct tdk_ring_shared *head, uint64_t file_size, size_t header_size,
                 const char *name, struct tdk_err *err);

/* Open NAME.ring and check it; for reading only unless `writable`. Not mapped yet. */
int region_open(struct region *region, const char *name, bool writable, struct tdk_err *err);

/* The header and the sizes of region->fd, checked against each other. */
int region_read_head(struct region *region, const char *name, struct tdk_err *err);

/* Map it, all its pages present, so that no tick meets a page fault. */
int region_map(struct region *region, bool writable, struct tdk_err *err);

void region_close(struct region *region);

static inline struct tdk_ring_shared *region_shared(const struct region *region)
{
    return (struct tdk_ring_shared *)(void *)region->base;
}

#endif
