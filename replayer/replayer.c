#include "replayer/replayer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"

#define STOP_MS 5000u

static const struct option rows[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .required = true,
     .help = "the tape to play",
     .at = offsetof(struct replayer_config, tape)},
    {.name = NULL},
};

int replayer_config_load(struct replayer_config *c, int argc, char *const argv[],
                         struct tdk_err *err)
{
    memset(c, 0, sizeof *c);
    const struct option_set sets[] = {
        {.title = "What is played", .rows = rows, .into = c},
        {.title = "Who may ask it", .rows = server_rows, .into = &c->server},
        {.rows = NULL},
    };
    const struct option_spec spec = {
        .program = "tapedeck-replayer",
        .section = "replayer",
        .usage = "--tape DIR [options]",
        .about = "Plays ranges of a tape into rings, as its clients ask.\n"
                 "SIGTERM: the plays end, exit 0.",
        .sets = sets,
    };
    int rc = option_read(&spec, argc, argv, &c->options, err);
    if (rc < 0)
        return rc;
    if (c->options.globals.help) {
        option_help_as(&spec, (enum option_form)c->options.globals.help_form, stdout);
        return 1;
    }
    if (c->options.globals.version) {
        printf("tapedeck-replayer %s\n", TDK_VERSION);
        return 1;
    }
    option_log(&c->options.globals, "replayer");
    return server_config_check(&c->server, c->tape, "replayer.sock", err);
}

/* ---- events ---- */

static void on_stop(void *context)
{
    struct replayer *r = context;
    server_close(&r->server);
    sessions_close(&r->sessions);
    service_finish(&r->service, 0);
}

static void on_statistics(void *context)
{
    const struct replayer *r = context;
    log_info("plays=%u connections=%u requests=%" PRIu64, r->sessions.count, r->server.live_count,
             r->server.counts.requests);
}

static void on_gone(void *context, struct connection *connection)
{
    struct replayer *r = context;
    sessions_gone(&r->sessions, connection);
}

static void on_stats(struct request *request, struct wire_map params)
{
    const struct replayer *r = request_context(request);
    struct text_buffer *out = request_answer(request);
    (void)params;
    wire_put_map(out, 1);
    wire_put_string(out, "counters");
    size_t at = wire_open_map(out);
    uint32_t pairs = server_put_counters(&r->server, out);
    wire_pair_u64(out, "sessions", r->sessions.count);
    wire_close_map(out, at, pairs + 1);
    request_done(request);
}

static const struct method methods[] = {
    {.name = "stats", .flags = METHOD_BATCH, .call = on_stats},
    {.name = NULL},
};

/* ---- open, run, close ---- */

/* A folder that is no tape is told now, not to the first who asks. */
static int check_tape(const char *path, struct tdk_err *err)
{
    struct tdk_tape *tape;
    int rc = tdk_tape_open(&tape, path, err);
    if (rc == 0)
        tdk_tape_close(tape);
    return rc;
}

static int open_server(struct replayer *r, struct tdk_err *err)
{
    static const struct method *const tables[] = {methods, session_methods, NULL};
    struct server_options options;
    server_defaults(&options);
    options.program = "tapedeck-replayer";
    options.version = TDK_VERSION;
    options.tape = r->config->tape;
    options.tables = tables;
    options.gone = on_gone;
    options.context = r;
    server_config_apply(&r->config->server, &options);
    int rc = server_open(&r->server, &r->service.loop, &options, err);
    if (rc == 0)
        rc = sessions_open(&r->sessions, &r->service.loop, &r->server, r->config->tape, err);
    return rc;
}

int replayer_open(struct replayer *r, const struct replayer_config *config, struct tdk_err *err)
{
    static const struct service_events events = {.stop = on_stop, .statistics = on_statistics};
    char line[2 * PATH_MAX + 64];
    memset(r, 0, sizeof *r);
    r->config = config;
    int rc = check_tape(config->tape, err);
    if (rc < 0)
        return rc;
    rc = service_init(&r->service, &events, r, 0, STOP_MS, err);
    if (rc < 0)
        return rc;
    rc = open_server(r, err);
    if (rc < 0) {
        on_stop(r);
        (void)service_run(&r->service);
        replayer_close(r);
        return rc;
    }
    snprintf(line, sizeof line, "ready tape=%s socket=%s", config->tape,
             config->server.socket_path[0] != '\0' ? config->server.socket_path : "none");
    service_ready(line);
    return 0;
}

int replayer_run(struct replayer *r)
{
    return service_run(&r->service);
}

void replayer_close(struct replayer *r)
{
    server_free(&r->server);
    service_close(&r->service);
}
