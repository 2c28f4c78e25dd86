#include "recorder/unfreed.h"

#include "base/bytes.h"

static uint64_t fall(uint64_t before, uint64_t after)
{
    return before > after ? before - after : 0;
}

void unfreed_add(struct unfreed *unfreed, uint64_t deleted, uint64_t before, uint64_t after,
                 uint64_t now_ns)
{
    if (unfreed->bytes == 0)
        *unfreed = (struct unfreed){.sum = before, .since_ns = now_ns};
    unfreed->bytes += min_u64(deleted, fall(before, after));
}

uint64_t unfreed_bytes(struct unfreed *unfreed, uint64_t sum, uint64_t patience_ns, uint64_t now_ns)
{
    uint64_t left = min_u64(unfreed->bytes, fall(unfreed->sum, sum));
    if (left == 0 || now_ns - unfreed->since_ns >= patience_ns)
        unfreed->bytes = left = 0;
    return left;
}
