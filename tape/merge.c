#include "tape/merge.h"

static bool is_before(const struct merge *merge, size_t a, size_t b)
{
    const struct stream *x = merge->heap[a];
    return merge_before(merge, x->key, x->rank, merge->heap[b]);
}

static void swap(struct merge *merge, size_t a, size_t b)
{
    struct stream *x = merge->heap[a];
    merge->heap[a] = merge->heap[b];
    merge->heap[b] = x;
}

static void sink(struct merge *merge, size_t at)
{
    for (;;) {
        size_t first = at, left = 2 * at + 1, right = left + 1;
        if (left < merge->count && is_before(merge, left, first))
            first = left;
        if (right < merge->count && is_before(merge, right, first))
            first = right;
        if (first == at)
            return;
        swap(merge, at, first);
        at = first;
    }
}

void merge_add(struct merge *merge, struct stream *stream)
{
    size_t at = merge->count++;
    merge->heap[at] = stream;
    for (; at > 0 && is_before(merge, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(merge, at, (at - 1) / 2);
}

void merge_sink(struct merge *merge)
{
    sink(merge, 0);
}

void merge_drop(struct merge *merge)
{
    merge->heap[0] = merge->heap[--merge->count];
    if (merge->count > 0)
        sink(merge, 0);
}

const struct stream *merge_second(const struct merge *merge)
{
    if (merge->count < 2)
        return NULL;
    if (merge->count == 2 || is_before(merge, 1, 2))
        return merge->heap[1];
    return merge->heap[2];
}
