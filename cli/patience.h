/*
 * patience.h - makes a long job beside a recorder hold still while the recorder is behind.
 *
 * This is read from the recorder's page of counters, without asking it: a ring that is more than a
 * quarter full, more than half of its write buffers in use, or trouble with its disk other than a
 * full one. The recorder holds its own packing still for the same reasons. The job goes on when the
 * recorder has not been behind for one second. Without a recorder there is no wait. One thread.
 */
#ifndef TDK_CLI_PATIENCE_H
#define TDK_CLI_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
    uint8_t tape_id[16];
    uint64_t looked_ns; /* monotonic; 0: never */
    uint64_t calm_ns;   /* since when the recorder is not behind; 0: it is behind */
    uint64_t waited_ns; /* in all, so far */
};

/* Also lowers this process's priority. */
void patience_begin(struct patience *patience, const uint8_t tape_id[16]);

/* Returns when the job may go on, or when it is asked to end. Cheap enough to call for each MiB. */
void patience_wait(struct patience *patience);

#endif
