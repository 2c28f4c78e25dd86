/* retain.c - disks that do not fill: what would go, let it go, keep some whatever the policy says.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/table.h"
#include "tape/holds.h"
#include "tape/recover.h"
#include "tape/retain_limits.h"
#include "tape/retain_plan.h"
#include "tape/retire.h"
#include "tape/view.h"

struct args {
    struct range_args range;
    struct retain_limits limits;
    int progress;
    bool dry_run, json;
};

static struct args args;

#define JSON_ROW(what)                                                                             \
    {                                                                                              \
        .name = "json", .kind = OPTION_FLAG, .at = offsetof(struct args, json), .help = (what)     \
    }

/* ---- plan ---- */

static const struct column columns[] = {
    {"segment", COLUMN_COUNT}, {"size", COLUMN_SIZE},    {"ticks", COLUMN_COUNT},
    {"first_ts", COLUMN_TIME}, {"last_ts", COLUMN_TIME}, {"goes", COLUMN_FLAG},
    {"why", COLUMN_TEXT},      {"due", COLUMN_TIME},     {"kept_by", COLUMN_TEXT},
    {"mark", COLUMN_TEXT},
};

static void put_time(struct table *table, uint64_t ts, bool known)
{
    if (known)
        table_number(table, ts);
    else
        table_none(table);
}

static void put_item(struct table *table, const struct retain_item *item)
{
    bool timed = item->min_ts <= item->max_ts;
    table_number(table, item->number);
    table_number(table, item->size);
    table_number(table, item->ticks);
    put_time(table, item->min_ts, timed);
    put_time(table, item->max_ts, timed);
    table_number(table, item->why != RETAIN_STAYS);
    table_text(table, item->why != RETAIN_STAYS ? retain_why_text(item->why) : NULL);
    put_time(table, item->due_ns, item->due_ns != RETAIN_NEVER);
    table_text(table, item->pin != PIN_NONE ? retain_pin_text(item->pin) : NULL);
    table_text(table, item->pin == PIN_MARK ? item->pin_name : NULL);
}

static int open_table(struct table **table)
{
    return table_open(table, table_form(args.json), columns, sizeof columns / sizeof columns[0]);
}

static int show_plan(const struct retain_plan *plan)
{
    struct table *table;
    int rc = open_table(&table);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < plan->count; i++)
        put_item(table, &plan->items[i]);
    return table_close(table);
}

static int warn_unmet(const struct retain_plan *plan)
{
    char bytes[QUANTITY_TEXT], free_text[QUANTITY_TEXT];
    if (!plan->verdict.unmet)
        return CLI_OK;
    cli_warn("the limits cannot be met: %" PRIu64 " %s of %s %s, %s are free; column "
             "kept_by of `tapedeck retain plan` says what keeps %s",
             plan->verdict.segments, quantity_word(plan->verdict.segments, "segment", "segments"),
             quantity_size_text(bytes, plan->verdict.bytes),
             quantity_word(plan->verdict.segments, "stays", "stay"),
             quantity_size_text(free_text, plan->free_bytes),
             quantity_word(plan->verdict.segments, "it", "them"));
    return CLI_LOSSY;
}

static int conclude_plan(const struct retain_plan *plan)
{
    char bytes[QUANTITY_TEXT];
    int rc = show_plan(plan);
    if (rc < 0)
        return cli_fail_stdout(rc);
    cli_note("%zu of %zu %s %s, %s", plan->verdict.going, plan->count,
             quantity_word(plan->count, "segment", "segments"),
             quantity_word(plan->verdict.going, "is to be deleted", "are to be deleted"),
             quantity_size_text(bytes, plan->verdict.going_bytes));
    return warn_unmet(plan);
}

struct track_search {
    const char *name;
    bool found;
};

static int look_for_track(const struct track_ref *track, void *context)
{
    struct track_search *search = context;
    search->found = search->found || strcmp(track->name, search->name) == 0;
    return 0;
}

/* With a typing error in a name, the other limits would apply to the track that was meant. */
static void warn_unknown_tracks(const struct retain_policy *policy, struct index *index)
{
    for (size_t i = 0; i < policy->track_count; i++) {
        struct track_search search = {.name = policy->tracks[i].name};
        if (index_tracks(index, look_for_track, &search, NULL) == 0 && !search.found)
            cli_warn("--track-age: no track %s on this tape; `tapedeck ls tracks` lists them",
                     search.name);
    }
}

