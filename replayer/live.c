#include "replayer/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "replayer/tail.h"

#define POLL_NS      (5 * NS_PER_MS)  /* between two looks at the tape while a track is behind */
#define POLL_IDLE_NS (20 * NS_PER_MS) /* the same when every track that can be live is */
#define LEASE_NS     (2 * NS_PER_S)   /* between two looks at which segments the tape has */
#define GIVE_UP_NS   (2 * NS_PER_S)   /* a ring that has not met its tape for this long */
#define SPIN_NS      (50 * NS_PER_US)
#define NAP_NS       (20 * NS_PER_US)

/* A track being followed. Its place is in live->places. */
struct follower {
    struct tail tail;
    uint64_t end_ns; /* when the tape ran out of its ticks; 0: it has not */
    bool is_caught;
};

struct live {
    struct tdk_tape *tape; /* borrowed */
    struct tdk_query query;
    struct places places;
    struct follower **followers; /* ours, allocated one by one: there are pointers to the tails */
    size_t count, room;
    const char **names;        /* of the tracks that are not live, for the cursor */
    struct tdk_cursor *cursor; /* over what has come on the tape; NULL: nothing to read */
    struct tdk_query behind;   /* the cursor's query */
    uint64_t left;             /* ticks still to deliver */
    uint64_t polled_ns, news_ns;
    char damage[sizeof((struct tdk_err *)0)->text]; /* the last one reported: once is enough */
    bool tails_first;

    /* ---- what was not told yet stays on the tape ---- */
    struct lease leases[2]; /* the one in force, and the next one */
    unsigned lease;         /* index of the one in force */
    uint64_t leased;        /* the segment it begins with; 0: that of the query */
    uint64_t looked;        /* the newest segment at the last look, */
    uint64_t looked_ns;     /* and when */
    uint64_t told;          /* all that the tape had then has been delivered, */
    size_t told_live;       /* once the tracks that were live are, and are drained */
};

/* ---- followers ---- */

static struct place *place_of(const struct live *l, const struct follower *f)
{
    return places_find(&l->places, f->tail.track);
}

static int add_follower(struct live *l, const struct track *track)
{
    if (l->count == l->room) {
        size_t room = l->room == 0 ? 16 : 2 * l->room;
        struct follower **followers = realloc(l->followers, room * sizeof *followers);
        if (followers == NULL)
            return -ENOMEM;
        l->followers = followers;
        const char **names = realloc(l->names, room * sizeof *names);
        if (names == NULL)
            return -ENOMEM;
        l->names = names;
        l->room = room;
    }
    struct follower *f = calloc(1, sizeof *f);
    if (f == NULL || places_need(&l->places, track) == NULL) {
        free(f);
        return -ENOMEM;
    }
    tail_init(&f->tail, track, l->tape, &l->query);
    l->followers[l->count++] = f;
    return 0;
}

static bool is_followed(const struct live *l, const struct track *track)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->followers[i]->tail.track == track)
            return true;
    return false;
}

/* Follow the tracks of the query that are on the tape by now. */
static int find_followers(struct live *l, struct tdk_err *err)
{
    struct track **tracks = NULL;
    size_t count = 0;
    int rc = search_tracks(l->tape, NULL, &l->query, &tracks, &count, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (!is_followed(l, tracks[i]))
            rc = add_follower(l, tracks[i]);
    free(tracks);
    return rc < 0 ? err_set(err, rc, "follow tape") : 0;
}

int live_open(struct live **live, struct tdk_tape *tape, const struct tdk_query *query,
              uint64_t limit, const struct tdk_cursor *history, struct tdk_err *err)
{
    struct live *l = calloc(1, sizeof *l);
    if (l == NULL)
        return err_set(err, -ENOMEM, "follow tape");
    l->tape = tape;
    l->query = *query;
    l->query.reverse = false;
    l->query.limit = 0;
    l->left = limit == 0 ? UINT64_MAX : limit;
    tape_lease(tape, &l->leases[0], query->axis, query->from, UINT64_MAX);
    int rc = places_move(&l->places, history, err);
    if (rc == 0)
        rc = find_followers(l, err);
    if (rc < 0) {
        live_close(l);
        return rc;
    }
    *live = l;
    return 0;
}

void live_close(struct live *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->count; i++) {
        tail_close(&l->followers[i]->tail);
        free(l->followers[i]);
    }
    free(l->followers);
    free(l->names);
    tdk_cursor_close(l->cursor);
    places_close(&l->places);
    for (size_t i = 0; i < array_size(l->leases); i++)
        lease_give(&l->tape->leases, &l->leases[i]);
    free(l);
}

