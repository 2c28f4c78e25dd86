#include "index/batch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"

#define ITEM_HEAD (2 * sizeof(uint32_t))
#define REMOVED   UINT32_MAX /* in the place of a value's size */

void batch_close(struct batch *batch)
{
    free(batch->bytes);
    *batch = (struct batch){0};
}

void batch_clear(struct batch *batch)
{
    batch->used = 0;
}

static int reserve(struct batch *batch, size_t size)
{
    if (batch->room - batch->used >= size)
        return 0;
    size_t room = batch->room == 0 ? 65536 : batch->room;
    while (room - batch->used < size)
        room *= 2;
    unsigned char *bytes = realloc(batch->bytes, room);
    if (bytes == NULL)
        return -ENOMEM;
    batch->bytes = bytes;
    batch->room = room;
    return 0;
}

static int add(struct batch *batch, const struct key *key, const void *value, size_t size,
               uint32_t told)
{
    int rc = reserve(batch, ITEM_HEAD + key->size + size);
    if (rc < 0)
        return rc;
    unsigned char *at = batch->bytes + batch->used;
    store_u32(at, (uint32_t)key->size);
    store_u32(at + 4, told);
    memcpy(at + ITEM_HEAD, key->bytes, key->size);
    if (size > 0)
        memcpy(at + ITEM_HEAD + key->size, value, size);
    batch->used += ITEM_HEAD + key->size + size;
    return 0;
}

int batch_put(struct batch *batch, const struct key *key, const void *value, size_t size)
{
    return size >= REMOVED ? -E2BIG : add(batch, key, value, size, (uint32_t)size);
}

int batch_remove(struct batch *batch, const struct key *key)
{
    return add(batch, key, NULL, 0, REMOVED);
}

bool batch_next(const struct batch *batch, size_t *at, struct batch_item *item)
{
    if (*at == batch->used)
        return false;
    const unsigned char *head = batch->bytes + *at;
    item->key_size = load_u32(head);
    item->value_size = load_u32(head + 4);
    item->key = head + ITEM_HEAD;
    item->value = item->key + item->key_size;
    if (item->value_size == REMOVED) {
        item->value = NULL;
        item->value_size = 0;
    }
    *at += ITEM_HEAD + item->key_size + item->value_size;
    return true;
}
