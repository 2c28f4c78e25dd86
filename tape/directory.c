#include "tape/directory.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tape/block.h"
#include "tape/frame.h"

static_assert(DIRECTORY_SLOTS == 1u << 15, "directory_slot() takes the 15 high bits of 32");

/* ---- building ---- */

void block_scratch_init(struct block_scratch *scratch)
{
    memset(scratch, 0, sizeof *scratch);
    scatter_init(&scratch->scatter);
}

void directory_begin(struct block_scratch *scratch)
{
    scratch->entries = 0;
    scratch->ticks = 0;
    if (++scratch->stamp == 0) { /* once in 65536 blocks: otherwise the old stamps would look new */
        memset(scratch->slots, 0, sizeof scratch->slots);
        scratch->stamp = 1;
    }
}

struct directory_slot *directory_slot_from(struct block_scratch *scratch,
                                           struct directory_slot *slot, uint32_t instrument_id)
{
    while (slot->instrument_id != instrument_id && slot->stamp == scratch->stamp)
        if (++slot == scratch->slots + DIRECTORY_SLOTS)
            slot = scratch->slots;
    return slot;
}

int directory_entry_of(struct block_scratch *scratch, uint32_t instrument_id)
{
    struct directory_slot *slot = directory_slot(scratch, instrument_id);
    if (slot->stamp == scratch->stamp)
        return slot->entry;
    if (scratch->entries == BLOCK_ENTRIES_MAX)
        return -1;
    uint16_t entry = (uint16_t)scratch->entries++;
    *slot = (struct directory_slot){instrument_id, entry, scratch->stamp};
    scratch->instruments[entry] = instrument_id;
    scratch->counts[entry] = 0;
    return entry;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = load_u64(a), y = load_u64(b);
    return x < y ? -1 : x > y;
}

/* Write the entries by instrument, each with the place of its first ordinal. The counts are
 * replaced by these places. */
static void write_entries(struct block_scratch *scratch, struct directory_entry *entries)
{
    for (uint32_t i = 0; i < scratch->entries; i++)
        scratch->sorted[i] = (uint64_t)scratch->instruments[i] << 32 | i;
    qsort(scratch->sorted, scratch->entries, sizeof scratch->sorted[0], compare_u64);
    uint32_t place = 0;
    for (uint32_t i = 0; i < scratch->entries; i++) {
        uint32_t entry = (uint32_t)scratch->sorted[i];
        entries[i] = (struct directory_entry){(uint32_t)(scratch->sorted[i] >> 32), place};
        uint32_t count = scratch->counts[entry];
        scratch->counts[entry] = place;
        place += count;
    }
}

static unsigned char *write_anchors(const struct block_scratch *scratch, unsigned char *at,
                                    uint32_t anchors)
{
    memcpy(at, scratch->anchors, anchors * sizeof(uint32_t));
    return at + anchors * sizeof(uint32_t);
}

static unsigned char *write_ordinals(struct block_scratch *scratch, unsigned char *at)
{
    for (uint32_t i = 0; i < scratch->ticks; i++)
        store_u16(at + 2 * (size_t)scratch->counts[scratch->entry_of[i]]++, (uint16_t)i);
    return at + 2 * (size_t)scratch->ticks;
}

size_t directory_build(struct block_scratch *scratch, uint32_t uniform, unsigned char *bytes,
                       struct block_head *head)
{
    if (scratch->ticks == 0)
        return 0;
    struct directory_head d = {
        .entries = scratch->entries,
        .anchors = uniform != 0 ? 0 : (scratch->ticks + DIRECTORY_STRIDE - 1) / DIRECTORY_STRIDE,
        .ordinals = scratch->entries == 1 ? 0 : scratch->ticks,
        .uniform = uniform,
    };
    memcpy(bytes, &d, sizeof d);
    write_entries(scratch, (struct directory_entry *)(void *)(bytes + sizeof d));
    unsigned char *at = bytes + sizeof d + d.entries * sizeof(struct directory_entry);
    head->entries_crc = crc32c(0, bytes, (size_t)(at - bytes));
    at = write_anchors(scratch, at, d.anchors);
    if (d.ordinals > 0)
        at = write_ordinals(scratch, at);
    size_t used = (size_t)(at - bytes), size = align_up(used, 8);
    memset(at, 0, size - used);
    for (uint32_t i = 0; i < scratch->entries; i++)
        filter_add(head->filter, scratch->instruments[i]);
    return size;
}

/* ---- reading ---- */

/* The parts of a directory whose sizes have been checked. */
struct parts {
    struct directory_head head;
    const struct directory_entry *entries;
    const uint32_t *anchors;
    const uint16_t *ordinals;
};

static struct parts parts_of(const struct block_view *view)
{
    struct parts p;
    memcpy(&p.head, view->directory, sizeof p.head);
    const unsigned char *at = view->directory + sizeof p.head;
    p.entries = (const struct directory_entry *)(const void *)at;
    at += p.head.entries * sizeof *p.entries;
    p.anchors = (const uint32_t *)(const void *)at;
    at += p.head.anchors * sizeof *p.anchors;
    p.ordinals = (const uint16_t *)(const void *)at;
    return p;
}

static bool head_agrees(const struct directory_head *d, const struct block_head *head)
{
    uint32_t anchors =
        d->uniform != 0 ? 0 : (head->count + DIRECTORY_STRIDE - 1) / DIRECTORY_STRIDE;
    return d->entries >= 1 && d->entries <= BLOCK_ENTRIES_MAX && d->entries <= head->count &&
           d->anchors == anchors && d->ordinals == (d->entries == 1 ? 0 : head->count) &&
           (d->uniform == 0 || (d->uniform >= sizeof(struct tdk_frame) && d->uniform % 8 == 0 &&
                                (uint64_t)d->uniform * head->count == head->frames_size));
}

