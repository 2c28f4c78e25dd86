/*
 * view.h - the index that a reader goes by: the tape's own if it can be trusted, else a private one
 * made from the segments.
 *
 * Views are counted. A cursor holds the one that it began with, so that a refresh takes nothing
 * away from it; and all of a process share one handle for one index file, because LMDB's locks
 * belong to the process. Any thread.
 */
#ifndef TDK_TAPE_VIEW_H
#define TDK_TAPE_VIEW_H

#include <stdbool.h>

#include "index/index.h"
#include "tape/folder.h"

struct view {
    struct index *index;
    bool is_private;        /* made from the segments */
    bool is_copy;           /* of the tape's own, at one moment */
    bool is_of_growing;     /* one of these, and a writer held the tape then: there may be more */
    _Atomic bool live;      /* a writer held the tape when it was last opened: the index moves */
    unsigned holders;       /* under a lock of view.c's */
    uint64_t device, inode; /* of the shared one's file */
    struct view *under;     /* held: the index lies over this one's; NULL: over none */
    struct view *next;
};

/* What will be read of a tape's index when it is opened, asked for at once and by its path, so that
 * a cold disk has several things to do while tape.meta is read. */
void view_expect(const char *tape);

/* The best there is for this tape now. */
int view_open(struct view **view, const struct folder *folder, struct tdk_err *err);

/* Only the tape's own index. Not 0: it is not there, not whole, or nobody vouches for it, which a
 * writer that holds the tape and keeps it up, and the clean mark do. */
int view_open_trusted(struct view **view, const struct folder *folder, struct tdk_err *err);
bool view_should_be_trusted(const struct folder *folder);

/* Of one segment file, whatever tape it is from; tells which. */
int view_open_lone(struct view **view, const char *path, uint8_t tape_id[16], struct tdk_err *err);

/* Over another view, which is held: with what was written behind what it has, and is not durable
 * yet. See written.c. */
int view_open_written(struct view **view, struct view *under, const struct folder *folder,
                      struct tdk_err *err);

/* One for this index, private to whoever makes it; NULL: no memory. */
struct view *view_new(struct index *index);

struct view *view_hold(struct view *view);
void view_drop(struct view *view); /* NULL is fine */

#endif
