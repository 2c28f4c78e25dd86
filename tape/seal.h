/*
 * seal.h - make sealed segments small: every block is packed, and small blocks of a track are put
 * together.
 *
 * A segment is read track by track. Its frames go unchanged into blocks of up to 65536 ticks, and
 * those, packed, into NUMBER.packing. That file is synced, read back, and compared with what it was
 * made of. Only then does it get its name, NUMBER.g1.seg. The index is pointed at it in one
 * transaction, and the old file is removed. Dying at any point and beginning again gives the same
 * tape: until the new file has its name, it does not count; from then on the old one does not.
 *
 * seal_pack() touches nothing but the new file, and may run on any thread. seal_switch() is for the
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

/* Level of zstd, unless set otherwise: for columns, levels 2 to 4 are no smaller. */
#define SEAL_LEVEL 1

struct seal_options {
    int level; /* 0: SEAL_LEVEL */
    /* Called between blocks: `done` bytes of the segment have been read. False: stop (-ECANCELED).
     * It may take its time, to let others pass. May be NULL. */
    bool (*go_on)(void *context, uint64_t done);
    void *context;
};

/* A segment that is being packed. */
struct sealing {
    const struct folder *folder; /* borrowed */
    uint64_t number;
    struct block_ref *before, *after; /* its blocks; ours */
    size_t before_count, after_count;
    struct segment_ref ref;             /* of the packed segment, for the index, */
    struct states states;               /* and the states in its blocks; ours */
    uint64_t bytes_before, bytes_after; /* of the files */
    uint64_t ticks;
};

/*
 * Make the packed segment, compare it, and give it its name. TDK_ECORRUPT: a part of the segment
 * cannot be read, so it stays as it is. -EALREADY: it is packed. -EXDEV: it was moved. What an
 * earlier try left is written anew. On failure nothing is left. The caller closes `sealing` in any
 * case.
 */
int seal_pack(struct sealing *sealing, const struct folder *folder, uint64_t number,
              const struct seal_options *options, struct tdk_err *err);

/* Was the segment deleted meanwhile? -ENOENT: yes; its packed file was made after the tombstone,
 * and must be removed as well. */
int seal_check(const struct sealing *sealing, struct tdk_err *err);

/* Point the index at the packed segment. */
int seal_switch(const struct sealing *sealing, struct index *index, struct tdk_err *err);

/* Remove the file as it was recorded. Readers that have it open finish with it. */
int seal_drop(const struct sealing *sealing, struct tdk_err *err);

/* Undo, when the index could not be switched: the packed file is removed. */
int seal_undo(const struct sealing *sealing, struct tdk_err *err);

void seal_close(struct sealing *sealing); /* fine on all zeros, and twice */

#endif
