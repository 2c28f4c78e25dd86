#include "replayer/coverage_shelf.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text_buffer.h"

void coverage_shelf_init(struct coverage_shelf *s)
{
    *s = (struct coverage_shelf){.record_size = COVERAGE_RECORD_SIZE};
    pthread_mutex_init(&s->lock, NULL);
}

static void clear(struct coverage_kept *kept)
{
    coverage_record_close(kept->record);
    free(kept->range);
    *kept = (struct coverage_kept){.number = 0};
}

void coverage_shelf_close(struct coverage_shelf *s)
{
    for (size_t i = 0; i < COVERAGE_SHELF_PLACES; i++)
        clear(&s->places[i]);
    pthread_mutex_destroy(&s->lock);
}

/* The key of a record: from, to, axis and the names of tracks, which is all that coverage depends
 * on. */
static void put_range(struct text_buffer *out, const struct tdk_query *query)
{
    const uint64_t times[3] = {query->from, query->to, (uint64_t)query->axis};
    text_init(out);
    text_add(out, times, sizeof times);
    for (size_t i = 0; i < query->track_count; i++)
        text_add(out, query->tracks[i], strlen(query->tracks[i]) + 1);
}

static bool is_of(const struct coverage_kept *kept, const struct tdk_query *query)
{
    struct text_buffer range;
    put_range(&range, query);
    bool same = text_error(&range) == 0 && range.size == kept->range_size &&
                memcmp(range.bytes, kept->range, range.size) == 0;
    text_close(&range);
    return same;
}

struct coverage_record *coverage_shelf_take(struct coverage_shelf *s, uint64_t number,
                                            const struct tdk_query *query)
{
    struct coverage_record *record = NULL;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < COVERAGE_SHELF_PLACES; i++) {
        struct coverage_kept *kept = &s->places[i];
        if (kept->number != number || kept->number == 0 || !is_of(kept, query))
            continue;
        record = kept->record;
        kept->record = NULL;
        clear(kept);
    }
    pthread_mutex_unlock(&s->lock);
    return record;
}

uint64_t coverage_shelf_number(struct coverage_shelf *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t number = ++s->numbers;
    pthread_mutex_unlock(&s->lock);
    return number;
}

static struct coverage_kept *oldest(struct coverage_shelf *s)
{
    struct coverage_kept *found = &s->places[0]; /* a free place counts as the oldest */
    for (size_t i = 1; i < COVERAGE_SHELF_PLACES; i++)
        if (s->places[i].number < found->number)
            found = &s->places[i];
    return found;
}

void coverage_shelf_put(struct coverage_shelf *s, uint64_t number, struct coverage_record *record,
                        const struct tdk_query *query)
{
    struct text_buffer range;
    put_range(&range, query);
    if (text_error(&range) < 0) {
        text_close(&range);
        coverage_record_close(record);
        return;
    }
    pthread_mutex_lock(&s->lock);
    struct coverage_kept *place = oldest(s);
    clear(place);
    *place = (struct coverage_kept){.number = number,
                                    .since_ns = clock_mono(),
                                    .record = record,
                                    .range = range.bytes,
                                    .range_size = range.size};
    pthread_mutex_unlock(&s->lock);
}

void coverage_shelf_tend(struct coverage_shelf *s, uint64_t now_ns)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < COVERAGE_SHELF_PLACES; i++)
        if (s->places[i].number != 0 && s->places[i].since_ns + COVERAGE_KEPT_NS < now_ns)
            clear(&s->places[i]);
    pthread_mutex_unlock(&s->lock);
}
