/*
 * mappings.h - the mappings of several DBN heads, and a tape's symbols, as one list.
 *
 * Each raw symbol is in it once, with its intervals in order and without repetition. Strings from a
 * head are borrowed, so the head must outlive the list; other strings are copied. One thread.
 */
#ifndef TDK_CLI_MAPPINGS_H
#define TDK_CLI_MAPPINGS_H

#include <stddef.h>
#include <stdint.h>

#include "formats/dbn_metadata.h"

/* One interval of one mapping. */
struct mapped {
    const char *raw, *symbol;
    uint32_t start_date, end_date;
};

struct mappings {
    struct mapped *items;
    size_t count, room;
    char **strings; /* ours; items point to them */
    size_t string_count, string_room;
    struct dbn_mapping *mappings; /* the list, made from the items */
    struct dbn_interval *intervals;
    size_t mapping_count;
};

/* A zeroed one is an empty list. */
void mappings_close(struct mappings *mappings);

/* 0 or -ENOMEM. */
int mappings_add_head(struct mappings *mappings, const struct dbn_metadata *metadata);

/* `symbol` was this instrument in [from, to), in ns; intervals are whole UTC days. */
int mappings_add_symbol(struct mappings *mappings, const char *symbol, uint32_t instrument_id,
                        uint64_t from, uint64_t to);

/* Make mappings->mappings and mapping_count, valid until close. Nothing is added after that. */
int mappings_make(struct mappings *mappings);

#endif
