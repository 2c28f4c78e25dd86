/* A ring whose memory breaks its rules because somebody else wrote into it. */
#include "tests/support/one_ring.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/region.h"

/* ---- memory that breaks its rules ---- */

static struct tdk_ring_shared *shared_of(struct tdk_ring *ring)
{
    return ring->shared;
}

static void counters_that_cannot_be_end_the_ring_for_its_consumer(void **state)
{
    const uint64_t wrong[] = {CAPACITY + 8, UINT64_MAX, 4, UINT64_C(1) << 63};
    struct fixture *f = *state;
    f->producer = attach(TDK_RING_PRODUCER);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        f->consumer = attach(TDK_RING_CONSUMER);
        shared_of(f->producer)->produced = wrong[i];
        assert_null(tdk_ring_next(f->consumer));
        assert_non_null(tdk_ring_hostile(f->consumer));
        shared_of(f->producer)->produced = 96; /* mended, but not believed again */
        size_t size;
        assert_null(tdk_ring_next(f->consumer));
        tdk_ring_peek(f->consumer, &size);
        assert_int_equal(size, 0);
        assert_false(tdk_ring_wait_frame(f->consumer, TDK_WAIT_PARK, SECOND));
        tdk_ring_detach(f->consumer);
        shared_of(f->producer)->produced = 0;
    }
    f->consumer = NULL;
}

static void a_head_that_cannot_be_ends_the_ring_for_its_consumer(void **state)
{
    const uint32_t sizes[] = {CAPACITY / 4 + 1, UINT32_MAX, 65, 8000};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        attach_both(f);
        assert_true(put_tick(f->producer, 64));
        struct tdk_frame *frame = tdk_ring_claim(f->producer, 64);
        frame->type = TDK_TYPE_OPAQUE;
        frame->size = sizes[i];
        tdk_ring_publish(f->producer);
        next_epoch(f->consumer);
        assert_non_null(tdk_ring_next(f->consumer));
        assert_null(tdk_ring_next(f->consumer));
        assert_non_null(tdk_ring_hostile(f->consumer));
        tdk_ring_detach(f->consumer);
        tdk_ring_detach(f->producer);
        f->producer = f->consumer = NULL;
        assert_int_equal(tdk_ring_remove("sim", false, NULL), 0);
        struct tdk_ring_options options = {.capacity = CAPACITY};
        assert_int_equal(tdk_ring_create("sim", &options, NULL), 0);
    }
}

/* It releases more than there is, less than before, or to a place between two words. */
static void a_consumer_that_releases_what_was_not_there_is_not_believed(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        attach_both(f);
        uint64_t fit = fill_ring(f->producer, 64);
        while (tdk_ring_next(f->consumer) != NULL)
            continue;
        tdk_ring_release_to(f->consumer, tdk_ring_position(f->consumer));
        fit += fill_ring(f->producer, 64);
        uint64_t *consumed = &shared_of(f->consumer)->consumed, released = *consumed;
        *consumed = i == 0 ? released + (fit + 10) * 88 : i == 1 ? released - 88 : released + 4;
        assert_false(put_tick(f->producer, 64));
        assert_non_null(tdk_ring_hostile(f->producer));
        *consumed = released;
        assert_false(put_tick(f->producer, 64));
        tdk_ring_detach(f->consumer);
        tdk_ring_detach(f->producer);
    }
    f->producer = f->consumer = NULL;
}

static void a_tap_survives_any_counter(void **state)
{
    const uint64_t wrong[] = {0, 4, CAPACITY * 2 + 4, UINT64_MAX};
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    uint64_t produced = shared_of(f->producer)->produced;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        f->tap = attach(TDK_RING_TAP);
        shared_of(f->producer)->produced = wrong[i];
        uint64_t buffer[512], missed;
        assert_int_equal(tdk_ring_tap(f->tap, buffer, sizeof buffer, &missed), TDK_EHOSTILE);
        shared_of(f->producer)->produced = produced;
        tdk_ring_detach(f->tap);
    }
    f->tap = NULL;
}

