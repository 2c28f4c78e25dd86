#include "base/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

int batch_begin(struct batch *b)
{
    *b = (struct batch){.batch = calloc(1, sizeof *b->batch)};
    return b->batch != NULL ? 0 : -ENOMEM;
}

/* The pointers are of several types, and realloc()'s result must not be lost on the way. */
static bool make_room(struct batch *b, const struct tdk_run *run)
{
    struct tdk_batch *batch = b->batch;
    size_t frames = run->size / sizeof(struct tdk_frame); /* at most so many */
    void *moved = array_grow(batch->frames, &b->size_room, batch->size + run->size, 1);
    if (moved == NULL)
        return false;
    batch->frames = moved;
    moved =
        array_grow(batch->offsets, &b->count_room, batch->count + frames, sizeof *batch->offsets);
    if (moved == NULL)
        return false;
    batch->offsets = moved;
    assert(batch->parts != NULL || batch->part_count == 0);
    moved = array_grow(batch->parts, &b->part_room, batch->part_count + 1, sizeof *batch->parts);
    if (moved == NULL)
        return false;
    batch->parts = moved;
    return true;
}

/* Tracks that take turns tick by tick give many parts. A run that continues the last one needs no
 * new part. */
static struct tdk_part *part_for(struct tdk_batch *batch, const struct tdk_run *run)
{
    struct tdk_part *last = batch->part_count > 0 ? &batch->parts[batch->part_count - 1] : NULL;
    if (last != NULL && last->number == run->number && last->epoch == run->epoch)
        return last;
    last = &batch->parts[batch->part_count++];
    *last = (struct tdk_part){
        .first = batch->count, .epoch = run->epoch, .track = run->track, .number = run->number};
    return last;
}

bool batch_add(struct batch *b, const struct tdk_run *run)
{
    struct tdk_batch *batch = b->batch;
    if (!make_room(b, run))
        return false;
    struct tdk_part *part = part_for(batch, run);
    unsigned char *bytes = (unsigned char *)batch->frames + batch->size;
    memcpy(bytes, run->frames, run->size);
    for (size_t at = 0; at < run->size; part->count++) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)(bytes + at);
        batch->offsets[batch->count++] = batch->size + at;
        at += tdk_frame_span(frame->size);
    }
    batch->size += run->size;
    batch->ticks += run->ticks;
    return true;
}

int batch_give(struct batch *b, int rc, struct tdk_batch **out)
{
    struct tdk_batch *batch = b->batch;
    b->batch = NULL;
    if (batch->size == 0) {
        tdk_batch_free(batch);
        batch = NULL;
    }
    if (rc == TDK_ECORRUPT || batch != NULL)
        *out = batch;
    if (rc == TDK_ECORRUPT || (rc < 0 && batch == NULL))
        return rc;
    return batch != NULL;
}

void tdk_batch_free(struct tdk_batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->frames);
    free(batch->offsets);
    free(batch->parts);
    free(batch);
}
