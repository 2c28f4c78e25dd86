#include "recorder/fill.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "recorder/filler.h"

#define LEFTOVER 8     /* less than this part of a write is not worth another block */
#define AHEAD    4096u /* frames in which a time that is trusted is looked for */

/* ---- epochs ---- */

static void epoch_frame(const struct inlet *s, const struct tdk_epoch *told, uint64_t previous,
                        uint64_t previous_seq, struct tdk_epoch *frame)
{
    memset(frame, 0, sizeof *frame);
    if (told != NULL) {
        frame->pid = told->pid;
        frame->clock = told->clock;
        memcpy(frame->boot_id, told->boot_id, sizeof frame->boot_id);
    }
    frame->epoch = s->sequence.epoch;
    frame->ring_epoch = s->sequence.ring_epoch;
    frame->previous = previous;
    frame->previous_seq = previous_seq;
    memcpy(frame->ring_uuid, s->uuid, sizeof frame->ring_uuid);
}

static bool has_room_for_epoch(struct filler *f)
{
    f->need = block_room_for(sizeof(struct tdk_epoch));
    return filler_room(f) >= f->need;
}

/* The tape begins an epoch, in a block of its own that continues with the ticks. `told` is its
 * EPOCH frame. NULL: a recorder before us has taken that. */
static enum fill_step epoch_begin(struct filler *f, struct inlet *s, const struct tdk_epoch *told,
                                  uint64_t first_seq)
{
    struct tdk_epoch frame;
    filler_end(f);
    if (!has_room_for_epoch(f))
        return STEP_FULL;
    uint64_t previous = s->sequence.last_epoch;
    uint64_t previous_seq = s->at.epoch == previous && previous != 0 ? s->at.next_seq - 1 : 0;
    sequence_begin(&s->sequence);
    s->at.epoch = s->sequence.epoch;
    s->at.next_seq = first_seq;
    s->at.after_loss = false;
    s->at.running_max = 0;
    s->at.last_ts = 0;
    s->counts.lost = 0;
    epoch_frame(s, told, previous, previous_seq, &frame);
    enum fill_step step = filler_need(f, s, sizeof frame);
    if (step != STEP_ON)
        return step;
    f->content = block_add_epoch(&f->block, &frame);
    assert(f->content);
    f->begins = true;
    sequence_take(&s->sequence, first_seq);
    log_info("ring %s track=%s epoch=%llu pid=%u", s->asked->name, s->track,
             (unsigned long long)s->sequence.epoch, told != NULL ? told->pid : 0);
    return STEP_ON;
}

/* ---- losses ---- */

/* Does the loss begin where the tape ended when we started, and was that not the tape's end? */
static bool was_recorded(const struct inlet *s)
{
    return s->ledger->tape->lost_end && s->sequence.passing && s->counts.ticks == 0 &&
           s->counts.lost_total == 0;
}

/* Has the ring refused as many? Of an epoch before its last one only the sum of all is known. */
static bool is_admitted(const struct inlet *s, uint64_t count)
{
    struct tdk_ring_info info;
    tdk_ring_info(s->ring, &info);
    uint64_t refused = info.epoch == s->sequence.ring_epoch ? info.lost : info.lost_total;
    return refused >= s->counts.lost + count;
}

static uint32_t loss_reason(const struct inlet *s, uint64_t count)
{
    if (s->state == RING_QUARANTINED)
        return TDK_LOSS_QUARANTINE;
    if (s->is_starved)
        return TDK_LOSS_NO_SPACE;
    if (was_recorded(s))
        return TDK_LOSS_DAMAGE;
    return is_admitted(s, count) ? TDK_LOSS_RING_FULL : TDK_LOSS_UNKNOWN;
}

/* The time of the first tick of the run that is trusted: what was lost before the run came before
 * that. Their memory may change, so a copy of each head is looked at. Else the first tick's, as it
 * is. */
static uint64_t time_ahead(const struct filler *f, const struct inlet *s, const unsigned char *run,
                           size_t size, uint64_t first_ts)
{
    struct tdk_frame head;
    size_t at = 0;
    for (unsigned i = 0; i < AHEAD && size - at >= sizeof head; i++) {
        memcpy(&head, run + at, sizeof head);
        if (head.size > s->at.payload_max || tdk_frame_span(head.size) > size - at)
            break;
        if (tdk_frame_is_tick(&head) && head.ts <= f->block.trust_max)
            return head.ts;
        at += tdk_frame_span(head.size);
    }
    return first_ts;
}

