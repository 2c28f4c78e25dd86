/*
 * sieve.h - what of one block passes a query.
 *
 * Either a run: bytes in which every frame is a tick that passes, found without looking at each;
 * or a list: the offsets of the frames that pass, in order (ticks; LOSS frames that meet the range,
 * wanted or not, as they have to be counted; other control frames if they are wanted). It reads as
 * little of the block as that takes. One thread at a time.
 */
#ifndef TDK_TAPE_SIEVE_H
#define TDK_TAPE_SIEVE_H

#include "tape/select.h"
#include "tape/slice.h"

struct sieve {
    const struct select *select;  /* borrowed */
    const struct picks *picks;    /* borrowed; NULL: any instrument */
    bool list_only;               /* never a run */
    uint64_t seq_first, seq_last; /* ticks outside were delivered already */
    struct slice *slice;          /* the caller's; NULL until there is one */

    bool is_run;
    size_t begin, end; /* of the run, in slice->view.frames */
    uint64_t ticks;    /* in the run or the list */

    uint32_t *offsets; /* the list; ours */
    size_t count, room;

    bool is_dense;      /* of the last block so much was picked that it is best read whole */
    uint16_t *ordinals; /* of the ticks in question while it is filled; ours */
    uint32_t ordinal_count;
    size_t ordinal_room;
};

/* picks, seqs and slice are the caller's to set before each fill. */
void sieve_init(struct sieve *sieve, const struct select *select);
void sieve_close(struct sieve *sieve);

/* TDK_ECORRUPT and what slice_read() says. */
int sieve_fill(struct sieve *sieve, const struct block_ref *ref, struct tdk_err *err);

/* Does every tick of it pass, as the index tells, and is there nothing in it that has to be
 * counted? */
bool sieve_takes_all(const struct sieve *sieve, const struct block_ref *ref);

/* Does the block's directory tell how many ticks pass? */
bool sieve_counts_by_directory(const struct sieve *sieve, const struct block_ref *ref);

/* How many ticks pass, reading even less where directories suffice. *lost: of LOSS frames. */
int sieve_count(struct sieve *sieve, const struct block_ref *ref, uint64_t *ticks, uint64_t *lost,
                struct tdk_err *err);

static inline const struct tdk_frame *sieve_frame(const struct sieve *sieve, size_t offset)
{
    return (const struct tdk_frame *)(const void *)(sieve->slice->view.frames + offset);
}

/* What a LOSS frame tells; its size has been checked. */
struct tdk_loss sieve_loss(const struct tdk_frame *frame);

#endif
