#include "recorder/inlet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/name.h"
#include "shm/rings.h"

/* A ring whose name was removed is detached when its producer has been quiet for this long. */
#define ORPHAN_QUIET_NS NS_PER_S

#define WARM_BYTES ((size_t)256 << 10) /* touched at a time */

#define GLANCE_FRAMES 4096u /* at most so many announcements before the first tick */

/* ---- letting go ---- */

void inlet_leave(struct inlet *s)
{
    size_t size = 0;
    s->leaving = true;
    if (s->state != RING_ATTACHED)
        return;
    tdk_ring_peek(s->ring, &size);
    s->until = tdk_ring_position(s->ring) + size;
}

bool inlet_is_left(const struct inlet *s)
{
    return s->out == 0 && (s->state != RING_ATTACHED || tdk_ring_position(s->ring) >= s->until);
}

static void detach(struct inlet *s)
{
    tdk_ring_detach(s->ring);
    s->ring = NULL;
    s->until = UINT64_MAX; /* it was a position in that ring */
    s->lent = false;
    s->cold = false;
    s->waiting = 0;
    s->since_ns = 0;
    s->orphan_ns = 0;
    s->push_to = 0;
    s->owes_mark = false;
}

void inlet_detach(struct inlet *s)
{
    inlet_close(s);
    s->state = RING_DETACHED;
    log_info("ring %s detached as requested: what was published is recorded", s->asked->name);
}

void inlet_close(struct inlet *s)
{
    if (s->ring != NULL)
        detach(s);
    s->state = RING_WAITING;
}

void inlet_quarantine(struct inlet *s, const char *why)
{
    s->state = RING_QUARANTINED;
    snprintf(s->reason, sizeof s->reason, "%.*s", (int)sizeof s->reason - 1, why);
    s->waiting = 0;
    s->since_ns = 0;
    log_error("ring %s quarantined: %s; it is ignored until another ring takes its name",
              s->asked->name, s->reason);
}

/* ---- what the tape has ---- */

static void known_of(struct sequence_known *known, const struct epoch_ref *epoch)
{
    known->epoch = epoch->epoch;
    known->next_seq = epoch->last_seq + 1;
}

void inlet_known(const struct inlet *s, uint64_t ring_epoch, struct sequence_known *known)
{
    struct epoch_ref last, found;
    memset(known, 0, sizeof *known);
    if (ledger_last_epoch(s->ledger, s->track, &last))
        known->last_epoch = last.epoch;
    if (s->sequence.last_epoch > known->last_epoch)
        known->last_epoch = s->sequence.last_epoch; /* formed, but not on the tape yet */

    if (ring_epoch == 0)
        return;
    if (s->sequence.epoch != 0 && s->sequence.ring_epoch == ring_epoch) {
        known->epoch = s->sequence.epoch; /* same ring again: we know more than the tape */
        known->next_seq = s->sequence.next_seq;
    } else if (ledger_find_epoch(s->ledger, s->track, s->uuid, ring_epoch, &found)) {
        known_of(known, &found);
    }
}

/* The running maximum goes on from where the tape has it, so that flags are the same as if we had
 * never been away. */
void inlet_resume(struct inlet *s)
{
    struct epoch_ref last;
    if (s->sequence.epoch == 0 || s->sequence.stale || s->at.epoch == s->sequence.epoch)
        return;
    s->at.epoch = s->sequence.epoch;
    s->at.next_seq = s->sequence.next_seq;
    s->at.after_loss = false;
    s->at.last_ts = 0;
    s->at.running_max = 0;
    if (!ledger_last_epoch(s->ledger, s->track, &last) || last.epoch != s->at.epoch)
        return;
    s->at.running_max = last.max_ts;
    s->counts.lost = last.lost;
    s->written = s->durable = (struct inlet_mark){last.epoch, last.last_seq};
}

/* ---- coming and going ---- */

