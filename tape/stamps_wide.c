/*
 * stamps_wide.c - read a stride of times, four at a time in a register (AVX2).
 *
 * A byte of codes says how the data of four distances are put into four 32-bit numbers. These are
 * added up inside the register, and to the time before. Only one addition waits for the previous
 * four.
 */
#include "tape/stamps.h"
#include "tape/wide.h"

#if defined(__x86_64__)
#include <immintrin.h>

WIDE static inline __m256i numbers(__m128i small, bool is_signed)
{
    if (!is_signed)
        return _mm256_cvtepu32_epi64(small);
    const __m128i sign =
        _mm_sub_epi32(_mm_setzero_si128(), _mm_and_si128(small, _mm_set1_epi32(1)));
    return _mm256_cvtepi32_epi64(_mm_xor_si128(_mm_srli_epi32(small, 1), sign));
}

/* a, a + b, a + b + c, a + b + c + d */
WIDE static inline __m256i sums_of(__m256i x)
{
    const __m256i by_one = _mm256_permute4x64_epi64(x, 0x90); /* a, a, b, c */
    x = _mm256_add_epi64(x, _mm256_blend_epi32(by_one, _mm256_setzero_si256(), 0x03));
    return _mm256_add_epi64(x, _mm256_permute2x128_si256(x, x, 0x08));
}

WIDE static inline void read_all(const struct stamps *s, const unsigned char *codes, uint64_t ts,
                                 const unsigned char *data, bool is_signed, uint64_t *out)
{
    __m256i before = _mm256_set1_epi64x((int64_t)ts);
    for (size_t k = 0; k < STAMPS_STRIDE / 4; k++, out += 4) {
        const __m128i shuffle = _mm_loadu_si128((const void *)s->shuffles[codes[k]]);
        const __m128i small = _mm_shuffle_epi8(_mm_loadu_si128((const void *)data), shuffle);
        const __m256i sums = sums_of(numbers(small, is_signed));
        data += s->steps[codes[k]].span;
        _mm256_storeu_si256((void *)out, _mm256_add_epi64(before, sums));
        before = _mm256_add_epi64(before, _mm256_permute4x64_epi64(sums, 0xff));
    }
}

WIDE void stamps_read_wide(const struct stamps *stamps, const unsigned char *codes, uint64_t ts,
                           const unsigned char *data, uint64_t *out)
{
    if (stamps->is_signed)
        read_all(stamps, codes, ts, data, true, out);
    else
        read_all(stamps, codes, ts, data, false, out);
}

#else

void stamps_read_wide(const struct stamps *stamps, const unsigned char *codes, uint64_t ts,
                      const unsigned char *data, uint64_t *out)
{
    (void)stamps;
    (void)codes;
    (void)ts;
    (void)data;
    (void)out; /* never called */
}

#endif
