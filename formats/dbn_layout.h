/*
 * dbn_layout.h - where the fields of each DBN record lie.
 *
 * There is one table for each record type and version. It has the fields in the order in which text
 * shows them. Code that turns records into something else (CSV, JSON, columns) walks the table and
 * so handles all types. The wide ticks have tables, too. Constant data; any thread.
 */
#ifndef TDK_FORMATS_DBN_LAYOUT_H
#define TDK_FORMATS_DBN_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tapedeck/dbn.h"

#define DBN_TS_OUT_SIZE 8u /* the send time after a record, if the metadata says ts_out */

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
    const char *name; /* as a column's name: "ts_event", "bid_px_03" */
    /* The JSON text between the previous value and this one: `,"price":`. It is stored in place, so
     * that all of it can be copied with two loads, whatever its size. Not ended by NUL. */
    char json[DBN_JSON_MAX];
    uint8_t json_size;
    uint8_t kind;          /* enum dbn_kind */
    uint16_t offset, size; /* in the record, in bytes */
};

struct dbn_layout {
    const struct dbn_field *fields; /* including the head's */
    const struct dbn_layout *older; /* the same type in an earlier version; NULL: none */
    const char *json_end; /* closes what is open after the last field, except the last "}" */
    uint16_t count;
    uint16_t size;                       /* of the record, without ts_out */
    uint8_t first_version, last_version; /* the versions of DBN that have this layout */
};

/* The layout of a record of `size` bytes in a payload of this type. NULL: there is none. With
 * ts_out the record is 8 bytes longer than its layout. */
const struct dbn_layout *dbn_layout_find(uint8_t type, uint8_t rtype, uint32_t size);

/* The newest layout, or that of DBN version `version`. For use before a record has been seen. */
const struct dbn_layout *dbn_layout_of_version(uint8_t type, uint8_t rtype, uint8_t version);

/* Offset of ts_recv in a record of this rtype; 0: it has none. */
extern const uint8_t dbn_recv_offset[256];

/* The time that orders a file: ts_recv if the record has one, else ts_event. The record has at
 * least 16 bytes. */
static inline uint64_t dbn_index_ts(const void *record, size_t size)
{
    size_t offset = dbn_recv_offset[((const uint8_t *)record)[1]];
    if (offset == 0 || offset + 8 > size)
        offset = offsetof(struct tdk_dbn_head, ts_event);
    return load_u64((const uint8_t *)record + offset);
}

#endif
