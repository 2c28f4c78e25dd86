#include "recorder/gauges.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

static const struct counter_kind_of own_rows[GAUGES_OWN_COUNT] = {
    [GAUGES_STATE] = {"recorder_state",
                      "0 ok, 1 degraded: no space, 2 degraded: sync, 3 degraded: write, "
                      "4 degraded: index",
                      COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_RINGS] = {"recorder_rings", "rings asked for", COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_ATTACHED] = {"recorder_rings_attached", "rings being recorded", COUNTER_LEVEL,
                         COUNTER_COUNT},
    [GAUGES_QUARANTINED] = {"recorder_rings_quarantined", "rings that broke their rules",
                            COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_SEGMENT] = {"recorder_segment", "number of the segment being written", COUNTER_LEVEL,
                        COUNTER_COUNT},
    [GAUGES_SEALED] = {"recorder_segments_sealed", "segments sealed", COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_WRITES] = {"recorder_writes", "writes to segments", COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_BLOCKS] = {"recorder_blocks", "blocks written", COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_BYTES] = {"recorder_written", "written to segments", COUNTER_TOTAL, COUNTER_BYTES},
    [GAUGES_SYNCS] = {"recorder_syncs", "syncs of segments", COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_WRITE_LONGEST] = {"recorder_write_longest", "longest write of the last 10 s",
                              COUNTER_LEVEL, COUNTER_NS},
    [GAUGES_SYNC_LONGEST] = {"recorder_sync_longest", "longest sync of the last 10 s",
                             COUNTER_LEVEL, COUNTER_NS},
    [GAUGES_BUFFERS] = {"recorder_buffers", "write buffers", COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_BUFFERS_USED] = {"recorder_buffers_used", "write buffers in use", COUNTER_LEVEL,
                             COUNTER_COUNT},
    [GAUGES_REWRITTEN] = {"recorder_writes_repeated", "writes repeated in a fresh segment",
                          COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_FAILED_SEGMENTS] = {"recorder_segments_failed",
                                "segments left because a write or sync failed", COUNTER_TOTAL,
                                COUNTER_COUNT},
    [GAUGES_LAST_LOSS] = {"recorder_last_loss", "when a loss was last recorded", COUNTER_LEVEL,
                          COUNTER_TIME},
    [GAUGES_TAPE] = {"recorder_tape", "sealed segments, and what is written of the current one",
                     COUNTER_LEVEL, COUNTER_BYTES},
    [GAUGES_DISK_FREE] = {"recorder_disk_free", "free on the disk of the tape", COUNTER_LEVEL,
                          COUNTER_BYTES},
    [GAUGES_DISK_FULL] =
        {"recorder_disk_full_in",
         "until the disk is full at the rate of the last minutes; 0: unknown, or never",
         COUNTER_LEVEL, COUNTER_NS},
    [GAUGES_PACKED] = {"recorder_segments_packed", "segments packed", COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_PACKING] = {"recorder_packing", "number of the segment being packed; 0: none",
                        COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_PACKING_LEFT] = {"recorder_packing_left", "segments that are to be packed now",
                             COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_PACKING_FAILED] = {"recorder_packing_failed", "tries at packing a segment that failed",
                               COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_PACKED_FROM] = {"recorder_packed_from", "files of packed segments, before",
                            COUNTER_TOTAL, COUNTER_BYTES},
    [GAUGES_PACKED_TO] = {"recorder_packed_to", "files of packed segments, after", COUNTER_TOTAL,
                          COUNTER_BYTES},
    [GAUGES_CANARY] = {"recorder_canary_period", "interval between the canary's ticks; 0: none",
                       COUNTER_LEVEL, COUNTER_NS},
    [GAUGES_DISK_LIMITED] = {"recorder_disk_limited",
                             "1: the limits of retention keep the disk from filling", COUNTER_LEVEL,
                             COUNTER_COUNT},
};

