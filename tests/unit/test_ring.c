/* The ring in one process: both ends by name, as two processes would. */
#include "tests/support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/region.h"
#include "tapedeck/ring.h"

#define CAPACITY ((size_t)64 << 10)
#define SECOND   UINT64_C(1000000000)

/* A directory of our own, with one small ring, and handles that teardown closes. */
struct fixture {
    char folder[64];
    struct tdk_ring *producer, *consumer, *tap;
    struct tdk_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    strcpy(f->folder, "/dev/shm/tapedeck-test-XXXXXX");
    if (!mkdtemp(f->folder) || setenv("TAPEDECK_RINGS", f->folder, 1) < 0)
        return -1;
    *state = f;
    struct tdk_ring_options options = {.capacity = CAPACITY};
    return tdk_ring_create("sim", &options, NULL);
}

static int remove_each(const char *name, void *context)
{
    (void)context;
    return tdk_ring_remove(name, true, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tdk_ring_detach(f->tap);
    tdk_ring_detach(f->consumer);
    tdk_ring_detach(f->producer);
    int rc = tdk_ring_list(remove_each, NULL, NULL);
    if (rmdir(f->folder) < 0)
        rc = -errno;
    free(f);
    return rc;
}

static struct tdk_ring *attach(enum tdk_ring_role role)
{
    struct tdk_ring *ring = NULL;
    struct tdk_err err;
    if (tdk_ring_attach(&ring, "sim", role, &err) < 0)
        fail_msg("%s", err.text);
    return ring;
}

static void attach_both(struct fixture *f)
{
    f->producer = attach(TDK_RING_PRODUCER);
    f->consumer = attach(TDK_RING_CONSUMER);
}

/* Claim one tick whose bytes follow from its seq. */
static bool claim_tick(struct tdk_ring *ring, uint32_t size)
{
    struct tdk_frame *frame = tdk_ring_claim(ring, size);
    if (!frame)
        return false;
    frame->type = TDK_TYPE_OPAQUE;
    frame->ts = frame->seq * 1000;
    memset(frame + 1, (int)frame->seq, size);
    return true;
}

static bool put_tick(struct tdk_ring *ring, uint32_t size)
{
    bool claimed = claim_tick(ring, size);
    if (claimed)
        tdk_ring_publish(ring);
    return claimed;
}

static void assert_tick(const struct tdk_frame *frame, uint64_t seq, uint32_t size)
{
    assert_non_null(frame);
    assert_int_equal(frame->type, TDK_TYPE_OPAQUE);
    assert_int_equal(frame->seq, seq);
    assert_int_equal(frame->ts, seq * 1000);
    assert_int_equal(frame->size, size);
    assert_int_equal(frame->track, 0);
    assert_int_equal(frame->flags, 0);
    const unsigned char *payload = tdk_frame_payload(frame);
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(payload[i], (unsigned char)seq);
    for (size_t i = size; i < tdk_frame_span(size) - sizeof *frame; i++)
        assert_int_equal(payload[i], 0);
}

/* The next frame must be an EPOCH frame: its payload. */
static struct tdk_epoch next_epoch(struct tdk_ring *consumer)
{
    struct tdk_epoch epoch;
    const struct tdk_frame *frame = tdk_ring_next(consumer);
    assert_non_null(frame);
    assert_int_equal(frame->type, TDK_TYPE_EPOCH);
    assert_int_equal(frame->size, sizeof epoch);
    memcpy(&epoch, frame + 1, sizeof epoch);
    return epoch;
}

static uint64_t fill_ring(struct tdk_ring *producer, uint32_t size)
{
    uint64_t count = 0;
    while (put_tick(producer, size))
        count++;
    return count;
}

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
    if (rc == 0) /* /var/tmp is memory here */
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
    assert_null(tdk_ring_next(f->consumer)); /* the memory stays for those who have it */
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

/* ---- ticks ---- */

static void what_is_published_arrives_unchanged_and_in_order(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    for (uint64_t seq = 1; seq <= 20000; seq++) {
        uint32_t size = (uint32_t)(seq * 7 % 300);
        assert_true(put_tick(f->producer, size));
        if (seq == 1)
            next_epoch(f->consumer);
        assert_tick(tdk_ring_next(f->consumer), seq, size);
        tdk_ring_release(f->consumer);
    }
    assert_null(tdk_ring_next(f->consumer));
}

static void a_claim_is_not_seen_before_it_is_published(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(claim_tick(f->producer, 64));
    next_epoch(f->consumer); /* which went ahead */
    assert_null(tdk_ring_next(f->consumer));
    assert_true(claim_tick(f->producer, 0));
    tdk_ring_publish(f->producer);
    assert_tick(tdk_ring_next(f->consumer), 1, 64);
    assert_tick(tdk_ring_next(f->consumer), 2, 0);
    assert_null(tdk_ring_next(f->consumer));
}

static void the_largest_payload_fits_and_one_more_byte_costs_nothing(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    uint32_t max = CAPACITY / 4;
    assert_null(tdk_ring_claim(f->producer, max + 1));
    assert_null(tdk_ring_claim_raw(f->producer, max + 1));
    assert_true(put_tick(f->producer, max));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, max);
}

