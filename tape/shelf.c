#include "tape/shelf.h"

#include <stdlib.h>
#include <string.h>

/* Larger ones are rare, and are not kept. */
enum { KEPT_MAX = 6 << 20 };

void shelf_init(struct shelf *shelf, struct segments *segments)
{
    *shelf = (struct shelf){.segments = segments};
    pthread_mutex_init(&shelf->lock, NULL);
}

static void destroy(struct slice *slice)
{
    slice_close(slice);
    free(slice);
}

void shelf_close(struct shelf *shelf)
{
    while (shelf->count > 0)
        destroy(shelf->slices[--shelf->count]);
    pthread_mutex_destroy(&shelf->lock);
}

static struct slice *remove_at(struct shelf *shelf, size_t at)
{
    struct slice *slice = shelf->slices[at];
    shelf->count--;
    memmove(&shelf->slices[at], &shelf->slices[at + 1],
            (shelf->count - at) * sizeof(struct slice *));
    return slice;
}

struct slice *shelf_take(struct shelf *shelf, const struct block_ref *ref)
{
    struct slice *slice = NULL;
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = shelf->count; i-- > 0 && slice == NULL;)
        if (slice_holds(shelf->slices[i], ref))
            slice = remove_at(shelf, i);
    if (slice == NULL && shelf->count == SHELF_SLICES)
        slice = remove_at(shelf, 0);
    pthread_mutex_unlock(&shelf->lock);
    if (slice == NULL) {
        slice = malloc(sizeof *slice);
        if (slice != NULL)
            slice_init(slice, shelf->segments);
    }
    return slice;
}

void shelf_give(struct shelf *shelf, struct slice *slice)
{
    if (slice == NULL)
        return;
    struct slice *gone = slice;
    pthread_mutex_lock(&shelf->lock);
    if (slice->room + slice->unpacked_room <= KEPT_MAX) {
        gone = shelf->count == SHELF_SLICES ? remove_at(shelf, 0) : NULL;
        shelf->slices[shelf->count++] = slice;
    }
    pthread_mutex_unlock(&shelf->lock);
    if (gone != NULL)
        destroy(gone);
}
