/*
 * inlet.h - one ring that is being recorded, and the track it goes to.
 *
 *     WAITING -> ATTACHED -> WAITING (the ring was removed or replaced)
 *        |          |
 *        v          v
 *      HELD     QUARANTINED (what is in the ring is no ring, or broke its rules)
 *
 * A ring in memory that was lent to us is ATTACHED at once. It is WAITING or DETACHED again when
 * its producer has gone and all of it is recorded.
 *
 * DETACHED: nobody asks for this ring, or nobody does any more.
 *
 * We wait quietly for a ring that does not exist yet, and try again and again for one that another
 * process consumes. A quarantined ring is looked at again only when another file takes its name.
 * None of this disturbs the other rings. The loop's thread.
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

struct inlet_mark {
    uint64_t epoch, seq;
};

/* What of the ring has gone into blocks. */
struct inlet_counts {
    uint64_t ticks, bytes;
    uint64_t lost, lost_total; /* recorded as lost, in this epoch; since the start */
};

struct inlet {
    const struct config_ring *asked; /* borrowed from the configuration, or it is `own` */
    struct config_ring own;          /* a ring that was asked for while we ran */
    struct ledger *ledger;           /* borrowed: what the tape has */
    bool is_canary;                  /* its ticks are our own heartbeat, not traffic */
    const struct inlet *all;         /* borrowed: every inlet, including this one */
    unsigned all_count;
    enum ring_state state;
    char reason[240]; /* why it is quarantined or refused */

    struct tdk_ring *ring; /* NULL unless attached */
    bool lent;        /* the ring is memory that was passed to us; it has no name in a folder */
    bool passing;     /* only feeds that lend a ring of this name ever asked for it */
    uint8_t uuid[16]; /* of the ring attached or quarantined; zeros: it has none */
    bool cold;        /* some of its pages have not been touched yet: inlet_warm() */
    uint64_t capacity;
    uint64_t attached_at; /* position in the ring where we found its cursor */
    uint64_t released;    /* position in the ring up to which room was given back */
    unsigned out;         /* blocks that are formed and whose write has not returned */
    uint64_t orphan_ns; /* since when its name has been gone or another ring's; 0: it is its own */

    size_t waiting;    /* bytes unread, as of the last look */
    uint64_t since_ns; /* when the oldest of them was first seen, monotonic; 0: nothing waits */
    bool is_starved;   /* the ring loses ticks because the disk is or was full */
    bool is_missed;    /* the log was told that there is no such ring */
    bool leaving;      /* it is being detached, and must not be attached again meanwhile */
    uint64_t until;    /* we are stopping: nothing at or beyond this position is read */
    uint64_t push_to;  /* somebody waits for a write of all up to this position */

    char track[TDK_NAME_MAX + 1]; /* empty: the ring has not been there to tell it */
    enum tdk_kind kind;           /* MIXED: no tick has been seen yet */
    uint64_t named_in;            /* segment in which a block of this track has its TRACK frame */
    struct sequence sequence;
    struct track_state at; /* where its next block goes on */

    struct inlet_mark written, durable;
    bool owes_clock; /* a CLOCK frame has to go in before its next tick */
    bool owes_mark;  /* a MARK frame has to go in now */
    bool owes_ack;   /* `durable` has moved since it was last acknowledged */
    struct inlet_counts counts;
    uint64_t passed;     /* ticks passed over, because they were on the tape already */
    uint64_t high_water; /* bytes, since the last report */
    unsigned fill_level; /* the log has warned of this fill: 0, 80 or 95 % */
};

/* Does this error of tdk_ring_stat() mean that the ring is gone? Other errors only mean that we
 * could not look, for example because no descriptor was left. */
static inline bool inlet_is_no_ring(int rc)
{
    return rc == TDK_ENORING || rc == TDK_EHOSTILE || rc == TDK_EVERSION;
}

/* To detach a ring: inlet_leave() says to read no further than what is published now; once
 * inlet_is_left(), inlet_detach() lets go of the ring. */
void inlet_leave(struct inlet *inlet);
bool inlet_is_left(const struct inlet *inlet);
void inlet_detach(struct inlet *inlet);

/* If the ring is not attached, look for it, and make it if so configured. If it is attached, check
 * that it still has its name. This takes some system calls: call it a few times a second. */
void inlet_visit(struct inlet *inlet, const struct config *config, uint64_t now_ns);

/* Record from a ring in memory that was lent to us. The inlet owns it from now on. False: its track
 * is recorded from another ring; `reason` says so, and the ring is detached. */
bool inlet_take(struct inlet *inlet, struct tdk_ring *ring);

/* Touch some pages of a `cold` ring before a tick meets them. Takes a millisecond at most. */
void inlet_warm(struct inlet *inlet);

/* How many bytes are unread. Sets `waiting` and `since_ns`. Quarantines a ring that breaks the
 * rules.
 */
size_t inlet_look(struct inlet *inlet, uint64_t now_ns);

/* The run of unread frames, and a private copy of the first one's head, whose size is checked.
 * False: there is nothing for us, or the ring was quarantined because of that head. */
bool inlet_head(struct inlet *inlet, const unsigned char **run, size_t *size,
                struct tdk_frame *head);

/* What kind its ticks are, judged by the first one that waits. MIXED: there is none near. */
enum tdk_kind inlet_kind(const struct inlet *inlet);

/* Look up what the tape has of an epoch of this ring. */
void inlet_known(const struct inlet *inlet, uint64_t ring_epoch, struct sequence_known *known);

/* Set `at` to where the blocks of an epoch that is on the tape go on. */
void inlet_resume(struct inlet *inlet);

/* A block with all up to `position` in the ring has been written: give its room back. */
void inlet_written(struct inlet *inlet, uint64_t position);

/* The seq that is marked in this epoch. 0: none yet, the mark is in an earlier epoch. */
static inline uint64_t inlet_marked(const struct inlet_mark *mark, uint64_t epoch)
{
    return mark->epoch == epoch ? mark->seq : 0;
}

/* How many claims were refused behind the last tick and are not on the tape as a loss yet. 0: none,
 * or it cannot be known exactly. */
uint64_t inlet_lost_at_end(const struct inlet *inlet);

/* Quarantine the ring. `why`, in words, is logged once, escaped. */
void inlet_quarantine(struct inlet *inlet, const char *why);

void inlet_close(struct inlet *inlet);

const char *inlet_state_text(const struct inlet *inlet);

/* Why it is quarantined or refused. NULL: it is neither. */
const char *inlet_reason(const struct inlet *inlet);

#endif
