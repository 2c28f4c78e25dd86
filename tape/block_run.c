/* block_run.c - copy runs of frames from a ring into a block. */
#include "tape/block_inner.h"

#define PIECE_MIN ((size_t)256)

/* ---- many alike ---- */

/* The slot of the pattern for frames with this first word: one slot for each size of records, one
 * for everything opaque. */
static struct block_pattern *pattern_at(struct block *block, uint64_t word)
{
    bool record = (word >> 48 & 0xff) <= TDK_TYPE_WIDE;
    return &block->patterns[record ? word >> 3 & 7 : BLOCK_PATTERNS - 1];
}

/* Make a tick that was taken the pattern for those after it; `word` is its first word as it
 * arrived. Not if something about the tick must be checked individually. */
static void learn_pattern(struct block *block, uint64_t word, const struct tdk_frame *frame)
{
    const uint8_t alone =
        TDK_FLAG_INVALID | TDK_FLAG_AFTER_LOSS | TDK_FLAG_CLOCK_BACK | TDK_FLAG_TS_UNTRUSTED;
    if ((frame->flags & alone) != 0)
        return;
    bool record = frame->type <= TDK_TYPE_WIDE;
    *pattern_at(block, word) = (struct block_pattern){
        .word = word,
        .stored = load_u64(frame),
        .mask = record ? UINT64_MAX : UINT64_C(0xffffffff00000000), /* opaque: of any size */
        .length_rtype = record ? load_u16(tdk_frame_payload(frame)) : 0,
        .record = record,
    };
}

/* What frames with one first word have in common. */
struct likeness {
    uint64_t word, stored;
    size_t span;
    bool record;
    uint16_t length_rtype;
};

/* False: no tick like it has been taken yet. */
static bool find_likeness(struct block *block, uint64_t word, struct likeness *like)
{
    const struct block_pattern *pattern = pattern_at(block, word);
    uint32_t size = (uint32_t)word;
    if (((word ^ pattern->word) & pattern->mask) != 0 || size > block->state->payload_max)
        return false;
    *like = (struct likeness){
        .word = word,
        .stored = (pattern->stored & pattern->mask) | (word & ~pattern->mask),
        .span = tdk_frame_span(size),
        .record = pattern->record,
        .length_rtype = pattern->length_rtype,
    };
    return true;
}

/* A walk over ticks at the tail: where it is, and what of the block changes with each tick. */
struct course {
    unsigned char *at, *end, *frames; /* frames: where the block's frames begin */
    uint64_t low, high;               /* bounds of a time that does not go back and is trusted */
    uint64_t seq;
    uint64_t min_event, max_event;
    uint32_t count;
    bool scarce;   /* not all may fit: take one kind, then compute the room again */
    size_t differ; /* 0: every span so far equals that of the block's other frames */
};

/* Is the next frame one of these, with everything right that its head can show? */
static inline bool is_next(const struct course *c, const struct likeness *like)
{
    return (size_t)(c->end - c->at) >= like->span && load_u64(c->at) == like->word &&
           load_u64(c->at + 8) == c->seq && load_u64(c->at + 16) >= c->low &&
           load_u64(c->at + 16) <= c->high;
}

static inline void take_next(struct course *c, const struct likeness *like,
                             struct block_scratch *scratch, unsigned entry)
{
    c->low = load_u64(c->at + 16);
    store_u64(c->at, like->stored);
    zero_padding(c->at + HEAD_SIZE, (uint32_t)like->word);
    directory_place(scratch, c->count, entry, (size_t)(c->at - c->frames));
    c->count++;
    c->seq++;
    c->at += like->span;
}

static inline void widen(struct course *c, uint64_t earliest, uint64_t latest)
{
    c->min_event = min_u64(c->min_event, earliest);
    c->max_event = max_u64(c->max_event, latest);
}

/* All have the same instrument (none), and their event time is their ts. What they have in common
 * is noted once. */
