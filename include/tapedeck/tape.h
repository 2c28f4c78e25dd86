/*
 * tape.h - read a tape: open, ask for a range, take runs of frames in order.
 *
 * A tape is a directory: segment files and an index that can be rebuilt from them. Opening one for
 * reading writes nothing and works beside a recorder, after a crash, and on a read-only disk; a
 * lone segment file opens too.
 *
 * Threads: a tape may be shared by threads once it is open. A cursor belongs to one thread at a
 * time. While a cursor reads a long range it may have a thread of its own that reads two blocks
 * ahead, with every signal blocked. A process has at most one such thread less than the processors
 * that it may use. The thread ends with the cursor.
 *
 * Fork: because of that thread, a cursor must not be used across a fork. A tape may be, if at that
 * moment it has no cursor open and no other thread in a call.
 *
 * Memory is bounded whatever the range: a block for each track that is merged, two more where one
 * is read ahead, and for the next query up to 32 MiB of blocks and 16 of their directories. What a
 * run points to is borrowed until the next call on its cursor.
 *
 * Times are ns since 1970-01-01T00:00:00Z. Ranges are [from, to).
 */
#ifndef TAPEDECK_TAPE_H
#define TAPEDECK_TAPE_H

#include <stdbool.h>

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tdk_tape;
struct tdk_cursor;

/* Open a tape. `path` is its directory, or one segment file. -ENOENT, TDK_ENOTAPE, TDK_EVERSION,
 * TDK_ECORRUPT. */
TDK_API int tdk_tape_open(struct tdk_tape **tape, const char *path, struct tdk_err *err);
TDK_API void tdk_tape_close(struct tdk_tape *tape);

/* See what a recorder has made durable since open or the last refresh. New tracks and symbols are
 * seen only then. New ticks of a known track may be seen without it, too, so two queries need not
 * agree; a cursor returns what was there when it was opened. -ENOENT, TDK_ENOTAPE: the path leads
 * to the tape no more. What was known stays. */
TDK_API int tdk_tape_refresh(struct tdk_tape *tape, struct tdk_err *err);

/* The track of a recorder's heartbeat (tapedeck-recorder --canary). It is left out of queries that
 * name no tracks, and of what tdk_tape_info() counts. */
#define TDK_CANARY_TRACK "tapedeck.canary"

struct tdk_tape_info {
    uint8_t tape_id[16];
    uint64_t created_ns;
    uint64_t first_ts, last_ts;  /* lowest and highest trusted ts; no tick: UINT64_MAX, 0 */
    uint64_t ticks, bytes, lost; /* bytes: frames with heads */
    uint64_t size_on_disk;
    unsigned tracks, segments;
    bool recording;  /* a recorder holds the tape now */
    bool index_used; /* false: the index could not be trusted, and the segments were read */
};
TDK_API void tdk_tape_info(struct tdk_tape *tape, struct tdk_tape_info *info);

struct tdk_track_info {
    char name[TDK_NAME_MAX + 1];
    uint16_t number;
    uint8_t kind;               /* enum tdk_kind */
    uint64_t first_ts, last_ts; /* no tick: UINT64_MAX, 0 */
    uint64_t ticks, bytes, lost;
    unsigned epochs;
};

/* Call `each` for each track, by name bytewise. If it returns anything but 0, the walk ends and
 * that is returned. So it is with every `each` below. */
TDK_API int tdk_tape_tracks(struct tdk_tape *tape,
                            int (*each)(const struct tdk_track_info *track, void *context),
                            void *context, struct tdk_err *err);

enum tdk_axis { TDK_AXIS_RECV = 0, TDK_AXIS_EVENT = 1 };

/* Which ticks. All zeros with to = UINT64_MAX is everything; an empty list is no restriction. */
struct tdk_query {
    uint64_t from, to; /* to = UINT64_MAX: no end, ticks stamped UINT64_MAX included */
    enum tdk_axis axis;
    const char *const *tracks; /* exact names; TDK_ENOTRACK if one does not exist. None: every
                                  track but TDK_CANARY_TRACK */
    size_t track_count;
    const char *const *symbols; /* exact symbols, "#ID" for an instrument id, or globs (* ? [) */
    size_t symbol_count;
    const struct tdk_type_filter *types;
    size_t type_count;
    uint64_t limit;  /* ticks; 0: no limit. It counts in the order delivered, after reverse */
    bool reverse;    /* the exact reverse of the order below */
    bool control;    /* deliver control frames too (LOSS, CLOCK, EPOCH, SYMBOL, INFO, MARK) */
    bool count_only; /* deliver no frames, only run.ticks, from directories where they suffice */
    bool written;    /* also what a recorder has written and not yet synced: it may be gone after a
                        crash of the machine */
};

/* A tick passes if its frame type is `type` and, unless rtype is -1, its payload is a record of
 * that DBN rtype (wide ticks have one, too). */
struct tdk_type_filter {
    uint8_t type;
    int16_t rtype;
};

/*
 * One contiguous piece of an answer: frames of one track and epoch, in order. Inside a track ticks
 * come by (epoch, seq). Tracks are merged by (ts, track name, epoch, seq).
 */
