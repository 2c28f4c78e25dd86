/* block_run.c - runs of frames out of a ring into a block. */
#include "tape/block_inner.h"

#define PIECE_MIN ((size_t)256)

/* ---- many alike ---- */

/* Where the pattern of frames with this first word is kept: records by their size, all opaque in
 * one. */
static struct block_pattern *pattern_at(struct block *block, uint64_t word)
{
    bool record = (word >> 48 & 0xff) <= TDK_TYPE_WIDE;
    return &block->patterns[record ? word >> 3 & 7 : BLOCK_PATTERNS - 1];
}

/* A tick that was taken, `word` as it came, is the pattern of those behind it, unless there was
 * something to it that must be looked at singly. */
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

/* False: none like it has been taken. */
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

/*
 * Ticks at the tail that differ from ones before them only in what ticks of a quiet feed differ in:
 * the next seq, a time that does not go back, an instrument that this block knows. Returns their
 * bytes. This is the recorder's inner loop. While ticks are of one kind the processor guesses where
 * the next one begins, and everything is loads, compares and stores that wait for nothing.
 */
static size_t take_alike(struct block *block, size_t size)
{
    struct track_state *state = block->state;
    struct block_scratch *scratch = block->scratch;
    uint64_t low = state->running_max, high = block->trust_max, seq = state->next_seq;
    uint64_t min_event = block->head.min_event, max_event = block->head.max_event;
    uint32_t count = block->head.count;
    size_t begin = block->used, at = begin, end = begin + size, differ = 0;
    unsigned char *frames = frames_of(block);
    int64_t left = block->left;
    const uint32_t uniform = block->uniform;
    const uint16_t stamp = scratch->stamp;

    if (low > high || state->after_loss || size < HEAD_SIZE)
        return 0;
    struct likeness like = {.word = ~load_u64(frames + at)}; /* not of the first one: look it up */
    while (end - at >= HEAD_SIZE) {
        unsigned char *frame = frames + at;
        uint64_t word = load_u64(frame), ts = load_u64(frame + 16), event = ts;
        uint32_t instrument_id = 0;
        if (word != like.word && !find_likeness(block, word, &like))
            break;
        int64_t need = (int64_t)like.span + DIRECTORY_TICK_ROOM;
        if (like.span > end - at || load_u64(frame + 8) != seq || ts - low > high - low ||
            left < need || count == BLOCK_TICKS_MAX)
            break;
        if (like.record) {
            if (load_u16(frame + 24) != like.length_rtype)
                break;
            instrument_id = load_u32(frame + 28);
            event = load_u64(frame + 32);
            event = event == TDK_TS_UNDEFINED ? ts : event;
        }
        const struct directory_slot *slot = directory_slot(scratch, instrument_id);
        if (slot->instrument_id != instrument_id || slot->stamp != stamp)
            break;
        store_u64(frame, like.stored);
        zero_padding(frame + HEAD_SIZE, (uint32_t)word);
        directory_note(scratch, count, slot->entry, at);
        low = ts;
        min_event = min_u64(min_event, event);
        max_event = max_u64(max_event, event);
        differ |= like.span ^ uniform;
        left -= need;
        count++;
        seq++;
        at += like.span;
    }
    if (at == begin)
        return 0;
    if (differ != 0)
        block->uniform = 0;
    block->used = at;
    block->left = left;
    block->head.count = scratch->ticks = count;
    block->head.min_event = min_event;
    block->head.max_event = max_event;
    block->head.max_ts = max_u64(block->head.max_ts, low);
    state->running_max = state->last_ts = low;
    state->next_seq = seq;
    return at - begin;
}

/* ---- a run from a ring ---- */

/* Why a walk over a copied piece ended, beyond what callers hear of. */
enum walk_end {
    WALK_STOP,    /* with *stop */
    WALK_DRY,     /* the piece is used up */
    WALK_CUT,     /* a frame goes on behind the piece */
    WALK_PADDING, /* a padding frame: it must not stay in the block */
};

/* By its private head: 0, or why it cannot be taken. */
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

/* Take what the piece at the tail holds. *done: bytes of it that are in the block now. */
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

/* The frame at the tail goes on behind the `have` bytes that are there. How many it takes to go on;
 * 0: they cannot be had, and *stop says why. */
static size_t need_of(const struct block *block, size_t have, size_t rest, enum block_stop *stop)
{
    const struct tdk_frame *frame = (const struct tdk_frame *)(const void *)tail_of(block);
    size_t need = have < HEAD_SIZE ? HEAD_SIZE : tdk_frame_span(frame->size);
    *stop = need > rest ? BLOCK_BROKEN : need > tail_room(block) ? BLOCK_FULL : BLOCK_TAKEN;
    return *stop == BLOCK_TAKEN ? need : 0;
}

/* Each byte of the run is copied once, and looked at only after that. */
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
        /* What is behind padding is copied again: a ring full of it must not cost a piece each. */
        piece = end == WALK_PADDING ? PIECE_MIN : min_u64(2 * piece, PIECE_MAX);
    }
    if (end == WALK_STOP && stop != BLOCK_FULL)
        block->stopped_at = (const struct tdk_frame *)(const void *)tail_of(block);
    return end == WALK_STOP ? stop : BLOCK_TAKEN;
}
