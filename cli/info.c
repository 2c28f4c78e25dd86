/* info.c - describes a tape, or a lone segment file, in one row. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/range.h"
#include "cli/table.h"

struct args {
    struct range_args range;
    struct ask_args where;
    bool json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array of one object"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_tape_rows, .into = &args.range},
    {.rows = ask_depot_rows, .into = &args.where},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

static const struct column columns[] = {
    {"tape", COLUMN_TEXT},       {"id", COLUMN_TEXT},        {"created", COLUMN_TIME},
    {"first_ts", COLUMN_TIME},   {"last_ts", COLUMN_TIME},   {"ticks", COLUMN_COUNT},
    {"bytes", COLUMN_SIZE},      {"lost", COLUMN_COUNT},     {"size_on_disk", COLUMN_SIZE},
    {"tracks", COLUMN_COUNT},    {"segments", COLUMN_COUNT}, {"recording", COLUMN_FLAG},
    {"index_used", COLUMN_FLAG}, {"state", COLUMN_TEXT},
};

/* Ask the recorder for its state: "ok", "degraded: no space", ... Empty if it does not answer. */
static void ask_state(const char *tape, char *state, size_t room)
{
    const struct ask_args recorder = {.tape = tape, .timeout_ns = NS_PER_S};
    struct tdk_client *client;
    struct wire_map result;
    struct tdk_err err;
    state[0] = '\0';
    if (ask_connect(&client, &recorder, ASK_RECORDER, &err) < 0)
        return;
    wire_put_map(client_begin(client, "status"), 0);
    if (client_call(client, NULL, NULL, &result, &err) == 0)
        (void)wire_string(result, "state", state, room, NULL);
    tdk_client_close(client);
}

static void put_time(struct table *table, const struct tdk_tape_info *info, uint64_t ts)
{
    if (info->first_ts <= info->last_ts)
        table_number(table, ts);
    else
        table_none(table); /* no tick had a time that can be trusted */
}

static int show(const char *path, const struct tdk_tape_info *info, const char *state)
{
    struct table *table;
    enum table_form form = table_form(args.json);
    int rc = table_open(&table, form == TABLE_ALIGNED ? TABLE_SHEET : form, columns,
                        sizeof columns / sizeof columns[0]);
    if (rc < 0)
        return rc;
    char id[33];
    for (size_t i = 0; i < sizeof info->tape_id; i++)
        snprintf(id + 2 * i, 3, "%02x", info->tape_id[i]);
    table_text(table, path);
    table_text(table, id);
    if (info->created_ns != 0)
        table_number(table, info->created_ns);
    else
        table_none(table); /* a lone segment does not know */
    put_time(table, info, info->first_ts);
    put_time(table, info, info->last_ts);
    table_number(table, info->ticks);
    table_number(table, info->bytes);
    table_number(table, info->lost);
    table_number(table, info->size_on_disk);
    table_number(table, info->tracks);
    table_number(table, info->segments);
    table_number(table, info->recording);
    table_number(table, info->index_used);
    if (state[0] != '\0')
        table_text(table, state);
    else
        table_none(table);
    return table_close(table);
}

static int run(const struct cli *cli)
{
    struct depot depot;
    struct tdk_tape_info info;
    struct tdk_err err;
    bool is_operand = cli->operands->count > 0;
    const char *path = is_operand ? cli->operands->items[0] : args.range.tape;
    int status = depot_open(&depot, path, is_operand ? NULL : &args.where);
    if (status != CLI_OK)
        return status;
    bool is_here = depot.remote == NULL;
    if (!is_here)
        path = depot.where.address;
    int rc = depot_info(&depot, &info, &err);
    depot_close(&depot);
    if (rc < 0)
        return range_fail(&err);
    char state[128] = "";
    if (info.recording && is_here)
        ask_state(path, state, sizeof state);
    rc = show(path, &info, state);
    return rc < 0 ? cli_fail_stdout(rc) : CLI_OK;
}

const struct command info_command = {
    .name = "info",
    .brief = "summarize a tape or segment file: time range, ticks, losses",
    .usage = "[-T] DIR|SEGMENT|-a ADDRESS [--json]",
    .about = "Shows the time range, ticks, bytes and losses of a tape or a lone segment file.",
    .sets = sets,
    .operand = "DIR",
    .operands_max = 1,
    .run = run,
};
