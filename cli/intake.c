#include "cli/intake.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/publisher.h"
#include "formats/csv.h"
#include "formats/five.h"
#include "formats/five_names.h"

enum { MALFORMED_TOLD = 10 };

/* In the order of enum source_format. */
static const char *const formats[] = {"auto", "dbn",  "jsonl",      "lines", "pcap",
                                      "csv",  "itch", "cryptofeed", NULL};

static const char *const decoders[] = {"none", "binance", NULL}; /* of enum source_decode */

const struct option intake_rows[] = {
    {.name = "format",
     .kind = OPTION_CHOICE,
     .choices = formats,
     .preset = "auto",
     .help = "format of the files: DBN (also fragments), five-field JSON lines, lines `NS "
             "PAYLOAD`, packets (pcap, pcapng), CSV (--map), ITCH 5.0, cryptofeed's raw captures; "
             "auto detects it from the content",
     .at = offsetof(struct intake_options, format)},
    {.name = "track-info",
     .kind = OPTION_LIST,
     .value = "K=V",
     .help = "set a property of the track",
     .at = offsetof(struct intake_options, track_info)},
    {.name = "type-name",
     .kind = OPTION_TEXT,
     .value = "NAME",
     .help = "type name of opaque payloads [line; udp, packet]",
     .at = offsetof(struct intake_options, type_name)},
    {.name = "content-type",
     .kind = OPTION_TEXT,
     .value = "TYPE",
     .help = "content type of opaque payloads [application/octet-stream]",
     .at = offsetof(struct intake_options, content_type)},
    {.name = "whole",
     .kind = OPTION_FLAG,
     .help = "pcap: whole packets as captured, not their UDP payloads",
     .at = offsetof(struct intake_options, whole)},
    {.name = "decode",
     .kind = OPTION_CHOICE,
     .choices = decoders,
     .preset = "none",
     .help = "lines, cryptofeed: turn this venue's messages into wide trades and quotes; others "
             "stay as they are",
     .at = offsetof(struct intake_options, decode)},
    {.name = "map",
     .kind = OPTION_TEXT,
     .value = "WHAT=COLUMN,...",
     .help = "csv: meaning of the columns, such as ts=time:us,symbol=sym,price=px,size=qty,"
             "side=side, or bid_px, ask_px, bid_sz, ask_sz; ts is the receive time, the tape's own "
             "time (query --envelope shows it); #1 is the first column of a file without column "
             "names; or one of " CSV_MAPS_KNOWN,
     .at = offsetof(struct intake_options, map)},
    {.name = "symbol",
     .kind = OPTION_TEXT,
     .value = "NAME",
     .variable = "",
     .help = "csv: the symbol of lines without a symbol column",
     .at = offsetof(struct intake_options, symbol)},
    {.name = "separator",
     .kind = OPTION_TEXT,
     .value = "CHARACTER",
     .help = "csv: column separator, such as ; or tab [,]",
     .at = offsetof(struct intake_options, separator)},
    {.name = "date",
     .kind = OPTION_TEXT,
     .value = "2026-11-20",
     .help = "csv, itch: the day from whose midnight times are counted",
     .at = offsetof(struct intake_options, date)},
    {.name = "tz",
     .kind = OPTION_ZONE,
     .value = "ZONE",
     .help = "csv, itch: time zone of that midnight, and of times written without one",
     .at = offsetof(struct intake_options, zone)},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct intake_options, progress)},
    {.name = NULL},
};

/* Find the midnight of --date in --tz; without --tz, of that UTC day. */
static int check_date(struct intake_options *options)
{
    struct moment moment;
    struct tdk_err err;
    char text[64];
    if (options->date == NULL)
        return CLI_OK;
    bool day = strlen(options->date) == strlen("2026-11-20");
    snprintf(text, sizeof text, "%sT00:00:00", options->date);
    if (!day ||
        moment_parse(text, options->zone != NULL ? options->zone : "UTC", &moment, &err) < 0)
        return cli_usage("--date: '%s' is not a day (2026-11-20) that begins in its zone",
                         options->date);
    if (moment.ns == 0)
        return cli_usage("--date: '%s' is before 1970", options->date);
    options->midnight = moment.ns;
    return CLI_OK;
}

