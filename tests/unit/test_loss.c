/* Losses, control frames and repeats, as cursors return them. */
#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "tapedeck/tape.h"
#include "tests/support/folder.h"
#include "tests/support/oracle.h"
#include "tests/support/reel.h"

struct fixture {
    char path[64];
    struct reel reel;
};

static int setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    snprintf(f->path, sizeof f->path, "/tmp/tapedeck-loss-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    reel_open(&f->reel, f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    reel_close(&f->reel);
    folder_remove(f->path);
    free(f);
    return 0;
}

/* ---- what a query returns, as words: "t1@100 t2@101 LOSS" ---- */

static void add_word(char *text, size_t room, const struct tdk_run *run,
                     const struct tdk_frame *frame)
{
    static const char *const controls[] = {"LOSS",  "CLOCK", "EPOCH", "SYMBOL", "MARK",
                                           "TRACK", "JOIN",  "END",   "INFO"};
    size_t used = strlen(text);
    if (used > 0)
        text[used++] = ' ';
    if (tdk_type_is_control(frame->type))
        snprintf(text + used, room - used, "%s", controls[frame->type - TDK_TYPE_CONTROL]);
    else
        snprintf(text + used, room - used, "%s%llu@%llu", run->track,
                 (unsigned long long)frame->seq, (unsigned long long)frame->ts);
}

static void tell(const struct fixture *f, const struct tdk_query *query, char text[500],
                 struct tdk_cursor_stats *stats)
{
    struct tdk_tape *tape;
    struct tdk_cursor *cursor = NULL;
    struct tdk_run run;
    struct tdk_err err;
    text[0] = '\0';
    if (tdk_tape_open(&tape, f->path, &err) < 0 || tdk_cursor_open(&cursor, tape, query, &err) < 0)
        fail_msg("%s", err.text);
    int rc;
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1) {
        const unsigned char *end = (const unsigned char *)run.frames + run.size;
        for (const struct tdk_frame *at = run.frames; (const unsigned char *)at < end;
             at = tdk_frame_after(at))
            add_word(text, 500, &run, at);
    }
    if (rc < 0)
        fail_msg("%s", err.text);
    tdk_cursor_stats(cursor, stats);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
}

static void assert_told(const struct fixture *f, const struct tdk_query *query, const char *want,
                        uint64_t lost)
{
    char text[500];
    struct tdk_cursor_stats stats;
    tell(f, query, text, &stats);
    assert_string_equal(text, want);
    assert_int_equal(stats.lost, lost);

    struct tdk_query counting = *query; /* a count knows of the same losses */
    counting.count_only = true;
    struct tdk_cursor_stats counted;
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    assert_int_equal(tdk_tape_open(&tape, f->path, NULL), 0);
    assert_int_equal(tdk_cursor_open(&cursor, tape, &counting, NULL), 0);
    while (tdk_cursor_read(cursor, &run, NULL) == 1)
        ;
    tdk_cursor_stats(cursor, &counted);
    assert_int_equal(counted.ticks, stats.ticks);
    if (query->limit == 0)
        assert_int_equal(counted.lost, lost);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
}

static void loss_is_counted_where_it_meets_the_range(void **state)
{
    struct fixture *f = *state;
    reel_write_a_loss(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX}, "t1@100 t2@101 t3@102 t9@200 t10@201", 5);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .reverse = true},
                "t10@201 t9@200 t3@102 t2@101 t1@100", 5);
    assert_told(f, &(struct tdk_query){.to = 102}, "t1@100 t2@101", 0);
    assert_told(f, &(struct tdk_query){.to = 103}, "t1@100 t2@101 t3@102", 5);
    assert_told(f, &(struct tdk_query){.from = 120, .to = 150}, "", 5); /* in the middle of it */
    assert_told(f, &(struct tdk_query){.from = 200, .to = UINT64_MAX}, "t9@200 t10@201", 5);
    assert_told(f, &(struct tdk_query){.from = 201, .to = UINT64_MAX}, "t10@201", 0);
}

static void loss_behind_the_limit_is_not_counted(void **state)
{
    struct fixture *f = *state;
    reel_write_a_loss(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .limit = 3}, "t1@100 t2@101 t3@102", 0);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .limit = 4}, "t1@100 t2@101 t3@102 t9@200",
                5);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .limit = 2, .reverse = true},
                "t10@201 t9@200", 0);
}

static void loss_is_counted_whatever_symbol_or_type_is_asked_for(void **state)
{
    struct fixture *f = *state;
    const char *const symbol = "nobody";
    const struct tdk_type_filter dbn = {TDK_TYPE_DBN, -1};
    reel_write_a_loss(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .symbols = &symbol, .symbol_count = 1}, "",
                5);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .types = &dbn, .type_count = 1}, "", 5);
}

