#include "base/array.h"

#include <assert.h>
#include <stdlib.h>

#define ROOM_MIN 16u /* items */

void *array_grow(void *items, size_t *room, size_t need, size_t size)
{
    assert(need > 0);
    if (need <= *room)
        return items;
    size_t more = *room == 0 ? ROOM_MIN : 2 * *room;
    if (more < need)
        more = need;
    void *grown = reallocarray(items, more, size);
    if (grown != NULL)
        *room = more;
    return grown;
}
