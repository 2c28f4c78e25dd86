/* What a tape knows of its own gaps, compared with what was written to it. */
#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>

#include "tape/recover.h"
#include "tapedeck/tape.h"
#include "tests/support/oracle.h"
#include "tests/support/reel.h"
#include "tests/support/taping.h"

/* ---- coverage as words ---- */

/* Coverage as text, such as "lost t/77 4+5 [102,200] ring; t/77 1-10 5 ticks;" */
struct words {
    char text[2000];
};

static void say(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct words *w, const char *format, ...)
{
    size_t used = strlen(w->text);
    va_list args;
    va_start(args, format);
    vsnprintf(w->text + used, sizeof w->text - used, format, args);
    va_end(args);
}

typedef unsigned long long ull;

static int say_gap(const struct tdk_gap *gap, void *context)
{
    say(context, "%s %s/%llu %llu+%llu [%llu,%llu]; ", gap->damaged ? "damaged" : "lost",
        gap->track, (ull)gap->epoch, (ull)gap->first_seq, (ull)gap->count, (ull)gap->from,
        (ull)gap->to);
    assert_int_equal(gap->reason, gap->damaged ? TDK_LOSS_DAMAGE : TDK_LOSS_RING_FULL);
    return 0;
}

static int say_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    say(context, "%s/%llu %llu-%llu: %llu ticks; ", epoch->track, (ull)epoch->epoch,
        (ull)epoch->first_seq, (ull)epoch->last_seq, (ull)epoch->ticks);
    return 0;
}

static struct words cover(const char *path, const struct tdk_query *query, bool unread)
{
    struct words words = {.text = ""};
    struct tdk_tape *tape;
    struct tdk_err err;
    const struct tdk_coverage_walk walk = {
        .unread = unread, .gap = say_gap, .epoch = say_epoch, .context = &words};
    taping_ok(tdk_tape_open(&tape, path, &err), &err);
    taping_ok(tdk_tape_coverage(tape, query, &walk, &err), &err);
    tdk_tape_close(tape);
    return words;
}

static const struct tdk_query everything = {.to = UINT64_MAX};

/* The answer is the same whether the blocks are read or not. */
static void assert_covered(const char *path, const struct tdk_query *query, const char *want)
{
    struct words words = cover(path, query, false);
    assert_string_equal(words.text, want);
    words = cover(path, query, true);
    assert_string_equal(words.text, want);
}

/* ---- a tape written block by block ---- */

struct fixture {
    char path[FOLDER_PATH];
    struct reel reel;
};

static int setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    assert_non_null(f);
    folder_make(f->path);
    reel_open(&f->reel, f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->path);
    free(f);
    return 0;
}

/* Leave the tape as a writer does that ends in order: sealed, with an index. */
static void seal(struct fixture *f)
{
    struct recovered tape;
    struct tdk_err err;
    reel_close(&f->reel);
    taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
    taping_ok(recover_close(&tape, true, &err), &err);
}

static void flip_in_segment(const struct fixture *f, uint64_t offset)
{
    char path[128];
    taping_path(f->path, 1, ".seg", path);
    taping_flip(path, offset);
}

static void loss_is_a_gap_where_it_meets_the_range(void **state)
{
    struct fixture *f = *state;
    reel_write_a_loss(&f->reel);
    seal(f);
    assert_covered(f->path, &everything, "lost t/77 4+5 [102,200]; t/77 1-10: 5 ticks; ");
    assert_covered(f->path, &(struct tdk_query){.to = 102}, "t/77 1-2: 2 ticks; ");
    assert_covered(f->path, &(struct tdk_query){.from = 120, .to = 150},
                   "lost t/77 4+5 [102,200]; t/77 4-8: 0 ticks; ");
    assert_covered(f->path, &(struct tdk_query){.from = 201, .to = UINT64_MAX},
                   "t/77 10-10: 1 ticks; ");
    assert_covered(f->path, &(struct tdk_query){.from = 300, .to = UINT64_MAX}, "");
    assert_covered(f->path, &(struct tdk_query){.from = 101, .to = 101}, "");
}

