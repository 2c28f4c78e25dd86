#include "tape/verify_report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"
#include "tape/format.h"
#include "tape/hole.h"

/* ---- seqs ---- */

struct extent *extents_find(const struct extents *extents, uint16_t track, uint64_t epoch)
{
    for (size_t i = extents->count; i-- > 0;)
        if (extents->items[i].track == track && extents->items[i].epoch == epoch)
            return &extents->items[i];
    return NULL;
}

int extents_add(struct extents *extents, const struct extent *extent)
{
    struct extent *items =
        array_grow(extents->items, &extents->room, extents->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    extents->items = items;
    extents->items[extents->count++] = *extent;
    return 0;
}

void extents_close(struct extents *extents)
{
    free(extents->items);
    *extents = (struct extents){.items = NULL};
}

static struct extent *begin_extent(struct report *report, const struct block_ref *ref)
{
    const struct extent begun = {.epoch = ref->epoch,
                                 .track = ref->track,
                                 .first_seq = ref->first_seq,
                                 .begins = (ref->flags & BLOCK_BEGINS_EPOCH) != 0};
    int rc = extents_add(&report->extents, &begun);
    if (rc < 0) {
        report->failed = rc;
        return NULL;
    }
    return &report->extents.items[report->extents.count - 1];
}

void report_block(struct report *report, const struct block_ref *ref)
{
    struct extent *extent = extents_find(&report->extents, ref->track, ref->epoch);
    if (extent == NULL || extent->last_seq + 1 != ref->first_seq)
        extent = begin_extent(report, ref);
    if (extent == NULL)
        return;
    extent->last_seq = ref->last_seq;
    if (!block_is_bare(ref))
        extent->last_counted = ref->last_seq;
    extent->step_back = max_u64(extent->step_back, ref->step_back);
    extent->blocks++;
    extent->ticks += ref->count;
    extent->bytes += ref->frames_size;
    extent->lost += ref->lost;
}

/* ---- the report ---- */

void report_say(struct report *report, uint64_t offset, int code, const char *text)
{
    struct report_finding *findings = array_grow(report->findings, &report->finding_room,
                                                 report->finding_count + 1, sizeof *findings);
    if (findings != NULL)
        report->findings = findings;
    char *what = findings != NULL ? strdup(text) : NULL;
    if (what == NULL) {
        report->failed = -ENOMEM;
        return;
    }
    findings[report->finding_count++] =
        (struct report_finding){.offset = offset, .code = code, .what = what};
}

void report_add(struct report *report, uint64_t offset, int code, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    int at = 0;
    if (report->number != 0)
        at = snprintf(text, sizeof text, "segment %llu: ", (unsigned long long)report->number);
    vsnprintf(text + at, sizeof text - (size_t)at, format, args);
    va_end(args);
    report_say(report, offset, code, text);
}

void report_close(struct report *report)
{
    for (size_t i = 0; i < report->finding_count; i++)
        free(report->findings[i].what);
    free(report->findings);
    extents_close(&report->extents);
    report->findings = NULL;
    report->finding_count = report->finding_room = 0;
}
