/* player_time.c - orders, pause, and waiting until a tick is due. */
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "replayer/piece.h"
#include "replayer/player_private.h"

/* Sleep until this long before a tick is due, then watch the clock. */
#define SPIN_NS (100 * NS_PER_US)

/* In lockstep, watch a consumer for the first time, then look at it at intervals of the second. */
#define LOCK_SPIN_NS (50 * NS_PER_US)
#define LOCK_NAP_NS  (20 * NS_PER_US)

/* ---- orders ---- */

static void change_speed(struct player *p, struct speed speed)
{
    /* At max there was no schedule to go on from: the next tick begins one. */
    if (p->pace.speed.kind == SPEED_MAX)
        p->anchored = false;
    if (p->joined) /* kept for a seek back into history */
        p->speed_asked = speed;
    pace_speed(&p->pace, &speed, p->next_ts, p->tick, clock_mono());
    if (speed.kind != SPEED_MAX)
        p->report.paced = true;
}

static void pause(struct player *p)
{
    if (!p->pace.paused)
        pace_pause(&p->pace, clock_mono());
    player_move(p, PLAYER_PAUSED);
}

static void resume(struct player *p)
{
    if (p->pace.paused)
        pace_resume(&p->pace, clock_mono());
    p->steps = p->step_to = 0;
    player_move(p, PLAYER_PLAYING);
}

/* Tape time is counted from where the tape stands: the last tick, or where the range begins. */
static void take_step(struct player *p, const struct player_command *c)
{
    pause(p);
    p->steps += c->ticks;
    if (c->by_ns == 0)
        return;
    uint64_t from = p->step_to;
    if (from == 0)
        from = p->at != 0 ? p->at : p->query.from > 0 ? p->query.from : p->next_ts;
    p->step_to = from <= UINT64_MAX - c->by_ns ? from + c->by_ns : UINT64_MAX;
}

static void obey(struct player *p, const struct player_command *c)
{
    switch (c->order) {
    case PLAYER_GO_ON:
        break;
    case PLAYER_TOGGLE:
        if (p->pace.paused)
            resume(p);
        else
            pause(p);
        break;
    case PLAYER_PAUSE:
        pause(p);
        break;
    case PLAYER_RESUME:
        resume(p);
        break;
    case PLAYER_STEP:
        take_step(p, c);
        break;
    case PLAYER_SEEK:
        p->sought = true;
        p->seek_to = c->to;
        break;
    case PLAYER_SPEED:
        change_speed(p, c->speed);
        break;
    case PLAYER_FASTER:
        change_speed(p, speed_faster(p->pace.speed));
        break;
    case PLAYER_SLOWER:
        change_speed(p, speed_slower(p->pace.speed));
        break;
    case PLAYER_QUIT:
        p->quit = true;
        break;
    }
}

void player_attend(struct player *p)
{
    p->unasked = 0;
    player_tell_status(p);
    if (p->options.ask != NULL) {
        struct player_command key = {.order = p->options.ask(p->options.context), .ticks = 1};
        obey(p, &key);
    }
    struct player_command command;
    /* Orders after a seek are about the place that it leads to, except an order to quit. */
    while (!p->sought && (command = player_next_command(p)).order != PLAYER_GO_ON)
        obey(p, &command);
    p->quit = p->quit || player_is_to_quit(p);
}

bool player_stopped(void *context)
{
    struct player *p = context;
    player_attend(p);
    return p->quit;
}

bool player_stalled(void *context)
{
    struct player *p = context;
    if (!p->pace.paused)
        player_move(p, PLAYER_STALLED);
    return player_stopped(p);
}

/* ---- time ---- */

