#include "cli/range.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/name.h"
#include "cli/command.h"
#include "tape/tape.h"

static const char *const axis_words[] = {"recv", "event", NULL};

#define TAPE_ROW                                                                                   \
    {                                                                                              \
        .name = "tape", .letter = 'T', .kind = OPTION_TEXT, .value = "DIR",                        \
        .help = "the tape's directory, or one segment file",                                       \
        .at = offsetof(struct range_args, tape)                                                    \
    }

const struct option range_tape_rows[] = {TAPE_ROW, {.name = NULL}};

const struct option range_folder_rows[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .help = "the tape's directory",
     .at = offsetof(struct range_args, tape)},
    {.name = NULL},
};

#define SPAN_ROWS                                                                                  \
    TAPE_ROW,                                                                                      \
        {.name = "from",                                                                           \
         .kind = OPTION_MOMENT,                                                                    \
         .at = offsetof(struct range_args, from),                                                  \
         .help = "first time in the range; by default the tape's beginning"},                      \
        {.name = "to",                                                                             \
         .kind = OPTION_MOMENT,                                                                    \
         .at = offsetof(struct range_args, to),                                                    \
         .help = "first time after the range; by default there is no end"},                        \
        {.name = "tz",                                                                             \
         .kind = OPTION_ZONE,                                                                      \
         .at = offsetof(struct range_args, zone),                                                  \
         .help = "time zone of times without one"},                                                \
        {.name = "axis",                                                                           \
         .kind = OPTION_CHOICE,                                                                    \
         .choices = axis_words,                                                                    \
         .preset = "recv",                                                                         \
         .at = offsetof(struct range_args, axis),                                                  \
         .help = "which time counts: recv (received) or event (happened)"},                        \
    {                                                                                              \
        .name = "track", .kind = OPTION_LIST, .value = "TRACK",                                    \
        .at = offsetof(struct range_args, tracks), .help = "only this track"                       \
    }

const struct option range_span_rows[] = {SPAN_ROWS, {.name = NULL}};

const struct option range_rows[] = {
    SPAN_ROWS,
    {.name = "symbol",
     .letter = 's',
     .kind = OPTION_LIST,
     .value = "SYMBOL",
     .at = offsetof(struct range_args, symbols),
     .help = "only this symbol: exact, #ID for an instrument id, or a glob (* ? [)"},
    {.name = "type",
     .letter = 't',
     .kind = OPTION_LIST,
     .value = "TYPE",
     .at = offsetof(struct range_args, types),
     .help =
         "only this type: a DBN schema, wide-trade, wide-quote, an opaque type's name or number"},
    {.name = NULL},
};

/* ---- the tape ---- */

int range_no_tape(void)
{
    return cli_usage("no tape: name one with -T DIR, or in TAPEDECK_TAPE");
}

int range_open_tape(struct tdk_tape **tape, const char *path)
{
    struct tdk_err err;
    if (path == NULL)
        return cli_usage("no source: name a tape with -T DIR, or in TAPEDECK_TAPE");
    if (tdk_tape_open(tape, path, &err) < 0)
        return cli_fail(&err, NULL);
    return CLI_OK;
}

int range_fail(const struct tdk_err *err)
{
    if (err->code == TDK_EVALUE || err->code == TDK_ENAME)
        return cli_usage("%s", err->text);
    cli_fail(err, NULL);
    return err->code == -ECONNRESET || err->code == -ETIMEDOUT ? CLI_UNREACHABLE : CLI_FAILED;
}

/* ---- words that can be judged without the tape ---- */

static int check_tracks(const struct option_list *tracks, struct tdk_err *err)
{
    for (size_t i = 0; i < tracks->count; i++)
        if (!name_is_valid(tracks->items[i], strlen(tracks->items[i])))
            return err_set(err, TDK_ENAME, "--track '%.80s'", tracks->items[i]);
    return 0;
}

