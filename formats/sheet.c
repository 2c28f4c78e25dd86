#include "formats/sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define HEAD        ((uint16_t)sizeof(struct tdk_frame))
#define FIXED_MAX   ((size_t)64 << 20) /* bytes of all values of fixed width */
#define BYTES_MAX   ((size_t)32 << 20) /* of payloads; the last one may go beyond */
#define COLUMNS_OWN 6                  /* those of the envelope, ts_out, symbol */

/* ---- which columns ---- */

static const struct {
    uint8_t type, width;
    bool nullable;
} kinds[] = {
    [DBN_U8] = {SHEET_U8, 1, false},       [DBN_I8] = {SHEET_I8, 1, false},
    [DBN_U16] = {SHEET_U16, 2, false},     [DBN_I16] = {SHEET_I16, 2, false},
    [DBN_U32] = {SHEET_U32, 4, false},     [DBN_I32] = {SHEET_I32, 4, false},
    [DBN_U64] = {SHEET_U64, 8, false},     [DBN_I64] = {SHEET_I64, 8, false},
    [DBN_PRICE] = {SHEET_PRICE, 8, true},  [DBN_SIZE] = {SHEET_SIZE, 8, true},
    [DBN_TIME] = {SHEET_TIME, 8, true},    [DBN_CHAR] = {SHEET_CHAR, 1, true},
    [DBN_STRING] = {SHEET_NAME, 4, false},
};

static struct sheet_column *add_column(struct sheet *sheet, const char *name, enum dbn_kind kind,
                                       enum sheet_source source, size_t offset)
{
    struct sheet_column *column = &sheet->columns[sheet->column_count++];
    *column = (struct sheet_column){.name = name,
                                    .type = kinds[kind].type,
                                    .source = (uint8_t)source,
                                    .width = kinds[kind].width,
                                    .nullable = kinds[kind].nullable,
                                    .offset = (uint16_t)offset};
    return column;
}

static void add_envelope(struct sheet *sheet)
{
    add_column(sheet, "track", DBN_STRING, SHEET_TRACK, 0);
    add_column(sheet, "epoch", DBN_U64, SHEET_EPOCH, 0);
    add_column(sheet, "seq", DBN_U64, SHEET_FIELD, offsetof(struct tdk_frame, seq));
    add_column(sheet, "ts", DBN_TIME, SHEET_FIELD, offsetof(struct tdk_frame, ts));
}

static void add_field(struct sheet *sheet, const struct dbn_field *field, bool decimal)
{
    enum sheet_source source = field->kind == DBN_STRING ? SHEET_TEXT : SHEET_FIELD;
    struct sheet_column *column =
        add_column(sheet, field->name, field->kind, source, HEAD + (size_t)field->offset);
    column->size = field->size;
    column->decimal = decimal && (field->kind == DBN_PRICE || field->kind == DBN_SIZE);
}

static void add_record(struct sheet *sheet, const struct dbn_layout *layout,
                       const struct sheet_options *options)
{
    if (options->envelope)
        add_envelope(sheet);
    for (size_t i = 0; i < layout->count; i++)
        add_field(sheet, &layout->fields[i], options->decimal);
    if (options->ts_out)
        add_column(sheet, "ts_out", DBN_TIME, SHEET_SEND_TIME, (size_t)HEAD + layout->size);
    if (options->map_symbols)
        add_column(sheet, "symbol", DBN_STRING, SHEET_SYMBOL, 0)->nullable = true;
}

static void add_opaque(struct sheet *sheet)
{
    add_envelope(sheet);
    add_column(sheet, "type", DBN_U8, SHEET_FIELD, offsetof(struct tdk_frame, type));
    struct sheet_column *payload = add_column(sheet, "payload", DBN_STRING, SHEET_PAYLOAD, 0);
    payload->type = SHEET_BYTES;
}

/* ---- open ---- */