static void contradictory_counters_are_refused_at_attach(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring *ring;
    f->tap = attach(TDK_RING_TAP);
    f->consumer = attach(TDK_RING_CONSUMER);
    shared_of(f->consumer)->reserved = CAPACITY + 8;
    assert_int_equal(tdk_ring_attach(&ring, "sim", TDK_RING_PRODUCER, &f->err), TDK_EHOSTILE);
    shared_of(f->consumer)->reserved = 0;
    shared_of(f->consumer)->produced = CAPACITY + 8;
    assert_int_equal(tdk_ring_attach(&ring, "sim", TDK_RING_PRODUCER, &f->err), TDK_EHOSTILE);
    tdk_ring_detach(f->consumer);
    f->consumer = NULL;
    assert_int_equal(tdk_ring_attach(&ring, "sim", TDK_RING_CONSUMER, &f->err), TDK_EHOSTILE);
    struct tdk_ring_info info;
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0); /* looking is always possible */
    assert_true(info.fill <= info.capacity);
}

static struct tdk_ring_shared good_head(void)
{
    return (struct tdk_ring_shared){
        .magic = TDK_RING_MAGIC,
        .version = TDK_RING_VERSION,
        .header_size = 4096,
        .capacity = CAPACITY,
        .payload_max = CAPACITY / 4,
        .track = "sim",
    };
}

static int check_head(const struct tdk_ring_shared *head, uint64_t size, struct tdk_err *err)
{
    return region_check(head, size, 4096, "sim", err);
}

static void a_header_is_believed_only_where_it_agrees_with_the_file(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring_shared head = good_head();
    uint64_t size = 4096 + CAPACITY;
    assert_int_equal(check_head(&head, size, NULL), 0);
    assert_int_equal(check_head(&head, size - 8, NULL), TDK_EHOSTILE);
    assert_int_equal(check_head(&head, 4096 + 2 * CAPACITY, NULL), TDK_EHOSTILE);
    assert_int_equal(check_head(&head, 0, NULL), TDK_EHOSTILE);
    assert_int_equal(check_head(&head, UINT64_MAX, NULL), TDK_EHOSTILE);
    head.magic++;
    assert_int_equal(check_head(&head, size, NULL), TDK_EHOSTILE);
    head = good_head();
    head.version = 2;
    assert_int_equal(check_head(&head, size, &f->err), TDK_EVERSION);
    assert_non_null(strstr(f->err.text, "version 2"));
    head = good_head();
    head.payload_max = CAPACITY / 4 + 1;
    assert_int_equal(check_head(&head, size, NULL), TDK_EHOSTILE);
    head = good_head();
    memset(head.track, 'x', sizeof head.track);
    assert_int_equal(check_head(&head, size, NULL), TDK_EHOSTILE);
}

static void put_file(const struct fixture *f, const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.ring", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    assert_int_equal(chmod(path, 0660), 0);
}

static int attach_to(const char *name, struct tdk_err *err)
{
    struct tdk_ring *ring;
    return tdk_ring_attach(&ring, name, TDK_RING_CONSUMER, err);
}

