#include "recorder/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/name.h"
#include "recorder/sealers.h"
#include "tapedeck/tape.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

static const struct option recording[] = {
    {.name = "tape",
     .letter = 'T',
     .kind = OPTION_TEXT,
     .value = "DIR",
     .required = true,
     .help = "the tape to write; created if it does not exist",
     .at = offsetof(struct config, tape)},
    {.name = "ring",
     .kind = OPTION_LIST,
     .value = "NAME[=TRACK]",
     .required = true,
     .help = "a ring to record; one that does not exist yet is waited for",
     .at = offsetof(struct config, ring_words)},
    {.name = "create-ring",
     .kind = OPTION_SIZE,
     .is_power = true,
     .min = 64 * KIB,
     .max = 1024 * GIB,
     .help = "create rings that do not exist, of this size, a power of two",
     .at = offsetof(struct config, create_size)},
    {.name = "allow-disk-ring",
     .kind = OPTION_FLAG,
     .help = "allow a rings directory that is not on tmpfs",
     .at = offsetof(struct config, on_disk_ring)},
    {.name = NULL},
};

static const struct option writing[] = {
    {.name = "sync",
     .kind = OPTION_TEXT,
     .value = "HOW",
     .preset = "interval:100ms",
     .help = "when written ticks are made durable: none, batch, or interval:DURATION",
     .at = offsetof(struct config, sync_word)},
    {.name = "block-size",
     .kind = OPTION_SIZE,
     .preset = "1M",
     .min = 4 * KIB,
     .max = 16 * MIB,
     .help = "write when this much waits in the rings",
     .at = offsetof(struct config, block_size)},
    {.name = "block-age",
     .kind = OPTION_DURATION,
     .preset = "50ms",
     .help = "or when a tick has waited this long; five times that while less than 64K waits",
     .at = offsetof(struct config, block_age_ns)},
    {.name = "segment-size",
     .kind = OPTION_SIZE,
     .preset = "1G",
     .min = 64 * KIB,
     .max = 1024 * GIB,
     .help = "begin the next file at this size",
     .at = offsetof(struct config, segment_size)},
    {.name = "segment-age",
     .kind = OPTION_DURATION,
     .help = "or when the file is this old; 0 or not given: no age limit",
     .at = offsetof(struct config, segment_age_ns)},
    {.name = "buffer-memory",
     .kind = OPTION_SIZE,
     .preset = "64M",
     .min = 4 * MIB,
     .max = 16 * GIB,
     .help = "how far the disk may fall behind before rings fill up",
     .at = offsetof(struct config, memory)},
    {.name = "io-workers",
     .kind = OPTION_COUNT,
     .preset = "12",
     .min = 4,
     .max = 128,
     .help = "threads for writes, syncs and other calls that may block",
     .at = offsetof(struct config, io_workers)},
    {.name = "cpu-workers",
     .kind = OPTION_COUNT,
     .preset = "1",
     .min = 1,
     .max = SEALERS_MAX,
     .help = "threads that pack sealed segments, one segment each",
     .at = offsetof(struct config, cpu_workers)},
    {.name = NULL},
};

static const struct option running[] = {
    {.name = "ack-fd",
     .kind = OPTION_TEXT,
     .value = "N",
     .help = "report on this descriptor what is durable: lines TRACK EPOCH SEQ",
     .at = offsetof(struct config, ack_word)},
    {.name = "feed-uid",
     .kind = OPTION_LIST,
     .value = "USER",
     .help = "user who may connect to lend rings, flush and ask for status, and for nothing else: "
             "a name or a number",
     .at = offsetof(struct config, feed_words)},
    {.name = "canary",
     .kind = OPTION_DURATION,
     .help = "record a tick of our own this often (1s to 1m), to see how fresh queries are",
     .at = offsetof(struct config, canary_ns)},
    {.name = "exit-when-idle",
     .kind = OPTION_DURATION,
     .help = "exit when the rings have been empty this long",
     .at = offsetof(struct config, idle_exit_ns)},
    {.name = NULL},
};

