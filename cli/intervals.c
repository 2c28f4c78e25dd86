#include "cli/intervals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"

#define INTERVALS_MAX (4u << 20) /* their results take some hundred MiB */

void intervals_init(struct intervals *in, uint64_t by_ns)
{
    *in = (struct intervals){.by_ns = by_ns};
}

void intervals_close(struct intervals *in)
{
    for (size_t i = 0; i < in->count; i++)
        tdk_digest_close(in->items[i].digest);
    free(in->items);
    in->items = NULL;
    in->count = in->room = 0;
}

/* Where the interval is, or would be. */
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

static void shut(struct intervals *in, struct interval *interval)
{
    uint8_t value[16];
    tdk_digest_value(interval->digest, value, interval->hex);
    interval->ticks = tdk_digest_ticks(interval->digest);
    tdk_digest_close(interval->digest);
    interval->digest = NULL;
    in->open--;
}

/* Close the earliest open interval: it is the least likely to get another tick. */
static void shut_earliest(struct intervals *in)
{
    size_t i = 0;
    while (in->items[i].digest == NULL)
        i++;
    shut(in, &in->items[i]);
}

static int open_digest(struct intervals *in, struct interval *interval, struct tdk_err *err)
{
    if (tdk_digest_open(&interval->digest) < 0)
        return err_set(err, -ENOMEM, "digest by interval");
    in->open++;
    return 0;
}

static int insert(struct intervals *in, size_t place, uint64_t number, struct tdk_err *err)
{
    if (in->count == INTERVALS_MAX)
        return err_say(err, TDK_EFULL,
                       "the range has ticks in more than %u intervals; choose a longer --by",
                       INTERVALS_MAX);
    struct interval *items = array_grow(in->items, &in->room, in->count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, -ENOMEM, "digest by interval");
    in->items = items;
    if (in->open == INTERVALS_OPEN_MAX)
        shut_earliest(in);
    struct interval *interval = in->items + place;
    memmove(interval + 1, interval, (in->count - place) * sizeof *interval);
    *interval = (struct interval){.number = number};
    in->count++;
    return open_digest(in, interval, err);
}

static int add_tick(struct intervals *in, const struct tdk_run *run, const struct tdk_frame *frame,
                    struct tdk_err *err)
{
    uint64_t number = frame->ts / in->by_ns;
    size_t place = place_of(in, number);
    in->last = place;
    if (place == in->count || in->items[place].number != number) {
        int rc = in->again ? 0 : insert(in, place, number, err);
        if (rc < 0 || in->again)
            return rc;
    }
    struct interval *interval = &in->items[place];
    if (interval->digest != NULL)
        tdk_digest_add(interval->digest, run->track, run->epoch, frame);
    else if (!in->again)
        interval->broken = true;
    return 0;
}

int intervals_add(struct intervals *in, const struct tdk_run *run, struct tdk_err *err)
{
    const struct tdk_frame *end = (const struct tdk_frame *)((const char *)run->frames + run->size);
    for (const struct tdk_frame *at = run->frames; at < end; at = tdk_frame_after(at)) {
        int rc = tdk_frame_is_tick(at) ? add_tick(in, run, at, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int intervals_again(struct intervals *in, struct tdk_err *err)
{
    for (size_t i = 0; i < in->count; i++)
        if (in->items[i].digest != NULL)
            shut(in, &in->items[i]);
    in->again = true;
    for (size_t i = 0; i < in->count && in->open < INTERVALS_OPEN_MAX; i++) {
        if (!in->items[i].broken)
            continue;
        int rc = open_digest(in, &in->items[i], err);
        if (rc < 0)
            return rc;
        in->items[i].broken = false;
    }
    return in->open > 0;
}
