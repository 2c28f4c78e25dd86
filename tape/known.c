#include "tape/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tape/directory.h"

static struct known *slot_of(const struct known_table *t, uint32_t instrument_id)
{
    size_t at = filter_mix(instrument_id) & (t->room - 1);
    while (t->items[at].instrument_id != 0 && t->items[at].instrument_id != instrument_id)
        at = (at + 1) & (t->room - 1);
    return &t->items[at];
}

static int grow(struct known_table *t)
{
    struct known_table more = {.room = t->room == 0 ? 256 : 2 * t->room, .count = t->count};
    more.items = calloc(more.room, sizeof *more.items);
    if (more.items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < t->room; i++)
        if (t->items[i].instrument_id != 0)
            *slot_of(&more, t->items[i].instrument_id) = t->items[i];
    free(t->items);
    *t = more;
    return 0;
}

uint32_t known_kinds(const struct known_table *table, uint32_t instrument_id)
{
    return table->room == 0 ? 0 : slot_of(table, instrument_id)->kinds;
}

int known_add(struct known_table *table, uint32_t instrument_id, uint32_t kinds)
{
    if (2 * (table->count + 1) > table->room && grow(table) < 0)
        return -ENOMEM;
    struct known *known = slot_of(table, instrument_id);
    table->count += known->instrument_id == 0;
    known->instrument_id = instrument_id;
    known->kinds |= kinds;
    return 0;
}

void known_clear(struct known_table *table)
{
    if (table->room > 0)
        memset(table->items, 0, table->room * sizeof *table->items);
    table->count = 0;
}

void known_close(struct known_table *table)
{
    free(table->items);
    *table = (struct known_table){.items = NULL};
}
