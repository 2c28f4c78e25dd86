/*
 * parquet_values.h - one page of one column, before it is compressed.
 *
 * The encoding depends on the values:
 *   few different ones     a dictionary, and 8 or 16 bits for each value: zstd makes of whole bytes
 * what packed bits would have been, and is faster growing in small steps DELTA_BINARY_PACKED
 *   anything else          PLAIN
 * One thread.
 */
#ifndef TDK_FORMATS_PARQUET_VALUES_H
#define TDK_FORMATS_PARQUET_VALUES_H

#include "formats/sheet.h"

enum parquet_encoding {
    PARQUET_PLAIN = 0,
    PARQUET_RLE = 3,
    PARQUET_DELTA = 5,
    PARQUET_DICTIONARY = 8,
};

/* Longer texts have no statistics, because they would make up most of the footer. */
#define PARQUET_BOUND_MAX 64

struct parquet_bound {
    char bytes[PARQUET_BOUND_MAX];
    size_t size;
};

struct parquet_values {
    /* The page, until the next one is made. */
    enum parquet_encoding encoding;
    struct text_buffer page;       /* levels and values */
    struct text_buffer dictionary; /* its entries */
    size_t dictionary_count;       /* 0: the page has no dictionary */
    bool bounded;                  /* the two below are known */
    struct parquet_bound min, max;
    /* Scratch memory, ours. */
    void *present; /* values without the nulls between them */
    uint16_t *indices, *slots;
    uint64_t *entries;
};

int parquet_values_init(struct parquet_values *values);
void parquet_values_close(struct parquet_values *values); /* may be called twice */

/* Make a page of the rows [first, first + count) of a sealed sheet's column: all rows, unless it is
 * SHEET_BYTES. -ENOMEM. */
int parquet_values_make(struct parquet_values *values, const struct sheet_column *column,
                        size_t first, size_t count);

#endif
