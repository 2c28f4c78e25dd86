#include "replayer/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "replayer/session_last.h"
#include "tape/tape.h"

static struct sessions *opened; /* one for each server: one in a process, more in a test */

struct sessions *sessions_of(const struct request *request)
{
    struct sessions *s = opened;
    while (s != NULL && s->server != request->connection->server)
        s = s->next;
    return s;
}

struct session *session_find(const struct sessions *sessions, uint64_t number)
{
    struct session *s = sessions->list;
    while (s != NULL && (s->number != number || !s->is_open))
        s = s->next;
    return s;
}

/* ---- on the play's thread ---- */

static void wake(struct session *s)
{
    uv_async_send(&s->all->woken);
}

/* The end is reported once, by the last notification. When too many changes wait, the newest
 * replaces the last one. */
static void on_change(enum player_state state, void *context)
{
    struct session *s = context;
    struct player_status status;
    if (state == PLAYER_ENDED || state == PLAYER_FAILED)
        return;
    player_status(s->player, &status);
    pthread_mutex_lock(&s->lock);
    if (s->event_count < SESSION_EVENTS_MAX)
        s->event_count++;
    s->events[s->event_count - 1] = status;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

/* The times of events are not known before they are played. And what is recorded meanwhile is
 * played, too. */
static void note_range(struct session *s)
{
    const struct tdk_query *query = &s->params.inquiry.query;
    struct tdk_tape_info info;
    tdk_tape_info(s->tape, &info);
    s->from = query->from;
    s->to = query->to;
    if (query->axis == TDK_AXIS_EVENT || info.first_ts > info.last_ts)
        return;
    if (s->from == 0)
        s->from = info.first_ts;
    if (s->to != UINT64_MAX || info.last_ts == UINT64_MAX || s->params.then_live)
        return;
    if (info.recording)
        s->grew_to = info.last_ts + 1;
    else
        s->to = info.last_ts + 1;
}

static int open_play(struct session *s)
{
    struct session_params *p = &s->params;
    const struct player_options options = {
        .into = p->into,
        .per_track = p->per_track,
        .create_size = p->create_size,
        .speed = p->speed,
        .max_idle_ns = p->max_idle_ns,
        .rounds = p->loop,
        .rebase = p->rebase,
        .rebase_ts = p->rebase_ts,
        .paused = p->paused,
        .prime = p->prime,
        .then_live = p->then_live,
        .lockstep = p->lockstep,
        .prime_back_ns = p->prime_back_ns,
        .digest = p->inquiry.digest,
        .stall_ns = p->stall_ns,
        .changed = on_change,
        .context = s,
    };
    int rc = tdk_tape_open(&s->tape, s->all->tape, &s->err);
    if (rc == 0 && p->inquiry.query.written)
        rc = tape_refresh_written(s->tape, &s->err);
    if (rc == 0)
        rc = inquiry_resolve(&p->inquiry, s->tape, &s->err);
    if (rc == 0)
        note_range(s);
    return rc < 0 ? rc : player_open(&s->player, s->tape, &p->inquiry.query, &options, &s->err);
}

static void tell(struct session *s, bool *flag)
{
    pthread_mutex_lock(&s->lock);
    *flag = true;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static void *run_session(void *context)
{
    struct session *s = context;
    s->rc = open_play(s);
    bool open = s->rc == 0;
    tell(s, &s->opened);
    if (open && s->params.wait_consumers > 0) {
        on_change(PLAYER_WAITING, s);
        s->rc = player_wait_consumers(s->player, s->params.wait_consumers,
                                      s->params.wait_timeout_ns, &s->err);
    }
    struct tdk_err *err = s->rc == 0 ? &s->err : NULL; /* the first error is reported */
    int played = open ? player_run(s->player, err) : 0;
    if (s->rc == 0 || s->rc == -ECANCELED) /* it was stopped before it began */
        s->rc = played;
    if (open)
        s->last_pairs = session_put_last(s, &s->last);
    tell(s, &s->over);
    return NULL;
}

/* ---- on the loop ---- */

static void session_free(struct session *s)
{
    player_close(s->player);
    tdk_tape_close(s->tape);
    session_params_close(&s->params);
    text_close(&s->last);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void stop(struct session *s)
{
    const struct player_command quit = {.order = PLAYER_QUIT};
    if (s->is_open)
        (void)player_command(s->player, &quit);
}

static void notify(struct session *s, const struct player_status *status, bool is_last)
{
    struct text_buffer out;
    if (s->connection == NULL)
        return;
    text_init(&out);
    wire_begin_notification(&out, "session");
    wire_put_map(&out, 4 + (is_last ? s->last_pairs : 0));
    wire_pair_u64(&out, "session", s->number);
    wire_pair_string(&out, "state", player_state_text(status->state));
    wire_pair_u64(&out, "at", status->at);
    wire_pair_u64(&out, "ticks", status->ticks);
    if (is_last)
        text_add_buffer(&out, &s->last);
    connection_send(s->connection, &out);
    text_close(&out);
}

/* The play is open, or could not be opened. */
static void answer(struct session *s)
{
    struct request *request = s->request;
    s->request = NULL;
    s->is_open = s->player != NULL;
    if (!s->is_open) {
        request_fail(request, &s->err);
        return;
    }
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 1);
    wire_pair_u64(out, "session", s->number);
    request_done(request);
    if ((s->connection == NULL && !s->params.detach) || s->all->stopping)
        stop(s);
}

static void let_go(struct session *s)
{
    if (s->connection != NULL)
        connection_release(s->connection);
    s->connection = NULL;
}

static void end(struct session *s)
{
    struct sessions *all = s->all;
    struct session **at = &all->list;
    pthread_join(s->thread, NULL);
    if (s->is_open) {
        struct player_status status;
        player_status(s->player, &status);
        status.state = s->rc < 0 ? PLAYER_FAILED : PLAYER_ENDED;
        player_close(s->player); /* whoever hears of the end finds the rings free */
        s->player = NULL;
        notify(s, &status, true);
    }
    let_go(s);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    all->count--;
    session_free(s);
}

/* Take what its thread has reported since the last time. True: the play is over, and freed. */
static bool hear(struct session *s)
{
    struct player_status events[SESSION_EVENTS_MAX];
    pthread_mutex_lock(&s->lock);
    bool answers = s->opened && s->request != NULL, over = s->over;
    unsigned count = s->event_count;
    memcpy(events, s->events, count * sizeof events[0]);
    s->event_count = 0;
    pthread_mutex_unlock(&s->lock);
    if (answers)
        answer(s);
    for (unsigned i = 0; i < count; i++)
        notify(s, &events[i], false);
    if (over)
        end(s);
    return over;
}

static void close_if_last(struct sessions *sessions)
{
    if (sessions->closing && sessions->count == 0 &&
        !uv_is_closing((uv_handle_t *)&sessions->woken))
        uv_close((uv_handle_t *)&sessions->woken, NULL);
}

static void on_woken(uv_async_t *async)
{
    struct sessions *sessions = container_of(async, struct sessions, woken);
    for (struct session *s = sessions->list, *next; s != NULL; s = next) {
        next = s->next;
        (void)hear(s);
    }
    close_if_last(sessions);
}

/* ---- begin ---- */

static struct session *session_new(struct sessions *sessions, struct request *request,
                                   struct session_params *params)
{
    struct connection *c = request->connection;
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->all = sessions;
    s->number = ++sessions->numbers;
    s->connection = c;
    s->request = request;
    s->params = *params;
    *params = (struct session_params){.loop = 0}; /* we now own its lists */
    snprintf(s->owner, sizeof s->owner, "%.64s uid %d", c->client, c->local ? (int)c->uid : -1);
    text_init(&s->last);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

int session_start(struct sessions *sessions, struct request *request, struct session_params *params,
                  struct tdk_err *err)
{
    if (sessions->stopping)
        return err_say(err, -ECANCELED, "the replayer is stopping");
    if (sessions->count == SESSIONS_MAX)
        return err_say(err, TDK_EFULL, "%u plays run already", SESSIONS_MAX);
    int rc = connection_hold(request->connection, err);
    if (rc < 0)
        return rc;
    struct session *s = session_new(sessions, request, params);
    if (s == NULL) {
        connection_release(request->connection);
        return err_set(err, -ENOMEM, "begin a play");
    }
    rc = pthread_create(&s->thread, NULL, run_session, s);
    if (rc != 0) {
        let_go(s);
        session_free(s);
        return err_set(err, -rc, "begin a play's thread");
    }
    s->next = sessions->list;
    sessions->list = s;
    sessions->count++;
    return 0;
}

int sessions_open(struct sessions *sessions, uv_loop_t *loop, struct server *server,
                  const char *tape, struct tdk_err *err)
{
    *sessions = (struct sessions){.server = server, .tape = tape, .next = opened};
    int rc = uv_async_init(loop, &sessions->woken, on_woken);
    if (rc < 0)
        return err_set(err, rc, "begin to listen to plays");
    sessions->is_open = true;
    opened = sessions;
    return 0;
}

void sessions_gone(struct sessions *sessions, struct connection *connection)
{
    for (struct session *s = sessions->list; s != NULL; s = s->next) {
        if (s->connection != connection)
            continue;
        let_go(s);
        if (!s->params.detach)
            stop(s);
    }
}

void sessions_stop(struct sessions *sessions)
{
    sessions->stopping = true; /* those being opened stop once they are: answer() */
    for (struct session *s = sessions->list; s != NULL; s = s->next)
        stop(s);
}

void sessions_close(struct sessions *sessions)
{
    struct sessions **at = &opened;
    if (!sessions->is_open || sessions->closing)
        return;
    sessions->closing = true;
    while (*at != NULL && *at != sessions)
        at = &(*at)->next;
    if (*at == sessions)
        *at = sessions->next;
    sessions_stop(sessions);
    close_if_last(sessions);
}
