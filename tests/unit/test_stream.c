/* The client against a server that says whatever it likes. The client believes nothing that it has
 * not checked, and whatever comes has an end. */
#include "tests/support/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "tapedeck/client.h"
#include "wire/client.h"

struct fixture {
    struct tdk_client *client;
    int server; /* our end */
    struct text_buffer out;
    struct tdk_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    f->server = ends[0];
    assert_int_equal(client_adopt(&f->client, ends[1], &f->err), 0);
    text_init(&f->out);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tdk_client_close(f->client);
    close(f->server);
    text_close(&f->out);
    free(f);
    return 0;
}

/* ---- the server ---- */

static void say(struct fixture *f)
{
    assert_int_equal(text_error(&f->out), 0);
    assert_int_equal(write(f->server, f->out.bytes, f->out.size), (ssize_t)f->out.size);
    text_clear(&f->out);
}

static void hang_up(struct fixture *f)
{
    shutdown(f->server, SHUT_WR);
}

static void say_stream(struct fixture *f, uint64_t id)
{
    wire_begin_result(&f->out, 1);
    wire_put_map(&f->out, 1);
    wire_pair_u64(&f->out, "stream", id);
    say(f);
}

struct frames {
    _Alignas(8) unsigned char bytes[4096];
    size_t size;
};

static void add_frame(struct frames *all, uint16_t track, uint8_t type, const void *payload,
                      uint32_t size)
{
    const struct tdk_frame frame = {.size = size, .track = track, .type = type, .seq = 1, .ts = 2};
    memset(all->bytes + all->size, 0, tdk_frame_span(size));
    memcpy(all->bytes + all->size, &frame, sizeof frame);
    memcpy(all->bytes + all->size + sizeof frame, payload, size);
    all->size += tdk_frame_span(size);
}

static void add_track(struct frames *all, uint16_t number, const char *name, uint8_t name_size)
{
    struct {
        struct tdk_track_head head;
        char name[80];
    } payload = {.head = {.epoch = 7, .number = number, .name_size = name_size}};
    memcpy(payload.name, name, strlen(name));
    add_frame(all, number, TDK_TYPE_TRACK, &payload,
              (uint32_t)(sizeof payload.head + strlen(name)));
}

static void add_tick(struct frames *all, uint16_t track)
{
    add_frame(all, track, TDK_TYPE_OPAQUE, "tick", 4);
}

static void say_data(struct fixture *f, uint64_t stream, const struct frames *frames)
{
    wire_begin_notification(&f->out, "data");
    wire_put_map(&f->out, 3);
    wire_pair_u64(&f->out, "stream", stream);
    wire_pair_u64(&f->out, "n", 1);
    wire_put_string(&f->out, "frames");
    wire_put_bytes(&f->out, frames->bytes, frames->size);
    say(f);
}

static void say_end(struct fixture *f, uint64_t stream, uint64_t ticks, int code)
{
    struct tdk_err err;
    wire_begin_notification(&f->out, "end");
    wire_put_map(&f->out, code == 0 ? 3 : 4);
    wire_pair_u64(&f->out, "stream", stream);
    wire_pair_u64(&f->out, "ticks", ticks);
    wire_pair_bool(&f->out, "complete", true);
    if (code != 0) {
        err_say(&err, code, "it went wrong");
        wire_put_string(&f->out, "error");
        wire_put_error(&f->out, &err, 0);
    }
    say(f);
}

/* ---- the client ---- */

static struct tdk_stream *ask(struct fixture *f, uint64_t credit)
{
    const struct tdk_client_query query = {.range = {.to = UINT64_MAX}, .credit = credit};
    struct tdk_stream *stream = NULL;
    assert_int_equal(tdk_client_query(f->client, &query, &stream, &f->err), 0);
    return stream;
}

static void assert_run(struct fixture *f, struct tdk_stream *stream, const char *track,
                       uint64_t ticks)
{
    struct tdk_run run;
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), 1);
    assert_string_equal(run.track, track);
    assert_int_equal(run.epoch, 7);
    assert_int_equal(run.ticks, ticks);
    assert_int_equal((uintptr_t)run.frames % 8, 0);
}

