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
    struct index *under; /* borrowed; NULL: it lies over none */
    struct batch batch;  /* what has been put since index_begin() */
    uint8_t tape_id[16];
};

/* The item under exactly this key, copied; of the index itself, not of what it lies over. 1; 0:
 * none; TDK_ECORRUPT: of another size. */
int index_get(struct index *index, const struct key *key, void *value, size_t size,
              struct tdk_err *err);

#endif
