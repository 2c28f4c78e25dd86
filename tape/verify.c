#include "tape/verify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "tape/holds.h"
#include "tape/hole.h"
#include "tape/verify_chain.h"
#include "tape/verify_segment.h"
#include "tape/view.h"

enum { THREADS_MAX = 64, PROGRESS_MS = 200 };

/* A segment to be read: taken by some thread, reported by the caller's. */
struct job {
    struct segment_name name;
    struct report report;
    bool retired;           /* gone since we looked */
    bool unmade;            /* made ahead for a recorder, and taken back since */
    struct tdk_err away;    /* why its blocks were not looked at */
    struct tdk_err refused; /* why it cannot be looked at, and is no damage; else its code is 0 */
    bool done;              /* under verify.lock */
};

struct verify {
    const struct verify_options *options;
    struct folder folder;
    const char *lone;  /* path of the one segment; NULL: a tape */
    struct view *view; /* of the index to compare; NULL: none */
    struct job *jobs;
    size_t job_count;
    struct verify_totals totals;
    const struct tdk_err *refused; /* by the first segment that was refused; NULL: none was */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a job is done */
    size_t next;            /* next job to be taken */
    _Atomic uint64_t bytes, blocks, ticks;

    struct chain chain;
    bool retired_since; /* part of the tape was deleted while verify ran */
    uint64_t marked;    /* the last segment when the tape was closed cleanly; 0: not known */
};

/* ---- what was found ---- */

static void tell(struct verify *v, uint64_t segment, const struct report_finding *finding)
{
    v->totals.findings++;
    const struct verify_finding told = {.segment = segment,
                                        .offset = finding->offset,
                                        .code = finding->code,
                                        .what = finding->what};
    if (v->options->finding != NULL)
        v->options->finding(&told, v->options->context);
}

/* Findings that belong to no single segment have a report of their own. */
static int tell_report(struct verify *v, struct report *report)
{
    for (size_t i = 0; i < report->finding_count; i++)
        tell(v, report->number, &report->findings[i]);
    int rc = report->failed;
    report_close(report);
    return rc;
}

static void tell_progress(struct verify *v)
{
    v->totals.bytes = v->bytes;
    v->totals.blocks = v->blocks;
    v->totals.ticks = v->ticks;
    if (v->options->progress != NULL)
        v->options->progress(&v->totals, v->options->context);
}

/* ---- the threads ---- */

static int open_segment(const struct verify *v, const struct job *job, struct segment **segment,
                        struct tdk_err *err)
{
    if (v->lone != NULL)
        return segment_open(segment, v->lone, NULL, err);
    return segment_open_number(segment, &v->folder, job->name.number, job->name.stage, err);
}

/* Was the segment deleted on purpose since it was listed? */
static bool is_retired_now(const struct verify *v, uint64_t number)
{
    struct retired *now;
    if (v->lone != NULL || retired_load(&now, &v->folder, NULL) < 0)
        return false;
    bool is_retired = retired_find(now, number) != NULL;
    retired_drop(now);
    return is_retired;
}

/* A moved segment may be gone from the other disk while its stub is still here. */
static bool is_absent(int rc, const struct segment *segment)
{
    return rc == -ENOENT || (rc == 0 && segment_is_away(segment) && segment->away.code == -ENOENT);
}

/* The segment may be whole, but cannot be looked at from here or now. */
static bool is_out_of_reach(int rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -EAGAIN || rc == -EBUSY || rc == -EFBIG ||
           rc == TDK_EFULL || rc == -ENOMEM || rc == -ENOSPC || rc == -EMFILE || rc == -ENFILE;
}

static void run_job(const struct verify *v, struct job *job, struct verify_reader *reader)
{
    struct tdk_err err;
    struct segment *segment = NULL;
    enum segment_stage stage = job->name.stage;
    const bool was_open = stage == SEGMENT_OPEN;
    int rc = open_segment(v, job, &segment, &err);
    if (rc == -ENOENT && was_open) { /* sealed since we looked */
        job->name.stage = stage = SEGMENT_SEALED;
        rc = open_segment(v, job, &segment, &err);
    }
    job->report.number = job->name.number;
    if (is_absent(rc, segment) && is_retired_now(v, job->name.number)) {
        job->retired = true;
        segment_close(segment);
        return;
    }
    if (rc == -ENOENT && was_open) {
        job->unmade = true;
        return;
    }
    if (rc < 0 && is_out_of_reach(rc)) {
        job->report.failed = rc;
        job->refused = err;
        return;
    }
    if (rc < 0) {
        report_add(&job->report, UINT64_MAX, rc, "%s", err.text);
        return;
    }
    job->report.number = segment->head.number;
    verify_segment(reader, segment, stage, &job->report);
    if (job->report.is_away)
        job->away = segment->away;
    segment_close(segment);
}

static struct job *take_job(struct verify *v)
{
    pthread_mutex_lock(&v->lock);
    struct job *job = v->next < v->job_count ? &v->jobs[v->next++] : NULL;
    pthread_mutex_unlock(&v->lock);
    return job;
}

