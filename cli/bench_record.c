/* bench_record.c - from rings to a tape: a recorder of its own, its rings and its producers. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/bench.h"
#include "cli/bench_disk.h"
#include "cli/bench_tape.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "tapedeck/client.h"
#include "tapedeck/ring.h"

#define RINGS_MAX   64u
#define BURST       64u /* ticks that go out with one publish */
#define PATIENCE_NS (10 * NS_PER_S)
#define LOOK_NS     (200 * NS_PER_US)
#define ARGS_MAX    (2 * RINGS_MAX + 16)

static struct args {
    struct bench_options bench;
    uint64_t count, size, rings, ring_size, rate;
    const char *dir;
} args;

static const struct option rows[] = {
    {.name = "count",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 10000,
     .preset = "20000000",
     .at = offsetof(struct args, count),
     .help = "ticks a run, over all rings"},
    {.name = "size",
     .kind = OPTION_SIZE,
     .min = 8,
     .max = 4096,
     .preset = "64",
     .at = offsetof(struct args, size),
     .help = "bytes of a payload"},
    {.name = "producers",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = RINGS_MAX,
     .preset = "4",
     .at = offsetof(struct args, rings),
     .help = "where there are several: so many producers, each with a ring of its own"},
    {.name = "ring-size",
     .kind = OPTION_SIZE,
     .min = 65536,
     .preset = "64M",
     .at = offsetof(struct args, ring_size),
     .help = "capacity of each ring"},
    {.name = "rate",
     .kind = OPTION_RATE,
     .preset = "1000000/s",
     .at = offsetof(struct args, rate),
     .help = "ticks a second, where a producer's cost is measured"},
    {.name = "dir",
     .kind = OPTION_TEXT,
     .value = "DIR",
     .preset = "/var/tmp",
     .at = offsetof(struct args, dir),
     .help = "where tapes are made, and removed again: on the disk to measure"},
    {.name = NULL},
};

struct taping {
    const char *sync; /* as the recorder takes it; NULL: no recorder, one ring that nobody reads */
    unsigned rings;
    uint64_t count; /* a ring */
    uint64_t rate;  /* 0: as fast as there is room */
    /* of the run */
    char folder[PATH_MAX];
    pid_t recorder, producers[RINGS_MAX];
    int ready[2], go[2]; /* pipes: a byte of each producer that is ready; closed: they begin */
    int acks;            /* what the recorder's --ack-fd says; -1: nothing */
    uint64_t durable[RINGS_MAX];
    struct histogram *cost; /* shared with the producer of a paced run */
};

static char *ring_name(char name[32], unsigned i)
{
    snprintf(name, 32, "bench-%d-%u", (int)getpid(), i);
    return name;
}

/* ---- producers ---- */

static void fill(struct tdk_frame *frame, uint64_t i)
{
    uint64_t *words = (uint64_t *)(void *)(frame + 1);
    frame->type = TDK_TYPE_OPAQUE;
    for (uint32_t w = 0; w < frame->size / 8; w++)
        words[w] = i + w;
}

static bool publish_burst(struct tdk_ring *ring, uint64_t from, uint64_t count)
{
    uint64_t now_ns = clock_wall();
    uint32_t room =
        (uint32_t)(count * tdk_frame_span((uint32_t)args.size) - sizeof(struct tdk_frame));
    while (!tdk_ring_wait_room(ring, room, NS_PER_S))
        if (interrupted())
            return false;
    for (uint64_t i = 0; i < count; i++) {
        struct tdk_frame *frame = tdk_ring_claim(ring, (uint32_t)args.size);
        if (frame == NULL)
            return false;
        fill(frame, from + i);
        frame->ts = now_ns;
    }
    tdk_ring_publish(ring);
    return true;
}

static bool publish_paced(struct tdk_ring *ring, const struct taping *t)
{
    uint64_t begin_ns = clock_mono();
    for (uint64_t i = 0; i < t->count; i++) {
        uint64_t now_ns, due_ns = bench_due_ns(begin_ns, i, t->rate);
        while ((now_ns = clock_mono()) < due_ns)
            continue;
        struct tdk_frame *frame = tdk_ring_claim(ring, (uint32_t)args.size);
        if (frame == NULL)
            return false;
        fill(frame, i);
        frame->ts = clock_wall();
        tdk_ring_publish(ring);
        histogram_add(t->cost, clock_mono() - now_ns);
    }
    return true;
}

