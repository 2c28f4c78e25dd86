/*
 * dbn_symbols.h - a DBN file's mappings as (instrument id, time) -> symbol.
 *
 * Both directions of a mapping are understood: symbols that became ids, and ids that became
 * symbols. Symbols are borrowed from the metadata, which must outlive the list.
 */
#ifndef TDK_FORMATS_DBN_SYMBOLS_H
#define TDK_FORMATS_DBN_SYMBOLS_H

#include "formats/dbn_metadata.h"

struct dbn_symbol {
    uint32_t instrument_id;
    uint32_t order;    /* in the metadata: of several names at one time, the first counts */
    uint64_t from, to; /* ns; to is exclusive */
    const char *symbol;
};

struct dbn_symbols {
    struct dbn_symbol *items; /* by id, then from, then order */
    size_t count;
};

/* Empty if the metadata has no ids. 0 or -ENOMEM. */
int dbn_symbols_open(struct dbn_symbols *symbols, const struct dbn_metadata *metadata);
void dbn_symbols_close(struct dbn_symbols *symbols);

/* The symbol of an instrument at an index time. NULL: no mapping holds then. */
const char *dbn_symbols_find(const struct dbn_symbols *symbols, uint32_t instrument_id,
                             uint64_t ts);

/* Convert "20201228" to the start of that UTC day in ns, and back. False: there is no such day. */
bool dbn_date_to_ns(uint32_t date, uint64_t *ns);
uint32_t dbn_date_of_ns(uint64_t ns);

#endif
