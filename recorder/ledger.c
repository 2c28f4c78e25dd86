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
    } else if (last != 0) { /* its segments are gone, its number stays taken */
        memset(epoch, 0, sizeof *epoch);
        epoch->epoch = last;
        epoch->track = track;
    }
    uv_mutex_unlock(&ledger->lock);
    return last != 0;
}

struct search {
    const uint8_t *ring_uuid;
    uint64_t ring_epoch;
    struct epoch_ref *epoch;
    bool is_found;
};

static int match(const struct epoch_ref *epoch, void *context)
{
    struct search *search = context;
    if (epoch->ring_epoch != search->ring_epoch ||
        memcmp(epoch->ring_uuid, search->ring_uuid, sizeof epoch->ring_uuid) != 0)
        return 0;
    *search->epoch = *epoch;
    search->is_found = true;
    return 0; /* the last one is what it goes on in */
}

/* Asked of the index: it has all epochs that were there at the start, and a later one of ours is
 * known to its inlet. */
bool ledger_find_epoch(struct ledger *ledger, const char *name, const uint8_t ring_uuid[16],
                       uint64_t ring_epoch, struct epoch_ref *epoch)
{
    struct search search = {.ring_uuid = ring_uuid, .ring_epoch = ring_epoch, .epoch = epoch};
    uv_mutex_lock(&ledger->lock);
    uint16_t track = catalog_find(ledger->tape->catalog, name);
    uv_mutex_unlock(&ledger->lock);
    return track != 0 && index_epochs(ledger->tape->index, track, match, &search, NULL) == 0 &&
           search.is_found;
}
