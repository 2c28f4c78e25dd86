/* span.c - a tape's segments as its readers know them: where they lie in time, and what they
 * list. */
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "tape/tape.h"

#define BACK_NS (60 * NS_PER_S)

struct span_list {
    struct segment_span *items;
    size_t count, room, cut;
};

static int note_span(const struct segment_ref *segment, void *context)
{
    struct span_list *list = context;
    struct segment_span *items =
        array_grow(list->items, &list->room, list->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    list->items = items;
    list->items[list->count++] =
        (struct segment_span){.number = segment->number,
                              .min_ts = segment->min_ts,
                              .max_ts = segment->max_ts,
                              .generation = segment->generation,
                              .states = segment->states,
                              .is_cut = segment->sealed == SEGMENT_LOST_FOOTER};
    list->cut += segment->sealed == SEGMENT_LOST_FOOTER;
    return 0;
}

/* Behind the last one the mark of a clean end tells how far the row went, or a file. Looked up
 * behind the index: what has gone from that since is known to be deleted by then. */
static void find_missing(struct tdk_tape *tape)
{
    const struct folder *folder = &tape->folder;
    struct retired *retired = tape_retired_now(tape);
    uint64_t next = max_u64(folder->first_segment, 1), marked;
    int rc = 0;
    for (size_t i = 0; i < tape->span_count && rc == 0; i++) {
        rc = missing_look(&tape->missing, folder, retired, next, tape->spans[i].number);
        next = tape->spans[i].number + 1;
    }
    if (rc == 0 && !tape->view->live) { /* where it goes on, its writer looks after it */
        if (!folder_clean_segment(folder, &marked))
            marked = missing_last(folder);
        (void)missing_look(&tape->missing, folder, retired, next, marked + 1);
    }
    retired_drop(retired);
}

/* With the lock held. Segments that come later are the newest: a lease that reaches to the end has
 * them too. */
static void load_spans(struct tdk_tape *tape)
{
    struct span_list list = {0};
    if (tape->spans_known)
        return;
    bool is_known = index_segments(tape->view->index, note_span, &list, NULL) == 0;
    if (!is_known)
        list.count = list.cut = 0;
    free(tape->spans);
    tape->spans = list.items;
    tape->span_count = list.count;
    tape->cut_count = list.cut;
    tape->spans_known = true;
    missing_close(&tape->missing);
    if (is_known && tape->lone[0] == '\0')
        find_missing(tape);
}

static bool is_timed(const struct segment_span *span)
{
    return span->min_ts <= span->max_ts;
}

/* True: the segment lies outside these times. A segment without a trusted time may lie anywhere. */
static bool is_aside(const struct segment_span *span, uint64_t from, uint64_t last)
{
    return is_timed(span) && (span->max_ts < from || span->min_ts > last);
}

void tape_lease(struct tdk_tape *tape, struct lease *lease, enum tdk_axis axis, uint64_t from,
                uint64_t last)
{
    uint64_t first_number = 0, last_number = 0;
    if (tape->leases.fd < 0)
        return;
    pthread_mutex_lock(&tape->lock);
    load_spans(tape);
    for (size_t i = 0; i < tape->span_count; i++) {
        const struct segment_span *s = &tape->spans[i];
        if (axis != TDK_AXIS_EVENT && is_aside(s, from, last))
            continue;
        if (first_number == 0)
            first_number = s->number;
        last_number = s->number;
    }
    bool to_end = tape->span_count > 0 && last_number == tape->spans[tape->span_count - 1].number;
    pthread_mutex_unlock(&tape->lock);
    if (to_end)
        last_number = INT64_MAX;
    lease_take(&tape->leases, lease, first_number, last_number);
}

uint64_t tape_newest_segment(struct tdk_tape *tape)
{
    pthread_mutex_lock(&tape->lock);
    load_spans(tape);
    uint64_t newest = tape->span_count > 0 ? tape->spans[tape->span_count - 1].number : 0;
    pthread_mutex_unlock(&tape->lock);
    return newest;
}

/* With the lock held: the place of a segment, or of the first one after it. */
static size_t find_span(const struct tdk_tape *tape, uint64_t number)
{
    size_t low = 0, high = tape->span_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tape->spans[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The time from which on a segment's ticks are: the first time of what is left of it, or the last
 * time before it. */
static uint64_t begin_time(const struct tdk_tape *tape, size_t at)
{
    if (is_timed(&tape->spans[at]))
        return tape->spans[at].min_ts;
    while (at > 0 && !is_timed(&tape->spans[at]))
        at--;
    return is_timed(&tape->spans[at]) ? tape->spans[at].max_ts : 0;
}

/* Do times go back, from one segment to the next, among the few on both sides of a place? Not where
 * only one ring is somewhat behind another. */
static bool goes_back_about(const struct tdk_tape *tape, size_t place)
{
    enum { BESIDE = 2 };
    size_t at = place, before = 0, behind = 0;
    while (at > 0 && before < BESIDE)
        before += is_timed(&tape->spans[--at]);
    for (uint64_t end = 0; at < tape->span_count && behind < BESIDE; at++) {
        const struct segment_span *span = &tape->spans[at];
        if (!is_timed(span))
            continue;
        if (span->min_ts < end)
            return true;
        end = span->max_ts > BACK_NS ? span->max_ts - BACK_NS : 0;
        behind += at >= place;
    }
    return false;
}

/* May the lost end have ticks of the query's times? If times go on in the next segment, and not
 * with another import, what is missing came before them. Each track may have lost a different part,
 * so what is missing may reach back to the segment's beginning. */
static bool lost_end_meets(const struct tdk_tape *tape, size_t at, const struct tdk_query *query)
{
    const struct segment_span *next = &tape->spans[at] + 1;
    const bool is_last = at + 1 == tape->span_count;
    uint64_t begin = begin_time(tape, at);
    bool goes_on =
        !is_last && is_timed(next) && next->min_ts >= begin && !goes_back_about(tape, at + 1);
    return (begin < query->to || query->to == UINT64_MAX) &&
           (!goes_on || query->from <= next->min_ts);
}

/* The first segment behind `told` whose end is lost and may have been of these times; 0: none. */
static uint64_t next_cut(const struct tdk_tape *tape, const struct tdk_query *query, uint64_t told)
{
    const size_t end = tape->cut_count > 0 ? tape->span_count : 0;
    for (size_t at = find_span(tape, told + 1); at < end; at++)
        if (tape->spans[at].is_cut &&
            (query->axis == TDK_AXIS_EVENT || lost_end_meets(tape, at, query)))
            return tape->spans[at].number;
    return 0;
}

/* Segments are written one behind the other, so what was in one that is not there lay between what
 * is left on either side. Where times go back there, as between imports, it ended the one or began
 * the other or was one of its own: it may have been of any time. */
static bool missing_meets(const struct tdk_tape *tape, const struct missing_range *range,
                          const struct tdk_query *query)
{
    const size_t behind = find_span(tape, range->first);
    size_t before = behind, next = behind;
    if (goes_back_about(tape, behind))
        return true;
    while (before > 0 && !is_timed(&tape->spans[before - 1]))
        before--;
    while (next < tape->span_count && !is_timed(&tape->spans[next]))
        next++;
    uint64_t low = before > 0 ? tape->spans[before - 1].max_ts : 0;
    uint64_t high = next < tape->span_count ? tape->spans[next].min_ts : UINT64_MAX;
    return (min_u64(low, high) < query->to || query->to == UINT64_MAX) &&
           query->from <= max_u64(low, high);
}

/* Likewise of segments that are not there; NULL: none. */
static const struct missing_range *next_missing(const struct tdk_tape *tape,
                                                const struct tdk_query *query, uint64_t told)
{
    for (size_t i = 0; i < tape->missing.count; i++) {
        const struct missing_range *range = &tape->missing.items[i];
        if (range->first > told &&
            (query->axis == TDK_AXIS_EVENT || missing_meets(tape, range, query)))
            return range;
    }
    return NULL;
}

bool tape_next_lost(struct tdk_tape *tape, const struct tdk_query *query, uint64_t *told,
                    struct tdk_lost_segments *lost)
{
    bool is_empty = query->from >= query->to && query->to != UINT64_MAX;
    if (is_empty || *told == UINT64_MAX)
        return false;
    *lost = (struct tdk_lost_segments){0};
    pthread_mutex_lock(&tape->lock);
    load_spans(tape);
    const uint64_t cut = next_cut(tape, query, *told);
    const struct missing_range *missing = next_missing(tape, query, *told);
    if (missing != NULL && (cut == 0 || missing->first < cut))
        *lost = (struct tdk_lost_segments){missing->first, missing->last, false};
    else if (cut != 0)
        *lost = (struct tdk_lost_segments){cut, cut, true};
    pthread_mutex_unlock(&tape->lock);
    *told = lost->last != 0 ? lost->last : UINT64_MAX;
    return lost->last != 0;
}

int tape_say_lost(const struct tdk_lost_segments *lost, struct tdk_err *err)
{
    const unsigned long long first = lost->first, last = lost->last;
    if (lost->is_cut)
        return err_say(err, TDK_ECORRUPT,
                       "segment %llu is cut or damaged at its end: what followed its last whole "
                       "block is missing",
                       first);
    if (first == last)
        return err_say(err, TDK_ECORRUPT,
                       "segment %llu is missing, and what was in it: put it back from a copy",
                       first);
    return err_say(err, TDK_ECORRUPT,
                   "segments %llu to %llu are missing, and what was in them: put them back from a "
                   "copy",
                   first, last);
}

bool tape_has_states(struct tdk_tape *tape, uint64_t segment, uint32_t kinds, uint64_t *floor)
{
    pthread_mutex_lock(&tape->lock);
    load_spans(tape);
    size_t at = find_span(tape, segment);
    bool tells = at < tape->span_count && tape->spans[at].number == segment &&
                 (tape->spans[at].states & kinds) == kinds;
    while (at > 0 && tells && (tape->spans[at - 1].states & kinds) == kinds)
        at--;
    *floor = at > 0 && tells ? tape->spans[at - 1].number : 0;
    pthread_mutex_unlock(&tape->lock);
    return tells;
}

unsigned tape_generation(struct tdk_tape *tape, uint64_t segment)
{
    pthread_mutex_lock(&tape->lock);
    load_spans(tape);
    size_t at = find_span(tape, segment);
    unsigned generation = at < tape->span_count ? tape->spans[at].generation : 0;
    pthread_mutex_unlock(&tape->lock);
    return generation;
}
