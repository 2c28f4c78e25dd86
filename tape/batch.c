#include "tapedeck/tape.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tape/cursor.h"

/* What is being put together, with the room that there is. */
struct collection {
    struct tdk_batch *batch;
    size_t size_room, count_room, part_room;
};

/* Room for `wanted` items of `size` bytes, at least doubled where it grows. */
static void *grown(void *items, size_t *room, size_t wanted, size_t size)
{
    assert(wanted > 0);
    if (items != NULL && wanted <= *room)
        return items;
    size_t more = wanted > *room * 2 ? wanted : *room * 2;
    void *moved = realloc(items, more * size);
    if (moved != NULL)
        *room = more;
    return moved;
}

/* The pointers are of several types, and realloc()'s result must not be lost on the way. */
static bool make_room(struct collection *c, const struct tdk_run *run)
{
    struct tdk_batch *batch = c->batch;
    size_t frames = run->size / sizeof(struct tdk_frame); /* at most so many */
    void *moved = grown(batch->frames, &c->size_room, batch->size + run->size, 1);
    if (moved == NULL)
        return false;
    batch->frames = moved;
    moved = grown(batch->offsets, &c->count_room, batch->count + frames, sizeof *batch->offsets);
    if (moved == NULL)
        return false;
    batch->offsets = moved;
    moved = grown(batch->parts, &c->part_room, batch->part_count + 1, sizeof *batch->parts);
    if (moved == NULL)
        return false;
    batch->parts = moved;
    return true;
}

/* Tracks that take turns tick by tick give many parts; a run that goes on where the last one ended
 * gives none. */
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

static bool add_run(struct collection *c, const struct tdk_run *run)
{
    struct tdk_batch *batch = c->batch;
    if (!make_room(c, run))
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

/* 0: enough, or the end. */
static int collect(struct collection *c, struct tdk_cursor *cursor, size_t enough,
                   struct tdk_err *err)
{
    int rc = 1;
    struct tdk_run run;
    while (rc == 1 && c->batch->size < enough) {
        rc = tdk_cursor_read(cursor, &run, err);
        if (rc == 1 && !add_run(c, &run)) {
            cursor_fail(cursor, -ENOMEM); /* the run would be missing from what comes next */
            return err_set(err, -ENOMEM, "read tape");
        }
    }
    return rc < 0 ? rc : 0;
}

int tdk_cursor_batch(struct tdk_cursor *cursor, size_t enough, struct tdk_batch **batch,
                     struct tdk_err *err)
{
    if (cursor_counts(cursor))
        return err_say(err, TDK_EVALUE, "read tape: a query with count_only has no frames");
    struct collection c = {.batch = calloc(1, sizeof *c.batch)};
    if (c.batch == NULL)
        return err_set(err, -ENOMEM, "read tape");
    int rc = collect(&c, cursor, enough == 0 ? 1 : enough, err);
    if (c.batch->size == 0) {
        tdk_batch_free(c.batch);
        c.batch = NULL;
    }
    if (rc == TDK_ECORRUPT || c.batch != NULL)
        *batch = c.batch;
    if (rc == TDK_ECORRUPT || (rc < 0 && c.batch == NULL))
        return rc;
    return c.batch != NULL; /* another failure is told again by the next call */
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
