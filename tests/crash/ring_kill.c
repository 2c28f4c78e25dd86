/*
 * Two processes share a ring, and one of them is killed again and again at random moments.
 *
 * Just after each step the victim notes it, in memory outside the ring. The survivor may find one
 * step more than was noted, never less, and never anything twice or torn.
 */
#include "tests/support/check.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tapedeck/ring.h"
#include "tests/support/dice.h"
#include "tests/support/seeds.h"

#define CAPACITY ((size_t)64 << 10)

struct notes {
    uint64_t epoch;
    uint64_t published;         /* seq of the last tick whose publish returned */
    uint64_t spent;             /* seq of the last claim that returned, given or refused */
    uint64_t refused;           /* claims refused so far */
    uint64_t refused_published; /* claims refused as of the last publish */
    uint64_t seen;              /* seq of the last tick that a consumer has looked at */
    uint64_t failed;            /* line of a check that failed in the child */
};

struct fixture {
    char folder[64];
    struct notes *notes; /* shared with the children */
    struct dice dice;
};

static int setup(void **state)
{
    static struct fixture f;
    strcpy(f.folder, "/dev/shm/tapedeck-test-XXXXXX");
    f.notes =
        mmap(NULL, sizeof *f.notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    f.dice.state = 88172645463325252u;
    if (f.notes == MAP_FAILED || !mkdtemp(f.folder) || setenv("TAPEDECK_RINGS", f.folder, 1) < 0)
        return -1;
    *state = &f;
    struct tdk_ring_options options = {.capacity = CAPACITY};
    return tdk_ring_create("sim", &options, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int rc = tdk_ring_remove("sim", true, NULL);
    munmap(f->notes, sizeof *f->notes);
    return rc < 0 ? rc : rmdir(f->folder);
}

static unsigned kills(void)
{
    return (unsigned)seeds_number("TDK_KILLS", SEEDS_SANITIZED ? 150 : 1000);
}

static void note(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static struct tdk_ring *attach(enum tdk_ring_role role)
{
    struct tdk_ring *ring = NULL;
    struct tdk_err err;
    if (tdk_ring_attach(&ring, "sim", role, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    return ring;
}

static uint32_t size_of(uint64_t epoch, uint64_t seq)
{
    return (uint32_t)((epoch + seq * 31) % 700);
}

static void fill(struct tdk_frame *frame, uint64_t epoch)
{
    frame->type = TDK_TYPE_OPAQUE;
    frame->ts = epoch ^ frame->seq;
    memset(frame + 1, (int)(epoch + frame->seq), frame->size);
}

static bool is_as_filled(const struct tdk_frame *frame, uint64_t epoch)
{
    if (frame->type != TDK_TYPE_OPAQUE || frame->ts != (epoch ^ frame->seq) ||
        frame->size != size_of(epoch, frame->seq))
        return false;
    const unsigned char *payload = tdk_frame_payload(frame);
    for (uint32_t i = 0; i < frame->size; i++)
        if (payload[i] != (unsigned char)(epoch + frame->seq))
            return false;
    return true;
}

static void sleep_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void kill_child(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

/* ---- the producer dies ---- */

/* Publishes after one claim in four, at random, and goes on when a claim is refused. */
static void produce_for_ever(struct notes *notes, uint64_t seed)
{
    struct dice dice = {seed};
    struct tdk_ring *ring = attach(TDK_RING_PRODUCER);
    uint64_t epoch = tdk_ring_epoch(ring), refused = 0;
    note(&notes->epoch, epoch);
    for (uint64_t seq = 1;; seq++) {
        struct tdk_frame *frame = tdk_ring_claim(ring, size_of(epoch, seq));
        note(&notes->refused, refused += frame == NULL);
        note(&notes->spent, seq);
        if (!frame) {
            sched_yield();
            continue;
        }
        fill(frame, epoch);
        if (!dice_one_in(&dice, 4))
            continue;
        tdk_ring_publish(ring);
        note(&notes->refused_published, refused);
        note(&notes->published, seq);
    }
}

/* What a consumer knows of the epoch it is in. */
struct seen {
    uint64_t epoch, seq, holes;
};

static void begin_epoch(struct seen *seen, const struct tdk_frame *frame)
{
    struct tdk_epoch epoch;
    assert_int_equal(frame->type, TDK_TYPE_EPOCH);
    assert_int_equal(frame->size, sizeof epoch);
    memcpy(&epoch, frame + 1, sizeof epoch);
    assert_true(epoch.epoch > seen->epoch);
    assert_int_equal(epoch.previous, seen->epoch);
    *seen = (struct seen){.epoch = epoch.epoch};
}

static void look_at(struct seen *seen, const struct tdk_frame *frame)
{
    if (!tdk_frame_is_tick(frame)) {
        begin_epoch(seen, frame);
        return;
    }
    assert_true(is_as_filled(frame, seen->epoch));
    assert_true(frame->seq > seen->seq);
    seen->holes += frame->seq - seen->seq - 1;
    seen->seq = frame->seq;
}

static void consume_for(struct tdk_ring *ring, struct seen *seen, uint64_t ns)
{
    uint64_t end = clock_mono() + ns;
    do {
        const struct tdk_frame *frame;
        for (int i = 0; i < 50 && (frame = tdk_ring_next(ring)) != NULL; i++)
            look_at(seen, frame);
        tdk_ring_release(ring);
    } while (clock_mono() < end);
}

static void drain(struct tdk_ring *ring, struct seen *seen)
{
    const struct tdk_frame *frame;
    while ((frame = tdk_ring_next(ring)) != NULL)
        look_at(seen, frame);
    tdk_ring_release(ring);
    assert_null(tdk_ring_next(ring)); /* it is empty: this tells the producer what was released */
    assert_null(tdk_ring_hostile(ring));
}

/* Compare what was seen of the victim's epoch with its notes, as far as it got to write any. */
static void compare(const struct seen *seen, const struct notes *notes)
{
    struct tdk_ring_info info;
    assert_int_equal(tdk_ring_stat("sim", &info, NULL), 0);
    assert_int_equal(info.fill, 0);
    assert_int_equal(info.producer_pid, 0);
    if (notes->epoch == 0 || seen->epoch != notes->epoch) {
        assert_int_equal(notes->published, 0); /* it died before its first tick */
        return;
    }
    assert_true(seen->seq >= notes->published);
    if (seen->seq == notes->published)
        assert_int_equal(seen->holes, notes->refused_published);
    else
        assert_true(seen->holes >= notes->refused_published);
    /* What the page says of a loss at the end: all refused claims, and nothing never claimed. */
    assert_int_equal(info.epoch, seen->epoch);
    assert_true(info.lost == notes->refused || info.lost == notes->refused + 1);
    assert_true(info.seq <= notes->spent + 1);
    assert_true(info.seq >= notes->published);
    if (info.lost == 0) /* a tick that was only claimed is no loss */
        assert_true(info.seq <= seen->seq);
}

static void a_producer_killed_at_any_moment_leaves_what_it_published(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring *ring = attach(TDK_RING_CONSUMER);
    struct seen seen = {0};
    for (unsigned i = 0; i < kills(); i++) {
        memset(f->notes, 0, sizeof *f->notes);
        uint64_t seed = dice_next(&f->dice);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            produce_for_ever(f->notes, seed);
        /* Sometimes nobody consumes, and the ring is full when the producer is killed. */
        if (seed % 3 == 0)
            sleep_ns(seed / 3 % (1 * NS_PER_MS));
        else
            consume_for(ring, &seen, seed / 3 % (2 * NS_PER_MS));
        kill_child(pid);
        drain(ring, &seen);
        compare(&seen, f->notes);
    }
    tdk_ring_detach(ring);
}

/* ---- the consumer dies ---- */

static void consume_for_ever(struct notes *notes, uint64_t epoch, uint64_t last)
{
    struct tdk_ring *ring = attach(TDK_RING_CONSUMER);
    uint64_t seq = 0; /* of the last tick that this life has looked at */
    while (seq < last && tdk_ring_wait_frame(ring, TDK_WAIT_PARK, 10 * NS_PER_S)) {
        const struct tdk_frame *frame = tdk_ring_next(ring);
        if (tdk_frame_is_tick(frame)) {
            /* The first tick may repeat what an earlier life saw, but none is left out. */
            uint64_t before = seq != 0 ? seq : frame->seq - 1;
            bool dense = frame->seq == before + 1 && (seq != 0 || before <= notes->seen);
            if (!dense || !is_as_filled(frame, epoch))
                note(&notes->failed, __LINE__);
            seq = frame->seq;
            note(&notes->seen, seq);
        }
        tdk_ring_release(ring);
    }
    _exit(0);
}

static pid_t start_consumer(struct fixture *f, uint64_t epoch, uint64_t last)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        consume_for_ever(f->notes, epoch, last);
    return pid;
}

static void a_consumer_killed_at_any_moment_leaves_what_it_had_not_released(void **state)
{
    struct fixture *f = *state;
    struct tdk_ring *ring = attach(TDK_RING_PRODUCER);
    uint64_t epoch = tdk_ring_epoch(ring), seq = 0, last = (uint64_t)kills() * 500;
    memset(f->notes, 0, sizeof *f->notes);
    pid_t pid = start_consumer(f, epoch, last);
    uint64_t due = clock_mono();
    while (seq < last) {
        if (clock_mono() >= due) {
            kill_child(pid);
            pid = start_consumer(f, epoch, last);
            due = clock_mono() + dice_roll(&f->dice, 2 * NS_PER_MS);
        }
        if (!tdk_ring_wait_room(ring, size_of(epoch, seq + 1), NS_PER_MS))
            continue; /* the consumer may be dead */
        struct tdk_frame *frame = tdk_ring_claim(ring, size_of(epoch, ++seq));
        assert_non_null(frame);
        fill(frame, epoch);
        tdk_ring_publish(ring);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(f->notes->failed, 0);
    assert_int_equal(f->notes->seen, last);
    assert_null(tdk_ring_hostile(ring));
    tdk_ring_detach(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_producer_killed_at_any_moment_leaves_what_it_published,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_consumer_killed_at_any_moment_leaves_what_it_had_not_released, setup, teardown),
    };
    return cmocka_run_group_tests_name("crash.ring_kill", tests, NULL, NULL);
}
