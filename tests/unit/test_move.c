/* Segments move to another disk and back. The tape answers as before, whatever dies on the way. */
#include "tests/support/moving.h"

#include "tape/seal_tape.h"
#include "tape/stub.h"
#include "tests/support/dirty.h"

static uint64_t room_of(const char *tape, uint64_t number)
{
    char path[128];
    struct stat file;
    taping_path(tape, number, ".seg", path);
    assert_int_equal(stat(path, &file), 0);
    return (uint64_t)file.st_blocks * 512;
}

static void moved_segments_answer_as_before(void **state)
{
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    uint64_t room = room_of(f->path, 1);
    moving_ok(f, false);
    assert_true(moving_is_file(f->disk, "0000000001.seg"));
    assert_true(room_of(f->path, 1) < room);
    moving_whole(f, before.digest);
    moving_rebuild(f->path);
    moving_whole(f, before.digest);
    moving_ok(f, true);
    assert_false(moving_is_file(f->disk, "0000000001.seg"));
    moving_whole(f, before.digest);
}

/* On the way there, its stub takes the segment's place. On the way back, the file on the disk is
 * removed, too. */
static void nothing_gives_way_before_its_copy_is_durable(void **state)
{
    struct moving *f = *state;
    moving_ok(f, false); /* the first move also makes the disk the tape's */
    moving_ok(f, true);
    dirty_begin();
    moving_ok(f, false);
    assert_int_equal(dirty_end(), MOVING_MOVED);
    dirty_begin();
    moving_ok(f, true);
    assert_int_equal(dirty_end(), 2 * MOVING_MOVED);
}

/* A disk that stores something else than it was given. */
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
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    struct move_totals totals;
    struct file_ops rotting = files_posix;
    moving_ok(f, false);
    moving_ok(f, true);
    rotting.pwrite = rotting_pwrite;
    files = &rotting;
    assert_int_equal(moving_some(f, false, &totals), 0);
    files = &files_posix;
    assert_int_equal(totals.segments, 0);
    assert_int_equal(totals.failed, MOVING_MOVED);
    assert_int_equal(folder_count(f->disk), 1); /* annex.meta */
    moving_whole(f, before.digest);
}

static void a_reader_with_the_old_file_open_finishes_with_it(void **state)
{
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    struct tdk_tape *tape;
    struct tdk_err err;
    taping_ok(tdk_tape_open(&tape, f->path, &err), &err);
    assert_string_equal(telling_ticks(tape, false, NULL).digest,
                        before.digest); /* all are open now */
    moving_ok(f, false);
    assert_string_equal(telling_ticks(tape, false, NULL).digest, before.digest);
    moving_ok(f, true);
    assert_string_equal(telling_ticks(tape, false, NULL).digest, before.digest);
    tdk_tape_close(tape);
}

static void what_was_moved_is_not_packed_and_what_is_packed_may_be_moved(void **state)
{
    struct moving *f = *state;
    const struct seal_tape_options options = {.threads = 1};
    struct seal_totals totals;
    struct tdk_err err;
    struct told before = telling_all(f->path, NULL);
    moving_ok(f, false);
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(totals.moved, MOVING_MOVED);
    assert_true(totals.segments > 0);
    moving_whole(f, before.digest);
    moving_ok(f, true);
    taping_ok(seal_tape(f->path, &options, &totals, &err), &err);
    assert_int_equal(totals.segments, MOVING_MOVED);
    moving_ok(f, false);
    assert_true(moving_is_file(f->disk, "0000000001.g1.seg"));
    moving_whole(f, before.digest);
}

/* The tape has its own copy of the foot, and answers from it. */
static void a_rotten_foot_there_does_not_replace_the_good_one_here(void **state)
{
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    struct move_totals totals;
    char path[FOLDER_PATH + 24];
    moving_ok(f, false);
    snprintf(path, sizeof path, "%s/0000000002.seg", f->disk);
    size_t size;
    unsigned char *bytes = taping_load(path, &size);
    bytes[size - 100] ^= 1;
    taping_store(path, bytes, size);
    free(bytes);
    assert_int_equal(moving_some(f, true, &totals), 0);
    assert_int_equal(totals.failed, 1);
    assert_true(moving_is_file(f->disk, "0000000002.seg"));
    assert_string_equal(telling_all(f->path, NULL).digest, before.digest);
}

/* The files of another tape lie there, perhaps its only ones. */
static void what_others_have_there_is_not_written_over(void **state)
{
    struct moving *f = *state, there = *f;
    char other[FOLDER_PATH];
    struct move_totals totals;
    folder_make(other);
    taping_make(other, MOVING_TICKS - 1, 4096, 32 << 10);
    struct told before = telling_all(f->path, NULL), theirs = telling_all(other, NULL);
    snprintf(there.disk, sizeof there.disk, "%.40s/segments", other);
    assert_int_equal(moving_some(&there, false, &totals), 0);
    assert_int_equal(totals.segments, 0);
    assert_int_equal(totals.failed, MOVING_MOVED);
    assert_string_equal(telling_all(other, NULL).digest, theirs.digest);
    assert_int_equal(telling_verify(other).findings, 0);
    moving_whole(f, before.digest);
    folder_remove(other);
}