static void what_was_written_twice_is_covered_by_either(void **state)
{
    struct fixture *f = *state;
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 100);
    reel_write(&f->reel);
    uint64_t first = f->reel.offset;
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 101);
    reel_loss(&f->reel, 2, 101, 103, 103);
    reel_tick(&f->reel, 103);
    reel_write(&f->reel);
    uint64_t second = f->reel.offset;
    reel_write_again(&f->reel);
    reel_begin(&f->reel, 1, "t", 77);
    reel_tick(&f->reel, 104);
    reel_write(&f->reel);
    seal(f);
    const char *const whole = "lost t/77 3+2 [101,103]; t/77 1-6: 4 ticks; ";
    assert_covered(f->path, &everything, whole);

    flip_in_segment(f, first + 300);
    assert_string_equal(cover(f->path, &everything, false).text, whole);
    flip_in_segment(f, second + 300);
    assert_string_equal(cover(f->path, &everything, false).text,
                        "damaged t/77 2+4 [101,103]; t/77 1-6: 2 ticks; ");
    flip_in_segment(f, first + 300);
    assert_string_equal(cover(f->path, &everything, false).text, whole);
}

static void damage_side_by_side_is_one_gap(void **state)
{
    struct fixture *f = *state;
    uint64_t offsets[4];
    for (unsigned i = 0; i < 4; i++) {
        offsets[i] = f->reel.offset;
        reel_begin(&f->reel, 1, "t", 77);
        reel_tick(&f->reel, 100 + 10 * i);
        reel_tick(&f->reel, 101 + 10 * i);
        reel_write(&f->reel);
    }
    seal(f);
    flip_in_segment(f, offsets[1] + 8);
    flip_in_segment(f, offsets[2] + 300);
    assert_string_equal(cover(f->path, &everything, false).text,
                        "damaged t/77 3+4 [110,121]; t/77 1-8: 4 ticks; ");
    const struct tdk_query first = {.to = 110}, second = {.from = 120, .to = 125};
    assert_string_equal(cover(f->path, &first, false).text, "t/77 1-2: 2 ticks; ");
    assert_string_equal(cover(f->path, &second, false).text,
                        "damaged t/77 5+2 [120,121]; t/77 5-6: 0 ticks; ");
}

/* A block with one tick of an epoch. The epoch names the one before it. */
static void write_epoch(struct fixture *f, uint64_t epoch, uint64_t previous, uint64_t previous_seq,
                        uint64_t ts)
{
    const struct tdk_epoch told = {
        .epoch = epoch, .previous = previous, .previous_seq = previous_seq};
    bool first = f->reel.states[1].track == 0;
    if (!first) /* else the reel's own EPOCH frame would come before ours */
        f->reel.states[1] =
            (struct track_state){.track = 1, .payload_max = 4096, .epoch = epoch, .next_seq = 1};
    reel_begin(&f->reel, 1, "t", epoch);
    if (!first)
        assert_true(block_add_epoch(&f->reel.block, &told));
    reel_tick(&f->reel, ts);
    reel_write(&f->reel);
}

static void the_next_epoch_knows_how_far_the_last_one_came(void **state)
{
    struct fixture *f = *state;
    write_epoch(f, 77, 0, 0, 100);
    write_epoch(f, 80, 77, 1, 300);
    write_epoch(f, 90, 80, 4, 400);
    write_epoch(f, 99, 95, 4, 500); /* nothing of epoch 95 is on the tape */
    seal(f);
    assert_covered(f->path, &everything,
                   "t/77 1-1: 1 ticks; damaged t/80 2+3 [300,400]; t/80 1-4: 1 ticks; "
                   "t/90 1-1: 1 ticks; damaged t/95 1+4 [400,500]; t/95 1-4: 0 ticks; "
                   "t/99 1-1: 1 ticks; ");
    assert_covered(f->path, &(struct tdk_query){.to = 300}, "t/77 1-1: 1 ticks; ");
}