void player_sleep_until(uint64_t due_ns)
{
    struct timespec t = {.tv_sec = (time_t)(due_ns / NS_PER_S),
                         .tv_nsec = (long)(due_ns % NS_PER_S)};
    /* A signal ends the sleep early. That is harmless: every caller looks at the clock again. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

void player_show(struct player *p)
{
    if (p->pending_lane == NULL)
        return;
    lane_publish(p->pending_lane);
    player_tell_clock(p, 0);
    p->pending_lane = NULL;
    p->pending_bytes = 0;
    if (p->pending == 0)
        return;
    uint64_t now = clock_mono();
    for (unsigned i = 0; i < p->pending; i++)
        histogram_add(&p->report.lateness, now > p->pending_due[i] ? now - p->pending_due[i] : 0);
    p->pending = 0;
}

/* The first tick that has a valid time is due now. Absurd times and control frames go with the tick
 * before them: nobody can say when the former would be due, and the latter may come early. */
static uint64_t due_ns(struct player *p, const struct tdk_frame *frame)
{
    if (!piece_is_timed(frame))
        return p->pace.last_due_ns;
    if (!p->anchored) {
        pace_anchor(&p->pace, frame->ts, p->tick, clock_mono());
        p->anchored = true;
    }
    return pace_due(&p->pace, frame->ts, p->tick);
}

/* Returns 1: *fill bytes are not released yet, in all lanes. 0: none. */
static int look_at_consumers(struct player *p, uint64_t *fill, struct tdk_err *err)
{
    uint64_t one;
    int rc = 0;
    *fill = 0;
    for (size_t i = 0; rc == 0 && i < p->lane_count; i++) {
        rc = lane_fill(&p->lanes[i], &one, err);
        *fill += one;
    }
    return rc < 0 ? rc : *fill > 0;
}

int player_wait_released(struct player *p, struct tdk_err *err)
{
    uint64_t begin = clock_mono(), moved = begin, asked = begin, fill, last = UINT64_MAX;
    int rc;
    while ((rc = look_at_consumers(p, &fill, err)) == 1) {
        uint64_t now = clock_mono();
        if (fill != last)
            moved = now;
        last = fill;
        if (now - moved >= p->patience.stall_ns)
            return err_say(err, TDK_ESTALLED,
                           "ring %s: consumer stalled: nothing was taken for %.3g s",
                           p->options.into, (double)(now - moved) / (double)NS_PER_S);
        if (now - begin < LOCK_SPIN_NS) {
            clock_relax();
            continue;
        }
        player_sleep_until(now + LOCK_NAP_NS);
        if (now - asked >= PLAYER_SLICE_NS) {
            asked = now;
            if (player_stopped(p))
                return -ECANCELED;
        }
    }
    if (rc == 0)
        pace_shift(&p->pace, clock_mono() - begin);
    return rc;
}

/* Is the tick within a step by time? */
static bool is_stepped_over(const struct player *p, const struct tdk_frame *tick)
{
    return p->step_to != 0 && (!piece_is_timed(tick) || tick->ts <= p->step_to);
}

/* Sleep for `ns`, or as long as orders may wait. Before a long sleep, touch some of the memory that
 * the next ticks go to. */
static void nap(struct player *p, uint64_t ns)
{
    uint64_t now = clock_mono();
    if (ns >= PLAYER_SLICE_NS)
        (void)player_warm(p, PLAYER_WARM_SIZE);
    player_sleep_until(now + (ns < PLAYER_SLICE_NS ? ns : PLAYER_SLICE_NS));
    player_attend(p);
}

/* May this frame go while the player is paused: by a step, or because it is no tick? */
static bool passes_in_pause(struct player *p, const struct tdk_frame *frame)
{
    if (!tdk_frame_is_tick(frame))
        return true; /* a control frame does not count as a step */
    player_show(p);
    if (p->steps == 0 && !is_stepped_over(p, frame))
        return false;
    p->steps -= p->steps > 0;
    p->anchored = false; /* the schedule goes on after the last step */
    return true;
}

int player_wait_due(struct player *p, const struct tdk_frame *frame, uint64_t *due)
{
    uint64_t told = 0; /* up to where the clock page lets tape time run */
    if (piece_is_timed(frame))
        p->next_ts = frame->ts;
    for (;;) {
        if (p->quit)
            return -ECANCELED;
        if (p->sought)
            return PLAYER_SOUGHT;
        if (p->pace.paused && passes_in_pause(p, frame)) {
            *due = clock_mono();
            return 0;
        }
        if (p->pace.paused) {
            nap(p, PLAYER_SLICE_NS);
            continue;
        }
        *due = due_ns(p, frame);
        uint64_t now = clock_mono();
        if (*due <= now)
            return 0;
        player_show(p);
        if (told != frame->ts)
            player_tell_clock(p, frame->ts);
        told = frame->ts;
        if (*due - now <= SPIN_NS)
            clock_relax();
        else
            nap(p, *due - SPIN_NS - now);
    }
}
