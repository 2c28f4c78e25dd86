/*
 * batch.h - keys and values gathered in memory for one transaction.
 *
 * Gathering needs no lock and no I/O, so whoever learns something puts it in at once, and another
 * thread commits. A transaction that found the map full is done again from here. One thread at a
 * time.
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
    const unsigned char *key, *value; /* in the batch; value NULL: what has the key goes */
};

void batch_close(struct batch *batch); /* an all-zero batch is empty */
void batch_clear(struct batch *batch); /* keeps its memory */
int batch_put(struct batch *batch, const struct key *key, const void *value, size_t size);
int batch_remove(struct batch *batch, const struct key *key);

/* The item at *at, which moves on; false: no more. Begin with 0. */
bool batch_next(const struct batch *batch, size_t *at, struct batch_item *item);

#endif
