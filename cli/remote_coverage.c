/* remote_coverage.c - a replayer's word on whether a range is whole, as a walk. */
#include <string.h>

#include "base/err.h"
#include "cli/control_text.h"
#include "cli/remote_private.h"

/* How far an answer has reported. The next one goes on after this place. */
struct place {
    char track[TDK_NAME_MAX + 1]; /* "": nothing */
    uint64_t epoch, seq;          /* seq UINT64_MAX: all of the epoch */
    uint64_t walk;                /* number of the walk whose rest is kept at the other side */
};

struct walker {
    const struct tdk_coverage_walk *walk;
    const struct tdk_query *query;
    const char *track;
    uint64_t epoch, ticks;
    struct place after, next; /* of the current answer; next: "" in the last one */
    struct tdk_err *err;
};

static uint32_t reason_of(struct wire_map row)
{
    struct wire_text word = {"", 0};
    (void)wire_text(row, "reason", &word, NULL);
    for (uint32_t reason = TDK_LOSS_RING_FULL; reason <= TDK_LOSS_AWAY; reason++)
        if (wire_text_is(word, control_text_reason(reason)))
            return reason;
    return TDK_LOSS_UNKNOWN;
}

static int read_gap(const struct walker *w, struct wire_list list, uint32_t i, struct tdk_gap *gap)
{
    struct wire_map row = {NULL, 0};
    const struct remote_number rows[] = {{"first_seq", &gap->first_seq},
                                         {"count", &gap->count},
                                         {"from", &gap->from},
                                         {"to", &gap->to}};
    int rc = wire_may(wire_item_map(list, i, &row, w->err), w->err);
    if (rc >= 0)
        rc = remote_numbers(row, rows, sizeof rows / sizeof rows[0], w->err);
    gap->reason = reason_of(row);
    return rc < 0 ? rc : 0;
}

/* An answer has the gaps of an epoch in several lists; they are reported together, by seq. */
enum { LISTS = 4 };
struct gap_lists {
    struct wire_list lists[LISTS];
    uint32_t at[LISTS];
    struct tdk_gap next[LISTS];
};

static int look_ahead(const struct walker *w, struct gap_lists *g, int which)
{
    g->next[which] = (struct tdk_gap){.track = w->track,
                                      .epoch = w->epoch,
                                      .damaged = which == 1,
                                      .retired = which == 2,
                                      .away = which == 3,
                                      .first_seq = UINT64_MAX};
    if (g->at[which] == g->lists[which].count)
        return 0;
    return read_gap(w, g->lists[which], g->at[which]++, &g->next[which]);
}

static int tell_gaps(const struct walker *w, struct wire_map epoch)
{
    static const char *const keys[LISTS] = {"lost", "damaged", "retired", "away"};
    struct gap_lists g = {.at = {0}};
    int rc = 0;
    for (int i = 0; i < LISTS && rc >= 0; i++) {
        rc = wire_may(wire_list(epoch, keys[i], &g.lists[i], w->err), w->err);
        if (rc >= 0)
            rc = look_ahead(w, &g, i);
    }
    while (rc == 0) {
        int least = 0;
        for (int i = 1; i < LISTS; i++)
            if (g.next[i].first_seq < g.next[least].first_seq)
                least = i;
        if (g.next[least].first_seq == UINT64_MAX)
            return 0;
        rc = w->walk->gap != NULL ? w->walk->gap(&g.next[least], w->walk->context) : 0;
        if (rc == 0)
            rc = look_ahead(w, &g, least);
    }
    return rc;
}

/* Do the gaps of this epoch go on in the next answer? The epoch comes again with them. */
static bool is_cut(const struct walker *w)
{
    return w->next.seq != UINT64_MAX && w->next.epoch == w->epoch &&
           strcmp(w->next.track, w->track) == 0;
}

static int tell_epoch(struct walker *w, struct wire_map row)
{
    struct tdk_epoch_coverage epoch = {.track = w->track, .first_ts = UINT64_MAX};
    const struct remote_number rows[] = {
        {"epoch", &epoch.epoch},           {"first_seq", &epoch.first_seq},
        {"last_seq", &epoch.last_seq},     {"first_ts", &epoch.first_ts},
        {"last_ts", &epoch.last_ts},       {"ticks", &epoch.ticks},
        {"lost_ticks", &epoch.lost},       {"damaged_ticks", &epoch.damaged},
        {"retired_ticks", &epoch.retired}, {"away_ticks", &epoch.away},
    };
    int rc = remote_numbers(row, rows, sizeof rows / sizeof rows[0], w->err);
    w->epoch = epoch.epoch;
    if (rc == 0)
        rc = tell_gaps(w, row);
    if (is_cut(w))
        return rc;
    w->ticks += epoch.ticks;
    if (rc == 0 && w->walk->epoch != NULL)
        rc = w->walk->epoch(&epoch, w->walk->context);
    return rc;
}

