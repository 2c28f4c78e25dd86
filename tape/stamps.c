#include "tape/stamps.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "tape/wide.h"

/*
 *   0  u8 x 4   lengths, ascending
 *   4  u8       1: distances are signed (zigzag)
 *   5  3        zeros
 *   8  u32      bytes of data
 *  12  u32      0
 *  16  u64 x strides   the time before the stride's first
 *      u32 x strides   where its data begin
 *      32  x strides   codes: two bits a frame, from the low ones up
 *      data, then zeros: 8 and up to a multiple of 8
 */
enum { HEAD = 16, SLACK = 8, CODES = STAMPS_STRIDE / 4 };

static uint32_t strides_of(uint32_t count)
{
    return (count + STAMPS_STRIDE - 1) / STAMPS_STRIDE;
}

static size_t table_size(uint32_t count)
{
    return (size_t)strides_of(count) * (sizeof(uint64_t) + sizeof(uint32_t) + CODES);
}

static uint64_t distance(const uint64_t *stamps, uint32_t i, bool is_signed)
{
    uint64_t x = stamps[i] - (i > 0 ? stamps[i - 1] : stamps[0]);
    return is_signed ? x << 1 ^ (uint64_t)((int64_t)x >> 63) : x;
}

static unsigned bytes_of(uint64_t x)
{
    return x == 0 ? 0 : (71 - (unsigned)__builtin_clzll(x)) / 8;
}

/* Choose the three lengths below the longest one with which all times take the fewest bytes. */
static void choose_lengths(const uint32_t counts[9], uint8_t lengths[4])
{
    uint8_t longest = 8;
    while (longest > 0 && counts[longest] == 0)
        longest--;
    uint64_t best = UINT64_MAX;
    for (uint8_t a = 0; a <= longest; a++)
        for (uint8_t b = a; b <= longest; b++)
            for (uint8_t c = b; c <= longest; c++) {
                uint64_t size = 0;
                for (uint8_t n = 0; n <= longest; n++)
                    size += (uint64_t)counts[n] * (n <= a ? a : n <= b ? b : n <= c ? c : longest);
                if (size < best) {
                    best = size;
                    memcpy(lengths, (uint8_t[]){a, b, c, longest}, 4);
                }
            }
}

static unsigned code_of(const uint8_t lengths[4], unsigned bytes)
{
    unsigned code = 0;
    while (lengths[code] < bytes)
        code++;
    return code;
}

size_t stamps_write(const uint64_t *stamps, uint32_t count, unsigned char *out)
{
    uint32_t counts[9] = {0}, strides = strides_of(count);
    uint8_t lengths[4];
    bool is_signed = false;
    assert(count > 0);
    for (uint32_t i = 1; i < count; i++)
        is_signed |= stamps[i] < stamps[i - 1];
    for (uint32_t i = 0; i < count; i++)
        counts[bytes_of(distance(stamps, i, is_signed))]++;
    choose_lengths(counts, lengths);

    unsigned char *bases = out + HEAD, *offsets = bases + strides * sizeof(uint64_t);
    unsigned char *codes = offsets + strides * sizeof(uint32_t);
    unsigned char *data = codes + (size_t)strides * CODES, *at = data;
    memset(out, 0, HEAD);
    memset(codes, 0, (size_t)strides * CODES);
    for (uint32_t i = 0; i < count; i++) {
        if (i % STAMPS_STRIDE == 0) {
            store_u64(bases + i / STAMPS_STRIDE * sizeof(uint64_t), stamps[i > 0 ? i - 1 : 0]);
            store_u32(offsets + i / STAMPS_STRIDE * sizeof(uint32_t), (uint32_t)(at - data));
        }
        uint64_t x = distance(stamps, i, is_signed);
        unsigned code = code_of(lengths, bytes_of(x));
        codes[i / 4] |= (unsigned char)(code << i % 4 * 2);
        memcpy(at, &x, lengths[code]);
        at += lengths[code];
    }
    memcpy(out, lengths, sizeof lengths);
    out[4] = is_signed;
    store_u32(out + 8, (uint32_t)(at - data));
    size_t used = (size_t)(at - out), size = align_up(used + SLACK, 8);
    memset(at, 0, size - used);
    return size;
}

/* ---- reading ---- */

static struct stamps_step step_of(const unsigned char lengths[4], unsigned code)
{
    struct stamps_step step = {.second = lengths[code & 3]};
    step.third = (uint8_t)(step.second + lengths[code >> 2 & 3]);
    step.fourth = (uint8_t)(step.third + lengths[code >> 4 & 3]);
    step.span = (uint8_t)(step.fourth + lengths[code >> 6]);
    return step;
}

/* Shuffle two distances into 32 bits each: each byte says where its value comes from; with the
 * highest bit it is a zero. */
static uint64_t shuffle_of(const unsigned char lengths[4], unsigned code)
{
    uint64_t shuffle = UINT64_C(0x8080808080808080);
    const unsigned first = lengths[code & 3], second = lengths[code >> 2 & 3];
    for (unsigned i = 0; i < first && i < 4; i++)
        shuffle ^= (uint64_t)(0x80 ^ i) << 8 * i;
    for (unsigned i = 0; i < second && i < 4; i++)
        shuffle ^= (uint64_t)(0x80 ^ (first + i)) << 8 * (4 + i);
    return shuffle;
}

/* The data of the upper two distances follow those of the lower two. Adding their offset overflows
 * no byte of a shuffle. */
