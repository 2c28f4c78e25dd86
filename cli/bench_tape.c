#include "cli/bench_tape.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/market.h"
#include "tape/append.h"
#include "tape/seal_tape.h"

#define DAY_BEGIN UINT64_C(1763649000000000000) /* 2025-11-20T14:30:00Z */
#define DAY_NS    (23400 * NS_PER_S)            /* 6.5 h */
#define NIGHT_NS  (63000 * NS_PER_S)            /* until the next day begins */
#define DAYS_MAX  3650u

const struct option bench_tape_rows[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .variable = "",
     .at = offsetof(struct bench_tape_options, tape),
     .help = "use this tape instead of a synthetic day"},
    {.name = "ticks",
     .kind = OPTION_COUNT,
     .min = 1000,
     .preset = "10000000",
     .at = offsetof(struct bench_tape_options, ticks),
     .help = "ticks of the synthetic day"},
    {.name = "symbols",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = MARKET_SYMBOLS_MAX,
     .preset = "200",
     .at = offsetof(struct bench_tape_options, symbols),
     .help = "symbols of the synthetic day"},
    {.name = "days",
     .kind = OPTION_COUNT,
     .min = 1,
     .max = DAYS_MAX,
     .preset = "1",
     .at = offsetof(struct bench_tape_options, days),
     .help = "number of such days, one after the other"},
    {.name = "dir",
     .kind = OPTION_TEXT,
     .value = "DIR",
     .preset = "/var/tmp",
     .at = offsetof(struct bench_tape_options, dir),
     .help = "where the synthetic tape is created and removed again"},
    {.name = NULL},
};

/* ---- a folder of our own ---- */

int bench_folder_make(char path[PATH_MAX], const char *dir, struct tdk_err *err)
{
    if (snprintf(path, PATH_MAX, "%s/tapedeck-bench-XXXXXX", dir) >= PATH_MAX)
        return err_set(err, -ENAMETOOLONG, "create a directory in %s", dir);
    if (mkdtemp(path) != NULL)
        return 0;
    path[0] = '\0';
    return err_set(err, -errno, "create a directory in %s", dir);
}

/* Call `each` for each file and folder below `path`, and for folders after their contents. */
static int walk(const char *path, void (*each)(const FTSENT *entry), struct tdk_err *err)
{
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (walk == NULL)
        return err_set(err, -errno, "walk through %s", path);
    for (FTSENT *entry; (entry = fts_read(walk)) != NULL;)
        if (entry->fts_info != FTS_D)
            each(entry);
    fts_close(walk);
    return 0;
}

static void remove_one(const FTSENT *entry)
{
    remove(entry->fts_accpath);
}

void bench_folder_remove(const char *path)
{
    walk(path, remove_one, NULL);
}

