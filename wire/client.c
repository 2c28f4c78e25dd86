#include "wire/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "wire/address.h"

#define PROTOCOL      1u
#define HELLO_TIME_NS (10 * NS_PER_S)
#define READ_AHEAD    4096u            /* of a message whose size is not known yet */
#define BYTE_NS       (NS_PER_S >> 16) /* a message may not come slower than 64 KiB a second */

/* ---- bytes ---- */

/* The time that is left, for poll(): -1 is for ever, and a part of a millisecond counts as a whole
 * one. */
static int ms_left(const struct tdk_client *c, uint64_t begun_ns)
{
    if (c->timeout_ns == 0)
        return -1;
    uint64_t passed = clock_mono() - begun_ns;
    uint64_t left = passed < c->timeout_ns ? c->timeout_ns - passed : 0;
    uint64_t ms = left / NS_PER_MS + (left % NS_PER_MS != 0);
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* Wait until the socket is ready. -ETIMEDOUT: nothing happened for that long. Signals do not
 * prolong the wait: a process with a timer may get one more often than that. */
static int wait_for(const struct tdk_client *c, short events)
{
    struct pollfd poll_fd = {.fd = c->fd, .events = events};
    const uint64_t begun_ns = clock_mono();
    for (;;) {
        int rc = poll(&poll_fd, 1, ms_left(c, begun_ns));
        if (rc > 0)
            return 0;
        if (rc == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* The file, if there is one, goes with the first bytes. */
static ssize_t send_some(struct tdk_client *c, size_t done)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof c->file)] = {0};
    struct iovec part = {c->out.bytes + done, c->out.size - done};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (c->file >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof c->file);
        memcpy(CMSG_DATA(head), &c->file, sizeof c->file);
    }
    ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        c->file = -1;
    return n;
}

