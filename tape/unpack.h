/* unpack.h - unpack one zstd frame of a known size, and tell corruption from a lack of memory. */
#ifndef TDK_TAPE_UNPACK_H
#define TDK_TAPE_UNPACK_H

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "tapedeck/err.h"

/* 0: exactly `size` bytes came out. TDK_ECORRUPT; -ENOMEM. */
static inline int unpack(void *to, size_t size, const void *from, size_t stored)
{
    size_t got = ZSTD_decompress(to, size, from, stored);
    if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
        return -ENOMEM;
    return got == size ? 0 : TDK_ECORRUPT;
}

#endif