struct tdk_run {
    const struct tdk_frame *frames; /* the first; NULL with count_only */
    size_t size;                    /* bytes: walk with tdk_frame_after() */
    uint64_t ticks;                 /* control frames are not counted */
    uint64_t epoch;
    const char *track; /* name; borrowed until the tape is closed */
    uint16_t number;
};

/* What a cursor delivered and met on its way. It is final when the cursor is at its end. */
struct tdk_cursor_stats {
    uint64_t ticks, bytes;                /* delivered */
    uint64_t lost;                        /* told lost inside the range by LOSS frames */
    uint64_t damaged_blocks;              /* could not be read: see tdk_cursor_damage() */
    uint64_t blocks_read, blocks_skipped; /* skipped: by their directory or filter, unread */
    uint64_t bytes_read;                  /* from the segments */
};

TDK_API int tdk_cursor_open(struct tdk_cursor **cursor, struct tdk_tape *tape,
                            const struct tdk_query *query, struct tdk_err *err);
TDK_API void tdk_cursor_close(struct tdk_cursor *cursor);

/* Read on. 1: *run is the next piece. 0: the end. TDK_ECORRUPT: a block could not be read (err
 * names segment, offset, track and time range); the next call goes on behind it. Any other code
 * ends the cursor. */
TDK_API int tdk_cursor_read(struct tdk_cursor *cursor, struct tdk_run *run, struct tdk_err *err);

/* From now on a call reads no other block after so many ns: without anything to tell it is -EAGAIN,
 * and the next goes on there; a batch is given with what has come by then. For who has something
 * else to look after, such as signals. 0, as it is unless this is called: for ever. */
TDK_API void tdk_cursor_set_patience(struct tdk_cursor *cursor, uint64_t patience_ns);

/* What could not be read when the last call returned TDK_ECORRUPT. */
struct tdk_damage {
    uint64_t segment, offset; /* of the block; 0, 0: it is missing, and nobody knows where it was */
    uint64_t from, to;        /* its ticks lie between these ts */
    uint64_t ticks;
    const char *track; /* borrowed until the tape is closed */
};
TDK_API void tdk_cursor_damage(const struct tdk_cursor *cursor, struct tdk_damage *damage);

TDK_API void tdk_cursor_stats(const struct tdk_cursor *cursor, struct tdk_cursor_stats *stats);

/*
 * Many runs per call, with the place of each frame. This is for programs whose calls are expensive,
 * and which work on columns instead of in loops (python/tapedeck). It costs a copy that runs do
 * not.
 */

/* Consecutive frames of a batch, of one track and epoch. */
struct tdk_part {
    uint64_t first, count; /* a range of `offsets`; control frames are counted here */
    uint64_t epoch;
    const char *track; /* name; borrowed until the tape is closed */
    uint16_t number, zero[3];
};
static_assert(sizeof(struct tdk_part) == 40, "others lay arrays over it");

struct tdk_batch {
    void *frames; /* whole frames back to back, each 8-aligned */
    size_t size;  /* bytes of `frames` */
    uint64_t *offsets;
    size_t count; /* frame i begins offsets[i] bytes behind `frames` */
    struct tdk_part *parts;
    size_t part_count;
    uint64_t ticks; /* frames that are no control frames */
};

/* The next runs of a cursor, copied: at least `enough` bytes of them, or all that is left. The
 * batch is the caller's, and stands on its own: neither the next call nor the end of the cursor
 * touches it. 1: there is one. 0: the end. TDK_ECORRUPT: as in tdk_cursor_read(); *batch is what
 * came before the damage, or NULL, and the next call goes on behind the damage. Any other code ends
 * the cursor; what came before it was given with 1. Not for a query with count_only (TDK_EVALUE).
 */
TDK_API int tdk_cursor_batch(struct tdk_cursor *cursor, size_t enough, struct tdk_batch **batch,
                             struct tdk_err *err);
TDK_API void tdk_batch_free(struct tdk_batch *batch); /* NULL is fine; any thread */

/* What the cursor would read: blocks and bytes, from the index alone. */
TDK_API int tdk_cursor_explain(struct tdk_cursor *cursor, uint64_t *blocks, uint64_t *bytes,
                               struct tdk_err *err);

/* ---- what stood at a time? ---- */

/* For each instrument, the last tick at or before query->from of each kind that holds state:
 * definition, status, symbol mapping, trade, quote, book by level (an order holds none). They come
 * in the order in which a query would give them. Only from, axis, tracks, symbols and types of the
 * query are used. `each` gets runs of one tick, flagged TDK_FLAG_PROLOGUE and borrowed until it
 * returns. *damaged (may be NULL) counts the parts of the tape before that time that could not be
 * read, and in which there may have been later ticks. Few blocks are read, however long the tape
 * is. TDK_ENOTRACK, -ENOMEM. */
TDK_API int tdk_tape_asof(struct tdk_tape *tape, const struct tdk_query *query,
                          int (*each)(const struct tdk_run *run, void *context), void *context,
                          uint64_t *damaged, struct tdk_err *err);

/* ---- is it whole? ---- */

