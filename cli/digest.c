/* digest.c - the digest of a range, whole or by intervals of time. */
#include "tapedeck/digest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/moment.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/losses.h"
#include "cli/range.h"

#define INTERVALS_MAX                                                                              \
    131072u /* a day by second and half of the next; each takes some hundred bytes */

struct args {
    struct range_args range;
    uint64_t by_ns, limit;
};

static struct args args;

static const struct option rows[] = {
    {.name = "by",
     .kind = OPTION_DURATION,
     .min = 1,
     .at = offsetof(struct args, by_ns),
     .help = "a line for each interval of this length: TIME HEX N"},
    {.name = "limit",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1,
     .at = offsetof(struct args, limit),
     .help = "no more ticks than this"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "which ticks", .rows = range_rows, .into = &args.range},
    {.title = "how", .rows = rows, .into = &args},
    {.rows = NULL},
};

/* Ticks are not sorted by time, so an interval is over only with the range: all are open until
 * then. They come nearly in order, so a place is found close to the last one used. */
struct interval {
    uint64_t number; /* ts / by */
    struct tdk_digest *digest;
};

struct intervals {
    struct interval *items; /* ascending */
    size_t count, room, last;
};

static size_t place_of(const struct intervals *in, uint64_t number)
{
    if (in->last < in->count && in->items[in->last].number == number)
        return in->last;
    size_t low = 0, high = in->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (in->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* NULL, and err says why. */
static struct interval *add_interval(struct intervals *in, size_t place, uint64_t number,
                                     struct tdk_err *err)
{
    if (in->count == INTERVALS_MAX) {
        err_say(err, TDK_EFULL,
                "the range has ticks in more than %u intervals; take a longer one for --by",
                INTERVALS_MAX);
        return NULL;
    }
    if (in->count == in->room) {
        size_t room = in->room * 2 + 64;
        struct interval *items = reallocarray(in->items, room, sizeof *items);
        if (items == NULL) {
            err_set(err, -ENOMEM, "digest by interval");
            return NULL;
        }
        in->items = items;
        in->room = room;
    }
    struct tdk_digest *digest;
    if (tdk_digest_open(&digest) < 0) {
        err_set(err, -ENOMEM, "digest by interval");
        return NULL;
    }
    struct interval *interval = in->items + place;
    memmove(interval + 1, interval, (in->count - place) * sizeof *interval);
    *interval = (struct interval){.number = number, .digest = digest};
    in->count++;
    return interval;
}

static struct interval *interval_at(struct intervals *in, uint64_t ts, struct tdk_err *err)
{
    uint64_t number = ts / args.by_ns;
    size_t place = place_of(in, number);
    in->last = place;
    if (place < in->count && in->items[place].number == number)
        return &in->items[place];
    return add_interval(in, place, number, err);
}

static int add_run(struct intervals *in, const struct tdk_run *run, struct tdk_err *err)
{
    const struct tdk_frame *end = (const struct tdk_frame *)((const char *)run->frames + run->size);
    for (const struct tdk_frame *at = run->frames; at < end; at = tdk_frame_after(at)) {
        if (!tdk_frame_is_tick(at))
            continue;
        struct interval *interval = interval_at(in, at->ts, err);
        if (interval == NULL)
            return err->code;
        tdk_digest_add(interval->digest, run->track, run->epoch, at);
    }
    return 0;
}

static void close_intervals(struct intervals *in)
{
    for (size_t i = 0; i < in->count; i++)
        tdk_digest_close(in->items[i].digest);
    free(in->items);
}

static void show(const struct tdk_digest *digest, const struct intervals *in)
{
    uint8_t value[16];
    char hex[33], time[MOMENT_TEXT];
    if (args.by_ns == 0) {
        tdk_digest_value(digest, value, hex);
        printf("digest %s ticks %" PRIu64 "\n", hex, tdk_digest_ticks(digest));
    }
    for (size_t i = 0; i < in->count; i++) {
        tdk_digest_value(in->items[i].digest, value, hex);
        printf("%s %s %" PRIu64 "\n", moment_text(time, in->items[i].number * args.by_ns), hex,
               tdk_digest_ticks(in->items[i].digest));
    }
}

static int read_all(struct range *range, struct tdk_digest *digest, struct intervals *in,
                    struct losses *losses, struct tdk_err *err)
{
    struct tdk_cursor *cursor;
    struct tdk_run run = {.ticks = 0};
    int rc = tdk_cursor_open(&cursor, range->tape, &range->query, err);
    if (rc < 0)
        return rc;
    while (rc >= 0) {
        rc = interrupted() ? err_say(err, -ECANCELED, "interrupted")
                           : tdk_cursor_read(cursor, &run, err);
        if (rc == 0)
            break;
        if (rc == TDK_ECORRUPT) {
            losses_damage(losses, err);
            rc = 0;
        } else if (rc == 1) {
            losses_look(losses, &run);
            if (args.by_ns > 0)
                rc = add_run(in, &run, err);
            else
                tdk_digest_run(digest, run.track, run.epoch, run.frames, run.size);
        }
    }
    tdk_cursor_close(cursor);
    return rc;
}

static int run(const struct cli *cli)
{
    (void)cli;
    struct tdk_err err;
    struct range range;
    struct losses losses = {.told = 0};
    struct intervals in = {.items = NULL};
    struct tdk_digest *digest = NULL;
    int status = range_open(&range, &args.range);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    range.query.limit = args.limit;
    range.query.control = true; /* to tell of losses */
    int rc = tdk_digest_open(&digest);
    if (rc < 0)
        rc = err_set(&err, rc, "digest");
    else
        rc = read_all(&range, digest, &in, &losses, &err);
    if (rc == 0) {
        show(digest, &in);
        status = losses_status(&losses);
    } else {
        status = range_fail(&err);
    }
    close_intervals(&in);
    tdk_digest_close(digest);
    range_close(&range);
    return status;
}

const struct command digest_command = {
    .name = "digest",
    .brief = "the digest of a range, whole or by interval",
    .usage = "-T DIR [--from T] [--to T] ... [--by 1s]",
    .about = "XXH3-128 over track, epoch, seq, ts, type, size and payload of each tick in order:\n"
             "equal for what was fed, recorded, queried and played.",
    .sets = sets,
    .run = run,
};
