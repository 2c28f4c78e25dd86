/* A server and its peers in one thread. Bytes go in, and the loop turns until the answer is
 * there. */
#include "tests/support/check.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "daemon/connection.h"
#include "daemon/request.h"
#include "daemon/server.h"
#include "tests/support/folder.h"
#include "tests/support/seeds.h"

/* ---- what may be asked ---- */

static void call_small(struct request *request, struct wire_map params)
{
    (void)params;
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 1);
    wire_pair_u64(out, "size", 1);
    request_done(request);
}

#define LARGE ((size_t)300 << 10)

static void call_large(struct request *request, struct wire_map params)
{
    static const char bytes[LARGE];
    (void)params;
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 1);
    wire_put_string(out, "bytes");
    wire_put_bytes(out, bytes, sizeof bytes);
    request_done(request);
}

/* An answer for which there is no memory. */
static void call_endless(struct request *request, struct wire_map params)
{
    (void)params;
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 1);
    assert_null(text_reserve(out, SIZE_MAX / 2));
    request_done(request);
}

static unsigned gone_count;

static void on_gone(void *context, struct connection *c)
{
    (void)context;
    (void)c;
    gone_count++;
}

/* A message between two answers, for which there is no memory. */
static void call_untold(struct request *request, struct wire_map params)
{
    struct text_buffer lost;
    text_init(&lost);
    assert_null(text_reserve(&lost, SIZE_MAX / 2));
    connection_send(request->connection, &lost);
    text_close(&lost);
    assert_int_equal(gone_count, 0); /* not while the call runs */
    call_small(request, params);
}

static const struct method methods[] = {
    {.name = "small", .flags = METHOD_BATCH, .call = call_small},
    {.name = "large", .flags = METHOD_BATCH, .call = call_large},
    {.name = "endless", .flags = METHOD_BATCH, .call = call_endless},
    {.name = "untold", .call = call_untold},
    {.name = NULL},
};

/* ---- a server ---- */

#define CONNECTIONS 2u
#define TOKEN       "correct horse battery"

struct fixture {
    uv_loop_t loop;
    struct server server;
    char folder[FOLDER_PATH], socket[FOLDER_PATH + 8], token[FOLDER_PATH + 8];
    struct wire_decoder *decoder;
};

static int setup(void **state)
{
    static const struct method *const tables[] = {methods, NULL};
    struct fixture *f = calloc(1, sizeof *f);
    struct server_options options;
    struct tdk_err err;
    assert_non_null(f);
    folder_make(f->folder);
    snprintf(f->socket, sizeof f->socket, "%s/s.sock", f->folder);
    snprintf(f->token, sizeof f->token, "%s/token", f->folder);
    FILE *token = fopen(f->token, "we");
    assert_non_null(token);
    fputs(TOKEN "\n", token);
    fclose(token);
    server_defaults(&options);
    options.program = options.version = options.tape = "test";
    options.socket = f->socket;
    options.listen = "127.0.0.1:0";
    options.token_file = f->token;
    options.connections_max = CONNECTIONS;
    options.tables = tables;
    options.gone = on_gone;
    gone_count = 0;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(wire_decoder_open(&f->decoder), 0);
    if (server_open(&f->server, &f->loop, &options, &err) < 0)
        fail_msg("%s", err.text);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    server_close(&f->server);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    server_free(&f->server);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    wire_decoder_close(f->decoder);
    folder_remove(f->folder);
    free(f);
    return 0;
}

/* ---- a peer ---- */

struct peer_side {
    struct fixture *f;
    int fd;
    char bytes[1 << 20]; /* the last answer; the message below points into it */
    struct wire_message answer;
};

static void send_all(const struct peer_side *p, struct text_buffer *out)
{
    assert_int_equal(text_error(out), 0);
    assert_int_equal(send(p->fd, out->bytes, out->size, MSG_NOSIGNAL), out->size);
    text_close(out);
}

/* Turn the loop until a whole message is there. */
static void hear(struct peer_side *p)
{
    size_t size = 0;
    for (;;) {
        uv_run(&p->f->loop, UV_RUN_ONCE);
        ssize_t n = recv(p->fd, p->bytes + size, sizeof p->bytes - size, MSG_DONTWAIT);
        assert_int_not_equal(n, 0); /* it hung up */
        size += n > 0 ? (size_t)n : 0;
        if (n > 0 && wire_decode(p->f->decoder, p->bytes, size, &p->answer, NULL) == 0)
            return;
    }
}

static void send_request(const struct peer_side *p, const char *method)
{
    struct text_buffer out;
    text_init(&out);
    wire_begin_request(&out, 1, method);
    wire_put_map(&out, 2);
    wire_pair_u64(&out, "protocol", SERVER_PROTOCOL);
    wire_pair_string(&out, "token", TOKEN);
    send_all(p, &out);
}

static void ask(struct peer_side *p, const char *method)
{
    send_request(p, method);
    hear(p);
}

static void greet(struct peer_side *p, struct fixture *f)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    p->f = f;
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(un.sun_path, f->socket, strlen(f->socket));
    assert_int_equal(connect(p->fd, (const struct sockaddr *)&un, sizeof un), 0);
    ask(p, "hello");
    assert_false(p->answer.failed);
}

