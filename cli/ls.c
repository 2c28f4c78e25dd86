/* ls.c - lists the tracks, symbols, segments and marks of a tape. */
#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/range.h"
#include "cli/table.h"
#include "tape/annex.h"
#include "tape/stub.h"
#include "tape/tape.h"

struct args {
    struct range_args range;
    struct ask_args where;
    const char *track;
    const char *glob;
    uint64_t limit;
    bool json;
};

static struct args args;

#define JSON_ROW                                                                                   \
    {                                                                                              \
        .name = "json", .kind = OPTION_FLAG, .at = offsetof(struct args, json),                    \
        .help = "print a JSON array"                                                               \
    }

/* Open the depot and the table, let `fill` put the rows, and show them. `where` NULL: it must be a
 * tape. */
static int list(const struct ask_args *where, const struct column *columns, size_t count,
                int (*fill)(struct depot *depot, struct table *table, struct tdk_err *err))
{
    struct tdk_err err;
    struct depot depot;
    struct table *table;
    int status = depot_open(&depot, args.range.tape, where);
    if (status != CLI_OK)
        return status;
    int rc = table_open(&table, table_form(args.json), columns, count);
    if (rc == 0) {
        int filled = fill(&depot, table, &err);
        if (filled < 0)
            status = range_fail(&err);
        rc = table_close(table);
    }
    if (rc < 0 && status == CLI_OK)
        status = cli_fail_stdout(rc);
    depot_close(&depot);
    return status;
}

static void put_time_range(struct table *table, uint64_t first, uint64_t last)
{
    if (first <= last) {
        table_number(table, first);
        table_number(table, last);
    } else {
        table_none(table);
        table_none(table);
    }
}

/* ---- ls tracks ---- */

static const struct column track_columns[] = {
    {"track", COLUMN_TEXT},   {"number", COLUMN_COUNT},  {"kind", COLUMN_TEXT},
    {"ticks", COLUMN_COUNT},  {"bytes", COLUMN_SIZE},    {"lost", COLUMN_COUNT},
    {"epochs", COLUMN_COUNT}, {"first_ts", COLUMN_TIME}, {"last_ts", COLUMN_TIME},
};

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = {"mixed", "dbn", "wide", "opaque"};
    return kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

static int put_track(const struct tdk_track_info *track, void *context)
{
    struct table *table = context;
    table_text(table, track->name);
    table_number(table, track->number);
    table_text(table, kind_name(track->kind));
    table_number(table, track->ticks);
    table_number(table, track->bytes);
    table_number(table, track->lost);
    table_number(table, track->epochs);
    put_time_range(table, track->first_ts, track->last_ts);
    return 0;
}

static int fill_tracks(struct depot *depot, struct table *table, struct tdk_err *err)
{
    return depot_tracks(depot, put_track, table, err);
}

static int run_tracks(const struct cli *cli)
{
    (void)cli;
    return list(&args.where, track_columns, sizeof track_columns / sizeof track_columns[0],
                fill_tracks);
}

static const struct option track_rows[] = {JSON_ROW, {.name = NULL}};
static const struct option_set track_sets[] = {
    {.rows = range_tape_rows, .into = &args.range},
    {.rows = ask_depot_rows, .into = &args.where},
    {.rows = track_rows, .into = &args},
    {.rows = NULL},
};
static const struct option_set tape_sets[] = {
    {.rows = range_tape_rows, .into = &args.range},
    {.rows = track_rows, .into = &args},
    {.rows = NULL},
};
static const struct command tracks_command = {
    .name = "tracks",
    .brief = "list the tracks of a tape",
    .usage = "-T DIR|-a ADDRESS [--json]",
    .sets = track_sets,
    .run = run_tracks,
};

/* ---- ls symbols ---- */

static const struct column symbol_columns[] = {
    {"symbol", COLUMN_TEXT}, {"instrument_id", COLUMN_COUNT}, {"track", COLUMN_TEXT},
    {"epoch", COLUMN_COUNT}, {"from", COLUMN_TIME},           {"to", COLUMN_TIME},
};

struct symbol_walk {
    struct table *table;
    uint64_t shown;
    uint64_t from, to;
    uint32_t instrument_id; /* the one asked for */
    bool by_id;
};

/* Does the name hold at any time that was asked for? */
static bool is_in_time(const struct symbol_walk *walk, const struct tdk_symbol_info *symbol)
{
    return walk->from < walk->to && symbol->from < walk->to &&
           (symbol->to > walk->from || symbol->to == UINT64_MAX);
}

