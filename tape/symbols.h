/*
 * symbols.h - what instruments are called, and when: the symbols of one epoch of a track.
 *
 * They come from SYMBOL frames, from the mappings in a DBN file's metadata, and from DBN records
 * (symbol mapping, definition). A name holds over a span of index time. A later one for the same
 * instrument ends an earlier one. Pure but for malloc; one thread at a time.
 */
#ifndef TDK_TAPE_SYMBOLS_H
#define TDK_TAPE_SYMBOLS_H

#include <stdbool.h>

#include "index/index.h"
#include "tape/scatter.h"
#include "tapedeck/tick.h"

struct symbol_entry {
    struct symbol_ref ref;
    uint32_t before; /* the instrument's entry before this one, + 1; 0: none */
    bool changed;    /* since it was stored */
};

struct symbols_of {
    uint16_t track;
    uint64_t epoch;
    struct symbol_entry *entries;
    uint32_t count, room;
    uint32_t *slots; /* by instrument: its last entry, + 1 */
    uint32_t slot_count;
    struct scatter scatter; /* over the slots */
    uint32_t first_changed; /* entries before this one have not changed */
    uint64_t refused;       /* names that found no room */
};

void symbols_close(struct symbols_of *symbols);

/* Add a name. The same one is not added twice. An earlier name of the instrument that reaches into
 * [from, to) ends at `from`. Names longer than 71 bytes, empty names and empty spans are passed
 * over. 0 or -ENOMEM. */
int symbols_add(struct symbols_of *symbols, uint32_t instrument_id, uint64_t from, uint64_t to,
                const char *name, size_t name_size);

/* Add a symbol as another catalogue has it. */
int symbols_merge(struct symbols_of *symbols, const struct symbol_ref *told);

/* Add a symbol as it was stored before, unchanged. */
int symbols_restore(struct symbols_of *symbols, const struct symbol_ref *ref);

/* The name at a time. NULL: none. */
const char *symbols_find(const struct symbols_of *symbols, uint32_t instrument_id, uint64_t ts);

/* Add the symbols of a whole DBN metadata header, or of a DBN record (a frame that passed its
 * check) that names an instrument; other records are passed over. 0 or -ENOMEM. What is malformed
 * names nothing. */
int symbols_from_metadata(struct symbols_of *symbols, const void *bytes, size_t size);
int symbols_from_record(struct symbols_of *symbols, const struct tdk_frame *frame);

#endif