static int sync_fails(int fd)
{
    (void)fd;
    return -EIO;
}

/* A move that is killed after the rename has not synced the folder. After a power cut the stub
 * would be back. */
static void the_one_there_goes_when_the_one_here_has_its_name_for_good(void **state)
{
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    struct move_totals totals;
    struct file_ops ops = files_posix;
    char here[128], there[FOLDER_PATH + 24];
    size_t size;
    moving_ok(f, false);
    taping_path(f->path, 1, ".seg", here);
    snprintf(there, sizeof there, "%s/0000000001.seg", f->disk);
    unsigned char *whole = taping_load(there, &size);
    taping_store(here, whole, size);
    free(whole);
    ops.fsync = sync_fails;
    files = &ops;
    assert_int_equal(moving_some(f, true, &totals), -EIO);
    files = &files_posix;
    assert_true(moving_is_file(f->disk, "0000000001.seg"));
    assert_int_equal(moving_some(f, true, &totals), 0);
    assert_false(moving_is_file(f->disk, "0000000001.seg"));
    moving_whole(f, before.digest);
}

static struct stat parent;
static unsigned parent_syncs;

static int note_parent_sync(int fd)
{
    struct stat synced;
    parent_syncs +=
        fstat(fd, &synced) == 0 && synced.st_dev == parent.st_dev && synced.st_ino == parent.st_ino;
    return files_posix.fsync(fd);
}

/* If the folder was made a moment ago and its name is not durable, a power cut removes it and
 * everything that was moved into it. */
static void the_name_of_the_folder_there_is_durable_before_it_is_used(void **state)
{
    struct moving *f = *state;
    struct file_ops ops = files_posix;
    struct folder folder;
    struct annex_meta meta;
    struct tdk_err err;
    char above[FOLDER_PATH + 4];
    snprintf(above, sizeof above, "%s/..", f->disk);
    assert_int_equal(stat(above, &parent), 0);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    ops.fsync = note_parent_sync;
    files = &ops;
    taping_ok(move_join(&folder, f->disk, &meta, &err), &err);
    assert_int_equal(parent_syncs, 1);
    taping_ok(move_join(&folder, f->disk, &meta, &err), &err); /* known, so durable long ago */
    assert_int_equal(parent_syncs, 1);
    files = &files_posix;
}

/* Change each byte that says where the segment is and what it has. */
static void a_rotten_head_costs_no_block(void **state)
{
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    char path[128];
    size_t size;
    moving_ok(f, false);
    taping_path(f->path, 2, ".seg", path);
    unsigned char *bytes = taping_load(path, &size);
    for (size_t at = 0; at < 2 * STUB_HEAD_COPY; at += 7) {
        bytes[at] ^= 0x10;
        taping_store(path, bytes, size);
        struct told answer = telling_all(f->path, NULL);
        assert_string_equal(answer.digest, before.digest);
        assert_true(telling_verify(f->path).findings > 0);
        bytes[at] ^= 0x10;
    }
    taping_store(path, bytes, size);
    free(bytes);
    moving_whole(f, before.digest);
}

/* Each call that changes something fails in turn, and all calls after it, on the way there and on
 * the way back. */
static void each_death_on_the_way_leaves_a_whole_tape(void **state)
{
    struct moving *f = *state;
    for (int back = 0; back < 2; back++) {
        unsigned failed = 0, at = 0;
        for (bool reached = true; reached;) {
            struct move_totals totals;
            moving_unmake(f);
            moving_make(f);
            struct told before = telling_all(f->path, NULL);
            if (back)
                moving_ok(f, false);
            faulty_begin(++at, true, -EIO);
            int rc = moving_some(f, back != 0, &totals);
            reached = faulty.calls >= faulty.fail_at;
            faulty_end();
            failed += rc < 0 || totals.failed > 0;
            assert_string_equal(telling_all(f->path, NULL).digest, before.digest);
            moving_rebuild(f->path); /* a recorder starts before the move goes on */
            assert_int_equal(moving_some(f, back != 0, &totals), 0);
            assert_int_equal(totals.failed, 0);
            moving_whole(f, before.digest);
            assert_true(moving_is_file(f->disk, "0000000001.seg") == !back);
        }
        assert_true(failed > 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVING(moved_segments_answer_as_before),
        MOVING(nothing_gives_way_before_its_copy_is_durable),
        MOVING(what_does_not_read_back_as_it_was_written_stays_at_home),
        MOVING(a_reader_with_the_old_file_open_finishes_with_it),
        MOVING(what_was_moved_is_not_packed_and_what_is_packed_may_be_moved),
        MOVING(a_rotten_foot_there_does_not_replace_the_good_one_here),
        MOVING(what_others_have_there_is_not_written_over),
        MOVING(the_one_there_goes_when_the_one_here_has_its_name_for_good),
        MOVING(the_name_of_the_folder_there_is_durable_before_it_is_used),
        MOVING(a_rotten_head_costs_no_block),
        MOVING(each_death_on_the_way_leaves_a_whole_tape),
    };
    return cmocka_run_group_tests_name("tape.move", tests, NULL, NULL);
}
