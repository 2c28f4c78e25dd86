/*
 * A whole recorder on a disk that loses, tears, reorders and fails writes. Each seed is several
 * lives.
 *
 * Nothing here runs by itself. The test turns the recorder's loop step by step. The thread pool is
 * an array of jobs that are run and completed in random order. The clock is the test's. Rings are
 * real, but they are only memory. So the same seed always gives the same life, and a life takes
 * milliseconds.
 *
 * A life ends in order, by a kill, or by a power cut, which also destroys the rings. Afterwards
 * each published tick must be on the tape once and in order, or be reported as lost. Of an epoch
 * that a power cut ended, a beginning must be there that holds all that was acknowledged.
 */
#include "tests/support/check.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buffers.h"
#include "base/log.h"
#include "recorder/recorder.h"
#include "tests/support/dice.h"
#include "tests/support/folder.h"
#include "tests/support/rings.h"
#include "tests/support/seeds.h"
#include "tests/support/simfs.h"
#include "tests/support/whole.h"

enum { LIVES = 3, TRACKS = 2, FEEDS_MAX = 64, EPOCHS_MAX = 64, JOBS_MAX = 64, STEPS_MAX = 250 };

/* A function that replaces a library's must be visible to the other libraries, too. */
#define IN_PLACE __attribute__((visibility("default")))

/* ---- the clock ---- */

static uint64_t now_ns = UINT64_C(1800000000) * NS_PER_S;

/* Replaces the C library's, for the recorder and for libuv. */
IN_PLACE int clock_gettime(clockid_t id, struct timespec *t)
{
    uint64_t ns = id == CLOCK_REALTIME ? now_ns : now_ns - UINT64_C(1700000000) * NS_PER_S;
    t->tv_sec = (time_t)(ns / NS_PER_S);
    t->tv_nsec = (long)(ns % NS_PER_S);
    return 0;
}

/* ---- memory ---- */

/* Replaces the C library's. It does not populate the mapping: a life uses little of its rings. */
IN_PLACE void *mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    long address = syscall(SYS_mmap, at, size, access, flags & ~MAP_POPULATE, fd, offset);
    return (void *)address; /* MAP_FAILED is -1 */
}

/* Replaces base/buffers.c's, for the same reason. */
IN_PLACE void *buffers_map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

IN_PLACE void buffers_unmap(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}

/* ---- the pool ---- */

struct job {
    uv_work_t *work;
    uv_work_cb run;
    uv_after_work_cb after;
    bool done;
};

static struct job jobs[JOBS_MAX];
static unsigned job_count;

/* Replaces libuv's. */
IN_PLACE int uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after)
{
    assert_true(job_count < JOBS_MAX);
    for (unsigned i = 0; i < job_count; i++)
        assert_ptr_not_equal(jobs[i].work, work); /* the pool still has it */
    work->loop = loop;
    jobs[job_count++] = (struct job){work, run, after, false};
    return 0;
}

/* Run one of the jobs, or complete one that has run. */
static void pool_step(struct dice *dice)
{
    if (job_count == 0)
        return;
    struct job *job = &jobs[dice_roll(dice, job_count)];
    if (!job->done) {
        job->run(job->work);
        job->done = true;
        return;
    }
    struct job told = *job;
    *job = jobs[--job_count];
    told.after(told.work, 0);
}

/* ---- what is known to the world outside ---- */

/* One life of a producer. */
struct feed {
    unsigned track;
    uint64_t spent, published; /* seqs spent; ticks published that were not yet seen on the tape */
    bool cut;                  /* the power was cut after it began, so its ring's content is gone */
    unsigned epochs;           /* epochs of the tape that have its ticks */
};

/* An epoch of the tape. */
struct seen {
    unsigned track;
    uint64_t epoch, next_seq, acked;
    int feed; /* -1: no tick of it was seen */
};

struct sim {
    char path[FOLDER_PATH], rings[RINGS_FOLDER_SIZE];
    struct dice dice;
    struct verdict *verdict;
    struct recorder recorder;
    struct tdk_ring *ring[TRACKS]; /* the producers' ends */
    unsigned feed_of[TRACKS];
    struct feed feeds[FEEDS_MAX];
    unsigned feed_count;
    struct seen seen[EPOCHS_MAX];
    unsigned seen_count;
    int acks[2];
    char line[128];
    size_t line_size;
    unsigned steps;   /* steps left in this life */
    bool quiet, stop; /* publish nothing; end in order after the last step */
};

static struct sim *running; /* the one whose loop uv_run() turns; NULL: none */
static enum simfs_lie lie;
static const char *const names[TRACKS] = {"a", "b"};

