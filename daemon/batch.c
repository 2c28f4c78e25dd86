/*
 * batch.c - many requests in one: {ops: [[method, params], ...]} -> {results: [[error, result],
 * ...]}.
 *
 * All are begun at once and answered in any order. The batch answers when the last one has. If one
 * fails, it fails alone. Their answers wait here, RESULTS_MAX in total: one that does not fit is
 * replaced by an error. If there is no memory to keep one, the batch fails as a whole.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "daemon/connection.h"

#define RESULTS_MAX ((size_t)896 << 10)
#define BATCHES_MAX 64u /* at a time: 64 MiB */
#define RETRY_NS    (100 * NS_PER_MS)

struct batch {
    struct request *request; /* the one that is answered in the end */
    uint32_t count, open;
    size_t size; /* of the answers so far */
    struct item {
        struct request request;
        char *answer; /* owned: "[error, result]"; NULL: there was no memory for it */
        size_t size;
    } items[];
};

static void finish(struct batch *b)
{
    struct request *r = b->request;
    struct text_buffer *out = request_answer(r);
    struct tdk_err err;
    bool whole = true;
    r->connection->server->batches--;
    wire_put_map(out, 1);
    wire_put_string(out, "results");
    wire_put_list(out, b->count);
    for (uint32_t i = 0; i < b->count; i++) {
        whole = whole && b->items[i].answer != NULL;
        if (whole)
            text_add(out, b->items[i].answer, b->items[i].size);
        free(b->items[i].answer);
    }
    free(b);
    if (whole) {
        request_done(r);
    } else {
        err_set(&err, -ENOMEM, "keep what a batch answers");
        request_fail(r, &err);
    }
}

static void store(struct batch *b, struct item *item, const struct text_buffer *answer)
{
    if (text_error(answer) == 0)
        item->answer = malloc(answer->size);
    if (item->answer == NULL)
        return;
    memcpy(item->answer, answer->bytes, answer->size);
    item->size = answer->size;
    b->size += answer->size;
}

/* Store an error in place of an answer that does not fit. */
static void store_failure(struct batch *b, struct item *item)
{
    struct text_buffer answer;
    struct tdk_err err;
    err_say(&err, TDK_EFULL, "the answers of a batch have at most %zu bytes together", RESULTS_MAX);
    text_init(&answer);
    wire_put_list(&answer, 2);
    wire_put_error(&answer, &err, 0);
    wire_put_nil(&answer);
    store(b, item, &answer);
    text_close(&answer);
}

void batch_take(struct request *r, const struct text_buffer *answer)
{
    struct batch *b = r->batch;
    struct item *item = container_of(r, struct item, request);
    if (b->size + answer->size <= RESULTS_MAX)
        store(b, item, answer);
    else
        store_failure(b, item);
    if (--b->open == 0)
        finish(b);
}

/* One operation is a pair: its method, and its params, which may be nil. */
static int take_op(struct wire_list ops, uint32_t i, struct wire_text *method,
                   struct wire_map *params, struct tdk_err *err)
{
    struct wire_list pair = {NULL, 0};
    *params = (struct wire_map){NULL, 0};
    int rc = wire_item_list(ops, i, &pair, err);
    if (rc > 0 && pair.count == 2)
        rc = wire_item_text(pair, 0, method, err);
    else
        rc = 0;
    if (rc > 0)
        rc = wire_item_map(pair, 1, params, err) < 0 ? -1 : 1;
    return rc > 0 ? 0 : err_say(err, TDK_EVALUE, "ops: number %u is not [method, params]", i + 1);
}

static void start(struct batch *b, struct wire_list ops)
{
    b->open = b->count + 1; /* one more for us, so that it does not end before all have begun */
    for (uint32_t i = 0; i < b->count; i++) {
        struct wire_text method = {"", 0};
        struct wire_map params;
        struct request *r = &b->items[i].request;
        r->connection = b->request->connection;
        r->batch = b;
        int rc = take_op(ops, i, &method, &params, NULL);
        assert(rc == 0); /* they were checked before */
        (void)rc;
        request_start(r, method, params);
    }
    if (--b->open == 0)
        finish(b);
}

void batch_call(struct request *r, struct wire_map params)
{
    struct server *s = r->connection->server;
    struct wire_list ops = {NULL, 0};
    struct wire_text method;
    struct wire_map op_params;
    struct tdk_err err;
    int rc = wire_list(params, "ops", &ops, &err);
    if (rc == 0)
        rc = err_say(&err, TDK_EVALUE, "batch: ops is missing");
    for (uint32_t i = 0; i < ops.count && rc >= 0; i++)
        rc = take_op(ops, i, &method, &op_params, &err);
    if (rc < 0) {
        request_fail(r, &err);
        return;
    }
    struct batch *b = NULL;
    if (s->batches < BATCHES_MAX)
        b = calloc(1, sizeof *b + ops.count * sizeof b->items[0]);
    if (b == NULL) {
        err_say(&err, -EAGAIN, "batch: %u are under way", s->batches);
        request_retry(r, &err, RETRY_NS);
        return;
    }
    s->batches++;
    b->request = r;
    b->count = ops.count;
    start(b, ops);
}
