#include "recorder/retention.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/quantity.h"
#include "tape/retire.h"

#define LOOK_NS   NS_PER_S        /* has somebody deleted beside us? how much is free? */
#define PLAN_NS   (10 * NS_PER_S) /* what does the policy say? */
#define SIZE_NS   (10 * NS_PER_S) /* how large has the tape become? */
#define SAMPLE_NS (10 * NS_PER_S)
#define SPAN_NS   (60 * NS_PER_S)  /* of samples, before there is a forecast */
#define URGENT_NS (5 * NS_PER_S)   /* for what was deleted to become free, if the disk is full */
#define WARN_NS   (600 * NS_PER_S) /* between two warnings, unless it has become twice as bad */

enum {
    AT_A_TIME = 16,
    ROW_WAIT_MS = 500, /* a stop waits for the work under way */
};

/* ---- the forecast ---- */

static void forecast_add(struct forecast *forecast, uint64_t now_ns, uint64_t bytes_written)
{
    unsigned at = (forecast->first + forecast->count) % FORECAST_SAMPLES;
    forecast->at_ns[at] = now_ns;
    forecast->bytes[at] = bytes_written;
    if (forecast->count < FORECAST_SAMPLES)
        forecast->count++;
    else
        forecast->first = (forecast->first + 1) % FORECAST_SAMPLES;
}

/* ns until this much is written at that rate. UINT64_MAX: it is too early to say, or nothing
 * comes. */
static uint64_t forecast_full_ns(const struct forecast *forecast, uint64_t free_bytes,
                                 uint64_t *per_second)
{
    *per_second = 0;
    if (forecast->count < 2)
        return UINT64_MAX;
    unsigned first = forecast->first,
             last = (forecast->first + forecast->count - 1) % FORECAST_SAMPLES;
    uint64_t ns = forecast->at_ns[last] - forecast->at_ns[first];
    if (ns < SPAN_NS)
        return UINT64_MAX;
    *per_second = quantity_per_second(forecast->bytes[last] - forecast->bytes[first], ns);
    if (*per_second == 0)
        return UINT64_MAX;
    uint64_t seconds = free_bytes / *per_second;
    return seconds > UINT64_MAX / NS_PER_S ? UINT64_MAX : seconds * NS_PER_S;
}

/* ---- on the pool ---- */

static bool look_changed(struct retention *r)
{
    char path[TAPE_PATH_MAX];
    struct stat file;
    snprintf(path, sizeof path, "%s/retired", r->tape->folder.path);
    if (stat(path, &file) < 0)
        return false;
    uint64_t ns = (uint64_t)file.st_mtim.tv_sec * NS_PER_S + (uint64_t)file.st_mtim.tv_nsec;
    bool changed = r->retired_inode != file.st_ino || r->retired_ns != ns;
    r->retired_inode = file.st_ino;
    r->retired_ns = ns;
    return changed;
}

static int note_retired(uint64_t segment, enum retire_fate fate, uint64_t bytes, void *context)
{
    struct retention *r = context;
    (void)segment;
    if (fate == RETIRE_DONE) {
        r->segments++;
        r->bytes += bytes;
    }
    r->verdict.unmet = r->verdict.unmet || fate == RETIRE_UNREADABLE;
    return 0;
}

/* Plan by the tape's index. While that is behind, plan by one made from the segments: a full disk
 * must be given room all the same. */
static int make_plan(struct retention *r, struct retain_plan *plan)
{
    struct recovered *tape = r->tape;
    struct index *own;
    if (indexer_state(&r->journal->indexer) == INDEXER_OK)
        return retain_plan_make(plan, &tape->folder, tape->index, r->policy, &r->memory, &r->err);
    int rc = index_open_private(&own, tape->folder.tape_id, &r->err);
    if (rc < 0)
        return rc;
    rc = rebuild_index(&tape->folder, own, NULL, NULL, &r->err);
    if (rc == 0)
        rc = retain_plan_make(plan, &tape->folder, own, r->policy, &r->memory, &r->err);
    index_close(own);
    return rc;
}

