/* The state before a range: what is found, and what is not looked for. */
#include "tests/support/taping.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tape/prime.h"
#include "tapedeck/dbn.h"

struct fixture {
    char path[FOLDER_PATH];
    struct tdk_tape *tape;
    struct prime *prime;
    struct tdk_query query;
    struct prime_options options;
    unsigned asked;
};

static void append_trade(struct append *append, uint32_t instrument_id, uint64_t ts)
{
    struct tdk_err err;
    unsigned char payload[48] = {sizeof payload / 4, TDK_RTYPE_TRADES};
    memcpy(payload + 4, &instrument_id, sizeof instrument_id);
    memcpy(payload + 8, &ts, sizeof ts);
    taping_ok(append_tick(append, TDK_TYPE_DBN, 0, ts, payload, sizeof payload, &err), &err);
}

/* Instrument 7 trades once, at the beginning. Instrument 8 trades all day. */
static int setup(void **state)
{
    struct tdk_err err;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    struct append *append = taping_open(f->path, 16 << 10, 0);
    taping_ticks(append, "opaque", 100);
    taping_ok(append_begin(append, "trades", TDK_KIND_DBN, &err), &err);
    append_trade(append, 7, TAPING_NOW);
    for (unsigned i = 1; i < 2000; i++)
        append_trade(append, 8, TAPING_NOW + i);
    taping_close(append);
    taping_ok(tdk_tape_open(&f->tape, f->path, &err), &err);
    f->query = (struct tdk_query){.from = TAPING_NOW + 1500, .to = UINT64_MAX};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    prime_close(f->prime);
    tdk_tape_close(f->tape);
    folder_remove(f->path);
    free(f);
    return 0;
}

static void open_prime(struct fixture *f)
{
    struct tdk_err err;
    taping_ok(prime_open(&f->prime, f->tape, &f->query, &f->options, &err), &err);
}

static void assert_next(struct fixture *f, uint32_t instrument_id, uint64_t ts)
{
    struct tdk_run run;
    assert_true(prime_next(f->prime, &run));
    assert_int_equal(run.ticks, 1);
    assert_string_equal(run.track, "trades");
    assert_int_equal(run.frames->ts, ts);
    assert_int_equal(run.frames->flags & TDK_FLAG_PROLOGUE, TDK_FLAG_PROLOGUE);
    assert_memory_equal(tdk_frame_payload(run.frames) + 4, &instrument_id, 4);
}

static void prime_finds_the_last_tick_of_each_instrument(void **state)
{
    struct fixture *f = *state;
    open_prime(f);
    for (int round = 0; round < 2; round++) { /* the second time from the beginning again */
        struct tdk_run run;
        assert_next(f, 7, TAPING_NOW);
        assert_next(f, 8, TAPING_NOW + 1499);
        assert_false(prime_next(f->prime, &run));
    }
}

/* The type of a track's first tick says nothing about the ticks after it. */
static void prime_looks_also_where_the_first_tick_is_opaque(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    struct tdk_run run;
    tdk_tape_close(f->tape);
    f->tape = NULL;
    folder_remove(f->path);
    struct append *append = taping_open(f->path, 16 << 10, 0);
    taping_ok(append_begin(append, "trades", TDK_KIND_OPAQUE, &err), &err);
    taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, TAPING_NOW, "hello", 5, &err), &err);
    append_trade(append, 7, TAPING_NOW + 1);
    taping_close(append);
    taping_ok(tdk_tape_open(&f->tape, f->path, &err), &err);
    open_prime(f);
    assert_next(f, 7, TAPING_NOW + 1);
    assert_false(prime_next(f->prime, &run));
}

static void prime_looks_no_further_back_than_it_may(void **state)
{
    struct fixture *f = *state;
    struct tdk_run run;
    f->options.back_ns = 1499;
    open_prime(f);
    assert_next(f, 8, TAPING_NOW + 1499);
    assert_false(prime_next(f->prime, &run));
}

static bool stop_at_third(void *context)
{
    struct fixture *f = context;
    return ++f->asked == 3;
}

static void prime_ends_when_told_to(void **state)
{
    struct fixture *f = *state;
    struct tdk_err err;
    f->options.stopped = stop_at_third;
    f->options.context = f;
    assert_int_equal(prime_open(&f->prime, f->tape, &f->query, &f->options, &err), -ECANCELED);
    assert_null(f->prime);
}

static void a_range_from_the_beginning_has_no_state_before_it(void **state)
{
    struct fixture *f = *state;
    struct tdk_run run;
    f->query.from = 0;
    open_prime(f);
    assert_false(prime_next(f->prime, &run));
}

/* ---- what stood at a time: the same for programs ---- */

struct stood {
    unsigned ticks, end_at; /* `each` ends the walk at this tick; 0: it does not */
    uint64_t ts[4];
};

static int note_stood(const struct tdk_run *run, void *context)
{
    struct stood *stood = context;
    assert_int_equal(run->ticks, 1);
    assert_in_range(stood->ticks, 0, 3);
    stood->ts[stood->ticks++] = run->frames->ts;
    return stood->ticks == stood->end_at ? 7 : 0;
}