static struct seen *seen_of(struct sim *sim, unsigned track, uint64_t epoch)
{
    for (unsigned i = 0; i < sim->seen_count; i++)
        if (sim->seen[i].track == track && sim->seen[i].epoch == epoch)
            return &sim->seen[i];
    assert_true(sim->seen_count < EPOCHS_MAX);
    struct seen *seen = &sim->seen[sim->seen_count++];
    *seen = (struct seen){.track = track, .epoch = epoch, .next_seq = 1, .feed = -1};
    return seen;
}

/* ---- feeds ---- */

/* A feed whose predecessor put nothing at all into the ring continues with its seqs. */
static void feed_start(struct sim *sim, unsigned track)
{
    struct tdk_err err;
    if (tdk_ring_attach(&sim->ring[track], names[track], TDK_RING_PRODUCER, &err) < 0)
        fail_msg("%s", err.text);
    if (sim->ring[track]->seq != 0)
        return;
    assert_true(sim->feed_count < FEEDS_MAX);
    sim->feed_of[track] = sim->feed_count;
    sim->feeds[sim->feed_count++] = (struct feed){.track = track};
}

static void feed_restart(struct sim *sim, unsigned track)
{
    if (sim->feed_count + (LIVES + 1) * TRACKS > FEEDS_MAX)
        return;
    tdk_ring_detach(sim->ring[track]);
    feed_start(sim, track);
}

static void rings_make(struct sim *sim)
{
    const struct tdk_ring_options options = {.capacity = 64 << 10, .payload_max = 4096};
    for (unsigned i = 0; i < TRACKS; i++) {
        assert_int_equal(tdk_ring_create(names[i], &options, NULL), 0);
        feed_start(sim, i);
    }
}

static void rings_drop(struct sim *sim)
{
    for (unsigned i = 0; i < sim->feed_count; i++)
        sim->feeds[i].cut = true;
    for (unsigned i = 0; i < TRACKS; i++) {
        tdk_ring_detach(sim->ring[i]);
        assert_int_equal(tdk_ring_remove(names[i], true, NULL), 0);
    }
}

static void publish(struct sim *sim, unsigned track)
{
    struct feed *feed = &sim->feeds[sim->feed_of[track]];
    for (uint32_t n = dice_roll(&sim->dice, 40); n > 0; n--) {
        uint32_t size = 16 + dice_roll(&sim->dice, 300);
        struct tdk_frame *frame = tdk_ring_claim(sim->ring[track], size);
        feed->spent++;
        if (frame == NULL)
            continue;
        const uint64_t payload[2] = {sim->feed_of[track], feed->spent};
        frame->type = TDK_TYPE_OPAQUE;
        frame->ts = now_ns;
        memset(frame + 1, 'x', size);
        memcpy(frame + 1, payload, sizeof payload);
        feed->published++;
        tdk_ring_publish(sim->ring[track]);
    }
}

/* ---- acknowledgements ---- */

static void take_ack(struct sim *sim, const char *line)
{
    unsigned long long epoch, seq;
    char name[16];
    if (sscanf(line, "%15s %llu %llu", name, &epoch, &seq) != 3)
        fail_msg("an acknowledgement that is none: %s", line);
    struct seen *seen = seen_of(sim, (unsigned)(name[0] - 'a'), epoch);
    if (seq > seen->acked)
        seen->acked = seq;
}

static void take_acks(struct sim *sim)
{
    char c;
    while (read(sim->acks[0], &c, 1) == 1) {
        if (c != '\n') {
            assert_true(sim->line_size + 1 < sizeof sim->line);
            sim->line[sim->line_size++] = c;
            continue;
        }
        sim->line[sim->line_size] = '\0';
        sim->line_size = 0;
        take_ack(sim, sim->line);
    }
}

/* ---- a life ---- */

static int real_uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    static int (*real)(uv_loop_t *, uv_run_mode);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "uv_run");
    return real(loop, mode);
}

static void world_step(struct sim *sim)
{
    struct dice *dice = &sim->dice;
    for (unsigned i = 0; i < TRACKS && !sim->quiet; i++) {
        if (dice_one_in(dice, 3))
            publish(sim, i);
        if (dice_one_in(dice, 100))
            feed_restart(sim, i);
    }
    for (uint32_t n = dice_roll(dice, 6); n > 0; n--)
        pool_step(dice);
    bool stopping = sim->recorder.stopping;
    now_ns += dice_roll(dice, stopping ? 2 : 10) * NS_PER_MS;
    if (!stopping && dice_one_in(dice, 30))
        now_ns += 1100 * NS_PER_MS;
    if (!stopping && dice_one_in(dice, 40))
        simfs_set_full(!sim->quiet && dice_one_in(dice, 2));
    take_acks(sim);
}

