#include "tape/scout.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* waiting -> busy -> done, by whichever thread gets to it first */
enum errand_state { ERRAND_WAITING, ERRAND_BUSY, ERRAND_DONE };

struct errand {
    struct scout_errand told;
    enum errand_state state;
    /* Ours until it is taken; NULL: the block could not be read. */
    struct slice *slice;
    uint64_t bytes_read;
};

struct scout {
    struct shelf *shelf; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock; /* over everything below */
    pthread_cond_t changed;
    struct errand errands[SCOUT_AHEAD_MAX]; /* in the order in which they will be taken */
    size_t count;
    bool by_picks;
    struct picks picks; /* ours; changed only while there are no errands */
    /* For whole blocks; NULL: not needed so far. A second one, to read into while this one is lent,
     * would cost more than it saves, because both take up the cache. */
    struct slice *own;
    bool in_use; /* used by an errand, or lent */
    bool stop;
    atomic_uint changes; /* counts signals; also read without the lock */
};

/* ---- how many ---- */

static atomic_int scouts, scouts_max = -1; /* -1: set by the number of processors */

void scout_limit(int max)
{
    atomic_store(&scouts_max, max);
}

static int limit(void)
{
    cpu_set_t set;
    int max = atomic_load(&scouts_max);
    if (max >= 0)
        return max;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) - 1 : 0;
}

/* Count one scout more, if the limit permits it. */
static bool enlist(void)
{
    if (atomic_fetch_add(&scouts, 1) < limit())
        return true;
    atomic_fetch_sub(&scouts, 1);
    return false;
}

/* ---- waiting for each other ---- */

/* Waking a thread can take as long as picking something out of a packed block, some 60 us. So a
 * thread stays awake for a while before it sleeps. */
#define LINGER_NS (100 * NS_PER_US)

static void linger(struct scout *scout, unsigned seen)
{
    enum { PAUSES = 32 };
    const uint64_t until_ns = clock_mono() + LINGER_NS;
    pthread_mutex_unlock(&scout->lock);
    do {
        for (int i = 0; i < PAUSES; i++)
            clock_relax();
    } while (atomic_load(&scout->changes) == seen && clock_mono() < until_ns);
    pthread_mutex_lock(&scout->lock);
}

/* With the lock held, which is released meanwhile. It may return without a change. */
static void await_change(struct scout *scout)
{
    const unsigned seen = atomic_load(&scout->changes);
    if (scout->by_picks)
        linger(scout, seen);
    if (atomic_load(&scout->changes) == seen)
        pthread_cond_wait(&scout->changed, &scout->lock);
}

/* With the lock held. */
static void tell_change(struct scout *scout)
{
    atomic_fetch_add(&scout->changes, 1);
    pthread_cond_broadcast(&scout->changed);
}

/* ---- memory ---- */

/* With the lock held, also below. */
static struct slice *take_slice(struct scout *scout, const struct block_ref *ref, bool by_scout)
{
    if (scout->by_picks || !by_scout)
        return shelf_take(scout->shelf, ref, true);
    if (scout->own == NULL)
        scout->own = shelf_take(scout->shelf, ref, true);
    scout->in_use = scout->own != NULL;
    return scout->own;
}

static void give_slice(struct scout *scout, struct slice *slice)
{
    if (slice == NULL || slice != scout->own) {
        shelf_give(scout->shelf, slice);
        return;
    }
    scout->in_use = false;
    tell_change(scout);
}

/* ---- an errand ---- */

static int read_block(const struct scout *scout, struct slice *slice, const struct errand *errand)
{
    const struct scout_errand *told = &errand->told;
    slice->is_near = told->is_near;
    if (scout->by_picks)
        return slice_begin_picks(slice, &told->ref, &scout->picks, told->dense, NULL);
    return slice_read(slice, &told->ref, NULL);
}

/* Errands move up in their array while one of them is run, but none is taken before it is done. */
static struct errand *find(struct scout *scout, const struct block_ref *ref)
{
    for (size_t i = 0; i < scout->count; i++)
        if (memcmp(&scout->errands[i].told.ref, ref, sizeof *ref) == 0)
            return &scout->errands[i];
    return NULL;
}

/* With the lock held, which is released meanwhile. */
static void run(struct scout *scout, struct errand *waiting, bool by_scout)
{
    waiting->state = ERRAND_BUSY;
    struct errand errand = *waiting;
    struct slice *slice = take_slice(scout, &errand.told.ref, by_scout);
    pthread_mutex_unlock(&scout->lock);
    uint64_t before = slice != NULL ? slice->bytes_read : 0;
    bool is_read = slice != NULL && read_block(scout, slice, &errand) == 0;
    pthread_mutex_lock(&scout->lock);
    if (is_read) {
        errand.slice = slice;
        errand.bytes_read = slice->bytes_read - before;
    } else {
        give_slice(scout, slice);
    }
    errand.state = ERRAND_DONE;
    *find(scout, &errand.told.ref) = errand;
    tell_change(scout);
}

