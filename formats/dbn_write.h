/*
 * dbn_write.h - a DBN file, plain or zstd, record by record.
 *
 * Bytes leave through a callback in pieces of up to a megabyte. A writer does not look into the
 * records: whoever made the metadata knows what they are. One thread.
 */
#ifndef TDK_FORMATS_DBN_WRITE_H
#define TDK_FORMATS_DBN_WRITE_H

#include "formats/dbn_metadata.h"

struct dbn_writer;

/* Takes `size` bytes; 0, or a negative code that ends the writing and is what the caller gets. */
typedef int dbn_write_cb(void *context, const void *bytes, size_t size);

/* metadata NULL: a fragment, records alone. zstd: one frame with a content checksum. */
int dbn_writer_open(struct dbn_writer **writer, const struct dbn_metadata *metadata, bool zstd,
                    dbn_write_cb *write, void *context, struct tdk_err *err);

int dbn_writer_add(struct dbn_writer *writer, const void *record, size_t size, struct tdk_err *err);

/* The rest goes out and the frame ends. Without it the file is not whole. */
int dbn_writer_finish(struct dbn_writer *writer, struct tdk_err *err);
void dbn_writer_close(struct dbn_writer *writer); /* NULL is fine; writes nothing */

#endif
