/*
 * index.h - time -> block, tracks, epochs and symbols, in LMDB.
 *
 * It is a cache of what the segments say: it can be deleted at any time and built anew. It lives in
 * a folder on disk, with one writer and any number of reading processes; or in private memory, for
 * a reader that finds no index it can trust. Only this folder of the sources uses LMDB.
 *
 * Threads: one thread writes at a time; any thread may read. Read transactions are short: what is
 * found is copied, and the transaction is closed before the call returns. Errors: LMDB's codes
 * become ours here (TDK_ECORRUPT, TDK_EFULL, TDK_EVERSION, TDK_EFOREIGN, -errno).
 */
#ifndef TDK_INDEX_INDEX_H
#define TDK_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define INDEX_FILTER_WORDS 2 /* a Bloom filter of 128 bits over a block's instrument ids */

/* Where a block is and what may be in it: its header in short. Always copied, never pointed to. */
struct block_ref {
    uint64_t epoch;
    uint64_t first_seq, last_seq; /* covered by ticks and losses; if none: last = first - 1 */
    uint64_t running_max;    /* of ts over this track's epoch, up to and including this block */
    uint64_t min_ts, max_ts; /* of trusted ticks, and of the span of LOSS frames; min > max: none */
    uint64_t min_event, max_event;
    uint64_t odd_min, odd_max; /* of ticks whose time is not trusted; min > max: none */
    uint64_t segment, offset;  /* the file, and where the header of the block begins in it */
    uint32_t span;             /* bytes to the next block: header, stored bytes, padding */
    uint32_t stored_size;      /* bytes on disk after the header */
    uint32_t count;            /* ticks */
    uint32_t block;            /* number in its segment */
    uint64_t frames_size;      /* bytes of its frames, with control frames */
    uint64_t lost;             /* ticks lost, according to its LOSS frames */
    uint64_t filter[INDEX_FILTER_WORDS];
    uint16_t track;
    uint16_t flags;     /* BLOCK_... of tape/format.h */
    uint32_t odd;       /* ticks whose time is not trusted */
    uint64_t step_back; /* the furthest that a trusted ts is below the running maximum */
};

/* One life of a track's source. */
struct epoch_ref {
    uint64_t epoch;
    uint64_t ring_epoch; /* the number that the ring gave it */
    uint8_t ring_uuid[16];
    uint64_t first_seq, last_seq; /* covered on the tape by ticks and losses; last 0: nothing yet */
    uint64_t min_ts, max_ts;      /* trusted */
    uint64_t min_event, max_event;
    uint64_t ticks, bytes, lost; /* bytes: frames with their heads */
    uint64_t step_back;          /* the furthest that a trusted ts is below the running maximum */
    uint64_t odd;                /* ticks whose time is not trusted */
    uint16_t track, zero[3];
};

struct track_ref {
    uint64_t last_epoch; /* the highest ever, even of segments that are gone; 0: none */
    char name[65];
    uint8_t kind; /* enum tdk_kind */
    uint16_t number;
    uint32_t zero;
};

/* A sealed segment has a footer, or it had one and lost it together with what stood before it. */
enum { SEGMENT_NOT_SEALED, SEGMENT_HAS_FOOTER, SEGMENT_LOST_FOOTER };

struct segment_ref {
    uint64_t number;
    uint64_t size; /* used bytes of the file */
    uint64_t ticks, blocks;
    uint64_t min_ts, max_ts;
    uint32_t generation;
    uint16_t sealed; /* SEGMENT_HAS_FOOTER ... */
    uint16_t
        states; /* kinds of state that its state_refs cover (tape/kinds.h); 0: there are none */
};

struct symbol_ref {
    uint64_t epoch;
    uint64_t from, to; /* ns of index time; to is exclusive */
    uint32_t instrument_id;
    uint16_t track;
    uint16_t order; /* if there are several names at one time, the highest is used in text: it came
                       first */
    char symbol[72];
};

/* A moment that somebody wants to find again. */
struct mark_ref {
    uint64_t ts;    /* of the tick after it */
    uint64_t back;  /* ns before it that are kept with it; 0: only the name was given */
    uint64_t epoch; /* of the track that it is on */
    uint64_t seq;   /* also of the tick after it */
    char name[65];
    uint8_t zero;
    uint16_t track;
    uint32_t zeros;
};

/* A segment has ticks that hold state of an instrument (tape/kinds.h), in one epoch of a track. */
struct state_ref {
    uint64_t epoch;
    uint64_t segment;
    uint32_t instrument_id;
    uint32_t kinds; /* one bit each */
    uint16_t track;
};

struct index;

/*
 * Open the index in folder DIR. For writing it is created if it does not exist; reading creates
 * nothing. TDK_EVERSION, TDK_EFOREIGN, TDK_ECORRUPT: delete it and build it anew. A process may
 * have it open only once: LMDB's locks belong to the process, so closing a second handle would drop
 * the locks of the first.
 */
int index_open(struct index **index, const char *dir, const uint8_t tape_id[16], bool write,
               struct tdk_err *err);
int index_open_private(struct index **index, const uint8_t tape_id[16], struct tdk_err *err);

