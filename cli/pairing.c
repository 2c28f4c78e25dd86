#include "cli/pairing.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "cli/interrupt.h"
#include "tape/cursor.h"

#define WINDOW_BYTES ((size_t)64 << 20)  /* of payloads that one side holds ahead */
#define REPEATED     0x80000000u         /* in the lookup table: there are more ticks like this */
#define SOUGHT_MAX   (UINT64_C(1) << 24) /* ticks of one tape in which the first pair is sought */

enum {
    ALIKE = 4,       /* so many ticks in a row match where two places are the same */
    PLACES = 131072, /* of the lookup table: twice the window */
    BARREN = 8,      /* where nothing is alike, such a part of both windows goes untried */
    CLOCKS = 15,     /* pairs that say how far the clocks are apart: a false one is outvoted */
    PROGRESS = 4096
};

/* A copy of a tick that was read ahead. */
struct held {
    struct pairing_tick tick;
    struct tdk_frame *frame; /* ours */
};

/* The next ticks of one tape, in a ring. */
struct side {
    struct tdk_cursor *cursor; /* NULL: the tape does not have the track, or is at its end */
    struct tdk_run run;
    const struct tdk_frame *at; /* next in the run; NULL: a new run is needed */
    uint64_t lost;              /* since the last tick */
    struct held *items;         /* PAIRING_WINDOW of them */
    size_t first, count, bytes;
};

struct pairing {
    struct side sides[SIDES];
    struct tdk_tape *const *tapes;
    struct tdk_query query; /* for the track's ticks in the range */
    const struct pairing_events *events;
    struct pairing_totals *totals;
    uint32_t *places;      /* by sum: 1 + place among one side's ticks; 0: none */
    size_t barren;         /* ticks to be told before it is worth it to look for a pair again */
    int64_t ahead[CLOCKS]; /* of the last pairs, by how much b's time was ahead of a's */
    size_t timed;          /* pairs */
    bool sought;           /* the first of them was sought beyond the windows */
    uint64_t told;
    struct tdk_err *err;
};

/* ---- reading ahead ---- */

static struct held *held_at(const struct side *s, size_t i)
{
    return &s->items[(s->first + i) % PAIRING_WINDOW];
}

static uint32_t sum_of(const struct tdk_frame *frame)
{
    uint32_t sum = crc32c(0, &frame->type, sizeof frame->type);
    return crc32c(sum, tdk_frame_payload(frame), frame->size);
}

static int hold(struct pairing *p, struct side *s, const struct tdk_frame *frame)
{
    struct held *h = held_at(s, s->count);
    size_t size = sizeof *frame + frame->size;
    h->frame = malloc(size);
    if (h->frame == NULL)
        return err_set(p->err, -ENOMEM, "compare tapes");
    memcpy(h->frame, frame, size);
    h->tick = (struct pairing_tick){
        .frame = h->frame, .epoch = s->run.epoch, .lost = s->lost, .sum = sum_of(frame)};
    s->lost = 0;
    s->count++;
    s->bytes += size;
    return 0;
}

static void drop(struct side *s)
{
    struct held *h = held_at(s, 0);
    s->bytes -= sizeof *h->frame + h->frame->size;
    free(h->frame);
    s->first = (s->first + 1) % PAIRING_WINDOW;
    s->count--;
}

static void note_damage(struct pairing *p, size_t which)
{
    struct pairing_totals *t = p->totals;
    struct tdk_damage damage;
    tdk_cursor_damage(p->sides[which].cursor, &damage);
    p->sides[which].lost += damage.ticks; /* as if they never came; the other may have them */
    t->damaged[which]++;
    t->uncounted += damage.ticks == 0;
    if (t->damage[0] == '\0')
        snprintf(t->damage, sizeof t->damage, "%.199s", p->err->text);
}