/* Turn the recorder's loop until it ends, the disk crashes, or the steps are used up. */
static void live_on(struct sim *sim, uv_loop_t *loop)
{
    unsigned patience = 3000; /* steps that an orderly stop may take */
    while (real_uv_run(loop, UV_RUN_NOWAIT) != 0 && !simfs_has_crashed()) {
        world_step(sim);
        if (sim->steps > 0) {
            sim->steps--;
        } else if (!sim->stop || --patience == 0) {
            break;
        } else if (!sim->recorder.stopping) {
            simfs_set_full(false);
            service_stop(&sim->recorder.service);
        }
    }
    take_acks(sim);
}

/* Replaces libuv's: service_run() calls it. */
IN_PLACE int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    struct sim *sim = running;
    if (sim == NULL)
        return real_uv_run(loop, mode);
    running = NULL;
    live_on(sim, loop);
    return 0;
}

static int errors_fd, null_fd;

/* Discard stderr, with the ready lines of thousands of lives. */
static void hush(bool on)
{
    if (getenv("TDK_VERBOSE") == NULL)
        dup2(on ? null_fd : errors_fd, STDERR_FILENO);
}

/* Run a recorder. 0: it ended in order. 1: it did not. */
static int record(struct sim *sim)
{
    static struct config_ring rings[TRACKS] = {{.name = "a"}, {.name = "b"}};
    struct config config = {
        .tape = sim->path,
        .block_size = 16 << 10,
        .block_age_ns = 5 * NS_PER_MS,
        .segment_size = 96 << 10,
        .memory = 1 << 20,
        .sync = dice_one_in(&sim->dice, 3) ? SYNC_BATCH : SYNC_INTERVAL,
        .sync_interval_ns = 20 * NS_PER_MS,
        .cpu_workers = 1,
        .ack_fd = sim->acks[1],
        .rings = rings,
        .ring_count = TRACKS,
    };
    struct tdk_err err = {.text = ""};
    job_count = 0;
    if (recorder_open(&sim->recorder, &config, &err) < 0) {
        if (sim->quiet)
            verdict_blame(sim->verdict, "the recorder does not start: %s", err.text);
        return 1;
    }
    running = sim;
    hush(true);
    int rc = recorder_run(&sim->recorder);
    hush(false);
    running = NULL;
    bool in_order = sim->recorder.finished && rc == 0;
    job_count = 0;
    rc = recorder_close(&sim->recorder, in_order ? 0 : 1);
    if (rc == 3)
        verdict_blame(sim->verdict, "recovery told of damage");
    return rc;
}

/* Whatever happens to LMDB's file must not matter. */
static void hurt_index(struct sim *sim)
{
    char path[FOLDER_PATH + 32];
    snprintf(path, sizeof path, "%s/index/data.mdb", sim->path);
    if (dice_one_in(&sim->dice, 3))
        unlink(path);
}

static void crash(struct sim *sim)
{
    bool power_cut = dice_one_in(&sim->dice, 2);
    simfs_restart(power_cut);
    simfs_set_lie(lie);
    hurt_index(sim);
    if (!power_cut)
        return;
    rings_drop(sim);
    rings_make(sim);
}

static void live(struct sim *sim)
{
    sim->steps = dice_roll(&sim->dice, STEPS_MAX);
    sim->stop = dice_one_in(&sim->dice, 4);
    simfs_crash_after(dice_one_in(&sim->dice, 3) ? 0 : 1 + dice_roll(&sim->dice, 120));
    simfs_fail_one_in(dice_one_in(&sim->dice, 2) ? 30 : 0);
    if (record(sim) != 0)
        crash(sim);
    else
        simfs_restart(false);
    simfs_set_lie(lie);
}

/* ---- what is there ---- */

static int blame_tick(const struct sim *sim, const struct seen *seen, const char *what,
                      uint64_t seq)
{
    verdict_blame(sim->verdict, "track %s epoch %llu feed %d: %s seq %llu where %llu is next",
                  names[seen->track], (unsigned long long)seen->epoch, seen->feed, what,
                  (unsigned long long)seq, (unsigned long long)seen->next_seq);
    return 1;
}

static int look_at_tick(struct sim *sim, struct seen *seen, const struct tdk_frame *frame)
{
    const uint64_t *payload = (const void *)tdk_frame_payload(frame);
    if (seen->feed < 0 && payload[0] < sim->feed_count) {
        seen->feed = (int)payload[0];
        sim->feeds[seen->feed].epochs++;
    }
    if (frame->seq != seen->next_seq || payload[0] != (uint64_t)seen->feed ||
        payload[1] != frame->seq || sim->feeds[seen->feed].track != seen->track)
        return blame_tick(sim, seen, "a tick has", frame->seq);
    seen->next_seq++;
    sim->feeds[seen->feed].published--;
    return 0;
}