static void a_stream_comes_as_runs_of_one_track(void **state)
{
    struct fixture *f = *state;
    struct frames frames = {.size = 0};
    struct tdk_stream_stats stats;
    struct tdk_run run;
    add_track(&frames, 1, "a", 1);
    add_tick(&frames, 1);
    add_tick(&frames, 1);
    add_track(&frames, 2, "long-name", 9);
    add_tick(&frames, 2);
    say_stream(f, 5);
    say_data(f, 9, &frames); /* of another stream: skipped */
    say_data(f, 5, &frames);
    say_end(f, 5, 3, 0);
    struct tdk_stream *stream = ask(f, 0);
    assert_run(f, stream, "a", 2);
    assert_run(f, stream, "long-name", 1);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), 0);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), 0);
    tdk_stream_stats(stream, &stats);
    assert_int_equal(stats.ticks, 3);
    assert_true(stats.complete);
    tdk_stream_close(stream);
}

/* The same ticks in one piece, which outlives what they came in. The names belong to the stream. */
static void a_batch_holds_what_the_runs_hold(void **state)
{
    struct fixture *f = *state;
    struct frames frames = {.size = 0};
    struct tdk_batch *batch = NULL, *none = NULL;
    add_track(&frames, 1, "a", 1);
    add_tick(&frames, 1);
    add_track(&frames, 2, "b", 1);
    add_tick(&frames, 2);
    add_tick(&frames, 2);
    say_stream(f, 5);
    say_data(f, 5, &frames);
    say_data(f, 5, &frames);
    say_end(f, 5, 6, -ECANCELED);
    struct tdk_stream *stream = ask(f, 0);
    assert_int_equal(tdk_stream_batch(stream, SIZE_MAX, &batch, &f->err), 1);
    assert_int_equal(tdk_stream_batch(stream, 1, &none, &f->err), -ECANCELED); /* comes after it */
    assert_null(none);
    assert_int_equal(batch->ticks, 6);
    assert_int_equal(batch->count, 6);
    assert_int_equal(batch->part_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(batch->parts[i].track, i % 2 == 0 ? "a" : "b");
        assert_int_equal(batch->parts[i].count, i % 2 == 0 ? 1 : 2);
        assert_int_equal(batch->parts[i].epoch, 7);
    }
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(batch->offsets[i], i * 32);
    tdk_stream_close(stream);
    tdk_batch_free(batch);
}

/* Damage ends a batch. The ticks before it come with the error, and the rest in the next batch. */
static void a_batch_ends_at_damage(void **state)
{
    struct fixture *f = *state;
    struct frames frames = {.size = 0};
    struct tdk_batch *batch = NULL;
    add_track(&frames, 1, "a", 1);
    add_tick(&frames, 1);
    say_stream(f, 5);
    say_data(f, 5, &frames);
    wire_begin_notification(&f->out, "damage");
    wire_put_map(&f->out, 1);
    wire_pair_u64(&f->out, "stream", 5);
    say(f);
    say_data(f, 5, &frames);
    say_end(f, 5, 2, 0);
    struct tdk_stream *stream = ask(f, 0);
    assert_int_equal(tdk_stream_batch(stream, SIZE_MAX, &batch, &f->err), TDK_ECORRUPT);
    assert_int_equal(batch->ticks, 1);
    tdk_batch_free(batch);
    assert_int_equal(tdk_stream_batch(stream, SIZE_MAX, &batch, &f->err), 1);
    assert_int_equal(batch->ticks, 1);
    tdk_batch_free(batch);
    assert_int_equal(tdk_stream_batch(stream, SIZE_MAX, &batch, &f->err), 0);
    tdk_stream_close(stream);
}

/* Credit for what was taken is granted again, a quarter of the credit at a time. */
static void what_was_taken_is_granted_again(void **state)
{
    struct fixture *f = *state;
    struct frames frames = {.size = 0};
    struct tdk_run run;
    char heard[512];
    add_track(&frames, 1, "a", 1);
    while (frames.size < 1024)
        add_tick(&frames, 1);
    say_stream(f, 5);
    say_data(f, 5, &frames);
    say_end(f, 5, 31, 0);
    struct tdk_stream *stream = ask(f, 4096);
    assert_true(recv(f->server, heard, sizeof heard, 0) > 0); /* the query */
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), 1);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), 0);
    ssize_t n = recv(f->server, heard, sizeof heard - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    assert_non_null(memmem(heard, (size_t)n, "credit", 6));
    tdk_stream_close(stream);
}