static void take_opaque(struct course *c, const struct likeness *like,
                        struct block_scratch *scratch)
{
    const struct directory_slot *slot = directory_slot(scratch, 0);
    if (slot->stamp != scratch->stamp || !is_next(c, like))
        return;
    const unsigned entry = slot->entry;
    const uint32_t count = c->count;
    const uint64_t earliest = load_u64(c->at + 16);
    do
        take_next(c, like, scratch, entry);
    while (is_next(c, like));
    scratch->counts[entry] += c->count - count;
    widen(c, earliest, c->low);
}

static void take_records(struct course *c, const struct likeness *like,
                         struct block_scratch *scratch)
{
    const uint16_t stamp = scratch->stamp;
    while (is_next(c, like)) {
        uint64_t event = load_u64(c->at + 32);
        uint32_t instrument_id = load_u32(c->at + 28);
        const struct directory_slot *slot = directory_slot(scratch, instrument_id);
        if (load_u16(c->at + 24) != like->length_rtype || slot->stamp != stamp)
            return;
        event = event == TDK_TS_UNDEFINED ? load_u64(c->at + 16) : event;
        widen(c, event, event);
        scratch->counts[slot->entry]++;
        take_next(c, like, scratch, slot->entry);
    }
}

/* How many bytes of frames of this span fit. */
static size_t room_for(const struct block *block, size_t span)
{
    size_t fit = (size_t)block->left / (span + DIRECTORY_TICK_ROOM);
    return min_u64(fit, BLOCK_TICKS_MAX - block->head.count) * span;
}

static void move_to(struct block *block, const struct course *c)
{
    size_t used = (size_t)(c->at - c->frames);
    block->left -= (int64_t)(used - block->used) +
                   (int64_t)(c->count - block->head.count) * DIRECTORY_TICK_ROOM;
    block->used = used;
    if (c->differ != 0)
        block->uniform = 0;
    block->head.count = block->scratch->ticks = c->count;
    block->head.min_event = c->min_event;
    block->head.max_event = c->max_event;
    block->head.max_ts = max_u64(block->head.max_ts, c->low);
    block->state->running_max = block->state->last_ts = c->low;
    block->state->next_seq = c->seq;
}

/* Take all that come next and are of one kind. False: the walk ends here. */
static inline bool take_kind(struct block *block, struct course *c)
{
    struct likeness like;
    const unsigned char *before = c->at;
    if ((size_t)(c->end - c->at) < HEAD_SIZE || !find_likeness(block, load_u64(c->at), &like))
        return false;
    if (c->scarce)
        c->end = c->at + min_u64((size_t)(c->end - c->at), room_for(block, like.span));
    if (like.record)
        take_records(c, &like, block->scratch);
    else
        take_opaque(c, &like, block->scratch);
    if (c->at != before)
        c->differ |= like.span ^ block->uniform;
    return c->at != before && !c->scarce;
}

/*
 * Take ticks at the tail that differ from earlier ones only as the ticks of a quiet feed do: the
 * next seq, a time that does not go back, an instrument that this block knows. Returns their bytes.
 * This is the recorder's inner loop. While ticks are of one kind, the processor predicts where the
 * next one begins, and the loop is only loads, compares and stores, none of which waits for
 * another.
 */
static size_t take_alike(struct block *block, size_t size)
{
    unsigned char *const begin = tail_of(block);
    if (block->left < 0 || block->state->after_loss)
        return 0;
    struct course c = {
        .at = begin,
        .end = begin + size,
        .frames = frames_of(block),
        .low = block->state->running_max,
        .high = block->trust_max,
        .seq = block->state->next_seq,
        .min_event = block->head.min_event,
        .max_event = block->head.max_event,
        .count = block->head.count,
        .scarce = room_for(block, HEAD_SIZE) < size,
    };
    while (take_kind(block, &c))
        continue;
    if (c.at != begin)
        move_to(block, &c);
    return (size_t)(c.at - begin);
}

/* ---- a run from a ring ---- */

/* Why a walk over a copied piece ended, in more detail than callers see. */
enum walk_end {
    WALK_STOP,    /* with *stop */
    WALK_DRY,     /* the piece is used up */
    WALK_CUT,     /* a frame continues past the end of the piece */
    WALK_PADDING, /* a padding frame: it must not stay in the block */
};

