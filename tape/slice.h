/*
 * slice.h - a block in private memory: as much of it as an answer needs, and every byte checked.
 *
 * First it reads the head, the directory and the sums; then either all frames, or only the chunks
 * that are asked for. Of a packed block it reads what that tells of its instruments, the ticks of
 * some of them, or all of it. The buffers grow to the largest block met and are used again. One
 * thread at a time.
 */
#ifndef TDK_TAPE_SLICE_H
#define TDK_TAPE_SLICE_H

#include <stdbool.h>

#include "tape/block.h"
#include "tape/segments.h"

/* How much of its block is there. */
enum slice_state {
    SLICE_EMPTY,
    SLICE_ENTRIES, /* head, and the directory's entries */
    SLICE_PACKED,  /* packed: head, the directory's entries, and the picked ticks, side by side */
    SLICE_PARTS,   /* head, directory, sums, and some chunks */
    SLICE_WHOLE,
};

struct slice {
    struct segments *segments; /* borrowed */
    struct handle *handle;     /* of ref's file; held */
    enum slice_state state;
    struct block_ref ref;
    struct block_view view; /* of the frames only what slice_need() has made sure of */
    unsigned char *bytes;   /* as in the file; ours */
    size_t room;
    size_t mapped; /* size of bytes if mapped by buffers_map(); 0: it is from the allocator */
    unsigned char *unpacked; /* ours */
    size_t unpacked_room;
    bool is_joined;    /* unpacked follows bytes, in one mapping */
    struct pack *pack; /* ours; NULL until a packed block is met */
    uint32_t picked;   /* SLICE_PACKED: the ticks that are there; an ordinal counts among them */
    uint64_t *chunks;  /* a bit for each chunk of frames that is there; ours */
    size_t chunk_words;
    size_t fetched_begin, fetched_end; /* bytes of the block that are there, checked or not */
    size_t sound_begin, sound_end;     /* frames that slice_run() has walked */
    uint32_t last_ordinal;             /* the tick that slice_tick() found last, and where */
    size_t last_offset;
    uint64_t bytes_read; /* by this slice, ever */
    size_t front;        /* of a packed block: bytes before its groups; 0: not known */
    bool passing;        /* many blocks go through it */
    bool is_near;        /* the caller says that the next block is near the one before it */
};

void slice_init(struct slice *slice, struct segments *segments);
void slice_close(struct slice *slice);

/* It takes parts of packed blocks, one block behind the other: from the page cache while they are
 * there, and from then on as a scan. Either way no block needs to be asked for ahead. */
static inline bool slice_fetches_front(const struct slice *slice)
{
    return slice->passing && slice->is_near && slice->state == SLICE_PACKED;
}

/* Does this packed block follow that one, with hardly anything between them? */
bool slice_is_near(const struct block_ref *ref, const struct block_ref *before);

/* Will reading all of this block make its file a scan, of which the kernel reads ahead? */
bool slice_scans(const struct slice *slice, const struct block_ref *ref);

/* Is at least a part of this block there? */
bool slice_holds(const struct slice *slice, const struct block_ref *ref);

/* Read all of a block. Like the functions below, it reads only what is not there yet. TDK_ECORRUPT,
 * -ENOENT, -EIO, -ENOMEM; then the slice is empty. */
int slice_read(struct slice *slice, const struct block_ref *ref, struct tdk_err *err);

/* Read a block's head, directory and sums; view.directory is there then. `dense`: much of the rest
 * will be needed, so read all bytes in one call; each chunk is still checked when it is asked for.
 */
int slice_begin(struct slice *slice, const struct block_ref *ref, bool dense, struct tdk_err *err);

/* Read even less: the directory's entries, which tell what instruments are in the block. */
int slice_entries(struct slice *slice, const struct block_ref *ref, struct tdk_err *err);

/* Like slice_begin(), for a caller that wants nothing but the ticks of these instruments. Of most
 * packed blocks only those are there then (SLICE_PACKED), and the directory has no ordinals. */
struct picks;
int slice_begin_picks(struct slice *slice, const struct block_ref *ref, const struct picks *picks,
                      bool dense, struct tdk_err *err);

/* Count the ticks of these instruments by the directory's entries. */
int slice_count(struct slice *slice, const struct block_ref *ref, const struct picks *picks,
                uint64_t *ticks, struct tdk_err *err);

/* Read frames [begin, end) in one call. They are not checked before slice_need(). */
int slice_fetch(struct slice *slice, size_t begin, size_t end, struct tdk_err *err);

/* Make sure that frames [begin, end) (offsets in view.frames) are there and checked. */
int slice_need(struct slice *slice, size_t begin, size_t end, struct tdk_err *err);

/* The same for a run of whole frames that holds so many ticks: in addition, the head of every frame
 * is checked. */
int slice_run(struct slice *slice, size_t begin, size_t end, uint64_t ticks, struct tdk_err *err);

/* Bytes between which the tick with this ordinal lies, according to the directory. */
void slice_extent(const struct slice *slice, uint32_t ordinal, size_t *begin, size_t *end);

/* Find where the tick with this ordinal begins, and make sure that its frame is there. Cheapest in
 * ascending order. */
int slice_tick(struct slice *slice, uint32_t ordinal, size_t *offset,
               const struct tdk_frame **frame, struct tdk_err *err);

#endif