/* Make the plan for a tape without holding it. */
static int make_plan(struct retain_plan *plan, struct folder *folder,
                     const struct retain_policy *policy, struct tdk_err *err)
{
    struct view *view = NULL;
    int rc = folder_open(folder, args.range.tape, err);
    if (rc == 0)
        rc = view_open(&view, folder, err);
    if (rc < 0 || view == NULL)
        return rc;
    warn_unknown_tracks(policy, view->index);
    rc = retain_plan_make(plan, folder, view->index, policy, NULL, err);
    view_drop(view);
    return rc;
}

static int plan_only(const struct retain_policy *policy)
{
    struct tdk_err err;
    struct folder folder;
    struct retain_plan plan = {.count = 0};
    if (make_plan(&plan, &folder, policy, &err) < 0)
        return cli_fail(&err, NULL);
    int status = conclude_plan(&plan);
    retain_plan_close(&plan);
    return status;
}

/* Read the policy, and check that there is a tape. CLI_OK, or the exit status after printing
 * why. */
static int read_policy(struct retain_policy *policy)
{
    struct tdk_err err;
    if (args.range.tape == NULL)
        return range_no_tape();
    int rc = retain_limits_policy(&args.limits, policy, &err);
    return rc < 0 ? cli_refuse(&err, NULL) : CLI_OK;
}

static int run_plan(const struct cli *cli)
{
    struct retain_policy policy = {.tracks = NULL};
    (void)cli;
    int status = read_policy(&policy);
    if (status == CLI_OK)
        status = plan_only(&policy);
    retain_limits_close(&policy);
    return status;
}

static const struct option plan_rows[] = {JSON_ROW("print a JSON array"), {.name = NULL}};
static const struct option_set plan_sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.title = "limits", .rows = retain_limit_rows, .into = &args.limits},
    {.rows = plan_rows, .into = &args},
    {.rows = NULL},
};
static const struct command plan_command = {
    .name = "plan",
    .brief = "show what a policy would delete, why and when, and what stays",
    .usage = "-T DIR [--max-age D] [--max-size S] [--max-segments N] [--min-free S] [--json]",
    .about = "Prints a row per segment. `due` is when its age lets it go. `kept_by` says what\n"
             "keeps it all the same: recording, newest, hold, mark, read (a running reader) or\n"
             "away (moved to a disk that is not there). Changes nothing.",
    .sets = plan_sets,
    .run = run_plan,
};

/* ---- apply ---- */

struct applying {
    struct progress progress;
    struct retain_plan plan;
    struct table *deleted; /* NULL: not asked for */
    uint64_t segments, bytes, bytes_total, kept;
};

static void put_deleted(struct applying *a, uint64_t segment)
{
    for (size_t i = 0; i < a->plan.count && a->deleted != NULL; i++)
        if (a->plan.items[i].number == segment)
            put_item(a->deleted, &a->plan.items[i]);
}

/* Why a segment that was to be deleted stays. NULL: it was deleted. */
static const char *why_it_stays(enum retire_fate fate)
{
    static const char *const words[] = {
        [RETIRE_LEASED] = "is being read, so it stays for now",
        [RETIRE_HELD] = "is held, so it stays until it is released",
        [RETIRE_AWAY] = "was moved to a disk that is not there, so it stays for now",
        [RETIRE_UNREADABLE] = "cannot be read, so it stays; `tapedeck verify` says more"};
    return (size_t)fate < sizeof words / sizeof words[0] ? words[fate] : NULL;
}

static int on_retired(uint64_t segment, enum retire_fate fate, uint64_t bytes, void *context)
{
    struct applying *a = context;
    const char *why = why_it_stays(fate);
    if (fate == RETIRE_DONE) {
        a->segments++;
        a->bytes += bytes;
        put_deleted(a, segment);
        progress_at(&a->progress, a->bytes, a->bytes_total, "bytes", a->segments);
    } else if (why != NULL) {
        a->kept++;
        progress_clear(&a->progress);
        cli_warn("segment %" PRIu64 " %s", segment, why);
    }
    return interrupted() ? 1 : 0;
}

static int apply_plan(struct applying *a, const struct folder *folder, struct tdk_err *err)
{
    const struct retire_options options = {.each = on_retired, .context = a};
    size_t count;
    uint64_t *numbers = retain_plan_going(&a->plan, &count);
    a->bytes_total = a->plan.verdict.going_bytes;
    int rc = numbers != NULL ? retire_segments(folder, numbers, count, &options, err) : 0;
    free(numbers);
    return rc;
}

