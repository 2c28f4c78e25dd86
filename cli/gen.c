/* gen.c - publishes synthetic ticks into a ring. Their payloads depend on the seed alone. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/market.h"
#include "cli/progress.h"
#include "cli/publisher.h"
#include "cli/sizes.h"
#include "replayer/pace.h"

#define OPAQUE_INFO "gen\tapplication/octet-stream"

static struct gen_args {
    struct publisher_options publisher;
    uint64_t count, rate, symbols, seed;
    const char *size_dist;
    int progress;
} args;

static const struct option rows[] = {
    {.name = "count",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .required = true,
     .help = "number of ticks",
     .at = offsetof(struct gen_args, count)},
    {.name = "rate",
     .kind = OPTION_RATE,
     .preset = "max",
     .help = "ticks per second",
     .at = offsetof(struct gen_args, rate)},
    {.name = "symbols",
     .kind = OPTION_COUNT,
     .preset = "16",
     .min = 1,
     .max = MARKET_SYMBOLS_MAX,
     .help = "number of symbols: S000, S001, ...",
     .at = offsetof(struct gen_args, symbols)},
    {.name = "seed",
     .kind = OPTION_COUNT,
     .preset = "1",
     .help = "the same seed gives the same payloads",
     .at = offsetof(struct gen_args, seed)},
    {.name = "size-dist",
     .kind = OPTION_TEXT,
     .value = "DIST",
     .preset = "market",
     .help = "kind of ticks: market (DBN trades and mbp-1), trades, mbp-1, or opaque payloads of "
             "fixed:N, uniform:A-B or log:A-B bytes",
     .at = offsetof(struct gen_args, size_dist)},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct gen_args, progress)},
    {.name = NULL},
};

struct gen {
    struct publisher publisher;
    struct progress progress;
    struct pace pace;
    struct sizes sizes;
    struct market market;
    struct random random; /* for opaque payloads */
};

/* Announce what a reader needs to know before the first tick. */
static void announce(struct gen *gen)
{
    if (gen->sizes.kind != SIZES_MARKET) {
        publisher_info(&gen->publisher, "type.3", OPAQUE_INFO, strlen(OPAQUE_INFO));
        return;
    }
    for (uint32_t id = 1; id <= args.symbols; id++) {
        struct tdk_symbol symbol = {.instrument_id = id, .to = UINT64_MAX};
        char name[MARKET_NAME];
        market_name(name, id);
        publisher_control(&gen->publisher, TDK_TYPE_SYMBOL, &symbol, sizeof symbol, name,
                          strlen(name));
    }
}

/* Fill with numbers of the generator; the last one is cut. `room` is 8-aligned and padded to 8. */
static void fill_opaque(struct random *random, void *room, uint32_t size)
{
    unsigned char *p = room;
    uint32_t whole = size & ~7u;
    for (uint32_t i = 0; i < whole; i += 8)
        store_u64(p + i, random_next(random));
    if (whole < size) {
        uint64_t last = random_next(random);
        memcpy(p + whole, &last, size - whole);
    }
}

/* A dropped tick uses up its random numbers, too, so the next payload depends only on its seq. */
static void make_payload(struct gen *gen, struct tdk_frame *frame, uint32_t size)
{
    uint64_t scratch[sizeof(struct tdk_dbn_mbp_1) / 8];
    if (gen->sizes.kind == SIZES_MARKET)
        market_next(&gen->market, frame != NULL ? (void *)(frame + 1) : scratch);
    else if (frame != NULL)
        fill_opaque(&gen->random, frame + 1, size);
    else
        gen->random.state += (uint64_t)((size + 7) / 8) * RANDOM_STEP;
}

static void one_tick(struct gen *gen)
{
    bool market = gen->sizes.kind == SIZES_MARKET;
    uint32_t size = market ? market_next_size(&gen->market) : sizes_next(&gen->sizes, &gen->random);
    struct tdk_frame *frame = publisher_claim(&gen->publisher, size);
    if (frame == NULL && publisher_stopped(&gen->publisher))
        return;
    make_payload(gen, frame, size);
    if (frame != NULL) {
        frame->type = market ? TDK_TYPE_DBN : TDK_TYPE_OPAQUE;
        frame->ts = clock_wall();
    }
}

