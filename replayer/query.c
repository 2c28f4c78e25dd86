#include "replayer/query.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "daemon/connection.h"
#include "replayer/outstanding.h"
#include "replayer/replayer.h"

#define CREDIT_DEFAULT (UINT64_C(4) << 20)
#define HEARTBEAT_NS   (5 * NS_PER_S)
#define BATCHES        8u /* of one stream, on their way at a time */
#define BATCH_MIN      ((size_t)64 << 10)
#define BATCH_MAX      ((size_t)1 << 20)

/* A batch of frames on its way to the client. */
struct batch {
    struct outgoing outgoing;
    struct query_stream *stream;
    struct batch_memory *memory; /* NULL: not in use */
    char head[WIRE_DATA_HEAD];
};

struct query_stream {
    struct job job;
    struct replayer *replayer;     /* borrowed */
    struct connection *connection; /* borrowed; NULL: it is gone */
    struct request *request;       /* kept until {stream} is answered */
    struct query_stream *next, **at;
    uint64_t id;
    struct inquiry inquiry;
    struct fill fill; /* belongs to the pool while busy */
    struct batch batches[BATCHES];
    struct batch *filling;
    size_t outstanding; /* memory of its batches, in bytes */
    uint64_t credit;    /* bytes that may still be filled */
    uint64_t spoke_ns;  /* when the client last heard from it */
    uint64_t damaged;
    unsigned sending;   /* batches on their way */
    bool busy;          /* a job is queued or running */
    atomic_bool ending; /* nothing more is read; `end` is its error, code 0: none */
    bool wants_memory;
    struct tdk_err end;
};

static void step(struct query_stream *s);

/* ---- memory ---- */

/* How much memory a stream may have: its share of what its connection may have, and of what all
 * may. */
static size_t share_of(const struct query_stream *s)
{
    const struct replay_config *c = s->replayer->config;
    uint64_t of_client =
        c->outstanding_client / (s->connection != NULL ? s->connection->streams : 1);
    uint64_t of_all = c->outstanding / s->replayer->stream_count;
    return (size_t)(of_client < of_all ? of_client : of_all);
}

/* If a stream is its client's only one, it gets large batches, so that a late turn of the loop does
 * not leave the socket empty. */
static size_t batch_size(const struct query_stream *s)
{
    size_t size = share_of(s) / BATCHES;
    size = size < BATCH_MIN ? BATCH_MIN : size < BATCH_MAX ? size : BATCH_MAX;
    return size & ~(size_t)7;
}

static size_t held_by(const struct replayer *r, const struct connection *c)
{
    size_t held = 0;
    for (const struct query_stream *s = r->streams; s != NULL; s = s->next)
        held += s->connection == c ? s->outstanding : 0;
    return held;
}

/* Every stream may have one batch, even one as large as the largest frame. */
static bool may_take(const struct query_stream *s, size_t size)
{
    const struct replayer *r = s->replayer;
    if (!outstanding_has_room(r, size))
        return false;
    return s->outstanding == 0 ||
           (s->outstanding + size <= share_of(s) &&
            held_by(r, s->connection) + size <= r->config->outstanding_client);
}

/* The size of the next batch, if it may be read: no more than was granted, but room for a whole
 * frame. */
static size_t next_size(const struct query_stream *s)
{
    size_t size = batch_size(s);
    if (s->credit < size)
        size = align_up((size_t)s->credit, 8);
    return s->fill.need > size ? s->fill.need : size;
}

static void wake_one(struct replayer *r)
{
    for (struct query_stream *s = r->streams; s != NULL; s = s->next)
        if (s->wants_memory && may_take(s, next_size(s))) {
            s->wants_memory = false;
            step(s);
            return;
        }
}

static void give_memory(struct replayer *r, struct batch_memory *m)
{
    outstanding_give(r, m);
    wake_one(r);
}