static const struct counter_kind_of ring_rows[GAUGES_RING_COUNT] = {
    [GAUGES_RING_STATE] =
        {"ring_state",
         "0 waiting, 1 held by another, 2 attached, 3 quarantined, 4 detached, 5 refused",
         COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_RING_TICKS] = {"ring_ticks", "ticks taken from the ring", COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_RING_BYTES] = {"ring_taken", "frames taken from the ring, with heads", COUNTER_TOTAL,
                           COUNTER_BYTES},
    [GAUGES_RING_LOST] = {"ring_lost", "ticks lost before they reached the tape, as it records",
                          COUNTER_TOTAL, COUNTER_COUNT},
    [GAUGES_RING_FILL] = {"ring_fill", "what waits in the ring", COUNTER_LEVEL, COUNTER_BYTES},
    [GAUGES_RING_CAPACITY] = {"ring_capacity", "what the ring holds", COUNTER_LEVEL, COUNTER_BYTES},
    [GAUGES_RING_HIGH_WATER] = {"ring_high_water", "the most that waited in the last 10 s",
                                COUNTER_LEVEL, COUNTER_BYTES},
    [GAUGES_RING_WAIT] = {"ring_wait", "how long the oldest tick in the ring has waited",
                          COUNTER_LEVEL, COUNTER_NS},
    [GAUGES_RING_EPOCH] = {"ring_epoch", "the epoch being recorded: when it began", COUNTER_LEVEL,
                           COUNTER_TIME},
    [GAUGES_RING_WRITTEN] = {"ring_written_seq", "last seq of the epoch that was written",
                             COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_RING_DURABLE] = {"ring_durable_seq", "last seq of the epoch that is durable",
                             COUNTER_LEVEL, COUNTER_COUNT},
    [GAUGES_RING_QUARANTINED] = {"ring_quarantined",
                                 "since when it is quarantined, and why; 0: it is not",
                                 COUNTER_NOTE, COUNTER_TIME},
    [GAUGES_RING_REFUSED] = {"ring_refused",
                             "since when it cannot be made or opened, and why; 0: it can",
                             COUNTER_NOTE, COUNTER_TIME},
};

static void add_own(struct gauges *t)
{
    for (size_t i = 0; i < GAUGES_OWN_COUNT; i++)
        t->own[i] = counters_add(t->page, &own_rows[i], NULL, NULL);
}

int gauges_open(struct gauges *t, const struct recovered *tape, unsigned rings)
{
    struct tdk_err err;
    const struct counters_options options = {
        .writer = "recorder",
        .program = TDK_VERSION,
        .tape = tape->folder.path,
        .tape_id = tape->folder.tape_id,
        .rows_max = GAUGES_OWN_COUNT + rings * GAUGES_RING_COUNT,
    };
    *t = (struct gauges){.rings = calloc(rings + 1, sizeof *t->rings)};
    if (t->rings == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < rings; i++)
        t->rings[i][0] = -1;
    if (counters_create(&t->page, &options, &err) < 0)
        log_warn("no counters page: %s", err.text);
    else
        add_own(t);
    return 0;
}

void gauges_close(struct gauges *t)
{
    counters_close(t->page);
    free(t->rings);
    *t = (struct gauges){.page = NULL};
}

