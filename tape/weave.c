#include "tape/weave.h"

#include <string.h>

#include "tape/run.h"

/* The part of one stream in a weave. */
struct strand {
    const struct tdk_frame *next; /* NULL: a block must be read first, or no tick is next */
    const unsigned char *frames;
    const uint32_t *offsets; /* of a list; NULL: the ticks follow each other */
    size_t at, end;          /* as in stream.h */
    uint64_t ticks;          /* how many were taken */
    struct stream *stream;   /* borrowed; NULL: the stream is at its end */
};

/*
 * The strands by rank, and a tournament of which comes first. winners[leaves + i] is strand i,
 * winners[n] the earlier of winners[2 n] and winners[2 n + 1], so winners[1] is the earliest of
 * all. When that one moves on, only its own games are played again, against opponents that are
 * known before the first game is decided. No branch depends on a time, which makes this faster than
 * a heap.
 */
struct weave {
    struct strand strands[WEAVE_MAX];
    uint64_t keys[WEAVE_MAX];
    uint8_t winners[2 * WEAVE_MAX];
    unsigned leaves; /* a power of two */
};

/* ---- strands ---- */

static bool may_be_woven(const struct stream *stream)
{
    return stream->loaded && stream->told_epoch == stream->ref.epoch;
}

static const struct tdk_frame *frame_at(const struct strand *strand)
{
    size_t offset = strand->offsets != NULL ? strand->offsets[strand->at] : strand->at;
    return (const struct tdk_frame *)(const void *)(strand->frames + offset);
}

static void strand_init(struct strand *strand, struct stream *stream)
{
    const struct sieve *sieve = &stream->sieve;
    *strand = (struct strand){.stream = stream};
    if (!may_be_woven(stream))
        return;
    strand->frames = sieve->slice->view.frames;
    strand->offsets = sieve->is_run ? NULL : sieve->offsets;
    strand->at = stream->at;
    strand->end = sieve->is_run ? sieve->end : sieve->count;
    const struct tdk_frame *frame = frame_at(strand);
    strand->next = tdk_frame_is_tick(frame) ? frame : NULL;
}

/* Move past the next tick. If no tick follows, the key stays: then no other strand is earlier, and
 * the weave ends. */
static inline void strand_step(struct strand *strand, size_t span, uint64_t *key)
{
    strand->ticks++;
    strand->at += strand->offsets != NULL ? 1 : span;
    strand->next = NULL;
    if (strand->at == strand->end)
        return;
    const struct tdk_frame *frame = frame_at(strand);
    if (!tdk_frame_is_tick(frame))
        return;
    strand->next = frame;
    *key = frame->ts;
}

/* Take from the stream what was taken from the strand. The key becomes that of what follows, or
 * stays. */
static void strand_close(const struct strand *strand, uint64_t *key)
{
    struct stream *stream = strand->stream;
    if (strand->ticks == 0)
        return;
    stream->at = strand->at;
    if (strand->offsets == NULL)
        stream->sieve.ticks -= strand->ticks;
    (void)run_next_key(stream, key);
}

/* ---- the tournament ---- */

/* The strand whose tick comes first. Ties go to the lower rank, as in merge.h. */
static inline unsigned earlier(const struct weave *weave, unsigned a, unsigned b)
{
    uint64_t key_a = weave->keys[a], key_b = weave->keys[b];
    bool b_first = (key_b < key_a) | ((key_b == key_a) & (b < a));
    return b_first ? b : a;
}

static void play_all(struct weave *weave)
{
    for (unsigned i = 0; i < weave->leaves; i++)
        weave->winners[weave->leaves + i] = (uint8_t)i;
    for (unsigned n = weave->leaves - 1; n > 0; n--)
        weave->winners[n] =
            (uint8_t)earlier(weave, weave->winners[2 * n], weave->winners[2 * n + 1]);
}

/* Play the games of a strand again after its key changed. Returns the strand that is first then. */
static inline unsigned play_again(struct weave *weave, unsigned strand)
{
    unsigned first = strand;
    for (unsigned n = weave->leaves + strand; n > 1; n /= 2) {
        first = earlier(weave, first, weave->winners[n ^ 1]);
        weave->winners[n / 2] = (uint8_t)first;
    }
    return first;
}

