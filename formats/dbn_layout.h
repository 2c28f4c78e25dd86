/*
 * dbn_layout.h - where the fields of each DBN record lie, and what things are called.
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

struct dbn_field {
    const char *name; /* as a column: "ts_event", "bid_px_03" */
    const char
        *json; /* the JSON text between the value before it and its own: `,"levels":[{"bid_px":` */
    uint16_t offset;
    uint8_t kind; /* enum dbn_kind */
    uint8_t json_size;
    uint16_t size; /* in the record, in bytes */
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

/* ---- names ---- */

#define DBN_SCHEMA_MIXED 0xFFFF
#define DBN_STYPE_MIXED  0xFF

/* "mbp-1", "tbbo", ...; NULL: no such number. */
const char *dbn_schema_name(uint16_t schema);
bool dbn_schema_parse(const char *name, uint16_t *schema);

/* The record type of a schema; false: no such schema. */
bool dbn_schema_rtype(uint16_t schema, uint8_t *rtype);

/* The schema whose records these are; DBN_SCHEMA_MIXED when there is none (error, system, ...).
 * tbbo shares its rtype with mbp-1, which is the answer. */
uint16_t dbn_rtype_schema(uint8_t rtype);

/* The schema's name, else "error", "symbol-mapping", "system", "ohlcv", "wide-trade", "wide-quote";
 * NULL: unknown. Parsing takes these and every schema's name. */
const char *dbn_rtype_name(uint8_t rtype);
bool dbn_rtype_parse(const char *name, uint8_t *rtype);

#define DBN_STYPE_INSTRUMENT_ID 0
#define DBN_STYPE_RAW_SYMBOL    1
const char *dbn_stype_name(uint8_t stype); /* NULL: no such number */

/* ---- one record ---- */

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
