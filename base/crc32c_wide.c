/*
 * crc32c_wide.c - CRC-32C by carryless multiplication in registers of 64 bytes (AVX-512,
 * VPCLMULQDQ): twice as fast as the instruction made for it.
 *
 * A CRC is the remainder of the message as a polynomial. So a piece of 16 bytes may be replaced by
 * any other polynomial with the same remainder: each half is multiplied by the remainder of x to
 * the power of the distance, and the products are added to the 16 bytes at that distance. Sixteen
 * pieces go side by side through the message and are then folded into each other. The instruction
 * computes the CRC of the last one.
 *
 * In a register bit 0 is the highest power. So a product of two halves comes out one bit too low,
 * which is why there is a -1 in the powers.
 */
#include "base/crc32c_inner.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))
enum { REGISTER = 64 };

/* The factors for the lower and the upper half of a piece, to add it n bytes further on: x to the
 * power of 8 n + 63, and of 8 n - 1, in the upper half of 64 bits. They are written down, because
 * computing them would cost a tenth of a millisecond at a program's start. The unit test would find
 * a wrong one. */
struct factors {
    uint32_t low, high;
};
static const struct factors by_16 = {0x3743f7bd, 0x3171d430}, by_32 = {0x33ccbbbc, 0xa2158b34},
                            by_48 = {0xa46ef4aa, 0x6051243f}, by_64 = {0x1c19243b, 0x75bba45b},
                            by_128 = {0x6577b245, 0x7417153f}, by_192 = {0x7ccbbbf2, 0x31c94608},
                            by_256 = {0xe9a5d8be, 0x1426a815};

bool crc32c_wide_is_possible(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq") &&
           __builtin_cpu_supports("sse4.2");
}

WIDE static inline __m128i pair_of(struct factors by)
{
    return _mm_set_epi64x((int64_t)((uint64_t)by.high << 32), (int64_t)((uint64_t)by.low << 32));
}

/* The same distance for each piece of a register. */
WIDE static inline __m512i all(struct factors by)
{
    return _mm512_broadcast_i32x4(pair_of(by));
}

/* Moves each piece to where the last one is. The last one is added as it is. */
WIDE static inline __m512i into_last(void)
{
    __m512i by = _mm512_zextsi128_si512(pair_of(by_48));
    by = _mm512_inserti32x4(by, pair_of(by_32), 1);
    return _mm512_inserti32x4(by, pair_of(by_16), 2);
}

WIDE static inline __m512i load(const void *bytes)
{
    return _mm512_loadu_si512(bytes);
}

/* `x` moved by a distance and added to what is there. */
WIDE static inline __m512i fold(__m512i x, __m512i by, __m512i there)
{
    enum { XOR3 = 0x96 };
    __m512i low = _mm512_clmulepi64_epi128(x, by, 0x00);
    __m512i high = _mm512_clmulepi64_epi128(x, by, 0x11);
    return _mm512_ternarylogic_epi64(low, high, there, XOR3);
}

WIDE static inline uint32_t remainder_of(__m512i x)
{
    const __m512i moved = fold(x, into_last(), _mm512_setzero_si512());
    const __m128i piece = _mm_xor_si128(
        _mm_xor_si128(_mm512_extracti32x4_epi32(moved, 0), _mm512_extracti32x4_epi32(moved, 1)),
        _mm_xor_si128(_mm512_extracti32x4_epi32(moved, 2), _mm512_extracti32x4_epi32(x, 3)));
    const uint64_t crc = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(piece));
    return (uint32_t)_mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(piece, 1));
}

WIDE uint32_t crc32c_wide(uint32_t crc, const unsigned char *p, size_t size)
{
    const __m512i by = all(by_256);
    const __m512i before = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc));
    __m512i a = _mm512_xor_si512(load(p), before), b = load(p + REGISTER),
            c = load(p + 2 * REGISTER), d = load(p + 3 * REGISTER);
    for (const unsigned char *end = p + size; (p += CRC32C_WIDE) < end;) {
        a = fold(a, by, load(p));
        b = fold(b, by, load(p + REGISTER));
        c = fold(c, by, load(p + 2 * REGISTER));
        d = fold(d, by, load(p + 3 * REGISTER));
    }
    d = fold(a, all(by_192), d);
    d = fold(b, all(by_128), d);
    d = fold(c, all(by_64), d);
    return remainder_of(d);
}

#else

bool crc32c_wide_is_possible(void)
{
    return false;
}

uint32_t crc32c_wide(uint32_t crc, const unsigned char *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return crc; /* never called */
}

#endif
