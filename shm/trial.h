/*
 * trial.h - some ways of doing the same work: which is the fastest one, here and now?
 *
 * Every TRIAL_ROUND pieces of work a few are done each way and timed; the others go the way that
 * took less. For what no program can know beforehand, such as where the other side's processor is:
 * on a virtual machine that changes while it runs.
 */
#ifndef TDK_SHM_TRIAL_H
#define TDK_SHM_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAL_WAYS  3u
#define TRIAL_ROUND 512u
#define TRIAL_EACH  4u

/* All zero before the first piece. */
struct trial {
    uint32_t at;                /* pieces done in this round */
    uint32_t fastest;           /* the way of those that are not timed */
    uint64_t least[TRIAL_WAYS]; /* ns for 64 KiB in this round, of each way */
};

/* The way of the next piece; *timed: trial_tell() wants to know how long it took. */
unsigned trial_next(struct trial *trial, bool *timed);
void trial_tell(struct trial *trial, unsigned way, uint64_t ns, size_t bytes);

#endif
