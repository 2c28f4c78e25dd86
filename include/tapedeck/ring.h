/*
 * ring.h - one producer, one consumer, frames of any length, nobody waits.
 *
 * A ring is a file NAME.ring in the rings directory ($TAPEDECK_RINGS, default /dev/shm/tapedeck).
 * One process publishes, one consumes, any number tap. claim gives a frame to fill, publish makes
 * everything claimed visible; next and peek read in place, release gives the room back. When the
 * ring is full, claim returns NULL at once and the tick's seq is spent, so the loss is counted
 * exactly. Either side may die at any instruction and be started again: what was published and not
 * released is still there.
 *
 * Threads: a handle belongs to one thread at a time, and to the process that attached it: a forked
 * child has its parent's role for as long as it lives and does not detach, and must do nothing else
 * with it. Memory: frames are borrowed from the mapping;
 * a claimed frame is the producer's until publish, a frame that was read is the consumer's until
 * release. Nothing on the path of a tick allocates, locks, logs or calls the kernel.
 */
#ifndef TAPEDECK_RING_H
#define TAPEDECK_RING_H

#include <stdbool.h>

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tdk_ring_role { TDK_RING_PRODUCER, TDK_RING_CONSUMER, TDK_RING_TAP };

struct tdk_ring_options {
    size_t capacity;      /* bytes, a power of two from 64 KiB; 0: 64 MiB */
    uint32_t payload_max; /* bytes; 0: 1 MiB or a quarter of the capacity, whichever is less */
    const char *track;    /* the track's name in digests and on a tape; NULL: the ring's */
    bool on_disk;         /* allow a rings directory that is not on tmpfs */
};

/* All pages are allocated here: a short /dev/shm fails now, with the size needed. -EEXIST if it is
 * there already; TDK_ENAME, TDK_EVALUE. */
TDK_API int tdk_ring_create(const char *name, const struct tdk_ring_options *options,
                            struct tdk_err *err);

/* Unlink the ring's file. Whoever has it attached keeps the memory. TDK_ENORING; TDK_EBUSY while
 * a producer or consumer is attached, unless `force`. */
TDK_API int tdk_ring_remove(const char *name, bool force, struct tdk_err *err);

struct tdk_ring;

/* A ring without a name in any directory, in memory that is sealed: neither side can cut it under
 * the other, nobody else finds it. The caller is its producer from here on; a recorder consumes it
 * once tdk_client_lend() (client.h) has passed it, and it lasts as long as one of them holds it.
 * `name` is what the recorder calls it. For a feed that the recorder's host does not trust, or that
 * shares no rings directory with it. TDK_ENAME, TDK_EVALUE, -ENOMEM. */
TDK_API int tdk_ring_create_memory(struct tdk_ring **ring, const char *name,
                                   const struct tdk_ring_options *options, struct tdk_err *err);

/* The descriptor of a ring's file, to pass on; it stays the ring's. */
TDK_API int tdk_ring_file(const struct tdk_ring *ring);

/* TDK_ENORING; TDK_EVERSION; TDK_EHOSTILE: no ring, or one whose size or owner is wrong; TDK_EBUSY:
 * a living process has this role (taps are never refused). A producer begins a new epoch. */
TDK_API int tdk_ring_attach(struct tdk_ring **ring, const char *name, enum tdk_ring_role role,
                            struct tdk_err *err);
TDK_API void tdk_ring_detach(struct tdk_ring *ring);

/* Touch the next `size` bytes of the ring's memory, each page once, from where this side stands on.
 * True: there is more to touch. On a virtual machine the first touch of a page can cost 10 us and
 * more, though it was allocated when the ring was made and mapped when it was attached: who has
 * time before the first tick calls it until it is false. Nothing in the memory changes, only how
 * this process sees it. */
TDK_API bool tdk_ring_warm(struct tdk_ring *ring, size_t size);

/* ---- producer ---- */

/* A frame for `size` bytes of payload: size, seq, track and flags (0) are set, the caller sets
 * type, ts and the payload. NULL when the ring is full: the seq is spent, the loss counted. Several
 * may be claimed before one publish. `size` above payload_max is a mistake of the caller's: NULL,
 * and nothing is spent. */
static inline struct tdk_frame *tdk_ring_claim(struct tdk_ring *ring, uint32_t size);

/* The same for a control frame, or for a frame that a replay republishes: the caller sets seq and
 * track too. Full: NULL, nothing is spent or counted. */
static inline struct tdk_frame *tdk_ring_claim_raw(struct tdk_ring *ring, uint32_t size);

