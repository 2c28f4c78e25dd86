#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/index.h"
#include "tape/files.h"
#include "tape/folder.h"
#include "tape/recover.h"
#include "tape/verify.h"
#include "tests/support/folder.h"
#include "tests/support/oracle.h"
#include "tests/support/reel.h"

static const struct oracle_plan small = {
    .tracks = 2, .epochs = 2, .ticks = 60, .disorder = 100, .block_size = 4096};
static const struct oracle_plan segmented = {.tracks = 3,
                                             .epochs = 2,
                                             .ticks = 2000,
                                             .disorder = 300,
                                             .odd = 200,
                                             .block_size = 16 << 10,
                                             .segment_size = 256 << 10};

/* What was found, in short. */
struct findings {
    uint64_t count;
    uint64_t last_segment, last_offset;
    int last_code;
    char last[600];
    uint64_t progress;
};

static void note_finding(const struct verify_finding *finding, void *context)
{
    struct findings *f = context;
    f->count++;
    f->last_segment = finding->segment;
    f->last_offset = finding->offset;
    f->last_code = finding->code;
    snprintf(f->last, sizeof f->last, "%s", finding->what);
}

static void note_progress(const struct verify_totals *totals, void *context)
{
    struct findings *f = context;
    assert_true(totals->bytes <= totals->bytes_total);
    f->progress++;
}

