/*
 * move.h - move sealed segments to another directory, an annex (annex.h), and back.
 *
 *   out:   copied to ANNEX/NAME.moving -> synced, read back, compared -> ANNEX/NAME, folder synced
 *          -> the stub, written beside the whole one, takes its place by a rename, folder synced
 *   back:  copied to TAPE/segments/NAME.moving -> synced, read back, compared -> takes the stub's
 *          place -> the one in the annex is removed
 *
 * At any instant the file under the segment's name in the tape says where its blocks are. So dying
 * anywhere and running again comes to the same end; what was left half done is copied anew. Nothing
 * in the index changes. A reader that has the old file open finishes with it. This works beside a
 * recorder, which takes no part in it. One move at a time for each annex. Blocking.
 */
#ifndef TDK_TAPE_MOVE_H
#define TDK_TAPE_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "tape/annex.h"

struct move_totals {
    uint64_t segments, bytes; /* that were moved */
    uint64_t to_do;           /* segments that are to be moved */
    uint64_t bytes_total;     /* of those segments, */
    uint64_t bytes_done;      /* and copied so far */
    uint64_t failed;          /* that could not be, and stay where they are */
    uint64_t left;            /* that came back, and are in the annex still, which is not ours */
};

struct move_options {
    bool back;            /* from the annex into the tape */
    bool dry_run;         /* only count */
    uint64_t first, last; /* numbers; last 0: to the end */
    uint64_t before_ts;   /* only those whose last tick is older; 0: of any age */

    /* Each may be NULL. */
    void (*failed)(uint64_t segment, const char *text, void *context);
    /* After each MiB; may take its time. False: stop. */
    bool (*go_on)(const struct move_totals *totals, void *context);
    void *context;
};

/*
 * The directory at `path` (absolute) becomes an annex of the tape; or it is one already, and is
 * known under this path from now on. TDK_EFOREIGN: it belongs to another tape. TDK_EAWAY: it was an
 * annex, and now something else is there. TDK_EBUSY: it is a copy of an annex that is still where
 * it was.
 */
int move_join(const struct folder *folder, const char *path, struct annex_meta *annex,
              struct tdk_err *err);

/* What another copy of this tape moved there is ours from now on: for when that copy is gone.
 * TDK_EBUSY: somebody moves there now. */
int move_adopt(const struct folder *folder, const struct annex *annex, struct tdk_err *err);

/* 0: all was moved that could be, totals->failed says what could not. Negative: -ECANCELED, or what
 * stopped it; what was moved until then stays so. TDK_EBUSY: somebody moves there now.
 * TDK_EFOREIGN: nothing goes to the annex of another copy; from there it comes, and stays there,
 * too. */
int move_segments(const struct folder *folder, const struct annex *annex,
                  const struct move_options *options, struct move_totals *totals,
                  struct tdk_err *err);

#endif