/* Measure how large the sealed segments are, including those that others wrote beside us. (The
 * segment that is being written has its room allocated ahead, and says little.) And measure what
 * all segments take of the disk. */
static void look_sizes(const struct retention *r, uint64_t *sealed, uint64_t *taken)
{
    struct dirent *entry;
    struct stat file;
    DIR *dir = opendir(r->tape->folder.segments);
    *sealed = *taken = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(file.st_mode))
            continue;
        *taken += (uint64_t)file.st_blocks * 512;
        if (length > 4 && strcmp(entry->d_name + length - 4, ".seg") == 0)
            *sealed += (uint64_t)file.st_size;
    }
    if (dir != NULL)
        closedir(dir);
}

static uint64_t look_free(const struct retention *r, uint64_t otherwise)
{
    struct statvfs disk;
    bool told = statvfs(r->tape->folder.segments, &disk) == 0;
    return told ? (uint64_t)disk.f_bavail * disk.f_frsize : otherwise;
}

/* The sum of what is free and what the segments take: see unfreed.h. */
static uint64_t look_sum(const struct retention *r)
{
    uint64_t sealed, taken;
    look_sizes(r, &sealed, &taken);
    return taken + look_free(r, r->free_bytes);
}

/* On a full disk, the wait is only as long as a replayer takes to close a file. */
static void look_unfreed(struct retention *r)
{
    uint64_t patience_ns = r->urgent ? URGENT_NS : UNFREED_PATIENCE_NS;
    r->memory.unfreed = 0;
    if (r->unfreed.bytes > 0)
        r->memory.unfreed = unfreed_bytes(&r->unfreed, look_sum(r), patience_ns, clock_mono());
}

static int retire(struct retention *r, const uint64_t *numbers, size_t count)
{
    const struct retire_options options = {
        .each = note_retired, .context = r, .row_wait_ms = ROW_WAIT_MS};
    bool by_free = r->policy->min_free != 0 && count > 0;
    uint64_t before = by_free ? look_sum(r) : 0;
    int rc = retire_segments(&r->tape->folder, numbers, count, &options, &r->err);
    if (by_free)
        unfreed_add(&r->unfreed, r->bytes, before, look_sum(r), clock_mono());
    return rc;
}

static int apply(struct retention *r)
{
    struct retain_plan plan;
    size_t count;
    look_unfreed(r);
    int rc = make_plan(r, &plan);
    if (rc != 0)
        return rc;
    r->verdict = plan.verdict;
    r->waits = r->memory.unfreed > 0 && plan.free_bytes < r->policy->min_free;
    uint64_t *numbers = retain_plan_going(&plan, &count);
    retain_plan_close(&plan);
    if (numbers == NULL)
        return err_set(&r->err, -ENOMEM, "retention");
    r->more = count > AT_A_TIME;
    rc = retire(r, numbers, r->more ? AT_A_TIME : count);
    free(numbers);
    return rc;
}

static void on_pool(uv_work_t *work)
{
    struct retention *r = container_of(work, struct retention, work);
    uint64_t taken;
    r->segments = r->bytes = 0;
    r->more = false;
    r->status = r->planning ? apply(r) : 0;
    r->changed = look_changed(r);
    if (r->sizing)
        look_sizes(r, &r->size, &taken);
    r->free_bytes = look_free(r, r->free_bytes);
}

/* ---- on the loop ---- */

/* That another job has the row of segments is no failure: it goes on to delete for itself, or ends.
 */