/* Attached, the ring's pages touched: as one that has been up for an hour. */
static bool get_ready(struct tdk_ring **ring, const char *name, const struct taping *t)
{
    char byte = 0;
    close(t->go[1]);
    if (tdk_ring_attach(ring, name, TDK_RING_PRODUCER, NULL) < 0)
        return false;
    attach_warm(*ring);
    return write(t->ready[1], &byte, 1) == 1 && read(t->go[0], &byte, 1) == 0;
}

static _Noreturn void be_producer(const char *name, const struct taping *t)
{
    struct tdk_ring *ring;
    bool done = true;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!get_ready(&ring, name, t))
        _exit(1);
    if (t->rate != 0)
        done = publish_paced(ring, t);
    else
        for (uint64_t i = 0; done && i < t->count; i += BURST)
            done = publish_burst(ring, i, t->count - i < BURST ? t->count - i : BURST);
    tdk_ring_detach(ring);
    _exit(done ? 0 : 1);
}

static int fork_producers(struct taping *t, struct tdk_err *err)
{
    char name[32];
    for (unsigned i = 0; i < t->rings; i++) {
        ring_name(name, i); /* ours: the child has another pid */
        t->producers[i] = fork();
        if (t->producers[i] < 0)
            return err_set(err, -errno, "start a producer");
        if (t->producers[i] == 0)
            be_producer(name, t);
    }
    return 0;
}

static int wait_for_producers(const struct taping *t, struct tdk_err *err)
{
    char byte;
    for (unsigned i = 0; i < t->rings; i++) {
        ssize_t size;
        while ((size = read(t->ready[0], &byte, 1)) < 0 && errno == EINTR)
            continue;
        if (size != 1)
            return err_say(err, TDK_EINTERNAL, "a producer could not attach its ring");
    }
    return 0;
}

/* They begin when this returns, at *begin_ns. */
static int start_producers(struct taping *t, uint64_t *begin_ns, struct tdk_err *err)
{
    if (pipe2(t->ready, O_CLOEXEC) < 0)
        return err_set(err, -errno, "make a pipe");
    if (pipe2(t->go, O_CLOEXEC) < 0) {
        int rc = err_set(err, -errno, "make a pipe");
        close(t->ready[0]);
        close(t->ready[1]);
        return rc;
    }
    int rc = fork_producers(t, err);
    close(t->ready[1]);
    if (rc == 0)
        rc = wait_for_producers(t, err);
    *begin_ns = clock_mono();
    close(t->go[1]);
    close(t->go[0]);
    close(t->ready[0]);
    return rc;
}

static int end_producers(struct taping *t, struct tdk_err *err)
{
    int rc = 0;
    for (unsigned i = 0; i < t->rings; i++) {
        int status;
        while (waitpid(t->producers[i], &status, 0) < 0 && errno == EINTR)
            continue;
        if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
            rc = err_say(err, TDK_EFULL, "a producer did not get all of its ticks into its ring");
    }
    return rc;
}

/* ---- the recorder ---- */

/* The program that was built with us. */
static int recorder_path(char path[PATH_MAX], struct tdk_err *err)
{
    static const char name[] = "/tapedeck-recorder";
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - sizeof name);
    if (size < 0)
        return err_set(err, -errno, "find the recorder beside this program");
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash != NULL ? slash : path, name, sizeof name);
    return 0;
}

/* The descriptors that it shall have: its log in the folder, acknowledgements on 3. */
static int spawn_recorder(struct taping *t, char *const argv[], int ack, struct tdk_err *err)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    char log[PATH_MAX + 8];
    snprintf(log, sizeof log, "%s/log", t->folder);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, ack, 3);
    int rc = posix_spawn(&t->recorder, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc == 0 ? 0 : err_set(err, -rc, "start %s", argv[0]);
}

static void pause_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static bool is_ready(const struct taping *t)
{
    char path[PATH_MAX + 8], line[PATH_MAX + 64];
    bool found = false;
    snprintf(path, sizeof path, "%s/log", t->folder);
    FILE *log = fopen(path, "re");
    while (log != NULL && !found && fgets(line, sizeof line, log) != NULL)
        found = strncmp(line, "ready ", strlen("ready ")) == 0;
    if (log != NULL)
        fclose(log);
    return found;
}