/* Room for `size` bytes of whole frames that the caller has ready, heads and padding included, to
 * be copied in as one piece: a multiple of 8, at most half of the capacity. Full: NULL, nothing is
 * spent or counted. */
static inline void *tdk_ring_claim_run(struct tdk_ring *ring, size_t size);

/* The last `size` bytes of the run claimed last, and not published yet, were not needed. */
static inline void tdk_ring_shrink_run(struct tdk_ring *ring, size_t size);

/* Make all that was claimed visible to the other side. */
static inline void tdk_ring_publish(struct tdk_ring *ring);

/* Wait at most `ns` until a claim of `size` would succeed (a run of N bytes: size N - 24). What was
 * claimed is published first. */
TDK_API bool tdk_ring_wait_room(struct tdk_ring *ring, uint32_t size, uint64_t ns);

/* A tick that was not even claimed, dropped by choice of the caller: its seq is spent and counted.
 */
TDK_API void tdk_ring_drop(struct tdk_ring *ring, uint64_t count);

/* Where this producer's ts come from, for its EPOCH frame; before its first claim. Unless told:
 * TDK_CLOCK_REALTIME. */
TDK_API void tdk_ring_set_clock(struct tdk_ring *ring, enum tdk_clock clock);

/* ---- consumer ---- */

/* The next frame, and the cursor moves past it; NULL when empty. Padding is never returned. */
static inline const struct tdk_frame *tdk_ring_next(struct tdk_ring *ring);

/* The next frame, and with it those behind it, up to `most` in all, whose size, track, type and
 * flags are its own: *count of them, tdk_frame_span(size) apart, and the cursor moves past them.
 * For a loop over ticks of one kind: what is the same is looked at once. NULL and 0 when empty. */
static inline const struct tdk_frame *tdk_ring_next_alike(struct tdk_ring *ring, size_t most,
                                                          size_t *count);

/* The longest contiguous run of frames from the cursor on, in bytes; 0 when empty. The cursor
 * stays. Heads inside the run are not checked: of an untrusted producer copy first, then check. */
static inline const void *tdk_ring_peek(struct tdk_ring *ring, size_t *size);

/* Move the cursor past `size` bytes of what peek showed. */
static inline void tdk_ring_skip(struct tdk_ring *ring, size_t size);

/* Give back the room of all frames before the cursor. The other side may see it a little later
 * (room is returned by eighths of the ring, or when the ring runs dry). */
static inline void tdk_ring_release(struct tdk_ring *ring);

/* Where the cursor stands, in bytes since the ring was created; and: give back what lies before
 * `position`, at most the cursor, at once. For a consumer that frees later than it reads. */
static inline uint64_t tdk_ring_position(const struct tdk_ring *ring);
TDK_API void tdk_ring_release_to(struct tdk_ring *ring, uint64_t position);

enum tdk_ring_wait { TDK_WAIT_SPIN, TDK_WAIT_YIELD, TDK_WAIT_PARK };

/* Wait at most `ns` until next or peek would find something. Parking costs the producer one
 * wake-up; nobody else pays. */
TDK_API bool tdk_ring_wait_frame(struct tdk_ring *ring, enum tdk_ring_wait how, uint64_t ns);

/* The epoch of the frame at the cursor when the consumer or tap attached (for a tap, also after it
 * was lapped); of an empty ring, that of the last frame that was in it. Later ones arrive as EPOCH
 * frames in the ring; an EPOCH frame at the cursor itself is still to come, and says the same. 0:
 * no producer has put anything in yet. Of a producer: its own. */
TDK_API uint64_t tdk_ring_epoch(const struct tdk_ring *ring);

/* NULL while the other side keeps the rules; else which one it broke, in a few words. It stays that
 * way: claim, next and peek then find nothing any more. */
TDK_API const char *tdk_ring_hostile(const struct tdk_ring *ring);

/* From here on this process survives a ring whose file is cut under it (SIGBUS): the ring turns
 * hostile, and reads as zeros. So look at tdk_ring_hostile() after a copy and before believing it.
 * A fault elsewhere goes to the handler that was there. Once, from main; for all rings, whenever
 * attached. */
TDK_API int tdk_ring_guard(struct tdk_err *err);

/* ---- tap ---- */

/* Copy whole frames from the cursor into `buffer` and move on. Returns bytes, 0 when there is
 * nothing new, TDK_ELAPPED when the producer has overtaken us: the cursor then stands at the newest
 * frame and *missed counts the bytes that were not seen. -ENOBUFS: the next frame is larger than
 * room. */
