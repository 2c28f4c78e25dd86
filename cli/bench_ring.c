/* bench_ring.c - ticks from one process to another through a ring: how many a second, how soon. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/bench.h"
#include "cli/bench_pair.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "tapedeck/ring.h"

#define MIXED_LEAST  32u
#define MIXED_STEPS  29u /* 32, 40, ... 256 */
#define CHECK_EVERY  4096u
#define TAP_PAUSE_US 1000u

static struct args {
    struct bench_options bench;
    uint64_t count, size, ring_size, batch, rate;
    const char *cpus;
} args;

static const struct option rows[] = {
    {.name = "count",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1000,
     .preset = "20000000",
     .at = offsetof(struct args, count),
     .help = "ticks per run (round trips: a hundredth; paced: one second's)"},
    {.name = "size",
     .kind = OPTION_SIZE,
     .min = 8,
     .max = 16384,
     .preset = "64",
     .at = offsetof(struct args, size),
     .help = "size of a payload in bytes"},
    {.name = "ring-size",
     .kind = OPTION_SIZE,
     .is_power = true,
     .min = 1 << 16,
     .max = UINT64_C(1) << 40,
     .preset = "1M",
     .at = offsetof(struct args, ring_size),
     .help = "capacity of the ring, a power of two"},
    {.name = "batch",
     .kind = OPTION_COUNT,
     .min = 2,
     .max = 1024,
     .preset = "32",
     .at = offsetof(struct args, batch),
     .help = "ticks per publish, where they go in batches"},
    {.name = "rate",
     .kind = OPTION_RATE,
     .preset = "10000000/s",
     .at = offsetof(struct args, rate),
     .help = "ticks per second, where they are paced"},
    {.name = "cpus",
     .kind = OPTION_TEXT,
     .value = "P,C",
     .at = offsetof(struct args, cpus),
     .help = "pin the producer and the consumer to these processors"},
    {.name = NULL},
};

/* One kind of traffic. */
struct traffic {
    const char *ring, *back; /* names; back: for the way back of a round trip */
    int cpus[2];
    uint64_t count, batch, rate;
    bool mixed;
    /* Found by the consumer, until the run is written. */
    uint64_t bytes, elapsed_ns;
    struct histogram latency;
};

static uint32_t size_of(const struct traffic *t, uint64_t i)
{
    uint64_t spread = (i * UINT64_C(0x9e3779b97f4a7c15) >> 32) * MIXED_STEPS >> 32;
    return t->mixed ? MIXED_LEAST + 8 * (uint32_t)spread : (uint32_t)args.size;
}

/* Each word depends on the tick it belongs to and on its place in it. */
static void fill(struct tdk_frame *frame, uint64_t i)
{
    uint64_t *words = (uint64_t *)(void *)(frame + 1);
    frame->type = TDK_TYPE_OPAQUE;
    frame->seq = i + 1;
    for (uint32_t w = 0; w < frame->size / 8; w++)
        words[w] = i + w;
}

static bool is_right(const struct tdk_frame *frame, uint32_t size, uint64_t i)
{
    const uint64_t *words = (const uint64_t *)(const void *)(frame + 1);
    uint64_t wrong = frame->seq ^ (i + 1);
    for (uint32_t w = 0; w < size / 8; w++)
        wrong |= words[w] ^ (i + w);
    return wrong == 0 && frame->size == size;
}

/* Claim a frame as soon as there is room. NULL: the other side has given up. */
static struct tdk_frame *claim(struct tdk_ring *ring, uint32_t size, struct bench_pair *pair)
{
    struct tdk_frame *frame;
    for (uint32_t spins = 1; (frame = tdk_ring_claim_raw(ring, size)) == NULL; spins++) {
        tdk_ring_publish(ring);
        if (spins % CHECK_EVERY == 0 && bench_pair_is_over(pair))
            return NULL;
    }
    return frame;
}

/* Take the next tick as soon as it is there. NULL: the other side has given up. */
static const struct tdk_frame *take(struct tdk_ring *ring, struct bench_pair *pair)
{
    const struct tdk_frame *frame;
    uint32_t spins = 0;
    while ((frame = tdk_ring_next(ring)) == NULL || !tdk_frame_is_tick(frame))
        if (++spins % CHECK_EVERY == 0 && bench_pair_is_over(pair))
            return NULL;
    return frame;
}

static int is_wrong(uint64_t i, struct tdk_err *err)
{
    return err_say(err, TDK_ECORRUPT, "tick %" PRIu64 " did not come through unchanged", i + 1);
}

/* ---- one way ---- */

static int produce_loop(struct bench_pair *pair, struct tdk_ring *ring, const struct traffic *t,
                        struct tdk_err *err)
{
    uint64_t begin_ns = clock_mono();
    for (uint64_t i = 0; i < t->count; i++) {
        uint64_t due_ns = 0;
        if (t->rate != 0) {
            due_ns = bench_due_ns(begin_ns, i, t->rate);
            while (clock_mono() < due_ns)
                continue;
        }
        struct tdk_frame *frame = claim(ring, size_of(t, i), pair);
        if (frame == NULL)
            return bench_pair_say_over(err);
        fill(frame, i);
        frame->ts = due_ns;
        if (t->batch == 1 || i % t->batch == t->batch - 1 || i + 1 == t->count)
            tdk_ring_publish(ring);
    }
    return 0;
}

