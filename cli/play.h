/*
 * play.h - what `play` was told, for the two who can do it: here, or in a replayer.
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
    const char *address, *token_file; /* of a replayer; NULL: we play ourselves */
    const char *into;
    struct speed speed;
    uint64_t create_size, max_idle_ns, loop, wait_consumers, timeout_ns, stall_ns, limit;
    struct moment rebase;
    const char *fidelity;
    uint64_t prime_back_ns;
    bool per_track, paused, lockstep, prime, then_live, digest, json, require_complete;
};

/* Have a replayer play it, watch it to its end, and pass keys and signals on. `fidelity` NULL: none
 * is asked for. The exit status. */
int play_in_replayer(const struct play_args *args, const struct fidelity *fidelity);

#endif
