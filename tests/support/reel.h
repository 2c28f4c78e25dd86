/*
 * reel.h - a tape written block by block, with each frame where a test wants it.
 *
 * The segment stays unsealed and there is no index, as after a crash: readers make their own.
 *
 *     reel_open(&reel, path);
 *     reel_begin(&reel, 1, "t", 77);                 a block of track 1, epoch 77
 *     block_add_tick(&reel.block, ...);              whatever it is to contain
 *     reel_write(&reel);
 *     reel_close(&reel);
 */
#ifndef TDK_TESTS_REEL_H
#define TDK_TESTS_REEL_H

#include "tape/segment.h"

enum { REEL_TRACKS = 4, REEL_ROOM = 64 << 10 };

struct reel {
    struct folder folder;
    struct segment_writer *writer;
    struct block_scratch *scratch;
    unsigned char *buffer;
    struct block block;
    struct track_state states[REEL_TRACKS + 1]; /* by number */
    uint64_t offset;
    uint32_t blocks;
};

void reel_open(struct reel *reel, const char *path);
void reel_close(struct reel *reel);

/* A track's first block begins with a TRACK frame, an epoch's first block with an EPOCH frame. */
void reel_begin(struct reel *reel, uint16_t track, const char *name, uint64_t epoch);

/* Add an opaque tick of 8 bytes that contain its own ts. seq is the next. */
void reel_tick(struct reel *reel, uint64_t ts);

/* Say that the next `count` seqs were lost between these times. `ts` is that of the next tick, 0 at
 * the end. */
void reel_loss(struct reel *reel, uint64_t count, uint64_t first_ts, uint64_t last_ts, uint64_t ts);

void reel_write(struct reel *reel);

/* Write the block again, as is done after a write that failed. */
void reel_write_again(struct reel *reel);

/* Two blocks of track "t", epoch 77: ticks at 100, 101 and 102; then, behind a loss of seqs 4 to 8
 * between 102 and 200, ticks at 200 and 201. */
void reel_write_a_loss(struct reel *reel);

#endif
