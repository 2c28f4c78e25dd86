/*
 * connection_input.c - what a peer sends: bytes become messages, and a message that may be looked
 * at now is a request or a notification.
 *
 *     on_read -> connection_take_input -> take_some -> take_message ; the rest waits in c->in
 */
#include "daemon/connection.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "daemon/audit.h"
#include "daemon/passed.h"

#define MESSAGES_A_TURN 64u

/* ---- messages ---- */

/* May the next message be looked at? */
static bool can_take(const struct connection *c)
{
    const struct audit *audit = c->server->audit;
    return !connection_is_gone(c) && !c->is_broken && !c->asked &&
           connection_queued(c) < SERVER_OUTPUT_MAX && (audit == NULL || !audit_is_full(audit));
}

static void malformed(struct connection *c, const struct tdk_err *err)
{
    c->server->counts.malformed++;
    connection_break(c, err);
}

static void take_notification(struct connection *c, const struct wire_message *m)
{
    const struct method *method = server_method(c->server, m->method);
    c->server->counts.notifications++;
    if (c->state == CONNECTION_GREETED && method != NULL && method->note != NULL)
        method->note(c, m->params);
}

static void take_request(struct connection *c, const struct wire_message *m)
{
    c->request = (struct request){.connection = c, .id = m->id};
    c->asked = true;
    c->asked_ns = clock_mono();
    c->refs++;
    c->server->counts.requests++;
    request_start(&c->request, m->method, m->params);
}

static void take_message(struct connection *c, const char *bytes, size_t size)
{
    struct wire_message m;
    struct tdk_err err;
    if (wire_decode(c->server->decoder, bytes, size, &m, &err) < 0) {
        malformed(c, &err);
    } else if (m.kind == WIRE_RESPONSE) {
        err_say(&err, TDK_EFORMAT, "not a request: a response, although nothing was asked of you");
        malformed(c, &err);
    } else if (m.kind == WIRE_NOTIFICATION) {
        take_notification(c, &m);
    } else {
        take_request(c, &m);
    }
}

/* Take whole messages from the front of these bytes, as many as may be looked at now. Returns how
 * many bytes they took. */
static size_t take_some(struct connection *c, const char *bytes, size_t size)
{
    size_t used = 0, walked;
    struct tdk_err err;
    for (unsigned i = 0; i < MESSAGES_A_TURN && can_take(c); i++) {
        size_t known = used + (size_t)c->frame.size;
        if (known == size)
            break;
        int rc = frame_walk(&c->frame, bytes + known, size - known, &walked, &err);
        if (rc < 0)
            malformed(c, &err);
        if (rc != 1)
            break;
        size_t whole = (size_t)c->frame.size;
        frame_begin(&c->frame, &frame_from_client);
        take_message(c, bytes + used, whole);
        used += whole;
    }
    return used;
}

/* ---- files ---- */

int connection_take_file(struct connection *c)
{
    int file = c->file;
    c->file = -1;
    return file;
}

/* A file that was passed with these bytes waits for the request that asks for it. */
static void keep_files(struct connection *c)
{
    struct tdk_err err;
    int file, rc = 0;
    if (!c->local || !c->server->options.takes_files)
        return;
    while ((file = passed_take(c->server, &c->uv.pipe)) >= 0) {
        if (c->file < 0 && !connection_is_gone(c)) {
            c->file = file;
            continue;
        }
        close(file);
        rc = TDK_EVALUE;
    }
    if (rc < 0) {
        err_say(&err, rc, "a second file came before the first was asked for");
        connection_break(c, &err);
    } else if (file != -EAGAIN) {
        err_set(&err, file, "take a file");
        connection_break(c, &err);
    }
}

/* ---- bytes ---- */

/* Keep what is left: it waits for the rest of a message, or for its turn. */
static void keep(struct connection *c, const char *bytes, size_t size)
{
    char *at = c->in.bytes;
    if (bytes == NULL) {
        text_close(&c->in);
        return;
    }
    if (at == NULL)
        at = text_reserve(&c->in, size);
    if (at == NULL) {
        connection_close(c);
        return;
    }
    memmove(at, bytes, size);
    c->in.size = size;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

void connection_set_reading(struct connection *c)
{
    bool want = !c->ended && c->in.size < FRAME_REQUEST_SIZE;
    if (want == c->reading)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop(&c->uv.stream);
    else if (uv_read_start(&c->uv.stream, on_alloc, on_read) < 0)
        connection_close(c);
}

void connection_take_input(struct connection *c, const char *bytes, size_t size)
{
    c->is_taking = true;
    size_t used = take_some(c, bytes, size);
    c->is_taking = false;
    if (connection_is_gone(c))
        return;
    keep(c, used < size ? bytes + used : NULL, size - used); /* no arithmetic: bytes may be NULL */
    bool half = c->in.size == c->frame.size;                 /* all that is here was looked at */
    if (!half || !frame_is_begun(&c->frame))
        c->begun_ns = 0;
    else if (c->begun_ns == 0)
        c->begun_ns = clock_mono();
    if (!half && can_take(c))
        connection_wake(c);
    if (half && c->ended && !c->asked && connection_queued(c) == 0)
        connection_close(c);
    if (!connection_is_gone(c))
        connection_set_reading(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = container_of(handle, struct connection, uv.handle);
    size_t waits = connection_is_gone(c) ? 0 : c->in.size;
    (void)suggested;
    *buf = uv_buf_init(c->server->scratch, (unsigned)(FRAME_REQUEST_SIZE - waits));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = container_of(stream, struct connection, uv.stream);
    if (n == 0)
        return;
    if (n > 0)
        keep_files(c);
    if (c->state == CONNECTION_LEAVING && n > 0)
        return; /* thrown away */
    if (n != UV_EOF && n < 0) {
        connection_close(c);
        return;
    }
    if (n < 0) { /* earlier requests are still answered; streams, which never end, are over */
        c->ended = true;
        if (!c->local)
            c->asked_ns = 0; /* a heartbeat is due: it shows whether anybody is there */
        if (c->streams > 0 || connection_is_gone(c) || connection_is_deaf(c))
            connection_close(c);
        else
            connection_take_input(c, c->in.bytes, c->in.size);
        return;
    }
    c->heard_ns = clock_mono();
    if (c->in.size == 0) {
        connection_take_input(c, buf->base, (size_t)n);
        return;
    }
    text_add(&c->in, buf->base, (size_t)n);
    if (text_error(&c->in) < 0)
        connection_close(c);
    else
        connection_take_input(c, c->in.bytes, c->in.size);
}
