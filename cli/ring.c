/* ring.c - ring create, ls, info, rm: the rings of this host. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "shm/rings.h"
#include "tapedeck/ring.h"

/* ---- create ---- */

static struct create_args {
    uint64_t size, payload_max;
    const char *track;
    bool allow_disk;
} create_args;

static const struct option create_rows[] = {
    {.name = "size",
     .kind = OPTION_SIZE,
     .preset = "64M",
     .is_power = true,
     .min = 1 << 16,
     .max = UINT64_C(1) << 40,
     .help = "capacity, a power of two",
     .at = offsetof(struct create_args, size)},
    {.name = "track",
     .kind = OPTION_NAME,
     .help = "name of the track for its ticks; by default the ring's name",
     .at = offsetof(struct create_args, track)},
    {.name = "payload-max",
     .kind = OPTION_SIZE,
     .min = 1,
     .max = TDK_PAYLOAD_HARD_MAX,
     .help = "largest payload of a tick; by default 1M, or a quarter of a smaller ring",
     .at = offsetof(struct create_args, payload_max)},
    {.name = "allow-disk-ring",
     .kind = OPTION_FLAG,
     .help = "allow a rings directory that is not on tmpfs",
     .at = offsetof(struct create_args, allow_disk)},
    {.name = NULL},
};

static int create_run(const struct cli *cli)
{
    const char *name = cli->operands->items[0];
    struct tdk_err err = {.code = 0};
    struct tdk_ring_options options = {.capacity = create_args.size,
                                       .payload_max = (uint32_t)create_args.payload_max,
                                       .track = create_args.track,
                                       .on_disk = create_args.allow_disk};
    int rc = tdk_ring_create(name, &options, &err);
    if (rc < 0)
        return cli_refuse(&err, rc == -EEXIST ? "`tapedeck ring rm` removes it" : NULL);
    char size[QUANTITY_TEXT];
    cli_note("created ring %s, %s", name, quantity_size_text(size, create_args.size));
    return CLI_OK;
}

static const struct command create = {
    .name = "create",
    .brief = "create a ring",
    .usage = "NAME [--size 64M] [options]",
    .about = "Creates the ring NAME in $TAPEDECK_RINGS (default /dev/shm/tapedeck). All of its\n"
             "memory is allocated now, so that nobody runs short of it later.",
    .sets = (const struct option_set[]){{"options", create_rows, &create_args}, {.rows = NULL}},
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .run = create_run,
};

/* ---- ls, info ---- */

static struct show_args {
    bool json;
} show_args;

static const struct option show_rows[] = {
    {.name = "json",
     .kind = OPTION_FLAG,
     .help = "print a JSON array",
     .at = offsetof(struct show_args, json)},
    {.name = NULL},
};

static const struct column columns[] = {
    {"name", COLUMN_TEXT},        {"track", COLUMN_TEXT},      {"capacity", COLUMN_SIZE},
    {"payload_max", COLUMN_SIZE}, {"epoch", COLUMN_COUNT},     {"produced", COLUMN_COUNT},
    {"consumed", COLUMN_COUNT},   {"lost", COLUMN_COUNT},      {"lost_total", COLUMN_COUNT},
    {"fill", COLUMN_SIZE},        {"high_water", COLUMN_SIZE}, {"producer", COLUMN_COUNT},
    {"consumer", COLUMN_COUNT},   {"taps", COLUMN_COUNT},      {"created", COLUMN_TIME},
};

static void put_pid(struct table *table, uint32_t pid)
{
    if (pid == 0)
        table_none(table);
    else if (pid == UINT32_MAX) /* somebody, who did not say who */
        table_text(table, "?");
    else
        table_number(table, pid);
}

/* The ring counts the ticks that went in. Those that are not in it any more were consumed. */
static uint64_t count_consumed(const struct tdk_ring_info *info)
{
    uint64_t unread;
    if (info->fill == 0)
        return info->produced;
    if (tdk_ring_unread(info->name, &unread, NULL) < 0 || unread > info->produced)
        return 0;
    return info->produced - unread;
}

static void put_row(struct table *table, const struct tdk_ring_info *info)
{
    table_text(table, info->name);
    table_text(table, info->track);
    table_number(table, info->capacity);
    table_number(table, info->payload_max);
    table_number(table, info->epoch);
    table_number(table, info->produced);
    table_number(table, count_consumed(info));
    table_number(table, info->lost);
    table_number(table, info->lost_total);
    table_number(table, info->fill);
    /* The consumer keeps the high-water mark. Without a consumer, the fill itself may be higher. */
    table_number(table, info->fill > info->high_water ? info->fill : info->high_water);
    put_pid(table, info->producer_pid);
    put_pid(table, info->consumer_pid);
    table_number(table, info->taps);
    table_number(table, info->created_ns);
}

struct listing {
    struct table *table;
    unsigned skipped;
};

