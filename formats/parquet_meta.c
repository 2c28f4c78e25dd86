/* parquet_meta.c - Parquet's metadata. The numbers below are the format's: parquet.thrift names
 * each. */
#include "formats/parquet_meta.h"

enum { PHYSICAL_INT32 = 1, PHYSICAL_INT64 = 2, PHYSICAL_BYTE_ARRAY = 6 };
enum { REQUIRED = 0, OPTIONAL = 1 };
enum { CODEC_ZSTD = 6 };
enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 };
enum { LOGICAL_STRING = 1, LOGICAL_DECIMAL = 5, LOGICAL_TIMESTAMP = 8, LOGICAL_INTEGER = 10 };

/* For readers that are older than logical types. */
enum { NONE = -1, UTF8 = 0, DECIMAL = 5, UINT_8 = 11, INT_8 = 15 };

/* By enum sheet_type. */
static const struct {
    int8_t physical;
    int8_t logical; /* 0: none */
    int8_t bits;    /* of LOGICAL_INTEGER; 0: the physical type says enough */
    bool is_signed;
    int8_t converted;
} kinds[] = {
    [SHEET_U8] = {PHYSICAL_INT32, LOGICAL_INTEGER, 8, false, UINT_8},
    [SHEET_U16] = {PHYSICAL_INT32, LOGICAL_INTEGER, 16, false, UINT_8 + 1},
    [SHEET_U32] = {PHYSICAL_INT32, LOGICAL_INTEGER, 32, false, UINT_8 + 2},
    [SHEET_U64] = {PHYSICAL_INT64, LOGICAL_INTEGER, 64, false, UINT_8 + 3},
    [SHEET_I8] = {PHYSICAL_INT32, LOGICAL_INTEGER, 8, true, INT_8},
    [SHEET_I16] = {PHYSICAL_INT32, LOGICAL_INTEGER, 16, true, INT_8 + 1},
    [SHEET_I32] = {PHYSICAL_INT32, LOGICAL_INTEGER, 32, true, INT_8 + 2},
    [SHEET_I64] = {PHYSICAL_INT64, LOGICAL_INTEGER, 64, true, INT_8 + 3},
    [SHEET_PRICE] = {PHYSICAL_INT64, LOGICAL_INTEGER, 64, true, INT_8 + 3},
    [SHEET_SIZE] = {PHYSICAL_INT64, LOGICAL_INTEGER, 64, false, UINT_8 + 3},
    [SHEET_TIME] = {PHYSICAL_INT64, LOGICAL_TIMESTAMP, 0, false, NONE},
    [SHEET_CHAR] = {PHYSICAL_BYTE_ARRAY, LOGICAL_STRING, 0, false, UTF8},
    [SHEET_NAME] = {PHYSICAL_BYTE_ARRAY, LOGICAL_STRING, 0, false, UTF8},
    [SHEET_BYTES] = {PHYSICAL_BYTE_ARRAY, 0, 0, false, NONE},
};

/* ---- pages ---- */

void parquet_meta_page(struct text_buffer *out, const struct parquet_page *page)
{
    struct thrift t = thrift_begin(out);
    thrift_i32(&t, 1, page->dictionary ? PAGE_DICTIONARY : PAGE_DATA);
    thrift_i32(&t, 2, (int32_t)page->raw_size);
    thrift_i32(&t, 3, (int32_t)page->packed_size);
    thrift_struct(&t, page->dictionary ? 7 : 5);
    thrift_i32(&t, 1, (int32_t)page->values);
    thrift_i32(&t, 2, (int32_t)page->encoding);
    if (!page->dictionary) {
        thrift_i32(&t, 3, PARQUET_RLE); /* definition levels */
        thrift_i32(&t, 4, PARQUET_RLE); /* repetition levels; there are none */
    }
    thrift_end(&t);
    thrift_end(&t);
}

/* ---- row groups ---- */

static void put_statistics(struct thrift *t, const struct parquet_chunk *chunk)
{
    thrift_struct(t, 12);
    thrift_i64(t, 3, (int64_t)chunk->nulls);
    if (chunk->bounded) {
        thrift_binary(t, 5, chunk->max.bytes, chunk->max.size);
        thrift_binary(t, 6, chunk->min.bytes, chunk->min.size);
    }
    thrift_end(t);
}

static void put_encodings(struct thrift *t, const struct parquet_chunk *chunk)
{
    thrift_list(t, 2, THRIFT_I32, chunk->dictionary_at != 0 ? 3 : 2);
    thrift_zigzag(t->out, PARQUET_RLE);
    thrift_zigzag(t->out, chunk->encoding);
    if (chunk->dictionary_at != 0)
        thrift_zigzag(t->out, PARQUET_PLAIN);
}

