/* player_live.c - the live part of a play: the tape's end, JOIN, and the rings that are
 * recorded. */
#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "replayer/player_private.h"

int player_put_join(struct player *p, struct lane *lane, struct tdk_err *err)
{
    struct tdk_frame head = {.type = TDK_TYPE_JOIN, .ts = clock_wall()};
    int rc = lane_control(lane, &head, NULL, 0, NULL, 0, &p->patience, err);
    if (rc == 0)
        lane_publish(lane);
    return rc;
}

/* History ends here. From here on a tick is due as soon as it comes. */
static int put_join(struct player *p, struct tdk_err *err)
{
    static const struct speed at_once = {.kind = SPEED_MAX};
    int rc = 0;
    p->joined = true;
    p->speed_asked = p->pace.speed;
    p->pace.speed = at_once;
    player_tell_clock(p, 0);
    for (size_t i = 0; i < p->lane_count && rc == 0; i++)
        rc = player_put_join(p, &p->lanes[i], err);
    return rc;
}

/* There is nothing to play now. */
static void idle(struct player *p, uint64_t *asked_ns)
{
    player_show(p);
    live_wait(p->live);
    uint64_t now = clock_mono();
    if (now - *asked_ns < PLAYER_SLICE_NS)
        return;
    *asked_ns = now;
    player_attend(p);
}

static int play_some(struct player *p, uint64_t *asked_ns, struct tdk_err *err)
{
    struct tdk_run run;
    int rc = live_read(p->live, &run, err);
    if (rc == TDK_ECORRUPT) {
        player_tell_damage(p, err);
        p->report.damaged++;
        return 0;
    }
    if (rc == 0) {
        idle(p, asked_ns);
        return 0;
    }
    if (rc == 1)
        rc = player_put_run(p, &run, 0, err);
    player_show(p);
    return rc;
}

int player_run_live(struct player *p, struct tdk_err *err)
{
    uint64_t asked_ns = 0, limit = 0;
    if (p->query.limit > 0) {
        if (p->report.ticks >= p->query.limit)
            return 0;
        limit = p->query.limit - p->report.ticks;
    }
    int rc = live_open(&p->live, p->tape, &p->query, limit, p->cursor, err);
    tdk_cursor_close(p->cursor);
    p->cursor = NULL;
    while (rc == 0 && !live_is_done(p->live)) {
        if (p->quit)
            return -ECANCELED;
        if (p->sought)
            return PLAYER_SOUGHT;
        if (!p->joined && live_is_caught(p->live))
            rc = put_join(p, err);
        if (rc == 0)
            rc = play_some(p, &asked_ns, err);
    }
    return rc;
}
