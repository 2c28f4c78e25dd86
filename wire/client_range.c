/* client_range.c - what is asked about ranges and answered at once: tracks, count. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "wire/client.h"

#define TRACKS_MAX 65535u /* a tape has no more */

static void put_words(struct text_buffer *out, const char *key, const char *const *words,
                      size_t count)
{
    wire_put_string(out, key);
    wire_put_list(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        wire_put_string(out, words[i]);
}

void client_put_query(struct text_buffer *out, const struct tdk_client_query *query, uint32_t more)
{
    const struct tdk_query *range = &query->range;
    wire_put_map(out, 10 + more);
    wire_pair_u64(out, "from", range->from);
    wire_pair_u64(out, "to", range->to);
    wire_pair_string(out, "axis", range->axis == TDK_AXIS_EVENT ? "event" : "recv");
    put_words(out, "tracks", range->tracks, range->track_count);
    put_words(out, "symbols", range->symbols, range->symbol_count);
    put_words(out, "types", query->types, query->type_count);
    wire_pair_u64(out, "limit", range->limit);
    wire_pair_bool(out, "reverse", range->reverse);
    wire_pair_bool(out, "control", range->control);
    wire_pair_bool(out, "written", range->written);
}

int tdk_client_count(struct tdk_client *c, const struct tdk_client_query *query,
                     struct tdk_client_count *count, struct tdk_err *err)
{
    struct tdk_client_count n = {.ticks = 0};
    struct wire_map result = {NULL, 0};
    struct text_buffer *out = client_begin(c, "count");
    client_put_query(out, query, 1);
    wire_pair_bool(out, "quick", query->range.count_only);
    int rc = client_call(c, NULL, NULL, &result, err);
    const struct {
        const char *key;
        uint64_t *at;
    } rows[] = {
        {"bytes", &n.bytes},
        {"lost", &n.lost},
        {"damaged", &n.damaged},
        {"blocks_read", &n.blocks_read},
        {"blocks_skipped", &n.blocks_skipped},
    };
    if (rc == 0)
        rc = wire_must(wire_u64(result, "ticks", &n.ticks, err), "ticks", err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc >= 0; i++)
        rc = wire_may(wire_u64(result, rows[i].key, rows[i].at, err), err);
    if (rc < 0)
        return rc;
    *count = n;
    return 0;
}

/* ---- tracks ---- */

static uint8_t kind_of(struct wire_text word)
{
    static const char *const words[] = {"mixed", "dbn", "wide", "opaque"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (wire_text_is(word, words[i]))
            return (uint8_t)i;
    return TDK_KIND_MIXED;
}

static int read_track(struct wire_map row, struct tdk_track_info *track, struct tdk_err *err)
{
    struct wire_text kind = {"", 0};
    uint64_t number = 0, epochs = 0;
    *track = (struct tdk_track_info){.first_ts = UINT64_MAX};
    const struct {
        const char *key;
        uint64_t *at;
    } rows[] = {
        {"id", &number},          {"first_ts", &track->first_ts}, {"last_ts", &track->last_ts},
        {"ticks", &track->ticks}, {"bytes", &track->bytes},       {"lost", &track->lost},
        {"epochs", &epochs},
    };
    int rc = wire_must(wire_string(row, "name", track->name, sizeof track->name, err), "name", err);
    if (rc >= 0)
        rc = wire_may(wire_text(row, "kind", &kind, err), err);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc >= 0; i++)
        rc = wire_may(wire_u64(row, rows[i].key, rows[i].at, err), err);
    track->number = (uint16_t)number;
    track->epochs = (unsigned)epochs;
    track->kind = kind_of(kind);
    return rc < 0 ? rc : 0;
}

/* Read one page of tracks, after the track `after`, which then becomes its last one. 1: there is
 * more. */
static int read_page(struct tdk_client *c, char after[TDK_NAME_MAX + 1],
                     int (*each)(const struct tdk_track_info *track, void *context), void *context,
                     int *ended, size_t *count, struct tdk_err *err)
{
    struct wire_map result = {NULL, 0}, row = {NULL, 0};
    struct wire_list rows = {NULL, 0};
    struct tdk_track_info track;
    bool more = false;
    struct text_buffer *params = client_begin(c, "tracks");
    wire_put_map(params, 1);
    wire_pair_string(params, "after", after);
    int rc = client_call(c, NULL, NULL, &result, err);
    if (rc == 0)
        rc = wire_must(wire_list(result, "tracks", &rows, err), "tracks", err);
    for (uint32_t i = 0; rc >= 0 && *ended == 0 && i < rows.count; i++) {
        rc = wire_may(wire_item_map(rows, i, &row, err), err);
        if (rc >= 0)
            rc = read_track(row, &track, err);
        if (rc < 0)
            break;
        if (strcmp(track.name, after) <= 0) /* or it would go on for ever */
            return err_say(err, TDK_EFORMAT, "read from %s: tracks that are not in order",
                           c->address);
        snprintf(after, TDK_NAME_MAX + 1, "%s", track.name);
        *ended = each(&track, context);
    }
    if (rc >= 0)
        rc = wire_may(wire_bool(result, "more", &more, err), err);
    *count += rows.count;
    return rc < 0 ? rc : more && rows.count > 0;
}

int tdk_client_tracks(struct tdk_client *c,
                      int (*each)(const struct tdk_track_info *track, void *context), void *context,
                      struct tdk_err *err)
{
    char after[TDK_NAME_MAX + 1] = "";
    int ended = 0, rc = 1;
    for (size_t count = 0; rc == 1 && ended == 0;)
        rc = count < TRACKS_MAX
                 ? read_page(c, after, each, context, &ended, &count, err)
                 : err_say(err, TDK_EFULL, "%s lists more tracks than a tape can have", c->address);
    return rc < 0 ? rc : ended;
}
