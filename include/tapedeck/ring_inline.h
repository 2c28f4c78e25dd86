/*
 * ring_inline.h - the ring's shared page, and the path of a tick. Included by ring.h, never alone.
 *
 * Nothing here is promised to callers: what begins with tdk_ring_ and is not in ring.h is ours.
 * docs/ring-layout.md says why each line is as it is, and what it is worth. Shared words are plain
 * integers used with the compiler's atomics, so that C++ can include this file, too.
 */
#ifndef TAPEDECK_RING_INLINE_H
#define TAPEDECK_RING_INLINE_H

#ifndef TAPEDECK_RING_H
#error "include tapedeck/ring.h"
#endif

#define TDK_RING_MAGIC   UINT64_C(0x31474e52444b4454) /* "TDKDRNG1" */
#define TDK_RING_VERSION 1u

/* How far ahead of its position each side prefetches, in bytes: to write, and to read. */
#define TDK_RING_AHEAD_WRITE 4096u
#define TDK_RING_AHEAD_READ  8192u

/* How many bytes are prefetched at once when new frames are seen, so that their lines come together
 * and not one by one. */
#define TDK_RING_AHEAD_FIRST 1024u

/* A consumer that has caught up with a busy producer pauses before it looks again. It makes one
 * pause for each 2^SHORTEST bytes of what it got the last time (a smaller power where longer waits
 * are seen to be worth it: shm/linger.h), and MAX pauses at most: some microseconds. */
#define TDK_RING_LINGER_SHORTEST 7u
#define TDK_RING_LINGER_MAX      256u

/* The power is reconsidered after this many looks and pauses; a look counts as several pauses. */
#define TDK_RING_LOOKS     2048
#define TDK_RING_LOOK_COST 8

/* The compiler finds these too large to inline; calling them costs a fifth of the rate. */
#define TDK_RING_INLINE static inline __attribute__((always_inline))

#define TDK_RING_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TDK_RING_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* One epoch of the producer's. There are two, written in turn; `generation` says which is the
 * current one, so that the change from one epoch to the next is one store. */
struct tdk_ring_epoch_line {
    uint64_t epoch;
    uint64_t at;           /* position of its EPOCH frame */
    uint64_t previous;     /* the epoch before; 0: none */
    uint64_t previous_seq; /* the last seq that one spent */
    uint64_t seq;          /* the last seq spent when something was last published */
    uint64_t refused_seq;  /* the last seq spent on a refused claim */
    uint64_t lost;         /* refused claims in this epoch */
    uint64_t lost_before;  /* and in all epochs before it */
    uint32_t pid;          /* of the producer, in its own pid namespace: a comment */
    uint32_t wakes;        /* 1: the producer's kernel lets a sleeper fence it (membarrier) */
    uint64_t played;       /* a play's ticks: they have seqs of their own, those of a tape */
    uint64_t zero[6];
};
static_assert(sizeof(struct tdk_ring_epoch_line) == 128, "shared between processes");

/*
 * The shared page at the start of the file. What different sides write lies 128 bytes apart: the
 * processor fetches lines in pairs. Positions are bytes since the ring was created, multiples of 8,
 * and never go back.
 */
struct tdk_ring_shared {
    /* written once, before the file has a name */
    uint64_t magic;
    uint32_t version;
    uint32_t header_size; /* 4096, or the host's page size where that is larger */
    uint64_t capacity;
    uint32_t payload_max;
    uint32_t on_disk; /* 1: whoever made it allowed a file system that is no tmpfs */
    uint64_t created_ns;
    uint8_t uuid[16];
    uint64_t zero0;
    char track[72]; /* ends with a NUL */
    uint8_t zero1[120];
    /* written by the producer */
    uint64_t produced; /* published up to here */
    uint64_t zero2[15];
    uint64_t reserved; /* the producer may have written up to here already: for taps */
    uint64_t zero3[15];
    uint64_t generation; /* the current epoch is epochs[generation & 1]; 0: none yet */
    uint64_t zero4[15];
    struct tdk_ring_epoch_line epochs[2];
    /* written by the consumer */
    uint64_t consumed; /* released up to here */
    uint64_t zero5[15];
    uint64_t high_water;   /* the most that was published and not released, as met */
    uint64_t epoch_floor;  /* the next epoch must be above this */
    uint32_t consumer_pid; /* a comment */
    uint32_t consumer_wakes;
    uint64_t zero6[13];
    /* written by whoever sleeps, cleared by whoever wakes */
    uint32_t frame_wanted; /* 1: the consumer sleeps until something is published */
    uint32_t zero7[31];
    uint32_t room_wanted; /* 1: the producer sleeps until something is released */
    uint32_t zero8[31];
};
static_assert(offsetof(struct tdk_ring_shared, track) == 64, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, produced) == 256, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, reserved) == 384, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, generation) == 512, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, epochs) == 640, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, consumed) == 896, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, high_water) == 1024, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, frame_wanted) == 1152, "shared between processes");
static_assert(offsetof(struct tdk_ring_shared, room_wanted) == 1280, "shared between processes");
static_assert(sizeof(struct tdk_ring_shared) == 1408, "shared between processes");

