/* doctor.c - what is wrong with this host, and how to repair it. */
#include "cli/doctor.h"

#include <stddef.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/range.h"
#include "tape/folder.h"

struct args {
    struct range_args range;
    uint64_t write_size;
    bool quick, json;
};

static struct args args;

static const struct option rows[] = {
    {.name = "write-size",
     .kind = OPTION_SIZE,
     .preset = "64M",
     .min = 1 << 20,
     .max = UINT64_C(64) << 30,
     .at = offsetof(struct args, write_size),
     .help = "how much to write when measuring the disk, into a file without a name"},
    {.name = "quick",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, quick),
     .help = "do not measure the disk"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "print a JSON array, an object per finding"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

/* Bytes a second over all of the tape, including pauses. 0: not known. */
static uint64_t recorded_rate(const char *path)
{
    struct tdk_tape *tape;
    struct tdk_tape_info info;
    if (tdk_tape_open(&tape, path, NULL) < 0)
        return 0;
    tdk_tape_info(tape, &info);
    tdk_tape_close(tape);
    return info.last_ts > info.first_ts
               ? quantity_per_second(info.bytes, info.last_ts - info.first_ts)
               : 0;
}

static int run(const struct cli *cli)
{
    static struct health health = {.subject = "host"};
    (void)cli;
    doctor_host(&health);
    if (args.range.tape != NULL) {
        const struct doctor_disk disk = {
            .path = args.range.tape,
            .write_size = args.quick ? 0 : args.write_size,
            .rate = recorded_rate(args.range.tape),
        };
        doctor_disk(&health, &disk);
    } else {
        cli_note("no tape was named with -T DIR, so no disk was checked");
    }
    int rc = health_table(&health, args.json);
    if (rc < 0)
        return cli_fail_stdout(rc);
    return (int)health_worst(&health);
}

const struct command doctor_command = {
    .name = "doctor",
    .brief = "find what is wrong with this host, and say how to fix it",
    .usage = "[-T DIR] [--quick] [--json]",
    .about = "Checks shared memory, limits, namespaces and clocks. With -T it also checks the\n"
             "disk that holds the tape, or is to hold it: its file system, its free space, and\n"
             "how fast it writes and syncs, compared with the rate recorded on the tape. Exit\n"
             "0 ok, 1 warning, 2 critical, 3 unknown.",
    .sets = sets,
    .run = run,
};
