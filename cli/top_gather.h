/*
 * top_gather.h - where `tapedeck top` gets its numbers: the counters pages of the recorders, and
 * the replayer's socket for its plays.
 *
 * Pages can be read at once. The replayer is given at most half a second to answer; one that does
 * not answer is not asked again for a while. One thread.
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

/* Read what there is now into the view. An error means that the tape that was named cannot be
 * opened. */
int top_gather(struct top_gather *gather, struct top_view *view, struct tdk_err *err);

/* Pause the play, or resume it. The view's message says what came of it. */
void top_toggle(struct top_gather *gather, struct top_view *view, const struct top_player *player);

void top_gather_close(struct top_gather *gather);

#endif
