#include "daemon/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "daemon/callers.h"
#include "daemon/host.h"
#include "daemon/listen.h"
#include "daemon/page.h"

enum {
    STREAMS_MAX = 8,
    CONNECTION_SECONDS = 10,
    CONNECTION_MEMORY = 16384,
    STACK_SIZE = 1 << 19,
    STREAM_PIECE = 4096,
};
#define STREAM_NS NS_PER_S
#define NAP_NS    (50 * NS_PER_MS)

struct http {
    struct http_options options;
    char *address, *tape, *replayer; /* owned */
    struct MHD_Daemon *daemon;
    struct callers callers;
    atomic_bool stopping;
    atomic_int streams;
};

struct http_request {
    struct http *http;
    struct MHD_Connection *connection;
    enum MHD_Result rc;
    bool endless; /* its answer is a stream */
};

/* ---- what answers may ask ---- */

const char *http_param(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const struct http_options *http_options_of(const struct http_request *request)
{
    return &request->http->options;
}

const atomic_bool *http_stopping(const struct http_request *request)
{
    return &request->http->stopping;
}

/* ---- answers ---- */

/* The page uses what we serve and nothing else: no code, no style, no request to elsewhere. No
 * other page may put it into a frame. */
static const char *const headers[][2] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
     "img-src 'self' data:; connect-src "
     "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
};

static void queue(struct http_request *request, unsigned status, const char *type,
                  struct MHD_Response *response)
{
    request->rc = MHD_NO;
    if (response == NULL)
        return;
    MHD_add_response_header(response, "Content-Type", type);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, "Retry-After", "2");
    request->rc = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
}

void http_answer(struct http_request *request, unsigned status, const char *type, const void *bytes,
                 size_t size)
{
    queue(request, status, type,
          MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY));
}

void http_answer_words(struct http_request *request, unsigned status, const char *words)
{
    http_answer(request, status, "text/plain; charset=utf-8", words, strlen(words));
}

/* ---- streams ---- */

struct stream {
    struct http *http;
    http_next_cb *next;
    struct text_buffer text;
    size_t sent;
    uint64_t due_ns; /* when the next piece is due */
};

/* It runs on the connection's own thread, which may sleep. False: the server is about to end. */
static bool wait_until(const struct http *http, uint64_t due_ns)
{
    for (;;) {
        uint64_t now_ns = clock_mono();
        if (http->stopping)
            return false;
        if (now_ns >= due_ns)
            return true;
        uint64_t left_ns = due_ns - now_ns < NAP_NS ? due_ns - now_ns : NAP_NS;
        const struct timespec nap = {.tv_nsec = (long)left_ns};
        nanosleep(&nap, NULL);
    }
}

