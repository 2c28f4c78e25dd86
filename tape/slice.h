/*
 * slice.h - a block in private memory, as much of it as an answer needs, every byte of it checked.
 *
 * First the head, the directory and the sums; then either all frames, or those chunks that are
 * asked for. Of a packed block: what it tells of its instruments, the ticks of some of them, or all
 * of it. The buffers grow to the largest block met and
 * are used again. One thread at a time.
 */
#ifndef TDK_TAPE_SLICE_H
#define TDK_TAPE_SLICE_H

#include <stdbool.h>

#include "tape/block.h"
#include "tape/segments.h"

/* What of its block is there. */
enum slice_state {
    SLICE_EMPTY,
    SLICE_ENTRIES, /* head, and the directory's entries */
    SLICE_PACKED,  /* packed: head, the directory's entries, and what is picked, side by side */
    SLICE_PARTS,   /* head, directory, sums, and some chunks */
    SLICE_WHOLE,
};

struct slice {
    struct segments *segments; /* borrowed */
    struct handle *handle;     /* of ref's file; held */
    enum slice_state state;
    struct block_ref ref;
    struct block_view view; /* frames: only what slice_need() has answered for */
    unsigned char *bytes;   /* as in the file; ours */
    size_t room;
    size_t mapped;           /* of bytes, by buffers_map(); 0: by the allocator */
    unsigned char *unpacked; /* ours */
    size_t unpacked_room;
    bool is_joined;    /* unpacked is behind bytes, in one mapping */
    struct pack *pack; /* ours; NULL until a packed block is met */
    uint32_t picked;   /* SLICE_PACKED: so many ticks, and an ordinal is a place among them */
    uint64_t *chunks;  /* a bit for each chunk of frames that is there; ours */
    size_t chunk_words;
    size_t fetched_begin, fetched_end; /* bytes of the block that are there, checked or not */
    size_t sound_begin, sound_end;     /* frames among the chunks that slice_run() has walked */
    uint32_t last_ordinal;             /* the tick that slice_tick() found last, and where */
    size_t last_offset;
    uint64_t bytes_read; /* by this slice, ever */
    size_t front;        /* packed: from its beginning to where its groups begin; 0: not known */
    bool passing;        /* many blocks go through it */
    bool is_near;        /* the next block is near the one before it: the caller's to say */
};

void slice_init(struct slice *slice, struct segments *segments);
void slice_close(struct slice *slice);

/* It has a packed block in parts, of which it reads at once what is in memory; where that ends it
 * scans. So none needs to be asked for ahead. */
static inline bool slice_fetches_front(const struct slice *slice)
{
    return slice->passing && slice->is_near && slice->state == SLICE_PACKED;
}

/* This packed block follows that one, and hardly anything lies between them. */
bool slice_is_near(const struct block_ref *ref, const struct block_ref *before);

/* At least a part of this block is there. */
bool slice_holds(const struct slice *slice, const struct block_ref *ref);

/* All of the block that `ref` means. Like the other two it reads only what is not there yet.
 * TDK_ECORRUPT, -ENOENT, -EIO, -ENOMEM; then the slice is empty. */
int slice_read(struct slice *slice, const struct block_ref *ref, struct tdk_err *err);

/* Its head, directory and sums: view.directory is there. `dense`: much of the rest will be needed,
 * so one call reads all bytes; each chunk is checked when it is asked for, as ever. */
int slice_begin(struct slice *slice, const struct block_ref *ref, bool dense, struct tdk_err *err);

/* Less even: the directory's entries, which tell what instruments are in it. */
int slice_entries(struct slice *slice, const struct block_ref *ref, struct tdk_err *err);

/* The same for who asks for nothing but the ticks of these instruments: of most packed blocks they
 * alone are there (SLICE_PACKED), and no ordinals of them in the directory. */
struct picks;
int slice_begin_picks(struct slice *slice, const struct block_ref *ref, const struct picks *picks,
                      bool dense, struct tdk_err *err);

/* How many ticks of these instruments there are, by the directory's entries. */
int slice_count(struct slice *slice, const struct block_ref *ref, const struct picks *picks,
                uint64_t *ticks, struct tdk_err *err);

/* Frames [begin, end): read by one call, to be checked where slice_need() is asked. */
int slice_fetch(struct slice *slice, size_t begin, size_t end, struct tdk_err *err);

/* Frames [begin, end), offsets in view.frames: there, and checked. */
int slice_need(struct slice *slice, size_t begin, size_t end, struct tdk_err *err);

/* Frames [begin, end), which begin and end where frames do and hold so many ticks: each is there,
 * and could be one. */
int slice_run(struct slice *slice, size_t begin, size_t end, uint64_t ticks, struct tdk_err *err);

/* Bytes among which the tick with this ordinal lies, as the directory tells. */
void slice_extent(const struct slice *slice, uint32_t ordinal, size_t *begin, size_t *end);

/* Where the tick with this ordinal begins; its frame is there. Cheapest in ascending order. */
int slice_tick(struct slice *slice, uint32_t ordinal, size_t *offset,
               const struct tdk_frame **frame, struct tdk_err *err);

#endif
