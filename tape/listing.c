#include "tape/listing.h"

#include <stdlib.h>

#include "tape/kinds.h"

enum { ASKED_MAX = 64 }; /* when there are more instruments, the index is not asked for each */

void listing_close(struct listing *listing)
{
    free(listing->ids);
    abstract_close(&listing->abstract);
    *listing = (struct listing){.ids = NULL};
}

void listing_ask(struct listing *listing, const struct picks *picks)
{
    listing->segment = 0;
    listing->count = 0;
    if (picks->count > listing->room) {
        uint32_t *ids = realloc(listing->ids, picks->count * sizeof *ids);
        if (ids == NULL)
            return; /* no instrument is listed, so nothing is known */
        listing->ids = ids;
        listing->room = picks->count;
    }
    for (size_t i = 0; i < picks->count; i++) {
        uint32_t id = picks->items[i].instrument_id;
        if (listing->count == 0 || listing->ids[listing->count - 1] != id)
            listing->ids[listing->count++] = id;
    }
}

/* Does the index have one of the instruments in this segment? */
static bool has_any(const struct listing *l, struct index *index, const struct block_ref *ref)
{
    struct state_ref found;
    for (size_t i = 0; i < l->count; i++) {
        int n =
            index_states(index, ref->track, ref->epoch, l->ids[i], ref->segment, &found, 1, NULL);
        if (n < 0 || (n == 1 && found.segment == ref->segment))
            return true;
    }
    return false;
}

static void ask_segment(struct listing *l, struct tdk_tape *tape, struct index *index,
                        const struct block_ref *ref)
{
    uint64_t floor;
    l->segment = ref->segment;
    l->says = LISTING_UNKNOWN;
    /* Instrument 0 is in no list. */
    if (l->count == 0 || l->ids[0] == 0 ||
        !tape_has_states(tape, ref->segment, KINDS_PRESENT, &floor))
        return;
    if (l->count <= ASKED_MAX && !has_any(l, index, ref))
        l->says = LISTING_NOTHING;
    else if (abstract_load(&l->abstract, tape, ref->segment) == 0 &&
             (l->abstract.states.kinds & KINDS_PRESENT) != 0)
        l->says = LISTING_KNOWN;
}

bool listing_is_thought_to_hold(const struct listing *listing, const struct block_ref *ref)
{
    size_t place;
    if (listing->segment != ref->segment || listing->says == LISTING_UNKNOWN)
        return true;
    return listing->says == LISTING_KNOWN &&
           (!abstract_find(&listing->abstract, ref, &place) ||
            states_have(&listing->abstract.states, place, listing->ids, listing->count));
}

bool listing_may_hold(struct listing *listing, struct tdk_tape *tape, struct index *index,
                      const struct block_ref *ref)
{
    if (listing->segment != ref->segment)
        ask_segment(listing, tape, index, ref);
    return listing_is_thought_to_hold(listing, ref);
}