static ssize_t on_room(void *context, uint64_t position, char *room, size_t size)
{
    struct stream *s = context;
    (void)position;
    if (s->sent == s->text.size) {
        if (!wait_until(s->http, s->due_ns))
            return MHD_CONTENT_READER_END_OF_STREAM;
        s->due_ns = clock_mono() + STREAM_NS;
        text_clear(&s->text);
        s->sent = 0;
        s->next(&s->http->options, &s->http->stopping, &s->text);
        if (text_error(&s->text) < 0 || s->text.size == 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t left = s->text.size - s->sent;
    size = left < size ? left : size;
    memcpy(room, s->text.bytes + s->sent, size);
    s->sent += size;
    return (ssize_t)size;
}

static void on_stream_over(void *context)
{
    struct stream *s = context;
    atomic_fetch_sub(&s->http->streams, 1);
    text_close(&s->text);
    free(s);
}

void http_answer_stream(struct http_request *request, const char *type, http_next_cb *next)
{
    struct http *http = request->http;
    struct stream *s = calloc(1, sizeof *s);
    bool full = atomic_fetch_add(&http->streams, 1) >= STREAMS_MAX;
    if (s == NULL || full) {
        atomic_fetch_sub(&http->streams, 1);
        free(s);
        http_answer_words(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                          "too many are watching already; try again later\n");
        return;
    }
    request->endless = true;
    *s = (struct stream){.http = http, .next = next};
    text_init(&s->text);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_PIECE, on_room, s, on_stream_over);
    if (response == NULL)
        on_stream_over(s);
    queue(request, MHD_HTTP_OK, type, response);
}

/* ---- requests ---- */

static const char *header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* Another site may make a browser ask, though it cannot read the answer. We should not work for
 * that. */
static bool is_of_another_site(const struct http_request *request)
{
    const char *site = header(request, "Sec-Fetch-Site");
    return site != NULL && (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0);
}

static void route(struct http_request *request, const char *url)
{
    const struct http_options *options = &request->http->options;
    const struct http_route *r = page_routes;
    while (r->path != NULL && strcmp(r->path, url) != 0)
        r++;
    bool by_any_name = r->path != NULL && r->foreign && options->remote;
    if (!by_any_name && !host_is_ours(header(request, "Host"), options->address))
        http_answer_words(request, MHD_HTTP_MISDIRECTED_REQUEST,
                          "ask by the address, not by this name: http://127.0.0.1:PORT/ or "
                          "http://localhost:PORT/\n");
    else if (r->path == NULL)
        http_answer_words(request, MHD_HTTP_NOT_FOUND,
                          "/, /metrics and /healthz are what there is\n");
    else if (!r->linked && is_of_another_site(request))
        http_answer_words(request, MHD_HTTP_FORBIDDEN, "another site's page asks for this\n");
    else
        r->call(request);
}

/* The request is complete. A client of a stream keeps its place until it leaves. */
static void serve(struct http_request *request, const char *method, const char *url)
{
    struct callers *callers = &request->http->callers;
    struct caller *caller =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
            ->socket_context;
    callers_serve(callers, caller);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        http_answer_words(request, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    else
        route(request, url);
    if (!request->endless)
        callers_served(callers, caller);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    static int seen;
    struct http_request request = {.http = context, .connection = connection, .rc = MHD_NO};
    (void)version;
    (void)upload;
    if (*state == NULL) { /* only the head is here; called again for the rest */
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) { /* passed over */
        *upload_size = 0;
        return MHD_YES;
    }
    serve(&request, method, url);
    return request.rc;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **caller,
                          enum MHD_ConnectionNotificationCode what)
{
    struct callers *callers = &((struct http *)context)->callers;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *caller = callers_come(
            callers,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    else
        callers_leave(callers, *caller);
}

/* ---- life ---- */

static void http_free(struct http *h)
{
    callers_close(&h->callers);
    free(h->address);
    free(h->tape);
    free(h->replayer);
    free(h);
}

/* False: no memory. */
static bool keep_text(char **ours, const char **text)
{
    if (*text == NULL)
        return true;
    *text = *ours = strdup(*text);
    return *ours != NULL;
}

static struct http *http_new(const struct http_options *options)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    callers_init(&h->callers);
    h->options = *options;
    if (keep_text(&h->address, &h->options.address) && keep_text(&h->tape, &h->options.tape) &&
        keep_text(&h->replayer, &h->options.replayer))
        return h;
    http_free(h);
    return NULL;
}

int http_open(struct http **http, const struct http_options *options, struct tdk_err *err)
{
    int fd = -1;
    unsigned port;
    int rc = listen_tcp(options->address, options->remote, &fd, &port, err);
    if (rc < 0)
        return err_wrap(err, rc, "--http");
    struct http *h = http_new(options);
    if (h == NULL) {
        close(fd);
        return err_set(err, -ENOMEM, "--http");
    }
    h->daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL,
        NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CALLERS_MAX,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)CONNECTION_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE, MHD_OPTION_END);
    if (h->daemon == NULL) {
        close(fd);
        http_free(h);
        return err_say(err, -EIO, "--http %.80s: the server cannot be started", options->address);
    }
    *http = h;
    return 0;
}

void http_close(struct http *h)
{
    if (h == NULL)
        return;
    h->stopping = true;
    MHD_stop_daemon(h->daemon);
    http_free(h);
}
