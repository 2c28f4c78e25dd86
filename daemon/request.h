/*
 * request.h - one request and its answer.
 *
 * A handler answers before it returns, or keeps the request and answers later, on the loop. In
 * either case it answers exactly once:
 *
 *     struct text_buffer *out = request_answer(request);
 *     wire_put_map(out, 1);
 *     wire_pair_u64(out, "segment", number);
 *     request_done(request);
 *
 * or calls request_fail(). A request stays valid until it is answered, even if its connection ends
 * first; then the answer is thrown away.
 */
#ifndef TDK_DAEMON_REQUEST_H
#define TDK_DAEMON_REQUEST_H

#include "daemon/server.h"

struct batch;

struct request {
    struct connection *connection; /* borrowed until the answer */
    const struct method *method;
    uint64_t id;
    struct batch *batch; /* the batch that it is in; NULL: none */
    uint32_t index;
    char *audit;   /* what was asked, as JSON; ours. NULL: there is no audit */
    void *waiting; /* for the handler, until it has answered */
};

/* Begin the answer: put the result, one map, into the buffer that is returned. No other request may
 * be answered before request_done(). */
struct text_buffer *request_answer(struct request *request);
void request_done(struct request *request);

void request_fail(struct request *request, const struct tdk_err *err);

/* Refuse it for now: the client may try again in so many ns. */
void request_retry(struct request *request, const struct tdk_err *err, uint64_t after_ns);

/* The context in the daemon's server_options. */
void *request_context(const struct request *request);

/* ---- the server's own ---- */

/* Find the method, check whether it may be called now, and call it. */
void request_start(struct request *request, struct wire_text method, struct wire_map params);

/* The server itself provides `hello` and `batch`. */
void hello_call(struct request *request, struct wire_map params);
void batch_call(struct request *request, struct wire_map params);

/* A request of a batch has its answer: "[error, result]" in msgpack. */
void batch_take(struct request *request, const struct text_buffer *answer);

#endif
