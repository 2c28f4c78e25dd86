#include "index/over.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* ---- items ---- */

static void key_of(struct key *key, const struct batch_item *item)
{
    key->size = item->key_size;
    memcpy(key->bytes, item->key, item->key_size);
}

/* Below 0: the first item comes first, or there is no second one. 0: both have the key. */
static int compare_items(bool has_a, const struct batch_item *a, bool has_b,
                         const struct batch_item *b)
{
    struct key x, y;
    if (!has_a || !has_b)
        return has_a ? -1 : 1;
    key_of(&x, a);
    key_of(&y, b);
    return key_compare(&x, &y);
}

static int copy(struct batch *into, const struct batch_item *item)
{
    struct key key;
    key_of(&key, item);
    return batch_put(into, &key, item->value, item->value_size);
}

int over_items(struct batch *into, const struct batch *under, const struct batch *above)
{
    struct batch_item low, high;
    size_t low_at = 0, high_at = 0;
    bool has_low = batch_next(under, &low_at, &low), has_high = batch_next(above, &high_at, &high);
    int rc = 0;
    while (rc == 0 && (has_low || has_high)) {
        int order = compare_items(has_low, &low, has_high, &high);
        rc = copy(into, order < 0 ? &low : &high);
        if (order <= 0)
            has_low = batch_next(under, &low_at, &low);
        if (order >= 0)
            has_high = batch_next(above, &high_at, &high);
    }
    return rc;
}

/* ---- blocks ---- */

struct found {
    struct block_ref *blocks;
    int count, at;
};

static int compare_blocks(const struct found *a, const struct found *b, bool reverse)
{
    struct key x, y;
    if (a->at == a->count || b->at == b->count)
        return a->at < a->count ? -1 : 1;
    key_block(&x, KEY_BLOCK, &a->blocks[a->at]);
    key_block(&y, KEY_BLOCK, &b->blocks[b->at]);
    int order = key_compare(&x, &y);
    return reverse ? -order : order;
}

static int merge(struct found *low, struct found *high, bool reverse, struct block_ref *blocks,
                 int room)
{
    int count = 0;
    while (count < room && (low->at < low->count || high->at < high->count)) {
        int order = compare_blocks(low, high, reverse);
        blocks[count++] = order < 0 ? low->blocks[low->at] : high->blocks[high->at];
        low->at += order <= 0;
        high->at += order >= 0;
    }
    return count;
}

int over_find(struct store *under, struct store *above, const struct index_range *range,
              const struct block_ref *after, bool reverse, struct block_ref *blocks, int room,
              struct tdk_err *err)
{
    struct block_ref *both = calloc(2 * (size_t)room, sizeof *both);
    if (both == NULL)
        return err_set(err, -ENOMEM, "read index");
    struct found low = {.blocks = both}, high = {.blocks = both + room};
    low.count = find_blocks(under, range, after, reverse, low.blocks, room, err);
    high.count = low.count < 0 ? low.count
                               : find_blocks(above, range, after, reverse, high.blocks, room, err);
    int rc = high.count < 0 ? high.count : merge(&low, &high, reverse, blocks, room);
    free(both);
    return rc;
}
