/*
 * stream.h - the ticks of one track that pass a query, forward or in reverse.
 *
 * Forward is by (epoch, seq); reverse is exactly the other way round. Blocks come from the index in
 * batches, and one block of the track is in memory at a time. The stream tells what is on the tape
 * when it is opened, and not what a recorder adds later. A block that is there twice counts once,
 * by its seqs. One thread at a time.
 */
#ifndef TDK_TAPE_STREAM_H
#define TDK_TAPE_STREAM_H

#include "tape/search.h"
#include "tape/sieve.h"

struct scout;

struct stream {
    struct answer *answer;     /* borrowed */
    const struct track *track; /* borrowed */
    struct search search;
    struct block_ref ref;    /* the block that is next, or in the sieve */
    struct block_ref before; /* the one before it */

    struct sieve sieve;
    bool loaded;   /* the sieve has this block, and something of it is left */
    size_t at;     /* what is next: offset in a run, place in a list (in reverse: one above it) */
    uint64_t lost; /* told by LOSS frames that were passed over since the last run */
    const struct picks *only; /* borrowed: only these instruments; NULL: those of the query */
    bool is_expected;         /* the kernel was asked to read the next few blocks: */
    int expected_to;          /* those of search.refs below this */
    bool is_alone;            /* the blocks around this one are not wanted, so none is asked for */

    /* ---- stream_ahead.c ---- */
    struct scout *scout; /* ours; NULL: none */
    bool is_aimed;
    size_t aimed_at;       /* the epoch whose instruments the scout knows */
    uint64_t loaded_ns;    /* when the last block was loaded */
    unsigned brisk_blocks; /* blocks that were taken quickly, one behind the other */
    uint64_t read_ahead;   /* bytes of this block that the scout has read */

    /* ---- its place in a merge ---- */
    uint64_t told_epoch;    /* the epoch of the last run; 0: none yet */
    bool is_ordered;        /* the ts that it tells never go back */
    bool has_block;         /* ref is the next block, and is not loaded yet */
    struct maximum *maxima; /* see maxima.h; in order of blocks; NULL: ts never goes back; ours */
    size_t maximum_count;
    uint64_t *keys; /* one for each item of the sieve's list; ours */
    size_t key_room;
};

/* The highest ts that a stream tells before a block, and with it. */
struct maximum {
    uint64_t epoch, first_seq, last_seq;
    uint64_t segment, offset; /* blocks without ticks begin with the same seq as the next one */
    unsigned generation;
    uint64_t before, with;
};

int stream_open(struct stream *stream, struct answer *answer, const struct track *track,
                struct tdk_err *err);
void stream_close(struct stream *stream);

/* Go back to the beginning, which may be the other end now. */
void stream_rewind(struct stream *stream);

/* Find the next block that may hold something; it is not read yet. 1: it is stream->ref. 0: the
 * end. TDK_ECORRUPT: something is missing before it; the next call goes on. */
int stream_next_block(struct stream *stream, struct tdk_err *err);

/* Read no more of the block than tells what instruments are in it. 0: its directory has the
 * entries. If it cannot be read, stream_load() says why. */
int stream_entries(struct stream *stream, const struct block_view **view, struct tdk_err *err);

/* Read the block. 1: something in it passes. 0: nothing does. TDK_ECORRUPT: it cannot be read, and
 * err says which one and why. */
int stream_load(struct stream *stream, struct tdk_err *err);

/* By what the index tells: is every frame of the block a tick that would be told? */
bool stream_takes_all(struct stream *stream);

/* Instead of loading the block, count the ticks in it that pass. */
int stream_count(struct stream *stream, uint64_t *ticks, struct tdk_err *err);

/* Of a loaded block: the span of every frame, if all are ticks of one size and that was checked. 0:
 * they differ, or it is not known. */
size_t stream_tick_span(const struct stream *stream);

/* The next frame of a loaded block. NULL: that was all, and the stream is not loaded any more. */
const struct tdk_frame *stream_peek(struct stream *stream);

/* Move past the frame that stream_peek() returned. */
void stream_step(struct stream *stream);

#endif
