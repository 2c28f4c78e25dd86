/* remote_coverage.c - a replayer's word on whether a range is whole, as a walk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/control_text.h"
#include "cli/remote_private.h"

struct walker {
    const struct tdk_coverage_walk *walk;
    const char *track;
    uint64_t epoch, ticks;
    struct tdk_err *err;
};

static uint32_t reason_of(struct wire_map row)
{
    struct wire_text word = {"", 0};
    (void)wire_text(row, "reason", &word, NULL);
    for (uint32_t reason = TDK_LOSS_RING_FULL; reason <= TDK_LOSS_RETIRED; reason++)
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
    int rc = wire_item_map(list, i, &row, w->err);
    if (rc >= 0)
        rc = remote_numbers(row, rows, sizeof rows / sizeof rows[0], w->err);
    gap->reason = reason_of(row);
    return rc < 0 ? rc : 0;
}

/* Gaps of an epoch come in three lists, and are told as one, by seq. */
struct gap_lists {
    struct wire_list lists[3];
    uint32_t at[3];
    struct tdk_gap next[3];
};

static int look_ahead(const struct walker *w, struct gap_lists *g, int which)
{
    g->next[which] = (struct tdk_gap){.track = w->track,
                                      .epoch = w->epoch,
                                      .damaged = which == 1,
                                      .retired = which == 2,
                                      .first_seq = UINT64_MAX};
    if (g->at[which] == g->lists[which].count)
        return 0;
    return read_gap(w, g->lists[which], g->at[which]++, &g->next[which]);
}

static int tell_gaps(const struct walker *w, struct wire_map epoch)
{
    static const char *const keys[3] = {"lost", "damaged", "retired"};
    struct gap_lists g = {.at = {0}};
    int rc = 0;
    for (int i = 0; i < 3 && rc >= 0; i++) {
        rc = wire_list(epoch, keys[i], &g.lists[i], w->err);
        if (rc >= 0)
            rc = look_ahead(w, &g, i);
    }
    while (rc == 0) {
        int least = 0;
        for (int i = 1; i < 3; i++)
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

static int tell_epoch(struct walker *w, struct wire_map row)
{
    struct tdk_epoch_coverage epoch = {.track = w->track, .first_ts = UINT64_MAX};
    const struct remote_number rows[] = {
        {"epoch", &epoch.epoch},           {"first_seq", &epoch.first_seq},
        {"last_seq", &epoch.last_seq},     {"first_ts", &epoch.first_ts},
        {"last_ts", &epoch.last_ts},       {"ticks", &epoch.ticks},
        {"lost_ticks", &epoch.lost},       {"damaged_ticks", &epoch.damaged},
        {"retired_ticks", &epoch.retired},
    };
    int rc = remote_numbers(row, rows, sizeof rows / sizeof rows[0], w->err);
    w->epoch = epoch.epoch;
    w->ticks += epoch.ticks;
    if (rc == 0)
        rc = tell_gaps(w, row);
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
    int rc = wire_string(row, "track", name, sizeof name, w->err);
    if (rc >= 0)
        rc = wire_list(row, "epochs", &epochs, w->err);
    if (rc >= 0)
        rc = walk->track != NULL ? walk->track(name, walk->context) : 0;
    for (uint32_t i = 0; rc == 0 && i < epochs.count; i++) {
        struct wire_map epoch = {NULL, 0};
        rc = wire_item_map(epochs, i, &epoch, w->err);
        rc = rc < 0 ? rc : tell_epoch(w, epoch);
    }
    w->track = NULL;
    return rc;
}

static void put_range(struct text_buffer *out, const void *context)
{
    const struct tdk_client_query query = {.range = *(const struct tdk_query *)context};
    client_put_query(out, &query, 0);
}

int remote_coverage(struct remote *r, const struct tdk_query *query,
                    const struct tdk_coverage_walk *walk, bool *more, struct tdk_err *err)
{
    struct wire_map map = {NULL, 0}, row = {NULL, 0};
    struct wire_list tracks = {NULL, 0};
    struct walker w = {.walk = walk, .err = err};
    *more = false;
    int rc = remote_call(r, "coverage", put_range, query, &map, err);
    if (rc == 0)
        rc = wire_list(map, "tracks", &tracks, err);
    if (rc >= 0)
        rc = wire_bool(map, "more", more, err);
    rc = rc < 0 ? rc : 0;
    for (uint32_t i = 0; rc == 0 && i < tracks.count; i++) {
        rc = wire_item_map(tracks, i, &row, err);
        rc = rc < 0 ? rc : tell_track(&w, row);
    }
    if (rc == 0 && walk->progress != NULL)
        rc = walk->progress(0, w.ticks, walk->context);
    return rc;
}
