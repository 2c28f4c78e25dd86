/*
 * index_inner.h - what index.c, which opens and writes, and index_read.c share.
 */
#ifndef TDK_INDEX_INDEX_INNER_H
#define TDK_INDEX_INDEX_INNER_H

#include "index/batch.h"
#include "index/index.h"

struct store;

struct index {
    struct store *store;
    struct index *under; /* borrowed; NULL: there is none under it */
    struct batch batch;  /* what has been put since index_begin() */
    uint8_t tape_id[16];
};

/* Copy the item with exactly this key, from the index itself, not from the one under it. 1; 0:
 * there is none; TDK_ECORRUPT: it has another size. */
int index_get(struct index *index, const struct key *key, void *value, size_t size,
              struct tdk_err *err);

#endif
