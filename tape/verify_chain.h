/*
 * verify_chain.h - how the segments of a tape follow one another: for verify.c.
 *
 * It is given the reports of the segments, in their order, and adds to each what does not follow
 * from those before it: missing segments, seqs that are missing, a segment that was replaced. One
 * thread.
 */
#ifndef TDK_TAPE_VERIFY_CHAIN_H
#define TDK_TAPE_VERIFY_CHAIN_H

#include "tape/folder.h"
#include "tape/retired.h"
#include "tape/verify_report.h"

struct chain {
    const struct folder *folder; /* borrowed; NULL: of a lone segment, where none is missing */
    struct retired *retired;     /* what was deleted on purpose; NULL: likewise; ours */
    uint64_t last_number;        /* 0: there was none yet */
    uint32_t last_digest;        /* 0: not known */
    struct extents epochs;       /* for each epoch of a track the sum of what was met */
};

/* Add the next segment. -ENOMEM, or report->failed. */
int chain_add(struct chain *chain, struct report *report);

/* Are segments missing after the last one, up to number `marked`? */
void chain_end(const struct chain *chain, uint64_t marked, struct report *report);

void chain_close(struct chain *chain);

/* Does the index have more, or other counts, than all segments of the chain together? */
void verify_index(struct index *index, const struct chain *chain, struct report *report);

#endif
