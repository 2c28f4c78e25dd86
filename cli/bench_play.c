/* bench_play.c - plays a tape into a ring: how fast at full speed, and how late with a schedule. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/bench.h"
#include "cli/bench_pair.h"
#include "cli/bench_tape.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "replayer/player.h"
#include "tapedeck/digest.h"
#include "tapedeck/ring.h"

#define STALL_NS   (30 * NS_PER_S)
#define PACED_RATE 100000u
#define PACED_S    2u
#define MERGED     4u
#define WARM_BYTES ((size_t)1 << 20)

static struct args {
    struct bench_options bench;
    struct bench_tape_options tape;
    uint64_t ring_size;
    const char *cpus;
    bool unpaced;
} args;

static const struct option rows[] = {
    {.name = "ring-size",
     .kind = OPTION_SIZE,
     .is_power = true,
     .min = 1 << 16,
     .max = UINT64_C(1) << 40,
     .preset = "16M",
     .at = offsetof(struct args, ring_size),
     .help = "capacity of the ring, a power of two"},
    {.name = "cpus",
     .kind = OPTION_TEXT,
     .value = "P,C",
     .at = offsetof(struct args, cpus),
     .help = "pin the player and the consumer to these processors"},
    {.name = "unpaced",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, unpaced),
     .help = "play only at full speed; plays on a schedule take most of the time"},
    {.name = NULL},
};

/* Shared by both sides; the player runs in a child. */
struct playing {
    const char *path, *ring; /* set before the fork */
    int cpus[2];
    bool cold, digest;
    struct speed speed;
    uint64_t limit;
    /* what they found */
    struct histogram lateness;
    uint64_t ticks, bytes, elapsed_ns;
};

/* ---- the player's side ---- */

static enum player_order ask(void *context)
{
    struct bench_pair *pair = context;
    return bench_pair_is_over(pair) ? PLAYER_QUIT : PLAYER_GO_ON;
}

static int play_tape(struct bench_pair *pair, struct playing *p, struct tdk_tape *tape,
                     struct tdk_err *err)
{
    const struct tdk_query query = {.to = UINT64_MAX, .limit = p->limit};
    const struct player_options options = {.into = p->ring,
                                           .speed = p->speed,
                                           .rounds = 1,
                                           .digest = p->digest,
                                           .stall_ns = STALL_NS,
                                           .ask = ask,
                                           .context = pair};
    struct player *player;
    int rc = player_open(&player, tape, &query, &options, err);
    if (rc < 0)
        return rc;
    while (player_warm(player, WARM_BYTES))
        continue;
    rc = bench_pair_meet(pair) ? player_run(player, err) : -ECANCELED;
    p->lateness = player_report(player)->lateness;
    player_close(player);
    return rc;
}

static int produce(struct bench_pair *pair, void *context, struct tdk_err *err)
{
    struct playing *p = context;
    struct tdk_tape *tape = NULL;
    int rc = p->cold ? bench_tape_evict(p->path, err) : 0;
    if (rc == 0)
        rc = tdk_tape_open(&tape, p->path, err);
    if (rc < 0)
        return rc;
    rc = play_tape(pair, p, tape, err);
    tdk_tape_close(tape);
    return rc;
}

/* ---- the consumer's side ---- */

/* Compare what came with what END says was played. */
static int check_end(const struct playing *p, const struct tdk_frame *frame,
                     const struct tdk_digest *digest, struct tdk_err *err)
{
    struct tdk_end end;
    uint8_t value[16];
    char hex[33];
    memcpy(&end, frame + 1, sizeof end);
    if (end.ticks != p->ticks || !end.complete)
        return err_say(err, TDK_EHOLE, "%" PRIu64 " ticks arrived, %" PRIu64 " were played%s",
                       p->ticks, end.ticks, end.complete ? "" : ", and not all of the range");
    tdk_digest_value(digest, value, hex);
    if (p->digest && memcmp(value, end.digest, sizeof value) != 0)
        return err_say(err, TDK_ECORRUPT,
                       "the ticks that arrived are not those that were played: the digests differ");
    return 0;
}

