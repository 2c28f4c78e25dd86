/* What keeps a segment from being deleted: a reader, a hold, or a job on the row of segments. */
#include "tests/support/retiring.h"

#include <sys/wait.h>

#include "base/clock.h"
#include "tape/holds.h"
#include "tape/lease.h"

/* Workers were forked with the tape open. What one of them gives back is only its own. */
static void what_a_forked_child_gives_back_its_parent_still_has(void **state)
{
    struct retiring *f = *state;
    struct tdk_tape *tape;
    struct tdk_cursor *before, *cursor, *childs;
    struct folder folder;
    struct tdk_err err;
    enum retire_fate fates[8] = {0};
    int go[2], status;
    char any;
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct retire_options options = {.each = retiring_note, .context = fates};
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(tdk_cursor_open(&before, tape, &all, &err), &err);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int rc = read(go[0], &any, 1) == 1 ? tdk_cursor_open(&childs, tape, &all, NULL) : -1;
        if (rc == 0) {
            tdk_cursor_close(childs);
            tdk_cursor_close(before);
        }
        _exit(rc == 0 ? 0 : 1);
    }
    tdk_cursor_close(before);
    taping_ok(tdk_cursor_open(&cursor, tape, &all, &err), &err);
    assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    assert_int_equal(fates[retiring_going[0]], RETIRE_LEASED);
    tdk_cursor_close(cursor);
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    assert_int_equal(fates[retiring_going[0]], RETIRE_DONE);
    tdk_tape_close(tape);
    close(go[0]);
    close(go[1]);
}

static void what_a_reader_needs_stays_until_it_is_done(void **state)
{
    struct retiring *f = *state;
    struct tdk_tape *tape;
    struct tdk_cursor *cursor, *other;
    struct folder folder;
    struct tdk_err err;
    struct tdk_run run;
    enum retire_fate fates[8] = {0};
    const uint64_t last = 5;
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct tdk_query early = {.to = TAPING_NOW + 1};
    const struct retire_options options = {.each = retiring_note, .context = fates};
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(tdk_cursor_open(&cursor, tape, &all, &err), &err);
    taping_ok(tdk_cursor_open(&other, tape, &early, &err), &err);
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_LEASED);
    assert_int_equal(fates[4], RETIRE_LEASED);

    tdk_cursor_close(cursor); /* the other cursor still needs the first segment */
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_LEASED);
    assert_int_equal(fates[2], RETIRE_DONE);
    assert_int_equal(fates[4], RETIRE_DONE);
    assert_true(retiring_is_there(f->path, 1));
    tdk_cursor_close(other);
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_DONE);

    /* A cursor that has read everything and is not closed yet does not keep a segment either. */
    taping_ok(tdk_cursor_open(&cursor, tape, &all, &err), &err);
    while (tdk_cursor_read(cursor, &run, &err) == 1)
        continue;
    taping_ok(retire_segments(&folder, &last, 1, &options, &err), &err);
    assert_int_equal(fates[last], RETIRE_DONE);
    tdk_cursor_close(cursor);

    /* A tape that was open all the time meets no damage. Its index knows the segments, and the file
     * of tombstones says that they were deleted. */
    assert_true(telling_ticks(tape, false, NULL).ticks < RETIRING_TICKS);
    tdk_tape_close(tape);
}

/* A recorder that stops cannot wait for a job that hangs on another disk. */
static void who_cannot_wait_for_the_row_is_told(void **state)
{
    struct retiring *f = *state;
    struct folder folder;
    struct tdk_err err;
    int row;
    const struct retire_options options = {.row_wait_ms = 1};
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(leases_hold_row(&row, &folder, 0, &err), &err);
    const uint64_t begun_ns = clock_mono();
    assert_int_equal(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err),
                     TDK_EBUSY);
    taping_ok(retire_segments(&folder, retiring_going, 0, &options, &err),
              &err);                                     /* it has nothing to wait for */
    assert_true(clock_mono() - begun_ns < 9 * NS_PER_S); /* the default wait is 10 s */
    assert_true(retiring_is_there(f->path, retiring_going[0]));
    leases_give_row(row);
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    assert_false(retiring_is_there(f->path, retiring_going[0]));
}

