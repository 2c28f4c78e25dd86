#include "recorder/sync.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "recorder/mend.h"
#include "tape/files.h"

/* Bytes written before a sync is started early: 16 usual writes, which are a little less than 1 MiB
 * each. Or UNSYNCED_SOME, if the last sync ended at least PAUSE_NS ago. */
#define UNSYNCED_MAX  ((uint64_t)15 << 20)
#define UNSYNCED_SOME ((uint64_t)4 << 20)
#define PAUSE_NS      (4 * NS_PER_MS)

static void mark_durable(struct writer *w, uint64_t upto)
{
    for (; w->synced < upto; w->synced++) {
        const struct write *write = writer_at(w, w->synced);
        for (unsigned i = 0; i < write->piece_count; i++) {
            struct inlet *inlet = write->pieces[i].inlet;
            if (write->pieces[i].mark.seq == 0)
                continue;
            inlet->durable = write->pieces[i].mark;
            inlet->owes_ack = true;
        }
    }
}

static void sync_work(uv_work_t *work)
{
    struct writer *w = container_of(work, struct writer, sync_work);
    w->sync_status = files->fdatasync(w->sync_reel->file->fd);
    w->sync_took_ns = clock_mono() - w->sync_started_ns;
}

static void on_synced(uv_work_t *work, int status)
{
    struct writer *w = container_of(work, struct writer, sync_work);
    assert(status == 0); /* nothing cancels it */
    (void)status;
    w->syncing = false;
    w->sync_ended_ns = w->sync_started_ns + w->sync_took_ns;
    w->counts.syncs++;
    if (w->sync_took_ns > w->counts.sync_max_ns)
        w->counts.sync_max_ns = w->sync_took_ns;
    if (w->sync_status == 0) {
        w->sync_reel->synced_upto = w->sync_end;
        mark_durable(w, w->sync_upto);
        w->failures = 0;
        w->synced_to(w->context);
    } else {
        struct tdk_err err;
        err_set(&err, w->sync_status, "sync segment %llu",
                (unsigned long long)w->sync_reel->number);
        log_error("%s; what is not safe yet is written again to a fresh segment", err.text);
        w->sync_reel->failed = true;
        mend_begin(w, true);
    }
    writer_run(w, clock_mono());
    w->changed(w->context);
}

/* The writes that a sync begun now would cover: those that have returned, in the first one's
 * file. */
static uint64_t sync_reach(const struct writer *w, uint64_t *bytes)
{
    uint64_t upto = w->synced;
    *bytes = 0;
    while (upto < w->told && writer_at(w, upto)->reel == writer_at(w, w->synced)->reel) {
        *bytes += writer_at(w, upto)->size;
        upto++;
    }
    return upto;
}

/* Most of the time of a sync is proportional to what was written since the last one. If the disk
 * were not used now, it would only have to catch up later. */
static bool is_paused(const struct writer *w, uint64_t bytes, uint64_t now_ns)
{
    return bytes >= UNSYNCED_SOME && now_ns >= w->sync_ended_ns + PAUSE_NS;
}

static bool sync_is_due(const struct writer *w, uint64_t upto, uint64_t bytes, uint64_t now_ns)
{
    const struct write *oldest = writer_at(w, w->synced);
    if (w->sync == SYNC_BATCH || w->draining || bytes >= UNSYNCED_MAX ||
        is_paused(w, bytes, now_ns) || w->told - w->done >= w->count / 2 ||
        w->state == WRITER_MOVING)
        return true;
    if (upto < w->formed && writer_at(w, upto)->reel != oldest->reel)
        return true; /* the next segment waits for it */
    return now_ns >= oldest->since_ns + w->interval_ns;
}

void sync_tend(struct writer *w, uint64_t now_ns)
{
    uint64_t bytes;
    if (w->syncing || w->sync == SYNC_NONE || w->told == w->synced || w->sync_failed ||
        w->state == WRITER_DEAD)
        return;
    uint64_t upto = sync_reach(w, &bytes);
    if (!sync_is_due(w, upto, bytes, now_ns))
        return;
    const struct write *last = writer_at(w, upto - 1);
    w->sync_reel = last->reel;
    w->sync_upto = upto;
    w->sync_end = last->offset + last->size;
    w->sync_started_ns = now_ns;
    w->syncing = uv_queue_work(w->loop, &w->sync_work, sync_work, on_synced) == 0;
}
