/*
 * losses.h - what a reader found missing: reported on stderr, the first few one by one.
 *
 * One per command. The exit status is 3 when there was anything.
 */
#ifndef TDK_CLI_LOSSES_H
#define TDK_CLI_LOSSES_H

#include <stdint.h>

#include "cli/depot.h"
#include "tapedeck/err.h"
#include "tapedeck/tape.h"
#include "tapedeck/tick.h"

struct losses {
    uint64_t told;             /* lines printed */
    uint64_t losses, ticks;    /* LOSS frames, and the ticks they report */
    uint64_t damages, damaged; /* parts that cannot be read, and their ticks if known */
};

/* Look at a run for LOSS frames. */
void losses_look(struct losses *losses, const struct tdk_run *run);

/* A part of the tape could not be read. */
void losses_damage(struct losses *losses, const struct tdk_err *err);

/* This many blocks could not be read, and it is not known which. */
void losses_damaged_blocks(struct losses *losses, uint64_t blocks);

/* Report one gap as a struct tdk_coverage_walk has it. `context` is a struct losses. */
int losses_gap(const struct tdk_gap *gap, void *context);

/* Print the coverage statement: one line when something is missing. CLI_OK or CLI_LOSSY. */
int losses_status(const struct losses *losses);

/* Check a whole range before anything of it is put out (--require-complete), whatever symbols and
 * types are asked for. CLI_OK when nothing is missing, else the exit status after printing why. */
int losses_check(struct depot *depot, const struct tdk_query *query);

#endif
