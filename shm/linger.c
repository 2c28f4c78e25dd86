#include "shm/linger.h"

#include "base/clock.h"
#include "shm/ring_private.h"

#define PATIENCE_MIN 2u
#define PATIENCE_MAX 256u
#define ROUND_MIN_NS (NS_PER_MS / 5)
#define ROUND_MAX_NS NS_PER_MS /* a longer round was slow for another reason than its looks */

static uint32_t keep(struct linger *l, uint32_t shift, bool was_worth_it)
{
    uint32_t patience = l->patience < PATIENCE_MAX ? 2 * l->patience : PATIENCE_MAX;
    l->round = LINGER_KEPT;
    l->kept = shift;
    l->patience = was_worth_it ? PATIENCE_MIN : patience;
    l->left = l->patience;
    return shift;
}

uint32_t linger_begin(struct linger *l)
{
    *l = (struct linger){.patience = PATIENCE_MIN};
    return keep(l, TDK_RING_LINGER_SHORTEST, true);
}

static uint32_t begin_try(struct linger *l)
{
    const bool may_shorten = l->kept < TDK_RING_LINGER_SHORTEST;
    const bool may_lengthen = l->kept > 0;
    l->step = 1;
    l->round = may_lengthen && (l->try_longer || !may_shorten) ? LINGER_LONGER : LINGER_SHORTER;
    l->try_longer = !l->try_longer;
    return l->round == LINGER_LONGER ? l->kept - 1 : l->kept + 1;
}

/* A step that brings nothing is followed by a larger one: close behind a producer on a distant
 * processor, a wait of a few pauses is no better than none. */
static uint32_t judge_longer(struct linger *l, uint64_t rate)
{
    const uint32_t shift = l->kept - l->step;
    if (rate > l->rate + l->rate / 8)
        return keep(l, shift, true);
    if (shift == 0)
        return keep(l, l->kept, false);
    l->step = 2 * l->step + 1 < l->kept ? 2 * l->step + 1 : l->kept;
    return l->kept - l->step;
}

uint32_t linger_next(struct linger *l, uint64_t rate)
{
    if (l->round == LINGER_LONGER)
        return judge_longer(l, rate);
    if (l->round == LINGER_SHORTER) {
        const bool is_enough = rate >= l->rate - l->rate / 16;
        return keep(l, is_enough ? l->kept + 1 : l->kept, is_enough);
    }
    l->rate = rate;
    return --l->left > 0 ? l->kept : begin_try(l);
}

uint32_t linger_skip(struct linger *l)
{
    return keep(l, l->kept < TDK_RING_LINGER_SHORTEST ? l->kept + 1 : l->kept, true);
}

void tdk_ring_look_on(struct tdk_ring *ring)
{
    struct linger *l = &ring->more->linger;
    const uint64_t now_ns = clock_mono(), took_ns = now_ns - l->since_ns;
    ring->looks = TDK_RING_LOOKS;
    if (took_ns < ROUND_MIN_NS)
        return;
    ring->linger_shift = took_ns > ROUND_MAX_NS
                             ? linger_skip(l)
                             : linger_next(l, (ring->cursor - l->from) * NS_PER_MS / took_ns);
    l->since_ns = now_ns;
    l->from = ring->cursor;
}