struct announced {
    char track[TDK_NAME_MAX + 1];
    uint64_t epoch;
};

/* Remember the name of each track number, for the digest. */
static void hear_track(struct announced tracks[MERGED + 1], const struct tdk_frame *frame)
{
    struct tdk_track_head head;
    if (frame->size < sizeof head)
        return;
    memcpy(&head, frame + 1, sizeof head);
    if (head.number > MERGED || head.name_size > TDK_NAME_MAX ||
        head.name_size > frame->size - sizeof head)
        return;
    memcpy(tracks[head.number].track, (const unsigned char *)(frame + 1) + sizeof head,
           head.name_size);
    tracks[head.number].track[head.name_size] = '\0';
    tracks[head.number].epoch = head.epoch;
}

static int drain(struct bench_pair *pair, struct playing *p, struct tdk_ring *ring,
                 struct tdk_digest *digest, struct tdk_err *err)
{
    static struct announced tracks[MERGED + 1];
    uint64_t ticks = 0, bytes = 0; /* in registers, while it goes from frame to frame */
    for (;;) {
        const struct tdk_frame *frame = tdk_ring_next(ring);
        if (frame == NULL) {
            if (bench_pair_is_over(pair))
                return bench_pair_say_over(err);
            continue;
        }
        if (tdk_frame_is_tick(frame)) {
            ticks++;
            bytes += tdk_frame_span(frame->size);
            if (p->digest && frame->track <= MERGED)
                tdk_digest_add(digest, tracks[frame->track].track, tracks[frame->track].epoch,
                               frame);
        } else if (frame->type == TDK_TYPE_TRACK) {
            hear_track(tracks, frame);
        } else if (frame->type == TDK_TYPE_END) {
            p->elapsed_ns = clock_mono() - pair->gone_ns;
            p->ticks = ticks;
            p->bytes = bytes;
            return check_end(p, frame, digest, err);
        }
        tdk_ring_release(ring);
    }
}

static int consume(struct bench_pair *pair, void *context, struct tdk_err *err)
{
    struct playing *p = context;
    struct tdk_ring *ring;
    struct tdk_digest *digest;
    int rc = tdk_ring_attach(&ring, p->ring, TDK_RING_CONSUMER, err);
    if (rc < 0)
        return rc;
    attach_warm(ring);
    rc = tdk_digest_open(&digest);
    if (rc < 0)
        rc = err_set(err, rc, "work out a digest");
    else if (!bench_pair_meet(pair))
        rc = bench_pair_say_over(err);
    else
        rc = drain(pair, p, ring, digest, err);
    tdk_ring_detach(ring);
    tdk_digest_close(digest);
    return rc;
}

/* ---- measures ---- */

/* The first run does not count, so it also compares digests, which costs more than the play
 * itself. */
static int measure(void *context, struct bench_run *run, struct tdk_err *err)
{
    struct playing *p = context;
    struct tdk_ring_options options = {.capacity = args.ring_size};
    int rc = tdk_ring_create(p->ring, &options, err);
    if (rc < 0)
        return rc;
    rc = bench_pair_run(p->cpus, produce, consume, p, err);
    tdk_ring_remove(p->ring, true, NULL);
    p->digest = false;
    run->operations = p->ticks;
    run->bytes = p->bytes;
    run->elapsed_ns = p->elapsed_ns;
    if (p->speed.kind != SPEED_MAX)
        bench_run_latency(run, &p->lateness);
    return rc;
}

/* How late this machine is even without a play: a loop that only watches the clock. */
static int measure_bare(void *context, struct bench_run *run, struct tdk_err *err)
{
    static struct histogram lateness;
    const struct playing *p = context;
    histogram_init(&lateness);
    int rc = bench_pair_pin(p->cpus[0], err);
    uint64_t begin_ns = clock_mono(), now_ns = begin_ns;
    for (uint64_t i = 0; rc == 0 && i < p->limit; i++) {
        uint64_t due_ns = bench_due_ns(begin_ns, i, PACED_RATE);
        while ((now_ns = clock_mono()) < due_ns)
            continue;
        histogram_add(&lateness, now_ns - due_ns);
    }
    run->operations = p->limit;
    run->elapsed_ns = now_ns - begin_ns;
    bench_run_latency(run, &lateness);
    return rc;
}