static int look_at(const struct tdk_run *run, const struct tdk_frame *frame, void *context)
{
    struct sim *sim = context;
    struct seen *seen = seen_of(sim, (unsigned)(run->track[0] - 'a'), run->epoch);
    if (frame->type == TDK_TYPE_LOSS) {
        const struct tdk_loss *loss = (const void *)tdk_frame_payload(frame);
        if (loss->first_seq != seen->next_seq)
            return blame_tick(sim, seen, "a loss begins at", loss->first_seq);
        seen->next_seq += loss->count;
    }
    return tdk_frame_is_tick(frame) ? look_at_tick(sim, seen, frame) : 0;
}

static void look_at_seen(const struct sim *sim, const struct seen *seen)
{
    if (seen->acked >= seen->next_seq)
        verdict_blame(sim->verdict, "track %s epoch %llu: seq %llu was acknowledged, %llu is next",
                      names[seen->track], (unsigned long long)seen->epoch,
                      (unsigned long long)seen->acked, (unsigned long long)seen->next_seq);
    const struct feed *feed = seen->feed >= 0 ? &sim->feeds[seen->feed] : NULL;
    if (feed != NULL && !feed->cut && seen->next_seq != feed->spent + 1)
        verdict_blame(sim->verdict, "track %s feed %d: ends at seq %llu of %llu",
                      names[seen->track], seen->feed, (unsigned long long)seen->next_seq - 1,
                      (unsigned long long)feed->spent);
}

static void look(struct sim *sim)
{
    struct tdk_err err = {.text = ""};
    if (whole_read(sim->path, look_at, sim, NULL, &err) < 0)
        verdict_blame(sim->verdict, "reading: %s", err.text);
    for (unsigned i = 0; i < sim->seen_count; i++)
        look_at_seen(sim, &sim->seen[i]);
    for (unsigned i = 0; i < sim->feed_count; i++) {
        const struct feed *feed = &sim->feeds[i];
        if (feed->epochs > 1 || (feed->published != 0 && !feed->cut))
            verdict_blame(sim->verdict, "feed %u: %llu published ticks are missing, %u epochs", i,
                          (unsigned long long)feed->published, feed->epochs);
    }
}

/* ---- a seed ---- */

static void begin(struct sim *sim, uint64_t seed)
{
    char index[FOLDER_PATH + 8];
    folder_make(sim->path);
    snprintf(index, sizeof index, "%s/index", sim->path);
    assert_int_equal(mkdir(index, 0700), 0);
    assert_int_equal(rings_open(sim->rings), 0);
    assert_int_equal(pipe2(sim->acks, O_NONBLOCK), 0);
    log_init("recorder", getenv("TDK_VERBOSE") != NULL ? LOG_DEBUG : LOG_ERROR + 1, false);
    simfs_begin(seed, sim->path);
    simfs_set_lie(lie);
    rings_make(sim);
}

static void end(struct sim *sim)
{
    simfs_end();
    for (unsigned i = 0; i < TRACKS; i++)
        tdk_ring_detach(sim->ring[i]);
    rings_close(sim->rings);
    close(sim->acks[0]);
    close(sim->acks[1]);
    folder_remove(sim->path);
}

static void lives_of_a_recorder(uint64_t seed, struct verdict *verdict)
{
    static struct sim sim;
    sim = (struct sim){.dice = {seed * 7919}, .verdict = verdict};
    begin(&sim, seed);
    for (unsigned i = 0; i < LIVES && verdict->text[0] == '\0'; i++)
        live(&sim);
    /* The last recorder is undisturbed: it takes what is in the rings and reports what was lost. */
    sim.quiet = sim.stop = true;
    sim.steps = 60;
    int rc = record(&sim);
    if (rc != 0)
        verdict_blame(verdict, "the last recorder ends with %d", rc);
    look(&sim);
    end(&sim);
}

static const uint64_t kept[] = {5, 12, 16, 33, 34, 108, 2829, 2894, 0};
static const struct seeds seeds = {"sim_recorder", lives_of_a_recorder, kept, 4000, 25};

static void each_tick_is_on_the_tape_once_or_told_lost_whatever_the_disk_does(void **state)
{
    (void)state;
    seeds_hold(&seeds);
}

/* The controls: if a disk that lies is not noticed, the test above proves nothing. */
static void a_disk_that_does_not_sync_is_noticed(void **state)
{
    (void)state;
    for (lie = SIMFS_LIE_SYNC; lie <= SIMFS_LIE_RETRY; lie++)
        assert_true(seeds_failing(&seeds, 100) > 0);
    lie = SIMFS_HONEST;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tick_is_on_the_tape_once_or_told_lost_whatever_the_disk_does),
        cmocka_unit_test(a_disk_that_does_not_sync_is_noticed),
    };
    errors_fd = dup(STDERR_FILENO);
    null_fd = open("/dev/null", O_WRONLY);
    return cmocka_run_group_tests_name("crash.sim_recorder", tests, NULL, NULL);
}
