/*
 * rotate.h - the segments of a recorder: the current one, the next one, which is made ready ahead,
 * and those that wait to be sealed.
 *
 *     READY -> CURRENT -> CLOSED -> (sealed by the journal, forgotten)
 *
 * The next file is created, allocated and synced on the pool before it is needed. So a full disk
 * shows before a tick depends on it, and no tick waits for a directory. The loop's thread.
 */
#ifndef TDK_RECORDER_ROTATE_H
#define TDK_RECORDER_ROTATE_H

#include <stdbool.h>
#include <uv.h>

#include "tape/recover.h"
#include "tape/segment.h"

/* A segment that is being written. */
struct reel {
    struct segment_writer *file; /* owned; NULL once it is sealed */
    uint64_t number;
    uint64_t size; /* preallocated */
    uint64_t end;  /* blocks have been placed up to here */
    uint64_t synced_upto;
    uint64_t previous_end;    /* of the segment before it */
    uint32_t blocks;          /* placed */
    uint64_t since_ns;        /* monotonic: when its first block was placed; 0: none yet */
    uint64_t last_write;      /* number of the last write placed in it */
    bool closed;              /* no more will be placed */
    bool failed;              /* a sync of it failed, or we lost track of it: recovery must look */
    uint32_t previous_digest; /* for its foot; known when it is first sealed */
    bool chained;
    struct reel *next; /* in the list of closed reels, or of those to be sealed later */
};

struct rotate {
    uv_loop_t *loop;        /* borrowed */
    struct recovered *tape; /* borrowed */
    uv_work_t work;
    struct reel *current; /* ours; NULL before rotate_start() and between reels */
    struct reel *next;    /* ours; NULL: not ready */
    struct reel *closed;  /* ours, oldest first: some of their writes are not in the index yet */
    uint64_t next_number;
    uint64_t previous_end; /* of the last one closed */
    uint64_t segment_size, segment_age_ns;
    bool making;       /* `work` is under way */
    bool wanted;       /* begin the next one as soon as it is ready */
    bool no_space;     /* the last try to make one failed because the disk is full */
    uint64_t retry_ns; /* not before */
    struct reel *made; /* what `work` made */
    struct tdk_err made_err;
    int made_status;
    unsigned failures;              /* to make one, in a row, for other reasons than space */
    void (*changed)(void *context); /* on the loop: the next one is ready, or could not be made */
    void *context;
};

/* Make the first reel, before the ready line. Blocking. */
int rotate_start(struct rotate *rotate, uv_loop_t *loop, struct recovered *tape,
                 uint64_t segment_size, uint64_t segment_age_ns, struct tdk_err *err);

/* The reel that takes a write of up to `size` bytes now. NULL: the next one is not ready. */
struct reel *rotate_reel(struct rotate *rotate, size_t size, uint64_t now_ns);

/* Write `number` has placed `size` bytes with so many blocks in the current reel. */
void rotate_placed(struct rotate *rotate, size_t size, uint32_t blocks, uint64_t number,
                   uint64_t now_ns);

/* Begin the next segment, unless this one is still empty. */
void rotate_roll(struct rotate *rotate);

/* Place nothing more in this reel, closed or not. Nothing in it behind `end` counts. The caller
 * owns it from now on. */
void rotate_abandon(struct rotate *rotate, struct reel *reel, uint64_t end);

/* Take the oldest closed reel if all of its writes have a number below `done`. The caller owns it
 * from now on. NULL: there is none. */
struct reel *rotate_take_closed(struct rotate *rotate, uint64_t done);

/* To be called a few times a second: makes the next reel ready when it is time. */
void rotate_tend(struct rotate *rotate, uint64_t now_ns);

/* No more writes come: close the current reel, unless it is empty. */
void rotate_finish(struct rotate *rotate);

/* Remove segments that were made and never used. Blocking; after the loop has ended. */
void rotate_close(struct rotate *rotate);

void reel_free(struct reel *reel);

#endif
