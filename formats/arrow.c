#include "formats/arrow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "formats/arrow_meta.h"

#define ALIGN ((size_t)64) /* of buffers in a body, as the format advises */

struct arrow {
    struct outlet outlet;
    struct flat flat;
    struct text_buffer body; /* of the current message */
    int64_t (*nodes)[2];
    int64_t (*buffers)[2]; /* at most three for each column */
    size_t node_count, buffer_count;
};

int arrow_open(struct arrow **arrow, const struct sheet *sheet, outlet_write_cb *write,
               void *context, struct tdk_err *err)
{
    struct arrow *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, -ENOMEM, "write Arrow");
    outlet_init(&a->outlet, write, context);
    text_init(&a->body);
    a->nodes = calloc(sheet->column_count, sizeof *a->nodes);
    a->buffers = calloc(sheet->column_count * 3, sizeof *a->buffers);
    size_t size = 0;
    const char *schema = arrow_meta_schema(&a->flat, sheet, &size);
    const char *room = text_reserve(&a->body, ALIGN); /* so that even empty buffers have a place */
    if (a->nodes == NULL || a->buffers == NULL || schema == NULL || room == NULL) {
        arrow_close(a);
        return err_set(err, -ENOMEM, "write Arrow");
    }
    uint32_t head[2] = {UINT32_MAX, (uint32_t)size};
    text_add(&a->outlet.text, head, sizeof head);
    text_add(&a->outlet.text, schema, size);
    *arrow = a;
    return 0;
}

void arrow_close(struct arrow *a)
{
    if (a == NULL)
        return;
    outlet_close(&a->outlet);
    flat_close(&a->flat);
    text_close(&a->body);
    free(a->nodes);
    free(a->buffers);
    free(a);
}

/* ---- a body ---- */

static void body_begin(struct arrow *a)
{
    text_clear(&a->body);
    a->node_count = a->buffer_count = 0;
}

/* Enter what was added to the body since `begin` as a buffer. */
static void mark_buffer(struct arrow *a, size_t begin)
{
    int64_t *buffer = a->buffers[a->buffer_count++];
    buffer[0] = (int64_t)begin;
    buffer[1] = (int64_t)(a->body.size - begin);
    size_t padding = align_up(a->body.size, ALIGN) - a->body.size;
    char *at = text_reserve(&a->body, padding);
    if (at == NULL)
        return;
    memset(at, 0, padding);
    text_wrote(&a->body, at + padding);
}

static void add_buffer(struct arrow *a, const void *bytes, size_t size)
{
    size_t begin = a->body.size;
    text_add(&a->body, bytes, size);
    mark_buffer(a, begin);
}

static void add_node(struct arrow *a, const struct sheet_column *column, size_t rows)
{
    int64_t *node = a->nodes[a->node_count++];
    node[0] = (int64_t)rows;
    node[1] = column != NULL ? (int64_t)column->nulls : 0;
    if (node[1] > 0)
        add_buffer(a, column->valid, (rows + 7) / 8);
    else
        add_buffer(a, NULL, 0); /* no bits: every row has a value */
}

/* Add the same numbers in 128 bits. */
static void add_decimals(struct arrow *a, const struct sheet_column *column, size_t rows)
{
    const int64_t *values = column->values;
    size_t begin = a->body.size;
    char *at = text_reserve(&a->body, rows * 16);
    if (at == NULL)
        return;
    for (size_t i = 0; i < rows; i++, at += 16) {
        store_u64(at, (uint64_t)values[i]);
        store_u64(at + 8, (uint64_t)(values[i] >> 63));
    }
    text_wrote(&a->body, at);
    mark_buffer(a, begin);
}

/* Make room for the offsets of `rows` texts, which are filled in later. */
static size_t begin_offsets(struct arrow *a, size_t rows)
{
    size_t begin = a->body.size, size = (rows + 1) * sizeof(uint32_t);
    char *at = text_reserve(&a->body, size);
    if (at != NULL) {
        memset(at, 0, size);
        text_wrote(&a->body, at + size);
    }
    mark_buffer(a, begin);
    return begin;
}

static void set_offset(struct arrow *a, size_t offsets, size_t row, size_t value)
{
    if (text_error(&a->body) == 0)
        store_u32(a->body.bytes + offsets + row * sizeof(uint32_t), (uint32_t)value);
}