static int wait_until_ready(struct taping *t, struct tdk_err *err)
{
    uint64_t deadline = clock_mono() + PATIENCE_NS;
    while (!is_ready(t)) {
        if (waitpid(t->recorder, NULL, WNOHANG) == t->recorder) {
            t->recorder = 0;
            return err_say(err, TDK_EINTERNAL,
                           "the recorder ended before it was ready: see "
                           "`tapedeck-recorder --tape DIR --ring NAME`");
        }
        if (clock_mono() > deadline)
            return err_set(err, -ETIMEDOUT, "wait for the recorder");
        pause_ns(LOOK_NS);
    }
    return 0;
}

static int start_recorder(struct taping *t, struct tdk_err *err)
{
    char path[PATH_MAX], tape[PATH_MAX + 8], names[RINGS_MAX][32];
    char *argv[ARGS_MAX], ring_flag[] = "--ring";
    size_t argc = 0;
    int ends[2];
    if (recorder_path(path, err) < 0)
        return err->code;
    snprintf(tape, sizeof tape, "%s/tape", t->folder);
    const char *const fixed[] = {path, "--tape", tape, "--sync", t->sync, "--ack-fd", "3", "-q"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        argv[argc++] = (char *)(uintptr_t)fixed[i];
    for (unsigned i = 0; i < t->rings; i++) {
        argv[argc++] = ring_flag;
        argv[argc++] = ring_name(names[i], i);
    }
    argv[argc] = NULL;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, -errno, "make a pipe");
    int rc = spawn_recorder(t, argv, ends[1], err);
    close(ends[1]);
    if (rc < 0) {
        close(ends[0]);
        return rc;
    }
    t->acks = ends[0];
    fcntl(t->acks, F_SETFL, O_NONBLOCK);
    return wait_until_ready(t, err);
}

