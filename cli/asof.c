/* asof.c - the state at a time: for each symbol, the last tick of each kind that holds state. */
#include <errno.h>
#include <inttypes.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/range.h"
#include "tape/prime.h"

struct args {
    struct range_args range;
    const char *format, *file;
    uint64_t back_ns;
    bool force, pretty, map_symbols, envelope;
    bool verbose; /* every command has it */
};

static struct args args;

static const struct option rows[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .at = offsetof(struct args, range.tape),
     .help = "the tape's directory, or one segment file"},
    {.name = "at",
     .kind = OPTION_MOMENT,
     .required = true,
     .at = offsetof(struct args, range.from),
     .help = "the time; a tick at or before it counts"},
    {.name = "tz",
     .kind = OPTION_ZONE,
     .at = offsetof(struct args, range.zone),
     .help = "time zone of times without one"},
    {.name = "track",
     .kind = OPTION_LIST,
     .value = "TRACK",
     .at = offsetof(struct args, range.tracks),
     .help = "only this track"},
    {.name = "symbol",
     .letter = 's',
     .kind = OPTION_LIST,
     .value = "SYMBOL",
     .at = offsetof(struct args, range.symbols),
     .help = "only this symbol: exact, #ID for an instrument id, or a glob (* ? [)"},
    {.name = "type",
     .letter = 't',
     .kind = OPTION_LIST,
     .value = "TYPE",
     .at = offsetof(struct args, range.types),
     .help = "only these kinds: trades, mbp-1, definition, wide-quote ..."},
    {.name = "back",
     .kind = OPTION_DURATION,
     .at = offsetof(struct args, back_ns),
     .help = "look no further back than this; by default to the tape's beginning"},
    {.name = "format",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .value = "FMT",
     .preset = "jsonl",
     .at = offsetof(struct args, format),
     .help = "jsonl or frames"},
    {.name = "output",
     .letter = 'O',
     .kind = OPTION_TEXT,
     .value = "FILE",
     .at = offsetof(struct args, file),
     .help = "write to FILE, which appears only when complete, not to stdout"},
    {.name = "file",
     .letter = 'f',
     .kind = OPTION_TEXT,
     .value = "FILE",
     .at = offsetof(struct args, file),
     .help = "older name of --output"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, force),
     .help = "replace FILE if it exists"},
    {.name = "pretty",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, pretty),
     .help = "print decimals and readable times"},
    {.name = "map-symbols",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, map_symbols),
     .help = "add the symbol as a last key"},
    {.name = "envelope",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, envelope),
     .help = "put track, epoch, seq and receive time in front of each tick"},
    {.name = NULL},
};

static const struct option_set sets[] = {{.rows = rows, .into = &args}, {.rows = NULL}};

static int put_all(struct prime *prime, struct output *output, struct tdk_err *err)
{
    struct tdk_run run;
    int rc = 0;
    while (rc == 0 && prime_next(prime, &run))
        rc = output_put(output, run.track, run.number, run.epoch, run.frames, run.size, err);
    return rc == 0 ? output_finish(output, err) : rc;
}

static bool is_to_stop(void *context)
{
    (void)context;
    return interrupted();
}

static int deliver(struct range *range, enum output_format format, uint64_t *damaged,
                   struct tdk_err *err)
{
    const struct output_options options = {.format = format,
                                           .path = args.file,
                                           .force = args.force,
                                           .pretty = args.pretty,
                                           .map_symbols = args.map_symbols,
                                           .envelope = args.envelope,
                                           .facts = depot_facts(&range->depot)};
    const struct prime_options how = {.back_ns = args.back_ns, .stopped = is_to_stop};
    struct output *output = NULL;
    struct prime *prime = NULL;
    int rc = args.map_symbols ? depot_load_symbols(&range->depot, err) : 0;
    if (rc == 0)
        rc = output_open(&output, &options, err);
    if (rc == 0)
        rc = prime_open(&prime, range->tape, &range->query, &how, err);
    if (rc == 0) {
        *damaged = prime_damaged(prime);
        if (args.verbose)
            cli_note("%" PRIu64 " %s read", prime_blocks(prime),
                     quantity_word(prime_blocks(prime), "block", "blocks"));
        rc = put_all(prime, output, err);
    }
    prime_close(prime);
    output_close(output);
    return rc == -EPIPE ? 0 : rc; /* the reader needs no more */
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct range range;
    enum output_format format;
    uint64_t damaged = 0;
    args.verbose = cli->globals->verbose;
    if (!output_format_parse(args.format, &format) ||
        (format != OUTPUT_JSONL && format != OUTPUT_FRAMES))
        return cli_usage("-o %s: asof prints ticks of several kinds; choose jsonl or frames",
                         args.format);
    interrupt_catch();
    int status = range_open(&range, &args.range);
    if (status != CLI_OK)
        return status;
    if (range.query.from < UINT64_MAX)
        range.query.from++; /* ticks of exactly that time count */
    int rc = deliver(&range, format, &damaged, &err);
    range_close(&range);
    if (rc == -ECANCELED)
        return cli_fail_words("interrupted");
    if (rc < 0)
        return rc == -EEXIST ? cli_usage("%s", err.text) : cli_refuse(&err, NULL);
    if (damaged == 0)
        return CLI_OK;
    cli_warn("%" PRIu64
             " %s of the tape before that time cannot be read, and may have held later ticks",
             damaged, quantity_word(damaged, "part", "parts"));
    return CLI_LOSSY;
}

const struct command asof_command = {
    .name = "asof",
    .brief = "print what stood at a time: each symbol's last tick of each kind",
    .usage = "-T DIR --at TIME [-s SYMBOL] [-t TYPE] [-o jsonl|frames] [-O FILE]",
    .about = "Prints for each instrument the last definition, status, trade, quote and book at\n"
             "or before TIME, in the order in which a query would give them. It reads a few\n"
             "blocks, however long the tape is: segments record where the last tick of each\n"
             "kind lies.",
    .sets = sets,
    .run = run,
};
