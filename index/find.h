/*
 * find.h - the blocks of an epoch that may hold a tick in a range of time.
 *
 * See index_find(). On the receive axis the first block is one seek away, because no block whose
 * running maximum is below `from` can hold such a tick. The walk ends where the running maximum,
 * less the epoch's largest step back, is past the end. Blocks with times that are not trusted are
 * in a list of their own and are merged in, so one absurd time costs other queries nothing. The
 * event axis has no such order: there, every block of the epoch is looked at in the index.
 */
#ifndef TDK_INDEX_FIND_H
#define TDK_INDEX_FIND_H

#include "index/store.h"

int find_blocks(struct store *store, const struct index_range *range, const struct block_ref *after,
                bool reverse, struct block_ref *blocks, int room, struct tdk_err *err);

#endif
