/* block_keep.c - put frames that are on a tape already into another block. Nothing about them is
 * computed anew. */
#include "tape/block_inner.h"
#include "tape/frame.h"

static void keep_time(struct block *block, const struct tdk_frame *frame)
{
    struct block_head *head = &block->head;
    struct track_state *state = block->state;
    if ((frame->flags & TDK_FLAG_TS_UNTRUSTED) != 0) {
        head->odd++;
        head->odd_min = min_u64(head->odd_min, frame->ts);
        head->odd_max = max_u64(head->odd_max, frame->ts);
        return;
    }
    head->min_ts = min_u64(head->min_ts, frame->ts);
    head->max_ts = max_u64(head->max_ts, frame->ts);
    if (frame->ts >= state->running_max)
        state->running_max = frame->ts;
    else
        head->step_back = max_u64(head->step_back, state->running_max - frame->ts);
}

static void keep_record(struct block *block, const struct tdk_frame *frame)
{
    int rtype = frame_rtype(frame);
    block->head.invalid += (frame->flags & TDK_FLAG_INVALID) != 0;
    if (frame->type == TDK_TYPE_DBN &&
        (rtype == TDK_RTYPE_SYMBOL_MAPPING || rtype == TDK_RTYPE_DEFINITION))
        block->head.flags |= BLOCK_HAS_SYMBOLS;
}

static bool keep_tick(struct block *block, const struct tdk_frame *frame, size_t span)
{
    if (block->left < (int64_t)span + DIRECTORY_TICK_ROOM + DIRECTORY_ENTRY_ROOM ||
        block->head.count == BLOCK_TICKS_MAX)
        return false;
    uint32_t entries = block->scratch->entries;
    int entry = directory_entry_of(block->scratch, frame_instrument(frame));
    if (entry < 0)
        return false;
    assert(frame->seq == block->state->next_seq);
    block->left -= DIRECTORY_TICK_ROOM;
    if (block->scratch->entries != entries)
        block->left -= DIRECTORY_ENTRY_ROOM;
    memcpy(tail_of(block), frame, span);
    keep_time(block, frame);
    keep_record(block, frame);
    uint64_t event = frame_event_ts(frame);
    block->head.min_event = min_u64(block->head.min_event, event);
    block->head.max_event = max_u64(block->head.max_event, event);
    directory_note(block->scratch, block->head.count, (unsigned)entry, block->used);
    block_note_span(block, span);
    block->scratch->ticks = ++block->head.count;
    block->state->next_seq++;
    block->state->last_ts = frame->ts;
    return true;
}

static void keep_loss(struct block *block, const struct tdk_frame *frame)
{
    struct tdk_loss loss;
    memcpy(&loss, tdk_frame_payload(frame), sizeof loss);
    assert(loss.first_seq == block->state->next_seq);
    block->state->next_seq += loss.count;
    block->head.flags |= BLOCK_HAS_LOSS;
    block->head.lost += loss.count;
    block_note_loss(block, &loss);
}

static bool keep_control(struct block *block, const struct tdk_frame *frame, size_t span)
{
    if (block->left < (int64_t)span)
        return false;
    memcpy(tail_of(block), frame, span);
    block_note_span(block, span);
    block->uniform = 0;
    block->head.controls++;
    block->head.flags |= BLOCK_HAS_CONTROL;
    if (frame->type == TDK_TYPE_SYMBOL || frame->type == TDK_TYPE_INFO)
        block->head.flags |= BLOCK_HAS_SYMBOLS;
    if (frame->type == TDK_TYPE_EPOCH)
        block->head.flags |= BLOCK_BEGINS_EPOCH;
    if (frame->type == TDK_TYPE_LOSS)
        keep_loss(block, frame);
    return true;
}

bool block_keep(struct block *block, const struct tdk_frame *frame)
{
    size_t span = tdk_frame_span(frame->size);
    bool kept = tdk_type_is_control(frame->type) ? keep_control(block, frame, span)
                                                 : keep_tick(block, frame, span);
    if (block->used - block->summed >= PIECE_MAX)
        block_sum_chunks(block);
    return kept;
}
