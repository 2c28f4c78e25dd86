/* stream.c - the client's end of a query: from data messages to runs of frames of one track. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/batch.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/name.h"
#include "base/quantity.h"
#include "wire/client.h"

#define CREDIT_DEFAULT ((UINT64_C(36) << 20))
#define TRACKS_MAX     65536u
#define CANCEL_NS      (30 * NS_PER_S) /* for its end to come, where silence may last for ever */

/* The name of a track's number, and its epoch, as of the last TRACK frame. */
struct told {
    uint64_t epoch;
    char name[TDK_NAME_MAX + 1];
};

struct tdk_stream {
    struct tdk_client *client; /* borrowed */
    uint64_t id;
    uint64_t credit, taken;      /* granted at first; taken and not yet granted again */
    uint64_t ticks;              /* received so far */
    const unsigned char *frames; /* of the current message, in the client's memory */
    size_t size, at;
    struct told **tracks; /* owned, by number */
    bool ended;           /* nothing more will come */
    int status;           /* how it ended: 0, or the reason */
    struct tdk_err err;
    struct tdk_stream_stats stats;
};

static int fail(struct tdk_stream *s, int code, const struct tdk_err *err)
{
    s->ended = true;
    s->status = code;
    s->err = *err;
    return code;
}

/* ---- frames ---- */

static int refuse(struct tdk_stream *s, const char *why, struct tdk_err *err)
{
    err_say(err, TDK_EFORMAT, "read from %s: %s", s->client->address, why);
    return fail(s, TDK_EFORMAT, err);
}

/* Is there a whole frame? Nothing of it is trusted before this check. */
static bool is_whole(const struct tdk_stream *s, size_t at)
{
    size_t rest = s->size - at;
    if (rest < sizeof(struct tdk_frame))
        return false;
    const struct tdk_frame *frame = (const void *)(s->frames + at);
    return frame->size <= TDK_PAYLOAD_HARD_MAX && tdk_frame_span(frame->size) <= rest;
}

/* False: it is no valid TRACK frame, or there is no memory. A number has one name in a stream,
 * because the caller may still hold runs that were read before. */
static bool learn_track(struct tdk_stream *s, const struct tdk_frame *frame)
{
    const struct tdk_track_head *head = (const void *)(frame + 1);
    const char *name = (const char *)(head + 1);
    if (frame->size < sizeof *head || head->name_size > frame->size - sizeof *head ||
        !name_is_valid(name, head->name_size))
        return false;
    struct told *told = s->tracks[head->number];
    if (told == NULL) {
        told = s->tracks[head->number] = calloc(1, sizeof *told);
        if (told == NULL)
            return false;
        memcpy(told->name, name, head->name_size);
    }
    told->epoch = head->epoch;
    return strlen(told->name) == head->name_size && memcmp(told->name, name, head->name_size) == 0;
}

/* 1: a run from s->at on. 0: there were only names. */
static int take_run(struct tdk_stream *s, struct tdk_run *run, struct tdk_err *err)
{
    size_t at = s->at;
    uint64_t ticks = 0;
    const struct tdk_frame *first = (const void *)(s->frames + at);
    while (at < s->size) {
        const struct tdk_frame *frame = (const void *)(s->frames + at);
        if (!is_whole(s, at))
            return refuse(s, "frames that do not end where they should", err);
        if (frame->type == TDK_TYPE_TRACK || frame->track != first->track)
            break;
        ticks += (uint64_t)tdk_frame_is_tick(frame);
        at += tdk_frame_span(frame->size);
    }
    size_t size = at - s->at;
    s->at = at;
    s->ticks += ticks;
    if (size == 0) { /* a name comes first */
        s->at += tdk_frame_span(first->size);
        return learn_track(s, first) ? 0 : refuse(s, "a TRACK frame that names none", err);
    }
    const struct told *told = s->tracks[first->track];
    if (told == NULL)
        return refuse(s, "ticks of a track that was not named", err);
    *run = (struct tdk_run){.frames = first,
                            .size = size,
                            .ticks = ticks,
                            .epoch = told->epoch,
                            .track = told->name,
                            .number = first->track};
    return 1;
}

/* ---- messages ---- */

/* Grant again what was taken, a quarter of the credit at a time. So there is always room for the
 * largest frame. */
