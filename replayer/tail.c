#include "replayer/tail.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "replayer/piece.h"
#include "tape/frame.h"

#define ROOM     (1u << 20)             /* bytes copied out of the ring at a time */
#define LOOK_NS  (50 * NS_PER_MS)       /* between two looks for the ring */
#define CHECK_NS (500 * NS_PER_MS)      /* between two checks that the ring still has its name */
#define TRUST_NS (24 * 3600 * NS_PER_S) /* a ts further ahead of the clock is not trusted */

void tail_init(struct tail *t, const struct track *track, struct tdk_tape *tape,
               const struct tdk_query *query)
{
    *t = (struct tail){.track = track, .tape = tape, .query = query};
}

static void lose_ring(struct tail *t)
{
    tdk_ring_detach(t->ring);
    t->ring = NULL;
    t->state = TAIL_LOST;
    t->size = t->at = 0;
    sift_close(&t->sift);
}

void tail_close(struct tail *t)
{
    lose_ring(t);
    scratch_close(&t->frames);
}

static struct tdk_frame *frame_at(const struct tail *t)
{
    return (struct tdk_frame *)(void *)(t->frames.bytes + t->at);
}

/* ---- the ring ---- */

static int is_ours(const char *name, void *context)
{
    struct tail *t = context;
    struct tdk_ring_info info;
    if (tdk_ring_stat(name, &info, NULL) < 0 ||
        memcmp(info.uuid, t->ring_uuid, sizeof info.uuid) != 0)
        return 0;
    memcpy(t->ring_name, info.name, sizeof t->ring_name);
    return 1;
}

static bool make_room(struct tail *t, uint32_t payload_max)
{
    return scratch_need(&t->frames, max_u64(tdk_frame_span(payload_max), ROOM));
}

static void find_ring(struct tail *t, const struct place *place)
{
    static const uint8_t none[16];
    memcpy(t->ring_uuid, place->ring_uuid, sizeof t->ring_uuid);
    if (memcmp(t->ring_uuid, none, sizeof none) == 0 || tdk_ring_list(is_ours, t, NULL) != 1 ||
        tdk_ring_attach(&t->ring, t->ring_name, TDK_RING_TAP, NULL) < 0)
        return;
    struct tdk_ring_info info;
    tdk_ring_info(t->ring, &info);
    t->state = TAIL_WAITING;
    if (memcmp(info.uuid, t->ring_uuid, sizeof info.uuid) != 0 || !make_room(t, info.payload_max)) {
        lose_ring(t);
        return;
    }
    tdk_ring_tap_unreleased(t->ring);
    t->ring_epoch = tdk_ring_epoch(t->ring);
}

/* Copy more frames, if all that were copied are done. Returns 1, 0, or an error. */
static int64_t fill(struct tail *t)
{
    uint64_t missed;
    if (t->at < t->size)
        return 1;
    t->at = t->size = 0;
    int64_t size = tdk_ring_tap(t->ring, t->frames.bytes, t->frames.room, &missed);
    if (size > 0)
        t->size = (size_t)size;
    return size < 0 ? size : size > 0;
}

/* ---- join ---- */

static bool is_epoch(const struct tdk_frame *frame)
{
    return frame->type == TDK_TYPE_EPOCH && frame->size >= sizeof(struct tdk_epoch);
}

static struct tdk_epoch epoch_of(const struct tdk_frame *frame)
{
    struct tdk_epoch epoch;
    memcpy(&epoch, tdk_frame_payload(frame), sizeof epoch);
    return epoch;
}

/* Has all that came before the first copied frame been delivered? */
static bool meets(struct tail *t, const struct place *place)
{
    const struct tdk_frame *first = frame_at(t);
    if (is_epoch(first)) {
        struct tdk_epoch told = epoch_of(first);
        if (told.previous == place->ring_epoch && told.previous_seq <= place->last_seq)
            t->ring_epoch = told.previous;
    }
    return t->ring_epoch == place->ring_epoch && first->seq <= place->last_seq + 1;
}

/* Nothing waits in the ring: is what was published last on the tape? */
static bool is_reached(const struct tail *t, const struct place *place)
{
    struct tdk_ring_info info;
    tdk_ring_info(t->ring, &info);
    return info.epoch == t->ring_epoch && t->ring_epoch == place->ring_epoch &&
           info.seq <= place->last_seq;
}

