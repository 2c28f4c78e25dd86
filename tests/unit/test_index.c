#include "tests/support/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "index/index.h"
#include "index/key.h"
#include "index/store.h"
#include "tests/support/dice.h"
#include "tests/support/folder.h"

static const uint8_t tape_id[16] = "a tape of tests";

struct fixture {
    char path[FOLDER_PATH];
    struct index *index;
    struct dice dice;
};

static uint64_t draw(struct fixture *f)
{
    return dice_next(&f->dice);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dice.state = 42;
    folder_make(f->path);
    *state = f;
    return index_open_private(&f->index, tape_id, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    index_close(f->index);
    folder_remove(f->path);
    free(f);
    return 0;
}

/* ---- keys ---- */

static struct block_ref block_at(uint64_t running_max, uint64_t first_seq)
{
    return (struct block_ref){.epoch = 7,
                              .track = 3,
                              .running_max = running_max,
                              .first_seq = first_seq,
                              .segment = 1,
                              .block = (uint32_t)first_seq};
}

static void key_sorts_blocks_by_time_then_seq(void **state)
{
    const uint64_t values[] = {0, 1, 255, 256, UINT32_MAX, UINT64_C(1) << 40, UINT64_MAX};
    struct key last = {0};
    (void)state;
    for (size_t i = 0; i < array_size(values); i++)
        for (size_t j = 0; j < array_size(values); j++) {
            struct block_ref block = block_at(values[i], values[j]);
            struct key key;
            key_block(&key, KEY_BLOCK, &block);
            assert_int_equal(key.size, KEY_BLOCK_SIZE);
            assert_true(key_compare(&last, &key) < 0);
            last = key;
        }
}

static void key_of_a_track_begins_the_keys_of_its_epochs(void **state)
{
    struct key track, epoch;
    (void)state;
    key_of_track(&track, KEY_SYMBOL, 0x1234);
    key_epoch(&epoch, KEY_SYMBOL, 0x1234, 99);
    assert_int_equal(epoch.size, KEY_EPOCH_SIZE);
    assert_memory_equal(epoch.bytes, track.bytes, track.size);
}

static void key_refuses_a_property_name_that_is_too_long(void **state)
{
    char name[KEY_MAX + 1];
    struct key key;
    (void)state;
    memset(name, 'x', sizeof name);
    name[KEY_MAX - KEY_EPOCH_SIZE + 1] = '\0';
    assert_false(key_info(&key, 1, 1, name));
    name[KEY_MAX - KEY_EPOCH_SIZE] = '\0';
    assert_true(key_info(&key, 1, 1, name));
    assert_int_equal(key.size, KEY_MAX);
    assert_false(key_info(&key, 1, 1, ""));
}

/* ---- finding: against looking at every block ---- */

enum { BLOCKS = 400 };

struct market {
    struct block_ref blocks[BLOCKS];
    int count;
    uint64_t step_back;
};

/* Times between 1000 and about 3000: ties, disorder, absurd times, blocks of control frames
 * only. */
static void make_market(struct fixture *f, struct market *m, unsigned disorder, unsigned odd)
{
    uint64_t running = 0, seq = 1;
    *m = (struct market){.count = BLOCKS};
    for (int i = 0; i < BLOCKS; i++) {
        struct block_ref *b = &m->blocks[i];
        *b = (struct block_ref){.epoch = 7,
                                .track = 3,
                                .segment = 1 + (uint64_t)i / 100,
                                .block = (uint32_t)i % 100,
                                .min_ts = UINT64_MAX,
                                .min_event = UINT64_MAX,
                                .odd_min = UINT64_MAX};
        b->first_seq = seq;
        b->count = draw(f) % 8 == 0 ? 0 : 1 + (uint32_t)(draw(f) % 20);
        for (uint32_t t = 0; t < b->count; t++) {
            uint64_t ts = 1000 + (uint64_t)i * 5 + draw(f) % 8;
            if (disorder > 0 && draw(f) % disorder == 0)
                ts -= draw(f) % 900;
            uint64_t event = ts - draw(f) % 50;
            if (event < b->min_event)
                b->min_event = event;
            if (event > b->max_event)
                b->max_event = event;
            if (odd > 0 && draw(f) % odd == 0) {
                ts = draw(f) % 2 == 0 ? UINT64_MAX : UINT64_C(1) << 63;
                b->odd++;
                if (ts < b->odd_min)
                    b->odd_min = ts;
                if (ts > b->odd_max)
                    b->odd_max = ts;
                continue;
            }
            if (ts < b->min_ts)
                b->min_ts = ts;
            if (ts > b->max_ts)
                b->max_ts = ts;
            if (ts < running && running - ts > b->step_back)
                b->step_back = running - ts;
            if (ts > running)
                running = ts;
        }
        if (b->step_back > m->step_back)
            m->step_back = b->step_back;
        b->running_max = running;
        seq += b->count;
        b->last_seq = seq - 1;
    }
}

static void put_market(struct fixture *f, const struct market *m)
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
    if (range->axis == INDEX_AXIS_EVENT)
        return spans(range, b->min_event, b->max_event);
    return spans(range, b->min_ts, b->max_ts) || spans(range, b->odd_min, b->odd_max);
}