/* Only clean pages can be dropped, so sync the file first. */
static void evict_one(const FTSENT *entry)
{
    int fd = entry->fts_info == FTS_F ? open(entry->fts_accpath, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return; /* a folder, or a file we cannot read, such as a socket */
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

int bench_tape_evict(const char *path, struct tdk_err *err)
{
    return walk(path, evict_one, err);
}

/* ---- the days ---- */

static int name_symbols(struct append *append, const struct bench_tape_options *o,
                        struct tdk_err *err)
{
    int rc = 0;
    for (uint32_t id = 1; rc == 0 && id <= o->symbols; id++) {
        unsigned char bytes[sizeof(struct tdk_symbol) + MARKET_NAME];
        const struct tdk_symbol symbol = {.instrument_id = id, .to = UINT64_MAX};
        char name[MARKET_NAME];
        market_name(name, id);
        size_t size = strlen(name);
        memcpy(bytes, &symbol, sizeof symbol);
        memcpy(bytes + sizeof symbol, name, size);
        rc = append_control(append, TDK_TYPE_SYMBOL, bytes, (uint32_t)(sizeof symbol + size), err);
    }
    return rc;
}

/* Every `tracks`-th tick of the market, beginning with the `track`-th. */
static int fill_track(struct append *append, const struct bench_tape_options *o, unsigned track,
                      unsigned tracks, struct tdk_err *err)
{
    char name[32];
    struct market market;
    uint64_t record[sizeof(struct tdk_dbn_mbp_1) / 8], step_ns = DAY_NS / o->ticks;
    snprintf(name, sizeof name, "day-%u", track);
    int rc = append_begin(append, name, TDK_KIND_DBN, err);
    if (rc == 0)
        rc = name_symbols(append, o, err);
    if (rc == 0 && market_open(&market, MARKET_TRADES, (uint32_t)o->symbols, 1) < 0)
        rc = err_set(err, -ENOMEM, "generate %" PRIu64 " symbols", o->symbols);
    if (rc < 0)
        return rc;
    for (uint64_t i = 0; rc == 0 && i < o->ticks * o->days; i++) {
        uint32_t size = market_next_size(&market);
        market_next(&market, record);
        if (i % tracks != track)
            continue;
        uint64_t ts = DAY_BEGIN + i / o->ticks * (DAY_NS + NIGHT_NS) + i % o->ticks * step_ns;
        rc = append_tick(append, TDK_TYPE_DBN, 0, ts, record, size, err);
        if (i % 65536 == track && interrupted())
            rc = err_set(err, -ECANCELED, "generate days");
    }
    market_close(&market);
    return rc;
}

static int make_days(struct bench_tape *tape, const struct bench_tape_options *o, unsigned tracks,
                     struct tdk_err *err)
{
    struct append *append;
    int rc = bench_folder_make(tape->path, o->dir, err);
    if (rc < 0)
        return rc;
    tape->ours = true;
    rc = append_open(&append, tape->path, NULL, err);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; rc == 0 && i < tracks; i++)
        rc = fill_track(append, o, i, tracks, err);
    if (rc == 0)
        return append_close(append, NULL, err);
    append_abort(append);
    return rc;
}

static int look(struct bench_tape *tape, struct tdk_err *err)
{
    struct tdk_tape *opened;
    struct tdk_tape_info info;
    int rc = tdk_tape_open(&opened, tape->path, err);
    if (rc < 0)
        return rc;
    tdk_tape_info(opened, &info);
    tdk_tape_close(opened);
    if (info.first_ts > info.last_ts)
        return err_say(err, TDK_EVALUE, "%s has no tick to query", tape->path);
    tape->from = info.first_ts;
    tape->to = info.last_ts + 1;
    tape->noon = tape->from + (tape->to - tape->from) / 2;
    return 0;
}

int bench_tape_open(struct bench_tape *tape, const struct bench_tape_options *o, unsigned tracks,
                    struct tdk_err *err)
{
    *tape = (struct bench_tape){.ours = false};
    if (o->tape != NULL) {
        if (snprintf(tape->path, sizeof tape->path, "%s", o->tape) >= (int)sizeof tape->path)
            return err_set(err, -ENAMETOOLONG, "open %s", o->tape);
        return look(tape, err);
    }
    cli_note("generating %" PRIu64 " day%s of %" PRIu64 " ticks in %s", o->days,
             o->days == 1 ? "" : "s", o->ticks, o->dir);
    int rc = make_days(tape, o, tracks, err);
    if (rc == 0)
        rc = look(tape, err);
    tape->noon = DAY_BEGIN + o->days / 2 * (DAY_NS + NIGHT_NS) + DAY_NS / 2;
    return rc;
}

int bench_tape_seal(const struct bench_tape *tape, struct tdk_err *err)
{
    struct seal_totals totals;
    const struct seal_tape_options options = {.threads = 0};
    assert(tape->ours);
    return seal_tape(tape->path, &options, &totals, err);
}

void bench_tape_close(struct bench_tape *tape)
{
    if (tape->ours)
        bench_folder_remove(tape->path);
    tape->ours = false;
}
