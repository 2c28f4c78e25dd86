#include "tests/support/reel.h"

#include "tests/support/check.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tape/files.h"

void reel_open(struct reel *reel, const char *path)
{
    struct tdk_err err;
    memset(reel, 0, sizeof *reel);
    if (folder_hold(&reel->folder, path, true, &err) < 0 ||
        segment_create(&reel->writer, &reel->folder, 1, SEGMENT_OPEN, 1 << 20, &err) < 0)
        fail_msg("%s", err.text);
    reel->scratch = malloc(sizeof *reel->scratch);
    reel->buffer = aligned_alloc(TAPE_ALIGN, REEL_ROOM);
    assert_true(reel->scratch != NULL && reel->buffer != NULL);
    block_scratch_init(reel->scratch);
    reel->offset = SEGMENT_FIRST_OFFSET;
}

void reel_close(struct reel *reel)
{
    segment_writer_close(reel->writer);
    folder_close(&reel->folder);
    free(reel->scratch);
    free(reel->buffer);
}

void reel_begin(struct reel *reel, uint16_t track, const char *name, uint64_t epoch)
{
    struct track_state *state = &reel->states[track];
    bool first = state->track == 0, fresh = state->epoch != epoch;
    if (fresh)
        *state = (struct track_state){
            .track = track, .payload_max = TDK_PAYLOAD_DEFAULT_MAX, .epoch = epoch, .next_seq = 1};
    block_begin(&reel->block, reel->buffer, REEL_ROOM, reel->scratch, state, clock_wall());
    const struct tdk_epoch frame = {.epoch = epoch};
    if (first)
        assert_true(block_add_track(&reel->block, name, TDK_KIND_OPAQUE));
    if (fresh)
        assert_true(block_add_epoch(&reel->block, &frame));
}

void reel_tick(struct reel *reel, uint64_t ts)
{
    assert_true(block_add_tick(&reel->block, TDK_TYPE_OPAQUE, 0, ts, &ts, sizeof ts));
}

void reel_loss(struct reel *reel, uint64_t count, uint64_t first_ts, uint64_t last_ts, uint64_t ts)
{
    const struct tdk_loss loss = {.first_seq = reel->block.state->next_seq,
                                  .count = count,
                                  .first_ts = first_ts,
                                  .last_ts = last_ts,
                                  .reason = TDK_LOSS_RING_FULL};
    assert_true(block_add_loss(&reel->block, &loss, ts));
}

static void write_block(struct reel *reel, size_t size, uint8_t flags)
{
    size_t span = align_up(size, TAPE_ALIGN);
    assert_true(span <= REEL_ROOM);
    memset(reel->buffer + size, 0, span - size);
    struct block_place place = {.segment = 1,
                                .block = reel->blocks++,
                                .span = (uint32_t)span,
                                .synced_upto = reel->offset, /* so no part is a torn tail */
                                .written_ns = clock_wall(),
                                .flags = flags};
    memcpy(place.tape_id, reel->folder.tape_id, sizeof place.tape_id);
    block_finish(reel->buffer, &place);
    assert_int_equal(files_write(reel->writer->fd, reel->buffer, span, reel->offset), 0);
    reel->offset += span;
}

void reel_write(struct reel *reel)
{
    write_block(reel, block_seal(&reel->block), 0);
}

void reel_write_again(struct reel *reel)
{
    const struct block_head *head = (const void *)reel->buffer;
    write_block(reel, sizeof *head + head->stored_size, BLOCK_REWRITTEN);
}

void reel_write_a_loss(struct reel *reel)
{
    reel_begin(reel, 1, "t", 77);
    reel_tick(reel, 100);
    reel_tick(reel, 101);
    reel_tick(reel, 102);
    reel_write(reel);
    reel_begin(reel, 1, "t", 77);
    reel_loss(reel, 5, 102, 200, 200);
    reel_tick(reel, 200);
    reel_tick(reel, 201);
    reel_write(reel);
}
