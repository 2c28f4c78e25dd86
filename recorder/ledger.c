#include "recorder/ledger.h"

#include <string.h>

int ledger_init(struct ledger *ledger, struct recovered *tape)
{
    ledger->tape = tape;
    return uv_mutex_init(&ledger->lock);
}

void ledger_close(struct ledger *ledger)
{
    uv_mutex_destroy(&ledger->lock);
}

int ledger_track(struct ledger *ledger, const char *name, enum tdk_kind kind, uint16_t *number,
                 struct tdk_err *err)
{
    uv_mutex_lock(&ledger->lock);
    int rc = catalog_track(ledger->tape->catalog, name, kind, number, err);
    uv_mutex_unlock(&ledger->lock);
    return rc;
}

bool ledger_last_epoch(struct ledger *ledger, const char *name, struct epoch_ref *epoch)
{
    uv_mutex_lock(&ledger->lock);
    const struct catalog *catalog = ledger->tape->catalog;
    uint16_t track = catalog_find(catalog, name);
    uint64_t last = track != 0 ? catalog_last_epoch(catalog, track) : 0;
    const struct epoch_ref *found = last != 0 ? catalog_epoch(catalog, track, last) : NULL;
    if (found != NULL) {
        *epoch = *found;
    } else if (last != 0) { /* its segments are gone, but its number stays taken */
        memset(epoch, 0, sizeof *epoch);
        epoch->epoch = last;
        epoch->track = track;
    }
    uv_mutex_unlock(&ledger->lock);
    return last != 0;
}

bool ledger_find_epoch(struct ledger *ledger, const char *name, const uint8_t ring_uuid[16],
                       uint64_t ring_epoch, struct epoch_ref *epoch)
{
    uv_mutex_lock(&ledger->lock);
    const struct catalog *catalog = ledger->tape->catalog;
    uint16_t track = catalog_find(catalog, name);
    const struct epoch_ref *found = catalog_ring_epoch(catalog, track, ring_uuid, ring_epoch);
    if (found != NULL)
        *epoch = *found;
    uv_mutex_unlock(&ledger->lock);
    return found != NULL;
}

int ledger_learn(struct ledger *ledger, const struct block_view *view, const struct block_ref *ref,
                 struct tdk_err *err)
{
    uv_mutex_lock(&ledger->lock);
    int rc = catalog_learn(ledger->tape->catalog, view, err);
    if (rc == 0)
        rc = catalog_note(ledger->tape->catalog, ref, err);
    uv_mutex_unlock(&ledger->lock);
    return rc;
}

int ledger_store(struct ledger *ledger, struct tdk_err *err)
{
    uv_mutex_lock(&ledger->lock);
    int rc = catalog_store(ledger->tape->catalog, ledger->tape->index, err);
    uv_mutex_unlock(&ledger->lock);
    return rc;
}

int ledger_encode(struct ledger *ledger, const struct block_ref *refs, size_t count, void **bytes,
                  size_t *size, struct tdk_err *err)
{
    uv_mutex_lock(&ledger->lock);
    int rc = catalog_encode(ledger->tape->catalog, refs, count, bytes, size, err);
    uv_mutex_unlock(&ledger->lock);
    return rc;
}

static void recount(const struct epoch_ref *left, void *context)
{
    struct ledger *ledger = context;
    uv_mutex_lock(&ledger->lock);
    catalog_recount(ledger->tape->catalog, left);
    uv_mutex_unlock(&ledger->lock);
}

int ledger_follow(struct ledger *ledger, struct tdk_err *err)
{
    return recover_follow(ledger->tape, recount, ledger, err);
}
