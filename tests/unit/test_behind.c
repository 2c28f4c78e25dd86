/* Writes that go on behind their owner: how many are in flight, and what happens when one fails. */
#include "tests/support/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "tape/behind.h"
#include "tape/files.h"

enum { ROOM = 4096, FILE_SIZE = 256 };

/* A file in which one byte stands for each buffer, and the state of the writes to it. */
static struct disk {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned char bytes[FILE_SIZE];
    uint64_t order[FILE_SIZE];
    unsigned written, out, out_most;
    unsigned meet;    /* this many writes must be in flight before the first returns */
    uint64_t fail_at; /* the write at this offset fails; UINT64_MAX: none */
} disk;

static ssize_t disk_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    (void)fd;
    pthread_mutex_lock(&disk.lock);
    if (++disk.out > disk.out_most)
        disk.out_most = disk.out;
    pthread_cond_broadcast(&disk.moved);
    while (disk.out_most < disk.meet)
        pthread_cond_wait(&disk.moved, &disk.lock);
    bool fails = offset == disk.fail_at;
    if (!fails) {
        disk.order[disk.written++] = offset;
        memcpy(disk.bytes + offset, bytes, 1);
    }
    disk.out--;
    pthread_mutex_unlock(&disk.lock);
    return fails ? -ENOSPC : (ssize_t)size;
}

static struct file_ops ops;

static int setup(void **state)
{
    (void)state;
    disk = (struct disk){.lock = PTHREAD_MUTEX_INITIALIZER,
                         .moved = PTHREAD_COND_INITIALIZER,
                         .fail_at = UINT64_MAX};
    ops = files_posix;
    ops.pwrite = disk_pwrite;
    files = &ops;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    files = &files_posix;
    return 0;
}

static struct behind *open_behind(unsigned writes)
{
    struct behind *behind;
    struct tdk_err err;
    assert_int_equal(behind_open(&behind, ROOM, writes, &err), 0);
    return behind;
}

/* Write a buffer full of the byte `i` + 1 at offset `i`. */
static int write_one(struct behind *behind, unsigned i)
{
    unsigned char *buffer = behind_buffer(behind);
    assert_non_null(buffer);
    assert_int_equal((uintptr_t)buffer % 4096, 0);
    memset(buffer, (int)i + 1, ROOM);
    return behind_write(behind, -1, buffer, ROOM, i);
}

static void every_buffer_is_written_as_it_was_given(void **state)
{
    struct behind *behind = open_behind(BEHIND_WRITES_MAX);
    (void)state;
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(write_one(behind, i), 0);
    assert_int_equal(behind_wait(behind), 0);
    assert_int_equal(disk.written, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(disk.bytes[i], i + 1);
    behind_close(behind);
}

static void so_many_are_out_and_no_more(void **state)
{
    struct behind *behind = open_behind(3);
    (void)state;
    disk.meet = 3; /* with fewer in flight the test would hang */
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(write_one(behind, i), 0);
    assert_int_equal(behind_wait(behind), 0);
    assert_int_equal(disk.out_most, 3);
    behind_close(behind);
}

static void one_at_a_time_is_in_order(void **state)
{
    struct behind *behind = open_behind(1);
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(write_one(behind, i), 0);
    assert_int_equal(behind_wait(behind), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(disk.order[i], i);
    behind_close(behind);
}

static void a_failure_is_told_once_and_no_buffer_is_lost(void **state)
{
    struct behind *behind = open_behind(2);
    (void)state;
    disk.fail_at = 0;
    assert_int_equal(write_one(behind, 0), 0);
    assert_int_equal(behind_wait(behind), -ENOSPC);
    assert_int_equal(behind_wait(behind), 0);
    disk.fail_at = 1;
    assert_int_equal(write_one(behind, 1), 0);
    int rc = 0;
    for (unsigned i = 2; i < 30 && rc == 0; i++)
        rc = write_one(behind, i);
    if (rc == 0)
        rc = behind_wait(behind);
    assert_int_equal(rc, -ENOSPC);
    for (unsigned i = 30; i < 60; i++)
        assert_int_equal(write_one(behind, i), 0);
    assert_int_equal(behind_wait(behind), 0);
    behind_close(behind);
}

static void close_waits_for_what_is_out(void **state)
{
    struct behind *behind = open_behind(4);
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(write_one(behind, i), 0);
    behind_close(behind);
    assert_int_equal(disk.written, 20);
    behind_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_buffer_is_written_as_it_was_given),
        TEST(so_many_are_out_and_no_more),
        TEST(one_at_a_time_is_in_order),
        TEST(a_failure_is_told_once_and_no_buffer_is_lost),
        TEST(close_waits_for_what_is_out),
    };
    return cmocka_run_group_tests_name("tape.behind", tests, NULL, NULL);
}
