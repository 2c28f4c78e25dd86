/*
 * stream.h - the ticks of one track that pass a query, in their order or against it.
 *
 * Forward: by (epoch, seq). Reverse: from the last to the first. Blocks come from the index in
 * batches, one block of the track is in memory at a time. What is on the tape when the stream is
 * opened is what it tells: blocks that a recorder adds later are not looked at. A block that is
 * there twice counts once, by its seqs. One thread at a time.
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
    bool loaded;   /* the sieve has this block, and there is something left of it */
    size_t at;     /* next: offset in a run, place in a list (reverse: one above it) */
    uint64_t lost; /* told by LOSS frames passed over since the last run */
    const struct picks
        *only;        /* borrowed: no other instruments than these; NULL: as the query says */
    bool is_expected; /* the next few blocks have been asked for: */
    int expected_to;  /* of search.refs those below this */
    bool is_alone;    /* those around a block are not wanted: none is asked for */

    /* ---- stream_ahead.c ---- */
    struct scout *scout; /* ours; NULL: none */
    bool is_aimed;
    size_t aimed_at;       /* epoch that the scout knows the instruments of */
    uint64_t loaded_ns;    /* when the last block was loaded */
    unsigned brisk_blocks; /* that came quickly, one behind the other */
    uint64_t read_ahead;   /* bytes of the block at hand that the scout has read */

    /* ---- its place in a merge ---- */
    uint64_t told_epoch;    /* the one that a run was told of last; 0: none yet */
    bool is_ordered;        /* the ts of what it tells never go back */
    bool has_block;         /* ref is the next block, not loaded yet */
    struct maximum *maxima; /* see maxima.h; in order of blocks; NULL: ts never goes back; ours */
    size_t maximum_count;
    uint64_t *keys; /* of the list in the sieve; ours */
    size_t key_room;
};

/* The highest ts that a stream tells before a block and up to its end. */
struct maximum {
    uint64_t epoch, first_seq, last_seq;
    uint64_t segment, offset; /* blocks without ticks begin with the same seq as the next one */
    unsigned generation;
    uint64_t before, with;
};

int stream_open(struct stream *stream, struct answer *answer, const struct track *track,
                struct tdk_err *err);
void stream_close(struct stream *stream);

/* Back to its beginning, and maybe the other way round. */
void stream_rewind(struct stream *stream);

/* The next block that may hold something, not yet read: 1, stream->ref is it; 0: the end.
 * TDK_ECORRUPT: in front of it something is missing; the next call goes on. */
int stream_next_block(struct stream *stream, struct tdk_err *err);

/* What instruments are in it, without reading more than that takes: 0, and the block's directory
 * has its entries. Where it cannot be read stream_load() tells. */
int stream_entries(struct stream *stream, const struct block_view **view, struct tdk_err *err);

/* Read it. 1: there is something in it; 0: nothing passes. TDK_ECORRUPT: it cannot be read (err
 * says which and why). */
int stream_load(struct stream *stream, struct tdk_err *err);

/* Every frame of it would be told, and is a tick: so says the index. */
bool stream_takes_all(struct stream *stream);

/* Count in it instead; *ticks that pass. */
int stream_count(struct stream *stream, uint64_t *ticks, struct tdk_err *err);

/* It is loaded: the span of every frame of its block, all of them ticks, as was checked; 0: they
 * differ, or it is not known. */
size_t stream_tick_span(const struct stream *stream);

/* The next frame of a loaded block; NULL: that was all, the stream is not loaded any more. */
const struct tdk_frame *stream_peek(struct stream *stream);

/* Pass over the frame that stream_peek() showed. */
void stream_step(struct stream *stream);

#endif
