/*
 * journal.h - what follows a write that is safe: its segment's table, the catalogue, the index, the
 * seal.
 *
 * One job at a time on the pool, in file order, so that catalogue and index have one writer and see
 * what the tape has in the order it has it. The loop's thread, but for the work itself.
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
    struct write **writes; /* owned array: of the job, in file order, all in one reel */
    size_t count, room;
    struct reel *reel; /* of the job: theirs */
    struct reel *seal; /* of the job: to be sealed behind them; NULL: none */
    struct tdk_err err, seal_err;
    int status, seal_status;

    struct reel *unsealed; /* ours: closed, and sealing failed; tried again */
    uint64_t retry_ns;
    struct indexer indexer; /* ours */
    bool follow_wanted;     /* somebody deleted segments: index and catalogue are to hear of it */
    bool following;         /* and do in this work; then: they could not */
    const struct sealing *switching; /* borrowed: packed, the index is to be pointed at it */
    void (*switched)(void *context, int status, const struct tdk_err *err);
    void *switch_context;
    unsigned sealed;
    uint64_t refused;                          /* told by the log: see catalog_refused() */
    void (*done)(void *context, size_t count); /* on the loop: so many writes are finished with */
    void *context;
};

int journal_init(struct journal *journal, uv_loop_t *loop, struct recovered *tape,
                 struct ledger *ledger, size_t writes_max);
void journal_close(struct journal *journal);

/* Begin a job with journal->writes[0..count), all of one reel, and seal that behind them if `seal`.
 * Not while busy. */
void journal_start(struct journal *journal, size_t count, struct reel *reel, bool seal);

/* This reel gets no more blocks and those it has are noted: seal it when there is time. Ours from
 * now. */
void journal_seal_later(struct journal *journal, struct reel *reel);

/* TAPE/retired has changed: take what it names out of index and catalogue, when there is time. */
void journal_follow(struct journal *journal);

/*
 * A segment was packed: point the index at it and drop the file as it was recorded, when there is
 * time. `switched` is told on the loop: 0; -ENOENT: it was deleted meanwhile; else it stays as it
 * was, and err says why. One at a time; `sealing` is borrowed until then.
 */
void journal_switch(struct journal *journal, const struct sealing *sealing,
                    void (*switched)(void *context, int status, const struct tdk_err *err),
                    void *context);

/* Now and then: seal what could not be sealed, commit what is behind, follow what was deleted,
 * switch to what was packed. */
void journal_tend(struct journal *journal, uint64_t now_ns);

#endif
