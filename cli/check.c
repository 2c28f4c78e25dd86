/* check.c - is a tape being recorded as it should be? One line for a monitor. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/health.h"
#include "cli/pages.h"
#include "cli/range.h"
#include "shm/ring_state.h"
#include "shm/rings.h"
#include "tape/folder.h"

struct args {
    struct range_args range;
    int form;
    bool json, archive;
    uint64_t recent_ns, canary_warning, canary_critical, fill_warning, fill_critical, free_warning,
        free_critical;
};

static struct args args;

static const char *const forms[] = {"text", "nagios", "json", "prometheus", NULL};

static const struct option rows[] = {
    {.name = "format",
     .letter = 'o',
     .kind = OPTION_CHOICE,
     .choices = forms,
     .preset = "text",
     .at = offsetof(struct args, form),
     .help = "form of the output"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, json),
     .help = "same as --format json"},
    {.name = "archive",
     .kind = OPTION_FLAG,
     .at = offsetof(struct args, archive),
     .help = "no recorder needs to run for this tape"},
    {.name = "recent",
     .kind = OPTION_DURATION,
     .preset = "10m",
     .at = offsetof(struct args, recent_ns),
     .help = "warning when ticks were lost within this time"},
    {.name = "canary-warning",
     .kind = OPTION_DURATION,
     .preset = "10s",
     .at = offsetof(struct args, canary_warning),
     .help = "warning when a canary tick cannot be queried this long after it was due"},
    {.name = "canary-critical",
     .kind = OPTION_DURATION,
     .preset = "1m",
     .at = offsetof(struct args, canary_critical),
     .help = "critical when a canary tick cannot be queried this long after it was due"},
    {.name = "fill-warning",
     .kind = OPTION_COUNT,
     .value = "PERCENT",
     .preset = "80",
     .min = 1,
     .max = 100,
     .at = offsetof(struct args, fill_warning),
     .help = "warning when a ring is this full"},
    {.name = "fill-critical",
     .kind = OPTION_COUNT,
     .value = "PERCENT",
     .preset = "95",
     .min = 1,
     .max = 100,
     .at = offsetof(struct args, fill_critical),
     .help = "critical when a ring is this full"},
    {.name = "free-warning",
     .kind = OPTION_SIZE,
     .preset = "2G",
     .at = offsetof(struct args, free_warning),
     .help = "warning when the disk has less free than this, or will be full within a day"},
    {.name = "free-critical",
     .kind = OPTION_SIZE,
     .preset = "256M",
     .at = offsetof(struct args, free_critical),
     .help = "critical when the disk has less free than this, or will be full within an hour"},
    {.name = NULL},
};

static const struct option_set sets[] = {
    {.rows = range_folder_rows, .into = &args.range},
    {.rows = rows, .into = &args},
    {.rows = NULL},
};

/* ---- the rings ---- */

