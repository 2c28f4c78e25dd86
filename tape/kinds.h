/*
 * kinds.h - the kinds of ticks that hold state: of each kind an instrument's last tick is its
 * state.
 *
 * Definitions, status, symbol mappings, trades, quotes and books by level (mbp, bbo, wide). An
 * order (mbo) is no state by itself. Kinds are numbered on disk (docs/tape-format.md, 5a): one bit
 * each, never used for anything else. Pure; any thread.
 */
#ifndef TDK_TAPE_KINDS_H
#define TDK_TAPE_KINDS_H

#include "tape/frame.h"
#include "tapedeck/tape.h"

enum { KINDS_COUNT = 14 };
#define KINDS_ALL ((UINT32_C(1) << KINDS_COUNT) - 1)

/* Not a kind of state, but recorded with them (states.h): the instrument has a tick of any kind. */
#define KINDS_PRESENT (UINT32_C(1) << KINDS_COUNT)
#define KINDS_TOLD    (KINDS_ALL | KINDS_PRESENT)

/* By number. */
extern const struct tdk_type_filter kinds[KINDS_COUNT];

/* The kind of each rtype as a bit, of DBN records and of wide ticks; 0: none. */
struct kinds_table {
    uint16_t dbn[256], wide[256];
};
void kinds_table_fill(struct kinds_table *table);

/* The kind of a tick; 0: it holds no state. */
static inline uint32_t kinds_of(const struct kinds_table *table, const struct tdk_frame *tick)
{
    if (!frame_is_record(tick))
        return 0;
    uint8_t rtype = tdk_frame_payload(tick)[1];
    return (tick->type == TDK_TYPE_DBN ? table->dbn : table->wide)[rtype];
}

#endif
