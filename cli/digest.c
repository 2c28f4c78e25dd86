/* digest.c - the digest of a range, whole or by intervals of time. */
#include "tapedeck/digest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/moment.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/intervals.h"
#include "cli/losses.h"
#include "cli/range.h"

struct args {
    struct range_args range;
    struct ask_args where;
    uint64_t by_ns, limit;
};

static struct args args;

static const struct option rows[] = {
    {.name = "by",
     .kind = OPTION_DURATION,
     .min = 1,
     .at = offsetof(struct args, by_ns),
     .help = "print a line for each interval of this length: TIME HEX N"},
    {.name = "limit",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1,
     .at = offsetof(struct args, limit),
     .help = "at most this many ticks"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "ticks", .rows = range_rows, .into = &args.range},
    {.rows = ask_depot_rows, .into = &args.where},
    {.title = "options", .rows = rows, .into = &args},
    {.rows = NULL},
};

static void show(const struct tdk_digest *digest)
{
    uint8_t value[16];
    char hex[33];
    tdk_digest_value(digest, value, hex);
    printf("digest %s ticks %" PRIu64 "\n", hex, tdk_digest_ticks(digest));
}

static void show_intervals(const struct intervals *in)
{
    char time[MOMENT_TEXT];
    for (size_t i = 0; i < in->count; i++)
        printf("%s %s %" PRIu64 "\n", moment_text(time, in->items[i].number * in->by_ns),
               in->items[i].hex, in->items[i].ticks);
}

/* Where the ticks go: into one digest, or into one for each interval. */
struct target {
    struct tdk_digest *digest;
    struct intervals intervals;
    struct losses losses;
    bool told; /* losses and damage have been reported, in the first pass */
};

static int take_run(struct target *target, const struct tdk_run *run, struct tdk_err *err)
{
    if (!target->told)
        losses_look(&target->losses, run);
    if (args.by_ns > 0)
        return intervals_add(&target->intervals, run, err);
    tdk_digest_run(target->digest, run->track, run->epoch, run->frames, run->size);
    return 0;
}

static int read_all(struct range *range, struct target *target, struct tdk_err *err)
{
    struct reader *reader;
    struct tdk_run run = {.ticks = 0};
    int rc = reader_open(&reader, &range->depot, &range->query, err);
    if (rc < 0)
        return rc;
    while (rc >= 0) {
        rc = interrupted() ? err_say(err, -ECANCELED, "interrupted")
                           : reader_read(reader, &run, err);
        if (rc == 0)
            break;
        if (rc == 1) {
            rc = take_run(target, &run, err);
        } else if (rc == TDK_ECORRUPT) {
            if (!target->told)
                losses_damage(&target->losses, err);
            rc = 0;
        }
    }
    target->told = true;
    reader_close(reader);
    return rc;
}

static int work_out(struct range *range, struct target *target, struct tdk_err *err)
{
    int rc;
    if (args.by_ns == 0)
        return read_all(range, target, err);
    intervals_init(&target->intervals, args.by_ns);
    do {
        rc = read_all(range, target, err);
        if (rc == 0)
            rc = intervals_again(&target->intervals, err);
    } while (rc > 0);
    return rc;
}

static int conclude(const struct target *target)
{
    if (args.by_ns == 0)
        show(target->digest);
    else
        show_intervals(&target->intervals);
    return losses_status(&target->losses);
}

static int run(const struct cli *cli)
{
    (void)cli;
    struct tdk_err err;
    struct range range;
    struct target target = {.digest = NULL};
    args.range.where = &args.where;
    int status = range_open(&range, &args.range);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    range.query.limit = args.limit;
    range.query.control = true; /* to report losses */
    int rc = tdk_digest_open(&target.digest);
    if (rc < 0)
        rc = err_set(&err, rc, "digest");
    else
        rc = work_out(&range, &target, &err);
    status = rc == 0 ? conclude(&target) : range_fail(&err);
    intervals_close(&target.intervals);
    tdk_digest_close(target.digest);
    range_close(&range);
    return status;
}

const struct command digest_command = {
    .name = "digest",
    .brief = "compute the digest of a range, whole or by interval",
    .usage = "-T DIR|-a ADDRESS [--from T] [--to T] ... [--by 1s]",
    .about = "XXH3-128 over track, epoch, seq, ts, type, size and payload of each tick in\n"
             "order. It is the same for what was fed, recorded, queried and played.",
    .sets = sets,
    .run = run,
};
