/*
 * ring.h - one producer, one consumer, frames of any length, nobody waits.
 *
 * A ring is a file NAME.ring in the rings directory ($TAPEDECK_RINGS, default /dev/shm/tapedeck).
 * One process publishes, one consumes, and any number may tap. The producer claims a frame, fills
 * it, and publishes, which makes everything claimed visible. The consumer reads in place with next
 * or peek, and gives the room back with release. When the ring is full, claim returns NULL at once
 * and the tick's seq is spent, so the loss is counted exactly. Either side may die at any
 * instruction and be started again: what was published and not released is still there.
 *
 * Threads: a handle belongs to one thread at a time, and to the process that attached it. A forked
 * child holds its parent's role for as long as it lives and does not detach; it must do nothing
 * else with the handle.
 *
 * Memory: frames are borrowed from the mapping. A claimed frame is the producer's until publish; a
 * frame that was read is the consumer's until release. Nothing on the path of a tick allocates,
 * locks, logs or calls the kernel.
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

/* Make a ring. All its pages are allocated here, so a /dev/shm that is too small fails now, and the
 * error says how much is needed. -EEXIST: the ring exists already. TDK_ENAME, TDK_EVALUE. */
TDK_API int tdk_ring_create(const char *name, const struct tdk_ring_options *options,
                            struct tdk_err *err);

/* Unlink the ring's file. A process that has it attached keeps the memory. TDK_ENORING. TDK_EBUSY:
 * a producer or consumer is attached, and `force` is false. */
TDK_API int tdk_ring_remove(const char *name, bool force, struct tdk_err *err);

struct tdk_ring;

/* Make a ring without a name in any directory, in memory that is sealed: neither side can cut it
 * under the other, and nobody else finds it. It is for a feed that the recorder's host does not
 * trust, or that shares no rings directory with the recorder. From here on the caller is its
 * producer. A recorder consumes it once tdk_client_lend() (client.h) has passed it on. The ring
 * lasts as long as one of them holds it. `name` is what the recorder calls it. TDK_ENAME,
 * TDK_EVALUE: also above 1 GiB, which no recorder takes. -ENOMEM. */
TDK_API int tdk_ring_create_memory(struct tdk_ring **ring, const char *name,
                                   const struct tdk_ring_options *options, struct tdk_err *err);

/* The descriptor of a ring's file, to pass on. The ring still owns it. */
TDK_API int tdk_ring_file(const struct tdk_ring *ring);

/* Attach to a ring in a role. A producer begins a new epoch. TDK_ENORING, TDK_EVERSION.
 * TDK_EHOSTILE: it is no ring, or its size or owner is wrong. TDK_EBUSY: a living process has this
 * role (taps are never refused). */
TDK_API int tdk_ring_attach(struct tdk_ring **ring, const char *name, enum tdk_ring_role role,
                            struct tdk_err *err);
TDK_API void tdk_ring_detach(struct tdk_ring *ring);

/* Touch the next `size` bytes of the ring's memory, each page once, from where this side stands.
 * True: there is more to touch. On a virtual machine the first touch of a page can cost 10 us and
 * more, although the page was allocated when the ring was made and mapped when it was attached. If
 * there is time before the first tick, call this until it is false. Nothing in the memory changes,
 * only how this process sees it. */
TDK_API bool tdk_ring_warm(struct tdk_ring *ring, size_t size);

/* ---- producer ---- */

/* A frame for `size` bytes of payload. Size, seq, track and flags (0) are set; the caller sets
 * type, ts and the payload. NULL when the ring is full: the seq is spent and the loss is counted.
 * Several frames may be claimed before one publish. A `size` above payload_max is the caller's
 * mistake: NULL, and nothing is spent. */
static inline struct tdk_frame *tdk_ring_claim(struct tdk_ring *ring, uint32_t size);

/* The same for a control frame, or for a frame that a replay republishes: the caller also sets seq
 * and track. NULL when the ring is full: nothing is spent or counted. */
