#include "base/utf8.h"

#include <stdint.h>

#include "base/bytes.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Size of the character that begins at p, according to Unicode's table 3-7. 0: there is none. */
static size_t char_size(const unsigned char *p, size_t left)
{
    unsigned char first = p[0], low = 0x80, high = 0xBF;
    size_t size;
    if (first < 0x80)
        return 1;
    if (first < 0xC2)
        return 0;
    if (first < 0xE0) {
        size = 2;
    } else if (first < 0xF0) {
        size = 3;
        if (first == 0xE0)
            low = 0xA0; /* below: overlong */
        if (first == 0xED)
            high = 0x9F; /* above: surrogates */
    } else if (first < 0xF5) {
        size = 4;
        if (first == 0xF0)
            low = 0x90;
        if (first == 0xF4)
            high = 0x8F; /* above: beyond U+10FFFF */
    } else {
        return 0;
    }
    if (left < size || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

size_t utf8_span(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    size_t at = 0;
    while (at < size) {
        if (size - at >= 8 && (load_u64(p + at) & HIGH_BITS) == 0) {
            at += 8; /* mostly ASCII: eight at a time */
            continue;
        }
        size_t n = char_size(p + at, size - at);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}
