/* column_read.c - reading a column. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "tape/column.h"
#include "tape/wide.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static_assert(sizeof(struct column_head) == 8, "on disk");

#define OUTLIER_SIZE (sizeof(uint16_t) + sizeof(uint64_t))

static uint64_t unzigzag(uint64_t x)
{
    return x >> 1 ^ (0 - (x & 1));
}

static size_t extras_of(const struct column_head *head)
{
    return ((head->mode & COLUMN_BASE) != 0 ? 8u : 0u) +
           ((head->mode & COLUMN_SCALE) != 0 ? 8u : 0u);
}

static bool form_is_possible(const struct column_head *head)
{
    if (head->bits == 0)
        return head->mode < COLUMN_TABLE && head->width <= 8 && head->entries == 0;
    if ((head->mode & COLUMN_TABLE) == 0)
        return head->mode < COLUMN_TABLE && head->bits <= COLUMN_BITS_MAX && head->width == 0 &&
               head->entries == 0;
    return head->mode < 2 * COLUMN_TABLE && head->width >= 1 && head->width <= 4 &&
           head->entries >= 1 && head->bits <= 8 && head->entries <= 1u << head->bits;
}

static size_t values_size(const struct column_head *head, uint32_t count)
{
    return head->bits == 0
               ? (size_t)count * head->width
               : (size_t)head->entries * head->width + ((size_t)count * head->bits + 7) / 8;
}

size_t column_check(const unsigned char *bytes, size_t have, uint32_t count,
                    struct column_head *head)
{
    if (have < sizeof *head)
        return 0;
    memcpy(head, bytes, sizeof *head);
    size_t size =
        sizeof *head + extras_of(head) + head->outliers * OUTLIER_SIZE + values_size(head, count);
    if (!form_is_possible(head) || head->outliers > count || size > have)
        return 0;
    const unsigned char *places = bytes + sizeof *head + extras_of(head);
    for (uint32_t k = 0; k < head->outliers; k++)
        if (load_u16(places + k * sizeof(uint16_t)) >= count)
            return 0;
    return size;
}

/* Decode the table, from stored entries to their values. A place beyond its end has the value 0,
 * which gives the base. */
static void take_table(struct column *c)
{
    const uint64_t mask = UINT64_MAX >> (64 - 8 * c->head.width);
    for (uint32_t i = 0; i < 1u << c->head.bits; i++) {
        uint64_t x =
            i < c->head.entries ? load_u64(c->values + (size_t)i * c->head.width) & mask : 0;
        x = (c->head.mode & COLUMN_ZIGZAG) != 0 ? unzigzag(x) : x;
        c->table[i] = x * c->scale + c->more;
    }
    c->values += (size_t)c->head.entries * c->head.width;
}

void column_open(struct column *column, const unsigned char *bytes, const struct column_head *head,
                 uint32_t count)
{
    const unsigned char *at = bytes + sizeof *head;
    column->head = *head; /* field by field: the table is not touched where there is none */
    column->count = count;
    column->strand = 0;
    column->base = 0;
    column->scale = 1;
    if ((head->mode & COLUMN_BASE) != 0) {
        column->base = load_u64(at);
        at += sizeof column->base;
    }
    if ((head->mode & COLUMN_SCALE) != 0) {
        column->scale = load_u64(at);
        at += sizeof column->scale;
    }
    column->before = column->base;
    column->more = (head->mode & COLUMN_DELTA) == 0 ? column->base : 0;
    column->places = at;
    column->outliers = at + head->outliers * sizeof(uint16_t);
    column->values = column->outliers + head->outliers * sizeof(uint64_t);
    if ((head->mode & COLUMN_TABLE) != 0)
        take_table(column);
}

/* ---- values ---- */

/* Up to four planes: 32-bit numbers, twice as many of which fit into a register. */
ALWAYS_INLINE void gather_narrow(const struct column *c, uint32_t begin, uint32_t rows,
                                 uint32_t *narrow)
{
    const unsigned char *p = c->values + begin, *q = p + c->count, *r = q + c->count,
                        *s = r + c->count;
    if (c->head.width == 0)
        memset(narrow, 0, rows * sizeof *narrow);
    else if (c->head.width == 1)
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i];
    else if (c->head.width == 2)
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i] | (uint32_t)q[i] << 8;
    else if (c->head.width == 3)
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i] | (uint32_t)q[i] << 8 | (uint32_t)r[i] << 16;
    else
        for (uint32_t i = 0; i < rows; i++)
            narrow[i] = p[i] | (uint32_t)q[i] << 8 | (uint32_t)r[i] << 16 | (uint32_t)s[i] << 24;
}

static void take_bits(const struct column *c, uint32_t begin, uint32_t rows, uint32_t *narrow)
{
    const unsigned bits = c->head.bits;
    const uint32_t mask = (1u << bits) - 1;
    for (size_t i = 0, at = (size_t)begin * bits; i < rows; i++, at += bits)
        narrow[i] = (uint32_t)(load_u64(c->values + at / 8) >> at % 8) & mask;
}

