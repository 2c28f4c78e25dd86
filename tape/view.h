/*
 * view.h - the index that a reader uses: the tape's own if it can be trusted, else a private one
 * made from the segments.
 *
 * Views are reference-counted. A cursor holds the view that it began with, so that a refresh takes
 * nothing away from it. All views of a process share one handle for one index file, because LMDB's
 * locks belong to the process. Any thread.
 */
#ifndef TDK_TAPE_VIEW_H
#define TDK_TAPE_VIEW_H

#include <stdbool.h>

#include "index/index.h"
#include "tape/folder.h"

struct view {
    struct index *index;
    bool is_private;        /* made from the segments */
    bool is_copy;           /* a copy of the tape's own index at one moment */
    bool is_of_growing;     /* private or a copy, while a writer held the tape: there may be more */
    _Atomic bool live;      /* a writer held the tape when it was last opened: the index changes */
    unsigned holders;       /* under a lock in view.c */
    uint64_t device, inode; /* of the file of a shared index */
    struct view *under;     /* held: the view that this index lies over; NULL: none */
    struct view *next;
};

/* Request everything that will be read of a tape's index when it is opened, at once and by its
 * path, so that a cold disk can work on several reads while tape.meta is read. */
void view_expect(const char *tape);

/* Open the best index that this tape has now. */
int view_open(struct view **view, const struct folder *folder, struct tdk_err *err);

/* Open only the tape's own index. Not 0: it is not there, not whole, or nothing vouches for it. A
 * writer that holds the tape and keeps the index up to date vouches for it, and so does the clean
 * mark. */
int view_open_trusted(struct view **view, const struct folder *folder, struct tdk_err *err);
bool view_should_be_trusted(const struct folder *folder);

/* Open a view of one segment file, whatever tape it is from; tape_id says which. */
int view_open_lone(struct view **view, const char *path, uint8_t tape_id[16], struct tdk_err *err);

/* Open a view over another one, which is held, with what was written after it and is not durable
 * yet. See written.c. */
int view_open_written(struct view **view, struct view *under, const struct folder *folder,
                      struct tdk_err *err);

/* A view of this index, private to its maker. NULL: no memory. */
struct view *view_new(struct index *index);

struct view *view_hold(struct view *view);
void view_drop(struct view *view); /* NULL is fine */

#endif