/* `next_ts`: of the tick after it; 0: none has come. `until_ts`: when it was over. */
static bool loss_add(struct filler *f, struct inlet *s, uint64_t count, uint64_t next_ts,
                     uint64_t until_ts)
{
    /* The tick before the loss may have been recorded by an earlier recorder. */
    const uint64_t before = s->at.last_ts != 0 ? s->at.last_ts : s->at.running_max;
    struct tdk_loss loss = {
        .first_seq = s->sequence.next_seq,
        .count = count,
        .first_ts = before != 0 ? before : until_ts,
        .last_ts = until_ts != 0 ? until_ts : before,
        .reason = loss_reason(s, count),
    };
    if (!block_add_loss(&f->block, &loss, next_ts))
        return false;
    if (loss.reason == TDK_LOSS_RING_FULL)
        s->high_water = s->capacity; /* even if the ring was never looked at while it was full */
    f->content = true;
    sequence_take(&s->sequence, s->at.next_seq);
    s->counts.lost += count;
    s->counts.lost_total += count;
    return true;
}

/* A LOSS frame and the tick after it go into one block. Otherwise a recorder that is killed between
 * two blocks would record the loss again. */
static enum fill_step loss_before(struct filler *f, struct inlet *s, const unsigned char *run,
                                  size_t size, const struct tdk_frame *head, uint64_t count)
{
    if (f->inlet == s && !block_has_room_for_loss(&f->block, head->size))
        filler_end(f);
    enum fill_step step = filler_need(f, s, head->size);
    if (step == STEP_ON &&
        !loss_add(f, s, count, head->ts, time_ahead(f, s, run, size, head->ts))) {
        filler_end(f);
        f->need = block_room_for(head->size);
        return STEP_FULL;
    }
    return step;
}

/* The loss has a block of its own, so that the block's head says how far its epoch is covered. */
static enum fill_step loss_at_end(struct filler *f, struct inlet *s, uint64_t count)
{
    filler_end(f);
    enum fill_step step = filler_need(f, s, sizeof(struct tdk_loss));
    if (step != STEP_ON)
        return step;
    bool fits = loss_add(f, s, count, 0, 0);
    assert(fits); /* block_room_for() includes it */
    (void)fits;
    filler_end(f);
    return STEP_ON;
}

/* ---- a ring whose memory goes away while it is read ---- */

/* The ring's file was cut under us. What was copied last may be zeros where a payload was. So the
 * whole block is dropped, and its ticks are recorded as lost. Returns true if that happened. */
static bool is_torn(struct filler *f, struct inlet *s)
{
    const char *hostile = tdk_ring_hostile(s->ring);
    if (hostile == NULL)
        return false;
    uint64_t upto = s->at.next_seq;
    bool begun = f->begins;
    filler_drop(f);
    inlet_quarantine(s, hostile);
    uint64_t count = upto - s->at.next_seq;
    if (!begun && count != 0) {
        sequence_take(&s->sequence, s->at.next_seq);
        loss_at_end(f, s, count);
    }
    return true;
}

/* ---- control frames from the ring ---- */

/* If we were attached right at this EPOCH frame: it says what the epoch before it lost at its end,
 * and perhaps nobody has recorded that yet. */
static void look_back(struct inlet *s, const struct tdk_epoch *told)
{
    struct sequence_known known;
    if (tdk_ring_position(s->ring) != s->attached_at || s->sequence.ring_epoch != told->epoch)
        return;
    inlet_known(s, told->previous, &known);
    sequence_attach(&s->sequence, told->previous, &known);
    inlet_resume(s);
}

