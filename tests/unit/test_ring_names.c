/* Rings by name: made, listed, removed, and who may attach. */
#include "tests/support/one_ring.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/region.h"

/* ---- create, list, remove ---- */

static void a_ring_is_made_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/sim.ring", f->folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4096 + CAPACITY);
    assert_true((size_t)st.st_blocks * 512 >= 4096 + CAPACITY); /* every page is there */
    assert_int_equal(st.st_mode & 0777, 0660);

    assert_int_equal(tdk_ring_create("sim", NULL, &f->err), -EEXIST);
    assert_non_null(strstr(f->err.text, "sim"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4096 + CAPACITY);
}

static void a_ring_that_does_not_fit_says_what_it_needs(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring_options options = {.capacity = RING_CAPACITY_MAX};
    int rc = tdk_ring_create("huge", &options, &f->err);
    assert_int_equal(rc, -ENOSPC);
    assert_non_null(strstr(f->err.text, "1048577 MiB"));
    assert_non_null(strstr(f->err.text, "--shm-size"));
    struct tdk_ring_info info;
    assert_int_equal(tdk_ring_stat("huge", &info, NULL), TDK_ENORING);
}

static void odd_sizes_and_names_are_refused(void **state)
{
    struct fixture *f = *state;
    const size_t sizes[] = {1, 4096, 32 << 10, (64 << 10) + 8, 3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct tdk_ring_options options = {.capacity = sizes[i]};
        assert_int_equal(tdk_ring_create("odd", &options, &f->err), TDK_EVALUE);
    }
    struct tdk_ring_options options = {.capacity = CAPACITY, .payload_max = CAPACITY / 4 + 1};
    assert_int_equal(tdk_ring_create("odd", &options, &f->err), TDK_EVALUE);
    options = (struct tdk_ring_options){.capacity = CAPACITY, .track = "a b"};
    assert_int_equal(tdk_ring_create("odd", &options, &f->err), TDK_ENAME);

    const char *names[] = {"", "../x", "/x", ".hidden", "a/b", "a b", "a\n"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(tdk_ring_create(names[i], NULL, &f->err), TDK_ENAME);
        assert_int_equal(tdk_ring_remove(names[i], true, &f->err), TDK_ENAME);
        struct tdk_ring *ring;
        assert_int_equal(tdk_ring_attach(&ring, names[i], TDK_RING_TAP, &f->err), TDK_ENAME);
    }
}

static void a_disk_is_no_place_for_a_ring_unless_allowed(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/var/tmp/tapedeck-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    setenv("TAPEDECK_RINGS", folder, 1);
    struct tdk_ring_options options = {.capacity = CAPACITY};
    int rc = tdk_ring_create("disk", &options, &f->err);
    options.on_disk = true;
    int allowed = tdk_ring_create("disk", &options, NULL);
    struct tdk_ring *ring = NULL;
    int attached = tdk_ring_attach(&ring, "disk", TDK_RING_PRODUCER, NULL);
    tdk_ring_detach(ring);
    tdk_ring_remove("disk", false, NULL);
    int removed = rmdir(folder);
    setenv("TAPEDECK_RINGS", f->folder, 1);
    if (rc == 0) /* here /var/tmp is in memory */
        skip();
    assert_int_equal(rc, TDK_EVALUE);
    assert_int_equal(allowed, 0);
    assert_int_equal(attached, 0);
    assert_int_equal(removed, 0);
}

static int note_name(const char *name, void *context)
{
    char *names = context;
    strcat(names, name);
    strcat(names, " ");
    return 0;
}

static int stop_at_once(const char *name, void *context)
{
    (void)name;
    (void)context;
    return 7;
}

static void rings_are_listed_by_name(void **state)
{
    (void)state;
    struct tdk_ring_options options = {.capacity = CAPACITY};
    assert_int_equal(tdk_ring_create("zeta", &options, NULL), 0);
    assert_int_equal(tdk_ring_create("Alpha.1", &options, NULL), 0);
    char names[256] = "";
    assert_int_equal(tdk_ring_list(note_name, names, NULL), 0);
    assert_string_equal(names, "Alpha.1 sim zeta ");
    assert_int_equal(tdk_ring_list(stop_at_once, NULL, NULL), 7);
}

static void without_a_directory_there_are_no_rings(void **state)
{
    struct fixture *f = *state;
    setenv("TAPEDECK_RINGS", "/dev/shm/tapedeck-test-none", 1);
    char names[256] = "";
    struct tdk_ring *ring;
    assert_int_equal(tdk_ring_list(note_name, names, NULL), 0);
    assert_string_equal(names, "");
    assert_int_equal(tdk_ring_attach(&ring, "sim", TDK_RING_TAP, &f->err), TDK_ENORING);
    assert_int_equal(tdk_ring_remove("sim", false, &f->err), TDK_ENORING);
    setenv("TAPEDECK_RINGS", f->folder, 1);
}

static void a_ring_in_use_is_removed_only_by_force(void **state)
{
    struct fixture *f = *state;
    f->consumer = attach(TDK_RING_CONSUMER);
    assert_int_equal(tdk_ring_remove("sim", false, &f->err), TDK_EBUSY);
    assert_int_equal(tdk_ring_remove("sim", true, &f->err), 0);
    assert_int_equal(tdk_ring_remove("sim", true, &f->err), TDK_ENORING);
    assert_null(tdk_ring_next(f->consumer)); /* whoever has it attached keeps the memory */
}

/* ---- roles ---- */

static void a_role_has_one_holder_and_is_free_after_it(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring *second = NULL;
    attach_both(f);
    assert_int_equal(tdk_ring_attach(&second, "sim", TDK_RING_PRODUCER, &f->err), TDK_EBUSY);
    assert_non_null(strstr(f->err.text, "producer"));
    assert_int_equal(tdk_ring_attach(&second, "sim", TDK_RING_CONSUMER, &f->err), TDK_EBUSY);
    assert_null(second);
    tdk_ring_detach(f->producer);
    f->producer = attach(TDK_RING_PRODUCER);
}

static void info_tells_who_is_there(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring_info info;
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.producer_pid + info.consumer_pid + info.taps, 0);
    attach_both(f);
    f->tap = attach(TDK_RING_TAP);
    struct tdk_ring *second = attach(TDK_RING_TAP);
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.producer_pid, getpid());
    assert_int_equal(info.consumer_pid, getpid());
    assert_int_equal(info.taps, 2);
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.producer_pid, getpid());
    assert_int_equal(info.taps, 2);
    tdk_ring_info(f->tap, &info);
    assert_int_equal(info.taps, 2);
    tdk_ring_detach(second);
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.taps, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_ring(a_ring_is_made_whole_or_not_at_all),
        with_ring(a_ring_that_does_not_fit_says_what_it_needs),
        with_ring(odd_sizes_and_names_are_refused),
        with_ring(a_disk_is_no_place_for_a_ring_unless_allowed),
        with_ring(rings_are_listed_by_name),
        with_ring(without_a_directory_there_are_no_rings),
        with_ring(a_ring_in_use_is_removed_only_by_force),
        with_ring(a_role_has_one_holder_and_is_free_after_it),
        with_ring(info_tells_who_is_there),
    };
    return cmocka_run_group_tests_name("shm.ring_names", tests, NULL, NULL);
}
