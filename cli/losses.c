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
    default:
        return "the producer does not say why";
    }
}

static void tell_loss(struct losses *losses, const struct tdk_run *run, const struct tdk_loss *loss)
{
    losses->losses++;
    losses->ticks += loss->count;
    if (losses->told == NAMED_MAX)
        return;
    losses->told++;
    char first[MOMENT_TEXT], last[MOMENT_TEXT];
    cli_warn("lost: track %s epoch %" PRIu64 " seq %" PRIu64 " to %" PRIu64 " (%" PRIu64
             "), between %s and %s: %s",
             run->track, run->epoch, loss->first_seq, loss->first_seq + loss->count - 1,
             loss->count, moment_text(first, loss->first_ts), moment_text(last, loss->last_ts),
             reason_words(loss->reason));
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

int losses_status(const struct losses *losses)
{
    uint64_t found = losses->losses + losses->damages;
    if (found > losses->told)
        cli_warn("and %" PRIu64 " more losses or damaged parts; %" PRIu64 " ticks lost in all",
                 found - losses->told, losses->ticks);
    return found > 0 ? CLI_LOSSY : CLI_OK;
}

int losses_check(struct tdk_tape *tape, const struct tdk_query *query)
{
    struct tdk_err err;
    struct tdk_run run;
    struct tdk_cursor *cursor;
    struct losses losses = {.told = 0};
    struct tdk_query all = *query;
    all.control = true;
    int rc = tdk_cursor_open(&cursor, tape, &all, &err);
    if (rc < 0)
        return range_fail(&err);
    while ((rc = tdk_cursor_read(cursor, &run, &err)) != 0 && !interrupted()) {
        if (rc == 1)
            losses_look(&losses, &run);
        else if (rc == TDK_ECORRUPT)
            losses_damage(&losses, &err);
        else
            break;
    }
    tdk_cursor_close(cursor);
    if (rc < 0 && rc != TDK_ECORRUPT)
        return range_fail(&err);
    if (rc != 0)
        return cli_fail_words("interrupted");
    int status = losses_status(&losses);
    if (status != CLI_OK)
        cli_warn("the range is not whole and nothing of it is given (--require-complete)");
    return status;
}
