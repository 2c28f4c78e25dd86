/* feed.c - a file's ticks into a ring, as a live producer would publish them. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/commands.h"
#include "cli/intake.h"
#include "cli/interrupt.h"
#include "cli/publisher.h"
#include "replayer/pace.h"

#define AHEAD_MAX_NS (86400 * NS_PER_S) /* a time further ahead of the clock is not scheduled */

static const char *const stamps[] = {"file", "now", NULL};
enum { STAMP_FILE, STAMP_NOW };

static struct feed_args {
    struct publisher_options publisher;
    struct speed speed;
    int stamp;
} args;
static struct intake_options intake_args;

static const struct option rows[] = {
    {.name = "speed",
     .kind = OPTION_SPEED,
     .preset = "max",
     .help = "max, 1x (as recorded), 0.5x, 10x, or ticks per second as in 1000/s",
     .at = offsetof(struct feed_args, speed)},
    {.name = "stamp",
     .kind = OPTION_CHOICE,
     .choices = stamps,
     .preset = "file",
     .help = "time of each tick: from the file, or when it is published",
     .at = offsetof(struct feed_args, stamp)},
    {.name = NULL},
};

struct feed {
    struct publisher publisher;
    struct intake intake;
    struct pace pace;
    uint64_t paced; /* ticks that were scheduled */
    bool anchored;  /* this file's first tick has been seen */
    bool is_filled; /* the epoch has an item */
    bool is_headed; /* and is a DBN file's with a head, which applies to the whole epoch */
};

static int put_info(const char *key, const void *value, size_t size, void *context,
                    struct tdk_err *err)
{
    struct feed *feed = context;
    (void)err;
    publisher_info(&feed->publisher, key, value, size);
    return 0;
}

/* Announce what is true of all files, once in each epoch. */
static int begin_epoch(struct feed *feed, struct tdk_err *err)
{
    feed->is_filled = feed->is_headed = false;
    if (args.stamp == STAMP_FILE)
        tdk_ring_set_clock(feed->publisher.ring, TDK_CLOCK_FILE);
    int rc = intake_each_info(&intake_args, put_info, feed, err);
    publisher_flush(&feed->publisher);
    return rc;
}

static int new_epoch(struct feed *feed, struct tdk_err *err)
{
    int rc = publisher_new_epoch(&feed->publisher, err);
    return rc == 0 ? begin_epoch(feed, err) : rc;
}

/* Is it a DBN file's head? That comes first, unless the file is a fragment. */
static bool is_dbn_head(const struct source_item *item)
{
    static const char key[] = "dbn.metadata";
    struct tdk_info info;
    if (item->type != TDK_TYPE_INFO || item->size < sizeof info + strlen(key))
        return false;
    memcpy(&info, item->payload, sizeof info);
    return info.key_size == strlen(key) &&
           memcmp((const char *)item->payload + sizeof info, key, strlen(key)) == 0;
}

/* A head gets an epoch of its own, as on a tape that the file is imported to. With two heads in one
 * epoch, the last one would apply to the ticks of both. */
static int look_for_head(struct feed *feed, const struct source_item *item, struct tdk_err *err)
{
    bool begins = is_dbn_head(item) && !feed->is_headed;
    int rc = begins && feed->is_filled ? new_epoch(feed, err) : 0;
    feed->is_filled = true;
    feed->is_headed = feed->is_headed || begins;
    return rc;
}

/* Wait until the tick is due. Each file has its own anchor: the next file begins when this one is
 * over. */
static void keep_pace(struct feed *feed, uint64_t ts)
{
    if (args.speed.kind == SPEED_SCALED && ts > clock_wall() + AHEAD_MAX_NS)
        return; /* an undefined time, or one too far in the future */
    if (!feed->anchored)
        pace_anchor(&feed->pace, ts, feed->paced, clock_mono());
    feed->anchored = true;
    publisher_wait_until(&feed->publisher, pace_due(&feed->pace, ts, feed->paced++));
}

static int publish_item(const struct source_item *item, void *context, struct tdk_err *err)
{
    struct feed *feed = context;
    struct publisher *p = &feed->publisher;
    int rc = look_for_head(feed, item, err);
    if (rc < 0)
        return rc;
    if (tdk_type_is_control(item->type)) {
        publisher_control(p, item->type, item->payload, item->size, NULL, 0);
        return publisher_check(p, err);
    }
    if (args.speed.kind != SPEED_MAX)
        keep_pace(feed, item->ts);
    struct tdk_frame *frame = publisher_stopped(p) ? NULL : publisher_claim(p, item->size);
    if (frame == NULL)
        return publisher_check(p, err);
    frame->type = item->type;
    frame->flags = item->flags;
    frame->ts = args.stamp == STAMP_NOW ? clock_wall() : item->ts;
    memcpy(frame + 1, item->payload, item->size);
    /* Publish at once, because the next line of a pipe may be a long time coming. */
    publisher_flush(p);
    return 0;
}