static void *work(void *context)
{
    struct verify *v = context;
    struct verify_reader reader = {.index = v->view != NULL ? v->view->index : NULL,
                                   .live = v->view != NULL && v->view->live,
                                   .bytes_done = &v->bytes,
                                   .blocks_done = &v->blocks,
                                   .ticks_done = &v->ticks};
    struct job *job;
    while ((job = take_job(v)) != NULL) {
        run_job(v, job, &reader);
        pthread_mutex_lock(&v->lock);
        job->done = true;
        pthread_cond_signal(&v->changed);
        pthread_mutex_unlock(&v->lock);
    }
    verify_reader_close(&reader);
    return NULL;
}

static unsigned threads_of(const struct verify *v)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads = v->options->threads != 0 ? v->options->threads
                     : processors > 0         ? (size_t)processors
                                              : 1;
    if (threads > v->job_count)
        threads = v->job_count;
    return threads > THREADS_MAX ? THREADS_MAX : (unsigned)threads;
}

/* ---- in order ---- */

/* Are segments missing after the last one? */
static int check_end(struct verify *v)
{
    struct report report = {.number = 0}; /* 0: the tape as a whole */
    chain_end(&v->chain, v->marked, &report);
    return tell_report(v, &report);
}

/* Load the retired list anew, for the segments after this one. */
static void look_at_retired_again(struct verify *v)
{
    struct retired *now;
    v->retired_since = true;
    if (retired_load(&now, &v->folder, NULL) < 0)
        return;
    retired_drop(v->chain.retired);
    v->chain.retired = now;
}

/* Called in order of segments: report a segment's own findings, then how it follows those before
 * it. */
static int finish_job(struct verify *v, struct job *job)
{
    struct report *report = &job->report;
    if (job->retired) {
        look_at_retired_again(v);
        return 0;
    }
    if (job->unmade)
        return 0;
    if (job->refused.code != 0) {
        v->refused = &job->refused;
        return report->failed;
    }
    int rc = chain_add(&v->chain, report);
    v->totals.segments++;
    v->totals.bad_blocks += report->bad_blocks;
    v->totals.away += report->is_away;
    if (report->is_away && v->options->away != NULL)
        v->options->away(report->number, job->away.text, v->options->context);
    int told = tell_report(v, report);
    tell_progress(v);
    return rc < 0 ? rc : told;
}

/* What a recorder adds meanwhile, or somebody deletes, would look like an error. */
static int check_index(struct verify *v)
{
    struct report report = {.number = 0};
    if (v->view == NULL || v->view->live || v->retired_since)
        return 0;
    verify_index(v->view->index, &v->chain, &report);
    return tell_report(v, &report);
}

/* ---- the whole ---- */

/* Wait until `job` is done. Reports progress from time to time. */
static void wait_for(struct verify *v, const struct job *job)
{
    pthread_mutex_lock(&v->lock);
    while (!job->done) {
        uint64_t until = clock_read(CLOCK_MONOTONIC) + PROGRESS_MS * NS_PER_MS;
        const struct timespec deadline = {.tv_sec = (time_t)(until / NS_PER_S),
                                          .tv_nsec = (long)(until % NS_PER_S)};
        if (pthread_cond_timedwait(&v->changed, &v->lock, &deadline) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&v->lock);
        tell_progress(v);
        pthread_mutex_lock(&v->lock);
    }
    pthread_mutex_unlock(&v->lock);
}

static int run(struct verify *v, struct tdk_err *err)
{
    pthread_t threads[THREADS_MAX];
    unsigned wanted = threads_of(v), started = 0;
    int rc = 0;
    while (started < wanted && rc == 0) {
        rc = -pthread_create(&threads[started], NULL, work, v);
        started += rc == 0;
    }
    if (started > 0 || wanted == 0)
        rc = 0; /* fewer threads will do */
    for (size_t i = 0; i < v->job_count && rc == 0; i++) {
        wait_for(v, &v->jobs[i]);
        rc = finish_job(v, &v->jobs[i]);
    }
    if (rc < 0) { /* the other jobs need not begin */
        pthread_mutex_lock(&v->lock);
        v->next = v->job_count;
        pthread_mutex_unlock(&v->lock);
    }
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (rc == 0)
        rc = check_end(v);
    if (rc == 0)
        rc = check_index(v);
    if (v->refused != NULL)
        return err_say(err, rc, "%s", v->refused->text);
    return rc < 0 ? err_set(err, rc, "verify") : 0;
}

static void add_size(struct verify *v, const char *path)
{
    struct stat file;
    if (stat(path, &file) == 0)
        v->totals.bytes_total += (uint64_t)file.st_size;
}