static int end_recorder(struct taping *t, int rc, struct tdk_err *err)
{
    int status = 0;
    if (t->acks >= 0)
        close(t->acks);
    t->acks = -1;
    if (t->recorder == 0)
        return rc;
    kill(t->recorder, rc == 0 ? SIGTERM : SIGKILL);
    while (waitpid(t->recorder, &status, 0) < 0 && errno == EINTR)
        continue;
    t->recorder = 0;
    if (rc == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        rc = err_say(err, TDK_EINTERNAL, "the recorder did not end in order");
    return rc;
}

/* ---- is it all there? ---- */

/* Lines TRACK EPOCH SEQ; a track is its ring, and its ring ends with its number. */
static void read_acks(struct taping *t)
{
    char text[4096], *rest;
    ssize_t size;
    while ((size = read(t->acks, text, sizeof text - 1)) > 0) {
        text[size] = '\0'; /* lines come whole: each is one write */
        for (char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            unsigned ring;
            uint64_t seq;
            if (sscanf(line, "bench-%*d-%u %*u %" SCNu64, &ring, &seq) == 2 && ring < t->rings)
                t->durable[ring] = seq;
        }
    }
}

/* Durable where the recorder syncs, else written: then the ring has its room back. */
static bool is_taped(struct taping *t)
{
    bool synced = strcmp(t->sync, "none") != 0;
    char name[32];
    if (synced)
        read_acks(t);
    for (unsigned i = 0; i < t->rings; i++) {
        struct tdk_ring_info info;
        if (synced ? t->durable[i] < t->count
                   : tdk_ring_stat(ring_name(name, i), &info, NULL) < 0 ||
                         info.produced < t->count || info.fill != 0)
            return false;
    }
    return true;
}

/* Not at the next sync but now, as `tapedeck flush`. */
static int flush(const struct taping *t, struct tdk_err *err)
{
    char address[PATH_MAX + 64];
    const void *result;
    size_t size;
    struct tdk_client *client;
    snprintf(address, sizeof address, "unix:%s/tape/recorder.sock", t->folder);
    int rc = tdk_client_open(&client, address, NULL, err);
    if (rc < 0)
        return rc;
    rc = tdk_client_call(client, "flush", NULL, 0, &result, &size, err);
    tdk_client_close(client);
    return rc;
}

static bool is_published(const struct taping *t)
{
    char name[32];
    for (unsigned i = 0; i < t->rings; i++) {
        struct tdk_ring_info info;
        if (tdk_ring_stat(ring_name(name, i), &info, NULL) < 0 || info.produced < t->count)
            return false;
    }
    return true;
}

static int wait_until_taped(struct taping *t, struct tdk_err *err)
{
    bool flushed = strcmp(t->sync, "none") == 0; /* nothing to flush */
    while (!is_taped(t)) {
        if (!flushed && is_published(t)) {
            int rc = flush(t, err);
            if (rc < 0)
                return rc;
            flushed = true;
        }
        if (interrupted())
            return err_set(err, -ECANCELED, "record");
        if (waitpid(t->recorder, NULL, WNOHANG) == t->recorder) {
            t->recorder = 0;
            return err_say(err, TDK_EINTERNAL, "the recorder ended while it recorded");
        }
        pause_ns(LOOK_NS);
    }
    return 0;
}

static int check_run(const struct tdk_run *run, struct tdk_err *err)
{
    const unsigned char *end = (const unsigned char *)run->frames + run->size;
    for (const struct tdk_frame *f = run->frames; (const unsigned char *)f < end;
         f = tdk_frame_after(f)) {
        const uint64_t *words = (const uint64_t *)(const void *)(f + 1);
        if (f->size != args.size || words[0] != f->seq - 1 ||
            words[f->size / 8 - 1] != f->seq - 1 + f->size / 8 - 1)
            return err_say(err, TDK_ECORRUPT, "tick %" PRIu64 " of %s is not what was published",
                           f->seq, run->track);
    }
    return 0;
}

/* Every tick of every ring, once and unchanged. */
static int check_tape(const struct taping *t, struct tdk_err *err)
{
    char path[PATH_MAX + 8];
    struct tdk_query everything = {.to = UINT64_MAX};
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    uint64_t ticks = 0;
    snprintf(path, sizeof path, "%s/tape", t->folder);
    int rc = tdk_tape_open(&tape, path, err);
    if (rc < 0)
        return rc;
    rc = tdk_cursor_open(&cursor, tape, &everything, err);
    while (rc == 0 && (rc = tdk_cursor_read(cursor, &run, err)) == 1) {
        ticks += run.ticks;
        rc = check_run(&run, err);
    }
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    if (rc == 0 && ticks != t->count * t->rings)
        rc =
            err_say(err, TDK_EHOLE, "%" PRIu64 " ticks are on the tape, %" PRIu64 " were published",
                    ticks, t->count * t->rings);
    return rc;
}

/* ---- measures ---- */

static int make_rings(const struct taping *t, struct tdk_err *err)
{
    const struct tdk_ring_options options = {.capacity = args.ring_size};
    char name[32];
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < t->rings; i++)
        rc = tdk_ring_create(ring_name(name, i), &options, err);
    return rc;
}

static void remove_rings(const struct taping *t)
{
    char name[32];
    for (unsigned i = 0; i < t->rings; i++)
        tdk_ring_remove(ring_name(name, i), true, NULL);
}

static int record_once(struct taping *t, struct bench_run *run, struct tdk_err *err)
{
    int rc = t->sync != NULL ? start_recorder(t, err) : 0;
    uint64_t begin_ns = 0;
    if (rc == 0)
        rc = start_producers(t, &begin_ns, err);
    if (rc == 0 && t->sync != NULL)
        rc = wait_until_taped(t, err);
    if (rc == 0)
        rc = end_producers(t, err);
    run->elapsed_ns = clock_mono() - begin_ns;
    rc = end_recorder(t, rc, err);
    if (rc == 0 && t->sync != NULL)
        rc = check_tape(t, err);
    return rc;
}

static int measure(void *context, struct bench_run *run, struct tdk_err *err)
{
    struct taping *t = context;
    memset(t->durable, 0, sizeof t->durable);
    t->recorder = 0;
    t->acks = -1;
    if (t->cost != NULL)
        histogram_init(t->cost);
    int rc = bench_folder_make(t->folder, args.dir, err);
    if (rc == 0)
        rc = make_rings(t, err);
    if (rc == 0)
        rc = record_once(t, run, err);
    remove_rings(t);
    if (t->folder[0] != '\0')
        bench_folder_remove(t->folder);
    run->operations = t->count * t->rings;
    run->bytes = run->operations * tdk_frame_span((uint32_t)args.size);
    if (rc == 0 && t->cost != NULL)
        bench_run_latency(run, t->cost);
    return rc;
}

