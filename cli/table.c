#include "cli/table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/moment.h"
#include "base/quantity.h"
#include "base/text_buffer.h"

struct cell {
    char *text; /* ours; NULL: a number, or nothing */
    uint64_t number;
    bool none;
};

#define KEPT_MAX ((size_t)64 << 10) /* cells, some 4 MiB with their texts */

struct table {
    enum table_form form;
    const struct column *columns;
    size_t columns_count;
    struct cell *cells; /* complete rows, and the current one */
    size_t count, room;
    bool begun; /* earlier rows have been written */
    int failed;
};

enum table_form table_form(bool json)
{
    if (json)
        return TABLE_JSON;
    return isatty(STDOUT_FILENO) ? TABLE_ALIGNED : TABLE_TSV;
}

enum table_form table_form_single(bool json)
{
    enum table_form form = table_form(json);
    return form == TABLE_ALIGNED ? TABLE_SHEET : form;
}

int table_open(struct table **table, enum table_form form, const struct column *columns,
               size_t count)
{
    assert(count > 0);
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL)
        return -ENOMEM;
    t->form = form;
    t->columns = columns;
    t->columns_count = count;
    *table = t;
    return 0;
}

/* ---- text of a cell ---- */

enum { CELL_TEXT = 64 };

/* The text of a number, as the form and the column require it. */
static const char *number_text(const struct table *t, const struct column *column,
                               const struct cell *cell, char text[CELL_TEXT])
{
    bool people = t->form == TABLE_ALIGNED || t->form == TABLE_SHEET;
    if (cell->none || (column->kind == COLUMN_TIME && cell->number == UINT64_MAX))
        return t->form == TABLE_JSON ? "null" : people ? "-" : "";
    if (column->kind == COLUMN_FLAG && t->form == TABLE_JSON)
        return cell->number != 0 ? "true" : "false";
    if (column->kind == COLUMN_FLAG)
        return cell->number != 0 ? "yes" : "no";
    if (people && column->kind == COLUMN_SIZE)
        return quantity_size_text(text, cell->number);
    if (people && column->kind == COLUMN_TIME)
        return moment_text(text, cell->number);
    if (people && column->kind == COLUMN_DURATION)
        return quantity_duration_text(text, cell->number);
    snprintf(text, CELL_TEXT, "%" PRIu64, cell->number);
    return text;
}

/* A tab or newline inside a cell would begin another cell; an escape sequence would be worse. */
static void put_plain(struct text_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            text_add_format(out, "\\x%02x", c);
        else
            text_add_char(out, *text);
    }
}

/* Width on a screen: counts bytes that begin a character, and four for one that is escaped. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        width += c < 0x20 || c == 0x7f ? 4 : (c & 0xc0) != 0x80;
    }
    return width;
}

static const char *cell_text(const struct table *t, size_t i, char text[CELL_TEXT])
{
    const struct cell *cell = &t->cells[i];
    return cell->text != NULL ? cell->text
                              : number_text(t, &t->columns[i % t->columns_count], cell, text);
}

/* ---- the forms ---- */

static void put_tsv(const struct table *t, struct text_buffer *out)
{
    for (size_t i = 0; !t->begun && i < t->columns_count; i++) {
        text_add_string(out, t->columns[i].name);
        text_add_char(out, i + 1 < t->columns_count ? '\t' : '\n');
    }
    for (size_t i = 0; i < t->count; i++) {
        char text[CELL_TEXT];
        put_plain(out, cell_text(t, i, text));
        text_add_char(out, (i + 1) % t->columns_count == 0 ? '\n' : '\t');
    }
}

static void put_json(const struct table *t, bool last, struct text_buffer *out)
{
    if (!t->begun)
        text_add_char(out, '[');
    for (size_t i = 0; i < t->count; i++) {
        size_t column = i % t->columns_count;
        const char *name = t->columns[column].name;
        char text[CELL_TEXT];
        if (column == 0)
            text_add_string(out, i == 0 && !t->begun ? "{" : ",\n {");
        text_add_json(out, name, strlen(name));
        text_add_char(out, ':');
        if (t->cells[i].text != NULL)
            text_add_json(out, t->cells[i].text, strlen(t->cells[i].text));
        else
            text_add_string(out, cell_text(t, i, text));
        text_add_char(out, column + 1 == t->columns_count ? '}' : ',');
    }
    if (last)
        text_add_string(out, "]\n");
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t width = width_of(t->columns[column].name);
    for (size_t i = column; i < t->count; i += t->columns_count) {
        char text[CELL_TEXT];
        size_t w = width_of(cell_text(t, i, text));
        width = w > width ? w : width;
    }
    return width;
}

