#include "tape/block.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "tape/block_inner.h"
#include "tape/frame.h"
#include "tape/sums.h"

#define TRUST_NS (UINT64_C(24) * 3600 * NS_PER_S)

/* ---- begin ---- */

size_t block_room_for(uint32_t payload_max)
{
    size_t room =
        sizeof(struct block_head) + DIRECTORY_ROOM + DIRECTORY_TICK_ROOM + DIRECTORY_ENTRY_ROOM +
        tdk_frame_span(payload_max) + tdk_frame_span(sizeof(struct tdk_track_head) + TDK_NAME_MAX) +
        tdk_frame_span(sizeof(struct tdk_epoch)) + tdk_frame_span(sizeof(struct tdk_loss));
    /* block_begin() reserves the sums for the whole room, including for the bytes of the sums
     * themselves. */
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
    for (int i = 0; i < BLOCK_PATTERNS; i++) /* matches nothing: no payload may have this size */
        block->patterns[i] = (struct block_pattern){.word = UINT64_MAX, .mask = UINT64_MAX};
}

void block_sum_chunks(struct block *block)
{
    size_t size = (block->used - block->summed) / BLOCK_CHUNK * BLOCK_CHUNK;
    crc32c_chunks(frames_of(block) + block->summed, size, BLOCK_CHUNK,
                  block->scratch->sums + block->summed / BLOCK_CHUNK);
    block->summed += size;
}

/* ---- one frame, by all the rules ---- */

void block_note_span(struct block *block, size_t span)
{
    if (block->used == 0)
        block->uniform = (uint32_t)span;
    else if (block->uniform != span)
        block->uniform = 0;
    block->used += span;
    block->left -= (int64_t)span;
}

/* Place the tick in time: a trusted ts moves the running maximum and the bounds. */
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

/* Find the instrument's entry before anything else of the tick is noted: if there are too many
 * instruments, the block is full. */
static int entry_for(const struct block *block, const struct tdk_frame *frame)
{
    bool whole = frame->type <= TDK_TYPE_WIDE &&
                 tdk_dbn_check(frame->type, tdk_frame_payload(frame), frame->size);
    return directory_entry_of(block->scratch, whole ? load_u32(tdk_frame_payload(frame) + 4) : 0);
}

/* Was a clock set back, as far as one track can see it? Times that are not trusted say nothing
 * about clocks. */
static bool steps_back(const struct block *block, uint64_t ts)
{
    const struct track_state *state = block->state;
    return state->tell_steps && !state->step_told && state->last_ts <= block->trust_max &&
           state->last_ts >= NS_PER_S && ts <= state->last_ts - NS_PER_S;
}

enum block_stop block_take_tick(struct block *block, struct tdk_frame *frame, size_t span)
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
    block_note_span(block, span);
    block->scratch->ticks = ++block->head.count;
    state->next_seq++;
    state->last_ts = frame->ts;
    return BLOCK_TAKEN;
}

/* ---- frames of our own ---- */

/* Put a frame together at the tail. Its payload may lie there already. */
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
    bool taken = block_take_tick(block, frame, span) == BLOCK_TAKEN;
    if (block->used - block->summed >= PIECE_MAX)
        block_sum_chunks(block);
    return taken;
}

/* Add a control frame of any type. */
static bool add_control(struct block *block, uint8_t type, uint64_t ts, const void *payload,
                        uint32_t size)
{
    size_t span = tdk_frame_span(size);
    if (block->left < (int64_t)span)
        return false;
    compose(block, type, ts != 0 ? ts : block->state->last_ts, payload, size);
    block_note_span(block, span);
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
    size_t name_size = strnlen(name, TDK_NAME_MAX + 1);
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
    if (!add_control(block, TDK_TYPE_EPOCH, 0, epoch, sizeof *epoch))
        return false;
    block->head.flags |= BLOCK_BEGINS_EPOCH;
    return true;
}

/* A query for the time between the ticks on both sides of a loss must find its block. */
void block_note_loss(struct block *block, const struct tdk_loss *loss)
{
    struct block_head *head = &block->head;
    uint64_t known = block->state->running_max;
    if (known == 0 || loss->first_ts > known)
        return;
    head->min_ts = min_u64(head->min_ts, loss->first_ts);
    head->max_ts = max_u64(head->max_ts, min_u64(max_u64(loss->first_ts, loss->last_ts), known));
}

/* Between which times it lies. An odd stamp beside it does not say: it would put the loss where
 * nobody looks for it. What is lost came behind all that was trusted, and before now. */
static struct tdk_loss loss_in_time(const struct block *block, const struct tdk_loss *loss)
{
    struct tdk_loss told = *loss;
    if (told.last_ts > block->trust_max)
        told.last_ts = block->trust_max - TRUST_NS;
    if (told.first_ts > block->trust_max)
        told.first_ts = block->state->running_max != 0 ? block->state->running_max : told.last_ts;
    return told;
}

bool block_has_room_for_loss(const struct block *block, uint32_t size)
{
    const size_t need = tdk_frame_span(sizeof(struct tdk_loss)) +
                        tdk_frame_span(sizeof(struct tdk_clock_jump)) + tdk_frame_span(size) +
                        DIRECTORY_TICK_ROOM + DIRECTORY_ENTRY_ROOM;
    return block->left >= (int64_t)need && block->head.count < BLOCK_TICKS_MAX &&
           block->scratch->entries < BLOCK_ENTRIES_MAX;
}

bool block_add_loss(struct block *block, const struct tdk_loss *loss, uint64_t ts)
{
    struct track_state *state = block->state;
    assert(loss->first_seq == state->next_seq && loss->count >= 1);
    if (block->left < (int64_t)tdk_frame_span(sizeof *loss))
        return false;
    const struct tdk_loss told = loss_in_time(block, loss);
    state->next_seq += loss->count; /* the frame bears the seq of the tick behind it */
    state->after_loss = true;
    add_control(block, TDK_TYPE_LOSS, ts, &told, sizeof told);
    block->head.flags |= BLOCK_HAS_LOSS;
    block->head.lost += loss->count;
    block_note_loss(block, &told);
    return true;
}

/* ---- end ---- */

bool block_is_empty(const struct block *block)
{
    return block->used == 0;
}

/* Write the sums of all chunks, including the last, after the directory. Returns their size. */
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
