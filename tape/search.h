/*
 * search.h - finds the blocks of one track that may hold something of an answer, in the order of
 * the answer: epoch by epoch; forward by seq, in reverse from the last block down.
 *
 * It goes by the index alone, and reads no block but those with which epochs begin. It finds what
 * is on the tape when it is opened, and not what a recorder adds later. One thread at a time.
 */
#ifndef TDK_TAPE_SEARCH_H
#define TDK_TAPE_SEARCH_H

#include <errno.h>

#include "base/err.h"
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
    struct tdk_damage damage;       /* the last that was told */
    struct absence absence;         /* can blocks be read that are only counted? */
    bool (*stopped)(void *context); /* NULL: nobody stops it */
    void *stop_context;
};

/* -ECANCELED: the answer is not wanted any more. */
static inline int answer_go_on(const struct answer *answer, struct tdk_err *err)
{
    return answer->stopped != NULL && answer->stopped(answer->stop_context)
               ? err_say(err, -ECANCELED, "read tape: stopped")
               : 0;
}

/* How far a track has been told. */
struct place {
    uint64_t epoch; /* 0: nothing of the track yet */
    uint64_t last_seq;
    uint64_t ring_epoch;    /* as its ring calls it */
    uint8_t ring_uuid[16];  /* zeros: it came from a file */
    struct block_ref block; /* the last that was met, from which the index goes on; span 0: none */
};

#define SEARCH_REFS 32

struct search {
    struct answer *answer;     /* borrowed */
    const struct track *track; /* borrowed */

    struct epoch_ref *epochs; /* as they were when the search was opened; ours */
    size_t epoch_count, epoch_at;
    bool in_epoch;          /* epoch_at has been entered */
    bool is_border_seen;    /* in front of epochs[epoch_at]: see border.h */
    struct picks all;       /* the instruments that are asked for, in the whole track */
    struct picks here;      /* and in this epoch */
    unsigned misses;        /* blocks that were looked into and had none of them */
    struct listing listing; /* tells, without a look into them, more blocks that have none */

    struct block_ref refs[SEARCH_REFS];
    int ref_count, ref_at;
    bool refs_end;        /* the epoch has no more than these */
    unsigned turned_back; /* how often search_again() found other blocks since one was told */
    uint64_t seen;        /* the highest seq told of this epoch; in reverse the lowest */

    struct place start;   /* nothing up to there is told; forward only */
    struct block_ref met; /* the last block that was told, in reverse the first; span 0: none */

    bool is_holed;           /* seqs of this epoch are missing: see hole.h */
    struct block_ref before; /* then: the last block met; track 0: none yet */
    bool is_held;            /* a hole was told, and what comes behind it is still to be told: */
    int held;                /* 1: the block refs[ref_at - 1]; 0: the end of the epoch */
};

/* List the tracks of a view (NULL: the tape's own) that a query asks for, by name, each once. The
 * caller frees the list. TDK_ENOTRACK. */
int search_tracks(struct tdk_tape *tape, struct view *view, const struct tdk_query *query,
                  struct track ***found, size_t *count, struct tdk_err *err);

int search_open(struct search *search, struct answer *answer, const struct track *track,
                struct tdk_err *err);
void search_close(struct search *search);

/* Go back to the beginning, in the direction that the answer has now. */
void search_rewind(struct search *search);

/* Tell only what lies behind a place. To be called before the first block. */
void search_begin_behind(struct search *search, const struct place *place);

/* How far it will have told when it is at its end. */
struct place search_end(const struct search *search);

/* Find the next block. 1: it is *ref. 0: the end. TDK_ECORRUPT: something is missing before it, and
 * err says what; the next call goes on. */
int search_next(struct search *search, struct block_ref *ref, struct tdk_err *err);

/* Skip the rest of this epoch and go on with the next. */
void search_leave(struct search *search);

/* What this block holds was told. From here on, pass over blocks that repeat it. */
void search_told(struct search *search, const struct block_ref *ref);

/* The block that was found last has none of the symbols that are asked for. After some of these,
 * ask what the segments list before looking into more. */
void search_missed(struct search *search);

/* A block that was found cannot be read. Its segment may have been packed since: true, and *ref is
 * the block that has its ticks now. False: the index knows of no other. */
bool search_again(struct search *search, struct block_ref *ref);

/* Does the epoch have only few blocks for this answer? */
bool search_is_short(const struct search *search);

/* The n-th block behind the one that was found last, if that is known without asking the index.
 * NULL: it is not, there is none, or nothing in it is wanted. */
const struct block_ref *search_ahead(const struct search *search, int n);

#endif
