/*
 * scatter.h - where in a hash table an instrument's id goes, in a way that nobody outside can
 * predict.
 *
 * Ids come from feeds. With a hash that everybody knows, one feed could send ids that all fall into
 * one slot, and delay every track of its recorder. So each table has a random key. There are two
 * multiplications, because with one some keys put the sequences and strides of ids that honest
 * feeds have on top of each other.
 */
#ifndef TDK_TAPE_SCATTER_H
#define TDK_TAPE_SCATTER_H

#include <stdint.h>

struct scatter {
    uint64_t mask, factor;
};

void scatter_init(struct scatter *scatter);

/* 32 bits, of which the high ones are well mixed. */
static inline uint32_t scatter_of(const struct scatter *scatter, uint32_t instrument_id)
{
    uint64_t product = (instrument_id ^ scatter->mask) * scatter->factor;
    return (uint32_t)((product ^ product >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

#endif
