#include "replayer/player.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "replayer/announce.h"
#include "replayer/lane.h"
#include "replayer/pace.h"
#include "replayer/piece.h"
#include "tapedeck/digest.h"

#define TRACKS_MAX  65536u
#define PENDING_MAX 64u /* paced ticks put in and not yet published */
#define SPIN_NS                                                                                    \
    (100 * NS_PER_US) /* sleep up to here before a tick is due, then watch the clock               \
                       */
#define SLICE_NS         (20 * NS_PER_MS) /* orders are asked for in between */
#define ASK_EVERY        256u     /* pieces or ticks between two questions while nothing waits */
#define LAST_PATIENCE_NS NS_PER_S /* for the END of a play that did not get to its end */

/* A track of the tape, found by its number. */
struct seat {
    struct lane *lane; /* NULL: not asked for */
    uint64_t epoch;    /* the last announced in this round; 0: none */
    uint8_t kind;
};

struct player {
    struct tdk_tape *tape; /* borrowed */
    struct tdk_query query;
    struct player_options options;
    struct tdk_cursor *cursor; /* of the round that is played */
    struct pace pace;
    struct lane_patience patience;
    struct lane *lanes;
    size_t lane_count, lane_room;
    struct seat *seats;        /* by track number */
    struct tdk_digest *digest; /* of the merged order; NULL unless asked for */
    uint64_t tick;             /* number of the next, over all rounds */
    uint64_t shift;            /* added to times, modulo 2^64; known with the first tick */
    uint64_t steps;            /* to take while paused */
    unsigned unasked;
    uint64_t next_ts; /* of the frame that is waited for */
    bool anchored, shifted, quit;
    /* Ticks in `pending_lane` that wait for one publish, and when they were due. */
    struct lane *pending_lane;
    uint64_t pending_due[PENDING_MAX];
    unsigned pending;
    struct player_report report;
};

/* ---- open and close ---- */

static bool asked_for(const struct tdk_query *query, const char *track)
{
    for (size_t i = 0; i < query->track_count; i++)
        if (strcmp(query->tracks[i], track) == 0)
            return true;
    return query->track_count == 0;
}

static int add_lane(struct player *p, const char *name, struct tdk_err *err)
{
    assert(p->lane_count < p->lane_room);
    int rc =
        lane_open(&p->lanes[p->lane_count], name, p->options.create_size, p->options.digest, err);
    if (rc == 0)
        p->lane_count++;
    return rc;
}

struct seating {
    struct player *player;
    struct tdk_err *err;
};

static int seat_track(const struct tdk_track_info *track, void *context)
{
    const struct seating *seating = context;
    struct player *p = seating->player;
    if (!asked_for(&p->query, track->name))
        return 0;
    struct seat *seat = &p->seats[track->number];
    seat->kind = track->kind;
    if (!p->options.per_track) {
        seat->lane = &p->lanes[0];
        return 0;
    }
    char name[2 * TDK_NAME_MAX + 2];
    snprintf(name, sizeof name, "%.64s.%s", p->options.into, track->name);
    if (strlen(name) > TDK_NAME_MAX)
        return err_say(seating->err, TDK_ENAME,
                       "ring %s: a name has at most %u characters; play into a shorter one", name,
                       TDK_NAME_MAX);
    if (p->lane_count == p->lane_room) /* a recorder has added a track since */
        return 0;
    seat->lane = &p->lanes[p->lane_count];
    return add_lane(p, name, seating->err);
}

static int open_lanes(struct player *p, struct tdk_err *err)
{
    struct tdk_tape_info info;
    tdk_tape_info(p->tape, &info);
    p->lane_room = p->options.per_track ? info.tracks + 1 : 1;
    p->lanes = calloc(p->lane_room, sizeof *p->lanes);
    p->seats = calloc(TRACKS_MAX, sizeof *p->seats);
    if (p->lanes == NULL || p->seats == NULL)
        return err_set(err, -ENOMEM, "play into %s", p->options.into);
    if (!p->options.per_track) {
        int rc = add_lane(p, p->options.into, err);
        if (rc < 0)
            return rc;
    }
    struct seating seating = {p, err};
    return tdk_tape_tracks(p->tape, seat_track, &seating, err);
}

