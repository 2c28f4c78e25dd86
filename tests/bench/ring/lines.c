/*
 * lines.c - the minimum that a batch can do, as a contestant of the ring bench: lines of 64 bytes,
 * two counters, many lines in a copy. There are no heads, no counts of losses, no taps and no
 * checks. It copies by the string instruction, which is best for sides on cores of their own, or
 * (-DBY_MEMCPY) as boost does, which is best for two sides that share a core. The consumer
 * prefetches lines and waits as ours does.
 */
#include "ring_iface.h"

#ifdef BY_MEMCPY
#define RC_NAME "limit_lines_memcpy"
#else
#define RC_NAME "limit_lines"
#endif
#define RC_BATCH 1

struct shared {
    uint64_t produced __attribute__((aligned(128)));
    uint64_t consumed __attribute__((aligned(128)));
    char lines[] __attribute__((aligned(128)));
};

typedef struct side {
    struct shared *shared;
    uint64_t count, next; /* lines in the ring; the next one to write or read */
    uint64_t end;         /* up to here there is room, or something to read */
    uint64_t pauses;      /* of the consumer before it looks again */
} rc;

static size_t rc_bytes(size_t cap)
{
    return sizeof(struct shared) + cap;
}

static rc *rc_open(void *mem, size_t cap, int role)
{
    if (role == RC_CREATE)
        return mem;
    struct side *side = malloc(sizeof *side);
    uint64_t count = cap / RB_LEN;
    if (side)
        *side =
            (struct side){.shared = mem, .count = count, .end = role == RC_PRODUCER ? count : 0};
    return side;
}

RB_INLINE uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many lines there are from the next one to the end of the ring. */
RB_INLINE uint64_t in_one_piece(const rc *r)
{
    return r->count - (r->next & (r->count - 1));
}

RB_INLINE char *line_at(const rc *r)
{
    return r->shared->lines + (r->next & (r->count - 1)) * RB_LEN;
}

RB_INLINE void copy_lines(void *to, const void *from, size_t n)
{
#if defined __x86_64__ && !defined BY_MEMCPY
    size_t words = n * RB_LEN / 8;
    __asm__ __volatile__("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
    memcpy(to, from, n * RB_LEN);
#endif
}

RB_INLINE unsigned rc_push_n(rc *r, const void *msgs, unsigned n)
{
    if (rb_unlikely(r->end - r->next < n)) {
        r->end = __atomic_load_n(&r->shared->consumed, __ATOMIC_ACQUIRE) + r->count;
        if (r->end - r->next < n)
            return 0;
    }
    uint64_t done = least(n, in_one_piece(r));
    copy_lines(line_at(r), msgs, done);
    r->next += done;
    __atomic_store_n(&r->shared->produced, r->next, __ATOMIC_RELEASE);
    return (unsigned)done;
}

/* False: nothing new. */
RB_INLINE int look_again(rc *r)
{
    for (; r->pauses > 0; r->pauses--)
        rb_cpu_relax();
    r->end = __atomic_load_n(&r->shared->produced, __ATOMIC_ACQUIRE);
    uint64_t got = r->end - r->next;
    const char *line = line_at(r);
    for (uint64_t i = 0; i < got && i < 16; i++)
        __builtin_prefetch(line + i * RB_LEN);
    if (got > 1)
        r->pauses = least(got / 2, 256);
    return got > 0;
}

RB_INLINE unsigned rc_pop_n(rc *r, void *msgs, unsigned n)
{
    if (r->next == r->end && !look_again(r))
        return 0;
    uint64_t done = least(least(n, r->end - r->next), in_one_piece(r)), before = r->next;
    memcpy(msgs, line_at(r), done * RB_LEN);
    r->next += done;
    if (rb_unlikely(((before ^ r->next) & ~(r->count / 8 - 1)) != 0)) /* an eighth more */
        __atomic_store_n(&r->shared->consumed, r->next, __ATOMIC_RELEASE);
    return (unsigned)done;
}

RB_INLINE int rc_push(rc *r, const void *msg, uint32_t len)
{
    (void)len;
    return (int)rc_push_n(r, msg, 1);
}

RB_INLINE uint32_t rc_pop(rc *r, void *buf)
{
    return rc_pop_n(r, buf, 1) * RB_LEN;
}

#include "ring_harness.h"
