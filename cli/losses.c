#include "cli/losses.h"

#include <inttypes.h>

#include "base/moment.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/range.h"

#define NAMED_MAX 10u

static const char *reason_words(uint32_t reason)
{
    switch (reason) {
    case TDK_LOSS_RING_FULL:
        return "the ring was full";
    case TDK_LOSS_NO_SPACE:
        return "the disk was full";
    case TDK_LOSS_DAMAGE:
        return "the tape was damaged";
    case TDK_LOSS_QUARANTINE:
        return "the ring was quarantined";
    case TDK_LOSS_RETIRED:
        return "they were recorded, and deleted on purpose";
    case TDK_LOSS_AWAY:
        return "they were recorded, and moved to a disk that is not there now";
    default:
        return "the producer does not say why";
    }
}

static void tell_gap(struct losses *losses, const struct tdk_gap *gap)
{
    *(gap->damaged ? &losses->damages : &losses->losses) += 1;
    *(gap->damaged ? &losses->damaged : &losses->ticks) += gap->count;
    if (losses->told == NAMED_MAX)
        return;
    losses->told++;
    char first[MOMENT_TEXT], last[MOMENT_TEXT];
    cli_warn("%s: track %s epoch %" PRIu64 " seq %" PRIu64 " to %" PRIu64 " (%" PRIu64
             "), between %s and %s: %s",
             gap->damaged   ? "damaged"
             : gap->retired ? "deleted"
             : gap->away    ? "away"
                            : "lost",
             gap->track, gap->epoch, gap->first_seq, gap->first_seq + gap->count - 1, gap->count,
             moment_text(first, gap->from), moment_text(last, gap->to),
             gap->damaged ? "recorded, but cannot be read any more" : reason_words(gap->reason));
}

static void tell_loss(struct losses *losses, const struct tdk_run *run, const struct tdk_loss *loss)
{
    const struct tdk_gap gap = {.track = run->track,
                                .epoch = run->epoch,
                                .first_seq = loss->first_seq,
                                .count = loss->count,
                                .from = loss->first_ts,
                                .to = loss->last_ts,
                                .reason = loss->reason};
    tell_gap(losses, &gap);
}

void losses_look(struct losses *losses, const struct tdk_run *run)
{
    const struct tdk_frame *end = (const struct tdk_frame *)((const char *)run->frames + run->size);
    for (const struct tdk_frame *at = run->frames; at < end; at = tdk_frame_after(at))
        if (at->type == TDK_TYPE_LOSS && at->size >= sizeof(struct tdk_loss))
            tell_loss(losses, run, (const struct tdk_loss *)(at + 1));
}

void losses_damage(struct losses *losses, const struct tdk_err *err)
{
    losses->damages++;
    if (losses->told == NAMED_MAX)
        return;
    losses->told++;
    cli_warn("%s; the rest is delivered", err->text);
}

void losses_damaged_blocks(struct losses *losses, uint64_t blocks)
{
    losses->damages += blocks;
    losses->told++;
    cli_warn("%" PRIu64 " %s of the tape cannot be read; the rest is counted", blocks,
             quantity_word(blocks, "block", "blocks"));
}

int losses_status(const struct losses *losses)
{
    if (losses->losses + losses->damages == 0)
        return CLI_OK;
    cli_warn("not whole: %" PRIu64 " %s lost in %" PRIu64 " %s, %" PRIu64
             " %s cannot be read; `tapedeck gaps` names them all",
             losses->ticks, quantity_word(losses->ticks, "tick", "ticks"), losses->losses,
             quantity_word(losses->losses, "place", "places"), losses->damages,
             quantity_word(losses->damages, "part", "parts"));
    return CLI_LOSSY;
}

/* ---- before anything is given away ---- */

int losses_gap(const struct tdk_gap *gap, void *context)
{
    tell_gap(context, gap);
    return 0;
}

static int stop_if_interrupted(uint64_t bytes, uint64_t ticks, void *context)
{
    (void)bytes;
    (void)ticks;
    (void)context;
    return interrupted() ? 1 : 0;
}

int losses_check(struct depot *depot, const struct tdk_query *query)
{
    struct tdk_err err;
    struct losses losses = {.told = 0};
    const struct tdk_coverage_walk walk = {
        .gap = losses_gap, .progress = stop_if_interrupted, .context = &losses};
    int rc = depot_coverage(depot, query, &walk, &err);
    if (rc < 0)
        return range_fail(&err);
    if (rc > 0)
        return cli_fail_words("interrupted");
    int status = cli_is_lossy() ? CLI_LOSSY : losses_status(&losses);
    if (status != CLI_OK)
        cli_warn("nothing is delivered, because of --require-complete");
    return status;
}
