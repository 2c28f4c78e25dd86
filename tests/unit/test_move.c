/* Segments on another disk: the tape answers as before, whatever dies on the way, and says what is
 * missing when the disk is. */
#include "tests/support/check.h"

#include <string.h>

#include "tape/move.h"
#include "tape/recover.h"
#include "tape/retain_plan.h"
#include "tape/retire.h"
#include "tape/seal_tape.h"
#include "tape/verify.h"
#include "tapedeck/digest.h"
#include "tapedeck/tape.h"
#include "tests/support/dirty.h"
#include "tests/support/faulty.h"
#include "tests/support/taping.h"

enum { TICKS = 3000, MOVED = 3 };

struct fixture {
    char path[FOLDER_PATH], disk[FOLDER_PATH];
};

static void make(struct fixture *f)
{
    folder_make(f->path);
    folder_make(f->disk);
    taping_make(f->path, TICKS, 4096, 32 << 10); /* some segments */
}

static void unmake(struct fixture *f)
{
    folder_remove(f->path);
    folder_remove(f->disk);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    make(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    faulty_end();
    unmake(f);
    free(f);
    return 0;
}

/* As `tapedeck move` does it: the first three segments, there or back. */
static int move_some(const struct fixture *f, bool back, struct move_totals *totals)
{
    const struct move_options options = {.back = back, .first = 1, .last = MOVED};
    struct folder folder;
    struct annex_meta meta;
    struct tdk_err err;
    *totals = (struct move_totals){.segments = 0};
    int rc = folder_open(&folder, f->path, &err);
    if (rc == 0)
        rc = move_join(&folder, f->disk, &meta, &err);
    if (rc < 0)
        return rc;
    char disk[FOLDER_PATH];
    struct annex annex = {.path = disk};
    memcpy(disk, f->disk, sizeof disk);
    memcpy(annex.id, meta.id, sizeof annex.id);
    return move_segments(&folder, &annex, &options, totals, &err);
}

static void move_ok(const struct fixture *f, bool back)
{
    struct move_totals totals;
    assert_int_equal(move_some(f, back, &totals), 0);
    assert_int_equal(totals.segments, MOVED);
    assert_int_equal(totals.failed, 0);
}

/* ---- what is there then ---- */

struct answer {
    uint64_t ticks;
    unsigned damages;
    char digest[33];
};

static struct answer ask(struct tdk_tape *tape, bool reverse)
{
    struct tdk_cursor *cursor;
    struct tdk_digest *digest;
    struct tdk_err err;
    struct tdk_run run;
    const struct tdk_query all = {.to = UINT64_MAX, .reverse = reverse};
    struct answer answer = {.ticks = 0};
    int rc;
    assert_int_equal(tdk_digest_open(&digest), 0);
    taping_ok(tdk_cursor_open(&cursor, tape, &all, &err), &err);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1 || rc == TDK_ECORRUPT) {
        if (rc == 1) {
            tdk_digest_run(digest, run.track, run.epoch, run.frames, run.size);
            answer.ticks += run.ticks;
            continue;
        }
        answer.damages++;
        assert_non_null(strstr(err.text, "move --relocate"));
    }
    taping_ok(rc, &err);
    uint8_t value[16];
    tdk_digest_value(digest, value, answer.digest);
    tdk_cursor_close(cursor);
    tdk_digest_close(digest);
    return answer;
}

static struct answer query(const char *path)
{
    struct tdk_tape *tape;
    struct tdk_err err;
    taping_ok(tdk_tape_open(&tape, path, &err), &err);
    struct answer answer = ask(tape, false);
    assert_int_equal(ask(tape, true).ticks, answer.ticks);
    tdk_tape_close(tape);
    return answer;
}

static void on_finding(const struct verify_finding *finding, void *context)
{
    (void)context;
    print_message("%s\n", finding->what);
}

static struct verify_totals verify(const char *path)
{
    struct tdk_err err;
    struct verify_totals totals;
    const struct verify_options options = {.threads = 1, .finding = on_finding};
    taping_ok(tape_verify(path, &options, &totals, &err), &err);
    return totals;
}

static void assert_whole(const struct fixture *f, const char *digest)
{
    struct answer answer = query(f->path);
    assert_int_equal(answer.ticks, TICKS);
    assert_int_equal(answer.damages, 0);
    assert_string_equal(answer.digest, digest);
    struct verify_totals totals = verify(f->path);
    assert_int_equal(totals.findings + totals.away, 0);
}