static int produce(struct bench_pair *pair, void *context, struct tdk_err *err)
{
    const struct traffic *t = context;
    struct tdk_ring *ring;
    int rc = tdk_ring_attach(&ring, t->ring, TDK_RING_PRODUCER, err);
    if (rc < 0)
        return rc;
    attach_warm(ring);
    rc = bench_pair_meet(pair) ? produce_loop(pair, ring, t, err) : bench_pair_say_over(err);
    tdk_ring_detach(ring);
    return rc;
}

static int consume_loop(struct bench_pair *pair, struct tdk_ring *ring, struct traffic *t,
                        struct tdk_err *err)
{
    t->bytes = 0;
    for (uint64_t i = 0; i < t->count; i++) {
        const struct tdk_frame *frame = take(ring, pair);
        if (frame == NULL)
            return bench_pair_say_over(err);
        if (!is_right(frame, size_of(t, i), i))
            return is_wrong(i, err);
        if (t->rate != 0) {
            uint64_t now_ns = clock_mono();
            histogram_add(&t->latency, now_ns > frame->ts ? now_ns - frame->ts : 0);
        }
        t->bytes += frame->size;
        tdk_ring_release(ring);
    }
    return 0;
}

static int consume(struct bench_pair *pair, void *context, struct tdk_err *err)
{
    struct traffic *t = context;
    struct tdk_ring *ring;
    int rc = tdk_ring_attach(&ring, t->ring, TDK_RING_CONSUMER, err);
    if (rc < 0)
        return rc;
    attach_warm(ring);
    rc = bench_pair_meet(pair) ? consume_loop(pair, ring, t, err) : bench_pair_say_over(err);
    t->elapsed_ns = clock_mono() - pair->gone_ns;
    tdk_ring_detach(ring);
    return rc;
}

/* ---- there and back ---- */

static int open_both(struct tdk_ring *rings[2], const struct traffic *t, bool home,
                     struct tdk_err *err)
{
    int rc = tdk_ring_attach(&rings[0], home ? t->back : t->ring, TDK_RING_PRODUCER, err);
    if (rc < 0)
        return rc;
    rc = tdk_ring_attach(&rings[1], home ? t->ring : t->back, TDK_RING_CONSUMER, err);
    if (rc < 0)
        tdk_ring_detach(rings[0]);
    return rc;
}

static void close_both(struct tdk_ring *rings[2])
{
    tdk_ring_detach(rings[0]);
    tdk_ring_detach(rings[1]);
}

static int echo_loop(struct bench_pair *pair, struct tdk_ring *rings[2], const struct traffic *t,
                     struct tdk_err *err)
{
    for (uint64_t i = 0; i < t->count; i++) {
        const struct tdk_frame *heard = take(rings[1], pair);
        struct tdk_frame *frame = heard != NULL ? claim(rings[0], (uint32_t)args.size, pair) : NULL;
        if (frame == NULL)
            return bench_pair_say_over(err);
        fill(frame, heard->seq - 1);
        tdk_ring_publish(rings[0]);
        tdk_ring_release(rings[1]);
    }
    return 0;
}

static int echo(struct bench_pair *pair, void *context, struct tdk_err *err)
{
    const struct traffic *t = context;
    struct tdk_ring *rings[2];
    int rc = open_both(rings, t, true, err);
    if (rc < 0)
        return rc;
    rc = bench_pair_meet(pair) ? echo_loop(pair, rings, t, err) : bench_pair_say_over(err);
    close_both(rings);
    return rc;
}

static int ask_loop(struct bench_pair *pair, struct tdk_ring *rings[2], struct traffic *t,
                    struct tdk_err *err)
{
    for (uint64_t i = 0; i < t->count; i++) {
        uint64_t begin_ns = clock_mono();
        struct tdk_frame *frame = claim(rings[0], (uint32_t)args.size, pair);
        if (frame == NULL)
            return bench_pair_say_over(err);
        fill(frame, i);
        tdk_ring_publish(rings[0]);
        const struct tdk_frame *heard = take(rings[1], pair);
        if (heard == NULL)
            return bench_pair_say_over(err);
        histogram_add(&t->latency, clock_mono() - begin_ns);
        if (!is_right(heard, (uint32_t)args.size, i))
            return is_wrong(i, err);
        tdk_ring_release(rings[1]);
    }
    t->bytes = 2 * args.size * t->count;
    return 0;
}

static int ask(struct bench_pair *pair, void *context, struct tdk_err *err)
{
    struct traffic *t = context;
    struct tdk_ring *rings[2];
    int rc = open_both(rings, t, false, err);
    if (rc < 0)
        return rc;
    rc = bench_pair_meet(pair) ? ask_loop(pair, rings, t, err) : bench_pair_say_over(err);
    t->elapsed_ns = clock_mono() - pair->gone_ns;
    close_both(rings);
    return rc;
}