int client_send(struct tdk_client *c, struct tdk_err *err)
{
    int rc = text_error(&c->out);
    for (size_t done = 0; rc == 0 && done < c->out.size;) {
        ssize_t n = send_some(c, done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            rc = wait_for(c, POLLOUT);
        else if (errno != EINTR)
            rc = -errno;
    }
    return rc < 0 ? err_set(err, rc, "ask %s", c->address) : 0;
}

/* Receive some bytes after those that are there, up to the end of the message if that is known. So
 * a large message lies at the beginning of the buffer and is never moved. */
static int receive(struct tdk_client *c, struct tdk_err *err)
{
    size_t size = c->frame.owed > READ_AHEAD ? (size_t)c->frame.owed : READ_AHEAD;
    char *at = text_reserve(&c->in, size);
    if (at == NULL)
        return err_say(err, -ENOMEM, "%s", tdk_strerror(-ENOMEM));
    int rc = 0;
    while (rc == 0) {
        ssize_t n = recv(c->fd, at, size, MSG_DONTWAIT);
        if (n > 0) {
            c->in.size += (size_t)n;
            return 0;
        }
        if (n == 0)
            return err_say(err, -ECONNRESET, "it closed the connection");
        if (errno == EAGAIN)
            rc = wait_for(c, POLLIN);
        else if (errno != EINTR)
            rc = -errno;
    }
    return err_say(err, rc, "%s", tdk_strerror(rc));
}

/* Move what came after the last message to the beginning. */
static void drop_used(struct tdk_client *c)
{
    memmove(c->in.bytes, c->in.bytes + c->used, c->in.size - c->used);
    c->in.size -= c->used;
    c->used = 0;
}

/* A peer that sends a byte now and then is never silent, but never done either. */
static bool is_too_slow(const struct tdk_client *c, uint64_t begun_ns)
{
    return c->timeout_ns != 0 && c->in.size > 0 &&
           clock_mono() - begun_ns > c->timeout_ns + c->in.size * BYTE_NS;
}

/* Have one whole message at the beginning of c->in; it takes `used` bytes. */
static int next_message(struct tdk_client *c, struct tdk_err *err)
{
    size_t walked = 0, taken = 0;
    uint64_t begun_ns = 0; /* since when only a part of it is here */
    if (c->used != 0)
        drop_used(c);
    frame_begin(&c->frame, &frame_from_server);
    for (;;) {
        if (walked < c->in.size) {
            int rc = frame_walk(&c->frame, c->in.bytes + walked, c->in.size - walked, &taken, err);
            if (rc < 0)
                return rc;
            walked += taken;
            if (rc == 1)
                break;
            if (begun_ns == 0)
                begun_ns = clock_mono();
            if (is_too_slow(c, begun_ns))
                return err_say(err, -ETIMEDOUT, "a message comes too slowly");
        }
        int rc = receive(c, err);
        if (rc < 0)
            return rc;
    }
    c->used = walked;
    return 0;
}

int client_next(struct tdk_client *c, struct wire_message *message, struct tdk_err *err)
{
    int rc = next_message(c, err);
    if (rc == 0)
        rc = wire_decode(c->decoder, c->in.bytes, c->used, message, err);
    if (rc == 0 && message->kind == WIRE_REQUEST)
        rc = err_say(err, TDK_EFORMAT, "it sent a request");
    return rc < 0 ? err_wrap(err, rc, "read from %s", c->address) : 0;
}

/* ---- calls ---- */

struct text_buffer *client_begin(struct tdk_client *c, const char *method)
{
    text_clear(&c->out);
    wire_begin_request(&c->out, ++c->id, method);
    return &c->out;
}

struct text_buffer *client_begin_notification(struct tdk_client *c, const char *method)
{
    text_clear(&c->out);
    wire_begin_notification(&c->out, method);
    return &c->out;
}

/* Only one thing is asked at a time. An error without the id of a request is about the connection,
 * and the last message on it. */
static int check_answer(const struct tdk_client *c, const struct wire_message *m,
                        struct tdk_err *err)
{
    if (m->has_id ? m->id == c->id : m->failed)
        return 0;
    return err_say(err, TDK_EFORMAT, "read from %s: an answer to no request", c->address);
}

int client_call(struct tdk_client *c, client_other_cb *other, void *context,
                struct wire_map *result, struct tdk_err *err)
{
    struct wire_message m = {.kind = WIRE_NOTIFICATION};
    struct tdk_err sending;
    if (c->streaming)
        return err_say(err, -EBUSY, "%s: a stream has the connection until it is closed",
                       c->address);
    int sent = client_send(c, &sending);
    if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET) {
        *(err != NULL ? err : &sending) = sending;
        return sent;
    }
    /* The peer may have said why before it closed. */
    int rc = client_next(c, &m, err);
    while (rc == 0 && m.kind != WIRE_RESPONSE) {
        if (other != NULL)
            other(context, &m);
        else
            client_pass_on(c);
        rc = client_next(c, &m, err);
    }
    if (rc == 0)
        rc = check_answer(c, &m, err);
    if (rc < 0)
        return rc;
    if (!m.failed) {
        *result = m.params;
        return 0;
    }
    struct tdk_err told;
    if (!wire_get_error(m.error, &told))
        return err_say(err, TDK_EFORMAT, "%s answers with an error that has no code", c->address);
    return err_say(err, told.code, "%s", told.text);
}

void tdk_client_listen(struct tdk_client *c,
                       void (*heard)(const void *message, size_t size, void *context),
                       void *context)
{
    c->heard = heard;
    c->context = context;
}

void client_pass_on(const struct tdk_client *c)
{
    if (c->heard != NULL)
        c->heard(c->in.bytes, c->used, c->context);
}

