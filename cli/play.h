/*
 * play.h - what `play` was asked for, whether it is played here or in a replayer.
 */
#ifndef TDK_CLI_PLAY_H
#define TDK_CLI_PLAY_H

#include <stdbool.h>

#include "base/moment.h"
#include "base/quantity.h"
#include "cli/fidelity.h"
#include "cli/range.h"

struct play_args {
    struct range_args range;
    struct ask_args where; /* a replayer, if that is to play */
    const char *into;
    struct speed speed;
    uint64_t create_size, max_idle_ns, loop, wait_consumers, timeout_ns, stall_ns, limit;
    struct moment rebase;
    const char *fidelity;
    uint64_t prime_back_ns;
    bool per_track, paused, lockstep, prime, then_live, digest, json, require_complete;
};

/* The time that the first tick gets. UINT64_MAX: the time at which it is played. */
uint64_t play_rebase(const struct play_args *args, struct depot *depot);

/* Have a replayer play a range of its tape, follow the play to its end, and pass keys and signals
 * on. `fidelity` NULL: not asked for. Returns the exit status. */
int play_in_replayer(const struct play_args *args, const struct fidelity *fidelity,
                     struct range *range);

#endif