/* A handle: private memory of one side. It has a copy of what it needs of the shared page. */
struct tdk_ring {
    unsigned char *data; /* capacity bytes, and the same pages once more behind them */
    uint64_t mask;       /* capacity - 1 */
    struct tdk_ring_shared *shared;
    uint32_t payload_max;
    uint32_t role; /* enum tdk_ring_role */
    /* producer */
    uint64_t position; /* the next byte to claim */
    uint64_t limit;    /* claims may go up to here: released by the consumer and reserved by us */
    uint64_t seq;      /* the last that was spent */
    uint64_t *seq_out; /* where that is published */
    /* consumer and tap */
    uint64_t cursor;               /* the next byte to read */
    uint64_t seen;                 /* published up to here when we last looked */
    uint64_t freed;                /* the caller wants no byte before this any more */
    uint64_t consumed;             /* freed, as the producer has been told */
    uint64_t lazy;                 /* tell it once this many more bytes are free */
    uint64_t high;                 /* the most that was published and not released */
    uint64_t head;                 /* first word of the last frame's head, */
    uint64_t head_span;            /* and the bytes that frame took */
    uint64_t linger;               /* pauses before it looks at `produced` again */
    uint32_t linger_shift;         /* one pause for 2 to the power of this bytes */
    int32_t looks;                 /* until the power is reconsidered */
    struct tdk_ring_private *more; /* what no tick needs */
};

/* A frame's first word (size, track, type, flags), whatever struct the caller lays over it. */
typedef uint64_t __attribute__((may_alias)) tdk_ring_word;

/* ---- out of line: what a tick seldom needs ---- */
TDK_API bool tdk_ring_claim_slow(struct tdk_ring *ring, size_t span);
TDK_API void tdk_ring_refuse(struct tdk_ring *ring);
TDK_API void tdk_ring_wake(uint32_t *wanted);
TDK_API void tdk_ring_give_back(struct tdk_ring *ring);
TDK_API bool tdk_ring_refill_slow(struct tdk_ring *ring, uint64_t produced);
TDK_API uint64_t tdk_ring_head_slow(struct tdk_ring *ring, uint64_t head, uint64_t left);
TDK_API void tdk_ring_look_on(struct tdk_ring *ring);

/* ---- producer ---- */

/* One compare against the nearer of two limits: what the consumer has released, and how far we have
 * told taps that we may write. */
TDK_RING_INLINE bool tdk_ring_has_room(struct tdk_ring *ring, size_t span)
{
    return TDK_RING_LIKELY(span <= ring->limit - ring->position) || tdk_ring_claim_slow(ring, span);
}

/* Ask for a line that will be written. If the compiler was not told that the processor has such an
 * instruction, its builtin asks for the line to be read, and the store has to ask once more. */
