#include "tape/verify_chain.h"

#include <errno.h>

#include "base/bytes.h"

/* ---- segments ---- */

static uint64_t next_number(const struct chain *c)
{
    return c->last_number != 0 ? c->last_number + 1 : c->folder->first_segment;
}

/* `where`: " before it", or nothing. */
static void tell_missing(const struct chain *c, struct report *report, uint64_t first,
                         uint64_t last, const char *where)
{
    uint64_t from, to;
    for (uint64_t at = first; retired_next_missing(c->retired, &at, last, &from, &to);)
        if (from == to)
            report_add(report, UINT64_MAX, -ENOENT, "segment %llu%s is missing",
                       (unsigned long long)from, where);
        else
            report_add(report, UINT64_MAX, -ENOENT, "segments %llu to %llu%s are missing",
                       (unsigned long long)from, (unsigned long long)to, where);
}

/* Pass over what is not there, which may have been deleted on purpose. */
static void pass_over(struct chain *c, struct report *report, uint64_t first, uint64_t last)
{
    tell_missing(c, report, first, last, " before it");
    const struct retired_range *gone = retired_find(c->retired, last);
    c->last_digest = gone != NULL && gone->last == last ? gone->digest : 0;
}

static void add_segment(struct chain *c, struct report *report)
{
    if (c->folder != NULL && report->number > next_number(c))
        pass_over(c, report, next_number(c), report->number - 1);
    if (c->last_digest != 0 && report->has_foot && report->previous_digest != 0 &&
        report->previous_digest != c->last_digest)
        report_add(report, UINT64_MAX, TDK_ECORRUPT,
                   "it does not follow the one before it: one of the two was replaced");
    c->last_number = report->number;
    c->last_digest = report->has_foot ? report->digest : 0;
}

void chain_end(const struct chain *c, uint64_t marked, struct report *report)
{
    if (marked > c->last_number)
        tell_missing(c, report, next_number(c), marked, "");
}

/* ---- seqs ---- */

static void tell_hole(const struct chain *c, struct report *report, const struct extent *extent,
                      uint64_t first)
{
    uint64_t last = extent->first_seq - 1;
    if (c->retired != NULL &&
        !retired_trim(c->retired, extent->track, extent->epoch, &first, &last))
        return;
    report_add(report, UINT64_MAX, TDK_EHOLE,
               "track %u epoch %llu: seqs %llu to %llu are missing before it", extent->track,
               (unsigned long long)extent->epoch, (unsigned long long)first,
               (unsigned long long)last);
}

/* The first that is met of an epoch. Where segments were given up, it may begin anywhere. */
static int begin_epoch(struct chain *c, struct report *report, const struct extent *extent)
{
    if (extent->first_seq != 1 && !extent->begins && c->folder != NULL &&
        c->folder->first_segment <= 1)
        tell_hole(c, report, extent, 1);
    return extents_add(&c->epochs, extent);
}

/* Chain a stretch of seqs to what is known of its epoch. */
static int add_extent(struct chain *c, struct report *report, const struct extent *extent)
{
    struct extent *epoch = extents_find(&c->epochs, extent->track, extent->epoch);
    if (epoch == NULL)
        return begin_epoch(c, report, extent);
    if (extent->first_seq > epoch->last_seq + 1)
        tell_hole(c, report, extent, epoch->last_seq + 1);
    bool repeats = extent->first_seq <= epoch->last_seq && extent->last_seq >= extent->first_seq;
    epoch->last_seq = max_u64(epoch->last_seq, extent->last_seq);
    epoch->last_counted = max_u64(epoch->last_counted, extent->last_counted);
    epoch->step_back = max_u64(epoch->step_back, extent->step_back);
    if (!repeats) {
        epoch->blocks += extent->blocks;
        epoch->ticks += extent->ticks;
        epoch->lost += extent->lost;
    } else {
        epoch->repeats = true;
    }
    return 0;
}

/* ---- both ---- */

int chain_add(struct chain *c, struct report *report)
{
    int rc = report->failed;
    add_segment(c, report);
    for (size_t i = 0; i < report->extents.count && rc == 0; i++)
        rc = add_extent(c, report, &report->extents.items[i]);
    return rc;
}

void chain_close(struct chain *c)
{
    retired_drop(c->retired);
    extents_close(&c->epochs);
    *c = (struct chain){.folder = NULL};
}