TDK_API int64_t tdk_ring_tap(struct tdk_ring *ring, void *buffer, size_t room, uint64_t *missed);

/* Of a tap that has just been attached: back to the oldest frame that the consumer has not given
 * back, with which it may be that a recorder's tape goes on. tdk_ring_epoch() is that frame's then.
 * Where the two counters contradict each other the cursor stays. */
TDK_API void tdk_ring_tap_unreleased(struct tdk_ring *ring);

/* ---- many ticks a call, out of line: for programs that cannot inline ---- */

/* Copy whole frames from the cursor on into `buffer` and move past them. Each head is checked in
 * the copy, so a producer needs no trust; padding is left out. offsets: room for room / 24 of them.
 * Returns frames, 0 when there is nothing new; *size is what they take. TDK_EHOSTILE; -ENOBUFS: the
 * next frame is larger than `room`; TDK_ELAPPED, of a tap: as tdk_ring_tap() says, with *missed. */
TDK_API int64_t tdk_ring_copy(struct tdk_ring *ring, void *buffer, size_t room, uint64_t *offsets,
                              size_t *size, uint64_t *missed);

/* Give back the room of all that was copied, at once. Until then whoever consumes after us finds it
 * again. Of a tap: nothing. */
TDK_API void tdk_ring_give(struct tdk_ring *ring);

/* `count` ticks of one size and type. */
struct tdk_put {
    const void *payloads; /* of the first; need not be aligned */
    size_t stride;        /* bytes from one payload to the next */
    const uint64_t *ts;   /* of each; NULL: CLOCK_REALTIME, asked once a call */
    uint64_t count;
    uint32_t size; /* of each payload */
    uint8_t type, flags, zero[2];
};

/* Claim, fill and publish them: visible by pieces of some KiB, so that the other side can begin.
 * From 2 KiB on up to twice as fast as one by one. wait_ns 0: a ring that is full refuses, and each
 * tick refused has spent its seq and is counted. Else room is waited for, at most so long for each
 * (UINT64_MAX: for ever), and what is left over has spent nothing. Returns ticks published;
 * TDK_EVALUE: payloads above the ring's payload_max, or a type that is no tick's; TDK_EHOSTILE. */
TDK_API int64_t tdk_ring_put(struct tdk_ring *ring, const struct tdk_put *put, uint64_t wait_ns);

/* ---- either ---- */

struct tdk_ring_info {
    char name[TDK_NAME_MAX + 1], track[TDK_NAME_MAX + 1];
    uint64_t capacity;
    uint32_t payload_max;
    uint32_t version;
    uint64_t epoch;                          /* of the last producer that published; 0: none yet */
    uint64_t seq;                            /* the last seq spent in this epoch */
    uint64_t produced;                       /* ticks in this epoch: seq - lost, and a play's */
    uint64_t lost;                           /* ticks refused in this epoch */
    uint64_t lost_total;                     /* in all epochs */
    uint64_t produced_bytes, consumed_bytes; /* since the ring was created, frames with heads */
    uint64_t fill;                           /* bytes published and not yet released */
    uint64_t high_water;                     /* the most `fill` a consumer has met */
    uint64_t created_ns;
    uint8_t uuid[16];
    uint32_t producer_pid, consumer_pid; /* 0: none alive */
    unsigned taps;
};

/* Of an attached ring, or of one by name without attaching (TDK_ENORING, TDK_EHOSTILE, ...). */
TDK_API void tdk_ring_info(const struct tdk_ring *ring, struct tdk_ring_info *info);
TDK_API int tdk_ring_stat(const char *name, struct tdk_ring_info *info, struct tdk_err *err);

/* Ticks of the last epoch that wait in the ring to be read, counted frame by frame from outside:
 * this may take milliseconds, and while a producer runs it is about right. */
TDK_API int tdk_ring_unread(const char *name, uint64_t *ticks, struct tdk_err *err);

/* Tell each name in the rings directory to `each`, sorted; not 0 from it ends the walk and is
 * returned. */
TDK_API int tdk_ring_list(int (*each)(const char *name, void *context), void *context,
                          struct tdk_err *err);

/* A producer's epoch must be above this too: the recorder, which knows what the tape has, says so.
 */
TDK_API void tdk_ring_epoch_floor(struct tdk_ring *ring, uint64_t epoch);

#include "tapedeck/ring_inline.h"

#ifdef __cplusplus
}
#endif
#endif
