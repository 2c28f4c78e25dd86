#include "tape/follow.h"

#include <stdlib.h>

void places_close(struct places *places)
{
    free(places->items);
    *places = (struct places){0};
}

struct place *places_find(const struct places *places, const struct track *track)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i].track == track)
            return &places->items[i].place;
    return NULL;
}

struct place *places_need(struct places *places, const struct track *track)
{
    struct place *place = places_find(places, track);
    if (place != NULL)
        return place;
    if (places->count == places->room) {
        size_t room = places->room == 0 ? 16 : 2 * places->room;
        struct followed *items = realloc(places->items, room * sizeof *items);
        if (items == NULL)
            return NULL;
        places->items = items;
        places->room = room;
    }
    struct followed *followed = &places->items[places->count++];
    *followed = (struct followed){.track = track};
    return &followed->place;
}