static double percent_of(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* Only how full the ring is now is judged. The high-water mark is for graphs: holding a burst is
 * what a ring is for. */
static void check_ring(struct health *h, const struct counters_copy *page, const char *ring)
{
    uint64_t state = page_value(page, "ring_state", ring);
    const char *reason = page_ring_reason(page, ring);
    double fill =
        percent_of(page_value(page, "ring_fill", ring), page_value(page, "ring_capacity", ring));
    if (state == RING_QUARANTINED)
        health_find(h, HEALTH_CRITICAL, "ring", "remove it, and let its producer create it again",
                    "ring %s is quarantined", ring);
    else if (state == RING_HELD)
        health_find(h, HEALTH_CRITICAL, "ring", "end the other consumer",
                    "ring %s is consumed by another process", ring);
    else if (state == RING_REFUSED)
        health_find(h, HEALTH_CRITICAL, "ring", "look at the recorder's log, which has all of it",
                    "ring %s is refused%s%s", ring, reason != NULL ? ": " : "",
                    reason != NULL ? reason : "");
    else if (state == RING_WAITING)
        health_find(h, HEALTH_WARNING, "ring", "start its producer, or use --create-ring",
                    "ring %s is not in %s", ring, rings_path());
    bool critical = fill >= (double)args.fill_critical;
    if (critical || fill >= (double)args.fill_warning)
        health_find(h, critical ? HEALTH_CRITICAL : HEALTH_WARNING, "ring",
                    "a larger ring, or a faster disk", "ring %s is %.0f %% full", ring, fill);
}

/* How full the fullest ring is, by this counter. */
static double fullest(const struct counters_copy *page, const char *counter)
{
    double most = 0;
    for (unsigned i = 0; i < page->rows; i++) {
        const struct counter_value *row = &page->values[i];
        double full = strcmp(row->name, counter) == 0
                          ? percent_of(row->value, page_value(page, "ring_capacity", row->ring))
                          : 0;
        most = full > most ? full : most;
    }
    return most;
}

static void check_rings(struct health *h, const struct counters_copy *page)
{
    uint64_t asked = page_value(page, "recorder_rings", NULL);
    uint64_t attached = page_value(page, "recorder_rings_attached", NULL);
    for (unsigned i = 0; i < page->rows; i++)
        if (strcmp(page->values[i].name, "ring_state") == 0)
            check_ring(h, page, page->values[i].ring);
    health_find(h, attached == asked ? HEALTH_OK : HEALTH_WARNING, "rings",
                "start their producers, or use --create-ring",
                "%" PRIu64 " of %" PRIu64 " %s recorded", attached, asked,
                quantity_word(asked, "ring", "rings"));
    health_measure(h, "rings", "", (double)attached);
    health_measure(h, "ring_fill", "%", fullest(page, "ring_fill"));
    health_measure(h, "ring_high_water", "%", fullest(page, "ring_high_water"));
}

/* ---- the recorder ---- */

#define WAIT_LATE_NS (5 * NS_PER_S)

static void check_state(struct health *h, const struct counters_copy *page)
{
    static const struct {
        const char *word;
        enum health_level level;
        const char *remedy;
    } states[] = {
        {"no space", HEALTH_CRITICAL, "free space on the tape's disk: recording goes on by itself"},
        {"sync", HEALTH_WARNING, "look at the disk, and at the recorder's log"},
        {"write", HEALTH_CRITICAL, "look at the disk, and at the recorder's log"},
        {"index", HEALTH_WARNING,
         "make room on the disk, or look at it: the index catches up by itself; where the log "
         "says that the next start builds it anew, restart the recorder when convenient"},
    };
    uint64_t state = page_value(page, "recorder_state", NULL);
    if (state == 0 || state > array_size(states))
        return;
    health_find(h, states[state - 1].level, "state", states[state - 1].remedy, "degraded: %s",
                states[state - 1].word);
}

static void check_losses(struct health *h, const struct counters_copy *page)
{
    uint64_t last = page_value(page, "recorder_last_loss", NULL), now_ns = clock_wall(), lost = 0;
    for (unsigned i = 0; i < page->rows; i++)
        if (strcmp(page->values[i].name, "ring_lost") == 0)
            lost += page->values[i].value;
    health_measure(h, "lost", "c", (double)lost);
    bool recent = last != 0 && (last > now_ns || now_ns - last < args.recent_ns);
    health_find(h, recent ? HEALTH_WARNING : HEALTH_OK, "lost",
                "`tapedeck gaps` names them; a larger ring, or a faster disk",
                "%" PRIu64 " %s lost since it started", lost, quantity_word(lost, "tick", "ticks"));
}

/* Recording does not need a replayer. If one is running, report what it sees of the canary. */
static void check_canary(struct health *h, const struct counters_copy *page)
{
    char text[QUANTITY_TEXT];
    uint64_t period_ns = page_value(page, "recorder_canary_period", NULL), age_ns;
    if (period_ns == 0 || !page_canary_age(page, &age_ns))
        return;
    uint64_t late_ns = age_ns > period_ns ? age_ns - period_ns : 0;
    health_find(h,
                late_ns >= args.canary_critical  ? HEALTH_CRITICAL
                : late_ns >= args.canary_warning ? HEALTH_WARNING
                                                 : HEALTH_OK,
                "canary", "look at the logs of recorder and replayer, and at the disk",
                "what can be queried is %s old",
                quantity_duration_text(text, age_ns / NS_PER_MS * NS_PER_MS));
    health_measure(h, "canary_age", "s", (double)age_ns / (double)NS_PER_S);
}

static void check_page(struct health *h, const struct counters_copy *page)
{
    uint64_t silent_ns = counters_silence(page, clock_mono()), wait_ns = 0;
    if (silent_ns > COUNTERS_SILENT_NS)
        health_find(h, HEALTH_CRITICAL, "loop",
                    "look at the recorder's log; it may be restarted at any time",
                    "the recorder has not moved for %" PRIu64 " s", silent_ns / NS_PER_S);
    for (unsigned i = 0; i < page->rows; i++)
        if (strcmp(page->values[i].name, "ring_wait") == 0 && page->values[i].value > wait_ns)
            wait_ns = page->values[i].value;
    if (wait_ns > WAIT_LATE_NS)
        health_find(h, HEALTH_CRITICAL, "wait", "look at the disk, and at the recorder's log",
                    "ticks have waited in a ring for %" PRIu64 " s", wait_ns / NS_PER_S);
    check_state(h, page);
    check_rings(h, page);
    check_losses(h, page);
    check_canary(h, page);
}

/* There are no counters: nobody is recording, or the recorder is not visible from here. */
static void check_silence(struct health *h, const struct folder *folder, bool left)
{
    uint64_t segment;
    if (folder_is_held(folder))
        health_find(h, HEALTH_WARNING, "recorder",
                    "an import or another job has none, and a recorder none before it is ready; "
                    "else set TAPEDECK_RINGS as the recorder has it",
                    "something writes the tape, but no recorder's counters are in %s",
                    rings_path());
    else if (args.archive)
        health_find(h, HEALTH_OK, "recorder", NULL, "nobody records it");
    else if (left || !folder_clean_segment(folder, &segment))
        health_find(h, HEALTH_CRITICAL, "recorder", "start it again: nothing published is lost",
                    "no recorder runs, and the last one was killed, or could not start");
    else
        health_find(h, HEALTH_WARNING, "recorder", "start it; --archive if nobody should",
                    "no recorder runs; the last one ended in order");
}

static void check_recorder(struct health *h, const struct folder *folder)
{
    struct counters_copy page;
    struct tdk_err err;
    int rc = page_read_recorder(&page, folder, &err);
    if (rc == 0 && page.alive)
        check_page(h, &page);
    else if (rc == 0 || rc == -ENOENT)
        check_silence(h, folder, rc == 0);
    else
        health_find(h, HEALTH_UNKNOWN, "counters", NULL, "%s", err.text);
    if (rc == 0)
        counters_forget(&page);
}

/* ---- the disk ---- */

#define RATE_AFTER_NS (600 * NS_PER_S) /* before that, a rate says little about the day */

/* Seconds until the disk is full: as the recorder computes it from its last minutes, else by the
 * rate since its start. UINT64_MAX: not known, or the recorder's limits prevent it. */
static uint64_t seconds_left(const struct folder *folder, uint64_t free_bytes)
{
    struct counters_copy page;
    if (page_read_recorder(&page, folder, NULL) < 0)
        return UINT64_MAX;
    uint64_t now_ns = clock_wall(), written = page_value(&page, "recorder_written", NULL);
    uint64_t full_ns = page_value(&page, "recorder_disk_full_in", NULL);
    uint64_t ran_ns = now_ns > page.started ? now_ns - page.started : 0;
    bool limited = page_value(&page, "recorder_disk_limited", NULL) != 0;
    counters_forget(&page);
    if (full_ns != 0)
        return full_ns / NS_PER_S;
    if (limited || ran_ns < RATE_AFTER_NS || written == 0)
        return UINT64_MAX;
    return (uint64_t)((double)free_bytes / ((double)written / ((double)ran_ns / 1e9)));
}

static void check_disk(struct health *h, const struct folder *folder)
{
    struct statvfs fs;
    char text[QUANTITY_TEXT], left[QUANTITY_TEXT + 16] = "";
    if (statvfs(folder->path, &fs) < 0) {
        health_find(h, HEALTH_UNKNOWN, "disk", NULL, "how full its disk is cannot be seen");
        return;
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
             seconds = seconds_left(folder, free_bytes);
    bool critical = free_bytes < args.free_critical || seconds < 3600;
    bool warning = free_bytes < args.free_warning || seconds < 86400;
    if (seconds < UINT64_MAX / NS_PER_S)
        snprintf(left, sizeof left, ", full in %s",
                 quantity_duration_text((char[QUANTITY_TEXT]){0}, seconds * NS_PER_S));
    health_find(h,
                critical  ? HEALTH_CRITICAL
                : warning ? HEALTH_WARNING
                          : HEALTH_OK,
                "disk", "more disk, or `tapedeck retain`", "%s free%s",
                quantity_size_text(text, free_bytes), left);
    health_measure(h, "disk_free", "B", (double)free_bytes);
}

/* ---- quarantine ---- */

/* What a crash leaves: "0000000042.torn"; of a number that was given again "0000000042.torn.1". */
static bool is_torn_tail(const char *name)
{
    static const char suffix[] = ".torn";
    const char *found = strstr(name, suffix);
    return found != NULL && (found[sizeof suffix - 1] == '\0' || found[sizeof suffix - 1] == '.');
}

static void check_quarantine(struct health *h, const struct folder *folder)
{
    unsigned set_aside = 0;
    struct dirent *entry;
    DIR *dir = opendir(folder->quarantine);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        set_aside += entry->d_name[0] != '.' && !is_torn_tail(entry->d_name);
    if (dir != NULL)
        closedir(dir);
    if (set_aside > 0)
        health_find(h, HEALTH_WARNING, "quarantine",
                    "find out who put them there, then remove them", "recovery has set aside %u %s",
                    set_aside, quantity_word(set_aside, "file", "files"));
}

static int run(const struct cli *cli)
{
    static struct health health;
    struct folder folder;
    struct tdk_err err;
    (void)cli;
    if (args.range.tape == NULL)
        return range_no_tape();
    health.subject = args.range.tape;
    if (folder_open(&folder, args.range.tape, &err) < 0) {
        health_find(&health, HEALTH_UNKNOWN, "tape", NULL, "%s", err.text);
    } else {
        check_recorder(&health, &folder);
        check_disk(&health, &folder);
        check_quarantine(&health, &folder);
        folder_close(&folder);
    }
    int rc = health_show(&health, args.json ? HEALTH_JSON : (enum health_form)args.form, stdout);
    if (rc < 0)
        return cli_fail_stdout(rc);
    return (int)health_worst(&health);
}

const struct command check_command = {
    .name = "check",
    .brief = "print one health line; the exit status tells a monitor the level",
    .usage = "-T DIR [-o text|nagios|json|prometheus] [options]",
    .about = "Is the tape recorded as it should be? Reads the recorder's counters in shared\n"
             "memory, the tape's disk and its quarantine. It reads no segment, and answers\n"
             "even while the recorder or the disk hangs. `tapedeck verify` reads the tape\n"
             "itself. Exit 0 ok, 1 warning, 2 critical, 3 unknown.",
    .sets = sets,
    .run = run,
};