static bool track_is_taken(const struct inlet *s)
{
    for (unsigned i = 0; i < s->all_count; i++)
        if (&s->all[i] != s && s->all[i].state != RING_DETACHED &&
            strcmp(s->all[i].track, s->track) == 0)
            return true;
    return false;
}

static bool learn_track(struct inlet *s, const struct tdk_ring_info *info)
{
    char why[240];
    if (s->track[0] != '\0')
        return true;
    if (!name_is_valid(info->track, strnlen(info->track, sizeof info->track))) {
        inlet_quarantine(s, "the track's name in its header is not valid");
        return false;
    }
    memcpy(s->track, info->track, sizeof s->track);
    if (!track_is_taken(s))
        return true;
    snprintf(why, sizeof why,
             "track %s is recorded from another ring; name another: --ring %s=TRACK", s->track,
             s->asked->name);
    inlet_quarantine(s, why);
    s->track[0] = '\0';
    return false;
}

/* One track is one sequence: a ring that was made anew under the name begins new epochs. */
static void begin(struct inlet *s, const struct tdk_ring_info *info)
{
    struct sequence_known known;
    if (memcmp(s->uuid, info->uuid, sizeof s->uuid) != 0) {
        memcpy(s->uuid, info->uuid, sizeof s->uuid);
        s->sequence.ring_epoch = 0;
        s->counts.lost = 0;
    }
    s->capacity = info->capacity;
    s->at.payload_max = info->payload_max;
    s->at.tell_steps = true;
    s->attached_at = s->released = tdk_ring_position(s->ring);
    inlet_known(s, tdk_ring_epoch(s->ring), &known);
    sequence_attach(&s->sequence, tdk_ring_epoch(s->ring), &known);
    inlet_resume(s);
    tdk_ring_epoch_floor(s->ring, known.last_epoch);
}

static void attach(struct inlet *s)
{
    struct tdk_ring_info info;
    tdk_ring_info(s->ring, &info);
    if (!learn_track(s, &info)) {
        detach(s);
        memcpy(s->uuid, info.uuid, sizeof s->uuid);
        return;
    }
    begin(s, &info);
    s->state = RING_ATTACHED;
    s->is_missed = false;
    s->cold = true;
    log_info("ring %s attached track=%s capacity=%llu epoch=%llu unread=%llu", s->asked->name,
             s->track, (unsigned long long)info.capacity, (unsigned long long)info.epoch,
             (unsigned long long)(info.produced_bytes - tdk_ring_position(s->ring)));
}

bool inlet_take(struct inlet *s, struct tdk_ring *ring)
{
    s->ring = ring;
    s->lent = true;
    attach(s);
    return s->state == RING_ATTACHED;
}

static void refuse(struct inlet *s, const struct tdk_err *err)
{
    enum ring_state state = err->code == TDK_EBUSY ? RING_HELD : RING_REFUSED;
    snprintf(s->reason, sizeof s->reason, "%.*s", (int)sizeof s->reason - 1, err->text);
    if (s->state == state)
        return; /* logged already */
    s->state = state;
    log_warn("ring %s: %s; no tick is taken, asking again", s->asked->name, err->text);
}

static bool make(struct inlet *s, const struct config *config)
{
    struct tdk_err err;
    struct tdk_ring_options options = {
        .capacity = config->create_size,
        .track = s->asked->track[0] != '\0' ? s->asked->track : NULL,
        .on_disk = config->on_disk_ring,
    };
    int rc = tdk_ring_create(s->asked->name, &options, &err);
    if (rc < 0 && rc != -EEXIST)
        refuse(s, &err);
    return rc == 0 || rc == -EEXIST;
}

static void await(struct inlet *s)
{
    s->state = RING_WAITING;
    if (!s->is_missed)
        log_info("ring %s is not in %s; waiting for it", s->asked->name, rings_path());
    s->is_missed = true;
}

