/*
 * shelf.h - slices that nobody reads now, with what they hold, for the next query.
 *
 * A query takes what it needs for itself alone, and gives it back when it is done; so nothing in a
 * slice is ever shared, and who asks about the same minute again finds it read and checked.
 * Bounded: some slices of usual size are kept, the one that was not used for longest goes first.
 * Any thread.
 */
#ifndef TDK_TAPE_SHELF_H
#define TDK_TAPE_SHELF_H

#include <pthread.h>

#include "tape/slice.h"

enum { SHELF_SLICES = 16 };

struct shelf {
    struct segments *segments; /* borrowed */
    pthread_mutex_t lock;
    struct slice *slices[SHELF_SLICES]; /* the one given back last is last */
    size_t count;
};

void shelf_init(struct shelf *shelf, struct segments *segments);
void shelf_close(struct shelf *shelf);

/* The slice that holds this block, if there is one; else any other, or a new one. NULL: no memory.
 */
struct slice *shelf_take(struct shelf *shelf, const struct block_ref *ref);
void shelf_give(struct shelf *shelf, struct slice *slice); /* NULL is fine */

#endif
