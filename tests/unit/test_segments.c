#include "tests/support/folder.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tape/append.h"
#include "tape/tape.h"
#include "tests/support/asking.h"

enum { TRACKS = 12 };

struct fixture {
    char path[64];
    struct tdk_tape *tape;
    struct handle *handles[TRACKS + 1]; /* by number */
};

static int make_tape(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct append *append;
    assert_non_null(f);
    snprintf(f->path, sizeof f->path, "/tmp/tapedeck-segments-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    assert_int_equal(append_open(&append, f->path, NULL, NULL), 0);
    assert_int_equal(append_begin(append, "t", TDK_KIND_OPAQUE, NULL), 0);
    assert_int_equal(append_tick(append, 3, 0, 1000, "one", 3, NULL), 0);
    assert_int_equal(append_close(append, NULL, NULL), 0);
    assert_int_equal(tdk_tape_open(&f->tape, f->path, NULL), 0);
    *state = f;
    return 0;
}

static int remove_tape(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i <= TRACKS; i++)
        segments_give(&f->tape->segments, f->handles[i]);
    tdk_tape_close(f->tape);
    folder_remove(f->path);
    free(f);
    return 0;
}

static struct block_ref a_block_of(uint16_t track)
{
    return (struct block_ref){.segment = 1, .track = track};
}

static struct handle *take(struct fixture *f, uint16_t track, bool scan)
{
    const struct block_ref ref = a_block_of(track);
    struct handle *handle = NULL;
    assert_int_equal(segments_take(&f->tape->segments, &ref, scan, &handle, NULL), 0);
    assert_true(handle_serves(handle, &ref, scan));
    return handle;
}

static void tracks_that_are_scanned_have_files_of_their_own(void **state)
{
    struct fixture *f = *state;
    const struct block_ref other = a_block_of(2);
    f->handles[0] = take(f, 1, false);
    f->handles[1] = take(f, 1, true);
    f->handles[2] = take(f, 2, true);
    assert_ptr_not_equal(f->handles[0], f->handles[1]);
    assert_ptr_not_equal(f->handles[1], f->handles[2]);
    assert_false(handle_serves(f->handles[1], &other, true));
    assert_false(handle_serves(f->handles[2], &other, false));
    assert_true(handle_serves(f->handles[0], &other, true));
}

static void those_behind_the_first_few_share_one(void **state)
{
    struct fixture *f = *state;
    for (uint16_t i = 1; i <= TRACKS; i++)
        f->handles[i] = take(f, i, true);
    assert_int_not_equal(f->handles[1]->track, 0);
    assert_int_equal(f->handles[TRACKS]->track, 0);
    assert_ptr_equal(f->handles[TRACKS], f->handles[TRACKS - 1]);
    f->handles[0] = take(f, 1, false);
    assert_ptr_equal(f->handles[TRACKS], f->handles[0]);
}

/* No process runs out of files because of that. */
static void without_a_free_descriptor_the_one_for_all_serves(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, none = {0};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    f->handles[0] = take(f, 1, false);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    f->handles[1] = take(f, 1, true);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_ptr_equal(f->handles[1], f->handles[0]);
}

/* A reader goes on with the file that it has. The next reader gets another. */
static void forgotten_is_every_file_of_that_number(void **state)
{
    struct fixture *f = *state;
    const struct block_ref ref = a_block_of(1);
    f->handles[0] = take(f, 1, false);
    f->handles[1] = take(f, 1, true);
    segments_forget(&f->tape->segments, 1);
    for (size_t i = 0; i <= 1; i++)
        assert_false(handle_serves(f->handles[i], &ref, true));
    f->handles[2] = take(f, 1, true);
    assert_ptr_not_equal(f->handles[2], f->handles[1]);
}

static void delete_file(const struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/segments/0000000001.seg", f->path);
    assert_int_equal(unlink(path), 0);
}

/* Otherwise the disk would not get its room back as long as the tape is open. */
static void what_is_deleted_is_kept_open_for_nobody(void **state)
{
    struct fixture *f = *state;
    struct segments *segments = &f->tape->segments;
    f->handles[0] = take(f, 1, false);
    segments_give(segments, take(f, 1, true));
    segments_tidy(segments);
    assert_int_equal(segments->idle, 1);
    delete_file(f);
    segments_tidy(segments);
    assert_int_equal(segments->idle, 0);
    assert_ptr_equal(segments->handles, f->handles[0]); /* the reader goes on */
    segments_give(segments, f->handles[0]);
    f->handles[0] = NULL;
    segments_tidy(segments);
    assert_null(segments->handles);
}

static void a_refresh_lets_go_of_what_a_query_left_open(void **state)
{
    struct fixture *f = *state;
    const struct tdk_query all = {.to = UINT64_MAX};
    struct tdk_cursor *cursor = asking_cursor(f->tape, &all);
    struct tdk_run run;
    assert_int_equal(tdk_cursor_read(cursor, &run, NULL), 1);
    tdk_cursor_close(cursor);
    assert_int_equal(tdk_tape_refresh(f->tape, NULL), 0);
    assert_non_null(f->tape->segments.handles);
    delete_file(f);
    assert_int_equal(tdk_tape_refresh(f->tape, NULL), 0);
    assert_null(f->tape->segments.handles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tracks_that_are_scanned_have_files_of_their_own, make_tape,
                                        remove_tape),
        cmocka_unit_test_setup_teardown(those_behind_the_first_few_share_one, make_tape,
                                        remove_tape),
        cmocka_unit_test_setup_teardown(without_a_free_descriptor_the_one_for_all_serves, make_tape,
                                        remove_tape),
        cmocka_unit_test_setup_teardown(forgotten_is_every_file_of_that_number, make_tape,
                                        remove_tape),
        cmocka_unit_test_setup_teardown(what_is_deleted_is_kept_open_for_nobody, make_tape,
                                        remove_tape),
        cmocka_unit_test_setup_teardown(a_refresh_lets_go_of_what_a_query_left_open, make_tape,
                                        remove_tape),
    };
    return cmocka_run_group_tests_name("tape.segments", tests, NULL, NULL);
}
