/*
 * segments.h - the segment files that a reader has open: a few of them, the least used goes.
 *
 * One thread at a time. Files are advised RANDOM: what is asked for is read, not what lies around
 * it; a reader that goes straight on says so with segments_expect().
 */
#ifndef TDK_TAPE_SEGMENTS_H
#define TDK_TAPE_SEGMENTS_H

#include "tape/segment.h"
#include "tape/tape.h"

#define SEGMENTS_OPEN 16

struct segments {
    const struct tdk_tape *tape; /* borrowed */
    struct segments_slot {
        struct segment *segment;
        uint64_t number;
        uint64_t used; /* when */
    } slots[SEGMENTS_OPEN];
    uint64_t clock;
    uint64_t bytes_read;
};

void segments_init(struct segments *segments, const struct tdk_tape *tape);
void segments_close(struct segments *segments);

/* The segment by its number, sealed or not; borrowed until the next call. -ENOENT, TDK_ECORRUPT...
 */
int segments_get(struct segments *segments, uint64_t number, const struct segment **segment,
                 struct tdk_err *err);

/* Forget the file of this number: it may have been replaced. */
void segments_forget(struct segments *segments, uint64_t number);

/* `size` bytes at `offset` of a segment, all of them. TDK_ECORRUPT: the file ends before. */
int segments_read(struct segments *segments, uint64_t number, uint64_t offset, void *bytes,
                  size_t size, struct tdk_err *err);

/* This will be read soon: the kernel may begin. */
void segments_expect(struct segments *segments, uint64_t number, uint64_t offset, size_t size);

#endif