/* Strands that are at their end, or only fill up the number, have the highest key. They are first
 * only when nothing else is left, or nothing but undefined times. */
static void weave_init(struct weave *weave, const struct merge *merge, size_t count)
{
    weave->leaves = 1;
    while (weave->leaves < count)
        weave->leaves *= 2;
    for (unsigned i = 0; i < weave->leaves; i++) {
        weave->strands[i] = (struct strand){.next = NULL};
        weave->keys[i] = UINT64_MAX;
    }
    for (size_t i = 0; i < merge->count; i++) {
        const struct merge_entry *entry = &merge->heap[i];
        strand_init(&weave->strands[entry->rank], entry->stream);
        weave->keys[entry->rank] = entry->key;
    }
    play_all(weave);
}

/* ---- from outside ---- */

/* An upper bound: for a list the frames in between are counted, too. */
static size_t bytes_left(const struct stream *stream)
{
    const struct sieve *sieve = &stream->sieve;
    if (sieve->is_run)
        return sieve->end - stream->at;
    size_t first = sieve->offsets[stream->at], last = sieve->offsets[sieve->count - 1];
    return last - first + tdk_frame_span(sieve_frame(sieve, last)->size);
}

size_t weave_size(const struct merge *merge, size_t count, size_t max)
{
    if (merge->reverse || merge->count < 2 || count > WEAVE_MAX)
        return 0;
    if (merge->heap[0].key == UINT64_MAX) /* a stream at its end has that key, too */
        return 0;
    struct strand first;
    strand_init(&first, merge->heap[0].stream);
    if (first.next == NULL || tdk_frame_span(first.next->size) > max)
        return 0;
    size_t size = 0;
    for (size_t i = 0; i < merge->count && size < max; i++)
        if (may_be_woven(merge->heap[i].stream))
            size += bytes_left(merge->heap[i].stream);
    return size < max ? size : max;
}

/* A span is a multiple of 8 and at least 24. So it can be copied sixteen bytes at a time, the last
 * of which may overlap those before, without touching a byte too many on either side. */
static inline void copy_frame(unsigned char *to, const struct tdk_frame *frame, size_t span)
{
    enum { PIECE = 16, INLINE_MAX = 256 };
    const unsigned char *from = (const unsigned char *)frame;
    if (span > INLINE_MAX) {
        memcpy(to, from, span);
        return;
    }
    for (size_t i = 0; i < span - PIECE; i += PIECE)
        memcpy(to + i, from + i, PIECE);
    memcpy(to + span - PIECE, from + span - PIECE, PIECE);
}

static inline bool is_timed(const struct tdk_frame *frame)
{
    return (frame->flags & TDK_FLAG_TS_UNTRUSTED) == 0 && frame->ts != TDK_TS_UNDEFINED;
}

static void copy_ticks(struct weave *weave, struct woven *woven)
{
    unsigned char *to = woven->bytes, *end = to + woven->room;
    unsigned first = weave->winners[1];
    while (woven->ticks < woven->limit) {
        struct strand *strand = &weave->strands[first];
        const struct tdk_frame *frame = strand->next;
        if (frame == NULL)
            break;
        size_t span = tdk_frame_span(frame->size);
        if (span > (size_t)(end - to))
            break;
        copy_frame(to, frame, span);
        to += span;
        woven->ticks++;
        if (is_timed(frame))
            woven->last_ts = frame->ts;
        strand_step(strand, span, &weave->keys[first]);
        unsigned next = play_again(weave, first);
        woven->turns += next != first;
        first = next;
    }
    woven->size = (size_t)(to - (unsigned char *)woven->bytes);
}

void weave_ticks(struct merge *merge, size_t count, struct woven *woven)
{
    struct weave weave;
    woven->size = 0;
    woven->ticks = woven->turns = woven->last_ts = 0;
    weave_init(&weave, merge, count);
    copy_ticks(&weave, woven);
    for (size_t i = 0; i < count; i++)
        strand_close(&weave.strands[i], &weave.keys[i]);
    merge_renew(merge, weave.keys);
}