/* Every batch size must give the same blocks. */
static void assert_found(struct fixture *f, const struct market *m, const struct index_range *range,
                         bool reverse, int room)
{
    struct block_ref found[64], after;
    int at = reverse ? m->count : -1, count;
    const struct block_ref *behind = NULL;
    do {
        count = index_find(f->index, range, behind, reverse, found, room, NULL);
        assert_in_range(count, 0, room);
        for (int i = 0; i < count; i++) {
            do
                at += reverse ? -1 : 1;
            while (at >= 0 && at < m->count && !must_be_found(range, &m->blocks[at]));
            assert_in_range(at, 0, m->count - 1);
            assert_memory_equal(&found[i], &m->blocks[at], sizeof found[i]);
        }
        if (count > 0) {
            after = found[count - 1];
            behind = &after;
        }
    } while (count == room);
    do
        at += reverse ? -1 : 1;
    while (at >= 0 && at < m->count && !must_be_found(range, &m->blocks[at]));
    assert_int_equal(at, reverse ? -1 : m->count);
}

static void ask_at_random(struct fixture *f, const struct market *m, int times)
{
    for (int i = 0; i < times; i++) {
        uint64_t from = draw(f) % 3600, to = from + draw(f) % 200;
        struct index_range range = {.track = 3,
                                    .epoch = 7,
                                    .axis = i % 4 == 3 ? INDEX_AXIS_EVENT : INDEX_AXIS_RECV,
                                    .from = draw(f) % 16 == 0 ? 0 : from,
                                    .to = draw(f) % 8 == 0 ? UINT64_MAX : to,
                                    .step_back = m->step_back};
        if (draw(f) % 32 == 0)
            range.from = UINT64_MAX;
        assert_found(f, m, &range, i % 2 == 1, 1 + (int)(draw(f) % 64));
    }
}

static const struct {
    unsigned disorder, odd;
} kinds[] = {{0, 0}, {40, 0}, {3, 0}, {40, 100}, {3, 5}};

static void find_equals_looking_at_every_block(void **state)
{
    struct fixture *f = *state;
    struct market *m = malloc(sizeof *m);
    for (size_t k = 0; k < array_size(kinds); k++) {
        index_close(f->index);
        assert_int_equal(index_open_private(&f->index, tape_id, NULL), 0);
        make_market(f, m, kinds[k].disorder, kinds[k].odd);
        put_market(f, m);
        ask_at_random(f, m, 2000);
    }
    free(m);
}