/* Each of these frames lies in one way. None is handed out, and the stream is over. */
static void frames_that_lie_end_the_stream(void **state)
{
    struct fixture *f = *state;
    struct frames lies[10];
    memset(lies, 0, sizeof lies);
    add_tick(&lies[0], 3); /* of a track that was not named */
    add_track(&lies[1], 3, "x", 0);
    add_track(&lies[2], 3, "x", 65);
    add_track(&lies[3], 3, "x", 2); /* longer than its frame */
    add_frame(&lies[4], 3, TDK_TYPE_TRACK, "short", 5);
    add_tick(&lies[5], 3);
    lies[5].size -= 8; /* cut */
    add_tick(&lies[6], 3);
    ((struct tdk_frame *)(void *)lies[6].bytes)->size = UINT32_MAX;
    lies[7].size = 8;               /* less than a head */
    add_track(&lies[8], 3, "x", 1); /* a number has one name */
    add_track(&lies[8], 3, "y", 1);
    add_track(&lies[9], 3, "\033[2J", 4); /* no track's name, and a terminal would obey it */
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct tdk_run run;
        void *again = f;
        say_stream(f, 5);
        say_data(f, 5, &lies[i]);
        struct tdk_stream *stream = ask(f, 0);
        assert_int_equal(tdk_stream_read(stream, &run, &f->err), TDK_EFORMAT);
        assert_int_equal(tdk_stream_read(stream, &run, &f->err), TDK_EFORMAT);
        tdk_stream_close(stream);
        teardown(&again);
        setup(&again);
        f = again;
    }
    *state = f;
}

static void damage_is_told_in_its_place_and_the_rest_comes(void **state)
{
    struct fixture *f = *state;
    struct frames frames = {.size = 0};
    struct tdk_run run;
    add_track(&frames, 1, "a", 1);
    add_tick(&frames, 1);
    say_stream(f, 5);
    wire_begin_notification(&f->out, "damage");
    wire_put_map(&f->out, 2);
    wire_pair_u64(&f->out, "stream", 5);
    wire_pair_string(&f->out, "reason", "segment 3 has a hole");
    say(f);
    say_data(f, 5, &frames);
    say_end(f, 5, 1, 0);
    struct tdk_stream *stream = ask(f, 0);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), TDK_ECORRUPT);
    assert_string_equal(f->err.text, "segment 3 has a hole");
    assert_run(f, stream, "a", 1);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), 0);
    tdk_stream_close(stream);
}

static void an_end_with_an_error_is_that_error_each_time(void **state)
{
    struct fixture *f = *state;
    struct tdk_run run;
    say_stream(f, 5);
    say_end(f, 5, 0, -ECANCELED);
    struct tdk_stream *stream = ask(f, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tdk_stream_read(stream, &run, &f->err), -ECANCELED);
        assert_string_equal(f->err.text, "it went wrong");
    }
    tdk_stream_close(stream);
}

/* Otherwise ticks could be missing and nobody would know. */
static void an_end_that_tells_of_other_ticks_is_refused(void **state)
{
    struct fixture *f = *state;
    struct frames frames = {.size = 0};
    struct tdk_run run;
    add_track(&frames, 1, "a", 1);
    add_tick(&frames, 1);
    say_stream(f, 5);
    say_data(f, 5, &frames);
    say_end(f, 5, 2, 0);
    struct tdk_stream *stream = ask(f, 0);
    assert_run(f, stream, "a", 1);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), TDK_EFORMAT);
    tdk_stream_close(stream);
}

/* The client asks one thing at a time. An answer to something else is a mistake, and the client
 * does not wait it out. */
static void an_answer_to_what_was_not_asked_is_refused(void **state)
{
    struct fixture *f = *state;
    const void *result;
    size_t size;
    wire_begin_result(&f->out, 7);
    wire_put_map(&f->out, 0);
    say(f);
    assert_int_equal(tdk_client_call(f->client, "stats", NULL, 0, &result, &size, &f->err),
                     TDK_EFORMAT);
}

static void a_server_that_asks_is_refused(void **state)
{
    struct fixture *f = *state;
    const void *result;
    size_t size;
    wire_begin_request(&f->out, 1, "stats");
    wire_put_map(&f->out, 0);
    say(f);
    assert_int_equal(tdk_client_call(f->client, "stats", NULL, 0, &result, &size, &f->err),
                     TDK_EFORMAT);
}

static void a_server_that_goes_in_the_middle_is_told(void **state)
{
    struct fixture *f = *state;
    struct tdk_run run;
    say_stream(f, 5);
    hang_up(f);
    struct tdk_stream *stream = ask(f, 0);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), -ECONNRESET);
    tdk_stream_close(stream); /* it does not wait for an end */
}

/* A length counts when it is declared. Nothing is allocated for it. */
static void a_message_larger_than_any_is_refused_at_its_head(void **state)
{
    struct fixture *f = *state;
    struct tdk_run run;
    say_stream(f, 5);
    wire_begin_notification(&f->out, "data");
    wire_put_map(&f->out, 1);
    wire_put_string(&f->out, "frames");
    text_add(&f->out, "\xc6\xff\xff\xff\xff", 5);
    say(f);
    struct tdk_stream *stream = ask(f, 0);
    assert_int_equal(tdk_stream_read(stream, &run, &f->err), TDK_EFULL);
    assert_true(f->client->in.room < (size_t)1 << 20);
    tdk_stream_close(stream);
}

