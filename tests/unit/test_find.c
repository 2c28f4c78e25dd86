/* Which blocks an index finds for a range of time: the same as looking at every block. */
#include "tests/support/check.h"

#include "base/bytes.h"
#include "tests/support/indexing.h"

enum { BLOCKS = 400 };

struct market {
    struct block_ref blocks[BLOCKS];
    int count;
    uint64_t step_back;
};

static void widen(uint64_t *min, uint64_t *max, uint64_t value)
{
    *min = min_u64(*min, value);
    *max = max_u64(*max, value);
}

/* How ill-behaved a market's times are: one in so many; 0: none. */
struct habit {
    unsigned disorder, odd;
};

static void add_tick(struct indexing *f, const struct habit *habit, struct block_ref *b,
                     uint64_t ts)
{
    if (dice_one_in(&f->dice, habit->disorder))
        ts -= dice_roll(&f->dice, 900);
    widen(&b->min_event, &b->max_event, ts - dice_roll(&f->dice, 50));
    if (dice_one_in(&f->dice, habit->odd)) {
        b->odd++;
        widen(&b->odd_min, &b->odd_max, dice_one_in(&f->dice, 2) ? UINT64_MAX : UINT64_C(1) << 63);
        return;
    }
    widen(&b->min_ts, &b->max_ts, ts);
    if (ts < b->running_max)
        b->step_back = max_u64(b->step_back, b->running_max - ts);
    b->running_max = max_u64(b->running_max, ts);
}

/* Times between 1000 and about 3000: ties, disorder, absurd times, blocks of control frames
 * only. */
static void make_market(struct indexing *f, struct market *m, const struct habit *habit)
{
    uint64_t running = 0, seq = 1;
    *m = (struct market){.count = BLOCKS};
    for (int i = 0; i < BLOCKS; i++) {
        struct block_ref *b = &m->blocks[i];
        *b = (struct block_ref){.epoch = 7,
                                .track = 3,
                                .segment = 1 + (uint64_t)i / 100,
                                .block = (uint32_t)i % 100,
                                .first_seq = seq,
                                .running_max = running,
                                .min_ts = UINT64_MAX,
                                .min_event = UINT64_MAX,
                                .odd_min = UINT64_MAX};
        b->count = dice_one_in(&f->dice, 8) ? 0 : 1 + dice_roll(&f->dice, 20);
        for (uint32_t t = 0; t < b->count; t++)
            add_tick(f, habit, b, 1000 + (uint64_t)i * 5 + dice_roll(&f->dice, 8));
        m->step_back = max_u64(m->step_back, b->step_back);
        running = b->running_max;
        b->lost = dice_one_in(&f->dice, 6);
        seq += b->count + b->lost;
        b->last_seq = seq - 1;
    }
}

static void put_market(struct indexing *f, const struct market *m)
{
    struct tdk_err err;
    struct block_ref other = m->blocks[0];
    assert_int_equal(index_begin(f->index, &err), 0);
    for (int i = 0; i < m->count; i++)
        assert_int_equal(index_put_block(f->index, &m->blocks[i], &err), 0);
    /* Blocks of neighbouring epochs and tracks. They must never be found. */
    other.epoch = 6;
    assert_int_equal(index_put_block(f->index, &other, &err), 0);
    other.epoch = 8;
    assert_int_equal(index_put_block(f->index, &other, &err), 0);
    other.track = 2;
    other.epoch = 7;
    assert_int_equal(index_put_block(f->index, &other, &err), 0);
    other.track = 4;
    assert_int_equal(index_put_block(f->index, &other, &err), 0);
    assert_int_equal(index_commit(f->index, &err), 0);
}

static bool spans(const struct index_range *range, uint64_t low, uint64_t high)
{
    return low <= high && high >= range->from && (low < range->to || range->to == UINT64_MAX);
}

static bool must_be_found(const struct index_range *range, const struct block_ref *b)
{
    if (range->from == 0 && range->to == UINT64_MAX)
        return true;
    if (b->lost > 0 && spans(range, b->min_ts, b->odd > 0 ? UINT64_MAX : b->max_ts))
        return true;
    if (range->axis == INDEX_AXIS_EVENT)
        return spans(range, b->min_event, b->max_event);
    return spans(range, b->min_ts, b->max_ts) || spans(range, b->odd_min, b->odd_max);
}