/* ---- what was not told yet stays ---- */

static size_t count_live(const struct live *l)
{
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++)
        count += l->followers[i]->tail.state == TAIL_LIVE;
    return count;
}

static void look_for_newest(struct live *l, uint64_t now)
{
    if (l->looked_ns != 0 && now - l->looked_ns < LEASE_NS)
        return;
    l->looked = tape_newest_segment(l->tape);
    l->looked_ns = now;
}

/* All that the tape had at that look has been delivered, except for what the rings still hold. */
static void note_told(struct live *l)
{
    l->told = l->looked;
    l->told_live = count_live(l);
}

/* The rings have nothing more now, and no track has left its ring since then. So whatever comes is
 * in the segment `told` or a later one. */
static void lease_rest(struct live *l)
{
    if (l->told <= l->leased || count_live(l) != l->told_live)
        return;
    unsigned next = l->lease ^ 1;
    lease_take(&l->tape->leases, &l->leases[next], l->told, INT64_MAX);
    lease_give(&l->tape->leases, &l->leases[l->lease]);
    l->lease = next;
    l->leased = l->told;
}

/* ---- on the tape ---- */

/* Open a cursor over what has come for the tracks that are not live. */
static int open_behind(struct live *l, struct tdk_err *err)
{
    l->behind = l->query;
    l->behind.limit = l->left == UINT64_MAX ? 0 : l->left;
    l->behind.track_count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->followers[i]->tail.state != TAIL_LIVE)
            l->names[l->behind.track_count++] = l->followers[i]->tail.track->ref.name;
    if (l->behind.track_count == 0)
        return 0;
    l->behind.tracks = l->names;
    return cursor_open_behind(&l->cursor, l->tape, &l->behind, &l->places, err);
}

/* Has the track caught up? A ring that never meets its tape (nobody records it) is not waited
 * for. */
static void note_end(struct follower *f, uint64_t now)
{
    if (f->end_ns == 0)
        f->end_ns = now;
    if (f->tail.state == TAIL_LOST || now - f->end_ns >= GIVE_UP_NS)
        f->is_caught = true;
}

static int look_at_tape(struct live *l, struct tdk_err *err)
{
    uint64_t now = clock_mono();
    bool all_live = true, all_caught = true;
    for (size_t i = 0; i < l->count; i++) {
        all_live = all_live && l->followers[i]->tail.state == TAIL_LIVE;
        all_caught = all_caught && l->followers[i]->is_caught;
    }
    uint64_t pause = all_caught ? POLL_IDLE_NS : POLL_NS;
    if (all_live && l->query.track_count > 0)
        pause = LEASE_NS;
    else if (all_live && l->count > 0)
        pause = 10 * POLL_IDLE_NS; /* only a new track could appear */
    if (now - l->polled_ns < pause)
        return 0;
    l->polled_ns = now;
    int rc = tape_refresh_cheaply(l->tape, err);
    if (rc == 0)
        rc = find_followers(l, err);
    if (rc == 0) {
        look_for_newest(l, now);
        rc = open_behind(l, err);
    }
    if (rc == 0 && l->cursor == NULL)
        note_told(l);
    return rc;
}

