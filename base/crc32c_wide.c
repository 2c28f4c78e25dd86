/*
 * crc32c_wide.c - CRC-32C by carryless multiplication in registers of 64 bytes (AVX-512,
 * VPCLMULQDQ): twice as fast as the instruction made for it.
 *
 * A CRC is the remainder of the message as a polynomial, so a piece of 16 bytes may be replaced by
 * any other polynomial with the same remainder: its halves times what x to the power of the
 * distance leaves, added to the 16 bytes at that distance. Sixteen pieces go side by side through
 * the message, then into each other, and of the last one the instruction makes the CRC.
 *
 * In a register bit 0 is the highest power. A product of two halves so comes out one bit too low,
 * which is why there is a -1 in the powers.
 */
#include "base/crc32c_inner.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))
enum { PIECE = 16, LANES = 4, REGISTER = PIECE * LANES };

/* What the lower and the upper half of each piece in a register are multiplied by. */
struct distance {
    uint64_t factors[LANES][2];
};
static struct distance by_one, by_two, by_three, by_four; /* registers */
static struct distance into_last;                         /* pieces of one register */

static void set_lane(struct distance *distance, unsigned lane, size_t bytes)
{
    distance->factors[lane][0] = (uint64_t)crc32c_power(8 * bytes + 63) << 32;
    distance->factors[lane][1] = (uint64_t)crc32c_power(8 * bytes - 1) << 32;
}

static void set_distance(struct distance *distance, size_t bytes)
{
    for (unsigned lane = 0; lane < LANES; lane++)
        set_lane(distance, lane, bytes);
}

bool crc32c_wide_prepare(void)
{
    set_distance(&by_one, REGISTER);
    set_distance(&by_two, 2 * REGISTER);
    set_distance(&by_three, 3 * REGISTER);
    set_distance(&by_four, 4 * REGISTER);
    for (unsigned lane = 0; lane + 1 < LANES; lane++) /* the last is added as it is */
        set_lane(&into_last, lane, (LANES - 1 - lane) * PIECE);
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq") &&
           __builtin_cpu_supports("sse4.2");
}

WIDE static inline __m512i load(const void *bytes)
{
    return _mm512_loadu_si512(bytes);
}

/* `x` moved by a distance, and what is there. */
WIDE static inline __m512i fold(__m512i x, __m512i by, __m512i there)
{
    enum { XOR3 = 0x96 };
    __m512i low = _mm512_clmulepi64_epi128(x, by, 0x00);
    __m512i high = _mm512_clmulepi64_epi128(x, by, 0x11);
    return _mm512_ternarylogic_epi64(low, high, there, XOR3);
}

WIDE static inline uint32_t remainder_of(__m512i x)
{
    const __m512i moved = fold(x, load(&into_last), _mm512_setzero_si512());
    const __m128i piece = _mm_xor_si128(
        _mm_xor_si128(_mm512_extracti32x4_epi32(moved, 0), _mm512_extracti32x4_epi32(moved, 1)),
        _mm_xor_si128(_mm512_extracti32x4_epi32(moved, 2), _mm512_extracti32x4_epi32(x, 3)));
    const uint64_t crc = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(piece));
    return (uint32_t)_mm_crc32_u64(crc, (uint64_t)_mm_extract_epi64(piece, 1));
}

WIDE uint32_t crc32c_wide(uint32_t crc, const unsigned char *p, size_t size)
{
    const __m512i by = load(&by_four);
    const __m512i before = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc));
    __m512i a = _mm512_xor_si512(load(p), before), b = load(p + REGISTER),
            c = load(p + 2 * REGISTER), d = load(p + 3 * REGISTER);
    for (const unsigned char *end = p + size; (p += CRC32C_WIDE) < end;) {
        a = fold(a, by, load(p));
        b = fold(b, by, load(p + REGISTER));
        c = fold(c, by, load(p + 2 * REGISTER));
        d = fold(d, by, load(p + 3 * REGISTER));
    }
    d = fold(a, load(&by_three), d);
    d = fold(b, load(&by_two), d);
    d = fold(c, load(&by_one), d);
    return remainder_of(d);
}

#else

bool crc32c_wide_prepare(void)
{
    return false;
}

uint32_t crc32c_wide(uint32_t crc, const unsigned char *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return crc; /* never asked for */
}

#endif
