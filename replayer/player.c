#include "replayer/player.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/err.h"
#include "replayer/player_private.h"
#include "tape/cursor.h"
#include "tape/scout.h"
#include "tape/select.h"

#define LATE_TRACKS_MAX  256u     /* rings for tracks that appear during the live part */
#define LAST_PATIENCE_NS NS_PER_S /* for the END of a play that was cut short */

/* ---- open and close ---- */

static int add_lane(struct player *p, const char *name, struct tdk_err *err)
{
    assert(p->lane_count < p->lane_room);
    int rc =
        lane_open(&p->lanes[p->lane_count], name, p->options.create_size, p->options.digest, err);
    if (rc < 0)
        return rc;
    p->lane_count++;
    return p->options.per_track ? clock_writer_name(p->clock, name, err) : 0;
}

struct seating {
    struct player *player;
    struct tdk_err *err;
};

static int seat_track(const struct tdk_track_info *track, void *context)
{
    const struct seating *seating = context;
    struct player *p = seating->player;
    if (!query_has_track(&p->query, track->name))
        return 0;
    struct seat *seat = &p->seats[track->number];
    if (seat->lane != NULL || seat->is_passed)
        return 0;
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
    if (p->lane_count == p->lane_room) /* a recorder has added a track */
        return 0;
    int rc = add_lane(p, name, seating->err);
    if (rc == 0)
        seat->lane = &p->lanes[p->lane_count - 1];
    return rc;
}

static int open_lanes(struct player *p, struct tdk_err *err)
{
    struct tdk_tape_info info;
    tdk_tape_info(p->tape, &info);
    p->lane_room = p->options.per_track ? info.tracks + 1 : 1;
    if (p->options.per_track && p->options.then_live)
        p->lane_room += LATE_TRACKS_MAX; /* lanes must not move later */
    p->lanes = calloc(p->lane_room, sizeof *p->lanes);
    p->seats = calloc(PLAYER_TRACKS_MAX, sizeof *p->seats);
    if (p->lanes == NULL || p->seats == NULL)
        return err_set(err, -ENOMEM, "play into %s", p->options.into);
    if (!p->options.per_track) {
        int rc = add_lane(p, p->options.into, err);
        if (rc < 0)
            return rc;
    }
    if (!p->options.per_track && p->options.digest) {
        p->aside = malloc(p->lanes[0].piece_max);
        if (p->aside == NULL)
            return err_set(err, -ENOMEM, "play into %s", p->options.into);
    }
    struct seating seating = {p, err};
    return tdk_tape_tracks(p->tape, seat_track, &seating, err);
}

int player_seat_late(struct player *p, const struct tdk_run *run, struct tdk_err *err)
{
    struct seating seating = {p, err};
    struct seat *seat = &p->seats[run->number];
    size_t before = p->lane_count;
    int rc = tdk_tape_tracks(p->tape, seat_track, &seating, err);
    for (size_t i = before; i < p->lane_count && rc == 0 && p->joined; i++)
        rc = player_put_join(p, &p->lanes[i], err);
    if (rc == 0 && seat->lane == NULL)
        rc = err_say(err, TDK_EFULL,
                     "track %s: %zu rings are being played into, and there can be no more",
                     run->track, p->lane_count);
    if (rc == 0)
        return 0;
    seat->is_passed = true;
    p->report.damaged++;
    player_tell_damage(p, err);
    return 0;
}

/* Orders are also obeyed during a long stretch in which no tick passes. */
static bool is_turned(void *context)
{
    const struct player *p = context;
    return player_stopped(context) || p->sought;
}

static int open_cursor(struct player *p, const struct tdk_query *query, struct tdk_err *err)
{
    int rc = tdk_cursor_open(&p->cursor, p->tape, query, err);
    if (rc == 0)
        cursor_stop_when(p->cursor, is_turned, p);
    return rc;
}

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
    p->patience = (struct lane_patience){
        .stall_ns = options->stall_ns, .stopped = player_stalled, .context = p};
    player_control_init(p);
    p->report.paced = options->speed.kind != SPEED_MAX;
    pace_init(&p->pace, &options->speed, options->max_idle_ns);
    scout_limit(0); /* the other processors are for those who consume the play */
    /* The cursor comes first, so that a range that cannot be read makes no ring. */
    int rc = open_cursor(p, &p->query, err);
    if (rc < 0)
        goto fail;
    if (options->digest && tdk_digest_open(&p->digest) < 0) {
        rc = err_set(err, -ENOMEM, "play into %s", options->into);
        goto fail;
    }
    rc = clock_writer_open(&p->clock, options->into, err);
    if (rc == 0)
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
    free(p->aside);
    tdk_cursor_close(p->cursor);
    live_close(p->live);
    prime_close(p->prime);
    tdk_digest_close(p->digest);
    clock_writer_close(p->clock);
    player_control_close(p);
    free(p);
}

