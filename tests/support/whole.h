/* whole.h - reads every frame of a tape, in the order of its tracks, as any reader gets them. */
#ifndef TDK_TESTS_WHOLE_H
#define TDK_TESTS_WHOLE_H

#include "tapedeck/tape.h"

/* Not 0 from `each` ends the walk and is returned. `damaged` counts blocks that could not be read;
 * if it is NULL, the first of them ends the walk. */
static inline int whole_read(const char *path,
                             int (*each)(const struct tdk_run *run, const struct tdk_frame *frame,
                                         void *context),
                             void *context, unsigned *damaged, struct tdk_err *err)
{
    const struct tdk_query query = {.to = UINT64_MAX, .control = true};
    struct tdk_tape *tape;
    struct tdk_cursor *cursor;
    struct tdk_run run;
    int rc = tdk_tape_open(&tape, path, err);
    if (rc < 0)
        return rc;
    rc = tdk_cursor_open(&cursor, tape, &query, err);
    if (rc < 0) {
        tdk_tape_close(tape);
        return rc;
    }
    while ((rc = tdk_cursor_read(cursor, &run, err)) != 0) {
        if (rc == TDK_ECORRUPT && damaged != NULL) {
            ++*damaged;
            continue;
        }
        if (rc < 0)
            break;
        const unsigned char *at = (const unsigned char *)run.frames, *end = at + run.size;
        for (rc = 0; at < end && rc == 0;
             at += tdk_frame_span(((const struct tdk_frame *)(const void *)at)->size))
            rc = each(&run, (const void *)at, context);
        if (rc != 0)
            break;
    }
    tdk_cursor_close(cursor);
    tdk_tape_close(tape);
    return rc;
}

#endif
