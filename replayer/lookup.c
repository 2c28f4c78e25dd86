#include "replayer/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "replayer/coverage_answer.h"
#include "replayer/facts_answer.h"
#include "replayer/inquiry.h"
#include "replayer/replayer.h"
#include "replayer/symbol_page.h"
#include "tape/cursor.h"
#include "wire/frame.h"

struct lookup {
    struct job job;
    struct replayer *replayer; /* borrowed */
    struct request *request;   /* borrowed until it is answered */
    struct lookup *next, **at; /* in the replayer's list */
    atomic_bool ending;        /* nobody waits for its answer any more */
    struct inquiry inquiry;
    struct symbol_page page; /* for symbols */
    struct facts_wish wish;  /* for epochs and property */
    struct coverage_wish coverage;
    char after[TDK_NAME_MAX + 1];
    int (*read)(struct lookup *lookup, struct tdk_err *err); /* on the pool */
    struct text_buffer result;
    int status;
    struct tdk_err err;
};

/* ---- on the pool ---- */

static void run(struct job *job)
{
    struct lookup *l = container_of(job, struct lookup, job);
    l->status = l->ending ? -ECANCELED : l->read(l, &l->err); /* while it stood in the row */
    if (l->status == -ECANCELED)
        err_say(&l->err, -ECANCELED, "%s: the replayer is stopping", l->request->method->name);
    if (l->status == 0 && text_error(&l->result) < 0)
        l->status = err_set(&l->err, -ENOMEM, "make the answer");
}

/* ---- on the loop ---- */

static void enlist(struct lookup *l)
{
    struct lookup **list = &l->replayer->lookups;
    l->next = *list;
    l->at = list;
    if (l->next != NULL)
        l->next->at = &l->next;
    *list = l;
}

static void delist(struct lookup *l)
{
    *l->at = l->next;
    if (l->next != NULL)
        l->next->at = l->at;
}

static void done(struct job *job)
{
    struct lookup *l = container_of(job, struct lookup, job);
    delist(l);
    if (l->status < 0) {
        request_fail(l->request, &l->err);
    } else {
        struct text_buffer *out = request_answer(l->request);
        text_add(out, l->result.bytes, l->result.size);
        request_done(l->request);
    }
    inquiry_close(&l->inquiry);
    symbol_page_close(&l->page);
    text_close(&l->result);
    free(l);
}

/* NULL: the request has been answered with an error. */
static struct lookup *begin(struct request *request,
                            int (*read)(struct lookup *lookup, struct tdk_err *err))
{
    const char *method = request->method->name;
    struct lookup *l = NULL;
    struct tdk_err err;
    if (replayer_of(request)->stopping) /* clients that keep asking must not delay the end */
        err_say(&err, -ECANCELED, "%s: the replayer is stopping", method);
    else if ((l = calloc(1, sizeof *l)) == NULL)
        err_set(&err, -ENOMEM, "%s", method);
    if (l == NULL) {
        request_fail(request, &err);
        return NULL;
    }
    l->job.run = run;
    l->job.done = done;
    l->replayer = replayer_of(request);
    l->request = request;
    l->read = read;
    text_init(&l->result);
    enlist(l);
    l->replayer->counts.lookups++;
    return l;
}

/* The params have been read: queue the job, or answer with what is wrong with them. */
static void go(struct lookup *l, int status, const struct tdk_err *err)
{
    if (status >= 0) {
        jobs_add(&l->replayer->jobs, &l->job);
        return;
    }
    l->status = status;
    l->err = *err;
    done(&l->job);
}

/* ---- tracks ---- */

struct track_rows {
    struct text_buffer *out;
    const char *after;
    uint32_t count;
    bool more;
};

static const char *kind_word(uint8_t kind)
{
    static const char *const words[] = {"mixed", "dbn", "wide", "opaque"};
    return kind < array_size(words) ? words[kind] : "unknown";
}

static int put_track(const struct tdk_track_info *track, void *context)
{
    struct track_rows *rows = context;
    struct text_buffer *out = rows->out;
    bool any = track->first_ts <= track->last_ts;
    if (strcmp(track->name, rows->after) <= 0)
        return 0;
    rows->more = rows->count == FRAME_ANSWER_ITEMS;
    if (rows->more)
        return 1;
    rows->count++;
    wire_put_map(out, 9);
    wire_pair_string(out, "name", track->name);
    wire_pair_u64(out, "id", track->number);
    wire_pair_string(out, "kind", kind_word(track->kind));
    wire_put_string(out, "first_ts");
    any ? wire_put_u64(out, track->first_ts) : wire_put_nil(out);
    wire_put_string(out, "last_ts");
    any ? wire_put_u64(out, track->last_ts) : wire_put_nil(out);
    wire_pair_u64(out, "ticks", track->ticks);
    wire_pair_u64(out, "bytes", track->bytes);
    wire_pair_u64(out, "lost", track->lost);
    wire_pair_u64(out, "epochs", track->epochs);
    return 0;
}

static int read_tracks(struct lookup *l, struct tdk_err *err)
{
    struct track_rows rows = {.out = &l->result, .after = l->after};
    replayer_refresh(l->replayer);
    wire_put_map(&l->result, 2);
    wire_put_string(&l->result, "tracks");
    size_t list = wire_open_list(&l->result);
    int rc = tdk_tape_tracks(l->replayer->tape, put_track, &rows, err);
    wire_close_list(&l->result, list, rows.count);
    wire_pair_bool(&l->result, "more", rows.more);
    return rc < 0 ? rc : 0;
}

