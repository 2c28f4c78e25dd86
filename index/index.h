/*
 * index.h - time -> block, tracks, epochs and symbols, in LMDB.
 *
 * A cache of what the segments say: it can be deleted at any time and built anew. The only folder
 * that includes lmdb.h. Two homes: a folder on disk (one writer, any number of reading processes),
 * or private memory, for a reader that finds no index it can trust.
 *
 * Threads: one writer thread at a time; reads from any thread. Read transactions are short: what is
 * found is copied out and the transaction closed before the call returns. Errors: LMDB's codes
 * become ours here (TDK_ECORRUPT, TDK_EFULL, TDK_EVERSION, TDK_EFOREIGN, -errno).
 */
#ifndef TDK_INDEX_INDEX_H
#define TDK_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define INDEX_FILTER_WORDS 2 /* a Bloom filter of 128 bits over a block's instrument ids */

/* Where a block is and what may be in it: a block's header in short. Copied, never a pointer. */
struct block_ref {
    uint64_t epoch;
    uint64_t first_seq, last_seq; /* accounted for, ticks and losses; nothing: last = first - 1 */
    uint64_t running_max;         /* of ts over this track's epoch, up to and with this block */
    uint64_t min_ts, max_ts;      /* of ticks whose time is trusted, and of what LOSS frames span;
                                     min > max: none */
    uint64_t min_event, max_event;
    uint64_t odd_min, odd_max; /* of ticks whose time is not trusted; min > max: none */
    uint64_t segment, offset;  /* the file, and where the block's header begins in it */
    uint32_t span;             /* bytes to the next block: header, stored bytes, padding */
    uint32_t stored_size;      /* bytes on disk behind the header */
    uint32_t count;            /* ticks */
    uint32_t block;            /* number in its segment */
    uint64_t frames_size;      /* bytes of its frames, control frames too */
    uint64_t lost;             /* told by LOSS frames in it */
    uint64_t filter[INDEX_FILTER_WORDS];
    uint16_t track;
    uint16_t flags;     /* BLOCK_... of tape/format.h */
    uint32_t odd;       /* ticks whose time is not trusted */
    uint64_t step_back; /* the largest distance of a trusted ts below the running maximum */
};

/* One life of a track's source. */
struct epoch_ref {
    uint64_t epoch;
    uint64_t ring_epoch; /* as the ring called it */
    uint8_t ring_uuid[16];
    uint64_t first_seq,
        last_seq;            /* accounted for on the tape, ticks and losses; last 0: nothing yet */
    uint64_t min_ts, max_ts; /* trusted */
    uint64_t min_event, max_event;
    uint64_t ticks, bytes, lost; /* bytes: frames with heads */
    uint64_t step_back; /* the largest distance of a trusted ts below the running maximum */
    uint64_t odd;       /* ticks whose time is not trusted */
    uint16_t track, zero[3];
};

struct track_ref {
    uint64_t last_epoch; /* the highest ever, also of segments that are gone; 0: none */
    char name[65];
    uint8_t kind; /* enum tdk_kind */
    uint16_t number;
    uint32_t zero;
};

/* A sealed segment has a footer, or had one and lost it with what was in front of it. */
enum { SEGMENT_NOT_SEALED, SEGMENT_HAS_FOOTER, SEGMENT_LOST_FOOTER };

struct segment_ref {
    uint64_t number;
    uint64_t size; /* bytes of the file that hold something */
    uint64_t ticks, blocks;
    uint64_t min_ts, max_ts;
    uint32_t generation;
    uint16_t sealed; /* SEGMENT_HAS_FOOTER ... */
    uint16_t
        states; /* kinds of state that its state_refs tell of (tape/kinds.h); 0: none is told */
};

struct symbol_ref {
    uint64_t epoch;
    uint64_t from, to; /* ns of index time; to is exclusive */
    uint32_t instrument_id;
    uint16_t track;
    uint16_t order; /* of several names at one time the highest counts for text: the first told */
    char symbol[72];
};

