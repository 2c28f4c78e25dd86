/*
 * arrow.h - writes sheets to an Arrow IPC stream, each as a record batch.
 *
 * Format: Arrow columnar 1.0 (metadata version 5), the stream and not the file: it can be read as
 * it comes, so it suits a pipe. docs/formats.md lists what maps to what. Memory: one batch. One
 * thread.
 */
#ifndef TDK_FORMATS_ARROW_H
#define TDK_FORMATS_ARROW_H

#include "formats/outlet.h"
#include "formats/sheet.h"

struct arrow;

/* The sheet's columns are those of the stream. The sheet may be empty, and is borrowed for the
 * call. */
int arrow_open(struct arrow **arrow, const struct sheet *sheet, outlet_write_cb *write,
               void *context, struct tdk_err *err);

/* Write a sealed sheet with the same columns. A sheet without rows makes no batch. */
int arrow_put(struct arrow *arrow, const struct sheet *sheet, struct tdk_err *err);

int arrow_finish(struct arrow *arrow, struct tdk_err *err);
void arrow_close(struct arrow *arrow); /* NULL is fine; writes nothing */

#endif