static inline struct tdk_frame *tdk_ring_claim_raw(struct tdk_ring *ring, uint32_t size);

/* Room for whole frames that the caller has ready, heads and padding included, to be copied in as
 * one piece of `size` bytes: a multiple of 8, at most half of the capacity. NULL when the ring is
 * full: nothing is spent or counted. */
static inline void *tdk_ring_claim_run(struct tdk_ring *ring, size_t size);

/* Give back the last `size` bytes of the run that was claimed last and is not published yet. */
static inline void tdk_ring_shrink_run(struct tdk_ring *ring, size_t size);

/* Make all that was claimed visible to the other side. */
static inline void tdk_ring_publish(struct tdk_ring *ring);

/* Wait at most `ns` until a claim of `size` would succeed (for a run of N bytes, size is N - 24).
 * What was claimed is published first. */
TDK_API bool tdk_ring_wait_room(struct tdk_ring *ring, uint32_t size, uint64_t ns);

/* The caller chose to drop `count` ticks without claiming them: their seqs are spent and counted.
 */
TDK_API void tdk_ring_drop(struct tdk_ring *ring, uint64_t count);

/* Say where this producer's ts come from, for its EPOCH frame. Call it before the first claim.
 * Default: TDK_CLOCK_REALTIME. */
TDK_API void tdk_ring_set_clock(struct tdk_ring *ring, enum tdk_clock clock);

/* ---- consumer ---- */

/* The next frame; the cursor moves past it. NULL when empty. Padding is never returned. */
static inline const struct tdk_frame *tdk_ring_next(struct tdk_ring *ring);

/* The next frame, and with it the frames behind it that have the same size, track, type and flags,
 * up to `most` in all. *count is how many; they are tdk_frame_span(size) apart, and the cursor
 * moves past them. It is for loops over ticks of one kind: what is the same is looked at once. NULL
 * and 0 when empty. */
static inline const struct tdk_frame *tdk_ring_next_alike(struct tdk_ring *ring, size_t most,
                                                          size_t *count);

/* The longest contiguous run of frames from the cursor on. *size is in bytes, 0 when empty. The
 * cursor stays. Heads inside the run are not checked: if the producer is not trusted, copy first,
 * then check. */
static inline const void *tdk_ring_peek(struct tdk_ring *ring, size_t *size);

/* Move the cursor past `size` bytes of what peek returned. */
static inline void tdk_ring_skip(struct tdk_ring *ring, size_t size);

/* Give back the room of all frames before the cursor. The other side may see it a little later
 * (room is returned by eighths of the ring, or when the ring runs dry). */
static inline void tdk_ring_release(struct tdk_ring *ring);

/* For a consumer that frees later than it reads. position: where the cursor stands, in bytes since
 * the ring was created. release_to: give back what lies before `position` (at most the cursor), at
 * once. */
static inline uint64_t tdk_ring_position(const struct tdk_ring *ring);
TDK_API void tdk_ring_release_to(struct tdk_ring *ring, uint64_t position);

enum tdk_ring_wait { TDK_WAIT_SPIN, TDK_WAIT_YIELD, TDK_WAIT_PARK };

/* Wait at most `ns` until next or peek would find something. If the consumer parks, the producer
 * pays for one wake-up; otherwise it pays nothing. */
TDK_API bool tdk_ring_wait_frame(struct tdk_ring *ring, enum tdk_ring_wait how, uint64_t ns);

/* For a consumer or tap: the epoch of the frame at the cursor when it attached (for a tap, also
 * after it was lapped). If the ring was empty, the epoch of the last frame that was in it. 0: no
 * producer has put anything in yet. Later epochs arrive as EPOCH frames in the ring; if an EPOCH
 * frame is at the cursor itself, it is still to come, and says the same. For a producer: its own
 * epoch. */
TDK_API uint64_t tdk_ring_epoch(const struct tdk_ring *ring);

/* NULL while the other side keeps the rules; else the rule that it broke, in a few words. That is
 * final: from then on claim, next and peek find nothing any more. */
