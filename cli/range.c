#include "cli/range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/name.h"
#include "cli/command.h"
#include "formats/dbn_names.h"
#include "tapedeck/dbn.h"

static const char *const axis_words[] = {"recv", "event", NULL};

#define TAPE_ROW                                                                                   \
    {                                                                                              \
        .name = "tape", .letter = 'T', .kind = OPTION_TEXT, .value = "DIR",                        \
        .help = "the tape: its directory, or one segment file",                                    \
        .at = offsetof(struct range_args, tape)                                                    \
    }

const struct option range_tape_rows[] = {TAPE_ROW, {.name = NULL}};

const struct option range_rows[] = {
    TAPE_ROW,
    {.name = "from",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct range_args, from),
     .help = "the first time in the range; unless said, the tape's beginning"},
    {.name = "to",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct range_args, to),
     .help = "the first time behind the range; unless said, there is no end"},
    {.name = "tz",
     .kind = OPTION_ZONE,
     .at = offsetof(struct range_args, zone),
     .help = "the zone of times that bear none"},
    {.name = "axis",
     .kind = OPTION_CHOICE,
     .choices = axis_words,
     .preset = "recv",
     .at = offsetof(struct range_args, axis),
     .help = "which time: recv when it was received, event when it happened"},
    {.name = "track",
     .kind = OPTION_LIST,
     .value = "TRACK",
     .at = offsetof(struct range_args, tracks),
     .help = "only this track"},
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
     .help = "only these: a DBN schema, wide-trade, wide-quote, an opaque type's name or number"},
    {.name = NULL},
};

/* ---- the tape ---- */

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
    return err->code == TDK_EVALUE || err->code == TDK_ENAME ? cli_usage("%s", err->text)
                                                             : cli_fail(err, NULL);
}

bool range_has_track(const struct tdk_query *query, const char *track)
{
    for (size_t i = 0; i < query->track_count; i++)
        if (strcmp(query->tracks[i], track) == 0)
            return true;
    return query->track_count == 0;
}

/* ---- words that can be judged without the tape ---- */

static int check_tracks(const struct option_list *tracks, struct tdk_err *err)
{
    for (size_t i = 0; i < tracks->count; i++)
        if (!name_is_valid(tracks->items[i], strlen(tracks->items[i])))
            return err_set(err, TDK_ENAME, "--track '%.80s'", tracks->items[i]);
    return 0;
}

static int check_symbols(const struct option_list *symbols, struct tdk_err *err)
{
    for (size_t i = 0; i < symbols->count; i++) {
        const char *symbol = symbols->items[i];
        uint64_t id;
        if (symbol[0] == '\0')
            return err_say(err, TDK_EVALUE, "--symbol '': a symbol is missing");
        if (symbol[0] == '#' && (quantity_count(symbol + 1, &id, NULL) < 0 || id > UINT32_MAX))
            return err_say(
                err, TDK_EVALUE,
                "--symbol '%.80s': behind # an instrument id is expected, 0 to 4294967295", symbol);
    }
    return 0;
}

/* ---- types ---- */

struct type_search {
    struct tdk_tape *tape;
    const struct tdk_query *query;
    const char *name;
    const char *track;
    int found; /* a type; 0: none */
    struct tdk_err *err;
};

/* "type.3" = "line\tapplication/octet-stream". */
static int look_at_property(const char *key, const void *value, size_t size, void *context)
{
    struct type_search *search = context;
    uint64_t number;
    if (strncmp(key, "type.", 5) != 0 || quantity_count(key + 5, &number, NULL) < 0 ||
        number < TDK_TYPE_OPAQUE || number > TDK_TYPE_OPAQUE_LAST)
        return 0;
    const char *tab = memchr(value, '\t', size);
    size_t name_size = tab != NULL ? (size_t)(tab - (const char *)value) : size;
    if (name_size == strlen(search->name) && memcmp(value, search->name, name_size) == 0)
        search->found = (int)number;
    return search->found;
}

static int look_at_epoch(const struct tdk_epoch_info *epoch, void *context)
{
    struct type_search *search = context;
    return tdk_tape_properties(search->tape, search->track, epoch->epoch, look_at_property, search,
                               search->err);
}

static int look_at_track(const struct tdk_track_info *track, void *context)
{
    struct type_search *search = context;
    if (!range_has_track(search->query, track->name))
        return 0;
    search->track = track->name;
    return tdk_tape_epochs(search->tape, track->name, look_at_epoch, search, search->err);
}