struct seen {
    uint64_t ticks, missing, away;
};

static int on_gap(const struct tdk_gap *gap, void *context)
{
    struct seen *seen = context;
    assert_true(gap->away == (gap->reason == TDK_LOSS_AWAY));
    assert_false(gap->damaged && gap->away);
    seen->missing += gap->count;
    return 0;
}

static int on_epoch(const struct tdk_epoch_coverage *epoch, void *context)
{
    struct seen *seen = context;
    seen->ticks += epoch->ticks;
    seen->away += epoch->away;
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

/* What a writer does at its start, with the index deleted. */
static void rebuild(const char *path)
{
    char index[128];
    struct recovered tape;
    struct tdk_err err;
    snprintf(index, sizeof index, "%s/index", path);
    folder_remove(index);
    taping_ok(recover_open(&tape, path, false, NULL, NULL, &err), &err);
    assert_int_equal(tape.report.damaged + tape.report.set_aside, 0);
    taping_ok(recover_close(&tape, true, &err), &err);
}

static bool is_file(const char *folder, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static uint64_t room_of(const char *tape, uint64_t number)
{
    char path[128];
    struct stat file;
    taping_path(tape, number, ".seg", path);
    assert_int_equal(stat(path, &file), 0);
    return (uint64_t)file.st_blocks * 512;
}

/* ---- the tests ---- */

static void moved_segments_answer_as_before(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    uint64_t room = room_of(f->path, 1);
    move_ok(f, false);
    assert_true(is_file(f->disk, "0000000001.seg"));
    assert_true(room_of(f->path, 1) < room);
    assert_whole(f, before.digest);
    rebuild(f->path);
    assert_whole(f, before.digest);
    move_ok(f, true);
    assert_false(is_file(f->disk, "0000000001.seg"));
    assert_whole(f, before.digest);
}

/* There: its stub takes a segment's place. Back: the one on the disk is removed, too. */
static void nothing_gives_way_before_its_copy_is_durable(void **state)
{
    struct fixture *f = *state;
    move_ok(f, false); /* the first time the disk becomes the tape's, too */
    move_ok(f, true);
    dirty_begin();
    move_ok(f, false);
    assert_int_equal(dirty_end(), MOVED);
    dirty_begin();
    move_ok(f, true);
    assert_int_equal(dirty_end(), 2 * MOVED);
}

/* A disk that keeps something else than it was given. */
static ssize_t rotting_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    unsigned char *rotten = malloc(size);
    assert_non_null(rotten);
    memcpy(rotten, bytes, size);
    rotten[size / 2] ^= 1;
    ssize_t rc = files_posix.pwrite(fd, rotten, size, offset);
    free(rotten);
    return rc;
}

static void what_does_not_read_back_as_it_was_written_stays_at_home(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    struct move_totals totals;
    struct file_ops rotting = files_posix;
    move_ok(f, false);
    move_ok(f, true);
    rotting.pwrite = rotting_pwrite;
    files = &rotting;
    assert_int_equal(move_some(f, false, &totals), 0);
    files = &files_posix;
    assert_int_equal(totals.segments, 0);
    assert_int_equal(totals.failed, MOVED);
    assert_int_equal(folder_count(f->disk), 1); /* annex.meta */
    assert_whole(f, before.digest);
}

static void a_disk_that_is_not_there_is_neither_damage_nor_loss(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    char gone[FOLDER_PATH + 8];
    move_ok(f, false);
    snprintf(gone, sizeof gone, "%s.gone", f->disk);
    assert_int_equal(rename(f->disk, gone), 0);
    for (int turn = 0; turn < 2; turn++) {
        struct answer rest = query(f->path);
        struct seen seen = survey(f->path);
        assert_true(rest.ticks > 0 && rest.ticks < TICKS && rest.damages > 0);
        assert_int_equal(seen.ticks, rest.ticks);
        assert_int_equal(seen.away, TICKS - rest.ticks);
        assert_int_equal(seen.missing, seen.away);
        struct verify_totals totals = verify(f->path);
        assert_int_equal(totals.findings, 0);
        assert_int_equal(totals.away, MOVED);
        rebuild(f->path); /* and the index still knows of them */
    }
    struct move_totals totals;
    assert_int_equal(move_some(f, true, &totals), -ENOENT);
    assert_int_equal(rename(gone, f->disk), 0);
    assert_whole(f, before.digest);
}

static void another_disk_under_that_path_is_not_taken_for_it(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    struct move_totals totals;
    char gone[FOLDER_PATH + 8];
    uint8_t id[16] = {1}, other[16] = {2};
    struct tdk_err err;
    move_ok(f, false);
    snprintf(gone, sizeof gone, "%s.gone", f->disk);
    assert_int_equal(rename(f->disk, gone), 0);
    assert_int_equal(mkdir(f->disk, 0700), 0);
    assert_int_equal(move_some(f, false, &totals), TDK_EAWAY); /* it is not made another one */
    taping_ok(annex_write_meta(f->disk, other, id, &err), &err);
    assert_int_equal(move_some(f, false, &totals), TDK_EFOREIGN);
    assert_true(survey(f->path).away > 0);
    folder_remove(f->disk);
    assert_int_equal(rename(gone, f->disk), 0);
    assert_whole(f, before.digest);
}

static void a_disk_may_be_mounted_elsewhere(void **state)
{
    struct fixture *f = *state, there = *f;
    struct answer before = query(f->path);
    struct move_totals totals;
    move_ok(f, false);
    folder_make(there.disk);
    assert_int_equal(rename(f->disk, there.disk), 0);
    assert_true(survey(f->path).away > 0);
    assert_int_equal(move_some(&there, false, &totals), 0);
    assert_int_equal(totals.segments, 0);
    assert_whole(f, before.digest);
    memcpy(f->disk, there.disk, sizeof f->disk);
}

static void what_is_gone_from_the_annex_is_damage(void **state)
{
    struct fixture *f = *state;
    char path[160];
    move_ok(f, false);
    snprintf(path, sizeof path, "%s/0000000002.seg", f->disk);
    assert_int_equal(unlink(path), 0);
    struct seen seen = survey(f->path);
    assert_int_equal(seen.away, 0);
    assert_true(seen.missing > 0);
    assert_int_equal(verify(f->path).findings, 1);
}

static void a_reader_with_the_old_file_open_finishes_with_it(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    struct tdk_tape *tape;
    struct tdk_err err;
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    assert_string_equal(ask(tape, false).digest, before.digest); /* all are open now */
    move_ok(f, false);
    assert_string_equal(ask(tape, false).digest, before.digest);
    move_ok(f, true);
    assert_string_equal(ask(tape, false).digest, before.digest);
    tdk_tape_close(tape);
}

static void deleted_means_on_the_other_disk_too(void **state)
{
    static const uint64_t going[] = {1, 2};
    struct fixture *f = *state;
    struct folder folder;
    struct tdk_err err;
    move_ok(f, false);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(retire_segments(&folder, going, 2, NULL, &err), &err);
    assert_false(is_file(f->disk, "0000000001.seg"));
    assert_true(is_file(f->disk, "0000000003.seg"));
    assert_int_equal(survey(f->path).away, 0);
    rebuild(f->path);
    assert_int_equal(verify(f->path).findings, 0);
}

static int note_fate(uint64_t segment, enum retire_fate fate, uint64_t bytes, void *context)
{
    enum retire_fate *fates = context;
    (void)bytes;
    fates[segment] = fate;
    return 0;
}

static void what_is_away_is_not_deleted_behind_its_back(void **state)
{
    static const uint64_t going[] = {1};
    struct fixture *f = *state;
    struct folder folder;
    struct tdk_err err;
    char gone[FOLDER_PATH + 8];
    enum retire_fate fates[2] = {RETIRE_DONE, RETIRE_DONE};
    const struct retire_options options = {.each = note_fate, .context = fates};
    const struct retain_policy policy = {.max_segments = 1};
    struct recovered tape;
    struct retain_plan plan;
    move_ok(f, false);
    snprintf(gone, sizeof gone, "%s.gone", f->disk);
    assert_int_equal(rename(f->disk, gone), 0);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(retire_segments(&folder, going, 1, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_AWAY);
    taping_ok(recover_open(&tape, f->path, false, NULL, NULL, &err), &err);
    taping_ok(retain_plan_make(&plan, &tape.folder, tape.index, &policy, NULL, &err), &err);
    assert_int_equal(plan.items[0].pin, PIN_AWAY);
    assert_true(plan.items[0].elsewhere && !plan.items[MOVED].elsewhere);
    retain_plan_close(&plan);
    taping_ok(recover_close(&tape, true, &err), &err);
    assert_int_equal(rename(gone, f->disk), 0);
}

/* Who was killed with the copy made and the stub not yet: nothing here knows of it. */
static void what_was_deleted_on_its_way_there_goes_with_the_next_move(void **state)
{
    static const uint64_t going[] = {4, 5};
    struct fixture *f = *state;
    struct move_totals totals;
    struct folder folder;
    struct tdk_err err;
    char here[128], there[FOLDER_PATH + 24];
    size_t size;
    move_ok(f, false);
    taping_path(f->path, 4, ".seg", here);
    unsigned char *whole = taping_load(here, &size);
    snprintf(there, sizeof there, "%s/0000000004.seg", f->disk);
    taping_store(there, whole, size);
    snprintf(there, sizeof there, "%s/0000000005.seg", f->disk);
    taping_store(there, "somebody's", 10);
    free(whole);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(retire_segments(&folder, going, 2, NULL, &err), &err);
    assert_int_equal(move_some(f, false, &totals), 0);
    assert_false(is_file(f->disk, "0000000004.seg"));
    assert_true(is_file(f->disk, "0000000005.seg"));
    assert_true(is_file(f->disk, "0000000003.seg"));
}

static const char *read_only; /* a folder */

static int unlink_elsewhere(const char *path)
{
    return strncmp(path, read_only, strlen(read_only)) == 0 ? -EROFS : files_posix.unlink(path);
}

/* As the kernel makes a disk that fails. What was deleted from it counts no more all the same. */
static void a_disk_that_may_only_be_read_keeps_no_writer_from_the_tape(void **state)
{
    static const uint64_t going[] = {1};
    struct fixture *f = *state;
    struct folder folder;
    struct recovered tape;
    struct tdk_err err;
    struct file_ops ops = files_posix;
    move_ok(f, false);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    read_only = f->disk;
    ops.unlink = unlink_elsewhere;
    files = &ops;
    assert_true(retire_segments(&folder, going, 1, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "Read-only"));
    taping_ok(recover_open(&tape, f->path, false, NULL, NULL, &err), &err);
    taping_ok(recover_close(&tape, true, &err), &err);
    files = &files_posix;
    assert_true(is_file(f->disk, "0000000001.seg"));
    taping_ok(recover_open(&tape, f->path, false, NULL, NULL, &err), &err);
    taping_ok(recover_close(&tape, true, &err), &err);
    assert_false(is_file(f->disk, "0000000001.seg"));
    assert_int_equal(verify(f->path).findings, 0);
}

static const char *retiring; /* the tape of which the second goes when the first is opened */

static int unlink_there_alone(const char *path)
{
    return strstr(path, "/segments/0000000002.seg") != NULL ? -EIO : files_posix.unlink(path);
}

static int open_and_retire(const char *path, int flags, mode_t mode)
{
    static const uint64_t second = 2;
    const struct file_ops *hook = files;
    struct file_ops half_way = files_posix;
    struct folder folder;
    if (retiring != NULL && strstr(path, "/segments/0000000001.seg") != NULL) {
        assert_int_equal(folder_open(&folder, retiring, NULL), 0);
        retiring = NULL;
        half_way.unlink = unlink_there_alone;
        files = &half_way;
        assert_int_equal(retire_segments(&folder, &second, 1, NULL, NULL), -EIO);
        files = hook;
    }
    return files_posix.open(path, flags, mode);
}

/* Its whole file is gone already, and what stayed here is not yet. */
static void what_is_being_deleted_while_it_is_verified_is_no_damage(void **state)
{
    struct fixture *f = *state;
    struct file_ops hook = files_posix;
    move_ok(f, false);
    hook.open = open_and_retire;
    retiring = f->path;
    files = &hook;
    struct verify_totals totals = verify(f->path);
    files = &files_posix;
    assert_null(retiring);
    assert_false(is_file(f->disk, "0000000002.seg"));
    assert_int_equal(totals.findings + totals.away, 0);
}

/* Nobody can say where it is: it stays, and others go in its place. */
static void what_is_moved_stays_where_the_list_of_disks_is_rotten(void **state)
{
    struct fixture *f = *state;
    const struct retain_policy policy = {.max_segments = 1};
    struct recovered tape;
    struct retain_plan plan;
    struct tdk_err err;
    char path[FOLDER_PATH + 16];
    move_ok(f, false);
    snprintf(path, sizeof path, "%s/annexes", f->path);
    assert_int_equal(truncate(path, 9), 0);
    taping_ok(recover_open(&tape, f->path, false, NULL, NULL, &err), &err);
    taping_ok(retain_plan_make(&plan, &tape.folder, tape.index, &policy, NULL, &err), &err);
    assert_int_equal(plan.items[0].pin, PIN_AWAY);
    assert_int_equal(plan.items[0].why, RETAIN_STAYS);
    assert_int_equal(plan.items[MOVED].why, RETAIN_SEGMENTS);
    assert_true(plan.verdict.unmet);
    retain_plan_close(&plan);
    taping_ok(recover_close(&tape, true, &err), &err);
}

static void what_was_moved_is_not_packed_and_what_is_packed_may_be_moved(void **state)
{
    struct fixture *f = *state;
    const struct seal_tape_options options = {.threads = 1};
    struct seal_totals totals;
    struct tdk_err err;
    struct answer before = query(f->path);
    move_ok(f, false);
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(totals.moved, MOVED);
    assert_true(totals.segments > 0);
    assert_whole(f, before.digest);
    move_ok(f, true);
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(totals.segments, MOVED);
    move_ok(f, false);
    assert_true(is_file(f->disk, "0000000001.g1.seg"));
    assert_whole(f, before.digest);
}

/* The tape has a copy of it, and answers by that. */
static void a_rotten_foot_there_does_not_replace_the_good_one_here(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    struct move_totals totals;
    char path[FOLDER_PATH + 24];
    move_ok(f, false);
    snprintf(path, sizeof path, "%s/0000000002.seg", f->disk);
    size_t size;
    unsigned char *bytes = taping_load(path, &size);
    bytes[size - 100] ^= 1;
    taping_store(path, bytes, size);
    free(bytes);
    assert_int_equal(move_some(f, true, &totals), 0);
    assert_int_equal(totals.failed, 1);
    assert_true(is_file(f->disk, "0000000002.seg"));
    assert_string_equal(query(f->path).digest, before.digest);
}

/* Where the files of another tape are, perhaps the only ones. */
static void what_others_have_there_is_not_written_over(void **state)
{
    struct fixture *f = *state, there = *f;
    char other[FOLDER_PATH];
    struct move_totals totals;
    folder_make(other);
    taping_make(other, TICKS - 1, 4096, 32 << 10);
    struct answer before = query(f->path), theirs = query(other);
    snprintf(there.disk, sizeof there.disk, "%.40s/segments", other);
    assert_int_equal(move_some(&there, false, &totals), 0);
    assert_int_equal(totals.segments, 0);
    assert_int_equal(totals.failed, MOVED);
    assert_string_equal(query(other).digest, theirs.digest);
    assert_int_equal(verify(other).findings, 0);
    assert_whole(f, before.digest);
    folder_remove(other);
}

static int sync_fails(int fd)
{
    (void)fd;
    return -EIO;
}

/* Who was killed behind the rename has not synced the folder: in a power cut the stub is back. */
static void the_one_there_goes_when_the_one_here_has_its_name_for_good(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    struct move_totals totals;
    struct file_ops ops = files_posix;
    char here[128], there[FOLDER_PATH + 24];
    size_t size;
    move_ok(f, false);
    taping_path(f->path, 1, ".seg", here);
    snprintf(there, sizeof there, "%s/0000000001.seg", f->disk);
    unsigned char *whole = taping_load(there, &size);
    taping_store(here, whole, size);
    free(whole);
    ops.fsync = sync_fails;
    files = &ops;
    assert_int_equal(move_some(f, true, &totals), -EIO);
    files = &files_posix;
    assert_true(is_file(f->disk, "0000000001.seg"));
    assert_int_equal(move_some(f, true, &totals), 0);
    assert_false(is_file(f->disk, "0000000001.seg"));
    assert_whole(f, before.digest);
}

/* Each byte that says where it is, and what it has. */
static void a_rotten_head_costs_no_block(void **state)
{
    struct fixture *f = *state;
    struct answer before = query(f->path);
    char path[128];
    size_t size;
    move_ok(f, false);
    taping_path(f->path, 2, ".seg", path);
    unsigned char *bytes = taping_load(path, &size);
    for (size_t at = 0; at < 2 * STUB_HEAD_COPY; at += 7) {
        bytes[at] ^= 0x10;
        taping_store(path, bytes, size);
        struct answer answer = query(f->path);
        assert_string_equal(answer.digest, before.digest);
        assert_true(verify(f->path).findings > 0);
        bytes[at] ^= 0x10;
    }
    taping_store(path, bytes, size);
    free(bytes);
    assert_whole(f, before.digest);
}

/* Every call that changes something fails in turn, and all behind it: there, and back. */
static void each_death_on_the_way_leaves_a_whole_tape(void **state)
{
    struct fixture *f = *state;
    for (int back = 0; back < 2; back++) {
        unsigned failed = 0, at = 0;
        for (bool reached = true; reached;) {
            struct move_totals totals;
            unmake(f);
            make(f);
            struct answer before = query(f->path);
            if (back)
                move_ok(f, false);
            faulty_begin(++at, true, -EIO);
            int rc = move_some(f, back != 0, &totals);
            reached = faulty.calls >= faulty.fail_at;
            faulty_end();
            failed += rc < 0 || totals.failed > 0;
            assert_string_equal(query(f->path).digest, before.digest);
            rebuild(f->path); /* a recorder starts before anybody goes on with it */
            assert_int_equal(move_some(f, back != 0, &totals), 0);
            assert_int_equal(totals.failed, 0);
            assert_whole(f, before.digest);
            assert_true(is_file(f->disk, "0000000001.seg") == !back);
        }
        assert_true(failed > 8);
    }
}

/* ---- bytes ---- */

static void each_changed_byte_of_the_list_is_found(void **state)
{
    const uint8_t tape_id[16] = {7}, one[16] = {1}, two[16] = {2};
    struct annexes annexes = {.count = 0};
    struct tdk_err err;
    void *bytes;
    size_t size;
    (void)state;
    taping_ok(annexes_put(&annexes, one, "/mnt/cold", &err), &err);
    taping_ok(annexes_put(&annexes, two, "/mnt/colder", &err), &err);
    taping_ok(annexes_put(&annexes, one, "/mnt/cold one", &err), &err);
    assert_int_equal(annexes_put(&annexes, one, "cold", NULL), TDK_EVALUE);
    assert_int_equal(annexes.count, 2);
    taping_ok(annexes_encode(&annexes, tape_id, &bytes, &size, &err), &err);
    annexes_close(&annexes);
    for (size_t i = 0; i < size; i++) {
        ((unsigned char *)bytes)[i] ^= 1;
        assert_true(annexes_decode(&annexes, bytes, size, tape_id, NULL) < 0);
        ((unsigned char *)bytes)[i] ^= 1;
        assert_true(annexes_decode(&annexes, bytes, i, tape_id, NULL) < 0);
    }
    assert_int_equal(annexes_decode(&annexes, bytes, size, one, NULL), TDK_EFOREIGN);
    taping_ok(annexes_decode(&annexes, bytes, size, tape_id, &err), &err);
    assert_string_equal(annexes_find(&annexes, one)->path, "/mnt/cold one");
    assert_string_equal(annexes_find(&annexes, two)->path, "/mnt/colder");
    assert_null(annexes_find(&annexes, tape_id));
    annexes_close(&annexes);
    free(bytes);
}

#define MOVING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVING(moved_segments_answer_as_before),
        MOVING(nothing_gives_way_before_its_copy_is_durable),
        MOVING(what_does_not_read_back_as_it_was_written_stays_at_home),
        MOVING(a_disk_that_is_not_there_is_neither_damage_nor_loss),
        MOVING(another_disk_under_that_path_is_not_taken_for_it),
        MOVING(a_disk_may_be_mounted_elsewhere),
        MOVING(what_is_gone_from_the_annex_is_damage),
        MOVING(a_reader_with_the_old_file_open_finishes_with_it),
        MOVING(deleted_means_on_the_other_disk_too),
        MOVING(what_is_away_is_not_deleted_behind_its_back),
        MOVING(what_was_deleted_on_its_way_there_goes_with_the_next_move),
        MOVING(a_disk_that_may_only_be_read_keeps_no_writer_from_the_tape),
        MOVING(what_is_being_deleted_while_it_is_verified_is_no_damage),
        MOVING(a_rotten_foot_there_does_not_replace_the_good_one_here),
        MOVING(what_is_moved_stays_where_the_list_of_disks_is_rotten),
        MOVING(what_was_moved_is_not_packed_and_what_is_packed_may_be_moved),
        MOVING(what_others_have_there_is_not_written_over),
        MOVING(the_one_there_goes_when_the_one_here_has_its_name_for_good),
        MOVING(a_rotten_head_costs_no_block),
        MOVING(each_death_on_the_way_leaves_a_whole_tape),
        cmocka_unit_test(each_changed_byte_of_the_list_is_found),
    };
    return cmocka_run_group_tests_name("tape.move", tests, NULL, NULL);
}
