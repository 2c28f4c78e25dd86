#include "index/find.h"

#include "base/bytes.h"
#include "base/err.h"

/* One list of blocks that is being walked, in key order or in reverse. */
struct lane {
    struct store_cursor cursor;
    struct key prefix; /* kind, track, epoch */
    bool live;         /* `block` is the next one of this list */
    struct block_ref block;
    unsigned char
        place[KEY_BLOCK_SIZE - 1]; /* its key after the kind: its place among all blocks */
};

struct finder {
    const struct index_range *range;
    bool reverse;
    struct store_view view;
    struct lane time, odd;
};

/* ---- one block ---- */

static bool spans(const struct index_range *range, uint64_t low, uint64_t high)
{
    if (low > high)
        return false;
    return high >= range->from && (low < range->to || range->to == UINT64_MAX);
}

/* A loss has no event times: the time it came counts on both axes. One before a tick whose time is
 * not trusted may reach further than the times of its block. */
static bool loss_meets(const struct index_range *range, const struct block_ref *block)
{
    return block->lost > 0 &&
           spans(range, block->min_ts, block->odd > 0 ? UINT64_MAX : block->max_ts);
}

static bool meets(const struct index_range *range, const struct block_ref *block)
{
    if (range->from == 0 && range->to == UINT64_MAX)
        return true; /* even blocks with nothing but control frames */
    if (loss_meets(range, block))
        return true;
    if (range->axis == INDEX_AXIS_EVENT)
        return spans(range, block->min_event, block->max_event);
    return spans(range, block->min_ts, block->max_ts) ||
           spans(range, block->odd_min, block->odd_max);
}

/* From this running maximum on, no later block can reach below the end of the range. */
static uint64_t last_running_max(const struct index_range *range)
{
    if (range->axis == INDEX_AXIS_EVENT || range->to > UINT64_MAX - range->step_back)
        return UINT64_MAX;
    return range->to + range->step_back;
}

/* ---- a lane ---- */

/* Take what the cursor found (found: 1, 0, or an error) as the lane's next block. */
static int lane_take(struct lane *lane, int found, struct tdk_err *err)
{
    const struct store_cursor *c = &lane->cursor;
    lane->live = false;
    if (found <= 0)
        return found;
    if (c->key_size < lane->prefix.size ||
        memcmp(c->key, lane->prefix.bytes, lane->prefix.size) != 0)
        return 0; /* past the epoch */
    if (c->key_size != KEY_BLOCK_SIZE || c->value_size != sizeof lane->block)
        return store_misfit(err);
    memcpy(&lane->block, c->value, sizeof lane->block);
    memcpy(lane->place, c->key + 1, sizeof lane->place);
    lane->live = true;
    return 0;
}

static int lane_step(struct lane *lane, bool reverse, struct tdk_err *err)
{
    int found = reverse ? store_cursor_prev(&lane->cursor) : store_cursor_next(&lane->cursor);
    return lane_take(lane, found, err);
}

/* Go to the last item below `key`. */
static int seek_below(struct store_cursor *cursor, const struct key *key)
{
    int found = store_cursor_seek(cursor, key);
    if (found < 0)
        return found;
    return found == 1 ? store_cursor_prev(cursor) : store_cursor_last(cursor);
}

static int lane_begin_forward(struct lane *lane, const struct key *from, const struct key *after,
                              struct tdk_err *err)
{
    bool resume = after != NULL && key_compare(after, from) >= 0;
    int rc = lane_take(lane, store_cursor_seek(&lane->cursor, resume ? after : from), err);
    if (rc == 0 && resume && lane->live &&
        memcmp(lane->place, after->bytes + 1, sizeof lane->place) == 0)
        rc = lane_step(lane, false, err);
    return rc;
}

/* The first block at or above `to` is the last one that may match, and the walk begins there. */
static int lane_begin_reverse(struct lane *lane, const struct key *to, const struct key *after,
                              struct tdk_err *err)
{
    if (after != NULL && key_compare(after, to) < 0)
        return lane_take(lane, seek_below(&lane->cursor, after), err);
    int rc = lane_take(lane, store_cursor_seek(&lane->cursor, to), err);
    if (rc == 0 && !lane->live)
        rc = lane_take(lane, seek_below(&lane->cursor, to), err);
    if (rc == 0 && lane->live && after != NULL &&
        memcmp(lane->place, after->bytes + 1, sizeof lane->place) >= 0)
        rc = lane_take(lane, seek_below(&lane->cursor, after), err);
    return rc;
}

