#include "daemon/connection.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/passed.h"

#define MESSAGES_A_TURN 64u
#define LINGER_NS       (500 * NS_PER_MS) /* for the peer to read our last words */
#define HEARTBEAT_NS    (5 * NS_PER_S)    /* how long a request may be worked on without a word */

/* ---- lists ---- */

static void list_add(struct connection **list, struct connection *c)
{
    c->next = *list;
    c->at = list;
    if (c->next != NULL)
        c->next->at = &c->next;
    *list = c;
}

static void list_remove(struct connection *c)
{
    *c->at = c->next;
    if (c->next != NULL)
        c->next->at = c->at;
}

/* The slot becomes free when the handle, the request and the turn are all gone. */
static void unref(struct connection *c)
{
    struct server *s = c->server;
    assert(c->refs > 0);
    if (--c->refs > 0)
        return;
    text_close(&c->in);
    if (c->file >= 0)
        close(c->file);
    c->state = CONNECTION_FREE;
    c->next = s->free;
    s->free = c;
}

/* Is there nobody left to tell anything? */
static bool is_gone(const struct connection *c)
{
    return c->state != CONNECTION_NEW && c->state != CONNECTION_GREETED;
}

/* Add it to those that get a turn in the next round of the loop. */
static void line_up(struct connection *c)
{
    struct server *s = c->server;
    if (c->is_ready || s->closing)
        return;
    c->is_ready = true;
    c->refs++;
    c->next_ready = s->ready;
    s->ready = c;
    server_run_hot(s);
}

/* ---- the end ---- */

/* Nobody is told anything any more. Code that works for this connection lets go. */
static void part(struct connection *c, enum connection_state state)
{
    const struct server_options *o = &c->server->options;
    bool greeted = c->state == CONNECTION_GREETED;
    c->state = state;
    c->server->live_count--;
    c->server->guest_count -= c->guest;
    if (greeted && o->gone != NULL)
        o->gone(o->context, c);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = container_of(handle, struct connection, uv.handle);
    c->server->handles--;
    unref(c);
}

void connection_close(struct connection *c)
{
    if (!is_gone(c))
        part(c, CONNECTION_LEAVING);
    if (c->state != CONNECTION_LEAVING)
        return;
    c->state = CONNECTION_CLOSING;
    list_remove(c);
    uv_close(&c->uv.handle, on_closed);
}

static void hang_up(const struct connection *c)
{
    int fd;
    if (connection_queued(c) == 0 && uv_fileno(&c->uv.handle, &fd) == 0)
        shutdown(fd, SHUT_WR);
}

void connection_break(struct connection *c, const struct tdk_err *err)
{
    struct text_buffer last;
    if (is_gone(c))
        return;
    log_debug("connection %llu: %s", (unsigned long long)c->number, err->text);
    text_init(&last);
    wire_put_failure(&last, NULL, err, 0);
    connection_send(c, &last);
    text_close(&last);
    if (c->is_broken)
        return;
    part(c, CONNECTION_LEAVING);
    c->left_ns = clock_mono();
    hang_up(c);
}

/* ---- out ---- */

size_t connection_queued(const struct connection *c)
{
    return uv_stream_get_write_queue_size(&c->uv.stream);
}

/* The peer has taken what was sent, or never will. */
static void on_taken(struct connection *c, int status)
{
    const struct server_options *o = &c->server->options;
    c->moved_ns = clock_mono();
    if (status < 0) {
        connection_close(c);
        return;
    }
    if (connection_queued(c) != 0)
        return;
    if (c->state == CONNECTION_LEAVING)
        hang_up(c);
    if (is_gone(c))
        return;
    if (c->state == CONNECTION_GREETED && o->drained != NULL)
        o->drained(o->context, c);
    connection_wake(c);
}

static void on_written(uv_write_t *write, int status)
{
    struct outgoing *out = container_of(write, struct outgoing, write);
    struct connection *c = out->connection;
    out->sent(out, status);
    on_taken(c, status);
}

/* An answer or a piece of a stream is missing, and the peer could not tell which. So the connection
 * is closed, but at its next turn: the sender is in the middle of its work, and closing here would
 * call it back to let go of the connection. */
static void give_up(struct connection *c, int rc)
{
    if (c->is_broken)
        return;
    c->is_broken = true;
    line_up(c);
    if (rc == -ENOMEM)
        log_warn("connection %llu: no memory for what it is owed, closed",
                 (unsigned long long)c->number);
    else /* the peer left before its answer */
        log_debug("connection %llu: what it is owed cannot be sent, closed: %s",
                  (unsigned long long)c->number, tdk_strerror(rc));
}