static void tell_failure(struct retention *r)
{
    const bool is_busy = r->status == TDK_EBUSY, failed = r->status < 0 && !is_busy;
    if (is_busy && !r->busy_told)
        log_warn("retention: nothing is deleted for now, because another job deletes or moves "
                 "segments of %s, or begins to write to it; trying again in %d s",
                 r->tape->folder.path, (int)((r->urgent ? LOOK_NS : PLAN_NS) / NS_PER_S));
    if (failed && !r->failed_told)
        log_error("retention: %s; trying again every %d s", r->err.text, (int)(PLAN_NS / NS_PER_S));
    r->busy_told = is_busy;
    r->failed_told = failed;
}

/* Told once, and again when it has been well in between. */
static void tell_trouble(struct retention *r)
{
    tell_failure(r);
    if (r->status < 0)
        return;
    if (r->verdict.unmet && !r->unmet_told)
        log_warn("retention: the limits cannot be met: what is left is held, marked, being read, "
                 "being written or cannot be read; `tapedeck retain plan` says what keeps it");
    r->unmet_told = r->verdict.unmet;
}

static void tell_waiting(struct retention *r)
{
    char bytes[QUANTITY_TEXT], patience[QUANTITY_TEXT];
    if (r->waits && !r->waits_told)
        log_warn("retention: %s of deleted segments are not free yet, because a process has the "
                 "files open: for up to %s nothing is deleted in their place",
                 quantity_size_text(bytes, r->memory.unfreed),
                 quantity_duration_text(patience, UNFREED_PATIENCE_NS));
    r->waits_told = r->waits;
}

static void tell_retired(struct retention *r)
{
    char bytes[QUANTITY_TEXT];
    if (r->segments == 0)
        return;
    log_info("retention: %llu %s of %s deleted", (unsigned long long)r->segments,
             quantity_word(r->segments, "segment", "segments"),
             quantity_size_text(bytes, r->bytes));
}

static uint64_t left_of(uint64_t limit, uint64_t used)
{
    return limit > used ? limit - used : 0;
}

/* How much larger the limits let the tape become. Segments to come are taken to be as large as
 * those that are there. */
static uint64_t may_grow(const struct retention *r)
{
    const struct retain_policy *p = r->policy;
    const struct retain_verdict *v = &r->verdict;
    uint64_t bytes = UINT64_MAX;
    if (p->max_size != 0)
        bytes = left_of(p->max_size, v->bytes);
    if (p->max_segments != 0 && v->segments != 0) {
        uint64_t each = v->bytes / v->segments + 1, count = left_of(p->max_segments, v->segments);
        bytes = min_u64(bytes, count < UINT64_MAX / each ? count * each : UINT64_MAX);
    }
    return bytes;
}

/* As long as the limits on the disk can be kept, and are not larger than the disk, they make sure
 * that it is never full. */
static bool policy_sees_to_it(const struct retention *r)
{
    return !r->verdict.unmet && (r->policy->min_free != 0 || may_grow(r) < r->free_bytes);
}

static void look_ahead(struct retention *r, uint64_t now_ns)
{
    char in[QUANTITY_TEXT], rate[QUANTITY_TEXT], free_text[QUANTITY_TEXT];
    uint64_t per_second, full_ns = forecast_full_ns(&r->forecast, r->free_bytes, &per_second);
    r->is_limited = policy_sees_to_it(r);
    r->full_ns = r->is_limited ? UINT64_MAX : full_ns;
    if (r->warn_ns == 0 || r->full_ns >= r->warn_ns)
        return;
    bool worse = r->full_ns < r->warned_full_ns / 2;
    if (r->warned_ns != 0 && now_ns - r->warned_ns < WARN_NS && !worse)
        return;
    r->warned_ns = now_ns;
    r->warned_full_ns = r->full_ns;
    log_warn("the disk of %s will be full in %s at the present %s/s: %s are free; delete or pack "
             "segments (tapedeck retain, tapedeck seal), or set --retain-min-free",
             r->tape->folder.path, quantity_duration_text(in, r->full_ns),
             quantity_size_text(rate, per_second), quantity_size_text(free_text, r->free_bytes));
}

