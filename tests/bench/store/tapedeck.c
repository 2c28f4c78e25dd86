/*
 * tapedeck.c - a tape as a contestant of the store bench: what `adapter` runs.
 *
 *     record DATA DIR                        publish DATA into a ring that a recorder records
 *     query DIR rows|count SYM|-1 T0 T1 REPS query the tape through the public header
 *
 * Each tick becomes a DBN trade (48 bytes, 72 with the frame's head) in the ring. The clock starts
 * with the first publish, when the recorder is ready and the ring's pages have been touched, as on
 * a running server. After the last publish comes a flush. The clock stops when the recorder has
 * acknowledged the last tick as durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tapedeck/client.h>
#include <tapedeck/dbn.h>
#include <tapedeck/ring.h>
#include <tapedeck/tape.h>

#define RING        "day"
#define RING_SIZE   ((size_t)64 << 20)
#define BURST       64     /* ticks for each publish */
#define PRICE_SCALE 100000 /* 1e-4 -> 1e-9 */
#define PATIENCE_S  60.0

/* A tick of the bench's day. */
struct day_tick {
    uint64_t ts;
    int64_t price;
    uint32_t size, symbol, flags, sequence;
};

static void fail(const char *what, const struct tdk_err *err)
{
    fprintf(stderr, "adapter: %s: %s\n", what, err != NULL ? err->text : strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_s(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static long rss_kb(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return u.ru_maxrss;
}

static void tape_path(char path[PATH_MAX], const char *dir)
{
    if (snprintf(path, PATH_MAX, "%s/tape", dir) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        fail(dir, NULL);
    }
}

/* ---- the recorder beside us ---- */

struct recorder {
    char rings[64];
    pid_t pid;
    int acks, log; /* reading ends */
};

/* The path of another program in the same folder as this one, whatever this one is called. */
static void program_path(char path[PATH_MAX], const char *name)
{
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 64);
    if (size < 0)
        fail("find the recorder", NULL);
    path[size] = '\0';
    snprintf(strrchr(path, '/') + 1, 64, "%s", name);
}

static void make_ring(struct recorder *recorder)
{
    struct tdk_err err;
    const struct tdk_ring_options options = {.capacity = RING_SIZE};
    snprintf(recorder->rings, sizeof recorder->rings, "/dev/shm/tapedeck-store-XXXXXX");
    if (mkdtemp(recorder->rings) == NULL)
        fail(recorder->rings, NULL);
    setenv("TAPEDECK_RINGS", recorder->rings, 1);
    if (tdk_ring_create(RING, &options, &err) < 0)
        fail("make a ring", &err);
}

/* Its acknowledgements go to descriptor 3, its log to stderr. */
static void run_recorder(const char *tape, int acks, int log)
{
    char program[PATH_MAX];
    program_path(program, "tapedeck-recorder");
    if (acks == 3)
        fcntl(acks, F_SETFD, 0);
    else
        dup2(acks, 3);
    dup2(log, STDERR_FILENO);
    execl(program, program, "--tape", tape, "--ring", RING, "--ack-fd", "3", (char *)NULL);
    _exit(127);
}

static void start_recorder(struct recorder *recorder, const char *tape)
{
    int acks[2], log[2];
    if (pipe2(acks, O_CLOEXEC) < 0 || pipe2(log, O_CLOEXEC) < 0)
        fail("make a pipe", NULL);
    recorder->pid = fork();
    if (recorder->pid < 0)
        fail("start the recorder", NULL);
    if (recorder->pid == 0)
        run_recorder(tape, acks[1], log[1]);
    close(acks[1]);
    close(log[1]);
    recorder->acks = acks[0];
    recorder->log = log[0];
}

/* Read its log up to the ready line, or all of it if there is none. */
static void wait_until_ready(const struct recorder *recorder)
{
    char line[4096], said[4096] = "nothing";
    FILE *log = fdopen(dup(recorder->log), "r");
    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        if (strncmp(line, "ready ", strlen("ready ")) == 0) {
            fclose(log);
            return;
        }
        memcpy(said, line, sizeof said);
    }
    fprintf(stderr, "adapter: the recorder is not ready; it said: %s\n", said);
    exit(1);
}

/* Flush now instead of at the next sync (100 ms), like `tapedeck flush`, because others call
 * fdatasync at the end. */
static void flush_recorder(struct tdk_client *client)
{
    const void *result;
    size_t size;
    struct tdk_err err;
    if (tdk_client_call(client, "flush", NULL, 0, &result, &size, &err) < 0)
        fail("flush", &err);
}

static struct tdk_client *ask_recorder(const char *tape)
{
    char address[PATH_MAX + 32];
    struct tdk_client *client;
    struct tdk_err err;
    snprintf(address, sizeof address, "unix:%s/recorder.sock", tape);
    if (tdk_client_open(&client, address, NULL, &err) < 0)
        fail(address, &err);
    return client;
}

/* Read lines TRACK EPOCH SEQ, each written as it happens. The clock stops at the line of the last
 * tick. */
static void wait_until_durable(const struct recorder *recorder, uint64_t ticks)
{
    double deadline = now_s() + PATIENCE_S;
    uint64_t durable = 0;
    char line[256];
    FILE *acks = fdopen(dup(recorder->acks), "r");
    while (durable < ticks && acks != NULL && fgets(line, sizeof line, acks) != NULL &&
           now_s() < deadline)
        sscanf(line, RING " %*u %" SCNu64, &durable);
    if (durable < ticks) {
        fprintf(stderr, "adapter: %" PRIu64 " of %" PRIu64 " ticks became durable\n", durable,
                ticks);
        exit(1);
    }
    fclose(acks);
}

static void end_recorder(const struct recorder *recorder)
{
    int status = -1;
    kill(recorder->pid, SIGTERM);
    while (waitpid(recorder->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    tdk_ring_remove(RING, true, NULL);
    rmdir(recorder->rings);
    if (status != 0) {
        fprintf(stderr, "adapter: the recorder did not end in order\n");
        exit(1);
    }
}

/* ---- record ---- */

static void fill(struct tdk_frame *frame, const struct day_tick *tick)
{
    const struct tdk_dbn_trades trade = {
        .head = {sizeof trade / 4, TDK_RTYPE_TRADES, 1, tick->symbol, tick->ts},
        .price = tick->price * PRICE_SCALE,
        .size = tick->size,
        .action = 'T',
        .flags = (uint8_t)tick->flags,
        .depth = (uint8_t)(tick->flags >> 8),
        .ts_recv = tick->ts,
        .sequence = tick->sequence,
    };
    frame->type = TDK_TYPE_DBN;
    frame->ts = tick->ts;
    memcpy(frame + 1, &trade, sizeof trade);
}

static void publish_burst(struct tdk_ring *ring, const struct day_tick *ticks, size_t count)
{
    const uint32_t room = (uint32_t)(count * tdk_frame_span(sizeof(struct tdk_dbn_trades)) -
                                     sizeof(struct tdk_frame));
    double deadline = now_s() + PATIENCE_S;
    while (!tdk_ring_wait_room(ring, room, 1000000000))
        if (now_s() > deadline) {
            fprintf(stderr, "adapter: the ring stays full\n");
            exit(1);
        }
    for (size_t i = 0; i < count; i++) {
        struct tdk_frame *frame = tdk_ring_claim(ring, sizeof(struct tdk_dbn_trades));
        if (frame == NULL) {
            fprintf(stderr, "adapter: a full ring that had room\n");
            exit(1);
        }
        fill(frame, &ticks[i]);
    }
    tdk_ring_publish(ring);
}

static struct tdk_ring *attach(void)
{
    struct tdk_err err;
    struct tdk_ring *ring;
    if (tdk_ring_attach(&ring, RING, TDK_RING_PRODUCER, &err) < 0)
        fail("attach the ring", &err);
    while (tdk_ring_warm(ring, RING_SIZE))
        continue;
    return ring;
}

static void publish(struct tdk_ring *ring, const struct day_tick *ticks, size_t count)
{
    for (size_t i = 0; i < count; i += BURST)
        publish_burst(ring, ticks + i, count - i < BURST ? count - i : BURST);
}

static const struct day_tick *map_day(const char *path, size_t *count)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) < 0)
        fail(path, NULL);
    *count = (size_t)stat.st_size / sizeof(struct day_tick);
    const struct day_tick *ticks =
        mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (ticks == MAP_FAILED)
        fail(path, NULL);
    return ticks;
}

