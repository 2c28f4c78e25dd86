/*
 * mappings.h - the mappings of several DBN heads, and symbols of a tape, as one list.
 *
 * Each raw symbol once, with its intervals in order, each of those once. Strings that come from a
 * head are borrowed, the head must outlive the list; others are copied. One thread.
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
    char **strings; /* ours, that items point to */
    size_t string_count, string_room;
    struct dbn_mapping *mappings; /* the list, made of the items */
    struct dbn_interval *intervals;
    size_t mapping_count;
};

/* All zeros is an empty one. */
void mappings_close(struct mappings *mappings);

/* 0 or -ENOMEM. */
int mappings_add_head(struct mappings *mappings, const struct dbn_metadata *metadata);

/* `symbol` was this instrument in [from, to) ns, by whole UTC days. */
int mappings_add_symbol(struct mappings *mappings, const char *symbol, uint32_t instrument_id,
                        uint64_t from, uint64_t to);

/* mappings->mappings and mapping_count, until close; nothing is added after that. */
int mappings_make(struct mappings *mappings);

#endif