#if defined(__x86_64__)
/* Eight values take as many bytes as each has bits: at most 16. */
WIDE static void take_bits_wide(const struct column *c, uint32_t begin, uint32_t rows,
                                uint32_t *narrow)
{
    const int bits = c->head.bits;
    const unsigned char *from = c->values + (size_t)begin * c->head.bits / 8;
    const __m256i at =
        _mm256_mullo_epi32(_mm256_set1_epi32(bits), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i bytes = _mm256_add_epi32(
        _mm256_mullo_epi32(_mm256_srli_epi32(at, 3), _mm256_set1_epi32(0x01010101)),
        _mm256_set1_epi32(0x03020100));
    const __m256i shifts = _mm256_and_si256(at, _mm256_set1_epi32(7));
    const __m256i mask = _mm256_set1_epi32((1 << bits) - 1);
    for (uint32_t i = 0; i < rows; i += 8, from += bits) {
        const __m256i eight = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)from));
        const __m256i words = _mm256_srlv_epi32(_mm256_shuffle_epi8(eight, bytes), shifts);
        _mm256_storeu_si256((void *)(narrow + i), _mm256_and_si256(words, mask));
    }
}
#else
static void take_bits_wide(const struct column *c, uint32_t begin, uint32_t rows, uint32_t *narrow)
{
    take_bits(c, begin, rows, narrow);
}
#endif

/* A 32-bit number times a 31-bit scale is one multiplication; times 1 it is none. */
ALWAYS_INLINE void spread(const struct column *c, uint32_t rows, const uint32_t *narrow,
                          uint64_t *values)
{
    const uint64_t more = c->more;
    const bool is_small = c->scale <= INT32_MAX;
    const int32_t scale = is_small ? (int32_t)c->scale : 1;
    if ((c->head.mode & COLUMN_ZIGZAG) != 0)
        for (uint32_t i = 0; i < rows; i++) {
            const int32_t left = (int32_t)(narrow[i] >> 1 ^ (0 - (narrow[i] & 1)));
            values[i] = (uint64_t)((int64_t)left * scale) + more;
        }
    else if (scale == 1)
        for (uint32_t i = 0; i < rows; i++)
            values[i] = narrow[i] + more;
    else
        for (uint32_t i = 0; i < rows; i++)
            values[i] = (uint64_t)narrow[i] * (uint32_t)scale + more;
    for (uint32_t i = 0; !is_small && i < rows; i++)
        values[i] = (values[i] - more) * c->scale + more;
}

ALWAYS_INLINE void look_up(const struct column *c, uint32_t rows, const uint32_t *places,
                           uint64_t *values)
{
    for (uint32_t i = 0; i < rows; i++)
        values[i] = c->table[places[i]];
}

ALWAYS_INLINE void read_long(const struct column *c, uint32_t begin, uint32_t rows,
                             uint64_t *values)
{
    const unsigned char *plane = c->values + begin;
    for (uint32_t i = 0; i < rows; i++)
        values[i] = plane[i];
    for (unsigned shift = 8; shift < 8u * c->head.width; shift += 8) {
        plane += c->count;
        for (uint32_t i = 0; i < rows; i++)
            values[i] |= (uint64_t)plane[i] << shift;
    }
    for (uint32_t i = 0; (c->head.mode & COLUMN_ZIGZAG) != 0 && i < rows; i++)
        values[i] = unzigzag(values[i]);
    for (uint32_t i = 0; (c->scale != 1 || c->more != 0) && i < rows; i++)
        values[i] = values[i] * c->scale + c->more;
}

ALWAYS_INLINE void read_values(const struct column *c, uint32_t begin, uint32_t rows,
                               uint64_t *values, bool is_wide)
{
    uint32_t narrow[COLUMN_ROWS];
    if (c->head.width > 4) { /* only in planes */
        read_long(c, begin, rows, values);
        return;
    }
    if (c->head.bits == 0)
        gather_narrow(c, begin, rows, narrow);
    else if (is_wide)
        take_bits_wide(c, begin, rows, narrow);
    else
        take_bits(c, begin, rows, narrow);
    if ((c->head.mode & COLUMN_TABLE) != 0)
        look_up(c, rows, narrow, values);
    else
        spread(c, rows, narrow, values);
}

/* The same code twice; the second uses wide registers. */
static void read_plain(const struct column *c, uint32_t begin, uint32_t rows, uint64_t *values)
{
    read_values(c, begin, rows, values, false);
}

WIDE static void read_wide(const struct column *c, uint32_t begin, uint32_t rows, uint64_t *values)
{
    read_values(c, begin, rows, values, true);
}

static void put_outliers(const struct column *c, uint32_t begin, uint32_t end, uint64_t *values)
{
    for (uint32_t k = 0; k < c->head.outliers; k++) {
        uint32_t i = load_u16(c->places + k * sizeof(uint16_t));
        if (i >= begin && i < end)
            values[i - begin] = load_u64(c->outliers + k * sizeof(uint64_t)) + c->more;
    }
}

/* From differences to values. */
static uint64_t add_up(uint64_t *values, uint32_t rows, uint64_t before)
{
    for (uint32_t i = 0; i < rows; i++)
        values[i] = before += values[i];
    return before;
}

static void add_up_strands(struct column *c, uint32_t begin, uint32_t end,
                           const struct column_strands *strands, uint64_t *values)
{
    while (begin < end) {
        if (c->strand < strands->count && strands->starts[c->strand] == begin) {
            c->before = c->base;
            c->strand++;
        }
        uint32_t next = c->strand < strands->count && strands->starts[c->strand] < end
                            ? strands->starts[c->strand]
                            : end;
        c->before = add_up(values, next - begin, c->before);
        values += next - begin;
        begin = next;
    }
}

void column_read(struct column *column, uint32_t begin, uint32_t end,
                 const struct column_strands *strands, uint64_t *values)
{
    const struct column *c = column;
    const uint32_t rows = end - begin;
    if (wide_is_possible())
        read_wide(c, begin, rows, values);
    else
        read_plain(c, begin, rows, values);
    put_outliers(c, begin, end, values);
    if ((c->head.mode & COLUMN_DELTA) == 0)
        return;
    if ((c->head.mode & COLUMN_CARRIED) != 0)
        column->before = add_up(values, rows, c->before);
    else
        add_up_strands(column, begin, end, strands, values);
}