/* Check what the option rows alone cannot. */
static int check_csv(const struct intake_options *options)
{
    const char *separator = options->separator;
    size_t size = options->symbol != NULL ? strlen(options->symbol) : 1;
    if (size == 0 || size > FIVE_SYMBOL_MAX ||
        (options->symbol != NULL && utf8_span(options->symbol, size) < size))
        return cli_usage("--symbol: a symbol has 1 to %d bytes of UTF-8", FIVE_SYMBOL_MAX);
    if (separator != NULL && strcmp(separator, "tab") != 0 &&
        (strlen(separator) != 1 || strchr("\"\r\n", separator[0]) != NULL))
        return cli_usage("--separator: '%s' is neither one character nor tab", separator);
    if (options->map != NULL) {
        struct csv_map map;
        struct tdk_err err;
        int rc = csv_map_parse(&map, options->map, &err);
        csv_map_close(&map);
        if (rc < 0)
            return cli_usage("--map: %s", err.text);
    }
    return CLI_OK;
}

/* Refuse options that would have no effect. */
static int check_fit(const struct intake_options *options)
{
    int format = options->format;
    if (options->map != NULL && format != SOURCE_AUTO && format != SOURCE_CSV)
        return cli_usage("--map is for CSV, not for %s", formats[format]);
    if (options->whole && format != SOURCE_AUTO && format != SOURCE_PCAP)
        return cli_usage("--whole is for captures of packets, not for %s", formats[format]);
    if (options->decode != SOURCE_AS_IS && format != SOURCE_AUTO && format != SOURCE_LINES &&
        format != SOURCE_CRYPTOFEED)
        return cli_usage("--decode is for lines and cryptofeed, not for %s", formats[format]);
    return CLI_OK;
}

int intake_check(struct intake_options *options)
{
    for (size_t i = 0; i < options->track_info.count; i++) {
        const char *text = options->track_info.items[i];
        size_t size = strcspn(text, "=");
        if (size == 0 || text[size] == '\0')
            return cli_usage("--track-info: '%s' is not KEY=VALUE", text);
        if (size > PUBLISHER_KEY_MAX)
            return cli_usage("--track-info: a key has at most %u bytes", PUBLISHER_KEY_MAX);
    }
    int status = check_fit(options);
    if (status == CLI_OK)
        status = check_csv(options);
    return status != CLI_OK ? status : check_date(options);
}

static char separator_of(const struct intake_options *options)
{
    if (options->separator == NULL)
        return ',';
    return strcmp(options->separator, "tab") == 0 ? '\t' : options->separator[0];
}

static struct source_options source_options(const struct intake_options *options,
                                            uint32_t payload_max, struct five_names *names)
{
    return (struct source_options){.format = (enum source_format)options->format,
                                   .payload_max = payload_max,
                                   .type_name = options->type_name,
                                   .content_type = options->content_type,
                                   .names = names,
                                   .whole = options->whole,
                                   .map = options->map,
                                   .symbol = options->symbol,
                                   .separator = separator_of(options),
                                   .midnight = options->midnight,
                                   .zone = options->zone,
                                   .decode = (enum source_decode)options->decode};
}

int intake_probe(const struct intake_options *options, const struct option_list *files,
                 struct tdk_err *err)
{
    struct source_options as = source_options(options, TDK_PAYLOAD_DEFAULT_MAX, NULL);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < files->count; i++) {
        struct stat stat_of;
        struct source *source = NULL;
        const char *path = files->items[i];
        if (strcmp(path, "-") == 0)
            continue;
        if (stat(path, &stat_of) < 0)
            return err_set(err, -errno, "open %s", path);
        if (!S_ISFIFO(stat_of.st_mode) && !S_ISCHR(stat_of.st_mode))
            rc = source_open(&source, path, &as, err);
        source_close(source);
    }
    return rc;
}

int intake_each_info(const struct intake_options *options,
                     int (*each)(const char *key, const void *value, size_t size, void *context,
                                 struct tdk_err *err),
                     void *context, struct tdk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < options->track_info.count; i++) {
        const char *text = options->track_info.items[i];
        size_t size = strcspn(text, "=");
        char key[PUBLISHER_KEY_MAX + 1];
        memcpy(key, text, size);
        key[size] = '\0';
        rc = each(key, text + size + 1, strlen(text + size + 1), context, err);
    }
    return rc;
}