static void add_chars(struct arrow *a, const struct sheet_column *column, size_t rows)
{
    const uint8_t *values = column->values;
    size_t offsets = begin_offsets(a, rows), begin = a->body.size;
    for (size_t i = 0; i < rows; i++) {
        char text[SHEET_CHAR_MAX];
        if (values[i] != 0)
            text_add(&a->body, text, sheet_char(text, values[i]));
        set_offset(a, offsets, i + 1, a->body.size - begin);
    }
    mark_buffer(a, begin);
}

static void add_texts(struct arrow *a, const struct sheet_column *column, size_t rows)
{
    const uint32_t *numbers = column->values;
    size_t offsets = begin_offsets(a, rows), begin = a->body.size;
    for (size_t i = 0; i < rows; i++) {
        size_t size;
        const char *text = sheet_names_text(&column->names, numbers[i], &size);
        text_add(&a->body, text, size);
        set_offset(a, offsets, i + 1, a->body.size - begin);
    }
    mark_buffer(a, begin);
}

static void add_column(struct arrow *a, const struct sheet_column *column, size_t rows)
{
    add_node(a, column, rows);
    if (column->decimal) {
        add_decimals(a, column, rows);
    } else if (column->type == SHEET_CHAR) {
        add_chars(a, column, rows);
    } else if (column->type == SHEET_NAME && !arrow_has_dictionary(column)) {
        add_texts(a, column, rows);
    } else if (column->type == SHEET_BYTES) {
        add_buffer(a, column->values, (rows + 1) * sizeof(uint32_t));
        add_buffer(a, column->bytes.bytes, column->bytes.size);
    } else {
        add_buffer(a, column->values, rows * column->width);
    }
}

/* ---- messages ---- */

/* Write a message. Its head goes out with what waits, its body directly, because it is large. */
static int put_message(struct arrow *a, const char *message, size_t size, struct tdk_err *err)
{
    if (message == NULL || text_error(&a->body) < 0)
        return err_set(err, -ENOMEM, "write Arrow");
    uint32_t head[2] = {UINT32_MAX, (uint32_t)size};
    text_add(&a->outlet.text, head, sizeof head);
    text_add(&a->outlet.text, message, size);
    int rc = outlet_flush(&a->outlet, err);
    if (rc == 0 && a->body.size > 0)
        rc = a->outlet.write(a->outlet.context, a->body.bytes, a->body.size, err);
    return rc;
}

static struct arrow_body body_of(const struct arrow *a, size_t rows)
{
    return (struct arrow_body){
        .nodes = (const int64_t(*)[2])a->nodes,
        .buffers = (const int64_t(*)[2])a->buffers,
        .node_count = a->node_count,
        .buffer_count = a->buffer_count,
        .rows = (int64_t)rows,
        .size = (int64_t)a->body.size,
    };
}

/* Write the column's names, by number. */
static int put_dictionary(struct arrow *a, const struct sheet_column *column, int64_t id,
                          struct tdk_err *err)
{
    const struct sheet_names *names = &column->names;
    size_t size;
    body_begin(a);
    add_node(a, NULL, names->count);
    size_t offsets = begin_offsets(a, names->count);
    for (uint32_t i = 0; i < names->count; i++)
        set_offset(a, offsets, i + 1, names->ends[i]);
    add_buffer(a, names->bytes.bytes, names->bytes.size);
    struct arrow_body body = body_of(a, names->count);
    const char *message = arrow_meta_dictionary(&a->flat, id, &body, &size);
    return put_message(a, message, size, err);
}

int arrow_put(struct arrow *a, const struct sheet *sheet, struct tdk_err *err)
{
    int rc = 0;
    size_t size;
    if (sheet->rows == 0)
        return 0;
    for (size_t i = 0; rc == 0 && i < sheet->column_count; i++)
        if (arrow_has_dictionary(&sheet->columns[i]))
            rc = put_dictionary(a, &sheet->columns[i], (int64_t)i, err);
    if (rc < 0)
        return rc;
    body_begin(a);
    for (size_t i = 0; i < sheet->column_count; i++)
        add_column(a, &sheet->columns[i], sheet->rows);
    struct arrow_body body = body_of(a, sheet->rows);
    const char *message = arrow_meta_batch(&a->flat, &body, &size);
    return put_message(a, message, size, err);
}

int arrow_finish(struct arrow *a, struct tdk_err *err)
{
    static const uint32_t end[2] = {UINT32_MAX, 0};
    text_add(&a->outlet.text, end, sizeof end);
    return outlet_flush(&a->outlet, err);
}