/* Only blocks with running maxima between `low` and `high` are of interest. */
static int lane_open(struct lane *lane, struct finder *f, enum key_kind kind, uint64_t low,
                     uint64_t high, const struct block_ref *after)
{
    const struct index_range *range = f->range;
    struct key begin, behind;
    int rc = store_cursor_open(&lane->cursor, &f->view);
    if (rc < 0)
        return rc;
    key_epoch(&lane->prefix, kind, range->track, range->epoch);
    key_block_from(&begin, kind, range->track, range->epoch, f->reverse ? high : low);
    if (f->reverse && high == UINT64_MAX) { /* after every block of the epoch */
        memset(begin.bytes + begin.size, 0xff, KEY_BLOCK_SIZE - begin.size);
        begin.size = KEY_BLOCK_SIZE;
    }
    if (after != NULL)
        key_block(&behind, kind, after);
    rc = f->reverse ? lane_begin_reverse(lane, &begin, after != NULL ? &behind : NULL, f->view.err)
                    : lane_begin_forward(lane, &begin, after != NULL ? &behind : NULL, f->view.err);
    if (rc < 0)
        store_cursor_close(&lane->cursor);
    return rc;
}

/* ---- both ---- */

static int finder_open(struct finder *f, const struct block_ref *after)
{
    uint64_t low = f->range->axis == INDEX_AXIS_EVENT ? 0 : f->range->from;
    int rc = lane_open(&f->time, f, KEY_BLOCK, low, last_running_max(f->range), after);
    if (rc < 0)
        return rc;
    rc = lane_open(&f->odd, f, KEY_ODD, 0, UINT64_MAX, after);
    if (rc < 0)
        store_cursor_close(&f->time.cursor);
    if (f->range->axis == INDEX_AXIS_EVENT)
        f->odd.live = false; /* the other list has the event times of all blocks */
    return rc;
}

static void finder_close(struct finder *f)
{
    store_cursor_close(&f->odd.cursor);
    store_cursor_close(&f->time.cursor);
}

/* No later block on our way can meet the range by its trusted times. */
static bool is_last(const struct finder *f, const struct block_ref *block)
{
    if (f->range->axis == INDEX_AXIS_EVENT)
        return false;
    if (f->reverse)
        return block->running_max < f->range->from;
    uint64_t last = last_running_max(f->range);
    return last != UINT64_MAX && block->running_max >= last;
}

/* Which lane's block comes next? If both stand at the same block, both move on together. */
static int compare_lanes(const struct finder *f)
{
    if (!f->time.live || !f->odd.live)
        return f->time.live ? -1 : 1;
    int order = memcmp(f->time.place, f->odd.place, sizeof f->time.place);
    return f->reverse ? -order : order;
}

static int finder_next(struct finder *f, struct block_ref *block, struct tdk_err *err)
{
    int order = compare_lanes(f), rc = 0;
    *block = order <= 0 ? f->time.block : f->odd.block;
    if (order >= 0)
        rc = lane_step(&f->odd, f->reverse, err);
    if (order <= 0 && rc == 0) {
        if (is_last(f, block))
            f->time.live = false;
        else
            rc = lane_step(&f->time, f->reverse, err);
    }
    return rc;
}

int find_blocks(struct store *store, const struct index_range *range, const struct block_ref *after,
                bool reverse, struct block_ref *blocks, int room, struct tdk_err *err)
{
    struct finder f = {.range = range, .reverse = reverse};
    int rc = store_view_open(&f.view, store, err);
    if (rc < 0)
        return rc;
    rc = finder_open(&f, after);
    if (rc == 0) {
        if (after != NULL && is_last(&f, after))
            f.time.live = false;
        int count = 0;
        while (rc == 0 && count < room && (f.time.live || f.odd.live)) {
            struct block_ref block;
            rc = finder_next(&f, &block, err);
            if (rc == 0 && meets(range, &block))
                blocks[count++] = block;
        }
        if (rc == 0)
            rc = count;
        finder_close(&f);
    }
    store_view_close(&f.view);
    return rc;
}
