/* bench_drain.c - takes ticks out of a ring and into blocks that are thrown away. */
#include "cli/bench_drain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffers.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/crc32c_inner.h"
#include "base/err.h"
#include "cli/attach.h"
#include "tape/block.h"
#include "tapedeck/ring.h"

#define STEP_SIZE  ((size_t)64 << 10)
#define BLOCK_ROOM ((size_t)1 << 20) /* a recorder's default --block-size */

struct drain {
    struct tdk_ring *in, *out; /* ends of one ring: the producer's, and ours */
    struct block_scratch *scratch;
    unsigned char *bytes;
    struct track_state state;
    struct block block;
    bool begun;
    uint64_t elapsed_ns;
};

static void begin(struct drain *d)
{
    block_begin(&d->block, d->bytes, BLOCK_ROOM, d->scratch, &d->state, clock_wall());
    d->begun = true;
}

static void end(struct drain *d)
{
    size_t size = block_seal(&d->block);
    struct block_place place = {.segment = 1, .span = (uint32_t)size, .written_ns = 1};
    block_finish(d->bytes, &place);
    d->begun = false;
}

/* Empty the ring. False: something in it is not what was put there. */
static bool take_all(struct drain *d)
{
    const unsigned char *run;
    size_t size, taken;
    while ((run = tdk_ring_peek(d->out, &size)) != NULL && size > 0) {
        if (!d->begun)
            begin(d);
        enum block_stop stop = block_add_run(&d->block, run, size, &taken);
        if (stop == BLOCK_CONTROL) /* from the ring itself: its epoch begins */
            taken += tdk_frame_span(d->block.stopped_at->size);
        else if (stop == BLOCK_FULL)
            end(d);
        else if (stop != BLOCK_TAKEN)
            return false;
        tdk_ring_skip(d->out, taken);
    }
    tdk_ring_release(d->out);
    return true;
}

static int drain_all(struct drain *d, const struct bench_feeds *feeds, struct tdk_err *err)
{
    uint64_t step = STEP_SIZE / tdk_frame_span(feeds->size);
    bool right = true;
    for (uint64_t i = 0; right && i < feeds->count; i += step) {
        uint64_t count = feeds->count - i < step ? feeds->count - i : step;
        if (!bench_feeds_publish(d->in, feeds, i, count))
            return err_set(err, -ECANCELED, "publish into a ring");
        uint64_t begin_ns = clock_mono();
        right = take_all(d);
        d->elapsed_ns += clock_mono() - begin_ns;
    }
    if (!right || d->state.next_seq != feeds->count + 1)
        return err_say(err, TDK_EHOLE, "%" PRIu64 " of %" PRIu64 " ticks were drained",
                       d->state.next_seq - 1, feeds->count);
    return 0;
}

/* Check the current block as a reader of a tape would. */
static int check_last(struct drain *d, const struct bench_feeds *feeds, struct tdk_err *err)
{
    struct block_view view;
    if (!d->begun)
        return 0;
    end(d);
    size_t size = ((const struct block_head *)(const void *)d->bytes)->span;
    int rc = block_check(d->bytes, size, &view, err);
    const unsigned char *at = rc == 0 ? view.frames : NULL;
    for (; at != NULL && at < view.frames + view.head->frames_size;) {
        const struct tdk_frame *frame = (const void *)at;
        if (!tdk_type_is_control(frame->type) && !bench_feeds_made(feeds, frame))
            return err_say(err, TDK_ECORRUPT, "tick %" PRIu64 " is not what was published",
                           frame->seq);
        at += tdk_frame_span(frame->size);
    }
    return rc;
}

static int drain_open(struct drain *d, struct tdk_err *err)
{
    char name[32];
    bench_feed_name(name, 0);
    int rc = tdk_ring_attach(&d->in, name, TDK_RING_PRODUCER, err);
    if (rc == 0)
        rc = tdk_ring_attach(&d->out, name, TDK_RING_CONSUMER, err);
    if (rc < 0)
        return rc;
    attach_warm(d->in);
    attach_warm(d->out);
    d->scratch = malloc(sizeof *d->scratch);
    d->bytes = buffers_map(BLOCK_ROOM);
    if (d->scratch == NULL || d->bytes == NULL)
        return err_set(err, -ENOMEM, "a block");
    block_scratch_init(d->scratch);
    d->state = (struct track_state){
        .track = 1, .epoch = 1, .next_seq = 1, .payload_max = TDK_PAYLOAD_HARD_MAX};
    return 0;
}

int bench_drain(const struct bench_feeds *feeds, uint64_t *elapsed_ns, struct tdk_err *err)
{
    struct drain d = {.in = NULL};
    int rc = drain_open(&d, err);
    if (rc == 0)
        rc = drain_all(&d, feeds, err);
    if (rc == 0)
        rc = check_last(&d, feeds, err);
    *elapsed_ns = d.elapsed_ns;
    tdk_ring_detach(d.out);
    tdk_ring_detach(d.in);
    buffers_unmap(d.bytes, BLOCK_ROOM);
    free(d.scratch);
    return rc;
}

/* ---- the least of it ---- */

void bench_sum_chunks(const void *bytes, size_t size)
{
    uint32_t sums[STEP_SIZE / BLOCK_CHUNK];
    crc32c_chunks(bytes, size, BLOCK_CHUNK, sums);
}

void bench_sum_three_ways(const void *bytes, size_t size)
{
    crc32c_instruction(0, bytes, size);
}

int bench_copy_alone(uint64_t bytes, bench_sum *sum, uint64_t *elapsed_ns, struct tdk_err *err)
{
    unsigned char *memory = buffers_map(BLOCK_ROOM + STEP_SIZE), *from = memory + BLOCK_ROOM;
    if (memory == NULL)
        return err_set(err, -ENOMEM, "a block");
    memset(from, 0x5a, STEP_SIZE);
    *elapsed_ns = 0;
    for (uint64_t at = 0; at < bytes; at += STEP_SIZE) {
        unsigned char *to = memory + at % BLOCK_ROOM;
        store_u64(from, at);
        uint64_t begin_ns = clock_mono();
        memcpy(to, from, STEP_SIZE);
        sum(to, STEP_SIZE);
        *elapsed_ns += clock_mono() - begin_ns;
    }
    buffers_unmap(memory, BLOCK_ROOM + STEP_SIZE);
    return 0;
}