/* Where the next block is that must be found: `step` is 1, or -1 for the way back. */
static int next_wanted(const struct market *m, const struct index_range *range, int at, int step)
{
    do
        at += step;
    while (at >= 0 && at < m->count && !must_be_found(range, &m->blocks[at]));
    return at;
}

/* Every batch size must give the same blocks. */
static void assert_found(struct indexing *f, const struct market *m,
                         const struct index_range *range, bool reverse, int room)
{
    struct block_ref found[64], after;
    const int step = reverse ? -1 : 1;
    int at = reverse ? m->count : -1, count;
    const struct block_ref *behind = NULL;
    do {
        count = index_find(f->index, range, behind, reverse, found, room, NULL);
        assert_in_range(count, 0, room);
        for (int i = 0; i < count; i++) {
            at = next_wanted(m, range, at, step);
            assert_in_range(at, 0, m->count - 1);
            assert_memory_equal(&found[i], &m->blocks[at], sizeof found[i]);
        }
        if (count > 0) {
            after = found[count - 1];
            behind = &after;
        }
    } while (count == room);
    assert_int_equal(next_wanted(m, range, at, step), reverse ? -1 : m->count);
}

static void ask_at_random(struct indexing *f, const struct market *m, int times)
{
    for (int i = 0; i < times; i++) {
        uint64_t from = dice_roll(&f->dice, 3600), to = from + dice_roll(&f->dice, 200);
        struct index_range range = {.track = 3,
                                    .epoch = 7,
                                    .axis = i % 4 == 3 ? INDEX_AXIS_EVENT : INDEX_AXIS_RECV,
                                    .from = dice_one_in(&f->dice, 16) ? 0 : from,
                                    .to = dice_one_in(&f->dice, 8) ? UINT64_MAX : to,
                                    .step_back = m->step_back};
        if (dice_one_in(&f->dice, 32))
            range.from = UINT64_MAX;
        assert_found(f, m, &range, i % 2 == 1, 1 + (int)dice_roll(&f->dice, 64));
    }
}

static const struct habit habits[] = {{0, 0}, {40, 0}, {3, 0}, {40, 100}, {3, 5}};

static void find_equals_looking_at_every_block(void **state)
{
    struct indexing *f = *state;
    struct market *m = malloc(sizeof *m);
    for (size_t k = 0; k < array_size(habits); k++) {
        index_close(f->index);
        assert_int_equal(index_open_private(&f->index, indexing_tape, NULL), 0);
        make_market(f, m, &habits[k]);
        put_market(f, m);
        ask_at_random(f, m, 2000);
    }
    free(m);
}

/* Some blocks are in one index, some in the other, some in both. */
static void index_over_another_finds_as_one_that_has_all(void **state)
{
    struct indexing *f = *state;
    struct market *m = malloc(sizeof *m);
    for (size_t k = 0; k < array_size(habits); k++) {
        struct index *under = f->index, *over;
        make_market(f, m, &habits[k]);
        assert_int_equal(index_open_over(&over, under, NULL), 0);
        assert_int_equal(index_begin(under, NULL), 0);
        assert_int_equal(index_begin(over, NULL), 0);
        for (int i = 0; i < m->count; i++) {
            uint32_t where = dice_roll(&f->dice, 3);
            if (where != 0)
                assert_int_equal(index_put_block(under, &m->blocks[i], NULL), 0);
            if (where != 1)
                assert_int_equal(index_put_block(over, &m->blocks[i], NULL), 0);
        }
        assert_int_equal(index_commit(under, NULL), 0);
        assert_int_equal(index_commit(over, NULL), 0);
        f->index = over;
        ask_at_random(f, m, 300);
        index_close(over);
        index_close(under);
        assert_int_equal(index_open_private(&f->index, indexing_tape, NULL), 0);
    }
    free(m);
}

static void find_of_a_middle_range_touches_few_blocks(void **state)
{
    struct indexing *f = *state;
    struct market *m = malloc(sizeof *m);
    make_market(f, m, &habits[0]);
    put_market(f, m);
    struct block_ref found[64];
    struct index_range range = {.track = 3, .epoch = 7, .from = 2000, .to = 2001, .step_back = 8};
    assert_in_range(index_find(f->index, &range, NULL, false, found, 64, NULL), 1, 4);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INDEXING(find_equals_looking_at_every_block),
        INDEXING(index_over_another_finds_as_one_that_has_all),
        INDEXING(find_of_a_middle_range_touches_few_blocks),
    };
    return cmocka_run_group_tests_name("index.find", tests, NULL, NULL);
}
