/* Segments that are deleted on purpose: reported as deleted, gone for good, whatever dies on the
 * way. */
#include "tests/support/retiring.h"

#include <pthread.h>
#include <time.h>

#include "tape/seal_tape.h"
#include "tests/support/dirty.h"

static void deleted_is_not_never_recorded_and_not_damage(void **state)
{
    struct retiring *f = *state;
    assert_int_equal(retiring_consistent(f->path), RETIRING_TICKS);
    assert_int_equal(retiring_apply(f->path, retiring_going, RETIRING_GOING), 0);
    for (int i = 0; i < RETIRING_GOING; i++)
        assert_false(retiring_is_there(f->path, retiring_going[i]));
    uint64_t left = retiring_consistent(f->path);
    assert_true(left > 0 && left < RETIRING_TICKS);
    assert_int_equal(telling_gaps(f->path).gaps, 2); /* 1 and 2 are one gap, 4 is the other */
}

static void a_segment_goes_when_its_tombstone_is_durable(void **state)
{
    struct retiring *f = *state;
    dirty_begin();
    assert_int_equal(retiring_apply(f->path, retiring_going, RETIRING_GOING), 0);
    assert_true(dirty_end() >= RETIRING_GOING);
}

static void without_its_index_the_tape_says_the_same(void **state)
{
    struct retiring *f = *state;
    char path[128];
    assert_int_equal(retiring_apply(f->path, retiring_going, RETIRING_GOING), 0);
    uint64_t left = retiring_consistent(f->path);
    snprintf(path, sizeof path, "%s/index", f->path);
    folder_remove(path);
    assert_int_equal(retiring_consistent(f->path), left);            /* in private memory */
    assert_int_equal(retiring_apply(f->path, retiring_going, 0), 0); /* built anew by a writer */
    assert_int_equal(retiring_consistent(f->path), left);
}

static void what_lost_its_tombstones_counts_as_missing(void **state)
{
    struct retiring *f = *state;
    char path[128];
    struct recovered tape;
    struct tdk_err err;
    assert_int_equal(retiring_apply(f->path, retiring_going, RETIRING_GOING), 0);
    snprintf(path, sizeof path, "%s/retired", f->path);
    taping_store(path, "rubbish", 7);
    struct told_gaps seen = telling_gaps(f->path);
    assert_true(seen.damaged > 0);
    assert_int_equal(seen.retired, 0);
    assert_int_equal(seen.segments, RETIRING_GOING);
    taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
    assert_true(recover_lost(&tape.report));
    taping_ok(recover_close(&tape, true, &err), &err);
    snprintf(path, sizeof path, "%s/quarantine/retired", f->path);
    assert_int_equal(access(path, F_OK), 0);
}

/* What the next segment's foot chains to is the segment as it was recorded, packed or not. */
static void a_packed_segment_that_goes_leaves_its_link_in_the_chain(void **state)
{
    const struct seal_tape_options options = {.threads = 1};
    struct retiring *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    char path[128];
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(retiring_apply(f->path, retiring_going, RETIRING_GOING), 0);
    uint64_t left = retiring_consistent(f->path);
    snprintf(path, sizeof path, "%s/index", f->path);
    folder_remove(path);
    assert_int_equal(retiring_apply(f->path, retiring_going, 0),
                     0); /* the chain is checked once more */
    assert_int_equal(retiring_consistent(f->path), left);
}

/* Deletes segments beside a seal, between two of its segments or during one. That is no failure of
 * the seal. */
static bool retire_beside_seal(const struct seal_totals *totals, void *context)
{
    const char *path = context;
    struct folder folder;
    struct tdk_err err;
    (void)totals;
    taping_ok(folder_open(&folder, path, &err), &err);
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, NULL, &err), &err);
    return true;
}

