/*
 * tally.h - the replayer's counters, in a page that anyone may read even while the disk hangs.
 *
 * The loop's thread writes it. A second replayer of the same tape has no page; it logs that, and
 * serves all the same.
 */
#ifndef TDK_REPLAYER_TALLY_H
#define TDK_REPLAYER_TALLY_H

#include "shm/counters.h"

enum tally_row {
    TALLY_CONNECTIONS,
    TALLY_SESSIONS,
    TALLY_STREAMS,
    TALLY_STREAMS_BEGUN,
    TALLY_STREAMS_ENDED,
    TALLY_STREAMS_CANCELLED,
    TALLY_STREAMS_REFUSED,
    TALLY_TICKS,
    TALLY_BYTES,
    TALLY_DAMAGED,
    TALLY_LOOKUPS,
    TALLY_WAITS,
    TALLY_OUTSTANDING,
    TALLY_READS_RUNNING,
    TALLY_READS_WAITING,
    TALLY_CANARY,
    TALLY_CANARY_AGE,
    TALLY_COUNT,
};

struct replayer;

struct tally {
    struct counters *page; /* ours; NULL: there is none, and that was logged */
    int rows[TALLY_COUNT];
};

void tally_open(struct tally *tally, const char *tape, const uint8_t tape_id[16]);
void tally_close(struct tally *tally); /* a zeroed one is fine */

/* Put the counters into the page, and show there that the loop is alive. */
void tally_update(struct tally *tally, const struct replayer *replayer);

#endif
