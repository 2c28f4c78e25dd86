#include "cli/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/remote_private.h"

#define PROPERTY_MAX ((size_t)64 << 20) /* bytes; no tape has longer ones */

/* ---- calls ---- */

int remote_code(int code, struct tdk_err *err)
{
    int own = code == -EINVAL       ? TDK_EVALUE
              : code == -EPIPE      ? -ECONNRESET
              : code == TDK_EFORMAT ? -EPROTO       /* about what came, not about anything here */
              : code == -ECANCELED  ? -ECONNABORTED /* by the other side; we were not interrupted */
                                    : code;
    if (err != NULL && code < 0)
        err->code = own;
    return own;
}

static bool is_lost(int code)
{
    return code == -EPIPE || code == -ECONNRESET;
}

int remote_call(struct remote *r, const char *method, remote_params_cb *params, const void *context,
                struct wire_map *result, struct tdk_err *err)
{
    int rc = -ECONNRESET;
    for (unsigned tries = 0; tries < 2 && is_lost(rc); tries++) {
        if (tries > 0) {
            tdk_client_close(r->client);
            r->client = NULL;
        }
        rc = r->client != NULL ? 0 : ask_connect(&r->client, r->where, ASK_REPLAYER, err);
        if (rc < 0)
            break;
        params(client_begin(r->client, method), context);
        rc = client_call(r->client, NULL, NULL, result, err);
    }
    return remote_code(rc, err);
}

int remote_open(struct remote **remote, const struct ask_args *where)
{
    struct tdk_client *client;
    int status = ask_open(&client, where, ASK_REPLAYER);
    if (status != CLI_OK)
        return status;
    struct remote *r = calloc(1, sizeof *r);
    if (r == NULL) {
        tdk_client_close(client);
        return cli_fail_words("ask a replayer: %s", tdk_strerror(-ENOMEM));
    }
    r->client = client;
    r->where = where;
    *remote = r;
    return CLI_OK;
}

void remote_close(struct remote *r)
{
    if (r == NULL)
        return;
    tdk_client_close(r->client);
    free(r->symbols);
    free(r);
}

/* ---- values ---- */

int remote_numbers(struct wire_map map, const struct remote_number *rows, size_t count,
                   struct tdk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++)
        rc = wire_may(wire_u64(map, rows[i].key, rows[i].at, err), err);
    return rc < 0 ? rc : 0;
}

/* ---- info, tracks ---- */

static void put_nothing(struct text_buffer *out, const void *context)
{
    (void)context;
    wire_put_map(out, 0);
}

