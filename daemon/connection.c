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

#define LINGER_NS    (500 * NS_PER_MS) /* for the peer to read our last words */
#define HEARTBEAT_NS (5 * NS_PER_S)    /* how long a request may be worked on without a word */

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
    if (!connection_is_gone(c))
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
    if (connection_is_gone(c))
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
    if (connection_is_gone(c))
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
    if (connection_is_gone(c) || c->is_broken)
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
    if (connection_is_gone(c) || c->is_broken)
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

/* ---- turns ---- */

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
    else if (!connection_is_gone(c))
        connection_take_input(c, c->in.bytes, c->in.size);
    unref(c);
}

void connection_answered(struct connection *c)
{
    c->asked = false;
    if (!c->is_taking && !connection_is_gone(c))
        connection_wake(c);
    unref(c);
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
        connection_set_reading(c);
}

/* ---- time ---- */

bool connection_is_deaf(const struct connection *c)
{
    struct pollfd poll_fd = {.fd = -1};
    return uv_fileno(&c->uv.handle, &poll_fd.fd) == 0 && poll(&poll_fd, 1, 0) == 1 &&
           (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
}

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
    if (lingered || (c->ended && connection_is_deaf(c)))
        connection_close(c);
    if (!connection_is_gone(c))
        check_taking(c, now_ns);
    if (!connection_is_gone(c))
        check_speaking(c, now_ns);
    if (!connection_is_gone(c))
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