int connection_send_in_place(struct connection *c, struct outgoing *out)
{
    if (is_gone(c) || c->is_broken)
        return -EPIPE;
    if (connection_queued(c) == 0)
        c->moved_ns = clock_mono();
    out->connection = c;
    int rc = uv_write(&out->write, &c->uv.stream, out->parts, out->count, on_written);
    if (rc < 0)
        give_up(c, rc);
    return rc;
}

/* What the socket did not take at once. */
struct rest {
    struct outgoing outgoing;
    char bytes[];
};

static void on_rest_sent(struct outgoing *out, int status)
{
    (void)status;
    free(container_of(out, struct rest, outgoing));
}

static int send_rest(struct connection *c, const char *bytes, size_t size)
{
    struct rest *rest = malloc(sizeof *rest + size);
    if (rest == NULL)
        return -ENOMEM;
    memcpy(rest->bytes, bytes, size);
    rest->outgoing.parts[0] = uv_buf_init(rest->bytes, (unsigned)size);
    rest->outgoing.count = 1;
    rest->outgoing.sent = on_rest_sent;
    int rc = connection_send_in_place(c, &rest->outgoing);
    if (rc < 0)
        free(rest);
    return rc;
}

void connection_send(struct connection *c, const struct text_buffer *message)
{
    size_t done = 0;
    if (is_gone(c) || c->is_broken)
        return;
    int rc = text_error(message);
    if (rc == 0 && connection_queued(c) == 0) {
        uv_buf_t all = uv_buf_init(message->bytes, (unsigned)message->size);
        int n = uv_try_write(&c->uv.stream, &all, 1);
        done = n > 0 ? (size_t)n : 0; /* an error comes again for what is queued now */
    }
    if (rc == 0 && done < message->size)
        rc = send_rest(c, message->bytes + done, message->size - done);
    if (rc < 0)
        give_up(c, rc);
}

/* ---- in ---- */

