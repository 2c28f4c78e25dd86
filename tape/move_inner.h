/* move_inner.h - what the files of a move share. */
#ifndef TDK_TAPE_MOVE_INNER_H
#define TDK_TAPE_MOVE_INNER_H

#include <stddef.h>
#include <xxhash.h>

#include "tape/folder.h"
#include "tape/move.h"
#include "tape/retired.h"

#define MOVE_COPY_SIZE ((size_t)1 << 20)

struct moving {
    const struct folder *folder;
    const struct annex *annex;
    const struct move_options *options;
    struct move_totals *totals;
    struct retired *retired;
    int lock;              /* on annex.meta */
    bool ours;             /* the annex; else that of another copy of the tape */
    unsigned char *buffer; /* MOVE_COPY_SIZE bytes */
    XXH3_state_t *digest;
    struct tdk_err *err;
};

/* ".0123456789abcdef.moving". A move to or from another annex at the same time has another suffix,
 * and its files are left alone. */
struct move_suffix {
    char text[32];
};

struct move_suffix move_suffix_of(const struct annex *annex);

/* Where a segment's file goes, and its name on the way. */
struct route {
    char to[TAPE_PATH_MAX], aside[TAPE_PATH_MAX];
};

void move_route(struct route *route, const struct annex *annex, const char *folder,
                const char *name);

/* Copy all of a file under the name on the way, durable and compared. On failure nothing is
 * left. */
int move_copy_file(struct moving *m, int from, const char *path, uint64_t size);

/* Remove what moves that died left on the way in this folder. */
void move_sweep(const struct moving *m, const char *folder);

/* The same in the annex, and there also what no segment of the tape refers to any more. */
int move_sweep_annex(struct moving *m, const struct segment_name *names, size_t count);

#endif