static int measure_max(struct bench *bench, struct playing *p, const char *what, bool cold,
                       struct tdk_err *err)
{
    p->cold = cold;
    p->digest = true;
    p->speed.kind = SPEED_MAX;
    p->limit = 0;
    return bench_measure(bench, what, measure, p, err);
}

static int measure_paced(struct bench *bench, struct playing *p, struct tdk_err *err)
{
    p->cold = false;
    p->digest = true;
    p->speed = (struct speed){SPEED_PER_SECOND, PACED_RATE, 1};
    p->limit = PACED_RATE * PACED_S;
    int rc = bench_measure(bench, "paced, 100000/s", measure, p, err);
    return rc == 0 ? bench_measure(bench, "a bare loop, likewise", measure_bare, p, err) : rc;
}

/* The same day, packed. A tape that the user named is left as it is. */
static int measure_sealed(struct bench *bench, struct playing *p, const struct bench_tape *day,
                          struct tdk_err *err)
{
    int rc = bench_tape_seal(day, err);
    if (rc == 0)
        rc = measure_max(bench, p, "at full speed, sealed", false, err);
    return rc == 0 ? measure_max(bench, p, "at full speed, sealed, cold", true, err) : rc;
}

/* Several tracks merged by time: this needs a day of its own. */
static int measure_merged(struct bench *bench, struct playing *p, struct tdk_err *err)
{
    static struct bench_tape day;
    if (args.tape.tape != NULL)
        return 0;
    int rc = bench_tape_open(&day, &args.tape, MERGED, err);
    p->path = day.path;
    if (rc == 0)
        rc = measure_max(bench, p, "at full speed, 4 tracks merged", false, err);
    bench_tape_close(&day);
    return rc;
}

static int measure_all(struct bench *bench, struct playing *p, struct tdk_err *err)
{
    static struct bench_tape day;
    int rc = bench_tape_open(&day, &args.tape, 1, err);
    p->path = day.path;
    if (rc == 0)
        rc = measure_max(bench, p, "at full speed", false, err);
    if (rc == 0)
        rc = measure_max(bench, p, "at full speed, cold", true, err);
    if (rc == 0 && !args.unpaced)
        rc = measure_paced(bench, p, err);
    if (rc == 0 && day.ours)
        rc = measure_sealed(bench, p, &day, err);
    bench_tape_close(&day);
    return rc == 0 ? measure_merged(bench, p, err) : rc;
}

static int run(const struct cli *cli)
{
    char ring[32];
    struct tdk_err err;
    struct bench *bench;
    int cpus[2];
    (void)cli;
    if (bench_pair_cpus(args.cpus, cpus, &err) < 0)
        return cli_usage("--cpus: %s", err.text);
    if (bench_open(&bench, &args.bench, &err) < 0)
        return cli_fail(&err, NULL);
    struct playing *p =
        mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return bench_close(bench, err_set(&err, -errno, "share a page with the player"), &err);
    snprintf(ring, sizeof ring, "bench-%d", (int)getpid());
    p->ring = ring;
    memcpy(p->cpus, cpus, sizeof cpus);
    int rc = measure_all(bench, p, &err);
    munmap(p, sizeof *p);
    return bench_close(bench, rc, &err);
}

const struct command bench_play_command = {
    .name = "play",
    .brief = "play a tape into a ring, at full speed and on a schedule",
    .usage = "[-T DIR] [--ticks N] [--ring-size S] [--cpus P,C] [--unpaced] [--runs N] [--json]",
    .about = "One process plays, another consumes; what arrived is compared with what was\n"
             "played. For plays on a schedule, p50 to max are how late ticks were. A bare loop\n"
             "that only watches the clock shows how much of that is due to the machine.",
    .sets = (const struct option_set[]){{"tape", bench_tape_rows, &args.tape},
                                        {"workload", rows, &args},
                                        {"options", bench_rows, &args.bench},
                                        {.rows = NULL}},
    .run = run,
};
