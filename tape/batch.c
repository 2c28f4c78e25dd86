#include "base/batch.h"

#include <errno.h>

#include "base/err.h"
#include "tape/cursor.h"

/* 0: enough for now, or the end. */
static int collect(struct batch *b, struct tdk_cursor *cursor, size_t enough, struct tdk_err *err)
{
    int rc = 1;
    struct tdk_run run;
    cursor_begin(cursor);
    while (rc == 1 && b->batch->size < enough) {
        rc = cursor_read(cursor, &run, err);
        if (rc == 1 && !batch_add(b, &run)) {
            err_set(err, -ENOMEM, "read tape"); /* the run would be missing from the next batch */
            cursor_fail(cursor, -ENOMEM, err);
            return -ENOMEM;
        }
    }
    return rc < 0 ? rc : 0;
}

int tdk_cursor_batch(struct tdk_cursor *cursor, size_t enough, struct tdk_batch **batch,
                     struct tdk_err *err)
{
    struct batch b;
    struct tdk_err told;
    if (cursor_counts(cursor))
        return err_say(err, TDK_EVALUE, "read tape: a query with count_only has no frames");
    int rc = batch_begin(&b);
    if (rc < 0)
        return err_set(err, rc, "read tape");
    rc = batch_give(&b, collect(&b, cursor, enough == 0 ? 1 : enough, &told), batch);
    if (rc < 0 && err != NULL)
        *err = told;
    return rc;
}
