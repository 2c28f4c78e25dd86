#include "formats/parquet_delta.h"

#include "base/bytes.h"
#include "formats/thrift.h"

#define BLOCK 128u /* differences */
#define PARTS 4u
#define PART  (BLOCK / PARTS)

/* The differences of a block, less the smallest of them. Unused places at the end are 0. */
struct block {
    uint64_t deltas[BLOCK];
    size_t count;
    int64_t min;
};

static inline void differ_8(struct block *block, const uint64_t *values)
{
    const uint64_t *before = values - 1;
    for (size_t i = 0; i < block->count; i++)
        block->deltas[i] = values[i] - before[i];
}

/* 32 bits wide, with the sign extended. */
static inline void differ_4(struct block *block, const uint32_t *values)
{
    const uint32_t *before = values - 1;
    for (size_t i = 0; i < block->count; i++)
        block->deltas[i] = (uint64_t)(int64_t)(int32_t)(values[i] - before[i]);
}

static void lower(struct block *block)
{
    block->min = INT64_MAX;
    for (size_t i = 0; i < block->count; i++)
        if ((int64_t)block->deltas[i] < block->min)
            block->min = (int64_t)block->deltas[i];
    for (size_t i = 0; i < block->count; i++)
        block->deltas[i] -= (uint64_t)block->min;
    for (size_t i = block->count; i < BLOCK; i++)
        block->deltas[i] = 0;
}

static unsigned bits_of(const uint64_t *deltas)
{
    uint64_t all = 0;
    for (size_t i = 0; i < PART; i++)
        all |= deltas[i];
    return all == 0 ? 0 : 64 - (unsigned)__builtin_clzll(all);
}

/* Pack 32 numbers of `bits` bits, the lowest first, into bits * 4 bytes. */
static char *pack(char *at, const uint64_t *deltas, unsigned bits)
{
    uint64_t word = 0;
    unsigned used = 0;
    for (size_t i = 0; i < PART; i++) {
        word |= deltas[i] << used;
        used += bits;
        if (used >= 64) {
            store_u64(at, word);
            at += 8;
            used -= 64;
            word = used == 0 ? 0 : deltas[i] >> (bits - used);
        }
    }
    if (used > 0) /* if `bits` is odd, 32 numbers end in half a word */
        store_u32(at, (uint32_t)word);
    return at + used / 8;
}

static void add_block(struct text_buffer *out, struct block *block)
{
    lower(block);
    thrift_zigzag(out, block->min);
    char *at = text_reserve(out, PARTS + BLOCK * 8);
    if (at == NULL)
        return;
    char *widths = at;
    at += PARTS;
    for (size_t i = 0; i < PARTS; i++) {
        const uint64_t *part = block->deltas + i * PART;
        unsigned bits = i * PART < block->count ? bits_of(part) : 0;
        widths[i] = (char)bits;
        at = bits > 0 ? pack(at, part, bits) : at;
    }
    text_wrote(out, at);
}

bool parquet_delta(struct text_buffer *out, const void *values, size_t count, size_t width,
                   size_t size_max)
{
    size_t begin = out->size;
    struct block block;
    thrift_varint(out, BLOCK);
    thrift_varint(out, PARTS);
    thrift_varint(out, count);
    thrift_zigzag(out, width == 8 ? load_i64(values) : (int32_t)load_u32(values));
    for (size_t i = 1; i < count; i += block.count) {
        block.count = count - i < BLOCK ? count - i : BLOCK;
        if (width == 8)
            differ_8(&block, (const uint64_t *)values + i);
        else
            differ_4(&block, (const uint32_t *)values + i);
        add_block(out, &block);
        if (out->size - begin > size_max) {
            out->size = begin;
            return false;
        }
    }
    return true;
}
