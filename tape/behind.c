#include "tape/behind.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/err.h"
#include "tape/files.h"

struct behind {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy, stop; /* under the lock, as is all below */
    int result;
    int fd;
    const void *bytes;
    size_t size;
    uint64_t offset;
};

static void *run(void *context)
{
    struct behind *b = context;
    pthread_mutex_lock(&b->lock);
    for (;;) {
        while (!b->busy && !b->stop)
            pthread_cond_wait(&b->changed, &b->lock);
        if (!b->busy)
            break;
        pthread_mutex_unlock(&b->lock); /* the owner only waits while we are busy */
        int result = files_write(b->fd, b->bytes, b->size, b->offset);
        pthread_mutex_lock(&b->lock);
        b->result = result;
        b->busy = false;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

int behind_open(struct behind **behind, struct tdk_err *err)
{
    struct behind *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, -ENOMEM, "start a writing thread");
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    int rc = pthread_create(&b->thread, NULL, run, b);
    if (rc != 0) {
        free(b);
        return err_set(err, -rc, "start a writing thread");
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
    pthread_cond_broadcast(&behind->changed);
    pthread_mutex_unlock(&behind->lock);
    pthread_join(behind->thread, NULL);
    pthread_cond_destroy(&behind->changed);
    pthread_mutex_destroy(&behind->lock);
    free(behind);
}

/* With the lock held. */
static int take_result(struct behind *b)
{
    while (b->busy)
        pthread_cond_wait(&b->changed, &b->lock);
    int result = b->result;
    b->result = 0;
    return result;
}

int behind_wait(struct behind *behind)
{
    pthread_mutex_lock(&behind->lock);
    int rc = take_result(behind);
    pthread_mutex_unlock(&behind->lock);
    return rc;
}

int behind_write(struct behind *behind, int fd, const void *bytes, size_t size, uint64_t offset)
{
    pthread_mutex_lock(&behind->lock);
    int rc = take_result(behind);
    if (rc == 0) {
        behind->fd = fd;
        behind->bytes = bytes;
        behind->size = size;
        behind->offset = offset;
        behind->busy = true;
        pthread_cond_broadcast(&behind->changed);
    }
    pthread_mutex_unlock(&behind->lock);
    return rc;
}