/* Seqs of an epoch that an answer does not have. */
struct tdk_gap {
    const char *track; /* borrowed until the tape is closed */
    uint64_t epoch;
    uint64_t first_seq, count;
    uint64_t from, to; /* they lie between these ts; equal if one is not known */
    uint32_t reason;   /* enum tdk_loss_reason */
    bool damaged;      /* they were recorded, and cannot be read any more */
    bool retired;      /* they were recorded, and deleted on purpose */
    bool away;         /* they were recorded, and moved to a disk that is not there now. If all
                          three are false, they were never recorded */
};

/* What there is of an epoch in a range. */
struct tdk_epoch_coverage {
    const char *track; /* borrowed until the tape is closed */
    uint64_t epoch;
    uint64_t first_seq, last_seq; /* of ticks and gaps; neither: last_seq is 0 */
    uint64_t first_ts, last_ts;   /* of ticks whose time is trusted; none: UINT64_MAX, 0 */
    uint64_t ticks, lost, damaged, retired, away;
};

/* Segments that lost more than the seqs can tell: first to last are not there, although nobody
 * deleted them; or, if is_cut, one segment lost its end. Nobody knows how many ticks they held. */
struct tdk_lost_segments {
    uint64_t first, last; /* numbers; the same if is_cut */
    bool is_cut;
};

/* What is called on the way. Any of them may be NULL. Anything but 0 from one ends the walk and is
 * returned. */
struct tdk_coverage_walk {
    bool unread; /* believe the index: read only blocks that tell of losses or lie on an edge of the
                    range. A rotten block or a missing file then looks whole, unless the index lacks
                    it, too */
    int (*lost)(const struct tdk_lost_segments *lost, void *context);    /* before all else */
    int (*track)(const char *track, void *context);                      /* before its epochs */
    int (*gap)(const struct tdk_gap *gap, void *context);                /* of an epoch, by seq */
    int (*epoch)(const struct tdk_epoch_coverage *epoch, void *context); /* behind its gaps */
    int (*progress)(uint64_t bytes, uint64_t ticks, void *context);      /* after each block */
    void *context;
};

/* Is a range whole? Only from, to, axis and tracks of the query are used: a gap may have held
 * anything. Tracks come by name, epochs ascending. What was lost with a segment, or with its end,
 * is not a gap where no later seq says how much it was: `lost` is called instead, by number. If
 * there is no `lost`, the walk tells all else and then returns TDK_ECORRUPT, as a cursor over the
 * range does; err names the first such segment. Memory: one block, whatever the range. */
TDK_API int tdk_tape_coverage(struct tdk_tape *tape, const struct tdk_query *query,
                              const struct tdk_coverage_walk *walk, struct tdk_err *err);

/* The value of a property of a track's epoch (docs/tape-format.md lists the keys). Epoch 0 is the
 * last one. The value is malloc'ed, and the caller frees it. -ENOENT. */
TDK_API int tdk_tape_property(struct tdk_tape *tape, const char *track, uint64_t epoch,
                              const char *key, void **value, size_t *size, struct tdk_err *err);

/* One life of a track's source. */
struct tdk_epoch_info {
    uint64_t epoch;
    uint64_t first_seq, last_seq; /* no tick: last_seq is 0 */
    uint64_t first_ts, last_ts;   /* no tick: UINT64_MAX, 0 */
    uint64_t ticks, bytes, lost;
};

/* Each epoch of a track; each property of an epoch, by key. TDK_ENOTRACK. */
TDK_API int tdk_tape_epochs(struct tdk_tape *tape, const char *track,
                            int (*each)(const struct tdk_epoch_info *epoch, void *context),
                            void *context, struct tdk_err *err);
TDK_API int tdk_tape_properties(struct tdk_tape *tape, const char *track, uint64_t epoch,
                                int (*each)(const char *key, const void *value, size_t size,
                                            void *context),
                                void *context, struct tdk_err *err);

/* From `from` up to `to` (UINT64_MAX: open) this instrument_id means this symbol on this track. */
struct tdk_symbol_info {
    const char *symbol, *track;
    uint64_t epoch;
    uint32_t instrument_id;
    uint64_t from, to;
    uint16_t order; /* of several names at one time the one with the highest is used in text */
};

/* Each symbol of a track (NULL: of all tracks), by track, epoch, instrument and time. */
TDK_API int tdk_tape_symbols(struct tdk_tape *tape, const char *track,
                             int (*each)(const struct tdk_symbol_info *symbol, void *context),
                             void *context, struct tdk_err *err);

/* The symbol of an instrument at a time, or NULL. The time is that of the record itself: of DBN
 * ts_recv, or ts_event where it has no ts_recv. A feed may have stamped the frame anew. The symbol
 * is borrowed until the tape is closed or refreshed, by any thread. If threads share a tape and one
 * of them refreshes it, make that one wait while others use the answer, or use tdk_tape_symbols().
 */
TDK_API const char *tdk_tape_symbol(struct tdk_tape *tape, uint16_t track, uint64_t epoch,
                                    uint32_t instrument_id, uint64_t ts);

#ifdef __cplusplus
}
#endif
#endif
