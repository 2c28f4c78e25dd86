#include "recorder/inlets.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "shm/memory.h"

void inlets_init(struct inlet *all, unsigned count, const struct config *config,
                 struct ledger *ledger)
{
    for (unsigned i = 0; i < count; i++) {
        struct inlet *s = &all[i];
        memset(s, 0, sizeof *s);
        s->asked = i < config->ring_count ? &config->rings[i] : &s->own;
        s->state = i < config->ring_count ? RING_WAITING : RING_DETACHED;
        s->ledger = ledger;
        s->all = all;
        s->all_count = count;
        s->until = UINT64_MAX;
        s->named_in = UINT64_MAX;
        memcpy(s->track, s->asked->track, sizeof s->track);
    }
}

/* ---- by name ---- */

struct inlet *inlets_find(struct inlet *all, unsigned count, const char *ring)
{
    for (unsigned i = 0; i < count; i++)
        if (all[i].state != RING_DETACHED && strcmp(all[i].asked->name, ring) == 0)
            return &all[i];
    return NULL;
}

static const struct inlet *find_track(const struct inlet *all, unsigned count, const char *track)
{
    for (unsigned i = 0; track[0] != '\0' && i < count; i++)
        if (all[i].state != RING_DETACHED && strcmp(all[i].track, track) == 0)
            return &all[i];
    return NULL;
}

/* The inlet that was this ring's before, or else one that no ring has had. */
static struct inlet *find_free(struct inlet *all, unsigned count, const struct config_ring *ring)
{
    struct inlet *fresh = NULL;
    for (unsigned i = count; i-- > 0;) {
        struct inlet *s = &all[i];
        if (s->state != RING_DETACHED)
            continue;
        if (s->asked->name[0] == '\0')
            fresh = s;
        else if (strcmp(s->asked->name, ring->name) == 0 &&
                 (ring->track[0] == '\0' || strcmp(s->track, ring->track) == 0))
            return s;
    }
    return fresh;
}

/* One track, one ring. */
static bool may_have_track(const struct inlet *all, unsigned count, const struct config_ring *ring,
                           struct tdk_err *err)
{
    const struct inlet *other = find_track(all, count, ring->track);
    if (other == NULL || strcmp(other->asked->name, ring->name) == 0)
        return true;
    err_say(err, -EEXIST, "track %s is recorded from ring %s", ring->track, other->asked->name);
    return false;
}

struct inlet *inlets_add(struct inlet *all, unsigned count, const struct config_ring *ring,
                         struct tdk_err *err)
{
    if (inlets_find(all, count, ring->name) != NULL) {
        err_say(err, -EEXIST, "ring %s is recorded already", ring->name);
        return NULL;
    }
    if (!may_have_track(all, count, ring, err))
        return NULL;
    struct inlet *s = find_free(all, count, ring);
    if (s == NULL) {
        err_say(err, TDK_EFULL, "no more rings can be added while the recorder runs");
        return NULL;
    }
    if (s->asked->name[0] == '\0') {
        s->own = *ring;
        memcpy(s->track, ring->track, sizeof s->track);
    }
    s->state = RING_WAITING;
    s->passing = false;
    s->is_missed = false;
    s->leaving = false;
    s->until = UINT64_MAX;
    return s;
}

/* ---- lent ---- */

static bool is_file_of(const struct tdk_ring *ring, int file)
{
    struct stat ours, other;
    return ring != NULL && fstat(tdk_ring_file(ring), &ours) == 0 && fstat(file, &other) == 0 &&
           ours.st_dev == other.st_dev && ours.st_ino == other.st_ino;
}

/* An inlet for a name that nobody has asked for before. */
static struct inlet *add_passing(struct inlet *all, unsigned count, const struct config_ring *ring,
                                 struct tdk_err *err)
{
    unsigned passing = 0;
    for (unsigned i = 0; i < count; i++)
        passing += all[i].passing && strcmp(all[i].asked->name, ring->name) != 0;
    if (passing >= INLETS_PASSING) {
        err_say(err, TDK_EFULL,
                "rings under %u names were lent since the recorder started, and no new name is "
                "accepted; attach %s first, or lend it under a name that was used before",
                passing, ring->name);
        return NULL;
    }
    struct inlet *s = inlets_add(all, count, ring, err);
    if (s != NULL)
        s->passing = true;
    return s;
}

/* A track that is named in the request must be the one that the ring goes to. */
static bool has_other_track(const struct inlet *s, const struct config_ring *ring,
                            struct tdk_err *err)
{
    if (ring->track[0] == '\0' || s->track[0] == '\0' || strcmp(ring->track, s->track) == 0)
        return false;
    err_say(err, -EEXIST, "ring %s is recorded into track %s", ring->name, s->track);
    return true;
}

/* The inlet for a ring that is lent. *fresh: nobody has asked for that name before. */
static struct inlet *find_lendable(struct inlet *all, unsigned count,
                                   const struct config_ring *ring, bool *fresh, struct tdk_err *err)
{
    struct inlet *s = inlets_find(all, count, ring->name);
    *fresh = s == NULL;
    if (s == NULL)
        return add_passing(all, count, ring, err);
    if (has_other_track(s, ring, err) || !may_have_track(all, count, ring, err))
        return NULL;
    if (s->ring != NULL || s->out != 0) {
        err_say(err, -EEXIST, "another ring %s is recorded already", ring->name);
        return NULL;
    }
    if (s->track[0] == '\0')
        memcpy(s->track, ring->track, sizeof s->track);
    return s;
}

struct inlet *inlets_lend(struct inlet *all, unsigned count, const struct config_ring *ring,
                          int file, struct tdk_err *err)
{
    bool fresh;
    struct inlet *s = inlets_find(all, count, ring->name);
    if (s != NULL && is_file_of(s->ring, file)) /* lent twice */
        return has_other_track(s, ring, err) ? NULL : s;
    struct tdk_ring *memory; /* first, so that what is no ring takes no inlet */
    if (memory_attach(&memory, file, ring->name, TDK_RING_CONSUMER, err) < 0)
        return NULL;
    s = find_lendable(all, count, ring, &fresh, err);
    if (s == NULL) {
        tdk_ring_detach(memory);
        return NULL;
    }
    if (inlet_take(s, memory))
        return s;
    err_say(err, -EEXIST, "ring %s: %s", s->asked->name, s->reason);
    if (fresh)
        s->state = RING_DETACHED;
    return NULL;
}