static int make_room(struct sheet *sheet)
{
    size_t row = 0;
    for (size_t i = 0; i < sheet->column_count; i++)
        row += sheet->columns[i].width + (size_t)sheet->columns[i].size;
    sheet->rows_max = FIXED_MAX / row < SHEET_ROWS ? (FIXED_MAX / row) & ~(size_t)7 : SHEET_ROWS;
    for (size_t i = 0; i < sheet->column_count; i++) {
        struct sheet_column *column = &sheet->columns[i];
        column->values = malloc((sheet->rows_max + 1) * column->width);
        column->valid = column->nullable ? malloc(sheet->rows_max / 8) : NULL;
        if (column->values == NULL || (column->nullable && column->valid == NULL))
            return -ENOMEM;
    }
    return 0;
}

/* `layout` NULL: only the envelope, and with `opaque` the payload. */
static int open_sheet(struct sheet **sheet, const struct dbn_layout *layout, bool opaque,
                      const struct sheet_options *options, struct tdk_err *err)
{
    struct sheet *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "make columns");
    size_t count = (layout != NULL ? layout->count : 0) + (size_t)COLUMNS_OWN;
    s->columns = calloc(count, sizeof *s->columns);
    if (s->columns != NULL) {
        if (layout != NULL)
            add_record(s, layout, options);
        else if (opaque)
            add_opaque(s);
        else
            add_envelope(s);
    }
    if (s->columns == NULL || make_room(s) < 0) {
        sheet_close(s);
        return err_set(err, -ENOMEM, "make columns");
    }
    sheet_clear(s);
    *sheet = s;
    return 0;
}

int sheet_open(struct sheet **sheet, const struct dbn_layout *layout,
               const struct sheet_options *options, struct tdk_err *err)
{
    return open_sheet(sheet, layout, true, options, err);
}

int sheet_open_bare(struct sheet **sheet, struct tdk_err *err)
{
    return open_sheet(sheet, NULL, false, NULL, err);
}

void sheet_close(struct sheet *sheet)
{
    if (sheet == NULL)
        return;
    for (size_t i = 0; sheet->columns != NULL && i < sheet->column_count; i++) {
        struct sheet_column *column = &sheet->columns[i];
        free(column->values);
        free(column->valid);
        sheet_names_close(&column->names);
        text_close(&column->bytes);
    }
    free(sheet->columns);
    free(sheet);
}

void sheet_clear(struct sheet *sheet)
{
    sheet->rows = 0;
    for (size_t i = 0; i < sheet->column_count; i++) {
        struct sheet_column *column = &sheet->columns[i];
        column->nulls = 0;
        sheet_names_clear(&column->names);
        text_clear(&column->bytes);
        if (column->type == SHEET_BYTES)
            store_u32(column->values, 0);
    }
}

/* ---- filling ---- */

/* If the compiler knows the width, the copy is one load and one store. */
static inline void gather(const struct sheet_column *column, size_t row,
                          const struct sheet_part *part, size_t width)
{
    char *to = (char *)column->values + row * width;
    for (size_t i = 0; i < part->count; i++)
        memcpy(to + i * width, (const char *)part->frames[i] + column->offset, width);
}

static void take_field(const struct sheet_column *column, size_t row, const struct sheet_part *part)
{
    switch (column->width) {
    case 1:
        gather(column, row, part, 1);
        break;
    case 2:
        gather(column, row, part, 2);
        break;
    case 4:
        gather(column, row, part, 4);
        break;
    default:
        gather(column, row, part, 8);
        break;
    }
}

static void take_send_time(const struct sheet_column *column, size_t row,
                           const struct sheet_part *part)
{
    uint64_t *to = (uint64_t *)column->values + row;
    for (size_t i = 0; i < part->count; i++) {
        const struct tdk_frame *frame = part->frames[i];
        bool there = frame->size + sizeof *frame >= column->offset + (size_t)DBN_TS_OUT_SIZE;
        to[i] = there ? load_u64((const char *)frame + column->offset) : TDK_TS_UNDEFINED;
    }
}

