#include "tape/stream_ahead.h"

#include "base/clock.h"
#include "tape/scout.h"

/* A scan takes blocks of some size one after the other, as fast as they can be read. A player that
 * plays a day in a day does not, and must not hold a scout. */
#define BRISK_NS (50 * NS_PER_MS)
enum { BRISK_BLOCKS = 4, BRISK_SPAN = 128 << 10 };

/* A packed block that is read in parts needs little. If the memory for the scout's blocks has to be
 * touched for the first time, that costs more than it saves, unless there are many blocks. If it
 * was touched before, there must still be enough blocks to repay the start of a thread. */
enum { BRISK_PARTS = 48, BRISK_PARTS_WARM = 8 };

static bool is_in_parts(const struct stream *stream)
{
    const struct slice *slice = stream->sieve.slice;
    return slice != NULL && slice->state == SLICE_PACKED;
}

static int ahead(const struct stream *stream)
{
    return is_in_parts(stream) ? SCOUT_AHEAD_MAX : SCOUT_AHEAD;
}

static bool is_enough(const struct stream *stream)
{
    const unsigned blocks = stream->brisk_blocks;
    if (!is_in_parts(stream) || stream->scout != NULL)
        return blocks >= BRISK_BLOCKS;
    return blocks >= BRISK_PARTS || (blocks >= BRISK_PARTS_WARM &&
                                     shelf_is_warm(&stream->answer->tape->shelf, SCOUT_AHEAD_MAX));
}

static bool is_brisk(struct stream *stream)
{
    uint64_t now_ns = clock_mono();
    bool brisk = stream->ref.span >= BRISK_SPAN && stream->only == NULL && !stream->is_alone &&
                 now_ns - stream->loaded_ns < BRISK_NS;
    stream->loaded_ns = now_ns;
    stream->brisk_blocks = brisk ? stream->brisk_blocks + 1 : 0;
    return is_enough(stream);
}

/* In each epoch a symbol means other instruments. */
static bool aim(struct stream *stream)
{
    const struct search *search = &stream->search;
    if (stream->is_aimed && stream->aimed_at == search->epoch_at)
        return true;
    stream->is_aimed =
        scout_aim(stream->scout, stream->answer->select.by_symbol ? &search->here : NULL);
    stream->aimed_at = search->epoch_at;
    return stream->is_aimed;
}

static void dismiss(struct stream *stream)
{
    scout_stop(stream->scout);
    stream->scout = NULL;
}

/* The slice of the block before is given back first: while waiting for a block, the caller reads
 * another one into it. */
bool stream_meet(struct stream *stream)
{
    scout_give(stream->scout, stream->sieve.slice);
    stream->sieve.slice = scout_take(stream->scout, &stream->ref, &stream->read_ahead);
    return stream->sieve.slice != NULL;
}

static void send(struct stream *stream)
{
    const struct block_ref *before = &stream->ref;
    for (int n = 1, last = ahead(stream); n <= last; n++) {
        const struct block_ref *ref = search_ahead(&stream->search, n);
        if (ref == NULL || ref->span < BRISK_SPAN) /* NULL: a block without what is asked for */
            continue;
        const struct scout_errand errand = {*ref, stream->sieve.is_dense,
                                            slice_is_near(ref, before)};
        scout_send(stream->scout, &errand);
        before = ref;
    }
}

void stream_go_ahead(struct stream *stream)
{
    if (!is_brisk(stream)) {
        dismiss(stream);
        return;
    }
    if (stream->scout == NULL) {
        stream->scout = scout_start(&stream->answer->tape->shelf);
        stream->is_aimed = false;
    }
    if (stream->scout == NULL) {
        stream->brisk_blocks = 0; /* so that it is not asked for again with each block */
        return;
    }
    if (aim(stream))
        send(stream);
}
