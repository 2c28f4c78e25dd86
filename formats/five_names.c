#include "formats/five_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tapedeck/err.h"

struct name {
    uint64_t hash;
    char *text; /* owned */
    uint32_t size, number;
};

/* Open addressing. A slot holds the index of a name + 1, or 0 if it is free. At most half of the
 * slots are used. */
struct table {
    struct name *names;
    uint32_t *by_name, *by_number;
    uint32_t count, slots; /* slots: a power of two; there is room for half as many names */
    uint32_t max;          /* names */
    uint32_t number_max;
};

struct five_names {
    struct table symbols, kinds;
};

int five_names_open(struct five_names **names)
{
    struct five_names *n = calloc(1, sizeof *n);
    if (n == NULL)
        return -ENOMEM;
    n->symbols = (struct table){.max = FIVE_NAMES_MAX, .number_max = UINT32_MAX};
    n->kinds = (struct table){.max = FIVE_KINDS_MAX, .number_max = UINT16_MAX};
    *names = n;
    return 0;
}

static void table_close(struct table *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        free(t->names[i].text);
    free(t->names);
    free(t->by_name);
    free(t->by_number);
}

void five_names_close(struct five_names *names)
{
    if (names == NULL)
        return;
    table_close(&names->symbols);
    table_close(&names->kinds);
    free(names);
}

static uint32_t *find_name(const struct table *t, const char *text, size_t size, uint64_t hash)
{
    for (uint32_t slot = (uint32_t)(hash >> 32);; slot++) {
        uint32_t *at = &t->by_name[slot & (t->slots - 1)];
        if (*at == 0)
            return at;
        const struct name *n = &t->names[*at - 1];
        if (n->hash == hash && n->size == size && memcmp(n->text, text, size) == 0)
            return at;
    }
}

static uint32_t *find_number(const struct table *t, uint32_t number)
{
    for (uint32_t slot = number;; slot++) {
        uint32_t *at = &t->by_number[slot & (t->slots - 1)];
        if (*at == 0 || t->names[*at - 1].number == number)
            return at;
    }
}

/* Make room for more: double the slots and insert all names again. */
static int table_grow(struct table *t)
{
    uint32_t slots = t->slots == 0 ? 64 : t->slots * 2;
    struct table grown = *t;
    grown.slots = slots;
    grown.by_name = calloc(slots, sizeof *grown.by_name);
    grown.by_number = calloc(slots, sizeof *grown.by_number);
    grown.names = realloc(t->names, slots / 2 * sizeof *grown.names);
    if (grown.names != NULL)
        t->names = grown.names;
    if (grown.by_name == NULL || grown.by_number == NULL || grown.names == NULL) {
        free(grown.by_name);
        free(grown.by_number);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        const struct name *n = &grown.names[i];
        *find_name(&grown, n->text, n->size, n->hash) = i + 1;
        *find_number(&grown, n->number) = i + 1;
    }
    free(t->by_name);
    free(t->by_number);
    *t = grown;
    return 0;
}

/* Take the hash's low bits, but not 0, or else the next number that is free. */
static uint32_t free_number(const struct table *t, uint64_t hash)
{
    uint32_t number = (uint32_t)hash & t->number_max;
    while (number == 0 || *find_number(t, number) != 0)
        number = (number + 1) & t->number_max;
    return number;
}

static int table_add(struct table *t, const char *text, size_t size, uint64_t hash,
                     uint32_t *number)
{
    if (t->count == t->max)
        return TDK_EFULL;
    if (t->count >= t->slots / 2) {
        int rc = table_grow(t);
        if (rc < 0)
            return rc;
    }
    char *copy = malloc(size + 1);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, text, size);
    struct name *n = &t->names[t->count];
    *n = (struct name){
        .hash = hash, .text = copy, .size = (uint32_t)size, .number = free_number(t, hash)};
    *find_name(t, text, size, hash) = t->count + 1;
    *find_number(t, n->number) = t->count + 1;
    t->count++;
    *number = n->number;
    return 1;
}

static int table_number(struct table *t, const char *text, size_t size, uint32_t *number)
{
    uint64_t hash = XXH3_64bits(text, size);
    if (t->slots > 0) {
        uint32_t found = *find_name(t, text, size, hash);
        if (found != 0) {
            *number = t->names[found - 1].number;
            return 0;
        }
    }
    return table_add(t, text, size, hash, number);
}

int five_names_symbol(struct five_names *names, const char *symbol, size_t size, uint32_t *id)
{
    return table_number(&names->symbols, symbol, size, id);
}

int five_names_kind(struct five_names *names, const char *type, size_t size, uint16_t *kind)
{
    uint32_t number = 0;
    if (size == 5 && memcmp(type, "trade", 5) == 0) {
        *kind = 0;
        return 0;
    }
    int rc = table_number(&names->kinds, type, size, &number);
    if (rc >= 0)
        *kind = (uint16_t)number;
    return rc;
}
