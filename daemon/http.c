#include "daemon/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "daemon/listen.h"
#include "daemon/metrics.h"

enum {
    CONNECTIONS_MAX = 32,
    CONNECTION_SECONDS = 10,
    CONNECTION_MEMORY = 16384,
};

struct http {
    struct http_options options;
    struct MHD_Daemon *daemon;
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const void *bytes, size_t size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status,
                                    const char *words)
{
    return answer(connection, status, "text/plain; charset=utf-8", words, strlen(words));
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection,
                                      const struct counters_copy *page)
{
    struct text_buffer text;
    text_init(&text);
    metrics_put(&text, page, clock_mono());
    enum MHD_Result rc =
        text_error(&text) == 0
            ? answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4", text.bytes, text.size)
            : MHD_NO;
    text_close(&text);
    return rc;
}

static enum MHD_Result answer_health(struct MHD_Connection *connection,
                                     const struct counters_copy *page)
{
    const char *trouble = metrics_trouble(page, clock_mono());
    char words[80];
    snprintf(words, sizeof words, "%s\n", trouble != NULL ? trouble : "ok");
    return answer_words(connection, trouble == NULL ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                        words);
}

static enum MHD_Result answer_page(const struct http *http, struct MHD_Connection *connection,
                                   const char *url)
{
    struct counters_copy page;
    struct tdk_err err;
    enum MHD_Result rc;
    if (counters_read_of(&page, http->options.writer, http->options.tape_id, &err) < 0)
        return answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                            "there is no counters page; the log says why\n");
    if (strcmp(url, "/metrics") == 0)
        rc = answer_metrics(connection, &page);
    else
        rc = answer_health(connection, &page);
    counters_forget(&page);
    return rc;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    static int seen;
    const struct http *http = context;
    (void)version;
    (void)upload;
    if (*request == NULL) { /* only the head is here; come again when all is */
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) { /* passed over */
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (strcmp(url, "/metrics") == 0 || strcmp(url, "/healthz") == 0)
        return answer_page(http, connection, url);
    if (strcmp(url, "/") == 0)
        return answer_words(connection, MHD_HTTP_OK, "tapedeck: /metrics /healthz\n");
    return answer_words(connection, MHD_HTTP_NOT_FOUND,
                        "/metrics and /healthz are what there is\n");
}

/* ---- life ---- */

int http_open(struct http **http, const struct http_options *options, struct tdk_err *err)
{
    int fd = -1;
    unsigned port;
    int rc = listen_tcp(options->address, options->remote, &fd, &port, err);
    if (rc < 0)
        return err_wrap(err, rc, "--http");
    struct http *h = malloc(sizeof *h);
    if (h == NULL) {
        close(fd);
        return err_set(err, -ENOMEM, "--http");
    }
    *h = (struct http){.options = *options};
    h->daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, h,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
    if (h->daemon == NULL) {
        close(fd);
        free(h);
        return err_say(err, -EIO, "--http %.80s: the server cannot be started", options->address);
    }
    *http = h;
    return 0;
}

void http_close(struct http *h)
{
    if (h == NULL)
        return;
    MHD_stop_daemon(h->daemon);
    free(h);
}