const struct player_report *player_report(const struct player *p)
{
    return &p->report;
}

/* ---- rounds ---- */

void player_tell_damage(struct player *p, const struct tdk_err *err)
{
    if (p->options.damage != NULL && p->report.rounds == 0)
        p->options.damage(err, p->options.context);
}

static int find_prologue(struct player *p, const struct tdk_query *query, struct tdk_err *err)
{
    const struct prime_options options = {
        .back_ns = p->options.prime_back_ns, .stopped = player_stopped, .context = p};
    int rc = prime_open(&p->prime, p->tape, query, &options, err);
    if (rc < 0)
        return rc;
    struct tdk_err damage;
    uint64_t damaged = prime_damaged(p->prime);
    if (damaged > 0) {
        err_say(&damage, TDK_ECORRUPT,
                "%" PRIu64 " %s of the tape before the range cannot be read: the initial state may "
                "be older than it should be",
                damaged, quantity_word(damaged, "part", "parts"));
        player_tell_damage(p, &damage);
    }
    return 0;
}

static int play_round(struct player *p, struct tdk_err *err)
{
    struct tdk_run run;
    struct tdk_err own;
    if (err == NULL)
        err = &own;
    p->anchored = false; /* each round has its own schedule */
    p->prologue_due = p->prime != NULL;
    for (;;) {
        size_t size = player_weave_size(p);
        int rc = size > 0 ? player_put_woven(p, size, err) : 0;
        if (rc != 0)
            return rc;
        if (size > 0)
            continue;
        rc = tdk_cursor_read(p->cursor, &run, err);
        if (rc == -ECANCELED && p->sought && !p->quit)
            return PLAYER_SOUGHT;
        if (rc == 0)
            return player_put_prologue(p, err);
        if (rc == TDK_ECORRUPT) {
            player_tell_damage(p, err);
            continue;
        }
        if (rc == 1)
            rc = player_put_run(p, &run, cursor_run_span(p->cursor), err);
        if (rc != 0)
            return rc;
    }
}

/* Go on from another place of the range, with a new cursor, schedule and prologue. */
static int seek(struct player *p, struct tdk_err *err)
{
    struct tdk_query query = p->query;
    p->sought = false;
    p->skipped = true;
    if (p->seek_to > query.from)
        query.from = p->seek_to;
    if (p->seek_to > query.to)
        query.from = query.to;
    if (query.limit > 0) {
        uint64_t played = p->report.ticks - p->round_began;
        query.limit = query.limit > played ? query.limit - played : 1;
    }
    tdk_cursor_close(p->cursor);
    p->cursor = NULL;
    live_close(p->live);
    p->live = NULL;
    if (p->joined)
        p->pace.speed = p->speed_asked;
    p->joined = false;
    p->steps = p->step_to = 0;
    p->at = query.from;
    int rc = open_cursor(p, &query, err);
    if (rc == 0 && p->options.prime) {
        prime_close(p->prime);
        p->prime = NULL;
        rc = find_prologue(p, &query, err);
        p->prime_moved = true;
    }
    player_move(p, p->pace.paused ? PLAYER_PAUSED : PLAYER_PLAYING);
    return rc;
}

static void count_round(struct player *p)
{
    struct tdk_cursor_stats stats;
    tdk_cursor_stats(p->cursor, &stats);
    p->report.lost = stats.lost;
    p->report.damaged = stats.damaged_blocks;
}

/* Go back to the beginning, which an order may have moved since. */
static int begin_again(struct player *p, struct tdk_err *err)
{
    p->round_began = p->report.ticks;
    tdk_cursor_close(p->cursor);
    p->cursor = NULL;
    int rc = open_cursor(p, &p->query, err);
    if (rc < 0 || !p->prime_moved)
        return rc;
    prime_close(p->prime);
    p->prime = NULL;
    p->prime_moved = false;
    return find_prologue(p, &p->query, err);
}