static void loss_at_the_end_of_an_epoch_is_counted(void **state)
{
    struct fixture *f = *state;
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 100);
    reel_write(&f->reel);
    reel_begin(&f->reel, 1, "t", 77); /* a block without a tick */
    reel_loss(&f->reel, 7, 100, 100, 0);
    reel_write(&f->reel);
    reel_begin(&f->reel, 1, "t", 78);
    reel_tick(&f->reel, 300);
    reel_write(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX}, "t1@100 t1@300", 7);
    assert_told(f, &(struct tdk_query){.to = 150}, "t1@100", 7);
    assert_told(f, &(struct tdk_query){.from = 150, .to = UINT64_MAX}, "t1@300", 0);
}

static void loss_of_one_track_is_not_another_s(void **state)
{
    struct fixture *f = *state;
    const char *const other = "u";
    reel_write_a_loss(&f->reel);
    reel_begin(&f->reel, 2, "u", 78);
    reel_tick(&f->reel, 150);
    reel_write(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .tracks = &other, .track_count = 1},
                "u1@150", 0);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX},
                "t1@100 t2@101 t3@102 u1@150 t9@200 t10@201", 5);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .reverse = true},
                "t10@201 t9@200 u1@150 t3@102 t2@101 t1@100", 5);
}

/* An epoch that has lost everything gives no time for its loss. What comes after it keeps its
 * place. */
static void a_loss_without_a_time_holds_nobody_back(void **state)
{
    struct fixture *f = *state;
    reel_begin(&f->reel, 1, "a", 5);
    for (uint64_t ts = 100; ts <= 400; ts += 100)
        reel_tick(&f->reel, ts);
    reel_write(&f->reel);
    reel_begin(&f->reel, 2, "b", 10);
    reel_tick(&f->reel, 110);
    reel_write(&f->reel);
    reel_begin(&f->reel, 2, "b", 11);
    reel_loss(&f->reel, 3, 0, 0, 0);
    reel_write(&f->reel);
    reel_begin(&f->reel, 2, "b", 12);
    reel_tick(&f->reel, 210);
    reel_tick(&f->reel, 310);
    reel_write(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX},
                "a1@100 b1@110 a2@200 b1@210 a3@300 b2@310 a4@400", 3);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .reverse = true},
                "a4@400 b2@310 a3@300 b1@210 a2@200 b1@110 a1@100", 3);
}

/* The clock was set back between the ticks around the loss. The loss was at some time between the
 * two. */
static void a_loss_over_which_time_went_back_meets_all_ranges_between(void **state)
{
    struct fixture *f = *state;
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 100);
    reel_tick(&f->reel, 190);
    reel_write(&f->reel);
    reel_begin(&f->reel, 1, "t", 77);
    reel_loss(&f->reel, 7, 190, 150, 150);
    reel_tick(&f->reel, 150);
    reel_write(&f->reel);
    assert_told(f, &(struct tdk_query){.from = 140, .to = 160}, "t10@150", 7);
    assert_told(f, &(struct tdk_query){.from = 160, .to = 170}, "", 7);
    assert_told(f, &(struct tdk_query){.from = 185, .to = 195}, "t2@190", 7);
    assert_told(f, &(struct tdk_query){.from = 100, .to = 101}, "t1@100", 0);
}

/* A stamp that is not trusted says nothing about when a loss was. The loss came after the last
 * trusted stamp. */
static void a_loss_beside_absurd_times_is_met_where_it_lies(void **state)
{
    struct fixture *f = *state;
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 100);
    reel_tick(&f->reel, UINT64_MAX);
    reel_loss(&f->reel, 3, UINT64_MAX, 200, 200);
    reel_tick(&f->reel, 200);
    reel_tick(&f->reel, UINT64_MAX);
    reel_loss(&f->reel, 4, UINT64_MAX, UINT64_MAX, UINT64_MAX);
    reel_tick(&f->reel, UINT64_MAX);
    reel_tick(&f->reel, 300);
    reel_write(&f->reel);
    assert_told(f, &(struct tdk_query){.from = 50, .to = 101}, "t1@100", 3);
    assert_told(f, &(struct tdk_query){.from = 150, .to = 160}, "", 3);
    assert_told(f, &(struct tdk_query){.from = 250, .to = 260}, "", 4);
    assert_told(f, &(struct tdk_query){.from = 50, .to = 400}, "t1@100 t6@200 t13@300", 7);
    assert_told(f, &(struct tdk_query){.to = 100}, "", 0);
}

/* The tick behind the loss, whose stamp is absurd, is in a block of its own. */
static void a_loss_before_an_absurd_time_is_met_between_those_that_are_not(void **state)
{
    struct fixture *f = *state;
    for (unsigned block = 0; block < 3; block++) {
        reel_begin(&f->reel, 1, "t", 77);
        if (block == 1)
            reel_loss(&f->reel, 5, 100, UINT64_MAX, UINT64_MAX);
        reel_tick(&f->reel, block == 1 ? UINT64_MAX : 100 + block * 50);
        reel_write(&f->reel);
    }
    for (int axis = TDK_AXIS_RECV; axis <= TDK_AXIS_EVENT; axis++) {
        assert_told(f, &(struct tdk_query){.from = 150, .to = 160, .axis = (enum tdk_axis)axis}, "",
                    5);
        assert_told(f, &(struct tdk_query){.to = 100, .axis = (enum tdk_axis)axis}, "", 0);
    }
}

