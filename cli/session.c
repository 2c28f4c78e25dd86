/* session.c - lists the plays that run in the replayer, and steers them. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/moment.h"
#include "base/quantity.h"
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/table.h"

struct args {
    struct ask_args ask;
    bool json;
    uint64_t ticks, by_ns;
    struct moment to;
};

static struct args args;

static const struct option show_rows[] = {
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array"},
    {.name = NULL},
};

static const struct option step_rows[] = {
    {.name = "ticks",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1,
     .at = offsetof(struct args, ticks),
     .help = "number of ticks, instead of N after ID; by default one"},
    {.name = "by",
     .kind = OPTION_DURATION,
     .min = 1,
     .at = offsetof(struct args, by_ns),
     .help = "or this much time of the tape, instead of D after ID"},
    {.name = NULL},
};

static const struct option seek_rows[] = {
    {.name = "to",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct args, to),
     .help = "where to continue, instead of TIME after ID"},
    {.name = NULL},
};

static const struct option_set plain_sets[] = {
    {.rows = ask_rows, .into = &args.ask},
    {.rows = show_rows, .into = &args},
    {.rows = NULL},
};
static const struct option_set step_sets[] = {
    {.rows = step_rows, .into = &args},
    {.rows = ask_rows, .into = &args.ask},
    {.rows = show_rows, .into = &args},
    {.rows = NULL},
};
static const struct option_set seek_sets[] = {
    {.rows = seek_rows, .into = &args},
    {.rows = ask_rows, .into = &args.ask},
    {.rows = show_rows, .into = &args},
    {.rows = NULL},
};

static const struct column columns[] = {
    {"session", COLUMN_COUNT}, {"state", COLUMN_TEXT},  {"at", COLUMN_TIME},
    {"from", COLUMN_TIME},     {"to", COLUMN_TIME},     {"into", COLUMN_TEXT},
    {"speed", COLUMN_TEXT},    {"ticks", COLUMN_COUNT}, {"lateness_p99", COLUMN_DURATION},
    {"owner", COLUMN_TEXT},
};

/* A value that is missing or of another type makes an empty cell. */
static void put_cell(struct table *table, struct wire_map map, const struct column *column)
{
    char text[256];
    uint64_t number;
    if (column->kind == COLUMN_TEXT)
        table_text(table,
                   wire_string(map, column->name, text, sizeof text, NULL) == 1 ? text : NULL);
    else if (wire_u64(map, column->name, &number, NULL) == 1)
        table_number(table, number);
    else
        table_none(table);
}

static int close_table(struct table *table)
{
    int rc = table_close(table);
    return rc < 0 ? cli_fail_stdout(rc) : CLI_OK;
}

static int show_sessions(struct wire_map result)
{
    struct wire_list list = {0};
    struct table *table;
    struct tdk_err err;
    if (wire_must(wire_list(result, "sessions", &list, &err), "sessions", &err) < 0)
        return ask_fail(&err);
    int rc = table_open(&table, table_form(args.json), columns, sizeof columns / sizeof columns[0]);
    if (rc < 0)
        return cli_fail_words("list sessions: %s", tdk_strerror(rc));
    for (uint32_t i = 0; i < list.count; i++) {
        struct wire_map one;
        if (wire_item_map(list, i, &one, NULL) != 1)
            continue;
        for (size_t j = 0; j < sizeof columns / sizeof columns[0]; j++)
            put_cell(table, one, &columns[j]);
    }
    return close_table(table);
}

static int run_ls(const struct cli *cli)
{
    struct tdk_client *client;
    struct wire_map result;
    (void)cli;
    int status = ask_open(&client, &args.ask, ASK_REPLAYER);
    if (status != CLI_OK)
        return status;
    wire_put_map(client_begin(client, "sessions"), 0);
    status = ask(client, &result);
    if (status == CLI_OK)
        status = show_sessions(result);
    tdk_client_close(client);
    return status;
}

/* ---- one of them ---- */

static int show_answer(struct wire_map result)
{
    struct table *table;
    struct tdk_err err;
    uint64_t session;
    if (wire_must(wire_u64(result, "session", &session, &err), "session", &err) < 0)
        return ask_fail(&err);
    int rc = table_open(&table, table_form(args.json), columns, 3); /* session, state, at */
    if (rc < 0)
        return cli_fail_words("show a session: %s", tdk_strerror(rc));
    for (size_t i = 0; i < 3; i++)
        put_cell(table, result, &columns[i]);
    return close_table(table);
}

/* `key` NULL: no param besides the session. `text` NULL: the param is the number. */
static int steer(const struct cli *cli, const char *method, const char *key, const char *text,
                 uint64_t number)
{
    struct tdk_client *client;
    struct wire_map result;
    uint64_t session;
    if (quantity_count(cli->operands->items[0], &session, NULL) < 0)
        return cli_usage("'%s' is not a session number; `tapedeck session ls` lists them",
                         cli->operands->items[0]);
    int status = ask_open(&client, &args.ask, ASK_REPLAYER);
    if (status != CLI_OK)
        return status;
    struct text_buffer *params = client_begin(client, method);
    wire_put_map(params, key != NULL ? 2 : 1);
    wire_pair_u64(params, "session", session);
    if (text != NULL)
        wire_pair_string(params, key, text);
    else if (key != NULL)
        wire_pair_u64(params, key, number);
    status = ask(client, &result);
    if (status == CLI_OK)
        status = show_answer(result);
    tdk_client_close(client);
    return status;
}