int directory_check_bounds(const struct block_view *view)
{
    const struct block_head *head = view->head;
    if (head->count == 0)
        return head->directory_size == 0 ? 0 : TDK_ECORRUPT;
    struct directory_head d;
    if (head->directory_size < sizeof d)
        return TDK_ECORRUPT;
    memcpy(&d, view->directory, sizeof d);
    if (!head_agrees(&d, head))
        return TDK_ECORRUPT;
    size_t used = sizeof d + d.entries * sizeof(struct directory_entry) +
                  d.anchors * sizeof(uint32_t) + d.ordinals * sizeof(uint16_t);
    if (align_up(used, 8) != head->directory_size)
        return TDK_ECORRUPT;
    for (size_t i = used; i < head->directory_size; i++)
        if (view->directory[i] != 0)
            return TDK_ECORRUPT;
    size_t counted = sizeof d + d.entries * sizeof(struct directory_entry);
    return head->codec != BLOCK_RAW || crc32c(0, view->directory, counted) == head->entries_crc
               ? 0
               : TDK_ECORRUPT;
}

/* The entry of an instrument. When there is none: the number of entries. */
static uint32_t find_entry(const struct parts *p, uint32_t instrument_id)
{
    uint32_t low = 0, high = p->head.entries;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->entries[middle].instrument_id < instrument_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->head.entries && p->entries[low].instrument_id == instrument_id
               ? low
               : p->head.entries;
}

uint32_t directory_instruments(const struct block_view *view)
{
    return view->head->count == 0 ? 0 : parts_of(view).head.entries;
}

uint32_t directory_instrument(const struct block_view *view, uint32_t place)
{
    return parts_of(view).entries[place].instrument_id;
}

int64_t directory_find(const struct block_view *view, uint32_t instrument_id,
                       struct directory_walk *walk)
{
    if (view->head->count == 0)
        return 0;
    struct parts p = parts_of(view);
    uint32_t entry = find_entry(&p, instrument_id);
    if (entry == p.head.entries)
        return 0;
    uint32_t first = p.entries[entry].first;
    uint32_t end = entry + 1 < p.head.entries ? p.entries[entry + 1].first : view->head->count;
    if (first >= end || end > view->head->count)
        return TDK_ECORRUPT;
    *walk = (struct directory_walk){
        .frames = view->frames,
        .frames_size = view->head->frames_size,
        .ordinals = p.head.ordinals == 0 ? NULL : p.ordinals + first,
        .anchors = p.head.anchors == 0 ? NULL : p.anchors,
        .count = end - first,
        .uniform = p.head.uniform,
        .ticks = view->head->count,
    };
    return walk->count;
}

/* Walk frame by frame to the tick `ordinal`, from the tick reached before or from the nearest
 * anchor. */
static int64_t step_to(struct directory_walk *walk, uint32_t ordinal)
{
    assert(walk->anchors != NULL);
    uint32_t at_ordinal = ordinal - ordinal % DIRECTORY_STRIDE;
    size_t offset = walk->anchors[ordinal / DIRECTORY_STRIDE];
    if (walk->at > 0 && walk->last >= at_ordinal) {
        at_ordinal = walk->last;
        offset = walk->last_offset;
    }
    for (;;) {
        if (offset > walk->frames_size - sizeof(struct tdk_frame))
            return TDK_ECORRUPT;
        const struct tdk_frame *frame =
            (const struct tdk_frame *)(const void *)(walk->frames + offset);
        if (tdk_frame_is_tick(frame) && at_ordinal++ == ordinal)
            return (int64_t)offset;
        offset += tdk_frame_span(frame->size);
    }
}

int64_t directory_next(struct directory_walk *walk)
{
    if (walk->at == walk->count)
        return -1;
    uint32_t ordinal = walk->ordinals == NULL ? walk->at : walk->ordinals[walk->at];
    if (ordinal >= walk->ticks || (walk->at > 0 && ordinal <= walk->last))
        return TDK_ECORRUPT;
    int64_t offset = walk->uniform != 0 ? (int64_t)ordinal * walk->uniform : step_to(walk, ordinal);
    if (offset < 0)
        return offset;
    walk->at++;
    walk->last = ordinal;
    walk->last_offset = (size_t)offset;
    return offset;
}

static int check_entry(const struct block_view *view, uint32_t instrument_id, uint64_t *ticks)
{
    struct directory_walk walk;
    int64_t count = directory_find(view, instrument_id, &walk);
    if (count <= 0)
        return TDK_ECORRUPT;
    for (int64_t i = 0; i < count; i++) {
        int64_t offset = directory_next(&walk);
        if (offset < 0)
            return TDK_ECORRUPT;
        const void *frame = view->frames + offset;
        if (frame_instrument(frame) != instrument_id)
            return TDK_ECORRUPT;
    }
    *ticks += (uint64_t)count;
    return 0;
}

/* Ids ascend, each listed tick is of the entry's instrument, and all lists together are as long as
 * the block: so each tick is listed once. */
int directory_check(const struct block_view *view)
{
    uint64_t ticks = 0;
    if (view->head->count == 0)
        return 0;
    struct parts p = parts_of(view);
    for (uint32_t i = 0; i < p.head.entries; i++) {
        uint32_t id = p.entries[i].instrument_id;
        if (i > 0 && id <= p.entries[i - 1].instrument_id)
            return TDK_ECORRUPT;
        if (!filter_may_hold(view->head->filter, id) || check_entry(view, id, &ticks) < 0)
            return TDK_ECORRUPT;
    }
    return ticks == view->head->count ? 0 : TDK_ECORRUPT;
}
