#include "tape/seal_tape.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/stub.h"
#include "tape/view.h"

enum { TICK_MS = 200 };

struct job {
    uint64_t number, size;
    bool done, told;
    int rc;
    struct tdk_err err;
    struct sealing sealing;
    _Atomic uint64_t read;
};

struct group {
    const struct seal_tape_options *options;
    struct recovered tape;
    struct job *jobs;
    size_t job_count, room;
    struct seal_totals *totals;

    pthread_mutex_t lock; /* over everything below, and over the index */
    pthread_cond_t changed;
    size_t next, finished;
    _Atomic bool stop;
};

/* ---- what there is to do ---- */

static int note_segment(const struct segment_ref *ref, void *context)
{
    struct group *g = context;
    const struct seal_tape_options *o = g->options;
    if (!ref->sealed || ref->generation != 0 || ref->number < o->first ||
        (o->last != 0 && ref->number > o->last))
        return 0;
    if (stub_is_at(&g->tape.folder, ref->number, SEGMENT_SEALED)) {
        g->totals->moved++;
        return 0;
    }
    struct job *jobs = array_grow(g->jobs, &g->room, g->job_count + 1, sizeof *jobs);
    if (jobs == NULL)
        return -ENOMEM;
    g->jobs = jobs;
    g->jobs[g->job_count++] = (struct job){.number = ref->number, .size = ref->size};
    g->totals->bytes_total += ref->size;
    g->totals->to_do++;
    return 0;
}

/* ---- one segment, on a thread of the group ---- */

struct progress {
    struct group *group;
    struct job *job;
};

static bool on_go_on(void *context, uint64_t done)
{
    struct progress *p = context;
    p->job->read = done;
    return !p->group->stop;
}

static int switch_to(struct group *g, struct job *job)
{
    int rc = seal_check(&job->sealing, &job->err);
    pthread_mutex_lock(&g->lock);
    if (rc == 0)
        rc = seal_switch(&job->sealing, g->tape.index, &job->err);
    pthread_mutex_unlock(&g->lock);
    if (rc == 0)
        return seal_drop(&job->sealing, &job->err);
    seal_undo(&job->sealing, NULL);
    return rc;
}

static void run_job(struct group *g, struct job *job)
{
    struct progress progress = {g, job};
    const struct seal_options options = {
        .level = g->options->level, .go_on = on_go_on, .context = &progress};
    job->rc = seal_pack(&job->sealing, &g->tape.folder, job->number, &options, &job->err);
    if (job->rc == 0)
        job->rc = switch_to(g, job);
    if (job->rc < 0 && seal_check(&job->sealing, NULL) == -ENOENT)
        job->rc = -ECANCELED; /* by the job that deleted it */
    job->read = job->size;
    if (job->rc < 0 && job->rc != -ECANCELED && !g->options->keep_going)
        g->stop = true;
}

static void *work(void *context)
{
    struct group *g = context;
    pthread_mutex_lock(&g->lock);
    while (g->next < g->job_count && !g->stop) {
        struct job *job = &g->jobs[g->next++];
        pthread_mutex_unlock(&g->lock);
        run_job(g, job);
        pthread_mutex_lock(&g->lock);
        job->done = true;
        pthread_cond_signal(&g->changed);
    }
    g->finished++;
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* ---- the caller's thread ---- */

static void tell_job(struct group *g, struct job *job)
{
    const struct seal_tape_options *o = g->options;
    struct seal_totals *t = g->totals;
    job->told = true;
    if (job->rc == 0) {
        t->segments++;
        t->ticks += job->sealing.ticks;
        t->bytes_before += job->sealing.bytes_before;
        t->bytes_after += job->sealing.bytes_after;
        if (o->packed != NULL)
            o->packed(&job->sealing, o->context);
    } else if (job->rc != -ECANCELED) {
        t->failed++;
        if (o->failed != NULL)
            o->failed(job->number, job->err.text, o->context);
    }
    seal_close(&job->sealing);
}

static void tell_all(struct group *g)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < g->job_count; i++) {
        if (g->jobs[i].done && !g->jobs[i].told)
            tell_job(g, &g->jobs[i]);
        bytes += g->jobs[i].read;
    }
    g->totals->bytes = bytes;
}

