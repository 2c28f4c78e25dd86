#include "tape/retired.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/format.h"

/* ---- bytes ---- */

/* In order, as searching requires. */
static bool is_ordered(const struct retired *r)
{
    for (size_t i = 0; i < r->range_count; i++)
        if (r->ranges[i].first == 0 || r->ranges[i].first > r->ranges[i].last ||
            r->ranges[i].last == UINT64_MAX ||
            (i > 0 && r->ranges[i].first <= r->ranges[i - 1].last))
            return false;
    for (size_t i = 0; i < r->extent_count; i++) {
        const struct retired_extent *e = &r->extents[i], *before = i > 0 ? e - 1 : NULL;
        if (e->first_seq > e->last_seq || e->last_seq == UINT64_MAX)
            return false;
        if (before != NULL &&
            (e->track < before->track || (e->track == before->track && e->epoch < before->epoch) ||
             (e->track == before->track && e->epoch == before->epoch &&
              e->first_seq <= before->last_seq)))
            return false;
    }
    return true;
}

static struct retired *retired_new(size_t ranges, size_t extents)
{
    struct retired *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->holders = 1;
    r->ranges = calloc(ranges + 1, sizeof *r->ranges);
    r->extents = calloc(extents + 1, sizeof *r->extents);
    if (r->ranges == NULL || r->extents == NULL) {
        retired_drop(r);
        return NULL;
    }
    r->range_count = ranges;
    r->extent_count = extents;
    return r;
}

int retired_decode(struct retired **retired, const void *bytes, size_t size,
                   const uint8_t tape_id[16], struct tdk_err *err)
{
    struct retired_head head;
    int rc = kept_check(bytes, size, sizeof head, RETIRED_MAGIC, tape_id, "retired", err);
    if (rc < 0)
        return rc;
    memcpy(&head, bytes, sizeof head);
    if ((uint64_t)size != sizeof head + (uint64_t)head.ranges * sizeof(struct retired_range) +
                              (uint64_t)head.extents * sizeof(struct retired_extent))
        return err_set(err, TDK_ECORRUPT, "retired");
    struct retired *r = retired_new(head.ranges, head.extents);
    if (r == NULL)
        return err_set(err, -ENOMEM, "retired");
    const unsigned char *at = (const unsigned char *)bytes + sizeof head;
    memcpy(r->ranges, at, head.ranges * sizeof *r->ranges);
    memcpy(r->extents, at + head.ranges * sizeof *r->ranges, head.extents * sizeof *r->extents);
    if (!is_ordered(r)) {
        retired_drop(r);
        return err_set(err, TDK_ECORRUPT, "retired");
    }
    *retired = r;
    return 0;
}

int retired_encode(const struct retired *retired, const uint8_t tape_id[16], void **bytes,
                   size_t *size, struct tdk_err *err)
{
    struct retired_head head = {.ranges = (uint32_t)retired->range_count,
                                .extents = (uint32_t)retired->extent_count};
    size_t ranges = retired->range_count * sizeof *retired->ranges;
    size_t extents = retired->extent_count * sizeof *retired->extents;
    size_t all = sizeof head + ranges + extents;
    if (all > RETIRED_MAX)
        return err_say(err, TDK_EFULL, "retired: more than %u bytes", RETIRED_MAX);
    unsigned char *out = malloc(all);
    if (out == NULL)
        return err_set(err, -ENOMEM, "retired");
    memcpy(out, &head, sizeof head);
    memcpy(out + sizeof head, retired->ranges, ranges);
    memcpy(out + sizeof head + ranges, retired->extents, extents);
    kept_sign(out, all, RETIRED_MAGIC, tape_id);
    *bytes = out;
    *size = all;
    return 0;
}

/* ---- the file ---- */

int retired_empty(struct retired **retired, struct tdk_err *err)
{
    struct retired *r = retired_new(0, 0);
    if (r == NULL)
        return err_set(err, -ENOMEM, "retired");
    *retired = r;
    return 0;
}

