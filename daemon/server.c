#include "daemon/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/connection.h"

#define TEND_MS      200u
#define ACCEPTS_MAX  64u  /* in one round of the loop */
#define LEAVING_MAX  256u /* slots for connections on their way out */
#define SCRATCH_SIZE FRAME_REQUEST_SIZE

void server_defaults(struct server_options *o)
{
    memset(o, 0, sizeof *o);
    o->connections_max = 1024;
    o->guests_max = 512;
    o->streams_max = 16;
    o->idle_ns = 300 * NS_PER_S;
    o->half_ns = 10 * NS_PER_S;
    o->stuck_ns = 30 * NS_PER_S;
    o->control_rate = 100;
    o->control_burst = 200;
}

/* ---- accepting ---- */

/* No descriptor is left. Give up the one in reserve for as long as it takes to hang up. */
static void refuse_starved(struct server *s, int listening)
{
    if (!s->starved)
        log_error("no file descriptors are left: connections are refused until some are free");
    s->starved = true;
    close(s->reserve);
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        s->counts.refused_files++;
        close(fd);
    }
    s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Let as much as possible wait in the socket: each time it is full, a round of the loop is lost. */
static void widen(int fd)
{
    int size = 1 << 20; /* the kernel reduces it to its own limit */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/* False: no more connections wait, or none can be accepted now. */
static bool accept_one(struct listener *l)
{
    struct server *s = l->server;
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        if (s->starved)
            log_info("there are file descriptors again");
        s->starved = false;
        if (l->local) /* TCP sizes its own buffers */
            widen(fd);
        connection_accept(s, fd, l->local);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE) {
        refuse_starved(s, l->fd);
        return s->reserve >= 0;
    }
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_connect(uv_poll_t *poll, int status, int events)
{
    struct listener *l = container_of(poll, struct listener, poll);
    (void)events;
    for (unsigned i = 0; status == 0 && i < ACCEPTS_MAX && accept_one(l); i++)
        ;
}

static void on_closed(uv_handle_t *handle)
{
    struct server *s = handle->data;
    s->handles--;
}

static int watch(struct server *s, struct listener *l, int fd, bool local, struct tdk_err *err)
{
    l->server = s;
    l->fd = fd;
    l->local = local;
    int rc = uv_poll_init(s->loop, &l->poll, fd);
    if (rc < 0) {
        close(fd);
        return err_set(err, rc, "watch a socket");
    }
    l->open = true;
    l->poll.data = s;
    s->handles++;
    rc = uv_poll_start(&l->poll, UV_READABLE, on_connect);
    return rc < 0 ? err_set(err, rc, "watch a socket") : 0;
}

/* ---- turns ---- */

static void on_tend(uv_timer_t *timer)
{
    struct server *s = timer->data;
    uint64_t now_ns = clock_mono();
    for (struct connection *c = s->live, *next; c != NULL; c = next) {
        next = c->next;
        connection_tend(c, now_ns);
    }
    bool full = s->live_count >= s->options.connections_max;
    if (full != s->full)
        log_warn(full ? "%u connections: no more are accepted"
                      : "%u connections: there is room again",
                 s->live_count);
    s->full = full;
}

/* Each connection that waits gets one turn. Those that still have input queue up again. */
static void on_hot(uv_idle_t *idle)
{
    struct server *s = idle->data;
    struct connection *c = s->ready;
    s->ready = NULL;
    while (c != NULL) {
        struct connection *next = c->next_ready;
        connection_turn(c);
        c = next;
    }
    if (s->ready == NULL) {
        uv_idle_stop(&s->hot);
        s->is_hot = false;
    }
}

void server_run_hot(struct server *s)
{
    if (!s->is_hot)
        uv_idle_start(&s->hot, on_hot);
    s->is_hot = true;
}

static void on_audit_drained(void *context)
{
    struct server *s = context;
    for (struct connection *c = s->live; c != NULL; c = c->next)
        connection_wake(c);
}

/* ---- open, close ---- */

static int read_token(struct server *s, struct tdk_err *err)
{
    const char *path = s->options.token_file;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set(err, -errno, "open the token file %s", path);
    bool got = fgets(s->token, sizeof s->token, file) != NULL;
    fclose(file);
    s->token[got ? strcspn(s->token, "\r\n") : 0] = '\0';
    if (strlen(s->token) < 16)
        return err_say(err, TDK_EVALUE,
                       "--token-file %s: its first line is the token, and has at least 16 "
                       "characters",
                       path);
    return 0;
}

static int open_memory(struct server *s)
{
    s->slot_count = s->options.connections_max + LEAVING_MAX;
    s->slots = calloc(s->slot_count, sizeof *s->slots);
    s->scratch = malloc(SCRATCH_SIZE);
    if (s->slots == NULL || s->scratch == NULL || wire_decoder_open(&s->decoder) < 0)
        return -ENOMEM;
    for (unsigned i = s->slot_count; i-- > 0;) {
        s->slots[i].next = s->free;
        s->free = &s->slots[i];
    }
    return 0;
}

static void open_handles(struct server *s)
{
    uv_timer_init(s->loop, &s->tend);
    uv_idle_init(s->loop, &s->hot);
    s->tend.data = s->hot.data = s;
    s->handles += 2;
    uv_timer_start(&s->tend, on_tend, TEND_MS, TEND_MS);
}

static int open_local(struct server *s, struct tdk_err *err)
{
    bool others = s->options.users.count + s->options.guests.count != 0;
    mode_t mode = others ? 0666 : 0600; /* peers are told apart by their uid */
    int fd = -1;
    int rc = listen_unix(s->options.socket, mode, &fd, &s->file, err);
    return rc < 0 ? rc : watch(s, &s->listeners[0], fd, true, err);
}

static int open_tcp(struct server *s, struct tdk_err *err)
{
    int fd = -1;
    int rc = read_token(s, err);
    if (rc == 0)
        rc = listen_tcp(s->options.listen, s->options.allow_remote, &fd, &s->port, err);
    return rc < 0 ? rc : watch(s, &s->listeners[1], fd, false, err);
}

int server_open(struct server *s, uv_loop_t *loop, const struct server_options *options,
                struct tdk_err *err)
{
    memset(s, 0, sizeof *s);
    s->loop = loop;
    s->options = *options;
    s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    text_init(&s->out);
    int rc = open_memory(s) < 0 ? err_set(err, -ENOMEM, "memory for connections") : 0;
    if (rc == 0)
        open_handles(s);
    if (rc == 0 && options->audit_file != NULL)
        rc = audit_open(&s->audit, loop, options->audit_file, on_audit_drained, s, err);
    if (rc == 0 && options->socket != NULL)
        rc = open_local(s, err);
    if (rc == 0 && options->listen != NULL)
        rc = open_tcp(s, err);
    if (rc < 0)
        server_close(s);
    return rc;
}

static void close_listener(struct listener *l)
{
    if (!l->open)
        return;
    l->open = false;
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd);
}