static void make_tables(struct stamps *stamps, const unsigned char lengths[4])
{
    uint64_t shuffles[16];
    for (unsigned code = 0; code < 16; code++)
        shuffles[code] = shuffle_of(lengths, code);
    for (unsigned code = 0; code < 256; code++) {
        stamps->steps[code] = step_of(lengths, code);
        store_u64(stamps->shuffles[code], shuffles[code & 15]);
        store_u64(stamps->shuffles[code] + 8,
                  shuffles[code >> 4] + stamps->steps[code].third * UINT64_C(0x0101010101010101));
    }
    memcpy(stamps->tables_of, lengths, sizeof stamps->tables_of);
    stamps->has_tables = true;
}

static bool take_lengths(struct stamps *stamps, const unsigned char lengths[4])
{
    stamps->stride_max = 0;
    for (int i = 0; i < 4; i++) {
        if (lengths[i] > 8)
            return false;
        stamps->lengths[i] = lengths[i];
        stamps->masks[i] = lengths[i] == 0 ? 0 : UINT64_MAX >> (64 - 8 * lengths[i]);
        if (lengths[i] * (size_t)STAMPS_STRIDE > stamps->stride_max)
            stamps->stride_max = lengths[i] * (size_t)STAMPS_STRIDE;
    }
    stamps->is_wide = wide_is_possible() && lengths[0] <= 4 && lengths[1] <= 4 && lengths[2] <= 4;
    stamps->is_last_long = lengths[3] > 4;
    if (!stamps->has_tables || memcmp(stamps->tables_of, lengths, 4) != 0)
        make_tables(stamps, lengths);
    return true;
}

bool stamps_open(struct stamps *stamps, const unsigned char *bytes, size_t size, uint32_t count)
{
    size_t table = table_size(count);
    uint32_t strides = strides_of(count);
    if (size < HEAD + table + SLACK || !take_lengths(stamps, bytes))
        return false;
    stamps->data_size = load_u32(bytes + 8);
    stamps->count = count;
    stamps->is_signed = bytes[4] != 0;
    stamps->bases = bytes + HEAD;
    stamps->offsets = stamps->bases + strides * sizeof(uint64_t);
    stamps->codes = stamps->offsets + strides * sizeof(uint32_t);
    stamps->data = stamps->codes + (size_t)strides * CODES;
    return stamps->data_size <= size - HEAD - table - SLACK;
}

/* One by one, for the last stride, which may end within a byte of codes. */
static bool read_singly(const struct stamps *s, uint32_t i, uint64_t ts, size_t place,
                        uint64_t *out)
{
    for (; i < s->count; i++) {
        unsigned code = s->codes[i / 4] >> i % 4 * 2 & 3;
        if (place > s->data_size)
            return false;
        uint64_t x = load_u64(s->data + place) & s->masks[code];
        place += s->lengths[code];
        ts += s->is_signed ? x >> 1 ^ (0 - (x & 1)) : x;
        *out++ = ts;
    }
    return place <= s->data_size;
}

static inline uint64_t take(const struct stamps *s, const unsigned char *data, unsigned code,
                            bool is_signed)
{
    uint64_t x = load_u64(data) & s->masks[code & 3];
    return is_signed ? x >> 1 ^ (0 - (x & 1)) : x;
}

/* One byte of codes at a time. It gives where the data of all four distances begin, so that only
 * two additions wait for what comes before. */
static inline void read_stride(const struct stamps *s, const unsigned char *codes, uint64_t ts,
                               const unsigned char *data, bool is_signed, uint64_t *out)
{
    for (size_t k = 0; k < CODES; k++, out += 4) {
        const unsigned code = codes[k];
        const struct stamps_step step = s->steps[code];
        const uint64_t b = take(s, data + step.second, code >> 2, is_signed);
        const uint64_t c = take(s, data + step.third, code >> 4, is_signed);
        const uint64_t d = take(s, data + step.fourth, code >> 6, is_signed);
        out[0] = ts += take(s, data, code, is_signed);
        out[1] = ts + b;
        out[2] = ts + b + c;
        out[3] = ts += b + c + d;
        data += step.span;
    }
}

static bool stride_fits(const struct stamps *s, const unsigned char *codes, size_t place)
{
    if (place > s->data_size)
        return false;
    size_t rest = s->data_size - place, size = 0;
    if (s->stride_max <= rest)
        return true;
    for (size_t k = 0; k < CODES; k++)
        size += s->steps[codes[k]].span;
    return size <= rest;
}

/* Four distances are at most 16 bytes, and are read as 16. Eight bytes after the data may be
 * read. */
static bool is_for_wide(const struct stamps *s, const unsigned char *codes, size_t place)
{
    enum { WORDS = CODES / 8, BEHIND = 16 - SLACK };
    uint64_t longest = 0;
    if (!s->is_wide || s->data_size - place < s->stride_max + BEHIND)
        return false;
    for (size_t i = 0; s->is_last_long && i < WORDS; i++) {
        uint64_t word = load_u64(codes + i * 8);
        longest |= word & word >> 1 & UINT64_C(0x5555555555555555);
    }
    return longest == 0;
}

bool stamps_read(const struct stamps *s, uint32_t at, uint64_t *out)
{
    const uint64_t ts = load_u64(s->bases + at * sizeof(uint64_t));
    const size_t place = load_u32(s->offsets + at * sizeof(uint32_t));
    const uint32_t first = at * STAMPS_STRIDE;
    if (s->count - first < STAMPS_STRIDE)
        return read_singly(s, first, ts, place, out);
    const unsigned char *codes = s->codes + (size_t)at * CODES;
    if (!stride_fits(s, codes, place))
        return false;
    if (is_for_wide(s, codes, place))
        stamps_read_wide(s, codes, ts, s->data + place, out);
    else if (s->is_signed)
        read_stride(s, codes, ts, s->data + place, true, out);
    else
        read_stride(s, codes, ts, s->data + place, false, out);
    return true;
}
