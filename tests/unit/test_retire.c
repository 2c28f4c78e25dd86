/* Segments that are deleted on purpose: told as that, gone for good, whatever dies on the way. */
#include "tests/support/check.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tape/holds.h"
#include "tape/lease.h"
#include "tape/recover.h"
#include "tape/retire.h"
#include "tape/seal_tape.h"
#include "tape/verify.h"
#include "tapedeck/tape.h"
#include "tests/support/dirty.h"
#include "tests/support/faulty.h"
#include "tests/support/taping.h"

enum { TICKS = 3000, GOING = 3 };

struct fixture {
    char path[FOLDER_PATH];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_make(f->path);
    taping_make(f->path, TICKS, 4096, 32 << 10); /* some segments */
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    faulty_end();
    folder_remove(f->path);
    free(f);
    return 0;
}

static const uint64_t going[GOING] = {1, 2, 4};

/* As `tapedeck retain apply` does it. */
static int retire(const char *path, const uint64_t *segments, size_t count)
{
    struct recovered tape;
    struct tdk_err err;
    int rc = recover_open(&tape, path, false, NULL, NULL, &err);
    if (rc < 0)
        return rc;
    rc = retire_segments(&tape.folder, segments, count, NULL, &err);
    int closed = recover_close(&tape, true, &err);
    return rc < 0 ? rc : closed;
}

/* ---- what is there then ---- */

struct seen {
    uint64_t ticks, lost, damaged, retired;
    unsigned gaps;
};

static int on_gap(const struct tdk_gap *gap, void *context)
{
    struct seen *seen = context;
    seen->gaps++;
    assert_true(gap->retired == (gap->reason == TDK_LOSS_RETIRED));
    return 0;
}

static int on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct seen *seen = context;
    seen->ticks += epoch->ticks;
    seen->lost += epoch->lost;
    seen->damaged += epoch->damaged;
    seen->retired += epoch->retired;
    return 0;
}

static struct seen survey(const char *path)
{
    struct tdk_tape *tape;
    struct tdk_err err;
    struct seen seen = {.ticks = 0};
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct tdk_coverage_walk walk = {.gap = on_gap, .epoch = on_epoch, .context = &seen};
    taping_ok(tdk_tape_open(&tape, path, &err), &err);
    taping_ok(tdk_tape_coverage(tape, &all, &walk, &err), &err);
    tdk_tape_close(tape);
    return seen;
}

/* Ticks that a query gives; nothing on its way is damage. */
static uint64_t count_ticks(struct tdk_tape *tape, bool reverse)
{
    struct tdk_cursor *cursor;
    struct tdk_err err;
    struct tdk_run run;
    const struct tdk_query all = {.to = UINT64_MAX, .reverse = reverse};
    uint64_t ticks = 0;
    int rc;
    taping_ok(tdk_cursor_open(&cursor, tape, &all, &err), &err);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1)
        ticks += run.ticks;
    taping_ok(rc, &err);
    tdk_cursor_close(cursor);
    return ticks;
}

static uint64_t query(const char *path, bool reverse)
{
    struct tdk_tape *tape;
    struct tdk_err err;
    taping_ok(tdk_tape_open(&tape, path, &err), &err);
    uint64_t ticks = count_ticks(tape, reverse);
    tdk_tape_close(tape);
    return ticks;
}

static void on_finding(const struct verify_finding *finding, void *context)
{
    (void)context;
    print_message("%s\n", finding->what);
}

static void assert_whole(const char *path)
{
    struct tdk_err err;
    struct verify_totals totals;
    const struct verify_options options = {.threads = 1, .finding = on_finding};
    taping_ok(tape_verify(path, &options, &totals, &err), &err);
    assert_int_equal(totals.findings, 0);
}

/* Every tick is there or was deleted, and each way of asking says the same. */
static uint64_t assert_consistent(const char *path)
{
    struct seen seen = survey(path);
    assert_int_equal(seen.ticks + seen.retired, TICKS);
    assert_int_equal(seen.lost + seen.damaged, 0);
    assert_int_equal(query(path, false), seen.ticks);
    assert_int_equal(query(path, true), seen.ticks);
    assert_whole(path);
    return seen.ticks;
}