void server_close(struct server *s)
{
    if (s->loop == NULL || s->closing)
        return;
    s->closing = true;
    if (s->listeners[0].open)
        listen_remove(s->options.socket, &s->file);
    close_listener(&s->listeners[0]);
    close_listener(&s->listeners[1]);
    for (struct connection *c = s->live, *next; c != NULL; c = next) {
        next = c->next;
        connection_close(c);
    }
    if (s->handles == 0)
        return; /* there was no memory for them */
    uv_close((uv_handle_t *)&s->tend, on_closed);
    uv_close((uv_handle_t *)&s->hot, on_closed);
}

void server_free(struct server *s)
{
    if (s->loop == NULL)
        return;
    assert(s->handles == 0);
    for (unsigned i = 0; s->slots != NULL && i < s->slot_count; i++)
        text_close(&s->slots[i].in);
    audit_close(s->audit);
    wire_decoder_close(s->decoder);
    text_close(&s->out);
    free(s->slots);
    free(s->scratch);
    if (s->reserve >= 0)
        close(s->reserve);
    memset(s, 0, sizeof *s);
}

/* ---- what is asked of it ---- */

const struct method *server_method(const struct server *s, struct wire_text name)
{
    for (const struct method *const *table = s->options.tables; *table != NULL; table++)
        for (const struct method *m = *table; m->name != NULL; m++)
            if (wire_text_is(name, m->name))
                return m;
    return NULL;
}

uint32_t server_put_counters(const struct server *s, struct text_buffer *out)
{
    const struct server_counts *n = &s->counts;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"connections", s->live_count},
        {"connections_accepted", n->accepted},
        {"connections_refused_full", n->refused_full},
        {"connections_refused_peer", n->refused_peer},
        {"connections_refused_files", n->refused_files},
        {"connections_closed_idle", n->closed_idle},
        {"connections_closed_half_sent", n->closed_half},
        {"connections_closed_stuck", n->closed_stuck},
        {"connections_closed_malformed", n->malformed},
        {"requests", n->requests},
        {"requests_failed", n->failed},
        {"requests_throttled", n->throttled},
        {"notifications", n->notifications},
    };
    for (size_t i = 0; i < array_size(rows); i++)
        wire_pair_u64(out, rows[i].name, rows[i].value);
    return (uint32_t)array_size(rows);
}