static const char *const seal_words[] = {"off", "auto", NULL};

static const struct option keeping[] = {
    {.name = "seal",
     .kind = OPTION_CHOICE,
     .choices = seal_words,
     .preset = "off",
     .help = "auto: pack sealed segments while the recorder is not behind; off: only when asked",
     .at = offsetof(struct config, seal)},
    {.name = "seal-after",
     .kind = OPTION_DURATION,
     .preset = "10m",
     .help = "pack what has been sealed for this long",
     .at = offsetof(struct config, seal_after_ns)},
    {.name = "seal-level",
     .kind = OPTION_COUNT,
     .preset = "1",
     .min = 1,
     .max = 19,
     .help = "zstd level; from 9 on one to three per cent smaller, and slower",
     .at = offsetof(struct config, seal_level)},

    {.name = "warn-full",
     .kind = OPTION_DURATION,
     .preset = "1d",
     .help = "warn when the disk will be full sooner than this at the present rate; 0: never",
     .at = offsetof(struct config, warn_full_ns)},
    {.name = NULL},
};

int config_ring_parse(struct config_ring *ring, const char *word, struct tdk_err *err)
{
    const char *equals = strchr(word, '=');
    size_t name_size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const char *track = equals != NULL ? equals + 1 : "";
    size_t track_size = strlen(track);

    if (!name_is_valid(word, name_size))
        return err_set(err, TDK_ENAME, "--ring %.*s", (int)(name_size < 80 ? name_size : 80), word);
    if (equals != NULL && !name_is_valid(track, track_size))
        return err_set(err, TDK_ENAME, "--ring %.160s: track %.80s", word, track);
    memset(ring, 0, sizeof *ring);
    memcpy(ring->name, word, name_size);
    memcpy(ring->track, track, track_size);
    return 0;
}

int config_sync_parse(const char *word, enum sync_mode *mode, uint64_t *interval_ns,
                      struct tdk_err *err)
{
    static const char prefix[] = "interval:";
    *interval_ns = 0;
    if (strcmp(word, "none") == 0) {
        *mode = SYNC_NONE;
        return 0;
    }
    if (strcmp(word, "batch") == 0) {
        *mode = SYNC_BATCH;
        return 0;
    }
    *mode = SYNC_INTERVAL;
    if (strncmp(word, prefix, sizeof prefix - 1) != 0)
        return err_say(err, TDK_EVALUE,
                       "--sync %.80s: not one of none, batch, interval:DURATION (interval:100ms)",
                       word);
    if (quantity_duration(word + sizeof prefix - 1, interval_ns, err) < 0)
        return err_wrap(err, TDK_EVALUE, "--sync %.80s", word);
    if (*interval_ns < 1000000)
        return err_say(err, TDK_EVALUE,
                       "--sync %.80s: an interval is at least 1ms; batch syncs "
                       "after each write",
                       word);
    return 0;
}

/* Two rings into one track would give it two sequences at once. */
static int check_twice(const struct config *c, unsigned count, struct tdk_err *err)
{
    const struct config_ring *last = &c->rings[count];
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(c->rings[i].name, last->name) == 0)
            return err_say(err, TDK_EVALUE, "--ring %s is given twice", last->name);
        if (last->track[0] != '\0' && strcmp(c->rings[i].track, last->track) == 0)
            return err_say(err, TDK_EVALUE, "--ring %s and --ring %s both go to track %s",
                           c->rings[i].name, last->name, last->track);
    }
    return 0;
}

static int parse_rings(struct config *c, struct tdk_err *err)
{
    size_t count = c->ring_words.count;
    if (count > CONFIG_RINGS_MAX)
        return err_say(err, TDK_EVALUE, "%zu rings are too many: one tape takes at most %u", count,
                       CONFIG_RINGS_MAX);
    c->rings = calloc(count + 1, sizeof *c->rings);
    if (c->rings == NULL)
        return err_set(err, -ENOMEM, "rings");
    for (unsigned i = 0; i < count; i++) {
        int rc = config_ring_parse(&c->rings[i], c->ring_words.items[i], err);
        if (rc == 0)
            rc = check_twice(c, i, err);
        if (rc < 0)
            return rc;
    }
    c->ring_count = (unsigned)count;
    return 0;
}

