/* The other disk that segments were moved to: what the tape says when the disk is not there, and
 * what is removed from it when segments are deleted. */
#include "tests/support/moving.h"

#include "tape/retain_plan.h"
#include "tests/support/retiring.h"

static void a_disk_that_is_not_there_is_neither_damage_nor_loss(void **state)
{
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    char gone[FOLDER_PATH + 8];
    moving_ok(f, false);
    snprintf(gone, sizeof gone, "%s.gone", f->disk);
    assert_int_equal(rename(f->disk, gone), 0);
    for (int turn = 0; turn < 2; turn++) {
        struct told rest = telling_all(f->path, "move --relocate");
        struct told_gaps seen = telling_gaps(f->path);
        assert_true(rest.ticks > 0 && rest.ticks < MOVING_TICKS && rest.damages > 0);
        assert_int_equal(seen.ticks, rest.ticks);
        assert_int_equal(seen.away, MOVING_TICKS - rest.ticks);
        assert_int_equal(seen.missing, seen.away);
        struct verify_totals totals = telling_verify(f->path);
        assert_int_equal(totals.findings, 0);
        assert_int_equal(totals.away, MOVING_MOVED);
        moving_rebuild(f->path); /* and afterwards the index still knows them */
    }
    struct move_totals totals;
    assert_int_equal(moving_some(f, true, &totals), -ENOENT);
    assert_int_equal(rename(gone, f->disk), 0);
    moving_whole(f, before.digest);
}

static void another_disk_under_that_path_is_not_taken_for_it(void **state)
{
    struct moving *f = *state;
    struct told before = telling_all(f->path, NULL);
    struct move_totals totals;
    char gone[FOLDER_PATH + 8];
    const uint8_t id[16] = {1};
    const struct folder other = {.path = "/", .tape_id = {2}};
    struct tdk_err err;
    moving_ok(f, false);
    snprintf(gone, sizeof gone, "%s.gone", f->disk);
    assert_int_equal(rename(f->disk, gone), 0);
    assert_int_equal(mkdir(f->disk, 0700), 0);
    assert_int_equal(moving_some(f, false, &totals), TDK_EAWAY); /* it is not made a new annex */
    taping_ok(annex_write_meta(f->disk, &other, id, &err), &err);
    assert_int_equal(moving_some(f, false, &totals), TDK_EFOREIGN);
    assert_true(telling_gaps(f->path).away > 0);
    folder_remove(f->disk);
    assert_int_equal(rename(gone, f->disk), 0);
    moving_whole(f, before.digest);
}

static void it_is_that_of_one_copy_of_the_tape_or_where_it_does_not_say_of_any(void **state)
{
    struct moving *f = *state;
    const uint8_t id[16] = {1};
    const struct folder nowhere = {.path = "/no/where"};
    struct folder original = {.path = ""}, copy = {.path = ""};
    struct tdk_err err;
    memcpy(original.path, f->path, sizeof f->path);
    memcpy(copy.path, f->disk, sizeof f->disk);
    assert_true(annex_is_ours(f->disk, &copy)); /* nothing is there yet */
    taping_ok(annex_write_meta(f->disk, &original, id, &err), &err);
    assert_true(annex_is_ours(f->disk, &original));
    assert_false(annex_is_ours(f->disk, &copy));
    taping_ok(annex_write_meta(f->disk, &nowhere, id, &err), &err);
    assert_true(annex_is_ours(f->disk, &original) && annex_is_ours(f->disk, &copy));
}

static void a_disk_may_be_mounted_elsewhere(void **state)
{
    struct moving *f = *state, there = *f;
    struct told before = telling_all(f->path, NULL);
    struct move_totals totals;
    moving_ok(f, false);
    folder_make(there.disk);
    assert_int_equal(rename(f->disk, there.disk), 0);
    assert_true(telling_gaps(f->path).away > 0);
    assert_int_equal(moving_some(&there, false, &totals), 0);
    assert_int_equal(totals.segments, 0);
    moving_whole(f, before.digest);
    memcpy(f->disk, there.disk, sizeof f->disk);
}

