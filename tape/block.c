#include "tape/block.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "tape/frame.h"
#include "tape/sums.h"

#define PIECE_MAX                                                                                  \
    ((size_t)16 << 10) /* copied, looked at and summed while the first cache has it                \
                        */
#define TRUST_NS  (24 * 3600 * NS_PER_S)
#define HEAD_SIZE sizeof(struct tdk_frame)

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- begin ---- */

size_t block_room_for(uint32_t payload_max)
{
    size_t room =
        sizeof(struct block_head) + DIRECTORY_ROOM + DIRECTORY_TICK_ROOM + DIRECTORY_ENTRY_ROOM +
        tdk_frame_span(payload_max) + tdk_frame_span(sizeof(struct tdk_track_head) + TDK_NAME_MAX) +
        tdk_frame_span(sizeof(struct tdk_epoch)) + tdk_frame_span(sizeof(struct tdk_loss));
    /* block_begin() sets the sums of the whole room aside, their own bytes among it. */
    return room + sums_size(room + room / 64 + BLOCK_CHUNK);
}

void block_begin(struct block *block, void *buffer, size_t room, struct block_scratch *scratch,
                 struct track_state *state, uint64_t now_ns)
{
    assert(room >= block_room_for(0) && room <= BLOCK_SPAN_MAX && (uintptr_t)buffer % 8 == 0);
    directory_begin(scratch);
    *block = (struct block){
        .bytes = buffer,
        .room = room,
        .scratch = scratch,
        .state = state,
        .left = (int64_t)(room - sizeof(struct block_head) - DIRECTORY_ROOM - sums_size(room)),
        .trust_max = now_ns < UINT64_MAX - 1 - TRUST_NS ? now_ns + TRUST_NS : UINT64_MAX - 1,
        .head =
            {
                .magic = BLOCK_MAGIC,
                .version = TAPE_VERSION,
                .head_size = sizeof(struct block_head),
                .track = state->track,
                .codec = BLOCK_RAW,
                .epoch = state->epoch,
                .first_seq = state->next_seq,
                .min_ts = UINT64_MAX,
                .min_event = UINT64_MAX,
                .odd_min = UINT64_MAX,
            },
    };
    for (int i = 0; i < BLOCK_PATTERNS; i++) /* of nothing: a size that no payload may have */
        block->patterns[i] = (struct block_pattern){.word = UINT64_MAX, .mask = UINT64_MAX};
}

static unsigned char *frames_of(const struct block *block)
{
    return block->bytes + sizeof(struct block_head);
}

/* Where the next frame goes, and how much memory is there. */
static unsigned char *tail_of(const struct block *block)
{
    return frames_of(block) + block->used;
}

static size_t tail_room(const struct block *block)
{
    return block->room - sizeof(struct block_head) - block->used;
}

/* Sum the chunks that are full: they are still in the first cache, and nobody changes them any
 * more. */
static void sum_chunks(struct block *block)
{
    size_t size = (block->used - block->summed) / BLOCK_CHUNK * BLOCK_CHUNK;
    crc32c_chunks(frames_of(block) + block->summed, size, BLOCK_CHUNK,
                  block->scratch->sums + block->summed / BLOCK_CHUNK);
    block->summed += size;
}

/* ---- one frame, by all the rules ---- */

static void note_span(struct block *block, size_t span)
{
    if (block->used == 0)
        block->uniform = (uint32_t)span;
    else if (block->uniform != span)
        block->uniform = 0;
    block->used += span;
    block->left -= (int64_t)span;
}

