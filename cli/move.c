/* move.c - moves old segments to another disk, where they are still part of the tape. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/owner.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/patience.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/stretch.h"
#include "cli/table.h"
#include "tape/move.h"
#include "tape/stub.h"

struct args {
    struct range_args range;
    const char *segments;
    uint64_t older_ns;
    int progress;
    bool back, relocate, adopt, list, dry_run, json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "older-than",
     .kind = OPTION_DURATION,
     .value = "D",
     .at = offsetof(struct args, older_ns),
     .help = "only segments whose last tick is older than this"},
    {.name = "segments", STRETCH_OPTION, .at = offsetof(struct args, segments)},
    {.name = "back",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, back),
     .help = "bring segments back into the tape, from DIR or from everywhere"},
    {.name = "relocate",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, relocate),
     .help = "only record that what was moved is now in DIR"},
    {.name = "adopt",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, adopt),
     .help = "take over what another copy of the tape moved to DIR, as that copy is gone"},
    {.name = "list",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, list),
     .help = "only list where segments were moved to"},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, dry_run),
     .help = "only print what there is to do"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

/* ---- while it goes on ---- */

struct work {
    struct progress progress;
    struct patience patience;
    struct move_totals totals;
};

static void on_failed(uint64_t segment, const char *text, void *context)
{
    struct work *w = context;
    progress_clear(&w->progress);
    cli_warn("segment %" PRIu64 " stays where it is: %s", segment, text);
}

static bool on_go_on(const struct move_totals *totals, void *context)
{
    struct work *w = context;
    progress_at(&w->progress, totals->bytes_done, totals->bytes_total, "bytes", totals->segments);
    patience_wait(&w->patience);
    return !interrupted();
}

static int show(const struct work *w)
{
    static const struct column columns[] = {
        {"segments", COLUMN_COUNT},  {"failed", COLUMN_COUNT},     {"to_do", COLUMN_COUNT},
        {"bytes", COLUMN_SIZE},      {"bytes_to_do", COLUMN_SIZE}, {"elapsed", COLUMN_DURATION},
        {"waited", COLUMN_DURATION},
    };
    const struct move_totals *t = &w->totals;
    const uint64_t numbers[] = {t->segments,
                                t->failed,
                                t->to_do,
                                t->bytes,
                                t->bytes_total,
                                progress_elapsed(&w->progress),
                                w->patience.waited_ns};
    struct table *table;
    size_t count = sizeof columns / sizeof columns[0];
    int rc = table_open(&table, table_form_single(args.json), columns, count);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        table_number(table, numbers[i]);
    return table_close(table);
}

/* `where` NULL: back into the tape. */
static int conclude(const struct work *w, const char *where)
{
    char bytes[QUANTITY_TEXT];
    const struct move_totals *t = &w->totals;
    if (t->segments > 0)
        cli_note("%" PRIu64 " %s of %s moved %s%s", t->segments,
                 quantity_word(t->segments, "segment", "segments"),
                 quantity_size_text(bytes, t->bytes), where != NULL ? "to " : "back",
                 where != NULL ? where : "");
    else if (t->to_do == 0)
        cli_note("there is nothing to move");
    if (t->left > 0)
        cli_note("%" PRIu64 " of them also %s there, because another copy of this tape moved %s; "
                 "if that copy is gone, use `tapedeck move --adopt DIR`",
                 t->left, quantity_word(t->left, "stays", "stay"),
                 quantity_word(t->left, "it", "them"));
    if (t->failed == 0)
        return CLI_OK;
    cli_warn("%" PRIu64 " %s", t->failed,
             quantity_word(t->failed, "segment could not be moved and stays where it is",
                           "segments could not be moved and stay where they are"));
    return CLI_LOSSY;
}

/* ---- what is where ---- */

struct place_of {
    const struct annex *annex;
    uint64_t segments, bytes, first, last;
};