static int parse_ack_fd(struct config *c, struct tdk_err *err)
{
    uint64_t fd;
    c->ack_fd = -1;
    if (c->ack_word == NULL)
        return 0;
    if (quantity_count(c->ack_word, &fd, err) < 0)
        return err_wrap(err, TDK_EVALUE, "--ack-fd");
    if (fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0)
        return err_say(err, TDK_EVALUE, "--ack-fd %.80s: no such descriptor is open", c->ack_word);
    c->ack_fd = (int)fd;
    return 0;
}

static int check_sizes(const struct config *c, struct tdk_err *err)
{
    if (c->segment_size < 2 * c->block_size)
        return err_say(err, TDK_EVALUE,
                       "--segment-size must hold two blocks: at least %llu with this --block-size",
                       2 * (unsigned long long)c->block_size);
    if (c->memory < 4 * c->block_size)
        return err_say(err, TDK_EVALUE, "--buffer-memory must hold four blocks of --block-size");
    return 0;
}

static int check_canary(const struct config *c, struct tdk_err *err)
{
    if (c->canary_ns != 0 && (c->canary_ns < NS_PER_S || c->canary_ns > 60 * NS_PER_S))
        return err_say(err, TDK_EVALUE, "--canary must be from 1s to 1m, or 0 for none");
    for (unsigned i = 0; i < c->ring_count; i++)
        if (strcmp(c->rings[i].track, TDK_CANARY_TRACK) == 0)
            return err_say(err, TDK_EVALUE,
                           "--ring %s: track " TDK_CANARY_TRACK " is the recorder's own (--canary)",
                           c->rings[i].name);
    return 0;
}

static int work_out(struct config *c, struct tdk_err *err)
{
    int rc = parse_rings(c, err);
    if (rc == 0)
        rc = config_sync_parse(c->sync_word, &c->sync, &c->sync_interval_ns, err);
    if (rc == 0)
        rc = parse_ack_fd(c, err);
    if (rc == 0)
        rc = check_sizes(c, err);
    if (rc == 0)
        rc = check_canary(c, err);
    if (rc == 0)
        rc = server_config_check(&c->server, c->tape, "recorder.sock", err);
    if (rc == 0)
        rc = server_config_uids(&c->feed_words, "--feed-uid", &c->feeds, err);
    if (rc == 0)
        rc = retain_limits_policy(&c->keep, &c->retain, err);
    return rc;
}

int config_load(struct config *c, int argc, char *const argv[], struct tdk_err *err)
{
    memset(c, 0, sizeof *c);
    const struct option_set sets[] = {
        {.title = "recording", .rows = recording, .into = c},
        {.title = "writing", .rows = writing, .into = c},
        {.title = "retention and packing", .rows = retain_limit_recorder_rows, .into = &c->keep},
        {.rows = keeping, .into = c},
        {.title = "running", .rows = running, .into = c},
        {.title = "access", .rows = server_rows, .into = &c->server},
        {.rows = NULL},
    };
    const struct option_spec spec = {
        .program = "tapedeck-recorder",
        .section = "recorder",
        .usage = "--tape DIR --ring NAME[=TRACK] ... [options]",
        .about = "Records any number of rings to one tape.\n"
                 "SIGTERM: drain, sync, seal, exit 0. SIGHUP: begin the next segment.\n"
                 "SIGUSR1: write statistics to the log.",
        .sets = sets,
    };
    int rc = option_read(&spec, argc, argv, &c->options, err);
    if (rc < 0)
        return rc;
    if (option_answered(&spec, &c->options, TDK_VERSION))
        return 1;
    option_log(&c->options.globals, "recorder");
    return work_out(c, err);
}

void config_close(struct config *c)
{
    free(c->rings);
    c->rings = NULL;
    retain_limits_close(&c->retain);
    option_close(&c->options);
}