static bool is_asked_for(const struct symbol_walk *walk, const struct tdk_symbol_info *symbol)
{
    if (walk->by_id ? symbol->instrument_id != walk->instrument_id
                    : args.glob != NULL && fnmatch(args.glob, symbol->symbol, 0) != 0)
        return false;
    return is_in_time(walk, symbol);
}

static int put_symbol(const struct tdk_symbol_info *symbol, void *context)
{
    struct symbol_walk *walk = context;
    if (!is_asked_for(walk, symbol))
        return 0;
    if (args.limit > 0 && walk->shown == args.limit)
        return 1;
    walk->shown++;
    table_text(walk->table, symbol->symbol);
    table_number(walk->table, symbol->instrument_id);
    table_text(walk->table, symbol->track);
    table_number(walk->table, symbol->epoch);
    table_number(walk->table, symbol->from);
    table_number(walk->table, symbol->to);
    return 0;
}

static int fill_symbols(struct depot *depot, struct table *table, struct tdk_err *err)
{
    struct symbol_walk walk = {.table = table};
    int rc = args.glob != NULL ? range_instrument(args.glob, &walk.instrument_id, err) : 0;
    walk.by_id = rc == 1;
    if (rc >= 0)
        rc = range_times(depot, &args.range, &walk.from, &walk.to, err);
    return rc < 0 ? rc : depot_symbols(depot, args.track, put_symbol, &walk, err);
}

static int run_symbols(const struct cli *cli)
{
    args.glob = cli->operands->count > 0 ? cli->operands->items[0] : NULL;
    return list(&args.where, symbol_columns, sizeof symbol_columns / sizeof symbol_columns[0],
                fill_symbols);
}

static const struct option symbol_rows[] = {
    {.name = "from",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct args, range.from),
     .help = "only what still holds at this time or later"},
    {.name = "to",
     .kind = OPTION_MOMENT,
     .at = offsetof(struct args, range.to),
     .help = "only what holds before this time"},
    {.name = "tz",
     .kind = OPTION_ZONE,
     .at = offsetof(struct args, range.zone),
     .help = "time zone of times without one"},
    {.name = "track",
     .kind = OPTION_NAME,
     .value = "TRACK",
     .at = offsetof(struct args, track),
     .help = "only this track"},
    {.name = "limit",
     .letter = 'n',
     .kind = OPTION_COUNT,
     .min = 1,
     .at = offsetof(struct args, limit),
     .help = "at most this many rows"},
    JSON_ROW,
    {.name = NULL},
};
static const struct option_set symbol_sets[] = {
    {.rows = range_tape_rows, .into = &args.range},
    {.rows = ask_depot_rows, .into = &args.where},
    {.rows = symbol_rows, .into = &args},
    {.rows = NULL},
};
static const struct command symbols_command = {
    .name = "symbols",
    .brief = "list which symbol an instrument had when; GLOB or #ID selects",
    .usage = "-T DIR|-a ADDRESS [GLOB|#ID] [--from T] [--to T] [--track TRACK] [-n N] [--json]",
    .sets = symbol_sets,
    .operand = "GLOB",
    .operands_max = 1,
    .run = run_symbols,
};

/* ---- ls segments ---- */

static const struct column segment_columns[] = {
    {"segment", COLUMN_COUNT}, {"state", COLUMN_TEXT},       {"size", COLUMN_SIZE},
    {"blocks", COLUMN_COUNT},  {"ticks", COLUMN_COUNT},      {"first_ts", COLUMN_TIME},
    {"last_ts", COLUMN_TIME},  {"generation", COLUMN_COUNT}, {"directory", COLUMN_TEXT},
};

struct segment_walk {
    struct table *table;
    const struct folder *folder; /* NULL: a lone segment file, without a tape */
    struct annexes annexes;
};

static void path_of(const struct segment_walk *walk, const struct segment_ref *segment,
                    char path[TAPE_PATH_MAX])
{
    folder_segment_path(walk->folder, segment->number,
                        segment->generation == 0 ? SEGMENT_SEALED : SEGMENT_PACKED, path);
}

/* The place it was moved to; NULL: it was not moved. */
static const struct annex *find_moved(const struct segment_walk *walk,
                                      const struct segment_ref *segment)
{
    char path[TAPE_PATH_MAX];
    struct segment_head head = {.magic = 0};
    if (walk->annexes.count == 0 || !segment->sealed)
        return NULL;
    path_of(walk, segment, path);
    return stub_read_head(path, &head, NULL) == 0 && head_is_stub(&head)
               ? annexes_find(&walk->annexes, head.annex)
               : NULL;
}

/* The index says that it is sealed. Is its file as it was? A segment that has been packed or
 * deleted since is no damage. */
