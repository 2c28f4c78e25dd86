/* verify_index.c - compare the index with all segments together: has it more than they have? */
#include "base/err.h"
#include "tape/verify_chain.h"

struct comparing {
    struct index *index;
    const struct chain *chain;
    struct report *report;
};

static int count_blocks(const struct comparing *c, const struct epoch_ref *epoch, uint64_t *count,
                        struct tdk_err *err)
{
    enum { BATCH = 64 };
    const struct index_range range = {
        .track = epoch->track, .epoch = epoch->epoch, .to = UINT64_MAX};
    struct block_ref refs[BATCH], last;
    int n = BATCH;
    for (*count = 0; n == BATCH; last = refs[BATCH - 1]) {
        n = index_find(c->index, &range, *count == 0 ? NULL : &last, false, refs, BATCH, err);
        if (n < 0)
            return n;
        *count += (uint64_t)n;
    }
    return 0;
}

static void compare_epoch(struct report *report, const struct epoch_ref *epoch, uint64_t blocks,
                          const struct extent *met)
{
    unsigned long long number = epoch->epoch;
    if (met == NULL ? blocks != 0 : !met->repeats && blocks != met->blocks)
        report_add(report, UINT64_MAX, TDK_ECORRUPT,
                   "index: track %u epoch %llu has %llu blocks in it, %llu in the segments",
                   epoch->track, number, (unsigned long long)blocks,
                   (unsigned long long)(met != NULL ? met->blocks : 0));
    else if (met != NULL && !met->repeats &&
             (epoch->ticks != met->ticks || epoch->lost != met->lost ||
              epoch->last_seq != met->last_counted))
        report_add(report, UINT64_MAX, TDK_ECORRUPT,
                   "index: track %u epoch %llu counts other ticks than the segments", epoch->track,
                   number);
    else if (met != NULL && epoch->step_back < met->step_back)
        report_add(report, UINT64_MAX, TDK_ECORRUPT,
                   "index: track %u epoch %llu goes back further in time than it says",
                   epoch->track, number);
}

static int on_epoch(const struct epoch_ref *epoch, void *context)
{
    const struct comparing *c = context;
    uint64_t blocks;
    struct tdk_err err;
    int rc = count_blocks(c, epoch, &blocks, &err);
    if (rc < 0)
        report_add(c->report, UINT64_MAX, rc, "index: %s", err.text);
    else
        compare_epoch(c->report, epoch, blocks,
                      extents_find(&c->chain->epochs, epoch->track, epoch->epoch));
    return 0;
}

static int on_track(const struct track_ref *track, void *context)
{
    const struct comparing *c = context;
    return index_epochs(c->index, track->number, on_epoch, context, NULL);
}

void verify_index(struct index *index, const struct chain *chain, struct report *report)
{
    struct comparing c = {.index = index, .chain = chain, .report = report};
    struct tdk_err err;
    int rc = index_tracks(index, on_track, &c, &err);
    if (rc < 0)
        report_add(report, UINT64_MAX, rc, "index: %s", err.text);
}
