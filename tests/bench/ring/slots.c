/*
 * slots.c - the minimum that a ring can do, as a contestant of the ring bench: slots of 64 bytes
 * and a number, which is stored last. There are no lengths, no counts of losses, no taps and no
 * checks. The two sides share no position except how much was read, which is updated for each
 * eighth of the ring. The delay is what the machine itself takes from one side to the other.
 */
#include "ring_iface.h"

#define RC_NAME "limit_slots"

struct slot {
    uint64_t words[8];
    uint64_t number; /* of the message in it, from 1; stored last */
};

struct shared {
    uint64_t consumed __attribute__((aligned(128)));
    struct slot slots[] __attribute__((aligned(128)));
};

typedef struct side {
    struct shared *shared;
    uint64_t mask, next, room;
} rc;

static uint64_t slots_of(size_t cap)
{
    uint64_t slots = 1;
    while (2 * slots * sizeof(struct slot) <= cap)
        slots *= 2;
    return slots;
}

static size_t rc_bytes(size_t cap)
{
    return sizeof(struct shared) + slots_of(cap) * sizeof(struct slot);
}

static rc *rc_open(void *mem, size_t cap, int role)
{
    if (role == RC_CREATE)
        return mem;
    struct side *side = malloc(sizeof *side);
    if (side)
        *side = (struct side){.shared = mem, .mask = slots_of(cap) - 1, .room = slots_of(cap)};
    return side;
}

RB_INLINE int rc_push(rc *r, const void *msg, uint32_t len)
{
    (void)len;
    if (rb_unlikely(r->next == r->room)) {
        r->room = __atomic_load_n(&r->shared->consumed, __ATOMIC_ACQUIRE) + r->mask + 1;
        if (r->next == r->room)
            return 0;
    }
    struct slot *slot = &r->shared->slots[r->next & r->mask];
    __builtin_prefetch((char *)slot + 4096, 1);
    memcpy(slot->words, msg, RB_LEN);
    __atomic_store_n(&slot->number, ++r->next, __ATOMIC_RELEASE);
    return 1;
}

RB_INLINE uint32_t rc_pop(rc *r, void *buf)
{
    struct slot *slot = &r->shared->slots[r->next & r->mask];
    if (__atomic_load_n(&slot->number, __ATOMIC_ACQUIRE) != r->next + 1)
        return 0;
    memcpy(buf, slot->words, RB_LEN);
    if (rb_unlikely((++r->next & r->mask >> 3) == 0))
        __atomic_store_n(&r->shared->consumed, r->next, __ATOMIC_RELEASE);
    return RB_LEN;
}

#include "ring_harness.h"