/* Read the next run into s->run. 1: there is one. 0: no more. Damage is counted and passed over. */
static int next_run(struct pairing *p, size_t which)
{
    struct side *s = &p->sides[which];
    int rc;
    while ((rc = tdk_cursor_read(s->cursor, &s->run, p->err)) == TDK_ECORRUPT)
        note_damage(p, which);
    if (rc == 1)
        s->at = s->run.frames;
    return rc;
}

static int take_frame(struct pairing *p, size_t which)
{
    struct side *s = &p->sides[which];
    const struct tdk_frame *frame = s->at;
    s->at = tdk_frame_after(frame);
    if ((const char *)s->at >= (const char *)s->run.frames + s->run.size)
        s->at = NULL;
    if (tdk_frame_is_tick(frame)) {
        p->totals->ticks[which]++;
        return hold(p, s, frame);
    }
    struct tdk_loss loss;
    if (frame->type != TDK_TYPE_LOSS || frame->size < sizeof loss)
        return 0;
    memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
    s->lost += loss.count;
    p->totals->lost[which] += loss.count;
    return 0;
}

/* Read ahead as many ticks as wanted, if there are that many and they fit. */
static int fill(struct pairing *p, size_t which, size_t wanted)
{
    struct side *s = &p->sides[which];
    int rc = 0;
    while (rc == 0 && s->cursor != NULL && s->count < wanted && s->count < PAIRING_WINDOW &&
           (s->count < 2 * ALIKE || s->bytes < WINDOW_BYTES)) {
        /* A run is borrowed until the cursor's next call, so a run that is not used up is used
         * first. */
        rc = s->at != NULL ? 1 : next_run(p, which);
        if (rc == 1)
            rc = take_frame(p, which);
        else if (rc == 0) {
            tdk_cursor_close(s->cursor);
            s->cursor = NULL;
        }
    }
    return rc;
}

/* ---- telling ---- */

static int tell_only(struct pairing *p, size_t which)
{
    struct side *s = &p->sides[which];
    int rc =
        p->events->only((enum pairing_side)which, &held_at(s, 0)->tick, p->events->context, p->err);
    drop(s);
    return rc;
}

/* Report `a` and `b` ticks that only one side has, in order of their times. */
static int tell_apart(struct pairing *p, size_t a, size_t b)
{
    int rc = 0;
    while (rc == 0 && a + b > 0) {
        bool first = b == 0 || (a > 0 && held_at(&p->sides[SIDE_A], 0)->tick.frame->ts <=
                                             held_at(&p->sides[SIDE_B], 0)->tick.frame->ts);
        rc = tell_only(p, first ? SIDE_A : SIDE_B);
        *(first ? &a : &b) -= 1;
    }
    return rc;
}

/* A time that cannot be says nothing of a clock. */
static void note_clocks(struct pairing *p, const struct tdk_frame *a, const struct tdk_frame *b)
{
    if (((a->flags | b->flags) & TDK_FLAG_TS_UNTRUSTED) == 0)
        p->ahead[p->timed++ % CLOCKS] = (int64_t)(b->ts - a->ts);
}

static int tell_both(struct pairing *p)
{
    const struct pairing_tick *a = &held_at(&p->sides[SIDE_A], 0)->tick,
                              *b = &held_at(&p->sides[SIDE_B], 0)->tick;
    int rc = p->events->both(a, b, p->events->context, p->err);
    note_clocks(p, a->frame, b->frame);
    drop(&p->sides[SIDE_A]);
    drop(&p->sides[SIDE_B]);
    return rc;
}

/* ---- where both go on alike ---- */

static bool is_same(const struct pairing_tick *a, const struct pairing_tick *b)
{
    return a->sum == b->sum && a->frame->type == b->frame->type &&
           a->frame->size == b->frame->size &&
           memcmp(tdk_frame_payload(a->frame), tdk_frame_payload(b->frame), a->frame->size) == 0;
}