static void look_for(struct inlet *s, const struct config *config)
{
    struct tdk_err err;
    int rc = tdk_ring_attach(&s->ring, s->asked->name, TDK_RING_CONSUMER, &err);
    if (rc == TDK_ENORING && config->create_size != 0 && make(s, config))
        rc = tdk_ring_attach(&s->ring, s->asked->name, TDK_RING_CONSUMER, &err);
    if (rc == 0) {
        attach(s);
    } else if (rc == TDK_EHOSTILE || rc == TDK_EVERSION) {
        struct tdk_ring_info info = {.uuid = {0}}; /* stays zero if it cannot be read */
        (void)tdk_ring_stat(s->asked->name, &info, NULL);
        memcpy(s->uuid, info.uuid, sizeof s->uuid);
        inlet_quarantine(s, err.text);
    } else if (rc != TDK_ENORING) {
        refuse(s, &err);
    } else if (config->create_size == 0) {
        await(s);
    }
}

/* Does that name lead to another ring than the one we know? */
static bool is_replaced(const struct inlet *s)
{
    struct tdk_ring_info info;
    return tdk_ring_stat(s->asked->name, &info, NULL) == 0 &&
           memcmp(info.uuid, s->uuid, sizeof info.uuid) != 0;
}

static bool is_gone(const struct inlet *s)
{
    struct tdk_ring_info info;
    if (s->lent) {
        tdk_ring_info(s->ring, &info);
        return info.producer_pid == 0; /* nobody else could come to it */
    }
    int rc = tdk_ring_stat(s->asked->name, &info, NULL);
    if (rc < 0)
        return inlet_is_no_ring(rc);
    return memcmp(info.uuid, s->uuid, sizeof info.uuid) != 0;
}

/* The file has lost its name. What is in it is recorded first; its producer may still be
 * attached. */
static void leave_when_done(struct inlet *s, uint64_t now_ns)
{
    struct tdk_ring_info info;
    if (!is_gone(s)) {
        s->orphan_ns = 0;
        return;
    }
    if (s->orphan_ns == 0 || s->waiting != 0)
        s->orphan_ns = now_ns;
    tdk_ring_info(s->ring, &info);
    inlet_look(s, now_ns); /* a producer that has gone by now may have left last ticks */
    if (s->state != RING_ATTACHED || s->waiting != 0 || s->out != 0 || inlet_lost_at_end(s) != 0 ||
        (info.producer_pid != 0 && now_ns - s->orphan_ns < ORPHAN_QUIET_NS))
        return;
    log_info("ring %s was %s: all of it is recorded, detached", s->asked->name,
             s->lent ? "lent, and its feed has ended" : "removed");
    detach(s);
    s->state = s->passing ? RING_DETACHED : RING_WAITING;
}

void inlet_visit(struct inlet *s, const struct config *config, uint64_t now_ns)
{
    switch (s->state) {
    case RING_WAITING:
    case RING_HELD:
    case RING_REFUSED:
        if (!s->leaving)
            look_for(s, config);
        break;
    case RING_ATTACHED:
        leave_when_done(s, now_ns);
        break;
    case RING_QUARANTINED:
        if (s->out != 0)
            break; /* blocks of it are still under way */
        if (s->ring != NULL)
            detach(s);
        if (is_replaced(s))
            s->state = RING_WAITING;
        break;
    case RING_DETACHED:
        break;
    }
}

/* ---- reading ---- */

void inlet_warm(struct inlet *s)
{
    s->cold = s->state == RING_ATTACHED && tdk_ring_warm(s->ring, WARM_BYTES);
}

