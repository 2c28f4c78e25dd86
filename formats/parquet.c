#include "formats/parquet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/err.h"
#include "formats/parquet_meta.h"
#include "formats/parquet_values.h"
#include "formats/thrift.h"

#define LEVEL      1                 /* of zstd: 3 costs twice the time for 6 % */
#define BYTES_PAGE ((size_t)1 << 20) /* of payloads in a page; a longer one has its own */

static const char magic[] = {'P', 'A', 'R', '1'};

struct parquet {
    struct outlet outlet;
    ZSTD_CCtx *zstd;
    struct parquet_values values;
    struct text_buffer footer; /* the first half: the schema */
    struct thrift thrift;      /* inside an open struct of it */
    struct text_buffer groups; /* the footer's row groups, one after the other */
    struct parquet_chunk *chunks;
    size_t column_count, group_count;
    uint64_t rows;
};

int parquet_open(struct parquet **parquet, const struct sheet *sheet, outlet_write_cb *write,
                 void *context, struct tdk_err *err)
{
    struct parquet *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, -ENOMEM, "write Parquet");
    outlet_init(&p->outlet, write, context);
    text_init(&p->footer);
    text_init(&p->groups);
    p->column_count = sheet->column_count;
    p->chunks = calloc(p->column_count, sizeof *p->chunks);
    p->zstd = ZSTD_createCCtx();
    if (parquet_values_init(&p->values) < 0 || p->chunks == NULL || p->zstd == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1))) {
        parquet_close(p);
        return err_set(err, -ENOMEM, "write Parquet");
    }
    text_add(&p->outlet.text, magic, sizeof magic);
    p->thrift = thrift_begin(&p->footer);
    parquet_meta_schema(&p->thrift, sheet->columns, sheet->column_count);
    *parquet = p;
    return 0;
}

void parquet_close(struct parquet *p)
{
    if (p == NULL)
        return;
    outlet_close(&p->outlet);
    parquet_values_close(&p->values);
    ZSTD_freeCCtx(p->zstd);
    text_close(&p->footer);
    text_close(&p->groups);
    free(p->chunks);
    free(p);
}

/* ---- pages ---- */

/* Write a page after its head. The head's size depends on the compressed size, so the page is
 * compressed to where the longest head would end, and then moved. */
static int put_page(struct parquet *p, struct parquet_chunk *chunk, struct parquet_page *page,
                    const struct text_buffer *raw, struct tdk_err *err)
{
    struct text_buffer *out = &p->outlet.text;
    const size_t head_max = 64;
    size_t begin = out->size, bound = ZSTD_compressBound(raw->size);
    char *at = text_reserve(out, head_max + bound);
    if (at == NULL)
        return err_set(err, -ENOMEM, "write Parquet");
    size_t packed = ZSTD_compress2(p->zstd, at + head_max, bound, raw->bytes, raw->size);
    if (ZSTD_isError(packed))
        return err_say(err, TDK_EINTERNAL, "compress Parquet: %s", ZSTD_getErrorName(packed));
    page->raw_size = raw->size;
    page->packed_size = packed;
    parquet_meta_page(out, page);
    size_t head = out->size - begin;
    memmove(out->bytes + out->size, at + head_max, packed);
    out->size += packed;
    chunk->raw_size += head + raw->size;
    chunk->packed_size += head + packed;
    return outlet_settle(&p->outlet, err);
}

static int put_dictionary(struct parquet *p, struct parquet_chunk *chunk, struct tdk_err *err)
{
    struct parquet_page page = {
        .dictionary = true, .encoding = PARQUET_PLAIN, .values = p->values.dictionary_count};
    chunk->dictionary_at = outlet_offset(&p->outlet);
    return put_page(p, chunk, &page, &p->values.dictionary, err);
}

static int put_data(struct parquet *p, struct parquet_chunk *chunk,
                    const struct sheet_column *column, size_t first, size_t count,
                    struct tdk_err *err)
{
    if (parquet_values_make(&p->values, column, first, count) < 0)
        return err_set(err, -ENOMEM, "write Parquet");
    int rc = p->values.dictionary_count > 0 ? put_dictionary(p, chunk, err) : 0;
    if (rc < 0)
        return rc;
    if (first == 0)
        chunk->data_at = outlet_offset(&p->outlet);
    chunk->encoding = p->values.encoding;
    chunk->bounded = p->values.bounded;
    chunk->min = p->values.min;
    chunk->max = p->values.max;
    struct parquet_page page = {.encoding = p->values.encoding, .values = count};
    return put_page(p, chunk, &page, &p->values.page, err);
}

/* How many payloads, from `first` on, make a page. */
static size_t page_rows(const struct sheet_column *column, size_t first, size_t rows)
{
    if (column->type != SHEET_BYTES)
        return rows - first;
    const uint32_t *offsets = column->values;
    size_t end = first + 1;
    while (end < rows && offsets[end + 1] - offsets[first] <= BYTES_PAGE)
        end++;
    return end - first;
}

static int put_chunk(struct parquet *p, struct parquet_chunk *chunk,
                     const struct sheet_column *column, size_t rows, struct tdk_err *err)
{
    *chunk = (struct parquet_chunk){.rows = rows, .nulls = column->nulls};
    int rc = 0;
    for (size_t first = 0; rc == 0 && first < rows;) {
        size_t count = page_rows(column, first, rows);
        rc = put_data(p, chunk, column, first, count, err);
        first += count;
    }
    return rc;
}

int parquet_put(struct parquet *p, const struct sheet *sheet, struct tdk_err *err)
{
    if (sheet->rows == 0)
        return 0;
    for (size_t i = 0; i < p->column_count; i++) {
        int rc = put_chunk(p, &p->chunks[i], &sheet->columns[i], sheet->rows, err);
        if (rc < 0)
            return rc;
    }
    parquet_meta_group(&p->groups, sheet->columns, p->chunks, p->column_count, sheet->rows);
    if (text_error(&p->groups) < 0)
        return err_set(err, -ENOMEM, "write Parquet");
    p->group_count++;
    p->rows += sheet->rows;
    return 0;
}

int parquet_finish(struct parquet *p, struct tdk_err *err)
{
    parquet_meta_groups(&p->thrift, p->column_count, &p->groups, p->group_count, p->rows);
    thrift_end(&p->thrift);
    if (text_error(&p->footer) < 0)
        return err_set(err, -ENOMEM, "write Parquet");
    char size[4];
    store_u32(size, (uint32_t)p->footer.size);
    text_add(&p->outlet.text, p->footer.bytes, p->footer.size);
    text_add(&p->outlet.text, size, sizeof size);
    text_add(&p->outlet.text, magic, sizeof magic);
    return outlet_flush(&p->outlet, err);
}
