#include "tape/moved.h"

struct block_ref block_below(const struct block_ref *ref)
{
    struct block_ref key = *ref;
    uint64_t low = ref->min_ts < ref->running_max ? ref->min_ts : ref->running_max;
    key.running_max = low > 0 ? low - 1 : 0;
    key.first_seq = low > 0 ? UINT64_MAX : 0;
    key.segment = key.block = 0;
    return key;
}

struct block_ref block_before(const struct block_ref *ref)
{
    struct block_ref key = *ref;
    if (key.block > 0) {
        key.block--;
    } else {
        key.segment--; /* segments are numbered from 1 */
        key.block = UINT32_MAX;
    }
    return key;
}

bool block_is_there(struct index *index, const struct block_ref *ref)
{
    const struct index_range everything = {
        .track = ref->track, .epoch = ref->epoch, .to = UINT64_MAX};
    struct block_ref before = block_before(ref), found;
    return index_find(index, &everything, &before, false, &found, 1, NULL) == 1 &&
           found.segment == ref->segment && found.offset == ref->offset &&
           found.flags == ref->flags;
}
