/* query.c - writes a range of a tape to a file or to stdout. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/nearest.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/dbn_head.h"
#include "cli/forecast.h"
#include "cli/interrupt.h"
#include "cli/losses.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/table.h"
#include "formats/dbn_names.h"
#include "tape/cursor.h"
#include "tape/prime.h"
#include "tapedeck/digest.h"

struct args {
    struct range_args range;
    struct ask_args where;
    uint64_t limit, prime_back_ns;
    const char *format, *file;
    int progress;
    bool reverse, prime, force, pretty, map_symbols, envelope, decimal, five, control;
    bool count, explain, digest, fail_empty, require_complete, json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "limit",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .at = offsetof(struct args, limit),
     .min = 1,
     .help = "at most this many ticks, counted after --reverse"},
    {.name = "reverse",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, reverse),
     .help = "last tick first: the exact reverse of the order"},
    {.name = "prime",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, prime),
     .help = "print each instrument's last definition, status, quote and trade first; not counted"},
    {.name = "prime-back",
     .kind = OPTION_DURATION,
     .min = 1,
     .at = offsetof(struct args, prime_back_ns),
     .help = "look no further back for those; by default to the tape's beginning"},
    {.name = "format",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .value = "FORMAT",
     .at = offsetof(struct args, format),
     .help = "csv, jsonl, dbn, dbn.zst, parquet, arrow, pcap, pcapng, frames or none; by default "
             "from the name of FILE"},
    {.name = "output",
     .letter = 'O',
     .kind = OPTION_TEXT,
     .value = "FILE",
     .at = offsetof(struct args, file),
     .help = "write to FILE, which appears only when complete; by default to stdout"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, force),
     .help = "replace FILE if it exists"},
    {.name = "pretty",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, pretty),
     .help = "text: decimals and RFC 3339 times instead of integers"},
    {.name = "map-symbols",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, map_symbols),
     .help = "text, columns: add a last column or key `symbol`"},
    {.name = "envelope",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, envelope),
     .help = "text, columns: add track, epoch, seq and ts of each tick"},
    {.name = "decimal",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, decimal),
     .help = "columns: prices as DECIMAL(18, 9) instead of integers of 1e-9"},
    {.name = "five",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, five),
     .help = "jsonl: trades as symbol, timestamp, price, volume, message_type"},
    {.name = "control",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, control),
     .help = "jsonl, frames: include control frames"},
    {.name = "count",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, count),
     .help = "print only the number of ticks, from the index and the directories of blocks; damage "
             "is found only with --digest, which reads each tick"},
    {.name = "written",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, range.written),
     .help = "include what a recorder has written but not yet made durable"},
    {.name = "explain",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, explain),
     .help = "print the blocks and bytes that would be read, and read none"},
    {.name = "digest",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, digest),
     .help = "print a last line on stderr: digest HEX ticks N"},
    {.name = "fail-empty",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, fail_empty),
     .help = "exit 4 if nothing matches"},
    {.name = "require-complete",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, require_complete),
     .help = "if the range has a gap, deliver nothing and exit 3"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "with --count and --explain: print a JSON array of one object"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.title = "ticks", .rows = range_rows, .into = &args.range},
    {.rows = ask_depot_rows, .into = &args.where},
    {.title = "options", .rows = rows, .into = &args},
    {.rows = NULL},
};

/* The state of a query. */
struct query {
    const struct cli *cli;
    struct range range;
    struct tdk_query delivered; /* the range, and what --prime puts before it */
    struct dbn_head *head;
    struct output *output;
    struct reader *reader;
    struct tdk_digest *digest;
    struct losses losses;
    struct progress progress;
    uint64_t ticks, bytes;
    uint64_t forecast; /* in ticks */
};

