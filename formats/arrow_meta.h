/*
 * arrow_meta.h - Arrow's messages: the schema, a batch, a dictionary, each as a FlatBuffer.
 *
 * Pure but for the buffer; one thread.
 */
#ifndef TDK_FORMATS_ARROW_META_H
#define TDK_FORMATS_ARROW_META_H

#include "formats/flat.h"
#include "formats/sheet.h"

/* Are the column's values numbers into a dictionary, which is written before each batch? Texts of
 * records are not: they are written in full. The dictionary of column i has the id i. */
bool arrow_has_dictionary(const struct sheet_column *column);

/* What a batch's message says about its body. */
struct arrow_body {
    const int64_t (*nodes)[2];   /* for each column: rows, nulls */
    const int64_t (*buffers)[2]; /* for each buffer: offset, size */
    size_t node_count, buffer_count;
    int64_t rows, size;
};

/* Each returns the message, which is in `flat` until that is cleared. NULL: no memory. */
const char *arrow_meta_schema(struct flat *flat, const struct sheet *sheet, size_t *size);
const char *arrow_meta_batch(struct flat *flat, const struct arrow_body *body, size_t *size);
const char *arrow_meta_dictionary(struct flat *flat, int64_t id, const struct arrow_body *body,
                                  size_t *size);

#endif
