/*
 * slice.h - a block in private memory, as much of it as an answer needs, every byte of it checked.
 *
 * First the head, the directory and the sums; then either all frames, or those chunks that are
 * asked for. (A packed block is always read whole.) The buffers grow to the largest block met and
 * are used again. One thread at a time.
 */
#ifndef TDK_TAPE_SLICE_H
#define TDK_TAPE_SLICE_H

#include <stdbool.h>

#include "tape/block.h"
#include "tape/segments.h"

struct slice {
    struct segments *segments; /* borrowed */
    struct block_ref ref;
    struct block_view view; /* frames: only what slice_need() has answered for */
    unsigned char *bytes;   /* as in the file; ours */
    size_t room;
    unsigned char *unpacked; /* ours */
    size_t unpacked_room;
    uint64_t *chunks; /* a bit for each chunk of frames that is there; ours */
    size_t chunk_words;
    bool whole;
    uint32_t last_ordinal; /* the tick that slice_tick() found last, and where */
    size_t last_offset;
};

void slice_init(struct slice *slice, struct segments *segments);
void slice_close(struct slice *slice);

/* All of the block that `ref` means. TDK_ECORRUPT, -ENOENT, -EIO, -ENOMEM. */
int slice_read(struct slice *slice, const struct block_ref *ref, struct tdk_err *err);

/* Only its head, directory and sums: view.directory is there. */
int slice_begin(struct slice *slice, const struct block_ref *ref, struct tdk_err *err);

/* How many ticks of an instrument there are, reading no more than the directory's entries. */
struct picks;
int slice_count(struct slice *slice, const struct block_ref *ref, const struct picks *picks,
                uint64_t *ticks, struct tdk_err *err);

/* Frames [begin, end), offsets in view.frames: there, and checked. */
int slice_need(struct slice *slice, size_t begin, size_t end, struct tdk_err *err);

/* The whole frame at an offset. TDK_ECORRUPT: there is none that could be. */
int slice_frame(struct slice *slice, size_t offset, const struct tdk_frame **frame,
                struct tdk_err *err);

/* Where the tick with this ordinal begins; its frame is there. Cheapest in ascending order. */
int slice_tick(struct slice *slice, uint32_t ordinal, size_t *offset,
               const struct tdk_frame **frame, struct tdk_err *err);

#endif
