/*
 * parquet_meta.h - Parquet's metadata: the heads of pages, and the parts of the footer.
 *
 * They are the format's Thrift structs, each written whole. Pure but for the text buffer; any
 * thread.
 */
#ifndef TDK_FORMATS_PARQUET_META_H
#define TDK_FORMATS_PARQUET_META_H

#include "formats/parquet_values.h"
#include "formats/thrift.h"

/* All pages of one column in one row group. */
struct parquet_chunk {
    uint64_t dictionary_at, data_at; /* offsets in the file; dictionary_at 0: none */
    uint64_t raw_size, packed_size;  /* of all pages with heads, before and after compression */
    uint64_t rows, nulls;
    enum parquet_encoding encoding;
    bool bounded;
    struct parquet_bound min, max;
};

struct parquet_page {
    bool dictionary;
    enum parquet_encoding encoding;
    size_t values; /* including nulls */
    size_t raw_size, packed_size;
};

void parquet_meta_page(struct text_buffer *out, const struct parquet_page *page);

/* Write one of the footer's row groups: `count` columns and chunks. */
void parquet_meta_group(struct text_buffer *out, const struct sheet_column *columns,
                        const struct parquet_chunk *chunks, size_t count, uint64_t rows);

/* Write the footer, FileMetaData, in two halves: what is known at once, and what is known only at
 * the end. `groups` are those made by parquet_meta_group(). */
void parquet_meta_schema(struct thrift *t, const struct sheet_column *columns, size_t count);
void parquet_meta_groups(struct thrift *t, size_t column_count, const struct text_buffer *groups,
                         size_t group_count, uint64_t rows);

#endif
