/* import.c - imports files straight onto a tape, each as an epoch of one track: all of it or
 * nothing. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "cli/commands.h"
#include "cli/intake.h"
#include "cli/interrupt.h"
#include "tape/append.h"

static struct import_args {
    const char *tape, *track;
    uint64_t segment_size, block_size;
} args;
static struct intake_options intake_args;

static const struct option rows[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .required = true,
     .help = "the tape; created if it does not exist",
     .at = offsetof(struct import_args, tape)},
    {.name = "track",
     .kind = OPTION_NAME,
     .required = true,
     .help = "the track for the ticks",
     .at = offsetof(struct import_args, track)},
    {.name = "segment-size",
     .kind = OPTION_SIZE,
     .preset = "1G",
     .min = 1 << 16,
     .help = "close a segment file at about this size",
     .at = offsetof(struct import_args, segment_size)},
    {.name = "block-size",
     .kind = OPTION_SIZE,
     .preset = "1M",
     .min = 4096,
     .max = 32 << 20,
     .help = "size of a block: what is written and checked together",
     .at = offsetof(struct import_args, block_size)},
    {.name = NULL},
};

struct import {
    struct append *append;
    struct intake intake;
    bool begun; /* this file's epoch */
};

/* The kind of track that a file's first item makes. */
static enum tdk_kind kind_of(const struct source_item *item)
{
    static const char opaque[] = "type.";
    struct tdk_info info;
    if (item == NULL)
        return TDK_KIND_MIXED;
    if (item->type == TDK_TYPE_INFO && item->size >= sizeof info) {
        const char *key = (const char *)item->payload + sizeof info;
        memcpy(&info, item->payload, sizeof info);
        bool is_type = info.key_size >= strlen(opaque) &&
                       info.key_size <= item->size - sizeof info &&
                       memcmp(key, opaque, strlen(opaque)) == 0;
        bool decoded = intake_args.decode != SOURCE_AS_IS; /* there are wide ticks among them */
        return is_type && !decoded                       ? TDK_KIND_OPAQUE
               : is_type                                 ? TDK_KIND_MIXED
               : info.key_size == strlen("dbn.metadata") ? TDK_KIND_DBN
                                                         : TDK_KIND_WIDE;
    }
    if (item->type == TDK_TYPE_SYMBOL || item->type == TDK_TYPE_WIDE)
        return TDK_KIND_WIDE;
    return item->type == TDK_TYPE_DBN ? TDK_KIND_DBN : TDK_KIND_OPAQUE;
}

static int put_info(const char *key, const void *value, size_t size, void *context,
                    struct tdk_err *err)
{
    struct import *import = context;
    return append_info(import->append, key, value, size, err);
}

static int begin(struct import *import, const struct source_item *first, struct tdk_err *err)
{
    import->begun = true;
    int rc = append_begin(import->append, args.track, kind_of(first), err);
    return rc < 0 ? rc : intake_each_info(&intake_args, put_info, import, err);
}

static int append_item(const struct source_item *item, void *context, struct tdk_err *err)
{
    struct import *import = context;
    int rc = import->begun ? 0 : begin(import, item, err);
    if (rc < 0)
        return rc;
    if (tdk_type_is_control(item->type))
        return append_control(import->append, item->type, item->payload, item->size, err);
    return append_tick(import->append, item->type, item->flags, item->ts, item->payload, item->size,
                       err);
}

/* Import a file. Even an empty one makes the track. */
static int import_file(struct import *import, const char *path, struct tdk_err *err)
{
    import->begun = false;
    int rc = intake_new_epoch(&import->intake, err);
    if (rc == 0)
        rc = intake_file(&import->intake, path, append_item, import, err);
    if (rc == 0 && !import->begun)
        rc = begin(import, NULL, err);
    if (rc == 0 && interrupted())
        rc = err_say(err, -ECANCELED, "interrupted");
    return rc;
}

static void on_found(const char *text, void *context)
{
    (void)context;
    cli_warn("%s", text);
}

static int open_tape(struct import *import, struct tdk_err *err)
{
    struct append_options options = {.segment_size = args.segment_size,
                                     .block_size = (uint32_t)args.block_size,
                                     .found = on_found};
    return append_open(&import->append, args.tape, &options, err);
}