/* If the time of a tick is impossible, no segment tells where the tick lies. */
static void what_has_no_time_is_held_by_who_may_read_it(void **state)
{
    struct retiring *f = *state;
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct folder folder;
    struct tdk_err err;
    enum retire_fate fates[8] = {0};
    const uint64_t last = 2;
    const struct tdk_query late = {.from = UINT64_MAX - 1000, .to = UINT64_MAX};
    const struct retire_options options = {.each = retiring_note, .context = fates};
    folder_remove(f->path);
    folder_make(f->path);
    struct append *append = taping_open(f->path, 4096, 32 << 10);
    taping_ok(append_begin(append, "t", TDK_KIND_OPAQUE, &err), &err);
    for (unsigned i = 0; i < RETIRING_TICKS; i++)
        taping_ok(append_tick(append, TDK_TYPE_OPAQUE, 0, UINT64_MAX - 1 - i % 7, "late", 4, &err),
                  &err);
    taping_close(append);
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(tdk_cursor_open(&cursor, tape, &late, &err), &err);
    taping_ok(retire_segments(&folder, &last, 1, &options, &err), &err);
    assert_int_equal(fates[last], RETIRE_LEASED);
    tdk_cursor_close(cursor);
    taping_ok(retire_segments(&folder, &last, 1, &options, &err), &err);
    assert_int_equal(fates[last], RETIRE_DONE);
    tdk_tape_close(tape);
}

/* A plan of many segments takes time. Whoever took a hold meanwhile was told that the segment
 * stays. */
static void what_is_held_behind_the_plan_stays(void **state)
{
    struct retiring *f = *state;
    struct folder folder;
    struct tdk_err err;
    enum retire_fate fates[8] = {0};
    const struct retire_options options = {.each = retiring_note, .context = fates};
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(holds_change(&folder, &retiring_going[1], 1, HOLD_KEEP, &err), &err);
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_DONE);
    assert_int_equal(fates[2], RETIRE_HELD);
    assert_int_equal(fates[4], RETIRE_DONE);
    assert_true(retiring_is_there(f->path, 2));
    assert_int_equal(retiring_apply(f->path, NULL, 0),
                     0); /* a writer takes the others out of its index */
    retiring_consistent(f->path);
}

static void holds_are_kept_until_they_are_released(void **state)
{
    struct retiring *f = *state;
    struct folder folder;
    struct holds holds;
    struct tdk_err err;
    const uint64_t numbers[] = {3, 1, 3};
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(holds_change(&folder, numbers, 3, HOLD_KEEP, &err), &err);
    taping_ok(holds_load(&holds, &folder, &err), &err);
    assert_int_equal(holds.held_count, 2);
    assert_true(holds_has(&holds, 1) && holds_has(&holds, 3) && !holds_has(&holds, 2));
    holds_close(&holds);
    taping_ok(holds_change(&folder, numbers, 1, HOLD_RELEASE, &err), &err);
    taping_ok(holds_load(&holds, &folder, &err), &err);
    assert_true(holds_has(&holds, 1) && !holds_has(&holds, 3));
    assert_true(holds_is_released(&holds, 3));
    holds_close(&holds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RETIRING(what_a_forked_child_gives_back_its_parent_still_has),
        RETIRING(what_a_reader_needs_stays_until_it_is_done),
        RETIRING(who_cannot_wait_for_the_row_is_told),
        RETIRING(what_has_no_time_is_held_by_who_may_read_it),
        RETIRING(what_is_held_behind_the_plan_stays),
        RETIRING(holds_are_kept_until_they_are_released),
    };
    return cmocka_run_group_tests_name("tape.lease", tests, NULL, NULL);
}
