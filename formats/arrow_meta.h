/*
 * arrow_meta.h - Arrow's messages: the schema, a batch, a dictionary, each as a FlatBuffer.
 *
 * Pure but for the buffer; one thread.
 */
#ifndef TDK_FORMATS_ARROW_META_H
#define TDK_FORMATS_ARROW_META_H

#include "formats/flat.h"
#include "formats/sheet.h"

/* Is it a number into a dictionary, which goes before each batch? Texts of records are not: they
 * are told in full. The dictionary of column i has the id i. */
bool arrow_has_dictionary(const struct sheet_column *column);

/* What the message of a batch says of its body. */
struct arrow_body {
    const int64_t (*nodes)[2];   /* a column: rows, nulls */
    const int64_t (*buffers)[2]; /* offset, size */
    size_t node_count, buffer_count;
    int64_t rows, size;
};

/* Each returns the message, in `flat` until that is cleared; NULL: no memory. */
const char *arrow_meta_schema(struct flat *flat, const struct sheet *sheet, size_t *size);
const char *arrow_meta_batch(struct flat *flat, const struct arrow_body *body, size_t *size);
const char *arrow_meta_dictionary(struct flat *flat, int64_t id, const struct arrow_body *body,
                                  size_t *size);

#endif
