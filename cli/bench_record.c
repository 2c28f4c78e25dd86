/* bench_record.c - records from rings to a tape, with its own producers and recorder. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/bench.h"
#include "cli/bench_bare.h"
#include "cli/bench_disk.h"
#include "cli/bench_drain.h"
#include "cli/bench_recorder.h"
#include "cli/bench_tape.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "tapedeck/tape.h"

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
     .help = "ticks per run, over all rings"},
    {.name = "size",
     .kind = OPTION_SIZE,
     .min = 8,
     .max = 4096,
     .preset = "64",
     .at = offsetof(struct args, size),
     .help = "size of a payload in bytes"},
    {.name = "producers",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = BENCH_FEEDS_MAX,
     .preset = "4",
     .at = offsetof(struct args, rings),
     .help = "number of producers in runs with several, each with a ring of its own"},
    {.name = "ring-size",
     .kind = OPTION_SIZE,
     .is_power = true,
     .min = 1 << 16,
     .max = UINT64_C(1) << 40,
     .preset = "64M",
     .at = offsetof(struct args, ring_size),
     .help = "capacity of each ring, a power of two"},
    {.name = "rate",
     .kind = OPTION_RATE,
     .preset = "1000000/s",
     .at = offsetof(struct args, rate),
     .help = "ticks per second, where a producer's cost is measured"},
    {.name = "dir",
     .kind = OPTION_TEXT,
     .value = "DIR",
     .preset = "/var/tmp",
     .at = offsetof(struct args, dir),
     .help = "where tapes are created and removed again: on the disk to measure"},
    {.name = NULL},
};

struct taping {
    struct bench_feeds feeds;
    const char *sync; /* value of --sync; NULL: no recorder, one ring that nobody reads */
    /* set while running */
    char folder[PATH_MAX];
    struct bench_recorder recorder;
};

static int check_run(const struct bench_feeds *feeds, const struct tdk_run *run,
                     struct tdk_err *err)
{
    const unsigned char *end = (const unsigned char *)run->frames + run->size;
    for (const struct tdk_frame *f = run->frames; (const unsigned char *)f < end;
         f = tdk_frame_after(f)) {
        if (!bench_feeds_made(feeds, f))
            return err_say(err, TDK_ECORRUPT, "tick %" PRIu64 " of %s is not what was published",
                           f->seq, run->track);
    }
    return 0;
}

/* The tape must have every tick of every ring, once and unchanged. */
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
        rc = check_run(&t->feeds, &run, err);
    }
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    uint64_t published = t->feeds.count * t->feeds.rings;
    if (rc == 0 && ticks != published)
        rc =
            err_say(err, TDK_EHOLE, "%" PRIu64 " ticks are on the tape, %" PRIu64 " were published",
                    ticks, published);
    return rc;
}

/* ---- measures ---- */

static int record_once(struct taping *t, struct bench_run *run, struct tdk_err *err)
{
    struct bench_recorder *r = &t->recorder;
    uint64_t begin_ns = 0;
    *r = (struct bench_recorder){.folder = t->folder, .sync = t->sync, .feeds = &t->feeds};
    int rc = t->sync != NULL ? bench_recorder_start(r, err) : 0;
    if (rc == 0)
        rc = bench_feeds_start(&t->feeds, &begin_ns, err);
    if (rc == 0 && t->sync != NULL)
        rc = bench_recorder_wait(r, err);
    if (rc == 0)
        rc = bench_feeds_end(&t->feeds, err);
    run->elapsed_ns = clock_mono() - begin_ns;
    if (t->sync == NULL)
        return rc;
    rc = bench_recorder_end(r, rc, err);
    return rc == 0 ? check_tape(t, err) : rc;
}

static int measure(void *context, struct bench_run *run, struct tdk_err *err)
{
    struct taping *t = context;
    struct bench_feeds *feeds = &t->feeds;
    if (feeds->cost != NULL)
        histogram_init(feeds->cost);
    int rc = bench_folder_make(t->folder, args.dir, err);
    if (rc == 0)
        rc = bench_feeds_make_rings(feeds, args.ring_size, err);
    if (rc == 0)
        rc = record_once(t, run, err);
    bench_feeds_remove_rings(feeds);
    if (t->folder[0] != '\0')
        bench_folder_remove(t->folder);
    run->operations = feeds->count * feeds->rings;
    run->bytes = run->operations * tdk_frame_span(feeds->size);
    if (rc == 0 && feeds->cost != NULL)
        bench_run_latency(run, feeds->cost);
    return rc;
}

static void count_run(struct bench_run *run, const struct bench_feeds *feeds)
{
    run->operations = feeds->count;
    run->bytes = run->operations * tdk_frame_span(feeds->size);
}

/* Write as many bytes as a run of the other measures puts into its rings. */
static int measure_disk(void *context, struct bench_run *run, struct tdk_err *err)
{
    struct taping *t = context;
    count_run(run, &t->feeds);
    int rc = bench_folder_make(t->folder, args.dir, err);
    if (rc == 0)
        rc = bench_disk(t->folder, run->bytes, NULL, &run->elapsed_ns, err);
    if (t->folder[0] != '\0')
        bench_folder_remove(t->folder);
    return rc;
}

static int measure_bare(void *context, struct bench_run *run, struct tdk_err *err)
{
    struct taping *t = context;
    count_run(run, &t->feeds);
    int rc = bench_folder_make(t->folder, args.dir, err);
    if (rc == 0)
        rc = bench_bare(t->folder, run->bytes, args.ring_size,
                        BENCH_FEEDS_BURST * tdk_frame_span(t->feeds.size), &run->elapsed_ns, err);
    if (t->folder[0] != '\0')
        bench_folder_remove(t->folder);
    return rc;
}