/* Do `wanted` ticks from here on match, or all up to the end of one side? */
static bool is_alike(const struct pairing *p, size_t a, size_t b, size_t wanted)
{
    const struct side *x = &p->sides[SIDE_A], *y = &p->sides[SIDE_B];
    for (size_t i = 0; i < wanted; i++) {
        if (a + i >= x->count || b + i >= y->count)
            return i > 0;
        if (!is_same(&held_at(x, a + i)->tick, &held_at(y, b + i)->tick))
            return false;
    }
    return true;
}

static size_t index_of(uint32_t place)
{
    return (place & ~REPEATED) - 1;
}

static size_t place_of(uint32_t sum)
{
    return (sum * 0x9e3779b1u) >> 15; /* 17 bits */
}

/* Enter a side's next `limit` ticks by their sums. Of several with the same sum the first is
 * entered, with REPEATED. */
static void note_places(struct pairing *p, const struct side *s, size_t limit)
{
    memset(p->places, 0, PLACES * sizeof *p->places);
    for (size_t j = 0; j < limit && j < s->count; j++) {
        uint32_t sum = held_at(s, j)->tick.sum;
        size_t at = place_of(sum);
        while (p->places[at] != 0 && held_at(s, index_of(p->places[at]))->tick.sum != sum)
            at = (at + 1) % PLACES;
        p->places[at] = p->places[at] == 0 ? (uint32_t)j + 1 : p->places[at] | REPEATED;
    }
}

/* Find the first tick of that side with this sum. *unique: no other in sight has it. False: there
 * is none. */
static bool find_place(const struct pairing *p, const struct side *s, uint32_t sum, size_t *j,
                       bool *unique)
{
    size_t at = place_of(sum);
    for (; p->places[at] != 0; at = (at + 1) % PLACES)
        if (held_at(s, index_of(p->places[at]))->tick.sum == sum) {
            *j = index_of(p->places[at]);
            *unique = (p->places[at] & REPEATED) == 0;
            return true;
        }
    return false;
}

/* Find the nearest pair of common places within `limit` ticks: the one that passes over the
 * fewest. */
static bool find_alike(struct pairing *p, size_t limit, size_t wanted, size_t *skip_a,
                       size_t *skip_b)
{
    const struct side *a = &p->sides[SIDE_A], *b = &p->sides[SIDE_B];
    size_t best = SIZE_MAX, j;
    bool unique;
    note_places(p, b, limit);
    for (size_t i = 0; i < limit && i < a->count && i < best; i++) {
        if (!find_place(p, b, held_at(a, i)->tick.sum, &j, &unique) || i + j >= best ||
            !is_alike(p, i, j, unique ? 1 : wanted))
            continue;
        best = i + j;
        *skip_a = i;
        *skip_b = j;
    }
    return best != SIZE_MAX;
}

/* ---- whose clock is ahead ---- */

static int open_cursor(struct pairing *p, size_t which, struct tdk_cursor **cursor)
{
    int rc = tdk_cursor_open(cursor, p->tapes[which], &p->query, p->err);
    if (rc == 0)
        cursor_stop_when(*cursor, interrupt_asked, NULL);
    return rc;
}

/* Ticks of a side that came one behind the other on the other tape, too. */
struct trail {
    const struct side *side;
    size_t next, count;
};

/* Does this tick of the other tape go on with the trail, or begin it anew? */
static bool goes_on(const struct pairing *p, struct trail *trail, const struct pairing_tick *tick)
{
    bool unique;
    if (trail->next == trail->side->count ||
        !is_same(tick, &held_at(trail->side, trail->next)->tick)) {
        trail->count = 0;
        if (!find_place(p, trail->side, tick->sum, &trail->next, &unique) ||
            !is_same(tick, &held_at(trail->side, trail->next)->tick))
            return false;
    }
    trail->next++;
    trail->count++;
    return true;
}

/* The last of ALIKE ticks in the run with which the trail goes on. NULL: there is none. */
static const struct tdk_frame *follow(const struct pairing *p, struct trail *trail,
                                      const struct tdk_run *run)
{
    const char *end = (const char *)run->frames + run->size;
    const struct tdk_frame *frame = run->frames;
    for (; (const char *)frame < end; frame = tdk_frame_after(frame)) {
        const struct pairing_tick tick = {.frame = frame, .sum = sum_of(frame)};
        if (tdk_frame_is_tick(frame) && goes_on(p, trail, &tick) && trail->count == ALIKE)
            return frame;
    }
    return NULL;
}

