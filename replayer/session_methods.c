/* session_methods.c - play, and the methods that steer a running play. */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/moment.h"
#include "replayer/session.h"

static void on_play(struct request *request, struct wire_map params)
{
    struct session_params asked;
    struct tdk_err err;
    int rc = session_params_read(&asked, params, &err);
    if (rc >= 0)
        rc = session_start(sessions_of(request), request, &asked, &err);
    session_params_close(&asked);
    if (rc < 0)
        request_fail(request, &err);
}

/* The session that the request means. NULL: there is none, and the request has been answered. */
static struct session *session_asked(struct request *request, struct wire_map params)
{
    struct tdk_err err;
    uint64_t number = 0;
    int rc = wire_u64(params, "session", &number, &err);
    struct session *s = rc == 1 ? session_find(sessions_of(request), number) : NULL;
    if (s != NULL)
        return s;
    if (rc == 0)
        err_say(&err, TDK_EVALUE, "session must be a number");
    else if (rc == 1)
        err_say(&err, -ESRCH, "there is no session %" PRIu64, number);
    request_fail(request, &err);
    return NULL;
}

/* The player obeys within 20 ms; the answer names the state that this leads to. Session NULL:
 * session_asked() has answered. */
static void steer(struct request *request, struct session *s, const struct player_command *command,
                  enum player_state leads_to)
{
    struct tdk_err err;
    struct player_status status;
    if (s == NULL)
        return;
    int rc = player_command(s->player, command);
    if (rc < 0) {
        err_say(&err, rc, "session %" PRIu64 " %s", s->number,
                rc == -ESRCH ? "is over" : "has too much to do already");
        request_fail(request, &err);
        return;
    }
    player_status(s->player, &status);
    bool changes = leads_to != PLAYER_WAITING;
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 3);
    wire_pair_u64(out, "session", s->number);
    wire_pair_string(out, "state", player_state_text(changes ? leads_to : status.state));
    wire_pair_u64(out, "at", command->order == PLAYER_SEEK ? command->to : status.at);
    request_done(request);
}

static void on_pause(struct request *request, struct wire_map params)
{
    steer(request, session_asked(request, params), &(struct player_command){.order = PLAYER_PAUSE},
          PLAYER_PAUSED);
}

static void on_resume(struct request *request, struct wire_map params)
{
    steer(request, session_asked(request, params), &(struct player_command){.order = PLAYER_RESUME},
          PLAYER_PLAYING);
}

static void on_stop(struct request *request, struct wire_map params)
{
    steer(request, session_asked(request, params), &(struct player_command){.order = PLAYER_QUIT},
          PLAYER_ENDED);
}

static void fail(struct request *request, const char *why)
{
    struct tdk_err err;
    err_say(&err, TDK_EVALUE, "%s", why);
    request_fail(request, &err);
}

static void on_step(struct request *request, struct wire_map params)
{
    struct player_command command = {.order = PLAYER_STEP};
    struct tdk_err err;
    int ticks = wire_u64(params, "n", &command.ticks, &err);
    int time = ticks < 0 ? ticks : wire_u64(params, "by", &command.by_ns, &err);
    if (time < 0) {
        request_fail(request, &err);
        return;
    }
    if (ticks == 0 && time == 0)
        command.ticks = 1;
    if (ticks == 1 && time == 1)
        fail(request, "step takes n (ticks) or by (ns), not both");
    else if (command.ticks == 0 && command.by_ns == 0)
        fail(request, "step must be at least one tick or one ns");
    else
        steer(request, session_asked(request, params), &command, PLAYER_PAUSED);
}

/* A play of a tape that grows reaches what was recorded since it began: up to now. */
static uint64_t last_place(const struct session *s)
{
    return s->grew_to != 0 ? max_u64(s->grew_to, clock_wall()) : s->to;
}

