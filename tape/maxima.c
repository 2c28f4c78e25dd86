#include "tape/maxima.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/err.h"
#include "tape/frame.h"

bool stream_is_ordered(const struct stream *stream)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < stream->search.epoch_count; i++) {
        const struct epoch_ref *epoch = &stream->search.epochs[i];
        if (epoch->step_back != 0 || epoch->odd != 0)
            return false;
        if (epoch->ticks == 0)
            continue;
        if (epoch->min_ts < highest)
            return false;
        highest = epoch->max_ts;
    }
    return !stream->answer->select.control; /* they come at once: their block is looked into */
}

/* ---- beforehand ---- */

/* The highest ts that the stream returns from its next block; 0: it returns nothing. */
static int highest_of_block(struct stream *stream, uint64_t *highest, struct tdk_err *err)
{
    const struct block_ref *ref = &stream->ref;
    *highest = 0;
    if (stream_takes_all(stream)) {
        if (ref->count > ref->odd)
            *highest = ref->max_ts;
        if (ref->odd > 0 && ref->odd_max > *highest)
            *highest = ref->odd_max;
        return 0;
    }
    int rc = stream_load(stream, err);
    const struct tdk_frame *frame;
    while (rc == 1 && (frame = stream_peek(stream)) != NULL) {
        *highest = max_u64(*highest, frame_merge_ts(frame));
        stream_step(stream);
    }
    return rc == TDK_ECORRUPT ? 0 : rc < 0 ? rc : 0; /* damage is reported on the way back */
}

static int add_maximum(struct stream *stream, size_t *room, const struct maximum *maximum,
                       struct tdk_err *err)
{
    struct maximum *maxima =
        array_grow(stream->maxima, room, stream->maximum_count + 1, sizeof *maxima);
    if (maxima == NULL)
        return err_set(err, -ENOMEM, "reverse track %s", stream->track->ref.name);
    stream->maxima = maxima;
    stream->maxima[stream->maximum_count++] = *maximum;
    return 0;
}

/* The same ticks, written once more, have the same maximum before them. */
static bool is_repeat(const struct maximum *m, const struct maximum *of)
{
    return m->epoch == of->epoch && m->first_seq == of->first_seq && m->last_seq == of->last_seq &&
           m->last_seq >= m->first_seq;
}

/* It was packed since we began, and begins with ticks that were met: what is in front of them was
 * noted of other blocks. */
static bool was_packed_since(const struct maximum *m, const struct maximum *met)
{
    return m->epoch == met->epoch && m->generation != met->generation &&
           m->first_seq <= m->last_seq && m->first_seq <= met->last_seq;
}

int stream_find_maxima(struct stream *stream, struct tdk_err *err)
{
    struct answer *answer = stream->answer;
    const struct tdk_cursor_stats stats = answer->stats;
    size_t room = 0;
    uint64_t highest = 0;
    answer->reverse = false;
    stream_rewind(stream);
    int rc;
    while ((rc = stream_next_block(stream, err)) == 1 || rc == TDK_ECORRUPT) {
        if (rc == TDK_ECORRUPT)
            continue; /* a hole: reported on the way back */
        struct maximum maximum = {.epoch = stream->ref.epoch,
                                  .first_seq = stream->ref.first_seq,
                                  .last_seq = stream->ref.last_seq,
                                  .segment = stream->ref.segment,
                                  .offset = stream->ref.offset,
                                  .generation = block_ref_generation(&stream->ref),
                                  .before = highest};
        uint64_t here = 0;
        rc = answer_go_on(answer, err);
        if (rc == 0)
            rc = highest_of_block(stream, &here, err);
        if (rc < 0)
            break;
        if (here > highest)
            highest = here;
        maximum.with = highest;
        const size_t count = stream->maximum_count;
        if (count > 0 && was_packed_since(&maximum, &stream->maxima[count - 1]))
            continue; /* not known on the way back, and then all are found once more */
        if (count > 0 && is_repeat(&maximum, &stream->maxima[count - 1]))
            maximum.before = stream->maxima[count - 1].before;
        rc = add_maximum(stream, &room, &maximum, err);
        if (rc < 0)
            break;
    }
    answer->reverse = true;
    answer->stats = stats;
    stream_rewind(stream);
    return rc;
}

int stream_renew_maxima(struct stream *stream, struct tdk_err *err)
{
    struct stream fresh;
    if (stream->maxima == NULL || !stream->answer->reverse)
        return 0; /* none are needed, or they are being found: on the way back it is seen */
    int rc = stream_open(&fresh, stream->answer, stream->track, err);
    if (rc < 0)
        return rc;
    rc = stream_find_maxima(&fresh, err);
    if (rc == 0) {
        struct maximum *old = stream->maxima;
        stream->maxima = fresh.maxima;
        stream->maximum_count = fresh.maximum_count;
        fresh.maxima = old;
    }
    stream_close(&fresh);
    return rc;
}

/* ---- on the way back ---- */

static const struct maximum *maximum_of(const struct stream *stream, const struct block_ref *ref)
{
    size_t low = 0, high = stream->maximum_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct maximum *m = &stream->maxima[middle];
        if (m->epoch < ref->epoch || (m->epoch == ref->epoch && m->first_seq < ref->first_seq))
            low = middle + 1;
        else
            high = middle;
    }
    const struct maximum *same = NULL; /* the maximum of a repeat that was passed over */
    for (; low < stream->maximum_count; low++) {
        const struct maximum *m = &stream->maxima[low];
        if (m->epoch != ref->epoch || m->first_seq != ref->first_seq)
            break;
        if (m->segment == ref->segment && m->offset == ref->offset &&
            m->generation == block_ref_generation(ref))
            return m;
        if (m->last_seq == ref->last_seq && ref->count > 0)
            same = m;
    }
    return same;
}

bool stream_knows_maximum(const struct stream *stream)
{
    return maximum_of(stream, &stream->ref) != NULL;
}

uint64_t stream_highest(const struct stream *stream)
{
    const struct block_ref *ref = &stream->ref;
    if (stream->maxima == NULL)
        return ref->max_ts;
    const struct maximum *maximum = maximum_of(stream, ref);
    return maximum != NULL ? maximum->with : UINT64_MAX;
}

int stream_key_list(struct stream *stream, struct tdk_err *err)
{
    const struct sieve *sieve = &stream->sieve;
    if (stream->key_room < sieve->count) {
        uint64_t *keys = realloc(stream->keys, sieve->room * sizeof *keys);
        if (keys == NULL)
            return err_set(err, -ENOMEM, "reverse track %s", stream->track->ref.name);
        stream->keys = keys;
        stream->key_room = sieve->room;
    }
    const struct maximum *maximum =
        stream->maxima == NULL ? NULL : maximum_of(stream, &stream->ref);
    uint64_t highest = maximum != NULL ? maximum->before : 0;
    for (size_t i = 0; i < sieve->count; i++) {
        highest = max_u64(highest, frame_merge_ts(sieve_frame(sieve, sieve->offsets[i])));
        stream->keys[i] = highest;
    }
    return 0;
}
