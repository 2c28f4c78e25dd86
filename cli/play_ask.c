/* play_ask.c - a play in a replayer: starts it, follows it, steers it by keys. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/err.h"
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/play_report.h"
#include "cli/remote.h"

#define LOOK_MS 50 /* between two looks at keys and signals */

struct watch {
    const struct play_args *args;
    const struct fidelity *fidelity;
    struct tdk_client *client;
    uint64_t session;
    struct speed speed;
    bool paused, stopping, quit, over; /* quit: by our own key */
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

static void put_rebase(const struct play_args *a, struct depot *depot, struct text_buffer *out)
{
    uint64_t ts = a->rebase.anchor != MOMENT_UNSET ? play_rebase(a, depot) : 0;
    wire_put_string(out, "rebase");
    if (a->rebase.anchor == MOMENT_UNSET)
        wire_put_nil(out);
    else if (ts == UINT64_MAX)
        wire_put_string(out, "now");
    else
        wire_put_u64(out, ts);
}

/* A count of 0 means that nothing is asked for. */
static void put_params(const struct play_args *a, struct range *range, struct text_buffer *out)
{
    char speed[QUANTITY_TEXT];
    wire_put_map(out, 23);
    wire_pair_u64(out, "from", range->query.from);
    wire_pair_u64(out, "to", range->query.to);
    put_list(out, "tracks", &a->range.tracks);
    put_list(out, "symbols", &a->range.symbols);
    put_list(out, "types", &a->range.types);
    wire_pair_string(out, "axis", a->range.axis == TDK_AXIS_EVENT ? "event" : "recv");
    wire_pair_u64(out, "limit", a->limit);
    wire_pair_bool(out, "digest", a->digest);
    wire_pair_string(out, "into", a->into);
    wire_pair_string(out, "speed", quantity_speed_text(speed, &a->speed));
    wire_pair_u64(out, "loop", a->loop);
    wire_pair_u64(out, "max_idle", a->max_idle_ns);
    wire_pair_u64(out, "wait_consumers", a->wait_consumers);
    wire_pair_u64(out, "wait_timeout", a->timeout_ns);
    wire_pair_u64(out, "stall_timeout", a->stall_ns);
    wire_pair_u64(out, "prime_back", a->prime_back_ns);
    wire_pair_u64(out, "create", a->create_size);
    put_rebase(a, &range->depot, out);
    wire_pair_bool(out, "per_track", a->per_track);
    wire_pair_bool(out, "paused", a->paused);
    wire_pair_bool(out, "prime", a->prime);
    wire_pair_bool(out, "then_live", a->then_live);
    wire_pair_bool(out, "lockstep", a->lockstep);
}

/* ---- what is told ---- */

static uint64_t number_of(struct wire_map map, const char *key)
{
    uint64_t number = 0;
    (void)wire_u64(map, key, &number, NULL);
    return number;
}

static bool flag_of(struct wire_map map, const char *key)
{
    bool flag = false;
    (void)wire_bool(map, key, &flag, NULL);
    return flag;
}

static void read_outcome(struct wire_map last, struct play_outcome *o)
{
    struct wire_map fidelity = {0};
    *o = (struct play_outcome){
        .ticks = number_of(last, "ticks"),
        .bytes = number_of(last, "bytes"),
        .rounds = number_of(last, "rounds"),
        .primed = number_of(last, "primed"),
        .lost = number_of(last, "lost"),
        .damaged = number_of(last, "damaged"),
        .stalls = number_of(last, "stalls"),
        .stalled_ns = number_of(last, "stalled"),
        .elapsed_ns = number_of(last, "elapsed"),
        .complete = flag_of(last, "complete"),
        .stopped = flag_of(last, "stopped"),
        .signalled = interrupted(),
        .timed = wire_map(last, "fidelity", &fidelity, NULL) == 1,
        .digest_ticks = number_of(last, "digest_ticks"),
    };
    o->p50 = number_of(fidelity, "p50");
    o->p99 = number_of(fidelity, "p99");
    o->p99_9 = number_of(fidelity, "p99_9");
    o->max = number_of(fidelity, "max");
    (void)wire_string(last, "digest", o->digest, sizeof o->digest, NULL);
}

/* Report what was missing, one by one, as far as it was in what was played. For a play that was
 * stopped, the counts alone say that. */
static void tell_losses(struct losses *losses, struct wire_map last, const struct play_outcome *o)
{
    struct wire_map coverage = {0};
    if (o->lost + o->damaged > 0 && !o->stopped && wire_map(last, "coverage", &coverage, NULL) == 1)
        (void)remote_coverage_of(coverage,
                                 &(struct tdk_coverage_walk){.gap = losses_gap, .context = losses});
    if (losses->losses + losses->damages > 0)
        return;
    losses->losses = o->lost > 0;
    losses->ticks = o->lost;
    losses->damages = o->damaged;
}

static int fail(const struct tdk_err *err)
{
    if (err->code == TDK_ESTALLED)
        return cli_fail(err, "start its consumer before the play, or play into a larger ring");
    cli_fail(err, NULL);
    return err->code == -ETIMEDOUT ? CLI_MISSED : CLI_FAILED;
}

/* Read from the last notification how the play failed, or that it says nothing. 0: it did not
 * fail. */
static int read_failure(struct wire_map last, bool failed, struct tdk_err *err)
{
    struct wire_map error = {0};
    uint64_t ticks;
    int rc = wire_may(wire_map(last, "error", &error, err), err);
    if (rc == 1 && !wire_get_error(error, err))
        err_say(err, TDK_EFORMAT, "it ended with an error that has no code");
    if (rc != 0)
        return err->code;
    if (failed)
        return err_say(err, TDK_EFORMAT, "it failed, and the replayer does not say why");
    return wire_must(wire_u64(last, "ticks", &ticks, err), "ticks", err);
}

static void end(struct watch *w, struct wire_map last, bool failed)
{
    struct losses losses = {.told = 0};
    struct play_outcome outcome;
    struct tdk_err err;
    w->over = true;
    if (read_failure(last, failed, &err) < 0) {
        w->status = fail(&err);
        return;
    }
    read_outcome(last, &outcome);
    outcome.taken = outcome.stopped && !w->quit && !outcome.signalled;
    tell_losses(&losses, last, &outcome);
    w->status = play_report(w->args, w->fidelity, &outcome, &losses);
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
    bool failed = strcmp(state, "failed") == 0;
    if (failed || strcmp(state, "ended") == 0)
        end(w, message->params, failed);
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
    if (rc == -EAGAIN) { /* one of many keys may be lost, but not the order to end */
        w->stopping = false;
        return CLI_OK;
    }
    return ask_fail(&err);
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
        w->quit = true;
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
        if (interrupted() && !w->stopping)
            status = steer(w);
        struct pollfd fd = {.fd = w->client->fd, .events = POLLIN};
        struct wire_message message;
        struct tdk_err err;
        /* What came after the last answer is in memory already. */
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

int play_in_replayer(const struct play_args *args, const struct fidelity *fidelity,
                     struct range *range)
{
    struct watch w = {.args = args, .fidelity = fidelity, .speed = args->speed};
    struct wire_map result;
    struct tdk_err err;
    struct ask_args where = args->where;
    where.timeout_ns = ASK_SILENCE_NS; /* of answers: a play itself may be silent for any time */
    int status = ask_open(&w.client, &where, ASK_REPLAYER);
    if (status != CLI_OK)
        return status;
    put_params(args, range, client_begin(w.client, "play"));
    if (client_call(w.client, NULL, NULL, &result, &err) < 0) {
        status = err.code == -EINVAL ? cli_usage("%s", err.text) : fail(&err);
    } else if (wire_must(wire_u64(result, "session", &w.session, &err), "session", &err) < 0) {
        status = fail(&err);
    } else {
        (void)keys_open();
        status = watch(&w);
        keys_close();
    }
    tdk_client_close(w.client);
    return status;
}
