/* play_ask.c - a play in a replayer: asked for, watched, steered by keys. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/play.h"

#define LOOK_MS 50 /* between two looks at keys and signals */

struct watch {
    const struct play_args *args;
    const struct fidelity *fidelity;
    struct tdk_client *client;
    uint64_t session;
    struct speed speed;
    bool paused, stopping, over;
    int status;
};

/* ---- what is asked ---- */

static void put_list(struct text_buffer *out, const char *key, const struct option_list *list)
{
    wire_put_string(out, key);
    wire_put_list(out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        wire_put_string(out, list->items[i]);
}

static void put_moment(struct text_buffer *out, const char *key, const struct moment *moment)
{
    const struct moment_bounds bounds = {.now = clock_wall()};
    wire_put_string(out, key);
    if (moment->anchor == MOMENT_UNSET)
        wire_put_nil(out);
    else
        wire_put_u64(out, moment_resolve(moment, &bounds, 0));
}

static void put_rebase(struct text_buffer *out, const struct moment *moment)
{
    if (moment->anchor == MOMENT_NOW && moment->ns == 0)
        wire_pair_string(out, "rebase", "now");
    else
        put_moment(out, "rebase", moment);
}

/* Zeros of what is counted mean that nothing is asked. */
static void put_params(const struct play_args *a, struct text_buffer *out)
{
    char speed[QUANTITY_TEXT];
    wire_put_map(out, 19);
    put_moment(out, "from", &a->range.from);
    put_moment(out, "to", &a->range.to);
    put_list(out, "tracks", &a->range.tracks);
    put_list(out, "symbols", &a->range.symbols);
    put_list(out, "types", &a->range.types);
    wire_pair_string(out, "axis", a->range.axis == TDK_AXIS_EVENT ? "event" : "recv");
    wire_pair_u64(out, "limit", a->limit);
    wire_pair_string(out, "into", a->into);
    wire_pair_string(out, "speed", quantity_speed_text(speed, &a->speed));
    wire_pair_u64(out, "loop", a->loop);
    wire_pair_u64(out, "max_idle", a->max_idle_ns);
    wire_pair_u64(out, "wait_consumers", a->wait_consumers);
    wire_pair_u64(out, "create", a->create_size);
    put_rebase(out, &a->rebase);
    wire_pair_bool(out, "per_track", a->per_track);
    wire_pair_bool(out, "paused", a->paused);
    wire_pair_bool(out, "prime", a->prime);
    wire_pair_bool(out, "then_live", a->then_live);
    wire_pair_bool(out, "lockstep", a->lockstep);
}

static int check(const struct play_args *a)
{
    if (moment_needs_tape(&a->range.from) || moment_needs_tape(&a->range.to) ||
        moment_needs_tape(&a->rebase))
        return cli_usage("-a: times of the tape (start, end) need the tape: give times, or -T");
    if (a->require_complete || a->prime_back_ns != 0 || a->timeout_ns != 0)
        return cli_usage("--require-complete, --prime-back and --timeout go with -T");
    return CLI_OK;
}

/* ---- what is told ---- */

static uint64_t number_of(struct wire_map map, const char *key)
{
    uint64_t number = 0;
    (void)wire_u64(map, key, &number, NULL);
    return number;
}

static void tell_lateness(struct wire_map fidelity)
{
    char p50[QUANTITY_TEXT], p99[QUANTITY_TEXT], p999[QUANTITY_TEXT], max[QUANTITY_TEXT];
    fprintf(stderr, "lateness p50 %s p99 %s p99.9 %s max %s\n",
            quantity_duration_text(p50, number_of(fidelity, "p50")),
            quantity_duration_text(p99, number_of(fidelity, "p99")),
            quantity_duration_text(p999, number_of(fidelity, "p99_9")),
            quantity_duration_text(max, number_of(fidelity, "max")));
}

/* The quantile that was asked for, of the four that are told. */
static bool is_missed(const struct watch *w, struct wire_map fidelity)
{
    uint32_t quantile = w->fidelity->quantile;
    const char *key = quantile == 500000   ? "p50"
                      : quantile == 990000 ? "p99"
                      : quantile == 999000 ? "p99_9"
                                           : "max";
    char text[QUANTITY_TEXT];
    uint64_t reached = number_of(fidelity, key);
    if (reached < w->fidelity->limit_ns)
        return false;
    cli_warn("fidelity missed: %s was asked for, it was %s", w->args->fidelity,
             quantity_duration_text(text, reached));
    return true;
}

static int judge(const struct watch *w, struct wire_map last, struct wire_map fidelity)
{
    uint64_t lost = number_of(last, "lost"), damaged = number_of(last, "damaged");
    if (interrupted() && !w->args->then_live)
        return cli_fail_words("interrupted after %" PRIu64 " ticks", number_of(last, "ticks"));
    if (w->fidelity != NULL && fidelity.count > 0 && is_missed(w, fidelity))
        return CLI_MISSED;
    if (lost == 0 && damaged == 0)
        return CLI_OK;
    cli_warn("not whole: %" PRIu64 " ticks lost, %" PRIu64 " damaged parts; `tapedeck gaps` names "
             "them",
             lost, damaged);
    return CLI_LOSSY;
}

static void end(struct watch *w, struct wire_map last)
{
    struct wire_map fidelity = {0}, error = {0};
    struct tdk_err err;
    char digest[40] = "", elapsed[QUANTITY_TEXT];
    w->over = true;
    if (wire_map(last, "error", &error, NULL) == 1 && wire_get_error(error, &err)) {
        w->status = cli_fail(&err, NULL);
        return;
    }
    cli_note("%" PRIu64 " ticks in %s", number_of(last, "ticks"),
             quantity_duration_text(elapsed, number_of(last, "elapsed")));
    if (wire_map(last, "fidelity", &fidelity, NULL) == 1)
        tell_lateness(fidelity);
    w->status = judge(w, last, fidelity);
    (void)wire_string(last, "digest", digest, sizeof digest, NULL);
    if (w->args->digest)
        fprintf(stderr, "digest %s ticks %" PRIu64 "\n", digest, number_of(last, "ticks"));
}

static void hear(void *context, const struct wire_message *message)
{
    struct watch *w = context;
    char state[16] = "";
    if (message->kind != WIRE_NOTIFICATION || !wire_text_is(message->method, "session") ||
        number_of(message->params, "session") != w->session ||
        wire_string(message->params, "state", state, sizeof state, NULL) != 1)
        return;
    w->paused = strcmp(state, "paused") == 0;
    if (strcmp(state, "ended") == 0 || strcmp(state, "failed") == 0)
        end(w, message->params);
    else if (strcmp(state, "playing") != 0)
        cli_note("%s", state);
}

/* ---- steering ---- */

static int call(struct watch *w, const char *method, const char *key, const char *text,
                uint64_t number)
{
    struct wire_map result;
    struct tdk_err err;
    struct text_buffer *params = client_begin(w->client, method);
    wire_put_map(params, key != NULL ? 2 : 1);
    wire_pair_u64(params, "session", w->session);
    if (text != NULL)
        wire_pair_string(params, key, text);
    else if (key != NULL)
        wire_pair_u64(params, key, number);
    int rc = client_call(w->client, hear, w, &result, &err);
    if (rc == 0 || rc == -ESRCH) /* it has just ended by itself */
        return CLI_OK;
    return cli_fail(&err, NULL);
}

static int change_speed(struct watch *w, bool faster)
{
    char text[QUANTITY_TEXT];
    w->speed = faster ? speed_faster(w->speed) : speed_slower(w->speed);
    return call(w, "speed", "speed", quantity_speed_text(text, &w->speed), 0);
}

static int steer(struct watch *w)
{
    if (interrupted() && !w->stopping) {
        w->stopping = true;
        return call(w, "stop", NULL, NULL, 0);
    }
    switch (keys_read()) {
    case KEY_SPACE:
        return call(w, w->paused ? "resume" : "pause", NULL, NULL, 0);
    case KEY_RIGHT:
        return call(w, "step", "n", NULL, 1);
    case KEY_UP:
        return change_speed(w, true);
    case KEY_DOWN:
        return change_speed(w, false);
    case KEY_QUIT:
        return call(w, "stop", NULL, NULL, 0);
    case KEY_NONE:
    case KEY_LEFT:
        break;
    }
    return CLI_OK;
}

static int watch(struct watch *w)
{
    int status = CLI_OK;
    while (!w->over && status == CLI_OK) {
        struct pollfd fd = {.fd = w->client->fd, .events = POLLIN};
        struct wire_message message;
        struct tdk_err err;
        /* What came behind the last answer is in memory already. */
        if (w->client->in.size > w->client->used || poll(&fd, 1, LOOK_MS) > 0) {
            if (client_next(w->client, &message, &err) < 0) {
                cli_fail(&err, NULL);
                return CLI_UNREACHABLE;
            }
            hear(w, &message);
        } else {
            status = steer(w);
        }
    }
    return w->over ? w->status : status;
}

int play_in_replayer(const struct play_args *args, const struct fidelity *fidelity)
{
    const struct ask_args where = {.address = args->address, .token_file = args->token_file};
    struct watch w = {.args = args, .fidelity = fidelity, .speed = args->speed};
    struct wire_map result;
    int status = check(args);
    if (status == CLI_OK)
        status = ask_open(&w.client, &where, ASK_REPLAYER);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    put_params(args, client_begin(w.client, "play"));
    status = ask(w.client, &result);
    if (status == CLI_OK) {
        w.session = number_of(result, "session");
        (void)keys_open();
        status = watch(&w);
        keys_close();
    }
    tdk_client_close(w.client);
    return status;
}
