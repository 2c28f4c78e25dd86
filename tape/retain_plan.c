#include "tape/retain_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "tape/annex.h"
#include "tape/catalog.h"
#include "tape/files.h"
#include "tape/holds.h"
#include "tape/lease.h"
#include "tape/rebuild.h"
#include "tape/retired.h"
#include "tape/stub.h"

enum { FOOTERS_MAX = 256 }; /* most that one plan with a memory reads for the ages of tracks */

struct planning {
    struct retain_plan *plan;
    const struct folder *folder;
    struct index *index;
    const struct retain_policy *policy;
    struct retain_memory *memory; /* NULL: none */
    struct retired *retired;
    struct holds holds;
    size_t room;
    struct tdk_err *err;
};

static uint64_t later(uint64_t ts, uint64_t ns)
{
    return ns > UINT64_MAX - ts ? RETAIN_NEVER : ts + ns;
}

/* ---- the segments ---- */

static int add_segment(const struct segment_ref *segment, void *context)
{
    struct planning *p = context;
    struct retain_plan *plan = p->plan;
    if (retired_find(p->retired, segment->number) != NULL)
        return 0; /* gone already, and the index is about to hear of it */
    struct retain_item *items = array_grow(plan->items, &p->room, plan->count + 1, sizeof *items);
    if (items == NULL)
        return err_set(p->err, -ENOMEM, "plan retention");
    plan->items = items;
    plan->items[plan->count++] = (struct retain_item){.number = segment->number,
                                                      .size = segment->size,
                                                      .ticks = segment->ticks,
                                                      .min_ts = segment->min_ts,
                                                      .max_ts = segment->max_ts,
                                                      .due_ns = RETAIN_NEVER,
                                                      .pin = segment->sealed ? PIN_NONE : PIN_OPEN};
    return 0;
}

/* A segment whose file is gone has no room to give back, and cannot be deleted. */
static bool is_there(const struct folder *folder, uint64_t number)
{
    static const enum segment_stage stages[] = {SEGMENT_SEALED, SEGMENT_PACKED};
    struct file_stat stat;
    for (size_t i = 0; i < array_size(stages); i++) {
        char path[TAPE_PATH_MAX];
        folder_segment_path(folder, number, stages[i], path);
        if (files->stat(path, &stat) != -ENOENT)
            return true;
    }
    return false;
}

static void leave_out_absent(struct planning *p)
{
    struct retain_plan *plan = p->plan;
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].pin == PIN_OPEN || is_there(p->folder, plan->items[i].number))
            plan->items[kept++] = plan->items[i];
    plan->count = kept;
}

/* ---- what keeps them ---- */

static void pin_newest(struct retain_plan *plan)
{
    for (size_t i = plan->count; i > 0; i--)
        if (plan->items[i - 1].pin == PIN_NONE) {
            plan->items[i - 1].pin = PIN_NEWEST;
            return;
        }
}

static void pin_held(const struct planning *p)
{
    for (size_t i = 0; i < p->plan->count; i++)
        if (p->plan->items[i].pin == PIN_NONE && holds_has(&p->holds, p->plan->items[i].number))
            p->plan->items[i].pin = PIN_HOLD;
}

/* A mark keeps [ts - back, ts]. */
static int pin_marked(const struct mark_ref *mark, void *context)
{
    const struct planning *p = context;
    uint64_t from = mark->back < mark->ts ? mark->ts - mark->back : 0;
    for (size_t i = 0; mark->back != 0 && i < p->plan->count; i++) {
        struct retain_item *item = &p->plan->items[i];
        if (item->pin != PIN_NONE || item->max_ts < from || item->min_ts > mark->ts ||
            holds_is_released(&p->holds, item->number))
            continue;
        item->pin = PIN_MARK;
        memcpy(item->pin_name, mark->name, sizeof item->pin_name);
    }
    return 0;
}

static void pin_leased(const struct planning *p)
{
    struct leases leases;
    leases_init(&leases);
    leases_open(&leases, p->folder);
    for (size_t i = 0; i < p->plan->count; i++)
        if (p->plan->items[i].pin == PIN_NONE && leases_is_taken(&leases, p->plan->items[i].number))
            p->plan->items[i].pin = PIN_LEASE;
    leases_close(&leases);
}

/* ---- where they are ---- */

