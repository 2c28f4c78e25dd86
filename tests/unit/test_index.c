/* What is put into an index comes out of it: in memory, in a folder, in another process. */
#include "tests/support/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "index/store.h"
#include "tests/support/indexing.h"

/* ---- what an index holds ---- */

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
    struct indexing *f = *state;
    put_all_kinds(f->index);
    assert_all_kinds(f->index);
}

/* New entries come in their place. Of what both indexes have, the upper one's entry counts. */
static void index_over_another_tells_what_both_have(void **state)
{
    struct indexing *f = *state;
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

/* ---- in a folder ---- */

static void index_tells_what_was_put_into_a_folder(void **state)
{
    const struct indexing *f = *state;
    struct index *index;
    assert_int_equal(index_open(&index, f->path, indexing_tape, true, NULL), 0);
    put_all_kinds(index);
    assert_false(index_is_complete(index));
    assert_int_equal(index_begin(index, NULL), 0);
    assert_int_equal(index_put_complete(index, NULL), 0);
    assert_int_equal(index_commit(index, NULL), 0);
    assert_int_equal(index_sync(index, NULL), 0);
    index_close(index);

    assert_int_equal(index_open(&index, f->path, indexing_tape, false, NULL), 0);
    assert_true(index_is_complete(index));
    assert_all_kinds(index);
    index_close(index);
}

static void index_of_another_tape_is_refused(void **state)
{
    const struct indexing *f = *state;
    const uint8_t other[16] = "another tape";
    struct index *index;
    assert_int_equal(index_open(&index, f->path, indexing_tape, true, NULL), 0);
    index_close(index);
    assert_int_equal(index_open(&index, f->path, other, true, NULL), TDK_EFOREIGN);
    assert_int_equal(index_open(&index, f->path, other, false, NULL), TDK_EFOREIGN);
    assert_int_equal(index_delete(f->path, NULL), 0);
    assert_int_equal(index_open(&index, f->path, other, true, NULL), 0);
    index_close(index);
}

static void index_that_is_cut_is_refused_not_mapped(void **state)
{
    const struct indexing *f = *state;
    struct index *index;
    struct tdk_err err;
    char path[FOLDER_PATH + 16];
    assert_int_equal(index_open(&index, f->path, indexing_tape, true, NULL), 0);
    put_all_kinds(index);
    index_close(index);
    snprintf(path, sizeof path, "%s/data.mdb", f->path);
    for (off_t size = 12288; size >= 0; size -= 4096) {
        assert_int_equal(truncate(path, size), 0);
        assert_true(index_open(&index, f->path, indexing_tape, false, &err) < 0);
    }
}

static void index_for_reading_makes_nothing(void **state)
{
    const struct indexing *f = *state;
    struct index *index;
    assert_true(index_open(&index, f->path, indexing_tape, false, NULL) < 0);
    assert_int_equal(folder_count(f->path), 0);
    assert_int_equal(index_open(&index, f->path, indexing_tape, true, NULL), 0);
    index_close(index);
    char path[FOLDER_PATH + 16];
    snprintf(path, sizeof path, "%s/lock.mdb", f->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(index_open(&index, f->path, indexing_tape, false, NULL), 0);
    index_close(index);
    assert_int_equal(folder_count(f->path), 1);
}

/* A transaction that does not fit is done again in a larger map. */
static void index_grows_when_its_map_is_full(void **state)
{
    struct indexing *f = *state;
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

/* ---- several processes ---- */

/* Reads until the writer says that it is done. Returns 0 if everything that was read was right. */
static int read_on(const char *path)
{
    struct index *index;
    uint64_t ticks = 0;
    if (index_open(&index, path, indexing_tape, false, NULL) < 0)
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
    struct indexing *f = *state;
    enum { SIZE = 1 << 20, COUNT = 160 };
    struct index *index;
    char *value = calloc(1, SIZE);
    assert_int_equal(index_open(&index, f->path, indexing_tape, true, NULL), 0);
    pid_t reader = fork();
    assert_true(reader >= 0);
    if (reader == 0)
        _exit(read_on(f->path));
    for (int i = 0; i <= COUNT; i++) {
        char key[16];
        struct block_ref block = indexing_block((uint64_t)i, (uint64_t)i + 1);
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
        struct block_ref block = indexing_block(i, i);
        assert_int_equal(index_begin(index, NULL), 0);
        assert_int_equal(index_put_block(index, &block, NULL), 0);
        assert_int_equal(index_commit(index, NULL), 0);
    }
    index_tidy(index, &held);
    return held.pid;
}

static void tidying_finds_who_is_stopped_in_a_look(void **state)
{
    struct indexing *f = *state;
    struct index *index;
    int status;
    assert_int_equal(index_open(&index, f->path, indexing_tape, true, NULL), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        INDEXING(index_tells_what_was_put_into_memory),
        INDEXING(index_over_another_tells_what_both_have),
        INDEXING(index_tells_what_was_put_into_a_folder),
        INDEXING(index_of_another_tape_is_refused),
        INDEXING(index_that_is_cut_is_refused_not_mapped),
        INDEXING(index_for_reading_makes_nothing),
        INDEXING(index_grows_when_its_map_is_full),
        INDEXING(reader_in_another_process_follows_a_growing_index),
        INDEXING(tidying_finds_who_is_stopped_in_a_look),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