static void what_goes_while_it_is_packed_leaves_nothing(void **state)
{
    struct retiring *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    const struct seal_tape_options options = {
        .threads = 1, .go_on = retire_beside_seal, .context = f->path};
    folder_remove(f->path);
    folder_make(f->path);
    taping_make(f->path, 40 * RETIRING_TICKS, 4096, 1 << 20); /* so that there is time for it */
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(totals.failed, 0);
    for (int i = 0; i < RETIRING_GOING; i++) {
        char name[128];
        taping_path(f->path, retiring_going[i], ".g1.seg", name);
        assert_false(retiring_is_there(f->path, retiring_going[i]) || access(name, F_OK) == 0);
    }
    telling_whole(f->path);
}

static void a_whole_epoch_may_go(void **state)
{
    struct retiring *f = *state;
    struct append *append = taping_open(f->path, 4096, 32 << 10);
    taping_ticks(append, "t", 100);
    taping_close(append);
    uint64_t all[32];
    size_t count = 0;
    while (retiring_is_there(f->path, count + 2) && count < 32) {
        all[count] = count + 1;
        count++;
    }
    assert_int_equal(retiring_apply(f->path, all, count), 0);
    struct told_gaps seen = telling_gaps(f->path);
    assert_int_equal(seen.ticks, 100);
    assert_int_equal(seen.retired, RETIRING_TICKS);
    assert_int_equal(seen.damaged, 0);
    telling_whole(f->path);
}

static int unlink_but_the_first(const char *path)
{
    return strstr(path, "/0000000001.") != NULL ? -EPERM : files_posix.unlink(path);
}

/* Its tombstone exists, so no plan has the segment again. Without this its file's room would be
 * lost until a writer starts. */
static void a_file_that_stays_keeps_no_other_and_goes_with_the_next(void **state)
{
    struct retiring *f = *state;
    struct folder folder;
    struct tdk_err err;
    struct file_ops ops = files_posix;
    enum retire_fate fates[8] = {RETIRE_LEASED};
    const struct retire_options options = {.each = retiring_note, .context = fates};
    fates[1] = fates[2] = fates[4] = RETIRE_LEASED;
    taping_ok(folder_open(&folder, f->path, &err), &err);
    ops.unlink = unlink_but_the_first;
    files = &ops;
    assert_int_equal(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err),
                     -EPERM);
    assert_non_null(strstr(err.text, "0000000001."));
    assert_true(retiring_is_there(f->path, 1));
    assert_false(retiring_is_there(f->path, 2) || retiring_is_there(f->path, 4));
    assert_int_equal(fates[1], RETIRE_LEASED);
    assert_int_equal(fates[2], RETIRE_DONE);
    assert_int_equal(fates[4], RETIRE_DONE);
    taping_ok(retire_segments(&folder, &retiring_going[1], 1, &options, &err),
              &err); /* nor with the next one */
    assert_true(retiring_is_there(f->path, 1));
    files = &files_posix;
    taping_ok(retire_segments(&folder, NULL, 0, &options, &err), &err);
    assert_false(retiring_is_there(f->path, 1));
    assert_int_equal(retiring_apply(f->path, NULL, 0), 0);
    retiring_consistent(f->path);
}

static int open_but_the_first(const char *path, int flags, mode_t mode)
{
    return strstr(path, "/0000000001.") != NULL ? -EACCES : files_posix.open(path, flags, mode);
}

/* Somebody else may have restored it. The caller must not take it for deleted. */
static void what_cannot_be_opened_is_told_and_keeps_no_other(void **state)
{
    struct retiring *f = *state;
    struct folder folder;
    struct tdk_err err;
    struct file_ops ops = files_posix;
    enum retire_fate fates[8] = {0};
    const struct retire_options options = {.each = retiring_note, .context = fates};
    taping_ok(folder_open(&folder, f->path, &err), &err);
    ops.open = open_but_the_first;
    files = &ops;
    taping_ok(retire_segments(&folder, retiring_going, RETIRING_GOING, &options, &err), &err);
    files = &files_posix;
    assert_int_equal(fates[1], RETIRE_UNREADABLE);
    assert_int_equal(fates[2], RETIRE_DONE);
    assert_true(retiring_is_there(f->path, 1));
}

struct meanwhile {
    struct told_gaps seen; /* first: the callbacks take the whole for it */
    const struct folder *folder;
    bool done;
};

