/*
 * tape.h - an open tape, as the files that read it see it.
 */
#ifndef TDK_TAPE_TAPE_H
#define TDK_TAPE_TAPE_H

#include <pthread.h>

#include "tape/lease.h"
#include "tape/missing.h"
#include "tape/retired.h"
#include "tape/segments.h"
#include "tape/shelf.h"
#include "tape/tallies.h"
#include "tape/view.h"
#include "tapedeck/tape.h"

/* A track. It stays at its address until the tape is closed, because runs borrow its name. */
struct track {
    struct track_ref ref;
    struct track *next;
};

/* Symbols of a track at one time, by (epoch, instrument_id, from). Never changed: readers hold
 * a reference, and a refresh takes nothing away from them. */
struct symbols {
    unsigned holders; /* atomic */
    uint16_t track;
    struct symbols *next;
    size_t count;
    struct symbol_ref items[];
};

/* A segment's span of time, which leases go by, and what its reference says. */
struct segment_span {
    uint64_t number, min_ts, max_ts;
    uint32_t generation;
    uint16_t states; /* kinds: see segment_ref */
    bool is_cut;     /* it lost its footer, and what stood in front of that */
};

struct tdk_tape {
    char lone[TAPE_PATH_MAX]; /* path of the one segment that was opened; "": this is a tape */
    struct folder folder;     /* if it is a tape */
    struct segments segments; /* that are open */
    struct shelf shelf;       /* what was read of blocks, for the next query */
    struct tallies tallies;   /* of blocks that were counted in */
    struct leases leases;     /* on the segments that cursors may yet need */
    pthread_mutex_t lock;     /* over all that follows */
    struct view *view;
    struct track *all;     /* every track ever seen */
    struct track **tracks; /* those that are there now, by name bytewise */
    size_t track_count;
    struct retired *retired; /* what was deleted on purpose, and of which file it was read: */
    uint64_t retired_inode, retired_ns, retired_size;
    struct segment_span *spans;   /* of the segments that the index knows; by number */
    size_t span_count, cut_count; /* of all; of those that are cut */
    struct missing missing;       /* of the same row */
    bool spans_known;
    uint64_t dear_ns;        /* no look at all segments before this time (tape_refresh_cheaply) */
    struct symbols *symbols; /* of the tracks that were asked about; held until refresh */
};

/* True: no segment was given up, so the sequence has its first. Of a single segment this cannot be
 * known. */
bool tape_is_from_start(const struct tdk_tape *tape);

/* By exact name; NULL: no such track. */
struct track *tape_track(struct tdk_tape *tape, const char *name);

/* By its number; NULL: no such track. */
struct track *tape_track_number(struct tdk_tape *tape, uint16_t number);

/* By name, bytewise: the order in which tracks come everywhere. */
void tracks_sort(struct track **tracks, size_t count);

/* The tracks that are there now, in that order. The list is the caller's, malloc'ed. NULL: no
 * memory. */
struct track **tape_tracks(struct tdk_tape *tape, size_t *count);

/* The current view; the caller drops it. */
struct view *tape_view(struct tdk_tape *tape);

/* The same; or, with `written`, one that includes what is written but not durable yet. */
int tape_view_of(struct tdk_tape *tape, bool written, struct view **view, struct tdk_err *err);

/* The block cannot be had. Was its file packed, and the view does not know of it: one that was made
 * from the segments, a copy, or an index that was built anew since? Then *view becomes one of now,
 * and true: ask it again. */
bool tape_renew_view(struct tdk_tape *tape, const struct block_ref *ref, struct view **view);

/* From here to the next refresh all that is asked of the tape is told of what is written. */
int tape_refresh_written(struct tdk_tape *tape, struct tdk_err *err);

/* The tracks that a view has, in order, including those that are new with it; malloc'ed. */
int tape_tracks_of(struct tdk_tape *tape, struct view *view, struct track ***tracks, size_t *count,
                   struct tdk_err *err);

/* What was deleted on purpose, as of now; the caller drops it. NULL: nothing was, or it is not
 * known. */
struct retired *tape_retired(struct tdk_tape *tape);
struct retired *tape_retired_now(struct tdk_tape *tape); /* likewise, with the lock held */
bool tape_is_retired(struct tdk_tape *tape, uint64_t segment);

/* Cut what was deleted off both ends of a stretch of seqs. False: nothing is left. */
bool tape_trim_retired(struct tdk_tape *tape, uint16_t track, uint64_t epoch, uint64_t *first_seq,
                       uint64_t *last_seq);

/* Keep the segments that may hold ticks of these times (on the event axis: all segments) until the
 * lease is given back. */
void tape_lease(struct tdk_tape *tape, struct lease *lease, enum tdk_axis axis, uint64_t from,
                uint64_t last);

/* The newest segment that is there now; 0: there is none. */
uint64_t tape_newest_segment(struct tdk_tape *tape);

/* Segments that are not there or lost their end, if what they held may be of the query's times (on
 * the event axis: any): the first behind segment *told (0: of all), which is moved on. False: that
 * was all. The seqs tell what is missing inside an epoch, too; nothing else tells what is missing
 * at its end, or that a whole epoch is. */
bool tape_next_lost(struct tdk_tape *tape, const struct tdk_query *query, uint64_t *told,
                    struct tdk_lost_segments *lost);
int tape_say_lost(const struct tdk_lost_segments *lost, struct tdk_err *err); /* TDK_ECORRUPT */

/* Does the index have these kinds of state for this segment and for those below it, down to but not
 * including *floor? *floor is the next segment that lacks them; 0: none lacks them. */
bool tape_has_states(struct tdk_tape *tape, uint64_t segment, uint32_t kinds, uint64_t *floor);

/* The generation of the segment's file, as the index knew it. It may have been packed since. */
unsigned tape_generation(struct tdk_tape *tape, uint64_t segment);

/* The epochs of a track, ascending; malloc'ed. Their first_seq is 1 where no segment of the tape
 * was given up or deleted. */
int tape_epochs(struct tdk_tape *tape, struct view *view, uint16_t track, struct epoch_ref **epochs,
                size_t *count, struct tdk_err *err);

/* The symbols of one epoch of a track, or with epoch 0 of all; the caller drops them. */
int symbols_read(struct view *view, uint16_t track, uint64_t epoch, struct symbols **symbols,
                 struct tdk_err *err);

/* Those of all epochs, read once between two refreshes. */
int tape_symbols(struct tdk_tape *tape, uint16_t track, struct symbols **symbols,
                 struct tdk_err *err);
void symbols_drop(struct symbols *symbols); /* NULL is fine */

#endif
