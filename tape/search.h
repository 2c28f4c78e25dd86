/*
 * search.h - the blocks of one track that may hold something of an answer, in the order in which it
 * comes: epoch by epoch, forward by seq, reverse from the last block down.
 *
 * By the index alone: nothing is read. What is on the tape when the search is opened is what it
 * finds; blocks that a recorder adds later are not told. One thread at a time.
 */
#ifndef TDK_TAPE_SEARCH_H
#define TDK_TAPE_SEARCH_H

#include "tape/absence.h"
#include "tape/listing.h"
#include "tape/select.h"
#include "tape/tape.h"

/* What all tracks of a cursor share. */
struct answer {
    struct tdk_tape *tape; /* borrowed */
    struct view *view;
    struct select select;
    bool reverse;
    struct tdk_cursor_stats stats;
    struct tdk_damage damage; /* the last that was told */
    struct absence absence;   /* asked where blocks are counted without reading them */
};

/* Up to where a track has been told. */
struct place {
    uint64_t epoch; /* 0: nothing of it */
    uint64_t last_seq;
    uint64_t ring_epoch;   /* as its ring calls it */
    uint8_t ring_uuid[16]; /* zeros: it came from a file */
    struct block_ref
        block; /* the last that was met, where the index is asked to go on; span 0: none */
};

#define SEARCH_REFS 32

struct search {
    struct answer *answer;     /* borrowed */
    const struct track *track; /* borrowed */

    struct epoch_ref *epochs; /* as they were when the search was opened; ours */
    size_t epoch_count, epoch_at;
    bool in_epoch;          /* epoch_at has been entered */
    struct picks all;       /* every instrument that is asked for, of the whole track */
    struct picks here;      /* of this epoch */
    unsigned misses;        /* blocks that were looked into and had none of them */
    struct listing listing; /* where more of those are not looked into */

    struct block_ref refs[SEARCH_REFS];
    int ref_count, ref_at;
    bool refs_end;        /* the epoch has no more than these */
    unsigned turned_back; /* how often search_again() found other blocks since one was told */
    uint64_t seen;        /* forward: highest seq told of this epoch; reverse: the lowest */

    struct place start;   /* nothing up to there is told; forward only */
    struct block_ref met; /* forward the last, reverse the first that was told; span 0: none */

    bool is_holed;           /* seqs of this epoch are missing: see hole.h */
    struct block_ref before; /* then: the last one met; track 0: none yet */
    bool is_held;            /* a hole was told in front of it: */
    int held;                /* 1: a block, refs[ref_at - 1]; 0: the end of the epoch */
};

/* The tracks of a view (NULL: the tape's own) that a query asks for, by name, each once; a list of
 * the caller's, malloc'ed. TDK_ENOTRACK. */
int search_tracks(struct tdk_tape *tape, struct view *view, const struct tdk_query *query,
                  struct track ***found, size_t *count, struct tdk_err *err);

int search_open(struct search *search, struct answer *answer, const struct track *track,
                struct tdk_err *err);
void search_close(struct search *search);

/* Back to its beginning, whichever way the answer goes now. */
void search_rewind(struct search *search);

/* Tell only what lies behind a place; before the first block. */
void search_begin_behind(struct search *search, const struct place *place);

/* Up to where it will have told when it is at its end. */
struct place search_end(const struct search *search);

/* The next block: 1, *ref; 0: the end. TDK_ECORRUPT: in front of it something is missing (err says
 * what); the next call goes on. */
int search_next(struct search *search, struct block_ref *ref, struct tdk_err *err);

/* What is left of the epoch that it is in is of no use: go on with the next. */
void search_leave(struct search *search);

/* What it holds was told: blocks that repeat it are passed over from here on. */
void search_told(struct search *search, const struct block_ref *ref);

/* Of the block that was found last nothing that was asked for by symbol is there: what segments
 * list is asked before more are looked into. */
void search_missed(struct search *search);

/* A block that was found cannot be had: its segment may have been packed since. What has its ticks
 * now: true, *ref; false: the index knows nothing else. */
bool search_again(struct search *search, struct block_ref *ref);

/* The epoch has but few blocks for this answer. */
bool search_is_short(const struct search *search);

/* The block `n` behind the one that was found last, as far as is known without asking; NULL: there
 * is none, or nothing in it. */
const struct block_ref *search_ahead(const struct search *search, int n);

#endif