/* As many bytes as a run of the others puts into its rings. */
static int measure_disk(void *context, struct bench_run *run, struct tdk_err *err)
{
    struct taping *t = context;
    run->operations = t->count;
    run->bytes = t->count * tdk_frame_span((uint32_t)args.size);
    int rc = bench_folder_make(t->folder, args.dir, err);
    if (rc == 0)
        rc = bench_disk(t->folder, run->bytes, &run->elapsed_ns, err);
    if (t->folder[0] != '\0')
        bench_folder_remove(t->folder);
    return rc;
}

/* Some file systems have no way past the page cache: then there is nothing to hold against. */
static int measure_limit(struct bench *bench, struct tdk_err *err)
{
    static struct taping t;
    t = (struct taping){.count = args.count};
    int rc = bench_measure(bench, "the disk alone, durable", measure_disk, &t, err);
    return rc == -EINVAL ? 0 : rc;
}

/* As many as a ring holds when nobody reads it, and no more than half a second's. */
static uint64_t paced_count(void)
{
    uint64_t fits = args.ring_size / tdk_frame_span((uint32_t)args.size) * 9 / 10;
    return fits < args.rate / 2 ? fits : args.rate / 2;
}

static int measure_cost(struct bench *bench, struct tdk_err *err)
{
    static struct taping t;
    t = (struct taping){.rings = 1, .count = paced_count(), .rate = args.rate};
    if (args.rate == 0)
        return 0;
    t.cost = mmap(NULL, sizeof *t.cost, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t.cost == MAP_FAILED)
        return err_set(err, -errno, "share a page with the producer");
    int rc = bench_measure(bench, "publish, nobody reads", measure, &t, err);
    t.sync = "interval:100ms";
    if (rc == 0)
        rc = bench_measure(bench, "publish, recorded", measure, &t, err);
    munmap(t.cost, sizeof *t.cost);
    return rc;
}

static int measure_all(struct bench *bench, struct tdk_err *err)
{
    static struct taping t;
    static const struct {
        const char *what, *sync;
    } kinds[] = {{"written", "none"}, {"durable", "interval:100ms"}};
    int rc = measure_limit(bench, err);
    for (size_t i = 0; rc == 0 && i < 2; i++)
        for (unsigned several = 0; rc == 0 && several < 2; several++) {
            char what[64];
            unsigned rings = several ? (unsigned)args.rings : 1;
            if (several && rings == 1)
                continue;
            t = (struct taping){.sync = kinds[i].sync, .rings = rings, .count = args.count / rings};
            snprintf(what, sizeof what, "%s, %u ring%s", kinds[i].what, rings,
                     rings == 1 ? "" : "s");
            rc = bench_measure(bench, what, measure, &t, err);
        }
    return rc == 0 ? measure_cost(bench, err) : rc;
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct bench *bench;
    (void)cli;
    if (args.size % 8 != 0)
        return cli_usage("--size: a multiple of 8");
    if (BURST * tdk_frame_span((uint32_t)args.size) > args.ring_size / 4)
        return cli_usage("--ring-size: at least four times %u ticks", BURST);
    if (bench_open(&bench, &args.bench, &err) < 0)
        return cli_fail(&err, NULL);
    return bench_close(bench, measure_all(bench, &err), &err);
}

const struct command bench_record_command = {
    .name = "record",
    .brief = "rings to a tape, by a recorder of its own",
    .usage = "[--count N] [--size S] [--producers N] [--dir DIR] [--runs N] [--json]",
    .about =
        "Starts a recorder on a new tape, publishes as fast as the rings have room, and stops the\n"
        "clock when every tick is written, or durable; a flush comes behind the last one. Then "
        "the\n"
        "tape is read back: each tick must be there once and unchanged. Producers are attached "
        "and\n"
        "all pages of the rings touched before the clock starts. `the disk alone`: as many bytes\n"
        "written in the same way, with nothing around it. `publish` is what one claim, copy and\n"
        "publish takes its producer at --rate.",
    .sets = (const struct option_set[]){{"what", rows, &args},
                                        {"how", bench_rows, &args.bench},
                                        {.rows = NULL}},
    .run = run,
};