static void a_full_ring_refuses_and_counts(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    uint64_t fit = fill_ring(f->producer, 64); /* the last try was refused */
    assert_int_equal(fit, (CAPACITY - 96) / 88);
    assert_false(put_tick(f->producer, 64));
    tdk_ring_drop(f->producer, 3);

    struct tdk_ring_info info;
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.seq, fit + 5);
    assert_int_equal(info.lost, 5);
    assert_int_equal(info.produced, fit);

    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= fit; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    tdk_ring_release(f->consumer);
    assert_true(put_tick(f->producer, 64));
    assert_tick(tdk_ring_next(f->consumer), fit + 6, 64); /* the hole is the loss */
}

static void a_raw_frame_spends_no_seq(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 8));
    struct tdk_frame *mark = tdk_ring_claim_raw(f->producer, 5);
    assert_non_null(mark);
    mark->type = TDK_TYPE_MARK;
    mark->seq = 2;
    mark->ts = 1;
    memcpy(mark + 1, "hello", 5);
    assert_true(put_tick(f->producer, 8));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 8);
    assert_int_equal(tdk_ring_next(f->consumer)->type, TDK_TYPE_MARK);
    assert_tick(tdk_ring_next(f->consumer), 2, 8);
}

static void a_run_of_frames_goes_in_as_one_piece(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    struct tdk_frame frames[8];
    for (uint64_t i = 0; i < 8; i++)
        frames[i] = (struct tdk_frame){.type = TDK_TYPE_OPAQUE, .seq = 100 + i, .track = 3};
    assert_null(tdk_ring_claim_run(f->producer, CAPACITY / 2 + 8));
    assert_null(tdk_ring_claim_run(f->producer, 25));
    void *room = tdk_ring_claim_run(f->producer, sizeof frames + 4096);
    assert_non_null(room);
    memcpy(room, frames, sizeof frames);
    tdk_ring_shrink_run(f->producer, 4096);
    tdk_ring_publish(f->producer);
    next_epoch(f->consumer);
    for (uint64_t i = 0; i < 8; i++) {
        const struct tdk_frame *frame = tdk_ring_next(f->consumer);
        assert_int_equal(frame->seq, 100 + i);
        assert_int_equal(frame->track, 3);
    }
    assert_null(tdk_ring_next(f->consumer));
}

static void padding_is_stepped_over(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 8));
    assert_non_null(tdk_ring_claim_raw(f->producer, 40)); /* type 0, as claimed */
    assert_true(put_tick(f->producer, 8));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 8);
    assert_tick(tdk_ring_next(f->consumer), 2, 8);
    assert_null(tdk_ring_hostile(f->consumer));
}

