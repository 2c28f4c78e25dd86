/*
 * status.h - what the recorder tells about itself: counters since the start, gathered in one place.
 *
 * The log shows them each 10 s when something moved, and on SIGUSR1; other ways of asking read the
 * same struct. The loop's thread.
 */
#ifndef TDK_RECORDER_STATUS_H
#define TDK_RECORDER_STATUS_H

#include "recorder/retention.h"
#include "recorder/sealers.h"
#include "recorder/writer.h"

enum status_level { STATUS_OK, STATUS_NO_SPACE, STATUS_SYNC, STATUS_WRITE, STATUS_INDEX };

struct status {
    uint64_t ticks, bytes; /* taken from rings: frames with heads. A canary's is none of them */
    uint64_t lost, passed; /* told as LOSS; found on the tape already */
    unsigned rings, attached, quarantined;
    bool canary; /* writes and syncs may be its alone */
    struct writer_counts counts;
    uint64_t segment, segments_sealed;
    size_t buffers, buffers_used;
    struct sealer_totals packed;
    uint64_t packing, packing_left; /* the segment being packed, 0: none; how many are to be */
    uint64_t tape_size, disk_free, disk_full_ns; /* as retention.h last saw them; 0: not yet */
    enum status_level level;
    const char *state; /* the same in words: "ok", "degraded: no space", ... */
};

void status_gather(struct status *status, const struct inlet *inlets, unsigned count,
                   const struct writer *writer);

/* What retention and packing know of the tape is added. */
void status_add_tape(struct status *status, const struct retention *retention,
                     const struct sealers *sealers);

/* A line for all; and, if `each`, a line for each ring. `before` and `elapsed_ns`: what rates are
 * measured from; NULL: none are told. */
void status_log(const struct status *status, const struct status *before, uint64_t elapsed_ns,
                const struct inlet *inlets, unsigned count, bool each);

/* Did anything move between them? */
bool status_moved(const struct status *status, const struct status *before);

#endif
