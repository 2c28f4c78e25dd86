/*
 * losses.h - what a reader met that is not whole: told on stderr, the first few by name.
 *
 * One per command; the status at the end is 3 when there was anything.
 */
#ifndef TDK_CLI_LOSSES_H
#define TDK_CLI_LOSSES_H

#include <stdint.h>

#include "cli/depot.h"
#include "tapedeck/err.h"
#include "tapedeck/tape.h"
#include "tapedeck/tick.h"

struct losses {
    uint64_t told;             /* lines on stderr */
    uint64_t losses, ticks;    /* told by LOSS frames, and how many ticks they tell of */
    uint64_t damages, damaged; /* parts that cannot be read, and their ticks if they are known */
};

/* Look at a run for LOSS frames. */
void losses_look(struct losses *losses, const struct tdk_run *run);

/* A part of the tape could not be read. */
void losses_damage(struct losses *losses, const struct tdk_err *err);

/* So many blocks could not be read, and nobody says which. */
void losses_damaged_blocks(struct losses *losses, uint64_t blocks);

/* One by its name, as a struct tdk_coverage_walk tells it; `context` is a struct losses. */
int losses_gap(const struct tdk_gap *gap, void *context);

/* The coverage statement: one line when something is missing. CLI_OK or CLI_LOSSY. */
int losses_status(const struct losses *losses);

/* Look at a whole range before anything of it is given away (--require-complete), whatever symbols
 * and types are asked for. CLI_OK when nothing is missing, else the exit status, told. */
int losses_check(struct depot *depot, const struct tdk_query *query);

#endif