static void update_own(struct gauges *t, const struct status *status)
{
    const struct writer_counts *counts = &status->counts;
    if (status->lost != t->lost)
        t->last_loss = clock_wall();
    t->lost = status->lost;
    const uint64_t values[GAUGES_OWN_COUNT] = {
        [GAUGES_STATE] = status->level,
        [GAUGES_RINGS] = status->rings,
        [GAUGES_ATTACHED] = status->attached,
        [GAUGES_QUARANTINED] = status->quarantined,
        [GAUGES_SEGMENT] = status->segment,
        [GAUGES_SEALED] = status->segments_sealed,
        [GAUGES_WRITES] = counts->writes,
        [GAUGES_BLOCKS] = counts->blocks,
        [GAUGES_BYTES] = counts->bytes,
        [GAUGES_SYNCS] = counts->syncs,
        [GAUGES_WRITE_LONGEST] = counts->write_max_ns,
        [GAUGES_SYNC_LONGEST] = counts->sync_max_ns,
        [GAUGES_BUFFERS] = status->buffers,
        [GAUGES_BUFFERS_USED] = status->buffers_used,
        [GAUGES_REWRITTEN] = counts->rewritten,
        [GAUGES_FAILED_SEGMENTS] = counts->failed_segments,
        [GAUGES_LAST_LOSS] = t->last_loss,
        [GAUGES_TAPE] = status->tape_size,
        [GAUGES_DISK_FREE] = status->disk_free,
        [GAUGES_DISK_FULL] = status->disk_full_ns,
        [GAUGES_PACKED] = status->packed.segments,
        [GAUGES_PACKING] = status->packing,
        [GAUGES_PACKING_LEFT] = status->packing_left,
        [GAUGES_PACKING_FAILED] = status->packed.failed,
        [GAUGES_PACKED_FROM] = status->packed.bytes_before,
        [GAUGES_PACKED_TO] = status->packed.bytes_after,
        [GAUGES_CANARY] = t->canary_ns,
        [GAUGES_DISK_LIMITED] = status->disk_limited,
    };
    for (size_t i = 0; i < GAUGES_OWN_COUNT; i++)
        counters_set(t->page, t->own[i], values[i]);
}

static void update_ring(struct gauges *t, int rows[GAUGES_RING_COUNT], const struct inlet *s,
                        uint64_t now_ns)
{
    if (rows[0] < 0)
        for (size_t i = 0; i < GAUGES_RING_COUNT; i++)
            rows[i] = counters_add(t->page, &ring_rows[i], s->asked->name, s->track);
    for (size_t i = 0; i < GAUGES_RING_COUNT; i++)
        counters_name_track(t->page, rows[i], s->track);
    const uint64_t values[GAUGES_RING_QUARANTINED] = {
        [GAUGES_RING_STATE] = s->state,
        [GAUGES_RING_TICKS] = s->counts.ticks,
        [GAUGES_RING_BYTES] = s->counts.bytes,
        [GAUGES_RING_LOST] = s->counts.lost_total,
        [GAUGES_RING_FILL] = s->waiting,
        [GAUGES_RING_CAPACITY] = s->capacity,
        [GAUGES_RING_HIGH_WATER] = s->high_water,
        [GAUGES_RING_WAIT] = s->since_ns != 0 && s->since_ns < now_ns ? now_ns - s->since_ns : 0,
        [GAUGES_RING_EPOCH] = s->sequence.epoch,
        [GAUGES_RING_WRITTEN] = inlet_marked(&s->written, s->sequence.epoch),
        [GAUGES_RING_DURABLE] = inlet_marked(&s->durable, s->sequence.epoch),
    };
    for (size_t i = 0; i < GAUGES_RING_QUARANTINED; i++)
        counters_set(t->page, rows[i], values[i]);
    counters_note(t->page, rows[GAUGES_RING_QUARANTINED],
                  s->state == RING_QUARANTINED ? s->reason : NULL);
    counters_note(t->page, rows[GAUGES_RING_REFUSED], s->state == RING_REFUSED ? s->reason : NULL);
}

/* A ring's rows are there as soon as it is to be recorded, so that one that we wait for can be
 * seen. Their track is named when it is known. */
void gauges_update(struct gauges *t, const struct status *status, const struct inlet *inlets,
                   unsigned count, uint64_t now_ns)
{
    if (t->page == NULL)
        return;
    update_own(t, status);
    for (unsigned i = 0; i < count; i++)
        if (t->rings[i][0] >= 0 || inlets[i].state != RING_DETACHED)
            update_ring(t, t->rings[i], &inlets[i], now_ns);
    counters_beat(t->page, now_ns);
}