static void peek_shows_all_that_is_published_in_one_piece(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    size_t size;
    tdk_ring_peek(f->consumer, &size);
    assert_int_equal(size, 0);
    for (int lap = 0; lap < 50; lap++) { /* so that the run crosses the end of the ring */
        uint64_t before = tdk_ring_position(f->consumer);
        for (int i = 0; i < 200; i++)
            assert_true(claim_tick(f->producer, 100));
        tdk_ring_publish(f->producer);
        const struct tdk_frame *frame = tdk_ring_peek(f->consumer, &size);
        assert_int_equal(size, 200 * 128 + (lap == 0 ? 96 : 0));
        const unsigned char *end = (const unsigned char *)frame + size;
        if (lap == 0)
            frame = tdk_frame_after(frame);
        for (uint64_t i = 1; (const unsigned char *)frame < end;
             i++, frame = tdk_frame_after(frame))
            assert_tick(frame, (uint64_t)lap * 200 + i, 100);
        tdk_ring_skip(f->consumer, size);
        assert_int_equal(tdk_ring_position(f->consumer), before + size);
        tdk_ring_release(f->consumer);
    }
}

/* A batch is waited behind, so that the next one is no smaller; what comes alone is not. */
static void a_consumer_waits_behind_a_batch_and_never_behind_one_frame(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    put_tick(f->producer, 64);
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 64);
    for (uint64_t seq = 2; seq <= 4; seq++) {
        assert_null(tdk_ring_next(f->consumer));
        put_tick(f->producer, 64);
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
        assert_int_equal(f->consumer->linger, 0);
    }
    for (uint64_t seq = 5; seq <= 204; seq++)
        put_tick(f->producer, 64);
    assert_tick(tdk_ring_next(f->consumer), 5, 64);
    assert_int_equal(f->consumer->linger, TDK_RING_LINGER_MAX);
    for (uint64_t seq = 6; seq <= 204; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    assert_null(tdk_ring_next(f->consumer));
    assert_int_equal(f->consumer->linger, 0);
}

static void room_released_by_position_is_the_producers_at_once(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    fill_ring(f->producer, 64);
    next_epoch(f->consumer);
    uint64_t first = tdk_ring_position(f->consumer);
    for (int i = 0; i < 10; i++)
        tdk_ring_next(f->consumer);
    assert_false(put_tick(f->producer, 64));
    tdk_ring_release_to(f->consumer, first + 88);
    assert_true(put_tick(f->producer, 64));
    tdk_ring_release_to(f->consumer, first); /* never back */
    assert_true(put_tick(f->producer, 64));
    assert_false(put_tick(f->producer, 64));
}