static void look_where(const struct annexes *annexes, const bool *there,
                       const struct folder *folder, struct retain_item *item)
{
    static const enum segment_stage stages[] = {SEGMENT_PACKED, SEGMENT_SEALED};
    struct segment_head head = {.version = TAPE_VERSION};
    for (size_t i = 0; i < array_size(stages) && !item->elsewhere; i++) {
        char path[TAPE_PATH_MAX];
        folder_segment_path(folder, item->number, stages[i], path);
        item->elsewhere = stub_read_head(path, &head, NULL) == 0 && head_is_stub(&head);
    }
    const struct annex *annex = item->elsewhere ? annexes_find(annexes, head.annex) : NULL;
    if (item->elsewhere && item->pin == PIN_NONE &&
        (annex == NULL || !there[annex - annexes->items]))
        item->pin = PIN_AWAY;
}

/* Find the segments that were moved. Those on another disk free nothing here, and a disk that is
 * not mounted keeps its segments. */
static int find_moved(const struct planning *p)
{
    struct annexes annexes;
    bool there[ANNEXES_MAX] = {false};
    int rc = annexes_load(&annexes, p->folder, p->err);
    if (rc == -ENOMEM)
        return rc;
    if (rc == 0 && annexes.count == 0)
        return 0; /* after an error it is not known where they are, and they stay */
    for (size_t i = 0; i < annexes.count; i++)
        there[i] = annex_check(&annexes.items[i], p->folder->tape_id, NULL) == 0;
    for (size_t i = 0; i < p->plan->count; i++)
        if (p->plan->items[i].pin != PIN_OPEN)
            look_where(&annexes, there, p->folder, &p->plan->items[i]);
    annexes_close(&annexes);
    return 0;
}

/* ---- when their age lets them go ---- */

static uint64_t shortest_age(const struct retain_policy *policy)
{
    uint64_t shortest = policy->max_age_ns != 0 ? policy->max_age_ns : UINT64_MAX;
    for (size_t i = 0; i < policy->track_count; i++)
        if (policy->tracks[i].max_age_ns != 0 && policy->tracks[i].max_age_ns < shortest)
            shortest = policy->tracks[i].max_age_ns;
    return shortest;
}

/* When a track permits its block to go. A block without a trusted time goes with the rest of its
 * segment, or with the segment before. */
static uint64_t due_by_track(const struct retain_item *item, const struct block_ref *ref,
                             uint64_t age)
{
    if (age == 0)
        return RETAIN_NEVER;
    if (ref->count > ref->odd)
        return later(ref->max_ts, age);
    return item->min_ts <= item->max_ts ? later(item->max_ts, age) : item->due_ns;
}

/* The latest time at which a track with ticks in the segment permits it to go. */
static uint64_t due_by_tracks(const struct retain_policy *policy, const struct retain_item *item,
                              const struct found *found, const struct catalog *catalog)
{
    uint64_t due = 0;
    for (size_t i = 0; i < found->count; i++) {
        const struct block_ref *ref = &found->refs[i];
        const char *name = catalog_name(catalog, ref->track);
        uint64_t at = due_by_track(item, ref, name != NULL ? retain_age_of(policy, name) : 0);
        if (ref->count > 0 && at > due)
            due = at;
    }
    return due;
}

/* 1: item->due_ns is set by its tracks. 0: the segment cannot be read, and is not judged by its
 * tracks. */
static int look_into(const struct planning *p, struct retain_item *item)
{
    struct segment *segment;
    struct catalog *catalog;
    struct found found;
    uint64_t due_ns = RETAIN_NEVER;
    int rc = catalog_open(&catalog, p->err);
    if (rc < 0)
        return rc;
    if (segment_open_home(&segment, p->folder, item->number, SEGMENT_SEALED, NULL) == 0) {
        if (found_open(&found, segment, true, catalog, NULL, NULL) == 0) {
            rc = found.has_foot;
            if (found.has_foot)
                due_ns = due_by_tracks(p->policy, item, &found, catalog);
            found_close(&found);
        }
        segment_close(segment);
    }
    item->due_ns = due_ns;
    catalog_close(catalog);
    return rc;
}

void retain_memory_close(struct retain_memory *memory)
{
    free(memory->items);
    *memory = (struct retain_memory){.count = 0};
}

/* What is known of a plan's segments, by number, and what the plan finds out. */
struct looking {
    struct retain_memory before, after;
    size_t at; /* in `before` */
    unsigned looked;
};

static const struct retain_known *recall(struct looking *l, uint64_t number)
{
    while (l->at < l->before.count && l->before.items[l->at].number < number)
        l->at++;
    return l->at < l->before.count && l->before.items[l->at].number == number
               ? &l->before.items[l->at]
               : NULL;
}