/* May the next message be looked at? */
static bool can_take(const struct connection *c)
{
    const struct audit *audit = c->server->audit;
    return !is_gone(c) && !c->is_broken && !c->asked && connection_queued(c) < SERVER_OUTPUT_MAX &&
           (audit == NULL || !audit_is_full(audit));
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

/* Reading goes on while there is room for more, so that the peer's end is noticed. */
static void set_reading(struct connection *c)
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

static void look(struct connection *c, const char *bytes, size_t size)
{
    c->is_taking = true;
    size_t used = take_some(c, bytes, size);
    c->is_taking = false;
    if (is_gone(c))
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
    if (!is_gone(c))
        set_reading(c);
}

void connection_wake(struct connection *c)
{
    bool idle = c->in.size == 0 && !c->ended;
    if (!idle)
        line_up(c);
}

void connection_turn(struct connection *c)
{
    c->is_ready = false;
    if (c->is_broken)
        connection_close(c);
    else if (!is_gone(c))
        look(c, c->in.bytes, c->in.size);
    unref(c);
}

void connection_answered(struct connection *c)
{
    c->asked = false;
    if (!c->is_taking && !is_gone(c))
        connection_wake(c);
    unref(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = container_of(handle, struct connection, uv.handle);
    size_t waits = is_gone(c) ? 0 : c->in.size;
    (void)suggested;
    *buf = uv_buf_init(c->server->scratch, (unsigned)(FRAME_REQUEST_SIZE - waits));
}

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
        if (c->file < 0 && !is_gone(c)) {
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

/* The peer has not only ended what it says, it hears nothing either. Over TCP both look alike until
 * something is sent to it. */
static bool is_deaf(const struct connection *c)
{
    struct pollfd poll_fd = {.fd = -1};
    return uv_fileno(&c->uv.handle, &poll_fd.fd) == 0 && poll(&poll_fd, 1, 0) == 1 &&
           (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
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
        if (c->streams > 0 || is_gone(c) || is_deaf(c))
            connection_close(c);
        else
            look(c, c->in.bytes, c->in.size);
        return;
    }
    c->heard_ns = clock_mono();
    if (c->in.size == 0) {
        look(c, buf->base, (size_t)n);
        return;
    }
    text_add(&c->in, buf->base, (size_t)n);
    if (text_error(&c->in) < 0)
        connection_close(c);
    else
        look(c, c->in.bytes, c->in.size);
}

/* ---- the beginning ---- */

static int open_handle(struct connection *c, int fd)
{
    uv_loop_t *loop = c->server->loop;
    int files = c->server->options.takes_files;
    int rc = c->local ? uv_pipe_init(loop, &c->uv.pipe, files) : uv_tcp_init(loop, &c->uv.tcp);
    assert(rc == 0); /* without a socket, neither asks the system for anything */
    c->server->handles++;
    rc = c->local ? uv_pipe_open(&c->uv.pipe, fd) : uv_tcp_open(&c->uv.tcp, fd);
    if (rc < 0)
        close(fd);
    else if (!c->local)
        uv_tcp_nodelay(&c->uv.tcp, 1);
    return rc;
}

void connection_begin(struct server *s, int fd, bool local, struct peer who, uint64_t now_ns)
{
    struct connection *c = s->free;
    s->free = c->next;
    memset(c, 0, sizeof *c);
    c->server = s;
    c->state = CONNECTION_NEW;
    c->number = ++s->numbers;
    c->local = local;
    c->uid = who.uid;
    c->guest = who.guest;
    c->refs = 1;
    c->file = -1;
    c->since_ns = c->heard_ns = c->moved_ns = now_ns;
    frame_begin(&c->frame, &frame_from_client);
    bucket_init(&c->bucket, s->options.control_rate, s->options.control_burst);
    list_add(&s->live, c);
    s->live_count++;
    s->guest_count += c->guest;
    s->counts.accepted++;
    if (open_handle(c, fd) < 0)
        connection_close(c);
    else
        set_reading(c);
}

/* ---- time ---- */

static void check_taking(struct connection *c, uint64_t now_ns)
{
    size_t queued = connection_queued(c);
    if (queued == 0 || queued < c->queued)
        c->moved_ns = now_ns;
    c->queued = queued;
    if (now_ns - c->moved_ns < c->server->options.stuck_ns)
        return;
    c->server->counts.closed_stuck++;
    log_info("connection %llu: took nothing of %zu bytes for too long, closed",
             (unsigned long long)c->number, queued);
    connection_close(c);
}

static void check_speaking(struct connection *c, uint64_t now_ns)
{
    const struct server_options *o = &c->server->options;
    struct tdk_err err;
    if (c->begun_ns != 0 && now_ns - c->begun_ns >= o->half_ns) {
        c->server->counts.closed_half++;
        err_say(&err, -ETIMEDOUT, "only part of a message came in time");
        connection_break(c, &err);
    } else if (!c->asked && c->streams == 0 && now_ns - c->heard_ns >= o->idle_ns) {
        c->server->counts.closed_idle++;
        err_say(&err, -ETIMEDOUT, "no request came for too long");
        connection_break(c, &err);
    }
}

/* A peer that waits long gets to know that it is not forgotten. */
static void say_working(struct connection *c, uint64_t now_ns)
{
    struct text_buffer out;
    if (!c->asked || c->state != CONNECTION_GREETED || now_ns - c->asked_ns < HEARTBEAT_NS ||
        connection_queued(c) != 0)
        return;
    c->asked_ns = now_ns;
    text_init(&out);
    wire_begin_notification(&out, "heartbeat");
    wire_put_map(&out, 1);
    wire_pair_u64(&out, "request", c->request.id);
    connection_send(c, &out);
    text_close(&out);
}

void connection_tend(struct connection *c, uint64_t now_ns)
{
    bool lingered = c->state == CONNECTION_LEAVING && now_ns - c->left_ns >= LINGER_NS;
    if (lingered || (c->ended && is_deaf(c)))
        connection_close(c);
    if (!is_gone(c))
        check_taking(c, now_ns);
    if (!is_gone(c))
        check_speaking(c, now_ns);
    if (!is_gone(c))
        say_working(c, now_ns);
}

/* ---- streams ---- */

int connection_hold(struct connection *c, struct tdk_err *err)
{
    unsigned most = c->server->options.streams_max;
    if (c->streams >= most)
        return err_say(err, TDK_EFULL,
                       "a connection may have at most %u streams and sessions at a time", most);
    c->streams++;
    return 0;
}

void connection_release(struct connection *c)
{
    assert(c->streams > 0);
    c->streams--;
    c->heard_ns = clock_mono();
}