/* Look through a tape for a pair of what the other side holds. It tells how far the clocks are
 * apart, and gives nothing away. */
static int seek_pair(struct pairing *p, enum pairing_side which)
{
    struct trail trail = {.side = &p->sides[which == SIDE_A ? SIDE_B : SIDE_A]};
    const struct tdk_frame *frame = NULL;
    struct tdk_cursor *cursor = NULL;
    struct tdk_run run;
    uint64_t ticks = 0;
    int rc = open_cursor(p, which, &cursor);
    note_places(p, trail.side, PAIRING_WINDOW);
    while (rc == 0 && frame == NULL && ticks < SOUGHT_MAX &&
           (rc = tdk_cursor_read(cursor, &run, p->err)) != 0) {
        if (rc == 1) {
            frame = follow(p, &trail, &run);
            ticks += run.ticks;
        }
        rc = rc == 1 || rc == TDK_ECORRUPT ? 0 : rc;
    }
    if (frame != NULL) {
        const struct tdk_frame *other = held_at(trail.side, trail.next - 1)->frame;
        note_clocks(p, which == SIDE_A ? frame : other, which == SIDE_A ? other : frame);
    }
    tdk_cursor_close(cursor);
    return rc;
}

/* No pair has said yet how far the clocks are apart. */
static int seek_first_pair(struct pairing *p)
{
    int rc = 0;
    p->sought = true;
    for (enum pairing_side which = SIDE_A; which < SIDES && rc == 0 && p->timed == 0; which++)
        rc = seek_pair(p, which);
    return rc;
}

/* By how much b's clock is ahead of a's: the median of the last pairs. */
static int64_t clock_ahead(const struct pairing *p)
{
    const size_t count = p->timed < CLOCKS ? p->timed : CLOCKS;
    for (size_t i = 0; i < count; i++) {
        size_t less = 0, same = 0;
        for (size_t j = 0; j < count; j++) {
            less += p->ahead[j] < p->ahead[i];
            same += p->ahead[j] == p->ahead[i];
        }
        if (less <= count / 2 && count / 2 < less + same)
            return p->ahead[i];
    }
    return 0;
}

/* When one side received a tick, by a's clock. */
static uint64_t time_at(const struct pairing *p, size_t which, size_t i, int64_t ahead)
{
    uint64_t ts = held_at(&p->sides[which], i)->tick.frame->ts;
    return which == SIDE_A ? ts : ts - (uint64_t)ahead;
}

/* Nothing alike: of one side, half of what is earlier than the other's next is on that side only.
 * Whose clock is early is not earlier for that: it would give what comes behind the other's gap. */
static int give_up(struct pairing *p)
{
    const struct side *a = &p->sides[SIDE_A], *b = &p->sides[SIDE_B];
    if (a->count == 0 || b->count == 0)
        return tell_apart(p, a->count, b->count);
    const int64_t ahead = clock_ahead(p);
    uint64_t ts_a = time_at(p, SIDE_A, 0, ahead), ts_b = time_at(p, SIDE_B, 0, ahead);
    size_t which = ts_a <= ts_b ? SIDE_A : SIDE_B, count = 0;
    uint64_t until = which == SIDE_A ? ts_b : ts_a;
    while (count < p->sides[which].count / 2 && time_at(p, which, count, ahead) <= until)
        count++;
    if (count == 0)
        count = 1;
    p->barren -= count < p->barren ? count : p->barren;
    return tell_apart(p, which == SIDE_A ? count : 0, which == SIDE_B ? count : 0);
}

/* If two windows have no tick in common, only ticks that come later can match. To search for them
 * after each tick would cost a whole window for each. */
