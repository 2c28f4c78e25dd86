#include "recorder/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

#define SMALL          ((size_t)64 << 10) /* a smaller write may wait five times as long */
#define SMALL_PATIENCE 5u
#define WARM_NS        (100 * NS_PER_MS) /* after the last tick; then it looks less often */

int pump_init(struct pump *p, struct inlet *inlets, unsigned count, struct writer *writer,
              const struct pump_options *options)
{
    memset(p, 0, sizeof *p);
    p->inlets = inlets;
    p->count = count;
    p->writer = writer;
    p->block_size = options->block_size;
    uint64_t longest = options->sync_interval_ns != 0 ? options->sync_interval_ns : UINT64_MAX;
    p->age_ns = min_u64(options->block_age_ns, longest);
    p->small_age_ns = min_u64(options->block_age_ns * SMALL_PATIENCE, longest);
    p->filler.scratch = malloc(sizeof *p->filler.scratch);
    if (p->filler.scratch == NULL)
        return -ENOMEM;
    block_scratch_init(p->filler.scratch);
    return 0;
}

void pump_close(struct pump *p)
{
    free(p->filler.scratch);
    p->filler.scratch = NULL;
}

/* ---- what waits ---- */

/* What is refused between a full disk and the next time the ring is empty is lost because of the
 * disk. */
static void note_space(struct inlet *s, bool is_full, bool is_empty)
{
    if (is_full || (s->is_starved && is_empty))
        s->is_starved = is_full || inlet_lost_at_end(s) != 0;
}

static void look(struct pump *p, uint64_t now_ns)
{
    const bool is_full = writer_has_no_space(p->writer);
    p->waiting = 0;
    p->oldest_ns = 0;
    p->pressing = p->filling = false;
    for (unsigned i = 0; i < p->count; i++) {
        struct inlet *s = &p->inlets[i];
        size_t size = inlet_look(s, now_ns);
        note_space(s, is_full, size == 0);
        if (size == 0)
            continue;
        p->waiting += size;
        if (!s->is_canary)
            p->moved_ns = now_ns;
        p->pressing = p->pressing || size >= s->capacity / 4;
        p->filling = p->filling || size >= s->capacity / 8;
        if (p->oldest_ns == 0 || s->since_ns < p->oldest_ns)
            p->oldest_ns = s->since_ns;
    }
}

static bool is_due(const struct pump *p, uint64_t now_ns)
{
    if (p->waiting == 0)
        return false;
    uint64_t patience = p->waiting < SMALL ? p->small_age_ns : p->age_ns;
    return p->ending || p->pushing || p->pressing || p->waiting >= p->block_size ||
           now_ns - p->oldest_ns >= patience;
}

/* ---- one write ---- */

static enum fill_stop fill(struct pump *p, struct inlet *s, uint64_t now_ns)
{
    struct write *w = p->filler.write;
    if (s->owes_clock && fill_control(&p->filler, s, TDK_TYPE_CLOCK, 0, &p->jump, sizeof p->jump))
        s->owes_clock = false;
    if (s->since_ns < w->since_ns)
        w->since_ns = s->since_ns;
    enum fill_stop stop = fill_inlet(&p->filler, s);
    s->since_ns = 0; /* what is left is newer */
    inlet_look(s, now_ns);
    return stop;
}

/* True: the write is full, and others wait for the next one. */
static bool fill_all(struct pump *p, uint64_t now_ns)
{
    for (unsigned i = 0; i < p->count; i++) {
        unsigned at = (p->turn + i) % p->count;
        if (p->inlets[at].waiting == 0 || fill(p, &p->inlets[at], now_ns) == FILL_DRY)
            continue;
        if (p->filler.write->piece_count != 0)
            p->turn = (at + 1) % p->count; /* this one has had its share */
        return true;
    }
    return false;
}

/* Record what was refused after the last tick of those that end here. */
static void fill_ends(struct pump *p)
{
    for (unsigned i = 0; i < p->count; i++)
        if ((p->ending || p->inlets[i].orphan_ns != 0) && p->inlets[i].waiting == 0)
            fill_end(&p->filler, &p->inlets[i]);
}

/* The marks come after what was published before them. */
static void fill_marks(struct pump *p)
{
    for (unsigned i = 0; !p->pushing && i < p->count; i++) {
        struct inlet *s = &p->inlets[i];
        if (s->owes_mark &&
            fill_control(&p->filler, s, TDK_TYPE_MARK, p->mark_ts, p->mark, p->mark_size))
            s->owes_mark = false;
    }
}

