/*
 * seal.h - sealed segments made small: every block packed, small ones of a track put together.
 *
 * A segment is read track by track, its frames go as they are into blocks of up to 65536 ticks, and
 * those, packed, into NUMBER.packing. That is synced, read back, and compared with what it was made
 * of; only then it gets its name, NUMBER.g1.seg, the index is pointed at it in one transaction, and
 * the old file goes. Dying at any point and beginning again gives the same tape: until it has its
 * name nothing counts, and from then on the old one does not.
 *
 * seal_pack() touches nothing but the new file, and may run on any thread; seal_switch() is for the
 * index's one writer.
 */
#ifndef TDK_TAPE_SEAL_H
#define TDK_TAPE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/index.h"
#include "tape/folder.h"
#include "tape/states.h"

#define SEAL_LEVEL 1 /* of zstd, unless said otherwise: of columns 2 to 4 make no less */

struct seal_options {
    int level; /* 0: SEAL_LEVEL */
    /* Between blocks: `done` of the segment's bytes have been read. False: stop (-ECANCELED). May
     * take its time, to let others pass. May be NULL. */
    bool (*go_on)(void *context, uint64_t done);
    void *context;
};

/* A segment on its way. */
struct sealing {
    const struct folder *folder; /* borrowed */
    uint64_t number;
    struct block_ref *before, *after; /* its blocks; ours */
    size_t before_count, after_count;
    struct segment_ref ref;             /* of the packed one, */
    struct states states;               /* and what state it has; ours */
    uint64_t bytes_before, bytes_after; /* of the files */
    uint64_t ticks;
};

/*
 * Make the packed segment, compare it, give it its name. TDK_ECORRUPT: a part of the segment cannot
 * be read, so it stays as it is; -EALREADY: it is packed; -EXDEV: it was moved. What an earlier try
 * left is written anew. On failure nothing is left. `sealing` is the caller's to close in any case.
 */
int seal_pack(struct sealing *sealing, const struct folder *folder, uint64_t number,
              const struct seal_options *options, struct tdk_err *err);

/* Was it deleted meanwhile? -ENOENT; then its packed file came behind the tombstone, and is to go
 * as well. */
int seal_check(const struct sealing *sealing, struct tdk_err *err);

/* Point the index at it. */
int seal_switch(const struct sealing *sealing, struct index *index, struct tdk_err *err);

/* The file as it was recorded goes; readers that have it open finish with it. */
int seal_drop(const struct sealing *sealing, struct tdk_err *err);

/* Take it back, when it could not be switched to: the packed one goes. */
int seal_undo(const struct sealing *sealing, struct tdk_err *err);

void seal_close(struct sealing *sealing); /* all zeros are fine, and twice */

#endif
