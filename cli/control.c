/* control.c - roll, flush, mark, attach and detach: requests to the recorder. */
#include <stdio.h>

#include "base/name.h"
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/table.h"

struct args {
    struct ask_args ask;
    uint64_t back_ns;
    const char *track;
    bool json;
};

static struct args args;

static const struct option own_rows[] = {
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array of one object"},
    {.name = NULL},
};
static const struct option_set sets[] = {
    {.rows = ask_rows, .into = &args.ask},
    {.rows = own_rows, .into = &args},
    {.rows = NULL},
};

/* Show one number of the answer, as a table with one row. */
static int show(struct wire_map result, const struct column *column)
{
    struct table *table;
    struct tdk_err err;
    uint64_t value = 0;
    int rc = wire_must(wire_u64(result, column->name, &value, &err), column->name, &err);
    if (rc < 0)
        return ask_fail(&err);
    rc = table_open(&table, table_form(args.json), column, 1);
    if (rc == 0) {
        table_number(table, value);
        rc = table_close(table);
    }
    return rc < 0 ? cli_fail_stdout(rc) : CLI_OK;
}

static void put_params(struct text_buffer *params, const char *key, const char *name)
{
    size_t opened = wire_open_map(params);
    uint32_t pairs = 0;
    if (name != NULL) {
        wire_pair_string(params, key, name);
        pairs++;
    }
    if (args.back_ns != 0) {
        wire_pair_u64(params, "back", args.back_ns);
        pairs++;
    }
    if (args.track != NULL) {
        wire_pair_string(params, "track", args.track);
        pairs++;
    }
    wire_close_map(params, opened, pairs);
}

/* Call `method` with the param `key`: `name` (none if NULL), and show `column` of the answer (NULL:
 * there is nothing to show). */
static int call(const char *method, const char *key, const char *name, const struct column *column)
{
    struct tdk_client *client;
    struct wire_map result;
    if (name != NULL && !name_is_valid(name, strlen(name)))
        return cli_usage("'%s': %s", name, tdk_strerror(TDK_ENAME));
    int status = ask_open(&client, &args.ask, ASK_RECORDER);
    if (status != CLI_OK)
        return status;
    put_params(client_begin(client, method), key, name);
    status = ask(client, &result);
    if (status == CLI_OK && column != NULL)
        status = show(result, column);
    else if (status == CLI_OK && args.json)
        puts("[{}]");
    tdk_client_close(client);
    return status;
}

static int run_flush(const struct cli *cli)
{
    (void)cli;
    return call("flush", NULL, NULL, NULL);
}

const struct command flush_command = {
    .name = "flush",
    .brief = "wait until everything published so far is durable",
    .usage = "-T DIR|-a ADDRESS [--json]",
    .about = "Asks the recorder to write and sync what is in its rings now, and waits until\n"
             "that is done. A query that starts afterwards finds all of it.",
    .sets = sets,
    .run = run_flush,
};

static int run_roll(const struct cli *cli)
{
    static const struct column segment = {"segment", COLUMN_COUNT};
    (void)cli;
    return call("roll", NULL, NULL, &segment);
}

const struct command roll_command = {
    .name = "roll",
    .brief = "make the recorder begin the next segment",
    .usage = "-T DIR|-a ADDRESS [--json]",
    .about = "Ticks published so far go to the segment that ends here, if there are any.\n"
             "Prints the number of the segment that is being written now.",
    .sets = sets,
    .run = run_roll,
};

static int run_mark(const struct cli *cli)
{
    static const struct column ts = {"ts", COLUMN_TIME};
    return call("mark", "name", cli->operands->items[0], &ts);
}

static const struct option mark_rows[] = {
    {.name = "back",
     .kind = OPTION_DURATION,
     .at = offsetof(struct args, back_ns),
     .help = "keep what was received this long before the mark: retention spares those segments"},
    {.name = NULL},
};
static const struct option_set mark_sets[] = {
    {.rows = ask_rows, .into = &args.ask},
    {.rows = mark_rows, .into = &args},
    {.rows = own_rows, .into = &args},
    {.rows = NULL},
};

const struct command mark_command = {
    .name = "mark",
    .brief = "put a named mark on each track that is being recorded",
    .usage = "NAME -T DIR|-a ADDRESS [--back D] [--json]",
    .about = "The mark stands behind everything published so far; its time is printed. It is a\n"
             "MARK frame: `query --control -o frames` has it, and `tapedeck ls marks` lists\n"
             "it.",
    .sets = mark_sets,
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_mark,
};

/* ---- rings ---- */

static int run_attach(const struct cli *cli)
{
    return call("attach", "ring", cli->operands->items[0], NULL);
}

static const struct option attach_rows[] = {
    {.name = "track",
     .kind = OPTION_NAME,
     .value = "TRACK",
     .at = offsetof(struct args, track),
     .help = "the track for its ticks; by default the one named in the ring's header"},
    {.name = NULL},
};
static const struct option_set attach_sets[] = {
    {.rows = ask_rows, .into = &args.ask},
    {.rows = attach_rows, .into = &args},
    {.rows = NULL},
};

const struct command attach_command = {
    .name = "attach",
    .brief = "make the recorder record one more ring",
    .usage = "RING -T DIR|-a ADDRESS [--track TRACK]",
    .about = "Works like one more --ring: a ring that does not exist yet is waited for. It\n"
             "lasts as long as the recorder runs. A recorder takes up to 64 of them.",
    .sets = attach_sets,
    .operand = "RING",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_attach,
};

static int run_detach(const struct cli *cli)
{
    return call("detach", "ring", cli->operands->items[0], NULL);
}

static const struct option_set detach_sets[] = {
    {.rows = ask_rows, .into = &args.ask},
    {.rows = NULL},
};

const struct command detach_command = {
    .name = "detach",
    .brief = "make the recorder let go of a ring",
    .usage = "RING -T DIR|-a ADDRESS",
    .about = "Waits until everything published so far is durable. What is published later\n"
             "stays in the ring, for whoever consumes it next.",
    .sets = detach_sets,
    .operand = "RING",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_detach,
};
