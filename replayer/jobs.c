#include "replayer/jobs.h"

#include <assert.h>
#include <stddef.h>

#include "base/bytes.h"

void jobs_init(struct jobs *jobs, uv_loop_t *loop, unsigned limit)
{
    *jobs = (struct jobs){.loop = loop, .limit = limit};
}

static void work(uv_work_t *work)
{
    struct job *job = container_of(work, struct job, work);
    job->run(job);
}

static void on_done(uv_work_t *work, int status);

static void start(struct jobs *jobs)
{
    while (jobs->first != NULL && jobs->running < jobs->limit) {
        struct job *job = jobs->first;
        jobs->first = job->next;
        jobs->waiting--;
        jobs->running++;
        int rc = uv_queue_work(jobs->loop, &job->work, work, on_done);
        assert(rc == 0); /* fails only without a work callback */
        (void)rc;
    }
}

static void on_done(uv_work_t *work, int status)
{
    struct job *job = container_of(work, struct job, work);
    struct jobs *jobs = job->jobs;
    assert(status == 0); /* nothing cancels a job */
    (void)status;
    jobs->running--;
    start(jobs);
    job->done(job);
}

void jobs_add(struct jobs *jobs, struct job *job)
{
    job->jobs = jobs;
    job->next = NULL;
    if (jobs->first == NULL)
        jobs->first = job;
    else
        jobs->last->next = job;
    jobs->last = job;
    jobs->waiting++;
    start(jobs);
}
