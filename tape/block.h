/*
 * block.h - ticks of one track and epoch, packed for one write: the unit of checksum and
 * durability.
 *
 * A block is filled in seq order, sealed once, put in its place (block_finish) and never changed
 * again. It lives in the caller's buffer. Nothing here allocates or does I/O, so the recorder, the
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

/* What carries over from one block of a track to the next. To go back, restore a copy that was
 * taken before a block. */
struct track_state {
    uint16_t track;  /* number on the tape */
    bool after_loss; /* the next tick is the first after a loss */
    bool tell_steps; /* stop (BLOCK_CLOCK) before a tick a second or more older than the last */
    bool step_told;  /* the next tick is such a tick, and a CLOCK frame reports it */
    uint32_t payload_max; /* larger payloads break the rules */
    uint64_t epoch;       /* the tape's */
    uint64_t next_seq;    /* of the tick that must come next */
    uint64_t running_max; /* of trusted ts over the epoch; 0: none yet */
    uint64_t last_ts;     /* of the last tick, trusted or not; 0: none yet */
};

/* A pattern that matches ticks like an earlier one: see take_alike() in block_run.c. */
struct block_pattern {
    uint64_t word;         /* size, track, type and flags as they arrive */
    uint64_t stored;       /* the same as they are stored */
    uint64_t mask;         /* the bits of word that must match */
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
    int64_t left;                  /* bytes left for frames and what the directory needs for them */
    uint64_t trust_max;            /* a ts above it is odd */
    uint32_t back;                 /* ticks whose time went back */
    uint32_t uniform;              /* span of all frames so far; 0: they differ */
    size_t summed;
    const struct tdk_frame *stopped_at; /* see block_add_run() */
    struct block_pattern patterns[BLOCK_PATTERNS];
};

/* The smallest room that takes at least one tick of this payload with a TRACK, EPOCH and LOSS
 * frame. */
size_t block_room_for(uint32_t payload_max);

/* `now_ns` is wall time; a ts more than 24 h ahead of it is not trusted. `room` is at least
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
 * Copy frames in, in pieces, from memory that may change meanwhile and may hold anything: only the
 * private copy is ever examined. *taken: bytes of the run that are in (or were skipped as padding).
 * At BLOCK_SEQ and BLOCK_CONTROL block->stopped_at is a private copy of the whole frame at which it
 * stopped, at BLOCK_BROKEN a copy of that frame's head. It is valid until the next call on the
 * block.
 */
enum block_stop block_add_run(struct block *block, const void *run, size_t size, size_t *taken);

/* Add one tick that we make ourselves, with seq state->next_seq. False: it does not fit. */
bool block_add_tick(struct block *block, uint8_t type, uint8_t flags, uint64_t ts,
                    const void *payload, uint32_t size);

/*
 * Add a control frame, with the seq and ts of the tick that it stands before (ts 0: the last
 * tick's). `payload` may point into block->stopped_at. False: it does not fit. LOSS frames are
 * added with block_add_loss().
 */
bool block_add_control(struct block *block, uint8_t type, uint64_t ts, const void *payload,
                       uint32_t size);
bool block_add_track(struct block *block, const char *name, uint8_t kind);
bool block_add_epoch(struct block *block, const struct tdk_epoch *epoch);

/* Add a LOSS frame. loss->first_seq must be state->next_seq, and loss->count at least 1.
 * state->next_seq moves past the loss, and the next tick is flagged. `ts` is that of the next tick,
 * or 0 at the end of an epoch. */
bool block_add_loss(struct block *block, const struct tdk_loss *loss, uint64_t ts);

/* Is there room for a LOSS frame and the tick of this payload after it, with a CLOCK frame in
 * between? They go into one block, because together they cover the time of the loss. */
bool block_has_room_for_loss(const struct block *block, uint32_t size);

/*
 * Add the next frame of a checked block of the same track and epoch, unchanged: flags, seq, padding
 * and all. Where a block begins, state->next_seq must be what its first frame needs, and
 * state->running_max that of the epoch before the frame. False: it does not fit.
 */
bool block_keep(struct block *block, const struct tdk_frame *frame);

bool block_is_empty(const struct block *block); /* neither ticks nor control frames */

/* Add the directory and the checksum of what is stored. Returns head + stored bytes, a multiple
 * of 8. */
size_t block_seal(struct block *block);

/* The view of a block that was just sealed, in its buffer: the same that block_check() would
 * give. */
struct block_view block_view_of(const void *bytes);

/* What only the writer of the block knows. */
struct block_place {
    uint8_t tape_id[16];
    uint64_t segment;
    uint32_t block;       /* number in the segment */
    uint32_t span;        /* to the next block's head; bytes after the stored ones must be zeros */
    uint64_t synced_upto; /* of this file */
    uint64_t
        previous_end; /* of the segment before this one; 0: there is none, or it is not known */
    uint64_t written_ns;
    uint8_t flags; /* BLOCK_REWRITTEN, or 0 */
};

/* Complete a sealed block's head, in its buffer. May be repeated for another place. */
void block_finish(void *bytes, const struct block_place *place);

/* Fill in `ref`, the short form of the block's head. */
void block_ref_of(const struct block_head *head, uint64_t offset, struct block_ref *ref);

/* ---- reading back ---- */

/*
 * Check the head alone. `size` bytes are there, at least sizeof(struct block_head), 8-aligned.
 * After success the sizes in it may be believed, and nothing in it exceeds the limits of format.h.
 * TDK_ECORRUPT, TDK_EVERSION.
 */
int block_head_check(const void *bytes, size_t size, struct tdk_err *err);

/*
 * Check the whole block, head.span bytes, 8-aligned: the checksums, and the zeros after the stored
 * bytes. In a raw block every frame must also be whole and in its place, and counts and seqs must
 * be what the head says. A compressed block has view->frames = NULL; block_unpack() goes on from
 * there. TDK_ECORRUPT: damage is an answer, not a bug.
 */
int block_check(const void *bytes, size_t size, struct block_view *view, struct tdk_err *err);

/* Of a raw block that does not pass it, as something in it has rotted: the frame that it begins
 * with, when that is as it was. Else NULL. Borrowed. */
const struct tdk_frame *block_first_frame(const void *bytes, size_t size);

/* Undo the codec of a block that passed block_check() into `buffer` (head.frames_size +
 * head.directory_size bytes, 8-aligned), and check the result. `pack` is working memory, for a
 * caller that unpacks many blocks; NULL: it is made and freed here. TDK_ECORRUPT, -ENOMEM. */
struct pack;
int block_unpack(const void *bytes, struct pack *pack, void *buffer, size_t room,
                 struct block_view *view, struct tdk_err *err);

/* Is this the block that the reference from the index or a table means? */
bool block_is_ref(const struct block_head *head, const struct block_ref *ref);

#endif