static bool go_live(struct tail *t, const struct place *place)
{
    sift_close(&t->sift);
    if (sift_open(&t->sift, t->tape, t->query, t->track->ref.name, place->epoch, NULL) < 0)
        return false;
    t->epoch = place->epoch;
    t->next_seq = place->last_seq + 1;
    t->running_max = place->block.span != 0 ? place->block.running_max : 0;
    t->last_ts = 0;
    t->after_loss = false;
    t->state = TAIL_LIVE;
    return true;
}

bool tail_join(struct tail *t, const struct place *place, uint64_t now_ns)
{
    if (t->state == TAIL_LOST) {
        if (place->epoch == 0 || (t->looked_ns != 0 && now_ns - t->looked_ns < LOOK_NS))
            return false;
        t->looked_ns = now_ns;
        find_ring(t, place);
        if (t->state == TAIL_LOST)
            return false;
    }
    int64_t rc = fill(t);
    bool joins = rc > 0 ? meets(t, place) : rc == 0 && is_reached(t, place);
    /* The tape is past the ring's epoch that we wait with, or has gone on with another ring. */
    bool behind = rc < 0 || t->ring_epoch < place->ring_epoch ||
                  memcmp(t->ring_uuid, place->ring_uuid, sizeof t->ring_uuid) != 0;
    if (joins)
        return go_live(t, place);
    if (behind)
        lose_ring(t);
    return false;
}

/* ---- frames ---- */

/* Go back to the tape, after what was delivered. */
static void leave(struct tail *t, struct place *place)
{
    if (place->epoch != t->epoch)
        place->block.span = 0;
    place->epoch = t->epoch;
    place->ring_epoch = t->ring_epoch;
    place->last_seq = t->next_seq - 1;
    lose_ring(t);
}

static bool tell_loss(struct tail *t, uint64_t last_seq, uint64_t next_ts, struct tdk_run *run)
{
    uint64_t first_ts = t->last_ts != 0 ? t->last_ts : next_ts;
    t->told.head = (struct tdk_frame){.size = sizeof t->told.loss,
                                      .track = t->track->ref.number,
                                      .type = TDK_TYPE_LOSS,
                                      .seq = last_seq + 1,
                                      .ts = next_ts != 0 ? next_ts : first_ts};
    t->told.loss = (struct tdk_loss){.first_seq = t->next_seq,
                                     .count = last_seq - t->next_seq + 1,
                                     .first_ts = first_ts,
                                     .last_ts = next_ts != 0 ? next_ts : first_ts,
                                     .reason = TDK_LOSS_RING_FULL};
    t->next_seq = last_seq + 1;
    t->after_loss = true;
    *run = (struct tdk_run){.frames = &t->told.head,
                            .size = sizeof t->told,
                            .epoch = t->epoch,
                            .track = t->track->ref.name,
                            .number = t->track->ref.number};
    return true;
}

/* Only the tape knows which ticks a symbol selects. So when symbols may change, go back to it. */
static bool may_rename(const struct tail *t, const struct tdk_frame *frame)
{
    if (!t->sift.select.by_symbol)
        return false;
    if (frame->type == TDK_TYPE_DBN && frame->size > 1) {
        uint8_t rtype = tdk_frame_payload(frame)[1];
        return rtype == TDK_RTYPE_DEFINITION || rtype == TDK_RTYPE_SYMBOL_MAPPING;
    }
    return frame->type == TDK_TYPE_SYMBOL || frame->type == TDK_TYPE_INFO ||
           frame->type == TDK_TYPE_EPOCH;
}

static void step(struct tail *t)
{
    t->at += tdk_frame_span(frame_at(t)->size);
}

/* A producer has come back. True: *run reports what the last one lost at its very end. */
static bool turn(struct tail *t, struct tdk_run *run)
{
    struct tdk_epoch told = epoch_of(frame_at(t));
    if (told.epoch == t->ring_epoch) {
        step(t);
        return false;
    }
    if (told.previous == t->ring_epoch && told.previous_seq >= t->next_seq)
        return tell_loss(t, told.previous_seq, 0, run);
    t->ring_epoch = t->epoch = told.epoch;
    t->next_seq = 1;
    t->running_max = t->last_ts = 0;
    t->after_loss = false;
    step(t);
    return false;
}

