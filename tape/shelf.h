/*
 * shelf.h - slices that nobody reads now, with what they hold, for the next query.
 *
 * A query takes what it needs for itself alone, and gives it back when it is done; so nothing in a
 * slice is ever shared, and who asks about the same minute again finds it read and checked.
 * Bounded in number and bytes: the one that was not used for longest goes first.
 * Any thread.
 */
#ifndef TDK_TAPE_SHELF_H
#define TDK_TAPE_SHELF_H

#include <pthread.h>

#include "tape/slice.h"

enum {
    SHELF_SLICES = 16,
    SHELF_BYTES = 32 << 20, /* in their buffers, together */
};

struct shelf {
    struct segments *segments; /* borrowed */
    pthread_mutex_t lock;
    struct slice *slices[SHELF_SLICES]; /* the one given back last is last */
    size_t count, bytes;
};

void shelf_init(struct shelf *shelf, struct segments *segments);
void shelf_close(struct shelf *shelf);

/* The slice that holds this block, if there is one; else a new one, or any other. `passing`: many
 * blocks will go through it, so one is taken whose last use was that: what it holds is of no use,
 * but its memory is. NULL: no memory. */
struct slice *shelf_take(struct shelf *shelf, const struct block_ref *ref, bool passing);
void shelf_give(struct shelf *shelf, struct slice *slice); /* NULL is fine */

/* Let go of those whose file is deleted, as they keep it open. */
void shelf_tidy(struct shelf *shelf);

/* So many slices lie there that blocks have passed through: memory that was touched before. */
bool shelf_is_warm(struct shelf *shelf, size_t slices);

#endif
