/* dbn_names.h - DBN's names for its schemas, record types and symbologies. Constant data; any
 * thread. */
#ifndef TDK_FORMATS_DBN_NAMES_H
#define TDK_FORMATS_DBN_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define DBN_SCHEMA_MIXED 0xFFFF
#define DBN_STYPE_MIXED  0xFF

/* "mbp-1", "tbbo", ...; false: no such schema. */
bool dbn_schema_parse(const char *name, uint16_t *schema);

/* The record type of a schema; false: no such schema. */
bool dbn_schema_rtype(uint16_t schema, uint8_t *rtype);

/* The schema that has these records; DBN_SCHEMA_MIXED if there is none (error, system, ...). mbp-1
 * and tbbo share an rtype; the result is mbp-1. */
uint16_t dbn_rtype_schema(uint8_t rtype);

/* The schema's name, or one of "error", "symbol-mapping", "system", "ohlcv", "wide-trade",
 * "wide-quote". NULL: unknown. Parsing takes these, and the name of every schema. */
const char *dbn_rtype_name(uint8_t rtype);
bool dbn_rtype_parse(const char *name, uint8_t *rtype);

#define DBN_STYPE_INSTRUMENT_ID 0
#define DBN_STYPE_RAW_SYMBOL    1

#endif