static bool is_there(const char *path, uint64_t segment)
{
    char name[128];
    taping_path(path, segment, ".seg", name);
    return access(name, F_OK) == 0;
}

/* ---- the tests ---- */

static void deleted_is_not_never_recorded_and_not_damage(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(assert_consistent(f->path), TICKS);
    assert_int_equal(retire(f->path, going, GOING), 0);
    for (int i = 0; i < GOING; i++)
        assert_false(is_there(f->path, going[i]));
    uint64_t left = assert_consistent(f->path);
    assert_true(left > 0 && left < TICKS);
    assert_int_equal(survey(f->path).gaps, 2); /* 1 and 2 are one, 4 is the other */
}

static void without_its_index_the_tape_says_the_same(void **state)
{
    struct fixture *f = *state;
    char path[128];
    assert_int_equal(retire(f->path, going, GOING), 0);
    uint64_t left = assert_consistent(f->path);
    snprintf(path, sizeof path, "%s/index", f->path);
    folder_remove(path);
    assert_int_equal(assert_consistent(f->path), left); /* in private memory */
    assert_int_equal(retire(f->path, going, 0), 0);     /* built anew, by a writer */
    assert_int_equal(assert_consistent(f->path), left);
}

/* Between two of them, or at one: whoever deletes beside a seal is no failure of it. */
static bool retire_beside_seal(const struct seal_totals *totals, void *context)
{
    const char *path = context;
    struct folder folder;
    struct tdk_err err;
    (void)totals;
    taping_ok(folder_open(&folder, path, &err), &err);
    taping_ok(retire_segments(&folder, going, GOING, NULL, &err), &err);
    return true;
}

static void what_goes_while_it_is_packed_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    const struct seal_tape_options options = {
        .threads = 1, .go_on = retire_beside_seal, .context = f->path};
    folder_remove(f->path);
    folder_make(f->path);
    taping_make(f->path, 40 * TICKS, 4096, 1 << 20); /* so that there is time to */
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(totals.failed, 0);
    for (int i = 0; i < GOING; i++) {
        char name[128];
        taping_path(f->path, going[i], ".g1.seg", name);
        assert_false(is_there(f->path, going[i]) || access(name, F_OK) == 0);
    }
    assert_whole(f->path);
}

/* What the next one's foot chains to is the segment as it was recorded, packed or not. */
static void a_packed_segment_that_goes_leaves_its_link_in_the_chain(void **state)
{
    const struct seal_tape_options options = {.threads = 1};
    struct fixture *f = *state;
    struct seal_totals totals;
    struct tdk_err err;
    char path[128];
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(retire(f->path, going, GOING), 0);
    uint64_t left = assert_consistent(f->path);
    snprintf(path, sizeof path, "%s/index", f->path);
    folder_remove(path);
    assert_int_equal(retire(f->path, going, 0), 0); /* the chain is looked at once more */
    assert_int_equal(assert_consistent(f->path), left);
}