static int unknown_format(const char *word)
{
    struct nearest nearest;
    nearest_begin(&nearest, word);
    static const char *const known[] = {"csv",   "jsonl", "dbn",    "dbn.zst", "parquet",
                                        "arrow", "pcap",  "pcapng", "frames",  "none"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        nearest_try(&nearest, known[i]);
    if (nearest.best != NULL)
        return cli_usage("-o %s: no such format; did you mean '%s'?", word, nearest.best);
    return cli_usage("-o %s: no such format; choose one of %s", word, output_format_words);
}

/* ---- numbers ---- */

static int show_numbers(const struct column *columns, const uint64_t *numbers, size_t count)
{
    struct table *table;
    int rc = table_open(&table, table_form(args.json), columns, count);
    if (rc == 0) {
        for (size_t i = 0; i < count; i++)
            table_number(table, numbers[i]);
        rc = table_close(table);
    }
    return rc < 0 ? cli_fail_stdout(rc) : CLI_OK;
}

static int show_count(const struct query *q)
{
    static const struct column columns[] = {{"ticks", COLUMN_COUNT}};
    if (args.json)
        return show_numbers(columns, &q->ticks, 1);
    printf("%" PRIu64 "\n", q->ticks);
    return CLI_OK;
}

/* ---- delivering ---- */

/* The schema asked for by name, if it is just one. */
static uint16_t asked_schema(void)
{
    uint16_t schema;
    if (args.range.types.count == 1 && dbn_schema_parse(args.range.types.items[0], &schema))
        return schema;
    return DBN_SCHEMA_MIXED;
}

/* What a tick would have been: of the one type asked for, else what the tracks hold. */
static struct output_schema likely_schema(const struct query *q)
{
    const struct tdk_type_filter *type = q->range.query.types;
    struct output_schema held = dbn_head_schema(q->head);
    if (q->range.query.type_count != 1)
        return held;
    bool record = type->type <= TDK_TYPE_WIDE;
    if (record && type->rtype < 0)
        return held;
    struct output_schema asked = {.type = type->type, .rtype = record ? (uint8_t)type->rtype : 0};
    bool alike = held.type == asked.type && held.rtype == asked.rtype;
    return alike ? held : asked; /* `held` has a version, too */
}

static struct tdk_query delivered_range(const struct query *q)
{
    struct tdk_query query = q->range.query;
    if (args.prime)
        query.from = args.prime_back_ns > 0 && args.prime_back_ns < query.from
                         ? query.from - args.prime_back_ns
                         : 0;
    return query;
}

static int open_output(struct query *q, enum output_format format, struct tdk_err *err)
{
    struct output_options options = {
        .format = format,
        .path = args.file,
        .force = args.force,
        .pretty = args.pretty,
        .map_symbols = args.map_symbols,
        .envelope = args.envelope,
        .decimal = args.decimal,
        .five = args.five,
        .control = args.control,
        .facts = depot_facts(&q->range.depot),
    };
    int rc = output_settle_format(&options, err);
    bool headed = output_format_is_headed(options.format);
    q->delivered = delivered_range(q);
    if (rc == 0 && headed)
        rc = dbn_head_open(&q->head, &q->range.depot, &q->delivered, asked_schema(), err);
    if (rc == 0 && (options.format == OUTPUT_DBN || options.format == OUTPUT_DBN_ZST))
        rc = dbn_head_add_symbols(q->head, err);
    if (rc < 0)
        return rc;
    if (headed) {
        options.metadata = dbn_head_metadata(q->head);
        options.ts_out = options.metadata->ts_out;
    }
    if (args.map_symbols)
        rc = depot_load_symbols(&q->range.depot, err);
    return rc < 0 ? rc : output_open(&q->output, &options, err);
}

static int deliver_run(struct query *q, const struct tdk_run *run, struct tdk_err *err)
{
    losses_look(&q->losses, run);
    int rc =
        output_put(q->output, run->track, run->number, run->epoch, run->frames, run->size, err);
    if (rc < 0)
        return rc;
    if (q->digest != NULL)
        tdk_digest_run(q->digest, run->track, run->epoch, run->frames, run->size);
    q->ticks += run->ticks;
    q->bytes += run->size;
    return 0;
}

/* Deliver the state that the range begins with. */
static int deliver_prologue(struct query *q, struct tdk_err *err)
{
    const struct prime_options options = {.back_ns = args.prime_back_ns,
                                          .stopped = interrupt_asked};
    struct prime *prime;
    struct tdk_run run;
    int rc = prime_open(&prime, q->range.tape, &q->range.query, &options, err);
    if (rc < 0)
        return rc;
    while (rc == 0 && prime_next(prime, &run))
        rc = output_put(q->output, run.track, run.number, run.epoch, run.frames, run.size, err);
    if (prime_damaged(prime) > 0) {
        struct tdk_err damage;
        err_say(&damage, TDK_ECORRUPT, "%s", "parts of the tape before the range cannot be read");
        losses_damage(&q->losses, &damage);
    }
    prime_close(prime);
    return rc;
}

/* Deliver the range. -EPIPE: the reader has gone. -ECANCELED: interrupted. */
static int deliver(struct query *q, struct tdk_err *err)
{
    struct tdk_run run;
    int rc = reader_open(&q->reader, &q->range.depot, &q->range.query, err);
    if (rc == 0 && args.prime)
        rc = deliver_prologue(q, err);
    for (unsigned turn = 0; rc >= 0; turn++) {
        if (interrupted())
            return -ECANCELED;
        rc = reader_read(q->reader, &run, err);
        if (rc == 0)
            return 0;
        if (rc == 1)
            rc = deliver_run(q, &run, err);
        else if (rc == TDK_ECORRUPT) {
            losses_damage(&q->losses, err);
            rc = 0;
        }
        if (turn % 64 == 0)
            progress_at(&q->progress, q->bytes, forecast_bytes(q->forecast, q->ticks, q->bytes),
                        "bytes", q->ticks);
    }
    return rc;
}

static int finish(struct query *q)
{
    struct tdk_err err;
    if (q->ticks == 0 && q->head != NULL) {
        struct output_schema schema = likely_schema(q);
        output_suppose(q->output, &schema);
    }
    int rc = output_finish(q->output, &err);
    progress_end(&q->progress, q->bytes, q->bytes, "bytes", q->ticks);
    if (rc == -EPIPE)
        return CLI_OK;
    if (rc == TDK_EFORMAT)
        return cli_usage("%s", err.text);
    if (rc < 0)
        return cli_fail(&err, NULL);
    if (args.count && show_count(q) != CLI_OK)
        return CLI_FAILED;
    int status = losses_status(&q->losses);
    if (output_tell_losses(q->output))
        status = CLI_LOSSY;
    if (q->digest != NULL)
        cli_digest_line(q->digest);
    if (status == CLI_OK && q->ticks == 0 && args.fail_empty)
        return CLI_NOTHING;
    return status;
}

static int run_delivery(struct query *q, enum output_format format)
{
    struct tdk_err err;
    q->range.query.control = true; /* LOSS frames are reported even if not delivered */
    if (open_output(q, format, &err) < 0)
        return err.code == -EEXIST ? cli_usage("%s", err.text) : range_fail(&err);
    if (args.require_complete) {
        int status = losses_check(&q->range.depot, &q->range.query);
        if (status != CLI_OK)
            return status;
    }
    if (args.digest && tdk_digest_open(&q->digest) < 0)
        return cli_fail_words("digest: %s", tdk_strerror(-ENOMEM));
    progress_begin(&q->progress, "query", args.progress, q->cli->globals->quiet);
    if (q->progress.mode != PROGRESS_NONE)
        q->forecast = forecast_ticks(&q->range.depot, &q->range.query);
    int rc = deliver(q, &err);
    if (rc == 0)
        return finish(q);
    progress_clear(&q->progress);
    if (rc == -EPIPE)
        return CLI_OK;
    if (rc == -ECANCELED)
        return cli_fail_words("interrupted after %" PRIu64 " %s", q->ticks,
                              quantity_word(q->ticks, "tick", "ticks"));
    if (rc == TDK_EFORMAT)
        return cli_usage("%s", err.text);
    return range_fail(&err);
}

/* ---- counting ---- */

/* Count on a tape that is read here, by each block's directory. */
static int count_here(struct query *q, uint64_t *lost, struct tdk_err *err)
{
    struct tdk_cursor *cursor;
    struct tdk_cursor_stats stats;
    struct tdk_run run;
    int rc = tdk_cursor_open(&cursor, q->range.tape, &q->range.query, err);
    if (rc < 0)
        return rc;
    cursor_stop_when(cursor, interrupt_asked, NULL);
    while (!interrupted() &&
           ((rc = tdk_cursor_read(cursor, &run, err)) == 1 || rc == TDK_ECORRUPT)) {
        if (rc == 1)
            q->ticks += run.ticks;
        else
            losses_damage(&q->losses, err);
    }
    if (interrupted())
        rc = err_say(err, -ECANCELED, "interrupted after %" PRIu64 " %s", q->ticks,
                     quantity_word(q->ticks, "tick", "ticks"));
    tdk_cursor_stats(cursor, &stats);
    tdk_cursor_close(cursor);
    *lost = stats.lost;
    return rc;
}

static int count_there(struct query *q, uint64_t *lost, struct tdk_err *err)
{
    const struct option_list *types = &args.range.types;
    const struct tdk_client_query asked = {
        .range = q->range.query, .types = types->items, .type_count = types->count};
    struct tdk_client_count count = {.ticks = 0};
    int rc = remote_count(q->range.depot.remote, &asked, &count, err);
    q->ticks = count.ticks;
    *lost = count.lost;
    if (rc == 0 && count.damaged > 0)
        losses_damaged_blocks(&q->losses, count.damaged);
    return rc;
}

static int run_count(struct query *q)
{
    struct tdk_err err;
    uint64_t lost = 0;
    if (args.require_complete) {
        int whole = losses_check(&q->range.depot, &q->range.query);
        if (whole != CLI_OK)
            return whole;
    }
    q->range.query.count_only = true;
    int rc = q->range.tape != NULL ? count_here(q, &lost, &err) : count_there(q, &lost, &err);
    if (rc < 0)
        return range_fail(&err);
    int status = show_count(q);
    if (status != CLI_OK)
        return status;
    if (lost > 0)
        cli_warn("%" PRIu64 " more ticks were lost in this range before they were recorded", lost);
    status = losses_status(&q->losses);
    if (lost > 0)
        return CLI_LOSSY;
    if (status == CLI_OK && q->ticks == 0 && args.fail_empty)
        return CLI_NOTHING;
    return status;
}

static int run_explain(struct query *q)
{
    struct tdk_err err;
    uint64_t numbers[2] = {0, 0};
    struct tdk_cursor *cursor = NULL;
    int rc = tdk_cursor_open(&cursor, q->range.tape, &q->range.query, &err);
    if (rc == 0)
        rc = tdk_cursor_explain(cursor, &numbers[0], &numbers[1], &err);
    tdk_cursor_close(cursor);
    if (rc < 0)
        return range_fail(&err);
    static const struct column columns[] = {{"blocks", COLUMN_COUNT}, {"bytes", COLUMN_SIZE}};
    return show_numbers(columns, numbers, 2);
}

/* ---- the command ---- */

static void close_query(struct query *q)
{
    output_close(q->output);
    reader_close(q->reader);
    tdk_digest_close(q->digest);
    dbn_head_close(q->head);
    range_close(&q->range);
}

static int run(const struct cli *cli)
{
    enum output_format format = OUTPUT_AUTO;
    bool numbers = args.count || args.explain;
    if (args.format != NULL && !output_format_parse(args.format, &format))
        return unknown_format(args.format);
    if (args.count && args.explain)
        return cli_usage("--count and --explain: choose one");
    if (numbers && args.file != NULL)
        return cli_usage("%s prints numbers to stdout; it cannot be combined with -O",
                         args.count ? "--count" : "--explain");
    if (args.prime && (numbers || args.reverse))
        return cli_usage("--prime puts ticks in front of the range; it cannot be combined with %s",
                         numbers ? "--count and --explain" : "--reverse");
    if (args.explain && args.digest)
        return cli_usage("--explain reads no tick; it cannot be combined with --digest");
    if (!numbers && args.format == NULL && args.file == NULL)
        return cli_usage("no output format: choose one with -o (%s)", output_format_words);
    if ((args.explain || args.prime) && ask_by_address(args.range.tape, args.where.address))
        return cli_usage("%s is computed from the tape itself, so it needs -T",
                         args.explain ? "--explain" : "--prime");
    struct query q = {.cli = cli};
    args.range.where = &args.where;
    int status = range_open(&q.range, &args.range);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    q.range.query.limit = args.limit;
    q.range.query.reverse = args.reverse;
    if (args.explain)
        status = run_explain(&q);
    else if (args.count && !args.digest) /* for a digest each tick must be read */
        status = run_count(&q);
    else
        status = run_delivery(&q, args.count ? OUTPUT_NONE : format);
    close_query(&q);
    return status;
}

const struct command query_command = {
    .name = "query",
    .brief = "print a range of ticks as csv, jsonl, dbn, parquet, pcap, ...",
    .usage =
        "-T DIR|-a ADDRESS [--from T] [--to T] [-s SYMBOL]... [-t TYPE]... -o FORMAT [-O FILE]",
    .about = "Prints the ticks in [from, to), tracks merged by (ts, track, epoch, seq). A time\n"
             "is ns since 1970, RFC 3339, a date, now-5m, or start+10m or end-1s (of the\n"
             "tape).",
    .sets = sets,
    .run = run,
};