/* A loss has no event time. On that axis, too, it is placed by when it came. */
static void a_loss_is_told_on_the_axis_of_events(void **state)
{
    struct fixture *f = *state;
    reel_write_a_loss(&f->reel);
    reel_begin(&f->reel, 1, "t", 77);
    reel_loss(&f->reel, 2, 201, 201, 0);
    reel_write(&f->reel);
    assert_told(f, &(struct tdk_query){.from = 100, .to = 300, .axis = TDK_AXIS_EVENT},
                "t1@100 t2@101 t3@102 t9@200 t10@201", 7);
    assert_told(f, &(struct tdk_query){.from = 100, .to = 103, .axis = TDK_AXIS_EVENT},
                "t1@100 t2@101 t3@102", 5);
}

static void control_frames_come_when_they_are_asked_for(void **state)
{
    struct fixture *f = *state;
    reel_write_a_loss(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .control = true},
                "TRACK EPOCH t1@100 t2@101 t3@102 LOSS t9@200 t10@201", 5);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .control = true, .reverse = true},
                "t10@201 t9@200 LOSS t3@102 t2@101 t1@100 EPOCH TRACK", 5);
    assert_told(f, &(struct tdk_query){.from = 102, .to = 103, .control = true}, "t3@102 LOSS", 5);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .control = true, .limit = 3},
                "TRACK EPOCH t1@100 t2@101 t3@102", 0);
}

static void a_block_that_was_written_again_counts_once(void **state)
{
    struct fixture *f = *state;
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 100);
    reel_tick(&f->reel, 99);
    reel_write(&f->reel);
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 101);
    reel_loss(&f->reel, 2, 101, 103, 103);
    reel_tick(&f->reel, 103);
    reel_write(&f->reel);
    reel_write_again(&f->reel);
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 104);
    reel_write(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX}, "t1@100 t2@99 t3@101 t6@103 t7@104", 2);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .reverse = true},
                "t7@104 t6@103 t3@101 t2@99 t1@100", 2);
    assert_told(f, &(struct tdk_query){.from = 99, .to = 102}, "t1@100 t2@99 t3@101", 2);
}

/* Time goes back in the track, so a block's place depends on what came before it. Read all of it,
 * and a range for which the blocks are looked into. */
static void a_block_that_was_written_again_keeps_its_place_in_reverse(void **state)
{
    struct fixture *f = *state;
    reel_begin(&f->reel, 1, "a", 5);
    reel_tick(&f->reel, 60);
    for (uint64_t ts = 150; ts <= 350; ts += 100)
        reel_tick(&f->reel, ts);
    reel_write(&f->reel);
    reel_begin(&f->reel, 2, "b", 10);
    reel_tick(&f->reel, 220);
    reel_tick(&f->reel, 40);
    reel_write(&f->reel);
    reel_begin(&f->reel, 2, "b", 10);
    for (uint64_t ts = 100; ts <= 300; ts += 100)
        reel_tick(&f->reel, ts);
    reel_write(&f->reel);
    reel_write_again(&f->reel);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX},
                "a1@60 a2@150 b1@220 b2@40 b3@100 b4@200 a3@250 b5@300 a4@350", 0);
    assert_told(f, &(struct tdk_query){.to = UINT64_MAX, .reverse = true},
                "a4@350 b5@300 a3@250 b4@200 b3@100 b2@40 b1@220 a2@150 a1@60", 0);
    assert_told(f, &(struct tdk_query){.to = 290}, "a1@60 a2@150 b1@220 b2@40 b3@100 b4@200 a3@250",
                0);
    assert_told(f, &(struct tdk_query){.to = 290, .reverse = true},
                "a3@250 b4@200 b3@100 b2@40 b1@220 a2@150 a1@60", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loss_is_counted_where_it_meets_the_range, setup, teardown),
        cmocka_unit_test_setup_teardown(loss_behind_the_limit_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(loss_is_counted_whatever_symbol_or_type_is_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(loss_at_the_end_of_an_epoch_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(loss_of_one_track_is_not_another_s, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loss_without_a_time_holds_nobody_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loss_over_which_time_went_back_meets_all_ranges_between,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_loss_beside_absurd_times_is_met_where_it_lies, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_loss_before_an_absurd_time_is_met_between_those_that_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_loss_is_told_on_the_axis_of_events, setup, teardown),
        cmocka_unit_test_setup_teardown(control_frames_come_when_they_are_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_block_that_was_written_again_counts_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_block_that_was_written_again_keeps_its_place_in_reverse,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("tape.loss", tests, NULL, NULL);
}
