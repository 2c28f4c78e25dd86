/* player_put.c - puts frames into rings: announces, copies, shifts and counts them. */
#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "replayer/announce.h"
#include "replayer/piece.h"
#include "replayer/player_private.h"

#define ASK_EVERY 256u /* pieces or ticks between two looks for orders while nothing waits */

static const struct tdk_frame *run_end(const struct tdk_run *run)
{
    return (const struct tdk_frame *)((const unsigned char *)run->frames + run->size);
}

bool player_is_at_max(const struct player *p)
{
    return p->pace.speed.kind == SPEED_MAX && !p->pace.paused && !p->options.lockstep;
}

int player_ask(struct player *p)
{
    if (++p->unasked >= ASK_EVERY)
        player_attend(p);
    return p->quit ? -ECANCELED : p->sought ? PLAYER_SOUGHT : 0;
}

int player_claim(struct player *p, struct lane *lane, size_t bytes, void **room,
                 struct tdk_err *err)
{
    if (p->pending_lane != lane)
        player_show(p);
    *room = lane_try(lane, bytes);
    if (*room != NULL)
        return 0;
    player_show(p); /* these ticks need not wait until the next one fits */
    uint64_t waited = p->patience.waited_ns;
    int rc = lane_claim(lane, bytes, room, &p->patience, err);
    pace_shift(&p->pace, p->patience.waited_ns - waited);
    p->unasked = ASK_EVERY; /* if each piece has to wait, orders would come late */
    if (p->control.status.state == PLAYER_STALLED) /* only this thread writes it */
        player_move(p, p->pace.paused ? PLAYER_PAUSED : PLAYER_PLAYING);
    return rc;
}

void player_note_put(struct player *p, struct lane *lane, size_t bytes, uint64_t ticks)
{
    lane->put += ticks;
    p->pending_lane = lane;
    p->pending_bytes += bytes;
}

static void count(struct player *p, struct lane *lane, const struct tdk_run *run,
                  const struct piece *piece)
{
    lane->ticks += piece->ticks;
    lane->lost += piece->lost;
    p->tick += piece->ticks;
    p->report.ticks += piece->ticks;
    p->report.bytes += piece->bytes;
    if (piece->last_ts != 0)
        p->at = piece->last_ts;
    if (p->live != NULL)
        p->report.lost += piece->lost; /* in history, the cursor counts losses */
    if (p->report.rounds > 0)
        return;
    if (piece->lost > 0 && p->options.loss != NULL) {
        struct tdk_run lossy = *run;
        lossy.frames = piece->first;
        lossy.size = piece->bytes;
        lossy.ticks = piece->ticks;
        p->options.loss(&lossy, p->options.context);
    }
    if (p->digest != NULL)
        tdk_digest_run(p->digest, run->track, run->epoch, piece->first, piece->bytes);
    if (p->digest != NULL && p->options.per_track)
        tdk_digest_run(lane->digest, run->track, run->epoch, piece->first, piece->bytes);
}

static void copy(struct player *p, struct lane *lane, void *room, const struct tdk_frame *frames,
                 size_t bytes)
{
    if (p->shift == 0)
        lane_copy(lane, room, frames, bytes);
    else
        piece_copy_shifted(room, frames, bytes, p->shift);
}

static int put(struct player *p, struct lane *lane, const struct tdk_run *run,
               const struct piece *piece, struct tdk_err *err)
{
    void *room;
    int rc = player_claim(p, lane, piece->bytes, &room, err);
    if (rc < 0)
        return rc;
    copy(p, lane, room, piece->first, piece->bytes);
    player_note_put(p, lane, piece->bytes, piece->ticks);
    count(p, lane, run, piece);
    return 0;
}

/* The first time that is played decides by how much all times are shifted. */
static void settle_shift(struct player *p, const struct tdk_run *run)
{
    const struct tdk_frame *at = run->frames;
    const struct tdk_frame *end = run_end(run);
    while (at < end && !piece_is_timed(at))
        at = tdk_frame_after(at);
    if (at == end)
        return;
    uint64_t to = p->options.rebase_ts == UINT64_MAX ? clock_wall() : p->options.rebase_ts;
    p->shift = to - at->ts;
    p->shifted = true;
}

/* Announce what is new to this ring: the epoch, and by how much its times are shifted. */
static int announce(struct player *p, struct seat *seat, const struct tdk_run *run,
                    struct tdk_err *err)
{
    int rc = 0;
    player_show(p);
    if (seat->epoch != run->epoch)
        rc = announce_track(seat->lane, p->tape, run, seat->kind, &p->patience, err);
    seat->epoch = run->epoch;
    if (rc == 0 && p->shift != 0) {
        rc = announce_rebase(seat->lane, run, p->shift, &p->patience, err);
        seat->shifted = run->epoch;
    }
    return rc;
}

