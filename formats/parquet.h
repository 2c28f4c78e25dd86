/*
 * parquet.h - writes sheets to a Parquet file, each as a row group.
 *
 * Format: Parquet 2, data pages of version 1, each compressed with zstd (including its checksum).
 * docs/formats.md lists what maps to what. The writer never goes back in the file, so it may be a
 * pipe. Memory: one page, and about 100 bytes for each column of each row group, for the footer.
 * One thread.
 */
#ifndef TDK_FORMATS_PARQUET_H
#define TDK_FORMATS_PARQUET_H

#include "formats/outlet.h"
#include "formats/sheet.h"

struct parquet;

/* The sheet's columns are those of the file. The sheet may be empty, and is borrowed for the
 * call. */
int parquet_open(struct parquet **parquet, const struct sheet *sheet, outlet_write_cb *write,
                 void *context, struct tdk_err *err);

/* Write a sealed sheet with the same columns. A sheet without rows makes no row group. */
int parquet_put(struct parquet *parquet, const struct sheet *sheet, struct tdk_err *err);

/* Write the footer. Without it the file cannot be read. */
int parquet_finish(struct parquet *parquet, struct tdk_err *err);
void parquet_close(struct parquet *parquet); /* NULL is fine; writes nothing */

#endif
