/* A tape that is opened: what is not a tape, what is shared, what came later, and what its symbols
 * mean. */
#include "tests/support/taping.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "tapedeck/dbn.h"
#include "tests/support/asking.h"
#include "tests/support/oracle.h"

/* What opens and what does not. */
static void tape_refuses_what_is_none(void **state)
{
    const char *folder = *state;
    struct tdk_tape *tape;
    struct tdk_err err;
    char path[128];
    assert_int_equal(tdk_tape_open(&tape, folder, &err), TDK_ENOTAPE);
    snprintf(path, sizeof path, "%s/nothing", folder);
    assert_int_equal(tdk_tape_open(&tape, path, &err), -ENOENT);
    snprintf(path, sizeof path, "%s/text", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("these are words, and no segment of anything", file);
    fclose(file);
    assert_true(tdk_tape_open(&tape, path, &err) < 0);
    tdk_tape_close(NULL);
}

/* A process has two handles of one tape. When one is closed, the other goes on. */
static void tape_opens_twice_in_one_process(void **state)
{
    const char *folder = *state;
    taping_make(folder, 1000, 4096, 0);
    struct tdk_tape *one = asking_open(folder), *two = asking_open(folder);
    struct tdk_cursor_stats stats;
    assert_int_equal(asking_count(one, 0, UINT64_MAX, &stats), 1000);
    tdk_tape_close(one);
    assert_int_equal(tdk_tape_refresh(two, NULL), 0);
    assert_int_equal(asking_count(two, TAPING_NOW + 100, TAPING_NOW + 300, &stats), 200);
    tdk_tape_close(two);
}

static int end_with(const char *key, const void *value, size_t size, void *context)
{
    (void)key, (void)value, (void)size;
    return *(const int *)context;
}

/* The walk returns what its callback returned, whatever that is. -ENOENT from the callback is not
 * taken for something that the walk did not find. */
static void a_walk_of_properties_ends_with_what_ended_it(void **state)
{
    const char *folder = *state;
    struct tdk_err err;
    struct append *append = taping_open(folder, 4096, 1 << 20);
    taping_ok(append_begin(append, "t", TDK_KIND_OPAQUE, &err), &err);
    taping_ok(append_info(append, "type.3", "text", 4, &err), &err);
    taping_close(append);
    struct tdk_tape *tape = asking_open(folder);
    for (int end = -ENOENT; end <= 1; end++)
        assert_int_equal(tdk_tape_properties(tape, "t", 0, end_with, &end, &err), end);
    tdk_tape_close(tape);
}

/* Symbols that come and go, on tracks that take turns. */
static const struct oracle_plan market = {.tracks = 3,
                                          .epochs = 2,
                                          .ticks = 1500,
                                          .disorder = 600,
                                          .block_size = 4096,
                                          .segment_size = 256 << 10};

struct asker {
    const struct oracle *oracle;
    struct tdk_tape *tape;
    uint64_t wrong;
};

/* Ask for parts of the tape again and again. Each answer must be as long as the oracle's. */
static void *ask(void *context)
{
    struct asker *asker = context;
    const char *const symbol = "BTC-USD";
    for (unsigned round = 0; round < 30; round++) {
        struct tdk_query query = {.from = 1000000 + 100 * round,
                                  .to = round % 3 == 0 ? UINT64_MAX : 1020000,
                                  .reverse = round % 2 == 0,
                                  .symbols = &symbol,
                                  .symbol_count = round % 5 == 0 ? 1 : 0};
        size_t count;
        free(oracle_answer(asker->oracle, &query, &count));
        struct tdk_cursor *cursor;
        struct tdk_run run;
        if (tdk_cursor_open(&cursor, asker->tape, &query, NULL) < 0)
            return NULL;
        uint64_t ticks = 0;
        while (tdk_cursor_read(cursor, &run, NULL) == 1)
            ticks += run.ticks;
        asker->wrong += ticks != count;
        tdk_cursor_close(cursor);
    }
    return NULL;
}

static void tape_is_shared_by_threads(void **state)
{
    (void)state;
    struct oracle oracle;
    pthread_t threads[4];
    struct asker askers[4];
    oracle_make(&oracle, 41, &market);
    struct tdk_tape *tape = asking_open(oracle.path);
    for (size_t i = 0; i < array_size(threads); i++) {
        askers[i] = (struct asker){.oracle = &oracle, .tape = tape};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < array_size(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].wrong, 0);
    }
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

static void *refresh(void *context)
{
    int rc = 0;
    for (unsigned i = 0; i < 300 && rc == 0; i++)
        rc = tdk_tape_refresh(context, NULL);
    return rc == 0 ? NULL : context;
}

/* Others may be reading what a refresh removes. */
static void tape_is_refreshed_beside_those_who_ask_for_symbols(void **state)
{
    (void)state;
    struct oracle oracle;
    pthread_t thread;
    void *failed;
    const char *const symbol = "BTC-USD";
    const struct tdk_query query = {.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1};
    oracle_make(&oracle, 43, &market);
    struct tdk_tape *tape = asking_open(oracle.path);
    assert_int_equal(pthread_create(&thread, NULL, refresh, tape), 0);
    for (unsigned i = 0; i < 300; i++)
        tdk_cursor_close(asking_cursor(tape, &query));
    pthread_join(thread, &failed);
    assert_null(failed);
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

/* Append in a process of its own: the writer and the readers of an index are never one process. */
static void append_elsewhere(const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct append *append;
        int rc = append_open(&append, path, NULL, NULL);
        unsigned char record[48] = {48 / 4, TDK_RTYPE_TRADES};
        if (rc == 0)
            rc = append_begin(append, "later", TDK_KIND_DBN, NULL);
        if (rc == 0)
            rc = append_tick(append, TDK_TYPE_DBN, 0, 777, record, sizeof record, NULL);
        if (rc == 0)
            rc = append_close(append, NULL, NULL);
        _exit(rc == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void tape_shows_what_was_added_after_a_refresh(void **state)
{
    const char *folder = *state;
    struct tdk_cursor_stats stats;
    struct tdk_run run;
    taping_make(folder, 1000, 4096, 0);
    struct tdk_tape *tape = asking_open(folder);
    const struct tdk_query everything_of_it = {.to = UINT64_MAX};
    struct tdk_cursor *cursor = asking_cursor(tape, &everything_of_it);
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), 1);
    uint64_t ticks = run.ticks;

    append_elsewhere(folder);
    assert_int_equal(tdk_tape_refresh(tape, NULL), 0);
    assert_int_equal(asking_count(tape, 0, UINT64_MAX, &stats), 1001);
    assert_int_equal(asking_count(tape, 777, 778, &stats), 1);

    while (tdk_cursor_read(cursor, &run, NULL) == 1) /* the old cursor returns what there was */
        ticks += run.ticks;
    assert_int_equal(ticks, 1000);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
}

static void a_property_that_is_not_there_is_told_with_its_track(void **state)
{
    const char *folder = *state;
    struct tdk_err err;
    void *value;
    size_t size;
    taping_make(folder, 10, 4096, 0);
    struct tdk_tape *tape = asking_open(folder);
    assert_int_equal(tdk_tape_property(tape, "t", 0, "nope", &value, &size, &err), -ENOENT);
    assert_non_null(strstr(err.text, "track t has no property nope in its epoch "));
    tdk_tape_close(tape);
}

/* The tape was moved, or its disk is away. That it is not there is different from being empty. */
static void a_tape_that_is_elsewhere_is_not_taken_for_an_empty_one(void **state)
{
    const char *folder = *state;
    char here[FOLDER_PATH + 8], away[FOLDER_PATH + 8];
    struct tdk_cursor_stats stats;
    snprintf(here, sizeof here, "%s/here", folder);
    snprintf(away, sizeof away, "%s/away", folder);
    taping_make(here, 1000, 4096, 0);
    struct tdk_tape *tape = asking_open(here);

    assert_int_equal(rename(here, away), 0);
    assert_int_equal(tdk_tape_refresh(tape, NULL), -ENOENT);
    assert_int_equal(asking_count(tape, 0, UINT64_MAX, &stats), 0);
    assert_true(stats.damaged_blocks > 0);

    taping_make(here, 10, 4096, 0);
    assert_int_equal(tdk_tape_refresh(tape, NULL), TDK_ENOTAPE);
    folder_remove(here);
    assert_int_equal(rename(away, here), 0);
    assert_int_equal(tdk_tape_refresh(tape, NULL), 0);
    assert_int_equal(asking_count(tape, 0, UINT64_MAX, &stats), 1000);
    tdk_tape_close(tape);
}

static void tape_tells_symbols_by_time(void **state)
{
    (void)state;
    struct oracle oracle;
    oracle_make(&oracle, 21, &market);
    struct tdk_tape *tape = asking_open(oracle.path);
    for (size_t i = 0; i < oracle.symbol_count; i++) {
        const struct oracle_symbol *s = &oracle.symbols[i];
        /* Numbers follow the order in which tracks came. */
        uint16_t number = (uint16_t)(s->track + 1);
        const char *now = tdk_tape_symbol(tape, number, s->epoch, s->instrument_id, s->from);
        assert_non_null(now);
        assert_string_equal(now, s->symbol);
        if (s->to != UINT64_MAX)
            assert_string_equal(
                tdk_tape_symbol(tape, number, s->epoch, s->instrument_id, s->to - 1), s->symbol);
    }
    assert_null(tdk_tape_symbol(tape, 1, oracle.symbols[0].epoch, 999, 5));
    assert_null(tdk_tape_symbol(tape, 99, oracle.symbols[0].epoch, 1, 5));
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(tape_refuses_what_is_none),
        IN_FOLDER(tape_opens_twice_in_one_process),
        IN_FOLDER(a_walk_of_properties_ends_with_what_ended_it),
        cmocka_unit_test(tape_is_shared_by_threads),
        cmocka_unit_test(tape_is_refreshed_beside_those_who_ask_for_symbols),
        IN_FOLDER(tape_shows_what_was_added_after_a_refresh),
        IN_FOLDER(a_property_that_is_not_there_is_told_with_its_track),
        IN_FOLDER(a_tape_that_is_elsewhere_is_not_taken_for_an_empty_one),
        cmocka_unit_test(tape_tells_symbols_by_time),
    };
    return cmocka_run_group_tests_name("tape.tape", tests, NULL, NULL);
}
