/*
 * write.h - one write to the tape: an aligned buffer with blocks of several inlets, back to back.
 *
 *   bytes   | block | block | ... | zeros up to a multiple of 4096 |
 *
 * The buffers live as long as the recorder, and are used again and again.
 */
#ifndef TDK_RECORDER_WRITE_H
#define TDK_RECORDER_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "recorder/inlet.h"

struct reel;
struct writer;

/* A sealed block in a write. */
struct piece {
    struct inlet *inlet;    /* borrowed */
    size_t at, size;        /* in the write's bytes */
    uint64_t position;      /* in the inlet's ring, after the last frame in the block */
    struct inlet_mark mark; /* its last tick; seq 0: it has none */
    uint64_t lost;
};

struct write {
    uv_work_t work;
    struct writer *writer; /* borrowed */
    unsigned char *bytes;  /* `own`, or the writer's large buffer */
    unsigned char *own;
    size_t room; /* of bytes */
    size_t size; /* used bytes; a multiple of 4096 once it is formed */
    struct piece *pieces;
    unsigned piece_count, piece_room;
    uint64_t since_ns; /* when the oldest frame in it was first seen */

    struct reel *reel; /* the segment; borrowed until the blocks are in the index */
    uint64_t offset;
    uint32_t first_block; /* number in the segment of the first piece */
    bool again;           /* it was sent before and failed: BLOCK_REWRITTEN */
    bool told;            /* its rings have their room back */

    bool back; /* the write has returned, with `status` */
    int status;
    uint64_t started_ns, took_ns;
};

#endif