static bool stopped(void *context);

int player_open(struct player **player, struct tdk_tape *tape, const struct tdk_query *query,
                const struct player_options *options, struct tdk_err *err)
{
    struct player *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, -ENOMEM, "play into %s", options->into);
    p->tape = tape;
    p->query = *query;
    p->query.control = true;
    p->options = *options;
    p->patience =
        (struct lane_patience){.stall_ns = options->stall_ns, .stopped = stopped, .context = p};
    p->report.paced = options->speed.kind != SPEED_MAX;
    pace_init(&p->pace, &options->speed, options->max_idle_ns);
    /* The cursor first: a range that cannot be asked for makes no ring. */
    int rc = tdk_cursor_open(&p->cursor, tape, &p->query, err);
    if (rc < 0)
        goto fail;
    if (options->digest && tdk_digest_open(&p->digest) < 0) {
        rc = err_set(err, -ENOMEM, "play into %s", options->into);
        goto fail;
    }
    rc = open_lanes(p, err);
    if (rc < 0)
        goto fail;
    *player = p;
    return 0;
fail:
    player_close(p);
    return rc;
}

void player_close(struct player *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->lane_count; i++)
        lane_close(&p->lanes[i]);
    free(p->lanes);
    free(p->seats);
    tdk_cursor_close(p->cursor);
    tdk_digest_close(p->digest);
    free(p);
}

const struct player_report *player_report(const struct player *p)
{
    return &p->report;
}

/* ---- orders ---- */

static struct speed faster(struct speed s)
{
    if (s.kind != SPEED_MAX && s.numerator <= UINT64_MAX / 2) {
        if (s.kind == SPEED_SCALED && s.denominator % 2 == 0)
            s.denominator /= 2;
        else
            s.numerator *= 2;
    }
    return s;
}

static struct speed slower(struct speed s)
{
    if (s.kind == SPEED_MAX)
        return (struct speed){SPEED_SCALED, 1, 1};
    if (s.numerator % 2 == 0)
        s.numerator /= 2;
    else if (s.kind == SPEED_SCALED && s.denominator <= UINT64_MAX / 2)
        s.denominator *= 2;
    else if (s.kind == SPEED_PER_SECOND && s.numerator > 1)
        s.numerator /= 2;
    return s;
}

static void change_speed(struct player *p, struct speed speed)
{
    /* From max there is no schedule to go on from: the next tick begins one. */
    if (p->pace.speed.kind == SPEED_MAX)
        p->anchored = false;
    pace_speed(&p->pace, &speed, p->next_ts, p->tick, clock_mono());
    if (speed.kind != SPEED_MAX)
        p->report.paced = true;
}

static void attend(struct player *p)
{
    p->unasked = 0;
    if (p->options.ask == NULL)
        return;
    switch (p->options.ask(p->options.context)) {
    case PLAYER_GO_ON:
        break;
    case PLAYER_PAUSE:
        if (p->pace.paused)
            pace_resume(&p->pace, clock_mono());
        else
            pace_pause(&p->pace, clock_mono());
        break;
    case PLAYER_STEP:
        p->steps += p->pace.paused;
        break;
    case PLAYER_FASTER:
        change_speed(p, faster(p->pace.speed));
        break;
    case PLAYER_SLOWER:
        change_speed(p, slower(p->pace.speed));
        break;
    case PLAYER_QUIT:
        p->quit = true;
        break;
    }
}

static bool stopped(void *context)
{
    struct player *p = context;
    attend(p);
    return p->quit;
}

/* ---- time ---- */