/* The tick's place in time: what is trusted moves the running maximum and the bounds. */
static uint8_t note_time(struct block *block, uint64_t ts)
{
    struct block_head *head = &block->head;
    struct track_state *state = block->state;
    if (ts > block->trust_max) {
        head->odd++;
        head->odd_min = min_u64(head->odd_min, ts);
        head->odd_max = max_u64(head->odd_max, ts);
        return TDK_FLAG_TS_UNTRUSTED;
    }
    head->min_ts = min_u64(head->min_ts, ts);
    head->max_ts = max_u64(head->max_ts, ts);
    if (ts >= state->running_max) {
        state->running_max = ts;
        return 0;
    }
    block->back++;
    head->step_back = max_u64(head->step_back, state->running_max - ts);
    return TDK_FLAG_CLOCK_BACK;
}

static uint8_t note_record(struct block *block, const struct tdk_frame *frame)
{
    if (frame->type > TDK_TYPE_WIDE)
        return 0;
    const unsigned char *payload = tdk_frame_payload(frame);
    if (!tdk_dbn_check(frame->type, payload, frame->size)) {
        block->head.invalid++;
        return TDK_FLAG_INVALID;
    }
    if (payload[1] == TDK_RTYPE_SYMBOL_MAPPING || payload[1] == TDK_RTYPE_DEFINITION)
        block->head.flags |= BLOCK_HAS_SYMBOLS;
    return 0;
}

/* The instrument, before anything else of the tick is noted: with too many of them the block is
 * full. */
static int entry_for(const struct block *block, const struct tdk_frame *frame)
{
    bool whole = frame->type <= TDK_TYPE_WIDE &&
                 tdk_dbn_check(frame->type, tdk_frame_payload(frame), frame->size);
    return directory_entry_of(block->scratch, whole ? load_u32(tdk_frame_payload(frame) + 4) : 0);
}

/* A clock set back, as far as one track can see it; odd times say nothing about clocks. */
static bool steps_back(const struct block *block, uint64_t ts)
{
    const struct track_state *state = block->state;
    return state->tell_steps && !state->step_told && state->last_ts <= block->trust_max &&
           state->last_ts >= NS_PER_S && ts <= state->last_ts - NS_PER_S;
}

/* The bytes behind a payload that is no multiple of 8 long. */
static void zero_padding(unsigned char *payload, uint32_t size)
{
    if (size % 8 == 0)
        return;
    unsigned char *last = payload + size / 8 * 8;
    store_u64(last, load_u64(last) & ((UINT64_C(1) << 8 * (size % 8)) - 1));
}

/* A whole tick at the tail, its seq and size checked: make it part of the block. */
static enum block_stop take_tick(struct block *block, struct tdk_frame *frame, size_t span)
{
    struct track_state *state = block->state;
    int64_t need = (int64_t)span + DIRECTORY_TICK_ROOM + DIRECTORY_ENTRY_ROOM;
    if (block->left < need || block->head.count == BLOCK_TICKS_MAX)
        return BLOCK_FULL;
    if (steps_back(block, frame->ts))
        return BLOCK_CLOCK;
    uint32_t entries = block->scratch->entries;
    int entry = entry_for(block, frame);
    if (entry < 0)
        return BLOCK_FULL;
    block->left -= DIRECTORY_TICK_ROOM;
    if (block->scratch->entries != entries)
        block->left -= DIRECTORY_ENTRY_ROOM;

    frame->track = state->track;
    frame->flags &= TDK_FLAG_SOURCE_SEQUENCE;
    frame->flags |= note_record(block, frame);
    frame->flags |= note_time(block, frame->ts);
    if (state->after_loss)
        frame->flags |= TDK_FLAG_AFTER_LOSS;
    state->after_loss = state->step_told = false;
    zero_padding((unsigned char *)(frame + 1), frame->size);