static int list_one(const char *name, void *context)
{
    struct listing *listing = context;
    struct tdk_ring_info info;
    struct tdk_err err = {.code = 0};
    int rc = tdk_ring_stat(name, &info, &err);
    if (rc == 0) {
        put_row(listing->table, &info);
    } else if (rc != TDK_ENORING) { /* it may have gone since it was listed */
        cli_warn("%s", err.text);
        listing->skipped++;
    }
    return 0;
}

static int finish(struct table *table, int status)
{
    int rc = table_close(table);
    return rc < 0 ? cli_fail_stdout(rc) : status;
}

/* There are no rings, or another directory was meant. */
static void note_no_directory(void)
{
    if (access(rings_path(), F_OK) < 0 && errno == ENOENT)
        cli_note("there is no rings directory %s; set TAPEDECK_RINGS to use another", rings_path());
}

static int ls_run(const struct cli *cli)
{
    struct listing listing = {.skipped = 0};
    struct tdk_err err = {.code = 0};
    (void)cli;
    if (table_open(&listing.table, table_form(show_args.json), columns, array_size(columns)) < 0)
        return cli_fail_words("list the rings: no memory");
    note_no_directory();
    int rc = tdk_ring_list(list_one, &listing, &err);
    int status = finish(listing.table, listing.skipped > 0 ? CLI_LOSSY : CLI_OK);
    return rc < 0 ? cli_fail(&err, NULL) : status;
}

/* A ring that was to be there already. */
static int refuse_ring(const struct tdk_err *err, const char *hint)
{
    return cli_refuse(
        err, err->code == TDK_ENORING ? "`tapedeck ring ls` lists the rings that exist" : hint);
}

static int info_run(const struct cli *cli)
{
    struct tdk_ring_info info;
    struct tdk_err err = {.code = 0};
    struct table *table;
    if (tdk_ring_stat(cli->operands->items[0], &info, &err) < 0)
        return refuse_ring(&err, NULL);
    if (table_open(&table, table_form_single(show_args.json), columns, array_size(columns)) < 0)
        return cli_fail_words("show the ring: no memory");
    put_row(table, &info);
    return finish(table, CLI_OK);
}

static const struct command ls = {
    .name = "ls",
    .brief = "list the rings that exist",
    .usage = "[--json]",
    .sets = (const struct option_set[]){{"options", show_rows, &show_args}, {.rows = NULL}},
    .run = ls_run,
};

static const struct command info = {
    .name = "info",
    .brief = "show a ring: epoch, ticks, losses, fill, who is attached",
    .usage = "NAME [--json]",
    .about = "Shows what the ring NAME has seen. produced, consumed and lost count ticks of\n"
             "its epoch; fill and high_water are bytes; producer and consumer are pids.",
    .sets = (const struct option_set[]){{"options", show_rows, &show_args}, {.rows = NULL}},
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .run = info_run,
};

/* ---- rm ---- */

static struct rm_args {
    bool force, dry_run;
} rm_args;

static const struct option rm_rows[] = {
    {.name = "force",
     .letter = 'f',
     .kind = OPTION_FLAG,
     .help = "also remove rings that are in use, and files that are not rings",
     .at = offsetof(struct rm_args, force)},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "only print what would be removed",
     .at = offsetof(struct rm_args, dry_run)},
    {.name = NULL},
};

static int rm_one(const char *name)
{
    struct tdk_ring_info ring;
    struct tdk_err err = {.code = 0};
    if (rm_args.dry_run) {
        char fill[QUANTITY_TEXT];
        if (tdk_ring_stat(name, &ring, &err) < 0)
            return refuse_ring(&err, NULL);
        cli_note("would remove ring %s, with %s unread", name, quantity_size_text(fill, ring.fill));
        return CLI_OK;
    }
    if (tdk_ring_remove(name, rm_args.force, &err) < 0)
        return refuse_ring(&err, err.code == TDK_EHOSTILE && !rm_args.force
                                     ? "--force removes it all the same"
                                     : NULL);
    return CLI_OK;
}

static int rm_run(const struct cli *cli)
{
    int status = CLI_OK;
    for (size_t i = 0; i < cli->operands->count; i++) {
        int one = rm_one(cli->operands->items[i]);
        status = one != CLI_OK ? one : status;
    }
    return status;
}

static const struct command rm = {
    .name = "rm",
    .brief = "remove rings",
    .usage = "NAME... [--force] [--dry-run]",
    .about = "Removes rings. A process that has one attached keeps its memory; what nobody has\n"
             "read is gone.",
    .sets = (const struct option_set[]){{"options", rm_rows, &rm_args}, {.rows = NULL}},
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = UINT_MAX,
    .run = rm_run,
};

const struct command ring_command = {
    .name = "ring",
    .brief = "create, list, show and remove rings",
    .parts = (const struct command *const[]){&create, &ls, &info, &rm, NULL},
};