size_t inlet_look(struct inlet *s, uint64_t now_ns)
{
    size_t size = 0;
    if (s->state != RING_ATTACHED)
        return 0;
    tdk_ring_peek(s->ring, &size);
    const char *hostile = tdk_ring_hostile(s->ring);
    if (hostile != NULL) {
        inlet_quarantine(s, hostile);
        return 0;
    }
    if (tdk_ring_position(s->ring) >= s->until)
        size = 0;
    s->waiting = size;
    if (size == 0)
        s->since_ns = 0;
    else if (s->since_ns == 0)
        s->since_ns = now_ns;
    uint64_t fill = tdk_ring_position(s->ring) + size - s->released;
    if (fill > s->high_water)
        s->high_water = fill;
    return size;
}

bool inlet_head(struct inlet *s, const unsigned char **run, size_t *size, struct tdk_frame *head)
{
    if (s->state != RING_ATTACHED || tdk_ring_position(s->ring) >= s->until)
        return false;
    *run = tdk_ring_peek(s->ring, size);
    if (*size == 0)
        return false;
    if (*size >= sizeof *head) {
        memcpy(head, *run, sizeof *head);
        if (head->size <= s->at.payload_max && tdk_frame_span(head->size) <= *size)
            return true;
    }
    inlet_quarantine(s, "a frame in it is larger than what is published");
    return false;
}

static enum tdk_kind kind_of(uint8_t type)
{
    if (type == TDK_TYPE_DBN)
        return TDK_KIND_DBN;
    return type == TDK_TYPE_WIDE ? TDK_KIND_WIDE : TDK_KIND_OPAQUE;
}

/* Look past the control frames, for a hint and nothing more. */
enum tdk_kind inlet_kind(const struct inlet *s)
{
    size_t size, at = 0;
    const unsigned char *run = tdk_ring_peek(s->ring, &size);
    for (unsigned i = 0; i < GLANCE_FRAMES && size - at >= sizeof(struct tdk_frame); i++) {
        struct tdk_frame head;
        memcpy(&head, run + at, sizeof head);
        if (tdk_frame_is_tick(&head))
            return kind_of(head.type);
        if (head.size > s->at.payload_max || tdk_frame_span(head.size) > size - at)
            break;
        at += tdk_frame_span(head.size);
    }
    return TDK_KIND_MIXED;
}

/* Several blocks of a ring may be completed at once, and completed again after a failed sync. Room
 * is never given back twice. */
void inlet_written(struct inlet *s, uint64_t position)
{
    s->out--;
    if (s->ring == NULL || position <= s->released)
        return;
    s->released = position;
    tdk_ring_release_to(s->ring, position);
}

uint64_t inlet_lost_at_end(const struct inlet *s)
{
    struct tdk_ring_info info;
    size_t unread;
    if (s->state != RING_ATTACHED || s->sequence.epoch == 0 || s->sequence.stale ||
        s->sequence.next_seq == 0)
        return 0;
    tdk_ring_info(s->ring, &info);
    if (info.epoch != s->sequence.ring_epoch || info.seq < s->sequence.next_seq)
        return 0;
    uint64_t missing = info.seq + 1 - s->sequence.next_seq;
    /* While the producer lives, claims that it has not published yet look the same as refused ones,
     * until the loss that it reports is compared with what we have recorded. */
    if (info.producer_pid != 0 && info.lost - s->counts.lost != missing)
        return 0;
    /* What came since we looked is for the next turn, or, if we are ending, for the next recorder:
     * whoever reads it finds out what is missing before it. */
    tdk_ring_peek(s->ring, &unread);
    if (unread != 0)
        return 0;
    return missing <= SEQUENCE_HOLE_MAX ? missing : 0;
}

const char *inlet_state_text(const struct inlet *s)
{
    static const char *const texts[] = {
        [RING_WAITING] = "waiting",   [RING_HELD] = "held by another",
        [RING_ATTACHED] = "ok",       [RING_QUARANTINED] = "quarantined",
        [RING_DETACHED] = "detached", [RING_REFUSED] = "refused",
    };
    return texts[s->state];
}

const char *inlet_reason(const struct inlet *s)
{
    return s->state == RING_QUARANTINED || s->state == RING_REFUSED ? s->reason : NULL;
}