static void what_is_gone_from_the_annex_is_damage(void **state)
{
    struct moving *f = *state;
    char path[160];
    moving_ok(f, false);
    snprintf(path, sizeof path, "%s/0000000002.seg", f->disk);
    assert_int_equal(unlink(path), 0);
    struct told_gaps seen = telling_gaps(f->path);
    assert_int_equal(seen.away, 0);
    assert_true(seen.missing > 0);
    assert_int_equal(telling_verify(f->path).findings, 1);
}

static void deleted_means_on_the_other_disk_too(void **state)
{
    static const uint64_t going[] = {1, 2};
    struct moving *f = *state;
    struct folder folder;
    struct tdk_err err;
    moving_ok(f, false);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(retire_segments(&folder, going, 2, NULL, &err), &err);
    assert_false(moving_is_file(f->disk, "0000000001.seg"));
    assert_true(moving_is_file(f->disk, "0000000003.seg"));
    assert_int_equal(telling_gaps(f->path).away, 0);
    moving_rebuild(f->path);
    assert_int_equal(telling_verify(f->path).findings, 0);
}

static void what_is_away_is_not_deleted_behind_its_back(void **state)
{
    static const uint64_t going[] = {1};
    struct moving *f = *state;
    struct folder folder;
    struct tdk_err err;
    char gone[FOLDER_PATH + 8];
    enum retire_fate fates[2] = {RETIRE_DONE, RETIRE_DONE};
    const struct retire_options options = {.each = retiring_note, .context = fates};
    const struct retain_policy policy = {.max_segments = 1};
    struct recovered tape;
    struct retain_plan plan;
    moving_ok(f, false);
    snprintf(gone, sizeof gone, "%s.gone", f->disk);
    assert_int_equal(rename(f->disk, gone), 0);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(retire_segments(&folder, going, 1, &options, &err), &err);
    assert_int_equal(fates[1], RETIRE_AWAY);
    taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
    taping_ok(retain_plan_make(&plan, &tape.folder, tape.index, &policy, NULL, &err), &err);
    assert_int_equal(plan.items[0].pin, PIN_AWAY);
    assert_true(plan.items[0].elsewhere && !plan.items[MOVING_MOVED].elsewhere);
    retain_plan_close(&plan);
    taping_ok(recover_close(&tape, true, &err), &err);
    assert_int_equal(rename(gone, f->disk), 0);
}

/* A move was killed after the copy was made and before the stub was. Nothing here knows of the
 * copy. */
static void what_was_deleted_on_its_way_there_goes_with_the_next_move(void **state)
{
    static const uint64_t going[] = {4, 5};
    struct moving *f = *state;
    struct move_totals totals;
    struct folder folder;
    struct tdk_err err;
    char here[128], there[FOLDER_PATH + 24];
    size_t size;
    moving_ok(f, false);
    taping_path(f->path, 4, ".seg", here);
    unsigned char *whole = taping_load(here, &size);
    snprintf(there, sizeof there, "%s/0000000004.seg", f->disk);
    taping_store(there, whole, size);
    snprintf(there, sizeof there, "%s/0000000005.seg", f->disk);
    taping_store(there, "somebody's", 10);
    free(whole);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    taping_ok(retire_segments(&folder, going, 2, NULL, &err), &err);
    assert_int_equal(moving_some(f, false, &totals), 0);
    assert_false(moving_is_file(f->disk, "0000000004.seg"));
    assert_true(moving_is_file(f->disk, "0000000005.seg"));
    assert_true(moving_is_file(f->disk, "0000000003.seg"));
}

static const char *read_only; /* a folder */

static int unlink_elsewhere(const char *path)
{
    return strncmp(path, read_only, strlen(read_only)) == 0 ? -EROFS : files_posix.unlink(path);
}

