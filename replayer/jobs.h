/*
 * jobs.h - reads of the tape on libuv's pool: so many at a time, the others wait in a queue.
 *
 * A job that reads for long does a piece and queues again, so that all get their turn. All calls
 * but run() are for the loop's thread.
 */
#ifndef TDK_REPLAYER_JOBS_H
#define TDK_REPLAYER_JOBS_H

#include <uv.h>

struct jobs;

/* Part of the struct that the work is about. Nobody else touches that between jobs_add() and
 * done().
 */
struct job {
    uv_work_t work;
    struct jobs *jobs;
    struct job *next;
    void (*run)(struct job *job);  /* on the pool; may block */
    void (*done)(struct job *job); /* on the loop; the job may be added again, or freed */
};

struct jobs {
    uv_loop_t *loop; /* borrowed */
    unsigned limit, running, waiting;
    struct job *first, *last; /* those that wait */
};

void jobs_init(struct jobs *jobs, uv_loop_t *loop, unsigned limit);
void jobs_add(struct jobs *jobs, struct job *job);

#endif