TDK_API const char *tdk_ring_hostile(const struct tdk_ring *ring);

/* Let this process survive a ring whose file is cut under it (SIGBUS): the ring turns hostile, and
 * reads as zeros. So ask tdk_ring_hostile() after a copy and before believing it. A fault elsewhere
 * goes to the handler that was installed before. Call it once, from main; it is for all rings,
 * whenever they are attached. */
TDK_API int tdk_ring_guard(struct tdk_err *err);

/* ---- tap ---- */

/* Copy whole frames from the cursor into `buffer` and move on. Returns bytes, or 0 when there is
 * nothing new. TDK_ELAPPED: the producer has overtaken us; the cursor then stands at the newest
 * frame, and *missed counts the bytes that were not seen. -ENOBUFS: the next frame is larger than
 * `room`. */
TDK_API int64_t tdk_ring_tap(struct tdk_ring *ring, void *buffer, size_t room, uint64_t *missed);

/* Move a tap that has just been attached back to the oldest frame that the consumer has not given
 * back. A recorder's tape may go on with that frame. tdk_ring_epoch() is then that frame's. If the
 * two counters contradict each other, the cursor stays. */
TDK_API void tdk_ring_tap_unreleased(struct tdk_ring *ring);

/* ---- many ticks per call, out of line: for programs that cannot inline ---- */

/* Copy whole frames from the cursor on into `buffer` and move past them. Each head is checked in
 * the copy, so the producer need not be trusted. Padding is left out. An END, the end of a play, is
 * the last frame of its copy: what comes behind it is of another play, and for the next call.
 * `offsets` has room for room / 24 offsets. Returns the number of frames, 0 when there is nothing
 * new; *size is how many bytes they take. TDK_EHOSTILE. -ENOBUFS: the next frame is larger than
 * `room`. TDK_ELAPPED, only for a tap: see tdk_ring_tap(), with *missed. */
TDK_API int64_t tdk_ring_copy(struct tdk_ring *ring, void *buffer, size_t room, uint64_t *offsets,
                              size_t *size, uint64_t *missed);

/* Give back the room of everything that was copied, at once. Until then, a consumer that comes
 * after us finds it again. For a tap it does nothing. */
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

/* Claim, fill and publish them. They become visible in pieces of some KiB, so that the other side
 * can begin. From 2 KiB on this is up to twice as fast as one by one. With wait_ns 0 a full ring
 * refuses; each refused tick has spent its seq and is counted. Otherwise it waits for room, at most
 * wait_ns for each tick (UINT64_MAX: for ever), and ticks that are left over have spent nothing.
 * Returns the ticks published. TDK_EVALUE: payloads above the ring's payload_max, or a type that is
 * no tick's. TDK_EHOSTILE. */
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
    uint32_t producer_pid, consumer_pid; /* 0: none alive; UINT32_MAX: one that left no pid */
    unsigned taps;
};

/* info: of an attached ring. stat: of a ring by name, without attaching (TDK_ENORING, TDK_EHOSTILE,
 * ...). */
TDK_API void tdk_ring_info(const struct tdk_ring *ring, struct tdk_ring_info *info);
TDK_API int tdk_ring_stat(const char *name, struct tdk_ring_info *info, struct tdk_err *err);

/* Ticks of the last epoch that wait in the ring to be read. They are counted frame by frame from
 * outside. That may take milliseconds, and is only approximate while a producer runs. */
TDK_API int tdk_ring_unread(const char *name, uint64_t *ticks, struct tdk_err *err);

/* Call `each` for each name in the rings directory, sorted. If it returns anything but 0, the walk
 * ends and that is returned. */
TDK_API int tdk_ring_list(int (*each)(const char *name, void *context), void *context,
                          struct tdk_err *err);

/* A producer's next epoch must be above this, too. The recorder calls it, because it knows what the
 * tape has. */
TDK_API void tdk_ring_epoch_floor(struct tdk_ring *ring, uint64_t epoch);

#include "tapedeck/ring_inline.h"

#ifdef __cplusplus
}
#endif
#endif