static void what_lost_its_tombstones_counts_as_missing(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct recovered tape;
    struct tdk_err err;
    assert_int_equal(retire(f->path, going, GOING), 0);
    snprintf(path, sizeof path, "%s/retired", f->path);
    taping_store(path, "rubbish", 7);
    struct seen seen = survey(f->path);
    assert_true(seen.damaged > 0);
    assert_int_equal(seen.retired, 0);
    taping_ok(recover_open(&tape, f->path, false, NULL, NULL, &err), &err);
    assert_true(recover_lost(&tape.report));
    taping_ok(recover_close(&tape, true, &err), &err);
    snprintf(path, sizeof path, "%s/quarantine/retired", f->path);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_whole_epoch_may_go(void **state)
{
    struct fixture *f = *state;
    struct append *append = taping_open(f->path, 4096, 32 << 10);
    taping_ticks(append, "t", 100);
    taping_close(append);
    uint64_t all[32];
    size_t count = 0;
    while (is_there(f->path, count + 2) && count < 32) {
        all[count] = count + 1;
        count++;
    }
    assert_int_equal(retire(f->path, all, count), 0);
    struct seen seen = survey(f->path);
    assert_int_equal(seen.ticks, 100);
    assert_int_equal(seen.retired, TICKS);
    assert_int_equal(seen.damaged, 0);
    assert_whole(f->path);
}

static void a_segment_goes_when_its_tombstone_is_durable(void **state)
{
    struct fixture *f = *state;
    dirty_begin();
    assert_int_equal(retire(f->path, going, GOING), 0);
    assert_true(dirty_end() >= GOING);
}

static int note_fate(uint64_t segment, enum retire_fate fate, uint64_t bytes, void *context)
{
    enum retire_fate *fates = context;
    (void)bytes;
    fates[segment] = fate;
    return 0;
}

static void what_a_reader_needs_stays_until_it_is_done(void **state)
{
    struct fixture *f = *state;
    struct tdk_tape *tape;
    struct tdk_cursor *cursor, *other;
    struct folder folder;
    struct tdk_err err;
    struct tdk_run run;
    enum retire_fate fates[8] = {0};
    const uint64_t last = 5;
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct tdk_query early = {.to = TAPING_NOW + 1};
    const struct retire_options options = {.each = note_fate, .context = fates};
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(tdk_cursor_open(&cursor, tape, &all, &err), &err);
    taping_ok(tdk_cursor_open(&other, tape, &early, &err), &err);
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_LEASED);
    assert_int_equal(fates[4], RETIRE_LEASED);

    tdk_cursor_close(cursor); /* the other still needs the first */
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_LEASED);
    assert_int_equal(fates[2], RETIRE_DONE);
    assert_int_equal(fates[4], RETIRE_DONE);
    assert_true(is_there(f->path, 1));
    tdk_cursor_close(other);
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_DONE);

    /* Nor does who has read all of it and has not closed it yet. */
    taping_ok(tdk_cursor_open(&cursor, tape, &all, &err), &err);
    while (tdk_cursor_read(cursor, &run, &err) == 1)
        continue;
    taping_ok(retire_segments(&folder, &last, 1, &options, &err), &err);
    assert_int_equal(fates[last], RETIRE_DONE);
    tdk_cursor_close(cursor);

    /* A tape that was open all the while meets no damage: its index knows them, their file says
     * that they were deleted. */
    assert_true(count_ticks(tape, false) < TICKS);
    tdk_tape_close(tape);
}

/* A recorder that stops cannot wait for a job that hangs on another disk. */
static void who_cannot_wait_for_the_row_is_told(void **state)
{
    struct fixture *f = *state;
    struct folder folder;
    struct tdk_err err;
    int row;
    const struct retire_options options = {.row_wait_ms = 1};
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(leases_hold_row(&row, &folder, 0, &err), &err);
    const uint64_t begun_ns = clock_mono();
    assert_int_equal(retire_segments(&folder, going, GOING, &options, &err), TDK_EBUSY);
    taping_ok(retire_segments(&folder, going, 0, &options, &err), &err); /* nothing waits for it */
    assert_true(clock_mono() - begun_ns < 9 * NS_PER_S); /* unless said otherwise it is 10 s */
    assert_true(is_there(f->path, going[0]));
    leases_give_row(row);
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    assert_false(is_there(f->path, going[0]));
}

/* A plan of many segments takes its time, and who holds one meanwhile was told that it stays. */
static void what_is_held_behind_the_plan_stays(void **state)
{
    struct fixture *f = *state;
    struct folder folder;
    struct tdk_err err;
    enum retire_fate fates[8] = {0};
    const struct retire_options options = {.each = note_fate, .context = fates};
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(holds_change(&folder, &going[1], 1, HOLD_KEEP, &err), &err);
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_DONE);
    assert_int_equal(fates[2], RETIRE_HELD);
    assert_int_equal(fates[4], RETIRE_DONE);
    assert_true(is_there(f->path, 2));
    assert_int_equal(retire(f->path, NULL, 0), 0); /* a writer takes the others out of its index */
    assert_consistent(f->path);
}

static int unlink_but_the_first(const char *path)
{
    return strstr(path, "/0000000001.") != NULL ? -EPERM : files_posix.unlink(path);
}

/* Its tombstone is there, so no plan has it again: without this its room would be lost until a
 * writer starts. */