/* ---- a market ---- */

struct tally {
    const struct oracle *oracle;
    const struct tdk_query *query;
    unsigned epochs;
    uint64_t ticks;
};

static bool in_range(const struct tally *t, const struct oracle_tick *tick)
{
    uint64_t ts = t->query->axis == TDK_AXIS_EVENT ? tick->event_ts : tick->ts;
    return ts >= t->query->from && (ts < t->query->to || t->query->to == UINT64_MAX);
}

static int check_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct tally *t = context;
    uint64_t ticks = 0, first = UINT64_MAX, last = 0;
    for (size_t i = 0; i < t->oracle->count; i++) {
        const struct oracle_tick *tick = &t->oracle->ticks[i];
        if (strcmp(t->oracle->names[tick->track], epoch->track) != 0 ||
            tick->epoch != epoch->epoch || !in_range(t, tick))
            continue;
        ticks++;
        first = tick->seq < first ? tick->seq : first;
        last = tick->seq > last ? tick->seq : last;
    }
    assert_int_equal(epoch->ticks, ticks);
    assert_int_equal(epoch->last_seq, last);
    if (ticks > 0)
        assert_int_equal(epoch->first_seq, first);
    assert_int_equal(epoch->lost + epoch->damaged, 0);
    t->epochs++;
    t->ticks += ticks;
    return 0;
}

static uint64_t oracle_ticks(const struct tally *t)
{
    uint64_t ticks = 0;
    for (size_t i = 0; i < t->oracle->count; i++)
        ticks += in_range(t, &t->oracle->ticks[i]);
    return ticks;
}

static void coverage_counts_what_is_in_any_range(void **state)
{
    (void)state;
    static const struct oracle_plan plan = {.tracks = 3,
                                            .epochs = 2,
                                            .ticks = 700,
                                            .disorder = 400,
                                            .odd = 100,
                                            .block_size = 4096,
                                            .segment_size = 256 << 10};
    struct oracle oracle;
    struct tdk_tape *tape;
    struct tdk_err err;
    oracle_make(&oracle, 11, &plan);
    taping_ok(tdk_tape_open(&tape, oracle.path, &err), &err);
    for (unsigned turn = 0; turn < 60; turn++) {
        uint64_t a = oracle.ticks[oracle_random(&oracle, oracle.count)].ts;
        uint64_t b = oracle.ticks[oracle_random(&oracle, oracle.count)].ts;
        const struct tdk_query query = {.from = turn == 0 ? 0
                                                : a < b   ? a
                                                          : b,
                                        .to = turn == 0 ? UINT64_MAX
                                              : a < b   ? b
                                                        : a,
                                        .axis = turn % 3 == 2 ? TDK_AXIS_EVENT : TDK_AXIS_RECV};
        struct tally tally = {.oracle = &oracle, .query = &query};
        const struct tdk_coverage_walk walk = {
            .unread = turn % 2 == 0, .epoch = check_epoch, .context = &tally};
        taping_ok(tdk_tape_coverage(tape, &query, &walk, &err), &err);
        assert_int_equal(tally.ticks, oracle_ticks(&tally));
    }
    tdk_tape_close(tape);
    oracle_remove(&oracle);
}

static int sum_gap(const struct tdk_gap *gap, void *context)
{
    assert_true(gap->damaged);
    *(uint64_t *)context += gap->count;
    return 0;
}

/* How many ticks a query returns, whatever damage it meets. */
static uint64_t served(const char *path)
{
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    struct tdk_err err;
    uint64_t ticks = 0;
    int rc;
    taping_ok(tdk_tape_open(&tape, path, &err), &err);
    taping_ok(tdk_cursor_open(&cursor, tape, &everything, &err), &err);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) != 0)
        ticks += rc == 1 ? run.ticks : 0;
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    return ticks;
}