static long resident_kb(void)
{
    long all, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fscanf(file, "%ld %ld", &all, &resident) != 2)
        resident = 0;
    if (file != NULL)
        fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int record(const char *data, const char *dir)
{
    struct recorder recorder;
    char tape[PATH_MAX];
    size_t count;
    const struct day_tick *ticks = map_day(data, &count);
    long base_kb = resident_kb(); /* the mapped input is not the tape's memory */
    tape_path(tape, dir);
    make_ring(&recorder);
    start_recorder(&recorder, tape);
    wait_until_ready(&recorder);
    struct tdk_ring *ring = attach();
    struct tdk_client *client = ask_recorder(tape);

    double begin = now_s();
    publish(ring, ticks, count);
    double published = now_s();
    flush_recorder(client);
    wait_until_durable(&recorder, count);
    double durable = now_s();

    tdk_ring_detach(ring);
    tdk_client_close(client);
    end_recorder(&recorder);
    long own_kb = rss_kb(RUSAGE_SELF) - base_kb;
    printf("ticks=%zu sec=%.4f durable_sec=%.4f cpu_sec=%.3f rss_kb=%ld "
           "mode=ring+recorder,synced\n",
           count, published - begin, durable - begin, cpu_s(RUSAGE_SELF) + cpu_s(RUSAGE_CHILDREN),
           (own_kb > 0 ? own_kb : 0) + rss_kb(RUSAGE_CHILDREN));
    return 0;
}