static int grant(struct tdk_stream *s, struct tdk_err *err)
{
    s->taken += s->size;
    s->size = s->at = 0;
    if (s->taken < s->credit / 4)
        return 0;
    struct text_buffer *out = client_begin_notification(s->client, "credit");
    wire_put_map(out, 2);
    wire_pair_u64(out, "stream", s->id);
    wire_pair_u64(out, "bytes", s->taken);
    s->taken = 0;
    int rc = client_send(s->client, err);
    /* The peer may have ended meanwhile, and said so before it closed. */
    return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

/* Frames are read where they lie. If they are not aligned there, they are moved a little. */
static int on_data(struct tdk_stream *s, struct wire_map params, struct tdk_err *err)
{
    struct wire_text frames = {NULL, 0};
    int rc = wire_must(wire_bytes(params, "frames", &frames, err), "frames", err);
    if (rc < 0)
        return fail(s, rc, err);
    size_t from = frames.size > 0 ? (size_t)(frames.bytes - s->client->in.bytes) : 0;
    size_t to = from & ~(size_t)7;
    if (from != to)
        memmove(s->client->in.bytes + to, frames.bytes, frames.size);
    s->frames = (const unsigned char *)s->client->in.bytes + to;
    s->size = frames.size;
    s->at = 0;
    return 0;
}

static int on_damage(struct wire_map params, struct tdk_err *err)
{
    struct wire_text reason = {"a part of the tape cannot be read", 33};
    (void)wire_text(params, "reason", &reason, NULL);
    return err_say(err, TDK_ECORRUPT, "%.*s", (int)(reason.size < 480 ? reason.size : 480),
                   reason.bytes);
}

static int on_end(struct tdk_stream *s, struct wire_map params, struct tdk_err *err)
{
    struct tdk_stream_stats *stats = &s->stats;
    struct wire_map error = {NULL, 0};
    struct tdk_err told;
    s->ended = true;
    (void)wire_u64(params, "ticks", &stats->ticks, NULL);
    (void)wire_u64(params, "bytes", &stats->bytes, NULL);
    (void)wire_u64(params, "lost", &stats->lost, NULL);
    (void)wire_u64(params, "damaged", &stats->damaged, NULL);
    (void)wire_bool(params, "complete", &stats->complete, NULL);
    (void)wire_string(params, "digest", stats->digest, sizeof stats->digest, NULL);
    int rc = wire_may(wire_map(params, "error", &error, err), err);
    if (rc < 0)
        return fail(s, rc, err);
    if (rc == 0 && stats->ticks != s->ticks) {
        err_say(err, TDK_EFORMAT, "read from %s: %" PRIu64 " %s came, and it says %" PRIu64,
                s->client->address, s->ticks, quantity_word(s->ticks, "tick", "ticks"),
                stats->ticks);
        return fail(s, TDK_EFORMAT, err);
    }
    if (rc == 0)
        return 0;
    if (!wire_get_error(error, &told))
        err_say(&told, TDK_EFORMAT, "it ended with an error that has no code");
    return fail(s, err_say(err, told.code, "%s", told.text), &told);
}

/* No request of ours is open now. So this answer is about the connection, and the last message. */
static int on_answer(struct tdk_stream *s, const struct wire_message *m, struct tdk_err *err)
{
    struct tdk_err told;
    if (!m->failed || !wire_get_error(m->error, &told))
        err_say(&told, TDK_EFORMAT, "read from %s: an answer to no request", s->client->address);
    return fail(s, err_say(err, told.code, "%s", told.text), &told);
}

/* The next message that is about this stream. */
static int hear(struct tdk_stream *s, struct tdk_err *err)
{
    struct wire_message m;
    uint64_t id = 0;
    int rc = client_next(s->client, &m, err);
    if (rc < 0)
        return fail(s, rc, err);
    if (m.kind == WIRE_RESPONSE)
        return on_answer(s, &m, err);
    if (wire_u64(m.params, "stream", &id, NULL) != 1) {
        client_pass_on(s->client);
        return 0;
    }
    if (id != s->id)
        return 0;
    if (wire_text_is(m.method, "data"))
        return on_data(s, m.params, err);
    if (wire_text_is(m.method, "damage"))
        return on_damage(m.params, err);
    return wire_text_is(m.method, "end") ? on_end(s, m.params, err) : 0;
}

int tdk_stream_read(struct tdk_stream *s, struct tdk_run *run, struct tdk_err *err)
{
    struct tdk_err own;
    if (err == NULL)
        err = &own;
    for (;;) {
        if (s->ended) {
            if (s->status < 0)
                *err = s->err;
            return s->status;
        }
        int rc = 0;
        while (rc == 0 && s->at < s->size)
            rc = take_run(s, run, err);
        if (rc == 0 && s->size > 0)
            rc = grant(s, err);
        if (rc == 0)
            rc = hear(s, err);
        if (rc != 0)
            return rc;
    }
}

/* 0: there is enough, or it is the end. */
static int collect(struct tdk_stream *s, struct batch *b, size_t enough, struct tdk_err *err)
{
    int rc = 1;
    struct tdk_run run;
    while (rc == 1 && b->batch->size < enough) {
        rc = tdk_stream_read(s, &run, err);
        if (rc == 1 && !batch_add(b, &run)) {
            err_set(err, -ENOMEM, "read from %s", s->client->address);
            return fail(s, -ENOMEM, err); /* or the run would be missing from what comes next */
        }
    }
    return rc < 0 ? rc : 0;
}

int tdk_stream_batch(struct tdk_stream *s, size_t enough, struct tdk_batch **batch,
                     struct tdk_err *err)
{
    struct batch b;
    struct tdk_err told;
    int rc = batch_begin(&b);
    if (rc < 0)
        return err_set(err, rc, "read from %s", s->client->address);
    rc = batch_give(&b, collect(s, &b, enough == 0 ? 1 : enough, &told), batch);
    if (rc < 0 && err != NULL)
        *err = told;
    return rc;
}

/* ---- open, close ---- */

void tdk_stream_stats(const struct tdk_stream *s, struct tdk_stream_stats *stats)
{
    *stats = s->stats;
}

static int begin(struct tdk_stream *s, const struct tdk_client_query *query, struct tdk_err *err)
{
    struct wire_map result = {NULL, 0};
    struct text_buffer *out = client_begin(s->client, "query");
    client_put_query(out, query, 2);
    wire_pair_u64(out, "credit", s->credit);
    wire_pair_bool(out, "digest", !query->no_digest);
    int rc = client_call(s->client, NULL, NULL, &result, err);
    if (rc == 0)
        rc = wire_must(wire_u64(result, "stream", &s->id, err), "stream", err);
    return rc < 0 ? rc : 0;
}

int tdk_client_query(struct tdk_client *c, const struct tdk_client_query *query,
                     struct tdk_stream **stream, struct tdk_err *err)
{
    struct tdk_stream *s = calloc(1, sizeof *s);
    struct told **tracks = calloc(TRACKS_MAX, sizeof(struct told *));
    if (s == NULL || tracks == NULL) {
        free(s);
        free(tracks);
        return err_set(err, -ENOMEM, "query %s", c->address);
    }
    s->client = c;
    s->tracks = tracks;
    s->credit = query->credit > 0 ? query->credit : CREDIT_DEFAULT;
    int rc = begin(s, query, err);
    if (rc < 0) {
        free(tracks);
        free(s);
        return rc;
    }
    c->streaming = true;
    *stream = s;
    return 0;
}

/* No more than the credit is on its way. Who sends on is not listened to any longer, nor who only
 * says for so long that he is at work. */
static void cancel(struct tdk_stream *s)
{
    struct tdk_client *c = s->client;
    const uint64_t most = s->credit + FRAME_ANSWER_SIZE, begun_ns = clock_mono();
    struct text_buffer *out = client_begin_notification(c, "cancel");
    wire_put_map(out, 1);
    wire_pair_u64(out, "stream", s->id);
    if (client_send(c, NULL) < 0)
        return;
    const uint64_t timeout_ns = c->timeout_ns;
    c->timeout_ns = timeout_ns != 0 ? timeout_ns : CANCEL_NS;
    for (uint64_t heard = 0; !s->ended && heard <= most && clock_mono() - begun_ns < c->timeout_ns;
         heard += c->used)
        (void)hear(s, &s->err);
    c->timeout_ns = timeout_ns;
    if (!s->ended)
        tdk_client_hang_up(c);
}

void tdk_stream_close(struct tdk_stream *s)
{
    if (s == NULL)
        return;
    if (!s->ended)
        cancel(s);
    s->client->streaming = false;
    for (size_t i = 0; i < TRACKS_MAX; i++)
        free(s->tracks[i]);
    free(s->tracks);
    free(s);
}