static void expect_failure(const struct wire_map error, int code)
{
    struct tdk_err err;
    assert_true(wire_get_error(error, &err));
    assert_int_equal(err.code, code);
}

/* ---- answers ---- */

static void an_answer_without_memory_is_an_error_and_the_next_one_is_whole(void **state)
{
    struct peer_side peer;
    greet(&peer, *state);
    ask(&peer, "endless");
    assert_true(peer.answer.failed);
    expect_failure(peer.answer.error, -ENOMEM);
    ask(&peer, "small");
    assert_false(peer.answer.failed);
    close(peer.fd);
}

static void who_cannot_be_told_something_is_closed_in_the_next_turn(void **state)
{
    struct fixture *f = *state;
    struct peer_side peer;
    greet(&peer, f);
    send_request(&peer, "untold");
    while (gone_count == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    while (f->server.live != NULL)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(recv(peer.fd, peer.bytes, sizeof peer.bytes, 0), 0); /* nothing after it */
    assert_int_equal(gone_count, 1);
    close(peer.fd);
}

static void ask_batch(struct peer_side *p, const char *const ops[], uint32_t count)
{
    struct text_buffer out;
    text_init(&out);
    wire_begin_request(&out, 1, "batch");
    wire_put_map(&out, 1);
    wire_put_string(&out, "ops");
    wire_put_list(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_list(&out, 2);
        wire_put_string(&out, ops[i]);
        wire_put_nil(&out);
    }
    send_all(p, &out);
    hear(p);
}

static void one_of_a_batch_has_no_memory_alone(void **state)
{
    static const char *const ops[] = {"small", "endless", "small"};
    struct peer_side peer;
    struct wire_list results, pair = {NULL, 0};
    struct wire_map map;
    greet(&peer, *state);
    ask_batch(&peer, ops, array_size(ops));
    assert_false(peer.answer.failed);
    assert_int_equal(wire_list(peer.answer.params, "results", &results, NULL), 1);
    assert_int_equal(results.count, array_size(ops));
    for (uint32_t i = 0; i < results.count; i++) {
        assert_int_equal(wire_item_list(results, i, &pair, NULL), 1);
        assert_int_equal(wire_item_map(pair, i == 1 ? 0 : 1, &map, NULL), 1);
        if (i == 1)
            expect_failure(map, -ENOMEM);
    }
    close(peer.fd);
}

/* What is allocated already stays, but nothing large can be allocated any more. */
static void a_batch_that_cannot_keep_an_answer_fails_as_a_whole(void **state)
{
    static const char *const ops[] = {"small", "large", "small"};
    struct rlimit before, none;
    struct peer_side peer;
    if (SEEDS_SANITIZED)
        skip(); /* its allocator would end the process */
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 128 << 10), 1);
    greet(&peer, *state);
    ask(&peer, "large"); /* from here on the server's buffer has the room */
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    ask_batch(&peer, ops, array_size(ops));
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_true(peer.answer.failed);
    expect_failure(peer.answer.error, -ENOMEM);
    ask_batch(&peer, ops, array_size(ops));
    assert_false(peer.answer.failed);
    close(peer.fd);
}

/* ---- room ---- */

/* A peer that connects over TCP and says nothing. */
static int come_in_silence(const struct fixture *f)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)f->server.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void silence_over_tcp_keeps_nobody_out_who_is_local(void **state)
{
    struct fixture *f = *state;
    struct peer_side peers[CONNECTIONS];
    int silent[CONNECTIONS], one_more;
    for (size_t i = 0; i < CONNECTIONS; i++)
        silent[i] = come_in_silence(f);
    while (f->server.live_count < CONNECTIONS)
        uv_run(&f->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < CONNECTIONS; i++)
        greet(&peers[i], f);
    one_more = come_in_silence(f); /* peers that have greeted stay */
    while (f->server.counts.refused_full == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        ask(&peers[i], "small");
        close(peers[i].fd);
        close(silent[i]);
    }
    close(one_more);
}

static void silence_over_tcp_keeps_nobody_out_who_has_the_token(void **state)
{
    struct fixture *f = *state;
    struct peer_side peers[CONNECTIONS];
    int silent[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++)
        silent[i] = come_in_silence(f);
    while (f->server.live_count < CONNECTIONS)
        uv_run(&f->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        peers[i].f = f;
        peers[i].fd = come_in_silence(f);
        ask(&peers[i], "hello");
        assert_false(peers[i].answer.failed);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        ask(&peers[i], "small");
        close(peers[i].fd);
        close(silent[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            an_answer_without_memory_is_an_error_and_the_next_one_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(who_cannot_be_told_something_is_closed_in_the_next_turn,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(one_of_a_batch_has_no_memory_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_that_cannot_keep_an_answer_fails_as_a_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(silence_over_tcp_keeps_nobody_out_who_is_local, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(silence_over_tcp_keeps_nobody_out_who_has_the_token, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("daemon.server", tests, NULL, NULL);
}