int range_instrument(const char *symbol, uint32_t *id, struct tdk_err *err)
{
    uint64_t number;
    if (symbol[0] == '\0')
        return err_say(err, TDK_EVALUE, "symbol '': a name is missing");
    if (symbol[0] != '#')
        return 0;
    if (quantity_count(symbol + 1, &number, NULL) < 0 || number > UINT32_MAX)
        return err_say(err, TDK_EVALUE,
                       "symbol '%.80s': after # an instrument id is expected, 0 to 4294967295",
                       symbol);
    *id = (uint32_t)number;
    return 1;
}

static int check_symbols(const struct option_list *symbols, struct tdk_err *err)
{
    uint32_t id;
    int rc = 0;
    for (size_t i = 0; i < symbols->count && rc >= 0; i++)
        rc = range_instrument(symbols->items[i], &id, err);
    return rc < 0 ? err_wrap(err, rc, "--symbol") : 0;
}

/* ---- times ---- */

int range_times(struct depot *depot, const struct range_args *args, uint64_t *from, uint64_t *to,
                struct tdk_err *err)
{
    struct tdk_tape_info info;
    int rc = depot_info(depot, &info, err);
    if (rc < 0)
        return rc;
    struct moment_bounds bounds = {.now = clock_wall()};
    if (info.first_ts <= info.last_ts) {
        bounds.start = info.first_ts;
        bounds.end = info.last_ts < UINT64_MAX ? info.last_ts + 1 : UINT64_MAX;
    }
    *from = moment_resolve(&args->from, &bounds, 0);
    *to = moment_resolve(&args->to, &bounds, UINT64_MAX);
    if (*from > *to)
        return err_say(err, TDK_EVALUE, "--from %s is after --to %s", args->from.text,
                       args->to.text);
    return 0;
}

struct track_search {
    const char *name;
    bool found;
};

static int look_for_track(const struct tdk_track_info *track, void *context)
{
    struct track_search *search = context;
    search->found |= strcmp(track->name, search->name) == 0;
    return 0;
}

/* A track that does not exist is reported first, whatever else the query asks for. */
static int find_tracks(struct depot *depot, const struct option_list *tracks, struct tdk_err *err)
{
    for (size_t i = 0; i < tracks->count; i++) {
        struct track_search search = {.name = tracks->items[i]};
        int rc = depot_tracks(depot, look_for_track, &search, err);
        if (rc < 0)
            return rc;
        if (!search.found)
            return err_say(err, TDK_ENOTRACK,
                           "no track %s on this tape; `tapedeck ls tracks` lists them",
                           search.name);
    }
    return 0;
}

static int make_query(struct range *range, const struct range_args *args, struct tdk_err *err)
{
    range->query = (struct tdk_query){
        .axis = (enum tdk_axis)args->axis,
        .written = args->written,
        .tracks = args->tracks.items,
        .track_count = args->tracks.count,
        .symbols = args->symbols.items,
        .symbol_count = args->symbols.count,
    };
    int rc = args->written && range->tape != NULL ? tape_refresh_written(range->tape, err) : 0;
    if (rc == 0)
        rc = range_times(&range->depot, args, &range->query.from, &range->query.to, err);
    if (rc == 0)
        rc = find_tracks(&range->depot, &args->tracks, err);
    if (rc == 0)
        rc = types_open(&range->types, range->tape, &args->types, &range->query, err);
    return rc;
}

int range_open(struct range *range, const struct range_args *args)
{
    struct tdk_err err;
    *range = (struct range){.tape = NULL};
    bool is_named = args->tape != NULL || (args->where != NULL && args->where->address != NULL);
    if (is_named &&
        (check_tracks(&args->tracks, &err) < 0 || check_symbols(&args->symbols, &err) < 0))
        return range_fail(&err);
    int status = depot_open(&range->depot, args->tape, args->where);
    range->tape = range->depot.tape;
    range->depot.types = &args->types;
    if (status == CLI_OK && make_query(range, args, &err) < 0)
        status = range_fail(&err);
    if (status != CLI_OK)
        range_close(range);
    return status;
}

void range_close(struct range *range)
{
    types_close(&range->types);
    depot_close(&range->depot);
    range->tape = NULL;
}