enum { BURST = 64 }; /* ticks for each publish, if no rate was asked for */

static void produce(struct gen *gen)
{
    for (uint64_t i = 0; i < args.count; i++) {
        if (args.rate != 0)
            publisher_wait_until(&gen->publisher, pace_due(&gen->pace, 0, i));
        if (publisher_stopped(&gen->publisher))
            break;
        one_tick(gen);
        if (args.rate != 0 || i % BURST == BURST - 1)
            publisher_flush(&gen->publisher);
        if (i % 4096 == 0)
            progress_at(&gen->progress, i, args.count, "ticks", i);
    }
    publisher_flush(&gen->publisher);
}

static int gen_open(struct gen *gen, bool quiet, struct tdk_err *err)
{
    int rc = publisher_open(&gen->publisher, &args.publisher, err);
    if (rc < 0)
        return rc;
    if (sizes_most(&gen->sizes) > gen->publisher.payload_max)
        return err_say(err, TDK_EFULL,
                       "payloads of %" PRIu32 " bytes do not fit the ring %s: it takes %" PRIu32
                       " at most",
                       sizes_most(&gen->sizes), args.publisher.ring, gen->publisher.payload_max);
    gen->random.state = args.seed;
    rc = market_open(&gen->market, gen->sizes.market, (uint32_t)args.symbols, args.seed);
    if (rc < 0)
        return err_set(err, rc, "generate %" PRIu64 " symbols", args.symbols);
    struct speed speed = {SPEED_PER_SECOND, args.rate, 1};
    if (args.rate != 0) {
        pace_init(&gen->pace, &speed, 0);
        pace_anchor(&gen->pace, 0, 0, clock_mono());
    }
    progress_begin(&gen->progress, "gen", args.progress, quiet);
    return 0;
}

static int gen_report(struct gen *gen)
{
    struct tdk_err err;
    const struct publisher *p = &gen->publisher;
    uint64_t elapsed = progress_elapsed(&gen->progress);
    char rate[QUANTITY_TEXT], time[QUANTITY_TEXT];
    progress_end(&gen->progress, p->ticks, args.count, "ticks", p->ticks);
    cli_note("%" PRIu64 " %s into %s in %s, %s/s", p->ticks,
             quantity_word(p->ticks, "tick", "ticks"), args.publisher.ring,
             quantity_duration_text(time, elapsed),
             quantity_count_text(rate, quantity_per_second(p->ticks, elapsed)));
    int status = publisher_verdict(p);
    if (interrupted())
        status = cli_fail_words("interrupted after %" PRIu64 " %s", p->ticks,
                                quantity_word(p->ticks, "tick, which stays in the ring",
                                              "ticks, which stay in the ring"));
    else if (publisher_check(p, &err) < 0)
        status = cli_fail(&err, "what was published before stays in the ring");
    if (p->digest != NULL)
        cli_digest_line(p->digest);
    return status;
}

static int gen_run(const struct cli *cli)
{
    struct gen gen = {.random = {.state = 0}};
    struct tdk_err err = {.code = 0};
    int status = CLI_OK;

    if (sizes_parse(args.size_dist, &gen.sizes, &err) < 0)
        return cli_usage("--size-dist: %s", err.text);
    interrupt_catch();
    if (gen_open(&gen, cli->globals->quiet, &err) < 0) {
        status = cli_refuse(&err, NULL);
    } else {
        announce(&gen);
        produce(&gen);
        status = gen_report(&gen);
    }
    market_close(&gen.market);
    publisher_close(&gen.publisher);
    return status;
}

const struct command gen_command = {
    .name = "gen",
    .brief = "publish synthetic ticks, the same for one seed",
    .usage = "--ring NAME --count N [options]",
    .about = "Publishes synthetic ticks into a ring, as a live feed does. Payloads depend on\n"
             "the seed alone; each tick is stamped with the time at which it is published. A\n"
             "full ring is waited for; with --no-wait it is a counted loss (exit 3).",
    .sets = (const struct option_set[]){{"options", publisher_rows, &args.publisher},
                                        {NULL, rows, &args},
                                        {.rows = NULL}},
    .run = gen_run,
};
