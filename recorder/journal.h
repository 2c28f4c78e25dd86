/*
 * journal.h - what follows when a write is durable: the segment's table, the catalogue, the index,
 * and the seal.
 *
 * One job at a time runs on the pool, in file order. So the catalogue and the index have one
 * writer, and see everything in the order in which the tape has it. All calls are for the loop's
 * thread.
 */
#ifndef TDK_RECORDER_JOURNAL_H
#define TDK_RECORDER_JOURNAL_H

#include "recorder/indexer.h"
#include "recorder/rotate.h"
#include "recorder/write.h"
#include "tape/seal.h"

struct journal {
    uv_loop_t *loop;        /* borrowed */
    struct recovered *tape; /* borrowed */
    struct ledger *ledger;  /* borrowed */
    uv_work_t work;
    bool busy;
    struct write **writes; /* owned array: the job's writes, in file order, all in one reel */
    size_t count, room;
    struct reel *reel; /* that reel */
    struct reel *seal; /* the reel that the job then seals; NULL: none */
    struct tdk_err err, seal_err;
    int status, seal_status;

    struct reel *unsealed; /* ours: reels whose sealing failed and is tried again */
    uint64_t retry_ns;
    struct indexer indexer; /* ours */
    bool follow_wanted;     /* segments were deleted: index and catalogue have to drop them */
    bool following;         /* this job does that; afterwards: it could not */
    const struct sealing *switching; /* borrowed: a packed segment that the index has to point to */
    void (*switched)(void *context, int status, const struct tdk_err *err);
    void *switch_context;
    unsigned sealed;
    uint64_t refused;                          /* as logged last: see catalog_refused() */
    void (*done)(void *context, size_t count); /* on the loop: so many writes are done */
    void *context;
};

int journal_init(struct journal *journal, uv_loop_t *loop, struct recovered *tape,
                 struct ledger *ledger, size_t writes_max);
void journal_close(struct journal *journal);

/* Begin a job with journal->writes[0..count), which are all in one reel; then seal the reel if
 * `seal`. Not while busy. */
void journal_start(struct journal *journal, size_t count, struct reel *reel, bool seal);

/* Seal this reel when there is time: it gets no more blocks, and those it has are in the index. The
 * journal owns it from now on. */
void journal_seal_later(struct journal *journal, struct reel *reel);

/* TAPE/retired has changed: when there is time, take what it names out of index and catalogue. */
void journal_follow(struct journal *journal);

/*
 * A segment was packed: when there is time, point the index at the packed file and delete the one
 * that was recorded. Then `switched` is called on the loop, with 0; with -ENOENT if the segment was
 * deleted meanwhile; or with another error if it stays as it was, and err says why. One at a time;
 * `sealing` is borrowed until then.
 */
void journal_switch(struct journal *journal, const struct sealing *sealing,
                    void (*switched)(void *context, int status, const struct tdk_err *err),
                    void *context);

/* To be called now and then: seal what could not be sealed before, commit what the index is behind
 * with, drop what was deleted, switch to what was packed. */
void journal_tend(struct journal *journal, uint64_t now_ns);

#endif
