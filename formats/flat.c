#include "formats/flat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void flat_close(struct flat *flat)
{
    free(flat->bytes);
    *flat = (struct flat){.size = 0};
}

void flat_clear(struct flat *flat)
{
    flat->size = 0;
    flat->failed = false;
}

/* Make room for `size` more bytes in front. */
static bool grow(struct flat *flat, size_t size)
{
    if (flat->failed)
        return false;
    if (flat->room - flat->size >= size)
        return true;
    size_t room = flat->room == 0 ? 4096 : flat->room;
    while (room - flat->size < size)
        room *= 2;
    char *bytes = malloc(room);
    if (bytes == NULL) {
        flat->failed = true;
        return false;
    }
    if (flat->size > 0)
        memcpy(bytes + room - flat->size, flat->bytes + flat->room - flat->size, flat->size);
    free(flat->bytes);
    flat->bytes = bytes;
    flat->room = room;
    return true;
}

static char *front(const struct flat *flat)
{
    return flat->bytes + flat->room - flat->size;
}

/* Put `size` bytes in front. bytes NULL: zeros. */
static void put(struct flat *flat, const void *bytes, size_t size)
{
    if (!grow(flat, size) || size == 0)
        return;
    flat->size += size;
    if (bytes != NULL)
        memcpy(front(flat), bytes, size);
    else
        memset(front(flat), 0, size);
}

/* Put zeros in front, so that the buffer is aligned to `align` after `size` more bytes. */
static void pad(struct flat *flat, size_t size, size_t align)
{
    put(flat, NULL, align_up(flat->size + size, align) - flat->size - size);
}

static void put_u32(struct flat *flat, uint32_t value)
{
    pad(flat, sizeof value, sizeof value);
    put(flat, &value, sizeof value);
}

static uint32_t here(const struct flat *flat)
{
    return (uint32_t)flat->size;
}

/* A pointer is stored as the distance from its own place. */
static void put_place(struct flat *flat, uint32_t place)
{
    pad(flat, sizeof place, sizeof place);
    put_u32(flat, here(flat) + (uint32_t)sizeof place - place);
}

uint32_t flat_string(struct flat *flat, const char *string)
{
    size_t size = strlen(string);
    pad(flat, size + 1, sizeof(uint32_t)); /* including its NUL */
    put(flat, NULL, 1);
    put(flat, string, size);
    put_u32(flat, (uint32_t)size);
    return here(flat);
}

uint32_t flat_places(struct flat *flat, const uint32_t *places, size_t count)
{
    for (size_t i = count; i > 0; i--)
        put_place(flat, places[i - 1]);
    put_u32(flat, (uint32_t)count);
    return here(flat);
}

uint32_t flat_pairs(struct flat *flat, const int64_t (*pairs)[2], size_t count)
{
    pad(flat, count * sizeof *pairs, sizeof(int64_t));
    put(flat, pairs, count * sizeof *pairs);
    put_u32(flat, (uint32_t)count);
    return here(flat);
}

void flat_begin(struct flat *flat)
{
    memset(flat->fields, 0, sizeof flat->fields);
    flat->field_count = 0;
    flat->table = flat->size;
}

static void mark(struct flat *flat, unsigned field)
{
    assert(field < FLAT_FIELDS_MAX);
    flat->fields[field] = here(flat);
    if (field >= flat->field_count)
        flat->field_count = field + 1;
}

void flat_number(struct flat *flat, unsigned field, int64_t value, size_t width)
{
    pad(flat, width, width);
    put(flat, &value, width); /* little-endian: the low bytes come first */
    mark(flat, field);
}

void flat_place(struct flat *flat, unsigned field, uint32_t place)
{
    put_place(flat, place);
    mark(flat, field);
}

/* The list of the places of a table's fields stands in front of the table. The table begins with
 * the distance back to that list. */
uint32_t flat_end(struct flat *flat)
{
    put_u32(flat, 0);
    uint32_t table = here(flat);
    uint16_t list[2 + FLAT_FIELDS_MAX];
    size_t size = (2 + flat->field_count) * sizeof *list;
    list[0] = (uint16_t)size;
    list[1] = (uint16_t)(table - flat->table);
    for (unsigned i = 0; i < flat->field_count; i++)
        list[2 + i] = (uint16_t)(flat->fields[i] == 0 ? 0 : table - flat->fields[i]);
    put(flat, list, size);
    if (!flat->failed)
        store_u32(front(flat) + size, here(flat) - table);
    return table;
}

const char *flat_finish(struct flat *flat, uint32_t root, size_t *size)
{
    pad(flat, sizeof(uint32_t), 8);
    put_place(flat, root);
    *size = flat->size;
    return flat->failed ? NULL : front(flat);
}