static void take_text(struct sheet_column *column, size_t row, const struct sheet_part *part)
{
    uint32_t *to = (uint32_t *)column->values + row;
    for (size_t i = 0; i < part->count; i++) {
        const char *text = (const char *)part->frames[i] + column->offset;
        to[i] = sheet_names_add(&column->names, text, strnlen(text, column->size));
    }
}

static void take_payload(struct sheet_column *column, size_t row, const struct sheet_part *part)
{
    uint32_t *to = (uint32_t *)column->values + row + 1;
    for (size_t i = 0; i < part->count; i++) {
        text_add(&column->bytes, part->frames[i] + 1, part->frames[i]->size);
        to[i] = (uint32_t)column->bytes.size;
    }
}

static void take_track(struct sheet_column *column, size_t row, const struct sheet_part *part)
{
    uint32_t number = sheet_names_add(&column->names, part->track, strlen(part->track));
    uint32_t *to = (uint32_t *)column->values + row;
    for (size_t i = 0; i < part->count; i++)
        to[i] = number;
}

static void take_epoch(const struct sheet_column *column, size_t row, const struct sheet_part *part)
{
    uint64_t *to = (uint64_t *)column->values + row;
    for (size_t i = 0; i < part->count; i++)
        to[i] = part->epoch;
}

static void take_symbol(struct sheet_column *column, size_t row, const struct sheet_part *part)
{
    uint32_t *to = (uint32_t *)column->values + row;
    for (size_t i = 0; i < part->count; i++) {
        const char *symbol = part->symbol(part->context, part->frames[i]);
        to[i] = symbol != NULL ? sheet_names_add(&column->names, symbol, strlen(symbol))
                               : SHEET_NAMES_NONE;
    }
}

static void take(struct sheet_column *column, size_t row, const struct sheet_part *part)
{
    switch ((enum sheet_source)column->source) {
    case SHEET_FIELD:
        take_field(column, row, part);
        break;
    case SHEET_TEXT:
        take_text(column, row, part);
        break;
    case SHEET_SEND_TIME:
        take_send_time(column, row, part);
        break;
    case SHEET_PAYLOAD:
        take_payload(column, row, part);
        break;
    case SHEET_TRACK:
        take_track(column, row, part);
        break;
    case SHEET_EPOCH:
        take_epoch(column, row, part);
        break;
    case SHEET_SYMBOL:
        take_symbol(column, row, part);
        break;
    }
}

/* NULL: the sheet has no payloads. */
static const struct sheet_column *payload_of(const struct sheet *sheet)
{
    const struct sheet_column *last = &sheet->columns[sheet->column_count - 1];
    return last->type == SHEET_BYTES ? last : NULL;
}

bool sheet_is_full(const struct sheet *sheet)
{
    const struct sheet_column *payload = payload_of(sheet);
    return sheet->rows == sheet->rows_max || (payload != NULL && payload->bytes.size >= BYTES_MAX);
}

/* How many ticks there is room for, by rows and by bytes of payload. */
static size_t fitting(const struct sheet *sheet, const struct sheet_part *part)
{
    size_t left = sheet->rows_max - sheet->rows;
    size_t count = part->count < left ? part->count : left;
    const struct sheet_column *payload = payload_of(sheet);
    if (payload == NULL)
        return count;
    size_t bytes = payload->bytes.size, fit = 0;
    while (fit < count && bytes < BYTES_MAX)
        bytes += part->frames[fit++]->size;
    return fit;
}

size_t sheet_put(struct sheet *sheet, const struct sheet_part *part)
{
    struct sheet_part now = *part;
    now.count = fitting(sheet, part);
    for (size_t i = 0; i < sheet->column_count; i++)
        take(&sheet->columns[i], sheet->rows, &now);
    sheet->rows += now.count;
    return now.count;
}
