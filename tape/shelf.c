#include "tape/shelf.h"

#include <stdlib.h>
#include <string.h>

static size_t size_of(const struct slice *slice)
{
    return slice->room + slice->unpacked_room;
}

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

static struct slice *remove_at(struct shelf *shelf, size_t at)
{
    struct slice *slice = shelf->slices[at];
    shelf->count--;
    shelf->bytes -= size_of(slice);
    memmove(&shelf->slices[at], &shelf->slices[at + 1],
            (shelf->count - at) * sizeof(struct slice *));
    return slice;
}

void shelf_close(struct shelf *shelf)
{
    while (shelf->count > 0)
        destroy(remove_at(shelf, 0));
    pthread_mutex_destroy(&shelf->lock);
}

/* NULL: none is suitable, and there is room for another. */
static struct slice *find(struct shelf *shelf, const struct block_ref *ref, bool passing)
{
    for (size_t i = shelf->count; i-- > 0;)
        if (slice_holds(shelf->slices[i], ref))
            return remove_at(shelf, i);
    for (size_t i = shelf->count; passing && i-- > 0;)
        if (shelf->slices[i]->passing)
            return remove_at(shelf, i);
    return shelf->count == SHELF_SLICES ? remove_at(shelf, 0) : NULL;
}

struct slice *shelf_take(struct shelf *shelf, const struct block_ref *ref, bool passing)
{
    pthread_mutex_lock(&shelf->lock);
    struct slice *slice = find(shelf, ref, passing);
    pthread_mutex_unlock(&shelf->lock);
    if (slice == NULL) {
        slice = malloc(sizeof *slice);
        if (slice != NULL)
            slice_init(slice, shelf->segments);
    }
    if (slice != NULL) {
        slice->passing = passing;
        slice->is_near = false;
    }
    return slice;
}

static bool is_gone(const struct slice *slice)
{
    return slice->handle != NULL && segment_is_gone(slice->handle->segment);
}

void shelf_tidy(struct shelf *shelf)
{
    struct slice *gone[SHELF_SLICES];
    size_t count = 0;
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = shelf->count; i-- > 0;)
        if (is_gone(shelf->slices[i]))
            gone[count++] = remove_at(shelf, i);
    pthread_mutex_unlock(&shelf->lock);
    while (count > 0)
        destroy(gone[--count]);
}

/* Memory that has been used is worth keeping: fresh pages cost more than what is read into them. */
void shelf_give(struct shelf *shelf, struct slice *slice)
{
    struct slice *gone[SHELF_SLICES + 1];
    size_t count = 0;
    if (slice == NULL)
        return;
    pthread_mutex_lock(&shelf->lock);
    while (shelf->count > 0 &&
           (shelf->count == SHELF_SLICES || shelf->bytes + size_of(slice) > SHELF_BYTES))
        gone[count++] = remove_at(shelf, 0);
    if (size_of(slice) <= SHELF_BYTES) {
        shelf->slices[shelf->count++] = slice;
        shelf->bytes += size_of(slice);
    } else {
        gone[count++] = slice;
    }
    pthread_mutex_unlock(&shelf->lock);
    while (count > 0)
        destroy(gone[--count]);
}

bool shelf_is_warm(struct shelf *shelf, size_t slices)
{
    size_t warm = 0;
    pthread_mutex_lock(&shelf->lock);
    for (size_t i = 0; i < shelf->count; i++)
        warm += shelf->slices[i]->passing;
    pthread_mutex_unlock(&shelf->lock);
    return warm >= slices;
}
