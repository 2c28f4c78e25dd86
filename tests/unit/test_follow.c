/* A cursor that begins after another one's end returns what has come since, and nothing else. */
#include "tests/support/taping.h"

#include <stdlib.h>

#include "tape/follow.h"

struct fixture {
    char path[FOLDER_PATH];
    struct tdk_tape *tape;
    struct places places;
    struct tdk_query query;
};

static void append_some(const struct fixture *f, const char *track, unsigned count)
{
    struct append *append = taping_open(f->path, 16 << 10, 0);
    taping_ticks(append, track, count);
    taping_close(append);
}

static int setup(void **state)
{
    struct tdk_err err;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    append_some(f, "a", 1000);
    taping_ok(tdk_tape_open(&f->tape, f->path, &err), &err);
    f->query = (struct tdk_query){.to = UINT64_MAX};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    places_close(&f->places);
    tdk_tape_close(f->tape);
    folder_remove(f->path);
    free(f);
    return 0;
}

/* Read the ticks after the places, and move the places past them. Returns how many there were. */
static uint64_t read_behind(struct fixture *f)
{
    struct tdk_err err;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    uint64_t ticks = 0;
    taping_ok(tape_refresh_cheaply(f->tape, &err), &err);
    taping_ok(cursor_open_behind(&cursor, f->tape, &f->query, &f->places, &err), &err);
    for (int rc; (rc = tdk_cursor_read(cursor, &run, &err)) != 0; ticks += run.ticks)
        taping_ok(rc, &err);
    taping_ok(places_move(&f->places, cursor, &err), &err);
    tdk_cursor_close(cursor);
    return ticks;
}

static void each_tick_is_told_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_behind(f), 1000);
    assert_int_equal(read_behind(f), 0);
    append_some(f, "a", 300); /* an epoch of its own */
    append_some(f, "b", 7);   /* a track that nobody knew */
    assert_int_equal(read_behind(f), 307);
    assert_int_equal(read_behind(f), 0);
    assert_int_equal(f->places.count, 2);
}

static void a_place_is_the_end_of_the_last_epoch(void **state)
{
    struct fixture *f = *state;
    read_behind(f);
    uint64_t epoch = f->places.items[0].place.epoch;
    assert_int_equal(f->places.items[0].place.last_seq, 1000);
    append_some(f, "a", 300);
    read_behind(f);
    assert_true(f->places.items[0].place.epoch > epoch);
    assert_int_equal(f->places.items[0].place.last_seq, 300);
}

/* It was delivered up to the middle of a block (out of a ring, say). */
static void a_place_inside_a_block_tells_the_rest_of_it(void **state)
{
    struct fixture *f = *state;
    read_behind(f);
    f->places.items[0].place.last_seq = 990;
    f->places.items[0].place.block.span = 0;
    assert_int_equal(read_behind(f), 10);
}

static void what_a_range_leaves_out_is_told_all_the_same(void **state)
{
    struct fixture *f = *state;
    f->query.from = TAPING_NOW + 5000; /* later than everything on the tape */
    assert_int_equal(read_behind(f), 0);
    assert_int_equal(f->places.items[0].place.last_seq, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_tick_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_is_the_end_of_the_last_epoch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_inside_a_block_tells_the_rest_of_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_range_leaves_out_is_told_all_the_same, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("tape.follow", tests, NULL, NULL);
}
