#include "replayer/config.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#define MIB (UINT64_C(1) << 20)

static const struct option playing[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .required = true,
     .help = "the tape to serve; it may be recorded to meanwhile",
     .at = offsetof(struct replay_config, tape)},
    {.name = "io-workers",
     .kind = OPTION_COUNT,
     .preset = "12",
     .min = 2,
     .max = 128,
     .help = "threads for calls that may block",
     .at = offsetof(struct replay_config, io_workers)},
    {.name = NULL},
};

static const struct option limits[] = {
    {.name = "connections",
     .kind = OPTION_COUNT,
     .preset = "1024",
     .min = 1,
     .max = 65536,
     .help = "connections at a time; one more is refused",
     .at = offsetof(struct replay_config, connections)},
    {.name = "connection-streams",
     .kind = OPTION_COUNT,
     .preset = "16",
     .min = 1,
     .max = 1024,
     .help = "streams and sessions of one connection",
     .at = offsetof(struct replay_config, connection_streams)},
    {.name = "streams",
     .kind = OPTION_COUNT,
     .preset = "256",
     .min = 1,
     .max = 65536,
     .help = "streams of all connections; each holds a block of every track that it merges",
     .at = offsetof(struct replay_config, streams)},
    {.name = "reads",
     .kind = OPTION_COUNT,
     .preset = "10",
     .min = 1,
     .max = 128,
     .help = "reads of the tape at a time; others wait their turn",
     .at = offsetof(struct replay_config, reads)},
    {.name = "outstanding-client",
     .kind = OPTION_SIZE,
     .preset = "8M",
     .min = MIB,
     .help = "bytes read for one client that it has not taken yet",
     .at = offsetof(struct replay_config, outstanding_client)},
    {.name = "outstanding",
     .kind = OPTION_SIZE,
     .preset = "128M",
     .min = MIB,
     .help = "the same for all clients together; above it, reading waits",
     .at = offsetof(struct replay_config, outstanding)},
    {.name = "control-rate",
     .kind = OPTION_COUNT,
     .preset = "100",
     .max = 1000000,
     .help = "control requests per second of one connection; 0: no limit",
     .at = offsetof(struct replay_config, control_rate)},
    {.name = "control-burst",
     .kind = OPTION_COUNT,
     .preset = "200",
     .min = 1,
     .max = 1000000,
     .help = "control requests at once",
     .at = offsetof(struct replay_config, control_burst)},
    {.name = "idle",
     .kind = OPTION_DURATION,
     .preset = "5m",
     .min = NS_PER_MS,
     .help = "close a connection that asks nothing and has no stream for this long",
     .at = offsetof(struct replay_config, idle_ns)},
    {.name = "half-sent",
     .kind = OPTION_DURATION,
     .preset = "10s",
     .min = NS_PER_MS,
     .help = "close one whose message is not complete after this long",
     .at = offsetof(struct replay_config, half_ns)},
    {.name = "not-taken",
     .kind = OPTION_DURATION,
     .preset = "30s",
     .min = NS_PER_MS,
     .help = "close one that takes nothing of what was sent for this long",
     .at = offsetof(struct replay_config, stuck_ns)},
    {.name = NULL},
};

int replay_config_load(struct replay_config *c, int argc, char *const argv[], struct tdk_err *err)
{
    memset(c, 0, sizeof *c);
    const struct option_set sets[] = {
        {.title = "serving", .rows = playing, .into = c},
        {.title = "access", .rows = server_rows, .into = &c->server},
        {.title = "limits", .rows = limits, .into = c},
        {.rows = NULL},
    };
    const struct option_spec spec = {
        .program = "tapedeck-replayer",
        .section = "replayer",
        .usage = "--tape DIR [options]",
        .about = "Answers time-range queries on a tape over a socket, and plays it back into\n"
                 "rings.\n"
                 "SIGTERM: end sessions, exit 0. SIGUSR1: write statistics to the log.",
        .sets = sets,
    };
    int rc = option_read(&spec, argc, argv, &c->options, err);
    if (rc < 0)
        return rc;
    if (option_answered(&spec, &c->options, TDK_VERSION))
        return 1;
    option_log(&c->options.globals, "replayer");
    return server_config_check(&c->server, c->tape, "replayer.sock", err);
}

void replay_config_close(struct replay_config *c)
{
    option_close(&c->options);
}