static void what_was_not_released_is_there_for_the_next_consumer(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    for (int i = 0; i < 10; i++)
        assert_true(put_tick(f->producer, 64));
    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= 4; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    tdk_ring_release(f->consumer); /* too little to be told at once: detach tells it */
    assert_tick(tdk_ring_next(f->consumer), 5, 64);
    tdk_ring_detach(f->consumer);
    f->consumer = attach(TDK_RING_CONSUMER);
    for (uint64_t seq = 5; seq <= 10; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    assert_null(tdk_ring_next(f->consumer));
}

static void touch_all(struct tdk_ring *ring, size_t step)
{
    size_t pages = 2 * CAPACITY / 4096, calls = 1;
    while (tdk_ring_warm(ring, step))
        assert_true(++calls <= pages);
    assert_false(tdk_ring_warm(ring, step)); /* once is enough */
    assert_true(step < CAPACITY ? calls > 1 : calls <= 2);
}

static void touching_the_pages_changes_nothing_that_is_in_them(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    f->tap = attach(TDK_RING_TAP);
    for (uint64_t seq = 1; seq <= 3000; seq++) { /* some rounds, so that it begins in the middle */
        assert_true(put_tick(f->producer, 64));
        if (seq == 1)
            next_epoch(f->consumer);
        if (seq > 100) {
            assert_tick(tdk_ring_next(f->consumer), seq - 100, 64);
            tdk_ring_release(f->consumer);
        }
    }
    touch_all(f->producer, 4096);
    touch_all(f->consumer, 3 * 4096);
    touch_all(f->tap, 2 * CAPACITY);
    for (uint64_t seq = 2901; seq <= 3000; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    assert_null(tdk_ring_next(f->consumer));
}

static void the_high_water_mark_is_the_fullest_a_consumer_met(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    for (int i = 0; i < 100; i++)
        assert_true(put_tick(f->producer, 64));
    while (tdk_ring_next(f->consumer))
        tdk_ring_release(f->consumer);
    assert_true(put_tick(f->producer, 64));
    struct tdk_ring_info info;
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.high_water, 96 + 100 * 88);
    assert_int_equal(info.fill, 88);
    assert_int_equal(info.produced_bytes, 96 + 101 * 88);
    assert_int_equal(info.consumed_bytes, 96 + 100 * 88);
}

/* ---- epochs ---- */

static void each_producer_begins_an_epoch_that_names_the_last(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_int_equal(tdk_ring_epoch(f->consumer), 0); /* nothing was put in yet */
    uint64_t first = tdk_ring_epoch(f->producer);
    assert_true(put_tick(f->producer, 8));
    struct tdk_epoch epoch = next_epoch(f->consumer);
    assert_int_equal(epoch.epoch, first);
    assert_int_equal(epoch.previous, 0);
    assert_int_equal(epoch.previous_seq, 0);
    assert_int_equal(epoch.pid, getpid());
    assert_tick(tdk_ring_next(f->consumer), 1, 8);

    tdk_ring_drop(f->producer, 4); /* a loss at the very end */
    tdk_ring_detach(f->producer);
    f->producer = attach(TDK_RING_PRODUCER);
    assert_true(tdk_ring_epoch(f->producer) > first);
    assert_true(put_tick(f->producer, 8));
    epoch = next_epoch(f->consumer);
    assert_int_equal(epoch.epoch, tdk_ring_epoch(f->producer));
    assert_int_equal(epoch.previous, first);
    assert_int_equal(epoch.previous_seq, 5);
    assert_tick(tdk_ring_next(f->consumer), 1, 8);

    struct tdk_ring_info info;
    tdk_ring_info(f->consumer, &info);
    assert_int_equal(info.epoch, epoch.epoch);
    assert_int_equal(info.seq, 1);
    assert_int_equal(info.lost, 0);
    assert_int_equal(info.lost_total, 4);
}

static void a_producer_that_put_nothing_in_leaves_no_trace_but_its_losses(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    uint64_t first = tdk_ring_epoch(f->producer);
    uint64_t fit = fill_ring(f->producer, 64);
    tdk_ring_detach(f->producer);

    f->producer = attach(TDK_RING_PRODUCER); /* full: not even its EPOCH frame finds room */
    uint64_t silent = tdk_ring_epoch(f->producer);
    assert_false(put_tick(f->producer, 64));
    assert_false(put_tick(f->producer, 64));
    struct tdk_ring_info info;
    tdk_ring_info(f->producer, &info);
    assert_int_equal(info.epoch, first);
    assert_int_equal(info.lost, 1);
    assert_int_equal(info.seq, fit + 1);
    assert_int_equal(info.lost_total, 3);
    tdk_ring_detach(f->producer);

    f->producer = attach(TDK_RING_PRODUCER);
    assert_true(tdk_ring_epoch(f->producer) > silent);
    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= fit; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
    tdk_ring_release(f->consumer);
    assert_true(put_tick(f->producer, 64));
    struct tdk_epoch epoch = next_epoch(f->consumer);
    assert_int_equal(epoch.epoch, tdk_ring_epoch(f->producer));
    assert_int_equal(epoch.previous, first);
    assert_int_equal(epoch.previous_seq, fit + 1);
    assert_tick(tdk_ring_next(f->consumer), 3, 64); /* 1 and 2 were refused before */
}

static void the_epoch_of_a_frame_is_known_wherever_a_consumer_comes_in(void **state)
{
    struct fixture *f = *state;
    uint64_t epochs[4];
    for (int i = 0; i < 4; i++) {
        f->producer = attach(TDK_RING_PRODUCER);
        epochs[i] = tdk_ring_epoch(f->producer);
        assert_true(put_tick(f->producer, 8));
        assert_true(put_tick(f->producer, 8));
        tdk_ring_detach(f->producer);
    }
    f->producer = attach(TDK_RING_PRODUCER); /* one more, that says nothing */
    for (int i = 0; i < 4; i++)
        for (int frame = 0; frame < 3; frame++) {
            f->consumer = attach(TDK_RING_CONSUMER);
            assert_int_equal(tdk_ring_epoch(f->consumer), epochs[i]);
            assert_non_null(tdk_ring_next(f->consumer));
            tdk_ring_release(f->consumer);
            tdk_ring_detach(f->consumer);
        }
    f->consumer = attach(TDK_RING_CONSUMER);
    assert_int_equal(tdk_ring_epoch(f->consumer), epochs[3]);
}

static void an_epoch_is_above_the_floor_that_the_tape_sets(void **state)
{
    struct fixture *f = *state;
    f->consumer = attach(TDK_RING_CONSUMER);
    uint64_t floor = UINT64_C(1) << 62;
    tdk_ring_epoch_floor(f->consumer, floor);
    tdk_ring_epoch_floor(f->consumer, 5); /* never lower */
    f->producer = attach(TDK_RING_PRODUCER);
    assert_int_equal(tdk_ring_epoch(f->producer), floor + 1);
    assert_true(put_tick(f->producer, 8));
    tdk_ring_detach(f->producer);
    f->producer = attach(TDK_RING_PRODUCER);
    assert_int_equal(tdk_ring_epoch(f->producer), floor + 2);
}

static void the_epoch_frame_says_which_clock(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    tdk_ring_set_clock(f->producer, TDK_CLOCK_FILE);
    assert_true(put_tick(f->producer, 8));
    assert_int_equal(next_epoch(f->consumer).clock, TDK_CLOCK_FILE);
}

/* ---- taps ---- */

static uint64_t tap_ticks(struct tdk_ring *tap, uint64_t first)
{
    uint64_t buffer[512], missed, count = 0;
    int64_t size;
    while ((size = tdk_ring_tap(tap, buffer, sizeof buffer, &missed)) > 0) {
        const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)buffer;
        const unsigned char *end = (const unsigned char *)buffer + size;
        for (; (const unsigned char *)frame < end; frame = tdk_frame_after(frame))
            if (tdk_frame_is_tick(frame))
                assert_tick(frame, first + count++, 64);
        assert_ptr_equal(frame, end);
    }
    assert_int_equal(size, 0);
    return count;
}