/* ---- query ---- */

struct sums {
    uint64_t rows, size, flags, inversions, last_ts;
    int64_t price;
};

static void add_tick(struct sums *sums, const struct tdk_frame *frame)
{
    const struct tdk_dbn_trades *trade = (const void *)tdk_frame_payload(frame);
    sums->rows++;
    sums->inversions += frame->ts < sums->last_ts;
    sums->last_ts = frame->ts;
    sums->price += trade->price;
    sums->size += trade->size;
    sums->flags += (uint32_t)(trade->flags | trade->depth << 8);
}

/* While ticks have the size of the one before, the next one's place is known without waiting for
 * its size. */
static void add_run(struct sums *sums, const struct tdk_run *run)
{
    const unsigned char *at = (const unsigned char *)run->frames, *end = at + run->size;
    while (at < end) {
        const struct tdk_frame *first = (const void *)at;
        const uint32_t size = first->size;
        const size_t span = tdk_frame_span(size);
        struct sums all = *sums;
        all.price = 0; /* in 1e-9, the sum over a block fits */
        for (const struct tdk_frame *f = first; at < end && f->size == size;
             at += span, f = (const void *)at)
            add_tick(&all, f);
        all.price = sums->price + all.price / PRICE_SCALE;
        *sums = all;
    }
}

static void ask(struct tdk_tape *tape, const struct tdk_query *query, struct sums *sums)
{
    struct tdk_err err;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    int rc = tdk_cursor_open(&cursor, tape, query, &err);
    if (rc < 0)
        fail("ask", &err);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) == 1) {
        if (query->count_only)
            sums->rows += run.ticks;
        else
            add_run(sums, &run);
    }
    if (rc < 0)
        fail("ask", &err);
    tdk_cursor_close(cursor);
}

/* The first answer includes the cost of opening the tape. */
static int query(char **args)
{
    char path[PATH_MAX], id[32];
    const char *symbol = id;
    const struct tdk_query query = {.from = strtoull(args[3], NULL, 10),
                                    .to = strtoull(args[4], NULL, 10),
                                    .symbols = &symbol,
                                    .symbol_count = strcmp(args[2], "-1") != 0,
                                    .count_only = strcmp(args[1], "count") == 0};
    struct tdk_tape *tape;
    struct tdk_err err;
    tape_path(path, args[0]);
    snprintf(id, sizeof id, "#%.20s", args[2]);
    double begin = now_s();
    if (tdk_tape_open(&tape, path, &err) < 0)
        fail("open the tape", &err);
    for (int i = 0; i < atoi(args[5]); i++) {
        struct sums sums = {0};
        if (i > 0)
            begin = now_s();
        ask(tape, &query, &sums);
        printf("rows=%" PRIu64 " px=%" PRId64 " sz=%" PRIu64 " fl=%" PRIu64 " inv=%" PRIu64
               " sec=%.7f rss_kb=%ld\n",
               sums.rows, sums.price, sums.size, sums.flags, sums.inversions, now_s() - begin,
               rss_kb(RUSAGE_SELF));
    }
    tdk_tape_close(tape);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "record") == 0)
        return record(argv[2], argv[3]);
    if (argc == 8 && strcmp(argv[1], "query") == 0)
        return query(argv + 2);
    fprintf(stderr, "usage: adapter record DATA DIR | adapter query DIR rows|count SYM|-1 T0 T1 "
                    "REPS\n");
    return 2;
}
