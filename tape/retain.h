/*
 * retain.h - which segments go, why and when: the policy, computed on given numbers.
 *
 * The unit is a segment: it holds ticks of many tracks, and goes as a whole. By age it goes when
 * every track in it permits that. Size, count and free space are limits of the disk, and ignore
 * tracks. The oldest segment goes first. What is pinned stays, and others go in its place. The
 * newest sealed segment always stays, because the next one chains to it. Pure; retain_plan.c fills
 * in the state of the tape.
 */
#ifndef TDK_TAPE_RETAIN_H
#define TDK_TAPE_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retain_policy { /* 0: no such limit */
    uint64_t max_age_ns, max_size, max_segments, min_free;
    const struct retain_track *tracks; /* those with an age of their own; borrowed */
    size_t track_count;
};
struct retain_track {
    const char *name;
    uint64_t max_age_ns; /* 0: this track never lets a segment go */
};

enum retain_why { RETAIN_STAYS, RETAIN_AGE, RETAIN_SEGMENTS, RETAIN_SIZE, RETAIN_FREE };
enum retain_pin { PIN_NONE, PIN_OPEN, PIN_NEWEST, PIN_HOLD, PIN_MARK, PIN_LEASE, PIN_AWAY };

#define RETAIN_NEVER UINT64_MAX

struct retain_item {
    uint64_t number, size, ticks;
    uint64_t min_ts, max_ts; /* of its ticks; none: UINT64_MAX, 0 */
    uint64_t due_ns;         /* when its age permits it to go; RETAIN_NEVER */
    bool elsewhere;          /* it was moved to another disk: deleting it frees nothing here */
    enum retain_pin pin;
    char pin_name[65]; /* of the mark */
    /* ---- what becomes of it ---- */
    enum retain_why why;
};

/* What the policy decides about all segments, in numbers, and whether pins keep it from being
 * met. */
struct retain_verdict {
    size_t going;
    uint64_t going_bytes;
    uint64_t segments, bytes; /* that stay */
    bool unmet;               /* pins keep a limit of size, count or free space from being met */
};

bool retain_is_set(const struct retain_policy *policy);

/* The age that a policy gives a track; 0: none. */
uint64_t retain_age_of(const struct retain_policy *policy, const char *track);

/* items: ascending by number, with everything but `why` filled in. */
void retain_decide(const struct retain_policy *policy, uint64_t now_ns, uint64_t free_bytes,
                   struct retain_item *items, size_t count, struct retain_verdict *verdict);

const char *retain_why_text(enum retain_why why);
const char *retain_pin_text(enum retain_pin pin);

#endif