int intake_open(struct intake *in, const struct intake_options *options, uint32_t payload_max,
                const char *what, bool quiet, struct tdk_err *err)
{
    *in = (struct intake){.options = options, .payload_max = payload_max};
    progress_begin(&in->progress, what, options->progress, quiet);
    return intake_new_epoch(in, err);
}

void intake_expect(struct intake *in, const struct option_list *files)
{
    struct stat stat_of;
    in->total = 0;
    for (size_t i = 0; i < files->count; i++) {
        if (stat(files->items[i], &stat_of) < 0 || !S_ISREG(stat_of.st_mode)) {
            in->total = 0; /* a pipe's size is not known */
            return;
        }
        in->total += (uint64_t)stat_of.st_size;
    }
}

void intake_close(struct intake *in)
{
    five_names_close(in->names);
    in->names = NULL;
}

int intake_new_epoch(struct intake *in, struct tdk_err *err)
{
    five_names_close(in->names);
    in->names = NULL;
    int rc = five_names_open(&in->names);
    return rc < 0 ? err_set(err, rc, "begin an epoch") : 0;
}

/* Report and pass over a part that cannot be used. 0: go on. */
static int pass_over(struct intake *in, int rc, bool had_ticks, const struct tdk_err *err)
{
    if (rc == TDK_EVALUE) {
        if (in->malformed++ < MALFORMED_TOLD) {
            progress_clear(&in->progress);
            cli_warn("%s; skipped", err->text);
        }
        return 0;
    }
    if (rc == TDK_ETRUNCATED || (rc == TDK_ECORRUPT && had_ticks)) {
        progress_clear(&in->progress);
        cli_warn("%s; what is before it is kept", err->text);
        in->damaged++;
        return rc == TDK_ETRUNCATED ? 0 : 1;
    }
    return rc;
}

static void tell(struct intake *in, const struct source *source)
{
    uint64_t done, total;
    source_progress(source, &done, &total);
    if (in->total > 0)
        total = in->total;
    else if (total > 0)
        total += in->done_before;
    progress_at(&in->progress, in->done_before + done, total, "bytes", in->ticks);
}

static int read_items(struct intake *in, struct source *source, intake_cb *each, void *context,
                      struct tdk_err *err)
{
    struct source_item item;
    bool had_ticks = false;
    int rc;
    while (!interrupted() && (rc = source_next(source, &item, err)) != 0) {
        if (rc < 0) {
            rc = pass_over(in, rc, had_ticks, err);
            if (rc == 0)
                continue;
            return rc < 0 ? rc : 0;
        }
        had_ticks |= !tdk_type_is_control(item.type);
        rc = each(&item, context, err);
        if (rc < 0)
            return rc;
        if (!tdk_type_is_control(item.type) && ++in->ticks % 1024 == 0)
            tell(in, source);
    }
    return 0;
}

static void tell_passed_over(const char *text, bool loss, void *context)
{
    struct intake *in = context;
    progress_clear(&in->progress);
    if (loss)
        cli_warn("%s", text);
    else
        cli_note("%s", text);
    in->lossy |= loss;
}

int intake_file(struct intake *in, const char *path, intake_cb *each, void *context,
                struct tdk_err *err)
{
    struct source_options options = source_options(in->options, in->payload_max, in->names);
    struct source *source;
    uint64_t done, total;
    int rc = source_open(&source, path, &options, err);
    if (rc < 0)
        return rc;
    rc = read_items(in, source, each, context, err);
    source_passed_over(source, tell_passed_over, in);
    source_progress(source, &done, &total);
    in->done_before += done;
    source_close(source);
    return rc;
}

int intake_verdict(const struct intake *in)
{
    if (in->malformed > MALFORMED_TOLD)
        cli_warn("%" PRIu64 " malformed lines were skipped in all; the first %d are named above",
                 in->malformed, MALFORMED_TOLD);
    return in->malformed + in->damaged > 0 || in->lossy ? CLI_LOSSY : CLI_OK;
}