static bool begin(struct pump *p, size_t need, uint64_t now_ns)
{
    struct filler *f = &p->filler;
    f->write = writer_begin(p->writer, need, &f->limit, now_ns);
    if (f->write == NULL)
        return false;
    f->segment = f->write->reel->number;
    f->now_ns = clock_wall();
    return true;
}

/* False: there is no buffer or no segment, or the write was empty. */
static bool form(struct pump *p, uint64_t now_ns)
{
    if (!begin(p, 0, now_ns))
        return false;
    bool full = fill_all(p, now_ns);
    if (full && p->filler.write->piece_count == 0) { /* a frame is larger than a usual write */
        if (!begin(p, p->filler.need, now_ns))
            return false;
        fill_all(p, now_ns);
    }
    if (!full)
        fill_ends(p);
    fill_marks(p);
    bool any = p->filler.write->piece_count != 0;
    if (p->filler.write->since_ns == UINT64_MAX)
        p->filler.write->since_ns = now_ns;
    writer_commit(p->writer, now_ns);
    return any;
}

/* ---- turns ---- */

static bool ends_are_owed(const struct pump *p)
{
    for (unsigned i = 0; i < p->count; i++)
        if ((p->ending || p->inlets[i].orphan_ns != 0) && p->inlets[i].waiting == 0 &&
            inlet_lost_at_end(&p->inlets[i]) != 0)
            return true;
    return false;
}

static bool marks_are_owed(const struct pump *p)
{
    for (unsigned i = 0; !p->pushing && i < p->count; i++)
        if (p->inlets[i].owes_mark)
            return true;
    return false;
}

/* Has everything that must go into writes left its ring? */
static void look_how_far(struct pump *p)
{
    bool behind = false;
    for (unsigned i = 0; i < p->count; i++) {
        const struct inlet *s = &p->inlets[i];
        behind = behind || (s->state == RING_ATTACHED && tdk_ring_position(s->ring) < s->push_to);
    }
    p->pushing = p->pushing && behind;
}

static bool is_wanted(const struct pump *p, uint64_t now_ns)
{
    return is_due(p, now_ns) || ends_are_owed(p) || marks_are_owed(p);
}

static enum pump_pace pace(const struct pump *p, bool formed, bool stuck, uint64_t now_ns)
{
    if (stuck) /* the disk is behind: we are called when a buffer is free */
        return PUMP_WARM;
    if (formed || p->filling)
        return PUMP_HOT;
    return now_ns - p->moved_ns < WARM_NS ? PUMP_WARM : PUMP_IDLE;
}

/* One write a turn: what comes back from the disk meanwhile waits half a millisecond for it. */
enum pump_pace pump_turn(struct pump *p, uint64_t now_ns)
{
    bool formed = false, stuck = false;
    look(p, now_ns);
    look_how_far(p);
    if (is_wanted(p, now_ns)) {
        formed = form(p, now_ns);
        stuck = !formed;
        look(p, now_ns);
        look_how_far(p);
    }
    writer_run(p->writer, now_ns);
    return pace(p, formed, stuck, now_ns);
}

void pump_end(struct pump *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct inlet *s = &p->inlets[i];
        size_t size = 0;
        if (s->state != RING_ATTACHED)
            continue;
        tdk_ring_peek(s->ring, &size);
        s->until = tdk_ring_position(s->ring) + size;
    }
    p->ending = true;
}

bool pump_is_dry(const struct pump *p)
{
    return p->ending && p->waiting == 0 && !ends_are_owed(p);
}

void pump_push(struct pump *p, const char *mark, uint64_t mark_back, uint64_t mark_ts)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct inlet *s = &p->inlets[i];
        size_t size = 0;
        if (s->state != RING_ATTACHED)
            continue;
        tdk_ring_peek(s->ring, &size);
        s->push_to = tdk_ring_position(s->ring) + size;
        if (s->push_to > s->until)
            s->push_to = s->until;
        s->owes_mark = mark != NULL && !s->is_canary;
    }
    if (mark != NULL) {
        p->mark_size = (uint32_t)mark_encode(p->mark, mark, mark_back);
        p->mark_ts = mark_ts;
    }
    p->pushing = true;
}

bool pump_is_pushed(const struct pump *p)
{
    return !p->pushing && !marks_are_owed(p);
}

void pump_clock_jumped(struct pump *p, uint64_t old_ns, uint64_t new_ns)
{
    p->jump.old_ts = old_ns;
    p->jump.new_ts = new_ns;
    for (unsigned i = 0; i < p->count; i++)
        p->inlets[i].owes_clock = p->inlets[i].state == RING_ATTACHED;
}