static void wait_a_while(struct group *g)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    uint64_t ns = (uint64_t)until.tv_sec * NS_PER_S + (uint64_t)until.tv_nsec + TICK_MS * NS_PER_MS;
    until.tv_sec = (time_t)(ns / NS_PER_S);
    until.tv_nsec = (long)(ns % NS_PER_S);
    pthread_cond_timedwait(&g->changed, &g->lock, &until);
}

/* With the lock held. */
static bool watch(struct group *g, size_t threads)
{
    const struct seal_tape_options *o = g->options;
    bool stopped = false;
    while (g->finished < threads) {
        wait_a_while(g);
        tell_all(g);
        if (!stopped && o->go_on != NULL && !o->go_on(g->totals, o->context))
            g->stop = stopped = true;
    }
    tell_all(g);
    return stopped;
}

static size_t thread_count(const struct group *g)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = g->options->threads != 0 ? g->options->threads
                   : processors > 0         ? (size_t)processors
                                            : 1;
    return count < g->job_count ? count : g->job_count;
}

static int run_group(struct group *g, struct tdk_err *err)
{
    size_t count = thread_count(g), started = 0;
    pthread_t *threads = calloc(count + 1, sizeof *threads);
    if (threads == NULL)
        return err_set(err, -ENOMEM, "pack segments");
    pthread_mutex_lock(&g->lock);
    while (started < count && pthread_create(&threads[started], NULL, work, g) == 0)
        started++;
    bool stopped = watch(g, started);
    pthread_mutex_unlock(&g->lock);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    if (started == 0 && count > 0)
        return err_set(err, -EAGAIN, "start a thread");
    return stopped ? err_say(err, -ECANCELED, "interrupted") : 0;
}

static int first_failure(const struct group *g, struct tdk_err *err)
{
    for (size_t i = 0; i < g->job_count && !g->options->keep_going; i++)
        if (g->jobs[i].rc < 0 && g->jobs[i].rc != -ECANCELED)
            return err_say(err, g->jobs[i].rc, "%s", g->jobs[i].err.text);
    return 0;
}

/* Count what there is to do, with a reader's rights only: a recorder may hold the tape
 * meanwhile. */
static int look(struct group *g, const char *path, struct tdk_err *err)
{
    struct view *view;
    int rc = folder_open(&g->tape.folder, path, err);
    if (rc < 0)
        return rc;
    rc = view_open(&view, &g->tape.folder, err);
    if (rc == 0) {
        rc = index_segments(view->index, note_segment, g, err);
        view_drop(view);
    }
    folder_close(&g->tape.folder);
    free(g->jobs);
    return rc;
}

int seal_tape(const char *path, const struct seal_tape_options *options, struct seal_totals *totals,
              struct tdk_err *err)
{
    struct group g = {.options = options, .totals = totals};
    *totals = (struct seal_totals){0};
    if (options->dry_run)
        return look(&g, path, err);
    const struct recover_options mending = {.found = options->found, .context = options->context};
    int rc = recover_open(&g.tape, path, &mending, err);
    if (rc < 0)
        return rc;
    pthread_mutex_init(&g.lock, NULL);
    pthread_cond_init(&g.changed, NULL);
    rc = index_segments(g.tape.index, note_segment, &g, err);
    if (rc == -ENOMEM)
        err_set(err, rc, "pack segments");
    if (rc == 0 && g.job_count > 0)
        rc = run_group(&g, err);
    if (rc == 0)
        rc = first_failure(&g, err);
    pthread_cond_destroy(&g.changed);
    pthread_mutex_destroy(&g.lock);
    free(g.jobs);
    struct tdk_err close_err;
    int closed = recover_close(&g.tape, true, &close_err);
    return rc < 0 ? rc : closed < 0 ? err_say(err, closed, "%s", close_err.text) : 0;
}