static void on_found(const char *text, void *context)
{
    (void)context;
    cli_warn("%s", text);
}

/* We hold the tape: we have to update the index ourselves. */
static int apply_held(struct applying *a, struct recovered *tape,
                      const struct retain_policy *policy, struct tdk_err *err)
{
    warn_unknown_tracks(policy, tape->index);
    int rc = retain_plan_make(&a->plan, &tape->folder, tape->index, policy, NULL, err);
    if (rc == 0)
        rc = apply_plan(a, &tape->folder, err);
    int closed = recover_close(tape, true, rc == 0 ? err : NULL);
    return rc < 0 ? rc : closed;
}

/* A writer holds the tape. It looks a few times a second, and takes deleted segments out of its
 * index. */
static int apply_beside(struct applying *a, const struct retain_policy *policy, struct tdk_err *err)
{
    struct folder folder;
    int rc = make_plan(&a->plan, &folder, policy, err);
    return rc == 0 ? apply_plan(a, &folder, err) : rc;
}

static int apply(struct applying *a, const struct retain_policy *policy, struct tdk_err *err)
{
    const struct recover_options options = {.index_may_fail = true, .found = on_found};
    struct recovered tape;
    int rc = recover_open(&tape, args.range.tape, &options, err);
    if (rc == TDK_EBUSY)
        return apply_beside(a, policy, err);
    return rc == 0 ? apply_held(a, &tape, policy, err) : rc;
}

/* Also after an apply that failed or was interrupted. */
static int show_deleted(struct applying *a)
{
    int rc = a->deleted != NULL ? table_close(a->deleted) : 0;
    return rc < 0 ? cli_fail_stdout(rc) : CLI_OK;
}

static int apply_now(const struct cli *cli, const struct retain_policy *policy)
{
    struct tdk_err err;
    struct applying a = {.segments = 0};
    char bytes[QUANTITY_TEXT];
    if (args.json && open_table(&a.deleted) < 0)
        return cli_fail_words("list what is deleted: %s", tdk_strerror(-ENOMEM));
    interrupt_catch();
    progress_begin(&a.progress, "retain", args.progress, cli->globals->quiet);
    int rc = apply(&a, policy, &err);
    progress_end(&a.progress, a.bytes, a.bytes_total, "bytes", a.segments);
    int shown = show_deleted(&a);
    int status = rc == 0 ? warn_unmet(&a.plan) : CLI_OK;
    retain_plan_close(&a.plan);
    if (rc < 0)
        return cli_fail(&err, "it is safe to try again");
    cli_note("%" PRIu64 " %s of %s deleted", a.segments,
             quantity_word(a.segments, "segment", "segments"), quantity_size_text(bytes, a.bytes));
    if (interrupted())
        return cli_fail_words("interrupted; run it again for the rest");
    if (shown != CLI_OK)
        return shown;
    return a.kept > 0 ? CLI_LOSSY : status;
}

static int run_apply(const struct cli *cli)
{
    struct retain_policy policy = {.tracks = NULL};
    int status = read_policy(&policy);
    if (status == CLI_OK && !retain_is_set(&policy))
        status = cli_usage("no limit was given; name one, as in --max-age 30d");
    else if (status == CLI_OK)
        status = args.dry_run ? plan_only(&policy) : apply_now(cli, &policy);
    retain_limits_close(&policy);
    return status;
}

static const struct option apply_rows[] = {
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, dry_run),
     .help = "only show the plan"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    JSON_ROW("print a JSON array of what was deleted, with the columns of the plan"),
    {.name = NULL},
};
static const struct option_set apply_sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.title = "limits", .rows = retain_limit_rows, .into = &args.limits},
    {.rows = apply_rows, .into = &args},
    {.rows = NULL},
};
static const struct command apply_command = {
    .name = "apply",
    .brief = "delete segments by a policy",
    .usage = "-T DIR [--max-age D] [--max-size S] [--max-segments N] [--min-free S] [--dry-run]",
    .about = "What is deleted is gone for good. The tape still knows that it was there, and\n"
             "`gaps` calls it retired. It works beside a recorder. It may be killed and run\n"
             "again. Exit 0: the limits hold; 3: something keeps a limit from being met, and\n"
             "is named.",
    .sets = apply_sets,
    .run = run_apply,
};