    uint64_t event = frame_event_ts(frame);
    block->head.min_event = min_u64(block->head.min_event, event);
    block->head.max_event = max_u64(block->head.max_event, event);
    directory_note(block->scratch, block->head.count, (unsigned)entry, block->used);
    note_span(block, span);
    block->scratch->ticks = ++block->head.count;
    state->next_seq++;
    state->last_ts = frame->ts;
    return BLOCK_TAKEN;
}

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
        *stop = take_tick(block, frame, span);
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
    *taken = 0;
    block->stopped_at = NULL;
    while (*taken < size && end != WALK_STOP) {
        size_t rest = size - *taken, done;
        size_t copied = min_u64(min_u64(max_u64(have + PIECE_MAX, need), rest), tail_room(block));
        memcpy(tail_of(block) + have, (const unsigned char *)run + *taken + have, copied - have);
        end = walk(block, copied, &done, &stop);
        sum_chunks(block);
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
    }
    if (end == WALK_STOP && stop != BLOCK_FULL)
        block->stopped_at = (const struct tdk_frame *)(const void *)tail_of(block);
    return end == WALK_STOP ? stop : BLOCK_TAKEN;
}

/* ---- frames of our own ---- */

/* Put a frame together at the tail, where its payload may lie already. */
static struct tdk_frame *compose(struct block *block, uint8_t type, uint64_t ts,
                                 const void *payload, uint32_t size)
{
    unsigned char *tail = tail_of(block);
    if (size > 0)
        memmove(tail + HEAD_SIZE, payload, size);
    struct tdk_frame *frame = (struct tdk_frame *)(void *)tail;
    *frame = (struct tdk_frame){.size = size,
                                .track = block->state->track,
                                .type = type,
                                .seq = block->state->next_seq,
                                .ts = ts};
    memset(tail + HEAD_SIZE + size, 0, tdk_frame_span(size) - HEAD_SIZE - size);
    return frame;
}

bool block_add_tick(struct block *block, uint8_t type, uint8_t flags, uint64_t ts,
                    const void *payload, uint32_t size)
{
    size_t span = tdk_frame_span(size);
    assert(type != TDK_TYPE_PADDING && !tdk_type_is_control(type));
    if (span > tail_room(block))
        return false;
    struct tdk_frame *frame = compose(block, type, ts, payload, size);
    frame->flags = flags;
    bool taken = take_tick(block, frame, span) == BLOCK_TAKEN;
    if (block->used - block->summed >= PIECE_MAX)
        sum_chunks(block);
    return taken;
}

/* A control frame, whatever it is. */
static bool add_control(struct block *block, uint8_t type, uint64_t ts, const void *payload,
                        uint32_t size)
{
    size_t span = tdk_frame_span(size);
    if (block->left < (int64_t)span)
        return false;
    compose(block, type, ts != 0 ? ts : block->state->last_ts, payload, size);
    note_span(block, span);
    block->uniform = 0;
    block->head.controls++;
    block->head.flags |= BLOCK_HAS_CONTROL;
    if (type == TDK_TYPE_SYMBOL || type == TDK_TYPE_INFO)
        block->head.flags |= BLOCK_HAS_SYMBOLS;
    return true;
}

bool block_add_control(struct block *block, uint8_t type, uint64_t ts, const void *payload,
                       uint32_t size)
{
    assert(tdk_type_is_control(type) && type != TDK_TYPE_LOSS);
    return add_control(block, type, ts, payload, size);
}

bool block_add_track(struct block *block, const char *name, uint8_t kind)
{
    size_t name_size = strlen(name);
    unsigned char payload[sizeof(struct tdk_track_head) + TDK_NAME_MAX];
    struct tdk_track_head head = {.epoch = block->state->epoch,
                                  .number = block->state->track,
                                  .kind = kind,
                                  .name_size = (uint8_t)name_size};
    assert(name_size >= 1 && name_size <= TDK_NAME_MAX);
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, name, name_size);
    return add_control(block, TDK_TYPE_TRACK, 0, payload, (uint32_t)(sizeof head + name_size));
}

bool block_add_epoch(struct block *block, const struct tdk_epoch *epoch)
{
    return add_control(block, TDK_TYPE_EPOCH, 0, epoch, sizeof *epoch);
}

