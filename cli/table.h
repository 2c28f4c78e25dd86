/*
 * table.h - lists on stdout: aligned for people, TSV with a header line for pipes, JSON for
 * programs.
 *
 * Cells are put in column order; a row is complete with its last cell. Sizes, times and durations
 * are written for people only in the aligned form; the others have plain integers (bytes, ns). JSON
 * is always one array of objects, even for a single thing. Text is escaped in every form. One
 * thread.
 *
 * Rows are kept, so that a command that fails has written nothing. In the aligned form all of them
 * are kept until the end. In the other forms some thousands are; from then on rows are written as
 * they come.
 */
#ifndef TDK_CLI_TABLE_H
#define TDK_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum column_kind {
    COLUMN_TEXT,
    COLUMN_COUNT,
    COLUMN_SIZE,     /* bytes */
    COLUMN_TIME,     /* ns since 1970; UINT64_MAX: none */
    COLUMN_DURATION, /* ns */
    COLUMN_FLAG,     /* yes or no; true or false in JSON */
};

struct column {
    const char *name; /* the key in JSON and in the header line; the aligned form shows it, too */
    enum column_kind kind;
};

enum table_form {
    TABLE_ALIGNED, /* a line for each row */
    TABLE_SHEET,   /* a line for each cell, `name  value`: for people who look at one thing */
    TABLE_TSV,
    TABLE_JSON,
};

/* JSON if asked for, aligned on a terminal, else TSV. */
enum table_form table_form(bool json);

/* The same for a single thing: a sheet on a terminal. */
enum table_form table_form_single(bool json);

struct table;

/* `columns` is borrowed. -ENOMEM. */
int table_open(struct table **table, enum table_form form, const struct column *columns,
               size_t count);
void table_text(struct table *table, const char *text); /* NULL: none (null in JSON) */
void table_number(struct table *table, uint64_t number);
void table_none(struct table *table); /* a cell without a value */

/* Write what is left to stdout. Returns 0, also when nobody reads any more (EPIPE); -errno; or
 * -ENOMEM, also of an earlier cell. Frees the table in every case. */
int table_close(struct table *table);

/* Free the table without writing the rest. NULL is fine. */
void table_drop(struct table *table);

#endif
