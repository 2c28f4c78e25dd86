/*
 * dbn_metadata.h - what stands before the records of a DBN file, versions 1 to 3.
 *
 * Decoding makes one allocation that holds everything, at most a few times the size of the bytes.
 * Every count in the bytes is checked against what is left before it is used. Encoding is the
 * reverse, and checks its input as strictly. Pure; any thread.
 */
#ifndef TDK_FORMATS_DBN_METADATA_H
#define TDK_FORMATS_DBN_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define DBN_PRELUDE_SIZE 8            /* "DBN", version, length: enough for dbn_metadata_size() */
#define DBN_METADATA_MAX (256u << 20) /* bytes; more is refused */
#define DBN_VERSION_MAX  3
#define DBN_DATASET_MAX  15 /* characters */

struct dbn_interval {
    uint32_t start_date, end_date; /* decimal YYYYMMDD; end_date is exclusive */
    const char *symbol;            /* "": not resolved */
};

struct dbn_mapping {
    const char *raw_symbol;
    const struct dbn_interval *intervals;
    size_t interval_count;
};

struct dbn_names {
    const char *const *items;
    size_t count;
};

struct dbn_metadata {
    uint8_t version;
    uint8_t stype_in, stype_out; /* DBN_STYPE_MIXED: several */
    bool ts_out;
    uint16_t schema;      /* DBN_SCHEMA_MIXED: none, or several */
    uint16_t symbol_size; /* of a symbol's field, with its NUL; encoding: 0 means the version's */
    char dataset[DBN_DATASET_MAX + 2];
    uint64_t start, end, limit; /* end UINT64_MAX: none; limit 0: none */
    struct dbn_names symbols, partial, not_found;
    const struct dbn_mapping *mappings;
    size_t mapping_count;
    void *memory; /* owned: everything pointed to above; NULL if the caller made that */
};

/* The size of the whole metadata, from its first 8 bytes. TDK_EFORMAT: not DBN. TDK_EVERSION: newer
 * than 3. TDK_ECORRUPT: an impossible length. TDK_EFULL: more than DBN_METADATA_MAX. */
int dbn_metadata_size(const void *prelude, size_t *size, struct tdk_err *err);

/* Decode `size` bytes, beginning with "DBN". What follows the metadata is ignored. TDK_ETRUNCATED:
 * some of the metadata is missing. */
int dbn_metadata_decode(struct dbn_metadata *metadata, const void *bytes, size_t size,
                        struct tdk_err *err);

/* Frees what decoding made. May be called twice, and on a zeroed struct. */
void dbn_metadata_close(struct dbn_metadata *metadata);

/* The bytes as in a file, malloc'ed; the caller frees them. TDK_EVALUE: a string does not fit. */
int dbn_metadata_encode(const struct dbn_metadata *metadata, void **bytes, size_t *size,
                        struct tdk_err *err);

#endif