int retired_load(struct retired **retired, const struct folder *folder, struct tdk_err *err)
{
    void *bytes;
    size_t size;
    int rc = kept_read(folder, "retired", RETIRED_MAX, &bytes, &size, err);
    if (rc < 0)
        return rc;
    if (bytes == NULL)
        return retired_empty(retired, err);
    rc = retired_decode(retired, bytes, size, folder->tape_id, err);
    free(bytes);
    return rc < 0 ? err_wrap(err, rc, "read %s/retired", folder->path) : 0;
}

int retired_save(const struct retired *retired, const struct folder *folder, struct tdk_err *err)
{
    void *bytes = NULL;
    size_t size = 0;
    int rc = retired_encode(retired, folder->tape_id, &bytes, &size, err);
    if (rc < 0)
        return rc;
    rc = files_replace(folder->path, "retired", bytes, size, err);
    free(bytes);
    return rc;
}

void retired_reserve(const struct retired *retired, const struct folder *folder)
{
    enum { MORE = 64 << 10 };
    files_reserve(folder->path, "retired",
                  MORE + retired->range_count * sizeof *retired->ranges +
                      retired->extent_count * sizeof *retired->extents);
}

struct retired *retired_hold(struct retired *retired)
{
    __atomic_fetch_add(&retired->holders, 1, __ATOMIC_RELAXED);
    return retired;
}

