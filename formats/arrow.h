/*
 * arrow.h - sheets to an Arrow IPC stream, a record batch each.
 *
 * Format: Arrow columnar 1.0 (metadata version 5), the stream, not the file: it is read as it
 * comes, and a pipe is its home. What maps to what: docs/formats.md. Memory: one batch. One thread.
 */
#ifndef TDK_FORMATS_ARROW_H
#define TDK_FORMATS_ARROW_H

#include "formats/outlet.h"
#include "formats/sheet.h"

struct arrow;

/* The sheet's columns are those of the stream; it may be empty, and is borrowed for the call. */
int arrow_open(struct arrow **arrow, const struct sheet *sheet, outlet_write_cb *write,
               void *context, struct tdk_err *err);

/* A sealed sheet with the same columns. Without rows it is no batch. */
int arrow_put(struct arrow *arrow, const struct sheet *sheet, struct tdk_err *err);

int arrow_finish(struct arrow *arrow, struct tdk_err *err);
void arrow_close(struct arrow *arrow); /* NULL is fine; writes nothing */

#endif