static void what_stood_at_a_time_has_the_tick_of_that_very_time(void **state)
{
    struct fixture *f = *state;
    struct stood stood = {.ticks = 0};
    struct tdk_err err;
    uint64_t damaged = 99;
    taping_ok(tdk_tape_asof(f->tape, &f->query, note_stood, &stood, &damaged, &err), &err);
    assert_int_equal(stood.ticks, 2);
    assert_int_equal(stood.ts[0], TAPING_NOW);
    assert_int_equal(stood.ts[1], TAPING_NOW + 1500);
    assert_int_equal(damaged, 0);
}

static void what_stood_is_told_until_somebody_has_enough(void **state)
{
    struct fixture *f = *state;
    struct stood stood = {.end_at = 1};
    const char *const track = "nobody";
    assert_int_equal(tdk_tape_asof(f->tape, &f->query, note_stood, &stood, NULL, NULL), 7);
    assert_int_equal(stood.ticks, 1);
    f->query.tracks = &track;
    f->query.track_count = 1;
    assert_int_equal(tdk_tape_asof(f->tape, &f->query, note_stood, &stood, NULL, NULL),
                     TDK_ENOTRACK);
}

/* ---- a tape of many segments ---- */

enum { LONG_TICKS = 20000 };

/* Instrument 7 is in the first block alone, 8 all along, 9 from the middle on. */
static void make_long(const char *path)
{
    struct tdk_err err;
    struct append *append = taping_open(path, 16 << 10, 128 << 10);
    taping_ok(append_begin(append, "trades", TDK_KIND_DBN, &err), &err);
    append_trade(append, 7, TAPING_NOW);
    for (unsigned i = 1; i < LONG_TICKS; i++)
        append_trade(append, i > LONG_TICKS / 2 && i % 100 == 0 ? 9 : 8, TAPING_NOW + i);
    taping_close(append);
}

static void open_long(struct fixture *f, uint64_t from)
{
    struct tdk_err err;
    prime_close(f->prime);
    f->prime = NULL;
    tdk_tape_close(f->tape);
    f->query.from = TAPING_NOW + from;
    taping_ok(tdk_tape_open(&f->tape, f->path, &err), &err);
    open_prime(f);
}

static int setup_long(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    make_long(f->path);
    f->query.to = UINT64_MAX;
    *state = f;
    return 0;
}

static uint64_t last_of_9(uint64_t from)
{
    return (from - 1) / 100 * 100;
}

static void assert_long(struct fixture *f, uint64_t from)
{
    struct tdk_run run;
    assert_next(f, 7, TAPING_NOW);
    if (from > LONG_TICKS / 2 + 101)
        assert_next(f, 9, TAPING_NOW + last_of_9(from));
    assert_next(f, 8, TAPING_NOW + from - 1);
    assert_false(prime_next(f->prime, &run));
}

static void a_few_blocks_tell_the_state_of_a_long_tape(void **state)
{
    struct fixture *f = *state;
    const uint64_t at[] = {1002, LONG_TICKS / 2 + 1, LONG_TICKS / 2 + 3050, LONG_TICKS};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        open_long(f, at[i]);
        assert_long(f, at[i]);
        assert_true(prime_blocks(f->prime) <= 3);
    }
}

/* The answer is the same when the list of a segment is rotten. */
static void where_a_segment_cannot_tell_its_blocks_are_looked_through(void **state)
{
    struct fixture *f = *state;
    taping_break_states(f->path, 1);
    open_long(f, LONG_TICKS);
    assert_long(f, LONG_TICKS);
    assert_int_equal(prime_damaged(f->prime), 0);
}

static void an_index_that_was_made_anew_leads_as_straight(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/index/clean", f->path);
    assert_int_equal(unlink(path), 0);
    open_long(f, LONG_TICKS);
    assert_long(f, LONG_TICKS);
    assert_true(prime_blocks(f->prime) <= 3);
}

/* As on a tape that was recorded before there were such lists. */
static void an_index_without_them_walks(void **state)
{
    struct fixture *f = *state;
    char path[128];
    for (uint64_t number = 1; number < 1000; number++) {
        taping_path(f->path, number, ".seg", path);
        if (access(path, F_OK) < 0)
            break;
        taping_break_states(f->path, number);
    }
    snprintf(path, sizeof path, "%s/index/clean", f->path);
    assert_int_equal(unlink(path), 0);
    open_long(f, LONG_TICKS / 2 + 3050);
    assert_long(f, LONG_TICKS / 2 + 3050);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(prime_finds_the_last_tick_of_each_instrument, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(prime_looks_also_where_the_first_tick_is_opaque, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(prime_looks_no_further_back_than_it_may, setup, teardown),
        cmocka_unit_test_setup_teardown(prime_ends_when_told_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_from_the_beginning_has_no_state_before_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_stood_at_a_time_has_the_tick_of_that_very_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_stood_is_told_until_somebody_has_enough, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_few_blocks_tell_the_state_of_a_long_tape, setup_long,
                                        teardown),
        cmocka_unit_test_setup_teardown(where_a_segment_cannot_tell_its_blocks_are_looked_through,
                                        setup_long, teardown),
        cmocka_unit_test_setup_teardown(an_index_that_was_made_anew_leads_as_straight, setup_long,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_index_without_them_walks, setup_long, teardown),
    };
    return cmocka_run_group_tests_name("tape.prime", tests, NULL, NULL);
}
