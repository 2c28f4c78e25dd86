#include "tape/behind.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/buffers.h"
#include "base/err.h"
#include "tape/files.h"

#define BUFFERS_MAX (BEHIND_WRITES_MAX + 1) /* one more, which is being filled */

struct job {
    int fd;
    unsigned char *buffer;
    size_t size;
    uint64_t offset;
};

struct behind {
    size_t room;
    unsigned writes;
    pthread_t threads[BEHIND_WRITES_MAX]; /* only the owner uses this and the next two */
    unsigned thread_count;
    unsigned char *buffers[BUFFERS_MAX]; /* all that were made */
    unsigned buffer_count;

    pthread_mutex_t lock;
    pthread_cond_t queued, returned;
    bool stop; /* under the lock, like everything below */
    int status;
    struct job jobs[BUFFERS_MAX]; /* by number, modulo; no more than there are buffers */
    uint64_t given, begun, ended;
    unsigned char *idle[BUFFERS_MAX];
    unsigned idle_count;
};

/* ---- the threads ---- */

/* False: there will be no more jobs. */
static bool next_job(struct behind *b, struct job *job)
{
    while (b->begun == b->given && !b->stop)
        pthread_cond_wait(&b->queued, &b->lock);
    if (b->begun == b->given)
        return false;
    *job = b->jobs[b->begun++ % BUFFERS_MAX];
    return true;
}

static void *run(void *context)
{
    struct behind *b = context;
    struct job job;
    pthread_mutex_lock(&b->lock);
    while (next_job(b, &job)) {
        pthread_mutex_unlock(&b->lock);
        int rc = files_write(job.fd, job.buffer, job.size, job.offset);
        pthread_mutex_lock(&b->lock);
        if (b->status == 0)
            b->status = rc;
        b->idle[b->idle_count++] = job.buffer;
        b->ended++;
        pthread_cond_signal(&b->returned); /* only the owner waits for it */
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static int start_thread(struct behind *b)
{
    int rc = pthread_create(&b->threads[b->thread_count], NULL, run, b);
    b->thread_count += rc == 0;
    return -rc;
}

/* ---- open, close ---- */

int behind_open(struct behind **behind, size_t room, unsigned writes, struct tdk_err *err)
{
    assert(writes >= 1 && writes <= BEHIND_WRITES_MAX);
    struct behind *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, -ENOMEM, "start a writing thread");
    b->room = room;
    b->writes = writes;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->queued, NULL);
    pthread_cond_init(&b->returned, NULL);
    int rc = start_thread(b);
    if (rc < 0) {
        behind_close(b);
        return err_set(err, rc, "start a writing thread");
    }
    *behind = b;
    return 0;
}

void behind_close(struct behind *behind)
{
    if (behind == NULL)
        return;
    pthread_mutex_lock(&behind->lock);
    behind->stop = true;
    pthread_cond_broadcast(&behind->queued);
    pthread_mutex_unlock(&behind->lock);
    for (unsigned i = 0; i < behind->thread_count; i++)
        pthread_join(behind->threads[i], NULL);
    for (unsigned i = 0; i < behind->buffer_count; i++)
        buffers_unmap(behind->buffers[i], behind->room);
    pthread_cond_destroy(&behind->queued);
    pthread_cond_destroy(&behind->returned);
    pthread_mutex_destroy(&behind->lock);
    free(behind);
}

/* ---- the owner ---- */

/* With the lock held: wait until at most `out` writes are in flight. */
static void wait_for(struct behind *b, unsigned out)
{
    while (b->given - b->ended > out)
        pthread_cond_wait(&b->returned, &b->lock);
}

/* With the lock held. NULL: none is idle. */
static unsigned char *idle_buffer(struct behind *b)
{
    return b->idle_count > 0 ? b->idle[--b->idle_count] : NULL;
}

/* Make one more buffer, if the limit permits it. */
static unsigned char *make_buffer(struct behind *b)
{
    if (b->buffer_count > b->writes)
        return NULL;
    unsigned char *buffer = buffers_map(b->room);
    if (buffer != NULL)
        b->buffers[b->buffer_count++] = buffer;
    return buffer;
}

unsigned char *behind_buffer(struct behind *behind)
{
    pthread_mutex_lock(&behind->lock);
    unsigned char *buffer = idle_buffer(behind);
    pthread_mutex_unlock(&behind->lock);
    if (buffer == NULL)
        buffer = make_buffer(behind);
    if (buffer != NULL || behind->buffer_count == 0)
        return buffer;
    pthread_mutex_lock(&behind->lock);
    while ((buffer = idle_buffer(behind)) == NULL)
        pthread_cond_wait(&behind->returned, &behind->lock);
    pthread_mutex_unlock(&behind->lock);
    return buffer;
}

/* With the lock held. */
static int take_status(struct behind *b)
{
    int status = b->status;
    b->status = 0;
    return status;
}

int behind_wait(struct behind *behind)
{
    pthread_mutex_lock(&behind->lock);
    wait_for(behind, 0);
    int rc = take_status(behind);
    pthread_mutex_unlock(&behind->lock);
    return rc;
}

int behind_write(struct behind *behind, int fd, unsigned char *buffer, size_t size, uint64_t offset)
{
    const struct job job = {.fd = fd, .buffer = buffer, .size = size, .offset = offset};
    pthread_mutex_lock(&behind->lock);
    int rc = take_status(behind);
    if (rc == 0)
        behind->jobs[behind->given++ % BUFFERS_MAX] = job;
    else
        behind->idle[behind->idle_count++] = buffer;
    bool crowded = behind->given - behind->ended > behind->thread_count;
    pthread_cond_signal(&behind->queued);
    pthread_mutex_unlock(&behind->lock);
    if (crowded && behind->thread_count < behind->writes)
        start_thread(behind); /* if it cannot be started, the others do its work */
    return rc;
}