/* A query between the ticks on both sides of a loss must meet its block. */
static void note_loss_span(struct block *block, const struct tdk_loss *loss)
{
    struct block_head *head = &block->head;
    uint64_t known = block->state->running_max;
    if (known == 0 || loss->first_ts > known)
        return;
    head->min_ts = min_u64(head->min_ts, loss->first_ts);
    head->max_ts = max_u64(head->max_ts, min_u64(max_u64(loss->first_ts, loss->last_ts), known));
}

bool block_add_loss(struct block *block, const struct tdk_loss *loss, uint64_t ts)
{
    struct track_state *state = block->state;
    assert(loss->first_seq == state->next_seq && loss->count >= 1);
    if (block->left < (int64_t)tdk_frame_span(sizeof *loss))
        return false;
    state->next_seq += loss->count; /* the frame bears the seq of the tick behind it */
    state->after_loss = true;
    add_control(block, TDK_TYPE_LOSS, ts, loss, sizeof *loss);
    block->head.flags |= BLOCK_HAS_LOSS;
    block->head.lost += loss->count;
    note_loss_span(block, loss);
    return true;
}

/* ---- end ---- */

bool block_is_empty(const struct block *block)
{
    return block->used == 0;
}

size_t block_bytes(const struct block *block)
{
    return block->room - (size_t)(block->left > 0 ? block->left : 0);
}

/* The sums of all chunks behind the directory, the last chunk's with them. Returns their size. */
static size_t write_sums(struct block *block, unsigned char *at)
{
    size_t size = sums_size(block->used), rest = block->used - block->summed;
    uint32_t *sums = block->scratch->sums;
    crc32c_chunks(frames_of(block) + block->summed, rest, BLOCK_CHUNK,
                  sums + block->summed / BLOCK_CHUNK);
    block->summed = block->used;
    size_t told = (block->used + BLOCK_CHUNK - 1) / BLOCK_CHUNK * sizeof *sums;
    memcpy(at, sums, told);
    memset(at + told, 0, size - told);
    return size;
}

size_t block_seal(struct block *block)
{
    struct block_head *head = &block->head;
    assert(block->used > 0);
    size_t directory = directory_build(block->scratch, block->uniform, tail_of(block), head);
    size_t tail = directory + write_sums(block, tail_of(block) + directory);
    size_t stored = block->used + tail;
    assert(sizeof *head + stored <= block->room);
    head->frames_size = (uint32_t)block->used;
    head->directory_size = (uint32_t)directory;
    head->stored_size = (uint32_t)stored;
    head->tail_crc = crc32c(0, tail_of(block), tail);
    head->last_seq = block->state->next_seq - 1;
    head->running_max = block->state->running_max;
    if (head->odd > 0)
        head->flags |= BLOCK_HAS_ODD;
    if (head->step_back == 0)
        head->flags |= BLOCK_MONOTONE;
    memcpy(block->bytes, head, sizeof *head);
    return sizeof *head + stored;
}

struct block_view block_view_of(const void *bytes)
{
    const struct block_head *head = bytes;
    const unsigned char *frames = (const unsigned char *)bytes + sizeof *head;
    return (struct block_view){head, frames, frames + head->frames_size};
}

void block_finish(void *bytes, const struct block_place *place)
{
    struct block_head head;
    memcpy(&head, bytes, sizeof head);
    assert(place->span >= sizeof head + head.stored_size && place->span % 8 == 0);
    memcpy(head.tape_id, place->tape_id, sizeof head.tape_id);
    head.segment = place->segment;
    head.block = place->block;
    head.span = place->span;
    head.synced_upto = place->synced_upto;
    head.previous_end = place->previous_end;
    head.written_ns = place->written_ns;
    head.flags = (uint8_t)((head.flags & ~BLOCK_REWRITTEN) | place->flags);
    head.head_crc = 0;
    head.head_crc = crc32c(0, &head, sizeof head);
    memcpy(bytes, &head, sizeof head);
}
