/*
 * status.h - what the recorder reports about itself: counters since the start, gathered in one
 * place.
 *
 * The log shows them each 10 s if something moved, and on SIGUSR1. All other reports read the same
 * struct. The loop's thread.
 */
#ifndef TDK_RECORDER_STATUS_H
#define TDK_RECORDER_STATUS_H

#include "recorder/retention.h"
#include "recorder/sealers.h"
#include "recorder/writer.h"

enum status_level { STATUS_OK, STATUS_NO_SPACE, STATUS_SYNC, STATUS_WRITE, STATUS_INDEX };

struct status {
    uint64_t ticks, bytes; /* taken from rings: frames with heads, without a canary's */
    uint64_t lost, passed; /* recorded as LOSS; found on the tape already */
    unsigned rings, attached, quarantined;
    bool canary; /* writes and syncs may be for it alone */
    struct writer_counts counts;
    uint64_t segment, segments_sealed;
    size_t buffers, buffers_used;
    struct sealer_totals packed;
    uint64_t packing, packing_left; /* the segment being packed, 0: none; how many are to be */
    uint64_t tape_size, disk_free, disk_full_ns; /* as retention.h last saw them; 0: not yet */
    bool disk_limited;                           /* the limits keep the disk from filling */
    enum status_level level;
    const char *state; /* the same in words: "ok", "degraded: no space", ... */
};

void status_gather(struct status *status, const struct inlet *inlets, unsigned count,
                   const struct writer *writer);

/* Add what retention and packing know of the tape. */
void status_add_tape(struct status *status, const struct retention *retention,
                     const struct sealers *sealers);

/* Log one line for all and, if `each`, a line for each ring. Rates are measured from `before` and
 * over `elapsed_ns`; NULL: there are none. */
void status_log(const struct status *status, const struct status *before, uint64_t elapsed_ns,
                const struct inlet *inlets, unsigned count, bool each);

/* Did anything move between the two? */
bool status_moved(const struct status *status, const struct status *before);

#endif