static int run_pause(const struct cli *cli)
{
    return steer(cli, "pause", NULL, NULL, 0);
}

static int run_resume(const struct cli *cli)
{
    return steer(cli, "resume", NULL, NULL, 0);
}

static int run_stop(const struct cli *cli)
{
    return steer(cli, "stop", NULL, NULL, 0);
}

/* The operand after ID; NULL: there is none. */
static const char *word_of(const struct cli *cli)
{
    return cli->operands->count > 1 ? cli->operands->items[1] : NULL;
}

/* `session step ID 5`, `session step ID 250ms`. */
static int read_step(const char *word)
{
    uint64_t *to = quantity_count(word, &args.ticks, NULL) == 0 ? &args.ticks : &args.by_ns;
    if (to == &args.by_ns && quantity_duration(word, to, NULL) < 0)
        return cli_usage("'%s' is neither a number of ticks nor a duration as in 250ms", word);
    return *to > 0 ? CLI_OK : cli_usage("'%s': a step cannot be zero", word);
}

static int run_step(const struct cli *cli)
{
    const char *word = word_of(cli);
    if ((args.ticks != 0) + (args.by_ns != 0) + (word != NULL) > 1)
        return cli_usage("choose one of a number of ticks, a duration, --ticks and --by");
    int status = word != NULL ? read_step(word) : CLI_OK;
    if (status != CLI_OK)
        return status;
    if (args.by_ns != 0)
        return steer(cli, "step", "by", NULL, args.by_ns);
    return steer(cli, "step", "n", NULL, args.ticks != 0 ? args.ticks : 1);
}

/* Where the replayer's tape begins and ends. */
static int find_bounds(struct moment_bounds *bounds)
{
    struct tdk_client *client;
    struct wire_map result = {0};
    int status = ask_open(&client, &args.ask, ASK_REPLAYER);
    if (status != CLI_OK)
        return status;
    wire_put_map(client_begin(client, "info"), 0);
    status = ask(client, &result);
    if (status == CLI_OK && wire_u64(result, "first_ts", &bounds->start, NULL) == 1 &&
        wire_u64(result, "last_ts", &bounds->end, NULL) == 1)
        bounds->end++;
    tdk_client_close(client);
    return status;
}

static int read_seek(const char *word)
{
    struct tdk_err err;
    if ((word != NULL) == (args.to.anchor != MOMENT_UNSET))
        return cli_usage(word != NULL
                             ? "choose one of TIME and --to"
                             : "the time to seek is missing: give it after ID or with --to");
    if (word != NULL && moment_parse(word, NULL, &args.to, &err) < 0)
        return cli_usage("%s", err.text);
    return CLI_OK;
}

static int run_seek(const struct cli *cli)
{
    struct moment_bounds bounds = {.now = clock_wall()};
    int status = read_seek(word_of(cli));
    if (status != CLI_OK)
        return status;
    status = moment_needs_tape(&args.to) ? find_bounds(&bounds) : CLI_OK;
    if (status != CLI_OK)
        return status;
    return steer(cli, "seek", "to", NULL, moment_resolve(&args.to, &bounds, 0));
}

static int run_speed(const struct cli *cli)
{
    struct speed speed;
    struct tdk_err err;
    const char *word = cli->operands->items[1];
    if (quantity_speed(word, &speed, &err) < 0)
        return cli_usage("%s", err.text);
    return steer(cli, "speed", "speed", word, 0);
}

#define ONE(NAME, BRIEF, RUN, SETS, USAGE, LEAST, MOST)                                            \
    static const struct command NAME = {                                                           \
        .name = #NAME,                                                                             \
        .brief = (BRIEF),                                                                          \
        .usage = USAGE " -T DIR|-a ADDRESS [--json]",                                              \
        .sets = (SETS),                                                                            \
        .operand = (USAGE),                                                                        \
        .operands_min = (LEAST),                                                                   \
        .operands_max = (MOST),                                                                    \
        .run = (RUN),                                                                              \
    }

ONE(pause, "pause the play: the time of its tape stands still", run_pause, plain_sets, "ID", 1, 1);
ONE(resume, "resume after a pause or a step", run_resume, plain_sets, "ID", 1, 1);
ONE(step, "pause, and advance by N ticks or by a time D", run_step, step_sets, "ID [N|D]", 1, 2);
ONE(seek, "continue at another time of the range", run_seek, seek_sets, "ID TIME", 1, 2);
ONE(speed, "change the speed: max, 2x, 0.5x, 1000/s", run_speed, plain_sets, "ID SPEED", 2, 2);
ONE(stop, "end the play; its rings get an END", run_stop, plain_sets, "ID", 1, 1);

static const struct command ls = {
    .name = "ls",
    .brief = "list the plays that run",
    .usage = "-T DIR|-a ADDRESS [--json]",
    .sets = plain_sets,
    .run = run_ls,
};

const struct command ls_sessions_command = {
    .name = "sessions",
    .brief = "list the plays that run in a replayer",
    .usage = "-T DIR|-a ADDRESS [--json]",
    .sets = plain_sets,
    .run = run_ls,
};

const struct command session_command = {
    .name = "session",
    .brief = "list and control the plays that run in a replayer",
    .parts =
        (const struct command *const[]){&ls, &pause, &resume, &step, &seek, &speed, &stop, NULL},
};
