#include "formats/dbn_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/err.h"

#define BUFFER_SIZE ((size_t)1 << 20)

struct dbn_writer {
    dbn_write_cb *write;
    void *context;
    ZSTD_CCtx *zstd; /* NULL: plain */
    unsigned char *plain, *packed;
    size_t size; /* of `plain` */
    int failed;  /* the code that ended the writing */
};

static int give(struct dbn_writer *w, const void *bytes, size_t size)
{
    return size == 0 ? 0 : w->write(w->context, bytes, size);
}

/* Compress what is in `plain` and write it. */
static int pack(struct dbn_writer *w, ZSTD_EndDirective how, struct tdk_err *err)
{
    ZSTD_inBuffer in = {w->plain, w->size, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {w->packed, BUFFER_SIZE, 0};
        left = ZSTD_compressStream2(w->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return err_say(err, TDK_EINTERNAL, "compress DBN: %s", ZSTD_getErrorName(left));
        int rc = give(w, w->packed, out.pos);
        if (rc < 0)
            return err_set(err, rc, "write DBN");
    } while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return 0;
}

static int flush(struct dbn_writer *w, ZSTD_EndDirective how, struct tdk_err *err)
{
    if (w->failed < 0)
        return err_set(err, w->failed, "write DBN");
    int rc;
    if (w->zstd != NULL) {
        rc = pack(w, how, err);
    } else {
        rc = give(w, w->plain, w->size);
        if (rc < 0)
            err_set(err, rc, "write DBN");
    }
    w->size = 0;
    w->failed = rc;
    return rc;
}

int dbn_writer_add(struct dbn_writer *writer, const void *record, size_t size, struct tdk_err *err)
{
    const unsigned char *at = record;
    while (size > BUFFER_SIZE - writer->size) {
        size_t part = BUFFER_SIZE - writer->size;
        memcpy(writer->plain + writer->size, at, part);
        writer->size += part;
        at += part;
        size -= part;
        int rc = flush(writer, ZSTD_e_continue, err);
        if (rc < 0)
            return rc;
    }
    memcpy(writer->plain + writer->size, at, size);
    writer->size += size;
    return 0;
}

static int add_metadata(struct dbn_writer *w, const struct dbn_metadata *metadata,
                        struct tdk_err *err)
{
    void *bytes;
    size_t size;
    int rc = dbn_metadata_encode(metadata, &bytes, &size, err);
    if (rc < 0)
        return rc;
    rc = dbn_writer_add(w, bytes, size, err);
    free(bytes);
    return rc;
}

int dbn_writer_open(struct dbn_writer **writer, const struct dbn_metadata *metadata, bool zstd,
                    dbn_write_cb *write, void *context, struct tdk_err *err)
{
    struct dbn_writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return err_set(err, -ENOMEM, "write DBN");
    w->write = write;
    w->context = context;
    w->plain = malloc(BUFFER_SIZE);
    w->packed = zstd ? malloc(BUFFER_SIZE) : NULL;
    w->zstd = zstd ? ZSTD_createCCtx() : NULL;
    if (w->plain == NULL || (zstd && (w->packed == NULL || w->zstd == NULL))) {
        dbn_writer_close(w);
        return err_set(err, -ENOMEM, "write DBN");
    }
    int rc = 0;
    if (zstd && ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1)))
        rc = err_say(err, TDK_EINTERNAL, "zstd takes no checksum");
    if (rc == 0 && metadata != NULL)
        rc = add_metadata(w, metadata, err);
    if (rc < 0) {
        dbn_writer_close(w);
        return rc;
    }
    *writer = w;
    return 0;
}

int dbn_writer_finish(struct dbn_writer *writer, struct tdk_err *err)
{
    return flush(writer, ZSTD_e_end, err);
}

void dbn_writer_close(struct dbn_writer *writer)
{
    if (writer == NULL)
        return;
    ZSTD_freeCCtx(writer->zstd);
    free(writer->packed);
    free(writer->plain);
    free(writer);
}
