/*
 * moved.h - blocks that are not where the index said, because packing has put their ticks into
 * other blocks.
 *
 * A walk through the index, block by block, may meet a block that was packed since. Then one looks
 * for what is there now, from a key below that of any block that can hold the same ticks, and
 * passes over the ticks that were told already. Any thread.
 */
#ifndef TDK_TAPE_MOVED_H
#define TDK_TAPE_MOVED_H

#include "index/index.h"

/* Forward: a key below that of any block that can hold the first ticks of this one, if its times
 * are right. */
struct block_ref block_below(const struct block_ref *ref);

/* Forward: the key right below this block's own. Another block may differ from it only in segment
 * and number: packing puts control frames into such a block, before a tick. */
struct block_ref block_before(const struct block_ref *ref);

/* Is the block still where the index said it was? */
bool block_is_there(struct index *index, const struct block_ref *ref);

#endif
