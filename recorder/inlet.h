/*
 * inlet.h - one ring that is being recorded, and the track it goes to.
 *
 *     WAITING -> ATTACHED -> WAITING (the ring was removed or replaced)
 *        |          |
 *        v          v
 *      HELD     QUARANTINED (what is in the ring is no ring, or broke its rules)
 *
 * A ring in memory that was lent to us is ATTACHED at once, and WAITING or DETACHED again when its
 * producer has gone and all of it is recorded.
 *
 * DETACHED: nobody asks for its ring, or not any more.
 *
 * A ring that is not there is waited for, one that another process consumes is asked for again and
 * again, both quietly. A quarantined one is looked at again only when another file takes its name.
 * The others never notice. The loop's thread.
 */
#ifndef TDK_RECORDER_INLET_H
#define TDK_RECORDER_INLET_H

#include <stdbool.h>

#include "recorder/config.h"
#include "recorder/ledger.h"
#include "recorder/sequence.h"
#include "shm/ring_state.h"
#include "tape/block.h"
#include "tapedeck/ring.h"

#define INLETS_PASSING 32u

struct inlet_mark {
    uint64_t epoch, seq;
};

/* What has gone into blocks of it. */
struct inlet_counts {
    uint64_t ticks, bytes;
    uint64_t lost, lost_total; /* told on the tape, in this epoch; since the start */
};

struct inlet {
    const struct config_ring *asked; /* borrowed, or: */
    struct config_ring own;          /* of a ring that was asked for while we ran */
    struct ledger *ledger;           /* borrowed: what the tape has */
    bool is_canary;                  /* what comes of it is our own heartbeat, and no traffic */
    const struct inlet *all;         /* borrowed: every inlet, this one among them */
    unsigned all_count;
    enum ring_state state;
    char reason[240]; /* of the quarantine */

    struct tdk_ring *ring; /* NULL unless attached */
    bool lent;             /* it is memory that was passed to us: no name leads to it */
    bool passing;          /* nobody asked for a ring of this name but feeds that lend one */
    uint8_t uuid[16];      /* of the ring attached or quarantined; zeros: it has none */
    bool cold;             /* not all of its pages were touched: inlet_warm() */
    uint64_t capacity;
    uint64_t attached_at; /* position in the ring where we found its cursor */
    uint64_t released;    /* position in the ring up to which room was given back */
    unsigned out;         /* blocks formed and not yet told written */
    uint64_t orphan_ns;   /* since when its name is gone or another ring's; 0: it is not */

    size_t waiting;    /* bytes unread, when last looked at */
    uint64_t since_ns; /* when the oldest of them was first seen, monotonic; 0: nothing waits */
    bool is_starved;   /* the disk was full, and what the ring lost since is why */
    bool is_missed;    /* that there is no such ring was told */
    bool leaving;      /* it is asked to be let go of: not attached again meanwhile */
    uint64_t until;    /* nothing at or beyond this position is read: we are stopping */
    uint64_t push_to;  /* up to this position it is wanted in a write */

    char track[TDK_NAME_MAX + 1]; /* empty: not known before the ring is there */
    enum tdk_kind kind;           /* MIXED: no tick of it was seen yet */
    uint64_t named_in;            /* segment in which a block of this track has its TRACK frame */
    struct sequence sequence;
    struct track_state at; /* where the next block of it goes on */

    struct inlet_mark written, durable;
    bool owes_clock; /* a CLOCK frame, before its next tick */
    bool owes_mark;  /* a MARK frame, now */
    bool owes_ack;   /* durable has moved since it was last told */
    struct inlet_counts counts;
    uint64_t passed;     /* ticks that were on the tape already */
    uint64_t high_water; /* bytes, since the last report */
    unsigned fill_level; /* 0, 80 or 95: what was warned of */
};

/* Those of the configuration; the others, up to `count`, are detached. */
void inlet_init(struct inlet *all, unsigned count, const struct config *config,
                struct ledger *ledger);

/* A ring that is asked for from now on takes an inlet that none has had, or the one that it had
 * before: what is counted about an inlet bears its names for ever. NULL: err says why. -EEXIST: the
 * ring is recorded already, or its track from another; TDK_EFULL: no inlet is left. */
struct inlet *inlet_add(struct inlet *all, unsigned count, const struct config_ring *ring,
                        struct tdk_err *err);

/* A ring in memory is attached, whatever name it is to have: by an inlet of its own, or by the one
 * that waits for a ring of that name. `file` stays the caller's. When its producer has gone it is
 * read to its end and let go of. NULL: err says why, as of inlet_add() and memory_attach().
 * TDK_EFULL also when INLETS_PASSING have their names of lending alone: the rest is for those who
 * may attach. */
struct inlet *inlet_lend(struct inlet *all, unsigned count, const struct config_ring *ring,
                         int file, struct tdk_err *err);

/* The one of a ring that is asked for, or NULL. */
struct inlet *inlet_find(struct inlet *all, unsigned count, const char *ring);

/* Does an error of tdk_ring_stat() say that this ring is there no more? Not that nobody could look:
 * there may be no descriptor left to do so. */
static inline bool inlet_is_no_ring(int rc)
{
    return rc == TDK_ENORING || rc == TDK_EHOSTILE || rc == TDK_EVERSION;
}

/* Read no further than what is published now. Then, when it is_left: let go of the ring. */
void inlet_leave(struct inlet *inlet);
bool inlet_is_left(const struct inlet *inlet);
void inlet_detach(struct inlet *inlet);

/* Look for the ring if it is not attached, make it if so configured; and if it is, whether it still
 * is the one of that name. Some system calls; to be called a few times a second. */
void inlet_visit(struct inlet *inlet, const struct config *config, uint64_t now_ns);

/* Touch some pages of a `cold` ring before a tick meets them: a millisecond at most. */
void inlet_warm(struct inlet *inlet);

/* Unread bytes; `waiting` and `since_ns` follow. A ring found to break its rules is quarantined. */
size_t inlet_look(struct inlet *inlet, uint64_t now_ns);

/* The run of unread frames, and a private copy of the first one's head, whose size is checked.
 * False: nothing there (for us), or the ring was quarantined for it. */
bool inlet_head(struct inlet *inlet, const unsigned char **run, size_t *size,
                struct tdk_frame *head);

/* What its ticks are, by the first one that waits; MIXED: none near. */
enum tdk_kind inlet_kind(const struct inlet *inlet);

/* What the tape has of an epoch of this ring. */
void inlet_known(const struct inlet *inlet, uint64_t ring_epoch, struct sequence_known *known);

/* Where blocks of an epoch that the tape knows go on. */
void inlet_resume(struct inlet *inlet);

/* A block of it, up to `position` in the ring, has been written: its room is given back. */
void inlet_written(struct inlet *inlet, uint64_t position);

/* Which seq of this epoch is marked; 0: none so far, the mark is an earlier one's. */
static inline uint64_t inlet_marked(const struct inlet_mark *mark, uint64_t epoch)
{
    return mark->epoch == epoch ? mark->seq : 0;
}

/* Claims refused behind the last tick, known exactly and not yet told. 0: none, or not knowable. */
uint64_t inlet_lost_at_end(const struct inlet *inlet);

/* `why`: in words, is logged once, escaped. */
void inlet_quarantine(struct inlet *inlet, const char *why);

void inlet_close(struct inlet *inlet);

const char *inlet_state_text(const struct inlet *inlet);

#endif
