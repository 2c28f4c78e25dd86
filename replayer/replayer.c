#include "replayer/replayer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "replayer/lookup.h"
#include "replayer/outstanding.h"
#include "replayer/query.h"
#include "tape/scout.h"
#include "tapedeck/ring.h"

#define STOP_MS 4500u
#define TEND_MS 100u

/* ---- the tape ---- */

/* What a recorder adds to a track is seen without this. New tracks, and a recorder that came or
 * went, are not. If a refresh fails now, we still answer from what we have. */
void replayer_refresh(struct replayer *r)
{
    struct tdk_err err;
    pthread_rwlock_wrlock(&r->gate);
    int rc = tdk_tape_refresh(r->tape, &err);
    pthread_rwlock_unlock(&r->gate);
    if (rc < 0 && !atomic_exchange(&r->refresh_failed, true))
        log_warn("%s; answering from what was known before", err.text);
    if (rc == 0)
        atomic_store(&r->refresh_failed, false);
}

int replayer_open_cursor(struct replayer *r, struct tdk_cursor **cursor, struct inquiry *inquiry,
                         struct tdk_err *err)
{
    replayer_refresh(r);
    pthread_rwlock_rdlock(&r->gate);
    int rc = inquiry_resolve(inquiry, r->tape, err);
    if (rc == 0)
        rc = tdk_cursor_open(cursor, r->tape, &inquiry->query, err);
    pthread_rwlock_unlock(&r->gate);
    return rc;
}

/* ---- stats: answered on the loop, whatever the disk does ---- */

static uint32_t put_counters(const struct replayer *r, struct text_buffer *out)
{
    const struct replay_counts *n = &r->counts;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"sessions", r->sessions.count},
        {"streams", r->stream_count},
        {"streams_begun", n->streams_begun},
        {"streams_ended", n->streams_ended},
        {"streams_cancelled", n->streams_cancelled},
        {"streams_refused", n->streams_refused},
        {"ticks", n->ticks},
        {"bytes", n->bytes},
        {"damaged", n->damaged},
        {"lookups", n->lookups},
        {"coverage_walks", atomic_load(&r->coverages.walks)},
        {"heartbeats", n->heartbeats},
        {"waits_for_memory", n->waits},
        {"outstanding", r->outstanding},
        {"reads_running", r->jobs.running},
        {"reads_waiting", r->jobs.waiting},
    };
    for (size_t i = 0; i < array_size(rows); i++)
        wire_pair_u64(out, rows[i].name, rows[i].value);
    return (uint32_t)array_size(rows);
}

static void on_stats(struct request *request, struct wire_map params)
{
    const struct replayer *r = replayer_of(request);
    (void)params;
    struct text_buffer *out = request_answer(request);
    wire_put_map(out, 1);
    wire_put_string(out, "counters");
    size_t map = wire_open_map(out);
    uint32_t pairs = put_counters(r, out);
    pairs += server_put_counters(&r->server, out);
    wire_close_map(out, map, pairs);
    request_done(request);
}

static const struct method own_methods[] = {
    {.name = "stats", .flags = METHOD_BATCH, .call = on_stats},
    {.name = NULL},
};

/* ---- events ---- */

static uint32_t put_limits(void *context, struct text_buffer *out)
{
    const struct replayer *r = context;
    wire_pair_u64(out, "reads", r->config->reads);
    wire_pair_u64(out, "streams_total", r->config->streams);
    wire_pair_u64(out, "outstanding", r->config->outstanding_client);
    wire_pair_u64(out, "outstanding_total", r->config->outstanding);
    return 4;
}

static void on_gone(void *context, struct connection *c)
{
    struct replayer *r = context;
    lookup_gone(r, c);
    query_gone(r, c);
    sessions_gone(&r->sessions, c);
}

static void finish(struct replayer *r)
{
    if (r->finished)
        return;
    r->finished = true;
    uv_close((uv_handle_t *)&r->tend, NULL);
    server_close(&r->server);
    sessions_close(&r->sessions);
    service_finish(&r->service, 0);
}

static void on_tend(uv_timer_t *timer)
{
    struct replayer *r = timer->data;
    query_tend(r);
    lookout_tend(&r->lookout, clock_mono());
    coverage_shelf_tend(&r->coverages, clock_mono());
    tally_update(&r->tally, r);
    if (r->stopping && r->stream_count == 0 && r->sessions.count == 0 && r->jobs.running == 0 &&
        r->jobs.waiting == 0)
        finish(r);
}

static void on_stop(void *context)
{
    struct replayer *r = context;
    log_info("stopping: streams and plays end");
    r->stopping = true;
    lookup_stop(r);
    query_stop(r);
    sessions_stop(&r->sessions);
}

