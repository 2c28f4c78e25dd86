/*
 * dbn_layout.h - where the fields of each DBN record lie.
 *
 * One table a record type and version: its fields in the order in which text shows them. Whoever
 * turns records into something else (CSV, JSON, columns) walks the table and knows all types. The
 * wide ticks have tables too. Constant data; any thread.
 */
#ifndef TDK_FORMATS_DBN_LAYOUT_H
#define TDK_FORMATS_DBN_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tapedeck/dbn.h"

#define DBN_TS_OUT_SIZE 8u /* the send time behind a record, when the metadata says ts_out */

enum dbn_kind {
    DBN_U8,
    DBN_I8,
    DBN_U16,
    DBN_I16,
    DBN_U32,
    DBN_I32,
    DBN_U64,
    DBN_I64,
    DBN_PRICE,  /* i64 in 1e-9, INT64_MAX undefined */
    DBN_SIZE,   /* u64 in 1e-9, UINT64_MAX undefined: wide ticks only */
    DBN_TIME,   /* u64 ns, UINT64_MAX undefined */
    DBN_CHAR,   /* one ASCII byte, NUL none */
    DBN_STRING, /* char[size], padded with NUL */
};

#define DBN_JSON_MAX 32

struct dbn_field {
    const char *name; /* as a column: "ts_event", "bid_px_03" */
    /* What JSON has between the value before this one and its own: `,"price":`. In place, so that
     * all of it can be copied with two loads, whatever its size. Not ended by NUL. */
    char json[DBN_JSON_MAX];
    uint8_t json_size;
    uint8_t kind;          /* enum dbn_kind */
    uint16_t offset, size; /* in the record, in bytes */
};

struct dbn_layout {
    const struct dbn_field *fields; /* the head's among them */
    const struct dbn_layout *older; /* the same type in an earlier version, NULL: none */
    const char *json_end;           /* what is open after the last field, but the last "}" */
    uint16_t count;
    uint16_t size;                       /* of the record, without ts_out */
    uint8_t first_version, last_version; /* of DBN, that have it like this */
};

/* Of a record of `size` bytes in a payload of this type; NULL: no such. With ts_out the record is 8
 * bytes longer than its layout. */
const struct dbn_layout *dbn_layout_find(uint8_t type, uint8_t rtype, uint32_t size);

/* The newest, or that of DBN version `version`. For what is said before a record is seen. */
const struct dbn_layout *dbn_layout_of_version(uint8_t type, uint8_t rtype, uint8_t version);

/* Offset of ts_recv in a record of this rtype; 0: it has none. */
extern const uint8_t dbn_recv_offset[256];

/* The time that orders a file: ts_recv where the record has one, else ts_event. At least 16 bytes.
 */
static inline uint64_t dbn_index_ts(const void *record, size_t size)
{
    size_t offset = dbn_recv_offset[((const uint8_t *)record)[1]];
    if (offset == 0 || offset + 8 > size)
        offset = offsetof(struct tdk_dbn_head, ts_event);
    return load_u64((const uint8_t *)record + offset);
}

#endif