static void sleep_until(uint64_t due_ns)
{
    struct timespec t = {.tv_sec = (time_t)(due_ns / NS_PER_S),
                         .tv_nsec = (long)(due_ns % NS_PER_S)};
    /* A signal ends the sleep early; whoever sleeps looks at the clock again anyway. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Make the ticks put in so far visible, and note by how much that was late. */
static void show(struct player *p)
{
    if (p->pending_lane == NULL)
        return;
    lane_publish(p->pending_lane);
    p->pending_lane = NULL;
    if (p->pending == 0)
        return;
    uint64_t now = clock_mono();
    for (unsigned i = 0; i < p->pending; i++)
        histogram_add(&p->report.lateness, now > p->pending_due[i] ? now - p->pending_due[i] : 0);
    p->pending = 0;
}

/* The first frame that bears a time is due now. */
static uint64_t due_ns(struct player *p, const struct tdk_frame *frame)
{
    if (!piece_is_timed(frame)) /* nobody can say when that would be: with the one before it */
        return p->pace.last_due_ns;
    p->next_ts = frame->ts;
    if (!p->anchored) {
        pace_anchor(&p->pace, frame->ts, p->tick, clock_mono());
        p->anchored = true;
    }
    return pace_due(&p->pace, frame->ts, p->tick);
}

/* Until the frame is due. -ECANCELED: an order to quit came first. */
static int hold(struct player *p, const struct tdk_frame *frame, uint64_t *due)
{
    for (;;) {
        if (p->quit)
            return -ECANCELED;
        if (p->pace.paused) {
            show(p);
            if (p->steps > 0) {
                p->steps--;
                p->anchored = false; /* the schedule goes on behind the last step */
                *due = clock_mono();
                return 0;
            }
            sleep_until(clock_mono() + SLICE_NS);
            attend(p);
            continue;
        }
        *due = due_ns(p, frame);
        uint64_t now = clock_mono();
        if (*due <= now)
            return 0;
        show(p);
        if (*due - now <= SPIN_NS)
            cpu_relax();
        else {
            uint64_t wake = *due - SPIN_NS;
            sleep_until(wake < now + SLICE_NS ? wake : now + SLICE_NS);
            attend(p);
        }
    }
}

/* ---- frames into rings ---- */

static const struct tdk_frame *run_end(const struct tdk_run *run)
{
    return (const struct tdk_frame *)((const unsigned char *)run->frames + run->size);
}

static int put(struct player *p, struct lane *lane, const struct tdk_run *run,
               const struct piece *piece, struct tdk_err *err)
{
    if (p->pending_lane != lane)
        show(p);
    void *room;
    uint64_t waited = p->patience.waited_ns;
    int rc = lane_claim(lane, piece->bytes, &room, &p->patience, err);
    waited = p->patience.waited_ns - waited;
    if (waited > 0) {
        /* Waiting published what was claimed. It was late by the schedule, not by the wait. */
        pace_shift(&p->pace, waited);
        show(p);
    }
    if (rc < 0)
        return rc;
    memcpy(room, piece->first, piece->bytes);
    if (p->shift != 0)
        piece_shift(room, piece->bytes, p->shift);
    p->pending_lane = lane;
    lane->ticks += piece->ticks;
    lane->lost += piece->lost;
    p->report.ticks += piece->ticks;
    p->report.bytes += piece->bytes;
    p->tick += piece->ticks;
    if (piece->lost > 0 && p->options.loss != NULL && p->report.rounds == 0)
        p->options.loss(&(struct tdk_run){.frames = piece->first,
                                          .size = piece->bytes,
                                          .epoch = run->epoch,
                                          .track = run->track,
                                          .number = run->number},
                        p->options.context);
    if (p->digest != NULL && p->report.rounds == 0) {
        tdk_digest_run(p->digest, run->track, run->epoch, piece->first, piece->bytes);
        if (p->options.per_track)
            tdk_digest_run(lane->digest, run->track, run->epoch, piece->first, piece->bytes);
    }
    return 0;
}

/* The first time that is played decides how far all are shifted. */
static void settle_shift(struct player *p, const struct tdk_run *run)
{
    const struct tdk_frame *at = run->frames;
    const struct tdk_frame *end = run_end(run);
    while (at < end && !(tdk_frame_is_tick(at) && piece_is_timed(at)))
        at = tdk_frame_after(at);
    if (at == end)
        return;
    uint64_t to = p->options.rebase_ts == UINT64_MAX ? clock_wall() : p->options.rebase_ts;
    p->shift = to - at->ts;
    p->shifted = true;
}

/* The ring the track is played into, told about the epoch if that is new there. */
static int seat_run(struct player *p, const struct tdk_run *run, struct lane **lane,
                    struct tdk_err *err)
{
    struct seat *s = &p->seats[run->number];
    if (s->lane == NULL && !p->options.per_track)
        s->lane = &p->lanes[0];
    if (s->lane == NULL)
        return err_say(err, TDK_EINTERNAL, "track %s came up after the play began", run->track);
    *lane = s->lane;
    if (s->epoch == run->epoch)
        return 0;
    show(p);
    s->epoch = run->epoch;
    int rc = announce_track(s->lane, p->tape, run, s->kind, &p->patience, err);
    if (rc == 0 && p->shift != 0)
        rc = announce_rebase(s->lane, run, p->shift, &p->patience, err);
    return rc;
}

static int put_paced(struct player *p, struct lane *lane, const struct tdk_run *run,
                     const struct piece *piece, struct tdk_err *err)
{
    uint64_t due;
    int rc = hold(p, piece->first, &due);
    if (rc < 0)
        return rc;
    uint64_t waited = p->patience.waited_ns;
    rc = put(p, lane, run, piece, err);
    if (rc < 0)
        return rc;
    if (piece->ticks > 0)
        p->pending_due[p->pending++] = due + (p->patience.waited_ns - waited);
    if (p->pending == PENDING_MAX)
        show(p);
    return 0;
}

/* One step on: a piece at max, else a frame when it is due. */
static int play_some(struct player *p, struct lane *lane, const struct tdk_run *run,
                     const struct tdk_frame **at, struct tdk_err *err)
{
    if (!piece_takes(*at)) {
        *at = tdk_frame_after(*at);
        return 0;
    }
    int rc;
    bool at_once = p->pace.speed.kind == SPEED_MAX && !p->pace.paused;
    struct piece piece = piece_from(*at, run_end(run), at_once ? lane->piece_max : 0);
    if (at_once) {
        rc = put(p, lane, run, &piece, err);
        show(p);
    } else {
        rc = put_paced(p, lane, run, &piece, err);
    }
    *at = (const struct tdk_frame *)((const unsigned char *)*at + piece.bytes);
    return rc;
}

static int play_run(struct player *p, const struct tdk_run *run, struct tdk_err *err)
{
    if (p->options.rebase && !p->shifted)
        settle_shift(p, run);
    struct lane *lane = NULL;
    int rc = seat_run(p, run, &lane, err);
    const struct tdk_frame *at = run->frames;
    while (rc == 0 && at < run_end(run)) {
        if (++p->unasked >= ASK_EVERY)
            attend(p);
        rc = p->quit ? -ECANCELED : play_some(p, lane, run, &at, err);
    }
    show(p); /* the next run may have to be read from the disk first */
    return rc;
}

/* ---- rounds ---- */

static int play_round(struct player *p, struct tdk_err *err)
{
    struct tdk_run run;
    p->anchored = false;
    for (uint32_t i = 0; i < TRACKS_MAX; i++)
        p->seats[i].epoch = 0;
    for (;;) {
        int rc = tdk_cursor_read(p->cursor, &run, err);
        if (rc == 0)
            return 0;
        if (rc == TDK_ECORRUPT) {
            if (p->options.damage != NULL && p->report.rounds == 0 && err != NULL)
                p->options.damage(err, p->options.context);
            continue;
        }
        if (rc == 1)
            rc = play_run(p, &run, err);
        if (rc < 0)
            return rc;
    }
}

static void count_round(struct player *p)
{
    struct tdk_cursor_stats stats;
    tdk_cursor_stats(p->cursor, &stats);
    p->report.lost = stats.lost;
    p->report.damaged = stats.damaged_blocks;
}

static int play_rounds(struct player *p, struct tdk_err *err)
{
    for (;;) {
        int rc = play_round(p, err);
        count_round(p);
        if (rc < 0)
            return rc;
        p->report.rounds++;
        if (p->report.rounds == p->options.rounds || p->report.ticks == 0)
            return 0;
        tdk_cursor_close(p->cursor);
        p->cursor = NULL;
        rc = tdk_cursor_open(&p->cursor, p->tape, &p->query, err);
        if (rc < 0)
            return rc;
    }
}

/* END to each ring: what that ring got. */
static int put_ends(struct player *p, struct tdk_err *err)
{
    int rc = 0;
    bool one_round = p->report.rounds <= 1;
    if (!p->report.complete && p->patience.stall_ns > LAST_PATIENCE_NS)
        p->patience.stall_ns = LAST_PATIENCE_NS;
    p->patience.stopped = NULL; /* an order to quit is no reason to leave out the END */
    for (size_t i = 0; i < p->lane_count; i++) {
        struct lane *lane = &p->lanes[i];
        struct tdk_end end = {
            .ticks = lane->ticks, .lost = lane->lost, .complete = p->report.complete};
        const struct tdk_digest *digest = p->options.per_track ? lane->digest : p->digest;
        char hex[33];
        if (digest != NULL && one_round)
            tdk_digest_value(digest, end.digest, hex);
        struct tdk_frame head = {.type = TDK_TYPE_END};
        int put = lane_control(lane, &head, &end, sizeof end, NULL, 0, &p->patience, err);
        if (put < 0)
            rc = put;
        else
            lane_publish(lane);
    }
    return rc;
}

int player_run(struct player *p, struct tdk_err *err)
{
    uint64_t begin = clock_mono();
    /* The kernel rounds sleeps up by 50 us to save power: not here. */
    int slack = prctl(PR_GET_TIMERSLACK);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    if (p->options.paused)
        pace_pause(&p->pace, begin);
    int rc = play_rounds(p, err);
    show(p);
    p->report.stopped = p->quit;
    if (rc == -ECANCELED && p->quit)
        rc = 0;
    p->report.complete = rc == 0 && !p->quit && p->report.lost == 0 && p->report.damaged == 0;
    if (p->digest != NULL) {
        tdk_digest_value(p->digest, p->report.digest, p->report.digest_hex);
        p->report.digest_ticks = tdk_digest_ticks(p->digest);
    }
    p->report.stalls = p->patience.stalls;
    p->report.stalled_ns = p->patience.waited_ns;
    int ended = put_ends(p, rc < 0 ? NULL : err);
    if (rc == 0 && !p->quit)
        rc = ended;
    p->report.elapsed_ns = clock_mono() - begin;
    (void)prctl(PR_SET_TIMERSLACK, (unsigned long)(slack > 0 ? slack : 0));
    return rc;
}

/* ---- before the play ---- */

static uint64_t consumers(const struct player *p)
{
    uint64_t count = 0;
    for (size_t i = 0; i < p->lane_count; i++) {
        struct tdk_ring_info info;
        tdk_ring_info(p->lanes[i].ring, &info);
        count += info.taps + (info.consumer_pid != 0);
    }
    return count;
}

int player_wait_consumers(struct player *p, uint64_t count, uint64_t timeout_ns,
                          struct tdk_err *err)
{
    uint64_t begin = clock_mono();
    for (;;) {
        uint64_t here = consumers(p), now = clock_mono();
        if (here >= count)
            return 0;
        if (timeout_ns > 0 && now - begin >= timeout_ns)
            return err_say(err, -ETIMEDOUT, "ring %s: waited for %llu consumers, %llu came",
                           p->options.into, (unsigned long long)count, (unsigned long long)here);
        attend(p);
        if (p->quit)
            return err_say(err, -ECANCELED, "ring %s: stopped while waiting for consumers",
                           p->options.into);
        sleep_until(now + SLICE_NS);
    }
}