static struct seat *seat_of(struct player *p, uint16_t number)
{
    struct seat *seat = &p->seats[number];
    if (seat->lane == NULL && !p->options.per_track)
        seat->lane = p->lanes; /* the only one; a recorder has added a track */
    return seat;
}

/* Make sure that the track's ring has got the announcements it needs. */
static int prepare_seat(struct player *p, struct seat *seat, const struct tdk_run *run,
                        struct tdk_err *err)
{
    if (seat->epoch == run->epoch && (p->shift == 0 || seat->shifted == run->epoch))
        return 0;
    uint64_t waited = p->patience.waited_ns;
    int rc = announce(p, seat, run, err);
    pace_shift(&p->pace, p->patience.waited_ns - waited);
    return rc;
}

/* The state that the range begins with comes before the range: it is put in at once, at any
 * speed. */
static int put_state(struct player *p, const struct tdk_run *run, struct tdk_err *err)
{
    struct seat *seat = seat_of(p, run->number);
    if (seat->lane == NULL)
        return 0;
    int rc = prepare_seat(p, seat, run, err);
    void *room = NULL;
    if (rc == 0)
        rc = player_claim(p, seat->lane, run->size, &room, err);
    if (rc < 0)
        return rc;
    assert(room != NULL);
    copy(p, seat->lane, room, run->frames, run->size);
    player_note_put(p, seat->lane, run->size, run->ticks);
    if (p->pending_bytes >= seat->lane->piece_max / 2)
        player_show(p);
    return 0;
}

int player_put_prologue(struct player *p, struct tdk_err *err)
{
    struct tdk_run run;
    uint64_t primed = 0;
    int rc = 0;
    if (!p->prologue_due)
        return 0;
    p->prologue_due = false;
    while (rc == 0 && prime_next(p->prime, &run)) {
        rc = put_state(p, &run, err);
        primed++;
    }
    player_show(p);
    p->report.primed = primed;
    return rc;
}

static int put_paced(struct player *p, struct lane *lane, const struct tdk_run *run,
                     const struct piece *piece, struct tdk_err *err)
{
    uint64_t due;
    int rc = 0;
    if (p->options.lockstep && p->at != 0 && piece_is_timed(piece->first) &&
        piece->first->ts > p->at) {
        player_show(p);
        rc = player_wait_released(p, err);
    }
    if (rc < 0)
        return rc;
    rc = player_wait_due(p, piece->first, &due);
    if (rc != 0)
        return rc;
    uint64_t waited = p->patience.waited_ns;
    rc = put(p, lane, run, piece, err);
    if (rc < 0)
        return rc;
    if (piece->ticks > 0)
        p->pending_due[p->pending++] = due + (p->patience.waited_ns - waited);
    if (p->pending == PLAYER_PENDING_MAX)
        player_show(p);
    return 0;
}

/* Advance by one step: a piece at max, else one frame when it is due. */
static int play_some(struct player *p, struct lane *lane, const struct tdk_run *run, size_t span,
                     const struct tdk_frame **at, struct tdk_err *err)
{
    if (!piece_takes(*at)) {
        *at = tdk_frame_after(*at);
        return 0;
    }
    int rc;
    bool at_once = player_is_at_max(p);
    const size_t max = at_once ? lane->piece_max : 0;
    struct piece piece = span > 0 ? piece_of_ticks(*at, run_end(run), max, span)
                                  : piece_from(*at, run_end(run), max);
    if (at_once) {
        rc = put(p, lane, run, &piece, err);
        if (p->pending_bytes >= lane->piece_max / 2)
            player_show(p);
    } else {
        rc = put_paced(p, lane, run, &piece, err);
    }
    if (rc != 0)
        return rc;
    *at = (const struct tdk_frame *)((const unsigned char *)*at + piece.bytes);
    return rc;
}

int player_put_run(struct player *p, const struct tdk_run *run, size_t span, struct tdk_err *err)
{
    if (p->options.rebase && !p->shifted)
        settle_shift(p, run);
    struct seat *seat = seat_of(p, run->number);
    int rc = 0;
    if (seat->lane == NULL && !seat->is_passed)
        rc = player_seat_late(p, run, err);
    if (seat->lane == NULL)
        return rc;
    seat->track = run->track;
    if (rc == 0)
        rc = player_put_prologue(p, err);
    if (rc == 0)
        rc = prepare_seat(p, seat, run, err);
    const struct tdk_frame *at = run->frames;
    while (rc == 0 && at < run_end(run)) {
        rc = player_ask(p);
        if (rc == 0)
            rc = play_some(p, seat->lane, run, span, &at, err);
    }
    /* The next run may have to be read from disk first. Ticks that were due must not wait for
     * that. */
    if (p->pending > 0)
        player_show(p);
    return rc;
}