/* Count those of segments first to last (0: to the end) that are in this annex. */
static int count_moved(const struct folder *folder, const struct annex *annex, uint64_t first,
                       uint64_t last, struct place_of *p, struct tdk_err *err)
{
    struct segment_name *names;
    size_t count;
    int rc = folder_segments(folder, &names, &count, err);
    *p = (struct place_of){.annex = annex};
    for (size_t i = 0; i < count && rc == 0; i++) {
        char path[TAPE_PATH_MAX];
        struct segment_head head = {.magic = 0};
        struct stat file;
        folder_segment_path(folder, names[i].number, names[i].stage, path);
        if (names[i].number < first || (last != 0 && names[i].number > last) ||
            stub_read_head(path, &head, NULL) < 0 || !head_is_stub(&head) ||
            memcmp(head.annex, annex->id, sizeof head.annex) != 0 || stat(path, &file) < 0)
            continue;
        p->first = p->segments == 0 ? names[i].number : p->first;
        p->last = names[i].number;
        p->segments++;
        p->bytes += (uint64_t)file.st_size;
    }
    if (rc == 0)
        free(names);
    return rc;
}

/* ---- from where, to where ---- */

/* Make the path absolute. If the directory does not exist it is made (*made), but not its
 * parents. */
static int find_directory(const char *given, char path[PATH_MAX], bool *made, struct tdk_err *err)
{
    bool make = !args.back && !args.relocate && !args.adopt && !args.dry_run;
    *made = false;
    if (realpath(given, path) != NULL)
        return 0;
    if (errno == ENOENT && args.dry_run && !args.back) {
        snprintf(path, PATH_MAX, "%s", given);
        return 0;
    }
    if (errno != ENOENT || !make)
        return err_set(err, -errno, "%s", given);
    if (mkdir(given, 0770) < 0)
        return err_set(err, -errno, "create %s", given);
    owner_give_folder(given, args.range.tape);
    *made = true;
    return realpath(given, path) != NULL ? 0 : err_set(err, -errno, "%s", given);
}