static void a_file_that_stays_keeps_no_other_and_goes_with_the_next(void **state)
{
    struct fixture *f = *state;
    struct folder folder;
    struct tdk_err err;
    struct file_ops ops = files_posix;
    enum retire_fate fates[8] = {RETIRE_LEASED};
    const struct retire_options options = {.each = note_fate, .context = fates};
    fates[1] = fates[2] = fates[4] = RETIRE_LEASED;
    taping_ok(folder_open(&folder, f->path, &err), &err);
    ops.unlink = unlink_but_the_first;
    files = &ops;
    assert_int_equal(retire_segments(&folder, going, GOING, &options, &err), -EPERM);
    assert_non_null(strstr(err.text, "0000000001."));
    assert_true(is_there(f->path, 1));
    assert_false(is_there(f->path, 2) || is_there(f->path, 4));
    assert_int_equal(fates[1], RETIRE_LEASED);
    assert_int_equal(fates[2], RETIRE_DONE);
    assert_int_equal(fates[4], RETIRE_DONE);
    taping_ok(retire_segments(&folder, &going[1], 1, &options, &err), &err); /* nor the next */
    assert_true(is_there(f->path, 1));
    files = &files_posix;
    taping_ok(retire_segments(&folder, NULL, 0, &options, &err), &err);
    assert_false(is_there(f->path, 1));
    assert_int_equal(retire(f->path, NULL, 0), 0);
    assert_consistent(f->path);
}

static int open_but_the_first(const char *path, int flags, mode_t mode)
{
    return strstr(path, "/0000000001.") != NULL ? -EACCES : files_posix.open(path, flags, mode);
}

/* Restored by somebody else, perhaps. Whoever asked must not take it for gone. */
static void what_cannot_be_opened_is_told_and_keeps_no_other(void **state)
{
    struct fixture *f = *state;
    struct folder folder;
    struct tdk_err err;
    struct file_ops ops = files_posix;
    enum retire_fate fates[8] = {0};
    const struct retire_options options = {.each = note_fate, .context = fates};
    taping_ok(folder_open(&folder, f->path, &err), &err);
    ops.open = open_but_the_first;
    files = &ops;
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    files = &files_posix;
    assert_int_equal(fates[1], RETIRE_UNREADABLE);
    assert_int_equal(fates[2], RETIRE_DONE);
    assert_true(is_there(f->path, 1));
}

/* Workers that were forked with the tape open: what one of them gives back is its own. */
static void what_a_forked_child_gives_back_its_parent_still_has(void **state)
{
    struct fixture *f = *state;
    struct tdk_tape *tape;
    struct tdk_cursor *before, *cursor, *childs;
    struct folder folder;
    struct tdk_err err;
    enum retire_fate fates[8] = {0};
    int go[2], status;
    char any;
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct retire_options options = {.each = note_fate, .context = fates};
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
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    assert_int_equal(fates[going[0]], RETIRE_LEASED);
    tdk_cursor_close(cursor);
    taping_ok(retire_segments(&folder, going, GOING, &options, &err), &err);
    assert_int_equal(fates[going[0]], RETIRE_DONE);
    tdk_tape_close(tape);
    close(go[0]);
    close(go[1]);
}

/* Of ticks whose time cannot be no segment tells where they lie. */
static void what_has_no_time_is_held_by_who_may_read_it(void **state)
{
    struct fixture *f = *state;
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct folder folder;
    struct tdk_err err;
    enum retire_fate fates[8] = {0};
    const uint64_t last = 2;
    const struct tdk_query late = {.from = UINT64_MAX - 1000, .to = UINT64_MAX};
    const struct retire_options options = {.each = note_fate, .context = fates};
    folder_remove(f->path);
    folder_make(f->path);
    struct append *append = taping_open(f->path, 4096, 32 << 10);
    taping_ok(append_begin(append, "t", TDK_KIND_OPAQUE, &err), &err);
    for (unsigned i = 0; i < TICKS; i++)
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

struct meanwhile {
    struct seen seen; /* first: the callbacks take it for all there is */
    const struct folder *folder;
    bool done;
};

/* What was passed already goes, and what is still to come. */
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
    struct fixture *f = *state;
    struct tdk_tape *tape;
    struct folder folder;
    struct tdk_err err;
    struct meanwhile m = {.folder = &folder};
    const struct tdk_query all = {.to = UINT64_MAX};
    const struct tdk_coverage_walk walk = {
        .gap = on_gap, .epoch = on_epoch, .progress = retire_on_the_way, .context = &m};
    char leases[FOLDER_PATH + 16];
    assert_int_equal(retire(f->path, going, 1), 0);
    snprintf(leases, sizeof leases, "%s/leases", f->path);
    assert_int_equal(unlink(leases), 0); /* with it nothing would go now */
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(tdk_tape_coverage(tape, &all, &walk, &err), &err);
    assert_true(m.done);
    assert_true(m.seen.retired > 0);
    assert_int_equal(m.seen.ticks + m.seen.retired, TICKS);
    assert_int_equal(m.seen.damaged, 0);
    tdk_tape_close(tape);
}

