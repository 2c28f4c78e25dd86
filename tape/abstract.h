/*
 * abstract.h - what a sealed segment says of its blocks: where they are, and which instruments are
 * in each. It is the tail of the segment's file, kept in memory. One owner at a time.
 */
#ifndef TDK_TAPE_ABSTRACT_H
#define TDK_TAPE_ABSTRACT_H

#include "tape/states.h"
#include "tape/tape.h"

/* All zeros: nothing has been read. */
struct abstract {
    uint64_t number; /* 0: nothing has been read */
    size_t blocks;
    struct block_ref *refs; /* ours; in file order */
    struct states states;   /* ours */
};

/* Load the abstract of segment `number`, packed or not: the index may still know the segment as it
 * was before packing. It stays loaded until another one is asked for. -ENOENT: the segment has
 * none, or is not there. TDK_ECORRUPT, -ENOMEM. */
int abstract_load(struct abstract *abstract, struct tdk_tape *tape, uint64_t number);
void abstract_close(struct abstract *abstract); /* twice is fine */

/* Find the place of a block in refs. False: this is not the abstract of the file that the block is
 * in. */
bool abstract_find(const struct abstract *abstract, const struct block_ref *ref, size_t *place);

#endif
