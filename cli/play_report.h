/*
 * play_report.h - the result of a play, whether it was played here or in a replayer.
 */
#ifndef TDK_CLI_PLAY_REPORT_H
#define TDK_CLI_PLAY_REPORT_H

#include "cli/losses.h"
#include "cli/play.h"

/* With the words of a play (replayer/player.h); lateness as four quantiles. */
struct play_outcome {
    uint64_t ticks, bytes, rounds, primed;
    uint64_t lost, damaged; /* of one round */
    uint64_t stalls, stalled_ns, elapsed_ns;
    bool complete, stopped;
    bool signalled; /* SIGINT or SIGTERM ended it, not the key */
    bool taken;     /* neither did: somebody else stopped it, or its replayer ended */
    bool timed;     /* there is a lateness: */
    uint64_t p50, p99, p99_9, max;
    char digest[33];
    uint64_t digest_ticks;
};

/* Print table, summary, lateness, whether it was whole, and digest, to stdout and stderr as asked
 * for. Returns the exit status. `fidelity` NULL: not asked for. */
int play_report(const struct play_args *args, const struct fidelity *fidelity,
                const struct play_outcome *outcome, const struct losses *losses);

#endif
