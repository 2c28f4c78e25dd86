#include "tape/retain.h"

#include <string.h>

bool retain_is_set(const struct retain_policy *policy)
{
    return policy->max_age_ns != 0 || policy->max_size != 0 || policy->max_segments != 0 ||
           policy->min_free != 0 || policy->track_count != 0;
}

uint64_t retain_age_of(const struct retain_policy *policy, const char *track)
{
    for (size_t i = 0; i < policy->track_count; i++)
        if (strcmp(policy->tracks[i].name, track) == 0)
            return policy->tracks[i].max_age_ns;
    return policy->max_age_ns;
}

/* What stays, and the state of the limits. */
struct balance {
    uint64_t segments, bytes, free_bytes;
};

static void let_go(struct balance *b, struct retain_item *item, enum retain_why why)
{
    item->why = why;
    b->segments--;
    b->bytes -= item->size;
    if (!item->elsewhere)
        b->free_bytes += item->size;
}

/* The first limit that is broken. */
static enum retain_why broken(const struct retain_policy *policy, const struct balance *b)
{
    if (policy->max_segments != 0 && b->segments > policy->max_segments)
        return RETAIN_SEGMENTS;
    if (policy->max_size != 0 && b->bytes > policy->max_size)
        return RETAIN_SIZE;
    if (policy->min_free != 0 && b->free_bytes < policy->min_free)
        return RETAIN_FREE;
    return RETAIN_STAYS;
}

void retain_decide(const struct retain_policy *policy, uint64_t now_ns, uint64_t free_bytes,
                   struct retain_item *items, size_t count, struct retain_verdict *verdict)
{
    struct balance b = {.segments = count, .free_bytes = free_bytes};
    *verdict = (struct retain_verdict){.going = 0};
    for (size_t i = 0; i < count; i++) {
        items[i].why = RETAIN_STAYS;
        b.bytes += items[i].size;
    }
    for (size_t i = 0; i < count; i++)
        if (items[i].pin == PIN_NONE && items[i].due_ns <= now_ns)
            let_go(&b, &items[i], RETAIN_AGE);
    enum retain_why why = broken(policy, &b);
    for (size_t i = 0; i < count && why != RETAIN_STAYS; i++) {
        bool helps = why != RETAIN_FREE || !items[i].elsewhere;
        if (items[i].pin == PIN_NONE && items[i].why == RETAIN_STAYS && helps)
            let_go(&b, &items[i], why);
        why = broken(policy, &b);
    }
    verdict->unmet = why != RETAIN_STAYS;
    verdict->segments = b.segments;
    verdict->bytes = b.bytes;
    for (size_t i = 0; i < count; i++)
        if (items[i].why != RETAIN_STAYS) {
            verdict->going++;
            verdict->going_bytes += items[i].size;
        }
}

const char *retain_why_text(enum retain_why why)
{
    static const char *const words[] = {[RETAIN_STAYS] = "stays",
                                        [RETAIN_AGE] = "age",
                                        [RETAIN_SEGMENTS] = "segments",
                                        [RETAIN_SIZE] = "size",
                                        [RETAIN_FREE] = "free"};
    return words[why];
}

const char *retain_pin_text(enum retain_pin pin)
{
    static const char *const words[] = {
        [PIN_NONE] = "",     [PIN_OPEN] = "recording", [PIN_NEWEST] = "newest", [PIN_HOLD] = "hold",
        [PIN_MARK] = "mark", [PIN_LEASE] = "read",     [PIN_AWAY] = "away"};
    return words[pin];
}