static int play_rounds(struct player *p, struct tdk_err *err)
{
    if (p->quit)
        return -ECANCELED;
    int rc = p->options.prime ? find_prologue(p, &p->query, err) : 0;
    if (rc < 0)
        return rc;
    for (;;) {
        rc = play_round(p, err);
        count_round(p);
        if (rc == 0 && p->options.then_live)
            rc = player_run_live(p, err);
        if (rc == PLAYER_SOUGHT) {
            rc = seek(p, err);
            if (rc == 0)
                continue;
        }
        if (rc < 0)
            return rc;
        p->report.rounds++;
        if (p->report.rounds == p->options.rounds || p->report.ticks == 0)
            return 0;
        rc = begin_again(p, err);
        if (rc < 0)
            return rc;
    }
}

/* Put an END into each ring, about what that ring got. Several rounds have no digest in common. */
static int put_ends(struct player *p, bool cut_short, struct tdk_err *err)
{
    int rc = 0;
    bool one_round = p->report.rounds <= 1;
    if (cut_short && p->patience.stall_ns > LAST_PATIENCE_NS)
        p->patience.stall_ns = LAST_PATIENCE_NS;
    p->patience.stopped = NULL; /* the END comes even after an order to quit */
    for (size_t i = 0; i < p->lane_count; i++) {
        struct lane *lane = &p->lanes[i];
        struct tdk_end end = {
            .ticks = lane->ticks, .lost = lane->lost, .complete = p->report.complete};
        const struct tdk_digest *digest = p->options.per_track ? lane->digest : p->digest;
        char hex[33];
        if (digest != NULL && one_round)
            tdk_digest_value(digest, end.digest, hex);
        struct tdk_frame head = {.type = TDK_TYPE_END, .ts = player_tape_time(p)};
        int put = lane_control(lane, &head, &end, sizeof end, NULL, 0, &p->patience, err);
        if (put == 0) {
            lane_publish(lane);
            put = lane_check(lane, err); /* if it was cut meanwhile, nothing of that arrived */
        }
        if (put < 0)
            rc = put;
    }
    return rc;
}

int player_run(struct player *p, struct tdk_err *err)
{
    uint64_t begin = clock_mono();
    /* The kernel rounds sleeps up by 50 us to save power. Turn that off. */
    int slack = prctl(PR_GET_TIMERSLACK);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    if (p->options.paused)
        pace_pause(&p->pace, begin);
    player_move(p, p->pace.paused ? PLAYER_PAUSED : PLAYER_PLAYING);
    int rc = play_rounds(p, err);
    player_show(p);
    p->report.stopped = p->quit;
    if (rc == -ECANCELED && p->quit)
        rc = 0;
    /* A live play has no end of its own, so stopping it counts as its end. */
    bool to_the_end = !p->quit || p->joined;
    p->report.complete =
        rc == 0 && to_the_end && !p->skipped && p->report.lost == 0 && p->report.damaged == 0;
    if (p->digest != NULL) {
        tdk_digest_value(p->digest, p->report.digest, p->report.digest_hex);
        p->report.digest_ticks = tdk_digest_ticks(p->digest);
    }
    p->report.stalls = p->patience.stalls;
    p->report.stalled_ns = p->patience.waited_ns;
    int ended = put_ends(p, rc < 0 || p->quit, rc < 0 ? NULL : err);
    if (rc == 0 && !p->quit)
        rc = ended;
    p->report.elapsed_ns = clock_mono() - begin;
    (void)prctl(PR_SET_TIMERSLACK, slack > 0 ? (unsigned long)slack : 0UL);
    player_move(p, rc < 0 ? PLAYER_FAILED : PLAYER_ENDED);
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

bool player_warm(struct player *p, size_t size)
{
    bool more = false;
    for (size_t i = 0; i < p->lane_count && !more; i++)
        more = lane_warm(&p->lanes[i], size);
    return more;
}

int player_wait_consumers(struct player *p, uint64_t count, uint64_t timeout_ns,
                          struct tdk_err *err)
{
    uint64_t begin = clock_mono();
    for (;;) {
        uint64_t here = consumers(p), now = clock_mono();
        if (here >= count)
            return 0;
        if (timeout_ns > 0 && now - begin >= timeout_ns) {
            p->quit = true;
            return err_say(err, -ETIMEDOUT, "ring %s: waited for %" PRIu64 " %s, %" PRIu64 " came",
                           p->options.into, count, quantity_word(count, "consumer", "consumers"),
                           here);
        }
        player_attend(p);
        if (p->quit)
            return err_say(err, -ECANCELED, "ring %s: stopped while waiting for consumers",
                           p->options.into);
        if (!player_warm(p, PLAYER_WARM_SIZE))
            player_sleep_until(now + PLAYER_SLICE_NS);
    }
}
