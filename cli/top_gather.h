/*
 * top_gather.h - where `tapedeck top` gets its numbers: the counters pages of the recorders, and
 * the replayer's socket for its plays.
 *
 * Pages are read and answer at once. The replayer is asked, half a second at most; one that does
 * not answer is left alone for a while. One thread.
 */
#ifndef TDK_CLI_TOP_GATHER_H
#define TDK_CLI_TOP_GATHER_H

#include "cli/ask.h"
#include "cli/pages.h"
#include "cli/top_view.h"

struct top_gather {
    const struct ask_args *ask; /* borrowed */
    struct pages now, before;
    uint64_t at_ns, before_ns; /* monotonic: when they were read; 0: never */
    struct tdk_client *client; /* ours; NULL: not connected */
    uint64_t retry_ns;
};

/* What there is now, into the view. An error is of the tape that was named: it cannot be opened. */
int top_gather(struct top_gather *gather, struct top_view *view, struct tdk_err *err);

/* Pause the play, or let it go on. What came of it is the view's message. */
void top_toggle(struct top_gather *gather, struct top_view *view, const struct top_player *player);

void top_gather_close(struct top_gather *gather);

#endif
