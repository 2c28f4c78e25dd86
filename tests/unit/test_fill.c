/* What is read for a stream ends when nobody wants the stream any more. */
#include "tests/support/asking.h"
#include "tests/support/taping.h"

#include <errno.h>

#include "replayer/fill.h"
#include "replayer/replayer.h"

#define TICKS 10000u
#define ROOM  (64u << 10)

struct fixture {
    char *folder;
    struct replayer replayer;
    struct inquiry inquiry;
    struct fill fill;
    atomic_bool ending;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    *f = (struct fixture){.inquiry.query.to = UINT64_MAX, .fill.ending = &f->ending};
    folder_setup((void **)&f->folder);
    struct append *append = taping_open(f->folder, 4096, 8 << 20);
    taping_ticks(append, "t", TICKS);
    taping_close(append);
    f->replayer.tape = asking_open(f->folder);
    f->fill.into = aligned_alloc(64, sizeof *f->fill.into + ROOM);
    f->fill.into->size = f->fill.into->ticks = 0;
    f->fill.limit = ROOM;
    *state = f;
    return pthread_rwlock_init(&f->replayer.gate, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fill_close(&f->fill);
    free(f->fill.into);
    tdk_tape_close(f->replayer.tape);
    pthread_rwlock_destroy(&f->replayer.gate);
    return folder_teardown((void **)&f->folder);
}

static void open_fill(struct fixture *f)
{
    taping_ok(fill_open(&f->fill, &f->replayer, &f->inquiry), &f->fill.err);
}

static void what_ends_before_its_turn_opens_no_cursor(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->ending, true);
    assert_int_equal(fill_open(&f->fill, &f->replayer, &f->inquiry), -ECANCELED);
    assert_null(f->fill.cursor);
}

static void what_ends_between_two_batches_reads_nothing_more(void **state)
{
    struct fixture *f = *state;
    open_fill(f);
    fill_run(&f->fill);
    assert_int_equal(f->fill.stop, FILL_MORE);
    assert_in_range(f->fill.into->ticks, 1, TICKS - 1);
    atomic_store(&f->ending, true);
    f->fill.into->size = f->fill.into->ticks = 0;
    fill_run(&f->fill);
    assert_int_equal(f->fill.into->size, 0);
}

static void a_scan_in_which_nothing_passes_ends_with_it(void **state)
{
    struct fixture *f = *state;
    static const struct tdk_type_filter wide = {.type = TDK_TYPE_WIDE, .rtype = -1};
    struct tdk_run run;
    f->inquiry.query.types = &wide;
    f->inquiry.query.type_count = 1;
    open_fill(f);
    atomic_store(&f->ending, true);
    assert_int_equal(tdk_cursor_read(f->fill.cursor, &run, NULL), -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_ends_before_its_turn_opens_no_cursor, setup, teardown),
        cmocka_unit_test_setup_teardown(what_ends_between_two_batches_reads_nothing_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_scan_in_which_nothing_passes_ends_with_it, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("replayer.fill", tests, NULL, NULL);
}