/* Make a job of each name that is part of the tape. */
static int add_jobs(struct verify *v, const struct segment_name *names, size_t count)
{
    v->jobs = calloc(count + 1, sizeof *v->jobs);
    for (size_t i = 0; i < count && v->jobs != NULL; i++) {
        char path[TAPE_PATH_MAX];
        if (names[i].stage == SEGMENT_IMPORT ||
            retired_find(v->chain.retired, names[i].number) != NULL)
            continue;
        v->jobs[v->job_count++].name = names[i];
        folder_segment_path(&v->folder, names[i].number, names[i].stage, path);
        add_size(v, path);
    }
    return v->jobs != NULL ? 0 : -ENOMEM;
}

/* An index that a reader would use must say what the segments say. */
static int open_view(struct verify *v)
{
    struct tdk_err why;
    int rc = view_open_trusted(&v->view, &v->folder, &why);
    if (rc == 0 || !view_should_be_trusted(&v->folder))
        return 0;
    if (is_out_of_reach(rc)) {
        if (v->options->unread != NULL)
            v->options->unread(why.text, v->options->context);
        return 0;
    }
    struct report report = {0};
    report_add(&report, UINT64_MAX, rc, "index: it is marked as whole, but cannot be read: %s",
               tdk_strerror(rc));
    return tell_report(v, &report);
}

/* What no segment depends on has its checksum, too. */
static int check_kept(struct verify *v)
{
    struct report report = {0};
    struct holds holds;
    struct tdk_err why;
    if (v->folder.meta_missing)
        report_add(&report, UINT64_MAX, TDK_ECORRUPT,
                   "tape.meta is lost or damaged: `tapedeck recover` writes it anew");
    int rc = holds_load(&holds, &v->folder, &why);
    if (code_is_damage(rc))
        report_add(&report, UINT64_MAX, rc, "%s", why.text);
    holds_close(&holds);
    return tell_report(v, &report);
}

static int open_retired(struct verify *v, struct tdk_err *err)
{
    struct tdk_err why;
    int rc = retired_load(&v->chain.retired, &v->folder, &why);
    if (rc == 0)
        return 0;
    if (retired_may_pass(rc))
        return err_say(err, rc, "%s", why.text);
    struct report report = {0};
    report_add(&report, UINT64_MAX, rc, "%s", why.text);
    rc = tell_report(v, &report);
    return rc == 0 ? retired_empty(&v->chain.retired, err) : rc;
}

/* The mark is read before the segments are listed, so it names none that is missing from the list
 * only because it was made later. `retired` is read after the listing, so a listed segment that is
 * deleted meanwhile is known as retired. */
static int list_jobs(struct verify *v, struct tdk_err *err)
{
    struct segment_name *names;
    size_t count;
    if (!folder_clean_segment(&v->folder, &v->marked))
        v->marked = 0;
    int rc = folder_segments(&v->folder, &names, &count, err);
    if (rc < 0)
        return rc;
    rc = open_retired(v, err);
    if (rc == 0 && add_jobs(v, names, count) < 0)
        rc = err_set(err, -ENOMEM, "verify %s", v->folder.path);
    free(names);
    return rc;
}

static int open_lone(struct verify *v, const char *path, struct tdk_err *err)
{
    v->lone = path;
    v->jobs = calloc(1, sizeof *v->jobs);
    if (v->jobs == NULL)
        return err_set(err, -ENOMEM, "verify %s", path);
    v->job_count = 1;
    size_t length = strlen(path);
    bool is_open = length > 5 && strcmp(path + length - 5, ".open") == 0;
    v->jobs[0].name.stage = is_open ? SEGMENT_OPEN : SEGMENT_SEALED;
    add_size(v, path);
    return 0;
}

static int open_all(struct verify *v, const char *path, struct tdk_err *err)
{
    struct stat file;
    if (stat(path, &file) < 0)
        return err_advise(err, err_set(err, -errno, "verify %s", path), -EACCES, FOLDER_READERS);
    if (S_ISREG(file.st_mode))
        return open_lone(v, path, err);
    int rc = folder_open(&v->folder, path, err);
    v->chain.folder = &v->folder;
    if (rc == 0)
        rc = check_kept(v);
    if (rc == 0)
        rc = list_jobs(v, err);
    if (rc == 0)
        rc = open_view(v);
    return rc;
}

static void close_all(struct verify *v)
{
    for (size_t i = 0; i < v->job_count; i++)
        report_close(&v->jobs[i].report);
    free(v->jobs);
    chain_close(&v->chain);
    view_drop(v->view);
    folder_close(&v->folder);
    pthread_cond_destroy(&v->changed);
    pthread_mutex_destroy(&v->lock);
}

int tape_verify(const char *path, const struct verify_options *options,
                struct verify_totals *totals, struct tdk_err *err)
{
    struct verify v = {.options = options, .folder = {.lock_fd = -1}};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&v.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&v.lock, NULL);

    int rc = open_all(&v, path, err);
    if (rc == 0)
        rc = run(&v, err);
    if (rc == 0) {
        tell_progress(&v);
        *totals = v.totals;
    }
    close_all(&v);
    return rc;
}
