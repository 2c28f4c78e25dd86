/* A copy of an index shows one moment, however fast the index is written to. */
#include "tests/support/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "index/index.h"
#include "tests/support/folder.h"

static const uint8_t tape_id[16] = "a tape of tests";

static int note_last(const struct epoch_ref *epoch, void *context)
{
    *(uint64_t *)context = epoch->last_seq;
    return 1;
}

enum { STANDING = 2000 };

struct committing {
    struct index *index;
    _Atomic bool stop;
};

static struct block_ref nth_block(uint64_t n)
{
    return (struct block_ref){.track = 1,
                              .epoch = 5,
                              .first_seq = n,
                              .last_seq = n,
                              .running_max = n,
                              .min_ts = n,
                              .max_ts = n,
                              .segment = 1,
                              .offset = 4096 * n,
                              .count = 1};
}

/* One more block is put in, the oldest one is removed, and the epoch tells which is the last. */
static void commit_next(struct index *index, uint64_t last)
{
    struct epoch_ref epoch = {.track = 1, .epoch = 5, .ticks = last, .last_seq = last};
    struct block_ref block = nth_block(last), gone = nth_block(last - STANDING);
    assert_int_equal(index_put_epoch(index, &epoch, NULL), 0);
    assert_int_equal(index_put_block(index, &block, NULL), 0);
    if (last > STANDING)
        assert_int_equal(index_remove_block(index, &gone, NULL), 0);
}

/* In bursts: two commits within a copy spoil it, and in between there is time for a good one. */
static void *commit_on_and_on(void *context)
{
    struct committing *c = context;
    struct timespec pause = {.tv_nsec = 1000000};
    for (uint64_t i = STANDING + 1; !atomic_load(&c->stop); i++) {
        assert_int_equal(index_begin(c->index, NULL), 0);
        commit_next(c->index, i);
        assert_int_equal(index_commit(c->index, NULL), 0);
        if (i % 16 == 0)
            nanosleep(&pause, NULL);
    }
    return NULL;
}

/* The index has all that stood at one moment, and nothing else. Returns the last block of that
 * moment. */
static uint64_t check_standing(struct index *index)
{
    static struct block_ref refs[STANDING + 2];
    const struct index_range all = {.track = 1, .epoch = 5, .to = UINT64_MAX};
    uint64_t last = 0;
    index_epochs(index, 1, note_last, &last, NULL);
    assert_int_equal(index_find(index, &all, NULL, false, refs, STANDING + 2, NULL), STANDING);
    for (uint64_t i = 0; i < STANDING; i++)
        assert_int_equal(refs[i].first_seq, last - STANDING + 1 + i);
    return last;
}

static void copy_is_of_one_moment_while_it_is_written_to(void **state)
{
    const char *path = *state;
    struct committing c = {.stop = false};
    pthread_t thread;
    unsigned copies = 0;
    uint64_t first = 0, last = 0;
    assert_int_equal(index_open(&c.index, path, tape_id, true, NULL), 0);
    assert_int_equal(index_begin(c.index, NULL), 0);
    for (uint64_t i = 1; i <= STANDING; i++)
        commit_next(c.index, i);
    assert_int_equal(index_commit(c.index, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, commit_on_and_on, &c), 0);
    for (unsigned i = 0; i < 2000 && (copies < 200 || last == first); i++) {
        struct index *copy;
        struct tdk_err err;
        int rc = index_open_copy(&copy, path, tape_id, &err);
        assert_true(rc == 0 || rc == -EBUSY);
        if (rc < 0)
            continue;
        last = check_standing(copy);
        first = copies++ == 0 ? last : first;
        index_close(copy);
    }
    atomic_store(&c.stop, true);
    pthread_join(thread, NULL);
    index_close(c.index);
    assert_true(copies >= 200 && last > first);
}

static void an_index_that_is_not_there_is_not_copied(void **state)
{
    struct index *copy;
    struct tdk_err err;
    assert_int_equal(index_open_copy(&copy, *state, tape_id, &err), -ENOENT);
}

static void a_copy_of_another_tapes_index_is_refused(void **state)
{
    static const uint8_t other[16] = "another tape";
    struct index *index;
    struct tdk_err err;
    assert_int_equal(index_open(&index, *state, tape_id, true, &err), 0);
    index_close(index);
    assert_int_equal(index_open_copy(&index, *state, other, &err), TDK_EFOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copy_is_of_one_moment_while_it_is_written_to, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(an_index_that_is_not_there_is_not_copied, folder_setup,
                                        folder_teardown),
        cmocka_unit_test_setup_teardown(a_copy_of_another_tapes_index_is_refused, folder_setup,
                                        folder_teardown),
    };
    return cmocka_run_group_tests_name("index.snapshot", tests, NULL, NULL);
}