/* The cursor is at its end: which tracks have met their rings? */
static int end_cursor(struct live *l, struct tdk_err *err)
{
    int rc = places_move(&l->places, l->cursor, err);
    tdk_cursor_close(l->cursor);
    l->cursor = NULL;
    uint64_t now = clock_mono();
    for (size_t i = 0; i < l->count && rc == 0; i++) {
        struct follower *f = l->followers[i];
        if (f->tail.state == TAIL_LIVE)
            continue;
        if (tail_join(&f->tail, place_of(l, f), now))
            f->is_caught = true;
        else
            note_end(f, now);
    }
    note_told(l);
    return rc;
}

static int damage(struct live *l, struct tdk_err *err)
{
    if (err == NULL || strcmp(l->damage, err->text) == 0)
        return 0;
    memcpy(l->damage, err->text, sizeof l->damage);
    return TDK_ECORRUPT;
}

static int read_tape(struct live *l, struct tdk_run *run, struct tdk_err *err)
{
    while (l->cursor != NULL) {
        int rc = tdk_cursor_read(l->cursor, run, err);
        if (rc == 1) {
            l->left -= l->left == UINT64_MAX ? 0 : run->ticks;
            return 1;
        }
        if (rc == TDK_ECORRUPT)
            rc = damage(l, err);
        else if (rc == 0)
            rc = end_cursor(l, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- live ---- */

/* The track whose next frame is the earliest. *horizon: up to which ts it is. */
static struct follower *earliest(struct live *l, uint64_t *horizon)
{
    struct follower *first = NULL;
    uint64_t low = UINT64_MAX, now = clock_mono();
    *horizon = UINT64_MAX;
    for (size_t i = 0; i < l->count; i++) {
        struct follower *f = l->followers[i];
        uint64_t ts;
        if (f->tail.state != TAIL_LIVE || !tail_peek(&f->tail, place_of(l, f), &ts, now))
            continue;
        if (first == NULL || ts < low) {
            *horizon = low;
            low = ts;
            first = f;
        } else if (ts < *horizon) {
            *horizon = ts;
        }
    }
    return first;
}

static int read_tails(struct live *l, struct tdk_run *run)
{
    uint64_t horizon;
    struct follower *f;
    while ((f = earliest(l, &horizon)) != NULL)
        if (tail_take(&f->tail, place_of(l, f), horizon, l->left, run)) {
            l->left -= l->left == UINT64_MAX ? 0 : run->ticks;
            return 1;
        }
    return 0;
}

int live_read(struct live *l, struct tdk_run *run, struct tdk_err *err)
{
    if (l->left == 0)
        return 0;
    /* Tape and rings take turns, so that a track that is far behind on the tape does not delay the
     * others. */
    l->tails_first = !l->tails_first;
    int rc = l->tails_first ? read_tails(l, run) : 0;
    if (rc == 0 && l->cursor == NULL && l->tails_first)
        lease_rest(l);
    if (rc == 0 && l->cursor == NULL)
        rc = look_at_tape(l, err);
    if (rc == 0)
        rc = read_tape(l, run, err);
    if (rc == 0 && !l->tails_first)
        rc = read_tails(l, run);
    if (rc == 1)
        l->news_ns = clock_mono();
    return rc;
}

void live_wait(struct live *l)
{
    bool tapped = false;
    for (size_t i = 0; i < l->count && !tapped; i++)
        tapped = l->followers[i]->tail.state == TAIL_LIVE;
    if (tapped && clock_mono() - l->news_ns < SPIN_NS) {
        clock_relax();
        return;
    }
    struct timespec nap = {.tv_nsec = (long)(tapped ? NAP_NS : NS_PER_MS)};
    (void)nanosleep(&nap, NULL);
}

bool live_is_caught(const struct live *l)
{
    bool caught = l->cursor == NULL && l->polled_ns != 0;
    for (size_t i = 0; i < l->count && caught; i++)
        caught = l->followers[i]->is_caught;
    return caught;
}

bool live_is_done(const struct live *l)
{
    return l->left == 0;
}