/* Numbers are aligned to the right, words to the left. Lines have no trailing spaces. */
static void put_cell(const struct table *t, size_t column, const char *text, size_t width,
                     struct text_buffer *out)
{
    enum column_kind kind = t->columns[column].kind;
    bool left = kind == COLUMN_TEXT || kind == COLUMN_FLAG || kind == COLUMN_TIME;
    bool last = column + 1 == t->columns_count;
    size_t gap = width - width_of(text);
    for (; !left && gap > 0; gap--)
        text_add_char(out, ' ');
    put_plain(out, text);
    for (; !last && gap > 0; gap--)
        text_add_char(out, ' ');
    text_add_string(out, last ? "\n" : "  ");
}

static int put_aligned(const struct table *t, struct text_buffer *out)
{
    size_t *widths = calloc(t->columns_count, sizeof *widths);
    if (widths == NULL)
        return -ENOMEM;
    for (size_t column = 0; column < t->columns_count; column++)
        widths[column] = column_width(t, column);
    for (size_t column = 0; column < t->columns_count; column++)
        put_cell(t, column, t->columns[column].name, widths[column], out);
    for (size_t i = 0; i < t->count; i++) {
        char text[CELL_TEXT];
        size_t column = i % t->columns_count;
        put_cell(t, column, cell_text(t, i, text), widths[column], out);
    }
    free(widths);
    return 0;
}

static void put_sheet(const struct table *t, struct text_buffer *out)
{
    size_t width = 0;
    for (size_t column = 0; column < t->columns_count; column++) {
        size_t w = width_of(t->columns[column].name);
        width = w > width ? w : width;
    }
    for (size_t i = 0; i < t->count; i++) {
        const char *name = t->columns[i % t->columns_count].name;
        char text[CELL_TEXT];
        if (i > 0 && i % t->columns_count == 0)
            text_add_char(out, '\n');
        text_add_string(out, name);
        for (size_t gap = width - width_of(name) + 2; gap > 0; gap--)
            text_add_char(out, ' ');
        put_plain(out, cell_text(t, i, text));
        text_add_char(out, '\n');
    }
}

/* `last`: no more rows will come. */
static int put_rows(const struct table *t, bool last, struct text_buffer *out)
{
    int rc = 0;
    assert(t->columns_count > 0); /* table_open() checks that */
    switch (t->form) {
    case TABLE_ALIGNED:
        rc = put_aligned(t, out);
        break;
    case TABLE_SHEET:
        put_sheet(t, out);
        break;
    case TABLE_TSV:
        put_tsv(t, out);
        break;
    case TABLE_JSON:
        put_json(t, last, out);
        break;
    }
    return rc == 0 ? text_error(out) : rc;
}

/* ---- rows ---- */

static void forget_cells(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i].text);
    t->count = 0;
}

/* Write what there is to stdout; after a failure, nothing. */
static void write_rows(struct table *t, bool last)
{
    struct text_buffer out;
    text_init(&out);
    if (t->failed == 0)
        t->failed = put_rows(t, last, &out);
    if (t->failed == 0 &&
        (fwrite(out.bytes, 1, out.size, stdout) != out.size || (last && fflush(stdout) != 0)))
        t->failed = -errno;
    text_close(&out);
    t->begun = true;
    forget_cells(t);
}

static bool is_kept_whole(const struct table *t)
{
    return t->form == TABLE_ALIGNED || t->form == TABLE_SHEET;
}

static void add(struct table *t, struct cell cell)
{
    struct cell *cells = array_grow(t->cells, &t->room, t->count + 1, sizeof *cells);
    if (cells == NULL) {
        free(cell.text);
        t->failed = -ENOMEM;
        return;
    }
    t->cells = cells;
    t->cells[t->count++] = cell;
    if (t->count >= KEPT_MAX && t->count % t->columns_count == 0 && !is_kept_whole(t))
        write_rows(t, false);
}

void table_text(struct table *table, const char *text)
{
    if (text == NULL) {
        table_none(table);
        return;
    }
    struct cell cell = {.text = strdup(text)};
    if (cell.text == NULL)
        table->failed = -ENOMEM;
    add(table, cell);
}

void table_number(struct table *table, uint64_t number)
{
    add(table, (struct cell){.number = number});
}

void table_none(struct table *table)
{
    add(table, (struct cell){.none = true});
}

void table_drop(struct table *table)
{
    if (table == NULL)
        return;
    forget_cells(table);
    free(table->cells);
    free(table);
}

int table_close(struct table *table)
{
    write_rows(table, true);
    int rc = table->failed == -EPIPE ? 0 : table->failed;
    table_drop(table);
    return rc;
}