static int resync(struct pairing *p)
{
    size_t skip_a = 0, skip_b = 0;
    if (p->barren > 0)
        return give_up(p);
    for (size_t limit = 64; limit <= PAIRING_WINDOW; limit *= 32) {
        int rc = fill(p, SIDE_A, limit + ALIKE);
        if (rc == 0)
            rc = fill(p, SIDE_B, limit + ALIKE);
        if (rc != 0)
            return rc;
        if (find_alike(p, limit, ALIKE, &skip_a, &skip_b))
            return tell_apart(p, skip_a, skip_b);
    }
    /* If every few ticks are lost, no ALIKE ticks in a row match: look for a single one. */
    if (find_alike(p, PAIRING_WINDOW, 1, &skip_a, &skip_b))
        return tell_apart(p, skip_a, skip_b);
    p->barren = (p->sides[SIDE_A].count + p->sides[SIDE_B].count) / BARREN;
    int rc = p->timed == 0 && !p->sought ? seek_first_pair(p) : 0;
    return rc == 0 ? give_up(p) : rc;
}

/* ---- the walk ---- */

static int step(struct pairing *p)
{
    const struct side *a = &p->sides[SIDE_A], *b = &p->sides[SIDE_B];
    if (a->count > 0 && b->count > 0 && is_same(&held_at(a, 0)->tick, &held_at(b, 0)->tick))
        return tell_both(p);
    if (a->count == 0 || b->count == 0)
        return tell_apart(p, a->count > 0, b->count > 0);
    return resync(p);
}

static int tell_progress(struct pairing *p)
{
    uint64_t ticks = p->totals->ticks[SIDE_A] + p->totals->ticks[SIDE_B];
    if (p->events->progress == NULL || ticks - p->told < PROGRESS)
        return 0;
    p->told = ticks;
    return p->events->progress(ticks, p->events->context);
}

static int walk(struct pairing *p)
{
    for (;;) {
        int rc = fill(p, SIDE_A, 1);
        if (rc == 0)
            rc = fill(p, SIDE_B, 1);
        if (rc == 0 && p->sides[SIDE_A].count + p->sides[SIDE_B].count == 0)
            return 0;
        if (rc == 0)
            rc = step(p);
        if (rc == 0)
            rc = tell_progress(p);
        if (rc != 0)
            return rc;
    }
}

static int open_side(struct pairing *p, size_t which)
{
    struct side *s = &p->sides[which];
    s->items = calloc(PAIRING_WINDOW, sizeof *s->items);
    if (s->items == NULL)
        return err_set(p->err, -ENOMEM, "compare tapes");
    return p->tapes[which] != NULL ? open_cursor(p, which, &s->cursor) : 0;
}

static void close_side(struct side *s)
{
    while (s->count > 0)
        drop(s);
    free(s->items);
    tdk_cursor_close(s->cursor);
}

int pairing_run(struct tdk_tape *const tapes[SIDES], const char *track,
                const struct tdk_query *query, const struct pairing_events *events,
                struct pairing_totals *totals, struct tdk_err *err)
{
    struct pairing p = {.tapes = tapes,
                        .query = {.from = query->from,
                                  .to = query->to,
                                  .axis = query->axis,
                                  .tracks = &track,
                                  .track_count = 1,
                                  .control = true},
                        .events = events,
                        .totals = totals,
                        .err = err};
    *totals = (struct pairing_totals){.damage = ""};
    p.places = calloc(PLACES, sizeof *p.places);
    int rc = p.places != NULL ? 0 : err_set(err, -ENOMEM, "compare tapes");
    for (size_t i = 0; i < SIDES && rc == 0; i++)
        rc = open_side(&p, i);
    if (rc == 0)
        rc = walk(&p);
    for (size_t i = 0; i < SIDES; i++) {
        totals->lost_at_end[i] = p.sides[i].lost;
        close_side(&p.sides[i]);
    }
    free(p.places);
    return rc == -ECANCELED ? 1 : rc; /* progress() returns that when interrupted */
}
