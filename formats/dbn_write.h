/*
 * dbn_write.h - writes a DBN file, plain or zstd, record by record.
 *
 * Bytes go out through a callback in pieces of up to a megabyte. A writer does not look into the
 * records: whoever made the metadata knows what they are. One thread.
 */
#ifndef TDK_FORMATS_DBN_WRITE_H
#define TDK_FORMATS_DBN_WRITE_H

#include "formats/dbn_metadata.h"

struct dbn_writer;

/* Takes `size` bytes. Returns 0, or a negative code, which ends the writing and is returned to the
 * caller. */
typedef int dbn_write_cb(void *context, const void *bytes, size_t size);

/* metadata NULL: a fragment, which has only records. zstd: one frame with a content checksum. */
int dbn_writer_open(struct dbn_writer **writer, const struct dbn_metadata *metadata, bool zstd,
                    dbn_write_cb *write, void *context, struct tdk_err *err);

int dbn_writer_add(struct dbn_writer *writer, const void *record, size_t size, struct tdk_err *err);

/* Write the rest and end the frame. Without this the file is not whole. */
int dbn_writer_finish(struct dbn_writer *writer, struct tdk_err *err);
void dbn_writer_close(struct dbn_writer *writer); /* NULL is fine; writes nothing */

#endif