static const char *sealed_state(const struct segment_walk *walk, const struct segment_ref *segment)
{
    char path[TAPE_PATH_MAX];
    struct stat file;
    struct segment_ref packed = *segment;
    if (walk->folder == NULL)
        return "sealed";
    path_of(walk, segment, path);
    if (stat(path, &file) == 0 && S_ISREG(file.st_mode))
        return (uint64_t)file.st_size < segment->size ? "cut" : "sealed";
    packed.generation = 1;
    path_of(walk, &packed, path);
    return stat(path, &file) == 0 && S_ISREG(file.st_mode) ? "sealed" : "missing";
}

static int put_segment(const struct segment_ref *segment, void *context)
{
    const struct segment_walk *walk = context;
    struct table *table = walk->table;
    const struct annex *moved = find_moved(walk, segment);
    bool away = moved != NULL && annex_check(moved, walk->folder->tape_id, NULL) < 0;
    table_number(table, segment->number);
    table_text(table, away              ? "away"
                      : moved != NULL   ? "moved"
                      : segment->sealed ? sealed_state(walk, segment)
                                        : "open");
    table_number(table, segment->size);
    table_number(table, segment->blocks);
    table_number(table, segment->ticks);
    put_time_range(table, segment->min_ts, segment->max_ts);
    table_number(table, segment->generation);
    if (moved != NULL)
        table_text(table, moved->path);
    else
        table_none(table);
    return 0;
}

static int fill_segments(struct depot *depot, struct table *table, struct tdk_err *err)
{
    struct view *view = tape_view(depot->tape);
    const bool is_lone = depot->tape->lone[0] != '\0';
    struct segment_walk walk = {.table = table, .folder = is_lone ? NULL : &depot->tape->folder};
    if (!is_lone)
        (void)annexes_load(&walk.annexes, walk.folder, NULL);
    int rc = index_segments(view->index, put_segment, &walk, err);
    annexes_close(&walk.annexes);
    view_drop(view);
    return rc;
}

static int run_segments(const struct cli *cli)
{
    (void)cli;
    return list(NULL, segment_columns, sizeof segment_columns / sizeof segment_columns[0],
                fill_segments);
}

static const struct command segments_command = {
    .name = "segments",
    .brief = "list the segment files of a tape",
    .usage = "-T DIR [--json]",
    .about = "`state` is open, sealed, moved (to `directory`, see `tapedeck move`) or away\n"
             "(moved, and the disk of that directory is not there now). A file that is not as\n"
             "the index knows it is missing or cut: `tapedeck gaps` names its ticks.",
    .sets = tape_sets,
    .run = run_segments,
};

/* ---- ls marks ---- */

static const struct column mark_columns[] = {
    {"name", COLUMN_TEXT},  {"ts", COLUMN_TIME},     {"back", COLUMN_DURATION},
    {"track", COLUMN_TEXT}, {"epoch", COLUMN_COUNT}, {"seq", COLUMN_COUNT},
};

struct mark_walk {
    struct tdk_tape *tape;
    struct table *table;
};

static int put_mark(const struct mark_ref *mark, void *context)
{
    const struct mark_walk *walk = context;
    const struct track *track = tape_track_number(walk->tape, mark->track);
    table_text(walk->table, mark->name);
    table_number(walk->table, mark->ts);
    table_number(walk->table, mark->back);
    table_text(walk->table, track != NULL ? track->ref.name : NULL);
    table_number(walk->table, mark->epoch);
    table_number(walk->table, mark->seq);
    return 0;
}

static int fill_marks(struct depot *depot, struct table *table, struct tdk_err *err)
{
    struct mark_walk walk = {depot->tape, table};
    struct view *view = tape_view(depot->tape);
    int rc = index_marks(view->index, put_mark, &walk, err);
    view_drop(view);
    return rc;
}

static int run_marks(const struct cli *cli)
{
    (void)cli;
    return list(NULL, mark_columns, sizeof mark_columns / sizeof mark_columns[0], fill_marks);
}

static const struct command marks_command = {
    .name = "marks",
    .brief = "list the marks on a tape, by time",
    .usage = "-T DIR [--json]",
    .about = "`back` is the time before a mark that is kept with it: retention spares those\n"
             "segments until `tapedeck retain release`.",
    .sets = tape_sets,
    .run = run_marks,
};

static const struct command *const parts[] = {&tracks_command,      &symbols_command,
                                              &segments_command,    &marks_command,
                                              &ls_sessions_command, NULL};

const struct command ls_command = {
    .name = "ls",
    .brief = "list tracks, symbols, segments, marks, or a replayer's plays",
    .parts = parts,
};