/* ---- pages ---- */

static void say_tracks(struct fixture *f, uint64_t id, const char *name)
{
    wire_begin_result(&f->out, id);
    wire_put_map(&f->out, 2);
    wire_put_string(&f->out, "tracks");
    wire_put_list(&f->out, 1);
    wire_put_map(&f->out, 1);
    wire_pair_string(&f->out, "name", name);
    wire_pair_bool(&f->out, "more", true);
    say(f);
}

static int count_track(const struct tdk_track_info *track, void *context)
{
    (void)track;
    ++*(int *)context;
    return 0;
}

/* Otherwise the walk would go on for ever. */
static void pages_that_do_not_lead_on_are_refused(void **state)
{
    struct fixture *f = *state;
    int count = 0;
    say_tracks(f, 1, "a");
    say_tracks(f, 2, "b");
    say_tracks(f, 3, "b");
    assert_int_equal(tdk_client_tracks(f->client, count_track, &count, &f->err), TDK_EFORMAT);
    assert_int_equal(count, 2);
}

/* ---- silence ---- */

enum { ALARM_US = 5000, ALARMS_MAX = 2000 };

static int alarmed_server;
static volatile sig_atomic_t alarms;

/* In the end the server hangs up, so that a client that waits for ever is noticed. */
static void on_alarm(int number)
{
    (void)number;
    if (++alarms == ALARMS_MAX)
        shutdown(alarmed_server, SHUT_WR);
}

static void set_alarm(suseconds_t us)
{
    const struct itimerval timer = {.it_interval = {.tv_usec = us}, .it_value = {.tv_usec = us}};
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* A program may profile itself, or have a timer for other things. */
static void silence_ends_also_for_who_is_interrupted_all_the_time(void **state)
{
    struct fixture *f = *state;
    const struct tdk_client_query query = {.range = {.to = UINT64_MAX}};
    struct tdk_client_count count;
    const struct sigaction action = {.sa_handler = on_alarm};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    alarmed_server = f->server;
    f->client->timeout_ns = 10 * ALARM_US * NS_PER_US;
    set_alarm(ALARM_US);
    int rc = tdk_client_count(f->client, &query, &count, &f->err);
    set_alarm(0);
    assert_int_equal(rc, -ETIMEDOUT);
}

/* Nobody accepts, and the queue of the listener is full. */
static void connecting_goes_on_for_who_is_interrupted_and_ends_in_time(void **state)
{
    struct fixture *f = *state;
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct tdk_client_options options = {.timeout_ns = 10 * ALARM_US * NS_PER_US};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char address[sizeof un.sun_path + 8];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), waiting = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(un.sun_path, sizeof un.sun_path, "/tmp/tapedeck-test-%d.sock", (int)getpid());
    snprintf(address, sizeof address, "unix:%s", un.sun_path);
    assert_int_equal(bind(listener, (const struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(connect(waiting, (const struct sockaddr *)&un, sizeof un), 0);
    alarmed_server = listener;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    set_alarm(ALARM_US);
    struct tdk_client *client = NULL;
    int rc = tdk_client_open(&client, address, &options, &f->err);
    set_alarm(0);
    assert_int_equal(rc, -ETIMEDOUT);
    close(waiting);
    close(listener);
    unlink(un.sun_path);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_stream_comes_as_runs_of_one_track),
        TEST(a_batch_holds_what_the_runs_hold),
        TEST(a_batch_ends_at_damage),
        TEST(what_was_taken_is_granted_again),
        TEST(frames_that_lie_end_the_stream),
        TEST(damage_is_told_in_its_place_and_the_rest_comes),
        TEST(an_end_with_an_error_is_that_error_each_time),
        TEST(an_end_that_tells_of_other_ticks_is_refused),
        TEST(an_answer_to_what_was_not_asked_is_refused),
        TEST(a_server_that_asks_is_refused),
        TEST(a_server_that_goes_in_the_middle_is_told),
        TEST(a_message_larger_than_any_is_refused_at_its_head),
        TEST(pages_that_do_not_lead_on_are_refused),
        TEST(silence_ends_also_for_who_is_interrupted_all_the_time),
        TEST(connecting_goes_on_for_who_is_interrupted_and_ends_in_time),
    };
    return cmocka_run_group_tests_name("wire.stream", tests, NULL, NULL);
}
