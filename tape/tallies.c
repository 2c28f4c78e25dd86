#include "tape/tallies.h"

#include <stdlib.h>
#include <string.h>

#include "tape/select.h"

struct tally {
    struct block_ref ref;
    struct block_head head;
    size_t size; /* of the directory's head and entries */
    uint64_t directory[];
};

void tallies_init(struct tallies *tallies)
{
    *tallies = (struct tallies){.bytes = 0};
    pthread_mutex_init(&tallies->lock, NULL);
}

void tallies_close(struct tallies *tallies)
{
    for (size_t i = 0; tallies->slots != NULL && i < TALLIES_SLOTS; i++)
        free(tallies->slots[i]);
    free(tallies->slots);
    pthread_mutex_destroy(&tallies->lock);
}

/* Numbers of neighbouring blocks differ by one, so neighbours have slots of their own. */
static size_t slot_of(const struct block_ref *ref)
{
    return (ref->segment * UINT64_C(0x9e3779b97f4a7c15) + ref->block) % TALLIES_SLOTS;
}

static size_t bytes_of(const struct tally *tally)
{
    return tally != NULL ? sizeof *tally + tally->size : 0;
}

static struct tally *make(const struct block_ref *ref, const struct block_view *view)
{
    size_t size = sizeof(struct directory_head) +
                  directory_instruments(view) * sizeof(struct directory_entry);
    struct tally *tally = malloc(sizeof *tally + size);
    if (tally == NULL)
        return NULL;
    tally->ref = *ref;
    tally->head = *view->head;
    tally->size = size;
    memcpy(tally->directory, view->directory, size);
    return tally;
}

/* With the lock held: the slot where the tally may go now; NULL: there is none. */
static struct tally **find_room(struct tallies *tallies, const struct tally *tally)
{
    if (tallies->slots == NULL)
        tallies->slots = calloc(TALLIES_SLOTS, sizeof(struct tally *));
    if (tallies->slots == NULL)
        return NULL;
    struct tally **slot = &tallies->slots[slot_of(&tally->ref)];
    size_t others = tallies->bytes - bytes_of(*slot);
    return others + bytes_of(tally) <= TALLIES_BYTES ? slot : NULL;
}

void tallies_keep(struct tallies *tallies, const struct block_ref *ref,
                  const struct block_view *view)
{
    struct tally *tally = ref->count > 0 ? make(ref, view) : NULL;
    if (tally == NULL)
        return; /* it will be read again */
    pthread_mutex_lock(&tallies->lock);
    struct tally **slot = find_room(tallies, tally), *gone = tally;
    if (slot != NULL) {
        gone = *slot;
        *slot = tally;
        tallies->bytes += bytes_of(tally) - bytes_of(gone);
    }
    pthread_mutex_unlock(&tallies->lock);
    free(gone);
}

bool tallies_count(struct tallies *tallies, const struct block_ref *ref, const struct picks *picks,
                   uint64_t *ticks)
{
    bool known = false;
    pthread_mutex_lock(&tallies->lock);
    const struct tally *tally = tallies->slots != NULL ? tallies->slots[slot_of(ref)] : NULL;
    if (tally != NULL && memcmp(&tally->ref, ref, sizeof *ref) == 0) {
        const struct block_view view = {.head = &tally->head,
                                        .directory = (const unsigned char *)tally->directory};
        known = tally_count(&view, picks, ticks) == 0;
    }
    pthread_mutex_unlock(&tallies->lock);
    return known;
}

/* Count each instrument once, even if it was picked for several times. */
int tally_count(const struct block_view *view, const struct picks *picks, uint64_t *ticks)
{
    uint32_t last = 0;
    *ticks = 0;
    for (size_t i = 0; i < picks->count; i++) {
        uint32_t id = picks->items[i].instrument_id;
        if (i > 0 && id == last)
            continue;
        last = id;
        struct directory_walk walk;
        int64_t count = directory_find(view, id, &walk);
        if (count < 0)
            return TDK_ECORRUPT;
        *ticks += (uint64_t)count;
    }
    return 0;
}