/* Open a copy, in private memory, of what is in the folder DIR at this moment: for a reader that
 * cannot share it with its writer. -EBUSY: it is written faster than it can be copied. -EFBIG: it
 * is larger than 1 GiB. */
int index_open_copy(struct index **index, const char *dir, const uint8_t tape_id[16],
                    struct tdk_err *err);

/* Open an index in private memory that lies over another one, which is borrowed until close.
 * Reading finds what either of them has; where both have a thing, the one that was put here counts.
 * `under` must not lie over another index itself. */
int index_open_over(struct index **index, struct index *under, struct tdk_err *err);
void index_close(struct index *index); /* NULL is fine; not synced: see index_sync() */
int index_sync(struct index *index, struct tdk_err *err);

/* The CRC-32C of all that is in it, while nobody writes to it. LMDB trusts its own file: a file
 * that rotted would give wrong answers or crash its reader. So whoever marks an index as good keeps
 * this sum. */
int index_sum(const char *dir, uint32_t *sum, struct tdk_err *err);

/* Delete the folder's files. No process may have them open. */
int index_delete(const char *dir, struct tdk_err *err);

/* Can a reader let the writer know that it reads? Without LMDB's lock file, a writer at work may
 * reuse pages that are being read. */
bool index_can_be_shared(const char *dir);

/* A process that stays in one read transaction. No page that was freed since then can be used
 * again, so the file grows. */
struct index_held {
    int pid;       /* in its own pid namespace; 0: there is none */
    uint64_t size; /* of the index, now */
};

/* Forget readers that died in a transaction. The writer calls this once a minute. *held: the
 * process that has been in a transaction for longest, if that began before the previous call. */
void index_tidy(struct index *index, struct index_held *held);

/* Does it have the whole tape? Not while a writer is building it. */
bool index_is_complete(struct index *index);

/*
 * ---- writing: begin, any number of puts, commit ----
 * Puts only gather in memory (-ENOMEM, TDK_EFULL), without locks or I/O. The commit is one
 * transaction. It may run on another thread than the puts, and grows the map when that is full.
 * After a failed commit the batch is still there: try again, or abort. A put replaces what has the
 * same key. A removal is a put, too, and is fine if there is nothing to remove.
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

/* Bytes that were put and are not committed yet. */
size_t index_gathered(const struct index *index);

/* ---- reading ---- */

/* What to look for among the blocks of one epoch. */
enum index_axis { INDEX_AXIS_RECV, INDEX_AXIS_EVENT };

struct index_range {
    uint16_t track;
    enum index_axis axis;
    uint64_t epoch;
    uint64_t from, to;  /* [from, to) */
    uint64_t step_back; /* of the epoch, from its epoch_ref */
};

/* Find up to `room` blocks of the epoch that may hold a tick in the range, in seq order (in reverse
 * from the last down). `after`: go on behind this block, the last of the call before; NULL: from
 * the beginning. Returns how many; fewer than `room` means that these were the last. Exact for any
 * disorder of time; a block with odd times is found by those as well. */
int index_find(struct index *index, const struct index_range *range, const struct block_ref *after,
               bool reverse, struct block_ref *blocks, int room, struct tdk_err *err);

/* Each of these calls `each` with copies, in key order. A value other than 0 from `each` ends the
 * walk, and is returned. */
int index_tracks(struct index *index, int (*each)(const struct track_ref *, void *), void *context,
                 struct tdk_err *err);
int index_epochs(struct index *index, uint16_t track, int (*each)(const struct epoch_ref *, void *),
                 void *context, struct tdk_err *err);
int index_segments(struct index *index, int (*each)(const struct segment_ref *, void *),
                   void *context, struct tdk_err *err);
/* The symbols of one epoch; epoch 0: of all epochs, which may be many more than are wanted. */
int index_symbols(struct index *index, uint16_t track, uint64_t epoch,
                  int (*each)(const struct symbol_ref *, void *), void *context,
                  struct tdk_err *err);
int index_marks(struct index *index, int (*each)(const struct mark_ref *, void *), void *context,
                struct tdk_err *err);

/* Find up to `room` segments that have state of an instrument in an epoch, from segment `upto`
 * down. Returns how many; fewer than `room` means that these were the last. */
int index_states(struct index *index, uint16_t track, uint64_t epoch, uint32_t instrument_id,
                 uint64_t upto, struct state_ref *states, int room, struct tdk_err *err);

/* Find the first instrument, from id `from` on, that has any state in this epoch. 1; 0: none. */
int index_state_instrument(struct index *index, uint16_t track, uint64_t epoch, uint32_t from,
                           uint32_t *instrument_id, struct tdk_err *err);

/* The value of a property of a track's epoch; the caller frees it. -ENOENT. */
int index_info(struct index *index, uint16_t track, uint64_t epoch, const char *key, void **value,
               size_t *size, struct tdk_err *err);
int index_infos(struct index *index, uint16_t track, uint64_t epoch,
                int (*each)(const char *key, const void *value, size_t size, void *), void *context,
                struct tdk_err *err);

#endif
