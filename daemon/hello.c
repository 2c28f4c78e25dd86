/* hello.c - the first request of a connection: who speaks, in which protocol, with what rights. */
#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/connection.h"

#define REFUSALS_MAX 3u /* wrong tokens before the connection is closed */

/* It takes as long for a wrong token as for a right one. */
static bool is_token(const struct server *s, struct wire_text given)
{
    size_t size = strlen(s->token);
    unsigned char differs = given.size != size;
    for (size_t i = 0; i < size && given.size != 0; i++)
        differs |= (unsigned char)(s->token[i] ^ given.bytes[i % given.size]);
    return size != 0 && given.size != 0 && !differs;
}

static int check(struct connection *c, struct wire_map params, struct tdk_err *err)
{
    uint64_t protocol = 0;
    struct wire_text token = {"", 0};
    if (c->state != CONNECTION_NEW)
        return err_say(err, TDK_EVALUE, "hello: it was said before");
    int rc = wire_u64(params, "protocol", &protocol, err);
    if (rc == 0)
        rc = err_say(err, TDK_EVALUE, "hello: protocol is missing; ours is %u", SERVER_PROTOCOL);
    if (rc > 0)
        rc = wire_string(params, "client", c->client, sizeof c->client, err);
    if (rc >= 0)
        rc = wire_text(params, "token", &token, err);
    if (rc < 0)
        return rc;
    if (protocol != SERVER_PROTOCOL)
        return err_say(err, TDK_EVERSION, "hello: protocol %llu is not supported here, only %u",
                       (unsigned long long)protocol, SERVER_PROTOCOL);
    if (!c->local && !is_token(c->server, token))
        return err_say(err, -EACCES, "hello: TCP needs the token, and this is not the token");
    return 0;
}

static void put_limits(const struct server *s, struct text_buffer *out)
{
    const struct server_options *o = &s->options;
    size_t map = wire_open_map(out);
    uint32_t pairs = 10;
    wire_pair_u64(out, "message", FRAME_REQUEST_SIZE);
    wire_pair_u64(out, "depth", FRAME_REQUEST_DEPTH);
    wire_pair_u64(out, "items", FRAME_REQUEST_ITEMS);
    wire_pair_u64(out, "connections", o->connections_max);
    wire_pair_u64(out, "streams", o->streams_max);
    wire_pair_u64(out, "control_rate", o->control_rate);
    wire_pair_u64(out, "control_burst", o->control_burst);
    wire_pair_u64(out, "idle", o->idle_ns);
    wire_pair_u64(out, "half_sent", o->half_ns);
    wire_pair_u64(out, "not_taken", o->stuck_ns);
    if (o->limits != NULL)
        pairs += o->limits(o->context, out);
    wire_close_map(out, map, pairs);
}

void hello_call(struct request *r, struct wire_map params)
{
    struct connection *c = r->connection;
    const struct server_options *o = &c->server->options;
    struct tdk_err err;
    int rc = check(c, params, &err);
    if (rc < 0) {
        bool enough = rc == -EACCES && ++c->refusals == REFUSALS_MAX;
        request_fail(r, &err);
        if (enough)
            connection_break(c, &err);
        return;
    }
    c->state = CONNECTION_GREETED;
    log_debug("connection %llu: %s", (unsigned long long)c->number, c->client);
    struct text_buffer *out = request_answer(r);
    wire_put_map(out, 5);
    wire_pair_string(out, "server", o->program);
    wire_pair_string(out, "version", o->version);
    wire_pair_u64(out, "protocol", SERVER_PROTOCOL);
    wire_put_string(out, "tape");
    wire_put_words(out, o->tape);
    wire_put_string(out, "limits");
    put_limits(c->server, out);
    request_done(r);
}