/* Detach the memory of a batch that was not sent, or whose bytes were taken. */
static struct batch_memory *let_go(struct batch *b)
{
    struct batch_memory *m = b->memory;
    b->stream->outstanding -= m->room;
    b->memory = NULL;
    return m;
}

/* ---- the end of a stream ---- */

static void unlink_stream(struct query_stream *s)
{
    *s->at = s->next;
    if (s->next != NULL)
        s->next->at = s->at;
    s->replayer->stream_count--;
}

static void free_stream(struct query_stream *s)
{
    unlink_stream(s);
    if (s->connection != NULL)
        connection_release(s->connection);
    fill_close(&s->fill);
    inquiry_close(&s->inquiry);
    free(s);
}

/* {stream, ticks, bytes, lost, damaged, digest, complete, error?} */
static void tell_end(struct query_stream *s)
{
    struct tdk_cursor_stats stats = {.ticks = 0};
    struct text_buffer out;
    uint8_t value[16];
    char hex[33] = "";
    tdk_cursor_stats(s->fill.cursor, &stats);
    if (s->fill.digest != NULL)
        tdk_digest_value(s->fill.digest, value, hex);
    bool whole = s->end.code == 0;
    text_init(&out);
    wire_begin_notification(&out, "end");
    wire_put_map(&out, whole ? 7 : 8);
    wire_pair_u64(&out, "stream", s->id);
    wire_pair_u64(&out, "ticks", s->fill.ticks);
    wire_pair_u64(&out, "bytes", s->fill.bytes);
    wire_pair_u64(&out, "lost", stats.lost);
    wire_pair_u64(&out, "damaged", s->damaged);
    wire_pair_string(&out, "digest", hex);
    wire_pair_bool(&out, "complete", whole && stats.lost == 0 && s->damaged == 0);
    if (!whole) {
        wire_put_string(&out, "error");
        wire_put_error(&out, &s->end, 0);
    }
    connection_send(s->connection, &out);
    text_close(&out);
}

static void finish(struct query_stream *s)
{
    struct replay_counts *counts = &s->replayer->counts;
    counts->streams_ended++;
    counts->streams_cancelled += s->end.code != 0;
    if (s->connection != NULL)
        tell_end(s);
    free_stream(s);
}

static void cancel(struct query_stream *s, const char *why)
{
    if (!s->ending)
        err_say(&s->end, -ECANCELED, "%s", why);
    s->ending = true;
    step(s);
}

/* ---- data ---- */

static void on_sent(struct outgoing *outgoing, int status)
{
    struct batch *b = container_of(outgoing, struct batch, outgoing);
    struct query_stream *s = b->stream;
    struct replayer *r = s->replayer;
    struct batch_memory *m = let_go(b);
    (void)status; /* a broken connection is reported elsewhere */
    s->sending--;
    step(s); /* the last batch frees the stream */
    give_memory(r, m);
}

static void send_batch(struct query_stream *s, struct batch *b)
{
    struct batch_memory *m = b->memory;
    struct replayer *r = s->replayer;
    wire_data_head(b->head, s->id, m->ticks, (uint32_t)m->size);
    b->outgoing.parts[0] = uv_buf_init(b->head, sizeof b->head);
    b->outgoing.parts[1] = uv_buf_init((char *)m->bytes, (unsigned)m->size);
    b->outgoing.count = 2;
    b->outgoing.sent = on_sent;
    r->counts.ticks += m->ticks;
    r->counts.bytes += m->size;
    if (s->connection == NULL || connection_send_in_place(s->connection, &b->outgoing) < 0) {
        give_memory(r, let_go(b));
        return;
    }
    s->sending++;
    s->spoke_ns = clock_mono();
}