static void on_done(uv_work_t *work, int status)
{
    struct retention *r = container_of(work, struct retention, work);
    uint64_t now_ns = clock_mono();
    assert(status == 0); /* nothing cancels it */
    (void)status;
    r->busy = false;
    r->disk_free = r->free_bytes;
    r->tape_size = r->size;
    if (r->planning) {
        tell_trouble(r);
        tell_waiting(r);
        tell_retired(r);
    }
    if (r->changed)
        journal_follow(r->journal);
    if (r->more && r->segments > 0)
        r->plan_ns = now_ns; /* go on with the next ones at once */
    look_ahead(r, now_ns);
}

/* Told once, and again when the clock has been believed in between. */
static void tell_doubt(struct retention *r, bool doubt, uint64_t ahead_ns)
{
    char ahead[QUANTITY_TEXT], patience[QUANTITY_TEXT];
    if (doubt && !r->doubt_told)
        log_warn(
            "retention: the host's clock is %s ahead of when %s: by age nothing is deleted for "
            "that until it has stayed so for %s%s",
            quantity_duration_text(ahead, ahead_ns / NS_PER_S * NS_PER_S),
            r->was_away ? "the tape was last written" : "it was last believed",
            quantity_duration_text(patience, BELIEF_AFTER_NS),
            r->was_away ? ", or the disk is full" : "");
    r->doubt_told = doubt;
}

/* By the host's clock all that is on the tape may seem old. If it was so when we began, we were
 * more likely away for long, and on a full disk room is needed now. */
static void look_at_clock(struct retention *r, uint64_t now_ns)
{
    uint64_t wall_ns = clock_wall(), written_ns = r->tape->written_ns; /* when recovery looked */
    bool by_age = r->policy->max_age_ns != 0 || r->policy->track_count != 0;
    bool begins = r->belief.mono_ns == 0;
    if (begins)
        belief_init(&r->belief, written_ns != 0 ? written_ns : wall_ns, now_ns);
    uint64_t believed_ns = belief_time(&r->belief, wall_ns, now_ns);
    bool doubt = by_age && belief_is_doubt(&r->belief);
    r->was_away = doubt && (begins || r->was_away);
    r->memory.now_ns = r->was_away && r->urgent ? wall_ns : believed_ns;
    tell_doubt(r, doubt, wall_ns - believed_ns);
}

void retention_init(struct retention *r, uv_loop_t *loop, struct recovered *tape,
                    struct journal *journal, const struct retain_policy *policy, uint64_t warn_ns)
{
    memset(r, 0, sizeof *r);
    r->loop = loop;
    r->tape = tape;
    r->journal = journal;
    r->policy = policy;
    r->warn_ns = warn_ns;
    r->full_ns = r->warned_full_ns = UINT64_MAX;
    look_changed(r); /* recovery has seen it already */
}

void retention_close(struct retention *r)
{
    retain_memory_close(&r->memory);
}

void retention_tend(struct retention *r, uint64_t now_ns, uint64_t bytes_written, bool urgent)
{
    if (now_ns - r->sample_ns >= SAMPLE_NS) {
        forecast_add(&r->forecast, now_ns, bytes_written);
        r->sample_ns = now_ns;
    }
    if (r->busy || now_ns < r->look_ns)
        return;
    r->urgent = urgent;
    look_at_clock(r, now_ns);
    r->planning = retain_is_set(r->policy) && (now_ns >= r->plan_ns || urgent);
    r->look_ns = now_ns + LOOK_NS;
    r->sizing = now_ns >= r->size_ns;
    if (r->planning)
        r->plan_ns = now_ns + PLAN_NS;
    if (r->sizing)
        r->size_ns = now_ns + SIZE_NS;
    r->busy = uv_queue_work(r->loop, &r->work, on_pool, on_done) == 0;
}