/* ---- hold, release ---- */

static int read_numbers(const struct option_list *words, uint64_t *numbers)
{
    struct tdk_err err;
    for (size_t i = 0; i < words->count; i++)
        if (quantity_count(words->items[i], &numbers[i], &err) < 0 || numbers[i] == 0)
            return cli_usage("'%s' is not a segment number; `tapedeck ls segments` lists them",
                             words->items[i]);
    return CLI_OK;
}

struct presence {
    const uint64_t *numbers;
    size_t count, found;
};

static int note_present(const struct segment_ref *segment, void *context)
{
    struct presence *p = context;
    for (size_t i = 0; i < p->count; i++)
        p->found += p->numbers[i] == segment->number; /* a number may be given twice */
    return 0;
}

static int check_present(const struct folder *folder, const uint64_t *numbers, size_t count)
{
    struct tdk_err err;
    struct view *view = NULL;
    struct presence p = {.numbers = numbers, .count = count};
    int rc = view_open(&view, folder, &err);
    if (rc == 0 && view != NULL) {
        rc = index_segments(view->index, note_present, &p, &err);
        view_drop(view);
    }
    if (rc < 0)
        return cli_fail(&err, NULL);
    return p.found >= count ? CLI_OK
                            : cli_fail_words("%s does not have all of these segments; `tapedeck ls "
                                             "segments` lists those it has",
                                             folder->path);
}

static int count_held(const struct folder *folder, const uint64_t *numbers, size_t count,
                      size_t *held, struct tdk_err *err)
{
    struct holds holds;
    int rc = holds_load(&holds, folder, err);
    if (rc < 0)
        return rc;
    *held = 0;
    for (size_t i = 0; i < count; i++)
        *held += holds_has(&holds, numbers[i]);
    holds_close(&holds);
    return 0;
}

static int change_holds(const uint64_t *numbers, size_t count, enum hold_change change)
{
    struct tdk_err err;
    struct folder folder;
    if (folder_open(&folder, args.range.tape, &err) < 0)
        return cli_fail(&err, NULL);
    int status = check_present(&folder, numbers, count);
    if (status != CLI_OK)
        return status;
    size_t held;
    if (count_held(&folder, numbers, count, &held, &err) < 0 ||
        holds_change(&folder, numbers, count, change, &err) < 0)
        return cli_fail(&err, NULL);
    const char *word = quantity_word(count, "segment", "segments");
    if (change == HOLD_KEEP)
        cli_note("%zu %s held until released", count, word);
    else
        cli_note("%zu %s released; %zu had been held", count, word, held);
    return CLI_OK;
}

static int run_change(const struct cli *cli, enum hold_change change)
{
    if (args.range.tape == NULL)
        return range_no_tape();
    uint64_t *numbers = calloc(cli->operands->count, sizeof *numbers);
    if (numbers == NULL)
        return cli_fail_words("read the segments' numbers: %s", tdk_strerror(-ENOMEM));
    int status = read_numbers(cli->operands, numbers);
    if (status == CLI_OK)
        status = change_holds(numbers, cli->operands->count, change);
    free(numbers);
    return status;
}

static int run_hold(const struct cli *cli)
{
    return run_change(cli, HOLD_KEEP);
}

static int run_release(const struct cli *cli)
{
    return run_change(cli, HOLD_RELEASE);
}

static const struct option_set hold_sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.rows = NULL},
};
static const struct command hold_command = {
    .name = "hold",
    .brief = "keep these segments, whatever the policy says",
    .usage = "SEGMENT... -T DIR",
    .sets = hold_sets,
    .operand = "SEGMENT",
    .operands_min = 1,
    .operands_max = UINT_MAX,
    .run = run_hold,
};
static const struct command release_command = {
    .name = "release",
    .brief = "return held or marked segments to the policy",
    .usage = "SEGMENT... -T DIR",
    .sets = hold_sets,
    .operand = "SEGMENT",
    .operands_min = 1,
    .operands_max = UINT_MAX,
    .run = run_release,
};

static const struct command *const parts[] = {&plan_command, &apply_command, &hold_command,
                                              &release_command, NULL};
const struct command retain_command = {
    .name = "retain",
    .brief = "delete old segments by age, size, count or free space",
    .parts = parts,
};
