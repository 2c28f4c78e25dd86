#include "shm/past_cache.h"

#include <stdint.h>
#include <string.h>

#if defined __x86_64__

#include <immintrin.h>

#define LINE 64u

/* The partial lines at both ends go through the cache. Stores past the cache may be seen before
 * earlier stores and after later ones, so there is a fence at each end: a tap must not see these
 * bytes before the claim that they lie in, nor the consumer what was published before them. */
void past_cache_copy(void *to, const void *from, size_t bytes)
{
    unsigned char *at = to;
    const unsigned char *source = from;
    const size_t to_line = (0 - (uintptr_t)at) % LINE, before = to_line < bytes ? to_line : bytes,
                 lines = (bytes - before) / LINE;
    _mm_sfence();
    memcpy(at, source, before);
    at += before;
    source += before;
    for (size_t i = 0; i < lines; i++, at += LINE, source += LINE)
#pragma GCC unroll 4
        for (size_t in = 0; in < LINE; in += sizeof(__m128i))
            _mm_stream_si128((__m128i *)(void *)(at + in),
                             _mm_loadu_si128((const __m128i *)(const void *)(source + in)));
    memcpy(at, source, bytes - before - lines * LINE);
    _mm_sfence();
}

#else

void past_cache_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

#endif