/* Send {stream, segment, offset, track, reason}, in its place among the data. */
static void tell_damage(struct query_stream *s)
{
    const struct tdk_damage *d = &s->fill.damage;
    struct text_buffer out;
    s->damaged++;
    s->replayer->counts.damaged++;
    if (s->connection == NULL)
        return;
    text_init(&out);
    wire_begin_notification(&out, "damage");
    wire_put_map(&out, 5);
    wire_pair_u64(&out, "stream", s->id);
    wire_pair_u64(&out, "segment", d->segment);
    wire_pair_u64(&out, "offset", d->offset);
    wire_pair_string(&out, "track", d->track);
    wire_pair_string(&out, "reason", s->fill.err.text);
    connection_send(s->connection, &out);
    text_close(&out);
}

static void run_fill(struct job *job)
{
    fill_run(&container_of(job, struct query_stream, job)->fill);
}

static void on_filled(struct job *job)
{
    struct query_stream *s = container_of(job, struct query_stream, job);
    struct batch *b = s->filling;
    s->busy = false;
    s->filling = NULL;
    s->credit -= b->memory->size;
    if (b->memory->size > 0)
        send_batch(s, b);
    else
        give_memory(s->replayer, let_go(b));
    if (s->fill.stop == FILL_DAMAGE)
        tell_damage(s);
    if (s->fill.stop == FILL_FAILED && !s->ending)
        s->end = s->fill.err;
    s->ending = s->ending || s->fill.stop == FILL_END || s->fill.stop == FILL_FAILED;
    step(s);
}

static struct batch *free_batch(struct query_stream *s)
{
    for (size_t i = 0; i < array_size(s->batches); i++)
        if (s->batches[i].memory == NULL)
            return &s->batches[i];
    return NULL;
}

/* Read on if the client has granted it and has taken what was sent, and if there is memory. */
static void fill_next(struct query_stream *s)
{
    struct replayer *r = s->replayer;
    struct batch *b = free_batch(s);
    if (b == NULL || s->credit == 0 || s->credit < s->fill.need)
        return;
    size_t size = next_size(s);
    b->memory = may_take(s, size) ? outstanding_take(r, size) : NULL;
    if (b->memory == NULL) {
        s->wants_memory = true;
        r->counts.waits++;
        return;
    }
    b->stream = s;
    s->outstanding += b->memory->room;
    s->wants_memory = false;
    s->filling = b;
    s->busy = true;
    s->fill.into = b->memory;
    s->fill.limit = s->credit < size ? (size_t)s->credit : size;
    s->job.run = run_fill;
    s->job.done = on_filled;
    jobs_add(&r->jobs, &s->job);
}

/* Do whatever comes next. It may free the stream. */
static void step(struct query_stream *s)
{
    if (s->busy || s->request != NULL)
        return;
    if (!s->ending)
        fill_next(s);
    else if (s->sending == 0)
        finish(s);
}

/* ---- query ---- */

static void run_open(struct job *job)
{
    struct query_stream *s = container_of(job, struct query_stream, job);
    s->fill.stop = FILL_MORE;
    if (fill_open(&s->fill, s->replayer, &s->inquiry) < 0)
        s->fill.stop = FILL_FAILED;
}

static void on_opened(struct job *job)
{
    struct query_stream *s = container_of(job, struct query_stream, job);
    struct request *request = s->request;
    s->busy = false;
    s->request = NULL;
    if (s->fill.stop == FILL_FAILED) {
        struct tdk_err err = s->fill.err;
        free_stream(s);
        request_fail(request, &err);
        return;
    }
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 1);
    wire_pair_u64(out, "stream", s->id);
    request_done(request);
    s->spoke_ns = clock_mono();
    step(s);
}

static int check_room(const struct replayer *r, struct tdk_err *err)
{
    if (r->stopping)
        return err_say(err, -ECANCELED, "query: the replayer is stopping");
    if (r->stream_count >= r->config->streams)
        return err_say(err, TDK_EFULL, "query: %u streams are open, and there can be no more",
                       r->stream_count);
    return 0;
}

