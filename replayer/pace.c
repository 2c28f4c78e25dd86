#include "replayer/pace.h"

#include <assert.h>

#include "base/clock.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t add_clamped(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* value * num / den, rounded down, at most UINT64_MAX. */
static uint64_t scale(uint64_t value, uint64_t num, uint64_t den)
{
    wide result = (wide)value * num / den;
    return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

static bool speed_is_sane(const struct speed *speed)
{
    return speed->kind == SPEED_MAX || (speed->numerator > 0 && speed->denominator > 0);
}

void pace_init(struct pace *pace, const struct speed *speed, uint64_t max_idle_ns)
{
    assert(speed_is_sane(speed));
    *pace = (struct pace){.speed = *speed, .max_idle_ns = max_idle_ns};
}

void pace_anchor(struct pace *pace, uint64_t ts, uint64_t tick, uint64_t now_ns)
{
    pace->anchor_ts = ts;
    pace->anchor_tick = tick;
    pace->anchor_ns = now_ns;
    pace->last_due_ns = now_ns;
    if (pace->paused)
        pace->paused_ns = now_ns;
}

/* By the schedule alone, with idle stretches at full length. */
static uint64_t scheduled(const struct pace *pace, uint64_t ts, uint64_t tick)
{
    uint64_t wait = 0;
    const struct speed *speed = &pace->speed;
    if (speed->kind == SPEED_SCALED && ts > pace->anchor_ts)
        wait = scale(ts - pace->anchor_ts, speed->denominator, speed->numerator);
    else if (speed->kind == SPEED_PER_SECOND && tick > pace->anchor_tick)
        wait = scale(tick - pace->anchor_tick, NS_PER_S, speed->numerator);
    return add_clamped(pace->anchor_ns, wait);
}

uint64_t pace_due(struct pace *pace, uint64_t ts, uint64_t tick)
{
    uint64_t due = scheduled(pace, ts, tick);
    if (due < pace->last_due_ns)
        return pace->last_due_ns;
    if (pace->max_idle_ns > 0 && pace->speed.kind == SPEED_SCALED &&
        due - pace->last_due_ns > pace->max_idle_ns) {
        due = add_clamped(pace->last_due_ns, pace->max_idle_ns);
        pace_anchor(pace, ts, tick, due);
    }
    pace->last_due_ns = due;
    return due;
}

/* Which tape time is played now: the inverse of pace_due(). At max and in ticks per second it is
 * the anchor's. */
static uint64_t position_at(const struct pace *pace, uint64_t now_ns)
{
    if (pace->paused && now_ns > pace->paused_ns)
        now_ns = pace->paused_ns;
    if (pace->speed.kind != SPEED_SCALED || now_ns <= pace->anchor_ns)
        return pace->anchor_ts;
    return add_clamped(pace->anchor_ts, scale(now_ns - pace->anchor_ns, pace->speed.numerator,
                                              pace->speed.denominator));
}

void pace_shift(struct pace *pace, uint64_t stall_ns)
{
    pace->anchor_ns = add_clamped(pace->anchor_ns, stall_ns);
    pace->last_due_ns = add_clamped(pace->last_due_ns, stall_ns);
}

void pace_pause(struct pace *pace, uint64_t now_ns)
{
    if (pace->paused)
        return;
    pace->paused = true;
    pace->paused_ns = now_ns;
}

void pace_resume(struct pace *pace, uint64_t now_ns)
{
    if (!pace->paused)
        return;
    pace->paused = false;
    if (now_ns > pace->paused_ns)
        pace_shift(pace, now_ns - pace->paused_ns);
}

void pace_speed(struct pace *pace, const struct speed *speed, uint64_t ts, uint64_t tick,
                uint64_t now_ns)
{
    assert(speed_is_sane(speed));
    /* Between two ticks, the tape stands somewhere on the way to the next one. Go on from there, so
     * that a change in a long gap does not begin the gap anew. */
    uint64_t position = pace->speed.kind == SPEED_SCALED ? position_at(pace, now_ns) : ts;
    if (position > ts)
        position = ts;
    pace->speed = *speed;
    pace_anchor(pace, position, tick, now_ns);
}