static int import_report(struct import *import, const struct append_totals *totals)
{
    uint64_t elapsed = progress_elapsed(&import->intake.progress);
    char rate[QUANTITY_TEXT], time[QUANTITY_TEXT], size[QUANTITY_TEXT];
    progress_end(&import->intake.progress, import->intake.done_before, import->intake.done_before,
                 "bytes", totals->ticks);
    cli_note("%" PRIu64 " %s (%s bytes) onto %s as %s in %s, %s/s", totals->ticks,
             quantity_word(totals->ticks, "tick", "ticks"), quantity_size_text(size, totals->bytes),
             args.tape, args.track, quantity_duration_text(time, elapsed),
             quantity_count_text(rate, quantity_per_second(totals->ticks, elapsed)));
    if (totals->invalid > 0)
        cli_warn("%" PRIu64 " %s", totals->invalid,
                 quantity_word(totals->invalid,
                               "record does not follow the DBN format; it is kept as it is",
                               "records do not follow the DBN format; they are kept as they are"));
    if (totals->odd > 0)
        cli_warn("%" PRIu64 " %s kept, flagged", totals->odd,
                 quantity_word(totals->odd, "tick has an impossible time; it is",
                               "ticks have an impossible time; they are"));
    if (totals->refused > 0)
        cli_warn("%" PRIu64
                 " names or parts of properties exceed what an epoch may have (2M names, 128 MiB "
                 "of properties): they are on the tape, but no query finds their "
                 "instruments by name",
                 totals->refused);
    int status = intake_verdict(&import->intake);
    return status == CLI_OK && totals->refused > 0 ? CLI_LOSSY : status;
}

static bool mended(const struct recover_report *report)
{
    return report->damaged > 0 || report->set_aside > 0 || report->meta_rebuilt;
}

static int import_files(struct import *import, const struct option_list *files, struct tdk_err *err)
{
    struct append_totals totals;
    int rc = 0;
    intake_expect(&import->intake, files);
    for (size_t i = 0; rc == 0 && i < files->count; i++)
        rc = import_file(import, files->items[i], err);
    if (rc < 0) {
        append_abort(import->append);
        return cli_fail(err, "nothing was imported");
    }
    bool lossy = mended(append_report(import->append));
    rc = append_close(import->append, &totals, err);
    if (rc < 0)
        return cli_fail(err, "nothing was imported");
    int status = import_report(import, &totals);
    return lossy ? CLI_LOSSY : status;
}

static int import_run(const struct cli *cli)
{
    struct import import = {.begun = false};
    struct tdk_err err = {.code = 0};
    int status = intake_check(&intake_args);
    if (status != CLI_OK)
        return status;
    if (args.segment_size < 2 * args.block_size)
        return cli_usage("--segment-size must hold at least two blocks");
    interrupt_catch();
    if (intake_probe(&intake_args, cli->operands, &err) < 0 ||
        intake_open(&import.intake, &intake_args, TDK_PAYLOAD_DEFAULT_MAX, "import",
                    cli->globals->quiet, &err) < 0 ||
        open_tape(&import, &err) < 0)
        status = cli_fail(&err, "nothing was imported");
    else
        status = import_files(&import, cli->operands, &err);
    intake_close(&import.intake);
    return status;
}

const struct command import_command = {
    .name = "import",
    .brief = "put files straight onto a tape, without a ring",
    .usage = "FILE... -T DIR --track NAME [options]",
    .about = "Writes the ticks of FILEs ('-' is stdin) to a tape, each file as an epoch of the\n"
             "track. An import that fails leaves nothing behind, not even a tape that was\n"
             "created for it. A file without records creates the track and keeps its schema.\n"
             "Malformed lines are named, skipped and counted (exit 3). So is a file that ends\n"
             "inside a record: its whole records are kept.",
    .sets = (const struct option_set[]){{"options", rows, &args},
                                        {"files", intake_rows, &intake_args},
                                        {.rows = NULL}},
    .operand = "FILE",
    .operands_min = 1,
    .operands_max = UINT_MAX,
    .run = import_run,
};
