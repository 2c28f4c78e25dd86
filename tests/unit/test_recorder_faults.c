/*
 * The recorder on a disk that fails on command. A whole recorder runs in a child process, and its
 * file calls go through a table that refuses some of them. A producer and, afterwards, a reader run
 * here. Whatever fails, each published tick is on the tape exactly once or is reported as lost.
 */
#include "tests/support/folder.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "recorder/recorder.h"
#include "tape/files.h"
#include "tapedeck/tape.h"
#include "tests/support/dice.h"
#include "tests/support/rings.h"

#define STUCK_MS 20000u

enum call { CALL_WRITE, CALL_SYNC, CALL_FALLOCATE, CALL_RENAME, CALLS };

/* Of each kind of call, the calls from number `from` on (the first is 1), `count` of them, fail. */
struct fault {
    unsigned from, count;
    int code;
};

struct faults {
    struct fault of[CALLS];
    uint64_t seed; /* not 0: in addition, one call in `one_in` of any kind fails */
    unsigned one_in;
    atomic_uint seen[CALLS];
    atomic_uint failed;
    bool unsynced;       /* recorded with --sync none */
    atomic_bool overlap; /* each write stays out until the next is out, so one always is */
    atomic_uint stuck;   /* writes after which no other came */
};

static struct faults *faults; /* shared with the child */

static uint64_t mix(uint64_t x)
{
    return dice_next(&(struct dice){x});
}

/* Returns 0, or what this call fails with. */
static int refuse(enum call call)
{
    static const int codes[] = {-EIO, -ENOSPC, -EIO, -EDQUOT};
    const struct fault *fault = &faults->of[call];
    unsigned number = atomic_fetch_add(&faults->seen[call], 1) + 1;
    int code = 0;
    if (number >= fault->from && number - fault->from < fault->count)
        code = fault->code;
    uint64_t dice = mix(faults->seed + (uint64_t)call * 1000003 + number);
    if (faults->seed != 0 && dice % faults->one_in == 0)
        code = codes[dice >> 32 & 3];
    if (code != 0)
        atomic_fetch_add(&faults->failed, 1);
    return code;
}

/* Only calls that ticks depend on can fail: writes of blocks, syncs of them, the making and sealing
 * of segments. */
static void wait_for_next(unsigned number)
{
    for (unsigned ms = 0; atomic_load(&faults->overlap); ms++) {
        if (atomic_load(&faults->seen[CALL_WRITE]) > number)
            return;
        if (ms == STUCK_MS) {
            atomic_fetch_add(&faults->stuck, 1);
            atomic_store(&faults->overlap, false);
        }
        usleep(1000);
    }
}

static ssize_t faulty_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
    int code = offset >= TAPE_ALIGN ? refuse(CALL_WRITE) : 0;
    if (offset >= TAPE_ALIGN)
        wait_for_next(atomic_load(&faults->seen[CALL_WRITE]));
    return code != 0 ? code : files_posix.pwrite(fd, bytes, size, offset);
}

static int faulty_fdatasync(int fd)
{
    int code = refuse(CALL_SYNC);
    return code != 0 ? code : files_posix.fdatasync(fd);
}

static int faulty_fallocate(int fd, uint64_t offset, uint64_t size)
{
    int code = refuse(CALL_FALLOCATE);
    return code != 0 ? code : files_posix.fallocate(fd, offset, size);
}

static int faulty_rename(const char *from, const char *to)
{
    int code = refuse(CALL_RENAME);
    return code != 0 ? code : files_posix.rename(from, to);
}

/* ---- a recorder, a producer, a reader ---- */

struct fixture {
    char rings[RINGS_FOLDER_SIZE];
    char tape[64];
    struct tdk_ring *ring;
    uint64_t published, refused;
};