static bool is_inside(const char *path, const char *folder)
{
    char whole[PATH_MAX];
    size_t size;
    if (realpath(folder, whole) == NULL)
        return false;
    size = strlen(whole);
    return strncmp(path, whole, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* This is allowed, but hardly what is wanted. */
static void warn_same_disk(const struct folder *folder, const char *path)
{
    struct stat here, there;
    if (!args.back && stat(folder->segments, &here) == 0 && stat(path, &there) == 0 &&
        here.st_dev == there.st_dev)
        cli_note("%s is on the tape's own disk: moving segments there frees no space", path);
}

/* Warn about a folder that root has made: what root puts there is for root alone. */
static void warn_other_owner(const struct folder *folder, const char *path)
{
    struct stat here, there;
    if (geteuid() == 0 && stat(folder->path, &here) == 0 && stat(path, &there) == 0 &&
        there.st_uid == 0 && here.st_uid != 0)
        cli_warn("%s belongs to root, and so does what is moved there: the tape's user (uid %u) "
                 "cannot read it; run chown -R %u:%u %s",
                 path, (unsigned)here.st_uid, (unsigned)here.st_uid, (unsigned)here.st_gid, path);
}

/* Find the annex at a path. For a dry run it need not be an annex yet. */
static int find_annex(const struct folder *folder, char *path, struct annex *annex,
                      struct tdk_err *err)
{
    struct annex_meta meta = {.id = {0}};
    int rc = 0;
    if (args.dry_run || args.back || args.relocate || args.adopt)
        rc = annex_read_meta(path, &meta, err);
    if (rc == -ENOENT && !args.dry_run)
        return err_say(err, TDK_ENOTAPE, "nothing was moved to %s: it has no annex.meta", path);
    if (rc == -ENOENT)
        rc = 0;
    if (rc == 0 && !args.dry_run)
        rc = move_join(folder, path, &meta, err);
    annex->path = path;
    memcpy(annex->id, meta.id, sizeof annex->id);
    return rc;
}

static int move(const struct folder *folder, const struct annex *annex, struct work *w,
                struct tdk_err *err)
{
    uint64_t now_ns = clock_wall();
    struct move_options options = {.back = args.back,
                                   .dry_run = args.dry_run,
                                   .failed = on_failed,
                                   .go_on = on_go_on,
                                   .context = w};
    (void)stretch_parse(args.segments, &options.first, &options.last);
    if (args.older_ns != 0)
        options.before_ts = now_ns > args.older_ns ? now_ns - args.older_ns : 1;
    return move_segments(folder, annex, &options, &w->totals, err);
}

/* What is on a missing disk stays there, and does not keep other segments from coming back. */
static int pass_over(const struct folder *folder, const struct annex *annex, const char *where,
                     struct work *w, struct tdk_err *err)
{
    struct place_of place;
    uint64_t first = 0, last = 0;
    (void)stretch_parse(args.segments, &first, &last);
    int rc = count_moved(folder, annex, first, last, &place, err);
    if (rc < 0 || place.segments == 0)
        return rc;
    w->totals.to_do += place.segments;
    w->totals.bytes_total += place.bytes;
    w->totals.failed += place.segments;
    progress_clear(&w->progress);
    cli_warn("%" PRIu64 " %s be at %s", place.segments,
             quantity_word(place.segments, "segment stays where it is: it should",
                           "segments stay where they are: they should"),
             where);
    return 0;
}

/* Move back from every annex there is. */
static int move_all_back(const struct folder *folder, struct work *w, struct tdk_err *err)
{
    struct annexes annexes;
    struct tdk_err away;
    int rc = annexes_load(&annexes, folder, err);
    for (size_t i = 0; i < annexes.count && rc == 0; i++) {
        const struct annex *annex = &annexes.items[i];
        rc = annex_check(annex, folder->tape_id, &away) < 0
                 ? pass_over(folder, annex, away.text, w, err)
                 : move(folder, annex, w, err);
    }
    annexes_close(&annexes);
    return rc;
}

static int move_now(const struct cli *cli, const struct folder *folder, char *path)
{
    struct tdk_err err;
    struct work w = {.totals = {.segments = 0}};
    struct annex annex;
    interrupt_catch();
    patience_begin(&w.patience, folder->tape_id);
    progress_begin(&w.progress, "move", args.progress, cli->globals->quiet);
    int rc = path != NULL ? find_annex(folder, path, &annex, &err) : 0;
    if (rc == 0 && path != NULL)
        warn_same_disk(folder, path);
    if (rc == 0 && path != NULL && !args.back)
        warn_other_owner(folder, path);
    if (rc == 0)
        rc = path != NULL ? move(folder, &annex, &w, &err) : move_all_back(folder, &w, &err);
    progress_clear(&w.progress);
    if (rc < 0)
        return cli_fail(&err, w.totals.segments > 0
                                  ? "what was moved stays moved; run it again for the rest"
                                  : NULL);
    int shown = show(&w);
    if (shown < 0)
        return cli_fail_stdout(shown);
    return conclude(&w, path == NULL || args.back ? NULL : path);
}

static int relocate(const struct folder *folder, char *path)
{
    struct tdk_err err;
    struct annex annex;
    if (find_annex(folder, path, &annex, &err) < 0)
        return cli_fail(&err, NULL);
    cli_note("moved segments are looked for in %s from now on", path);
    return CLI_OK;
}

static int adopt(const struct folder *folder, char *path)
{
    struct tdk_err err;
    struct annex annex;
    int rc = find_annex(folder, path, &annex, &err);
    if (rc == 0)
        rc = move_adopt(folder, &annex, &err);
    if (rc < 0)
        return cli_fail(&err, NULL);
    cli_note("what was moved to %s belongs to this tape alone from now on", path);
    return CLI_OK;
}

/* ---- told ---- */

static void put_place(struct table *table, const struct folder *folder, const struct place_of *p)
{
    bool away = annex_check(p->annex, folder->tape_id, NULL) < 0;
    table_text(table, p->annex->path);
    table_text(table, away ? "away" : annex_is_ours(p->annex->path, folder) ? "there" : "shared");
    table_number(table, p->segments);
    table_number(table, p->bytes);
    for (int i = 0; i < 2; i++)
        if (p->segments > 0)
            table_number(table, i == 0 ? p->first : p->last);
        else
            table_none(table);
}

static int list(const struct folder *folder)
{
    static const struct column columns[] = {
        {"directory", COLUMN_TEXT}, {"state", COLUMN_TEXT},  {"segments", COLUMN_COUNT},
        {"size", COLUMN_SIZE},      {"first", COLUMN_COUNT}, {"last", COLUMN_COUNT},
    };
    struct tdk_err err;
    struct annexes annexes;
    struct table *table;
    if (annexes_load(&annexes, folder, &err) < 0)
        return cli_fail(&err, "`tapedeck move --relocate DIR` writes it anew");
    int rc = table_open(&table, table_form(args.json), columns, sizeof columns / sizeof columns[0]);
    int counted = 0;
    for (size_t i = 0; i < annexes.count && rc == 0 && counted == 0; i++) {
        struct place_of place;
        counted = count_moved(folder, &annexes.items[i], 0, 0, &place, &err);
        if (counted == 0)
            put_place(table, folder, &place);
    }
    if (rc == 0)
        rc = table_close(table);
    annexes_close(&annexes);
    if (counted < 0)
        return cli_fail(&err, NULL);
    return rc < 0 ? cli_fail_stdout(rc) : CLI_OK;
}

/* ---- the command ---- */

/* The operands of `move DIR -T TAPE` and `move TAPE DIR`. */
static int read_operands(const struct cli *cli, const char **directory)
{
    const struct option_list *words = cli->operands;
    uint64_t first = 0, last = 0;
    *directory = words->count > 0 ? words->items[words->count - 1] : NULL;
    if (words->count > 1)
        args.range.tape = words->items[0];
    if (args.range.tape == NULL)
        return cli_usage("no tape: name one with -T DIR, or in TAPEDECK_TAPE");
    if (args.back + args.relocate + args.adopt + args.list > 1)
        return cli_usage("choose one of --back, --relocate, --adopt and --list");
    if (*directory == NULL && !args.back && !args.list)
        return cli_usage("no directory: name the one to move to");
    if (*directory != NULL && args.list)
        return cli_usage("--list shows all directories, so it takes no DIR");
    if ((args.relocate || args.adopt) && args.dry_run)
        return cli_usage("--dry-run cannot be combined with --%s, which moves no segment",
                         args.adopt ? "adopt" : "relocate");
    if (args.back && args.older_ns != 0)
        return cli_usage("--older-than cannot be combined with --back");
    if (!stretch_parse(args.segments, &first, &last))
        return cli_usage("--segments %s: neither a number nor a range (7, 7-19, or 7- to the end)",
                         args.segments);
    return CLI_OK;
}

static int run(const struct cli *cli)
{
    struct tdk_err err;
    struct folder folder;
    char path[PATH_MAX];
    const char *directory;
    bool made = false;
    int status = read_operands(cli, &directory);
    if (status != CLI_OK)
        return status;
    if (folder_open(&folder, args.range.tape, &err) < 0)
        return cli_fail(&err, NULL);
    if (args.list)
        return list(&folder);
    if (directory != NULL && find_directory(directory, path, &made, &err) < 0)
        return cli_fail(&err, NULL);
    if (directory != NULL && is_inside(path, args.range.tape))
        status = cli_usage("%s is inside the tape; what is moved goes to a directory of its own",
                           directory);
    else if (args.relocate)
        status = relocate(&folder, path);
    else if (args.adopt)
        status = adopt(&folder, path);
    else
        status = move_now(cli, &folder, directory != NULL ? path : NULL);
    if (made)
        (void)rmdir(path); /* fails if something is in it now */
    return status;
}

const struct command move_command = {
    .name = "move",
    .brief = "move sealed segments to another disk, and back",
    .usage = "DIR -T TAPE [--older-than D] [--segments A-B] [--back] [--dry-run]",
    .about = "Each segment is copied to DIR, read back and compared. Then a remainder (its\n"
             "head and foot) takes its place on the tape, and queries, plays, digests and\n"
             "verify work as before. Where the disk of DIR is not mounted, the tape says what\n"
             "is away and where it should be, and answers with the rest. --back brings\n"
             "segments home, --relocate tells the tape where DIR is now, --list shows what is\n"
             "where. A copy of the tape brings back what it needs and leaves DIR as it was,\n"
             "unless it is told to --adopt DIR.\n"
             "It works beside a recorder, and holds still while the recorder is behind. It may\n"
             "be killed at any moment and run again.\n"
             "Exit 0: done; 3: some segments could not be moved and stay where they are.",
    .sets = sets,
    .operand = "DIR",
    .operands_max = 2,
    .run = run,
};
