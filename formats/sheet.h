/*
 * sheet.h - ticks of one schema as columns, for formats that are written column by column.
 *
 * A sheet takes ticks until it is full. Then it is sealed, written by the code for a format
 * (parquet, arrow), and cleared. The columns are those of the CSV. Filling only copies, field by
 * field; values that stand for "no value" are looked for once, in seal. Memory: SHEET_ROWS rows.
 * Values of fixed width take at most 64 MiB, the others at most 32 MiB and one payload. One thread.
 */
#ifndef TDK_FORMATS_SHEET_H
#define TDK_FORMATS_SHEET_H

#include "base/text_buffer.h"
#include "formats/dbn_layout.h"
#include "formats/sheet_names.h"
#include "tapedeck/err.h"

#define SHEET_ROWS (128u << 10)

enum sheet_type {
    SHEET_U8,
    SHEET_I8,
    SHEET_U16,
    SHEET_I16,
    SHEET_U32,
    SHEET_I32,
    SHEET_U64,
    SHEET_I64,
    SHEET_PRICE, /* i64 in 1e-9 */
    SHEET_SIZE,  /* u64 in 1e-9 */
    SHEET_TIME,  /* i64 ns since 1970 */
    SHEET_CHAR,  /* one byte, see sheet_char() */
    SHEET_NAME,  /* text, as a u32 index into the column's names */
    SHEET_BYTES, /* any bytes, as rows + 1 u32 offsets into `bytes` */
};

/* Where a column's values come from. */
enum sheet_source {
    SHEET_FIELD, /* at `offset` in the frame */
    SHEET_TEXT,  /* the same: text padded with NUL */
    SHEET_SEND_TIME,
    SHEET_PAYLOAD,
    SHEET_TRACK,
    SHEET_EPOCH,
    SHEET_SYMBOL,
};

struct sheet_column {
    const char *name;
    uint8_t type, source;  /* enum sheet_type, enum sheet_source */
    uint8_t width;         /* of a value in `values`, in bytes */
    bool nullable;         /* some rows may have no value */
    bool decimal;          /* shown as a decimal number of 18 digits, 9 of them after the point */
    uint16_t offset, size; /* in the frame */
    void *values;          /* rows without a value have 0 */
    uint8_t *valid;        /* one bit for each row, the lowest first; only if nulls > 0 */
    size_t nulls;          /* known once sealed, like `valid` */
    struct sheet_names names;
    struct text_buffer bytes;
};

struct sheet {
    struct sheet_column *columns;
    size_t column_count;
    size_t rows, rows_max;
    uint64_t late; /* times past 2262, which do not fit in ns: null, and counted */
};

struct sheet_options {
    bool envelope;    /* put track, epoch, seq and ts in front */
    bool map_symbols; /* add a last column `symbol` */
    bool ts_out;      /* add a column for the send time, before `symbol` */
    bool decimal;     /* prices and sizes as decimals */
};

/* `layout` NULL: opaque payloads, with the columns track, epoch, seq, ts, type, payload. */
int sheet_open(struct sheet **sheet, const struct dbn_layout *layout,
               const struct sheet_options *options, struct tdk_err *err);

/* Make only the columns that every tick has: for an answer without ticks about which no more is
 * known. */
int sheet_open_bare(struct sheet **sheet, struct tdk_err *err);
void sheet_close(struct sheet *sheet); /* NULL is fine */

/* Ticks of one track and epoch, all of the sheet's layout. */
struct sheet_part {
    const struct tdk_frame *const *frames;
    size_t count;
    const char *track;
    uint64_t epoch;
    /* For map_symbols: the symbol of a tick's instrument, valid until the next call. NULL: not
     * known. */
    const char *(*symbol)(void *context, const struct tdk_frame *frame);
    void *context;
};

/* Returns how many of them were taken: fewer than all if the sheet becomes full, 0 only if it is
 * full. */
size_t sheet_put(struct sheet *sheet, const struct sheet_part *part);
bool sheet_is_full(const struct sheet *sheet);

/* Call it before the sheet is written. -ENOMEM: something is missing from it. TDK_EFORMAT: a number
 * has more digits than a decimal column. */
int sheet_seal(struct sheet *sheet, struct tdk_err *err);
void sheet_clear(struct sheet *sheet);

/* Write a SHEET_CHAR as text: as it is, or as `\xff` if the byte is not ASCII. Takes at most
 * SHEET_CHAR_MAX bytes at `at`; returns how many. */
#define SHEET_CHAR_MAX 4
size_t sheet_char(char *at, uint8_t c);

/* The largest decimal: 18 digits. */
#define SHEET_DECIMAL_MAX    INT64_C(999999999999999999)
#define SHEET_DECIMAL_DIGITS 18
#define SHEET_DECIMAL_PLACES 9

#endif