static void served_and_missing_are_all_there_was(void **state)
{
    (void)state;
    char path[FOLDER_PATH], segment[128];
    struct stat file;
    folder_make(path);
    taping_make(path, 2000, 4096, 64 << 10);
    taping_path(path, 1, ".seg", segment);
    assert_int_equal(stat(segment, &file), 0);
    for (uint64_t at = 37; at < (uint64_t)file.st_size; at += 997) {
        struct tdk_tape *tape;
        struct tdk_err err;
        uint64_t missing = 0;
        const struct tdk_coverage_walk walk = {.gap = sum_gap, .context = &missing};
        taping_flip(segment, at);
        taping_ok(tdk_tape_open(&tape, path, &err), &err);
        taping_ok(tdk_tape_coverage(tape, &everything, &walk, &err), &err);
        tdk_tape_close(tape);
        assert_int_equal(served(path) + missing, 2000);
        taping_flip(segment, at);
    }
    folder_remove(path);
}

/* No seq tells what the end of an epoch has lost. */
static int note_lost(const struct tdk_lost_segments *lost, void *context)
{
    say(context, "%s %llu; ", lost->is_cut ? "cut" : "missing", (ull)lost->first);
    return 0;
}

static void a_segment_that_is_cut_is_told_by_its_number_or_by_the_end_of_the_walk(void **state)
{
    struct fixture *f = *state;
    struct words words = {.text = ""};
    struct tdk_coverage_walk walk = {.epoch = say_epoch, .context = &words};
    struct tdk_tape *tape;
    struct tdk_err err;
    char path[128];
    struct stat file;
    const struct tdk_query before = {.to = 100};
    reel_write_a_loss(&f->reel);
    seal(f);
    taping_path(f->path, 1, ".seg", path);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, file.st_size - 4096), 0); /* its foot */
    snprintf(path, sizeof path, "%s/index", f->path);
    folder_remove(path);
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    assert_int_equal(tdk_tape_coverage(tape, &everything, &walk, &err), TDK_ECORRUPT);
    assert_non_null(strstr(err.text, "segment 1 is cut"));
    assert_string_equal(words.text, "t/77 1-10: 5 ticks; ");
    assert_int_equal(tdk_tape_coverage(tape, &before, &walk, &err), 0);
    walk.lost = note_lost;
    words.text[0] = '\0';
    taping_ok(tdk_tape_coverage(tape, &everything, &walk, &err), &err);
    assert_string_equal(words.text, "cut 1; t/77 1-10: 5 ticks; ");
    words.text[0] = '\0';
    taping_ok(tdk_tape_coverage(tape, &before, &walk, &err), &err);
    assert_string_equal(words.text, "");
    tdk_tape_close(tape);
}

static int stop(const struct tdk_epoch_coverage *epoch, void *context)
{
    (void)epoch;
    (void)context;
    return 42;
}

static void who_is_told_may_end_it_and_unknown_tracks_are_refused(void **state)
{
    struct fixture *f = *state;
    struct tdk_tape *tape;
    struct tdk_err err;
    const char *const nobody = "nobody";
    const struct tdk_coverage_walk walk = {.epoch = stop};
    reel_write_a_loss(&f->reel);
    seal(f);
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    assert_int_equal(tdk_tape_coverage(tape, &everything, &walk, &err), 42);
    const struct tdk_query query = {.to = UINT64_MAX, .tracks = &nobody, .track_count = 1};
    assert_int_equal(tdk_tape_coverage(tape, &query, &walk, &err), TDK_ENOTRACK);
    tdk_tape_close(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loss_is_a_gap_where_it_meets_the_range, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_written_twice_is_covered_by_either, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damage_side_by_side_is_one_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_epoch_knows_how_far_the_last_one_came, setup,
                                        teardown),
        cmocka_unit_test(coverage_counts_what_is_in_any_range),
        cmocka_unit_test(served_and_missing_are_all_there_was),
        cmocka_unit_test_setup_teardown(
            a_segment_that_is_cut_is_told_by_its_number_or_by_the_end_of_the_walk, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_told_may_end_it_and_unknown_tracks_are_refused,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("tape.coverage", tests, NULL, NULL);
}
