/*
 * shelf.h - slices that nobody uses now are kept, with what they hold, for the next query.
 *
 * A query takes a slice for itself alone, and gives it back when it is done. So nothing in a slice
 * is ever shared, and a query about the same minute finds it read and checked. The shelf is bounded
 * in number and bytes: the slice that was not used for longest goes first. Any thread.
 */
#ifndef TDK_TAPE_SHELF_H
#define TDK_TAPE_SHELF_H

#include <pthread.h>

#include "tape/slice.h"

enum {
    SHELF_SLICES = 16,
    SHELF_BYTES = 32 << 20, /* in all their buffers together */
};

struct shelf {
    struct segments *segments; /* borrowed */
    pthread_mutex_t lock;
    struct slice *slices[SHELF_SLICES]; /* the one given back last is last */
    size_t count, bytes;
};

void shelf_init(struct shelf *shelf, struct segments *segments);
void shelf_close(struct shelf *shelf);

/* Take the slice that holds this block, or else another or a new one. `passing`: many blocks will
 * go through it, so take one whose last use was the same: what it holds is of no use, but its
 * memory is. NULL: there is no memory. */
struct slice *shelf_take(struct shelf *shelf, const struct block_ref *ref, bool passing);
void shelf_give(struct shelf *shelf, struct slice *slice); /* NULL is fine */

/* Drop the slices whose file was deleted, because they keep it open. */
void shelf_tidy(struct shelf *shelf);

/* Are there so many slices that blocks have passed through? Their memory was touched before. */
bool shelf_is_warm(struct shelf *shelf, size_t slices);

#endif
