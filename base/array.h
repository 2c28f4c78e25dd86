/*
 * array.h - a malloc'ed array that grows while it is filled.
 *
 *     struct name *items = array_grow(list->items, &list->room, list->count + 1, sizeof *items);
 *     if (items == NULL)
 *         return -ENOMEM;
 *     list->items = items;
 *     list->items[list->count++] = *name;
 */
#ifndef TDK_BASE_ARRAY_H
#define TDK_BASE_ARRAY_H

#include <stddef.h>

/* The array with room for `need` items (at least 1) of `size` bytes; *room is how many it has room
 * for, and is moved on. It at least doubles, so that filling it one by one takes no longer than
 * filling it at once. NULL: no memory, and the array and *room are as they were. */
void *array_grow(void *items, size_t *room, size_t need, size_t size);

#endif