static void on_tracks(struct request *request, struct wire_map params)
{
    struct lookup *l = begin(request, read_tracks);
    struct tdk_err err;
    if (l != NULL)
        go(l, wire_string(params, "after", l->after, sizeof l->after, &err), &err);
}

/* ---- symbols ---- */

static int read_symbols(struct lookup *l, struct tdk_err *err)
{
    replayer_refresh(l->replayer);
    return symbol_page_read(&l->page, l->replayer->tape, &l->result, err);
}

static void on_symbols(struct request *request, struct wire_map params)
{
    struct lookup *l = begin(request, read_symbols);
    struct tdk_err err;
    if (l != NULL)
        go(l, symbol_page_take(&l->page, params, &err), &err);
}

/* ---- count ---- */

static bool is_ending(void *lookup)
{
    const struct lookup *l = lookup;
    return l->ending;
}

static int count(struct lookup *l, struct tdk_cursor *cursor, struct tdk_err *err)
{
    struct tdk_run ignored;
    int rc = 1;
    cursor_stop_when(cursor, is_ending, l);
    while (rc == 1 || rc == TDK_ECORRUPT)
        rc = l->ending ? -ECANCELED : tdk_cursor_read(cursor, &ignored, err);
    return rc;
}

static int read_count(struct lookup *l, struct tdk_err *err)
{
    struct tdk_cursor_stats stats;
    struct tdk_cursor *cursor = NULL;
    int rc = replayer_open_cursor(l->replayer, &cursor, &l->inquiry, err);
    if (rc == 0)
        rc = count(l, cursor, err);
    if (rc == 0) {
        tdk_cursor_stats(cursor, &stats);
        wire_put_map(&l->result, 6);
        wire_pair_u64(&l->result, "ticks", stats.ticks);
        wire_pair_u64(&l->result, "bytes", stats.bytes);
        wire_pair_u64(&l->result, "blocks_read", stats.blocks_read);
        wire_pair_u64(&l->result, "blocks_skipped", stats.blocks_skipped);
        wire_pair_u64(&l->result, "lost", stats.lost);
        wire_pair_u64(&l->result, "damaged", stats.damaged_blocks);
    }
    tdk_cursor_close(cursor);
    return rc;
}

static void on_count(struct request *request, struct wire_map params)
{
    struct lookup *l = begin(request, read_count);
    struct tdk_err err;
    if (l == NULL)
        return;
    int rc = inquiry_take(&l->inquiry, params, &err);
    if (rc == 0)
        rc = wire_bool(params, "quick", &l->inquiry.query.count_only, &err);
    l->inquiry.query.control = false; /* the bytes counted are those of ticks */
    go(l, rc, &err);
}

/* ---- coverage ---- */

static int read_coverage(struct lookup *l, struct tdk_err *err)
{
    replayer_refresh(l->replayer);
    l->coverage.query = &l->inquiry.query;
    l->coverage.shelf = &l->replayer->coverages;
    l->coverage.stop = &l->ending;
    return coverage_answer(l->replayer->tape, &l->coverage, &l->result, err);
}

static void on_coverage(struct request *request, struct wire_map params)
{
    struct lookup *l = begin(request, read_coverage);
    struct tdk_err err;
    if (l == NULL)
        return;
    int rc = inquiry_take(&l->inquiry, params, &err);
    if (rc == 0)
        rc = coverage_take_after(&l->coverage, params, &err);
    go(l, rc, &err);
}

/* ---- info, epochs, property ---- */

static int read_info(struct lookup *l, struct tdk_err *err)
{
    replayer_refresh(l->replayer);
    return facts_info(l->replayer->tape, &l->result, err);
}

static void on_info(struct request *request, struct wire_map params)
{
    struct lookup *l = begin(request, read_info);
    (void)params;
    if (l != NULL)
        go(l, 0, NULL);
}

static int read_epochs(struct lookup *l, struct tdk_err *err)
{
    replayer_refresh(l->replayer);
    return facts_epochs(l->replayer->tape, &l->wish, &l->result, err);
}

static void on_epochs(struct request *request, struct wire_map params)
{
    struct lookup *l = begin(request, read_epochs);
    struct tdk_err err;
    if (l != NULL)
        go(l, facts_take_epochs(&l->wish, params, &err), &err);
}

static int read_property(struct lookup *l, struct tdk_err *err)
{
    replayer_refresh(l->replayer);
    return facts_property(l->replayer->tape, &l->wish, &l->result, err);
}

static void on_property(struct request *request, struct wire_map params)
{
    struct lookup *l = begin(request, read_property);
    struct tdk_err err;
    if (l != NULL)
        go(l, facts_take_property(&l->wish, params, &err), &err);
}

const struct method lookup_methods[] = {
    {.name = "info", .flags = METHOD_BATCH, .call = on_info},
    {.name = "epochs", .flags = METHOD_BATCH, .call = on_epochs},
    {.name = "property", .flags = METHOD_BATCH, .call = on_property},
    {.name = "tracks", .flags = METHOD_BATCH, .call = on_tracks},
    {.name = "symbols", .flags = METHOD_BATCH, .call = on_symbols},
    {.name = "count", .flags = METHOD_BATCH, .call = on_count},
    {.name = "coverage", .flags = METHOD_BATCH, .call = on_coverage},
    {.name = NULL},
};

/* ---- the replayer's ---- */

/* Each of them is read no further, and comes back when its job sees it. */
void lookup_gone(struct replayer *r, const struct connection *c)
{
    for (struct lookup *l = r->lookups; l != NULL; l = l->next)
        if (l->request->connection == c)
            l->ending = true;
}

void lookup_stop(struct replayer *r)
{
    for (struct lookup *l = r->lookups; l != NULL; l = l->next)
        l->ending = true;
}
