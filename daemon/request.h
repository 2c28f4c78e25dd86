/*
 * request.h - one question and its answer.
 *
 * A handler answers before it returns, or keeps the request and answers later, on the loop. Either
 * way exactly once:
 *
 *     struct text_buffer *out = request_answer(request);
 *     wire_put_map(out, 1);
 *     wire_pair_u64(out, "segment", number);
 *     request_done(request);
 *
 * or request_fail(). A request stays until it is answered, also when its connection ends first: the
 * answer is then thrown away.
 */
#ifndef TDK_DAEMON_REQUEST_H
#define TDK_DAEMON_REQUEST_H

#include "daemon/server.h"

struct batch;

struct request {
    struct connection *connection; /* borrowed: kept until the answer */
    const struct method *method;
    uint64_t id;
    struct batch *batch; /* it stands in; NULL: alone */
    uint32_t index;
    char *audit;   /* what was asked, as JSON; ours. NULL: there is no audit */
    void *waiting; /* the handler's, while it has not answered */
};

/* Where the result, one map, is to be put. Until request_done() nothing else may be answered. */
struct text_buffer *request_answer(struct request *request);
void request_done(struct request *request);

void request_fail(struct request *request, const struct tdk_err *err);

/* Not now: again in so many ns. */
void request_retry(struct request *request, const struct tdk_err *err, uint64_t after_ns);

/* What the daemon gave as its context. */
void *request_context(const struct request *request);

/* ---- the server's own ---- */

/* Find the method, see whether it may be called now, call it. */
void request_start(struct request *request, struct wire_text method, struct wire_map params);

/* `hello` and `batch` are the server's own. */
void hello_call(struct request *request, struct wire_map params);
void batch_call(struct request *request, struct wire_map params);

/* One of a batch has its answer: "[error, result]" in msgpack. */
void batch_take(struct request *request, const struct text_buffer *answer);

#endif