/* A seek to the very end of the range is allowed: the play ends there. */
static int check_place(const struct session *s, uint64_t to, struct tdk_err *err)
{
    char place[MOMENT_TEXT], first[MOMENT_TEXT], end[MOMENT_TEXT];
    const uint64_t last = last_place(s);
    if (to >= s->from && to <= last)
        return 0;
    return err_say(err, TDK_EVALUE, "to: %s is not in the range of session %" PRIu64 ", %s to %s",
                   moment_text(place, to), s->number, moment_text(first, s->from),
                   last == UINT64_MAX ? "the end" : moment_text(end, last));
}

static void seek(struct request *request, struct session *s, uint64_t to)
{
    const struct player_command command = {.order = PLAYER_SEEK, .to = to};
    struct tdk_err err;
    if (s != NULL && check_place(s, to, &err) < 0)
        request_fail(request, &err);
    else
        steer(request, s, &command, PLAYER_WAITING);
}

static void on_seek(struct request *request, struct wire_map params)
{
    struct tdk_err err;
    uint64_t to;
    int rc = wire_u64(params, "to", &to, &err);
    if (rc < 0)
        request_fail(request, &err);
    else if (rc == 0)
        fail(request, "to must be a time in ns");
    else
        seek(request, session_asked(request, params), to);
}

static void on_speed(struct request *request, struct wire_map params)
{
    struct player_command command = {.order = PLAYER_SPEED};
    struct tdk_err err;
    int rc = session_params_speed(params, &command.speed, &err);
    if (rc < 0)
        request_fail(request, &err);
    else if (rc == 0)
        fail(request, "speed must be max, or as in 1x or 1000/s");
    else
        steer(request, session_asked(request, params), &command, PLAYER_WAITING);
}

static void put_session(struct session *s, struct text_buffer *out)
{
    struct player_status status;
    char speed[QUANTITY_TEXT];
    player_status(s->player, &status);
    wire_put_map(out, 10);
    wire_pair_u64(out, "session", s->number);
    wire_pair_string(out, "state", player_state_text(status.state));
    wire_pair_u64(out, "at", status.at);
    wire_pair_u64(out, "from", s->params.inquiry.query.from);
    wire_pair_u64(out, "to", s->params.inquiry.query.to);
    wire_pair_string(out, "into", s->params.into);
    wire_pair_string(out, "speed", quantity_speed_text(speed, &status.speed));
    wire_pair_u64(out, "ticks", status.ticks);
    wire_pair_u64(out, "lateness_p99", status.lateness_p99);
    wire_put_string(out, "owner");
    wire_put_words(out, s->owner);
}

static void on_sessions(struct request *request, struct wire_map params)
{
    const struct sessions *sessions = sessions_of(request);
    struct text_buffer *out = request_answer(request);
    uint32_t count = 0;
    (void)params;
    wire_put_map(out, 1);
    wire_put_string(out, "sessions");
    size_t at = wire_open_list(out);
    for (struct session *s = sessions->list; s != NULL; s = s->next)
        if (s->is_open) {
            put_session(s, out);
            count++;
        }
    wire_close_list(out, at, count);
    request_done(request);
}

const struct method session_methods[] = {
    {.name = "play", .flags = METHOD_CONTROL, .call = on_play},
    {.name = "pause", .flags = METHOD_CONTROL | METHOD_BATCH, .call = on_pause},
    {.name = "resume", .flags = METHOD_CONTROL | METHOD_BATCH, .call = on_resume},
    {.name = "step", .flags = METHOD_CONTROL | METHOD_BATCH, .call = on_step},
    {.name = "seek", .flags = METHOD_CONTROL | METHOD_BATCH, .call = on_seek},
    {.name = "speed", .flags = METHOD_CONTROL | METHOD_BATCH, .call = on_speed},
    {.name = "stop", .flags = METHOD_CONTROL | METHOD_BATCH, .call = on_stop},
    {.name = "sessions", .flags = METHOD_BATCH, .call = on_sessions},
    {.name = NULL},
};
