/*
 * block.h - ticks of one track and epoch, packed for one write: the unit of checksum and
 * durability.
 *
 * A block is filled in seq order, sealed once, put in its place (block_finish) and never changed
 * again. It lives in the caller's buffer: nothing here allocates or does I/O, so the recorder, the
 * import, recovery and the fuzzer run the same code. One owner at a time.
 *
 *     block_begin(&b, buffer, room, scratch, &state, clock_wall());
 *     block_add_track(&b, "binance", TDK_KIND_DBN);        first of its track in this segment
 *     why = block_add_run(&b, ring_bytes, size, &taken);   ... until it says why it stopped
 *     size = block_seal(&b);
 *     block_finish(buffer, &place);                        when the write is put together
 */
#ifndef TDK_TAPE_BLOCK_H
#define TDK_TAPE_BLOCK_H

#include <stdbool.h>

#include "tape/directory.h"
#include "tape/format.h"
#include "tapedeck/err.h"
#include "tapedeck/tick.h"

/* A checked block, in place. */
struct block_view {
    const struct block_head *head;
    const unsigned char *frames;    /* head->frames_size bytes */
    const unsigned char *directory; /* head->directory_size bytes */
};

/* ---- filling ---- */

/* What goes on from one block of a track to its next. A copy taken before one is the way back. */
struct track_state {
    uint16_t track;  /* number on the tape */
    bool after_loss; /* the next tick is the first after a loss */
    bool tell_steps; /* stop (BLOCK_CLOCK) before a tick a second or more older than the last */
    bool step_told;  /* the next tick is such a one, and a CLOCK frame tells it */
    uint32_t payload_max; /* larger payloads break the rules */
    uint64_t epoch;       /* the tape's */
    uint64_t next_seq;    /* of the tick that must come next */
    uint64_t running_max; /* of trusted ts over the epoch; 0: none yet */
    uint64_t last_ts;     /* of the last tick, whatever it is worth; 0: none yet */
};

/* A tick as the pattern of those that are like it: see take_alike() in block.c. */
struct block_pattern {
    uint64_t word;         /* size, track, type and flags as they come */
    uint64_t stored;       /* and as they are kept */
    uint64_t mask;         /* of the bits of them that must be the same */
    uint16_t length_rtype; /* of a record */
    bool record;
};
#define BLOCK_PATTERNS 9

struct block {
    unsigned char *bytes; /* the caller's, 8-aligned: head, frames, directory */
    size_t room;
    struct block_scratch *scratch; /* borrowed */
    struct track_state *state;     /* borrowed; moves on with each frame */
    struct block_head head;        /* as known so far */
    size_t used;                   /* bytes of frames */
    int64_t left;                  /* bytes for frames with what the directory needs for them */
    uint64_t trust_max;            /* a ts above it is odd */
    uint32_t back;                 /* ticks whose time went back */
    uint32_t uniform;              /* span of all frames so far; 0: they differ */
    size_t summed;
    const struct tdk_frame *stopped_at; /* see block_add_run() */
    struct block_pattern patterns[BLOCK_PATTERNS];
};

/* Smallest room that takes at least one tick of this payload with a TRACK, EPOCH and LOSS frame. */
size_t block_room_for(uint32_t payload_max);

/* `now_ns`: wall time; a ts more than 24 h ahead of it is not trusted. room at least
 * block_room_for(0), at most BLOCK_SPAN_MAX. */
void block_begin(struct block *block, void *buffer, size_t room, struct block_scratch *scratch,
                 struct track_state *state, uint64_t now_ns);

enum block_stop {
    BLOCK_TAKEN,   /* all of the run is in */
    BLOCK_FULL,    /* the next frame does not fit: seal this block, go on in another */
    BLOCK_SEQ,     /* the next tick's seq is not state->next_seq: a hole or a repeat */
    BLOCK_CONTROL, /* the next frame is a control frame: the caller decides */
    BLOCK_CLOCK,   /* the next tick steps back in time: a CLOCK frame comes before it */
    BLOCK_BROKEN,  /* the next frame breaks the rules: its size, its type */
};

