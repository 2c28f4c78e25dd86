/*
 * learned.h - what a catalogue has learned of an epoch, for tests. Programs ask the index instead,
 * where catalog_store() puts it.
 */
#ifndef TDK_TESTS_LEARNED_H
#define TDK_TESTS_LEARNED_H

#include <string.h>

#include "tape/catalog.h"
#include "tape/catalog_epoch.h"

/* A property as it was last complete, or NULL. Borrowed until the catalogue learns more. */
static inline const void *learned_info(const struct catalog *catalog, uint16_t track,
                                       uint64_t epoch, const char *key, size_t *size)
{
    const struct catalog_epoch *e = catalog_epoch_of(catalog, track, epoch);
    const struct property *p = e != NULL ? e->properties : NULL;
    while (p != NULL && strcmp(p->key, key) != 0)
        p = p->next;
    if (p == NULL || p->value == NULL)
        return NULL;
    *size = p->size;
    return p->value;
}

/* The symbol of an instrument at a time, or NULL. Borrowed in the same way. */
static inline const char *learned_symbol(const struct catalog *catalog, uint16_t track,
                                         uint64_t epoch, uint32_t instrument_id, uint64_t ts)
{
    const struct catalog_epoch *e = catalog_epoch_of(catalog, track, epoch);
    return e != NULL ? symbols_find(&e->symbols, instrument_id, ts) : NULL;
}

#endif