/* ---- a tap beside it ---- */

static _Noreturn void be_tap(const char *name)
{
    static unsigned char buffer[1 << 16];
    struct tdk_ring *ring;
    uint64_t missed;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (tdk_ring_attach(&ring, name, TDK_RING_TAP, NULL) < 0)
        _exit(1);
    for (;;) {
        while (tdk_ring_tap(ring, buffer, sizeof buffer, &missed) != 0)
            continue;
        usleep(TAP_PAUSE_US);
    }
}

/* ---- measures ---- */

static int measure(struct traffic *t, bench_side_cb *far, bench_side_cb *near,
                   struct bench_run *run, struct tdk_err *err)
{
    histogram_init(&t->latency);
    int rc = bench_pair_run(t->cpus, far, near, t, err);
    if (rc < 0)
        return rc;
    run->operations = t->count;
    run->bytes = t->bytes;
    run->elapsed_ns = t->elapsed_ns;
    if (t->latency.count != 0)
        bench_run_latency(run, &t->latency);
    return 0;
}

static int measure_one_way(void *context, struct bench_run *run, struct tdk_err *err)
{
    return measure(context, produce, consume, run, err);
}

static int measure_round_trip(void *context, struct bench_run *run, struct tdk_err *err)
{
    return measure(context, echo, ask, run, err);
}

static int measure_tapped(void *context, struct bench_run *run, struct tdk_err *err)
{
    struct traffic *t = context;
    pid_t tap = fork();
    if (tap < 0)
        return err_set(err, -errno, "start a tap");
    if (tap == 0)
        be_tap(t->ring);
    int rc = measure(t, produce, consume, run, err);
    kill(tap, SIGKILL);
    waitpid(tap, NULL, 0);
    return rc;
}

static int measure_all(struct bench *bench, const struct traffic *base, struct tdk_err *err)
{
    char what[64];
    struct traffic t = *base;
    int rc = bench_measure(bench, "one at a time", measure_one_way, &t, err);
    t.batch = args.batch;
    snprintf(what, sizeof what, "batches of %" PRIu64, args.batch);
    if (rc == 0)
        rc = bench_measure(bench, what, measure_one_way, &t, err);
    t = *base;
    t.mixed = true;
    if (rc == 0)
        rc = bench_measure(bench, "32 to 256 bytes", measure_one_way, &t, err);
    t = *base;
    if (rc == 0)
        rc = bench_measure(bench, "one at a time, tapped", measure_tapped, &t, err);
    t.rate = args.rate;
    t.count = args.rate;
    snprintf(what, sizeof what, "paced, %" PRIu64 "/s", args.rate);
    if (rc == 0 && args.rate != 0)
        rc = bench_measure(bench, what, measure_one_way, &t, err);
    t = *base;
    t.count = base->count / 100;
    if (rc == 0)
        rc = bench_measure(bench, "round trip", measure_round_trip, &t, err);
    return rc;
}

/* ---- the command ---- */

static int make_rings(const struct traffic *t, struct tdk_err *err)
{
    struct tdk_ring_options options = {.capacity = args.ring_size};
    int rc = tdk_ring_create(t->ring, &options, err);
    if (rc < 0)
        return rc;
    rc = tdk_ring_create(t->back, &options, err);
    if (rc < 0)
        tdk_ring_remove(t->ring, true, NULL);
    return rc;
}

static int run(const struct cli *cli)
{
    static struct traffic traffic = {.batch = 1};
    char there[32], back[32];
    struct tdk_err err;
    struct bench *bench;
    (void)cli;
    snprintf(there, sizeof there, "bench-%d", (int)getpid());
    snprintf(back, sizeof back, "bench-%d-back", (int)getpid());
    traffic.ring = there;
    traffic.back = back;
    traffic.count = args.count;
    if (bench_pair_cpus(args.cpus, traffic.cpus, &err) < 0)
        return cli_usage("--cpus: %s", err.text);
    if (args.size % 8 != 0 || args.size > args.ring_size / 4)
        return cli_usage("--size must be a multiple of 8, and at most a quarter of the ring");
    if (bench_open(&bench, &args.bench, &err) < 0)
        return cli_fail(&err, NULL);
    int rc = make_rings(&traffic, &err);
    if (rc == 0) {
        rc = measure_all(bench, &traffic, &err);
        tdk_ring_remove(there, true, NULL);
        tdk_ring_remove(back, true, NULL);
    }
    return bench_close(bench, rc, &err);
}

const struct command bench_ring_command = {
    .name = "ring",
    .brief = "pass ticks from one process to another through a ring",
    .usage = "[--count N] [--size S] [--ring-size S] [--cpus P,C] [--runs N] [--json]",
    .about = "One process publishes, another consumes and checks every word. Both spin, so\n"
             "this occupies two processors while it runs. Compare ratios on one machine at one\n"
             "time, not absolute numbers.",
    .sets = (const struct option_set[]){{"workload", rows, &args},
                                        {"options", bench_rows, &args.bench},
                                        {.rows = NULL}},
    .run = run,
};
