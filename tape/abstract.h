/*
 * abstract.h - what a sealed segment tells of its blocks: where they are, and which instruments are
 * in each. The tail of its file, kept in memory. One owner at a time.
 */
#ifndef TDK_TAPE_ABSTRACT_H
#define TDK_TAPE_ABSTRACT_H

#include "tape/states.h"
#include "tape/tape.h"

/* All zeros: nothing is read. */
struct abstract {
    uint64_t number; /* 0: nothing is read */
    size_t blocks;
    struct block_ref *refs; /* ours; in file order */
    struct states states;   /* ours */
};

/* That of segment `number`, packed or not: the index may know it as it was before. It stays until
 * another one is asked for. -ENOENT: it has none, or is not there; TDK_ECORRUPT, -ENOMEM. */
int abstract_load(struct abstract *abstract, struct tdk_tape *tape, uint64_t number);
void abstract_close(struct abstract *abstract); /* twice is fine */

/* The place of a block among refs; false: this is no abstract of the file that it is in. */
bool abstract_find(const struct abstract *abstract, const struct block_ref *ref, size_t *place);

#endif