static void put_chunk(struct thrift *t, const struct sheet_column *column,
                      const struct parquet_chunk *chunk)
{
    thrift_element(t); /* ColumnChunk */
    thrift_i64(t, 2, 0);
    thrift_struct(t, 3); /* ColumnMetaData */
    thrift_i32(t, 1, kinds[column->type].physical);
    put_encodings(t, chunk);
    thrift_list(t, 3, THRIFT_BINARY, 1);
    thrift_element_string(t, column->name);
    thrift_i32(t, 4, CODEC_ZSTD);
    thrift_i64(t, 5, (int64_t)chunk->rows);
    thrift_i64(t, 6, (int64_t)chunk->raw_size);
    thrift_i64(t, 7, (int64_t)chunk->packed_size);
    thrift_i64(t, 9, (int64_t)chunk->data_at);
    if (chunk->dictionary_at != 0)
        thrift_i64(t, 11, (int64_t)chunk->dictionary_at);
    put_statistics(t, chunk);
    thrift_end(t);
    thrift_end(t);
}

void parquet_meta_group(struct text_buffer *out, const struct sheet_column *columns,
                        const struct parquet_chunk *chunks, size_t count, uint64_t rows)
{
    uint64_t raw_size = 0, packed_size = 0;
    struct thrift t = thrift_begin(out);
    thrift_list(&t, 1, THRIFT_STRUCT, count);
    for (size_t i = 0; i < count; i++) {
        put_chunk(&t, &columns[i], &chunks[i]);
        raw_size += chunks[i].raw_size;
        packed_size += chunks[i].packed_size;
    }
    const struct parquet_chunk *first = &chunks[0];
    thrift_i64(&t, 2, (int64_t)raw_size);
    thrift_i64(&t, 3, (int64_t)rows);
    thrift_i64(&t, 5, (int64_t)(first->dictionary_at != 0 ? first->dictionary_at : first->data_at));
    thrift_i64(&t, 6, (int64_t)packed_size);
    thrift_end(&t);
}

/* ---- the schema ---- */

static void put_decimal(struct thrift *t)
{
    thrift_i32(t, 6, DECIMAL);
    thrift_i32(t, 7, SHEET_DECIMAL_PLACES);
    thrift_i32(t, 8, SHEET_DECIMAL_DIGITS);
    thrift_struct(t, 10);
    thrift_struct(t, LOGICAL_DECIMAL);
    thrift_i32(t, 1, SHEET_DECIMAL_PLACES);
    thrift_i32(t, 2, SHEET_DECIMAL_DIGITS);
    thrift_end(t);
    thrift_end(t);
}

static void put_logical(struct thrift *t, enum sheet_type type)
{
    thrift_struct(t, 10);
    thrift_struct(t, kinds[type].logical);
    if (kinds[type].logical == LOGICAL_INTEGER) {
        thrift_byte(t, 1, kinds[type].bits);
        thrift_bool(t, 2, kinds[type].is_signed);
    } else if (kinds[type].logical == LOGICAL_TIMESTAMP) {
        thrift_bool(t, 1, false); /* not adjusted to UTC */
        thrift_struct(t, 2);
        thrift_empty(t, 3); /* ns */
        thrift_end(t);
    }
    thrift_end(t);
    thrift_end(t);
}

static void put_column(struct thrift *t, const struct sheet_column *column)
{
    thrift_element(t);
    thrift_i32(t, 1, kinds[column->type].physical);
    thrift_i32(t, 3, column->nullable ? OPTIONAL : REQUIRED);
    thrift_string(t, 4, column->name);
    if (column->decimal) {
        put_decimal(t);
    } else {
        if (kinds[column->type].converted != NONE)
            thrift_i32(t, 6, kinds[column->type].converted);
        if (kinds[column->type].logical != 0)
            put_logical(t, column->type);
    }
    thrift_end(t);
}

void parquet_meta_schema(struct thrift *t, const struct sheet_column *columns, size_t count)
{
    thrift_i32(t, 1, 2); /* version */
    thrift_list(t, 2, THRIFT_STRUCT, count + 1);
    thrift_element(t);
    thrift_string(t, 4, "ticks");
    thrift_i32(t, 5, (int32_t)count);
    thrift_end(t);
    for (size_t i = 0; i < count; i++)
        put_column(t, &columns[i]);
}

/* ---- the footer ---- */

void parquet_meta_groups(struct thrift *t, size_t column_count, const struct text_buffer *groups,
                         size_t group_count, uint64_t rows)
{
    thrift_i64(t, 3, (int64_t)rows);
    thrift_list(t, 4, THRIFT_STRUCT, group_count);
    text_add(t->out, groups->bytes, groups->size);
    thrift_string(t, 6, "tapedeck version " TDK_VERSION " (build 1)");
    thrift_list(t, 7, THRIFT_STRUCT, column_count);
    for (size_t i = 0; i < column_count; i++) { /* bounds are in the order of the column's type */
        thrift_element(t);
        thrift_empty(t, 1);
        thrift_end(t);
    }
}