static enum fill_step turn(struct filler *f, struct inlet *s, const struct tdk_frame *head,
                           const unsigned char *payload)
{
    struct tdk_epoch told;
    uint64_t lost = 0;
    if (head->size < sizeof told) {
        inlet_quarantine(s, "an EPOCH frame in it is too short");
        return STEP_DRY;
    }
    memcpy(&told, payload, sizeof told);
    look_back(s, &told);
    enum sequence_verdict verdict = sequence_turn(&s->sequence, &told, &lost);
    if (verdict == SEQUENCE_WRONG) {
        inlet_quarantine(s, "an EPOCH frame in it goes back");
        return STEP_DRY;
    }
    if (verdict == SEQUENCE_HOLE) {
        enum fill_step step = STEP_ON;
        if (s->sequence.stale)
            step = epoch_begin(f, s, NULL, s->sequence.next_seq);
        if (step == STEP_ON)
            step = loss_at_end(f, s, lost);
        if (step != STEP_ON)
            return step;
    }
    struct sequence_known known;
    inlet_known(s, told.epoch, &known);
    if (known.epoch == 0) {
        filler_end(f);
        if (!has_room_for_epoch(f))
            return STEP_FULL;
    }
    sequence_turned(&s->sequence, told.epoch, &known);
    if (known.epoch == 0)
        return epoch_begin(f, s, &told, 1);
    filler_end(f);
    inlet_resume(s);
    return STEP_ON;
}

/* Is it on the tape already? A control frame has the seq of the tick after it. Right at the border
 * it may come twice, which its kinds allow. But an epoch is not begun for that. */
static bool control_is_known(const struct inlet *s, const struct tdk_frame *head)
{
    const struct sequence *q = &s->sequence;
    return q->stale ? head->seq <= q->next_seq : q->passing && head->seq < q->next_seq;
}

/* Add it to the current block, or to the next one. */
static enum fill_step control_add(struct filler *f, struct inlet *s, const struct tdk_frame *head,
                                  const unsigned char *payload)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        enum fill_step step = filler_need(f, s, head->size);
        if (step != STEP_ON)
            return step;
        bool added = block_add_control(&f->block, head->type, head->ts, payload, head->size);
        if (is_torn(f, s))
            return STEP_DRY;
        if (added) {
            f->content = true;
            return STEP_ON;
        }
        filler_end(f);
    }
    f->need = block_room_for(head->size);
    return STEP_FULL;
}

static enum fill_step control(struct filler *f, struct inlet *s, const struct tdk_frame *head,
                              const unsigned char *payload)
{
    switch (head->type) {
    case TDK_TYPE_EPOCH:
        return turn(f, s, head, payload);
    case TDK_TYPE_INFO:
    case TDK_TYPE_SYMBOL:
    case TDK_TYPE_MARK:
    case TDK_TYPE_CLOCK:
        break;
    case TDK_TYPE_TRACK:
    case TDK_TYPE_JOIN:
    case TDK_TYPE_END:
        inlet_quarantine(s, "it is the ring of a replay, not of a producer");
        return STEP_DRY;
    default:
        return STEP_ON; /* not meant for a tape */
    }
    if (control_is_known(s, head))
        return STEP_ON;
    if (s->sequence.ring_epoch == 0) {
        inlet_quarantine(s, "it has frames before any EPOCH frame");
        return STEP_DRY;
    }
    enum fill_step step = STEP_ON;
    if (s->sequence.stale)
        step = epoch_begin(f, s, NULL, s->sequence.next_seq);
    else if (s->sequence.epoch == 0)
        step = epoch_begin(f, s, NULL, head->seq != 0 ? head->seq : 1);
    return step == STEP_ON ? control_add(f, s, head, payload) : step;
}

/* ---- ticks ---- */

/* The producer's clock was set back before the next tick. The CLOCK frame is in the same block. */
static enum fill_step step_add(struct filler *f, struct inlet *s, const struct tdk_frame *head)
{
    struct tdk_clock_jump jump = {.old_ts = s->at.last_ts, .new_ts = head->ts};
    if (block_add_control(&f->block, TDK_TYPE_CLOCK, head->ts, &jump, sizeof jump)) {
        s->at.step_told = true;
        f->content = true;
    } else {
        filler_end(f);
    }
    return STEP_ON;
}

/* Add a run of ticks that follow each other. The memory may change under us, so block_add_run()
 * judges its own copy. */