static struct findings verify(const char *path, unsigned threads, struct verify_totals *totals)
{
    struct findings f = {0};
    struct tdk_err err;
    const struct verify_options options = {
        .threads = threads, .finding = note_finding, .progress = note_progress, .context = &f};
    if (tape_verify(path, &options, totals, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(f.count, totals->findings);
    return f;
}

static void segment_path(const struct oracle *oracle, unsigned number, char path[128])
{
    snprintf(path, 128, "%s/segments/%010u.seg", oracle->path, number);
}

static off_t size_of(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    return file.st_size;
}

static unsigned count_segments(const struct oracle *oracle)
{
    unsigned count = 0;
    char path[128];
    for (segment_path(oracle, 1, path); access(path, F_OK) == 0;
         segment_path(oracle, ++count + 1, path))
        ;
    return count;
}

static void verify_finds_nothing_on_a_whole_tape(void **state)
{
    (void)state;
    struct oracle oracle;
    oracle_make(&oracle, 1, &segmented);
    for (unsigned threads = 0; threads <= 5; threads++) {
        struct verify_totals totals;
        struct findings f = verify(oracle.path, threads, &totals);
        if (f.count != 0)
            fail_msg("%s", f.last);
        assert_int_equal(totals.ticks, oracle.count);
        assert_int_equal(totals.segments, count_segments(&oracle));
        assert_true(totals.segments > 3);
        assert_int_equal(totals.bytes, totals.bytes_total);
        assert_true(f.progress >= totals.segments);
    }
    char path[128];
    struct verify_totals totals;
    segment_path(&oracle, 2, path); /* one segment alone, in the middle of its epochs */
    assert_int_equal(verify(path, 1, &totals).count, 0);
    assert_int_equal(totals.segments, 1);
    oracle_remove(&oracle);
}

/* A loss reaches to the tick after it, which need not be in the same block. */
static void verify_finds_nothing_where_a_block_ends_with_a_loss(void **state)
{
    (void)state;
    struct reel reel;
    struct verify_totals totals;
    char path[] = "/tmp/tapedeck-verify-XXXXXX";
    assert_non_null(mkdtemp(path));
    reel_open(&reel, path);
    reel_begin(&reel, 1, "t", 77);
    reel_tick(&reel, 100);
    reel_loss(&reel, 5, 100, 200, 200);
    reel_write(&reel);
    reel_begin(&reel, 1, "t", 77);
    reel_tick(&reel, 200);
    reel_write(&reel);
    reel_close(&reel);
    struct findings f = verify(path, 1, &totals);
    if (f.count != 0)
        fail_msg("%s", f.last);
    assert_int_equal(totals.ticks, 2);
    folder_remove(path);
}

static void verify_finds_a_flip_in_any_byte(void **state)
{
    (void)state;
    struct oracle oracle;
    char path[128];
    oracle_make(&oracle, 2, &small);
    segment_path(&oracle, 1, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    off_t size = size_of(path);
    for (off_t at = 0; at < size; at += at < 256 || at > size - 256 ? 1 : 37) {
        unsigned char byte, flipped;
        struct verify_totals totals;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        flipped = byte ^ 4;
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        if (verify(oracle.path, 1, &totals).count == 0)
            fail_msg("a flip of byte %lld was not found", (long long)at);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    struct verify_totals totals;
    assert_int_equal(verify(oracle.path, 1, &totals).count, 0);
    oracle_remove(&oracle);
}

static void verify_finds_a_segment_cut_at_any_length(void **state)
{
    (void)state;
    struct oracle oracle;
    char path[128];
    oracle_make(&oracle, 3, &small);
    segment_path(&oracle, 1, path);
    for (off_t size = size_of(path) - 1; size >= 0; size -= size < 300 ? 1 : 211) {
        struct verify_totals totals;
        assert_int_equal(truncate(path, size), 0);
        if (verify(oracle.path, 1, &totals).count == 0)
            fail_msg("a cut to %lld bytes was not found", (long long)size);
    }
    oracle_remove(&oracle);
}

static void verify_finds_a_missing_segment(void **state)
{
    (void)state;
    struct oracle oracle;
    char path[128];
    struct verify_totals totals;
    oracle_make(&oracle, 4, &segmented);
    segment_path(&oracle, 2, path);
    assert_int_equal(unlink(path), 0);
    struct findings f = verify(oracle.path, 2, &totals);
    assert_true(f.count > 0);
    oracle_remove(&oracle);
}

static void verify_finds_a_missing_last_segment(void **state)
{
    (void)state;
    struct oracle oracle;
    char path[128];
    struct verify_totals totals;
    oracle_make(&oracle, 5, &segmented);
    segment_path(&oracle, count_segments(&oracle), path);
    assert_int_equal(unlink(path), 0);
    struct findings f = verify(oracle.path, 2, &totals);
    assert_true(f.count > 1);
    assert_non_null(strstr(f.last, "index: "));
    oracle_remove(&oracle);
}

/* Recovery has made an index of what is left. Only the clean mark still shows that there was a last
 * segment. */
static void verify_finds_a_missing_last_segment_behind_a_recovery(void **state)
{
    (void)state;
    struct oracle oracle;
    char path[128], expected[64];
    struct verify_totals totals;
    struct recovered tape;
    oracle_make(&oracle, 5, &segmented);
    const unsigned last = count_segments(&oracle);
    segment_path(&oracle, last, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(recover_open(&tape, oracle.path, NULL, NULL), 0);
    assert_int_equal(recover_close(&tape, true, NULL), 0);
    struct findings f = verify(oracle.path, 2, &totals);
    assert_int_equal(f.count, 1);
    snprintf(expected, sizeof expected, "segment %u is missing", last);
    assert_string_equal(f.last, expected);
    oracle_remove(&oracle);
}

static int take_back_and_open(const char *path, int flags, mode_t mode)
{
    if (strstr(path, ".open") != NULL)
        unlink(path);
    return files_posix.open(path, flags, mode);
}

/* The next segment is made ahead and removed again with the recorder, perhaps while we look. */
static void verify_misses_no_segment_that_never_began(void **state)
{
    (void)state;
    struct oracle oracle;
    struct verify_totals totals;
    struct file_ops ops = files_posix;
    char path[128];
    oracle_make(&oracle, 6, &small);
    snprintf(path, sizeof path, "%s/segments/%010u.open", oracle.path, count_segments(&oracle) + 1);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    ops.open = take_back_and_open;
    files = &ops;
    assert_int_equal(verify(oracle.path, 1, &totals).count, 0);
    files = &files_posix;
    assert_int_equal(access(path, F_OK), -1);
    oracle_remove(&oracle);
}

static void verify_finds_swapped_segments(void **state)
{
    (void)state;
    struct oracle oracle;
    char one[128], two[128], aside[128];
    struct verify_totals totals;
    oracle_make(&oracle, 6, &segmented);
    segment_path(&oracle, 1, one);
    segment_path(&oracle, 2, two);
    snprintf(aside, sizeof aside, "%s/aside", oracle.path);
    assert_int_equal(rename(one, aside), 0);
    assert_int_equal(rename(two, one), 0);
    assert_int_equal(rename(aside, two), 0);
    struct findings f = verify(oracle.path, 2, &totals);
    assert_true(f.count >= 2);
    oracle_remove(&oracle);
}

static void verify_finds_a_segment_of_another_tape(void **state)
{
    (void)state;
    struct oracle oracle, other;
    char from[128], to[128];
    struct verify_totals totals;
    oracle_make(&oracle, 7, &segmented);
    oracle_make(&other, 8, &segmented);
    segment_path(&other, 2, from);
    segment_path(&oracle, 2, to);
    assert_int_equal(rename(from, to), 0);
    assert_true(verify(oracle.path, 2, &totals).count > 0);
    oracle_remove(&oracle);
    oracle_remove(&other);
}

static int first_epoch(const struct epoch_ref *epoch, void *context)
{
    *(struct epoch_ref *)context = *epoch;
    return 1;
}

/* Vouch for the index as it is. */
static void mark(const struct folder *folder)
{
    uint64_t segment;
    struct tdk_err err;
    assert_true(folder_clean_segment(folder, &segment));
    if (folder_mark_clean(folder, segment, &err) < 0)
        fail_msg("%s", err.text);
}

/* The tape's index, in a transaction that changed() ends. */
static struct index *change(const struct folder *folder)
{
    struct index *index;
    assert_int_equal(index_open(&index, folder->index, folder->tape_id, true, NULL), 0);
    assert_int_equal(index_begin(index, NULL), 0);
    return index;
}

static void changed(struct index *index)
{
    assert_int_equal(index_commit(index, NULL), 0);
    index_close(index);
}

/* The first epoch of track 1, and its first block. */
static struct block_ref first_block(const struct folder *folder, struct epoch_ref *epoch)
{
    struct index *index;
    struct block_ref block;
    struct index_range range = {.track = 1, .to = UINT64_MAX};
    assert_int_equal(index_open(&index, folder->index, folder->tape_id, false, NULL), 0);
    assert_int_equal(index_epochs(index, 1, first_epoch, epoch, NULL), 1);
    range.epoch = epoch->epoch;
    assert_int_equal(index_find(index, &range, NULL, false, &block, 1, NULL), 1);
    index_close(index);
    return block;
}

static struct findings verify_one(const struct oracle *oracle)
{
    struct verify_totals totals;
    struct findings f = verify(oracle->path, 2, &totals);
    assert_int_equal(f.count, 1);
    return f;
}

/* For one block the index leads nowhere, and it has a block that does not exist. */
static void verify_finds_an_index_that_says_something_else(void **state)
{
    (void)state;
    struct oracle oracle;
    struct folder folder;
    struct epoch_ref epoch;
    oracle_make(&oracle, 9, &segmented);
    assert_int_equal(folder_open(&folder, oracle.path, NULL), 0);
    const struct block_ref right = first_block(&folder, &epoch);

    struct block_ref block = right;
    block.offset += 4096;
    struct index *index = change(&folder);
    assert_int_equal(index_put_block(index, &block, NULL), 0);
    changed(index);
    assert_int_equal(verify_one(&oracle).last_offset, UINT64_MAX); /* its checksum shows it */
    mark(&folder);
    assert_int_equal(verify_one(&oracle).last_offset, right.offset);

    block = right;
    block.first_seq = 3;
    index = change(&folder);
    assert_int_equal(index_put_block(index, &right, NULL), 0);
    assert_int_equal(index_put_block(index, &block, NULL), 0);
    changed(index);
    mark(&folder);
    struct findings f = verify_one(&oracle);
    assert_non_null(strstr(f.last, "index: track 1"));

    /* Queries look this far back for ticks that stepped back, and no further. */
    assert_true(epoch.step_back > 0);
    epoch.step_back--;
    index = change(&folder);
    assert_int_equal(index_remove_block(index, &block, NULL), 0);
    assert_int_equal(index_put_block(index, &right, NULL), 0);
    assert_int_equal(index_put_epoch(index, &epoch, NULL), 0);
    changed(index);
    mark(&folder);
    f = verify_one(&oracle);
    assert_non_null(strstr(f.last, "back further"));
    folder_close(&folder);
    oracle_remove(&oracle);
}

static void verify_refuses_what_is_no_tape(void **state)
{
    (void)state;
    struct verify_totals totals;
    struct tdk_err err;
    const struct verify_options options = {.threads = 1};
    assert_int_equal(tape_verify("/tmp/no-such-tape", &options, &totals, &err), -ENOENT);
    assert_int_equal(tape_verify("/tmp", &options, &totals, &err), TDK_ENOTAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_finds_nothing_on_a_whole_tape),
        cmocka_unit_test(verify_finds_nothing_where_a_block_ends_with_a_loss),
        cmocka_unit_test(verify_finds_a_flip_in_any_byte),
        cmocka_unit_test(verify_finds_a_segment_cut_at_any_length),
        cmocka_unit_test(verify_finds_a_missing_segment),
        cmocka_unit_test(verify_finds_a_missing_last_segment),
        cmocka_unit_test(verify_finds_a_missing_last_segment_behind_a_recovery),
        cmocka_unit_test(verify_misses_no_segment_that_never_began),
        cmocka_unit_test(verify_finds_swapped_segments),
        cmocka_unit_test(verify_finds_a_segment_of_another_tape),
        cmocka_unit_test(verify_finds_an_index_that_says_something_else),
        cmocka_unit_test(verify_refuses_what_is_no_tape),
    };
    return cmocka_run_group_tests_name("tape.verify", tests, NULL, NULL);
}
