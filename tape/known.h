/*
 * known.h - the kinds of state that are known of each instrument (tape/kinds.h).
 *
 * A table in memory that grows. Instrument 0 means none. One owner at a time.
 */
#ifndef TDK_TAPE_KNOWN_H
#define TDK_TAPE_KNOWN_H

#include <stddef.h>
#include <stdint.h>

struct known {
    uint32_t instrument_id; /* 0: free */
    uint32_t kinds;         /* a bit each */
};

/* All zeros: nothing is known. */
struct known_table {
    struct known *items; /* ours; never more than half full */
    size_t count, room;  /* room: 0 or a power of two */
};

uint32_t known_kinds(const struct known_table *table, uint32_t instrument_id);
int known_add(struct known_table *table, uint32_t instrument_id, uint32_t kinds); /* -ENOMEM */
void known_clear(struct known_table *table); /* keeps the memory */
void known_close(struct known_table *table);

#endif
