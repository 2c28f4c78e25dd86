/* arrow_meta.c - Arrow's messages. The numbers below are the format's: Message.fbs and Schema.fbs
 * name each. */
#include "formats/arrow_meta.h"

#include <stdlib.h>

enum { VERSION_5 = 4 };
enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_BATCH = 3 };
enum { TYPE_INT = 2, TYPE_BINARY = 4, TYPE_UTF8 = 5, TYPE_DECIMAL = 7, TYPE_TIMESTAMP = 10 };
enum { NANOSECOND = 3 };

bool arrow_has_dictionary(const struct sheet_column *column)
{
    return column->type == SHEET_NAME && column->source != SHEET_TEXT;
}

/* ---- messages ---- */

static const char *finish(struct flat *flat, int header_type, uint32_t header, int64_t body_size,
                          size_t *size)
{
    flat_begin(flat);
    flat_number(flat, 3, body_size, 8);
    flat_place(flat, 2, header);
    flat_number(flat, 0, VERSION_5, 2);
    flat_number(flat, 1, header_type, 1);
    return flat_finish(flat, flat_end(flat), size);
}

/* ---- the schema ---- */

static uint32_t put_int(struct flat *flat, int bits, bool is_signed)
{
    flat_begin(flat);
    flat_number(flat, 0, bits, 4);
    flat_number(flat, 1, is_signed, 1);
    return flat_end(flat);
}

static uint32_t put_decimal(struct flat *flat)
{
    flat_begin(flat);
    flat_number(flat, 0, SHEET_DECIMAL_DIGITS, 4);
    flat_number(flat, 1, SHEET_DECIMAL_PLACES, 4);
    flat_number(flat, 2, 128, 4);
    return flat_end(flat);
}

static uint32_t put_timestamp(struct flat *flat)
{
    flat_begin(flat);
    flat_number(flat, 0, NANOSECOND, 2);
    return flat_end(flat);
}

static uint32_t put_nothing(struct flat *flat)
{
    flat_begin(flat);
    return flat_end(flat);
}

static uint32_t put_type(struct flat *flat, const struct sheet_column *column, int *type)
{
    *type = TYPE_INT;
    if (column->decimal) {
        *type = TYPE_DECIMAL;
        return put_decimal(flat);
    }
    switch ((enum sheet_type)column->type) {
    case SHEET_TIME:
        *type = TYPE_TIMESTAMP;
        return put_timestamp(flat);
    case SHEET_CHAR:
    case SHEET_NAME:
        *type = TYPE_UTF8;
        return put_nothing(flat);
    case SHEET_BYTES:
        *type = TYPE_BINARY;
        return put_nothing(flat);
    case SHEET_I8:
    case SHEET_I16:
    case SHEET_I32:
    case SHEET_I64:
    case SHEET_PRICE:
        return put_int(flat, column->width * 8, true);
    case SHEET_U8:
    case SHEET_U16:
    case SHEET_U32:
    case SHEET_U64:
    case SHEET_SIZE:
        break;
    }
    return put_int(flat, column->width * 8, false);
}

static uint32_t put_encoding(struct flat *flat, int64_t id)
{
    uint32_t number = put_int(flat, 32, true);
    flat_begin(flat);
    flat_number(flat, 0, id, 8);
    flat_place(flat, 1, number);
    return flat_end(flat);
}

static uint32_t put_field(struct flat *flat, const struct sheet_column *column, int64_t id)
{
    int type;
    bool coded = arrow_has_dictionary(column);
    uint32_t name = flat_string(flat, column->name), type_at = put_type(flat, column, &type);
    uint32_t encoding = coded ? put_encoding(flat, id) : 0;
    uint32_t children = flat_places(flat, NULL, 0);
    flat_begin(flat);
    flat_place(flat, 0, name);
    flat_place(flat, 3, type_at);
    if (coded)
        flat_place(flat, 4, encoding);
    flat_place(flat, 5, children);
    flat_number(flat, 1, column->nullable, 1);
    flat_number(flat, 2, type, 1);
    return flat_end(flat);
}

const char *arrow_meta_schema(struct flat *flat, const struct sheet *sheet, size_t *size)
{
    flat_clear(flat);
    uint32_t *fields = calloc(sheet->column_count, sizeof *fields);
    if (fields == NULL)
        return NULL;
    for (size_t i = 0; i < sheet->column_count; i++)
        fields[i] = put_field(flat, &sheet->columns[i], (int64_t)i);
    uint32_t list = flat_places(flat, fields, sheet->column_count);
    free(fields);
    flat_begin(flat);
    flat_place(flat, 1, list);
    return finish(flat, HEADER_SCHEMA, flat_end(flat), 0, size);
}

/* ---- batches ---- */

static uint32_t put_batch(struct flat *flat, const struct arrow_body *body)
{
    uint32_t buffers = flat_pairs(flat, body->buffers, body->buffer_count);
    uint32_t nodes = flat_pairs(flat, body->nodes, body->node_count);
    flat_begin(flat);
    flat_number(flat, 0, body->rows, 8);
    flat_place(flat, 1, nodes);
    flat_place(flat, 2, buffers);
    return flat_end(flat);
}

const char *arrow_meta_batch(struct flat *flat, const struct arrow_body *body, size_t *size)
{
    flat_clear(flat);
    return finish(flat, HEADER_BATCH, put_batch(flat, body), body->size, size);
}

/* The dictionary replaces the one before and does not add to it. So each batch stands by itself,
 * and many readers do not support additions. */
const char *arrow_meta_dictionary(struct flat *flat, int64_t id, const struct arrow_body *body,
                                  size_t *size)
{
    flat_clear(flat);
    uint32_t batch = put_batch(flat, body);
    flat_begin(flat);
    flat_number(flat, 0, id, 8);
    flat_place(flat, 1, batch);
    return finish(flat, HEADER_DICTIONARY, flat_end(flat), body->size, size);
}
