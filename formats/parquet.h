/*
 * parquet.h - sheets to a Parquet file, a row group each.
 *
 * Format: Parquet 2, data pages of version 1, each compressed with zstd (its checksum included).
 * What maps to what: docs/formats.md. Nothing is gone back to, so the file may be a pipe. Memory:
 * one page, and about 100 bytes a column and row group for the footer. One thread.
 */
#ifndef TDK_FORMATS_PARQUET_H
#define TDK_FORMATS_PARQUET_H

#include "formats/outlet.h"
#include "formats/sheet.h"

struct parquet;

/* The sheet's columns are those of the file; it may be empty, and is borrowed for the call. */
int parquet_open(struct parquet **parquet, const struct sheet *sheet, outlet_write_cb *write,
                 void *context, struct tdk_err *err);

/* A sealed sheet with the same columns. Without rows it is no row group. */
int parquet_put(struct parquet *parquet, const struct sheet *sheet, struct tdk_err *err);

/* The footer. Without it there is no file. */
int parquet_finish(struct parquet *parquet, struct tdk_err *err);
void parquet_close(struct parquet *parquet); /* NULL is fine; writes nothing */

#endif
