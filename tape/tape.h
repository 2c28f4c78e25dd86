/*
 * tape.h - an open tape, as the files that read it see it.
 */
#ifndef TDK_TAPE_TAPE_H
#define TDK_TAPE_TAPE_H

#include <pthread.h>

#include "tape/segments.h"
#include "tape/shelf.h"
#include "tape/view.h"
#include "tapedeck/tape.h"

/* A track; it stays where it is until the tape is closed, as runs borrow its name. */
struct track {
    struct track_ref ref;
    struct track *next;
};

/* All symbols of a track at one time, by (epoch, instrument_id, from). */
struct symbols {
    uint16_t track;
    struct symbols *next;
    size_t count;
    struct symbol_ref items[];
};

struct tdk_tape {
    char lone[TAPE_PATH_MAX]; /* path of the one segment that was opened; "": a tape */
    struct folder folder;     /* when it is one */
    struct segments segments; /* that are open */
    struct shelf shelf;       /* what was read of them, for the next query */
    pthread_mutex_t lock;     /* over all that follows */
    struct view *view;
    struct track *all;     /* every track ever seen */
    struct track **tracks; /* those there are now, by name bytewise */
    size_t track_count;
    struct symbols *symbols; /* of the tracks that were asked about, until refresh */
};

/* By exact name; NULL: no such track. */
struct track *tape_track(struct tdk_tape *tape, const char *name);

/* Those of now, by name bytewise; a list of the caller's, malloc'ed. NULL: no memory. */
struct track **tape_tracks(struct tdk_tape *tape, size_t *count);

/* The view of now; the caller drops it. */
struct view *tape_view(struct tdk_tape *tape);

/* The epochs of a track, ascending; malloc'ed. Their first_seq is 1 where no segment of the tape
 * was given up. */
int tape_epochs(struct view *view, uint16_t track, struct epoch_ref **epochs, size_t *count,
                struct tdk_err *err);

/* All symbols of a track; malloc'ed. */
int symbols_read(struct view *view, uint16_t track, struct symbols **symbols, struct tdk_err *err);

/* The same, read once; borrowed until the tape is closed or refreshed. */
int tape_symbols(struct tdk_tape *tape, uint16_t track, const struct symbols **symbols,
                 struct tdk_err *err);

#endif
