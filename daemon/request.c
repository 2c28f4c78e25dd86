#include "daemon/request.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/audit.h"
#include "daemon/connection.h"

#define ANSWER_MAX ((size_t)1 << 20)

void *request_context(const struct request *r)
{
    return r->connection->server->options.context;
}

/* ---- answers ---- */

static void note(struct request *r, const char *result)
{
    struct connection *c = r->connection;
    if (r->audit == NULL)
        return;
    const struct audit_entry entry = {
        .uid = c->local ? (long long)c->uid : -1,
        .client = c->client,
        .call = r->audit,
        .result = result,
    };
    audit_add(c->server->audit, &entry);
    free(r->audit);
    r->audit = NULL;
}

/* The answer is in the server's buffer: send it. The request is over. */
static void deliver(struct request *r)
{
    struct connection *c = r->connection;
    if (r->batch != NULL) {
        batch_take(r, &c->server->out);
        return;
    }
    connection_send(c, &c->server->out);
    connection_answered(c);
}

struct text_buffer *request_answer(struct request *r)
{
    struct text_buffer *out = &r->connection->server->out;
    text_clear(out);
    if (r->batch == NULL) {
        wire_begin_result(out, r->id);
    } else {
        wire_put_list(out, 2);
        wire_put_nil(out);
    }
    return out;
}

/* 0: it can be sent as it is. */
static int check_answer(const struct text_buffer *out, struct tdk_err *err)
{
    if (text_error(out) < 0)
        return err_set(err, text_error(out), "make the answer");
    if (out->size > ANSWER_MAX)
        return err_say(err, TDK_EFULL, "the answer has more than %zu bytes: ask for less at a time",
                       ANSWER_MAX);
    return 0;
}

void request_done(struct request *r)
{
    struct tdk_err err;
    if (check_answer(&r->connection->server->out, &err) < 0) {
        request_fail(r, &err);
        return;
    }
    note(r, "ok");
    deliver(r);
}

void request_retry(struct request *r, const struct tdk_err *err, uint64_t after_ns)
{
    struct server *s = r->connection->server;
    s->counts.failed++;
    text_clear(&s->out);
    if (r->batch == NULL) {
        wire_put_failure(&s->out, &r->id, err, after_ns);
    } else {
        wire_put_list(&s->out, 2);
        wire_put_error(&s->out, err, after_ns);
        wire_put_nil(&s->out);
    }
    note(r, wire_error_name(wire_error_code(err->code)));
    deliver(r);
}

void request_fail(struct request *r, const struct tdk_err *err)
{
    request_retry(r, err, 0);
}

/* ---- calls ---- */

static void keep_for_audit(struct request *r, struct wire_text method, struct wire_map params)
{
    struct text_buffer json;
    if (r->connection->server->audit == NULL)
        return;
    text_init(&json);
    text_add_string(&json, "\"method\":");
    text_add_json(&json, method.bytes, method.size);
    text_add_string(&json, ",\"params\":");
    wire_json(&json, params, "token");
    text_add_char(&json, '\0');
    if (text_error(&json) == 0)
        r->audit = json.bytes; /* owned from here on */
    else
        text_close(&json);
}

/* 0: it may be called now. */
static int check(const struct request *r, const struct method *m, struct wire_text name,
                 struct tdk_err *err)
{
    int shown = (int)(name.size < 64 ? name.size : 64);
    if (r->connection->state != CONNECTION_GREETED)
        return err_say(err, TDK_EHELLO, "%.*s: hello comes first", shown, name.bytes);
    if (m == NULL || m->call == NULL)
        return err_say(err, -ENOSYS, "%.*s: %s has no such method", shown, name.bytes,
                       r->connection->server->options.program);
    if (r->connection->guest && !(m->flags & METHOD_GUEST))
        return err_say(
            err, -EACCES,
            "%s: uid %u may not ask this: it may only lend rings, flush and ask for status",
            m->name, r->connection->uid);
    if (r->batch != NULL && !(m->flags & METHOD_BATCH))
        return err_say(err, TDK_EVALUE, "%s: not allowed in a batch", m->name);
    return 0;
}

static bool has_token(struct request *r, const struct method *m, uint64_t *wait_ns)
{
    return !(m->flags & METHOD_CONTROL) ||
           bucket_take(&r->connection->bucket, clock_mono(), wait_ns);
}

static const struct method own_methods[] = {
    {.name = "hello", .call = hello_call},
    {.name = "batch", .call = batch_call},
};

static const struct method *find(const struct server *s, struct wire_text name)
{
    for (size_t i = 0; i < sizeof own_methods / sizeof own_methods[0]; i++)
        if (wire_text_is(name, own_methods[i].name))
            return &own_methods[i];
    return server_method(s, name);
}

void request_start(struct request *r, struct wire_text name, struct wire_map params)
{
    struct server *s = r->connection->server;
    struct tdk_err err;
    uint64_t wait_ns = 0;
    r->method = find(s, name);
    keep_for_audit(r, name, params);
    if (r->method == &own_methods[0] && r->batch == NULL) {
        hello_call(r, params);
    } else if (check(r, r->method, name, &err) < 0) {
        request_fail(r, &err);
    } else if (!has_token(r, r->method, &wait_ns)) {
        s->counts.throttled++;
        err_say(&err, -EAGAIN, "%s: more than %llu control requests a second", r->method->name,
                (unsigned long long)s->options.control_rate);
        request_retry(r, &err, wait_ns);
    } else {
        r->method->call(r, params);
    }
}
