/*
 * gauges.h - the recorder's counters page: what status.h and the inlets know, where anyone can see
 * it.
 *
 * It is filled ten times a second, not once a tick. If the page cannot be made (a full /dev/shm),
 * that is logged once, and recording goes on without it. The loop's thread.
 */
#ifndef TDK_RECORDER_GAUGES_H
#define TDK_RECORDER_GAUGES_H

#include "recorder/status.h"
#include "shm/counters.h"

enum gauges_own {
    GAUGES_STATE,
    GAUGES_RINGS,
    GAUGES_ATTACHED,
    GAUGES_QUARANTINED,
    GAUGES_SEGMENT,
    GAUGES_SEALED,
    GAUGES_WRITES,
    GAUGES_BLOCKS,
    GAUGES_BYTES,
    GAUGES_SYNCS,
    GAUGES_WRITE_LONGEST,
    GAUGES_SYNC_LONGEST,
    GAUGES_BUFFERS,
    GAUGES_BUFFERS_USED,
    GAUGES_REWRITTEN,
    GAUGES_FAILED_SEGMENTS,
    GAUGES_LAST_LOSS,
    GAUGES_TAPE,
    GAUGES_DISK_FREE,
    GAUGES_DISK_FULL,
    GAUGES_PACKED,
    GAUGES_PACKING,
    GAUGES_PACKING_LEFT,
    GAUGES_PACKING_FAILED,
    GAUGES_PACKED_FROM,
    GAUGES_PACKED_TO,
    GAUGES_CANARY,
    GAUGES_DISK_LIMITED,
    GAUGES_OWN_COUNT,
};

enum gauges_ring {
    GAUGES_RING_STATE,
    GAUGES_RING_TICKS,
    GAUGES_RING_BYTES,
    GAUGES_RING_LOST,
    GAUGES_RING_FILL,
    GAUGES_RING_CAPACITY,
    GAUGES_RING_HIGH_WATER,
    GAUGES_RING_WAIT,
    GAUGES_RING_EPOCH,
    GAUGES_RING_WRITTEN,
    GAUGES_RING_DURABLE,
    GAUGES_RING_QUARANTINED, /* this one and the next are notes; the others are numbers */
    GAUGES_RING_REFUSED,
    GAUGES_RING_COUNT,
};

struct gauges {
    struct counters *page; /* owned; NULL: there is none */
    int own[GAUGES_OWN_COUNT];
    int (*rings)[GAUGES_RING_COUNT]; /* owned; rows of each inlet, -1: not added yet */
    uint64_t canary_ns;              /* its period; 0: there is none */
    uint64_t lost, last_loss;
};

/* If the page cannot be made, it warns and goes on without one. -ENOMEM. */
int gauges_open(struct gauges *gauges, const struct recovered *tape, unsigned rings);
void gauges_close(struct gauges *gauges);

void gauges_update(struct gauges *gauges, const struct status *status, const struct inlet *inlets,
                   unsigned count, uint64_t now_ns);

#endif
