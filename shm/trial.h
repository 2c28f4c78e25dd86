/*
 * trial.h - find out which of several ways of doing the same work is the fastest here and now.
 *
 * In every TRIAL_ROUND pieces of work, a few are done in each way and timed; the others are done in
 * the way that took the least time. This is for what no program can know beforehand, such as where
 * the other side's processor is: on a virtual machine that changes while the program runs.
 */
#ifndef TDK_SHM_TRIAL_H
#define TDK_SHM_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAL_WAYS_MAX 3u
#define TRIAL_ROUND    512u
#define TRIAL_EACH     4u

/* All zero before the first piece. */
struct trial {
    uint32_t at;                    /* pieces done in this round */
    uint32_t fastest;               /* the way for pieces that are not timed */
    uint64_t least[TRIAL_WAYS_MAX]; /* of each way: the least ns per 64 KiB in this round */
};

/* Which of the `ways` to do the next piece in. If *timed, measure it and call trial_note(). */
unsigned trial_next(struct trial *trial, unsigned ways, bool *timed);
void trial_note(struct trial *trial, unsigned ways, unsigned way, uint64_t ns, size_t bytes);

#endif