static int record(const char *tape)
{
    static struct file_ops faulty;
    static struct recorder recorder;
    static struct config_ring ring = {.name = "a"};
    struct config config = {
        .tape = tape,
        .block_size = 16 << 10,
        .block_age_ns = 5 * NS_PER_MS,
        .segment_size = faults->unsynced ? 64 << 20 : 256 << 10,
        .memory = 4 << 20,
        .io_workers = 6,
        .cpu_workers = 1,
        .sync = faults->unsynced ? SYNC_NONE : SYNC_INTERVAL,
        .sync_interval_ns = 10 * NS_PER_MS,
        .ack_fd = -1,
        .rings = &ring,
        .ring_count = 1,
    };
    struct tdk_err err;
    faulty = files_posix;
    faulty.pwrite = faulty_pwrite;
    faulty.fdatasync = faulty_fdatasync;
    faulty.fallocate = faulty_fallocate;
    faulty.rename = faulty_rename;
    log_init("recorder", getenv("TDK_VERBOSE") != NULL ? LOG_DEBUG : LOG_ERROR + 1, false);
    if (recorder_open(&recorder, &config, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 99;
    }
    files = &faulty;
    int exit_code = recorder_run(&recorder);
    return recorder_close(&recorder, exit_code);
}

/* The recorder handles its signals once it has the ring. One that ends before that is noticed by
 * the waiting side. */
static void wait_ready(const struct fixture *f, pid_t pid)
{
    struct tdk_ring_info info = {.consumer_pid = 0};
    siginfo_t ended = {.si_pid = 0};
    while (info.consumer_pid == 0 && ended.si_pid == 0) {
        usleep(1000);
        tdk_ring_info(f->ring, &info);
        assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
    }
}

static pid_t start(const struct fixture *f)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would end it after a failed test */
        if (getenv("TDK_VERBOSE") == NULL)
            assert_non_null(freopen("/dev/null", "w", stderr));
        _exit(record(f->tape));
    }
    wait_ready(f, pid);
    return pid;
}

static int stop(pid_t pid)
{
    int status;
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status)); /* no signal, whatever failed */
    return WEXITSTATUS(status);
}

static int wait_end(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Claim a tick, to be published with what follows. A tick that finds the ring full is refused and
 * counted. */
static bool put(struct fixture *f)
{
    struct tdk_frame *frame = tdk_ring_claim(f->ring, 40);
    if (frame == NULL) {
        f->refused++;
        return false;
    }
    frame->type = TDK_TYPE_OPAQUE;
    frame->ts = clock_wall();
    memset(frame + 1, 'x', 40);
    f->published++;
    return true;
}

/* Publish ticks in bursts for some time. */
static void publish(struct fixture *f, unsigned bursts)
{
    for (unsigned i = 0; i < bursts; i++) {
        for (unsigned k = 0; k < 100; k++)
            put(f);
        tdk_ring_publish(f->ring);
        usleep(1000);
    }
}

struct tally {
    uint64_t ticks, lost, next_seq;
};

static void look_at(const struct tdk_frame *frame, struct tally *found)
{
    if (frame->type == TDK_TYPE_LOSS) {
        const struct tdk_loss *loss = (const void *)tdk_frame_payload(frame);
        assert_int_equal(loss->first_seq, found->next_seq);
        found->next_seq += loss->count;
        found->lost += loss->count;
    } else if (tdk_frame_is_tick(frame)) {
        assert_int_equal(frame->seq, found->next_seq);
        found->next_seq++;
        found->ticks++;
    }
}

/* Read everything on the tape. It must be in order, with nothing twice and no hole that is not
 * reported. */
static struct tally read_tape(const struct fixture *f)
{
    struct tdk_query query = {.to = UINT64_MAX, .control = true};
    struct tally found = {.next_seq = 1};
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_err err = {.text = ""};
    struct tdk_run run;
    int rc = tdk_tape_open(&tape, f->tape, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    assert_int_equal(tdk_cursor_open(&cursor, tape, &query, &err), 0);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) > 0) {
        const unsigned char *at = (const unsigned char *)run.frames;
        const unsigned char *end = at + run.size;
        for (; at < end; at += tdk_frame_span(((const struct tdk_frame *)(const void *)at)->size))
            look_at((const void *)at, &found);
    }
    if (rc < 0)
        fail_msg("%s", err.text);
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    return found;
}

static void check_all_there(const struct fixture *f)
{
    struct tally found = read_tape(f);
    assert_int_equal(found.ticks, f->published);
    assert_int_equal(found.lost, f->refused);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct tdk_ring_options options = {.capacity = 256 << 10};
    faults = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f == NULL || faults == MAP_FAILED || rings_open(f->rings) < 0)
        return -1;
    snprintf(f->tape, sizeof f->tape, "/tmp/tdk-faults-XXXXXX");
    *state = f;
    if (mkdtemp(f->tape) == NULL || tdk_ring_create("a", &options, NULL) < 0)
        return -1;
    return tdk_ring_attach(&f->ring, "a", TDK_RING_PRODUCER, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tdk_ring_detach(f->ring);
    munmap(faults, sizeof *faults);
    int rc = rings_close(f->rings);
    folder_remove(f->tape);
    free(f);
    return rc;
}

/* ---- a batch ---- */

/* One tick is refused after the batch. To a recorder that ends then, the whole batch looks like a
 * loss. */