static void a_tap_follows_from_where_it_came_in_and_takes_nothing_away(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    f->tap = attach(TDK_RING_TAP);
    assert_int_equal(tdk_ring_epoch(f->tap), tdk_ring_epoch(f->producer));
    assert_int_equal(tap_ticks(f->tap, 2), 0);
    for (uint64_t i = 0; i < 100; i++)
        assert_true(put_tick(f->producer, 64));
    assert_int_equal(tap_ticks(f->tap, 2), 100);
    next_epoch(f->consumer);
    for (uint64_t seq = 1; seq <= 101; seq++)
        assert_tick(tdk_ring_next(f->consumer), seq, 64);
}

static void a_tap_that_is_lapped_is_told_how_much_it_missed(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    f->tap = attach(TDK_RING_TAP);
    uint64_t sent = 0;
    while (sent * 88 < 3 * CAPACITY) {
        while (tdk_ring_next(f->consumer))
            tdk_ring_release(f->consumer);
        assert_true(put_tick(f->producer, 64));
        sent++;
    }
    uint64_t buffer[512], missed;
    assert_int_equal(tdk_ring_tap(f->tap, buffer, sizeof buffer, &missed), TDK_ELAPPED);
    assert_int_equal(missed, sent * 88);
    assert_true(put_tick(f->producer, 64));
    assert_int_equal(tap_ticks(f->tap, sent + 2), 1);
}

