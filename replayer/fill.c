#include "replayer/fill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "replayer/replayer.h"
#include "tape/cursor.h"

#define FIRST_SIZE ((size_t)64 << 10) /* of the first batch, which the client is waiting for */

static bool is_ending(void *context)
{
    const struct fill *f = context;
    return atomic_load_explicit(f->ending, memory_order_relaxed);
}

int fill_open(struct fill *f, struct replayer *r, struct inquiry *inquiry)
{
    if (is_ending(f)) /* while it was in the queue */
        return err_say(&f->err, -ECANCELED, "query: nobody waits for the answer any more");
    int rc = inquiry->digest ? tdk_digest_open(&f->digest) : 0;
    if (rc < 0)
        return err_set(&f->err, rc, "query");
    f->control = inquiry->query.control;
    rc = replayer_open_cursor(r, &f->cursor, inquiry, &f->err);
    if (rc == 0)
        cursor_stop_when(f->cursor, is_ending, f);
    return rc;
}

void fill_close(struct fill *f)
{
    tdk_cursor_close(f->cursor);
    tdk_digest_close(f->digest);
    free(f->told);
    f->cursor = NULL;
    f->digest = NULL;
    f->told = NULL;
}

/* ---- TRACK frames ---- */

static bool is_told(const struct fill *f)
{
    return f->run.number < f->told_count && f->told[f->run.number].epoch == f->run.epoch;
}

static bool note_told(struct fill *f)
{
    if (f->run.number >= f->told_count) {
        size_t count = (size_t)f->run.number + 16;
        struct told *told = realloc(f->told, count * sizeof *told);
        if (told == NULL)
            return false;
        memset(told + f->told_count, 0, (count - f->told_count) * sizeof *told);
        f->told = told;
        f->told_count = count;
    }
    f->told[f->run.number] = (struct told){.epoch = f->run.epoch, .track = f->run.track};
    return true;
}

static uint32_t track_payload(const struct fill *f)
{
    return (uint32_t)(sizeof(struct tdk_track_head) + strlen(f->run.track));
}

/* Like all control frames, TRACK carries the seq and ts of the next tick. */
static void put_track(const struct fill *f, const struct tdk_frame *next)
{
    unsigned char *at = f->into->bytes + f->into->size;
    size_t name_size = strlen(f->run.track);
    const struct tdk_frame frame = {.size = track_payload(f),
                                    .track = f->run.number,
                                    .type = TDK_TYPE_TRACK,
                                    .seq = next->seq,
                                    .ts = next->ts};
    const struct tdk_track_head head = {
        .epoch = f->run.epoch, .number = f->run.number, .name_size = (uint8_t)name_size};
    memset(at, 0, tdk_frame_span(frame.size));
    memcpy(at, &frame, sizeof frame);
    memcpy(at + sizeof frame, &head, sizeof head);
    memcpy(at + sizeof frame + sizeof head, f->run.track, name_size);
    f->into->size += tdk_frame_span(frame.size);
}

/* ---- runs ---- */

static const struct tdk_frame *frame_at(const struct fill *f, size_t at)
{
    return (const void *)((const unsigned char *)f->run.frames + at);
}

/* How much of the run's rest fits, in whole frames, and how many ticks that is. */
static size_t what_fits(const struct fill *f, size_t room, uint64_t *ticks)
{
    size_t rest = f->run.size - f->run_at, size = 0;
    *ticks = f->run_ticks;
    if (rest <= room)
        return rest;
    *ticks = 0;
    for (;;) {
        const struct tdk_frame *frame = frame_at(f, f->run_at + size);
        size_t span = tdk_frame_span(frame->size);
        if (size + span > room)
            return size;
        size += span;
        *ticks += (uint64_t)tdk_frame_is_tick(frame);
    }
}