static void what_is_claimed_and_not_published_yet_is_no_loss(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start(f);
    publish(f, 1);
    while (put(f))
        continue;
    assert_int_equal(stop(pid), 0);
    tdk_ring_publish(f->ring);
    pid = start(f);
    assert_int_equal(stop(pid), 0);
    assert_int_equal(f->refused, 1);
    check_all_there(f);
}

/* ---- the disk fails ---- */

static void a_failed_write_goes_to_a_fresh_segment(void **state)
{
    struct fixture *f = *state;
    faults->of[CALL_WRITE] = (struct fault){5, 1, -EIO};
    pid_t pid = start(f);
    publish(f, 200);
    assert_int_equal(stop(pid), 0);
    assert_int_equal(faults->failed, 1);
    check_all_there(f);
}

static void a_failed_sync_is_not_retried_but_written_again(void **state)
{
    struct fixture *f = *state;
    faults->of[CALL_SYNC] = (struct fault){3, 1, -EIO};
    pid_t pid = start(f);
    publish(f, 200);
    assert_int_equal(stop(pid), 0);
    assert_int_equal(faults->failed, 1);
    check_all_there(f);
}

static void a_full_disk_is_waited_for(void **state)
{
    struct fixture *f = *state;
    faults->of[CALL_WRITE] = (struct fault){5, 3, -ENOSPC};
    pid_t pid = start(f);
    publish(f, 4000);
    assert_int_equal(stop(pid), 0);
    assert_true(faults->failed > 1);
    check_all_there(f);
}

static void no_room_for_the_next_segment_is_waited_for(void **state)
{
    struct fixture *f = *state;
    faults->of[CALL_FALLOCATE] = (struct fault){3, 2, -ENOSPC};
    pid_t pid = start(f);
    publish(f, 3500);
    assert_int_equal(stop(pid), 0);
    assert_int_equal(faults->failed, 2);
    check_all_there(f);
}

static void a_segment_that_cannot_be_sealed_is_sealed_later(void **state)
{
    struct fixture *f = *state;
    faults->of[CALL_RENAME] = (struct fault){2, 1, -EIO};
    pid_t pid = start(f);
    publish(f, 1500);
    assert_int_equal(stop(pid), 0);
    assert_int_equal(faults->failed, 1);
    check_all_there(f);
}

static void three_failed_segments_are_the_end_and_the_ring_keeps_its_ticks(void **state)
{
    struct fixture *f = *state;
    faults->of[CALL_WRITE] = (struct fault){1, 1000000, -EIO};
    pid_t pid = start(f);
    publish(f, 30);
    assert_int_equal(wait_end(pid), 1);
    faults->of[CALL_WRITE] = (struct fault){0, 0, 0};
    pid = start(f);
    publish(f, 10);
    assert_int_equal(stop(pid), 0);
    check_all_there(f);
}

/* In whatever_fails_each_tick_is_there_once_or_told_lost() anything may fail at any time. A
 * recorder that gives up is started again. */
static void buffers_come_back_while_later_writes_are_out(void **state)
{
    struct fixture *f = *state;
    faults->unsynced = true;
    atomic_store(&faults->overlap, true);
    pid_t pid = start(f);
    for (unsigned i = 0; i < 1000 && atomic_load(&faults->seen[CALL_WRITE]) < 20; i++)
        publish(f, 20);
    atomic_store(&faults->overlap, false);
    assert_int_equal(stop(pid), 0);
    assert_true(atomic_load(&faults->seen[CALL_WRITE]) >= 20); /* it has four buffers */
    assert_int_equal(atomic_load(&faults->stuck), 0);
    check_all_there(f);
}

static void whatever_fails_each_tick_is_there_once_or_told_lost(void **state)
{
    struct fixture *f = *state;
    const char *given = getenv("TDK_SEED");
    faults->seed = given != NULL ? strtoul(given, NULL, 10) : (unsigned long)getpid();
    faults->one_in = 40;
    print_message("seed %llu\n", (unsigned long long)faults->seed);
    for (unsigned round = 0; round < 4; round++) {
        pid_t pid = start(f);
        publish(f, 300);
        stop(pid);
        faults->seed = mix(faults->seed);
    }
    faults->seed = 0;
    stop(start(f));
    check_all_there(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_claimed_and_not_published_yet_is_no_loss, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failed_write_goes_to_a_fresh_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_sync_is_not_retried_but_written_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(buffers_come_back_while_later_writes_are_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(no_room_for_the_next_segment_is_waited_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_segment_that_cannot_be_sealed_is_sealed_later, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            three_failed_segments_are_the_end_and_the_ring_keeps_its_ticks, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_fails_each_tick_is_there_once_or_told_lost, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("recorder.faults", tests, NULL, NULL);
}