static int begin(struct request *request, struct wire_map params, struct tdk_err *err)
{
    struct replayer *r = replayer_of(request);
    int rc = check_room(r, err);
    if (rc < 0)
        return rc;
    struct query_stream *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "query");
    s->credit = CREDIT_DEFAULT;
    rc = wire_u64(params, "credit", &s->credit, err);
    if (rc >= 0)
        rc = inquiry_take(&s->inquiry, params, err);
    if (rc == 0)
        rc = connection_hold(request->connection, err);
    if (rc < 0) {
        inquiry_close(&s->inquiry);
        free(s);
        return rc;
    }
    s->fill.ending = &s->ending;
    s->replayer = r;
    s->connection = request->connection;
    s->request = request;
    s->id = ++r->stream_numbers;
    s->next = r->streams;
    s->at = &r->streams;
    if (s->next != NULL)
        s->next->at = &s->next;
    r->streams = s;
    r->stream_count++;
    r->counts.streams_begun++;
    s->busy = true;
    s->job.run = run_open;
    s->job.done = on_opened;
    jobs_add(&r->jobs, &s->job);
    return 0;
}

static void on_query(struct request *request, struct wire_map params)
{
    struct tdk_err err;
    if (begin(request, params, &err) == 0)
        return;
    replayer_of(request)->counts.streams_refused++;
    request_fail(request, &err);
}

/* ---- notifications ---- */

static struct query_stream *find(struct connection *c, struct wire_map params)
{
    struct replayer *r = c->server->options.context;
    uint64_t id = 0;
    if (wire_u64(params, "stream", &id, NULL) <= 0)
        return NULL;
    struct query_stream *s = r->streams;
    while (s != NULL && (s->id != id || s->connection != c))
        s = s->next;
    return s;
}

/* Credit for a stream that has ended was under way when it ended, and is ignored. */
static void on_credit(struct connection *c, struct wire_map params)
{
    struct query_stream *s = find(c, params);
    uint64_t bytes = 0;
    if (s == NULL || wire_u64(params, "bytes", &bytes, NULL) <= 0)
        return;
    s->credit = bytes < UINT64_MAX - s->credit ? s->credit + bytes : UINT64_MAX;
    step(s);
}

static void on_cancel(struct connection *c, struct wire_map params)
{
    struct query_stream *s = find(c, params);
    if (s != NULL)
        cancel(s, "the client cancelled it");
}

const struct method query_methods[] = {
    {.name = "query", .call = on_query},
    {.name = "credit", .note = on_credit},
    {.name = "cancel", .note = on_cancel},
    {.name = NULL},
};

/* ---- the replayer's ---- */

void query_gone(struct replayer *r, struct connection *c)
{
    for (struct query_stream *s = r->streams, *next; s != NULL; s = next) {
        next = s->next;
        if (s->connection != c)
            continue;
        connection_release(c);
        s->connection = NULL;
        cancel(s, "the client is gone");
    }
}

void query_tend(struct replayer *r)
{
    uint64_t now_ns = clock_mono();
    struct text_buffer out;
    text_init(&out);
    for (struct query_stream *s = r->streams, *next; s != NULL; s = next) {
        next = s->next;
        if (s->connection == NULL || s->request != NULL || now_ns - s->spoke_ns < HEARTBEAT_NS ||
            connection_queued(s->connection) != 0)
            continue;
        text_clear(&out);
        wire_begin_notification(&out, "heartbeat");
        wire_put_map(&out, 1);
        wire_pair_u64(&out, "stream", s->id);
        s->spoke_ns = now_ns;
        r->counts.heartbeats++;
        connection_send(s->connection, &out);
    }
    text_close(&out);
}

void query_stop(struct replayer *r)
{
    for (struct query_stream *s = r->streams, *next; s != NULL; s = next) {
        next = s->next;
        cancel(s, "the replayer is stopping");
    }
}