void retired_drop(struct retired *retired)
{
    if (retired == NULL || __atomic_sub_fetch(&retired->holders, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    free(retired->ranges);
    free(retired->extents);
    free(retired);
}

/* ---- one more ---- */

static int add_range(struct retired *r, const struct retired_range *segment)
{
    struct retired_range *ranges = realloc(r->ranges, (r->range_count + 1) * sizeof *r->ranges);
    if (ranges == NULL)
        return -ENOMEM;
    r->ranges = ranges;
    size_t at = r->range_count;
    while (at > 0 && ranges[at - 1].first > segment->first)
        at--;
    memmove(ranges + at + 1, ranges + at, (r->range_count - at) * sizeof *ranges);
    ranges[at] = *segment;
    r->range_count++;
    return 0;
}

static void merge_ranges(struct retired *r)
{
    size_t last = 0;
    for (size_t i = 1; i < r->range_count; i++) {
        struct retired_range *to = &r->ranges[last];
        const struct retired_range *from = &r->ranges[i];
        if (from->first > to->last + 1) {
            r->ranges[++last] = *from;
            continue;
        }
        to->ticks += from->ticks;
        to->bytes += from->bytes;
        to->last = from->last;
        to->digest = from->digest;
        if (from->retired_ns > to->retired_ns)
            to->retired_ns = from->retired_ns;
    }
    r->range_count = r->range_count > 0 ? last + 1 : 0;
}

static int compare_extents(const void *a, const void *b)
{
    const struct retired_extent *x = a, *y = b;
    if (x->track != y->track)
        return x->track < y->track ? -1 : 1;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    if (x->first_seq != y->first_seq)
        return x->first_seq < y->first_seq ? -1 : 1;
    return 0;
}

static void merge_extents(struct retired *r)
{
    size_t last = 0;
    qsort(r->extents, r->extent_count, sizeof *r->extents, compare_extents);
    for (size_t i = 1; i < r->extent_count; i++) {
        struct retired_extent *to = &r->extents[last];
        const struct retired_extent *from = &r->extents[i];
        if (from->track != to->track || from->epoch != to->epoch ||
            from->first_seq > to->last_seq + 1) {
            r->extents[++last] = *from;
            continue;
        }
        if (from->last_seq > to->last_seq) { /* what was written twice counts once */
            uint64_t fresh = from->last_seq - max_u64(to->last_seq, from->first_seq - 1);
            uint64_t ticks = min_u64(fresh, from->ticks);
            to->ticks += ticks;
            to->lost += min_u64(fresh - ticks, from->lost);
            to->last_seq = from->last_seq;
        }
        if (from->min_ts < to->min_ts)
            to->min_ts = from->min_ts;
        if (from->max_ts > to->max_ts)
            to->max_ts = from->max_ts;
    }
    r->extent_count = last + 1;
}

static int add_extents(struct retired *r, const struct block_ref *refs, size_t count)
{
    struct retired_extent *extents =
        realloc(r->extents, (r->extent_count + count + 1) * sizeof *r->extents);
    if (extents == NULL)
        return -ENOMEM;
    r->extents = extents;
    for (size_t i = 0; i < count; i++)
        if (refs[i].first_seq <= refs[i].last_seq)
            extents[r->extent_count++] = (struct retired_extent){.epoch = refs[i].epoch,
                                                                 .first_seq = refs[i].first_seq,
                                                                 .last_seq = refs[i].last_seq,
                                                                 .min_ts = refs[i].min_ts,
                                                                 .max_ts = refs[i].max_ts,
                                                                 .ticks = refs[i].count,
                                                                 .lost = refs[i].lost,
                                                                 .track = refs[i].track};
    if (r->extent_count > 0)
        merge_extents(r);
    return 0;
}

int retired_add(struct retired *retired, const struct retired_range *segment,
                const struct block_ref *refs, size_t count, struct tdk_err *err)
{
    int rc = retired_find(retired, segment->first) == NULL ? add_extents(retired, refs, count) : 0;
    if (rc == 0 && retired_find(retired, segment->first) == NULL)
        rc = add_range(retired, segment);
    if (rc < 0)
        return err_set(err, rc, "retire segment %llu", (unsigned long long)segment->first);
    merge_ranges(retired);
    return 0;
}

bool retired_may_pass(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EACCES || rc == TDK_EVERSION;
}

/* ---- asked ---- */

const struct retired_range *retired_find(const struct retired *retired, uint64_t segment)
{
    size_t low = 0, high = retired->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct retired_range *range = &retired->ranges[middle];
        if (segment < range->first)
            high = middle;
        else if (segment > range->last)
            low = middle + 1;
        else
            return range;
    }
    return NULL;
}

bool retired_next_missing(const struct retired *retired, uint64_t *from, uint64_t last,
                          uint64_t *missing_first, uint64_t *missing_last)
{
    const struct retired_range *range;
    while (*from <= last && (range = retired_find(retired, *from)) != NULL)
        *from = range->last + 1;
    if (*from > last)
        return false;
    *missing_first = *from;
    *missing_last = last;
    for (size_t i = 0; i < retired->range_count; i++)
        if (retired->ranges[i].first > *from && retired->ranges[i].first <= last) {
            *missing_last = retired->ranges[i].first - 1;
            break;
        }
    *from = *missing_last + 1;
    return true;
}

static bool is_before(const struct retired_extent *extent, uint16_t track, uint64_t epoch)
{
    return extent->track < track || (extent->track == track && extent->epoch < epoch);
}

const struct retired_extent *retired_of(const struct retired *retired, uint16_t track,
                                        uint64_t epoch, const struct retired_extent **end)
{
    size_t low = 0, high = retired->extent_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_before(&retired->extents[middle], track, epoch))
            low = middle + 1;
        else
            high = middle;
    }
    size_t last = low;
    while (last < retired->extent_count && retired->extents[last].track == track)
        last++;
    *end = retired->extents + last;
    return retired->extents + low;
}

bool retired_trim(const struct retired *retired, uint16_t track, uint64_t epoch,
                  uint64_t *first_seq, uint64_t *last_seq)
{
    const struct retired_extent *end, *at = retired_of(retired, track, epoch, &end);
    for (; at < end && at->epoch == epoch && *first_seq <= *last_seq; at++) {
        if (at->first_seq <= *first_seq && at->last_seq >= *first_seq)
            *first_seq = at->last_seq + 1;
        else if (at->first_seq <= *last_seq && at->last_seq >= *last_seq)
            *last_seq = at->first_seq - 1;
    }
    return *first_seq <= *last_seq;
}