static int judge(const struct planning *p, struct looking *l, struct retain_item *item)
{
    const struct retain_known *known = recall(l, item->number);
    int rc = 1;
    if (known != NULL) {
        item->due_ns = known->due_ns;
    } else if (p->memory == NULL || l->looked < FOOTERS_MAX) {
        rc = look_into(p, item);
        l->looked += rc > 0;
    } else {
        item->due_ns = p->plan->now_ns + 1; /* it is looked into the next time */
        rc = 0;
    }
    if (rc > 0 && l->after.items != NULL)
        l->after.items[l->after.count++] = (struct retain_known){item->number, item->due_ns};
    return rc < 0 ? rc : 0;
}

static int find_due(const struct planning *p, struct looking *l)
{
    const struct retain_policy *policy = p->policy;
    uint64_t shortest = shortest_age(policy), now_ns = p->plan->now_ns;
    int rc = 0;
    for (size_t i = 0; shortest != UINT64_MAX && i < p->plan->count && rc == 0; i++) {
        struct retain_item *item = &p->plan->items[i];
        bool timed = item->min_ts <= item->max_ts;
        item->due_ns = timed   ? later(item->max_ts, shortest)
                       : i > 0 ? p->plan->items[i - 1].due_ns /* goes with the one before it */
                               : RETAIN_NEVER;
        if (policy->track_count == 0 || item->due_ns > now_ns)
            continue;
        if (item->pin == PIN_NONE)
            rc = judge(p, l, item);
        else
            item->due_ns = now_ns + 1; /* it is looked into when nothing keeps it */
    }
    return rc;
}

static int find_due_by_memory(const struct planning *p)
{
    struct looking l = {.looked = 0};
    if (p->memory != NULL) {
        l.before = *p->memory;
        l.after.unfreed = l.before.unfreed;
        l.after.now_ns = l.before.now_ns;
        l.after.items = calloc(p->plan->count + 1, sizeof *l.after.items);
        if (l.after.items == NULL)
            return err_set(p->err, -ENOMEM, "plan retention");
    }
    int rc = find_due(p, &l);
    if (p->memory != NULL) {
        retain_memory_close(&l.before);
        *p->memory = l.after;
    }
    return rc;
}

/* ---- all of it ---- */

static int gather(struct planning *p)
{
    struct statvfs disk;
    int rc = retired_load(&p->retired, p->folder, p->err);
    if (rc == 0)
        rc = holds_load(&p->holds, p->folder, p->err);
    if (rc == 0)
        rc = index_segments(p->index, add_segment, p, p->err);
    if (rc < 0)
        return rc;
    if (statvfs(p->folder->segments, &disk) < 0)
        return err_set(p->err, -errno, "ask for the free space of %s", p->folder->segments);
    p->plan->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    leave_out_absent(p);
    pin_newest(p->plan);
    pin_held(p);
    rc = index_marks(p->index, pin_marked, p, p->err);
    if (rc == 0)
        pin_leased(p);
    if (rc == 0)
        rc = find_moved(p);
    return rc == 0 ? find_due_by_memory(p) : rc;
}

int retain_plan_make(struct retain_plan *plan, const struct folder *folder, struct index *index,
                     const struct retain_policy *policy, struct retain_memory *memory,
                     struct tdk_err *err)
{
    bool is_told = memory != NULL && memory->now_ns != 0;
    *plan = (struct retain_plan){.now_ns = is_told ? memory->now_ns : clock_wall()};
    struct planning p = {.plan = plan,
                         .folder = folder,
                         .index = index,
                         .policy = policy,
                         .memory = memory,
                         .err = err};
    int rc = gather(&p);
    uint64_t unfreed = memory != NULL ? memory->unfreed : 0;
    if (rc == 0)
        retain_decide(policy, plan->now_ns, plan->free_bytes + unfreed, plan->items, plan->count,
                      &plan->verdict);
    else
        retain_plan_close(plan);
    retired_drop(p.retired);
    holds_close(&p.holds);
    return rc;
}

void retain_plan_close(struct retain_plan *plan)
{
    free(plan->items);
    plan->items = NULL;
    plan->count = 0;
}

uint64_t *retain_plan_going(const struct retain_plan *plan, size_t *count)
{
    uint64_t *numbers = calloc(plan->verdict.going + 1, sizeof *numbers);
    *count = 0;
    for (size_t i = 0; numbers != NULL && i < plan->count; i++)
        if (plan->items[i].why != RETAIN_STAYS)
            numbers[(*count)++] = plan->items[i].number;
    return numbers;
}