/* A moment that somebody wanted to find again. */
struct mark_ref {
    uint64_t ts;    /* of the tick behind it */
    uint64_t back;  /* ns before it that are to be kept with it; 0: only the name was told */
    uint64_t epoch; /* of the track that bears it */
    uint64_t seq;   /* likewise of the tick behind it */
    char name[65];
    uint8_t zero;
    uint16_t track;
    uint32_t zeros;
};

/* A segment has ticks that hold state of an instrument (tape/kinds.h), of one epoch of a track. */
struct state_ref {
    uint64_t epoch;
    uint64_t segment;
    uint32_t instrument_id;
    uint32_t kinds; /* a bit each */
    uint16_t track;
};

struct index;

/*
 * The folder DIR; for writing it is created if it is not there, for reading nothing is.
 * TDK_EVERSION, TDK_EFOREIGN, TDK_ECORRUPT: delete it and build anew. Once a process: LMDB's locks
 * are the process's, a second handle's close would drop those of the first.
 */
int index_open(struct index **index, const char *dir, const uint8_t tape_id[16], bool write,
               struct tdk_err *err);
int index_open_private(struct index **index, const uint8_t tape_id[16], struct tdk_err *err);

/* What is in the folder DIR at this moment, in private memory: for who cannot share it with its
 * writer. -EBUSY: it is written to faster than it can be copied; -EFBIG: larger than 1 GiB. */
int index_open_copy(struct index **index, const char *dir, const uint8_t tape_id[16],
                    struct tdk_err *err);

/* Private memory over another index, borrowed until close: what is read is what both have, and
 * where both have a thing, what was put here. `under` must not lie over another one itself. */
int index_open_over(struct index **index, struct index *under, struct tdk_err *err);
void index_close(struct index *index); /* NULL is fine; not synced: see index_sync() */
int index_sync(struct index *index, struct tdk_err *err);

/* CRC-32C of all there is in it, when nobody writes to it. LMDB believes its own file blindly: one
 * that rotted would answer wrongly or end its reader. So who vouches for it keeps this. */
int index_sum(const char *dir, uint32_t *sum, struct tdk_err *err);

/* The folder's files, when no process has them open. */
int index_delete(const char *dir, struct tdk_err *err);

/* Can a reader tell the writer of his reading? Without LMDB's lock file a writer that is at work
 * may take pages from under him. */
bool index_can_be_shared(const char *dir);

/* A process that stands in one and the same look into the index: no page that was freed since can
 * be used again, and the file grows. */
struct index_held {
    int pid;       /* as the process itself knows it; 0: there is none */
    uint64_t size; /* of the index by now */
};

/* Forget readers that died in the middle of a transaction: once a minute, by the writer. *held: the
 * one that has been in its transaction since before the call before this one, the longest. */
void index_tidy(struct index *index, struct index_held *held);

/* Does it hold the whole tape? Not yet while a writer is building it. */
bool index_is_complete(struct index *index);

/*
 * ---- writing: begin, any number of puts, commit ----
 * The puts only gather, in memory (-ENOMEM, TDK_EFULL): no lock, no I/O. The commit is one
 * transaction, and may run on another thread than the puts; it grows the map when that is full.
 * After a failed commit the batch is still there: try again, or abort. A put replaces what had its
 * key; a removal is a put too, and fine when there is nothing.
 */
int index_begin(struct index *index, struct tdk_err *err);
int index_put_block(struct index *index, const struct block_ref *block, struct tdk_err *err);
int index_put_track(struct index *index, const struct track_ref *track, struct tdk_err *err);
int index_put_epoch(struct index *index, const struct epoch_ref *epoch, struct tdk_err *err);
int index_put_segment(struct index *index, const struct segment_ref *segment, struct tdk_err *err);
int index_put_symbol(struct index *index, const struct symbol_ref *symbol, struct tdk_err *err);
int index_put_info(struct index *index, uint16_t track, uint64_t epoch, const char *key,
                   const void *value, size_t size, struct tdk_err *err);
