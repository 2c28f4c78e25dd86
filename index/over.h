/*
 * over.h - what lies in two stores, read as one: each has its things in key order.
 *
 * Where both have a key, the upper one's counts. Pure but for malloc and what it reads.
 */
#ifndef TDK_INDEX_OVER_H
#define TDK_INDEX_OVER_H

#include "index/batch.h"
#include "index/find.h"

/* Items of both, in key order, behind those of `into`. -ENOMEM. */
int over_items(struct batch *into, const struct batch *under, const struct batch *above);

/* As find_blocks() in a store that has the blocks of both. */
int over_find(struct store *under, struct store *above, const struct index_range *range,
              const struct block_ref *after, bool reverse, struct block_ref *blocks, int room,
              struct tdk_err *err);

#endif