/*
 * Copy frames in, in pieces, from memory that may change meanwhile and hold anything: what is
 * looked at is the private copy alone. *taken: bytes of the run that are in (or were passed over as
 * padding). At BLOCK_SEQ and BLOCK_CONTROL block->stopped_at is a private copy of the whole frame
 * at which it stopped, at BLOCK_BROKEN of its head; until the next call on the block.
 */
enum block_stop block_add_run(struct block *block, const void *run, size_t size, size_t *taken);

/* One tick of our own making, with seq state->next_seq. False: it does not fit. */
bool block_add_tick(struct block *block, uint8_t type, uint8_t flags, uint64_t ts,
                    const void *payload, uint32_t size);

/*
 * A control frame, with the seq and ts of the tick that it stands before (ts 0: the last tick's).
 * `payload` may be inside block->stopped_at. False: it does not fit. A LOSS frame is added with
 * block_add_loss().
 */
bool block_add_control(struct block *block, uint8_t type, uint64_t ts, const void *payload,
                       uint32_t size);
bool block_add_track(struct block *block, const char *name, uint8_t kind);
bool block_add_epoch(struct block *block, const struct tdk_epoch *epoch);

/* loss->first_seq must be state->next_seq, loss->count at least 1: state->next_seq moves behind the
 * loss, and the next tick is flagged. `ts`: of that tick, or 0 at the end of an epoch. */
bool block_add_loss(struct block *block, const struct tdk_loss *loss, uint64_t ts);

/*
 * The next frame of a checked block of the same track and epoch, as it is: flags, seq, padding and
 * all. Where a block begins, state->next_seq must be what its first frame needs, and
 * state->running_max that of the epoch before it. False: it does not fit.
 */
bool block_keep(struct block *block, const struct tdk_frame *frame);

bool block_is_empty(const struct block *block); /* neither ticks nor control frames */

/* Add the directory and the checksum of what is stored. Returns head + stored bytes, a multiple
 * of 8. */
size_t block_seal(struct block *block);

/* A block that was just sealed, in its buffer: as block_check() would show it. */
struct block_view block_view_of(const void *bytes);

/* What only the one who writes it knows. */
struct block_place {
    uint8_t tape_id[16];
    uint64_t segment;
    uint32_t block; /* number in the segment */
    uint32_t span;  /* to the next block's head; what is behind the stored bytes must be zeros */
    uint64_t synced_upto; /* of this file */
    uint64_t
        previous_end; /* of the segment before this one; 0: there is none, or it is not known */
    uint64_t written_ns;
    uint8_t flags; /* BLOCK_REWRITTEN, or 0 */
};

/* Complete a sealed block's head, in its buffer. May be done again for another place. */
void block_finish(void *bytes, const struct block_place *place);

/* The block's header in short. */
void block_ref_of(const struct block_head *head, uint64_t offset, struct block_ref *ref);

/* ---- reading back ---- */

/*
 * Only the head: `size` bytes are there, at least sizeof(struct block_head), 8-aligned. What it
 * says about sizes may be believed then, and nothing in it exceeds the limits of format.h.
 * TDK_ECORRUPT, TDK_EVERSION.
 */
int block_head_check(const void *bytes, size_t size, struct tdk_err *err);

/*
 * The whole block, head.span bytes, 8-aligned: checksums, zeros behind what is stored; and of a
 * raw one every frame whole and where it must be, counts and seqs as the head says. A compressed
 * one has view->frames = NULL: block_unpack() goes on. TDK_ECORRUPT: damage is an answer, not a
 * bug.
 */
int block_check(const void *bytes, size_t size, struct block_view *view, struct tdk_err *err);

/* Of a raw block that does not pass it, as something in it has rotted: the frame that it begins
 * with, when that is as it was. Else NULL. Borrowed. */
const struct tdk_frame *block_first_frame(const void *bytes, size_t size);

/* Undo the codec of a block that passed block_check() into `buffer` (head.frames_size +
 * head.directory_size bytes, 8-aligned) and check what comes out. `pack`: what is needed for it,
 * for who unpacks many; NULL: it is made, and freed. TDK_ECORRUPT, -ENOMEM. */
struct pack;
int block_unpack(const void *bytes, struct pack *pack, void *buffer, size_t room,
                 struct block_view *view, struct tdk_err *err);

/* Is this the block that the index or a table means? */
bool block_is_ref(const struct block_head *head, const struct block_ref *ref);

#endif
