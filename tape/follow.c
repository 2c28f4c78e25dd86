#include "tape/follow.h"
#include "base/array.h"

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
    struct followed *items =
        array_grow(places->items, &places->room, places->count + 1, sizeof *items);
    if (items == NULL)
        return NULL;
    places->items = items;
    struct followed *followed = &places->items[places->count++];
    *followed = (struct followed){.track = track};
    return &followed->place;
}
