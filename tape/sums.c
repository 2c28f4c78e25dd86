#include "tape/sums.h"

#include <string.h>

#include "base/crc32c.h"

bool sums_check(const void *bytes, size_t size, size_t first, const void *sums)
{
    enum { BATCH = 64 };
    const size_t batch_size = (size_t)BATCH * BLOCK_CHUNK;
    const unsigned char *at = bytes;
    const unsigned char *told = (const unsigned char *)sums + first * sizeof(uint32_t);
    while (size > 0) {
        uint32_t crcs[BATCH];
        size_t n = size < batch_size ? size : batch_size;
        size_t count = (n + BLOCK_CHUNK - 1) / BLOCK_CHUNK;
        crc32c_chunks(at, n, BLOCK_CHUNK, crcs);
        if (memcmp(crcs, told, count * sizeof crcs[0]) != 0)
            return false;
        at += n;
        told += count * sizeof crcs[0];
        size -= n;
    }
    return true;
}
