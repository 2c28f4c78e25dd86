#include "recorder/status.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quantity.h"

static enum status_level level_of(const struct writer *writer)
{
    if (writer_has_no_space(writer))
        return STATUS_NO_SPACE;
    if (writer->state == WRITER_MOVING && writer->sync_failed)
        return STATUS_SYNC;
    if (writer->state == WRITER_DEAD || writer->state == WRITER_MOVING ||
        writer->rotate->failures > 0)
        return STATUS_WRITE;
    return indexer_state(&writer->journal->indexer) == INDEXER_OK ? STATUS_OK : STATUS_INDEX;
}

static const char *const level_words[] = {
    [STATUS_OK] = "ok",
    [STATUS_NO_SPACE] = "degraded: no space",
    [STATUS_SYNC] = "degraded: sync",
    [STATUS_WRITE] = "degraded: write",
    [STATUS_INDEX] = "degraded: index",
};

void status_gather(struct status *status, const struct inlet *inlets, unsigned count,
                   const struct writer *writer)
{
    memset(status, 0, sizeof *status);
    for (unsigned i = 0; i < count; i++) {
        const struct inlet *s = &inlets[i];
        if (s->is_canary) {
            status->canary = true;
            continue;
        }
        status->ticks += s->counts.ticks;
        status->bytes += s->counts.bytes;
        status->lost += s->counts.lost_total;
        status->passed += s->passed;
        status->rings += s->state != RING_DETACHED;
        status->attached += s->state == RING_ATTACHED;
        status->quarantined += s->state == RING_QUARANTINED;
    }
    status->counts = writer->counts;
    status->segment = writer->rotate->current != NULL ? writer->rotate->current->number : 0;
    status->segments_sealed = writer->journal->sealed;
    status->buffers = writer->count;
    status->buffers_used = (size_t)(writer->formed - writer->done);
    status->level = level_of(writer);
    status->state = level_words[status->level];
}

void status_add_tape(struct status *status, const struct retention *retention,
                     const struct sealers *sealers)
{
    struct sealers_view view;
    sealers_look(sealers, &view);
    status->tape_size = retention->tape_size;
    status->disk_free = retention->disk_free;
    status->disk_full_ns = retention->full_ns != UINT64_MAX ? retention->full_ns : 0;
    status->disk_limited = retention->is_limited;
    status->packed = view.totals;
    status->packing = view.segment;
    status->packing_left = view.left;
}

bool status_moved(const struct status *status, const struct status *before)
{
    return status->ticks != before->ticks || status->lost != before->lost ||
           (status->counts.syncs != before->counts.syncs && !status->canary) ||
           status->attached != before->attached || status->segment != before->segment ||
           strcmp(status->state, before->state) != 0;
}

static void log_ring(const struct inlet *s)
{
    char high[QUANTITY_TEXT];
    const char *reason = inlet_reason(s);
    log_info(
        "ring %s track=%s state=%s%s%s epoch=%llu written=%llu durable=%llu ticks=%llu lost=%llu "
        "waiting=%zu high_water=%s",
        s->asked->name, s->track[0] != '\0' ? s->track : "?", inlet_state_text(s),
        reason != NULL ? ": " : "", reason != NULL ? reason : "",
        (unsigned long long)s->sequence.epoch,
        (unsigned long long)inlet_marked(&s->written, s->sequence.epoch),
        (unsigned long long)inlet_marked(&s->durable, s->sequence.epoch),
        (unsigned long long)s->counts.ticks, (unsigned long long)s->counts.lost_total, s->waiting,
        quantity_size_text(high, s->high_water));
}

void status_log(const struct status *status, const struct status *before, uint64_t elapsed_ns,
                const struct inlet *inlets, unsigned count, bool each)
{
    static const struct status nothing = {.state = ""};
    char rate[QUANTITY_TEXT], byte_rate[QUANTITY_TEXT], bytes[QUANTITY_TEXT];
    char write_max[QUANTITY_TEXT], sync_max[QUANTITY_TEXT];
    char room[QUANTITY_TEXT], full_in[QUANTITY_TEXT] = "-";
    if (before == NULL)
        before = &nothing;
    if (status->disk_full_ns != 0)
        quantity_duration_text(full_in, status->disk_full_ns);
    log_info(
        "state=%s rings=%u/%u ticks=%llu lost=%llu written=%s blocks=%llu writes=%llu syncs=%llu "
        "rate=%s/s %s/s write_max=%s sync_max=%s buffers=%zu/%zu segment=%llu "
        "packed=%llu free=%s full_in=%s",
        status->state, status->attached, status->rings, (unsigned long long)status->ticks,
        (unsigned long long)status->lost, quantity_size_text(bytes, status->counts.bytes),
        (unsigned long long)status->counts.blocks, (unsigned long long)status->counts.writes,
        (unsigned long long)status->counts.syncs,
        quantity_count_text(rate, quantity_per_second(status->ticks - before->ticks, elapsed_ns)),
        quantity_size_text(byte_rate,
                           quantity_per_second(status->bytes - before->bytes, elapsed_ns)),
        quantity_duration_text(write_max, status->counts.write_max_ns),
        quantity_duration_text(sync_max, status->counts.sync_max_ns),
        (size_t)status->counts.pool_max, status->buffers, (unsigned long long)status->segment,
        (unsigned long long)status->packed.segments, quantity_size_text(room, status->disk_free),
        full_in);
    for (unsigned i = 0; each && i < count; i++)
        if (inlets[i].state != RING_DETACHED)
            log_ring(&inlets[i]);
}
