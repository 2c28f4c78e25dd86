#include "replayer/lookout.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "replayer/replayer.h"
#include "tape/canary.h"
#include "tape/follow.h"

#define LOOK_NS   (250 * NS_PER_MS)
#define SELDOM_NS (5 * NS_PER_S)

/* ---- on the pool ---- */

static void note(struct lookout *l, const struct tdk_frame *frame)
{
    struct canary_tick tick;
    if (frame->type != CANARY_TYPE || frame->size < sizeof tick)
        return;
    memcpy(&tick, tdk_frame_payload(frame), sizeof tick);
    l->found = frame->ts;
    l->found_expects = tick.period_ns != 0;
}

/* A tape without the track has no canary. */
static int open_cursor(struct lookout *l, struct tdk_cursor **cursor)
{
    static const char *const tracks[] = {TDK_CANARY_TRACK};
    const struct tdk_query query = {
        .to = UINT64_MAX, .tracks = tracks, .track_count = 1, .limit = 1, .reverse = true};
    struct replayer *r = l->replayer;
    struct tdk_err err;
    pthread_rwlock_wrlock(&r->gate);
    tape_refresh_cheaply(r->tape, &err); /* if it fails now, the next look tries again */
    pthread_rwlock_unlock(&r->gate);
    pthread_rwlock_rdlock(&r->gate);
    int rc = tdk_cursor_open(cursor, r->tape, &query, &err);
    pthread_rwlock_unlock(&r->gate);
    return rc;
}

static void look(struct job *job)
{
    struct lookout *l = container_of(job, struct lookout, job);
    struct tdk_cursor *cursor = NULL;
    struct tdk_run run;
    struct tdk_err err;
    l->found = 0;
    if (open_cursor(l, &cursor) < 0)
        return;
    int rc = TDK_ECORRUPT;
    while (rc == TDK_ECORRUPT) /* older blocks may be readable */
        rc = tdk_cursor_read(cursor, &run, &err);
    if (rc == 1)
        note(l, run.frames);
    tdk_cursor_close(cursor);
}

/* ---- on the loop ---- */

static void on_looked(struct job *job)
{
    struct lookout *l = container_of(job, struct lookout, job);
    l->is_looking = false;
    if (l->found != 0) {
        l->seen = l->found;
        l->expects = l->found_expects;
    }
    l->due_ns = clock_mono() + (l->seen != 0 ? LOOK_NS : SELDOM_NS);
}

void lookout_init(struct lookout *l, struct replayer *r)
{
    *l = (struct lookout){.job = {.run = look, .done = on_looked}, .replayer = r};
}

void lookout_tend(struct lookout *l, uint64_t now_ns)
{
    if (l->is_looking || now_ns < l->due_ns || l->replayer->stopping)
        return;
    l->is_looking = true;
    jobs_add(&l->replayer->jobs, &l->job);
}

uint64_t lookout_age(const struct lookout *l, uint64_t wall_ns)
{
    if (!l->expects || l->seen >= wall_ns)
        return 0;
    return wall_ns - l->seen;
}
