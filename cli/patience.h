/*
 * patience.h - a long job beside a recorder holds still while that is behind.
 *
 * The recorder's page of counters says so, and asks nobody: a ring that is more than a quarter
 * full, more than half of its write buffers in use, trouble with its disk. As it holds still for
 * what it packs itself, and for a second after. No recorder: no wait. One thread.
 */
#ifndef TDK_CLI_PATIENCE_H
#define TDK_CLI_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
    uint8_t tape_id[16];
    uint64_t looked_ns; /* monotonic; 0: never */
    uint64_t calm_ns;   /* since when it is not behind; 0: it is */
    uint64_t waited_ns; /* so far, in all */
};

/* This process is to give way to others, too. */
void patience_begin(struct patience *patience, const uint8_t tape_id[16]);

/* Returns when the job may go on, at the latest when somebody wants it to end. Cheap enough for
 * each MiB. */
void patience_wait(struct patience *patience);

#endif
