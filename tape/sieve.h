/*
 * sieve.h - which frames of one block pass a query.
 *
 * The answer is a run or a list. A run is a stretch of bytes in which every frame is a tick that
 * passes; it is found without looking at each. A list has the offsets of the frames that pass, in
 * order: ticks; LOSS frames that meet the range, always, because they have to be counted; and other
 * control frames if they are wanted. It reads no more of the block than that takes. One thread at a
 * time.
 */
#ifndef TDK_TAPE_SIEVE_H
#define TDK_TAPE_SIEVE_H

#include "tape/select.h"
#include "tape/slice.h"

struct sieve {
    const struct select *select;  /* borrowed */
    const struct picks *picks;    /* borrowed; NULL: any instrument */
    bool list_only;               /* never a run */
    uint64_t seq_first, seq_last; /* ticks outside of these were delivered already */
    struct slice *slice;          /* the caller's; NULL until there is one */

    bool is_run;
    size_t begin, end; /* of the run, in slice->view.frames */
    uint64_t ticks;    /* in the run or the list */

    uint32_t *offsets; /* the list; ours */
    size_t count, room;

    bool is_dense;      /* so much of the last block was picked that it is best read whole */
    uint16_t *ordinals; /* the candidates while it is filled; ours */
    uint32_t ordinal_count;
    size_t ordinal_room;
};

/* The caller sets picks, seqs and slice before each fill. */
void sieve_init(struct sieve *sieve, const struct select *select);
void sieve_close(struct sieve *sieve);

/* Find what passes of this block. TDK_ECORRUPT, and the errors of slice_read(). */
int sieve_fill(struct sieve *sieve, const struct block_ref *ref, struct tdk_err *err);

/* By what the index tells: does every tick of the block pass, and is there no LOSS frame in it that
 * has to be counted? */
bool sieve_takes_all(const struct sieve *sieve, const struct block_ref *ref);

/* True: the block's directory is enough to count the ticks that pass. */
bool sieve_counts_by_directory(const struct sieve *sieve, const struct block_ref *ref);

/* Count the ticks that pass, and read even less where the directory is enough. *lost: the losses
 * that LOSS frames tell. */
int sieve_count(struct sieve *sieve, const struct block_ref *ref, uint64_t *ticks, uint64_t *lost,
                struct tdk_err *err);

static inline const struct tdk_frame *sieve_frame(const struct sieve *sieve, size_t offset)
{
    return (const struct tdk_frame *)(const void *)(sieve->slice->view.frames + offset);
}

/* The payload of a LOSS frame, whose size has been checked. */
struct tdk_loss sieve_loss(const struct tdk_frame *frame);

#endif