static int measure_copy(void *context, struct bench_run *run, struct tdk_err *err)
{
    count_run(run, context);
    return bench_copy_alone(run->bytes, bench_sum_chunks, &run->elapsed_ns, err);
}

static int measure_three_ways(void *context, struct bench_run *run, struct tdk_err *err)
{
    count_run(run, context);
    return bench_copy_alone(run->bytes, bench_sum_three_ways, &run->elapsed_ns, err);
}

static int measure_drain(void *context, struct bench_run *run, struct tdk_err *err)
{
    const struct bench_feeds *feeds = context;
    count_run(run, feeds);
    int rc = bench_feeds_make_rings(feeds, args.ring_size, err);
    if (rc == 0)
        rc = bench_drain(feeds, &run->elapsed_ns, err);
    bench_feeds_remove_rings(feeds);
    return rc;
}

static struct bench_feeds feeds_of(unsigned rings, uint64_t count)
{
    return (struct bench_feeds){.rings = rings, .count = count, .size = (uint32_t)args.size};
}

static int measure_without_disk(struct bench *bench, struct tdk_err *err)
{
    struct bench_feeds feeds = feeds_of(1, args.count);
    int rc = bench_measure(bench, "copy and CRC-32C alone", measure_copy, &feeds, err);
    if (rc == 0)
        rc = bench_measure(bench, "copy and CRC-32C, three ways", measure_three_ways, &feeds, err);
    return rc == 0 ? bench_measure(bench, "drained, no disk", measure_drain, &feeds, err) : rc;
}

/* Some file systems cannot bypass the page cache. Then there is nothing to compare with. */
static int measure_limit(struct bench *bench, struct tdk_err *err)
{
    static struct taping t;
    t = (struct taping){.feeds = feeds_of(1, args.count)};
    int rc = bench_measure(bench, "the disk alone, durable", measure_disk, &t, err);
    if (rc == 0)
        rc = bench_measure(bench, "a bare recorder, durable", measure_bare, &t, err);
    return rc == -EINVAL ? 0 : rc;
}

/* As many as a ring holds when nobody reads it, but at most half a second's. */
static uint64_t paced_count(void)
{
    uint64_t fits = args.ring_size / tdk_frame_span((uint32_t)args.size) * 9 / 10;
    return fits < args.rate / 2 ? fits : args.rate / 2;
}

static int measure_cost(struct bench *bench, struct tdk_err *err)
{
    static struct taping t;
    t = (struct taping){.feeds = feeds_of(1, paced_count())};
    struct histogram *cost =
        mmap(NULL, sizeof *cost, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (cost == MAP_FAILED)
        return err_set(err, -errno, "share a page with the producer");
    t.feeds.rate = args.rate;
    t.feeds.cost = cost;
    int rc = bench_measure(bench, "publish, nobody reads", measure, &t, err);
    t.sync = "interval:100ms";
    if (rc == 0)
        rc = bench_measure(bench, "publish, recorded", measure, &t, err);
    munmap(cost, sizeof *cost);
    return rc;
}

static int measure_all(struct bench *bench, struct tdk_err *err)
{
    static struct taping t;
    static const struct {
        const char *what, *sync;
    } kinds[] = {{"written", "none"}, {"durable", "interval:100ms"}};
    int rc = measure_without_disk(bench, err);
    if (rc == 0)
        rc = measure_limit(bench, err);
    for (size_t i = 0; rc == 0 && i < 2; i++)
        for (unsigned several = 0; rc == 0 && several < 2; several++) {
            char what[64];
            unsigned rings = several ? (unsigned)args.rings : 1;
            if (several && rings == 1)
                continue;
            t = (struct taping){.feeds = feeds_of(rings, args.count / rings),
                                .sync = kinds[i].sync};
            snprintf(what, sizeof what, "%s, %u ring%s", kinds[i].what, rings,
                     rings == 1 ? "" : "s");
            rc = bench_measure(bench, what, measure, &t, err);
        }
    return rc == 0 && args.rate != 0 ? measure_cost(bench, err) : rc;
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct bench *bench;
    (void)cli;
    if (args.size % 8 != 0)
        return cli_usage("--size must be a multiple of 8");
    if (BENCH_FEEDS_BURST * tdk_frame_span((uint32_t)args.size) > args.ring_size / 4)
        return cli_usage("--ring-size must hold at least four times %u ticks", BENCH_FEEDS_BURST);
    if (bench_open(&bench, &args.bench, &err) < 0)
        return cli_fail(&err, NULL);
    return bench_close(bench, measure_all(bench, &err), &err);
}

const struct command bench_record_command = {
    .name = "record",
    .brief = "record rings to a tape, with a recorder of its own",
    .usage = "[--count N] [--size S] [--producers N] [--dir DIR] [--runs N] [--json]",
    .about = "Starts a recorder on a new tape, publishes as fast as the rings have room, and\n"
             "stops the clock when every tick is written, or durable; a flush follows the last\n"
             "tick. Then the tape is read back: each tick must be there once and unchanged.\n"
             "Producers are attached and all pages of the rings touched before the clock\n"
             "starts.\n"
             "`the disk alone`: as many bytes written in the same way, with nothing around it.\n"
             "`a bare recorder`: the same, but the bytes are copied and summed out of memory\n"
             "that another process fills, with no ring and no tape.\n"
             "`drained`: from a ring into blocks in this process's caches. Beside it stands\n"
             "the least work for that, as many bytes copied and summed: as blocks are, and\n"
             "with three streams of the processor's CRC instruction.\n"
             "`publish`: what one claim, copy and publish takes the producer at --rate.",
    .sets = (const struct option_set[]){{"workload", rows, &args},
                                        {"options", bench_rows, &args.bench},
                                        {.rows = NULL}},
    .run = run,
};