/* As `retain apply` may, while a recorder starts: it has its turn, or waits for it. */
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
    struct fixture *f = *state;
    struct recovered tape;
    struct tdk_err err;
    struct beside b = {.path = f->path};
    const struct recover_options options = {.anew = true, .progress = begin_beside, .context = &b};
    taping_ok(recover_open_with(&tape, f->path, &options, &err), &err);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_int_equal(tape.report.damaged, 0);
    taping_ok(recover_close(&tape, true, &err), &err);
    assert_false(is_there(f->path, 4) || is_there(f->path, 5));
    assert_consistent(f->path);
}

static void each_death_on_the_way_leaves_a_whole_tape(void **state)
{
    struct fixture *f = *state;
    unsigned failed = 0, at = 0;
    for (bool reached = true; reached;) {
        folder_remove(f->path);
        folder_make(f->path);
        taping_make(f->path, TICKS, 4096, 32 << 10);
        faulty_begin(++at, true, -EIO);
        int rc = retire(f->path, going, GOING);
        reached = faulty.calls >= faulty.fail_at;
        faulty_end();
        failed += rc < 0;
        struct seen seen = survey(f->path); /* as a reader finds it, before anybody mends it */
        assert_int_equal(seen.ticks + seen.retired, TICKS);
        assert_int_equal(seen.damaged, 0);
        assert_int_equal(query(f->path, false), seen.ticks);
        assert_int_equal(retire(f->path, going, GOING), 0);
        for (int i = 0; i < GOING; i++)
            assert_false(is_there(f->path, going[i]));
        assert_consistent(f->path);
    }
    assert_true(failed > 8);
}

static void holds_are_kept_until_they_are_released(void **state)
{
    struct fixture *f = *state;
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

/* ---- bytes ---- */

static void each_changed_byte_of_the_tombstones_is_found(void **state)
{
    struct fixture *f = *state;
    struct folder folder;
    struct retired *retired;
    struct tdk_err err;
    void *bytes;
    size_t size;
    assert_int_equal(retire(f->path, going, GOING), 0);
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
        cmocka_unit_test_setup_teardown(deleted_is_not_never_recorded_and_not_damage, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_segment_goes_when_its_tombstone_is_durable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_its_index_the_tape_says_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(what_lost_its_tombstones_counts_as_missing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_packed_segment_that_goes_leaves_its_link_in_the_chain,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_goes_while_it_is_packed_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_whole_epoch_may_go, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_forked_child_gives_back_its_parent_still_has, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_reader_needs_stays_until_it_is_done, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_cannot_wait_for_the_row_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_behind_the_plan_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_stays_keeps_no_other_and_goes_with_the_next,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_told_and_keeps_no_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_has_no_time_is_held_by_who_may_read_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_goes_while_it_is_counted_is_counted_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_goes_while_a_writer_starts_is_no_damage, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_death_on_the_way_leaves_a_whole_tape, setup, teardown),
        cmocka_unit_test_setup_teardown(holds_are_kept_until_they_are_released, setup, teardown),
        cmocka_unit_test_setup_teardown(each_changed_byte_of_the_tombstones_is_found, setup,
                                        teardown),
        cmocka_unit_test(stretches_are_trimmed_by_what_was_retired),
    };
    return cmocka_run_group_tests_name("tape.retire", tests, NULL, NULL);
}