/* Some blocks are in one index, some in the other, some in both. */
static void index_over_another_finds_as_one_that_has_all(void **state)
{
    struct fixture *f = *state;
    struct market *m = malloc(sizeof *m);
    for (size_t k = 0; k < array_size(kinds); k++) {
        struct index *under = f->index, *over;
        make_market(f, m, kinds[k].disorder, kinds[k].odd);
        assert_int_equal(index_open_over(&over, under, NULL), 0);
        assert_int_equal(index_begin(under, NULL), 0);
        assert_int_equal(index_begin(over, NULL), 0);
        for (int i = 0; i < m->count; i++) {
            uint64_t where = draw(f) % 3;
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
        assert_int_equal(index_open_private(&f->index, tape_id, NULL), 0);
    }
    free(m);
}

static void find_of_a_middle_range_touches_few_blocks(void **state)
{
    struct fixture *f = *state;
    struct market *m = malloc(sizeof *m);
    make_market(f, m, 0, 0);
    put_market(f, m);
    struct block_ref found[64];
    struct index_range range = {.track = 3, .epoch = 7, .from = 2000, .to = 2001, .step_back = 8};
    assert_in_range(index_find(f->index, &range, NULL, false, found, 64, NULL), 1, 4);
    free(m);
}

/* ---- the rest of what an index holds ---- */

static void put_all_kinds(struct index *index)
{
    struct tdk_err err;
    struct track_ref track = {.number = 3, .name = "binance", .last_epoch = 8};
    struct epoch_ref epoch = {.epoch = 7, .track = 3, .ticks = 10};
    struct symbol_ref symbol = {
        .epoch = 7, .track = 3, .instrument_id = 5, .from = 1, .to = 2, .symbol = "BTC-USD"};
    struct segment_ref segment = {.number = 42, .ticks = 10};
    assert_int_equal(index_begin(index, &err), 0);
    assert_int_equal(index_put_track(index, &track, &err), 0);
    assert_int_equal(index_put_epoch(index, &epoch, &err), 0);
    epoch.epoch = 8;
    assert_int_equal(index_put_epoch(index, &epoch, &err), 0);
    assert_int_equal(index_put_symbol(index, &symbol, &err), 0);
    assert_int_equal(index_put_segment(index, &segment, &err), 0);
    assert_int_equal(index_put_info(index, 3, 7, "a", "first", 5, &err), 0);
    assert_int_equal(index_put_info(index, 3, 7, "b", "", 0, &err), 0);
    assert_int_equal(index_put_info(index, 3, 8, "a", "other epoch", 11, &err), 0);
    assert_int_equal(index_commit(index, &err), 0);
}

struct seen {
    int tracks, epochs, symbols, segments, infos;
    uint64_t last;
};

static int see_track(const struct track_ref *track, void *context)
{
    struct seen *seen = context;
    assert_string_equal(track->name, "binance");
    assert_int_equal(track->last_epoch, 8);
    seen->tracks++;
    return 0;
}

static int see_epoch(const struct epoch_ref *epoch, void *context)
{
    struct seen *seen = context;
    assert_true(epoch->epoch > seen->last);
    seen->last = epoch->epoch;
    seen->epochs++;
    return 0;
}

static int first_ticks(const struct epoch_ref *epoch, void *context)
{
    *(uint64_t *)context = epoch->ticks;
    return 1;
}

static int see_symbol(const struct symbol_ref *symbol, void *context)
{
    assert_string_equal(symbol->symbol, "BTC-USD");
    ((struct seen *)context)->symbols++;
    return 0;
}

static int see_segment(const struct segment_ref *segment, void *context)
{
    assert_int_equal(segment->number, 42);
    ((struct seen *)context)->segments++;
    return 17;
}

static int see_info(const char *key, const void *value, size_t size, void *context)
{
    struct seen *seen = context;
    assert_string_equal(key, seen->infos++ == 0 ? "a" : "b");
    if (key[0] == 'a')
        assert_memory_equal(value, "first", size);
    return 0;
}

static void assert_all_kinds(struct index *index)
{
    struct seen seen = {0};
    void *value;
    size_t size;
    assert_int_equal(index_tracks(index, see_track, &seen, NULL), 0);
    assert_int_equal(index_epochs(index, 3, see_epoch, &seen, NULL), 0);
    assert_int_equal(index_symbols(index, 3, 8, see_symbol, &seen, NULL), 0);
    assert_int_equal(seen.symbols, 0);
    assert_int_equal(index_symbols(index, 3, 7, see_symbol, &seen, NULL), 0);
    assert_int_equal(seen.symbols, 1);
    assert_int_equal(index_symbols(index, 3, 0, see_symbol, &seen, NULL), 0);
    assert_int_equal(index_segments(index, see_segment, &seen, NULL), 17);
    assert_int_equal(index_infos(index, 3, 7, see_info, &seen, NULL), 0);
    assert_int_equal(seen.tracks, 1);
    assert_int_equal(seen.epochs, 2);
    assert_int_equal(seen.symbols, 2);
    assert_int_equal(seen.segments, 1);
    assert_int_equal(seen.infos, 2);
    assert_int_equal(index_info(index, 3, 8, "a", &value, &size, NULL), 0);
    assert_int_equal(size, 11);
    assert_memory_equal(value, "other epoch", size);
    free(value);
    assert_int_equal(index_info(index, 3, 8, "b", &value, &size, NULL), -ENOENT);
}

static void index_tells_what_was_put_into_memory(void **state)
{
    struct fixture *f = *state;
    put_all_kinds(f->index);
    assert_all_kinds(f->index);
}

/* New entries come in their place. Of what both indexes have, the upper one's entry counts. */
static void index_over_another_tells_what_both_have(void **state)
{
    struct fixture *f = *state;
    struct index *over;
    struct tdk_err err;
    struct epoch_ref epoch = {.epoch = 7, .track = 3, .ticks = 99};
    struct track_ref track = {.number = 3, .name = "binance", .last_epoch = 8};
    put_all_kinds(f->index);
    assert_int_equal(index_open_over(&over, f->index, &err), 0);
    assert_all_kinds(over);
    assert_int_equal(index_begin(over, &err), 0);
    assert_int_equal(index_put_epoch(over, &epoch, &err), 0);
    assert_int_equal(index_put_track(over, &track, &err), 0);
    assert_int_equal(index_put_info(over, 3, 7, "a", "first", 5, &err), 0);
    assert_int_equal(index_commit(over, &err), 0);
    assert_all_kinds(over);
    uint64_t ticks = 0;
    assert_int_equal(index_epochs(over, 3, first_ticks, &ticks, &err), 1);
    assert_int_equal(ticks, 99);
    index_close(over);
    assert_int_equal(index_epochs(f->index, 3, first_ticks, &ticks, &err), 1);
    assert_int_equal(ticks, 10);
}

static void index_tells_what_was_put_into_a_folder(void **state)
{
    const struct fixture *f = *state;
    struct index *index;
    assert_int_equal(index_open(&index, f->path, tape_id, true, NULL), 0);
    put_all_kinds(index);
    assert_false(index_is_complete(index));
    assert_int_equal(index_begin(index, NULL), 0);
    assert_int_equal(index_put_complete(index, NULL), 0);
    assert_int_equal(index_commit(index, NULL), 0);
    assert_int_equal(index_sync(index, NULL), 0);
    index_close(index);

    assert_int_equal(index_open(&index, f->path, tape_id, false, NULL), 0);
    assert_true(index_is_complete(index));
    assert_all_kinds(index);
    index_close(index);
}

static void index_of_another_tape_is_refused(void **state)
{
    const struct fixture *f = *state;
    const uint8_t other[16] = "another tape";
    struct index *index;
    assert_int_equal(index_open(&index, f->path, tape_id, true, NULL), 0);
    index_close(index);
    assert_int_equal(index_open(&index, f->path, other, true, NULL), TDK_EFOREIGN);
    assert_int_equal(index_open(&index, f->path, other, false, NULL), TDK_EFOREIGN);
    assert_int_equal(index_delete(f->path, NULL), 0);
    assert_int_equal(index_open(&index, f->path, other, true, NULL), 0);
    index_close(index);
}

static void index_that_is_cut_is_refused_not_mapped(void **state)
{
    const struct fixture *f = *state;
    struct index *index;
    struct tdk_err err;
    char path[FOLDER_PATH + 16];
    assert_int_equal(index_open(&index, f->path, tape_id, true, NULL), 0);
    put_all_kinds(index);
    index_close(index);
    snprintf(path, sizeof path, "%s/data.mdb", f->path);
    for (off_t size = 12288; size >= 0; size -= 4096) {
        assert_int_equal(truncate(path, size), 0);
        assert_true(index_open(&index, f->path, tape_id, false, &err) < 0);
    }
}

static void index_for_reading_makes_nothing(void **state)
{
    const struct fixture *f = *state;
    struct index *index;
    assert_true(index_open(&index, f->path, tape_id, false, NULL) < 0);
    assert_int_equal(folder_count(f->path), 0);
    assert_int_equal(index_open(&index, f->path, tape_id, true, NULL), 0);
    index_close(index);
    char path[FOLDER_PATH + 16];
    snprintf(path, sizeof path, "%s/lock.mdb", f->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(index_open(&index, f->path, tape_id, false, NULL), 0);
    index_close(index);
    assert_int_equal(folder_count(f->path), 1);
}

/* A transaction that does not fit is done again in a larger map. */
static void index_grows_when_its_map_is_full(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 1 << 20, COUNT = 200 };
    char *value = malloc(SIZE);
    memset(value, 'v', SIZE);
    assert_int_equal(index_begin(f->index, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(index_put_info(f->index, 1, 1, key, value, SIZE, NULL), 0);
    }
    assert_int_equal(index_commit(f->index, NULL), 0);
    void *back;
    size_t size;
    assert_int_equal(index_info(f->index, 1, 1, "k199", &back, &size, NULL), 0);
    assert_int_equal(size, SIZE);
    assert_memory_equal(back, value, SIZE);
    free(back);
    free(value);
}

/* Reads until the writer says that it is done. Returns 0 if everything that was read was right. */
static int read_on(const char *path)
{
    struct index *index;
    uint64_t ticks = 0;
    if (index_open(&index, path, tape_id, false, NULL) < 0)
        return 1;
    for (int done = 0; done < 1 << 20; done++) {
        void *value;
        size_t size;
        if (index_info(index, 1, 1, "done", &value, &size, NULL) == 0) {
            free(value);
            index_close(index);
            return 0;
        }
        struct index_range range = {.track = 3, .epoch = 7, .to = UINT64_MAX};
        struct block_ref found[64];
        int count = index_find(index, &range, NULL, true, found, 64, NULL);
        if (count < 0 || (count > 0 && found[0].first_seq < ticks))
            return 2;
        if (count > 0)
            ticks = found[0].first_seq;
    }
    return 3;
}

static void reader_in_another_process_follows_a_growing_index(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 1 << 20, COUNT = 160 };
    struct index *index;
    char *value = calloc(1, SIZE);
    assert_int_equal(index_open(&index, f->path, tape_id, true, NULL), 0);
    pid_t reader = fork();
    assert_true(reader >= 0);
    if (reader == 0)
        _exit(read_on(f->path));
    for (int i = 0; i <= COUNT; i++) {
        char key[16];
        struct block_ref block = block_at((uint64_t)i, (uint64_t)i + 1);
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(index_begin(index, NULL), 0);
        assert_int_equal(index_put_block(index, &block, NULL), 0);
        assert_int_equal(index_put_info(index, 1, 1, i == COUNT ? "done" : key, value,
                                        i == COUNT ? 0 : SIZE, NULL),
                         0);
        assert_int_equal(index_commit(index, NULL), 0);
    }
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    struct index_held held;
    index_tidy(index, &held);
    assert_int_equal(held.pid, 0);
    index_close(index);
    free(value);
}

/* Opens a view of the index, and stops the process while it is open. */
static int stop_in_a_look(const char *path)
{
    struct store *store;
    struct store_view view;
    if (store_open(&store, path, false, NULL) < 0 || store_view_open(&view, store, NULL) < 0)
        return 1;
    raise(SIGSTOP);
    return 0;
}

/* Returns the process that still has a view open after some more transactions, or 0. */
static int commit_and_tidy(struct index *index)
{
    struct index_held held;
    for (uint64_t i = 1; i <= 2; i++) {
        struct block_ref block = block_at(i, i);
        assert_int_equal(index_begin(index, NULL), 0);
        assert_int_equal(index_put_block(index, &block, NULL), 0);
        assert_int_equal(index_commit(index, NULL), 0);
    }
    index_tidy(index, &held);
    return held.pid;
}

static void tidying_finds_who_is_stopped_in_a_look(void **state)
{
    struct fixture *f = *state;
    struct index *index;
    int status;
    assert_int_equal(index_open(&index, f->path, tape_id, true, NULL), 0);
    assert_int_equal(commit_and_tidy(index), 0);
    pid_t reader = fork();
    assert_true(reader >= 0);
    if (reader == 0)
        _exit(stop_in_a_look(f->path));
    assert_int_equal(waitpid(reader, &status, WUNTRACED), reader);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(commit_and_tidy(index), 0); /* it may have begun just now */
    assert_int_equal(commit_and_tidy(index), reader);
    assert_int_equal(commit_and_tidy(index), reader);
    kill(reader, SIGKILL);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(commit_and_tidy(index), 0);
    index_close(index);
}

/* ---- states ---- */

static void put_states(struct fixture *f, uint64_t segments)
{
    struct tdk_err err;
    assert_int_equal(index_begin(f->index, &err), 0);
    for (uint64_t segment = 1; segment <= segments; segment++)
        for (uint32_t id = 5; id <= 7; id += 2) {
            const struct state_ref state = {.track = 3,
                                            .epoch = 70,
                                            .instrument_id = id,
                                            .segment = segment,
                                            .kinds = (uint32_t)segment % 4 + 1};
            assert_int_equal(index_put_state(f->index, &state, &err), 0);
        }
    assert_int_equal(index_commit(f->index, &err), 0);
}

static void states_come_newest_first(void **state)
{
    struct fixture *f = *state;
    struct state_ref found[4];
    put_states(f, 1000);
    for (uint32_t id = 5; id <= 7; id += 2) {
        assert_int_equal(index_states(f->index, 3, 70, id, 600, found, 4, NULL), 4);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(found[i].segment, 600 - i);
            assert_int_equal(found[i].instrument_id, id);
            assert_int_equal(found[i].kinds, (600 - i) % 4 + 1);
        }
        assert_int_equal(index_states(f->index, 3, 70, id, UINT64_MAX, found, 1, NULL), 1);
        assert_int_equal(found[0].segment, 1000);
        assert_int_equal(index_states(f->index, 3, 70, id, 2, found, 4, NULL), 2);
    }
    assert_int_equal(index_states(f->index, 3, 70, 6, 600, found, 4, NULL), 0);
    assert_int_equal(index_states(f->index, 3, 71, 7, 600, found, 4, NULL), 0);
    assert_int_equal(index_states(f->index, 4, 70, 7, 600, found, 4, NULL), 0);
}