/* The kernel makes a failing disk read-only. What was deleted from it is nevertheless no longer
 * counted. */
static void a_disk_that_may_only_be_read_keeps_no_writer_from_the_tape(void **state)
{
    static const uint64_t going[] = {1};
    struct moving *f = *state;
    struct folder folder;
    struct recovered tape;
    struct tdk_err err;
    struct file_ops ops = files_posix;
    moving_ok(f, false);
    taping_ok(folder_open(&folder, f->path, &err), &err);
    read_only = f->disk;
    ops.unlink = unlink_elsewhere;
    files = &ops;
    assert_true(retire_segments(&folder, going, 1, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "Read-only"));
    taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
    taping_ok(recover_close(&tape, true, &err), &err);
    files = &files_posix;
    assert_true(moving_is_file(f->disk, "0000000001.seg"));
    taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
    taping_ok(recover_close(&tape, true, &err), &err);
    assert_false(moving_is_file(f->disk, "0000000001.seg"));
    assert_int_equal(telling_verify(f->path).findings, 0);
}

static const char *retiring; /* the tape whose segment 2 is deleted when its file is opened */

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

/* The whole file on the other disk is already gone. The stub here is not gone yet. */
static void what_is_being_deleted_while_it_is_verified_is_no_damage(void **state)
{
    struct moving *f = *state;
    struct file_ops hook = files_posix;
    moving_ok(f, false);
    hook.open = open_and_retire;
    retiring = f->path;
    files = &hook;
    struct verify_totals totals = telling_verify(f->path);
    files = &files_posix;
    assert_null(retiring);
    assert_false(moving_is_file(f->disk, "0000000002.seg"));
    assert_int_equal(totals.findings + totals.away, 0);
}

/* Nobody can say where the moved segment is. It stays, and others are deleted in its place. */
static void what_is_moved_stays_where_the_list_of_disks_is_rotten(void **state)
{
    struct moving *f = *state;
    const struct retain_policy policy = {.max_segments = 1};
    struct recovered tape;
    struct retain_plan plan;
    struct tdk_err err;
    char path[FOLDER_PATH + 16];
    moving_ok(f, false);
    snprintf(path, sizeof path, "%s/annexes", f->path);
    assert_int_equal(truncate(path, 9), 0);
    taping_ok(recover_open(&tape, f->path, NULL, &err), &err);
    taping_ok(retain_plan_make(&plan, &tape.folder, tape.index, &policy, NULL, &err), &err);
    assert_int_equal(plan.items[0].pin, PIN_AWAY);
    assert_int_equal(plan.items[0].why, RETAIN_STAYS);
    assert_int_equal(plan.items[MOVING_MOVED].why, RETAIN_SEGMENTS);
    assert_true(plan.verdict.unmet);
    retain_plan_close(&plan);
    taping_ok(recover_close(&tape, true, &err), &err);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVING(a_disk_that_is_not_there_is_neither_damage_nor_loss),
        MOVING(another_disk_under_that_path_is_not_taken_for_it),
        MOVING(it_is_that_of_one_copy_of_the_tape_or_where_it_does_not_say_of_any),
        MOVING(a_disk_may_be_mounted_elsewhere),
        MOVING(what_is_gone_from_the_annex_is_damage),
        MOVING(deleted_means_on_the_other_disk_too),
        MOVING(what_is_away_is_not_deleted_behind_its_back),
        MOVING(what_was_deleted_on_its_way_there_goes_with_the_next_move),
        MOVING(a_disk_that_may_only_be_read_keeps_no_writer_from_the_tape),
        MOVING(what_is_being_deleted_while_it_is_verified_is_no_damage),
        MOVING(what_is_moved_stays_where_the_list_of_disks_is_rotten),
        cmocka_unit_test(each_changed_byte_of_the_list_is_found),
    };
    return cmocka_run_group_tests_name("tape.annex", tests, NULL, NULL);
}
