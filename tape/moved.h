/*
 * moved.h - blocks that are not where the index said: packing has put their ticks into others.
 *
 * Who walks the index block by block may meet a block that has been packed since. Then what is
 * there now is found from a key below that of whatever block holds the same ticks, and those that
 * were told already are passed over. Any thread.
 */
#ifndef TDK_TAPE_MOVED_H
#define TDK_TAPE_MOVED_H

#include "index/index.h"

/* Forward: a key below that of whatever block holds what this one begins with, as long as times do
 * not lie about it. */
struct block_ref block_below(const struct block_ref *ref);

/* Forward: the key right below its own. Another block may have all of its key but segment and
 * number: control frames that packing has put in front of one tick. */
struct block_ref block_before(const struct block_ref *ref);

/* Is it still where the index said it was? */
bool block_is_there(struct index *index, const struct block_ref *ref);

#endif