int index_put_mark(struct index *index, const struct mark_ref *mark, struct tdk_err *err);
int index_put_state(struct index *index, const struct state_ref *state, struct tdk_err *err);
int index_remove_block(struct index *index, const struct block_ref *block, struct tdk_err *err);
int index_remove_epoch(struct index *index, uint16_t track, uint64_t epoch, struct tdk_err *err);
int index_remove_segment(struct index *index, uint64_t number, struct tdk_err *err);
int index_remove_mark(struct index *index, const struct mark_ref *mark, struct tdk_err *err);
int index_remove_state(struct index *index, const struct state_ref *state, struct tdk_err *err);
int index_put_complete(struct index *index, struct tdk_err *err); /* see index_is_complete() */
int index_commit(struct index *index, struct tdk_err *err);
void index_abort(struct index *index);

/* Bytes of what was put and not committed. */
size_t index_gathered(const struct index *index);

/* ---- reading ---- */

/* What to look for among one epoch's blocks. On the event axis and for odd times the same calls
 * serve. */
enum index_axis { INDEX_AXIS_RECV, INDEX_AXIS_EVENT };

struct index_range {
    uint16_t track;
    enum index_axis axis;
    uint64_t epoch;
    uint64_t from, to;  /* [from, to) */
    uint64_t step_back; /* of the epoch, from its epoch_ref */
};

/* Up to `room` blocks of the epoch, in seq order (reverse: from the last down), that may hold a
 * tick in the range. Goes on behind `after`, the last block of the call before; NULL: from the
 * beginning. Returns how many; fewer than room: that is all. Exact for any disorder of time; a
 * block with odd times is found by those as well. */
int index_find(struct index *index, const struct index_range *range, const struct block_ref *after,
               bool reverse, struct block_ref *blocks, int room, struct tdk_err *err);

/* Each calls `each` with a copy, in key order, until it returns not 0 (which is then returned). */
int index_tracks(struct index *index, int (*each)(const struct track_ref *, void *), void *context,
                 struct tdk_err *err);
int index_epochs(struct index *index, uint16_t track, int (*each)(const struct epoch_ref *, void *),
                 void *context, struct tdk_err *err);
int index_segments(struct index *index, int (*each)(const struct segment_ref *, void *),
                   void *context, struct tdk_err *err);
/* Of one epoch; 0: of all, which may be many times what is wanted. */
int index_symbols(struct index *index, uint16_t track, uint64_t epoch,
                  int (*each)(const struct symbol_ref *, void *), void *context,
                  struct tdk_err *err);
int index_marks(struct index *index, int (*each)(const struct mark_ref *, void *), void *context,
                struct tdk_err *err);

/* Up to `room` of what segments have of an instrument's state in an epoch, from segment `upto`
 * down. Returns how many; fewer than room: that is all. */
int index_states(struct index *index, uint16_t track, uint64_t epoch, uint32_t instrument_id,
                 uint64_t upto, struct state_ref *states, int room, struct tdk_err *err);

/* The first instrument at or above `from` that has any in this epoch: 1, *instrument_id; 0. */
int index_state_instrument(struct index *index, uint16_t track, uint64_t epoch, uint32_t from,
                           uint32_t *instrument_id, struct tdk_err *err);

/* The value of a property of a track's epoch, malloc'ed, the caller's to free; -ENOENT. */
int index_info(struct index *index, uint16_t track, uint64_t epoch, const char *key, void **value,
               size_t *size, struct tdk_err *err);
int index_infos(struct index *index, uint16_t track, uint64_t epoch,
                int (*each)(const char *key, const void *value, size_t size, void *), void *context,
                struct tdk_err *err);

#endif