/* Feed one more file, in the current epoch unless a head applies to that. */
static int feed_file(struct feed *feed, const char *path, struct tdk_err *err)
{
    int rc = feed->is_headed ? new_epoch(feed, err) : 0;
    if (rc == 0 && !feed->is_filled)
        rc = intake_new_epoch(&feed->intake, err);
    if (rc < 0)
        return rc;
    feed->anchored = false;
    rc = intake_file(&feed->intake, path, publish_item, feed, err);
    publisher_flush(&feed->publisher);
    return rc;
}

static int feed_files(struct feed *feed, const struct option_list *files, struct tdk_err *err)
{
    int rc = begin_epoch(feed, err);
    intake_expect(&feed->intake, files);
    for (size_t i = 0; rc == 0 && i < files->count && !interrupted(); i++)
        rc = feed_file(feed, files->items[i], err);
    return rc;
}

static int feed_report(struct feed *feed, int rc, const struct tdk_err *err)
{
    const struct publisher *p = &feed->publisher;
    uint64_t elapsed = progress_elapsed(&feed->intake.progress);
    uint64_t bytes = feed->intake.done_before;
    char rate[QUANTITY_TEXT], time[QUANTITY_TEXT], size[QUANTITY_TEXT];
    progress_end(&feed->intake.progress, bytes, bytes, "bytes", p->ticks);
    if (rc == 0 || p->ticks > 0)
        cli_note("%" PRIu64 " %s (%s bytes read) into %s in %s, %s/s", p->ticks,
                 quantity_word(p->ticks, "tick", "ticks"), quantity_size_text(size, bytes),
                 args.publisher.ring, quantity_duration_text(time, elapsed),
                 quantity_count_text(rate, quantity_per_second(p->ticks, elapsed)));
    int status = intake_verdict(&feed->intake);
    if (publisher_verdict(p) != CLI_OK)
        status = CLI_LOSSY;
    if (interrupted())
        status = cli_fail_words("interrupted after %" PRIu64 " %s", p->ticks,
                                quantity_word(p->ticks, "tick, which stays in the ring",
                                              "ticks, which stay in the ring"));
    else if (rc < 0)
        status = cli_fail(err, p->ticks > 0 ? "what was published before stays in the ring" : NULL);
    if (p->digest != NULL)
        cli_digest_line(p->digest);
    return status;
}

static int feed_run(const struct cli *cli)
{
    struct feed feed = {.paced = 0};
    struct tdk_err err = {.code = 0};
    int status = intake_check(&intake_args);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    int rc = intake_probe(&intake_args, cli->operands, &err);
    if (rc == 0)
        rc = publisher_open(&feed.publisher, &args.publisher, &err);
    if (rc == 0)
        rc = intake_open(&feed.intake, &intake_args, feed.publisher.payload_max, "feed",
                         cli->globals->quiet, &err);
    if (rc < 0) {
        status = cli_refuse(&err, NULL);
    } else {
        pace_init(&feed.pace, &args.speed, 0);
        rc = feed_files(&feed, cli->operands, &err);
        status = feed_report(&feed, rc, &err);
    }
    intake_close(&feed.intake);
    publisher_close(&feed.publisher);
    return status;
}

const struct command feed_command = {
    .name = "feed",
    .brief = "publish a file's ticks into a ring, as a live producer would",
    .usage = "FILE... --ring NAME [options]",
    .about = "Publishes the ticks of FILEs ('-' is stdin) into a ring. gzip and zstd are\n"
             "decompressed. All files form one epoch, except DBN files with a header: each of\n"
             "those has its own. At --speed max a full ring is waited for; with --no-wait it\n"
             "is a counted loss (exit 3). Malformed lines are named, skipped and counted (exit\n"
             "3).",
    .sets = (const struct option_set[]){{"options", publisher_rows, &args.publisher},
                                        {NULL, rows, &args},
                                        {"files", intake_rows, &intake_args},
                                        {.rows = NULL}},
    .operand = "FILE",
    .operands_min = 1,
    .operands_max = UINT_MAX,
    .run = feed_run,
};