static int tell_track(struct walker *w, struct wire_map row)
{
    const struct tdk_coverage_walk *walk = w->walk;
    char name[TDK_NAME_MAX + 1] = "";
    struct wire_list epochs = {NULL, 0};
    w->track = name;
    int rc = wire_must(wire_string(row, "track", name, sizeof name, w->err), "track", w->err);
    if (rc >= 0)
        rc = wire_must(wire_list(row, "epochs", &epochs, w->err), "epochs", w->err);
    bool is_new = strcmp(name, w->after.track) != 0;
    if (rc >= 0)
        rc = walk->track != NULL && is_new ? walk->track(name, walk->context) : 0;
    for (uint32_t i = 0; rc == 0 && i < epochs.count; i++) {
        struct wire_map epoch = {NULL, 0};
        rc = wire_may(wire_item_map(epochs, i, &epoch, w->err), w->err);
        rc = rc < 0 ? rc : tell_epoch(w, epoch);
    }
    w->track = NULL;
    return rc;
}

static void put_params(struct text_buffer *out, const void *context)
{
    const struct walker *w = context;
    const struct tdk_client_query query = {.range = *w->query};
    bool goes_on = w->after.track[0] != '\0';
    client_put_query(out, &query, goes_on ? 1 : 0);
    if (!goes_on)
        return;
    wire_put_string(out, "after");
    wire_put_map(out, 4);
    wire_pair_string(out, "track", w->after.track);
    wire_pair_u64(out, "epoch", w->after.epoch);
    wire_pair_u64(out, "seq", w->after.seq);
    wire_pair_u64(out, "walk", w->after.walk);
}

/* `next` must be further on: an answer that repeats itself would never end. */
static int read_next(struct walker *w, struct wire_map map)
{
    struct wire_map next = {NULL, 0};
    const struct place *after = &w->after;
    w->next = (struct place){.epoch = 0};
    int rc = wire_may(wire_map(map, "next", &next, w->err), w->err);
    if (rc <= 0)
        return rc;
    rc = wire_must(wire_string(next, "track", w->next.track, sizeof w->next.track, w->err), "track",
                   w->err);
    if (rc >= 0)
        rc = wire_may(wire_u64(next, "epoch", &w->next.epoch, w->err), w->err);
    if (rc >= 0)
        rc = wire_may(wire_u64(next, "seq", &w->next.seq, w->err), w->err);
    if (rc >= 0)
        rc = wire_may(wire_u64(next, "walk", &w->next.walk, w->err), w->err);
    int order = strcmp(w->next.track, after->track);
    bool leads_on =
        order > 0 || (order == 0 && (w->next.epoch > after->epoch ||
                                     (w->next.epoch == after->epoch && w->next.seq > after->seq)));
    if (rc >= 0 && !leads_on)
        rc = err_say(w->err, TDK_EFORMAT, "coverage: the answer is out of order");
    return rc < 0 ? rc : 0;
}

static int read_lost(struct wire_map map, struct tdk_lost_segments *lost, struct tdk_err *err)
{
    int rc = wire_must(wire_u64(map, "first", &lost->first, err), "first", err);
    if (rc >= 0)
        rc = wire_must(wire_u64(map, "last", &lost->last, err), "last", err);
    return rc < 0 ? rc : wire_must(wire_bool(map, "cut", &lost->is_cut, err), "cut", err);
}

/* Each answer has the lost segments; the first one tells them. */
static int tell_lost(struct walker *w, struct wire_map map)
{
    struct wire_list list = {NULL, 0};
    struct wire_map item;
    int rc = wire_may(wire_list(map, "lost_segments", &list, w->err), w->err);
    if (rc < 0 || w->after.track[0] != '\0' || w->walk->lost == NULL)
        return rc < 0 ? rc : 0;
    rc = 0;
    for (uint32_t i = 0; i < list.count && rc == 0; i++) {
        struct tdk_lost_segments lost = {0};
        rc = wire_must(wire_item_map(list, i, &item, w->err), "lost_segments", w->err);
        rc = rc < 0 ? rc : read_lost(item, &lost, w->err);
        rc = rc < 0 ? rc : w->walk->lost(&lost, w->walk->context);
    }
    return rc;
}

static int tell_answer(struct walker *w, struct wire_map map)
{
    struct wire_list tracks = {NULL, 0};
    struct wire_map row = {NULL, 0};
    int rc = read_next(w, map);
    if (rc == 0)
        rc = tell_lost(w, map);
    if (rc == 0)
        rc = wire_must(wire_list(map, "tracks", &tracks, w->err), "tracks", w->err);
    rc = rc < 0 ? rc : 0;
    for (uint32_t i = 0; rc == 0 && i < tracks.count; i++) {
        rc = wire_may(wire_item_map(tracks, i, &row, w->err), w->err);
        rc = rc < 0 ? rc : tell_track(w, row);
    }
    if (rc == 0 && w->walk->progress != NULL)
        rc = w->walk->progress(0, w->ticks, w->walk->context);
    return rc;
}

int remote_coverage_of(struct wire_map coverage, const struct tdk_coverage_walk *walk)
{
    struct tdk_err err;
    struct walker w = {.walk = walk, .err = &err};
    return tell_answer(&w, coverage);
}

int remote_coverage(struct remote *r, const struct tdk_query *query,
                    const struct tdk_coverage_walk *walk, struct tdk_err *err)
{
    struct walker w = {.walk = walk, .query = query, .err = err};
    int rc = 0;
    do {
        struct wire_map map = {NULL, 0};
        w.after = w.next;
        rc = remote_call(r, "coverage", put_params, &w, &map, err);
        if (rc == 0)
            rc = tell_answer(&w, map);
    } while (rc == 0 && w.next.track[0] != '\0');
    return rc;
}
