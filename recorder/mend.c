#include "recorder/mend.h"

#include "base/log.h"

#define FAILED_IN_ROW_MAX 3u

void mend_begin(struct writer *w, bool sync_failed)
{
    w->sync_failed = w->sync_failed || sync_failed;
    if (w->state != WRITER_DEAD)
        w->state = WRITER_MOVING;
}

/* The part of the failed segment that counts ends where the first write that is not safe begins. */
static void abandon(struct writer *w, const struct write *first)
{
    struct reel *bad = first->reel;
    rotate_abandon(w->rotate, bad, first->offset);
    if (bad->blocks == 0 || first->offset == SEGMENT_FIRST_OFFSET)
        bad->failed = true; /* there is nothing in it to seal */
    journal_seal_later(w->journal, bad);
    w->counts.failed_segments++;
    w->failures++;
    w->abandoned = true;
}

static void give_up(struct writer *w)
{
    log_error("three segments in a row failed: giving up; what is in the rings stays there");
    w->state = WRITER_DEAD;
    w->dead(w->context);
}

/* Give new places to everything that is not safe. Nothing in the reel they go to counts so far. */
static void place_again(struct writer *w, struct reel *fresh, uint64_t now_ns)
{
    fresh->end = SEGMENT_FIRST_OFFSET;
    fresh->blocks = 0;
    for (uint64_t i = w->synced; i < w->formed; i++) {
        struct write *write = writer_at(w, i);
        write->reel = fresh;
        write->offset = fresh->end;
        write->first_block = fresh->blocks;
        write->again = write->again || i < w->sent;
        rotate_placed(w->rotate, write->size, write->piece_count, i, now_ns);
    }
    w->counts.rewritten += w->sent - w->synced;
    w->sent = w->told = w->synced;
}

static void move(struct writer *w, uint64_t now_ns)
{
    if (!w->abandoned)
        abandon(w, writer_at(w, w->synced));
    if (w->failures >= FAILED_IN_ROW_MAX || w->rotate->failures >= FAILED_IN_ROW_MAX) {
        give_up(w);
        return;
    }
    struct reel *fresh = rotate_reel(w->rotate, 0, now_ns);
    if (fresh == NULL)
        return; /* it is being made: we are called again */
    place_again(w, fresh, now_ns);
    log_warn("segment %llu takes over what the segment before it could not keep: %llu writes",
             (unsigned long long)fresh->number, (unsigned long long)(w->formed - w->synced));
    w->abandoned = false;
    w->sync_failed = false;
    w->state = WRITER_OK;
}

void mend_tend(struct writer *w, uint64_t now_ns)
{
    if (w->state != WRITER_MOVING || w->in_flight != 0 || w->syncing)
        return;
    if (!w->sync_failed && w->told > w->synced && w->sync != SYNC_NONE)
        return; /* what was good before the failure is synced first */
    if (w->done != w->synced || w->journal->busy)
        return; /* the journal still notes what is safe */
    move(w, now_ns);
}
