#include "tape/stream_ahead.h"

#include "base/clock.h"
#include "tape/scout.h"

/* Scans take blocks of some size one behind the other, as fast as they can be had; who plays a day
 * in a day does not, and shall hold no scout. */
#define BRISK_NS (50 * NS_PER_MS)
enum { BRISK_BLOCKS = 4, BRISK_SPAN = 128 << 10 };

/* Of a packed block in parts so little is needed that the memory of a scout's own blocks, touched
 * for the first time, costs more than it brings unless there are many. */
enum { BRISK_PARTS = 48 };

static unsigned brisk_enough(const struct stream *stream)
{
    const struct slice *slice = stream->sieve.slice;
    return slice != NULL && slice->state == SLICE_PACKED ? BRISK_PARTS : BRISK_BLOCKS;
}

static bool is_brisk(struct stream *stream)
{
    uint64_t now_ns = clock_mono();
    bool brisk = stream->ref.span >= BRISK_SPAN && stream->only == NULL && !stream->is_alone &&
                 now_ns - stream->loaded_ns < BRISK_NS;
    stream->loaded_ns = now_ns;
    stream->brisk_blocks = brisk ? stream->brisk_blocks + 1 : 0;
    return stream->brisk_blocks >= brisk_enough(stream);
}

/* In each epoch a symbol has other instruments. */
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

struct slice *stream_meet(struct stream *stream)
{
    return stream->scout != NULL ? scout_take(stream->scout, &stream->ref, &stream->read_ahead)
                                 : NULL;
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
    if (stream->scout == NULL || !aim(stream))
        return;
    for (int n = 1; n <= SCOUT_AHEAD; n++) {
        const struct block_ref *ref = search_ahead(&stream->search, n);
        if (ref != NULL && ref->span >= BRISK_SPAN) /* NULL: one without what is asked for */
            scout_send(stream->scout, ref, stream->sieve.is_dense);
    }
}