static void what_is_no_ring_is_refused_without_harm(void **state)
{
    struct fixture *f = *state;
    char path[128], target[128];
    put_file(f, "empty", "", 0);
    put_file(f, "text", "not a ring\n", 11);
    struct tdk_ring_shared head = good_head();
    put_file(f, "short", &head, sizeof head); /* true words, but no data after them */
    assert_int_equal(attach_to("empty", &f->err), TDK_EHOSTILE);
    assert_int_equal(attach_to("text", &f->err), TDK_EHOSTILE);
    assert_int_equal(attach_to("short", &f->err), TDK_EHOSTILE);
    head.version = 99;
    put_file(f, "newer", &head, sizeof head);
    assert_int_equal(attach_to("newer", &f->err), TDK_EVERSION);

    snprintf(path, sizeof path, "%s/fifo.ring", f->folder);
    assert_int_equal(mkfifo(path, 0660), 0);
    assert_int_equal(attach_to("fifo", &f->err), TDK_EHOSTILE);
    snprintf(path, sizeof path, "%s/link.ring", f->folder);
    snprintf(target, sizeof target, "%s/sim.ring", f->folder);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(attach_to("link", &f->err), TDK_EHOSTILE);
    snprintf(path, sizeof path, "%s/dir.ring", f->folder);
    assert_int_equal(mkdir(path, 0770), 0);
    assert_int_equal(attach_to("dir", &f->err), TDK_EHOSTILE);
    assert_int_equal(rmdir(path), 0);

    snprintf(path, sizeof path, "%s/sim.ring", f->folder);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(attach_to("sim", &f->err), TDK_EHOSTILE);
    assert_int_equal(attach_to("nothing", &f->err), TDK_ENORING);
    assert_int_equal(tdk_ring_remove("fifo", false, &f->err), TDK_EHOSTILE);
    assert_int_equal(tdk_ring_remove("fifo", true, &f->err), 0);
}

/* ---- a file that is cut under us ---- */

static void cut_ring(const struct fixture *f, off_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/sim.ring", f->folder);
    assert_int_equal(truncate(path, size), 0);
}

static void a_cut_file_ends_the_ring_and_nobodys_life(void **state)
{
    const off_t sizes[] = {4096, 0, 8192};
    struct fixture *f = *state;
    assert_int_equal(tdk_ring_guard(NULL), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        attach_both(f);
        f->tap = attach(TDK_RING_TAP);
        fill_ring(f->producer, 1000);
        cut_ring(f, sizes[i]);
        while (i == 1 && tdk_ring_warm(f->consumer, CAPACITY))
            continue;
        uint64_t buffer[4096], missed, count = 0;
        while (tdk_ring_next(f->consumer))
            count++;
        assert_true(count <= CAPACITY / 1024);
        assert_string_equal(tdk_ring_hostile(f->consumer), "its file was cut");
        assert_null(tdk_ring_next(f->consumer));
        tdk_ring_release(f->consumer);
        while (tdk_ring_tap(f->tap, buffer, sizeof buffer, &missed) > 0)
            ;
        assert_non_null(tdk_ring_hostile(f->tap));
        put_tick(f->producer, 64);
        if (sizes[i] == 0) /* otherwise nothing that is gone was touched */
            assert_string_equal(tdk_ring_hostile(f->producer), "its file was cut");
        tdk_ring_detach(f->tap);
        tdk_ring_detach(f->consumer);
        tdk_ring_detach(f->producer);
        f->tap = f->consumer = f->producer = NULL;
        assert_int_equal(attach_to("sim", &f->err), TDK_EHOSTILE);
        assert_int_equal(tdk_ring_remove("sim", true, NULL), 0);
        struct tdk_ring_options options = {.capacity = CAPACITY};
        assert_int_equal(tdk_ring_create("sim", &options, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ring(counters_that_cannot_be_end_the_ring_for_its_consumer),
        with_ring(a_head_that_cannot_be_ends_the_ring_for_its_consumer),
        with_ring(a_consumer_that_releases_what_was_not_there_is_not_believed),
        with_ring(a_tap_survives_any_counter),
        with_ring(contradictory_counters_are_refused_at_attach),
        with_ring(a_header_is_believed_only_where_it_agrees_with_the_file),
        with_ring(what_is_no_ring_is_refused_without_harm),
        with_ring(a_cut_file_ends_the_ring_and_nobodys_life),
    };
    return cmocka_run_group_tests_name("shm.ring_hostile", tests, NULL, NULL);
}