static bool is_trusted(uint64_t ts)
{
    return ts <= clock_wall() + TRUST_NS;
}

/* Judge a tick's flags as the recorder would on the tape. */
static void judge(struct tail *t, struct tdk_frame *tick)
{
    uint8_t flags = tick->flags & TDK_FLAG_SOURCE_SEQUENCE;
    if (t->after_loss)
        flags |= TDK_FLAG_AFTER_LOSS;
    if (tick->type <= TDK_TYPE_WIDE && !tdk_dbn_check(tick->type, tick + 1, tick->size))
        flags |= TDK_FLAG_INVALID;
    if (tick->ts < t->running_max)
        flags |= TDK_FLAG_CLOCK_BACK;
    else if (is_trusted(tick->ts))
        t->running_max = tick->ts;
    else
        flags |= TDK_FLAG_TS_UNTRUSTED;
    tick->flags = flags;
    tick->track = t->track->ref.number;
    t->after_loss = false;
    t->last_ts = tick->ts;
    t->next_seq = tick->seq + 1;
}

static bool is_about_ticks(const struct tdk_frame *frame)
{
    return frame->type == TDK_TYPE_SYMBOL || frame->type == TDK_TYPE_INFO ||
           frame->type == TDK_TYPE_MARK || frame->type == TDK_TYPE_CLOCK;
}

/* The current frame belongs to the run; is passed over; or ends the run before it. */
enum verdict { TAKE, PASS, STOP };

static enum verdict look(struct tail *t)
{
    struct tdk_frame *frame = frame_at(t);
    if (is_epoch(frame) || may_rename(t, frame))
        return STOP;
    if (is_about_ticks(frame)) {
        frame->track = t->track->ref.number;
        return frame->seq < t->next_seq ? PASS : TAKE;
    }
    if (!tdk_frame_is_tick(frame) || frame->seq < t->next_seq)
        return PASS;
    if (frame->seq > t->next_seq)
        return STOP;
    judge(t, frame);
    return sift_passes(&t->sift, frame) ? TAKE : PASS;
}

bool tail_peek(struct tail *t, struct place *place, uint64_t *ts, uint64_t now_ns)
{
    int64_t rc = fill(t);
    if (rc > 0) {
        *ts = frame_merge_ts(frame_at(t));
        t->looked_ns = now_ns;
        return true;
    }
    if (rc == 0 && now_ns - t->looked_ns >= CHECK_NS) {
        struct tdk_ring_info info;
        t->looked_ns = now_ns;
        if (tdk_ring_stat(t->ring_name, &info, NULL) < 0 ||
            memcmp(info.uuid, t->ring_uuid, sizeof info.uuid) != 0)
            rc = TDK_ENORING;
    }
    if (rc < 0)
        leave(t, place);
    return false;
}

/* Handle a frame that is not a plain tick in sequence. True: *run reports a loss before it. */
static bool pass_border(struct tail *t, struct place *place, struct tdk_run *run)
{
    const struct tdk_frame *frame = frame_at(t);
    if (may_rename(t, frame)) {
        leave(t, place);
        return false;
    }
    if (is_epoch(frame))
        return turn(t, run);
    return tell_loss(t, frame->seq - 1, frame->ts, run);
}

bool tail_take(struct tail *t, struct place *place, uint64_t horizon, uint64_t ticks,
               struct tdk_run *run)
{
    *run = (struct tdk_run){.track = t->track->ref.name, .number = t->track->ref.number};
    while (t->at < t->size && run->ticks < ticks) {
        const struct tdk_frame *frame = frame_at(t);
        if (run->size > 0 && frame_merge_ts(frame) > horizon)
            break;
        enum verdict verdict = look(t);
        if (verdict == STOP) {
            if (run->size > 0)
                break;
            if (pass_border(t, place, run))
                return true;
            continue;
        }
        if (verdict == TAKE && run->size == 0) {
            run->frames = frame;
            run->epoch = t->epoch;
        }
        if (verdict == TAKE) {
            run->size += tdk_frame_span(frame->size);
            run->ticks += tdk_frame_is_tick(frame) ? 1 : 0;
        }
        step(t);
        if (verdict == PASS && run->size > 0)
            break;
    }
    return run->size > 0;
}
