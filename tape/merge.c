#include "tape/merge.h"

/* Move `entry` down from the top until nothing below comes before it. */
static void sink(struct merge *merge, struct merge_entry entry)
{
    struct merge_entry *heap = merge->heap;
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= merge->count)
            break;
        if (child + 1 < merge->count && merge_before(merge, &heap[child + 1], &heap[child]))
            child++;
        if (!merge_before(merge, &heap[child], &entry))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

void merge_add(struct merge *merge, struct stream *stream, unsigned rank, uint64_t key)
{
    const struct merge_entry entry = {.key = key, .rank = rank, .stream = stream};
    size_t at = merge->count++;
    while (at > 0 && merge_before(merge, &entry, &merge->heap[(at - 1) / 2])) {
        merge->heap[at] = merge->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    merge->heap[at] = entry;
}

void merge_move(struct merge *merge, uint64_t key)
{
    struct merge_entry entry = merge->heap[0];
    entry.key = key;
    sink(merge, entry);
}

void merge_renew(struct merge *merge, const uint64_t *keys)
{
    size_t count = merge->count;
    for (merge->count = 0; merge->count < count;) { /* each is added at its own place or above */
        const struct merge_entry entry = merge->heap[merge->count];
        merge_add(merge, entry.stream, entry.rank, keys[entry.rank]);
    }
}

void merge_drop(struct merge *merge)
{
    merge->count--;
    if (merge->count > 0)
        sink(merge, merge->heap[merge->count]);
}
