/*
 * play_report.h - what a play came to, for whoever played it: here, or a replayer.
 */
#ifndef TDK_CLI_PLAY_REPORT_H
#define TDK_CLI_PLAY_REPORT_H

#include "cli/losses.h"
#include "cli/play.h"

/* In a play's own words (replayer/player.h), lateness by its four quantiles. */
struct play_outcome {
    uint64_t ticks, bytes, rounds, primed;
    uint64_t lost, damaged; /* in one round */
    uint64_t stalls, stalled_ns, elapsed_ns;
    bool complete, stopped;
    bool signalled; /* SIGINT or SIGTERM ended it, not the key */
    bool taken;     /* neither did: somebody else stopped it, or its replayer ended */
    bool timed;     /* there is a lateness: */
    uint64_t p50, p99, p99_9, max;
    char digest[33];
    uint64_t digest_ticks;
};

/* Table, summary, lateness, whether it was whole, digest: to stdout and stderr as asked for. The
 * exit status. `fidelity` NULL: none is asked for. */
int play_report(const struct play_args *args, const struct fidelity *fidelity,
                const struct play_outcome *outcome, const struct losses *losses);

#endif
