/*
 * over.h - two stores, one over the other, read as one.
 *
 * Each has its items in key order. Where both have a key, the upper one counts. Pure but for malloc
 * and for what it reads.
 */
#ifndef TDK_INDEX_OVER_H
#define TDK_INDEX_OVER_H

#include "index/batch.h"
#include "index/find.h"

/* Append the items of both, in key order, to `into`. -ENOMEM. */
int over_items(struct batch *into, const struct batch *under, const struct batch *above);

/* Like find_blocks() in a store that has the blocks of both. */
int over_find(struct store *under, struct store *above, const struct index_range *range,
              const struct block_ref *after, bool reverse, struct block_ref *blocks, int room,
              struct tdk_err *err);

#endif