/* Delete a segment that the walk has passed, and one that is still to come. */
static int retire_on_the_way(uint64_t bytes, uint64_t ticks, void *context)
{
    static const uint64_t more[] = {2, 4};
    struct meanwhile *m = context;
    struct tdk_err err;
    (void)bytes;
    if (ticks > 0 && !m->done)
        taping_ok(retire_segments(m->folder, more, 2, NULL, &err), &err);
    m->done = m->done || ticks > 0;
    return 0;
}

static void what_goes_while_it_is_counted_is_counted_once(void **state)
{
    struct retiring *f = *state;
    struct tdk_tape *tape;
    struct folder folder;
    struct tdk_err err;
    struct meanwhile m = {.folder = &folder};
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct tdk_coverage_walk walk = {.gap = telling_on_gap,
                                           .epoch = telling_on_epoch,
                                           .progress = retire_on_the_way,
                                           .context = &m};
    char leases[FOLDER_PATH + 16];
    assert_int_equal(retiring_apply(f->path, retiring_going, 1), 0);
    snprintf(leases, sizeof leases, "%s/leases", f->path);
    assert_int_equal(unlink(leases), 0); /* with it nothing would be deleted now */
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(tdk_tape_coverage(tape, &all, &walk, &err), &err);
    assert_true(m.done);
    assert_true(m.seen.retired > 0);
    assert_int_equal(m.seen.ticks + m.seen.retired, RETIRING_TICKS);
    assert_int_equal(m.seen.damaged, 0);
    tdk_tape_close(tape);
}

/* As `retain apply` may do while a recorder starts: it gets its turn, or waits for it. */
struct beside {
    const char *path;
    pthread_t thread;
    _Atomic bool began, done;
};

static void *retire_beside(void *context)
{
    static const uint64_t later[] = {4, 5};
    struct beside *b = context;
    struct folder folder;
    struct tdk_err err;
    taping_ok(folder_open(&folder, b->path, &err), &err);
    taping_ok(retire_segments(&folder, later, 2, NULL, &err), &err);
    b->done = true;
    return NULL;
}

static void begin_beside(const struct rebuild_totals *totals, void *context)
{
    struct beside *b = context;
    const struct timespec nap = {.tv_nsec = 10000000};
    (void)totals;
    if (b->began)
        return;
    b->began = true;
    assert_int_equal(pthread_create(&b->thread, NULL, retire_beside, b), 0);
    for (int i = 0; i < 50 && !b->done; i++)
        nanosleep(&nap, NULL);
}

static void what_goes_while_a_writer_starts_is_no_damage(void **state)
{
    struct retiring *f = *state;
    struct recovered tape;
    struct tdk_err err;
    struct beside b = {.path = f->path};
    const struct recover_options options = {.anew = true, .progress = begin_beside, .context = &b};
    taping_ok(recover_open(&tape, f->path, &options, &err), &err);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_int_equal(tape.report.damaged, 0);
    taping_ok(recover_close(&tape, true, &err), &err);
    assert_false(retiring_is_there(f->path, 4) || retiring_is_there(f->path, 5));
    retiring_consistent(f->path);
}

static void each_death_on_the_way_leaves_a_whole_tape(void **state)
{
    struct retiring *f = *state;
    unsigned failed = 0, at = 0;
    for (bool reached = true; reached;) {
        folder_remove(f->path);
        folder_make(f->path);
        taping_make(f->path, RETIRING_TICKS, 4096, 32 << 10);
        faulty_begin(++at, true, -EIO);
        int rc = retiring_apply(f->path, retiring_going, RETIRING_GOING);
        reached = faulty.calls >= faulty.fail_at;
        faulty_end();
        failed += rc < 0;
        struct told_gaps seen =
            telling_gaps(f->path); /* as a reader finds it before it is mended */
        assert_int_equal(seen.ticks + seen.retired, RETIRING_TICKS);
        assert_int_equal(seen.damaged, 0);
        assert_int_equal(telling_all(f->path, NULL).ticks, seen.ticks);
        assert_int_equal(retiring_apply(f->path, retiring_going, RETIRING_GOING), 0);
        for (int i = 0; i < RETIRING_GOING; i++)
            assert_false(retiring_is_there(f->path, retiring_going[i]));
        retiring_consistent(f->path);
    }
    assert_true(failed > 8);
}

