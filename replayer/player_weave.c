/* player_weave.c - where tracks alternate tick by tick: puts many ticks into the ring at once. */
#include <assert.h>

#include "replayer/player_private.h"
#include "tape/cursor.h"

/* With several rings, or with shifted times, ticks go in by runs instead. */
size_t player_weave_size(const struct player *p)
{
    if (!player_is_at_max(p) || p->options.per_track || p->options.rebase)
        return 0;
    return cursor_weave_size(p->cursor, p->lanes[0].piece_max);
}

/* Every epoch that is woven has begun with a run, so its seat knows the track. */
static void add_to_digest(struct player *p, const struct woven *woven)
{
    const unsigned char *at = woven->bytes, *end = at + woven->size;
    while (at < end) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)at;
        const struct seat *seat = &p->seats[frame->track];
        tdk_digest_add(p->digest, seat->track, seat->epoch, frame);
        at += tdk_frame_span(frame->size);
    }
}

static void count(struct player *p, struct lane *lane, const struct woven *woven)
{
    lane->ticks += woven->ticks;
    p->tick += woven->ticks;
    p->report.ticks += woven->ticks;
    p->report.bytes += woven->size;
    if (woven->last_ts != 0)
        p->at = woven->last_ts;
}

/* Weave into the ring itself. But when the ticks must be read again, for the digest, weave into our
 * own memory first. A ring's consumer can write to all of the ring, and a head that changes under
 * us is a wild pointer. */
static void weave(struct player *p, struct woven *woven)
{
    void *room = woven->bytes;
    if (p->digest == NULL || p->report.rounds > 0) {
        cursor_weave(p->cursor, woven);
        return;
    }
    woven->bytes = p->aside;
    cursor_weave(p->cursor, woven);
    add_to_digest(p, woven);
    lane_copy(&p->lanes[0], room, p->aside, woven->size);
}

int player_put_woven(struct player *p, size_t size, struct tdk_err *err)
{
    struct lane *lane = &p->lanes[0];
    struct woven woven = {.room = size};
    int rc = player_ask(p);
    if (rc == 0)
        rc = player_claim(p, lane, size, &woven.bytes, err);
    if (rc != 0)
        return rc;
    assert(woven.bytes != NULL);
    weave(p, &woven);
    lane_shrink(lane, size - woven.size);
    player_note_put(p, lane, woven.size, woven.ticks);
    count(p, lane, &woven);
    if (p->pending_bytes >= lane->piece_max / 2)
        player_show(p);
    return 0;
}