/* Not lapped yet, but the producer has announced that it may be writing there. */
static void a_tap_does_not_believe_bytes_that_may_be_overwritten(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 64));
    f->tap = attach(TDK_RING_TAP);
    uint64_t sent = 0;
    for (; sent < CAPACITY / 88; sent++) {
        while (tdk_ring_next(f->consumer))
            ;
        tdk_ring_release_to(f->consumer, tdk_ring_position(f->consumer));
        assert_true(put_tick(f->producer, 64));
    }
    uint64_t buffer[512], missed;
    assert_int_equal(tdk_ring_tap(f->tap, buffer, sizeof buffer, &missed), TDK_ELAPPED);
    assert_true(missed <= CAPACITY);
}

static void a_tap_with_too_little_room_says_so(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(put_tick(f->producer, 8));
    f->tap = attach(TDK_RING_TAP);
    assert_true(put_tick(f->producer, 1000));
    uint64_t buffer[512], missed;
    assert_int_equal(tdk_ring_tap(f->tap, buffer, 1000, &missed), -ENOBUFS);
    assert_int_equal(tdk_ring_tap(f->tap, buffer, 8, &missed), -ENOBUFS);
    assert_int_equal(tdk_ring_tap(f->tap, buffer, 1024, &missed), 1024);
}

/* ---- waiting ---- */

static void waits_end_when_their_time_is_over(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    f->tap = attach(TDK_RING_TAP);
    for (int how = TDK_WAIT_SPIN; how <= TDK_WAIT_PARK; how++) {
        assert_false(tdk_ring_wait_frame(f->consumer, (enum tdk_ring_wait)how, SECOND / 100));
        assert_false(tdk_ring_wait_frame(f->tap, (enum tdk_ring_wait)how, SECOND / 100));
    }
    fill_ring(f->producer, 64);
    assert_false(tdk_ring_wait_room(f->producer, 64, SECOND / 100));
    assert_false(tdk_ring_wait_room(f->producer, CAPACITY, SECOND)); /* never: at once */
    assert_true(tdk_ring_wait_frame(f->consumer, TDK_WAIT_PARK, 0));
    assert_true(tdk_ring_wait_frame(f->tap, TDK_WAIT_PARK, 0));
}

static void waiting_for_room_publishes_first(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    assert_true(claim_tick(f->producer, 64));
    assert_true(tdk_ring_wait_room(f->producer, 64, 0));
    next_epoch(f->consumer);
    assert_tick(tdk_ring_next(f->consumer), 1, 64);
}

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