static void the_instruments_of_an_epoch_are_listed(void **state)
{
    struct fixture *f = *state;
    uint32_t id;
    put_states(f, 3);
    assert_int_equal(index_state_instrument(f->index, 3, 70, 0, &id, NULL), 1);
    assert_int_equal(id, 5);
    assert_int_equal(index_state_instrument(f->index, 3, 70, 6, &id, NULL), 1);
    assert_int_equal(id, 7);
    assert_int_equal(index_state_instrument(f->index, 3, 70, 8, &id, NULL), 0);
    assert_int_equal(index_state_instrument(f->index, 3, 69, 0, &id, NULL), 0);
}

static void a_state_that_is_removed_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    struct state_ref found[2];
    put_states(f, 3);
    const struct state_ref gone = {.track = 3, .epoch = 70, .instrument_id = 5, .segment = 2};
    assert_int_equal(index_begin(f->index, &err), 0);
    assert_int_equal(index_remove_state(f->index, &gone, &err), 0);
    assert_int_equal(index_commit(f->index, &err), 0);
    assert_int_equal(index_states(f->index, 3, 70, 5, 9, found, 2, NULL), 2);
    assert_int_equal(found[0].segment, 3);
    assert_int_equal(found[1].segment, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_sorts_blocks_by_time_then_seq),
        cmocka_unit_test(key_of_a_track_begins_the_keys_of_its_epochs),
        cmocka_unit_test(key_refuses_a_property_name_that_is_too_long),
        cmocka_unit_test_setup_teardown(find_equals_looking_at_every_block, setup, teardown),
        cmocka_unit_test_setup_teardown(index_over_another_finds_as_one_that_has_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(index_over_another_tells_what_both_have, setup, teardown),
        cmocka_unit_test_setup_teardown(find_of_a_middle_range_touches_few_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(index_tells_what_was_put_into_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(index_tells_what_was_put_into_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(index_of_another_tape_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(index_that_is_cut_is_refused_not_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(index_for_reading_makes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(index_grows_when_its_map_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(reader_in_another_process_follows_a_growing_index, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tidying_finds_who_is_stopped_in_a_look, setup, teardown),
        cmocka_unit_test_setup_teardown(states_come_newest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(the_instruments_of_an_epoch_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_state_that_is_removed_is_passed_over, setup, teardown),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
