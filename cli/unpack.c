/* unpack.c - makes a tape from a pack again. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/owner.h"
#include "cli/bundle.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "tape/files.h"
#include "tape/recover.h"

enum { PATH_SIZE = 4096 };

struct args {
    const char *output;
    int progress;
};

static struct args args;

static const struct option rows[] = {
    {.name = "output",
     .letter = 'O',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .required = true,
     .at = offsetof(struct args, output),
     .help = "the tape to create; it must not exist, and appears only when complete"},
    {.name = "progress", PROGRESS_OPTION, .at = offsetof(struct args, progress)},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

struct unpacking {
    struct progress progress;
    uint64_t done;
    char aside[PATH_SIZE]; /* "DIR.unpacking": left by an earlier try, it is ours, too */
};

static int on_bytes(uint64_t bytes, void *context)
{
    struct unpacking *u = context;
    u->done += bytes;
    progress_at(&u->progress, u->done, 0, "bytes", 0);
    return interrupted() ? 1 : 0;
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *walk)
{
    (void)stat;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void remove_aside(const struct unpacking *u)
{
    /* One thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    nftw(u->aside, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void on_found(const char *text, void *context)
{
    (void)context;
    cli_warn("%s", text);
}

/* The last segment may have been packed while it was being recorded: seal it, and build the
 * index. */
static int make_tape(const struct unpacking *u, bool *lost, struct tdk_err *err)
{
    const struct recover_options options = {.found = on_found};
    struct recovered tape;
    int rc = recover_open(&tape, u->aside, &options, err);
    if (rc < 0)
        return rc;
    *lost = recover_lost(&tape.report);
    return recover_close(&tape, true, err);
}

/* The files are durable, one by one: now their names. */
static int sync_names(const struct unpacking *u, struct tdk_err *err)
{
    static const char *const folders[] = {"segments", "pack/files", "pack", "."};
    int rc = 0;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && rc == 0; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%.*s/%s", PATH_SIZE - 16, u->aside, folders[i]);
        rc = files_sync_folder(path, err);
    }
    return rc;
}

/* Under its name, durably. */
static int publish(const struct unpacking *u, struct tdk_err *err)
{
    int rc = sync_names(u, err);
    if (rc < 0)
        return rc;
    if (rename(u->aside, args.output) < 0)
        return err_set(err, -errno, "rename %s", u->aside);
    return files_sync_parent(args.output, err);
}

static int unpack(struct unpacking *u, const char *path, bool *lost, struct tdk_err *err)
{
    remove_aside(u);
    if (owner_mkdir(u->aside, 0770) < 0)
        return err_set(err, -errno, "create %s", u->aside);
    int rc = bundle_extract(path, u->aside, on_bytes, u, err);
    if (rc == 0)
        rc = make_tape(u, lost, err);
    if (rc == 0)
        rc = publish(u, err);
    if (rc < 0)
        remove_aside(u);
    return rc;
}

static int check_output(struct unpacking *u)
{
    struct stat there;
    size_t size = strlen(args.output);
    while (size > 1 && args.output[size - 1] == '/')
        size--;
    if (size == 0 || size > PATH_SIZE - 32)
        return cli_usage("-O: not a name for a directory");
    if (lstat(args.output, &there) == 0)
        return cli_usage("-O %s: it exists already; name a new directory", args.output);
    snprintf(u->aside, sizeof u->aside, "%.*s.unpacking", (int)size, args.output);
    return CLI_OK;
}

static int run(const struct cli *cli)
{
    struct tdk_err err = {.code = 0};
    struct unpacking u = {.done = 0};
    const char *path = cli->operands->items[0];
    bool lost = false;
    int status = check_output(&u);
    if (status != CLI_OK)
        return status;
    interrupt_catch();
    progress_begin(&u.progress, "unpack", args.progress, cli->globals->quiet);
    int rc = unpack(&u, path, &lost, &err);
    progress_end(&u.progress, u.done, u.done, "bytes", 0);
    if (rc < 0)
        return cli_fail(&err, "nothing was unpacked");
    cli_note("%s is a tape; its file pack/manifest says where it comes from", args.output);
    return lost ? CLI_LOSSY : CLI_OK;
}

const struct command unpack_command = {
    .name = "unpack",
    .brief = "make a tape of a pack",
    .usage = "FILE -O DIR",
    .about = "Checks every file of the pack ('-' is stdin) against its manifest. DIR is a tape\n"
             "like any other: query it, play it, verify it. Exit 1: the pack is cut, changed\n"
             "or not a pack, and nothing of it is left.",
    .sets = sets,
    .operand = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