/* Judge a frame by its private head. WALK_DRY: it can be taken; else why it cannot. */
static enum walk_end inspect(const struct block *block, const struct tdk_frame *frame, size_t size,
                             enum block_stop *stop)
{
    *stop = BLOCK_BROKEN;
    if (frame->size > block->state->payload_max)
        return WALK_STOP;
    if (tdk_frame_span(frame->size) > size)
        return WALK_CUT;
    if (frame->type == TDK_TYPE_PADDING)
        return WALK_PADDING;
    if (tdk_type_is_control(frame->type)) {
        *stop = BLOCK_CONTROL;
        return WALK_STOP;
    }
    *stop = frame->seq == block->state->next_seq ? BLOCK_TAKEN : BLOCK_SEQ;
    return *stop == BLOCK_TAKEN ? WALK_DRY : WALK_STOP;
}

/* Take the frames of the piece at the tail. *done: bytes of it that are in the block now. */
static enum walk_end walk(struct block *block, size_t size, size_t *done, enum block_stop *stop)
{
    for (*done = 0; *done < size;) {
        struct tdk_frame *frame = (struct tdk_frame *)(void *)tail_of(block);
        size_t rest = size - *done;
        if (rest < HEAD_SIZE)
            return WALK_CUT;
        size_t alike = take_alike(block, rest);
        if (alike > 0) {
            *done += alike;
            continue;
        }
        uint64_t word = load_u64(frame);
        enum walk_end end = inspect(block, frame, rest, stop);
        if (end != WALK_DRY)
            return end;
        size_t span = tdk_frame_span(frame->size);
        *stop = block_take_tick(block, frame, span);
        if (*stop != BLOCK_TAKEN)
            return WALK_STOP;
        *done += span;
        learn_pattern(block, word, frame);
    }
    return WALK_DRY;
}

/* The frame at the tail continues past the `have` bytes that are there. Returns how many bytes are
 * needed to go on. 0: there cannot be that many, and *stop says why. */
static size_t need_of(const struct block *block, size_t have, size_t rest, enum block_stop *stop)
{
    const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)tail_of(block);
    size_t need = have < HEAD_SIZE ? HEAD_SIZE : tdk_frame_span(frame->size);
    *stop = need > rest ? BLOCK_BROKEN : need > tail_room(block) ? BLOCK_FULL : BLOCK_TAKEN;
    return *stop == BLOCK_TAKEN ? need : 0;
}

/* Each byte of the run is copied once, and examined only after that. */
enum block_stop block_add_run(struct block *block, const void *run, size_t size, size_t *taken)
{
    enum block_stop stop = BLOCK_TAKEN;
    enum walk_end end = WALK_DRY;
    size_t have = 0, need = 0; /* bytes copied to the tail; bytes wanted there */
    size_t piece = PIECE_MAX;
    *taken = 0;
    block->stopped_at = NULL;
    while (*taken < size && end != WALK_STOP) {
        size_t rest = size - *taken, done;
        size_t copied = min_u64(min_u64(max_u64(have + piece, need), rest), tail_room(block));
        memcpy(tail_of(block) + have, (const unsigned char *)run + *taken + have, copied - have);
        end = walk(block, copied, &done, &stop);
        block_sum_chunks(block);
        *taken += done;
        have = copied - done;
        need = 0;
        if (end == WALK_CUT) {
            need = need_of(block, have, size - *taken, &stop);
            end = need == 0 ? WALK_STOP : WALK_CUT;
        } else if (end == WALK_PADDING) {
            *taken += tdk_frame_span(((struct tdk_frame *)(void *)tail_of(block))->size);
            have = 0;
        }
        /* The bytes after padding are copied again: a ring full of padding must not cost a whole
         * piece each time. */
        piece = end == WALK_PADDING ? PIECE_MIN : min_u64(2 * piece, PIECE_MAX);
    }
    if (end == WALK_STOP && stop != BLOCK_FULL)
        block->stopped_at = (const struct tdk_frame *)(const void *)tail_of(block);
    return end == WALK_STOP ? stop : BLOCK_TAKEN;
}