static void read_id(struct wire_map map, uint8_t id[16])
{
    char hex[33] = "";
    char pair[3] = "";
    if (wire_string(map, "id", hex, sizeof hex, NULL) != 1 || strlen(hex) != 32)
        return;
    for (size_t i = 0; i < 16; i++) {
        memcpy(pair, hex + 2 * i, 2);
        id[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

int remote_info(struct remote *r, struct tdk_tape_info *info, struct tdk_err *err)
{
    struct wire_map map = {NULL, 0};
    struct tdk_tape_info n = {.first_ts = UINT64_MAX};
    uint64_t tracks = 0, segments = 0;
    const struct remote_number rows[] = {
        {"created", &n.created_ns}, {"first_ts", &n.first_ts},
        {"last_ts", &n.last_ts},    {"bytes", &n.bytes},
        {"lost", &n.lost},          {"tracks", &tracks},
        {"segments", &segments},    {"size_on_disk", &n.size_on_disk},
    };
    int rc = remote_call(r, "info", put_nothing, NULL, &map, err);
    if (rc == 0)
        rc = wire_must(wire_u64(map, "ticks", &n.ticks, err), "ticks", err);
    if (rc >= 0)
        rc = remote_numbers(map, rows, sizeof rows / sizeof rows[0], err);
    if (rc < 0)
        return rc;
    read_id(map, n.tape_id);
    (void)wire_bool(map, "recording", &n.recording, NULL);
    (void)wire_bool(map, "index_used", &n.index_used, NULL);
    n.tracks = (unsigned)tracks;
    n.segments = (unsigned)segments;
    *info = n;
    return 0;
}

struct track_list {
    struct tdk_track_info *items;
    size_t count;
};

static int keep_track(const struct tdk_track_info *track, void *context)
{
    struct track_list *list = context;
    struct tdk_track_info *items = reallocarray(list->items, list->count + 1, sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    list->items = items;
    items[list->count++] = *track;
    return 0;
}

/* All tracks are read before the first is reported, because `each` may send requests of its own. */
int remote_tracks(struct remote *r, int (*each)(const struct tdk_track_info *track, void *context),
                  void *context, struct tdk_err *err)
{
    struct track_list list = {.items = NULL};
    int rc = tdk_client_tracks(r->client, keep_track, &list, err);
    if (rc == -ENOMEM)
        err_set(err, rc, "list tracks");
    for (size_t i = 0; i < list.count && rc == 0; i++)
        rc = each(&list.items[i], context);
    free(list.items);
    return remote_code(rc, err);
}

/* ---- epochs ---- */

struct page {
    const char *track;
    uint64_t after;
};

static void put_page(struct text_buffer *out, const void *context)
{
    const struct page *page = context;
    wire_put_map(out, 2);
    wire_pair_string(out, "track", page->track);
    wire_pair_u64(out, "after", page->after);
}

static int read_epoch(struct wire_list list, uint32_t i, struct tdk_epoch_info *epoch,
                      struct tdk_err *err)
{
    struct wire_map row = {NULL, 0};
    *epoch = (struct tdk_epoch_info){.first_ts = UINT64_MAX};
    const struct remote_number rows[] = {
        {"epoch", &epoch->epoch},       {"first_seq", &epoch->first_seq},
        {"last_seq", &epoch->last_seq}, {"first_ts", &epoch->first_ts},
        {"last_ts", &epoch->last_ts},   {"ticks", &epoch->ticks},
        {"bytes", &epoch->bytes},       {"lost", &epoch->lost},
    };
    int rc = wire_may(wire_item_map(list, i, &row, err), err);
    return rc < 0 ? rc : remote_numbers(row, rows, sizeof rows / sizeof rows[0], err);
}

/* All rows of a page are read before the first is reported, because `each` may send requests of its
 * own. */
static int read_epochs(struct remote *r, struct page *page, struct tdk_epoch_info *epochs,
                       uint32_t *count, bool *more, struct tdk_err *err)
{
    struct wire_map map = {NULL, 0};
    struct wire_list list = {NULL, 0};
    *more = false;
    int rc = remote_call(r, "epochs", put_page, page, &map, err);
    if (rc == 0)
        rc = wire_must(wire_list(map, "epochs", &list, err), "epochs", err);
    *count = list.count;
    uint64_t last = page->after;
    for (uint32_t i = 0; rc >= 0 && i < list.count; i++) {
        rc = read_epoch(list, i, &epochs[i], err);
        if (rc >= 0 && epochs[i].epoch <= last)
            rc = err_say(err, TDK_EFORMAT, "epochs: the answer is out of order");
        last = epochs[i].epoch;
    }
    if (rc >= 0)
        rc = wire_may(wire_bool(map, "more", more, err), err);
    if (rc >= 0 && list.count > 0)
        page->after = epochs[list.count - 1].epoch;
    return rc < 0 ? rc : 0;
}

int remote_epochs(struct remote *r, const char *track,
                  int (*each)(const struct tdk_epoch_info *epoch, void *context), void *context,
                  struct tdk_err *err)
{
    struct page page = {.track = track};
    struct tdk_epoch_info *epochs = calloc(FRAME_ANSWER_ITEMS, sizeof *epochs);
    if (epochs == NULL)
        return err_set(err, -ENOMEM, "list epochs");
    int rc = 0;
    uint32_t count = 1;
    for (bool more = true; rc == 0 && more && count > 0;) {
        rc = read_epochs(r, &page, epochs, &count, &more, err);
        for (uint32_t i = 0; rc == 0 && i < count; i++)
            rc = each(&epochs[i], context);
    }
    free(epochs);
    return rc;
}

/* ---- properties ---- */

struct wish {
    const char *track, *key;
    uint64_t epoch, offset;
};

static void put_wish(struct text_buffer *out, const void *context)
{
    const struct wish *wish = context;
    wire_put_map(out, 4);
    wire_pair_string(out, "track", wish->track);
    wire_pair_string(out, "key", wish->key);
    wire_pair_u64(out, "epoch", wish->epoch);
    wire_pair_u64(out, "offset", wish->offset);
}

int remote_property(struct remote *r, const char *track, uint64_t epoch, const char *key,
                    void **value, size_t *size, struct tdk_err *err)
{
    struct wish wish = {.track = track, .key = key, .epoch = epoch};
    struct text_buffer whole;
    uint64_t total = 1;
    int rc = 0;
    text_init(&whole);
    while (rc == 0 && whole.size < total) {
        struct wire_map map = {NULL, 0};
        struct wire_text part = {"", 0};
        wish.offset = whole.size;
        rc = remote_call(r, "property", put_wish, &wish, &map, err);
        if (rc == 0)
            rc = wire_must(wire_u64(map, "size", &total, err), "size", err);
        rc = rc < 0 ? rc : 0;
        if (rc == 0 && total > PROPERTY_MAX)
            rc = err_say(err, TDK_EFULL, "property %s has %llu bytes, and at most %zu are accepted",
                         key, (unsigned long long)total, PROPERTY_MAX);
        if (rc == 0 && wire_bytes(map, "value", &part, NULL) == 1)
            text_add(&whole, part.bytes, part.size);
        if (rc == 0 && (part.size == 0 || text_error(&whole) < 0))
            break;
    }
    text_add_char(&whole, '\0'); /* so that there is memory even if it is empty */
    if (rc == 0 && text_error(&whole) < 0)
        rc = err_set(err, -ENOMEM, "read a property");
    if (rc < 0) {
        text_close(&whole);
        return rc;
    }
    *value = whole.bytes;
    *size = whole.size - 1;
    return 0;
}

/* ---- ranges ---- */

int remote_count(struct remote *r, const struct tdk_client_query *query,
                 struct tdk_client_count *count, struct tdk_err *err)
{
    return remote_code(tdk_client_count(r->client, query, count, err), err);
}

int remote_query(struct remote *r, const struct tdk_client_query *query, struct tdk_client **client,
                 struct tdk_stream **stream, struct tdk_err *err)
{
    int rc = ask_connect(client, r->where, ASK_REPLAYER, err);
    if (rc < 0)
        return remote_code(rc, err);
    rc = tdk_client_query(*client, query, stream, err);
    if (rc < 0) {
        tdk_client_close(*client);
        *client = NULL;
    }
    return remote_code(rc, err);
}