static enum fill_step run_add(struct filler *f, struct inlet *s, const unsigned char *run,
                              size_t size, const struct tdk_frame *head)
{
    size_t taken = 0;
    enum fill_step step = filler_need(f, s, head->size);
    if (step != STEP_ON)
        return step;
    bool fresh = !f->content;
    uint64_t first = s->at.next_seq;
    enum block_stop stop = block_add_run(&f->block, run, size, &taken);
    if (is_torn(f, s))
        return STEP_DRY;
    tdk_ring_skip(s->ring, taken);
    if (taken != 0) {
        f->content = true;
        s->counts.ticks += s->at.next_seq - first;
        s->counts.bytes += taken;
        sequence_take(&s->sequence, s->at.next_seq);
    }
    if (stop == BLOCK_BROKEN) {
        inlet_quarantine(s, "a frame in it breaks the rules: its size or its type");
        return STEP_DRY;
    }
    if (stop == BLOCK_FULL) {
        filler_end(f);
        f->need = block_room_for(head->size);
        return (fresh && taken == 0) || filler_room(f) < f->limit / LEFTOVER ? STEP_FULL : STEP_ON;
    }
    if (stop == BLOCK_CLOCK)
        return step_add(f, s, f->block.stopped_at);
    if (taken == 0 && stop != BLOCK_TAKEN) {
        inlet_quarantine(s, "a frame in it changed while it was read");
        return STEP_DRY;
    }
    return STEP_ON;
}

static enum fill_step tick(struct filler *f, struct inlet *s, const unsigned char *run, size_t size,
                           const struct tdk_frame *head)
{
    uint64_t lost = 0;
    switch (sequence_look(&s->sequence, head->seq, &lost)) {
    case SEQUENCE_PASS:
        tdk_ring_skip(s->ring, tdk_frame_span(head->size));
        s->passed++;
        return STEP_ON;
    case SEQUENCE_WRONG:
        inlet_quarantine(s, s->sequence.ring_epoch == 0
                                ? "it has frames before any EPOCH frame"
                                : "a sequence number in it repeats or jumps absurdly");
        return STEP_DRY;
    case SEQUENCE_BEGIN:
        return epoch_begin(f, s, NULL,
                           s->sequence.next_seq != 0 ? s->sequence.next_seq : head->seq);
    case SEQUENCE_HOLE:
        return loss_before(f, s, run, size, head, lost);
    case SEQUENCE_NEXT:
        if (s->sequence.next_seq == 0)
            s->at.next_seq = head->seq;
        break;
    }
    return run_add(f, s, run, size, head);
}

/* ---- the inlet ---- */

static enum fill_step next(struct filler *f, struct inlet *s)
{
    const unsigned char *run;
    struct tdk_frame head;
    size_t size;
    if (!inlet_head(s, &run, &size, &head))
        return STEP_DRY;
    if (!tdk_type_is_control(head.type) && head.type != TDK_TYPE_PADDING)
        return tick(f, s, run, size, &head);
    enum fill_step step = STEP_ON;
    if (head.type != TDK_TYPE_PADDING)
        step = control(f, s, &head, run + sizeof head);
    if (step == STEP_ON)
        tdk_ring_skip(s->ring, tdk_frame_span(head.size));
    return step;
}

/* If everything was passed over and nothing of it is on its way, its room can be given back now. */
static void give_back_passed(struct inlet *s)
{
    if (s->ring == NULL || s->out != 0 || s->state != RING_ATTACHED)
        return;
    s->released = tdk_ring_position(s->ring);
    tdk_ring_release_to(s->ring, s->released);
}

enum fill_stop fill_inlet(struct filler *f, struct inlet *s)
{
    if (s->ring == NULL)
        return FILL_DRY;
    uint64_t enough = tdk_ring_position(s->ring) + s->capacity;
    enum fill_step step = STEP_ON;
    f->need = 0;
    while (step == STEP_ON && s->state == RING_ATTACHED && tdk_ring_position(s->ring) < enough)
        step = next(f, s);
    filler_end(f);
    give_back_passed(s);
    return step == STEP_FULL ? FILL_FULL : FILL_DRY;
}

bool fill_end(struct filler *f, struct inlet *s)
{
    uint64_t lost = inlet_lost_at_end(s);
    return lost == 0 || loss_at_end(f, s, lost) != STEP_FULL;
}

bool fill_control(struct filler *f, struct inlet *s, uint8_t type, uint64_t ts, const void *payload,
                  uint32_t size)
{
    if (s->state != RING_ATTACHED || s->sequence.epoch == 0 || s->sequence.stale)
        return true; /* nothing of it is on this tape: nothing to say */
    enum fill_step step = filler_need(f, s, size);
    if (step != STEP_ON)
        return step == STEP_DRY;
    f->content = block_add_control(&f->block, type, ts, payload, size) || f->content;
    filler_end(f);
    return true;
}
