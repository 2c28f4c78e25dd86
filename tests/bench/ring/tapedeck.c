/*
 * tapedeck.c - our ring as a contestant of the ring bench.
 *
 * The harness maps a piece of shared memory into both processes. Our ring needs a file of its own,
 * mapped twice in a row, so the harness's memory only contains the ring's name. The rings directory
 * is made and removed here. The bench's README says how to build this (make extra SRC=...).
 */
#include "ring_iface.h"

#include <tapedeck/ring.h>

static_assert(RB_LEN == 64, "two halves of 32");

#define RC_NAME   "tapedeck"
#define RC_VARLEN 1
#define RC_BATCH  1
#define RC_ZC     1
typedef struct tdk_ring rc;

/* The contents of the harness's memory: the ring's name, and how many sides have attached. */
struct rendezvous {
    char name[32];
    int sides;
};

static size_t rc_bytes(size_t cap)
{
    (void)cap;
    return 4096;
}

static void rings_directory(void)
{
    static char path[64];
    if (getenv("TAPEDECK_RINGS"))
        return;
    snprintf(path, sizeof path, "/dev/shm/tapedeck-bench-%d", (int)getpid());
    setenv("TAPEDECK_RINGS", path, 1); /* inherited by both sides */
}

static rc *rc_open(void *mem, size_t cap, int role)
{
    static int rings;
    struct rendezvous *meeting = mem;
    struct tdk_ring_options options = {.capacity = cap};
    struct tdk_err err = {.text = ""};
    struct tdk_ring *ring = NULL;
    int rc;

    if (role == RC_CREATE) {
        rings_directory();
        snprintf(meeting->name, sizeof meeting->name, "bench-%d", rings++);
        rc = tdk_ring_create(meeting->name, &options, &err);
        ring = mem; /* any value but NULL */
    } else {
        rc = tdk_ring_attach(&ring, meeting->name,
                             role == RC_PRODUCER ? TDK_RING_PRODUCER : TDK_RING_CONSUMER, &err);
        while (rc == 0 && tdk_ring_warm(ring, cap))
            continue;
        if (rc == 0 && __atomic_add_fetch(&meeting->sides, 1, __ATOMIC_SEQ_CST) == 2) {
            tdk_ring_remove(meeting->name, true, NULL);
            rmdir(getenv("TAPEDECK_RINGS"));
        }
    }
    if (rc < 0) {
        fprintf(stderr, "%s\n", err.text);
        return NULL;
    }
    return ring;
}

RB_INLINE struct tdk_frame *frame_claim(rc *r, uint32_t len)
{
    struct tdk_frame *frame = tdk_ring_claim(r, len);
    if (rb_likely(frame != NULL)) {
        frame->type = TDK_TYPE_OPAQUE;
        frame->ts = frame->seq;
    }
    return frame;
}

/* Skips the EPOCH frame, which is no message. */
RB_INLINE const struct tdk_frame *frame_next(rc *r)
{
    const struct tdk_frame *frame;
    do
        frame = tdk_ring_next(r);
    while (frame && rb_unlikely(frame->type != TDK_TYPE_OPAQUE));
    return frame;
}

/*
 * Copying a known size needs no call. The harness stores and loads its messages by halves of 32
 * bytes. One load of 64 after two such stores would wait until both have left the store buffer.
 */
RB_INLINE void copy_message(void *to, const void *from, uint32_t len)
{
    typedef uint64_t half __attribute__((vector_size(32), aligned(8), may_alias));
    half *out = to;
    const half *in = from;
    if (rb_likely(len == RB_LEN)) {
        out[0] = in[0];
        out[1] = in[1];
    } else {
        memcpy(to, from, len);
    }
}

RB_INLINE int rc_push(rc *r, const void *msg, uint32_t len)
{
    struct tdk_frame *frame = frame_claim(r, len);
    if (rb_unlikely(!frame))
        return 0;
    copy_message(frame + 1, msg, len);
    tdk_ring_publish(r);
    return 1;
}

RB_INLINE uint32_t rc_pop(rc *r, void *buf)
{
    const struct tdk_frame *frame = frame_next(r);
    if (!frame)
        return 0;
    uint32_t len = frame->size;
    copy_message(buf, frame + 1, len);
    tdk_ring_release(r);
    return len;
}

RB_INLINE unsigned rc_push_n(rc *r, const void *msgs, unsigned n)
{
    static uint64_t ts[1024]; /* the harness's batches are not larger */
    const struct tdk_put put = {
        .payloads = msgs,
        .stride = RB_LEN,
        .ts = ts,
        .count = n,
        .size = RB_LEN,
        .type = TDK_TYPE_OPAQUE,
    };
    return (unsigned)tdk_ring_put(r, &put, 1); /* as many as there is room for */
}

RB_INLINE unsigned rc_pop_n(rc *r, void *msgs, unsigned n)
{
    char *to = msgs;
    size_t count;
    const struct tdk_frame *frame = tdk_ring_next_alike(r, n, &count);
    if (!frame || rb_unlikely(frame->type != TDK_TYPE_OPAQUE || frame->size != RB_LEN))
        return 0;
    const char *from = (const char *)(frame + 1);
    for (size_t i = 0; i < count; i++, from += sizeof *frame + RB_LEN)
        memcpy(to + i * RB_LEN, from, RB_LEN);
    tdk_ring_release(r);
    return (unsigned)count;
}

RB_INLINE void *rc_claim(rc *r, uint32_t len)
{
    struct tdk_frame *frame = frame_claim(r, len);
    return frame ? frame + 1 : NULL;
}

RB_INLINE void rc_commit(rc *r, uint32_t len)
{
    (void)r;
    (void)len;
}

RB_INLINE void rc_flush(rc *r)
{
    tdk_ring_publish(r);
}

RB_INLINE const void *rc_peek(rc *r, uint32_t *len)
{
    const struct tdk_frame *frame = frame_next(r);
    if (!frame)
        return NULL;
    *len = frame->size;
    return frame + 1;
}

RB_INLINE void rc_release(rc *r)
{
    tdk_ring_release(r);
}

#include "ring_harness.h"