static void on_statistics(void *context)
{
    const struct replayer *r = context;
    log_info(
        "connections=%u sessions=%u streams=%u ticks=%llu bytes=%llu damaged=%llu lookups=%llu "
        "outstanding=%zu reads=%u+%u",
        r->server.live_count, r->sessions.count, r->stream_count,
        (unsigned long long)r->counts.ticks, (unsigned long long)r->counts.bytes,
        (unsigned long long)r->counts.damaged, (unsigned long long)r->counts.lookups,
        r->outstanding, r->jobs.running, r->jobs.waiting);
}

/* ---- start ---- */

static int open_server(struct replayer *r, struct tdk_err *err)
{
    /* A new part of the protocol brings its own table. */
    static const struct method *const tables[] = {own_methods, lookup_methods, query_methods,
                                                  session_methods, NULL};
    const struct replay_config *c = r->config;
    struct server_options options;
    server_defaults(&options);
    server_config_apply(&c->server, &options);
    options.program = "tapedeck-replayer";
    options.version = TDK_VERSION;
    options.tape = c->tape;
    options.connections_max = (unsigned)c->connections;
    options.streams_max = (unsigned)c->connection_streams;
    options.control_rate = c->control_rate;
    options.control_burst = c->control_burst;
    options.idle_ns = c->idle_ns;
    options.half_ns = c->half_ns;
    options.stuck_ns = c->stuck_ns;
    options.tables = tables;
    options.limits = put_limits;
    options.gone = on_gone;
    options.context = r;
    int rc = server_open(&r->server, &r->service.loop, &options, err);
    if (rc == 0)
        rc = sessions_open(&r->sessions, &r->service.loop, &r->server, c->tape, err);
    return rc;
}

/* For those who watch us: the page of counters, and HTTP, which has a thread and so comes last. */
static int open_watch(struct replayer *r, struct tdk_err *err)
{
    const struct server_config *c = &r->config->server;
    struct http_options options = {.address = c->http,
                                   .remote = c->allow_remote,
                                   .writer = "replayer",
                                   .tape = r->config->tape,
                                   .replayer = c->socket_path};
    struct tdk_tape_info info;
    tdk_tape_info(r->tape, &info);
    tally_open(&r->tally, r->config->tape, info.tape_id);
    tally_update(&r->tally, r);
    if (options.address == NULL)
        return 0;
    memcpy(options.tape_id, info.tape_id, sizeof options.tape_id);
    return http_open(&r->http, &options, err);
}

/* Whoever starts both daemons may start this one first. */
static int open_tape(struct replayer *r, struct tdk_err *err)
{
    static const char remedy[] = "the first recorder makes the tape";
    int rc = tdk_tape_open(&r->tape, r->config->tape, err);
    err_advise(err, rc, -ENOENT, remedy);
    return err_advise(err, rc, TDK_ENOTAPE, remedy);
}

int replayer_open(struct replayer *r, const struct replay_config *config, struct tdk_err *err)
{
    static const struct service_events events = {.stop = on_stop, .statistics = on_statistics};
    memset(r, 0, sizeof *r);
    r->config = config;
    pthread_rwlock_init(&r->gate, NULL);
    coverage_shelf_init(&r->coverages);
    scout_limit(0);               /* many requests side by side keep all processors busy anyway */
    int rc = tdk_ring_guard(err); /* a ring that is cut under a play ends only that play */
    if (rc == 0)
        rc = open_tape(r, err);
    if (rc < 0)
        return rc;
    rc = service_init(&r->service, &events, r, (unsigned)config->io_workers, STOP_MS, err);
    if (rc < 0)
        return rc;
    r->opened = true;
    jobs_init(&r->jobs, &r->service.loop, (unsigned)config->reads);
    lookout_init(&r->lookout, r);
    uv_timer_init(&r->service.loop, &r->tend);
    r->tend.data = r;
    uv_timer_start(&r->tend, on_tend, TEND_MS, TEND_MS);
    rc = open_server(r, err);
    return rc < 0 ? rc : open_watch(r, err);
}

int replayer_run(struct replayer *r)
{
    char line[2 * PATH_MAX + 64];
    const char *socket = r->config->server.socket_path;
    if (r->server.port != 0)
        log_info("listening on port %u", r->server.port);
    snprintf(line, sizeof line, "ready tape=%s socket=%s", r->config->tape,
             socket[0] != '\0' ? socket : "none");
    service_ready(line);
    return service_run(&r->service);
}

void replayer_close(struct replayer *r)
{
    if (r->opened) {
        finish(r);
        service_close(&r->service);
        server_free(&r->server);
        outstanding_free(r);
    }
    http_close(r->http);
    tally_close(&r->tally);
    tdk_tape_close(r->tape);
    coverage_shelf_close(&r->coverages);
    pthread_rwlock_destroy(&r->gate);
}