int tdk_client_call(struct tdk_client *c, const char *method, const void *params,
                    size_t params_size, const void **result, size_t *result_size,
                    struct tdk_err *err)
{
    struct wire_map map;
    struct text_buffer *out = client_begin(c, method);
    if (params != NULL)
        text_add(out, params, params_size);
    else
        wire_put_map(out, 0);
    int rc = client_call(c, NULL, NULL, &map, err);
    if (rc < 0)
        return rc;
    /* After [1, id, nil there is nothing but the result. */
    struct text_buffer head;
    text_init(&head);
    wire_begin_result(&head, c->id);
    rc = text_error(&head);
    if (rc == 0) {
        *result = c->in.bytes + head.size;
        *result_size = c->used - head.size;
    }
    text_close(&head);
    return rc < 0 ? err_set(err, rc, "read from %s", c->address) : 0;
}

/* ---- open, close ---- */

static int hello(struct tdk_client *c, const struct tdk_client_options *o, struct tdk_err *err)
{
    struct wire_map result = {NULL, 0};
    uint64_t protocol = 0;
    struct text_buffer *params = client_begin(c, "hello");
    wire_put_map(params, o->token != NULL ? 3 : 2);
    wire_pair_string(params, "client", o->name != NULL ? o->name : "libtapedeck");
    wire_pair_u64(params, "protocol", PROTOCOL);
    if (o->token != NULL)
        wire_pair_string(params, "token", o->token);
    int rc = client_call(c, NULL, NULL, &result, err);
    if (rc == 0)
        rc = wire_must(wire_u64(result, "protocol", &protocol, err), "protocol", err);
    if (rc < 0)
        return err_wrap(err, rc, "hello to %s", c->address);
    if (protocol != PROTOCOL)
        return err_say(err, TDK_EVERSION, "%s speaks protocol %llu, and this program speaks %u",
                       c->address, (unsigned long long)protocol, PROTOCOL);
    return 0;
}

/* NULL: no memory. */
static struct tdk_client *client_new(const char *where)
{
    struct tdk_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    if (wire_decoder_open(&c->decoder) < 0) {
        free(c);
        return NULL;
    }
    c->fd = c->file = -1;
    snprintf(c->address, sizeof c->address, "%s", where);
    return c;
}

int client_adopt(struct tdk_client **client, int fd, struct tdk_err *err)
{
    struct tdk_client *c = client_new("a server");
    if (c == NULL) {
        close(fd);
        return err_set(err, -ENOMEM, "connect to a server");
    }
    c->fd = fd;
    *client = c;
    return 0;
}

int tdk_client_open(struct tdk_client **out, const char *where,
                    const struct tdk_client_options *options, struct tdk_err *err)
{
    static const struct tdk_client_options nothing;
    const struct tdk_client_options *o = options != NULL ? options : &nothing;
    struct address address;
    int rc = address_parse(&address, where, err);
    if (rc < 0)
        return rc;
    struct tdk_client *c = client_new(where);
    if (c == NULL)
        return err_set(err, -ENOMEM, "connect to %s", where);
    bool soon = o->timeout_ns != 0 && o->timeout_ns < HELLO_TIME_NS;
    c->timeout_ns = soon ? o->timeout_ns : HELLO_TIME_NS;
    rc = address_connect(&address, c->timeout_ns, &c->fd, err);
    if (rc == 0)
        rc = hello(c, o, err);
    if (rc < 0) {
        tdk_client_close(c);
        return rc;
    }
    c->timeout_ns = o->timeout_ns;
    *out = c;
    return 0;
}

bool tdk_client_is_open(const struct tdk_client *c)
{
    struct pollfd poll_fd = {.fd = c->fd, .events = POLLRDHUP};
    return poll(&poll_fd, 1, 0) == 0;
}

void tdk_client_hang_up(struct tdk_client *c)
{
    shutdown(c->fd, SHUT_RDWR);
}

void tdk_client_close(struct tdk_client *c)
{
    if (c == NULL)
        return;
    if (c->fd >= 0)
        close(c->fd);
    wire_decoder_close(c->decoder);
    text_close(&c->in);
    text_close(&c->out);
    free(c);
}