/* ---- bytes ---- */

static void each_changed_byte_of_the_tombstones_is_found(void **state)
{
    struct retiring *f = *state;
    struct folder folder;
    struct retired *retired;
    struct tdk_err err;
    void *bytes;
    size_t size;
    assert_int_equal(retiring_apply(f->path, retiring_going, RETIRING_GOING), 0);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(retired_load(&retired, &folder, &err), &err);
    assert_int_equal(retired->range_count, 2);
    taping_ok(retired_encode(retired, folder.tape_id, &bytes, &size, &err), &err);
    retired_drop(retired);
    for (size_t i = 0; i < size; i++) {
        ((unsigned char *)bytes)[i] ^= 1;
        assert_true(retired_decode(&retired, bytes, size, folder.tape_id, NULL) < 0);
        ((unsigned char *)bytes)[i] ^= 1;
        assert_true(retired_decode(&retired, bytes, i, folder.tape_id, NULL) < 0);
    }
    taping_ok(retired_decode(&retired, bytes, size, folder.tape_id, &err), &err);
    retired_drop(retired);
    free(bytes);
}

static void stretches_are_trimmed_by_what_was_retired(void **state)
{
    struct retired *retired;
    struct tdk_err err;
    struct block_ref refs[2] = {{.epoch = 9, .first_seq = 1, .last_seq = 10, .track = 2},
                                {.epoch = 9, .first_seq = 21, .last_seq = 30, .track = 2}};
    const struct retired_range first = {.first = 1, .last = 1}, third = {.first = 3, .last = 3};
    (void)state;
    taping_ok(retired_empty(&retired, &err), &err);
    taping_ok(retired_add(retired, &third, &refs[1], 1, &err), &err);
    taping_ok(retired_add(retired, &first, &refs[0], 1, &err), &err);
    uint64_t from = 1, to = 30;
    assert_true(retired_trim(retired, 2, 9, &from, &to));
    assert_int_equal(from, 11);
    assert_int_equal(to, 20);
    from = 5, to = 8;
    assert_false(retired_trim(retired, 2, 9, &from, &to));
    from = 5, to = 8;
    assert_true(retired_trim(retired, 2, 8, &from, &to));

    uint64_t at = 1, missing_first, missing_last;
    assert_true(retired_next_missing(retired, &at, 4, &missing_first, &missing_last));
    assert_int_equal(missing_first, 2);
    assert_int_equal(missing_last, 2);
    assert_true(retired_next_missing(retired, &at, 4, &missing_first, &missing_last));
    assert_int_equal(missing_first, 4);
    assert_false(retired_next_missing(retired, &at, 4, &missing_first, &missing_last));
    retired_drop(retired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RETIRING(deleted_is_not_never_recorded_and_not_damage),
        RETIRING(a_segment_goes_when_its_tombstone_is_durable),
        RETIRING(without_its_index_the_tape_says_the_same),
        RETIRING(what_lost_its_tombstones_counts_as_missing),
        RETIRING(a_packed_segment_that_goes_leaves_its_link_in_the_chain),
        RETIRING(what_goes_while_it_is_packed_leaves_nothing),
        RETIRING(a_whole_epoch_may_go),
        RETIRING(a_file_that_stays_keeps_no_other_and_goes_with_the_next),
        RETIRING(what_cannot_be_opened_is_told_and_keeps_no_other),
        RETIRING(what_goes_while_it_is_counted_is_counted_once),
        RETIRING(what_goes_while_a_writer_starts_is_no_damage),
        RETIRING(each_death_on_the_way_leaves_a_whole_tape),
        RETIRING(each_changed_byte_of_the_tombstones_is_found),
        cmocka_unit_test(stretches_are_trimmed_by_what_was_retired),
    };
    return cmocka_run_group_tests_name("tape.retire", tests, NULL, NULL);
}