TDK_RING_INLINE void tdk_ring_fetch(const void *line)
{
#if defined __x86_64__
    __asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

TDK_RING_INLINE struct tdk_frame *tdk_ring_take(struct tdk_ring *ring, uint32_t size, size_t span)
{
    unsigned char *bytes = ring->data + (ring->position & ring->mask);
    struct tdk_frame *frame = (struct tdk_frame *)(void *)bytes;
    /* A frame of more than one line reaches into two new lines. From the third on the processor
     * recognises the stream by itself. */
    tdk_ring_fetch(bytes + TDK_RING_AHEAD_WRITE);
    if (span > 64)
        tdk_ring_fetch(bytes + TDK_RING_AHEAD_WRITE + 64);
    ring->position += span;
    /* The last word holds the padding, if there is any. Without a payload the last word is ts,
     * which the caller sets later. A size that is known to need no padding pays nothing. */
    if (!__builtin_constant_p(size) || (size & 7) != 0)
        *(tdk_ring_word *)(void *)(bytes + span - 8) = 0;
    *(tdk_ring_word *)(void *)bytes = size; /* track, type and flags 0: one store for four fields */
    return frame;
}

TDK_RING_INLINE struct tdk_frame *tdk_ring_claim(struct tdk_ring *ring, uint32_t size)
{
    size_t span = tdk_frame_span(size);
    if (TDK_RING_UNLIKELY(size > ring->payload_max))
        return NULL;
    if (!tdk_ring_has_room(ring, span)) {
        tdk_ring_refuse(ring);
        return NULL;
    }
    struct tdk_frame *frame = tdk_ring_take(ring, size, span);
    frame->seq = ++ring->seq;
    return frame;
}

TDK_RING_INLINE struct tdk_frame *tdk_ring_claim_raw(struct tdk_ring *ring, uint32_t size)
{
    size_t span = tdk_frame_span(size);
    if (TDK_RING_UNLIKELY(size > ring->payload_max) || !tdk_ring_has_room(ring, span))
        return NULL;
    return tdk_ring_take(ring, size, span);
}

TDK_RING_INLINE void *tdk_ring_claim_run(struct tdk_ring *ring, size_t size)
{
    if ((size & 7) != 0 || size > (ring->mask + 1) / 2 || !tdk_ring_has_room(ring, size))
        return NULL;
    void *bytes = ring->data + (ring->position & ring->mask);
    ring->position += size;
    return bytes;
}

/* `reserved` stays: a tap may be told of more than is written, never of less. */
TDK_RING_INLINE void tdk_ring_shrink_run(struct tdk_ring *ring, size_t size)
{
    ring->position -= size;
}

TDK_RING_INLINE void tdk_ring_publish(struct tdk_ring *ring)
{
    struct tdk_ring_shared *shared = ring->shared;
    /* Release: pairs with the acquire in tdk_ring_refill(). A consumer that sees the new position
     * also sees the frames before it. */
    __atomic_store_n(&shared->produced, ring->position, __ATOMIC_RELEASE);
    /* Seq second, in program order. If the producer is killed in between, the frames are there and
     * are believed. The other way round, a tick that nobody could see would count as lost. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(ring->seq_out, ring->seq, __ATOMIC_RELAXED);
    /* No fence between the store and this load: the side that goes to sleep pays for it
     * (shm/wait.c). */
    if (TDK_RING_UNLIKELY(__atomic_load_n(&shared->frame_wanted, __ATOMIC_RELAXED) != 0))
        tdk_ring_wake(&shared->frame_wanted);
}

/* ---- consumer ---- */

/* Look at the shared position again. False when there is nothing new. In that case the producer is
 * told what the caller has freed: a producer that waits for room must not wait for a consumer that
 * waits for the producer. */
TDK_RING_INLINE bool tdk_ring_refill(struct tdk_ring *ring)
{
    uint64_t produced = __atomic_load_n(&ring->shared->produced, __ATOMIC_ACQUIRE);
    if (produced == ring->cursor) {
        if (ring->freed != ring->consumed)
            tdk_ring_give_back(ring);
        return false;
    }
    /* Above the high-water mark, or against the rules: both are rare, and handled elsewhere. */
    if (TDK_RING_UNLIKELY(produced - ring->consumed > ring->high ||
                          produced - ring->cursor > ring->mask + 1 || (produced & 7) != 0))
        return tdk_ring_refill_slow(ring, produced);
    ring->seen = produced;
    return true;
}

TDK_RING_INLINE void tdk_ring_pause(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

/*
 * Look for the next frames, when all that were seen have been read. A consumer close behind its
 * producer takes the line of `produced` away from it with each look, and finds only a frame or two.
 * So after more than one frame the next look waits a little, by how many came. Under load that
 * makes the frames many, and they then come at the speed of the memory. After a single frame there
 * is no wait, so a round trip takes no longer.
 */
TDK_RING_INLINE bool tdk_ring_catch_up(struct tdk_ring *ring)
{
    for (; ring->linger > 0; ring->linger--)
        tdk_ring_pause();
    if (!tdk_ring_refill(ring))
        return false;
    uint64_t got = ring->seen - ring->cursor;
    const unsigned char *bytes = ring->data + (ring->cursor & ring->mask);
    for (uint64_t at = 0; at < got && at < TDK_RING_AHEAD_FIRST; at += 64)
        __builtin_prefetch(bytes + at);
    if (got > ring->head_span) {
        uint64_t linger = got >> ring->linger_shift;
        ring->linger = linger < TDK_RING_LINGER_MAX ? linger : TDK_RING_LINGER_MAX;
    }
    ring->looks -= TDK_RING_LOOK_COST + (int32_t)ring->linger;
    if (TDK_RING_UNLIKELY(ring->looks < 0))
        tdk_ring_look_on(ring);
    return true;
}

TDK_RING_INLINE const struct tdk_frame *tdk_ring_next(struct tdk_ring *ring)
{
    for (;;) {
        if (ring->cursor == ring->seen && !tdk_ring_catch_up(ring))
            return NULL;
        uint64_t left = ring->seen - ring->cursor;
        const unsigned char *bytes = ring->data + (ring->cursor & ring->mask);
        uint64_t head =
            __atomic_load_n((const tdk_ring_word *)(const void *)bytes, __ATOMIC_RELAXED);
        /* A head like the one before it: its span is known without waiting for the load. */
        uint64_t span = ring->head_span;
        if (head != ring->head) {
            uint32_t size = (uint32_t)head;
            span = tdk_frame_span(size);
            if (TDK_RING_UNLIKELY(size > ring->payload_max ||
                                  (head >> 48 & 0xff) == TDK_TYPE_PADDING)) {
                if (tdk_ring_head_slow(ring, head, left) == 0)
                    return NULL;
                continue;
            }
            ring->head = head;
            ring->head_span = span;
        }
        if (TDK_RING_UNLIKELY(span > left)) {
            tdk_ring_head_slow(ring, head, left);
            return NULL;
        }
        /* Never prefetch past what is published: those lines are being written, and asking for one
         * takes it away from the producer in the middle of that. */
        if (left > TDK_RING_AHEAD_READ) {
            __builtin_prefetch(bytes + TDK_RING_AHEAD_READ - 64);
            if (span > 64)
                __builtin_prefetch(bytes + TDK_RING_AHEAD_READ);
        }
        ring->cursor += span;
        return (const struct tdk_frame *)(const void *)bytes;
    }
}

TDK_RING_INLINE const struct tdk_frame *tdk_ring_next_alike(struct tdk_ring *ring, size_t most,
                                                            size_t *count)
{
    const struct tdk_frame *first = most > 0 ? tdk_ring_next(ring) : NULL;
    *count = first != NULL;
    if (first == NULL)
        return NULL;
    uint64_t head = ring->head, span = ring->head_span, left = ring->seen - ring->cursor;
    const unsigned char *bytes = (const unsigned char *)first + span;
    size_t n = 1;
    for (; n < most && span <= left; n++, bytes += span, left -= span) {
        if (__atomic_load_n((const tdk_ring_word *)(const void *)bytes, __ATOMIC_RELAXED) != head)
            break;
        if (left > TDK_RING_AHEAD_READ) {
            __builtin_prefetch(bytes + TDK_RING_AHEAD_READ - 64);
            if (span > 64)
                __builtin_prefetch(bytes + TDK_RING_AHEAD_READ);
        }
    }
    ring->cursor = ring->seen - left;
    *count = n;
    return first;
}

TDK_RING_INLINE const void *tdk_ring_peek(struct tdk_ring *ring, size_t *size)
{
    tdk_ring_refill(ring);
    *size = (size_t)(ring->seen - ring->cursor);
    return ring->data + (ring->cursor & ring->mask);
}

TDK_RING_INLINE void tdk_ring_skip(struct tdk_ring *ring, size_t size)
{
    assert(size <= ring->seen - ring->cursor);
    ring->cursor += size;
}

TDK_RING_INLINE void tdk_ring_release(struct tdk_ring *ring)
{
    ring->freed = ring->cursor;
    if (TDK_RING_UNLIKELY(ring->freed - ring->consumed >= ring->lazy))
        tdk_ring_give_back(ring);
}

TDK_RING_INLINE uint64_t tdk_ring_position(const struct tdk_ring *ring)
{
    return ring->cursor;
}

#endif
