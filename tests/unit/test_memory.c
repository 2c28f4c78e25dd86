/* Rings in memory that is passed on: what their consumer is safe from. */
#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/memory.h"
#include "tapedeck/ring.h"

#define CAPACITY ((size_t)64 << 10)

static struct tdk_ring *made(void)
{
    const struct tdk_ring_options options = {.capacity = CAPACITY, .track = "t"};
    struct tdk_ring *ring;
    struct tdk_err err;
    assert_int_equal(tdk_ring_create_memory(&ring, "m", &options, &err), 0);
    return ring;
}

static void publish(struct tdk_ring *ring, const char *text)
{
    struct tdk_frame *frame = tdk_ring_claim(ring, (uint32_t)strlen(text));
    assert_non_null(frame);
    frame->type = TDK_TYPE_OPAQUE;
    frame->ts = 1;
    memcpy(frame + 1, text, strlen(text));
    tdk_ring_publish(ring);
}

static const struct tdk_frame *next_tick(struct tdk_ring *ring)
{
    const struct tdk_frame *frame;
    do
        frame = tdk_ring_next(ring);
    while (frame != NULL && !tdk_frame_is_tick(frame));
    return frame;
}

static void what_is_published_is_read_where_it_was_passed_to(void **state)
{
    (void)state;
    struct tdk_ring *producer = made(), *consumer;
    struct tdk_ring_info info;
    struct tdk_err err;
    publish(producer, "before");
    assert_int_equal(
        memory_attach(&consumer, tdk_ring_file(producer), "m", TDK_RING_CONSUMER, &err), 0);
    publish(producer, "behind");
    assert_memory_equal(next_tick(consumer) + 1, "before", 6);
    assert_memory_equal(next_tick(consumer) + 1, "behind", 6);
    assert_null(next_tick(consumer));
    tdk_ring_info(consumer, &info);
    assert_string_equal(info.track, "t");
    assert_int_equal(info.producer_pid, getpid());
    tdk_ring_detach(producer);
    tdk_ring_info(consumer, &info);
    assert_int_equal(info.producer_pid, 0);
    tdk_ring_detach(consumer);
}

static void a_second_consumer_is_refused_and_the_next_one_goes_on(void **state)
{
    (void)state;
    struct tdk_ring *producer = made(), *first, *second;
    struct tdk_err err;
    int file = tdk_ring_file(producer);
    publish(producer, "one");
    publish(producer, "two");
    assert_int_equal(memory_attach(&first, file, "m", TDK_RING_CONSUMER, &err), 0);
    assert_int_equal(memory_attach(&second, file, "m", TDK_RING_CONSUMER, &err), TDK_EBUSY);
    assert_memory_equal(next_tick(first) + 1, "one", 3);
    tdk_ring_release(first);
    tdk_ring_detach(first);
    assert_int_equal(memory_attach(&second, file, "m", TDK_RING_CONSUMER, &err), 0);
    assert_memory_equal(next_tick(second) + 1, "two", 3);
    tdk_ring_detach(second);
    tdk_ring_detach(producer);
}

static void nobody_can_cut_it(void **state)
{
    (void)state;
    struct tdk_ring *ring = made();
    int file = tdk_ring_file(ring);
    assert_int_equal(ftruncate(file, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(file, 1 << 20), -1);
    assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), -1);
    tdk_ring_detach(ring);
}

/* Make a copy of a ring's memory, sealed with `seals`. */
static int copy_with(int file, int seals, off_t size)
{
    static unsigned char bytes[2 * CAPACITY];
    ssize_t got = pread(file, bytes, sizeof bytes, 0);
    int copy = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(got > 0 && copy >= 0);
    assert_int_equal(pwrite(copy, bytes, (size_t)got, 0), got);
    assert_int_equal(ftruncate(copy, size != 0 ? size : got), 0);
    assert_int_equal(fcntl(copy, F_ADD_SEALS, seals), 0);
    return copy;
}

static void refused(int file, const char *word)
{
    struct tdk_ring *ring;
    struct tdk_err err;
    assert_int_equal(memory_attach(&ring, file, "m", TDK_RING_CONSUMER, &err), TDK_EHOSTILE);
    assert_non_null(strstr(err.text, word));
    close(file);
}

static void what_is_no_sealed_ring_is_refused(void **state)
{
    (void)state;
    const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    struct tdk_ring *ring = made(), *other;
    struct tdk_err err;
    int file = tdk_ring_file(ring), good = copy_with(file, all, 0);
    assert_int_equal(memory_attach(&other, good, "m", TDK_RING_CONSUMER, &err), 0);
    tdk_ring_detach(other);
    close(good);
    refused(copy_with(file, F_SEAL_SHRINK | F_SEAL_GROW, 0), "sealed");
    refused(copy_with(file, F_SEAL_SHRINK | F_SEAL_SEAL, 0), "sealed");
    refused(copy_with(file, F_SEAL_GROW | F_SEAL_SEAL, 0), "sealed");
    refused(copy_with(file, all, (off_t)4 << 30), "more than");
    refused(copy_with(file, all, (off_t)256 << 20), "pages");
    refused(copy_with(file, all, 4096), "cannot be a ring");
    refused(open("/dev/null", O_RDWR | O_CLOEXEC), "sealed");
    refused(open("/", O_RDONLY | O_CLOEXEC), "sealed");
    tdk_ring_detach(ring);
}

static void a_bad_name_or_size_is_told(void **state)
{
    (void)state;
    struct tdk_ring_options options = {.capacity = 12345};
    struct tdk_ring *ring;
    struct tdk_err err;
    assert_int_equal(tdk_ring_create_memory(&ring, "../m", NULL, &err), TDK_ENAME);
    assert_int_equal(tdk_ring_create_memory(&ring, "m", &options, &err), TDK_EVALUE);
    options.capacity = 2 * MEMORY_CAPACITY_MAX; /* or there would be a ring that nobody takes */
    assert_int_equal(tdk_ring_create_memory(&ring, "m", &options, &err), TDK_EVALUE);
    assert_non_null(strstr(err.text, "at most 1024 MiB, not 2048"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_published_is_read_where_it_was_passed_to),
        cmocka_unit_test(a_second_consumer_is_refused_and_the_next_one_goes_on),
        cmocka_unit_test(nobody_can_cut_it),
        cmocka_unit_test(what_is_no_sealed_ring_is_refused),
        cmocka_unit_test(a_bad_name_or_size_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
