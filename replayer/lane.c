#include "replayer/lane.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "replayer/recorded.h"
#include "shm/producer.h"

/* Large enough for copies to run at memory's speed. Small enough to stay in the cache between the
 * walk over the heads and the copy. */
#define PIECE_MAX (64u << 10)
#define SLICE_NS  (20 * NS_PER_MS)

int lane_open(struct lane *lane, const char *name, uint64_t create_size, bool digest,
              struct tdk_err *err)
{
    *lane = (struct lane){0};
    int rc = recorded_check(name, err);
    if (rc < 0)
        return rc;
    if (create_size > 0) {
        struct tdk_ring_options options = {.capacity = create_size};
        rc = tdk_ring_create(name, &options, err);
        if (rc < 0 && rc != -EEXIST)
            return rc;
    }
    rc = tdk_ring_attach(&lane->ring, name, TDK_RING_PRODUCER, err);
    if (rc < 0)
        return rc;
    tdk_ring_set_clock(lane->ring, TDK_CLOCK_FILE);
    struct tdk_ring_info info;
    tdk_ring_info(lane->ring, &info);
    snprintf(lane->name, sizeof lane->name, "%s", name);
    lane->payload_max = info.payload_max;
    /* An eighth of the ring, because the consumer gives room back in steps of that size. */
    lane->piece_max = PIECE_MAX;
    if (lane->piece_max > info.capacity / 8)
        lane->piece_max = info.capacity / 8;
    if (lane->piece_max > tdk_frame_span(info.payload_max))
        lane->piece_max = tdk_frame_span(info.payload_max);
    if (digest && tdk_digest_open(&lane->digest) < 0) {
        lane_close(lane);
        return err_set(err, -ENOMEM, "digest of ring %s", name);
    }
    return 0;
}

void lane_close(struct lane *lane)
{
    tdk_ring_detach(lane->ring);
    lane->ring = NULL;
    tdk_digest_close(lane->digest);
    lane->digest = NULL;
}

bool lane_warm(struct lane *lane, size_t size)
{
    return tdk_ring_warm(lane->ring, size);
}

static uint64_t consumed_bytes(const struct lane *lane)
{
    struct tdk_ring_info info;
    tdk_ring_info(lane->ring, &info);
    return info.consumed_bytes;
}

int lane_check(const struct lane *lane, struct tdk_err *err)
{
    const char *broken = tdk_ring_hostile(lane->ring);
    return broken == NULL
               ? 0
               : err_say(err, TDK_EHOSTILE, "ring %s: a process that shares it broke its rules: %s",
                         lane->name, broken);
}

/* May a wait go on in which the consumer has taken nothing for `quiet_ns`? */
static int check_wait(const struct lane *lane, const struct lane_patience *patience,
                      uint64_t quiet_ns, struct tdk_err *err)
{
    int rc = lane_check(lane, err);
    if (rc < 0)
        return rc;
    if (quiet_ns >= patience->stall_ns)
        return err_say(err, TDK_ESTALLED, "ring %s: consumer stalled: nothing was taken for %.3g s",
                       lane->name, (double)quiet_ns / (double)NS_PER_S);
    if (patience->stopped != NULL && patience->stopped(patience->context))
        return err_say(err, -ECANCELED, "ring %s: stopped while it was full", lane->name);
    return 0;
}

/* Wait until a payload of `size` fits. The time of a stall starts anew whenever the consumer takes
 * something, even if that is not enough. */
static int wait_for_room(struct lane *lane, uint32_t size, struct lane_patience *patience,
                         struct tdk_err *err)
{
    uint64_t begin = clock_mono(), moved = begin;
    uint64_t consumed = consumed_bytes(lane);
    uint64_t slice = SLICE_NS < patience->stall_ns ? SLICE_NS : patience->stall_ns;
    int rc = lane_check(lane, err);
    patience->stalls++;
    while (rc == 0 && !tdk_ring_wait_room(lane->ring, size, slice)) {
        uint64_t consumed_now = consumed_bytes(lane);
        uint64_t now = clock_mono();
        if (consumed_now != consumed)
            moved = now;
        consumed = consumed_now;
        rc = check_wait(lane, patience, now - moved, err);
    }
    patience->waited_ns += clock_mono() - begin;
    return rc;
}

void *lane_try(struct lane *lane, size_t bytes)
{
    assert(bytes >= sizeof(struct tdk_frame) && bytes % 8 == 0);
    if (bytes > tdk_frame_span(lane->payload_max) || tdk_ring_hostile(lane->ring) != NULL)
        return NULL;
    return tdk_ring_claim_run(lane->ring, bytes);
}

int lane_claim(struct lane *lane, size_t bytes, void **room, struct lane_patience *patience,
               struct tdk_err *err)
{
    if (bytes > tdk_frame_span(lane->payload_max))
        return err_say(err, TDK_EFULL,
                       "ring %s takes payloads of up to %u bytes, and one has about %zu: play into "
                       "a larger ring",
                       lane->name, lane->payload_max, bytes - sizeof(struct tdk_frame));
    for (;;) {
        *room = lane_try(lane, bytes);
        if (*room != NULL)
            return 0;
        int rc = wait_for_room(lane, (uint32_t)(bytes - sizeof(struct tdk_frame)), patience, err);
        if (rc < 0)
            return rc;
    }
}

void lane_copy(struct lane *lane, void *room, const void *frames, size_t bytes)
{
    producer_copy(lane->ring, room, frames, bytes);
}

void lane_shrink(struct lane *lane, size_t bytes)
{
    tdk_ring_shrink_run(lane->ring, bytes);
}

void lane_publish(struct lane *lane)
{
    tdk_ring_publish(lane->ring);
    producer_tell_played(lane->ring, lane->put);
}

int lane_fill(struct lane *lane, uint64_t *fill, struct tdk_err *err)
{
    *fill = producer_fill(lane->ring);
    return lane_check(lane, err);
}

int lane_control(struct lane *lane, const struct tdk_frame *head, const void *head_bytes,
                 size_t head_size, const void *body, size_t body_size,
                 struct lane_patience *patience, struct tdk_err *err)
{
    uint32_t size = (uint32_t)(head_size + body_size);
    size_t span = tdk_frame_span(size);
    void *room = NULL;
    int rc = lane_claim(lane, span, &room, patience, err);
    if (rc < 0)
        return rc;
    assert(room != NULL);
    struct tdk_frame *frame = room;
    unsigned char *payload = (unsigned char *)(frame + 1);
    memset((unsigned char *)room + span - 8, 0, 8); /* the padding */
    *frame = *head;
    frame->size = size;
    memcpy(payload, head_bytes, head_size);
    if (body_size > 0)
        memcpy(payload + head_size, body, body_size);
    return 0;
}