static int parse_type(struct tdk_tape *tape, const struct tdk_query *query, const char *word,
                      struct tdk_type_filter *filter, struct tdk_err *err)
{
    uint8_t rtype;
    uint64_t number;
    if (dbn_rtype_parse(word, &rtype)) {
        bool wide = rtype == TDK_RTYPE_WIDE_TRADE || rtype == TDK_RTYPE_WIDE_QUOTE;
        *filter =
            (struct tdk_type_filter){.type = wide ? TDK_TYPE_WIDE : TDK_TYPE_DBN, .rtype = rtype};
        return 0;
    }
    if (quantity_count(word, &number, NULL) == 0) {
        if (number == 0 || number > TDK_TYPE_OPAQUE_LAST)
            return err_say(err, TDK_EVALUE,
                           "--type %s: a type's number is 1 (DBN), 2 (wide) or 3 to 191", word);
        *filter = (struct tdk_type_filter){.type = (uint8_t)number, .rtype = -1};
        return 0;
    }
    struct type_search search = {.tape = tape, .query = query, .name = word, .err = err};
    int rc = tdk_tape_tracks(tape, look_at_track, &search, err);
    if (rc < 0)
        return rc;
    if (search.found == 0)
        return err_say(err, TDK_EVALUE,
                       "--type '%.80s': no DBN schema, not wide-trade or wide-quote, and no opaque "
                       "type of these tracks is called so",
                       word);
    *filter = (struct tdk_type_filter){.type = (uint8_t)search.found, .rtype = -1};
    return 0;
}

static int parse_types(struct range *range, const struct option_list *words, struct tdk_err *err)
{
    if (words->count == 0)
        return 0;
    range->types = calloc(words->count, sizeof *range->types);
    if (range->types == NULL)
        return err_set(err, -ENOMEM, "read --type");
    for (size_t i = 0; i < words->count; i++) {
        int rc = parse_type(range->tape, &range->query, words->items[i], &range->types[i], err);
        if (rc < 0)
            return rc;
    }
    range->query.types = range->types;
    range->query.type_count = words->count;
    return 0;
}

/* ---- times ---- */

static int resolve_times(struct range *range, const struct range_args *args, struct tdk_err *err)
{
    struct tdk_tape_info info;
    tdk_tape_info(range->tape, &info);
    struct moment_bounds bounds = {.now = clock_wall()};
    if (info.first_ts <= info.last_ts) {
        bounds.start = info.first_ts;
        bounds.end = info.last_ts < UINT64_MAX ? info.last_ts + 1 : UINT64_MAX;
    }
    struct tdk_query *query = &range->query;
    query->from = moment_resolve(&args->from, &bounds, 0);
    query->to = moment_resolve(&args->to, &bounds, UINT64_MAX);
    if (query->from > query->to)
        return err_say(err, TDK_EVALUE, "--from %s is after --to %s", args->from.text,
                       args->to.text);
    return 0;
}

static int make_query(struct range *range, const struct range_args *args, struct tdk_err *err)
{
    range->query = (struct tdk_query){
        .axis = (enum tdk_axis)args->axis,
        .tracks = args->tracks.items,
        .track_count = args->tracks.count,
        .symbols = args->symbols.items,
        .symbol_count = args->symbols.count,
    };
    int rc = resolve_times(range, args, err);
    if (rc == 0)
        rc = parse_types(range, &args->types, err);
    return rc;
}

int range_open(struct range *range, const struct range_args *args)
{
    struct tdk_err err;
    *range = (struct range){.tape = NULL};
    if (args->tape != NULL &&
        (check_tracks(&args->tracks, &err) < 0 || check_symbols(&args->symbols, &err) < 0))
        return range_fail(&err);
    int status = range_open_tape(&range->tape, args->tape);
    if (status == CLI_OK && make_query(range, args, &err) < 0)
        status = range_fail(&err);
    if (status != CLI_OK)
        range_close(range);
    return status;
}

void range_close(struct range *range)
{
    free(range->types);
    range->types = NULL;
    tdk_tape_close(range->tape);
    range->tape = NULL;
}

/* ---- facts ---- */

static const char *fact_symbol(void *context, const char *track, uint16_t number, uint64_t epoch,
                               uint32_t instrument_id, uint64_t ts)
{
    (void)track;
    return tdk_tape_symbol(context, number, epoch, instrument_id, ts);
}

static int fact_property(void *context, const char *track, uint64_t epoch, const char *key,
                         void **value, size_t *size)
{
    return tdk_tape_property(context, track, epoch, key, value, size, NULL);
}

struct output_facts range_facts(const struct range *range)
{
    return (struct output_facts){
        .context = range->tape, .symbol = fact_symbol, .property = fact_property};
}
