/*
 * batch.h - keys and values gathered in memory for one transaction.
 *
 * Gathering needs no lock and no I/O. So one thread can put things in as it learns them, and
 * another one commits. If a transaction finds the map full, it is done again from here. One thread
 * at a time.
 */
#ifndef TDK_INDEX_BATCH_H
#define TDK_INDEX_BATCH_H

#include "index/key.h"

struct batch {
    unsigned char *bytes; /* items back to back: struct batch_item, key, value */
    size_t used, room;
};

struct batch_item {
    uint32_t key_size, value_size;
    const unsigned char *key, *value; /* in the batch; value NULL: remove what has the key */
};

void batch_close(struct batch *batch); /* an all-zero batch is empty */
void batch_clear(struct batch *batch); /* keeps its memory */
int batch_put(struct batch *batch, const struct key *key, const void *value, size_t size);
int batch_remove(struct batch *batch, const struct key *key);

/* The item at *at, which moves on to the next; begin with 0. False: there are no more. */
bool batch_next(const struct batch *batch, size_t *at, struct batch_item *item);

#endif