/* Control frames may lie among the ticks. The tape's TRACK frames are not sent; ours are. */
static uint64_t tick_bytes(const struct fill *f, size_t from, size_t size)
{
    uint64_t bytes = 0;
    if (!f->control)
        return size;
    for (size_t at = from; at < from + size;) {
        const struct tdk_frame *frame = frame_at(f, at);
        size_t span = tdk_frame_span(frame->size);
        bytes += tdk_frame_is_tick(frame) ? span : 0;
        at += span;
    }
    return bytes;
}

/* Copy some of the run into the batch. False: no more fits. */
static bool take_run(struct fill *f)
{
    struct batch_memory *m = f->into;
    const struct tdk_frame *first = frame_at(f, f->run_at);
    size_t room = f->limit > m->size ? f->limit - m->size : 0;
    size_t track = is_told(f) ? 0 : tdk_frame_span(track_payload(f));
    size_t least = track + tdk_frame_span(first->size);
    uint64_t ticks;
    if (least > room) {
        f->need = m->size == 0 ? least : 0;
        return false;
    }
    if (track != 0) {
        if (!note_told(f)) {
            f->stop = FILL_FAILED;
            err_set(&f->err, -ENOMEM, "query");
            return false;
        }
        put_track(f, first);
    }
    size_t size = what_fits(f, room - track, &ticks);
    memcpy(m->bytes + m->size, first, size);
    m->size += size;
    m->ticks += ticks;
    if (f->digest != NULL)
        tdk_digest_run(f->digest, f->run.track, f->run.epoch, first, size);
    f->ticks += ticks;
    f->bytes += tick_bytes(f, f->run_at, size);
    f->run_ticks -= ticks;
    f->run_at += size;
    return true;
}

/* ---- where tracks take turns: many ticks at once (tape/weave.h) ---- */

/* Woven ticks are of epochs that have begun with a run, so their TRACK frames have been put in. */
static void add_to_digest(struct fill *f, const struct woven *woven)
{
    const unsigned char *at = woven->bytes, *end = at + woven->size;
    while (at < end) {
        const struct tdk_frame *frame = (const void *)at;
        const struct told *told = &f->told[frame->track];
        tdk_digest_add(f->digest, told->track, told->epoch, frame);
        at += tdk_frame_span(frame->size);
    }
}

/* Fill the batch up to `enough` with woven ticks. False: what comes next is a run, or does not
 * fit. */
static bool take_woven(struct fill *f, size_t enough)
{
    struct batch_memory *m = f->into;
    struct woven woven = {.bytes = m->bytes + m->size,
                          .room = cursor_weave_size(f->cursor, enough - m->size)};
    if (woven.room == 0)
        return false;
    cursor_weave(f->cursor, &woven);
    if (f->digest != NULL)
        add_to_digest(f, &woven);
    m->size += woven.size;
    m->ticks += woven.ticks;
    f->ticks += woven.ticks;
    f->bytes += woven.size;
    return woven.ticks > 0;
}

/* Read the next run. False: there is none now, and f->stop says why. */
static bool next_run(struct fill *f)
{
    int rc = tdk_cursor_read(f->cursor, &f->run, &f->err);
    f->run_at = 0;
    f->run_ticks = rc == 1 ? f->run.ticks : 0;
    if (rc == 1)
        return true;
    f->run.size = 0;
    f->stop = rc == 0 ? FILL_END : rc == TDK_ECORRUPT ? FILL_DAMAGE : FILL_FAILED;
    if (rc == TDK_ECORRUPT)
        tdk_cursor_damage(f->cursor, &f->damage);
    return false;
}

void fill_run(struct fill *f)
{
    size_t enough = f->begun || f->limit < FIRST_SIZE ? f->limit : FIRST_SIZE;
    f->stop = FILL_MORE;
    f->need = 0;
    while (f->into->size < enough && !is_ending(f)) {
        bool is_taken = f->run_at == f->run.size;
        if (is_taken && take_woven(f, enough))
            continue;
        if (is_taken && !next_run(f))
            break;
        if (!take_run(f))
            break;
    }
    f->begun = true;
}