static void a_consumer_that_releases_what_was_not_there_is_not_believed(void **state)
{
    struct fixture *f = *state;
    attach_both(f);
    uint64_t fit = fill_ring(f->producer, 64);
    shared_of(f->consumer)->consumed = (fit + 10) * 88;
    assert_false(put_tick(f->producer, 64));
    assert_non_null(tdk_ring_hostile(f->producer));
    shared_of(f->consumer)->consumed = 0;
    assert_false(put_tick(f->producer, 64));
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
    put_file(f, "short", &head, sizeof head); /* true words, but no data behind them */
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
        if (sizes[i] == 0) /* else nothing that is gone was touched */
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

/* ---- the document ---- */

/* "00001060  05 00 .. 00": the bytes at an offset of the file, `..` may be anything. */
static void compare_line(const char *line, FILE *ring)
{
    char *rest;
    assert_int_equal(fseek(ring, (long)strtoul(line, &rest, 16), SEEK_SET), 0);
    for (int i = 0; i < 16; i++) {
        int byte = fgetc(ring);
        rest += strspn(rest, " ");
        if (strncmp(rest, "..", 2) != 0 && (int)strtol(rest, NULL, 16) != byte)
            fail_msg("byte %d is %02x, not as in: %s", i, (unsigned)byte, line);
        rest += 2;
    }
}

static void the_example_in_the_document_is_true(void **state)
{
    struct fixture *f = *state;
    const char *source = getenv("TDK_SOURCE_DIR");
    char path[512], line[256];
    snprintf(path, sizeof path, "%s/docs/ring-layout.md", source ? source : ".");
    FILE *document = fopen(path, "r");
    if (!document) {
        print_message("skipped: no %s; set TDK_SOURCE_DIR\n", path);
        skip();
    }
    struct tdk_ring_options options = {.capacity = CAPACITY, .track = "btc"};
    assert_int_equal(tdk_ring_create("example", &options, NULL), 0);
    assert_int_equal(tdk_ring_attach(&f->producer, "example", TDK_RING_PRODUCER, NULL), 0);
    struct tdk_frame *frame = tdk_ring_claim(f->producer, 5);
    frame->type = 3;
    frame->ts = UINT64_C(1700000000123456789);
    memcpy(frame + 1, "hello", 5);
    tdk_ring_publish(f->producer);

    snprintf(path, sizeof path, "%s/example.ring", f->folder);
    FILE *ring = fopen(path, "r");
    assert_non_null(ring);
    int lines = 0;
    while (fgets(line, sizeof line, document))
        if (strspn(line, "0123456789abcdef") == 8) {
            compare_line(line, ring);
            lines++;
        }
    fclose(ring);
    fclose(document);
    assert_int_equal(lines, 22);
}

#define with_ring(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

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
        with_ring(what_is_published_arrives_unchanged_and_in_order),
        with_ring(a_claim_is_not_seen_before_it_is_published),
        with_ring(the_largest_payload_fits_and_one_more_byte_costs_nothing),
        with_ring(a_full_ring_refuses_and_counts),
        with_ring(a_raw_frame_spends_no_seq),
        with_ring(a_run_of_frames_goes_in_as_one_piece),
        with_ring(padding_is_stepped_over),
        with_ring(peek_shows_all_that_is_published_in_one_piece),
        with_ring(a_consumer_waits_behind_a_batch_and_never_behind_one_frame),
        with_ring(room_released_by_position_is_the_producers_at_once),
        with_ring(what_was_not_released_is_there_for_the_next_consumer),
        with_ring(touching_the_pages_changes_nothing_that_is_in_them),
        with_ring(the_high_water_mark_is_the_fullest_a_consumer_met),
        with_ring(each_producer_begins_an_epoch_that_names_the_last),
        with_ring(a_producer_that_put_nothing_in_leaves_no_trace_but_its_losses),
        with_ring(the_epoch_of_a_frame_is_known_wherever_a_consumer_comes_in),
        with_ring(an_epoch_is_above_the_floor_that_the_tape_sets),
        with_ring(the_epoch_frame_says_which_clock),
        with_ring(a_tap_follows_from_where_it_came_in_and_takes_nothing_away),
        with_ring(a_tap_that_is_lapped_is_told_how_much_it_missed),
        with_ring(a_tap_does_not_believe_bytes_that_may_be_overwritten),
        with_ring(a_tap_with_too_little_room_says_so),
        with_ring(waits_end_when_their_time_is_over),
        with_ring(waiting_for_room_publishes_first),
        with_ring(counters_that_cannot_be_end_the_ring_for_its_consumer),
        with_ring(a_head_that_cannot_be_ends_the_ring_for_its_consumer),
        with_ring(a_consumer_that_releases_what_was_not_there_is_not_believed),
        with_ring(a_tap_survives_any_counter),
        with_ring(contradictory_counters_are_refused_at_attach),
        with_ring(a_header_is_believed_only_where_it_agrees_with_the_file),
        with_ring(what_is_no_ring_is_refused_without_harm),
        with_ring(a_cut_file_ends_the_ring_and_nobodys_life),
        with_ring(the_example_in_the_document_is_true),
    };
    return cmocka_run_group_tests_name("shm.ring", tests, NULL, NULL);
}