static struct errand *find_waiting(struct scout *scout)
{
    for (size_t i = 0; i < scout->count; i++)
        if (scout->errands[i].state == ERRAND_WAITING)
            return &scout->errands[i];
    return NULL;
}

static void *be_scout(void *context)
{
    struct scout *scout = context;
    pthread_mutex_lock(&scout->lock);
    while (!scout->stop) {
        struct errand *waiting = find_waiting(scout);
        if (waiting != NULL && (scout->by_picks || !scout->in_use))
            run(scout, waiting, true);
        else
            await_change(scout);
    }
    pthread_mutex_unlock(&scout->lock);
    return NULL;
}

/* Remove the first errand when it is over. While waiting for it, do another. */
static struct errand remove_first(struct scout *scout)
{
    struct errand *first = &scout->errands[0], *other;
    while (first->state == ERRAND_BUSY)
        if ((other = find_waiting(scout)) != NULL)
            run(scout, other, false);
        else
            await_change(scout);
    struct errand gone = *first;
    scout->count--;
    memmove(first, first + 1, scout->count * sizeof *first);
    return gone;
}

/* Drop all errands before this one; NULL: all of them. */
static void drop_before(struct scout *scout, const struct errand *kept)
{
    size_t count = kept != NULL ? (size_t)(kept - scout->errands) : scout->count;
    for (size_t i = 0; i < scout->count; i++)
        if (i < count && scout->errands[i].state == ERRAND_WAITING)
            scout->errands[i].state = ERRAND_DONE; /* so that no thread begins with it now */
    for (; count > 0; count--)
        give_slice(scout, remove_first(scout).slice);
}

/* ---- a scout ---- */

/* This thread takes none of the program's signals. */
static int start_thread(struct scout *scout)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&scout->thread, NULL, be_scout, scout);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void destroy(struct scout *scout)
{
    pthread_cond_destroy(&scout->changed);
    pthread_mutex_destroy(&scout->lock);
    free(scout->picks.items);
    free(scout);
    atomic_fetch_sub(&scouts, 1);
}

struct scout *scout_start(struct shelf *shelf)
{
    if (!enlist())
        return NULL;
    struct scout *scout = calloc(1, sizeof *scout);
    if (scout == NULL) {
        atomic_fetch_sub(&scouts, 1);
        return NULL;
    }
    scout->shelf = shelf;
    pthread_mutex_init(&scout->lock, NULL);
    pthread_cond_init(&scout->changed, NULL);
    if (start_thread(scout) == 0)
        return scout;
    destroy(scout);
    return NULL;
}

void scout_stop(struct scout *scout)
{
    if (scout == NULL)
        return;
    pthread_mutex_lock(&scout->lock);
    drop_before(scout, NULL);
    scout->stop = true;
    tell_change(scout);
    pthread_mutex_unlock(&scout->lock);
    pthread_join(scout->thread, NULL);
    if (!scout->in_use)
        shelf_give(scout->shelf, scout->own);
    destroy(scout);
}

bool scout_aim(struct scout *scout, const struct picks *picks)
{
    pthread_mutex_lock(&scout->lock);
    drop_before(scout, NULL);
    bool copied = picks == NULL || picks_copy(&scout->picks, picks) == 0;
    scout->by_picks = picks != NULL;
    pthread_mutex_unlock(&scout->lock);
    return copied;
}

void scout_send(struct scout *scout, const struct scout_errand *errand)
{
    pthread_mutex_lock(&scout->lock);
    if (scout->count < SCOUT_AHEAD_MAX && find(scout, &errand->ref) == NULL) {
        scout->errands[scout->count++] = (struct errand){.told = *errand};
        tell_change(scout);
    }
    pthread_mutex_unlock(&scout->lock);
}

struct slice *scout_take(struct scout *scout, const struct block_ref *ref, uint64_t *bytes_read)
{
    struct errand taken = {.slice = NULL};
    pthread_mutex_lock(&scout->lock);
    struct errand *wanted = find(scout, ref);
    drop_before(scout, wanted);
    if (wanted != NULL)
        taken = remove_first(scout);
    pthread_mutex_unlock(&scout->lock);
    *bytes_read = taken.bytes_read;
    return taken.slice;
}

void scout_give(struct scout *scout, struct slice *slice)
{
    pthread_mutex_lock(&scout->lock);
    give_slice(scout, slice);
    pthread_mutex_unlock(&scout->lock);
}
